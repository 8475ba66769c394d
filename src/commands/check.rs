//! Looks at everything that a run stands on and says what mends what is amiss. Changes nothing.

mod approved;
mod families;
mod logins;
mod names;
mod notify;
mod policies;
mod privileges;
mod programs;
mod publish;
mod relations;
mod sampled;
mod script;
mod service;
mod source;
mod state;
mod store;
mod table;
mod trees;

use futures_util::future::join_all;

use super::status;
use crate::clock::Clock;
use crate::policy::{Mode, Settings, Source};
use crate::report::Findings;
use crate::text::human::counted;
use service::{SERVICE, Service};

/// Findings of the configuration alone; that it is valid was found by compiling it.
pub fn config(settings: &Settings) -> Findings {
    let mut findings = Findings::default();
    let Settings {
        daemon,
        serving: _,
        publish: _,
        notify: _,
        sources,
        stores,
        tasks: _,
        policies,
        written: _,
        overrides: _,
    } = settings;
    let parts = [(sources.len(), "source"), (stores.len(), "store"), (policies.len(), "policy")];
    let parts: Vec<_> = parts.iter().map(|(number, noun)| counted(*number as u64, noun)).collect();
    findings.ok("configuration", format!("valid: {}", parts.join(", ")));
    let idle = policies.iter().filter(|policy| !policy.enabled).count();
    if idle > 0 {
        findings.ok("configuration", format!("{} switched off", counted(idle as u64, "policy")));
    }
    if daemon.mode == Mode::Report {
        findings.ok("configuration", "[daemon] mode is \"report\": nothing is ever deleted");
    }
    findings
}

/// Everything: the configuration, sources and their tables, stores, the state directory, and the service's sandbox.
pub async fn everything(settings: &Settings, clock: &Clock) -> Findings {
    let (mut findings, by_source, rest) = gather(settings, clock).await;
    by_source.into_iter().for_each(|(_, found)| findings.extend(found));
    findings.extend(rest);
    findings
}

/// All fixes of the same, in the order in which they have to be made, as a shell script.
pub async fn fixes(settings: &Settings, clock: &Clock) -> String {
    let (mut findings, by_source, rest) = gather(settings, clock).await;
    findings.extend(rest);
    script::script(&by_source, &findings)
}

/// Findings before the sources, at each of them, and after them.
async fn gather<'a>(settings: &'a Settings, clock: &Clock) -> (Findings, Vec<(&'a Source, Findings)>, Findings) {
    let mut first = config(settings);
    let service = Service::look_up().await;
    if rustix::process::geteuid().is_root() {
        let user = service.user();
        first.warn(
            "user",
            format!("this was checked as root, who may do more than the service's user {user}"),
            format!("sudo -u {user} retaind check"),
        );
    }
    if let Some((message, fix)) = service.outdated() {
        first.warn(SERVICE, message, fix);
    }
    state::check(settings, &mut first).await;
    // At once, so that two servers that do not answer take the time of one.
    let sources = settings.sources.iter().map(|source| source::check(settings, source, clock, &service));
    let found = join_all(sources).await;
    let by_source = settings.sources.iter().map(AsRef::as_ref).zip(found).collect();
    let mut rest = Findings::default();
    programs::hooks(settings, &mut rest);
    publish::check(settings, &service, &mut rest).await;
    notify::check(settings, &service, &mut rest);
    // What is amiss with the ledger was told of with the state directory.
    let ledger = status::open(settings, clock.now()).await.ok().flatten();
    for store in &settings.stores {
        store::check(settings, store, &service, ledger.as_ref(), &mut rest).await;
    }
    if let Some(ledger) = &ledger {
        approved::check(settings, ledger, clock, &mut rest).await;
    }
    (first, by_source, rest)
}
