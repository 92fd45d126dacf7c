//! Where answers to an agent go.

use hfdown_protocol::Order;
use tokio::sync::mpsc;

/// Where answers go.
#[derive(Clone)]
pub(super) struct AnswerWays {
    /// What is short.
    pub(super) orders: mpsc::Sender<Order>,
    /// The bytes of files.
    pub(super) bytes: mpsc::Sender<Order>,
}
