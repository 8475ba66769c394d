//! `check` and what systemd says of the service: its groups, and whether it runs by what is written.

use std::os::unix::fs::{PermissionsExt, chown};
use std::process::Command;

use serde_json::Value;

use super::check::text;
use super::{Ended, retaind};
use crate::binary::RETAIND;
use crate::engines::{Database, EngineKind};
use crate::world::World;

const ITEMS: &str = "[policies.items]\nkind = \"rows\"\nsource = \"app\"\ntable = \"item\"\nage = \"at\"\nkeep = \"30d\"\n\
                     files = [{ store = \"thumbs\", column = \"thumb\" }]\n";
/// A group that every Debian has, and nobody who has none is in.
const VIDEO: u32 = 44;
const NOBODY: &str = "65534";

fn world() -> World {
    let mut world = World::new(Database::create(EngineKind::Sqlite));
    world.create_items();
    world.declare(ITEMS);
    world
}

/// Has `systemctl show` answer for the service; the path on which it lies.
fn systemd(world: &World, properties: &str) -> String {
    let bin = world.dir.join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    let script = format!("#!/bin/sh\ncat <<'END'\nLoadState=loaded\nUser=retaind\n{properties}END\n");
    std::fs::write(bin.join("systemctl"), script).unwrap();
    std::fs::set_permissions(bin.join("systemctl"), PermissionsExt::from_mode(0o755)).unwrap();
    format!("{}:{}", bin.display(), std::env::var("PATH").unwrap())
}

/// Findings about something, with their level, message and fix.
fn about(found: &Value, subject: &str) -> Vec<(String, String, String)> {
    let all = found["findings"].as_array().unwrap().iter().filter(|finding| finding["subject"] == subject);
    let parts = |finding: &Value| ["level", "message", "fix"].map(|part| text(&finding[part]).to_owned()).into();
    all.map(parts).collect()
}

#[test]
fn a_service_that_wants_a_restart_is_said() {
    let (world, drop_in) = (world(), "/etc/hostname");
    let ask = |properties: &str, form: &str| {
        let path = systemd(&world, properties);
        let mut command = retaind(&["check", form, "--config"]);
        Ended::of(command.arg(world.config_file()).env("PATH", path).output().unwrap()).with(0)
    };
    let running = |since: &str, reload: &str| {
        format!(
            "ActiveState=active\nExecMainStartTimestamp={since}\nNeedDaemonReload={reload}\nFragmentPath=\nDropInPaths={drop_in}\n"
        )
    };
    let older = running("Fri 1970-01-02 03:04:05 UTC", "no");
    let found = about(&ask(&older, "--json").json(), "service");
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].0 == "warn" && found[0].1.contains(drop_in) && found[0].2 == "systemctl restart retaind",
        "{found:?}"
    );
    assert!(!ask(&older, "--script").stdout.contains("daemon-reload"), "systemd has read it");
    let unread = running("Fri 1970-01-02 03:04:05 UTC", "yes");
    assert!(about(&ask(&unread, "--json").json(), "service")[0].2.starts_with("systemctl daemon-reload\n"));
    let script = ask(&unread, "--script").stdout;
    assert!(
        script.contains("\nsystemctl daemon-reload\n") && script.ends_with("systemctl restart retaind\n"),
        "{script}"
    );
    let newer = running("Fri 2190-01-01 00:00:00 UTC", "no");
    assert_eq!(about(&ask(&newer, "--json").json(), "service"), []);
}

#[test]
fn groups_of_the_unit_open_stores() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let world = world();
    let (root, config) = (world.root("thumbs"), world.config_file());
    let of_group = |mode: u32| {
        chown(&root, Some(1), Some(VIDEO)).unwrap();
        std::fs::set_permissions(&root, PermissionsExt::from_mode(mode)).unwrap();
    };
    let ask = |properties: &str, form: &str| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups", RETAIND, "check", form, "--config"]);
        command.arg(&config).env("PATH", systemd(&world, properties)).env_remove("STATE_DIRECTORY");
        Ended::of(command.output().expect("setpriv starts"))
    };
    of_group(0o750);
    let found = ask("SupplementaryGroups=\n", "--json").json();
    let found = about(&found, "store thumbs");
    let (_, message, fix) = found.iter().find(|(level, ..)| level == "error").unwrap();
    assert!(message.contains("daemon:video"), "{found:?}");
    let place = root.display();
    let expected = format!(
        "setpriv --reuid=1 --regid={VIDEO} --clear-groups find {place} -name .retaind -prune -o -type d -exec chmod g+rwx \
         {{}} +\nsystemctl edit retaind\n[Service]\nSupplementaryGroups=video\nor "
    );
    assert!(fix.starts_with(&expected), "{fix}");
    let script = ask("SupplementaryGroups=\nProtectSystem=strict\n", "--script").with(0).stdout;
    let [chmod, group, paths] =
        [format!(" find {place} "), "\nSupplementaryGroups=video\n".to_owned(), format!("\nReadWritePaths={place}\n")];
    assert!(script.contains(&chmod) && script.contains(&group) && script.contains(&paths), "one round: {script}");
    let for_all = format!("u:retaind:rwX {place}\n");
    assert!(!script.contains(&for_all), "{script}");
    of_group(0o770);
    let mut found = about(&ask("SupplementaryGroups=video\n", "--json").json(), "store thumbs");
    found.retain(|(_, message, _)| !message.contains("no index"));
    let levels: Vec<_> = found.iter().map(|(level, ..)| level.as_str()).collect();
    assert_eq!(levels, ["ok", "warn"], "{found:?}");
    assert!(found[0].1.ends_with("readable and writable by the service, which is in group video"), "{found:?}");
    assert_eq!(found[1].2, "sudo -u retaind -g video retaind check");
    of_group(0o775);
    let found = about(&ask("SupplementaryGroups=video\n", "--json").json(), "store thumbs");
    assert!(
        found.iter().all(|(level, message, _)| level == "ok"
            || message.contains("not adopted")
            || message.contains("no index")),
        "{found:?}"
    );
}
