//! The applications whose cleanup the files of `config/examples/` take over: each from the shipped file to what is left
//! of its rows and files, on every engine and by the binary alone.

mod application;
mod camera;
mod daemon;
mod face_swap;
mod file_drop;
mod holdings;
mod media_jobs;
mod media_sync;
mod night;
mod orphans;
mod requests;

use retaind::config::Inputs;
use retaind::policy::{Engine, compile};

use application::{Application, Layout, Table};
use daemon::{Daemon, await_runs};
use holdings::{Holdings, Listing, Names};
use night::{Night, assert_completed, assert_counts, assert_fits, number, sum};

#[test]
fn the_examples_are_valid_with_each_shown_url() {
    let layouts = [camera::LAYOUT, face_swap::LAYOUT, media_jobs::LAYOUT, file_drop::LAYOUT, media_sync::LAYOUT];
    for Layout { name, source, .. } in layouts {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("config/examples/{name}.toml"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
        let urls: Vec<_> = text.lines().filter_map(|line| line.split("url = \"").nth(1)?.split('"').next()).collect();
        let mut engines = Vec::new();
        for url in urls {
            let mut inputs = Inputs::of_file(path.clone());
            inputs.set.push((format!("sources.{source}.url"), url.to_owned()));
            let settings = compile::load(&inputs).unwrap_or_else(|wrong| panic!("{name} with {url}: {wrong}"));
            engines.push(settings.sources[0].endpoint.engine());
        }
        for engine in [Engine::Postgres, Engine::MySql, Engine::Sqlite] {
            assert!(engines.contains(&engine), "{name} shows no url of {engine:?}");
        }
    }
}
