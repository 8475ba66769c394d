//! `check --script`: all fixes in order, and that what it writes makes them.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use super::call_in;
use super::check::{findings, messages};
use crate::engines::{Database, EngineKind};
use crate::needs::Need;
use crate::world::World;

const ITEMS: &str = "[policies.items]\nkind = \"rows\"\ntask = \"retention\"\nsource = \"app\"\ntable = \"item\"\n\
                     age = \"at\"\nkeep = \"30d\"\nprotected_by = [{ table = \"hold\", on = \"hold.item_id = item.id\" }]\n\
                     files = [{ store = \"thumbs\", column = \"thumb\" }]\n";

/// Runs a script with stand-ins for what would change the machine.
fn run(world: &World, script: &str) -> Output {
    let bin = world.dir.join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    let as_another = "#!/bin/sh\nwhile [ \"$1\" != -- ]; do shift; done\nshift\nexec \"$@\"\n";
    for (name, text) in [("runuser", as_another), ("systemctl", "#!/bin/sh\necho \"$@\"\n")] {
        std::fs::write(bin.join(name), text).unwrap();
        std::fs::set_permissions(bin.join(name), PermissionsExt::from_mode(0o755)).unwrap();
    }
    let file = world.dir.join("fixes.sh");
    std::fs::write(&file, script).unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let mut command = Command::new("sh");
    command.arg(&file).env("PATH", path).env("PGUSER", "postgres").current_dir(&world.dir);
    command.output().expect("a shell starts")
}

fn assert_done(output: &Output) {
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).ends_with("restart retaind\n"), "{output:?}");
}

#[test]
fn a_script_makes_a_login_with_its_rights() {
    needs!(Need::Server);
    for kind in [EngineKind::Postgres, EngineKind::MariaDb] {
        let mut world = World::new(Database::create(kind));
        world.create_items();
        world.db.execute("CREATE TABLE hold (item_id INTEGER)");
        world.declare(ITEMS);
        let user = format!("new_{}", world.db.name());
        let url = format!("sources.app.url={}", world.db.url_as(&user));
        let check = call_in(&world, &["check", "--json", "--set", &url]).with(1).json();
        let refused = check["findings"].as_array().unwrap().iter().find(|finding| finding["subject"] == "source app");
        let fix = refused.unwrap()["fix"].as_str().unwrap().to_owned();
        let begin = if kind == EngineKind::Postgres { "CREATE ROLE " } else { "CREATE USER " };
        assert!(fix.starts_with(begin) && fix.contains("GRANT "), "{fix}");
        let script = call_in(&world, &["check", "--script", "--set", &url]).with(0).stdout;
        let place = |part: &str| script.find(part).unwrap_or_else(|| panic!("{part}: {script}"));
        assert!(place(begin) < place("GRANT ") && place("GRANT ") < place("# then:\nsystemctl restart retaind\n"));
        if kind == EngineKind::Postgres {
            assert_done(&run(&world, &script));
        } else {
            // Nobody's password is what a script says.
            assert!(!run(&world, &script).status.success());
            let stop = script.lines().find(|line| line.starts_with("echo 'Write the passwords")).unwrap();
            let script = script.replace(stop, "").replace("'WRITE THE PASSWORD HERE'", "''");
            assert_done(&run(&world, &script));
        }
        let after = call_in(&world, &["check", "--json", "--set", &url]).with(0).json();
        assert!(!after.to_string().contains("GRANT"), "{after:#}");
        let mut superuser = world.db.connect_as_superuser();
        let away = match kind {
            EngineKind::Postgres => format!("DROP OWNED BY {user}; DROP ROLE {user}"),
            _ => format!("DROP USER {user}@localhost"),
        };
        superuser.execute(&away).unwrap();
    }
}

#[test]
fn the_shell_runs_nothing_of_a_statement() {
    let mut world = World::new(Database::create(EngineKind::Sqlite));
    world.create_items();
    let table = "it`touch ran`em$(touch ran)";
    world.db.execute(&format!("ALTER TABLE item RENAME TO \"{table}\""));
    world.db.execute(&format!("ALTER TABLE \"{table}\" ADD COLUMN born TEXT"));
    let policy = "[policies.odd]\nkind = \"rows\"\ntask = \"retention\"\nsource = \"app\"\ntable = 'TABLE'\nage = \"born\"\n\
                  keep = \"30d\"\n";
    world.declare(&policy.replace("TABLE", table));
    world.declare(&policy.replace("TABLE", table).replace("policies.odd", "policies.other"));
    assert!(messages(&findings(&world, "warn", 0)).contains("no index begins with the age column born"));
    let script = call_in(&world, &["check", "--script"]).with(0).stdout;
    // One cause, one fix.
    assert_eq!(script.matches("CREATE INDEX ").count(), 1, "{script}");
    assert_done(&run(&world, &script));
    assert!(!Path::new(&world.dir.join("ran")).exists());
    assert_eq!(messages(&findings(&world, "warn", 0)), "");
}
