//! What a server or an account is for, where it lets a user in and runs no commands: known by what it prints.
//!
//! Each text here is one that a program really prints, in lower case. A text that could come from any start-up file does
//! not belong here: what is not recognised is quoted, and not given a name.

use std::fmt;

/// A kind of login that runs no commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShellKind {
    /// A proxy that leads to a terminal, as `ssh.runpod.io` does.
    TerminalOnly,
    /// `git-shell`, and what hosts repositories as the Hub does.
    GitServer,
    /// `nologin`: the account is not for people.
    NoLogin,
    /// SFTP, or another way to transfer files.
    FilesOnly,
    /// `rbash`, `lshell`, `rrsync`: some commands alone.
    Restricted,
    /// OpenSSH for Windows, with `cmd.exe` or PowerShell.
    Windows,
    /// A router, a switch or a firewall.
    Device,
    /// A program that asks a user what to do.
    Menu,
    /// An interactive shell that a start-up file begins, and that waits for a user to type.
    AnotherShell,
    /// tmux or screen, which find no terminal.
    Multiplexer,
}

/// In this order: what is further up is more certain.
const PRINTED: [(ShellKind, &[&str]); 9] = [
    (
        ShellKind::TerminalOnly,
        &[
            "client doesn't support pty",
            "client does not support pty",
            "requires a pty",
            "pty is required",
            "no command or pty requested",
            "interactive sessions only",
            "only interactive sessions",
        ],
    ),
    (
        ShellKind::GitServer,
        &[
            "interactive git shell is not enabled",
            // `git-shell` with any other command.
            "fatal: unrecognized command '",
            "does not provide shell access",
            "you appear to be using ssh to clone",
            "shell access is disabled",
            "you can use git to ",
            "disallowed command",
            "welcome to gitlab, ",
            "welcome to hugging face",
        ],
    ),
    (
        ShellKind::NoLogin,
        &["account is currently not available", "account is not available", "account has been disabled"],
    ),
    (
        ShellKind::FilesOnly,
        &[
            // OpenSSH, where `internal-sftp` is forced.
            "this service allows sftp connections only",
            "restricted by rssh",
            "scponly",
            "only sftp",
            "sftp only",
            "sftp-only",
        ],
    ),
    (
        ShellKind::Windows,
        &[
            "is not recognized as an internal or external command",
            "is not recognized as the name of a cmdlet",
            "is not recognized as a name of a cmdlet",
            // PowerShell, in any language.
            "fullyqualifiederrorid",
            "the command line is too long",
        ],
    ),
    (
        ShellKind::Restricted,
        &[
            "rbash: ",
            "exec: restricted",
            "/bin/sh: restricted",
            "forbidden syntax",
            "forbidden command",
            "lshell: ",
            "rrsync",
            "does not run rsync",
        ],
    ),
    (
        ShellKind::Device,
        &[
            "% invalid input detected",
            "% unknown command",
            "% incomplete command",
            "unrecognized command found at",
            "bad command name exec",
            "command parse error before",
            "command fail. return code",
            "unknown command: exec",
        ],
    ),
    (
        ShellKind::Multiplexer,
        &[
            "open terminal failed",
            "no sessions",
            "no server running on ",
            "sessions should be nested",
            "must be connected to a terminal",
            "can't find session",
        ],
    ),
    // What bash says where there is no terminal for it.
    (ShellKind::AnotherShell, &["no job control in this shell"]),
];

/// Words in the last line of a program that waits for an answer.
const ASKED: [&str; 6] = ["menu", "choice", "choose", "select", "press ", "[y/n]"];
/// What a question ends with that has no line of its own.
const QUESTION: [char; 5] = [':', '?', '>', ')', ']'];

impl ShellKind {
    /// What prints this. `waits` for what has not ended: only that can be a menu.
    pub(super) fn of(printed: &[u8], waits: Waits) -> Option<Self> {
        let printed = String::from_utf8_lossy(printed).to_lowercase();
        let asks = waits == Waits::Yes && is_question(&printed);
        // PowerShell breaks its lines where the window would end.
        let printed = printed.split_whitespace().collect::<Vec<_>>().join(" ");
        let contains = |texts: &[&str]| texts.iter().any(|text| printed.contains(text.trim_end()));
        let known = PRINTED.iter().find(|(_, texts)| contains(texts)).map(|(kind, _)| *kind);
        known.or(asks.then_some(Self::Menu))
    }
}

/// Whether the last line asks something.
fn is_question(printed: &str) -> bool {
    let Some(last) = printed.lines().rfind(|line| !line.trim().is_empty()) else { return false };
    let is_unfinished = !printed.ends_with('\n') && last.trim_end().ends_with(QUESTION);
    is_unfinished || ASKED.iter().any(|word| last.contains(word))
}

/// Whether what has printed something still runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waits {
    Yes,
    No,
}

/// `HOST …`.
impl fmt::Display for ShellKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::TerminalOnly => "gives only a terminal, and runs no commands",
            Self::GitServer => "is a Git server, and runs no other commands",
            Self::NoLogin => "let us in, but this account has no shell to run anything",
            Self::FilesOnly => "lets this account transfer files by SFTP, and runs no commands for it",
            Self::Restricted => "gives this account a restricted shell, which does not run the agent",
            Self::Windows => "runs Windows, and the agent runs only on Linux",
            Self::Device => "has a command line of its own, as routers and switches do, and no Linux shell",
            Self::Menu => "let us in, but its shell runs nothing: it asks a question, as a menu does",
            Self::AnotherShell => {
                "let us in, but its shell runs nothing: a start-up file starts another shell, which waits at its prompt"
            }
            Self::Multiplexer => "let us in, but its shell runs nothing: it opens tmux or screen",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_server_is_known_by_what_it_really_prints() {
        use ShellKind::{
            AnotherShell, Device, FilesOnly, GitServer, Menu, Multiplexer, NoLogin, Restricted, TerminalOnly,
            Windows,
        };
        for (printed, kind) in [
            ("Error: Your SSH client doesn't support PTY\n", Some(TerminalOnly)),
            ("This server requires a PTY.\r\n", Some(TerminalOnly)),
            (
                "fatal: Interactive git shell is not enabled.\nhint: ~/git-shell-commands should exist",
                Some(GitServer),
            ),
            ("fatal: unrecognized command 'exec /bin/sh -c '", Some(GitServer)),
            (
                "Hi acme! You've successfully authenticated, but GitHub does not provide shell access.",
                Some(GitServer),
            ),
            (
                "Invalid command: 'exec /bin/sh'\n  You appear to be using ssh to clone a git:// URL.",
                Some(GitServer),
            ),
            ("> GitLab: Disallowed command", Some(GitServer)),
            ("Hi acme, welcome to Hugging Face.\n", Some(GitServer)),
            ("This account is currently not available.\n", Some(NoLogin)),
            ("This account is not available\n", Some(NoLogin)),
            ("This service allows sftp connections only.\n", Some(FilesOnly)),
            ("This account is restricted by rssh.\nAllowed commands: sftp", Some(FilesOnly)),
            (
                "'exec' is not recognized as an internal or external command,\r\noperable program or batch file.\r\n",
                Some(Windows),
            ),
            (
                "exec : The term 'exec' is not recognized as the name of a cmdlet, function, script file, or operable \r\nprogram.",
                Some(Windows),
            ),
            (
                "exec : The term 'exec' is not recognized as the name \r\nof a cmdlet, function, script file",
                Some(Windows),
            ),
            ("    + FullyQualifiedErrorId : CommandNotFoundException\r\n", Some(Windows)),
            ("rbash: line 1: exec: restricted\n", Some(Restricted)),
            ("bash: line 1: exec: restricted\n", Some(Restricted)),
            ("/usr/bin/rrsync error: SSH_ORIGINAL_COMMAND does not run rsync\n", Some(Restricted)),
            ("*** forbidden command -> \"exec\"\n", Some(Restricted)),
            ("Line has invalid autocommand\r\n% Invalid input detected at '^' marker.\r\n", Some(Device)),
            ("bad command name exec (line 1 column 1)\r\n", Some(Device)),
            ("Error: Unrecognized command found at '^' position.", Some(Device)),
            ("open terminal failed: not a terminal\n", Some(Multiplexer)),
            ("no sessions\n", Some(Multiplexer)),
            ("bash: no job control in this shell\nroot@box:~# ", Some(AnotherShell)),
            ("Must be connected to a terminal.\r\n", Some(Multiplexer)),
            ("", None),
            ("backup of 3 files done\n", None),
            ("Have a lot of fun...\n", None),
            ("Welcome to Ubuntu 22.04.3 LTS (GNU/Linux 5.15.0 x86_64)\n", None),
        ] {
            for waits in [Waits::Yes, Waits::No] {
                assert_eq!(ShellKind::of(printed.as_bytes(), waits), kind, "{printed}");
            }
        }
        for menu in ["1) start\n2) stop\nYour choice: ", "MAIN MENU\n", "Press any key to continue"] {
            assert_eq!(ShellKind::of(menu.as_bytes(), Waits::Yes), Some(Menu), "{menu}");
            assert_eq!(ShellKind::of(menu.as_bytes(), Waits::No), None, "{menu}");
        }
        // A message of the day may speak of a menu; what waits after it may be anything.
        let of_the_day = "Choose wisely: the menu is on the wall\nMounting /data ...\n";
        assert_eq!(ShellKind::of(of_the_day.as_bytes(), Waits::Yes), None);
    }
}
