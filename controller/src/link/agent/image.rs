//! The agents that can be put on a box: embedded by `build.rs`, or read from files that the environment names.
//!
//! An embedded one is compressed by gzip, which nearly every box can undo: so it is sent as it is, and unpacked here only
//! for a box that can't.

use std::borrow::Cow;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::{env, fs, io};

use bytes::Bytes;
use data_encoding::HEXLOWER;
use flate2::Compression;
use flate2::read::{GzDecoder, GzEncoder};
use sha2::{Digest as _, Sha256};

use crate::link::platform::Cpu;

/// The executable of an agent for one CPU.
#[derive(Clone)]
pub struct AgentImage {
    forms: Arc<ImageForms>,
    size: usize,
    /// Lower-case hex, of the executable itself.
    sha256: Cow<'static, str>,
}

/// One executable in two forms. The one that it did not come in is made when it is asked for.
#[derive(Default)]
struct ImageForms {
    plain: OnceLock<Bytes>,
    packed: OnceLock<Bytes>,
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
        let size = bytes.len();
        let forms = ImageForms { plain: bytes.into(), ..ImageForms::default() };
        Self { forms: Arc::new(forms), size, sha256 }
    }

    /// An executable in a file.
    pub fn read(path: &Path) -> io::Result<Self> {
        fs::read(path).map(Self::new)
    }

    /// What `build.rs` embedded; an empty digest stands for nothing.
    fn embedded(packed: &'static [u8], sha256: &'static str) -> Option<Self> {
        // The last thing in a gzip is the size of what was compressed.
        let size = usize::try_from(u32::from_le_bytes(*packed.last_chunk()?)).ok()?;
        let forms = ImageForms { packed: Bytes::from_static(packed).into(), ..ImageForms::default() };
        (!sha256.is_empty()).then(|| Self { forms: Arc::new(forms), size, sha256: sha256.into() })
    }

    /// The executable itself.
    pub fn bytes(&self) -> &Bytes {
        self.forms.plain.get_or_init(|| {
            let mut bytes = Vec::with_capacity(self.size);
            // A compressed form is this program's own. Were it damaged, no box would take what it leads to: its digest differs.
            _ = GzDecoder::new(&**self.packed()).read_to_end(&mut bytes);
            bytes.into()
        })
    }

    /// The same compressed by gzip. For what did not come so this takes a tenth of a second.
    pub fn packed(&self) -> &Bytes {
        self.forms.packed.get_or_init(|| {
            let mut packed = Vec::new();
            // Reading from memory can't fail.
            _ = GzEncoder::new(&**self.bytes(), Compression::default()).read_to_end(&mut packed);
            packed.into()
        })
    }

    /// The size of the executable in bytes.
    pub fn size(&self) -> usize {
        self.size
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
        write!(formatter, "AgentImage({}, {} bytes)", self.file_name(), self.size)
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
                include_bytes!(concat!(env!("OUT_DIR"), "/agent-x86_64.gz")),
                env!("HFDOWN_EMBEDDED_X86_64_SHA256"),
            ),
            aarch64: AgentImage::embedded(
                include_bytes!(concat!(env!("OUT_DIR"), "/agent-aarch64.gz")),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_is_the_same_in_both_forms() {
        let program = b"a program ".repeat(1000);
        let given = AgentImage::new(program.clone());
        assert!(given.packed().len() < program.len() / 2);
        let packed: &'static [u8] = given.packed().to_vec().leak();
        let embedded = AgentImage::embedded(packed, given.sha256().to_owned().leak()).unwrap();
        assert_eq!((embedded.size(), embedded.bytes()), (program.len(), given.bytes()));
        assert_eq!(embedded.file_name(), given.file_name());
        assert!(AgentImage::embedded(b"", "").is_none());
    }

    #[test]
    fn what_was_embedded_has_the_digest_that_a_box_will_look_for() {
        let embedded = AgentImages::embedded();
        for image in [Cpu::X86_64, Cpu::Aarch64].into_iter().filter_map(|cpu| embedded.get(cpu)) {
            let unpacked = AgentImage::new(image.bytes().clone());
            assert_eq!((unpacked.sha256(), unpacked.size()), (image.sha256(), image.size()));
        }
    }
}
