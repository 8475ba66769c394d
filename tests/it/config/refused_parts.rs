//! What is refused of the things that go with rows or keep them, and of a task's hooks (G10), by exact message and hint.

use super::Etc;
use super::refused_rows::{told, wrong};

#[test]
fn g10_claims_that_cannot_be_asked() {
    let protection = "write { table = \"…\", on = \"…\" }: which rows of that table keep a row of this one";
    let alive = "write { sql = \"heartbeat_at > :now_minus_2m\" } or { command = [\"/PROGRAM\", \"{id}\"] }";
    let whole = "write \"{COLUMN}\" as an argument of its own; {{ and }} stand for braces";
    let command = "write command = [\"/PROGRAM\", \"{id}\"]";
    let cases = [
        ("protected_by = [{ on = \"a\" }]", format!("protected_by[0]: table is missing ({protection})")),
        ("protected_by = [{ table = \"u\" }]", format!("protected_by[0]: on is missing ({protection})")),
        (
            "protected_by = [{ table = \"u\", on = \"u.id = t.u) OR (1 = 1\" }]",
            "protected_by[0].on: a ')' has no '(' before it (-)".to_owned(),
        ),
        (
            "protected_by = [{ table = \"u\", on = \"a\" }, { table = \"u\", on = \"a\" }]",
            "protected_by[1]: this entry is there twice (leave one out)".to_owned(),
        ),
        ("alive = {}", format!("alive: sql or command is missing ({alive})")),
        (
            "alive = { sql = \"a\", command = [\"/x\"] }",
            "alive.command: sql and command are both there (leave one of them out)".to_owned(),
        ),
        (
            "alive = { sql = \"a\", timeout = \"1s\" }",
            "alive.timeout: timeout has no effect on sql (leave it out: the statement_timeout of the source counts)"
                .to_owned(),
        ),
        ("alive = { command = [] }", format!("alive.command: the command is empty ({command})")),
        (
            "alive = { command = [\"job-alive\"] }",
            "alive.command[0]: the path is not absolute (begin it with '/')".to_owned(),
        ),
        (
            "alive = { command = [\"{program}\"] }",
            "alive.command[0]: the program is always the same: a placeholder has no place in it (placeholders are \
             arguments of their own behind it)"
                .to_owned(),
        ),
        (
            "alive = { command = [\"/x\", \"x{id}\"] }",
            format!("alive.command[1]: a placeholder is a whole argument ({whole})"),
        ),
        (
            "alive = { command = [\"/x\"], timeout = \"0s\" }",
            "alive.timeout: nothing can be zero long (leave the key out for its default)".to_owned(),
        ),
        ("alive = \"x\"", "alive: expected a table, found a text (-)".to_owned()),
        ("details = [\"a\", \"a\"]", "details[1]: this detail is there twice (leave one out)".to_owned()),
        ("details = [\"\"]", "details[0]: an identifier is 1 to 128 bytes long and has no NUL (-)".to_owned()),
        (
            "details = [\"a\", { name = \"a\", sql = \"1\" }]",
            "details[1]: this detail is there twice (leave one out)".to_owned(),
        ),
        (
            "details = [{ name = \"set\", sql = \"1\" }]",
            "details[0].name: \"set\" cannot be the name of an expression (choose another name)".to_owned(),
        ),
        ("details = [{ name = \"x\" }]", "details[0]: sql is missing (write { name = \"…\", sql = \"…\" })".to_owned()),
        (
            "details = [{ name = \"x\", sql = \"1; DROP TABLE t\" }]",
            "details[0].sql: a ';' has no place in this SQL (-)".to_owned(),
        ),
        ("details = [1]", "details[0]: expected a text in quotes, found a bare number (put it in quotes)".to_owned()),
    ];
    for (lines, wanted) in cases {
        assert_eq!(wrong(&format!("where = \"a = 1\"\n{lines}")), [wanted], "{lines}");
    }
}

#[test]
fn g10_files_that_have_no_path_or_two() {
    let shape = "write { store = \"…\", column = \"…\" }, or path = \"{id}/preview\" instead of column";
    let cases = [
        ("{ store = \"f\" }", format!("files[0]: column is missing ({shape})")),
        ("{ path = \"{id}\" }", format!("files[0]: store is missing ({shape})")),
        (
            "{ store = \"f\", column = \"c\", path = \"{id}\" }",
            "files[0].path: column and path are both there (leave one of them out)".to_owned(),
        ),
        (
            "{ store = \"f\", path = \"upload_path\" }",
            "files[0].path: no column is named; write one in braces, such as \"{id}\" (where the column upload_path \
             holds the path, write column = \"upload_path\")"
                .to_owned(),
        ),
        ("{ store = \"f\", path = \"{id\" }", "files[0].path: a '{' is not closed (-)".to_owned()),
        ("{ store = \"f\", path = \"../{id}\" }", "files[0].path: the path has a \"..\" (-)".to_owned()),
        (
            "{ store = \"f\", path = \"/srv/{id}\" }",
            "files[0].path: the path begins beneath the store's root; leave out the '/' at its beginning (-)"
                .to_owned(),
        ),
        (
            "{ store = \"f\", path = \"{id}\", outside = \"relase\" }",
            "files[0].outside: there is no outside \"relase\" (did you mean `release`?)".to_owned(),
        ),
        (
            "{ store = \"f\", path = \"{id}\", directory = \"yes\" }",
            "files[0].directory: expected true or false, found a text (write it without quotes)".to_owned(),
        ),
        (
            "{ store = \"f\", path = \"{id}\", directory = true }, { store = \"f\", path = \"{id}\" }",
            "files[1]: this entry is there twice (leave one out)".to_owned(),
        ),
    ];
    for (entries, wanted) in cases {
        assert_eq!(wrong(&format!("where = \"a = 1\"\nfiles = [{entries}]")), [wanted], "{entries}");
    }
}

#[test]
fn g10_children_that_are_circular_contradictory_or_stay() {
    let shape = "write { table = \"…\", column = \"…\" }: the child's table, and its column that names the parent";
    let own = "rows that belong to rows of their own table cannot be declared: leave this child out";
    let stay = |key: &str| {
        let wanted = format!("the rows of this child stay, and so do their {key}");
        format!("children[0].{key}: {wanted} (leave {key} out, or write on_delete = \"delete\")")
    };
    let cases = [
        ("{ column = \"c\" }", format!("children[0]: table is missing ({shape})")),
        ("{ table = \"u\" }", format!("children[0]: column is missing ({shape})")),
        ("{ table = \"t\", column = \"c\" }", format!("children[0].table: table t is a child of itself ({own})")),
        (
            "{ table = \"u\", column = \"c\", children = [{ table = \"v\", column = \"c\", children = [{ table = \"u\", \
             column = \"c\" }] }] }",
            format!("children[0].children[0].children[0].table: table u is a child of itself ({own})"),
        ),
        (
            "{ table = \"x.t\", column = \"c\" }",
            "children[0].table: table x.t is a child of itself (if these are two tables, write the schema of both)"
                .to_owned(),
        ),
        (
            "{ table = \"u\", column = \"c\" }, { table = \"u\", column = \"c\", on_delete = \"set-null\" }",
            "children[1]: this child is there twice (leave one out)".to_owned(),
        ),
        (
            "{ table = \"u\", column = \"c\", on_delete = \"set_null\" }",
            "children[0].on_delete: there is no on_delete \"set_null\" (did you mean `set-null`?)".to_owned(),
        ),
        (
            "{ table = \"u\", column = \"c\", on_delete = \"restrict\" }",
            "children[0].on_delete: there is no on_delete \"restrict\" (there are \"delete\", \"set-null\" and \
             \"keep-parent\")"
                .to_owned(),
        ),
        (
            "{ table = \"u\", column = \"c\", on_delete = \"set-null\", files = [{ store = \"f\", column = \"x\" }] }",
            stay("files"),
        ),
        (
            "{ table = \"u\", column = \"c\", on_delete = \"keep-parent\", children = [{ table = \"v\", column = \"x\" }] }",
            stay("children"),
        ),
        (
            "{ table = \"u\", column = \"c\", files = [{ store = \"nope\", column = \"x\" }] }",
            "children[0].files[0].store: there is no store \"nope\" (there are f)".to_owned(),
        ),
        (
            "{ table = \"u\", column = \"c\", batch = 1 }",
            "children[0].batch: unknown key (known are table, column, references, on_delete, files, children)"
                .to_owned(),
        ),
    ];
    for (entries, wanted) in cases {
        assert_eq!(wrong(&format!("where = \"a = 1\"\nchildren = [{entries}]")), [wanted], "{entries}");
    }
}

#[test]
fn g10_hooks_that_cannot_be_run() {
    let shape = "write { command = [\"/PROGRAM\", \"ARGUMENT\"] }";
    for (lines, wanted) in [
        ("before = {}", format!("tasks.x.before: command is missing ({shape})")),
        ("after = { command = [] }", format!("tasks.x.after.command: the command is empty ({shape})")),
        (
            "before = { command = [\"pg_dump\"] }",
            "tasks.x.before.command[0]: the path is not absolute (begin it with '/')".to_owned(),
        ),
        ("before = { command = [\"/\"] }", "tasks.x.before.command[0]: the path names no program (-)".to_owned()),
        (
            "before = { command = [\"/bin/a\", \"a\\u0000b\"] }",
            "tasks.x.before.command[1]: the argument has a NUL character (-)".to_owned(),
        ),
        (
            "before = { command = [\"/bin/a\"], timeout = 10 }",
            "tasks.x.before.timeout: expected a duration such as \"30d\", found a bare number (write \"10s\")"
                .to_owned(),
        ),
        ("before = \"/bin/a\"", "tasks.x.before: expected a table, found a text (-)".to_owned()),
        (
            "before = { command = \"/bin/a\" }",
            "tasks.x.before.command: expected a list in [ ], found a text (put it in [ ])".to_owned(),
        ),
    ] {
        assert_eq!(told(&Etc::new(&format!("[tasks.x]\nevery = \"1h\"\n{lines}\n"))), [wanted], "{lines}");
    }
}
