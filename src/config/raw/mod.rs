//! The shape of the file: every key with what it takes, means, and is if it is left out. Nothing is judged.

mod policy;

use super::declare::keys;
use super::form::Named;
use super::values::{Count, KeepSpan, Load, Names, OrTable, Patterns, ShortSpan, WaitSpan, Zone};
use super::words::{AgeBy, ClockTrust, LogFormat, LogLevel, Mode, NoticeEvent, ReferenceMatch, WebhookFormat};
pub use policy::{
    RawAlive, RawChild, RawDetail, RawFile, RawKeepByValue, RawParam, RawPolicy, RawProtection, RawSetSql,
};

keys! {
    /// The whole configuration.
    pub struct Raw {
        /// The daemon itself.
        daemon: RawDaemon = [];
        /// The daemon's own database.
        ledger: RawLedger = [];
        /// The daemon's answers to commands and HTTP requests.
        server: RawServer = [];
        /// Places where others read how runs go.
        publish: RawPublish = [];
        /// Those who are told what a person should know, by name.
        notify: Named<RawNotify> = [];
        /// Databases whose rows are governed, by name.
        sources: Named<RawSource> = [];
        /// Directories whose files are governed, by name.
        stores: Named<RawStore> = [];
        /// Schedules that run the policies assigned to them, by name.
        tasks: Named<RawTask> = [];
        /// Rules: what may go, and when, by name.
        policies: Named<RawPolicy> = [];
    }

    /// `[daemon]`
    pub struct RawDaemon {
        /// `report`: nothing is ever deleted, whatever a policy says.
        mode: Mode = "enforce";
        /// Directory of the ledger. Without this key systemd's `$STATE_DIRECTORY` comes before the default.
        state_dir: String, default "`/var/lib/retaind`";
        /// IANA zone in which schedules are read.
        timezone: Zone = "UTC";
        /// Longest time that a run may take to stop when the service stops.
        shutdown_grace: WaitSpan = "20s";
        /// `trust`: the machine's clock is believed whatever it says, for a machine that nothing synchronises. `check`:
        /// what goes by a clock that leapt is [held](operations.md#the-clock).
        clock: ClockTrust = "check";
        /// True if a policy that would take more than was agreed to waits for `retaind approve`. With `false` nothing
        /// is held, and each start says so.
        approve_changes: bool = true;
        /// Form of log lines where no journal takes them, as in a container. `json`: one object a line on standard error.
        log_format: LogFormat = "text";
        /// Least of what is logged: `error`, `warning`, `info` or `debug`. `-v` and `RUST_LOG` come before it.
        log_level: LogLevel = "info";
    }

    /// `[ledger]`
    pub struct RawLedger {
        /// `sqlite:/PATH`.
        url: String, default "`ledger.db in state_dir`";
        /// Time for which a run is remembered once it has ended and no file of it is pending. The sums that `retaind
        /// stats` shows keep what it did.
        keep_runs: KeepSpan = "90d";
        /// Time for which entries of the [audit](operations.md#the-audit) are kept.
        keep_audit: KeepSpan = "400d";
    }

    /// `[server]`
    pub struct RawServer {
        /// Absolute path of the unix socket on which the daemon [answers](api.md). `""`: it answers nowhere.
        socket: String, default "`retaind.sock` in systemd's `$RUNTIME_DIRECTORY`, or else in `state_dir`";
        /// `true`: nothing can be started, stopped or changed through it.
        read_only: bool = false;
        /// `false`: `GET /metrics` answers nothing. It shows [numbers](monitoring.md) for Prometheus.
        metrics: bool = true;
        /// `false`: there is no [dashboard](dashboard.md) at `/`.
        dashboard: bool = true;
        /// Absolute path of a file `*.prom` that the daemon writes the same numbers into, anew every 15 seconds, for the
        /// textfile collector of node_exporter. Its directory has to be writable for the service.
        metrics_file: String;
        /// Address and port on which the daemon [answers over TCP](api.md#over-tcp), to whoever has a token:
        /// `127.0.0.1:8765`. Without it: nowhere.
        listen: String;
        /// Names by which requests over TCP may ask for it, beside `localhost` and its own addresses.
        hosts: Vec<String> = [];
        /// Absolute path of a PEM file: the certificate, and those that lead to its authority.
        tls_cert: String;
        /// Absolute path of a PEM file with the certificate's key, which is not open to every user.
        tls_key: String;
        /// `true`: other machines may ask without TLS, because a proxy before it speaks TLS.
        plaintext: bool = false;
        /// Destructive requests over TCP that each token may make: a number in a `minute`, `hour` or `day`, or `none`,
        /// where they are not counted.
        rate_limit: String = "5/hour";
    }

    /// `[publish]`
    pub struct RawPublish {
        /// A Redis that has the state of each run.
        redis: RawRedis;
    }

    /// `[publish.redis]`
    pub struct RawRedis {
        /// Required: `redis://HOST:6379/0`, the last number being the database, or `unix:///PATH/OF/SOCKET?db=0`. A user
        /// stands before the host, `redis://USER@HOST`, or is `user=` behind the `?`.
        url: String;
        /// Name of a systemd credential; see [Passwords](#passwords).
        password_credential: String;
        /// Absolute path of a file that holds the password alone.
        password_file: String;
        /// Key of a run's state. `{id}` stands for the job's id, which is `cleanup-20260710-030000`, its begin in the
        /// daemon's `timezone`.
        key: String = "job:{id}";
        /// Channel on which each state is published as well. `""`: on none.
        channel: String = "job_status";
        /// Time that a key stays after its last change.
        expire: KeepSpan = "7d";
        /// Value of the state's `type`.
        r#type: String = "data_cleanup";
    }

    /// `[notify.NAME]`
    pub struct RawNotify {
        /// Of which conditions: `blocked`, `failed`, `held`, `overdue`, `source_down`, `start_failed`.
        on: Vec<NoticeEvent>, default "all of them";
        /// A server that takes it by HTTP. Either this, `email` or `command`.
        webhook: RawWebhook;
        /// Mailboxes that get it as e-mail.
        email: RawEmail;
        /// The absolute path of a program, then its arguments. It reads the message as JSON on its standard input.
        command: Vec<String>;
        /// Longest time of one try to deliver.
        timeout: WaitSpan = "10s";
    }

    /// `email`
    pub struct RawEmail {
        /// Required: `smtps://USER@HOST`, TLS from the beginning, or `smtp://USER@HOST`, which must offer STARTTLS. Ports
        /// are 465 and 587 if left out. `smtp://HOST:25?tls=none` is without TLS, and takes no password.
        url: String;
        /// Name of a systemd credential; see [Passwords](#passwords).
        password_credential: String;
        /// Absolute path of a file that holds the password alone.
        password_file: String;
        /// Required: the sender, `retaind@example.org` or `retaind <retaind@example.org>`.
        from: String;
        /// Required: those who get it.
        to: Names;
        /// Absolute path of a PEM file with the authorities that are trusted instead of the system's.
        tls_ca: String;
    }

    /// `webhook`
    pub struct RawWebhook {
        /// `https://HOST/PATH`. It is kept as secret as a password; `${NAME}` is an environment variable.
        url: String;
        /// Name of a systemd credential that has the url.
        url_credential: String;
        /// Absolute path of a file that has the url alone.
        url_file: String;
        /// Form of the message: `json`, or the one that `ntfy`, `gotify` or `slack` takes; see
        /// [notifications](notifications.md#webhooks).
        format: WebhookFormat = "json";
        /// Name of a systemd credential with the secret of the [signature](notifications.md#the-signature).
        secret_credential: String;
        /// Absolute path of a file that has that secret alone.
        secret_file: String;
        /// Name of a systemd credential with a token, which is sent as `Authorization: Bearer`; of Gotify as its key.
        token_credential: String;
        /// Absolute path of a file that has that token alone.
        token_file: String;
        /// Absolute path of a PEM file with the authorities that are trusted instead of the system's.
        tls_ca: String;
    }

    /// `[sources.NAME]`
    pub struct RawSource {
        /// Required: `postgres://USER@HOST/DATABASE`, `mysql://USER@HOST/DATABASE` or `sqlite:/PATH`.
        url: String;
        /// Name of a systemd credential; see [Passwords](#passwords).
        password_credential: String;
        /// Absolute path of a file that holds the password alone.
        password_file: String;
        /// Longest time that a statement waits for a lock, before its batch is tried again later.
        lock_timeout: WaitSpan = "2s";
        /// Longest time of one statement.
        statement_timeout: WaitSpan = "30s";
        /// Longest time of connecting.
        connect_timeout: WaitSpan = "5s";
        /// The most connections at once, up to 100.
        max_connections: Count<100> = 4;
        /// Zone of times that carry none (`timestamp` without time zone, `datetime`, `date`, texts).
        timezone: Zone = "UTC";
        /// PostgreSQL: the schemas in which names without one are looked up; see [Names](#names).
        search_path: Vec<String>, default "the login's own";
        /// Speed at which runs [take rows](#pace) of this source.
        pace: RawPace = [];
    }

    /// `pace`
    pub struct RawPace {
        /// Time that a transaction should take: batches become smaller, or larger up to `batch`, until it does.
        target: ShortSpan, default "`100ms`";
        /// Time that a run rests after each batch.
        pause: ShortSpan, default "not at all";
        /// The most rows in a second, those of other tables that go along included.
        rows_per_second: Count;
        /// `false`: a run goes on as fast as it can also while other sessions of the database are at work.
        r#yield: bool, default "`true`";
        /// PostgreSQL: how far a replica may be behind; until it is not, and while that is not known, a run waits.
        max_replica_lag: WaitSpan;
        /// Load of this machine, over a minute, above which a run waits.
        max_load: Load;
    }

    /// `[stores.NAME]`
    pub struct RawStore {
        /// Required: the root, absolute, without `.` and `..`, not `/`.
        path: String;
        /// Prefix that the database writes before the paths of this store. Absolute paths below `path` are understood
        /// in any case.
        strip_prefix: String;
        /// Rows that name files of this store. A file that one of them still names is never removed.
        references: Vec<RawReference> = [];
        /// Time for which removed files can be [put back](#trash). Without it, files are gone at once.
        trash: KeepSpan;
        /// Times of a file that its age goes by. `latest`: for orphans the latest of writing, change (mode, owner,
        /// name, links) and birth; for policies of `files` the later of writing and birth. `mtime`: that of writing
        /// alone, which a copy or a restore may have set.
        age_by: AgeBy = "latest";
    }

    /// An entry of `references`.
    pub struct RawReference {
        /// Required: a source.
        source: String;
        /// Required: its table.
        table: String;
        /// The column that holds paths. Either this or `path`.
        column: String;
        /// A path beneath the root with columns in braces: `{id}/preview`; as in [`files`](#files).
        path: String;
        /// `true`: the path is a directory, and everything in it is named.
        directory: bool = false;
        /// `path`: the column holds a path of this store. `name`: it holds a path of any shape, of which only the last
        /// segment counts: every file of that name is named, in whatever directory of the store.
        r#match: ReferenceMatch = "path";
        /// Beginnings of what never means a file of this store, such as `"https://"`. Plain text, no pattern.
        ignore_prefix: Patterns;
        /// `true`: rows whose file is not there are usual in this table, and block nothing.
        may_be_missing: bool = false;
        /// `true`: the table may have no rows, or none that names a file.
        may_be_empty: bool = false;
    }

    /// `[tasks.NAME]`
    pub struct RawTask {
        /// Five fields of cron: minute, hour, day of month, month, day of week; or `@hourly`, `@daily`, `@weekly`,
        /// `@monthly`, `@yearly`, each at its beginning. Either this or `every`.
        schedule: String;
        /// Every so often, counted from the last slot. Where `schedule` and `every` come from different layers (a file,
        /// a fragment, the environment, `--set`), the later one counts.
        every: WaitSpan;
        /// A start this late still counts as on time.
        misfire_grace: WaitSpan = "5m";
        /// A slot missed while the daemon was down is run once after start.
        catch_up: bool = true;
        /// A slot whose run failed, or was cancelled by anything but a person, is tried again after this time, until the
        /// next slot comes. Without it the next slot is the next try.
        retry: WaitSpan;
        /// A run that takes longer is stopped between two batches; what it did stays done.
        timeout: WaitSpan;
        /// Hours of the day, in the daemon's `timezone`, in which the schedule may run the task: `"01:00-05:00"`, or past
        /// midnight `"22:00-04:00"`. A slot outside of them waits until they begin; a run that lasts to their end stops
        /// between two batches. Runs on request are not bound by them.
        window: String;
        /// `false`: the task is never due.
        enabled: bool = true;
        /// A [dead man's switch](notifications.md#a-dead-mans-switch): the url of a monitor that hears of each run, and
        /// misses one that does not come.
        ping: OrTable<String, RawPing>;
        /// A command that is run before the first policy. If it fails, the run is blocked and deletes nothing.
        before: RawHook;
        /// A command that is run after the last policy.
        after: RawHook;
    }

    /// `ping` as a table.
    pub struct RawPing {
        /// `https://HOST/PATH`, as healthchecks.io has it. It is kept as secret as a password.
        url: String;
        /// Name of a systemd credential that has the url.
        url_credential: String;
        /// Absolute path of a file that has the url alone.
        url_file: String;
        /// Url that hears of the begin of a run. `""`: none does.
        start: String, default "`/start` behind `url`";
        /// Url that hears of a run that completed. `""`: none does.
        success: String, default "`url`";
        /// Url that hears of a run that did not, be it with errors of single rows. `""`: none does.
        failure: String, default "`/fail` behind `url`";
    }

    /// `before` and `after`.
    pub struct RawHook {
        /// Required: the absolute path of a program, then its arguments.
        command: Vec<String>;
        /// A command that takes longer is stopped, and has failed.
        timeout: WaitSpan = "1m";
    }
}
