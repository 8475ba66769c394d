//! The daemon while it runs: one loop that hears signals, reports and the watchdog's tick, and ends in order.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::clock_watch::{self, look_at_clock};
use super::control::{Order, Snapshot};
use super::holds::{self, announce};
use super::live::scheduled_tasks;
use super::notices;
use super::reaper;
use super::reload::{Refusal, check_reloadable, load};
use super::report::Report;
use super::signals::{Signal, Signals};
use super::source_health::Change;
use super::start::{StartError, remembered_tasks, start};
use super::start_failure;
use super::state::{Daemon, Options};
use super::status_line::{Picture, degraded, render};
use super::systemd::{ServiceManager, watchdog_period};
use crate::commands::held::held_now;
use crate::policy::{Mode, Settings, changes, more_careful};
use crate::run::Runner;
use crate::schedule::{Pulse, TaskStatus};
use crate::server::SourceState;
use crate::telemetry::{self, Event};
use crate::text::chain;

/// Interval at which the service manager is asked for more time during a long recovery, and that time.
const EXTEND_PERIOD: Duration = Duration::from_secs(10);
const EXTEND_BY: Duration = Duration::from_secs(30);
/// Time that systemd leaves to the process beyond `shutdown_grace`.
const STOP_MARGIN: Duration = Duration::from_secs(5);
/// Patience of the loop with the schedule.
const PULSE_PATIENCE: Duration = Duration::from_secs(2);
/// Time that a shutdown gives the last states of runs to be written for others.
const FLUSH_PATIENCE: Duration = Duration::from_secs(1);
/// Interval at which the status line follows a run.
const PROGRESS_PERIOD: Duration = Duration::from_secs(5);

/// End of a daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DaemonEnd {
    /// Everything that ran ended within `shutdown_grace`.
    InOrder,
    /// A second signal came, or the grace was over: what was under way is settled at the next start.
    Forced,
}

/// Runs the daemon from start to end.
pub async fn daemon(options: Options) -> Result<DaemonEnd, StartError> {
    // In a box: a future in a future in a future is more than the compiler lays out.
    Box::pin(start_and_serve(options)).await
}

async fn start_and_serve(options: Options) -> Result<DaemonEnd, StartError> {
    let mut signals = Signals::listen().map_err(StartError::Signals)?;
    reaper::start().map_err(StartError::Signals)?;
    let cancel = CancellationToken::new();
    let (mut daemon, reload_asked) = match until_ready(start(&options, &cancel), &mut signals, &cancel).await {
        Ok(ready) => ready,
        Err(StartError::Interrupted) => return Ok(DaemonEnd::InOrder),
        Err(error) => {
            cancel.cancel();
            Event::StartFailed { error: &error }.emit();
            start_failure::report(&options, &error).await;
            return Err(error);
        }
    };
    daemon.announce_ready().await;
    if reload_asked {
        daemon.begin_reload();
    }
    daemon.serve(&mut signals).await;
    Ok(daemon.shut_down(&mut signals).await)
}

/// Awaits the start, and hears signals meanwhile. Also whether a reload was asked for.
async fn until_ready(
    starting: impl Future<Output = Result<Daemon, StartError>>,
    signals: &mut Signals,
    cancel: &CancellationToken,
) -> Result<(Daemon, bool), StartError> {
    tokio::pin!(starting);
    let manager = ServiceManager::default();
    let mut extend = tokio::time::interval_at(tokio::time::Instant::now() + EXTEND_PERIOD, EXTEND_PERIOD);
    let mut reload_asked = false;
    loop {
        tokio::select! {
            daemon = &mut starting => return Ok((daemon?, reload_asked)),
            signal = signals.next() => match signal {
                Signal::Reload => reload_asked = true,
                Signal::Shutdown if cancel.is_cancelled() => return Err(StartError::Interrupted),
                Signal::Shutdown => cancel.cancel(),
            },
            _ = extend.tick() => manager.extend(EXTEND_BY),
        }
    }
}

impl Daemon {
    async fn announce_ready(&mut self) {
        let settings = self.live.settings();
        let pulse = self.pulse().await;
        let picture = self.picture(&settings, &pulse.tasks);
        let (line, degraded) = (render(&picture), degraded(&picture));
        self.publish();
        self.manager.ready(line);
        Event::Ready {
            duration: self.began.elapsed(),
            tasks: scheduled_tasks(&settings).count(),
            policies: settings.policies.iter().filter(|policy| policy.enabled).count(),
            degraded: degraded.as_slice(),
        }
        .emit();
    }

    /// The loop that does the work, until a signal ends it.
    async fn serve(&mut self, signals: &mut Signals) {
        let mut watchdog = watchdog_period().map(tokio::time::interval);
        if let Some(watchdog) = &mut watchdog {
            watchdog.set_missed_tick_behavior(MissedTickBehavior::Delay);
        }
        let mut follow = tokio::time::interval(PROGRESS_PERIOD);
        follow.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut clock = clock_watch::ticks();
        loop {
            tokio::select! {
                signal = signals.next() => match signal {
                    Signal::Shutdown => return,
                    Signal::Reload => self.begin_reload(),
                },
                Some(report) = self.heard.recv() => self.note(report).await,
                Some(order) = self.orders.recv() => self.obey(order).await,
                loaded = join(&mut self.reload.loading), if self.reload.loading.is_some() => {
                    self.end_reload(loaded).await;
                }
                () = tick(&mut watchdog), if watchdog.is_some() => self.prove_alive().await,
                _ = clock.tick() => {
                    let runner = self.live.runner();
                    tokio::spawn(async move { look_at_clock(&runner).await });
                }
                _ = follow.tick(), if !self.runs.active().is_empty() => self.show_status().await,
            }
        }
    }

    async fn note(&mut self, report: Report) {
        match report {
            Report::Begun => {}
            Report::Ended { last, suspects } => {
                self.watch.suspect(&suspects);
                self.last = last.or(self.last.take());
                self.look_at_holds().await;
            }
            Report::Tried { source, generation, outcome } => {
                if self.watch.note(&source, generation, outcome) == Change::CameUp {
                    self.recovery.wake();
                }
            }
            Report::Recovered { kept } => self.batches_kept = kept,
        }
        self.notices.look(self.watch.standing());
        self.show_status().await;
    }

    async fn obey(&mut self, order: Order) {
        match order {
            // Whoever asked may have gone.
            Order::Answer(answer) => {
                let _ = answer.send(());
            }
            Order::Reload(answer) => {
                match self.reload.loading.is_some() {
                    // What was written since the one under way began is for the next one.
                    true => self.reload.next.push(answer),
                    false => self.reload.waiting.push(answer),
                }
                self.begin_reload();
            }
            Order::LookAtHolds => {
                self.look_at_holds().await;
                self.show_status().await;
            }
        }
    }

    /// Tells the watchdog that all is well, if the loop that starts the runs says so too. What is not told makes the
    /// service manager kill and restart the daemon, and the ledger carries on.
    async fn prove_alive(&mut self) {
        match self.schedule.pulse(PULSE_PATIENCE).await {
            Some(pulse) if pulse.ticking => self.manager.alive(),
            Some(_) => tracing::error!("A slot has come and the scheduler did not notice: the watchdog is not told"),
            None => tracing::error!("The schedule does not answer: the watchdog is not told"),
        }
        // An approval comes by way of the ledger and wakes nobody.
        if !self.held.is_empty() && self.look_at_holds().await {
            self.show_status().await;
        }
    }

    /// Reads anew what is held; whether that has changed.
    async fn look_at_holds(&mut self) -> bool {
        match held_now(&self.live.settings(), &self.ledger).await {
            Ok(held) => {
                holds::report_released(&self.held, &held);
                let has_changed = std::mem::replace(&mut self.held, held) != self.held;
                if has_changed {
                    self.notices.look(self.watch.standing());
                }
                has_changed
            }
            Err(error) => {
                tracing::warn!(
                    error = chain(&error),
                    "What is held could not be read from the ledger: {}",
                    chain(&error)
                );
                false
            }
        }
    }

    async fn pulse(&self) -> Pulse {
        let dead = || Pulse { tasks: Vec::new(), running: 0, ticking: false };
        self.schedule.pulse(PULSE_PATIENCE).await.unwrap_or_else(dead)
    }

    async fn show_status(&mut self) {
        let (settings, pulse) = (self.live.settings(), self.pulse().await);
        let line = render(&self.picture(&settings, &pulse.tasks));
        self.manager.status(line);
        self.publish();
    }

    /// Shows the server what the main loop knows.
    fn publish(&self) {
        let settings = self.live.settings();
        let down = self.watch.down();
        let state = |source: &Arc<crate::policy::Source>| SourceState {
            source: source.name.clone(),
            is_up: !down.contains(&&source.name),
        };
        let sources = settings.sources.iter().map(state).collect();
        self.snapshot.send_replace(Snapshot { sources, reload_errors: self.reload.errors });
    }

    fn picture<'a>(&'a self, settings: &'a Settings, tasks: &'a [TaskStatus]) -> Picture<'a> {
        Picture {
            now: self.clock.now(),
            zone: &settings.daemon.timezone,
            report_mode: settings.daemon.mode == Mode::Report,
            reload_errors: self.reload.errors,
            sources_down: self.watch.down(),
            batches_kept: self.batches_kept,
            held: &self.held,
            ledger_lost: !self.ledger.is_in_place(),
            disk_full: self.ledger.is_reserve_spent(),
            tasks,
            running: self.runs.active().shown(),
            last: self.last.as_ref(),
        }
    }

    fn begin_reload(&mut self) {
        if self.reload.loading.is_some() {
            self.reload.again = true;
            return;
        }
        self.manager.reloading();
        let loader = Arc::clone(&self.load);
        self.reload.loading = Some(tokio::spawn(async move { load(&loader, Vec::new()).await }));
    }

    async fn end_reload(&mut self, loaded: Result<Settings, Refusal>) {
        self.reload.loading = None;
        let outcome = match loaded {
            Ok(settings) => self.apply(settings).await,
            Err(refusal) => Err(refusal),
        };
        let waiting = std::mem::replace(&mut self.reload.waiting, std::mem::take(&mut self.reload.next));
        let answered = outcome.clone();
        match outcome {
            Ok(changes) => {
                self.reload.errors = None;
                Event::ReloadDone { changes: &changes }.emit();
            }
            Err(refusal) => {
                self.reload.errors = Some(refusal.errors.len());
                for error in &refusal.errors {
                    tracing::error!(error, "Configuration error: {error}");
                }
                Event::ReloadFailed { errors: refusal.errors.len(), first: refusal.first() }.emit();
            }
        }
        let (settings, pulse) = (self.live.settings(), self.pulse().await);
        let line = render(&self.picture(&settings, &pulse.tasks));
        self.manager.ready(line);
        self.publish();
        for answer in waiting {
            // Whoever asked may have gone.
            let _ = answer.send(answered.clone());
        }
        if std::mem::take(&mut self.reload.again) {
            self.begin_reload();
        }
    }

    /// Puts a configuration in force; what changed, in words. On an error the old one is still in force.
    async fn apply(&mut self, settings: Settings) -> Result<String, Refusal> {
        let old = self.live.settings();
        check_reloadable(&old, &settings)?;
        let tasks = remembered_tasks(&settings, &self.ledger, self.clock.now()).await;
        let tasks = tasks.map_err(|error| Refusal::because(chain(&error)))?;
        let new = Arc::new(settings);
        let runner = Runner::new(Arc::clone(&new), Some(self.ledger.clone()), self.clock.clone());
        let runner = runner.measured_by(self.runs.metrics().meter());
        let reviewed = runner.review(&self.ledger).await.map_err(|error| Refusal::because(chain(&error)))?;
        let before = self.live.swap(runner);
        if let Err(error) = self.schedule.replace(new.daemon.timezone.clone(), &tasks) {
            self.live.swap(before);
            return Err(Refusal::because(chain(&error)));
        }
        self.runs.active().hold(&more_careful(&old, &new), &new);
        self.watch.follow(&new);
        self.runs.jobs().follow(new.publish.as_ref());
        telemetry::configure(new.daemon.log_format, new.daemon.log_level);
        // What was pending may have waited for this.
        if self.batches_kept > 0 {
            self.recovery.wake();
        }
        announce(&reviewed);
        let changes = changes(&old, &new);
        holds::note_in_force(&self.ledger, &new, &changes, self.clock.now()).await;
        self.look_at_holds().await;
        notices::follow(&self.runs).await;
        self.notices.look(self.watch.standing());
        holds::report_widened((&old, &new), &self.held);
        Ok(changes)
    }

    /// No new runs; what runs may end, within the grace and until a second signal.
    async fn shut_down(mut self, signals: &mut Signals) -> DaemonEnd {
        let began = Instant::now();
        let grace = self.live.settings().daemon.shutdown_grace;
        let running = self.runs.active().all().len();
        Event::ShutdownBegun { running }.emit();
        let line = if running > 0 { "Stopping: waiting for what runs" } else { "Stopping" };
        self.manager.stopping(line.to_owned(), grace + STOP_MARGIN);
        self.cancel.cancel();
        self.schedule.close().await;
        let all_ended = async {
            self.schedule.ended().await;
            self.requests.ended().await;
            self.recovery.ended().await;
            if let Some(answers) = self.answers.take() {
                answers.stop().await;
            }
            let notices = self.notices.stop(self.runs.outbox(), FLUSH_PATIENCE);
            tokio::join!(self.runs.jobs().flush(FLUSH_PATIENCE), notices);
        };
        let ended = tokio::select! {
            () = all_ended => DaemonEnd::InOrder,
            () = tokio::time::sleep(grace) => DaemonEnd::Forced,
            () = second_shutdown(signals) => DaemonEnd::Forced,
        };
        Event::ShutdownDone { duration: began.elapsed(), forced: ended == DaemonEnd::Forced }.emit();
        ended
    }
}

async fn second_shutdown(signals: &mut Signals) {
    while signals.next().await != Signal::Shutdown {}
}

async fn tick(interval: &mut Option<tokio::time::Interval>) {
    match interval {
        Some(interval) => {
            interval.tick().await;
        }
        None => std::future::pending().await,
    }
}

async fn join(loading: &mut Option<JoinHandle<Result<Settings, Refusal>>>) -> Result<Settings, Refusal> {
    match loading {
        Some(loading) => loading.await.unwrap_or_else(|error| Err(Refusal::because(error.to_string()))),
        None => std::future::pending().await,
    }
}
