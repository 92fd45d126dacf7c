//! The agents that can be put on a box: embedded by `build.rs`, or read from files that the environment names.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use bytes::Bytes;
use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

use crate::link::platform::Cpu;

/// The executable of an agent for one CPU.
#[derive(Clone)]
pub struct AgentImage {
    bytes: Bytes,
    /// Lower-case hex.
    sha256: Cow<'static, str>,
}

/// The agents that this program has.
#[derive(Debug, Clone, Default)]
pub struct AgentImages {
    x86_64: Option<AgentImage>,
    aarch64: Option<AgentImage>,
}

/// An agent that the environment names and that can't be read.
#[derive(Debug, thiserror::Error)]
#[error("{variable} names {}, which can't be read", path.display())]
pub struct ImageError {
    /// The variable.
    pub variable: &'static str,
    /// Its value.
    pub path: PathBuf,
    /// What happened.
    #[source]
    pub source: io::Error,
}

impl AgentImage {
    /// An executable in memory.
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let sha256 = HEXLOWER.encode(&Sha256::digest(&bytes)).into();
        Self { bytes, sha256 }
    }

    /// An executable in a file.
    pub fn read(path: &Path) -> io::Result<Self> {
        fs::read(path).map(Self::new)
    }

    /// What `build.rs` embedded; an empty digest stands for nothing.
    fn embedded(bytes: &'static [u8], sha256: &'static str) -> Option<Self> {
        (!sha256.is_empty()).then(|| Self { bytes: Bytes::from_static(bytes), sha256: sha256.into() })
    }

    /// The executable itself.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Its SHA-256 in hex.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Its name on a box. The content is the version.
    pub fn file_name(&self) -> String {
        format!("agent-{}", &self.sha256[..16])
    }
}

/// The bytes are megabytes.
impl std::fmt::Debug for AgentImage {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "AgentImage({}, {} bytes)", self.file_name(), self.bytes.len())
    }
}

impl AgentImages {
    /// No agents at all; add them with [`Self::with`].
    pub fn none() -> Self {
        Self::default()
    }

    /// The agents that this program was built with.
    pub fn embedded() -> Self {
        Self {
            x86_64: AgentImage::embedded(
                include_bytes!(concat!(env!("OUT_DIR"), "/agent-x86_64")),
                env!("HFDOWN_EMBEDDED_X86_64_SHA256"),
            ),
            aarch64: AgentImage::embedded(
                include_bytes!(concat!(env!("OUT_DIR"), "/agent-aarch64")),
                env!("HFDOWN_EMBEDDED_AARCH64_SHA256"),
            ),
        }
    }

    /// The embedded agents, each replaced by the file that `HFDOWN_AGENT_X86_64` or `HFDOWN_AGENT_AARCH64` names.
    pub fn from_environment() -> Result<Self, ImageError> {
        let mut images = Self::embedded();
        for cpu in [Cpu::X86_64, Cpu::Aarch64] {
            let variable = cpu.variable();
            if let Some(path) = env::var_os(variable).filter(|path| !path.is_empty()).map(PathBuf::from) {
                let image =
                    AgentImage::read(&path).map_err(|source| ImageError { variable, path, source })?;
                images = images.with(cpu, image);
            }
        }
        Ok(images)
    }

    /// The same with another agent for one CPU.
    #[must_use]
    pub fn with(mut self, cpu: Cpu, image: AgentImage) -> Self {
        match cpu {
            Cpu::X86_64 => self.x86_64 = Some(image),
            Cpu::Aarch64 => self.aarch64 = Some(image),
        }
        self
    }

    /// The agent for one CPU.
    pub fn get(&self, cpu: Cpu) -> Option<&AgentImage> {
        match cpu {
            Cpu::X86_64 => self.x86_64.as_ref(),
            Cpu::Aarch64 => self.aarch64.as_ref(),
        }
    }
}
