//! The client of a host: the controller that is connected at the moment.

use std::io;
use std::time::Duration;

use futures_util::StreamExt;
use hfdown_protocol::{Inbox, Order, Report, inbox, limits, outbox};
use tokio::net::UnixStream;
use tokio::net::unix::OwnedReadHalf;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::serve;
use crate::system::own_uid;

/// Reports on their way out; what does not fit waits with the host.
const REPORTS: usize = 256;
/// How long the last words may take to be read.
const PARTING: Duration = Duration::from_secs(5);

/// Its user id, everywhere.
const ROOT: u32 = 0;

/// What a client has to do with the transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ClientRole {
    /// It ordered the transfer.
    Starter,
    /// It has connected, and not said what for.
    Newcomer,
    /// It has been sent the status, and knows nothing of extraneous files.
    Joiner,
}

/// A connected controller.
pub(super) struct Client {
    pub(super) orders: Inbox<OwnedReadHalf, Order>,
    pub(super) reports: mpsc::Sender<Report>,
    /// Seconds without an order.
    pub(super) silent_seconds: u64,
    pub(super) role: ClientRole,
    writing: JoinHandle<()>,
}

impl Client {
    pub(super) fn new(stream: UnixStream, role: ClientRole) -> Self {
        let (reader, writer) = stream.into_split();
        let (reports, outgoing) = mpsc::channel(REPORTS);
        let writing = tokio::spawn(async move {
            // A broken link is noticed by the reading half.
            let _ = serve::write(outbox(writer), outgoing).await;
        });
        Self { orders: inbox(reader, &[]), reports, silent_seconds: 0, role, writing }
    }

    /// Whether it has not spoken for so long that it must be gone.
    pub(super) fn is_silent(&self) -> bool {
        self.silent_seconds > limits::SILENCE_SECONDS
    }

    /// Sends the last reports and lets them be read, if that does not take long.
    pub(super) async fn close(self, last: impl IntoIterator<Item = Report>) {
        let Self { reports, orders, mut writing, .. } = self;
        let parting = async {
            for report in last {
                // The link is gone as well.
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

    /// Its link is gone, and with it the reports that are on their way.
    pub(super) fn abandon(self) {
        self.writing.abort();
    }
}

/// The client's next order; none when its link is gone or it makes no sense. Never, without a client.
pub(super) async fn next_order(orders: Option<&mut Inbox<OwnedReadHalf, Order>>) -> Option<Order> {
    match orders {
        Some(orders) => orders.next().await.and_then(Result::ok),
        None => std::future::pending().await,
    }
}

/// Room for a report. Never, without a client or after its link broke.
pub(super) async fn report_room(reports: Option<&mpsc::Sender<Report>>) -> mpsc::Permit<'_, Report> {
    match reports {
        Some(reports) => match reports.reserve().await {
            Ok(room) => room,
            Err(_) => std::future::pending().await,
        },
        None => std::future::pending().await,
    }
}

/// The next controller that connects. Never, before the transfer was detached.
pub(super) async fn next_connection(listener: Option<&tokio::net::UnixListener>) -> io::Result<UnixStream> {
    match listener {
        Some(listener) => loop {
            let (stream, _) = listener.accept().await?;
            // The socket's folder and mode keep others out; should they not, they are not spoken to. Root may all.
            if stream.peer_cred().is_ok_and(|peer| [own_uid(), ROOT].contains(&peer.uid())) {
                return Ok(stream);
            }
        },
        None => std::future::pending().await,
    }
}
