//! What can go wrong between us and the Hub, as far as a user or a retry has to tell it apart.
//!
//! No message holds a token or a query: addresses are kept without theirs, because a signed one is a secret.

use std::fmt;
use std::time::Duration;

use hfdown_agent::http::{NetworkFault, ProxyFault};
use hfdown_protocol::{Digest, limits};

use super::head::UseOfHead;
use super::{Credential, ErrorResponse, Interception};
use crate::text::units::{bytes, grouped};

/// Why the Hub did not answer as asked.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// There is no such repository, or it is private: without a token that may see it, the Hub does not tell these
    /// apart.
    #[error("{} is missing, or private and not shown to this account", .0.asked)]
    RepoNotFound(#[source] Box<ErrorResponse>),
    /// The repository has no such branch, tag or commit.
    #[error("{}: no such revision", .0.asked)]
    RevisionNotFound(#[source] Box<ErrorResponse>),
    /// The commit has no such file.
    #[error("{}: no such file", .0.asked)]
    EntryNotFound(#[source] Box<ErrorResponse>),
    /// The repository's conditions have to be accepted first, or this token's account was not let in.
    #[error("{}: access is restricted to accounts that accepted its conditions", .0.asked)]
    Gated(#[source] Box<ErrorResponse>),
    /// The Hub does not know the token, or it has expired. Public repositories are refused as well then.
    #[error("{}: the token may be wrong or expired", .0.asked)]
    BadToken(#[source] Box<ErrorResponse>),
    /// The token is valid and does not allow this.
    #[error("{}: not allowed", .0.asked)]
    NotAllowed(#[source] Box<ErrorResponse>),
    /// The Hub has closed the repository.
    #[error("{}: the repository is disabled", .0.asked)]
    Disabled(#[source] Box<ErrorResponse>),
    /// Too many requests, and the time until the next one is allowed is longer than we wait.
    #[error("{}: too many requests", .0.asked)]
    RateLimited(#[source] Box<ErrorResponse>),
    /// The Hub failed (5xx), or answered with a status that means nothing here.
    #[error("{}: the server answered {}", .0.asked, .0.status)]
    Server(#[source] Box<ErrorResponse>),
    /// No answer at all, or only a part of one.
    #[error(transparent)]
    Unreachable(Box<Unreached>),
    /// The proxy on the way does not do what it is there for.
    #[error(transparent)]
    Proxy(Box<ProxyRefusal>),
    /// Something between us and the Hub answered in its place.
    #[error(transparent)]
    Intercepted(Box<Interception>),
    /// An answer that makes no sense.
    #[error("the answer of {asked} makes no sense: {what}")]
    Nonsense {
        /// The address, without its query.
        asked: String,
        /// What is wrong with it.
        what: Nonsense,
    },
    /// A file's bytes are not those that are listed, also when they were asked for again.
    #[error("{asked}: its {} is {seen} where the Hub lists {listed}", .listed.kind())]
    Corrupt {
        /// The address, without its query.
        asked: String,
        /// As listed.
        listed: Digest,
        /// As received.
        seen: Digest,
    },
    /// Nothing may be asked: `HF_HUB_OFFLINE` is set.
    #[error("{asked} was not asked, because HF_HUB_OFFLINE is set")]
    Offline {
        /// The address, without its query.
        asked: String,
    },
}

/// What is wrong with an answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Nonsense {
    /// It is longer than anything the Hub has reason to send.
    #[error("it is longer than {0} bytes")]
    TooLong(u64),
    /// It is not the JSON that was asked for.
    #[error("{0}")]
    Json(String),
    /// It names no full commit hash.
    #[error(
        "it names no commit, neither as `sha` nor as `X-Repo-Commit`, so that there is no version to keep to"
    )]
    Commit,
    /// It names a repository by a name that none can have.
    #[error("it names no repository")]
    Repo,
    /// It redirects more often than the bound.
    #[error("it redirects more than {0} times")]
    Redirects(u32),
    /// A redirect, or a link to a next page, leads nowhere.
    #[error("it leads to no usable address")]
    Location,
    /// A redirect leads out of the Hub's origin.
    #[error("{0}")]
    OtherOrigin(OtherOrigin),
    /// A redirect leads from https to http.
    #[error("it leads from https to http")]
    Downgrade,
    /// A file has another length than the listing says.
    #[error("it has {seen} bytes where {listed} are listed")]
    Length {
        /// As listed.
        listed: u64,
        /// As received.
        seen: u64,
    },
    /// More pages than the most files need, or pages that lead in a circle.
    #[error("its list does not end")]
    Endless,
    /// More files, or more bytes of names, than one conversation may speak of.
    #[error(
        "it lists more than hfdown takes: {} files, and {} of their names",
        grouped(limits::FILES),
        bytes(limits::NAMES as u64)
    )]
    TooManyFiles,
    /// The sizes add up to more than 64 bits hold.
    #[error("its sizes are impossible")]
    Sizes,
}

/// Another origin, to which a question was redirected and not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherOrigin {
    /// Its scheme, host and port.
    pub origin: String,
    /// The endpoint there, where the same question was meant.
    pub endpoint: Option<String>,
    /// Whether a token was left behind.
    pub credential: Credential,
}

/// A request that got no answer, or only a part of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreached {
    /// The address, without its query.
    pub asked: String,
    /// What failed.
    pub fault: NetworkFault,
    /// In the words of the library or the system.
    pub detail: String,
    /// The proxy that was asked for it, in words, where one was and did its part.
    pub through: Option<String>,
    /// What was tried before giving up.
    pub tried: Option<RetrySummary>,
}

/// A request that the proxy on the way did not take to where it was to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyRefusal {
    /// The address, without its query.
    pub asked: String,
    /// What is wrong with the proxy.
    pub fault: ProxyFault,
    /// What was tried before giving up.
    pub tried: Option<RetrySummary>,
}

/// How much was tried before giving up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetrySummary {
    /// How many attempts were made.
    pub attempts: u32,
    /// How long they took, waits included.
    pub elapsed: Duration,
}

impl HubError {
    /// Whether the same question may be answered a moment later.
    pub fn is_worth_another_try(&self) -> bool {
        match self {
            Self::RateLimited(_) => true,
            Self::Server(answer) => answer.is_passing(),
            Self::Proxy(refusal) => refusal.fault.is_passing(),
            // A certificate does not become valid by asking again.
            Self::Unreachable(unreached) => unreached.fault != NetworkFault::Certificate,
            _ => false,
        }
    }

    /// What the server answered, if it did.
    pub fn answer(&self) -> Option<&ErrorResponse> {
        match self {
            Self::RepoNotFound(answer)
            | Self::RevisionNotFound(answer)
            | Self::EntryNotFound(answer)
            | Self::Gated(answer)
            | Self::BadToken(answer)
            | Self::NotAllowed(answer)
            | Self::Disabled(answer)
            | Self::RateLimited(answer)
            | Self::Server(answer) => Some(answer),
            Self::Unreachable(_)
            | Self::Proxy(_)
            | Self::Intercepted(_)
            | Self::Nonsense { .. }
            | Self::Corrupt { .. }
            | Self::Offline { .. } => None,
        }
    }

    /// Whether a server that was asked with HEAD may have meant that, and not the file: it says so, or names no reason and
    /// is not known to answer HEAD as it does GET.
    pub(super) fn may_be_of_the_method(&self, known: UseOfHead) -> bool {
        self.answer().is_some_and(|answer| {
            let is_bare = answer.code.is_none() && answer.message.is_none();
            let is_unclear = is_bare && matches!(answer.status, 400 | 401 | 403 | 404);
            matches!(answer.status, 405 | 501) || (is_unclear && known != UseOfHead::Fine)
        })
    }

    /// The wait that the server asked for.
    pub(super) fn named_wait(&self) -> Option<Duration> {
        self.answer().and_then(|answer| answer.wait)
    }

    /// The same error, with what was tried before giving up.
    pub(super) fn after(mut self, tried: RetrySummary) -> Self {
        match &mut self {
            Self::RateLimited(answer) | Self::Server(answer) => answer.tried = Some(tried),
            Self::Unreachable(unreached) => unreached.tried = Some(tried),
            Self::Proxy(refusal) => refusal.tried = Some(tried),
            _ => {}
        }
        self
    }
}

impl Unreached {
    pub(super) fn new(asked: impl Into<String>, fault: NetworkFault, detail: impl Into<String>) -> Self {
        Self { asked: asked.into(), fault, detail: detail.into(), through: None, tried: None }
    }
}

impl fmt::Display for OtherOrigin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { origin, endpoint, credential } = self;
        write!(formatter, "it leads to {origin}, which was not asked")?;
        if *credential == Credential::Sent {
            formatter.write_str(": the token was left behind, because it is for the Hub alone")?;
        }
        if endpoint.is_none() {
            formatter.write_str("; a proxy or a login portal may be in between")?;
        }
        Ok(())
    }
}

impl fmt::Display for Unreached {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { asked, fault, detail, through, tried } = self;
        write!(formatter, "{asked}: {fault}: {detail}")?;
        through.iter().try_for_each(|proxy| write!(formatter, ", through {proxy}"))?;
        tried.iter().try_for_each(|tried| tried.fmt(formatter))
    }
}

impl std::error::Error for Unreached {}

impl ProxyRefusal {
    pub(super) fn new(asked: String, fault: ProxyFault) -> Self {
        Self { asked, fault, tried: None }
    }
}

impl fmt::Display for ProxyRefusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { asked, fault, tried } = self;
        write!(formatter, "{asked} was not reached: {fault}")?;
        tried.iter().try_for_each(|tried| tried.fmt(formatter))
    }
}

impl std::error::Error for ProxyRefusal {}

impl fmt::Display for RetrySummary {
    /// Nothing for a single attempt, otherwise a bracket that follows a message.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.attempts < 2 {
            return Ok(());
        }
        write!(formatter, " ({} attempts in {:.1} s)", self.attempts, self.elapsed.as_secs_f64())
    }
}
