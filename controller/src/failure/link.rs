//! What keeps a link to a box from coming up.

use super::{Exit, Problem, login, shell};
use crate::link::{AutoTmux, HostKeyError, KnownHostsError, LinkError, NotForwarded, ShellKind};
use crate::system;

/// A file of known hosts that can't be used.
pub fn known_hosts(attempted: String, error: &KnownHostsError) -> Problem {
    Problem::new(Exit::Failed, attempted).because_of(error).hint("mend the file or its permissions")
}

/// A link that did not come up.
pub(super) fn link(attempted: String, error: &LinkError) -> Problem {
    let problem = Problem::new(exit(error), attempted).because_of(error);
    // What a box says before the login is often the best advice: Vast's asks to wait a few seconds.
    let problem = match banner(error) {
        "" => problem,
        banner => problem.because(format_args!("the box says: {banner}")),
    };
    let problem = match error {
        LinkError::WithoutMatch { skipped, .. } => problem.because(format_args!(
            "{skipped} was skipped, because hfdown runs no commands and looks at no networks: it may say how to reach this host"
        )),
        _ => problem,
    };
    match advice(error) {
        Some(hint) => problem.hint(hint),
        None => problem,
    }
}

fn banner(error: &LinkError) -> &str {
    match error {
        LinkError::Auth { banner, .. }
        | LinkError::NoKeys { banner, .. }
        | LinkError::SecondFactor { banner, .. } => banner,
        LinkError::Jump { source, .. } | LinkError::WithoutMatch { source, .. } => banner(source),
        _ => "",
    }
}

fn exit(error: &LinkError) -> Exit {
    match error {
        LinkError::Jump { source, .. } | LinkError::WithoutMatch { source, .. } => exit(source),
        LinkError::Resolve { .. }
        | LinkError::NotForwarded { why: NotForwarded::Unreachable, .. }
        | LinkError::Refused { .. }
        | LinkError::Timeout { .. }
        | LinkError::Unreachable { .. }
        | LinkError::NotSsh { .. }
        | LinkError::Handshake { .. }
        | LinkError::Busy { .. }
        | LinkError::Lost { .. } => Exit::Unreachable,
        LinkError::HostKey { source, .. } => match source {
            HostKeyError::File(_) => Exit::Failed,
            _ => Exit::NotAllowed,
        },
        LinkError::Auth { .. }
        | LinkError::NoKeys { .. }
        | LinkError::SecondFactor { .. }
        | LinkError::NoExec { .. }
        | LinkError::NoShell { kind: ShellKind::TerminalOnly, .. }
        | LinkError::NotForwarded { why: NotForwarded::Forbidden, .. } => Exit::NotAllowed,
        LinkError::NoUser => Exit::Usage,
        LinkError::Algorithms { .. }
        | LinkError::NoShell { .. }
        | LinkError::Shell { .. }
        | LinkError::Noisy { .. }
        | LinkError::AgentSilent { .. }
        | LinkError::OtherMachine { .. }
        | LinkError::NoImage { .. }
        | LinkError::NoFolder { .. }
        | LinkError::Install { .. } => Exit::Failed,
    }
}

fn advice(error: &LinkError) -> Option<String> {
    Some(match error {
        LinkError::Jump { source, .. } => return advice(source),
        LinkError::WithoutMatch { .. } => {
            "write its HostName, User and IdentityFile into a `Host` block, or into the SSH command".to_owned()
        }
        LinkError::NotForwarded { why: NotForwarded::Forbidden, .. } => {
            "`AllowTcpForwarding` in the jump host's sshd_config decides about that".to_owned()
        }
        LinkError::NotForwarded { .. } => {
            "check that the box is running, and that host and port are those that the jump host knows it by".to_owned()
        }
        LinkError::Resolve { .. } => "check the host's name in the SSH command".to_owned(),
        LinkError::Refused { .. } => {
            "a box that was just started needs a minute or two until its SSH server listens; check the port, then try again"
                .to_owned()
        }
        LinkError::Unreachable { source, .. } if system::is_out_of_descriptors(source) => {
            "this shell lets too few files be open at once: raise `ulimit -n`, or go to fewer boxes at once (--jobs)".to_owned()
        }
        LinkError::Timeout { .. } | LinkError::Unreachable { .. } => {
            "check that the box is running and that host and port are those of its console".to_owned()
        }
        LinkError::NotSsh { said, .. } if said.starts_with("HTTP/") => {
            "that is a web server's port; the box's console shows the one for SSH".to_owned()
        }
        LinkError::NotSsh { .. } => "check the port: the box's console shows the one for SSH".to_owned(),
        LinkError::Algorithms { .. } => {
            "its SSH server is old, or allows little: its `sshd_config` decides about that".to_owned()
        }
        LinkError::Handshake { .. } => {
            "check the port; a proxy that is busy hangs up like this, too: try again in a minute".to_owned()
        }
        LinkError::HostKey { source, .. } => return host_key_advice(source),
        LinkError::NoUser => "write the user into the SSH command: ssh -p PORT USER@HOST".to_owned(),
        LinkError::Busy { said, .. } if said.starts_with("Exceeded") => {
            "more clients are logging in to it than it allows at a time: try again in a minute".to_owned()
        }
        LinkError::Busy { .. } => {
            "it keeps out addresses from which logins have failed, for some minutes: wait, then try again with the right key"
                .to_owned()
        }
        LinkError::Auth { tried, methods, .. } => login::not_let_in(tried, methods),
        LinkError::NoKeys { methods, failure, .. } => login::no_keys(methods, failure.as_ref()),
        LinkError::SecondFactor { methods, failure, .. } => login::second_factor(methods, failure.as_ref()),
        LinkError::NoShell { address, kind, said } => shell::of_kind(*kind, address, said).to_owned(),
        LinkError::Shell { exit, waited, said, tmux, .. } => {
            shell::of_silence(exit.as_ref(), *waited, said, *tmux).to_owned()
        }
        LinkError::Noisy { tmux: AutoTmux::RuledOut, .. } => {
            "a start-up file of that shell (.bashrc, .profile) prints without end: let it do so at a terminal only \
             (`[ -t 0 ] || return` at its top)"
                .to_owned()
        }
        LinkError::Noisy { .. } => shell::TMUX.to_owned(),
        LinkError::NoImage { variable, .. } => {
            format!(
                "build the agent for that CPU (the README of hfdown's sources says how) and name its file: {variable}=FILE \
                 hfdown …"
            )
        }
        LinkError::NoFolder { .. } => "the agent needs 5 MB in a folder that is not mounted noexec".to_owned(),
        LinkError::Install { .. } => "check that the box has room for 5 MB, then try again".to_owned(),
        LinkError::Lost { .. } => "run the same command again: what is on disk is kept".to_owned(),
        LinkError::OtherMachine { .. } => {
            "take a box with Linux on such a CPU, or install hfdown on this one and run `hfdown rsync-sync` there".to_owned()
        }
        LinkError::NoExec { .. } => {
            "use the SSH command of the box itself, not that of a gateway or a file server".to_owned()
        }
        LinkError::AgentSilent { .. } if error.is_killed_agent() => {
            "try again; if it stays so, give the box, or its container, more memory (`docker run --memory`): the agent needs 64 MB"
                .to_owned()
        }
        LinkError::AgentSilent { .. } => {
            "try again; if it stays so, look at the memory and the limits of processes that the box allows".to_owned()
        }
    })
}

fn host_key_advice(error: &HostKeyError) -> Option<String> {
    Some(match error {
        HostKeyError::Changed { remedy, shown, .. } => format!(
            "rented addresses are reused, so this may be another box, or a machine in between; if the box's console shows \
             this key, forget the old one (`{remedy}`) or run with --host-key {shown}"
        ),
        HostKeyError::Unknown { shown } => {
            format!("compare it with what the box's console shows, then run with --host-key {shown}")
        }
        HostKeyError::NotPinned { .. } => "this is not the box that the fingerprint belongs to".to_owned(),
        HostKeyError::File(_) => {
            "mend the file or its permissions; a file that can't be read is not taken for an empty one"
                .to_owned()
        }
        HostKeyError::Certificate(_) => {
            "ask the operator of the host's certificate authority, or run with --host-key SHA256:… of the host's own key".to_owned()
        }
        HostKeyError::Revoked { .. } => return None,
    })
}
