//! The controller that is there at the moment.

use std::io;
use std::time::Duration;

use futures_util::StreamExt;
use hfdown_protocol::{Failure, FailureKind, Inbox, Order, Report, inbox, limits, outbox};
use tokio::net::UnixStream;
use tokio::net::unix::OwnedReadHalf;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::serve;

/// Reports on their way out; what does not fit waits with whoever has it.
const REPORTS: usize = 256;
/// How long the last words may take to be read.
const PARTING: Duration = Duration::from_secs(5);

/// What a controller has to do with the transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ClientRole {
    /// It ordered it.
    Began,
    /// It has come, and not said what for.
    Came,
    /// It has been told what there is, and knows nothing of extraneous files.
    Joined,
}

/// A connected controller.
pub(super) struct Client {
    pub(super) orders: Inbox<OwnedReadHalf, Order>,
    pub(super) reports: mpsc::Sender<Report>,
    /// Seconds without an order.
    pub(super) silent: u64,
    pub(super) part: ClientRole,
    writing: JoinHandle<()>,
}

impl Client {
    pub(super) fn new(stream: UnixStream, part: ClientRole) -> Self {
        let (reader, writer) = stream.into_split();
        let (reports, outgoing) = mpsc::channel(REPORTS);
        let writing = tokio::spawn(async move {
            // A broken link is noticed by whoever reads.
            let _ = serve::write(outbox(writer), outgoing).await;
        });
        Self { orders: inbox(reader, &[]), reports, silent: 0, part, writing }
    }

    /// Whether it has not spoken for so long that it must be gone.
    pub(super) fn is_silent(&self) -> bool {
        self.silent > limits::SILENCE_SECONDS
    }

    /// Says the last words and lets them be read, if that does not take long.
    pub(super) async fn leave(self, last: impl IntoIterator<Item = Report>) {
        let Self { reports, orders, mut writing, .. } = self;
        let parting = async {
            for report in last {
                // It has gone as well.
                if reports.send(report).await.is_err() {
                    break;
                }
            }
            drop(reports);
            let _ = (&mut writing).await;
        };
        let is_read = tokio::time::timeout(PARTING, parting).await.is_ok();
        if !is_read {
            writing.abort();
        }
        drop(orders);
    }

    /// It has gone: what it was to be told is of no interest any more.
    pub(super) fn forget(self) {
        self.writing.abort();
    }

    /// Makes room for another controller.
    pub(super) fn dismiss(self) {
        let failure = Failure::new(FailureKind::Locked, "another controller has joined the transfer");
        tokio::spawn(self.leave([Report::Fatal { failure }]));
    }
}

/// The next order of whoever is there; none when it has gone or makes no sense. Never, while nobody is there.
pub(super) async fn hear(orders: Option<&mut Inbox<OwnedReadHalf, Order>>) -> Option<Order> {
    match orders {
        Some(orders) => orders.next().await.and_then(Result::ok),
        None => std::future::pending().await,
    }
}

/// Room for a report. Never, while nobody is there or nobody listens.
pub(super) async fn room(reports: Option<&mpsc::Sender<Report>>) -> mpsc::Permit<'_, Report> {
    match reports {
        Some(reports) => match reports.reserve().await {
            Ok(room) => room,
            Err(_) => std::future::pending().await,
        },
        None => std::future::pending().await,
    }
}

/// The next controller that comes. Never, while the place is not known yet.
pub(super) async fn next(listener: Option<&tokio::net::UnixListener>) -> io::Result<UnixStream> {
    match listener {
        Some(listener) => listener.accept().await.map(|(stream, _)| stream),
        None => std::future::pending().await,
    }
}
