//! The host of a transfer, an agent with a session of its own: a conversation within the process, and the clients that
//! come and go.
//!
//! Orders go in and reports come out as they are; on their way the state notes them. Until `Detach` this is an
//! agent like any other, and ends with its link.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use hfdown_protocol::{
    CodecError, Conclusion, End, Failure, FailureKind, Inbox, Mode, Order, Report, VERSION, inbox, limits,
    outbox,
};
use tokio::io::{DuplexStream, ReadHalf, WriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::client::{Client, ClientRole, next_connection, next_order, report_room};
use super::control_files::ControlFiles;
use super::idle_timeout::{IdleTimeout, TransferActivity};
use super::newcomers::Newcomers;
use super::supersede::{NextRun, supersede};
use super::transfer_record::{TransferRecord, now};
use super::transfer_state::TransferState;
use crate::conversation::{CloseReason, Step};
use crate::environment::Environment;
use crate::serve::serve;

/// Bytes in the pipe to the conversation: a few of the largest frames.
const PIPE: usize = 2 << 20;
/// Orders on their way in. More of them wait where they come from.
const ORDERS: usize = 64;
/// How often it is checked whether the client speaks and the transfer moves. Checks are counted, not time: a box that
/// was stopped for a while has not been without a client for that long.
const CHECK: Duration = Duration::from_secs(1);

/// Hosts a transfer until its end. The first client is at the other end of this stream; others find the host in this
/// folder once the transfer was detached.
pub(crate) async fn host(first: UnixStream, folder: PathBuf, environment: Environment) -> CloseReason {
    let (near, far) = tokio::io::duplex(PIPE);
    let (reader, writer) = tokio::io::split(far);
    let serving = tokio::spawn(serve(reader, writer, environment.with_private(None)));
    let (reader, writer) = tokio::io::split(near);
    let (orders, queue) = mpsc::channel(ORDERS);
    tokio::spawn(write(writer, queue));
    let mut host = Host::new(orders, folder);
    host.client = Some(Client::new(first, ClientRole::Starter));
    host.run(inbox(reader, &[]), serving).await
}

struct Host {
    orders: mpsc::Sender<Order>,
    /// Orders that there was no room for yet.
    pending_orders: VecDeque<Order>,
    /// Reports that there was no room for yet.
    pending_reports: VecDeque<Report>,
    /// Seconds for which there has been no room for a report.
    stuck_seconds: u64,
    client: Option<Client>,
    newcomers: Newcomers,
    state: TransferState,
    folder: PathBuf,
    /// Where other clients find this, once the transfer was detached.
    control: Option<(ControlFiles, UnixListener)>,
    idle_timeout: IdleTimeout,
    /// How it ended, once that is settled.
    conclusion: Option<Conclusion>,
}

/// What moves the host on.
enum HostEvent {
    Report(Report),
    /// The conversation within has ended.
    Ended,
    /// None when the client's link is gone.
    Order(Option<Order>),
    Connected(UnixStream),
    /// A newcomer, and what it says.
    Newcomer(Client, Order),
    Check,
}

impl Host {
    fn new(orders: mpsc::Sender<Order>, folder: PathBuf) -> Self {
        Self {
            orders,
            pending_orders: VecDeque::new(),
            pending_reports: VecDeque::new(),
            stuck_seconds: 0,
            client: None,
            newcomers: Newcomers::default(),
            state: TransferState::default(),
            folder,
            control: None,
            idle_timeout: IdleTimeout::default(),
            conclusion: None,
        }
    }

    async fn run(
        mut self,
        mut reports: Inbox<ReadHalf<DuplexStream>, Report>,
        serving: JoinHandle<CloseReason>,
    ) -> CloseReason {
        let mut check = tokio::time::interval(CHECK);
        check.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut seconds: u64 = 0;
        let mut accept_failed = false;
        let reason = loop {
            let (orders, reports_out) = match &mut self.client {
                Some(Client { orders, reports, .. }) => (Some(orders), Some(&*reports)),
                None => (None, None),
            };
            // Every arm is cancel-safe: frames stay buffered, room stays free. Neither direction waits for the other.
            let event = tokio::select! {
                report = reports.next(), if self.pending_reports.is_empty() => match report {
                    Some(Ok(report)) => HostEvent::Report(report),
                    Some(Err(_)) | None => HostEvent::Ended,
                },
                room = report_room(reports_out), if !self.pending_reports.is_empty() => {
                    if let Some(report) = self.pending_reports.pop_front() {
                        room.send(report);
                        self.stuck_seconds = 0;
                    }
                    continue;
                }
                order = next_order(orders), if self.pending_orders.is_empty() => HostEvent::Order(order),
                room = self.orders.reserve(), if !self.pending_orders.is_empty() => {
                    if let (Ok(room), Some(order)) = (room, self.pending_orders.pop_front()) {
                        room.send(order);
                    }
                    continue;
                }
                connected = next_connection(self.control.as_ref().map(|(_, listener)| listener)), if !accept_failed => {
                    // The client has gone again, or there are no descriptors: then trying at once would never end.
                    accept_failed = connected.is_err();
                    let Ok(stream) = connected else { continue };
                    HostEvent::Connected(stream)
                },
                (newcomer, order) = self.newcomers.next() => HostEvent::Newcomer(newcomer, order),
                _ = check.tick() => HostEvent::Check,
            };
            let step = match event {
                HostEvent::Report(report) => self.forward_report(report),
                HostEvent::Ended => {
                    self.conclusion.get_or_insert_with(unreported);
                    self.record();
                    Err(CloseReason::Bye)
                }
                HostEvent::Order(Some(order)) => {
                    self.client.iter_mut().for_each(|client| client.silent_seconds = 0);
                    self.forward_order(order)
                }
                HostEvent::Order(None) => self.client_left(CloseReason::LinkLost),
                HostEvent::Connected(stream) => {
                    self.newcomers.receive(stream);
                    Ok(())
                }
                HostEvent::Newcomer(newcomer, order) => self.admit(newcomer, order),
                HostEvent::Check => {
                    seconds += 1;
                    accept_failed = false;
                    self.check(seconds)
                }
            };
            if let Err(reason) = step {
                break reason;
            }
        };
        self.end(reports, serving).await;
        reason
    }

    /// A report from within.
    fn forward_report(&mut self, report: Report) -> Step {
        self.state.note_report(&report);
        let role = self.client.as_ref().map(|client| client.role);
        match &report {
            // The answer to a ping of our own; the client's are answered here.
            Report::Pong => return Ok(()),
            Report::NeedSource { file, asked } => {
                let answers = self.state.ask(*file, asked);
                if !answers.is_empty() {
                    self.pending_orders.extend(answers);
                    return Ok(());
                }
            }
            Report::Finished { summary } => {
                let stopped = summary.end == End::Cancelled;
                let conclusion = if stopped { Conclusion::Stopped } else { Conclusion::Finished };
                self.conclusion.get_or_insert(conclusion);
                self.record();
            }
            Report::Fatal { failure } => {
                self.conclusion = Some(Conclusion::Failed { failure: failure.clone() });
                self.record();
            }
            Report::Removed { .. } | Report::NotRemoved { .. } if role == Some(ClientRole::Joiner) => {
                return Ok(());
            }
            _ => {}
        }
        let is_over = matches!(report, Report::Finished { .. });
        // A client that has not said what it wants is sent the whole status first.
        if matches!(role, Some(ClientRole::Starter | ClientRole::Joiner)) {
            self.pending_reports.push_back(report);
        }
        // The client is sent it, but no other is waited for.
        if is_over && self.idle_timeout.is_detached() { Err(CloseReason::Bye) } else { Ok(()) }
    }

    /// The first order of a newcomer: a client that joins takes the place of the one that is there, one that inquires is
    /// answered and leaves.
    fn admit(&mut self, newcomer: Client, order: Order) -> Step {
        if let Order::Hello { mode: Mode::Inquiring { .. }, .. } = order {
            let machine = crate::machine::describe();
            let hello = Report::Hello { version: VERSION.to_owned(), machine };
            let joined = Report::Joined { status: Box::new(self.state.status()) };
            self.newcomers.dismiss(newcomer, [hello, joined]);
            return Ok(());
        }
        if let Some(client) = self.take_client() {
            self.newcomers
                .dismiss(client, [fatal(FailureKind::Locked, "another controller has joined the transfer")]);
        }
        self.client = Some(newcomer);
        self.forward_order(order)
    }

    /// An order from the client.
    fn forward_order(&mut self, order: Order) -> Step {
        match order {
            Order::Ping => self.pending_reports.push_back(Report::Pong),
            Order::Hello { mode: Mode::Joining { .. }, .. } => {
                if let Some(client) = &mut self.client {
                    client.role = ClientRole::Joiner;
                }
                let machine = crate::machine::describe();
                self.pending_reports.push_back(Report::Hello { version: VERSION.to_owned(), machine });
                self.pending_reports.extend(self.state.catch_up());
            }
            Order::Detach { title, idle_timeout, skipped, refusals } => {
                self.state.title = title;
                self.state.skipped = skipped;
                self.state.refusals = refusals;
                // Other clients may connect from here on.
                match ControlFiles::for_destination(self.folder.clone(), &self.state.root)
                    .and_then(|files| files.listen().map(|listener| (files, listener)))
                {
                    Ok(control) => self.control = Some(control),
                    Err(error) => {
                        let what = format!("cannot detach: no socket can be made beside the agent: {error}");
                        self.pending_reports.push_back(fatal(FailureKind::Disk, &what));
                        return Ok(());
                    }
                }
                self.idle_timeout = IdleTimeout::new(idle_timeout);
                self.record();
                self.pending_reports.push_back(Report::Detached);
                // The transfer may have ended before this order came.
                if self.conclusion.is_some() {
                    return Err(CloseReason::Bye);
                }
            }
            Order::Source { file, .. }
            | Order::Inline { file, .. }
            | Order::Relayed { file, .. }
            | Order::XorbRanges { file, .. }
            | Order::Terms { file, .. }
            | Order::SourceUnavailable { file, .. } => {
                if let Ok(answer) = self.state.answered(file, order) {
                    self.pending_orders.extend(answer);
                } else {
                    let what =
                        "more small files are handed over than may wait in memory; sync without --detach";
                    self.pending_reports.push_back(fatal(FailureKind::Disk, what));
                }
            }
            Order::Bye if self.idle_timeout.is_detached() => return self.client_left(CloseReason::Bye),
            order => {
                if order == Order::Begin {
                    let next = if self.state.is_idle() { NextRun::Idles } else { NextRun::Fetches };
                    supersede(&self.folder, &self.state.root, next);
                }
                self.state.note_order(&order);
                self.pending_orders.push_back(order);
            }
        }
        Ok(())
    }

    /// The client's link is gone.
    fn client_left(&mut self, reason: CloseReason) -> Step {
        self.take_client().into_iter().for_each(Client::abandon);
        if self.idle_timeout.is_detached() && self.conclusion.is_none() { Ok(()) } else { Err(reason) }
    }

    /// The host is without a client from here on. Returns the one that was there.
    fn take_client(&mut self) -> Option<Client> {
        self.pending_reports.clear();
        self.stuck_seconds = 0;
        self.pending_orders.extend(self.state.interrupted());
        self.client.take()
    }

    /// Checks whether the client speaks and the transfer moves.
    fn check(&mut self, seconds: u64) -> Step {
        if seconds.is_multiple_of(limits::PING_SECONDS) {
            // A queue that is full says as clearly that there is life.
            let _ = self.orders.try_send(Order::Ping);
        }
        if let Some(client) = &mut self.client {
            client.silent_seconds += 1;
            self.stuck_seconds += u64::from(!self.pending_reports.is_empty());
            // A terminal that was stopped goes on pinging, and must not hold up the transfer for ever.
            if client.is_silent() || self.stuck_seconds > limits::SILENCE_SECONDS {
                return self.client_left(CloseReason::Silence);
            }
        }
        let activity = TransferActivity {
            done: self.state.done(),
            unanswered: self.state.unanswered(),
            has_client: self.client.is_some(),
        };
        if let Some(detail) = self.idle_timeout.tick(activity)
            && self.conclusion.is_none()
        {
            self.conclusion = Some(Conclusion::Failed { failure: Failure::new(FailureKind::Stale, detail) });
            // A client may come and go before it has ended, and then that is the end.
            self.record();
            self.pending_orders.push_back(Order::Cancel);
        }
        Ok(())
    }

    /// Writes down what the transfer has come to.
    fn record(&self) {
        let Some((files, _)) = &self.control else { return };
        let record = TransferRecord {
            status: self.state.status(),
            began: self.state.began(),
            ended: self.conclusion.is_some().then(now),
            conclusion: self.conclusion.clone().unwrap_or(Conclusion::Vanished),
            warnings: self.state.warnings.clone(),
        };
        // Without a record, a client that asks later hears that there was nothing; the files are what they are.
        let _ = files.write_record(&record);
    }

    /// Lets go: the conversation within ends, the client is sent what waits for it, and no other finds this any more.
    async fn end(self, mut reports: Inbox<ReadHalf<DuplexStream>, Report>, serving: JoinHandle<CloseReason>) {
        let Self { orders, pending_reports, client, control, newcomers, .. } = self;
        if let Some((files, listener)) = control {
            files.remove_socket();
            drop(listener);
        }
        // Without orders it ends, and what it still has to say is let out so that it can.
        drop(orders);
        let draining = async { while let Some(Ok(_)) = reports.next().await {} };
        let parting = async {
            if let Some(client) = client {
                client.close(pending_reports).await;
            }
        };
        let (_, (), (), ()) = tokio::join!(serving, draining, parting, newcomers.end());
    }
}

async fn write(writer: WriteHalf<DuplexStream>, mut queue: mpsc::Receiver<Order>) {
    let mut out = outbox(writer);
    while let Some(order) = queue.recv().await {
        let sent: Result<(), CodecError> = out.send(order).await;
        if sent.is_err() {
            return;
        }
    }
    // The other half of the pipe is still read from, so that it does not end by itself.
    let _ = SinkExt::<Order>::close(&mut out).await;
}

/// How a transfer ended whose conversation did not report it.
fn unreported() -> Conclusion {
    Conclusion::Failed { failure: Failure::new(FailureKind::Protocol, "the agent ended it without a word") }
}

fn fatal(kind: FailureKind, what: &str) -> Report {
    Report::Fatal { failure: Failure::new(kind, what) }
}

#[cfg(test)]
#[path = "host_tests.rs"]
mod tests;
