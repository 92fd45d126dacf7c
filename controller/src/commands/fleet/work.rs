//! What is done for each of many boxes.

use std::time::Instant;

use tokio_util::sync::CancellationToken;

use crate::commands::renewal::Renewals;
use crate::commands::request::{SyncRequest, Target};
use crate::commands::sync::Prepared;
use crate::commands::target_sync;
use crate::commands::{attach, verify_offline};
use crate::failure::{AttachVerb, Exit, Problem};
use crate::fleet::{BoxEnding, BoxOutcome};

/// How it went for one of them.
pub(in crate::commands) struct BoxResult {
    /// The exit code of a command for it alone.
    pub(in crate::commands) exit: Exit,
    /// What it came to.
    pub(in crate::commands) ending: BoxEnding,
}

/// What is done for each.
pub(in crate::commands) trait FleetWork: Send + Sync + 'static {
    /// Does it for one of them. Cancelled, it ends in good order.
    fn carry_out(
        &self,
        target: &Target,
        cancel: &CancellationToken,
    ) -> impl Future<Output = Result<BoxResult, Problem>> + Send;

    /// Whether it is known of no target what has become of it before it is known of all.
    fn is_settled_together(&self) -> bool {
        false
    }

    /// What follows from all outcomes together, where they are settled so. None is of a target whose task has panicked.
    fn settle(&self, _outcomes: &mut [Option<BoxOutcome>]) {}
}

/// A transfer, or a verification.
pub(in crate::commands) struct FleetSync {
    pub(in crate::commands) request: SyncRequest,
    /// What was asked of the Hub once.
    pub(in crate::commands) prepared: Prepared,
}

impl FleetWork for FleetSync {
    async fn carry_out(&self, target: &Target, cancel: &CancellationToken) -> Result<BoxResult, Problem> {
        target_sync::carry_out(&self.request, target, &self.prepared, Instant::now(), cancel).await
    }
}

/// A verification by what is on record on each of them.
pub(in crate::commands) struct OfflineVerification {
    pub(in crate::commands) request: SyncRequest,
}

impl FleetWork for OfflineVerification {
    async fn carry_out(&self, target: &Target, cancel: &CancellationToken) -> Result<BoxResult, Problem> {
        verify_offline::carry_out(&self.request, target, cancel).await
    }
}

/// A look at transfers that were detached, or their end.
pub(in crate::commands) struct FleetAttendance {
    pub(in crate::commands) verb: AttachVerb,
    /// Where addresses come from that have gone stale.
    pub(in crate::commands) renewals: Renewals,
}

impl FleetWork for FleetAttendance {
    async fn carry_out(&self, target: &Target, cancel: &CancellationToken) -> Result<BoxResult, Problem> {
        attach::attend(self.verb, &self.renewals, target, cancel).await
    }
}
