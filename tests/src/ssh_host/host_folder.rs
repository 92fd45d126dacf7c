//! What a host stands on: its folders, keys and start-up files.

#![expect(clippy::missing_panics_doc, reason = "what can't be set up fails its test")]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use russh::keys::key::safe_rng;
use russh::keys::ssh_key::LineEnding;
use russh::keys::{Algorithm, HashAlg, PrivateKey};
use tempfile::TempDir;

use super::{HostOptions, Programs};

/// A variable by which a host's processes are known, also those that have no `HOME`.
pub(super) const MARK: &str = "HFDOWN_TEST_HOST";

/// A pair of keys in files, made for one test.
#[derive(Debug, Clone)]
pub struct Keys {
    /// The private half.
    pub private: PathBuf,
    key: PrivateKey,
}

impl Keys {
    /// Makes a pair and writes `folder/name` and `folder/name.pub`.
    pub fn generate(folder: &Path, name: &str, algorithm: Algorithm) -> Self {
        let key = PrivateKey::random(&mut safe_rng(), algorithm).expect("a key can be made");
        let private = folder.join(name);
        key.write_openssh_file(&private, LineEnding::LF).expect("the temporary folder can be written");
        let pair = Self { private, key };
        let public = pair.private.with_extension("pub");
        fs::write(public, pair.public() + "\n").expect("the temporary folder can be written");
        pair
    }

    /// The public half as `authorized_keys` and `known_hosts` have it: `ssh-ed25519 AAAA…`.
    pub fn public(&self) -> String {
        self.key.public_key().to_openssh().expect("a key can be written")
    }

    /// `SHA256:…`.
    pub fn fingerprint(&self) -> String {
        self.key.public_key().fingerprint(HashAlg::Sha256).to_string()
    }

    /// Gives the file a passphrase.
    pub fn lock(&self, passphrase: &str) {
        let locked = self.key.encrypt(&mut safe_rng(), passphrase).expect("a key can be encrypted");
        locked
            .write_openssh_file(&self.private, LineEnding::LF)
            .expect("the temporary folder can be written");
    }

    pub(super) fn private_key(&self) -> &PrivateKey {
        &self.key
    }
}

pub(super) struct HostFolder {
    pub(super) home: PathBuf,
    pub(super) bin: PathBuf,
    pub(super) near: PathBuf,
    pub(super) authorized_keys: PathBuf,
    pub(super) banner: Option<PathBuf>,
    pub(super) client_keys: Keys,
    pub(super) host_keys: Keys,
    pub(super) user: String,
    /// Where commands find programs.
    path: String,
    /// Removes everything at the end.
    pub(super) folder: TempDir,
}

impl HostFolder {
    pub(super) fn new(options: &HostOptions) -> Self {
        let folder = tempfile::Builder::new().prefix("hfdown-host-").tempdir().expect("a temporary folder");
        let made = |name: &str| {
            let path = folder.path().join(name);
            fs::create_dir(&path).expect("the temporary folder can be written");
            path
        };
        let (home, bin, near, server) = (made("home"), made("bin"), made("near"), made("server"));
        // sshd starts commands in the real home; this keeps them out of it.
        let bashrc = format!("cd\n{}\n", options.bashrc.as_deref().unwrap_or_default());
        fs::write(home.join(".bashrc"), bashrc).expect("the temporary folder can be written");
        let banner = options.banner.as_ref().map(|text| {
            let path = server.join("banner");
            fs::write(&path, text).expect("the temporary folder can be written");
            path
        });
        let path = match options.programs {
            Programs::Only(names) => {
                for name in names {
                    link_program(&bin, name);
                }
                bin.display().to_string()
            }
            Programs::Usual | Programs::Busybox => format!("{}:/usr/local/bin:/usr/bin:/bin", bin.display()),
        };
        let host_folder = Self {
            path,
            client_keys: Keys::generate(&near, "id_ed25519", Algorithm::Ed25519),
            host_keys: Keys::generate(&server, "host_key", Algorithm::Ed25519),
            authorized_keys: server.join("authorized_keys"),
            user: user(),
            home,
            bin,
            near,
            banner,
            folder,
        };
        host_folder.authorize(&host_folder.client_keys);
        host_folder
    }

    pub(super) fn authorize(&self, keys: &Keys) {
        self.authorize_line(&keys.public());
    }

    pub(super) fn authorize_line(&self, line: &str) {
        let mut options = fs::OpenOptions::new();
        let file = options.create(true).append(true).open(&self.authorized_keys);
        writeln!(file.expect("the file can be opened"), "{line}").expect("the file can be written");
    }

    pub(super) fn trust_certificates_of(&self, authority: &Keys) {
        self.authorize_line(&format!("cert-authority {}", authority.public()));
    }

    /// Where the certificate of the host's key is, if it has one.
    pub(super) fn host_certificate(&self) -> PathBuf {
        self.folder.path().join("server").join("host_key-cert.pub")
    }

    pub(super) fn certify_host_keys(&self, authority: &Keys, principal: &str) {
        let mut sign = Command::new("ssh-keygen");
        sign.args(["-q", "-h", "-I", "test", "-n", principal, "-s"]).arg(&authority.private);
        let signed = sign.arg(self.host_keys.private.with_extension("pub")).status();
        assert!(signed.expect("ssh-keygen comes with sshd").success(), "ssh-keygen signs a host key");
    }

    pub(super) fn put_program(&self, name: &str, script: &str) {
        let path = self.bin.join(name);
        // What is there may be a link to a program of this machine, which must not be written to. There may be nothing.
        _ = fs::remove_file(&path);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("the temporary folder can be written");
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(&path, permissions).expect("the file is ours");
    }

    pub(super) fn change_host_keys(&mut self) {
        let server = self.folder.path().join("server");
        self.host_keys = Keys::generate(&server, "host_key", Algorithm::Ed25519);
    }

    /// The environment of the box's user, but for what the server adds.
    pub(super) fn environment(&self) -> Vec<(&'static str, String)> {
        let home = self.home.display().to_string();
        vec![("HOME", home.clone()), (MARK, home), ("PATH", self.path.clone())]
    }
}

/// Makes a program of this machine one of the few that a host has.
fn link_program(bin: &Path, name: &str) {
    let program = ["/usr/bin", "/bin"].map(|folder| Path::new(folder).join(name));
    let program = program.iter().find(|program| program.exists());
    let program = program.unwrap_or_else(|| panic!("this machine has no {name}"));
    std::os::unix::fs::symlink(program, bin.join(name)).expect("the temporary folder can be written");
}

/// The user who runs the tests. The real sshd lets no other in.
fn user() -> String {
    let output = Command::new("id").arg("-un").output().expect("`id` tells the user's name");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
