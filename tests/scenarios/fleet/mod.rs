//! Many boxes of one command.

mod control;

use hfdown_tests::sandbox::{DestinationKind, Sandbox};

use crate::places::HFDOWN;

/// A Hub, and a place to run the program from.
async fn hub_alone() -> Sandbox {
    Sandbox::start(DestinationKind::Here, HFDOWN).await.expect("this machine is always there")
}
