//! Compiles again what was approved before, so that it can be compared with what is written now, and counted.

use std::sync::Arc;

use crate::config::{self, Inputs};

use super::super::{PublishRedis, Settings, Source, Task, Wording, Written};
use super::compile;

/// Compiles the words of a policy as a configuration of their own; databases are reached as the present configuration says,
/// where they are the same ones. Fails, in words, where this version does not take them any more.
pub fn recompile(wording: &Wording, present: &Settings) -> Result<Settings, String> {
    recompile_all(wording.clone().into_written(), present)
}

/// Compiles a whole configuration likewise.
pub fn recompile_all(written: Written, present: &Settings) -> Result<Settings, String> {
    let mut tree = written.into_tree();
    // Where it answers over TCP takes a certificate, as it may not be there any more, and takes nothing from anybody.
    if let Some(server) = tree.get_mut("server").and_then(toml::Value::as_table_mut) {
        server.remove("listen");
        server.retain(|key, _| !key.starts_with("tls_"));
    }
    // Of who is notified there is a fingerprint alone.
    if let Some(words) = tree.as_table_mut() {
        words.remove("notify");
    }
    let compiled = compile(config::reload(tree), &Inputs::default());
    let mut settings = compiled.map_err(|problems| {
        let first = problems.iter().next().map(ToString::to_string);
        first.unwrap_or_else(|| "it cannot be read".to_owned())
    })?;
    for source in &mut settings.sources {
        let now = present.source(&source.name);
        if let Some(now) = now.filter(|now| now.endpoint.identity() == source.endpoint.identity()) {
            *source = Arc::new(Source { endpoint: now.endpoint.clone(), ..(**source).clone() });
        }
    }
    if let (Some(redis), Some(now)) = (&mut settings.publish, &present.publish)
        && redis.url() == now.url()
    {
        let (password, lacks_password) = (now.password.clone(), now.lacks_password);
        *redis = Arc::new(PublishRedis { password, lacks_password, ..(**redis).clone() });
    }
    settings.notify.clone_from(&present.notify);
    for task in &mut settings.tasks {
        let ping = present.task(&task.name).and_then(|now| now.ping.clone());
        *task = Arc::new(Task { ping, ..(**task).clone() });
    }
    settings.daemon.state_dir.clone_from(&present.daemon.state_dir);
    settings.daemon.ledger_path.clone_from(&present.daemon.ledger_path);
    Ok(settings)
}
