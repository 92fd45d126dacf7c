//! `SSH_ASKPASS`, as OpenSSH reads it.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

/// `SSH_ASKPASS`: a program that asks for a passphrase in a window, as OpenSSH uses it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Askpass {
    /// The program.
    pub program: PathBuf,
    /// Whether it comes before the terminal (`SSH_ASKPASS_REQUIRE`), and not only where there is none.
    pub comes_first: bool,
}

impl Askpass {
    /// What `SSH_ASKPASS`, `SSH_ASKPASS_REQUIRE` and the display of this session say.
    pub fn from_environment() -> Option<Self> {
        Self::read(&|name| env::var_os(name).filter(|value| !value.is_empty()))
    }

    /// Without a display there is nowhere to ask, unless `SSH_ASKPASS_REQUIRE` says `force`.
    fn read(variable: &dyn Fn(&str) -> Option<OsString>) -> Option<Self> {
        let program = PathBuf::from(variable("SSH_ASKPASS")?);
        let has_display = ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| variable(name).is_some());
        let require = variable("SSH_ASKPASS_REQUIRE").unwrap_or_default().to_ascii_lowercase();
        let comes_first = match require.to_str() {
            Some("never") => return None,
            Some("force") => return Some(Self { program, comes_first: true }),
            Some("prefer") => true,
            _ => false,
        };
        has_display.then_some(Self { program, comes_first })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_may_ask_where_there_is_a_display_or_it_is_forced_to() {
        for (require, display, comes_first) in [
            ("", "", None),
            ("", ":0", Some(false)),
            ("prefer", ":0", Some(true)),
            ("prefer", "", None),
            ("Force", "", Some(true)),
            ("never", ":0", None),
        ] {
            let read = Askpass::read(&|name| {
                let value = match name {
                    "SSH_ASKPASS" => "/bin/ask",
                    "SSH_ASKPASS_REQUIRE" => require,
                    "WAYLAND_DISPLAY" => display,
                    _ => "",
                };
                Some(OsString::from(value)).filter(|value| !value.is_empty())
            });
            assert_eq!(read.map(|askpass| askpass.comes_first), comes_first, "{require:?} on {display:?}");
        }
        assert_eq!(Askpass::read(&|name| (name == "DISPLAY").then(|| ":0".into())), None);
    }
}
