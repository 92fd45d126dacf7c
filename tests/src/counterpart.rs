//! Programs that others wrote, which check that what is done here is what they expect: the real `hf`, the real `sshd`,
//! a CPU of another kind.
//!
//! Not every machine has them. A developer's run then says which tests it left out; under `CI=true`, where everything
//! is expected to be installed, it is a failure.

use std::env;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::mount::{self, left_out};

/// A program that tests compare with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counterpart {
    /// The `hf` of the Python package `huggingface_hub`, of the version that `counterparts/requirements.txt` pins.
    Hf,
    /// The Hub that others wrote, of the same file.
    Olah,
    /// The program of `ClusterShell` that expands and folds names of hosts, of the same file.
    Nodeset,
    /// The Python of the same file, which has its `jsonschema`.
    JsonSchema,
    /// The Xet store of xet-core, of the version that `counterparts/xet-requirements.txt` pins.
    CasServer,
    /// A program of Ansible's or for Kubernetes, of the versions that `counterparts/recipes-requirements.txt` pins.
    Recipe(&'static str),
    /// OpenSSH's server, of whatever version the machine has.
    Sshd,
    /// QEMU, to whom the kernel hands programs for 64-bit ARM.
    Qemu,
    /// Not a program of others but one that others' compiler built: the agent for 64-bit ARM.
    Aarch64Agent,
    /// OpenSSH's program for the subsystem `sftp`, which its server has built in as well.
    SftpServer,
    /// The library that shows a program another user database.
    NssWrapper,
    /// A shell or tool that is in a package of its own name on most systems.
    Tool(&'static str),
}

impl Counterpart {
    /// Where the program is, or `None` after saying that the test which asks is left out.
    ///
    /// # Panics
    /// Under `CI=true`, when the program is missing.
    pub fn require(self) -> Option<PathBuf> {
        let found = self.places().into_iter().find(|place| place.is_file());
        if found.is_none() {
            leave_out(&format!("{self} is missing ({})", self.remedy()));
        }
        found
    }

    pub(crate) fn places(self) -> Vec<PathBuf> {
        match self {
            Self::Hf => vec![target().join("counterparts/bin/hf")],
            Self::Olah => vec![target().join("counterparts/bin/olah-cli")],
            Self::Nodeset => vec![target().join("counterparts/bin/nodeset")],
            Self::JsonSchema => vec![target().join("counterparts/bin/python")],
            Self::CasServer => vec![target().join("counterparts-xet/bin/local_cas_server")],
            Self::Recipe(name) => vec![target().join("counterparts-recipes/bin").join(name)],
            // sshd insists on being started by its absolute path, and `sbin` is on few people's search path.
            Self::Sshd => on_search_path("sshd"),
            Self::Tool(name) => on_search_path(name),
            Self::SftpServer => ["lib", "libexec", "lib/ssh", "libexec/openssh", "lib/openssh"]
                .map(|folder| Path::new("/usr").join(folder).join("sftp-server"))
                .into(),
            Self::NssWrapper => ["lib/x86_64-linux-gnu", "lib/aarch64-linux-gnu", "lib64", "lib"]
                .map(|folder| Path::new("/usr").join(folder).join("libnss_wrapper.so"))
                .into(),
            // The kernel's list of interpreters by kind of program. On a machine with such a CPU there is no need of
            // one.
            Self::Qemu if cfg!(target_arch = "aarch64") => vec![PathBuf::from("/proc/self/exe")],
            Self::Qemu => vec![PathBuf::from("/proc/sys/fs/binfmt_misc/qemu-aarch64")],
            Self::Aarch64Agent => vec![target().join("aarch64/hfdown-agent")],
        }
    }

    fn remedy(self) -> String {
        let package = match self {
            Self::Hf | Self::Olah | Self::Nodeset | Self::JsonSchema => {
                return "run tests/counterparts/install".to_owned();
            }
            Self::CasServer => return "run tests/counterparts/install xet".to_owned(),
            Self::Recipe(_) => return "run tests/counterparts/install recipes".to_owned(),
            Self::Aarch64Agent => return "run agent/build-aarch64".to_owned(),
            Self::Qemu => "qemu-user-static and binfmt-support",
            Self::Sshd | Self::SftpServer => "openssh-server",
            Self::NssWrapper => "libnss-wrapper",
            Self::Tool("busybox") => "busybox-static",
            Self::Tool("munged") => "munge",
            Self::Tool("nginx") => "nginx-light",
            Self::Tool("unshare" | "setpriv") => "util-linux",
            Self::Tool(name) => name,
        };
        format!("install your system's {package}")
    }
}

/// Where a program may be; absolute paths.
fn on_search_path(name: &str) -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = env::split_paths(&path).filter(|folder| folder.is_absolute()).collect();
    folders.extend(["/usr/sbin", "/usr/local/sbin", "/sbin"].map(PathBuf::from));
    folders.into_iter().map(|folder| folder.join(name)).collect()
}

/// Says that the test which asks is left out, and why.
///
/// # Panics
/// Under `CI=true`, where it is a failure.
pub fn leave_out(why: &str) {
    assert!(env::var("CI").as_deref() != Ok("true"), "{why}");
    left_out(why);
}

impl fmt::Display for Counterpart {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Hf => "hf",
            Self::Olah => "olah",
            Self::Nodeset => "nodeset",
            Self::JsonSchema => "jsonschema",
            Self::CasServer => "local_cas_server",
            Self::Sshd => "sshd",
            Self::Qemu => "qemu-aarch64",
            Self::Aarch64Agent => "the agent for aarch64",
            Self::SftpServer => "sftp-server",
            Self::NssWrapper => "libnss_wrapper.so",
            Self::Tool(name) | Self::Recipe(name) => name,
        })
    }
}

/// Cargo's target folder, where `counterparts/install` puts things too.
fn target() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    match env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => workspace.join(folder),
        None => workspace.join("target"),
    }
}

/// Whether this is the superuser, whom some tests need. If not, what is left out is said; under `CI=true` it is a
/// failure.
///
/// # Panics
/// Under `CI=true`, for any other user.
pub fn require_root() -> bool {
    let is_root = mount::is_root();
    if !is_root {
        leave_out("this is not the superuser");
    }
    is_root
}
