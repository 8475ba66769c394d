//! Stores with references and a trash, and policies of files and orphans: what is accepted, what is refused (G10), and
//! what a reload widens (D4).

use std::time::Duration;

use retaind::policy::{
    FilesPolicy, Mode, OpenFiles, OrphansPolicy, Per, PolicyKind, ReferenceMatch, Settings, changes, widened,
};

use super::Etc;
use super::refused_rows::told;

/// A source, a store that rows name and one that none does.
const TREES: &str = "[sources.s]\nurl = \"sqlite:/s.db\"\n[stores.named]\npath = \"/named\"\n\
                     references = [{ source = \"s\", table = \"t\", column = \"c\" }]\n[stores.plain]\npath = \"/plain\"\n";

fn settings(lines: &str) -> Settings {
    Etc::new(&format!("{TREES}{lines}\n")).settings()
}

fn files(lines: &str) -> FilesPolicy {
    let settings = settings(&format!("[policies.p]\nkind = \"files\"\nstore = \"plain\"\n{lines}"));
    match &settings.policies[0].kind {
        PolicyKind::Files(files) => files.clone(),
        other => panic!("{other:?}"),
    }
}

fn orphans(lines: &str) -> (OrphansPolicy, Mode) {
    let settings = settings(&format!("[policies.p]\nkind = \"orphans\"\nstore = \"named\"\n{lines}"));
    match &settings.policies[0].kind {
        PolicyKind::Orphans(orphans) => (orphans.clone(), settings.policies[0].mode),
        other => panic!("{other:?}"),
    }
}

#[test]
fn stores_have_references_of_every_shape_and_trash() {
    let settings = settings(
        "[stores.all]\npath = \"/all\"\ntrash = \"7d\"\nreferences = [\n\
         { source = \"s\", table = \"t\", column = \"c\" },\n\
         { source = \"s\", table = \"t\", column = \"d\", directory = true },\n\
         { source = \"s\", table = \"t\", path = \"out/{id}\", directory = true },\n\
         { source = \"s\", table = \"t\", column = \"c\", match = \"name\" },\n]",
    );
    let store = settings.stores.iter().find(|store| store.name.as_str() == "all").unwrap();
    assert_eq!(store.trash, Some(Duration::from_secs(7 * 86_400)));
    let shown: Vec<_> = store.references.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["s.t.c", "s.t.d/", "s.t.out/{id}/", "s.t.c by name"]);
    let matching: Vec<_> = store.references.iter().map(|reference| reference.matching).collect();
    use ReferenceMatch::{Name, Path};
    assert_eq!(matching, [Path, Path, Path, Name]);
}

#[test]
fn files_have_their_defaults_and_all_their_keys() {
    let some = files("keep = \"7d\"");
    assert!(some.matching.matches_all() && some.keep == Some(Duration::from_secs(7 * 86_400)));
    assert_eq!((some.open, some.prune_empty, some.bypass_trash), (OpenFiles::Skip, false, false));
    assert_eq!((some.keep_last, some.max_total, some.max_files), (None, None, None));
    assert_eq!((some.keep_last_per(), some.max_total_per()), (Per::Directory, Per::Store));
    let all = files(
        "match = [\"**/*.log\", \"*.gz\"]\nexclude = \"audit/**\"\nkeep_last = 5\nmax_total = \"10GiB\"\n\
         min_free = \"10%\"\nper = \"directory\"\nprune_empty = true\nopen = \"delete\"\nmax_files = 9\nmax_fraction = 0.5",
    );
    assert_eq!(all.matching.include(), ["**/*.log", "*.gz"]);
    assert!(all.matching.matches(b"a/b.log") && !all.matching.matches(b"audit/b.log"));
    assert_eq!(all.keep_last.unwrap().get(), 5);
    assert_eq!(all.max_total.unwrap().get(), 10 << 30);
    assert_eq!(all.min_free.unwrap().to_string(), "10%");
    assert_eq!((all.keep_last_per(), all.max_total_per()), (Per::Directory, Per::Directory));
    assert_eq!((all.open, all.prune_empty, all.max_files.unwrap().get()), (OpenFiles::Delete, true, 9));
}

#[test]
fn orphans_only_report_unless_told_to_enforce() {
    let (some, mode) = orphans("");
    assert_eq!((mode, some.keep), (Mode::Report, Duration::from_secs(86_400)));
    assert_eq!((some.max_fraction.get(), some.max_files), (0.5, None));
    let (some, mode) = orphans("mode = \"enforce\"\nkeep = \"1h\"\nmax_fraction = 1\nmatch = \"*.jpg\"");
    assert_eq!((mode, some.keep, some.max_fraction.get()), (Mode::Enforce, Duration::from_secs(3600), 1.0));
    assert!(!some.matching.matches(b"a.txt"));
}

#[test]
fn patterns_and_sizes_can_be_overridden_from_outside() {
    let text = format!("{TREES}[policies.p]\nkind = \"files\"\nstore = \"plain\"\nkeep = \"7d\"\n");
    let etc = Etc::new(&text)
        .with_env("RETAIND__POLICIES__P__MATCH", "**/*.log")
        .with_env("RETAIND__POLICIES__P__MAX_TOTAL", "1GiB")
        .with_set("policies.p.exclude", "[\"a\", \"b\"]")
        .with_set("policies.p.keep_last", "3");
    let PolicyKind::Files(files) = &etc.settings().policies[0].kind else { panic!("not of files") };
    assert_eq!((files.matching.include().len(), files.matching.exclude().len()), (1, 2));
    assert_eq!((files.max_total.unwrap().to_string(), files.keep_last.unwrap().get()), ("1GiB".to_owned(), 3));
}

/// What is wrong with these lines beneath the stores.
fn wrong(lines: &str) -> Vec<String> {
    told(&Etc::new(&format!("{TREES}{lines}\n")))
}

#[test]
fn g10_files_that_make_no_sense_are_refused() {
    for (lines, wanted) in [
        (
            "prune_empty = true",
            "policies.p: nothing says which files go (write keep = \"7d\", keep_last = 5, max_total = \"10GiB\" or \
             min_free = \"10%\")",
        ),
        (
            "keep = \"0s\"",
            "keep: nothing can be zero long (to keep for ever, leave the policy out or set mode = \"report\")",
        ),
        ("keep_last = 0", "keep_last: 0 is out of range (write 1 or more)"),
        (
            "keep = { column = \"c\", values = { a = \"1d\" } }",
            "keep: a file has no columns that its time could go by (write keep = \"7d\", or a policy for each match)",
        ),
        (
            "max_total = 10",
            "max_total: expected a size such as \"10GiB\", found a bare number (give it a unit: \"10GiB\" or \"10MB\")",
        ),
        ("max_total = \"10\"", "max_total: a bare number is no size (give it a unit: \"10GiB\" or \"10MB\")"),
        ("max_total = \"0GiB\"", "max_total: a size of nothing (leave the key out, or write a size)"),
        (
            "min_free = \"100%\"",
            "min_free: \"100%\" is no share of a file system (write \"10%\": above 0% and below 100%)",
        ),
        ("keep = \"1d\"\nper = \"store\"", "per: per has no effect without keep_last or max_total (leave it out)"),
        ("keep_last = 1\nper = \"dir\"", "per: there is no per \"dir\" (write \"directory\" or \"store\")"),
        ("keep = \"1d\"\nopen = \"skp\"", "open: there is no open \"skp\" (did you mean `skip`?)"),
        (
            "keep = \"1d\"\nbypass_trash = true",
            "bypass_trash: bypass_trash has no effect without min_free (leave it out: what goes by keep goes into the trash)",
        ),
        (
            "min_free = \"1%\"\nbypass_trash = true",
            "bypass_trash: bypass_trash has no effect: the store has no trash (leave it out)",
        ),
        (
            "keep = \"1d\"\nmatch = [\"a\", \"/b\"]",
            "match[1]: the pattern begins with '/', and paths begin beneath the store's root (write \"b\")",
        ),
        (
            "keep = \"1d\"\nmatch = \"logs/\"",
            "match: the pattern ends with '/', and no path of a file does (write \"logs/**\" for everything beneath it)",
        ),
        (
            "keep = \"1d\"\nexclude = \"../x\"",
            "exclude: the pattern has an empty component, a \".\" or a \"..\", which no path beneath a root has (write it \
             from the store's root on, such as \"logs/**/*.log\")",
        ),
        (
            "keep = \"1d\"\nexclude = []",
            "exclude: the list is empty (leave it out, or write a pattern such as \"**/*.log\")",
        ),
        (
            "keep = \"1d\"\nmatch = 7",
            "match: expected a pattern in quotes, or a list of them, found a bare number (put it in quotes)",
        ),
        ("keep = \"1d\"\nmax_rows = 7", "max_rows: policies of kind files have no max_rows (write max_files instead)"),
        (
            "keep = \"1d\"\nwhere = \"1\"",
            "where: policies of kind files have no where (write match = \"**/*.log\" and exclude to say which files)",
        ),
        (
            "keep = \"1d\"\nage = \"x\"",
            "age: policies of kind files have no age (leave it out: a file's age is that of its last change)",
        ),
        (
            "keep = \"1d\"\nbatch = 7",
            "batch: policies of kind files have no batch (leave it out: it belongs to kind = \"rows\")",
        ),
    ] {
        let found = wrong(&format!("[policies.p]\nkind = \"files\"\nstore = \"plain\"\n{lines}"));
        assert_eq!(found, [wanted], "{lines}");
    }
    assert_eq!(
        wrong("[policies.p]\nstore = \"plain\"\nkeep = \"1d\""),
        [
            "policies.p: kind is missing (write kind = \"files\" (files by age, number or size) or kind = \"orphans\" (files that \
          no row names))"
        ]
    );
}

#[test]
fn g10_orphans_that_make_no_sense_are_refused() {
    for (lines, wanted) in [
        ("store = \"nmaed\"", "store: there is no store \"nmaed\" (did you mean `named`?)"),
        ("", "policies.p: store is missing (write store = \"…\", the name of a [stores.NAME])"),
        (
            "store = \"named\"\nkeep = \"0h\"",
            "keep: nothing can be zero long (to keep for ever, leave the policy out or set mode = \"report\")",
        ),
        (
            "store = \"named\"\nmax_fraction = 2",
            "max_fraction: 2 is no share (write a number above 0 and up to 1: 0.9 is 90 %)",
        ),
        (
            "store = \"named\"\nkeep_last = 2",
            "keep_last: policies of kind orphans have no keep_last (leave it out: it belongs to kind = \"files\")",
        ),
        (
            "store = \"named\"\nsource = \"s\"",
            "source: policies of kind orphans have no source (leave it out: the store's references say which rows name its files)",
        ),
        (
            "store = \"plain\"",
            "store: store plain has no references: every file in it would be an orphan (write references = [{ source = \"…\", \
             table = \"…\", column = \"…\" }] in [stores.plain]: every column that names its files)",
        ),
    ] {
        assert_eq!(wrong(&format!("[policies.p]\nkind = \"orphans\"\n{lines}")), [wanted], "{lines}");
    }
    let owner = "[policies.q]\nkind = \"rows\"\nsource = \"s\"\ntable = \"job\"\nwhere = \"1 = 1\"\nfiles = [\n\
                 { store = \"plain\", column = \"thumb\" },\n{ store = \"plain\", path = \"{id}\", directory = true },\n\
                 { store = \"named\", column = \"x\" }]\n[policies.p]\nkind = \"orphans\"\nstore = \"plain\"";
    let found = wrong(owner);
    assert!(
        found[0].contains(
            "write references = [{ source = \"s\", table = \"job\", column = \"thumb\" }, { source = \"s\", table = \"job\", \
             path = \"{id}\", directory = true }] in [stores.plain]"
        ),
        "{found:?}"
    );
}

#[test]
fn g10_references_that_make_no_sense_are_refused() {
    let form = "write { source = \"…\", table = \"…\", column = \"…\" }, or path = \"{id}/preview\" instead of column";
    let name = "match = \"name\" goes by the last segment of what a column holds: write column, and no directory";
    for (entry, wanted) in [
        ("table = \"t\"", format!("references[0]: column is missing ({form})")),
        ("table = \"t\", column = \"c\", path = \"{id}\"", "references[0].path: column and path are both there (leave one of them out)".to_owned()),
        (
            "table = \"t\", path = \"id\"",
            "references[0].path: no column is named; write one in braces, such as \"{id}\" (where the column id holds the path, \
             write column = \"id\")"
                .to_owned(),
        ),
        ("table = \"t\", column = \"c\", match = \"nam\"", "references[0].match: there is no match \"nam\" (did you mean `name`?)".to_owned()),
        (
            "table = \"t\", path = \"{id}\", match = \"name\"",
            format!("references[0].path: path does not go with match = \"name\" ({name})"),
        ),
        (
            "table = \"t\", column = \"c\", directory = true, match = \"name\"",
            format!("references[0].directory: directory does not go with match = \"name\" ({name})"),
        ),
    ] {
        let found = wrong(&format!("[stores.x]\npath = \"/x\"\nreferences = [{{ source = \"s\", {entry} }}]"));
        assert_eq!(found, [format!("stores.x.{wanted}")], "{entry}");
    }
    assert_eq!(
        wrong("[stores.x]\npath = \"/x\"\ntrash = 7"),
        ["stores.x.trash: expected a duration such as \"30d\", found a bare number (write \"7d\")"]
    );
}

#[test]
fn g3_a_store_with_names_owns_no_directories() {
    let found = wrong(
        "[stores.x]\npath = \"/x\"\nreferences = [{ source = \"s\", table = \"t\", column = \"c\", match = \"name\" }]\n\
         [policies.p]\nkind = \"rows\"\nsource = \"s\"\ntable = \"t\"\nwhere = \"1 = 1\"\n\
         files = [{ store = \"x\", path = \"{id}\", directory = true }]",
    );
    assert_eq!(
        found,
        [
            "files[0].directory: store x has a reference with match = \"name\": which files in a directory it names cannot be \
          told (leave directory out, or put the directories into a store of their own)"
        ]
    );
}

#[test]
fn g3_names_beside_directories_rule_out_orphans() {
    let found = wrong(
        "[stores.x]\npath = \"/x\"\nreferences = [{ source = \"s\", table = \"t\", column = \"c\", match = \"name\" },\n\
         { source = \"s\", table = \"t\", path = \"{id}\", directory = true }]\n\
         [policies.p]\nkind = \"orphans\"\nstore = \"x\"",
    );
    assert_eq!(
        found,
        [
            "store: store x has references of directories and one with match = \"name\": which files in a directory that one \
          names cannot be told (put the directories into a store of their own)"
        ]
    );
}

#[test]
fn a_full_disk_bypasses_trash_only_if_told() {
    let settings = |lines: &str| {
        settings(&format!(
            "[stores.t]\npath = \"/t\"\ntrash = \"7d\"\n[policies.p]\nkind = \"files\"\nstore = \"t\"\nmin_free = \"10%\"\n{lines}"
        ))
    };
    for (lines, bypasses) in [("", false), ("bypass_trash = true", true)] {
        let PolicyKind::Files(files) = &settings(lines).policies[0].kind else { panic!("not of files") };
        assert_eq!(files.bypass_trash, bypasses);
    }
}

/// What a reload of a policy of a kind widens.
fn widened_by(kind: &str, old: &str, new: &str) -> Vec<String> {
    let with = |lines: &str| settings(&format!("[policies.p]\nkind = \"{kind}\"\nmode = \"enforce\"\n{lines}"));
    let (old, new) = (with(old), with(new));
    assert_ne!(changes(&old, &new), "");
    widened(&old, &new).into_iter().flat_map(|widening| widening.reasons).collect()
}

#[test]
fn d4_whatever_widens_a_policy_of_files_is_listed() {
    let base = "store = \"plain\"\nkeep = \"7d\"\n";
    for (old, new, reason) in [
        ("keep = \"7d\"", "keep = \"6d\"", "keep 7d → 6d"),
        ("max_total = \"1GiB\"", "max_total = \"1GiB\"\nkeep = \"7d\"", "keep 7d added"),
        ("keep = \"7d\"", "keep = \"7d\"\nmax_total = \"1GiB\"", "max_total 1GiB added"),
        ("max_total = \"2GiB\"", "max_total = \"1GiB\"", "max_total 2GiB → 1GiB"),
        ("keep_last = 5", "keep_last = 4", "keep_last 5 → 4"),
        ("keep = \"7d\"\nkeep_last = 5", "keep = \"7d\"", "keep_last removed"),
        ("keep = \"7d\"\nkeep_last = 5", "keep_last = 5", "all but the newest 5 go whatever their age"),
        ("keep = \"7d\"", "keep_last = 5", "keep_last 5 added, and all others go whatever their age"),
        ("min_free = \"5%\"", "min_free = \"6%\"", "min_free 5% → 6%"),
        ("min_free = \"5%\"", "min_free = \"1GiB\"", "min_free 5% → 1GiB"),
        ("keep = \"7d\"", "keep = \"7d\"\nmin_free = \"5%\"", "min_free 5% added"),
        ("keep_last = 5\nper = \"directory\"", "keep_last = 5\nper = \"store\"", "per changed"),
        ("keep = \"7d\"", "keep = \"7d\"\nprune_empty = true", "prune_empty switched on"),
        ("keep = \"7d\"", "keep = \"7d\"\nopen = \"delete\"", "open skip → delete"),
        ("keep = \"7d\"\nmax_files = 5", "keep = \"7d\"\nmax_files = 6", "max_files 5 → 6"),
        ("keep = \"7d\"\nmax_files = 5", "keep = \"7d\"", "max_files removed"),
        ("keep = \"7d\"\nmax_fraction = 0.1", "keep = \"7d\"", "max_fraction removed"),
        ("keep = \"7d\"\nmatch = \"*.a\"", "keep = \"7d\"", "match removed"),
        ("keep = \"7d\"\nmatch = \"*.a\"", "keep = \"7d\"\nmatch = [\"*.a\", \"*.b\"]", "match changed"),
        ("keep = \"7d\"\nexclude = \"*.a\"", "keep = \"7d\"", "exclude removed"),
        ("keep = \"7d\"\nexclude = [\"*.a\", \"*.b\"]", "keep = \"7d\"\nexclude = \"*.a\"", "exclude changed"),
    ] {
        let (old, new) = (format!("store = \"plain\"\n{old}"), format!("store = \"plain\"\n{new}"));
        assert_eq!(widened_by("files", &old, &new), [reason], "{old} → {new}");
    }
    assert_eq!(widened_by("files", base, &base.replace("plain", "named")), ["store plain → named"]);
    for (old, new) in [
        ("keep = \"7d\"", "keep = \"8d\""),
        ("keep = \"7d\"", "keep = \"7d\"\nkeep_last = 5"),
        ("keep = \"7d\"\nmax_total = \"1GiB\"", "keep = \"7d\""),
        ("min_free = \"5%\"", "min_free = \"4%\""),
        ("keep = \"7d\"", "keep = \"7d\"\nmatch = \"*.a\"\nexclude = \"b\"\nmax_files = 3"),
    ] {
        let (old, new) = (format!("store = \"plain\"\n{old}"), format!("store = \"plain\"\n{new}"));
        assert_eq!(widened_by("files", &old, &new), Vec::<String>::new(), "{old} → {new}");
    }
}

#[test]
fn d4_whatever_widens_a_policy_of_orphans_is_listed() {
    let store = |lines: &str| {
        format!("store = \"own\"\n[stores.own]\npath = \"/own\"\n{lines}\n[sources.other]\nurl = \"sqlite:/o.db\"\n")
    };
    let both = "references = [{ source = \"s\", table = \"t\", column = \"c\" }, { source = \"s\", table = \"u\", column = \"c\" }]";
    let one = "references = [{ source = \"s\", table = \"t\", column = \"c\" }]";
    let named = "store = \"named\"\n";
    for (old, new, reason) in [
        (format!("{named}keep = \"2d\""), format!("{named}keep = \"1d\""), "keep 2d → 1d"),
        (format!("{named}keep = \"2d\""), named.to_owned(), "keep 2d → 1d"),
        (named.to_owned(), format!("{named}max_fraction = 0.6"), "max_fraction 0.5 → 0.6"),
        (format!("{named}max_files = 1"), named.to_owned(), "max_files removed"),
        (format!("{named}match = \"*.a\""), named.to_owned(), "match removed"),
        (store(both), store(one), "store own has lost a reference"),
        (store(one), store(&one.replace("\"c\"", "\"c\", match = \"name\"")), "store own has lost a reference"),
        (
            store(&format!("{one}\ntrash = \"7d\"")),
            store(&format!("{one}\ntrash = \"1d\"")),
            "trash of store own 7d → 1d",
        ),
        (store(&format!("{one}\ntrash = \"7d\"")), store(one), "store own has no trash any more"),
    ] {
        assert_eq!(widened_by("orphans", &old, &new), [reason], "{old} → {new}");
    }
    let of_kind = |kind: &str| {
        settings(&format!("[policies.p]\nkind = \"{kind}\"\nstore = \"named\"\nkeep = \"1d\"\nmode = \"enforce\""))
    };
    let widened = widened(&of_kind("files"), &of_kind("orphans"));
    assert_eq!(widened[0].reasons, ["kind files → orphans"]);
}

#[test]
fn d4_rows_in_another_database_make_other_orphans() {
    let lines = "[policies.p]\nkind = \"orphans\"\nmode = \"enforce\"\nstore = \"named\"\n";
    let other = Etc::new(&format!("{TREES}{lines}").replace("sqlite:/s.db", "sqlite:/other.db")).settings();
    let widened = widened(&settings(lines), &other);
    assert_eq!(widened[0].reasons, ["source s is another database"]);
}
