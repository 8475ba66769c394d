//! The service's user and sandbox, as systemd knows them: who checks outside the sandbox does not run into its walls.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use tokio::process::Command;

use crate::stores::Group;
use crate::text::human::instant;

/// Subject of findings about the running service.
pub(super) const SERVICE: &str = "service";

const UNIT: &str = "retaind.service";
const PROPERTIES: [&str; 14] = [
    "LoadState",
    "ActiveState",
    "ExecMainStartTimestamp",
    "NeedDaemonReload",
    "FragmentPath",
    "DropInPaths",
    "User",
    "SupplementaryGroups",
    "ProtectSystem",
    "ProtectHome",
    "ReadWritePaths",
    "BindPaths",
    "PrivateUsers",
    "AmbientCapabilities",
];
/// The packaged service's user.
const USER: &str = "retaind";
/// systemd answers at once, or there is something else to be mended first.
const PATIENCE: Duration = Duration::from_secs(5);

/// Properties of the service as systemd tells them; none where there is no systemd or no such unit.
#[derive(Debug, Default)]
pub(super) struct Service {
    properties: HashMap<String, String>,
    /// The unit passes credentials.
    has_credentials: bool,
}

impl Service {
    /// Asks systemd. Inside the service nobody is asked: there the walls are felt.
    pub(super) async fn look_up() -> Self {
        if std::env::var_os("INVOCATION_ID").is_some() {
            return Self::default();
        }
        let shown = ask(&["show", UNIT, "--property", &PROPERTIES.join(",")]).await;
        // Among the properties they are "unprintable".
        let written = ask(&["cat", UNIT]).await;
        let has_credentials = written.lines().any(|line| {
            ["LoadCredential", "SetCredential", "ImportCredential"].iter().any(|key| line.trim_start().starts_with(key))
        });
        Self { has_credentials, ..Self::parse(&shown) }
    }

    fn parse(shown: &str) -> Self {
        let pairs = shown.lines().filter_map(|line| line.split_once('='));
        let properties: HashMap<_, _> = pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        let is_there = properties.get("LoadState").is_some_and(|state| state == "loaded");
        if is_there { Self { properties, ..Self::default() } } else { Self::default() }
    }

    /// The user that the service runs as.
    pub(super) fn user(&self) -> &str {
        match self.get("User") {
            "" if self.properties.is_empty() => USER,
            "" => "root",
            user => user,
        }
    }

    /// True if the service is in a group by its unit, as another process of its user need not be.
    pub(super) fn has_group(&self, group: &Group) -> bool {
        let id = group.id.to_string();
        self.get("SupplementaryGroups").split_whitespace().any(|listed| listed == group.name || listed == id)
    }

    /// A change that the running service does not go by yet, and how it comes to do so.
    pub(super) fn outdated(&self) -> Option<(String, &'static str)> {
        if !matches!(self.get("ActiveState"), "active" | "reloading") {
            return None;
        }
        if self.get("NeedDaemonReload") == "yes" {
            let message = "its unit or a drop-in was changed, and neither systemd nor the running service goes by that";
            return Some((message.to_owned(), "systemctl daemon-reload\nsystemctl restart retaind"));
        }
        let started = parse_time(self.get("ExecMainStartTimestamp"))?;
        let files = self.get("DropInPaths").split_whitespace().chain([self.get("FragmentPath")]);
        let (written, file) = files.filter_map(|file| Some((written_at(file)?, file))).max()?;
        // Systemd tells whole seconds.
        (written.as_second() > started.as_second()).then(|| {
            let (written, started) = (instant(written), instant(started));
            let message = format!("{file} was written at {written}, and the service runs since {started} without it");
            (message, "systemctl restart retaind")
        })
    }

    /// The drop-in that the service lacks to write beneath a directory, if it lacks one.
    pub(super) fn wall(&self, directory: &Path) -> Option<String> {
        let in_home = ["/home", "/root", "/run/user"].iter().any(|home| directory.starts_with(home));
        let hides_home = matches!(self.get("ProtectHome"), "yes" | "tmpfs");
        if in_home && hides_home && !self.lists("BindPaths", directory) {
            return Some(drop_in(&format!("ProtectHome=tmpfs\nBindPaths={}", directory.display())));
        }
        let is_walled = self.get("ProtectSystem") == "strict" || in_home && self.get("ProtectHome") == "read-only";
        let is_open = self.lists("ReadWritePaths", directory) || self.lists("BindPaths", directory);
        (is_walled && !is_open).then(|| read_write_paths(directory))
    }

    /// The drop-in that the service lacks to know of each file whether another user's process has it open, if it lacks one.
    pub(super) fn blindness(&self) -> Option<String> {
        let sees_users = self.get("PrivateUsers") != "yes";
        let may_ask =
            self.user() == "root" || self.get("AmbientCapabilities").split_whitespace().any(|one| one == "cap_lease");
        let knows = sees_users && may_ask;
        (!self.properties.is_empty() && !knows).then(|| {
            drop_in(
                "PrivateUsers=no\nCapabilityBoundingSet=CAP_LEASE\nAmbientCapabilities=CAP_LEASE\nIPAddressDeny=any\n\
                 IPAddressAllow=localhost 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 fd00::/8",
            )
        })
    }

    /// Remedy where a command beside the service has no credential of it.
    pub(super) fn how_to_pass_credentials(&self) -> String {
        match self.has_credentials {
            true => "systemctl start retaind: while the service runs, commands of its user and of root read its credentials \
                     (after a change of the unit: restart)"
                .to_owned(),
            false => "write the password into a file that root alone may read, such as /etc/retaind/credentials/NAME, then\n\
                      systemctl edit retaind\n[Service]\nLoadCredential=NAME:/etc/retaind/credentials/NAME\n\
                      with the NAME that password_credential has, and systemctl restart retaind"
                .to_owned(),
        }
    }

    /// True if a list of paths has the directory or one above it.
    fn lists(&self, property: &str, directory: &Path) -> bool {
        self.get(property).split_whitespace().any(|entry| {
            let entry = entry.trim_start_matches(['-', '+']);
            // SOURCE:DESTINATION:OPTIONS, of which the first alone is enough.
            let mut parts = entry.split(':');
            let outside = parts.next().unwrap_or(entry);
            directory.starts_with(parts.next().unwrap_or(outside))
        })
    }

    fn get(&self, property: &str) -> &str {
        self.properties.get(property).map_or("", String::as_str)
    }
}

/// Answer of `systemctl`; nothing without a systemd: then there is no sandbox to look at.
async fn ask(arguments: &[&str]) -> String {
    let mut command = Command::new("systemctl");
    // Times are written in the zone of whoever asks.
    command.env("TZ", "UTC").env("LC_ALL", "C");
    command.args(arguments).stdin(std::process::Stdio::null()).stderr(std::process::Stdio::null()).kill_on_drop(true);
    match tokio::time::timeout(PATIENCE, command.output()).await {
        Ok(Ok(output)) if output.status.success() => String::from_utf8_lossy(&output.stdout).into_owned(),
        Ok(Ok(_) | Err(_)) | Err(_) => String::new(),
    }
}

/// Reads an instant as systemd writes it in UTC.
fn parse_time(text: &str) -> Option<Timestamp> {
    let time = DateTime::strptime("%a %Y-%m-%d %H:%M:%S UTC", text).ok()?;
    Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

fn written_at(file: &str) -> Option<Timestamp> {
    Timestamp::try_from(std::fs::metadata(file).ok()?.modified().ok()?).ok()
}

/// The drop-in that lets the service into a group.
pub(super) fn supplementary_group(group: &str) -> String {
    drop_in(&format!("SupplementaryGroups={group}"))
}

/// The drop-in that opens a directory to the service.
pub(super) fn read_write_paths(directory: &Path) -> String {
    drop_in(&format!("ReadWritePaths={}", directory.display()))
}

fn drop_in(lines: &str) -> String {
    format!("systemctl edit retaind\n[Service]\n{lines}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOWN: &str = "LoadState=loaded\nUser=retaind\nProtectSystem=strict\nProtectHome=yes\n\
                         ReadWritePaths=/srv/nvr -/mnt/x\nBindPaths=/home/nvr/a:/home/nvr/a:rbind\n";

    #[test]
    fn a_drop_in_opens_directories_outside_the_sandbox() {
        let service = Service::parse(SHOWN);
        assert_eq!(service.wall(Path::new("/srv/nvr/thumbnails")), None);
        assert_eq!(service.wall(Path::new("/mnt/x")), None);
        assert_eq!(service.wall(Path::new("/home/nvr/a/thumbnails")), None);
        let expected = "systemctl edit retaind\n[Service]\nReadWritePaths=/srv/nvr2";
        assert_eq!(service.wall(Path::new("/srv/nvr2")).as_deref(), Some(expected));
        let expected = "systemctl edit retaind\n[Service]\nProtectHome=tmpfs\nBindPaths=/home/nvr/b";
        assert_eq!(service.wall(Path::new("/home/nvr/b")).as_deref(), Some(expected));
    }

    #[test]
    fn f8_a_drop_in_lets_a_service_see_holders() {
        let blind = format!("{SHOWN}PrivateUsers=yes\nAmbientCapabilities=\n");
        let drop_in = Service::parse(&blind).blindness().unwrap();
        assert!(drop_in.contains("AmbientCapabilities=CAP_LEASE") && drop_in.contains("PrivateUsers=no"), "{drop_in}");
        let sees = format!("{SHOWN}PrivateUsers=no\nAmbientCapabilities=cap_lease\n");
        assert_eq!((Service::parse(&sees).blindness(), Service::default().blindness()), (None, None));
    }

    #[test]
    fn groups_of_the_unit_by_name_and_number() {
        let service = Service::parse("LoadState=loaded\nSupplementaryGroups=video 4711\n");
        let group = |id, name: &str| Group { id, name: name.to_owned() };
        assert!(service.has_group(&group(44, "video")) && service.has_group(&group(4711, "nvr")));
        assert!(!service.has_group(&group(0, "root")) && !Service::default().has_group(&group(44, "video")));
    }

    #[test]
    fn a_service_older_than_its_unit_is_said() {
        let file = std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
        let service = |active: &str, since: &str, reload: &str| {
            let shown = format!(
                "LoadState=loaded\nActiveState={active}\nExecMainStartTimestamp={since}\nNeedDaemonReload={reload}\n\
                 FragmentPath=/nowhere\nDropInPaths=/nowhere/a.conf {}\n",
                file.display()
            );
            Service::parse(&shown).outdated()
        };
        let (message, fix) = service("active", "Thu 2020-01-02 03:04:05 UTC", "no").unwrap();
        assert!(message.contains(file.to_str().unwrap()) && message.contains("2020-01-02T03:04:05Z"), "{message}");
        assert_eq!(fix, "systemctl restart retaind");
        assert_eq!(service("active", "Fri 2190-01-01 00:00:00 UTC", "no"), None);
        assert!(
            service("active", "Fri 2190-01-01 00:00:00 UTC", "yes").unwrap().1.starts_with("systemctl daemon-reload")
        );
        assert_eq!(service("inactive", "", "yes"), None);
    }

    #[test]
    fn without_the_unit_there_is_no_wall() {
        let service = Service::parse("LoadState=not-found\nProtectSystem=strict\n");
        assert_eq!(service.wall(Path::new("/srv")), None);
        assert_eq!(service.user(), "retaind");
        assert_eq!(Service::parse("LoadState=loaded\nUser=\n").user(), "root");
    }
}
