//! The page of numbers: the state of the daemon and the sums of the ledger beside what runs left behind.

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::labels::{OfPolicy, OfSource, OfTask};
use super::text::as_text_format;
use super::{Metrics, gauge};
use crate::ledger::Backlog;
use crate::notify::DeliveryCounts;
use crate::outcome::{PolicyTotal, StoreLook, Subject};
use crate::policy::{Addressee, Mode, Name, Settings};
use crate::server::LiveStatus;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfStore {
    store: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfCode {
    code: String,
    level: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfDestination {
    destination: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfDelivery {
    destination: String,
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfVersion {
    version: &'static str,
}

/// Everything that is shown beside the numbers of runs.
pub struct Page<'a> {
    pub settings: &'a Settings,
    pub status: &'a LiveStatus,
    /// Sums of policies since the ledger began.
    pub totals: &'a [PolicyTotal],
    /// By policy: what each last saw of its store.
    pub looks: &'a [(Name, StoreLook)],
    /// Deliveries since the start of the daemon, and what waits.
    pub deliveries: &'a [(String, DeliveryCounts)],
    pub backlogs: &'a [Backlog],
}

/// The page, in the text format of Prometheus. None where it cannot be written, which does not happen to a text.
pub fn render(metrics: &Metrics, page: &Page<'_>) -> Option<String> {
    metrics.begin_at_zero(page.settings);
    let mut registry = Registry::with_prefix("retaind");
    let build = Family::<OfVersion, Gauge>::default();
    build.get_or_create(&OfVersion { version: env!("CARGO_PKG_VERSION") }).set(1);
    registry.register("build_info", "Version of the daemon", build);
    page.register_configuration(&mut registry);
    page.register_tasks(&mut registry);
    page.register_policies(&mut registry);
    page.register_totals(&mut registry);
    page.register_stores(&mut registry);
    page.register_attention(&mut registry);
    page.register_notifications(&mut registry);
    let mut written = String::new();
    text::encode_registry(&mut written, &registry).ok()?;
    text::encode_registry(&mut written, &metrics.0.registry).ok()?;
    Some(as_text_format(&written))
}

impl Page<'_> {
    fn register_configuration(&self, registry: &mut Registry) {
        let flag = |registry: &mut Registry, name: &str, about: &str, is_so: bool| {
            let gauge: Gauge = Gauge::default();
            gauge.set(i64::from(is_so));
            registry.register(name, about, gauge);
        };
        let configuration = &self.status.configuration;
        let reloaded = configuration.reload_errors.is_none();
        flag(registry, "config_last_reload_successful", "0 if the last reload was refused", reloaded);
        let about = "1 if what is written on disk is not in force";
        flag(registry, "config_differs_from_disk", about, configuration.differs_from_disk);
        flag(registry, "report_mode", "1 if the daemon deletes nothing", configuration.mode == Mode::Report);
        let sources = Family::<OfSource, Gauge>::default();
        for source in &self.status.sources {
            sources.get_or_create(&OfSource::of(&source.source)).set(i64::from(source.is_up));
        }
        registry.register("source_up", "0 while a source cannot be reached, or refuses the login", sources);
    }

    fn register_tasks(&self, registry: &mut Registry) {
        let [next, overdue, paused, running] = [(); 4].map(|()| Family::<OfTask, Gauge>::default());
        for task in self.status.overview.tasks.iter().filter(|task| task.enabled) {
            let of_task = OfTask { task: task.task.to_string() };
            if let Some(due_at) = task.next_due_at {
                next.get_or_create(&of_task).set(due_at.as_second());
            }
            overdue.get_or_create(&of_task).set(i64::from(task.overdue_since.is_some()));
            let is_paused = self.is_paused(&Subject::Task(task.task.clone()));
            paused.get_or_create(&of_task).set(i64::from(is_paused));
            let is_running = self.status.progress.iter().any(|run| run.task.as_ref() == Some(&task.task));
            running.get_or_create(&of_task).set(i64::from(is_running));
        }
        let about = "When the next slot of the task is, in seconds since 1970";
        registry.register("task_next_run_timestamp_seconds", about, next);
        registry.register("task_overdue", "1 if a slot has passed, with its grace, and nothing ran", overdue);
        registry.register("task_paused", "1 if the schedule of the task rests", paused);
        registry.register("task_running", "1 while a run of the task is under way", running);
    }

    fn is_paused(&self, subject: &Subject) -> bool {
        self.status.overview.paused.iter().any(|paused| paused.subject == *subject)
    }

    fn register_policies(&self, registry: &mut Registry) {
        let [held, paused, pending] = [(); 3].map(|()| Family::<OfPolicy, Gauge>::default());
        for policy in self.settings.policies.iter().filter(|policy| policy.enabled) {
            let of_policy = OfPolicy::of(&policy.name);
            let is_held = self.status.overview.held.iter().any(|held| held.policy == policy.name);
            held.get_or_create(&of_policy).set(i64::from(is_held));
            let is_paused = self.is_paused(&Subject::Policy(policy.name.clone()));
            paused.get_or_create(&of_policy).set(i64::from(is_paused));
            let files = self.status.overview.pending.iter().filter(|pending| pending.policy == policy.name);
            pending.get_or_create(&of_policy).set(gauge(files.map(|pending| pending.files).sum()));
        }
        registry.register("policy_held", "1 while the policy waits for an approval", held);
        registry.register("policy_paused", "1 while the policy is paused", paused);
        registry.register("pending_files", "Files of deleted rows that are still to be removed", pending);
    }

    fn register_totals(&self, registry: &mut Registry) {
        let mut sums = |name: &str, about: &str, read: fn(&PolicyTotal) -> u64| {
            let family = Family::<OfPolicy, Counter>::default();
            for total in self.totals {
                family.get_or_create(&OfPolicy::of(&total.policy)).inc_by(read(total));
            }
            registry.register(name, about, family);
        };
        sums("rows_deleted", "Rows that were deleted since the ledger began", |total| total.rows_deleted);
        sums("rows_updated", "Rows that were updated since the ledger began", |total| total.rows_updated);
        let about = "Files that were removed since the ledger began, into a trash or for good";
        sums("files_deleted", about, |total| total.files_deleted);
        let about = "Bytes that came free since the ledger began, without those of a trash";
        sums("reclaimed_bytes", about, |total| total.bytes_reclaimed);
    }

    fn register_notifications(&self, registry: &mut Registry) {
        let sums = Family::<OfDelivery, Counter>::default();
        let pending = Family::<OfDestination, Gauge>::default();
        for destination in self.settings.addressees().iter().map(Addressee::key) {
            let counts = self.deliveries.iter().find(|(of, _)| *of == destination).map(|(_, counts)| *counts);
            let DeliveryCounts { delivered, failed, dropped } = counts.unwrap_or_default();
            for (result, count) in [("delivered", delivered), ("failed", failed), ("dropped", dropped)] {
                sums.get_or_create(&OfDelivery { destination: destination.clone(), result }).inc_by(count);
            }
            let waiting = self.backlogs.iter().find(|backlog| backlog.destination == destination);
            let messages = waiting.map_or(0, |backlog| backlog.messages);
            pending.get_or_create(&OfDestination { destination }).set(gauge(messages));
        }
        let about = "Notifications by what became of them: delivered, tries that failed, given up";
        registry.register("notifications", about, sums);
        registry.register("notifications_pending", "Notifications that wait to be delivered", pending);
    }

    fn register_stores(&self, registry: &mut Registry) {
        let [files, bytes, room, seen, orphans, of_orphans] = [(); 6].map(|()| Family::<OfStore, Gauge>::default());
        for (policy, look) in self.looks {
            let store = self.settings.policy(policy).and_then(|policy| policy.kind.store());
            let Some(store) = store else { continue };
            let of_store = OfStore { store: store.to_string() };
            if let Some(survey) = &look.survey
                && seen.get(&of_store).is_none_or(|seen| seen.get() < survey.at.as_second())
            {
                files.get_or_create(&of_store).set(gauge(survey.files));
                seen.get_or_create(&of_store).set(survey.at.as_second());
                if let Some(occupied) = survey.bytes {
                    bytes.get_or_create(&of_store).set(gauge(occupied));
                }
                if let Some(available) = survey.available_bytes {
                    room.get_or_create(&of_store).set(gauge(available));
                }
            }
            if let Some(found) = &look.orphans {
                orphans.get_or_create(&of_store).set(gauge(found.files - found.files_deleted.min(found.files)));
                of_orphans.get_or_create(&of_store).set(found.at.as_second());
            }
        }
        registry.register("store_files", "Files of the store when a policy last went through it", files);
        registry.register("store_bytes", "Bytes that these files occupied", bytes);
        let about = "Bytes of its file system that could still be filled then";
        registry.register("store_available_bytes", about, room);
        let about = "When a policy last went through the store, in seconds since 1970";
        registry.register("store_seen_timestamp_seconds", about, seen);
        registry.register("store_orphans", "Orphans that the last scan found and left", orphans);
        let about = "When the last scan for orphans was, in seconds since 1970";
        registry.register("store_orphan_scan_timestamp_seconds", about, of_orphans);
    }

    fn register_attention(&self, registry: &mut Registry) {
        let matters = Family::<OfCode, Gauge>::default();
        for matter in &self.status.overview.attention {
            let code = matter.code.word().unwrap_or_default();
            matters.get_or_create(&OfCode { code, level: matter.level.word() }).inc();
        }
        registry.register("attention_items", "Matters that a person should look at, by code", matters);
    }
}
