//! Documentation and examples are held to the code.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use retaind::config::Inputs;
use retaind::config::keys::{self, KeyRow};
use retaind::policy::{Engine, Name, compile};

use super::{BASE, Etc};

pub fn read(path: &str) -> Option<String> {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).ok()
}

/// The page with the rows of its key tables as the declarations have them, and the keys that have a row.
fn with_declared_rows(text: &str) -> (String, Vec<String>) {
    let keys: BTreeMap<String, KeyRow> = keys::all().into_iter().map(|key| (key.path.clone(), key)).collect();
    let (mut section, mut found) = (String::new(), Vec::new());
    let lines = text.lines().map(|line| {
        if let Some(heading) = line.strip_prefix("## ") {
            section = heading.trim_matches(['[', ']']).to_owned();
        }
        let name = line.strip_prefix("| `").and_then(|rest| rest.split_once("` |")).map_or("", |(name, _)| name);
        let Some(key) = keys.get(&format!("{section}.{name}").replace("NAME", "*")) else { return format!("{line}\n") };
        found.push(key.path.clone());
        let default = if key.default.is_empty() { String::new() } else { format!(" {}", key.default) };
        format!("| `{name}` | {} |{default} | {} |\n", key.kind.word(), key.meaning)
    });
    (lines.collect(), found)
}

/// With RETAIND_GOLDEN=write the page is written anew.
#[test]
fn every_key_is_documented_as_it_is_declared() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
    let text = std::fs::read_to_string(&page).unwrap();
    let (declared, mut found) = with_declared_rows(&text);
    if std::env::var_os("RETAIND_GOLDEN").is_some_and(|how| how == "write") {
        std::fs::write(&page, &declared).unwrap();
    } else {
        let differs = text.lines().zip(declared.lines()).find(|(written, declared)| written != declared);
        assert_eq!(differs, None, "docs/configuration.md: RETAIND_GOLDEN=write writes the rows of its key tables");
    }
    let mut listed: Vec<String> = keys::all().into_iter().map(|key| key.path).collect();
    found.sort();
    listed.sort();
    assert_eq!(found, listed, "docs/configuration.md has a row for each key: write one with the key alone");
    for word in keys::all().iter().map(|key| key.kind.word()).collect::<BTreeSet<_>>() {
        assert!(text.contains(&format!("\n| {word} | `")), "{word} is not explained");
    }
}

/// The ```toml blocks of a page.
pub fn blocks(text: &str) -> Vec<&str> {
    text.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

#[test]
fn every_example_in_the_documentation_is_right() {
    let mut checked = 0;
    for page in ["docs/configuration.md", "docs/operations.md", "docs/architecture.md", "README.md"] {
        for block in read(page).iter().flat_map(|text| blocks(text)) {
            // A page may show a whole configuration or a part that goes on top of another.
            let alone = is_right("", block);
            assert!(alone.is_ok() || is_right(BASE, block).is_ok(), "{page}:\n{block}\n{}", alone.unwrap_err());
            checked += 1;
        }
    }
    assert!(checked >= 8, "only {checked} examples were found");
}

fn is_right(main: &str, fragment: &str) -> Result<(), String> {
    use std::os::unix::fs::PermissionsExt;
    let etc = Etc::new(main).with_env("MEDIA_PASSWORD", "x").with_file("etc/archive.password", "x");
    std::fs::set_permissions(etc.path("etc/archive.password"), std::fs::Permissions::from_mode(0o640)).unwrap();
    let here = format!("{}/", etc.path("etc").display());
    let etc = etc.with_file("conf.d/1.toml", fragment.replace("/etc/retaind/", &here));
    let credentials = etc.path("credentials");
    let names = fragment.lines().filter_map(|line| line.strip_prefix("password_credential = \"")?.split('"').next());
    let etc = names.fold(etc, |etc, name| etc.with_file(&format!("credentials/{name}"), "x"));
    let etc = etc.with_inputs(|inputs| inputs.credentials_dir = Some(credentials));
    compile::load(etc.inputs()).map(|_| ()).map_err(|wrong| wrong.to_string())
}

fn inputs(path: &str) -> Inputs {
    Inputs::of_file(Path::new(env!("CARGO_MANIFEST_DIR")).join(path))
}

/// The shipped configuration with all that it shows switched on.
pub fn shipped_without_comments() -> String {
    let text = read("config/retaind.toml").unwrap();
    let lines = text.lines().map(|line| match line.strip_prefix('#') {
        Some(rest) if rest.starts_with(|c: char| c == '[' || c.is_ascii_lowercase()) => rest,
        _ => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_shipped_file_is_valid_and_deletes_nothing() {
    let settings = compile::load(&inputs("config/retaind.toml")).unwrap_or_else(|wrong| panic!("{wrong}"));
    assert!(settings.policies.is_empty() && settings.sources.is_empty() && settings.stores.is_empty());
    // With its comments taken off it is a whole configuration, and still only reports.
    let etc = Etc::new(&shipped_without_comments()).with_file("credentials/app-db", "x");
    let credentials = etc.path("credentials");
    let settings = etc.with_inputs(|inputs| inputs.credentials_dir = Some(credentials)).settings();
    assert_eq!(settings.policies.len(), 1);
    assert_eq!(settings.policies[0].mode, retaind::policy::Mode::Report);
}

#[test]
fn the_recorder_fits_every_engine_and_switches_images() {
    let urls = [
        ("postgres://retaind@localhost/nvr", Engine::Postgres),
        ("mysql://retaind@localhost/nvr", Engine::MySql),
        ("sqlite:/var/lib/nvr/nvr.db", Engine::Sqlite),
    ];
    let text = read("config/examples/camera-nvr.toml").unwrap();
    for (url, engine) in urls {
        assert!(text.contains(url), "{url} is not shown");
        let mut inputs = inputs("config/examples/camera-nvr.toml");
        inputs.set.push(("sources.nvr.url".to_owned(), url.to_owned()));
        let settings = compile::load(&inputs).unwrap_or_else(|wrong| panic!("{wrong}"));
        assert_eq!(settings.sources[0].endpoint.engine(), engine);
        let of = |task: &str| {
            let task = Name::parse(task).unwrap();
            settings.policies_of(&task).map(|policy| policy.name.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(of("retention"), ["detections", "events", "gpu-stats", "logs"]);
        let detections = settings.policies[0].kind.rows().unwrap();
        assert_eq!(detections.files.iter().map(|file| file.store.as_str()).collect::<Vec<_>>(), ["thumbnails"]);

        inputs.set.push(("policies.detections.files[1].enabled".to_owned(), "true".to_owned()));
        let settings = compile::load(&inputs).unwrap_or_else(|wrong| panic!("{wrong}"));
        let detections = settings.policies[0].kind.rows().unwrap();
        assert_eq!(
            detections.files.iter().map(|file| file.store.as_str()).collect::<Vec<_>>(),
            ["thumbnails", "images"]
        );
    }
}
