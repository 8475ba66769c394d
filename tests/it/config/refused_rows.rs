//! What is refused of which rows may go, and what becomes of them (G10), by exact message and hint.

use retaind::policy::compile;

use super::Etc;

/// What is wrong with a policy of these lines; the place is left out, which `refused` tests.
pub fn wrong(lines: &str) -> Vec<String> {
    let text = format!(
        "[sources.s]\nurl = \"sqlite:/s.db\"\n[stores.f]\npath = \"/f\"\n\
         [policies.p]\nkind = \"rows\"\nsource = \"s\"\ntable = \"t\"\n{lines}\n"
    );
    told(&Etc::new(&text))
}

pub fn told(etc: &Etc) -> Vec<String> {
    let Err(wrong) = compile::load(etc.inputs()) else { return Vec::new() };
    let each = wrong.iter().map(|each| {
        let key = each.key().trim_start_matches("policies.p.");
        format!("{key}: {} ({})", each.message(), each.advice().unwrap_or("-"))
    });
    each.collect()
}

/// Asserts that each is refused for this one reason.
fn refused(cases: &[(&str, &str)]) {
    for (lines, wanted) in cases {
        assert_eq!(wrong(lines), [*wanted], "{lines}");
    }
}

#[test]
fn g10_contradictory_or_useless_times_are_refused() {
    refused(&[
        (
            "age = \"a\"\nkeep = \"1d\"\nexpires = \"e\"",
            "expires: age and expires are both there (leave one of them out: age says when a row began, expires when it \
             ends)",
        ),
        (
            "expires = \"e\"\nkeep = \"1d\"",
            "keep: keep has no effect: the row itself says when it expires (to keep rows for a time after they have \
             expired, write grace instead)",
        ),
        (
            "age = \"a\"\nkeep = \"1d\"\ngrace = \"1d\"",
            "grace: grace has no effect without expires (add expires = \"COLUMN\", or write keep instead)",
        ),
        (
            "expires = \"e\"\ngrace = \"0s\"",
            "grace: nothing can be zero long (leave it out: rows go as soon as they expire)",
        ),
        (
            "expires = \"e\"\ngrace = 7",
            "grace: expected a duration such as \"30d\", found a bare number (write \"7d\")",
        ),
        (
            "where = \"a = 1\"\nage_format = \"unix\"",
            "age_format: age_format has no effect without age or expires (leave it out)",
        ),
        (
            "expires = \"e\"\nage_format = \"unix_msec\"",
            "age_format: there is no age_format \"unix_msec\" (did you mean `unix_ms`?)",
        ),
        (
            "expires = \"e\"\nage_format = \"iso\"",
            "age_format: there is no age_format \"iso\" (\"unix\" counts seconds since 1970, \"unix_ms\" milliseconds, \"unix_us\" \
             microseconds, \"unix_ns\" nanoseconds; dates and timestamps need none)",
        ),
        (
            "where = \"a = 1\"\nearliest = \"1960-01-01\"",
            "earliest: earliest has no effect without age or expires (leave it out)",
        ),
        (
            "expires = \"e\"\nearliest = \"long ago\"",
            "earliest: \"long ago\" is neither a date nor an instant (write a date such as \"1970-01-01\", or an instant such as \
             \"1970-01-01T00:00:00Z\")",
        ),
        (
            "expires = \"e\"\nearliest = \"0001-01-01\"",
            "earliest: 0001-01-01 is not between the years 1000 and 9000 (write a date such as \"1970-01-01\", or an instant such \
             as \"1970-01-01T00:00:00Z\")",
        ),
        (
            "protected_by = [{ table = \"u\", on = \"u.t = t.id\" }]",
            "policies.p: age with keep (or expires, or where) is missing (say which rows may go: age = \"COLUMN\" and \
             keep = \"30d\", or expires = \"COLUMN\", or where = \"…\")",
        ),
    ]);
}

#[test]
fn g10_times_by_value_that_say_nothing() {
    let shape = "write keep = { column = \"…\", values = { … = \"30d\" }, default = \"30d\" }";
    refused(&[
        ("age = \"a\"\nkeep = { column = \"c\" }", &format!("keep: values is missing ({shape})")),
        ("age = \"a\"\nkeep = { values = { x = \"1d\" } }", &format!("keep: column is missing ({shape})")),
        (
            "age = \"a\"\nkeep = { column = \"c\", values = {}, default = \"1d\" }",
            "keep.values: no value has a time of its own (write keep = \"30d\" to keep all rows as long)",
        ),
        (
            "age = \"a\"\nkeep = { column = \"c\", values = { x = \"0d\" } }",
            "keep.values.x: nothing can be zero long (to keep such rows for ever, leave them out and give no default)",
        ),
        (
            "age = \"a\"\nkeep = { column = \"c\", values = { x = \"1d\" }, default = \"0m\" }",
            "keep.default: nothing can be zero long (to keep such rows for ever, leave them out and give no default)",
        ),
        (
            "age = \"a\"\nkeep = { column = \"c\", values = { x = 0 } }",
            "keep.values.x: expected a duration such as \"30d\", found a bare number (to keep such rows for ever, leave \
             them out and give no default)",
        ),
        (
            "age = \"a\"\nkeep = { column = \"c\", values = { x = 30 } }",
            "keep.values.x: expected a duration such as \"30d\", found a bare number (write \"30d\")",
        ),
        (
            "age = \"a\"\nkeep = { column = \"c\", values = { x = \"1d\" }, defualt = \"1d\" }",
            "keep.defualt: unknown key (did you mean `default`?)",
        ),
        (
            "where = \"a = 1\"\nkeep = { column = \"c\", values = { x = \"1d\" } }",
            "keep: keep has no effect: nothing says how old a row is (add age = \"COLUMN\")",
        ),
        (
            "age = \"a\"\nkeep = { column = \"c\", values = { x = \"1d\" } }\nwhere = \"b < :cutoff\"",
            "where: where uses :cutoff, and keep has a time for each value (write such as :now_minus_30d instead)",
        ),
        (
            "where = \"a = 1\"\nprotected_by = [{ table = \"u\", on = \"u.at > :cutoff\" }]",
            "protected_by[0].on: on uses :cutoff, and there is no keep to compute it from (add keep = \"30d\")",
        ),
    ]);
}

#[test]
fn g10_updates_that_are_none_or_lose_their_trace() {
    let (cond, update) = ("where = \"a = 1\"", "where = \"a = 1\"\naction = \"update\"");
    let with = |head: &str, lines: &str| format!("{head}\n{lines}");
    let cases: [(String, &str); 12] = [
        (with(cond, "action = \"updat\""), "action: there is no action \"updat\" (did you mean `update`?)"),
        (
            with(cond, "action = \"expire\""),
            "action: there is no action \"expire\" (there are \"delete\" and \"update\")",
        ),
        (with(update, ""), "action: action = \"update\" needs set (write set = { COLUMN = VALUE })"),
        (
            with(cond, "set = { a = 2 }"),
            "set: set has no effect on rows that are deleted (write action = \"update\", or leave set out)",
        ),
        (with(update, "set = {}"), "set: nothing is set (write set = { COLUMN = VALUE })"),
        (with(update, "set = { a = {} }"), "set.a: sql is missing (write { sql = \"CURRENT_TIMESTAMP\" })"),
        (with(update, "set = { a = { sql = \"\" } }"), "set.a.sql: the SQL is empty (-)"),
        (with(update, "set = { a = 2026-01-31 }"), "set.a: no key takes a date or time (put it in quotes)"),
        (
            with(update, "set = { a = [1] }"),
            "set.a: expected a text, a number, true or false, or { sql = \"…\" }, found a list (-)",
        ),
        (with(update, "set = { \"\" = 1 }"), "set.\"\": an identifier is 1 to 128 bytes long and has no NUL (-)"),
        (
            with(update, "set = { a = 2 }\nchildren = [{ table = \"u\", column = \"t\" }]"),
            "children: an updated row stays, and so do its children (leave children out)",
        ),
        (
            with(update, "set = { a = { sql = \"a + 1\" } }\nfiles = [{ store = \"f\", path = \"{b}/{c}\" }]"),
            "files[0]: the updated row would not show that this file is no longer its own (set a column to a literal, \
             such as status = \"expired\", or set b or c)",
        ),
    ];
    for (lines, wanted) in cases {
        assert_eq!(wrong(&lines), [wanted], "{lines}");
    }
    // Either leaves a trace; and a file that stays needs none.
    for lines in [
        "set = { a = { sql = \"NULL\" } }\nfiles = [{ store = \"f\", column = \"a\" }]",
        "set = { a = { sql = \"NULL\" }, b = 1 }\nfiles = [{ store = \"f\", column = \"c\" }]",
        "set = { a = { sql = \"NULL\" } }\nfiles = [{ store = \"f\", column = \"c\", enabled = false }]",
    ] {
        assert_eq!(wrong(&with(update, lines)), [""; 0], "{lines}");
    }
}

#[test]
fn g10_parameters_that_are_unknown_unused_or_ill_named() {
    refused(&[
        (
            "where = \"a = :session\"",
            "where: the parameter :session is not known; there are :now and :cutoff (declare it: params = [\"session\"]; \
             the policy then runs on request only)",
        ),
        (
            "where = \"a = :sesion_id AND b = :session_id\"\nparams = [\"session_id\"]",
            "where: the parameter :sesion_id is not known; there are :now, :cutoff and :session_id (did you mean \
             `session_id`?)",
        ),
        (
            "where = \"a = 1\"\nprotected_by = [{ table = \"u\", on = \"u.a = :x\" }]",
            "protected_by[0].on: the parameter :x is not known; there are :now and :cutoff (declare it: params = [\"x\"]; \
             the policy then runs on request only)",
        ),
        (
            "where = \"a = 1\"\nparams = [\"session_id\"]",
            "params[0]: nothing uses the parameter session_id (use :session_id in where, or leave it out of params)",
        ),
        (
            "expires = \"e\"\nparams = [{ name = \"x\" }]",
            "params[0]: nothing uses the parameter x (write where = \"x = :x\", or leave it out of params)",
        ),
        (
            "where = \"a = :x\"\nparams = [\"x\", { name = \"x\", type = \"date\" }]",
            "params[1]: this parameter is there twice (leave one out)",
        ),
        (
            "where = \"a = 1\"\nparams = [\"Session\"]",
            "params[0]: the name of a parameter has lower-case letters, digits and '_', begins with a letter, and is at \
             most 64 characters long (-)",
        ),
        (
            "where = \"a = :cutoff\"\nkeep = \"1d\"\nparams = [{ name = \"cutoff\" }]",
            "params[0].name: the parameter :cutoff is there already, with a meaning of its own (-)",
        ),
        (
            "where = \"a = :x\"\nparams = [{ name = \"x\", type = \"int\" }]",
            "params[0].type: there is no type \"int\" (there are text, integer, boolean, timestamp, date, uuid)",
        ),
        (
            "where = \"a = :x\"\nparams = [{ name = \"x\", type = \"integr\" }]",
            "params[0].type: there is no type \"integr\" (did you mean `integer`?)",
        ),
        ("where = \"a = 1\"\nparams = [{}]", "params[0]: name is missing (write { name = \"…\", type = \"…\" })"),
        (
            "where = \"a = 1\"\nparams = [7]",
            "params[0]: expected a name in quotes, or { name = \"…\", type = \"…\" }, found a bare number (-)",
        ),
        ("where = \"a = 1\"\nparams = \"x\"", "params: expected a list in [ ], found a text (put it in [ ])"),
        (
            "where = \"a = :x\"\nparams = [\"x\"]\ntask = \"retention\"",
            "task: a policy with params runs on request only: a task has no values for them (leave task out)",
        ),
    ]);
}

#[test]
fn g10_one_policys_mistakes_come_together_with_places() {
    let etc = Etc::new(
        r#"[sources.s]
url = "sqlite:/s.db"
[policies.p]
kind = "rows"
source = "s"
table = "t"
age = "a"
expires = "e"
where = "x = :who"
action = "update"
alive = { command = ["alive", "-{id}"] }
protected_by = [{ table = "u" }]
children = [{ table = "t", column = "c", on_delete = "cascade" }]
"#,
    );
    assert_eq!(
        etc.errors(),
        [
            "retaind.toml:8:1: policies.p.expires: age and expires are both there (hint: leave one of them out: age says \
             when a row began, expires when it ends)",
            "retaind.toml:9:9: policies.p.where: the parameter :who is not known; there are :now and :cutoff (hint: declare \
             it: params = [\"who\"]; the policy then runs on request only)",
            "retaind.toml:10:10: policies.p.action: action = \"update\" needs set (hint: write set = { COLUMN = VALUE })",
            "retaind.toml:11:22: policies.p.alive.command[0]: the path is not absolute (hint: begin it with '/')",
            "retaind.toml:11:31: policies.p.alive.command[1]: a placeholder is a whole argument (hint: write \"{COLUMN}\" \
             as an argument of its own; {{ and }} stand for braces)",
            "retaind.toml:12:17: policies.p.protected_by[0]: on is missing (hint: write { table = \"…\", on = \"…\" }: which \
             rows of that table keep a row of this one)",
            "retaind.toml:13:1: policies.p.children: an updated row stays, and so do its children (hint: leave children \
             out)",
            "retaind.toml:13:23: policies.p.children[0].table: table t is a child of itself (hint: rows that belong to \
             rows of their own table cannot be declared: leave this child out)",
            "retaind.toml:13:54: policies.p.children[0].on_delete: there is no on_delete \"cascade\" (hint: there are \
             \"delete\", \"set-null\" and \"keep-parent\")",
        ]
    );
}
