//! The properties of what a configuration declares, as a reload compares and shows them.

use std::time::Duration;

use super::super::{
    Action, AgeFormat, Daemon, Destination, Detail, EARLIEST, Email, Name, NotifyWay, Pace, ParamDeclaration, Ping,
    Policy, PolicyKind, PublishRedis, RowsPolicy, Secret, Serving, ServingTcp, Source, Store, Task, Trigger, WebUrl,
    Webhook,
};
use super::fact::{Fact, fact, optional, secret};
use super::trees;
use super::words::{self, Shown, joined, mode_word, zone};

/// Something that a configuration declares by name.
pub(super) trait Named {
    const WORD: &'static str;
    fn name(&self) -> &Name;
    fn facts(&self) -> Vec<Fact>;
}

impl Named for Destination {
    const WORD: &'static str = "notify";
    fn name(&self) -> &Name {
        &self.name
    }
    fn facts(&self) -> Vec<Fact> {
        let Self { name: _, on, way, timeout } = self;
        let mut facts = vec![
            optional("on", joined(on.iter().map(|event| event.word().to_owned()))),
            fact("timeout", Shown(*timeout)),
        ];
        match way {
            NotifyWay::Webhook(Webhook { url, format, secret: key, token, tls_ca, lacks: _ }) => {
                let exposed = |of: &Option<Secret>| of.as_ref().map(|of| of.expose().to_owned());
                facts.extend([
                    secret("webhook", url.as_ref().map(|url| url.exposed().to_owned())),
                    fact("format", format.word()),
                    secret("secret", exposed(key)),
                    secret("token", exposed(token)),
                    optional("tls_ca", tls_ca.as_ref().map(|path| path.display())),
                ]);
            }
            NotifyWay::Email(Email { host, port, tls, user, password, from, to, tls_ca, lacks: _ }) => facts.extend([
                fact("email", format!("{host}:{port} {tls:?}")),
                optional("user", user.as_ref()),
                secret("password", password.as_ref().map(|password| password.expose().to_owned())),
                fact("from", from),
                fact("to", to.join(", ")),
                optional("tls_ca", tls_ca.as_ref().map(|path| path.display())),
            ]),
            NotifyWay::Command(hook) => facts.push(secret("command", Some(format!("{hook:?}")))),
        }
        facts
    }
}

fn ping_urls(ping: &Ping) -> String {
    let urls = [&ping.start, &ping.success, &ping.failure].map(|url| url.as_ref().map_or("", WebUrl::exposed));
    urls.join(" ")
}

impl Named for Source {
    const WORD: &'static str = "source";
    fn name(&self) -> &Name {
        &self.name
    }
    fn facts(&self) -> Vec<Fact> {
        let Self {
            name: _,
            endpoint,
            lock_timeout,
            statement_timeout,
            connect_timeout,
            max_connections,
            timezone,
            search_path,
            pace,
        } = self;
        let mut facts = vec![
            fact("url", endpoint.identity()),
            fact("lock_timeout", Shown(*lock_timeout)),
            fact("statement_timeout", Shown(*statement_timeout)),
            fact("connect_timeout", Shown(*connect_timeout)),
            fact("max_connections", max_connections),
            fact("timezone", zone(timezone)),
            optional("search_path", search_path.as_ref().map(|schemas| schemas.join(", "))),
        ];
        facts.extend(pace_facts(pace));
        if let Some(server) = endpoint.server() {
            let password = server.password.as_ref().map(|password| password.expose().to_owned());
            facts.extend([
                fact("user", &server.user),
                secret("password", password),
                fact("sslmode", format!("{:?}", server.tls.mode)),
                optional("sslrootcert", server.tls.root_cert.as_ref().map(|path| path.display())),
                fact("returning", server.returning),
            ]);
        }
        facts
    }
}

impl Named for Store {
    const WORD: &'static str = "store";
    fn name(&self) -> &Name {
        &self.name
    }
    fn facts(&self) -> Vec<Fact> {
        let Self { name: _, root, strip_prefix, references, trash, age_by } = self;
        vec![
            fact("path", root.display()),
            optional("strip_prefix", strip_prefix.as_ref()),
            optional("references", joined(references.iter().map(words::reference))),
            optional("trash", trash.map(Shown)),
            fact("age_by", age_by.word()),
        ]
    }
}

impl Named for Task {
    const WORD: &'static str = "task";
    fn name(&self) -> &Name {
        &self.name
    }
    fn facts(&self) -> Vec<Fact> {
        let Self { name: _, trigger, misfire_grace, catch_up, retry, timeout, window, enabled, ping, before, after } =
            self;
        let (schedule, every) = match trigger {
            Trigger::Cron(text) => (Some(text), None),
            Trigger::Every(period) => (None, Some(Shown(*period))),
        };
        vec![
            optional("schedule", schedule),
            optional("every", every),
            fact("misfire_grace", Shown(*misfire_grace)),
            fact("catch_up", catch_up),
            optional("retry", retry.map(Shown)),
            optional("timeout", timeout.map(Shown)),
            optional("window", window.as_ref()),
            fact("enabled", enabled),
            secret("ping", ping.as_deref().map(ping_urls)),
            secret("before", before.as_ref().map(|hook| format!("{hook:?}"))),
            secret("after", after.as_ref().map(|hook| format!("{hook:?}"))),
        ]
    }
}

impl Named for Policy {
    const WORD: &'static str = "policy";
    fn name(&self) -> &Name {
        &self.name
    }
    fn facts(&self) -> Vec<Fact> {
        let Self { name: _, task, enabled, mode, max_growth, description, owner, kind } = self;
        let mut facts = vec![
            fact("kind", kind.word()),
            optional("task", task.as_ref()),
            fact("enabled", enabled),
            fact("mode", mode_word(*mode)),
            fact("max_growth", max_growth),
            optional("description", description.as_ref()),
            optional("owner", owner.as_ref()),
        ];
        match kind {
            PolicyKind::Rows(rows) => facts.extend(rows_facts(rows)),
            PolicyKind::Files(files) => facts.extend(trees::files_facts(files)),
            PolicyKind::Orphans(orphans) => facts.extend(trees::orphans_facts(orphans)),
        }
        facts
    }
}

fn rows_facts(rows: &RowsPolicy) -> Vec<Fact> {
    let RowsPolicy {
        source,
        table,
        age,
        keep,
        condition,
        params,
        protections,
        alive,
        allow_time_independent,
        action,
        files,
        files_off: _,
        children,
        details,
        batch,
        pace,
        parallel,
        at_most,
        max_rows,
        max_fraction,
    } = rows;
    let expires = age.as_ref().is_some_and(|age| age.expires);
    let (age_key, keep_key) = if expires { ("expires", "grace") } else { ("age", "keep") };
    // Without a grace it is zero.
    let keep = keep.as_ref().filter(|keep| !expires || keep.shortest() > Duration::ZERO);
    let set = match action {
        Action::Delete => None,
        Action::Update(assignments) => Some(format!("{assignments:?}")),
    };
    let mut facts = vec![
        fact("source", source),
        fact("table", table),
        optional(age_key, age.as_ref().map(|age| &age.column)),
        optional("age_format", age.as_ref().and_then(|age| age.format).map(AgeFormat::word)),
        optional("earliest", age.as_ref().map(|age| age.earliest).filter(|at| *at != EARLIEST)),
        optional(keep_key, keep.map(words::keep)),
        optional("where", condition.as_ref()),
        optional("params", joined(params.iter().map(param))),
        optional("protected_by", joined(protections.iter().map(words::protection))),
        secret("alive", alive.as_ref().map(|alive| format!("{alive:?}"))),
        fact("allow_time_independent", allow_time_independent),
        fact("action", if set.is_some() { "update" } else { "delete" }),
        secret("set", set),
        optional("files", joined(files.iter().map(words::file_terms))),
        optional("children", joined(children.iter().map(words::child))),
        optional("details", joined(details.iter().map(detail))),
        fact("batch", batch),
        fact("parallel", parallel),
        optional("at_most", at_most.as_ref()),
        optional("max_rows", max_rows.as_ref()),
        optional("max_fraction", max_fraction.map(|share| share.get())),
    ];
    facts.extend(pace_facts(pace));
    facts
}

fn pace_facts(pace: &Pace) -> [Fact; 6] {
    let Pace { target, pause, rows_per_second, yields, max_replica_lag, max_load } = pace;
    [
        optional("pace.target", target.map(Shown)),
        optional("pace.pause", pause.map(Shown)),
        optional("pace.rows_per_second", rows_per_second.as_ref()),
        optional("pace.yield", yields.as_ref()),
        optional("pace.max_replica_lag", max_replica_lag.map(Shown)),
        optional("pace.max_load", max_load.as_ref()),
    ]
}

fn detail(detail: &Detail) -> String {
    match detail {
        Detail::Column(column) => column.to_string(),
        Detail::Sql { name, sql } => format!("{name} = {sql}"),
    }
}

fn param(declaration: &ParamDeclaration) -> String {
    let kind = declaration.kind.map(|kind| format!(":{}", kind.word())).unwrap_or_default();
    let secret = if declaration.secret { " (secret)" } else { "" };
    format!("{}{kind}{secret}", declaration.name)
}

/// Of `[server]`.
pub(super) fn serving_facts(serving: &Serving) -> Vec<Fact> {
    let Serving { socket, read_only, metrics, dashboard, metrics_file, tcp } = serving;
    let certificate = tcp.as_ref().and_then(|tcp| tcp.certificate.as_ref());
    let rate = |tcp: &ServingTcp| tcp.rate_limit.map(|rate| format!("{} in {}", rate.most, Shown(rate.per)));
    vec![
        optional("socket", socket.as_ref().map(|path| path.display())),
        fact("read_only", read_only),
        fact("metrics", metrics),
        fact("dashboard", dashboard),
        optional("metrics_file", metrics_file.as_ref().map(|path| path.display())),
        optional("listen", tcp.as_ref().map(|tcp| tcp.listen)),
        optional("hosts", tcp.as_ref().map(|tcp| tcp.hosts.join(", "))),
        optional("tls_cert", certificate.map(|certificate| certificate.path.display())),
        optional("tls_key", certificate.map(|certificate| certificate.key_path.display())),
        optional("certificate", certificate.map(|certificate| certificate.digest.chars().take(16).collect::<String>())),
        optional("rate_limit", tcp.as_ref().and_then(rate)),
    ]
}

/// Of `[publish.redis]`.
pub(super) fn publish_facts(redis: &PublishRedis) -> Vec<Fact> {
    let PublishRedis { password, key, channel, expire, job_type, .. } = redis;
    vec![
        fact("url", redis.url()),
        secret("password", password.as_ref().map(|password| password.expose().to_owned())),
        fact("key", key),
        fact("channel", channel),
        fact("expire", Shown(*expire)),
        fact("type", job_type),
    ]
}

/// Of `[daemon]` and `[ledger]`.
pub(super) fn daemon_facts(daemon: &Daemon) -> Vec<Fact> {
    let Daemon {
        mode,
        state_dir,
        ledger_path,
        timezone,
        shutdown_grace,
        clock,
        approve_changes,
        keep_runs,
        keep_audit,
        log_format,
        log_level,
    } = daemon;
    vec![
        fact("mode", mode_word(*mode)),
        fact("state_dir", state_dir.display()),
        fact("ledger", ledger_path.display()),
        fact("timezone", zone(timezone)),
        fact("shutdown_grace", Shown(*shutdown_grace)),
        fact("clock", clock.word()),
        fact("approve_changes", approve_changes),
        fact("log_format", log_format.word()),
        fact("log_level", log_level.word()),
        fact("keep_runs", Shown(*keep_runs)),
        fact("keep_audit", Shown(*keep_audit)),
    ]
}
