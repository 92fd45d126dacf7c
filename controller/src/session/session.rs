//! One agent's orders and reports, with the heartbeat between them.

use std::fmt::{self, Write as _};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use hfdown_protocol::{Failure, Inbox, Order, Report, inbox, limits, outbox};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, Interval, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::answer_ways::AnswerWays;
use super::error::SessionError;
use super::lull::Lull;
use crate::hub::{Listing, tree_text};
use crate::link::{AgentExit, CommandExit, Dismissal, Leftovers, LinkGuard};
use crate::text::sanitize;

/// Orders on their way out. Answers to the agent wait here while the link is slow; reading never waits for writing.
const ORDERS: usize = 64;
/// An agent answers every ping; one that is silent over this many checks is gone. Checks are counted, not time: after
/// Ctrl-Z and `fg` the clock has gone on, but the controller has not listened.
const SILENT_CHECKS: u32 = 6;
/// How many words that say nothing new (pongs, samples of progress) may come between two checks. A few a second are
/// right, and a backlog of hours fits; a flood comes to this within a second.
const MOST_CHATTER: u32 = 100_000;
/// How long an agent may be silent where nothing else is asked for: a ping every 5 s.
pub(super) const SILENCE: Duration = Duration::from_secs(limits::PING_SECONDS * SILENT_CHECKS as u64);
/// How long an agent may take to end after it was told to.
const PARTING: Duration = Duration::from_secs(5);

/// Bytes that are relayed, in frames on their way out: orders overtake them.
const RELAYED: usize = 2;

type Reader = Box<dyn AsyncRead + Send + Sync + Unpin>;
type Writer = Box<dyn AsyncWrite + Send + Sync + Unpin>;

/// A conversation with an agent that has the folder.
pub struct Session {
    orders: mpsc::Sender<Order>,
    relayed: mpsc::Sender<Order>,
    writing: JoinHandle<()>,
    reports: Inbox<Reader, Report>,
    check: Interval,
    silent_checks: u32,
    chatter: u32,
    silence: Duration,
    /// What has been heard of late.
    pub(super) lull: Lull,
    /// How long the agent is waited for when the conversation is over.
    parting: Duration,
    cancel: CancellationToken,
    stopping: Stopping,
    agent: AgentHandle,
    /// Whether the agent was told to go on by itself, and has begun to.
    pub(super) goes_on: bool,
    /// The folder that the agent has, by its absolute path there, sanitised.
    pub(super) root: String,
    /// Whether it is to be told what else the commit contains.
    pub(super) lacks_tree: bool,
}

/// How far the user's wish to stop has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stopping {
    /// There is none.
    No,
    /// The agent is to be told as soon as there is room for an order.
    Wanted,
    /// It has been told.
    Told,
}

/// What the agent's life hangs on.
pub(super) enum AgentHandle {
    /// It runs in this process.
    Local(JoinHandle<hfdown_agent::CloseReason>),
    /// It runs on a box, at the end of this.
    Box(Box<LinkGuard>),
}

/// What [`Session::hear`] hears.
pub(super) enum Heard {
    /// The agent.
    Report(Report),
    /// The user: stop. The agent has been told, and answers with `Finished`.
    Cancelled,
}

impl Session {
    pub(super) fn new(
        reader: impl AsyncRead + Send + Sync + Unpin + 'static,
        writer: impl AsyncWrite + Send + Sync + Unpin + 'static,
        already_read: &[u8],
        agent: AgentHandle,
        silence: Duration,
        cancel: CancellationToken,
    ) -> Self {
        let (orders, queue) = mpsc::channel(ORDERS);
        let (relayed, behind) = mpsc::channel(RELAYED);
        let interval = silence / SILENT_CHECKS;
        Self {
            orders,
            relayed,
            writing: tokio::spawn(write(Box::new(writer), queue, behind, interval)),
            reports: inbox(Box::new(reader), already_read),
            check: ticks(interval),
            silent_checks: 0,
            chatter: 0,
            silence,
            lull: Lull::default(),
            parting: PARTING,
            cancel,
            stopping: Stopping::No,
            agent,
            goes_on: false,
            root: String::new(),
            lacks_tree: false,
        }
    }

    /// Says something. It waits for room, so it is not for use while the agent waits to be heard.
    pub(super) async fn say(&self, order: Order) -> Result<(), SessionError> {
        self.orders.send(order).await.map_err(|_| self.lost())
    }

    /// Tells an agent that has a hub cache which does not know it what the commit contains, as far as that is told.
    pub async fn describe(&mut self, listing: &Listing) -> Result<(), SessionError> {
        if std::mem::take(&mut self.lacks_tree) {
            for bytes in tree_text(listing).into_iter().flatten() {
                self.say(Order::Tree { bytes }).await?;
            }
        }
        Ok(())
    }

    /// Where answers that are worked out elsewhere can be sent.
    pub(super) fn orders(&self) -> mpsc::Sender<Order> {
        self.orders.clone()
    }

    /// The same for the answers to questions of the agent. Bytes of files wait for whatever else is to be said: few of them
    /// are in memory for each box, however slow it is.
    pub(super) fn answer_ways(&self) -> AnswerWays {
        AnswerWays { orders: self.orders(), bytes: self.relayed() }
    }

    /// Where bytes that are relayed can be sent: they wait for whatever else is to be said.
    pub(super) fn relayed(&self) -> mpsc::Sender<Order> {
        self.relayed.clone()
    }

    /// The agent's next word; pongs are not worth mentioning. Cancel-safe.
    pub(super) async fn hear(&mut self) -> Result<Heard, SessionError> {
        loop {
            // Every arm is cancel-safe: frames stay buffered, ticks stay due, a token stays cancelled, room stays free.
            // In this order a flood of reports can't drown the wish to stop, and what waits to be heard is no silence.
            tokio::select! {
                biased;
                () = self.cancel.cancelled(), if self.stopping == Stopping::No => self.stopping = Stopping::Wanted,
                room = self.orders.reserve(), if self.stopping == Stopping::Wanted => {
                    let Ok(room) = room else { return Err(self.lost()) };
                    room.send(Order::Cancel);
                    self.stopping = Stopping::Told;
                    return Ok(Heard::Cancelled);
                }
                report = self.reports.next() => {
                    self.silent_checks = 0;
                    if let Some(Ok(Report::Pong | Report::Tick { .. } | Report::Surveying { .. })) = &report {
                        self.chatter += 1;
                        if self.chatter > MOST_CHATTER {
                            return Err(SessionError::protocol("it talks without end and says nothing"));
                        }
                    }
                    match report {
                        None => return Err(self.lost()),
                        Some(Err(error)) => {
                            return Err(match error.into() {
                                // In mid-frame.
                                SessionError::Lost(_) => self.lost(),
                                error => error,
                            });
                        }
                        Some(Ok(Report::Pong)) => {}
                        Some(Ok(Report::Fatal { failure })) => return Err(SessionError::Agent(cleaned(&failure))),
                        Some(Ok(report)) => {
                            tracing::debug!(report = word(&report), "hear");
                            if !matches!(report, Report::Tick { .. } | Report::Surveying { .. }) {
                                self.lull.end();
                            }
                            return Ok(Heard::Report(report));
                        }
                    }
                }
                _ = self.check.tick() => {
                    self.chatter = 0;
                    self.silent_checks += 1;
                    self.lull.goes_on(self.check.period())?;
                    if self.silent_checks >= SILENT_CHECKS {
                        // Nothing that is said now gets there, and a box costs money every second.
                        self.parting = Duration::ZERO;
                        return Err(SessionError::Silent(self.silence.as_secs()));
                    }
                }
            }
        }
    }

    /// Ends the conversation and waits for the agent to be gone, if not for long. Says whether what was to be removed
    /// from its machine is.
    pub async fn close(self) -> Leftovers {
        let (guard, parting) = self.part().await;
        match guard {
            // Whether it is gone or not, the process will be soon.
            None => Leftovers::Nothing,
            Some(guard) => guard.close(parting).await.leftovers,
        }
    }

    /// The same where no other conversation of this run follows: an agent that does not go is ended.
    pub async fn close_for_good(self) -> (Leftovers, Dismissal) {
        let goes_on = self.goes_on;
        let (guard, parting) = self.part().await;
        let agent_exit = match guard {
            None => return (Leftovers::Nothing, Dismissal::Gone),
            Some(guard) if goes_on => guard.close(parting).await,
            Some(guard) => guard.close_for_good(parting).await,
        };
        (agent_exit.leftovers, agent_exit.dismissal)
    }

    /// Says goodbye. The way to the agent, where it is on a box, and how long it may still take.
    async fn part(self) -> (Option<Box<LinkGuard>>, Duration) {
        let Self { orders, mut writing, agent, mut reports, parting, .. } = self;
        let said = async {
            // Both fail only when the agent is gone already.
            let _ = orders.send(Order::Bye).await;
            drop(orders);
            let _ = (&mut writing).await;
        };
        // What it still has to say is let out, so that it need not wait to be heard before it can go.
        let heard = async { while let Some(Ok(_)) = reports.next().await {} };
        let _ = tokio::time::timeout(parting, async { tokio::join!(said, heard) }).await;
        writing.abort();
        drop(reports);
        match agent {
            AgentHandle::Local(agent) => {
                _ = tokio::time::timeout(parting, agent).await;
                (None, parting)
            }
            AgentHandle::Box(guard) => (Some(guard), parting),
        }
    }

    /// The folder that the agent has, by its absolute path there.
    pub fn root(&self) -> &str {
        &self.root
    }

    fn lost(&self) -> SessionError {
        match &self.agent {
            AgentHandle::Local(_) => SessionError::Ended(String::new()),
            AgentHandle::Box(guard) => {
                let AgentExit { exit, closed, last_words, .. } = guard.agent_exit();
                match (exit.as_ref().and_then(CommandExit::signal), exit) {
                    (Some(signal), _) => {
                        SessionError::Killed { address: guard.address().to_owned(), signal, last_words }
                    }
                    (None, Some(exit)) if last_words.is_empty() => SessionError::Ended(exit.to_string()),
                    (None, Some(_)) => SessionError::Ended(last_words),
                    // An agent that ends by itself has a status; some servers have no word for one that was killed.
                    (None, None) if closed && last_words.is_empty() => {
                        SessionError::Lost("the box closed it without a word".to_owned())
                    }
                    (None, None) => SessionError::Lost(last_words),
                }
            }
        }
    }
}

/// Sends orders, and a ping now and then whatever else is going on: also while the controller has no time to listen. Behind
/// them comes what is relayed.
async fn write(
    writer: Writer,
    mut queue: mpsc::Receiver<Order>,
    mut relayed: mpsc::Receiver<Order>,
    interval: Duration,
) {
    let mut out = outbox(writer);
    let mut heartbeat = ticks(interval);
    loop {
        let order = tokio::select! {
            biased;
            order = queue.recv() => order,
            _ = heartbeat.tick() => Some(Order::Ping),
            Some(order) = relayed.recv() => Some(order),
        };
        let Some(order) = order else {
            // Whatever stands between it and the agent sees the end as well.
            let _ = out.close().await;
            return;
        };
        tracing::debug!(order = word(&order), "say");
        // A broken link is noticed by the reader, who knows more about it.
        if out.send(order).await.is_err() {
            return;
        }
    }
}

fn ticks(interval: Duration) -> Interval {
    let mut ticks = tokio::time::interval_at(Instant::now() + interval, interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// The name of an order or a report, without what is in it.
fn word(message: &impl fmt::Debug) -> String {
    let mut word = FirstWord(String::new());
    // It refuses the rest, which may be a frame full of bytes.
    let _ = write!(word, "{message:?}");
    word.0
}

/// Takes a text up to where its first word ends.
struct FirstWord(String);

impl fmt::Write for FirstWord {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            if !character.is_alphanumeric() {
                return Err(fmt::Error);
            }
            self.0.push(character);
        }
        Ok(())
    }
}

/// A failure whose text may be shown.
pub(super) fn cleaned(failure: &Failure) -> Failure {
    Failure { kind: failure.kind, detail: sanitize(&failure.detail, limits::TEXT) }
}

/// What is said of a report that has no business where it came.
pub(super) fn unexpected(report: &Report) -> SessionError {
    let word = word(report);
    SessionError::Protocol(format!("`{word}` is out of order"))
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
