//! What `hfdown --version` says: what is in this program.

use std::fmt::Write as _;
use std::sync::LazyLock;

use hfdown_protocol::VERSION;

use crate::link::{AgentImages, Cpu};
use crate::text::units::bytes;

/// The version in the first line, as `-V` has it alone; then what can be put on boxes.
pub(super) fn long_version() -> &'static str {
    static SAID: LazyLock<String> = LazyLock::new(|| described(&AgentImages::embedded()));
    &SAID
}

fn described(images: &AgentImages) -> String {
    let mut text = format!("{}\nprotocol: {VERSION}", env!("CARGO_PKG_VERSION"));
    for cpu in [Cpu::X86_64, Cpu::Aarch64] {
        // Writing to a string can't fail.
        _ = write!(text, "\nagent for Linux {}: ", cpu.machine());
        _ = match images.get(cpu) {
            None => write!(text, "none; {}=FILE names one", cpu.variable()),
            Some(image) => {
                let (size, packed) = (bytes(image.size() as u64), bytes(image.packed().len() as u64));
                write!(text, "{size} ({packed} compressed), sha256 {}", image.sha256())
            }
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::AgentImage;

    #[test]
    fn says_which_agents_there_are_and_the_way_to_others() {
        let images = AgentImages::none().with(Cpu::X86_64, AgentImage::new(b"agent ".repeat(10_000)));
        let said = described(&images);
        let lines: Vec<&str> = said.lines().collect();
        let [version, protocol, intel, arm] = lines[..] else { panic!("{said}") };
        assert_eq!(version, env!("CARGO_PKG_VERSION"));
        assert_eq!(protocol, format!("protocol: {VERSION}"));
        let digest = images.get(Cpu::X86_64).map(AgentImage::sha256).unwrap_or_default();
        assert!(intel.starts_with("agent for Linux x86_64: 60 kB ("), "{intel}");
        assert!(intel.ends_with(&format!(" compressed), sha256 {digest}")), "{intel}");
        assert_eq!(arm, "agent for Linux aarch64: none; HFDOWN_AGENT_AARCH64=FILE names one");
    }
}
