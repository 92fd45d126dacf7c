//! What kind of machine a box says it is.

use std::fmt;

use crate::text::sanitize;

/// The longest system or CPU name that is shown, in characters.
const LONGEST_NAME: usize = 32;

/// A box's `uname -s` and `uname -m`, sanitised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Platform {
    /// `Linux`, `Darwin`, `FreeBSD` …
    pub system: String,
    /// `x86_64`, `aarch64`, `riscv64` …
    pub machine: String,
}

/// The CPUs that there are agents for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cpu {
    /// Intel and AMD.
    X86_64,
    /// 64-bit ARM: GH200, GB10, Graviton.
    Aarch64,
}

impl Platform {
    pub(super) fn new(system: &str, machine: &str) -> Self {
        Self { system: sanitize(system, LONGEST_NAME), machine: sanitize(machine, LONGEST_NAME) }
    }

    /// The CPU, if an agent can run on this machine.
    pub fn cpu(&self) -> Option<Cpu> {
        match (self.system.as_str(), self.machine.as_str()) {
            ("Linux", "x86_64" | "amd64") => Some(Cpu::X86_64),
            ("Linux", "aarch64" | "arm64") => Some(Cpu::Aarch64),
            _ => None,
        }
    }
}

/// `Linux x86_64`.
impl fmt::Display for Platform {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.system.as_str(), self.machine.as_str()) {
            ("", "") => formatter.write_str("a machine that does not say what it is"),
            (system, machine) => write!(formatter, "{system} {machine}"),
        }
    }
}

impl Cpu {
    /// The environment variable that names the file of an agent for this CPU, when hfdown is built and when it runs.
    pub fn variable(self) -> &'static str {
        match self {
            Self::X86_64 => "HFDOWN_AGENT_X86_64",
            Self::Aarch64 => "HFDOWN_AGENT_AARCH64",
        }
    }

    /// What `uname -m` says on Linux.
    pub fn machine(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Aarch64 => "aarch64",
        }
    }
}
