//! What to do about a login that runs no commands.

use std::time::Duration;

use crate::link::{AutoTmux, CommandExit, ShellKind};

/// What to do about an automatic tmux.
pub(super) const TMUX: &str = "if the box opens tmux at login, run `touch ~/.no_auto_tmux` there once (or put it in the box's on-start script), \
     then try again";

/// What to do where a server or an account is for something else.
pub(super) fn of_kind(kind: ShellKind, address: &str, said: &str) -> &'static str {
    match kind {
        ShellKind::TerminalOnly if is_runpod(address) || is_runpod(said) => {
            "take the pod's direct TCP address: RunPod's console shows it under Connect as `SSH over exposed TCP` (ssh root@IP -p \
             PORT); a pod without one needs TCP port 22 exposed"
        }
        ShellKind::TerminalOnly => {
            "take the box's own address instead of this proxy's: its console shows one for direct TCP (RunPod: `SSH over exposed \
             TCP`)"
        }
        ShellKind::GitServer => "use the SSH command of the box: this server is for `git clone` alone",
        ShellKind::NoLogin => {
            "log in as a user with a shell, such as root, or give this one a shell there: `usermod -s /bin/sh USER`"
        }
        ShellKind::FilesOnly => {
            "log in as a user who may run commands: `ForceCommand` in the box's sshd_config, or this user's shell, decides about that"
        }
        ShellKind::Restricted => {
            "log in as a user with a full shell, or give this one such a shell there: `usermod -s /bin/bash USER`; what is forced on a \
             key is in `authorized_keys` (`command=`)"
        }
        ShellKind::Windows => {
            "take a box with Linux, or install hfdown on this one and run `hfdown rsync-sync` there; an SSH server inside WSL is \
             one with Linux"
        }
        ShellKind::Device => "check host and port: the box's console shows the SSH command of the box itself",
        ShellKind::Menu => {
            "log in by `ssh` to see what it asks; a start-up file of that shell (.bashrc, .profile) should ask at a terminal only \
             (`[ -t 0 ] || return` at its top), and where the menu is a gateway's, take the box's own address"
        }
        ShellKind::AnotherShell => {
            "a start-up file (.bashrc, .profile) should start another shell at a terminal only: `[ -t 0 ] && exec …`"
        }
        ShellKind::Multiplexer => TMUX,
    }
}

/// What to do where a shell ran nothing, and nothing says why.
pub(super) fn of_silence(
    exit: Option<&CommandExit>,
    waited: Option<Duration>,
    said: &str,
    tmux: AutoTmux,
) -> &'static str {
    match (tmux, waited, exit) {
        (AutoTmux::RuledOut, Some(_), _) => {
            "a start-up file of that shell (.bashrc, .profile) sleeps, waits for input or starts another program: let it do so at \
             a terminal only (`[ -t 0 ] || return` at its top); `ssh HOST true` must come back by itself"
        }
        (_, _, Some(CommandExit::Status(1))) if said.is_empty() => {
            "the account's shell may be one that lets no one in (/bin/false), or a start-up file ends each session: `ssh HOST true` \
             must come back with 0"
        }
        (_, _, Some(CommandExit::Status(0))) => {
            "this key, or this user, may have a command forced on it (`command=` in authorized_keys, `ForceCommand` in sshd_config), \
             or a start-up file (.bashrc, .profile) ends each session: it should do so at a terminal only"
        }
        (AutoTmux::RuledOut, ..) => {
            "a start-up file of that shell (.bashrc, .profile) ends every session: let it do so at a terminal only (`[ -t 0 ] || \
             return` at its top)"
        }
        (AutoTmux::Possible, ..) => {
            "`ssh HOST true` must come back with 0: a start-up file of that shell (.bashrc, .profile) may be in its way; if the box \
             opens tmux at login, run `touch ~/.no_auto_tmux` there once, then try again"
        }
    }
}

/// By its proxy's name, `ssh.runpod.io`, or by the greeting of its terminals.
fn is_runpod(text: &str) -> bool {
    text.to_lowercase().contains("runpod")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_of_runpod_is_led_to_its_direct_address_and_no_other_box_is() {
        let advice = |address, said| of_kind(ShellKind::TerminalOnly, address, said);
        let at_runpod = advice("ssh.runpod.io:22", "");
        assert!(at_runpod.starts_with("take the pod's direct TCP address: RunPod's console"), "{at_runpod}");
        assert_eq!(advice("10.0.0.1:22", "-- RUNPOD.IO -- · Enjoy your Pod"), at_runpod);
        let elsewhere = advice("gateway.example.com:22", "Welcome");
        assert!(elsewhere.starts_with("take the box's own address"), "{elsewhere}");
    }

    #[test]
    fn what_is_said_of_a_silent_shell_fits_what_was_seen_of_it() {
        let status = |status| Some(CommandExit::Status(status));
        let waited = Some(Duration::from_secs(20));
        for (exit, waited, said, tmux, part) in [
            (None, waited, "", AutoTmux::RuledOut, "sleeps, waits for input or starts another program"),
            (status(1), None, "", AutoTmux::RuledOut, "/bin/false"),
            (status(0), None, "backup done", AutoTmux::Possible, "`command=` in authorized_keys"),
            (status(1), None, "go away", AutoTmux::RuledOut, "ends every session"),
            (status(1), None, "no sessions", AutoTmux::Possible, "touch ~/.no_auto_tmux"),
        ] {
            let advice = of_silence(exit.as_ref(), waited, said, tmux);
            assert!(advice.contains(part), "{exit:?} {said}: {advice}");
        }
    }
}
