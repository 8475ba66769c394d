//! What a policy of kind `rows` compiles to: every key that says which rows, what becomes of them, and what goes along.

use std::time::Duration;

use retaind::policy::{
    Action, AgeFormat, Alive, Argument, EARLIEST, FilePath, Keep, Name, OnDelete, ParamKind, RowsPolicy, SetValue,
    Settings,
};

use super::Etc;

const MINUTE: u64 = 60;
const DAY: u64 = 86_400;

/// The rows policies of the design, with the sources and stores that they name.
const DESIGN: &str = r#"
[sources]
nvr = { url = "sqlite:/srv/nvr.db" }
faceswap = { url = "sqlite:/srv/faceswap.db" }
drop = { url = "sqlite:/srv/drop.db" }
stash = { url = "sqlite:/srv/stash.db" }

[stores]
thumbnails = { path = "/srv/thumbnails" }
images = { path = "/srv/images" }
photos = { path = "/srv/photos" }
uploads = { path = "/srv/uploads" }
outputs = { path = "/srv/outputs" }

[tasks.janitor]
every = "30m"
timeout = "5m"
before = { command = ["/usr/bin/pg_dump", "-f", "/srv/backup.sql", "faceswap"], timeout = "10m" }
after = { command = ["/usr/local/bin/notify"] }

[policies.detections]
kind = "rows"
task = "retention"
source = "nvr"
table = "detections"
age = "detected_at"
keep = "30d"
where = "camera <> 'vault'"
files = [
  { store = "thumbnails", column = "thumbnail_path" },
  { store = "images", column = "file_path", enabled = false },
]
batch = 1000
max_rows = 1000000
max_fraction = 0.9
mode = "enforce"

[policies.events]
kind = "rows"
task = "retention"
source = "nvr"
table = "events"
age = "started_at"
keep = "30d"
children = [{ table = "detections", column = "event_id", on_delete = "delete",
              files = [{ store = "thumbnails", column = "thumbnail_path" }] }]

[policies.expired-images]
kind = "rows"
source = "faceswap"
table = "images"
expires = "expires_at"
where = "storage_type = 'temporary'"
protected_by = [{ table = "face_swap_tasks", on = "face_swap_tasks.husband_photo_id = images.id OR face_swap_tasks.wife_photo_id = images.id",
                  where = "face_swap_tasks.status IN ('pending', 'processing')" }]
files = [{ store = "photos", column = "storage_path" }]

[policies.session-images]
kind = "rows"
source = "faceswap"
table = "images"
params = ["session_id"]
where = "session_id = :session_id"

[policies.buzzdrop-expired]
kind = "rows"
source = "drop"
table = "files"
expires = "expiry_at"
action = "update"
set = { status = "expired" }
where = "status = 'active'"
files = [{ store = "uploads", column = "path" }]

[policies.stale-jobs]
kind = "rows"
task = "janitor"
source = "stash"
table = "jobs"
age = "started_at"
keep = { column = "type", values = { sync = "30m", analysis = "60m", export = "15m" }, default = "30m" }
where = "status IN ('RUNNING', 'PENDING')"
alive = { command = ["/usr/lib/stash/job-alive", "{id}"], timeout = "3s" }
action = "update"
set = { status = "FAILED", completed_at = { sql = "CURRENT_TIMESTAMP" } }
details = ["id", "type", "status", "started_at"]

[policies.old-jobs]
kind = "rows"
source = "stash"
table = "jobs"
age = "completed_at"
keep = "30d"
files = [{ store = "outputs", path = "{id}", directory = true }]
"#;

fn rows<'a>(settings: &'a Settings, name: &str) -> &'a RowsPolicy {
    let policy = settings.policies.iter().find(|policy| policy.name.as_str() == name).unwrap();
    policy.kind.rows().unwrap()
}

/// A policy with `lines` on top of source, table and store.
fn policy(lines: &str) -> RowsPolicy {
    let text = format!(
        "[sources.s]\nurl = \"sqlite:/s.db\"\n[stores.f]\npath = \"/f\"\n\
         [policies.p]\nkind = \"rows\"\nsource = \"s\"\ntable = \"t\"\n{lines}\n"
    );
    rows(&Etc::new(&text).settings(), "p").clone()
}

fn secs(number: u64) -> Duration {
    Duration::from_secs(number)
}

#[test]
fn the_whole_example_of_the_design_compiles() {
    let settings = Etc::new(DESIGN).settings();
    assert_eq!(settings.policies.len(), 7);

    let events = rows(&settings, "events");
    let [detections] = events.children.as_slice() else { panic!("{events:?}") };
    assert_eq!((detections.table.to_string(), detections.columns[0].as_str()), ("detections".to_owned(), "event_id"));
    assert_eq!((detections.references.as_ref(), detections.on_delete), (None, OnDelete::Delete));
    assert_eq!(detections.files[0].path.to_string(), "thumbnail_path");

    let expired = rows(&settings, "expired-images");
    let age = expired.age.as_ref().unwrap();
    assert_eq!((age.column.as_str(), age.expires, age.format), ("expires_at", true, None));
    assert_eq!(expired.keep, Some(Keep::For(Duration::ZERO)));
    let [protection] = expired.protections.as_slice() else { panic!("{expired:?}") };
    assert_eq!(protection.table.to_string(), "face_swap_tasks");
    assert!(protection.on.to_string().starts_with("face_swap_tasks.husband_photo_id = images.id OR"));
    assert!(protection.condition.as_ref().unwrap().to_string().contains("'processing'"));

    let session = rows(&settings, "session-images");
    assert_eq!((session.params[0].name.as_str(), session.params[0].kind), ("session_id", None));

    let drop = rows(&settings, "buzzdrop-expired");
    let Action::Update(assignments) = &drop.action else { panic!("{drop:?}") };
    assert_eq!(assignments[0].column.as_str(), "status");
    assert_eq!(assignments[0].value, SetValue::Text("expired".to_owned()));
    assert_eq!(drop.files.len(), 1);
}

#[test]
fn stale_jobs_have_all_that_the_design_gives() {
    let settings = Etc::new(DESIGN).settings();
    let stale = rows(&settings, "stale-jobs");
    let Some(Keep::ByValue(by)) = &stale.keep else { panic!("{stale:?}") };
    let values: Vec<(&str, u64)> = by.values.iter().map(|(value, keep)| (value.as_str(), keep.as_secs())).collect();
    assert_eq!(by.column.as_str(), "type");
    assert_eq!(values, [("sync", 30 * MINUTE), ("analysis", 60 * MINUTE), ("export", 15 * MINUTE)]);
    assert_eq!(by.default, Some(secs(30 * MINUTE)));
    let Some(Alive::Command(command)) = &stale.alive else { panic!("{stale:?}") };
    assert_eq!(command.program.to_str(), Some("/usr/lib/stash/job-alive"));
    let [Argument::Column(column)] = command.arguments.as_slice() else { panic!("{command:?}") };
    assert_eq!((column.as_str(), command.timeout), ("id", secs(3)));
    let Action::Update(assignments) = &stale.action else { panic!("{stale:?}") };
    assert_eq!(assignments[0].value, SetValue::Text("FAILED".to_owned()));
    assert!(matches!(&assignments[1].value, SetValue::Sql(sql) if sql.to_string() == "CURRENT_TIMESTAMP"));
    let details: Vec<&str> = stale.details.iter().map(|detail| detail.name()).collect();
    assert_eq!(details, ["id", "type", "status", "started_at"]);

    let directory = &rows(&settings, "old-jobs").files[0];
    assert!(directory.directory && matches!(&directory.path, FilePath::Template(path) if path.to_string() == "{id}"));

    let task = settings.task(&Name::parse("janitor").unwrap()).unwrap();
    let (before, after) = (task.before.as_ref().unwrap(), task.after.as_ref().unwrap());
    assert_eq!(before.program.to_str(), Some("/usr/bin/pg_dump"));
    assert_eq!((before.arguments.join(" "), before.timeout), ("-f /srv/backup.sql faceswap".to_owned(), secs(600)));
    assert_eq!((after.arguments.len(), after.timeout), (0, secs(60)));
    assert!(settings.tasks.iter().filter(|task| task.name.as_str() != "janitor").all(|task| task.before.is_none()));
}

#[test]
fn the_defaults_of_a_policy_are_these() {
    let plain = policy("age = \"a\"\nkeep = \"1d\"");
    let age = plain.age.unwrap();
    assert_eq!((age.expires, age.format), (false, None));
    assert_eq!(plain.action, Action::Delete);
    assert!(plain.params.is_empty() && plain.protections.is_empty() && plain.alive.is_none());
    assert!(plain.children.is_empty() && plain.details.is_empty() && plain.files.is_empty());
    let empty = policy("where = \"a = 1\"\nchildren = []\nfiles = []\nprotected_by = []\nparams = []\ndetails = []");
    assert!(empty.children.is_empty() && empty.params.is_empty());
    let alive = policy("where = \"a = 1\"\nalive = { command = [\"/bin/x\"] }").alive;
    assert!(matches!(alive, Some(Alive::Command(command)) if command.timeout == secs(5)));
    let file = &policy("where = \"a = 1\"\nfiles = [{ store = \"f\", column = \"c\" }]").files[0];
    assert!(!file.directory);
    let directory =
        &policy("where = \"a = 1\"\nfiles = [{ store = \"f\", column = \"c\", directory = true }]").files[0];
    assert!(directory.directory && matches!(directory.path, FilePath::Column(_)));
}

#[test]
fn times_may_be_numbers_and_expiries_have_grace() {
    let unix = policy("age = \"a\"\nkeep = \"1d\"\nage_format = \"unix\"");
    assert_eq!(unix.age.unwrap().format, Some(AgeFormat::Unix));
    let expiring = policy("expires = \"a\"\nage_format = \"unix_ms\"\ngrace = \"7d\"");
    assert_eq!(expiring.age.unwrap().format, Some(AgeFormat::UnixMs));
    assert_eq!(expiring.keep, Some(Keep::For(secs(7 * DAY))));
    let unit = |word: &str| policy(&format!("age = \"a\"\nkeep = \"1d\"\nage_format = \"{word}\"")).age.unwrap();
    assert_eq!(unit("unix_us").format, Some(AgeFormat::UnixUs));
    assert_eq!((unit("unix_ns").format, unit("unix_ns").earliest), (Some(AgeFormat::UnixNs), EARLIEST));
    for (written, at) in [("1960-01-01", "1960-01-01T00:00:00Z"), ("1960-01-01T05:00:00+02:00", "1960-01-01T03:00:00Z")]
    {
        let policy = policy(&format!("expires = \"a\"\nearliest = \"{written}\"\nallow_time_independent = true"));
        assert_eq!(policy.age.unwrap().earliest.to_string(), at);
        assert!(policy.allow_time_independent);
    }
    // What expires has a cutoff; and a keep may serve any SQL of the policy.
    policy("expires = \"a\"\nwhere = \"b < :cutoff\"");
    policy(
        "keep = \"1d\"\nwhere = \"1 = 1\"\nprotected_by = [{ table = \"u\", on = \"u.t = t.id AND u.at > :cutoff\" }]",
    );
    let without_default = policy("age = \"a\"\nkeep = { column = \"c\", values = { x = \"1d\" } }");
    assert!(matches!(without_default.keep, Some(Keep::ByValue(by)) if by.default.is_none()));
}

#[test]
fn set_takes_literals_of_every_type_and_sql() {
    let update = policy(
        "where = \"a = :who\"\nparams = [\"who\"]\naction = \"update\"\n\
         set = { a = \"x\", b = -7, c = 1.5, d = false, \"odd name\" = { sql = \"coalesce(b, :now_minus_2m)\" } }",
    );
    let Action::Update(assignments) = update.action else { panic!("{:?}", update.action) };
    let shown: Vec<String> =
        assignments.iter().map(|assignment| format!("{} {:?}", assignment.column, assignment.value)).collect();
    assert_eq!(shown[..4], ["a Text(\"x\")", "b Number(\"-7\")", "c Number(\"1.5\")", "d Flag(false)"]);
    assert!(shown[4].starts_with("odd name Sql("), "{shown:?}");
}

#[test]
fn params_may_have_types() {
    let types = ["text", "integer", "boolean", "timestamp", "date", "uuid"];
    let list: Vec<String> = types.iter().map(|kind| format!("{{ name = \"p_{kind}\", type = \"{kind}\" }}")).collect();
    let used: Vec<String> = types.iter().map(|kind| format!("c = :p_{kind}")).collect();
    let lines = format!(
        "params = [\"plain\", {}]\nwhere = \"{}\"\nalive = {{ sql = \"x = :plain\" }}",
        list.join(", "),
        used.join(" OR ")
    );
    let declared = policy(&lines).params;
    assert_eq!((declared[0].name.as_str(), declared[0].kind), ("plain", None));
    let kinds: Vec<Option<ParamKind>> = declared[1..].iter().map(|declaration| declaration.kind).collect();
    assert_eq!(kinds, ParamKind::ALL.map(Some));
}

#[test]
fn children_have_children_and_files_at_any_depth() {
    let parent = policy(
        r#"
where = "a = 1"
children = [
  { table = "b", column = "t_id", references = "code", children = [
    { table = "c", column = "b_id", files = [{ store = "f", path = "{id}/{{x}}", directory = true }],
      children = [{ table = "d", column = "c_id", on_delete = "set-null" }] },
    { table = "e", column = "b_id", on_delete = "keep-parent" },
  ] },
  # Another branch may come to the same table.
  { table = "d", column = "t_id" },
]"#,
    );
    let [b, d] = parent.children.as_slice() else { panic!("{parent:?}") };
    let [c, e] = b.children.as_slice() else { panic!("{b:?}") };
    assert_eq!(
        (b.references.as_deref().map(|columns| columns[0].as_str()), d.on_delete),
        (Some("code"), OnDelete::Delete)
    );
    assert_eq!((c.files[0].directory, c.children[0].on_delete), (true, OnDelete::SetNull));
    assert_eq!((e.on_delete, e.children.len()), (OnDelete::KeepParent, 0));
    // With their schemas written, two tables of one name are two tables.
    let two = policy(
        "where = \"a = 1\"\nchildren = [{ table = \"x.b\", column = \"c\", children = [{ table = \"y.b\", column = \"c\" }] }]",
    );
    assert_eq!(two.children[0].children.len(), 1);
}
