//! Everything that can keep a link from coming up, one variant per thing that a user can meet.
//!
//! Texts in here that came from the box have been through [`crate::text::sanitize`].

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::command_exit::{CommandExit, SignalCause};
use super::config::SkippedMatch;
use super::error_words::{
    because, factor, idle, list, methods_of, not_started, other_methods, printed, quoted, says,
};
use super::host_key::HostKeyError;
use super::keys::{AnswerFailure, KeyFailure, TriedKey};
use super::platform::Platform;
use super::shell_kind::ShellKind;

/// Why there is no agent to talk to.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The host's name could not be resolved.
    #[error("cannot find the address of {host}")]
    Resolve {
        /// The name.
        host: String,
        /// What the resolver said.
        #[source]
        source: io::Error,
    },
    /// Nothing listens there: a box that is still starting, or has stopped, or another port.
    #[error("{address} refused the connection")]
    Refused {
        /// `host:port`.
        address: String,
    },
    /// Nothing answered in time.
    #[error("{address} did not answer within {} s", .after.as_secs())]
    Timeout {
        /// `host:port`.
        address: String,
        /// How long it was given.
        after: Duration,
    },
    /// The same, and a block of the configuration that may be about this host was passed over.
    #[error("{source}")]
    WithoutMatch {
        /// What happened.
        source: Arc<LinkError>,
        /// The block.
        skipped: SkippedMatch,
    },
    /// A host on the way can't be passed.
    #[error("cannot go through the jump host {jump}")]
    Jump {
        /// Its `host:port`.
        jump: String,
        /// Why.
        #[source]
        source: Arc<LinkError>,
    },
    /// A jump host lets us in, but opens no connection to the next host.
    #[error("the jump host {jump} opens no connection to {address}: {why}")]
    NotForwarded {
        /// The jump host's `host:port`.
        jump: String,
        /// The next host's.
        address: String,
        /// Why not.
        why: NotForwarded,
    },
    /// The network has no way there.
    #[error("cannot reach {address}")]
    Unreachable {
        /// `host:port`.
        address: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Something else listens there.
    #[error("{address} is no SSH server{}", says(.said))]
    NotSsh {
        /// `host:port`.
        address: String,
        /// Its first words, sanitised.
        said: String,
    },
    /// An SSH server with which nothing can be agreed on.
    #[error("{address} and hfdown have no {kind} algorithm in common: it knows {theirs}")]
    Algorithms {
        /// `host:port`.
        address: String,
        /// What for.
        kind: &'static str,
        /// Those that the server knows, sanitised.
        theirs: String,
    },
    /// A connection came up, but no SSH session: it hung up, for one.
    #[error("{address} does not complete an SSH handshake: {detail}")]
    Handshake {
        /// `host:port`.
        address: String,
        /// What was seen.
        detail: String,
    },
    /// The server's key is not believed.
    #[error("{address} can't be trusted")]
    HostKey {
        /// `host:port`.
        address: String,
        /// Why.
        #[source]
        source: HostKeyError,
    },
    /// Neither the SSH string nor the environment says who to log in as.
    #[error("no user to log in as")]
    NoUser,
    /// OpenSSH takes no connections from here for a while, and says so before the handshake.
    #[error("{address} takes no connections from here at present: it says `{said}`")]
    Busy {
        /// `host:port`.
        address: String,
        /// Its words, sanitised.
        said: String,
    },
    /// The server takes no keys, and the user can't be asked for what it takes.
    #[error("{address} takes no keys; it takes {}", methods_of(.methods))]
    NoKeys {
        /// `host:port`.
        address: String,
        /// Who tried to log in.
        user: String,
        /// What it takes, by the names in SSH.
        methods: String,
        /// Why the user was not asked.
        failure: Option<AnswerFailure>,
        /// What the server printed before the login, sanitised.
        banner: String,
    },
    /// The server took a key, and wants something else as well.
    #[error("{accepted} was accepted, and {address} wants {} as well{}", factor(.methods), because(.question, .failure.as_ref()))]
    SecondFactor {
        /// `host:port`.
        address: String,
        /// Who tried to log in.
        user: String,
        /// What it has accepted.
        accepted: String,
        /// What it wants, by the names in SSH.
        methods: String,
        /// What it asked, sanitised.
        question: String,
        /// Why that was not answered.
        failure: Option<AnswerFailure>,
        /// What the server printed before the login, sanitised.
        banner: String,
    },
    /// The server took none of the keys, nor of the answers.
    #[error("{address} did not let {user} in: {}{}", list(.tried), other_methods(.methods))]
    Auth {
        /// `host:port`.
        address: String,
        /// Who tried to log in.
        user: String,
        /// Every key that was considered, and what became of it.
        tried: Vec<TriedKey>,
        /// What the server takes, by the names in SSH.
        methods: String,
        /// What the server printed before the login, sanitised; often says what to do.
        banner: String,
    },
    /// The server lets us in but runs no commands.
    #[error("{address} let us in, but refuses to run a command")]
    NoExec {
        /// `host:port`.
        address: String,
    },
    /// The server, or the account, is for something else than running commands.
    #[error("{address} {kind}{}", quoted(.said))]
    NoShell {
        /// `host:port`.
        address: String,
        /// What it is for.
        kind: ShellKind,
        /// The first lines of what it printed, sanitised.
        said: String,
    },
    /// The login shell neither started the agent nor said that there is none: start-up files that take over the session
    /// (an automatic tmux), that read or that sleep look like this.
    #[error("{address} let us in, but its shell runs nothing{}{}", idle(.exit.as_ref(), *.waited), printed(.said))]
    Shell {
        /// `host:port`.
        address: String,
        /// How it ended, if it did.
        exit: Option<CommandExit>,
        /// For how long it was waited for, if it did not.
        waited: Option<Duration>,
        /// The first lines of what it printed, sanitised.
        said: String,
        /// Whether an automatic tmux can be the reason.
        tmux: AutoTmux,
    },
    /// The shell printed without end.
    #[error("the login shell on {address} printed more than can be noise{}", quoted(.said))]
    Noisy {
        /// `host:port`.
        address: String,
        /// The first lines of what it printed, sanitised.
        said: String,
        /// Whether an automatic tmux can be the reason.
        tmux: AutoTmux,
    },
    /// The agent is on the box but does not come up.
    #[error("the agent on {address} {}{}", not_started(.exit.as_ref()), quoted(.said))]
    AgentSilent {
        /// `host:port`.
        address: String,
        /// How it ended, if it did.
        exit: Option<CommandExit>,
        /// The first lines of what it printed, sanitised.
        said: String,
    },
    /// The box is no Linux, or has a CPU that no agent is known for.
    #[error("{address} is {platform}, and the agent runs only on Linux with an x86_64 or aarch64 CPU")]
    OtherMachine {
        /// `host:port`.
        address: String,
        /// What it says it is.
        platform: Platform,
    },
    /// This build of hfdown carries no agent for the box's CPU.
    #[error("{address} is {platform}, and this hfdown carries no agent for it")]
    NoImage {
        /// `host:port`.
        address: String,
        /// What it says it is.
        platform: Platform,
        /// The variable that names the file of an agent for it.
        variable: &'static str,
    },
    /// No folder on the box can hold a program and run it.
    #[error("{address} has no folder that the agent can be put in and run from{}", quoted(.said))]
    NoFolder {
        /// `host:port`.
        address: String,
        /// What the shell said about the folders, sanitised.
        said: String,
    },
    /// The agent could not be written there whole.
    #[error("the agent could not be put on {address}: {}{}", .stage, quoted(.said))]
    Install {
        /// `host:port`.
        address: String,
        /// What failed.
        stage: InstallStage,
        /// What the shell said about it, sanitised.
        said: String,
    },
    /// The connection broke.
    #[error("the link to {address} broke{}", quoted(.detail))]
    Lost {
        /// `host:port`.
        address: String,
        /// What was seen.
        detail: String,
    },
}

impl LinkError {
    /// Whether no command of ours has run on the box.
    pub(super) fn has_run_nothing(&self) -> bool {
        matches!(
            self,
            Self::NoExec { .. }
                | Self::NoShell { .. }
                | Self::Shell { .. }
                | Self::Noisy { .. }
                | Self::Timeout { .. }
        )
    }

    /// Whether it says nothing about the box but that it could not be talked to just now.
    pub fn is_of_the_moment(&self) -> bool {
        match self {
            Self::Refused { .. }
            | Self::Timeout { .. }
            | Self::Unreachable { .. }
            | Self::Handshake { .. }
            | Self::Busy { .. }
            | Self::Lost { .. } => true,
            // A box that is still starting, seen from its jump host.
            Self::NotForwarded { why, .. } => *why == NotForwarded::Unreachable,
            Self::Jump { source, .. } | Self::WithoutMatch { source, .. } => source.is_of_the_moment(),
            _ => false,
        }
    }

    /// Whether there was an agent that was killed before it greeted.
    pub fn is_killed_agent(&self) -> bool {
        match self {
            Self::AgentSilent { exit, .. } => {
                let signal = exit.as_ref().and_then(CommandExit::signal);
                signal.is_some_and(|signal| signal.cause() == SignalCause::Outside)
            }
            _ => false,
        }
    }

    /// Whether getting to it has cost a login, at the box or at a host on the way. Servers count those that fail.
    pub fn has_cost_a_login(&self) -> bool {
        match self {
            // What was lost was logged in.
            Self::Auth { .. } | Self::Busy { .. } | Self::NotForwarded { .. } | Self::Lost { .. } => true,
            Self::Jump { source, .. } | Self::WithoutMatch { source, .. } => source.has_cost_a_login(),
            _ => false,
        }
    }

    /// The same with a block of the configuration that was passed over, where that may have made it so.
    pub(super) fn without(self, skipped: Option<&SkippedMatch>) -> Self {
        match (self, skipped) {
            (
                source @ (Self::Resolve { .. }
                | Self::Refused { .. }
                | Self::Timeout { .. }
                | Self::Unreachable { .. }
                | Self::Auth { .. }
                | Self::NoUser),
                Some(skipped),
            ) => Self::WithoutMatch { source: Arc::new(source), skipped: skipped.clone() },
            (error, _) => error,
        }
    }

    /// Whether the server hung up during the login.
    pub(super) fn hung_up(&self) -> bool {
        match self {
            Self::Auth { tried, .. } => tried.iter().any(|tried| tried.result == KeyFailure::HungUp),
            Self::Jump { source, .. } | Self::WithoutMatch { source, .. } => source.hung_up(),
            _ => false,
        }
    }
}

/// Whether a session may have been taken over by an automatic tmux.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AutoTmux {
    /// It may, and `~/.no_auto_tmux` could not be placed.
    Possible,
    /// It is something else: `~/.no_auto_tmux` was there, or was placed, and changed nothing.
    RuledOut,
}

/// Why a jump host opens no connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotForwarded {
    /// Its configuration forbids it.
    #[error("it is forbidden there")]
    Forbidden,
    /// Nothing answers, or there is no such name.
    #[error("it can't reach it")]
    Unreachable,
}

/// The part of an installation that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InstallStage {
    /// Writing the file: a full disk, for example.
    #[error("it could not be written")]
    Write,
    /// Fewer bytes arrived than were sent.
    #[error("it did not arrive whole")]
    Size,
    /// Its SHA-256 there is another one.
    #[error("it arrived damaged")]
    Digest,
    /// No progress for a long time.
    #[error("the upload stalled")]
    Stalled,
}
