//! The agent with a session of its own: a conversation within the process, and the controllers that come and go.
//!
//! Orders go in and reports come out as they are; on their way the state takes note of them. Until `Detach` this is an
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

use super::client::{Client, ClientRole, hear, next, room};
use super::control_files::ControlFiles;
use super::idle_timeout::{Activity, IdleTimeout};
use super::supersede::{NextRun, supersede};
use super::transfer_record::{TransferRecord, now};
use super::transfer_state::TransferState;
use crate::environment::Environment;
use crate::serve::{Farewell, serve};

/// Bytes in the pipe to the conversation: a few of the largest frames.
const PIPE: usize = 2 << 20;
/// Orders on their way in. More of them wait where they come from.
const ORDERS: usize = 64;
/// How often it is looked whether somebody speaks and something moves. Looks are counted, not time: a box that was
/// stopped for a while has not been left alone for that long.
const CHECK: Duration = Duration::from_secs(1);

/// Conducts a conversation until it has come to its end. The first controller is at the other end of this stream;
/// others find it in this folder once it was detached.
pub(crate) async fn host(first: UnixStream, folder: PathBuf, environment: Environment) -> Farewell {
    let (near, far) = tokio::io::duplex(PIPE);
    let (reader, writer) = tokio::io::split(far);
    let serving = tokio::spawn(serve(reader, writer, environment.with_private(None)));
    let (reader, writer) = tokio::io::split(near);
    let (orders, queue) = mpsc::channel(ORDERS);
    tokio::spawn(write(writer, queue));
    let mut host = Host::new(orders, folder);
    host.client = Some(Client::new(first, ClientRole::Began));
    host.conduct(inbox(reader, &[]), serving).await
}

struct Host {
    orders: mpsc::Sender<Order>,
    /// Orders that there was no room for yet.
    inward: VecDeque<Order>,
    /// Reports that there was no room for yet.
    outward: VecDeque<Report>,
    /// Seconds for which there has been no room.
    stuck: u64,
    client: Option<Client>,
    state: TransferState,
    folder: PathBuf,
    /// Where others find this, once it may be left.
    post: Option<(ControlFiles, UnixListener)>,
    leave: IdleTimeout,
    /// How it ended, once that is settled.
    conclusion: Option<Conclusion>,
}

enum Heard {
    Report(Report),
    /// The conversation within has ended.
    Over,
    /// None when the controller has gone.
    Order(Option<Order>),
    Came(UnixStream),
    Check,
}

/// Whether to go on.
type Step = Result<(), Farewell>;

impl Host {
    fn new(orders: mpsc::Sender<Order>, folder: PathBuf) -> Self {
        Self {
            orders,
            inward: VecDeque::new(),
            outward: VecDeque::new(),
            stuck: 0,
            client: None,
            state: TransferState::default(),
            folder,
            post: None,
            leave: IdleTimeout::default(),
            conclusion: None,
        }
    }

    async fn conduct(
        mut self,
        mut reports: Inbox<ReadHalf<DuplexStream>, Report>,
        serving: JoinHandle<Farewell>,
    ) -> Farewell {
        let mut check = tokio::time::interval(CHECK);
        check.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut seconds: u64 = 0;
        let mut is_deaf = false;
        let farewell = loop {
            let (heard, said) = match &mut self.client {
                Some(Client { orders, reports, .. }) => (Some(orders), Some(&*reports)),
                None => (None, None),
            };
            // Every arm is cancel-safe: frames stay buffered, room stays free. Neither direction waits for the other.
            let heard = tokio::select! {
                report = reports.next(), if self.outward.is_empty() => match report {
                    Some(Ok(report)) => Heard::Report(report),
                    Some(Err(_)) | None => Heard::Over,
                },
                room = room(said), if !self.outward.is_empty() => {
                    if let Some(report) = self.outward.pop_front() {
                        room.send(report);
                        self.stuck = 0;
                    }
                    continue;
                }
                order = hear(heard), if self.inward.is_empty() => Heard::Order(order),
                room = self.orders.reserve(), if !self.inward.is_empty() => {
                    if let (Ok(room), Some(order)) = (room, self.inward.pop_front()) {
                        room.send(order);
                    }
                    continue;
                }
                came = next(self.post.as_ref().map(|(_, listener)| listener)), if !is_deaf => {
                    // It has gone again, or there are no descriptors: then asking at once would never end.
                    is_deaf = came.is_err();
                    let Ok(stream) = came else { continue };
                    Heard::Came(stream)
                },
                _ = check.tick() => Heard::Check,
            };
            let step = match heard {
                Heard::Report(report) => self.pass_out(report),
                Heard::Over => {
                    self.conclusion.get_or_insert_with(unsaid);
                    self.record();
                    Err(Farewell::Bye)
                }
                Heard::Order(Some(order)) => {
                    self.client.iter_mut().for_each(|client| client.silent = 0);
                    self.pass_in(order)
                }
                Heard::Order(None) => self.left(Farewell::LinkLost),
                Heard::Came(stream) => {
                    self.alone().into_iter().for_each(Client::dismiss);
                    self.client = Some(Client::new(stream, ClientRole::Came));
                    Ok(())
                }
                Heard::Check => {
                    seconds += 1;
                    is_deaf = false;
                    self.check(seconds)
                }
            };
            if let Err(farewell) = step {
                break farewell;
            }
        };
        self.end(reports, serving).await;
        farewell
    }

    /// A report from within.
    fn pass_out(&mut self, report: Report) -> Step {
        self.state.reported(&report);
        let part = self.client.as_ref().map(|client| client.part);
        match &report {
            // The answer to a ping of our own; controllers are answered here.
            Report::Pong => return Ok(()),
            Report::NeedSource { file } => {
                let answers = self.state.ask(*file);
                if !answers.is_empty() {
                    self.inward.extend(answers);
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
            Report::Removed { .. } | Report::NotRemoved { .. } if part == Some(ClientRole::Joined) => {
                return Ok(());
            }
            _ => {}
        }
        let is_over = matches!(report, Report::Finished { .. });
        // Whoever has not said yet what it came for is told all of it then.
        if matches!(part, Some(ClientRole::Began | ClientRole::Joined)) {
            self.outward.push_back(report);
        }
        // Whoever is there hears it, but nobody is waited for any more.
        if is_over && self.leave.is_given() { Err(Farewell::Bye) } else { Ok(()) }
    }

    /// An order from whoever is there.
    fn pass_in(&mut self, order: Order) -> Step {
        match order {
            Order::Ping => self.outward.push_back(Report::Pong),
            Order::Hello { mode: Mode::Joining { .. }, .. } => {
                if let Some(client) = &mut self.client {
                    client.part = ClientRole::Joined;
                }
                let machine = crate::machine::describe();
                self.outward.push_back(Report::Hello { version: VERSION.to_owned(), machine });
                self.outward.extend(self.state.told());
            }
            Order::Detach { title, idle_timeout, skipped, refusals } => {
                self.state.title = title;
                self.state.skipped = skipped;
                self.state.refusals = refusals;
                // Others may come from here on.
                match ControlFiles::within(self.folder.clone(), &self.state.root)
                    .and_then(|place| place.listen().map(|listener| (place, listener)))
                {
                    Ok(post) => self.post = Some(post),
                    Err(error) => {
                        let what = format!("cannot detach: no socket can be made beside the agent: {error}");
                        self.outward.push_back(fatal(FailureKind::Disk, &what));
                        return Ok(());
                    }
                }
                self.leave = IdleTimeout::new(idle_timeout);
                self.record();
                self.outward.push_back(Report::Detached);
                // It may have been over before this was heard.
                if self.conclusion.is_some() {
                    return Err(Farewell::Bye);
                }
            }
            Order::Source { file, .. }
            | Order::Inline { file, .. }
            | Order::SourceUnavailable { file, .. } => {
                if let Ok(answer) = self.state.answered(file, order) {
                    self.inward.extend(answer);
                } else {
                    let what =
                        "more small files are handed over than may wait in memory; sync without --detach";
                    self.outward.push_back(fatal(FailureKind::Disk, what));
                }
            }
            Order::Bye if self.leave.is_given() => return self.left(Farewell::Bye),
            order => {
                if order == Order::Begin {
                    let later = if self.state.is_idle() { NextRun::Idles } else { NextRun::Fetches };
                    supersede(&self.folder, &self.state.root, later);
                }
                self.state.ordered(&order);
                self.inward.push_back(order);
            }
        }
        Ok(())
    }

    /// The controller has gone.
    fn left(&mut self, farewell: Farewell) -> Step {
        self.alone().into_iter().for_each(Client::forget);
        if self.leave.is_given() && self.conclusion.is_none() { Ok(()) } else { Err(farewell) }
    }

    /// Nobody is there any more. Whoever was can be told so.
    fn alone(&mut self) -> Option<Client> {
        self.outward.clear();
        self.stuck = 0;
        self.inward.extend(self.state.interrupted());
        self.client.take()
    }

    /// Looks whether somebody speaks and something moves.
    fn check(&mut self, seconds: u64) -> Step {
        if seconds.is_multiple_of(limits::PING_SECONDS) {
            // A queue that is full says as clearly that somebody is there.
            let _ = self.orders.try_send(Order::Ping);
        }
        if let Some(client) = &mut self.client {
            client.silent += 1;
            self.stuck += u64::from(!self.outward.is_empty());
            // A terminal that was stopped goes on pinging, and must not hold up the transfer for ever.
            if client.is_silent() || self.stuck > limits::SILENCE_SECONDS {
                return self.left(Farewell::Silence);
            }
        }
        let standing = Activity {
            done: self.state.done(),
            unanswered: self.state.unanswered(),
            is_watched: self.client.is_some(),
        };
        if let Some(detail) = self.leave.second(standing)
            && self.conclusion.is_none()
        {
            self.conclusion = Some(Conclusion::Failed { failure: Failure::new(FailureKind::Stale, detail) });
            // Somebody may come and go before it has ended, and then that is the end.
            self.record();
            self.inward.push_back(Order::Cancel);
        }
        Ok(())
    }

    /// Leaves word of how things stand.
    fn record(&self) {
        let Some((place, _)) = &self.post else { return };
        let record = TransferRecord {
            status: self.state.status(),
            began: self.state.began(),
            ended: self.conclusion.is_some().then(now),
            conclusion: self.conclusion.clone().unwrap_or(Conclusion::Vanished),
        };
        // Without one, whoever asks later hears that there was nothing; the files are what they are.
        let _ = place.write(&record);
    }

    /// Lets go: the conversation within ends, what was said is let out, and nobody finds this any more.
    async fn end(self, mut reports: Inbox<ReadHalf<DuplexStream>, Report>, serving: JoinHandle<Farewell>) {
        let Self { orders, outward, client, post, .. } = self;
        if let Some((place, listener)) = post {
            place.leave();
            drop(listener);
        }
        // Without orders it ends, and what it still has to say is let out so that it can.
        drop(orders);
        let draining = async { while let Some(Ok(_)) = reports.next().await {} };
        let parting = async {
            if let Some(client) = client {
                client.leave(outward).await;
            }
        };
        let (_, (), ()) = tokio::join!(serving, draining, parting);
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

/// How a transfer ended whose conversation did without saying so.
fn unsaid() -> Conclusion {
    Conclusion::Failed { failure: Failure::new(FailureKind::Protocol, "the agent ended it without a word") }
}

fn fatal(kind: FailureKind, what: &str) -> Report {
    Report::Fatal { failure: Failure::new(kind, what) }
}

#[cfg(test)]
#[path = "host_tests.rs"]
mod tests;
