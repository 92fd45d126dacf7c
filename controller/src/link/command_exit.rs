//! How a command on a box ended, and what a signal that ended it says of the box.

use std::fmt;

use russh::Sig;

use crate::text::sanitize;

/// The most characters of a signal's name.
const LONGEST_SIGNAL: usize = 32;

/// A shell that waited for a command which a signal ended exits with this and the signal's number.
const SHELL_BASE: u32 = 128;

/// The signals of Linux that end a process, by number, as `x86_64` and aarch64 have them.
const SIGNALS: [(u32, &str); 18] = [
    (1, "HUP"),
    (2, "INT"),
    (3, "QUIT"),
    (4, "ILL"),
    (5, "TRAP"),
    (6, "ABRT"),
    (7, "BUS"),
    (8, "FPE"),
    (9, "KILL"),
    (10, "USR1"),
    (11, "SEGV"),
    (12, "USR2"),
    (13, "PIPE"),
    (14, "ALRM"),
    (15, "TERM"),
    (24, "XCPU"),
    (25, "XFSZ"),
    (31, "SYS"),
];

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommandExit {
    /// With this status.
    Status(u32),
    /// By a signal, named without `SIG`.
    Signal(String),
}

/// A signal that ended a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExitSignal {
    /// Its number; none where the server gives another name than Linux has.
    number: Option<u32>,
    /// Its name without `SIG`, sanitised.
    name: String,
}

/// Whose doing a signal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignalCause {
    /// The system's, or another process's: it may not come again.
    Outside,
    /// The program's own, for a reason that does not pass.
    Program,
}

impl CommandExit {
    /// What a server calls a signal.
    pub(in crate::link) fn of_signal(signal: &Sig) -> Self {
        let name = match signal {
            Sig::ABRT => "ABRT",
            Sig::ALRM => "ALRM",
            Sig::FPE => "FPE",
            Sig::HUP => "HUP",
            Sig::ILL => "ILL",
            Sig::INT => "INT",
            Sig::KILL => "KILL",
            Sig::PIPE => "PIPE",
            Sig::QUIT => "QUIT",
            Sig::SEGV => "SEGV",
            Sig::TERM => "TERM",
            Sig::USR1 => "USR1",
            Sig::Custom(name) => name,
        };
        Self::Signal(sanitize(name, LONGEST_SIGNAL))
    }

    /// The signal that ended it, be it the server that says so or a shell around the command.
    pub fn signal(&self) -> Option<ExitSignal> {
        match self {
            Self::Signal(name) => {
                let number = SIGNALS.iter().find(|(_, known)| known == name).map(|(number, _)| *number);
                Some(ExitSignal { number, name: name.clone() })
            }
            Self::Status(status) => {
                let number = status.checked_sub(SHELL_BASE)?;
                let (number, name) = SIGNALS.iter().find(|(known, _)| *known == number)?;
                Some(ExitSignal { number: Some(*number), name: (*name).to_owned() })
            }
        }
    }
}

/// `exit status 3`, or `signal 9`.
impl fmt::Display for CommandExit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self, self.signal()) {
            (_, Some(signal)) => signal.fmt(formatter),
            (Self::Status(status), None) => write!(formatter, "exit status {status}"),
            (Self::Signal(name), None) => write!(formatter, "signal {name}"),
        }
    }
}

/// `signal 9`, which needs no name; `signal 7, SIGBUS`.
impl fmt::Display for ExitSignal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.number, self.name.as_str()) {
            (Some(number), "KILL") => write!(formatter, "signal {number}"),
            (Some(number), name) => write!(formatter, "signal {number}, SIG{name}"),
            // OpenSSH has names for thirteen signals, and this for the others.
            (None, "SIG@openssh.com") => formatter.write_str("by a signal that its SSH server does not name"),
            (None, name) => write!(formatter, "signal {name}"),
        }
    }
}

impl ExitSignal {
    /// Whose doing it is. What a program gets for a defect, or for what it may not do, it gets again.
    pub fn cause(&self) -> SignalCause {
        match self.name.as_str() {
            "ABRT" | "ILL" | "TRAP" | "FPE" | "SYS" => SignalCause::Program,
            // A page of its file that can't be read, or of a file system in memory that is full, may be there again.
            _ => SignalCause::Outside,
        }
    }

    /// Whether the system's want of memory ends processes by it.
    pub fn is_kill(&self) -> bool {
        self.name == "KILL"
    }

    /// What was done to the process, with what is most likely behind it: `was killed (signal 9): out of memory?`. `when`
    /// follows the verb.
    pub fn in_words(&self, when: &str) -> String {
        let (what, why) = match self.name.as_str() {
            "KILL" => ("was killed", ": out of memory?"),
            "TERM" | "HUP" | "INT" => ("was killed", ": is the box being stopped?"),
            "XCPU" => ("was killed", ": its limit of CPU time (`ulimit -t`) is used up"),
            "BUS" => ("crashed", ": a disk that is full or fails?"),
            "SEGV" | "ABRT" | "ILL" | "TRAP" | "FPE" | "SYS" => ("crashed", ""),
            _ => ("was killed", ""),
        };
        format!("{what}{when} ({self}){why}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_known_by_its_name_and_by_a_shells_status() {
        let signal = |name: &str| CommandExit::Signal(name.to_owned());
        for (exit, words) in [
            (signal("KILL"), Some("was killed (signal 9): out of memory?")),
            (CommandExit::Status(137), Some("was killed (signal 9): out of memory?")),
            (signal("TERM"), Some("was killed (signal 15, SIGTERM): is the box being stopped?")),
            (CommandExit::Status(143), Some("was killed (signal 15, SIGTERM): is the box being stopped?")),
            (CommandExit::Status(135), Some("crashed (signal 7, SIGBUS): a disk that is full or fails?")),
            (CommandExit::Status(139), Some("crashed (signal 11, SIGSEGV)")),
            (signal("SIG@openssh.com"), Some("was killed (by a signal that its SSH server does not name)")),
            (signal("WINCH"), Some("was killed (signal WINCH)")),
            (CommandExit::Status(0), None),
            (CommandExit::Status(75), None),
            (CommandExit::Status(127), None),
            (CommandExit::Status(128), None),
            (CommandExit::Status(128 + 64), None),
            (CommandExit::Status(255), None),
        ] {
            let said = exit.signal().map(|signal| signal.in_words(""));
            assert_eq!(said.as_deref(), words, "{exit}");
        }
    }

    #[test]
    fn what_a_program_does_to_itself_is_not_told_from_its_number_alone() {
        let cause = |status: u32| CommandExit::Status(128 + status).signal().map(|signal| signal.cause());
        for outside in [1, 2, 7, 9, 11, 15, 24] {
            assert_eq!(cause(outside), Some(SignalCause::Outside), "{outside}");
        }
        for own in [4, 5, 6, 8, 31] {
            assert_eq!(cause(own), Some(SignalCause::Program), "{own}");
        }
    }

    #[test]
    fn a_name_that_a_server_makes_up_is_sanitised_and_short() {
        let made_up = Sig::Custom(format!("\u{1b}[2J{}", "X".repeat(99)));
        let CommandExit::Signal(name) = CommandExit::of_signal(&made_up) else { panic!("it is a signal") };
        assert!(name.starts_with("[2JX") && name.chars().count() <= LONGEST_SIGNAL + 1, "{name}");
    }
}
