//! What goes wrong, as named values. Each is armed for some requests, and tells how often it struck.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::lock;
use super::log::{HubOrigin, HubRequest};
use super::stall::StallHandle;
use super::when::When;

/// Something that goes wrong with an answer.
///
/// Those that tamper with a body strike successful answers that have one, and only where a client can notice: cutting
/// after 1,000 bytes waits for a body that is longer.
#[derive(Clone, Debug)]
pub enum HubFault {
    /// The connection is closed once that many bytes of body have gone out.
    CutAfter(u64),
    /// The same with a TCP reset, which may also discard bytes that the client has not read yet.
    ResetAfter(u64),
    /// The body stops, and the connection stays, until the test releases it.
    Stall(StallHandle),
    /// This status and no more.
    Status(u16),
    /// `429`, with `RateLimit` headers that ask for so many seconds of patience.
    RateLimited {
        /// When the window is renewed.
        seconds: u64,
    },
    /// This status, with a `Retry-After` that asks for so many seconds of patience.
    RetryAfter {
        /// `429`, `503`.
        status: u16,
        /// When it may be asked again.
        seconds: u64,
        /// How that is written.
        form: RetryAfterForm,
    },
    /// `200` and the whole file, though a range was asked for.
    IgnoresRange,
    /// `206` whose `Content-Range` begins one byte further than the body does.
    WrongContentRange,
    /// A range is answered as some servers do it.
    OddRange(OddRange),
    /// A well-formed answer that ends so many bytes early; `Content-Length` agrees with it.
    ShortBody(u64),
    /// A well-formed answer with so many bytes too many; `Content-Length` agrees with it.
    LongBody(u64),
    /// Compressed without having been asked: no `Content-Length`, ranges ignored. Compressed in memory.
    Gzipped,
    /// The byte at this offset of the file is another one.
    WrongBytes {
        /// Counted from the beginning of the file, not of the range.
        at: u64,
    },
    /// `403` from the CDN, as for an address that has expired. [`TestHub::expire_signed_addresses`] is the real thing.
    ///
    /// [`TestHub::expire_signed_addresses`]: super::TestHub::expire_signed_addresses
    Expired,
    /// This answer, whatever was asked.
    Answer(CannedAnswer),
    /// A redirect to the very address that was asked for.
    RedirectLoop,
    /// A redirect to wherever a test likes: another scheme, another host.
    RedirectTo(String),
    /// No more than so many bytes a second. One answer at a time goes over a connection, so this caps connections.
    Throttle {
        /// Of body.
        bytes_per_second: u64,
    },
    /// What comes before this offset comes at once, and ten bytes every half a second from there on.
    TrickleFrom {
        /// Counted from the beginning of the file, not of the range.
        at: u64,
    },
    /// The answer begins so much later.
    Delay(Duration),
}

/// An answer that a test makes up: what proxies and login portals put in the place of the right one.
#[derive(Clone, Debug)]
pub struct CannedAnswer {
    /// Its status.
    pub status: u16,
    /// Its headers, but for the length.
    pub headers: Vec<(&'static str, &'static str)>,
    /// Its body.
    pub body: Vec<u8>,
}

/// How some servers answer a request for a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OddRange {
    /// `206` and the right bytes, without a `Content-Range`: Artifactory.
    Unplaced,
    /// `206` and the right bytes; the `Content-Range` is `bytes`, and no more.
    Unreadable,
    /// `206` and the right bytes; the `Content-Range` has the part's length where the file's belongs.
    PartAsTotal,
    /// `206` and the right bytes; the `Content-Range` has a `*` where the file's length belongs.
    UnknownTotal,
    /// `206` and the right bytes in an envelope, as if several ranges had been asked for.
    Multipart,
    /// `200` and the whole file in chunks, without its length: a body that is made as it is sent.
    Chunked,
    /// `416`, though the range lies within the file.
    NotSatisfiable,
    /// `206` to a request for the whole file, without a `Content-Range`.
    WholeAsPart,
}

/// How a `Retry-After` names its instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryAfterForm {
    /// As a number of seconds from now.
    Seconds,
    /// As a date: whole seconds, rounded up.
    Date,
}

impl HubFault {
    /// Whether it takes the place of an answer, or goes before it; the others tamper with its body.
    fn is_whole(&self) -> bool {
        matches!(
            self,
            Self::Status(_)
                | Self::RateLimited { .. }
                | Self::RetryAfter { .. }
                | Self::Expired
                | Self::Answer(_)
                | Self::RedirectLoop
                | Self::RedirectTo(_)
                | Self::Delay(_)
        )
    }
}

/// A fault that lies in wait. Dropping the handle leaves it armed.
#[derive(Clone, Debug)]
pub struct Armed(Arc<FaultState>);

#[derive(Debug)]
struct FaultState {
    fault: HubFault,
    when: When,
    picked: AtomicUsize,
    struck: AtomicUsize,
    lifted: AtomicBool,
}

impl Armed {
    /// How often it struck. A test of a fault that never struck has shown nothing.
    pub fn times_struck(&self) -> usize {
        self.0.struck.load(Ordering::Relaxed)
    }

    /// Disarms it.
    pub fn lift(&self) {
        self.0.lifted.store(true, Ordering::Relaxed);
    }

    fn strikes(&self) -> bool {
        let before = self.0.picked.fetch_add(1, Ordering::Relaxed);
        let strikes = self.0.when.strikes(before);
        self.0.struck.fetch_add(usize::from(strikes), Ordering::Relaxed);
        strikes
    }
}

/// All faults, in the order they were armed.
#[derive(Debug, Default)]
pub(super) struct Faults(Mutex<Vec<Armed>>);

impl Faults {
    pub(super) fn arm(&self, fault: HubFault, when: When) -> Armed {
        let state = FaultState {
            fault,
            when,
            picked: AtomicUsize::new(0),
            struck: AtomicUsize::new(0),
            lifted: AtomicBool::new(false),
        };
        let armed = Armed(Arc::new(state));
        lock(&self.0).push(armed.clone());
        armed
    }

    /// Strikes with those that don't wait for an answer. One alone takes its place: the others lie in wait for the
    /// next.
    pub(super) fn before(&self, request: &HubRequest, mut strike: impl FnMut(HubFault)) {
        for armed in self.picking(request) {
            let fault = &armed.0.fault;
            let reachable = !matches!(fault, HubFault::Expired) || request.origin == HubOrigin::Cdn;
            if fault.is_whole() && reachable && armed.strikes() {
                strike(fault.clone());
                if !matches!(fault, HubFault::Delay(_)) {
                    return;
                }
            }
        }
    }

    /// Offers those that tamper with an answer, one after the other. `offer` says whether one can be noticed, and is
    /// called again to apply it when it is its turn.
    pub(super) fn within(&self, request: &HubRequest, mut offer: impl FnMut(&HubFault, FaultStep) -> bool) {
        for armed in self.picking(request) {
            let noticed = !armed.0.fault.is_whole() && offer(&armed.0.fault, FaultStep::Ask);
            if noticed && armed.strikes() {
                offer(&armed.0.fault, FaultStep::Apply);
            }
        }
    }

    fn picking(&self, request: &HubRequest) -> Vec<Armed> {
        let all = lock(&self.0);
        let picks = |armed: &&Armed| !armed.0.lifted.load(Ordering::Relaxed) && armed.0.when.picks(request);
        all.iter().filter(picks).cloned().collect()
    }
}

/// The two steps of [`Faults::within`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FaultStep {
    Ask,
    Apply,
}
