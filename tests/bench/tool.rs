//! The programs that are compared, and where they are.

use std::env;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::ValueEnum;

use crate::{BESIDE, HFDOWN};

/// A program, together with what proves its files where it does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Tool {
    /// This project's own.
    Hfdown,
    /// Another build of it, by `--beside`.
    #[value(skip)]
    Beside,
    /// `hf download` of `huggingface_hub`, over HTTP (without Xet), its bars switched off.
    Hf,
    /// `aria2c` with 16 connections per file, then `sha256sum`, on all processors.
    Aria2c,
    /// `curl -Z` with 16 files at once, then `openssl dgst -sha256`, on all processors.
    Curl,
    /// `curl`, `tee` and `openssl dgst -sha256` in one pipe for each file, up to 8 at once.
    CurlPiped,
    /// `hf_transfer` as `huggingface_hub` used it, up to 8 files at once.
    HfTransfer,
}

impl Tool {
    /// Its program, or why there is none. Python's are installed where they are missing.
    pub(crate) fn find(self) -> Result<PathBuf, String> {
        match self {
            // A link of this name to this very program is put beside the files.
            Self::Hfdown => Ok(PathBuf::from(HFDOWN)),
            Self::Beside => Ok(PathBuf::from(BESIDE)),
            Self::Hf => installed(&[], "counterparts/bin/hf"),
            Self::Aria2c => on_path("sha256sum").and_then(|_| on_path("aria2c")),
            Self::Curl => on_path("openssl").and_then(|_| on_path("curl")),
            Self::CurlPiped => {
                on_path("openssl").and_then(|_| on_path("curl")).and_then(|_| on_path("xargs"))
            }
            Self::HfTransfer => installed(&["bench"], "counterparts-bench/bin/python"),
        }
    }

    /// Whether it leaves digests to be compared.
    pub(crate) fn prints_digests(self) -> bool {
        matches!(self, Self::Aria2c | Self::Curl | Self::CurlPiped)
    }

    /// Whether, and how, its files are proved.
    pub(crate) fn proof(self) -> &'static str {
        match self {
            Self::Hfdown | Self::Beside | Self::CurlPiped => "as it arrives",
            Self::Aria2c | Self::Curl => "afterwards",
            Self::Hf | Self::HfTransfer => "no",
        }
    }
}

impl fmt::Display for Tool {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Hfdown => "hfdown",
            Self::Beside => "hfdown, beside",
            Self::Hf => "hf download",
            Self::Aria2c => "aria2c, sha256sum",
            Self::Curl => "curl -Z, openssl",
            Self::CurlPiped => "curl | openssl",
            Self::HfTransfer => "hf_transfer",
        })
    }
}

fn on_path(program: &str) -> Result<PathBuf, String> {
    let path = env::var_os("PATH").unwrap_or_default();
    let places = env::split_paths(&path).map(|folder| folder.join(program));
    places.into_iter().find(|place| place.is_file()).ok_or_else(|| format!("there is no {program}"))
}

/// Debian's programs, where they are missing and may be installed.
pub(crate) fn install_rivals() {
    let install = Path::new(env!("CARGO_MANIFEST_DIR")).join("counterparts/install");
    _ = Command::new(install).arg("rivals").status();
}

/// Where a program is that `tests/counterparts/install` has installed.
pub(crate) fn installed(arguments: &[&str], program: &str) -> Result<PathBuf, String> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let install = tests.join("counterparts/install");
    let status = Command::new(&install).args(arguments).status();
    if !status.is_ok_and(|status| status.success()) {
        return Err("tests/counterparts/install failed".to_owned());
    }
    let workspace = tests.join("..");
    let target = env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    // Not resolved: the Python of an environment is a link, and knows the environment by where the link is.
    Ok(workspace.join(target).join(program))
}
