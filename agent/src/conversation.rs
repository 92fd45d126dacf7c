//! One conversation: what each order does, and what follows when work is done. One loop, one select, one match.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt;
use hfdown_protocol::{
    Access, Check, CodecError, End, Failure, FailureKind, FileRow, Folding, Layout, Limits, Order, Report,
    Summary, Traces, VERSION, Wanted, WantedFiles, batches, inbox, limits,
};
use tokio::io::AsyncRead;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::bases::Bases;
use crate::environment::Environment;
use crate::folder::{FileSet, Folder, Opening, Records};
use crate::machine;
use crate::source::{Cooldowns, Network, PendingSources, Streams, WaitingConnections, WantsToken};
use crate::survey::Survey;
use crate::transfer::Basis;
use crate::work_order::WorkOrder;

/// How often it is checked whether the controller still speaks. Ticks are counted, not time: a process that was stopped
/// for a while (Ctrl-Z, a laptop's lid) has not heard nothing, it has not listened.
pub(crate) const CHECK: Duration = Duration::from_secs(limits::PING_SECONDS);
/// Checks in a row without an order before the controller is given up.
const SILENT_CHECKS: u64 = limits::SILENCE_SECONDS / limits::PING_SECONDS;
/// How long work may take to stop: what is being flushed to a slow disk is let finish, what waits for a link that
/// is not read from is not.
const STOPPING: Duration = Duration::from_secs(30);

/// How a conversation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseReason {
    /// The controller said so.
    Bye,
    /// Something made it impossible to go on, and the controller was told.
    Fatal,
    /// The stream ended, or broke.
    LinkLost,
    /// The controller was silent for [`limits::SILENCE_SECONDS`].
    Silence,
}

/// Whether a conversation goes on, or why it ends.
pub(crate) type Step = Result<(), CloseReason>;

/// One controller's conversation, and the work that it has ordered.
pub(crate) struct Conversation {
    network: Arc<Network>,
    environment: Environment,
    reports: mpsc::Sender<Report>,
    stop: CancellationToken,
    /// Whatever ends the conversation ends the work, also what runs on threads that can't be interrupted.
    _stop_at_last: DropGuard,
    work: JoinSet<Done>,
    limits: Limits,
    folder: Option<Folder>,
    /// A survey that was ordered while the folder was still being opened.
    awaits_folder: Option<Check>,
    wanted: WantedFiles,
    ordered: WorkOrder,
}

/// What background work ends with.
enum Done {
    Opened(Result<Folder, Failure>),
    Surveyed(Result<Folding, Failure>),
    CarriedOut(Result<Summary, Failure>),
}

/// What moves a conversation on.
enum ServeEvent {
    Order(Order),
    Done(Done),
    LinkLost,
    Silence,
    Nonsense(CodecError),
}

impl Conversation {
    pub(crate) fn new(environment: Environment, reports: mpsc::Sender<Report>) -> Self {
        let stop = CancellationToken::new();
        Self {
            network: network(&environment, &reports),
            environment,
            reports,
            _stop_at_last: stop.clone().drop_guard(),
            stop,
            work: JoinSet::new(),
            limits: Limits::default(),
            folder: None,
            awaits_folder: None,
            wanted: WantedFiles::default(),
            ordered: WorkOrder::default(),
        }
    }

    /// Listens to orders and to the work until either ends the conversation.
    pub(crate) async fn listen<R: AsyncRead + Unpin>(mut self, reader: R) -> CloseReason {
        let mut orders = inbox::<_, Order>(reader, &[]);
        let mut check = tokio::time::interval(CHECK);
        check.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut silent_checks = 0;
        loop {
            // Every arm is cancel-safe: frames stay buffered, finished tasks stay joined.
            let event = tokio::select! {
                order = orders.next() => match order {
                    Some(Ok(order)) => ServeEvent::Order(order),
                    None => ServeEvent::LinkLost,
                    Some(Err(CodecError::Link(error))) if error.kind() != io::ErrorKind::InvalidData => {
                        ServeEvent::LinkLost
                    }
                    Some(Err(error)) => ServeEvent::Nonsense(error),
                },
                Some(done) = self.work.join_next() => match done {
                    Ok(done) => ServeEvent::Done(done),
                    Err(error) => ServeEvent::Done(Done::CarriedOut(Err(defect(&error)))),
                },
                _ = check.tick() => {
                    silent_checks += 1;
                    if silent_checks < SILENT_CHECKS {
                        continue;
                    }
                    ServeEvent::Silence
                }
            };
            if matches!(event, ServeEvent::Order(_)) {
                silent_checks = 0;
            }
            let step = match event {
                ServeEvent::Order(order) => self.obey(order).await,
                ServeEvent::Done(done) => self.proceed(done).await,
                ServeEvent::LinkLost => Err(CloseReason::LinkLost),
                ServeEvent::Silence => Err(CloseReason::Silence),
                ServeEvent::Nonsense(error) => self.fatal(Failure::new(FailureKind::Protocol, error)).await,
            };
            if let Err(reason) = step {
                self.stop.cancel();
                // Nothing is left half-done behind our back: what runs sees the stop and ends.
                let ended = async { while self.work.join_next().await.is_some() {} };
                // What does not end in time waits for a controller that does not listen, and is let go.
                let _ = tokio::time::timeout(STOPPING, ended).await;
                return reason;
            }
        }
    }

    async fn obey(&mut self, order: Order) -> Step {
        match order {
            Order::Hello { .. } => {
                self.say(Report::Hello { version: VERSION.to_owned(), machine: machine::describe() }).await
            }
            Order::Trust { authorities } => self.trust(authorities).await,
            Order::Open { root, access, layout, traces, limits } => {
                self.open(root, access, layout, traces, limits).await
            }
            Order::Recall => self.recall().await,
            Order::List { files } => self.list(files).await,
            Order::Survey { check } => self.survey(check).await,
            Order::Fetch { jobs } => match self.ordered.fetch(&self.wanted, jobs) {
                Ok(()) => Ok(()),
                Err(failure) => self.fatal(failure).await,
            },
            Order::Basis { file, place, stamp, hash } => {
                match self.ordered.add_basis(file, Basis::new(place, stamp, hash)) {
                    Ok(()) => Ok(()),
                    Err(failure) => self.fatal(failure).await,
                }
            }
            Order::ChunkRuns { file, whose, runs } => match self.ordered.add_runs(file, whose, runs) {
                Ok(()) => Ok(()),
                Err(failure) => self.fatal(failure).await,
            },
            Order::Remove { extraneous } => {
                self.ordered.remove(extraneous);
                Ok(())
            }
            Order::Tree { bytes } => self.receive_tree(bytes).await,
            Order::KeepParts { digests } => {
                self.ordered.keep_parts(digests);
                Ok(())
            }
            Order::Begin => self.begin().await,
            // The host of a detached transfer answers this; an agent that ends with its link can't.
            Order::Detach { .. } => self.out_of_order("Detach").await,
            answer @ (Order::Source { .. }
            | Order::SourceUnavailable { .. }
            | Order::Inline { .. }
            | Order::Relayed { .. }
            | Order::XorbRanges { .. }
            | Order::Terms { .. }) => {
                let given = self.network.pending.answer(answer);
                self.expect_asked(given.is_ok()).await
            }
            Order::Stream { stream, event } => {
                let given = self.network.streams.hand_over(stream, event);
                self.expect_asked(given.is_ok()).await
            }
            Order::Ping => {
                // A queue that is full says as clearly that there is life here, and orders must go on being heard.
                let _ = self.reports.try_send(Report::Pong);
                Ok(())
            }
            Order::Cancel => self.cancel().await,
            Order::Bye => Err(CloseReason::Bye),
        }
    }

    async fn proceed(&mut self, done: Done) -> Step {
        match done {
            Done::Opened(Ok(folder)) => {
                let (root, free) = (folder.root.held().display().to_string(), folder.free);
                let lacks_tree = folder.root.lacks_tree();
                self.folder = Some(folder);
                self.say(Report::Opened { root, free, lacks_tree }).await?;
                self.warn().await?;
                match self.awaits_folder.take() {
                    Some(check) => self.survey(check).await,
                    None => Ok(()),
                }
            }
            Done::Surveyed(Ok(folding)) => {
                self.warn().await?;
                self.say(Report::Surveyed { folding }).await
            }
            Done::CarriedOut(Ok(summary)) => {
                self.warn().await?;
                self.say(Report::Finished { summary }).await
            }
            Done::Opened(Err(failure)) | Done::Surveyed(Err(failure)) | Done::CarriedOut(Err(failure)) => {
                self.warn().await?;
                if failure.kind == FailureKind::Cancelled {
                    self.say(cancelled()).await
                } else {
                    self.fatal(failure).await
                }
            }
        }
    }

    /// Says what the disk has turned out not to have, each once.
    async fn warn(&self) -> Step {
        let warnings = self.folder.as_ref().map(|folder| folder.root.take_warnings()).unwrap_or_default();
        for warning in warnings {
            self.say(Report::Warning { warning }).await?;
        }
        Ok(())
    }

    async fn trust(&mut self, authorities: Vec<Vec<u8>>) -> Step {
        if self.folder.is_some() || !self.work.is_empty() {
            return self.out_of_order("Trust").await;
        }
        match self.environment.trusting(authorities) {
            Ok(environment) => {
                self.environment = environment;
                self.network = network(&self.environment, &self.reports);
                Ok(())
            }
            Err(error) => self.fatal(Failure::new(FailureKind::Protocol, error)).await,
        }
    }

    async fn open(
        &mut self,
        root: Option<String>,
        access: Access,
        layout: Layout,
        traces: Traces,
        limits: Limits,
    ) -> Step {
        if self.folder.is_some() || !self.work.is_empty() {
            return self.out_of_order("Open").await;
        }
        self.environment = self.environment.clone().limited_by(&limits);
        self.network = network(&self.environment, &self.reports);
        self.limits = limits;
        let (reports, stop) = (self.reports.clone(), self.stop.clone());
        let opening = Opening {
            access,
            layout,
            traces,
            identity: self.environment.identity,
            wait: self.limits.lock_seconds.map(|seconds| Duration::from_secs(seconds.into())),
        };
        self.work.spawn(async move { Done::Opened(Folder::open(root, opening, &reports, &stop).await) });
        Ok(())
    }

    async fn recall(&mut self) -> Step {
        let Some(folder) = self.folder.clone().filter(|_| self.work.is_empty()) else {
            return self.out_of_order("Recall").await;
        };
        let reading = tokio::task::spawn_blocking(move || folder.root.own().map(Records::recall).ok());
        let sync = match reading.await.ok().flatten() {
            Some((files, sync)) => {
                for files in batches(files) {
                    self.say(Report::Recorded { files }).await?;
                }
                sync
            }
            None => None,
        };
        self.say(Report::Recalled { sync }).await
    }

    async fn list(&mut self, files: Vec<Wanted>) -> Step {
        for Wanted { id, path, size, digest } in files {
            let (file, known) = (FileRow { path: path.view(), size, digest }, &self.environment.listing);
            if id.0 as usize != self.wanted.len() || self.wanted.push_known(known, file).is_err() {
                return self.out_of_order("List").await;
            }
        }
        Ok(())
    }

    async fn survey(&mut self, check: Check) -> Step {
        let Some(opened) = self.folder.clone() else {
            // It is next in line while the folder is still being opened, which may take a disk as long as it likes.
            let is_opening = !self.work.is_empty() && self.awaits_folder.is_none();
            if !is_opening {
                return self.out_of_order("Survey").await;
            }
            self.awaits_folder = Some(check);
            return Ok(());
        };
        let (wanted, reports, stop) = (self.wanted.clone(), self.reports.clone(), self.stop.clone());
        self.work.spawn(async move {
            let surveying = tokio::task::spawn_blocking(move || {
                opened.load_records(&wanted);
                *opened.intact() = FileSet::default();
                let Folder { root, records, intact, .. } = &opened;
                let (places, parts) = (Mutex::default(), root.layout().parts(&wanted));
                let (wanted, reports, stop, bases) = (&wanted, &reports, &stop, Bases::default());
                Survey { root, records, wanted, check, reports, stop, intact, places, parts, bases }.run()
            });
            Done::Surveyed(surveying.await.unwrap_or_else(|error| Err(defect(&error))))
        });
        Ok(())
    }

    /// Takes more of what the commit contains. It goes to the disk at once: it may be as long as the listing.
    async fn receive_tree(&mut self, bytes: Vec<u8>) -> Step {
        let Some(folder) = self.folder.clone().filter(|folder| folder.root.is_ours() && self.work.is_empty())
        else {
            return self.out_of_order("Tree").await;
        };
        let writing = tokio::task::spawn_blocking(move || folder.root.receive_tree(&bytes));
        match writing.await.unwrap_or_else(|error| Err(defect(&error))) {
            Ok(()) => Ok(()),
            Err(failure) => self.fatal(failure).await,
        }
    }

    async fn begin(&mut self) -> Step {
        let Some(folder) = self.folder.clone().filter(|folder| folder.root.is_ours() && self.work.is_empty())
        else {
            return self.out_of_order("Begin").await;
        };
        let ordered = std::mem::take(&mut self.ordered);
        #[cfg(unix)]
        if let Some(private) = &self.environment.private {
            use crate::detached::NextRun;
            let later = match folder.root.traces() {
                Traces::Remove => NextRun::Traceless,
                Traces::Keep if ordered.is_idle() => NextRun::Idles,
                Traces::Keep => NextRun::Fetches,
            };
            crate::detached::supersede(private, &folder.root.held().to_string_lossy(), later);
        }
        let (wanted, network) = (self.wanted.clone(), Arc::clone(&self.network));
        let (timing, stop, limits) = (self.environment.timing, self.stop.clone(), self.limits.clone());
        self.work.spawn(async move {
            Done::CarriedOut(ordered.carry_out(folder, wanted, network, timing, stop, &limits).await)
        });
        Ok(())
    }

    async fn cancel(&mut self) -> Step {
        self.stop.cancel();
        // Work that runs answers for itself when it has stopped.
        if self.work.is_empty() { self.say(cancelled()).await } else { Ok(()) }
    }

    async fn expect_asked(&self, was_asked: bool) -> Step {
        if was_asked || self.stop.is_cancelled() {
            Ok(())
        } else {
            self.out_of_order("an answer without a question").await
        }
    }

    async fn out_of_order(&self, what: &str) -> Step {
        let failure = Failure::new(FailureKind::Protocol, format_args!("{what} is out of order"));
        self.fatal(failure).await
    }

    async fn fatal(&self, failure: Failure) -> Step {
        self.say(Report::Fatal { failure }).await?;
        Err(CloseReason::Fatal)
    }

    async fn say(&self, report: Report) -> Step {
        let patience = Duration::from_secs(limits::SILENCE_SECONDS);
        match tokio::time::timeout(patience, self.reports.send(report)).await {
            Ok(said) => said.map_err(|_| CloseReason::LinkLost),
            Err(_) => Err(CloseReason::Silence),
        }
    }
}

/// The way to the network, before anything is asked for.
fn network(environment: &Environment, reports: &mpsc::Sender<Report>) -> Arc<Network> {
    Arc::new(Network {
        transport: environment.transport.clone(),
        names: environment.names.clone(),
        proxies: environment.proxies.clone(),
        stall: environment.timing.stall,
        floor: environment.timing.floor,
        waiting: WaitingConnections::default(),
        cooldowns: Cooldowns::default(),
        pending: PendingSources::default(),
        wants_token: WantsToken::default(),
        streams: Arc::new(Streams::default()),
        reports: reports.clone(),
    })
}

fn cancelled() -> Report {
    Report::Finished { summary: Summary { end: End::Cancelled, ..Summary::default() } }
}

fn defect(error: &tokio::task::JoinError) -> Failure {
    Failure::new(FailureKind::Protocol, format_args!("the agent has a defect: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_stops_when_the_conversation_is_dropped() {
        let (reports, _outgoing) = mpsc::channel(1);
        let conversation =
            Conversation::new(Environment::new(None, crate::http::Proxies::none()).unwrap(), reports);
        let stop = conversation.stop.clone();
        drop(conversation);
        assert!(stop.is_cancelled());
    }
}
