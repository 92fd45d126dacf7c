//! SSH: from what the user pasted to an agent that listens.
//!
//! [`reach`] connects, believes the host's key or not, logs in, and runs **one** command that starts the agent which is
//! cached on the box, or says what kind of machine it is. Only then, and only if there is none, an agent is uploaded.
//! The box needs a POSIX shell and nothing else: no sftp, scp, curl or CA files.
//!
//! What comes from the box is bounded and sanitised. It can open no channels here, and no ssh-agent is forwarded to it.

mod agent;
mod command_exit;
mod config;
mod connection;
mod error;
mod error_words;
mod file_line;
mod host_key;
mod keys;
#[cfg(test)]
mod openssh;
mod pattern;
mod platform;
mod reach;
mod resolve;
mod settings;
mod shared;
mod shell_kind;
mod ssh_command;
mod turns;

pub use agent::{
    AgentExit, AgentImage, AgentImages, AgentLink, AgentOrigin, BadAgent, Dismissal, ImageError, Leftovers,
    LinkGuard, TmuxOptOut,
};
pub use command_exit::{CommandExit, ExitSignal, SignalCause};
pub use config::{ConfigError, ConfigFile, EnvironmentVariables, Presence, SkippedMatch};
pub use connection::{ChannelReader, ChannelWriter};
pub use error::{AutoTmux, InstallStage, LinkError, NotForwarded};
pub use file_line::FileLine;
pub use host_key::{
    CertificateError, ForgetCommand, HostKeyError, HostKeyPolicy, HostKeyTrust, KnownHostsError,
};
pub use keys::{
    AnswerFailure, Askpass, Echo, KeyFailure, Keyring, TriedKey, UnlockError, UserAnswer, UserPrompt,
};
pub use platform::{Cpu, Platform};
pub use reach::{forget, reach, reach_leaving};
pub use settings::LinkSettings;
pub use shared::SharedLinks;
pub use shell_kind::ShellKind;
pub use ssh_command::{
    AddressFamily, AuthMethod, AuthMethods, BatchMode, IdentitiesOnly, IgnoredOption, SshTarget,
    StrictHostKeyChecking, TargetError,
};
pub use turns::QueueTime;
