//! One agent's orders and reports, with the heartbeat between them.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use hfdown_protocol::{Failure, Inbox, Order, Report, inbox, limits, outbox};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, Interval};
use tokio_util::sync::CancellationToken;

use super::error::SessionError;
use crate::link::Tether;
use crate::output::sanitize::sanitize;

/// Orders on their way out. Answers to the agent wait here while the link is slow; reading never waits for writing.
const ORDERS: usize = 64;
/// An agent answers every ping; one that is silent this long is gone.
const SILENCE: Duration = Duration::from_secs(30);
/// How long an agent may take to end after it was told to.
const PARTING: Duration = Duration::from_secs(5);

type Reader = Box<dyn AsyncRead + Send + Unpin>;
type Writer = Box<dyn AsyncWrite + Send + Unpin>;

/// A conversation with an agent that has the folder.
pub struct Session {
    orders: mpsc::Sender<Order>,
    writing: JoinHandle<()>,
    reports: Inbox<Reader, Report>,
    heartbeat: Interval,
    last_heard: Instant,
    cancel: CancellationToken,
    has_cancelled: bool,
    keeper: Keeper,
}

/// What the agent's life hangs on.
pub(super) enum Keeper {
    /// It runs in this process.
    Here(JoinHandle<hfdown_agent::Farewell>),
    /// It runs on a box, at the end of this.
    Box(Tether),
}

/// What [`Session::hear`] hears.
pub(super) enum Heard {
    /// The agent.
    Report(Report),
    /// The person: stop. The agent has been told, and answers with `Finished`.
    Cancelled,
}

impl Session {
    pub(super) fn new(
        reader: impl AsyncRead + Send + Unpin + 'static,
        writer: impl AsyncWrite + Send + Unpin + 'static,
        already_read: &[u8],
        keeper: Keeper,
        cancel: CancellationToken,
    ) -> Self {
        let (orders, queue) = mpsc::channel(ORDERS);
        let mut heartbeat = tokio::time::interval(Duration::from_secs(limits::PING_SECONDS));
        heartbeat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        Self {
            orders,
            writing: tokio::spawn(write(Box::new(writer), queue)),
            reports: inbox(Box::new(reader), already_read),
            heartbeat,
            last_heard: Instant::now(),
            cancel,
            has_cancelled: false,
            keeper,
        }
    }

    /// Says something. It waits for room, so it is not for use while the agent waits for us to listen.
    pub(super) async fn say(&self, order: Order) -> Result<(), SessionError> {
        self.orders.send(order).await.map_err(|_| self.lost())
    }

    /// Where answers that are worked out elsewhere can be sent.
    pub(super) fn orders(&self) -> mpsc::Sender<Order> {
        self.orders.clone()
    }

    /// The agent's next word. Pings go out meanwhile, and pongs are not worth mentioning.
    pub(super) async fn hear(&mut self) -> Result<Heard, SessionError> {
        loop {
            // Every arm is cancel-safe: frames stay buffered, ticks stay due, a token stays cancelled.
            tokio::select! {
                report = self.reports.next() => {
                    self.last_heard = Instant::now();
                    match report {
                        None => return Err(self.lost()),
                        Some(Err(error)) => return Err(error.into()),
                        Some(Ok(Report::Pong)) => {}
                        Some(Ok(Report::Fatal { failure })) => return Err(SessionError::Agent(cleaned(failure))),
                        Some(Ok(report)) => return Ok(Heard::Report(report)),
                    }
                }
                _ = self.heartbeat.tick() => {
                    // A queue that is full is as good as a ping.
                    let _ = self.orders.try_send(Order::Ping);
                }
                () = tokio::time::sleep_until(self.last_heard + SILENCE) => {
                    return Err(SessionError::Silent(SILENCE.as_secs()));
                }
                () = self.cancel.cancelled(), if !self.has_cancelled => {
                    self.has_cancelled = true;
                    self.say(Order::Cancel).await?;
                    return Ok(Heard::Cancelled);
                }
            }
        }
    }

    /// Ends the conversation and waits for the agent to be gone.
    pub async fn close(self) {
        let Self { orders, writing, keeper, reports, .. } = self;
        // Both fail only when the agent is gone already.
        let _ = orders.send(Order::Bye).await;
        drop(orders);
        let _ = tokio::time::timeout(PARTING, writing).await;
        match keeper {
            Keeper::Here(agent) => drop(tokio::time::timeout(PARTING, agent).await),
            Keeper::Box(tether) => drop(tether.close(PARTING).await),
        }
        drop(reports);
    }

    fn lost(&self) -> SessionError {
        let last_words = match &self.keeper {
            Keeper::Here(_) => String::new(),
            Keeper::Box(tether) => tether.ending().last_words,
        };
        SessionError::Lost(last_words)
    }
}

async fn write(writer: Writer, mut queue: mpsc::Receiver<Order>) {
    let mut out = outbox(writer);
    while let Some(order) = queue.recv().await {
        // A broken link is noticed by the reader, who knows more about it.
        if out.send(order).await.is_err() {
            return;
        }
    }
}

/// A failure whose text may be shown.
pub(super) fn cleaned(failure: Failure) -> Failure {
    Failure { detail: sanitize(&failure.detail, limits::TEXT), ..failure }
}

/// What is said of a report that has no business where it came.
pub(super) fn unexpected(report: &Report) -> SessionError {
    let text = format!("{report:?}");
    let word: String = text.chars().take_while(|character| character.is_alphanumeric()).collect();
    SessionError::Protocol(format!("`{word}` is out of order"))
}
