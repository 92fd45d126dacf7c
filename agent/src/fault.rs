//! What can go wrong with one attempt, as classes: whether to try again is a property of the fault, not of its text.

use std::time::Duration;

use hfdown_protocol::{Failure, FailureKind};

use crate::http::{ProxyError, ProxyFault, wait_in_words};

/// Why an attempt failed.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum FetchFault {
    /// No connection: DNS, TCP, TLS.
    #[error("cannot connect to {host}: {why}")]
    Connect { host: String, why: String },
    /// The proxy on the way to it does not do what it is there for.
    #[error("{fault}; {}", .fault.hint())]
    Proxy { fault: Box<ProxyFault> },
    /// A variable names a proxy that can't be understood.
    #[error(transparent)]
    ProxySetting(Box<ProxyError>),
    /// It can't prove that it is who it should be.
    #[error("cannot trust {host}: {why}")]
    Untrusted { host: String, why: String },
    /// The connection broke in mid-answer.
    #[error("the connection to {host} broke: {why}")]
    Broken { host: String, why: String },
    /// No byte for too long.
    #[error("{host} sent nothing for {} s", .after.as_secs())]
    Stalled { host: String, after: Duration },
    /// Too few bytes for too long.
    #[error("{host} sent only {bytes} B in {} s", .after.as_secs())]
    Slow { host: String, bytes: u64, after: Duration },
    /// The server has trouble of its own.
    #[error("{host} answered {status}{}", asking(*.wait))]
    Server { host: String, status: u16, wait: Option<Duration> },
    /// Too many requests.
    #[error("{host} answered {status}, too many requests{}", asking(*.wait))]
    RateLimited { host: String, status: u16, wait: Option<Duration> },
    /// A signed address that no longer works.
    #[error("{host} no longer takes the signed address ({status})")]
    Stale { host: String, status: u16, why: String },
    /// A signed address that did not work when it was new.
    #[error("{host} refuses the address that the Hub has just signed: {status}{}{}", said(.why), about(.why))]
    FreshRefused { host: String, status: u16, why: String },
    /// A web page came instead of the file.
    #[error(
        "{host} sends {what} of text/html where the Hub lists {listed} bytes; a proxy or a login portal is in between"
    )]
    Page { host: String, what: String, listed: u64 },
    /// An answer that only what stands before a server gives.
    #[error("{host} answered {status}; a proxy or a login portal is in between")]
    Intercepted { host: String, status: u16 },
    /// Refused for good.
    #[error("{host} refuses it: {status}{}", said(.why))]
    Refused { host: String, status: u16, why: String },
    /// Refused at an address that is said to be public: with a token it may be had.
    #[error("{host} refuses it: {status}{}", said(.why))]
    Unauthorized { host: String, status: u16, why: String },
    /// There is no such thing.
    #[error("{host} does not have it: {status}{}", said(.why))]
    Missing { host: String, status: u16, why: String },
    /// The whole file came instead of the range.
    #[error("{host} ignores ranges")]
    RangeIgnored { host: String },
    /// What is to be asked for is in other pieces by now.
    #[error("it comes in other pieces now")]
    CutElsewhere,
    /// Of bytes that are in xorbs, as this answer about them has it: the same bytes may be had otherwise.
    #[error("{fault}")]
    OfTerms { fault: Box<FetchFault>, answer: u32 },
    /// The answer makes no sense.
    #[error("{host} {what}")]
    Nonsense { host: String, what: String },
    /// The disk refused.
    #[error("{0}")]
    Disk(Failure),
    /// The file can't have its place. What has arrived of it is kept.
    #[error("{0}")]
    Unplaceable(Failure),
    /// The controller could not get a source.
    #[error("{0}")]
    SourceUnavailable(Failure),
    /// The bytes are wrong.
    #[error("{0}")]
    Corrupt(String),
}

/// A server that asks for more patience than this has none of our time: the Hub's windows are five minutes long.
/// Whatever comes before it says is only refused again.
const LONGEST_ASKED_WAIT: Duration = Duration::from_secs(330);

fn asking(wait: Option<Duration>) -> String {
    let wait = wait.filter(|wait| !wait.is_zero());
    wait.map(|wait| format!(", asking to be left alone for {}", wait_in_words(wait))).unwrap_or_default()
}

fn said(why: &str) -> String {
    if why.is_empty() { String::new() } else { format!(" {why}") }
}

/// What a CDN's reason points to, where it points to something.
fn about(why: &str) -> &'static str {
    let why = why.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| why.contains(word));
    if has(&["expired", "skew", "not yet valid", "too early", "clock"]) {
        "; the clock of the server that signs addresses may be wrong"
    } else if has(&["policy", "ip address", "region", "country", "location"]) {
        "; it may be for other networks only"
    } else {
        ""
    }
}

/// What to do after a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RetryDecision {
    /// Another attempt is worth it.
    Retry,
    /// A few attempts are worth it: what makes no sense once may be one bad server among many; twice more, it is meant.
    RetryBriefly,
    /// Another attempt is worth it, with a new address.
    RetryWithNewAddress,
    /// Another attempt is worth it, but for the whole file at once, or in other pieces.
    RetryRecut,
    /// Another attempt is worth it, once, with nothing of this one.
    RetryFromNothing,
    /// This file is lost; the others go on.
    GiveUp,
    /// Nothing can go on: the disk is full or forbidden.
    StopAll,
}

impl FetchFault {
    pub(crate) fn retry_decision(&self) -> RetryDecision {
        match self {
            Self::OfTerms { fault, .. } => fault.retry_decision(),
            Self::RateLimited { .. } | Self::Server { .. } if self.asks_for_too_much() => {
                RetryDecision::GiveUp
            }
            Self::Connect { .. }
            | Self::Broken { .. }
            | Self::Stalled { .. }
            | Self::Slow { .. }
            | Self::Server { .. }
            | Self::RateLimited { .. } => RetryDecision::Retry,
            Self::Proxy { fault } if fault.is_passing() => RetryDecision::Retry,
            // It is never gone around, and the other files have no other.
            Self::ProxySetting(_) => RetryDecision::StopAll,
            Self::Corrupt(_) => RetryDecision::RetryFromNothing,
            Self::Nonsense { .. }
            | Self::Untrusted { .. }
            | Self::Proxy { .. }
            | Self::FreshRefused { .. }
            | Self::Intercepted { .. }
            | Self::Page { .. } => RetryDecision::RetryBriefly,
            Self::Stale { .. } => RetryDecision::RetryWithNewAddress,
            Self::RangeIgnored { .. } | Self::CutElsewhere => RetryDecision::RetryRecut,
            Self::Refused { .. }
            | Self::Unauthorized { .. }
            | Self::Missing { .. }
            | Self::Unplaceable(_) => RetryDecision::GiveUp,
            // The controller has tried a few times; a Hub that is away for a minute needs more.
            Self::SourceUnavailable(failure) => match failure.kind {
                FailureKind::Unreachable => RetryDecision::Retry,
                // Its bytes are elsewhere now.
                FailureKind::Stale => RetryDecision::RetryWithNewAddress,
                // It has waited as long as it was told to, or was told to wait for too long.
                FailureKind::RateLimited => RetryDecision::RetryBriefly,
                _ => RetryDecision::GiveUp,
            },
            Self::Disk(failure) => match failure.kind {
                FailureKind::InTheWay | FailureKind::ChangedMeanwhile => RetryDecision::GiveUp,
                _ => RetryDecision::StopAll,
            },
        }
    }

    /// How long the server asked to wait, and one second more: it counts whole ones.
    pub(crate) fn asked_wait(&self) -> Option<Duration> {
        match self {
            Self::OfTerms { fault, .. } => fault.asked_wait(),
            Self::RateLimited { wait, .. } | Self::Server { wait, .. } => {
                wait.map(|wait| wait.saturating_add(Duration::from_secs(1)))
            }
            _ => None,
        }
    }

    /// Whether that is longer than a user waits in front of a running program.
    fn asks_for_too_much(&self) -> bool {
        self.asked_wait().is_some_and(|wait| wait > LONGEST_ASKED_WAIT)
    }

    /// The same of bytes that are in xorbs, as the answer of this number has it.
    pub(crate) fn of_terms(self, answer: u32) -> Self {
        Self::OfTerms { fault: Box::new(self), answer }
    }

    /// What the Hub's Xet store says of a file makes no sense.
    pub(crate) fn of_xet_store(what: &impl ToString) -> Self {
        Self::Nonsense { host: "the Xet store".to_owned(), what: what.to_string() }
    }

    /// The same of an address that had not been used before.
    pub(crate) fn of_fresh_address(self) -> Self {
        match self {
            Self::Stale { host, status, why } => Self::FreshRefused { host, status, why },
            other => other,
        }
    }

    /// The same with what the body of the refusal says, where nothing else does.
    pub(crate) fn with_reason(mut self, text: Option<String>) -> Self {
        if let (Self::Stale { why, .. } | Self::Refused { why, .. } | Self::Missing { why, .. }, Some(text)) =
            (&mut self, text)
            && why.is_empty()
        {
            *why = text;
        }
        self
    }

    /// The same in the protocol's words.
    pub(crate) fn failure(&self) -> Failure {
        let kind = match self {
            Self::ProxySetting(_) => FailureKind::Misconfigured,
            Self::Connect { .. }
            | Self::Proxy { .. }
            | Self::Page { .. }
            | Self::Intercepted { .. }
            | Self::Untrusted { .. }
            | Self::Broken { .. }
            | Self::Stalled { .. }
            | Self::Slow { .. }
            | Self::Server { .. } => FailureKind::Unreachable,
            Self::RateLimited { .. } => FailureKind::RateLimited,
            Self::Stale { .. } | Self::FreshRefused { .. } => FailureKind::Stale,
            Self::Refused { .. } | Self::Unauthorized { .. } => FailureKind::NotAllowed,
            Self::Missing { .. } => FailureKind::NotFound,
            Self::RangeIgnored { .. } | Self::CutElsewhere | Self::Nonsense { .. } => FailureKind::Nonsense,
            Self::Corrupt(_) => FailureKind::Corrupt,
            Self::OfTerms { fault, .. } => return fault.failure(),
            Self::Disk(failure) | Self::Unplaceable(failure) | Self::SourceUnavailable(failure) => {
                return failure.clone();
            }
        };
        Failure::new(kind, self)
    }
}
