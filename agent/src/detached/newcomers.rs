//! Controllers that come to a host and leave it: those that have connected and not said what for, while the client stays the
//! one that it was, and those that are still to read what they were told last.

use std::future::pending;
use std::time::Duration;

use hfdown_protocol::{Order, Report, limits};
use tokio::net::UnixStream;
use tokio::task::JoinSet;

use super::client::{Client, ClientRole, next_order};

/// So many wait at once, each with a socket: what several terminals and scripts of one user come to.
const MOST: usize = 32;
/// For how long one may say nothing.
const SILENCE: Duration = Duration::from_secs(limits::SILENCE_SECONDS);

/// Both of them.
#[derive(Default)]
pub(super) struct Newcomers {
    waiting: JoinSet<Option<(Client, Order)>>,
    leaving: JoinSet<()>,
}

impl Newcomers {
    /// One has connected. Where too many are there already, its link ends.
    pub(super) fn receive(&mut self, stream: UnixStream) {
        if self.waiting.len() >= MOST {
            return;
        }
        let mut newcomer = Client::new(stream, ClientRole::Newcomer);
        self.waiting.spawn(async move {
            let said = tokio::time::timeout(SILENCE, first_order(&mut newcomer)).await;
            if let Ok(Some(order)) = said {
                return Some((newcomer, order));
            }
            newcomer.abandon();
            None
        });
    }

    /// The next one that says what for, and what it says. Never, without one.
    pub(super) async fn next(&mut self) -> (Client, Order) {
        while let Some(waited) = self.waiting.join_next().await {
            if let Ok(Some(said)) = waited {
                return said;
            }
        }
        pending().await
    }

    /// One is told something and leaves.
    pub(super) fn dismiss(&mut self, client: Client, last: impl IntoIterator<Item = Report>) {
        while self.leaving.try_join_next().is_some() {}
        let last: Vec<_> = last.into_iter().collect();
        self.leaving.spawn(client.close(last));
    }

    /// Lets those that leave read what they were told.
    pub(super) async fn end(mut self) {
        self.waiting.shutdown().await;
        while self.leaving.join_next().await.is_some() {}
    }
}

async fn first_order(newcomer: &mut Client) -> Option<Order> {
    loop {
        match next_order(Some(&mut newcomer.orders)).await {
            Some(Order::Ping) => {}
            order => return order,
        }
    }
}
