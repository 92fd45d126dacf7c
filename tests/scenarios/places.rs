//! Where a scenario runs: each is one function, and a test for each of its places.

use std::time::Duration;

use hfdown_tests::sandbox::{DestinationKind, Sandbox};
use hfdown_tests::ssh_host::SshServerKind;

/// The program under test.
pub(crate) const HFDOWN: &str = env!("CARGO_BIN_EXE_hfdown-tested");

/// Not a measurement: a scenario that hangs fails instead of holding everything up.
const LONGEST: Duration = Duration::from_secs(300);

/// Makes tests of scenarios: `scenario::here`, `scenario::in_process`, `scenario::sshd`.
macro_rules! scenarios {
    (@ $scenario:ident [$($test:ident $place:ident,)*]) => {$(
        #[tokio::test]
        async fn $test() {
            crate::places::run(hfdown_tests::sandbox::DestinationKind::$place, super::$scenario).await;
        }
    )*};
    ($places:tt $($scenario:ident)*) => { $(mod $scenario { scenarios! { @ $scenario $places } })* };
}

/// Runs scenarios in a folder of this machine.
macro_rules! here {
    ($($scenario:ident,)*) => { scenarios! { [here Here,] $($scenario)* } };
}

/// Runs scenarios in a folder of this machine and on both kinds of boxes.
macro_rules! everywhere {
    ($($scenario:ident,)*) => {
        scenarios! { [here Here, in_process InProcess, sshd Sshd,] $($scenario)* }
    };
}

/// Runs scenarios on both kinds of boxes.
macro_rules! on_boxes {
    ($($scenario:ident,)*) => { scenarios! { [in_process InProcess, sshd Sshd,] $($scenario)* } };
}

/// Runs scenarios in a folder of this machine and on the kind of box that every machine can be.
macro_rules! here_and_on_a_box {
    ($($scenario:ident,)*) => { scenarios! { [here Here, in_process InProcess,] $($scenario)* } };
}

/// What a scenario starts from.
pub(crate) trait StartsAt: Sized {
    /// Sets it up. `None` where this machine lacks what it needs; that has been said then.
    async fn at(place: DestinationKind) -> Option<Self>;
}

impl StartsAt for Sandbox {
    async fn at(place: DestinationKind) -> Option<Self> {
        Self::start(place, HFDOWN).await
    }
}

impl StartsAt for DestinationKind {
    async fn at(place: DestinationKind) -> Option<Self> {
        Some(place)
    }
}

impl StartsAt for SshServerKind {
    async fn at(place: DestinationKind) -> Option<Self> {
        match place {
            DestinationKind::Here => None,
            DestinationKind::InProcess => Some(Self::InProcess),
            DestinationKind::Sshd => Some(Self::Sshd),
        }
    }
}

/// Runs a scenario at one of its places.
pub(crate) async fn run<S: StartsAt, F: Future<Output = ()>>(
    place: DestinationKind,
    scenario: impl FnOnce(S) -> F,
) {
    if let Some(start) = S::at(place).await {
        tokio::time::timeout(LONGEST, scenario(start)).await.expect("it ends");
    }
}
