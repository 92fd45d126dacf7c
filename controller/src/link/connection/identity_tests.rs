//! What is shown to a server, in which order.

use std::fs;

use russh::keys::key::safe_rng;
use russh::keys::ssh_key::LineEnding;
use russh::keys::ssh_key::certificate::{Builder, CertType};
use russh::keys::{Algorithm, PrivateKey};

use super::*;

/// A folder of keys.
struct KeyFolder(tempfile::TempDir);

impl KeyFolder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes `name` and `name.pub`.
    fn key(&self, name: &str) -> PrivateKey {
        let key = PrivateKey::random(&mut safe_rng(), Algorithm::Ed25519).unwrap();
        key.write_openssh_file(self.path(name), LineEnding::LF).unwrap();
        fs::write(self.path(&format!("{name}.pub")), key.public_key().to_openssh().unwrap()).unwrap();
        key
    }

    fn certificate(&self, name: &str, key: &PrivateKey) -> Certificate {
        let mut certificate =
            Builder::new_with_random_nonce(&mut safe_rng(), key.public_key(), 0, 1 << 40).unwrap();
        certificate.cert_type(CertType::User).unwrap().all_principals_valid().unwrap();
        let certificate = certificate.sign(key).unwrap();
        fs::write(self.path(name), certificate.to_openssh().unwrap()).unwrap();
        certificate
    }

    /// `file`, `file+cert`, with `@` where the ssh-agent signs and `?` where a passphrase is wanted; what can't be used
    /// after `!`.
    fn shown(&self, command: &str, default_keys: &[&str], agent_keys: &[AgentIdentity]) -> String {
        let home = Some(self.0.path().to_owned());
        let default_keys = default_keys.iter().map(|name| self.path(name)).collect();
        let settings = LinkSettings { home, default_keys, ..LinkSettings::from_environment() };
        let (target, _) = SshTarget::parse(command).unwrap();
        let found = identities(&target, &settings, agent_keys);
        let short = |name: &str| name.rsplit('/').next().unwrap().replace(" of the ssh-agent", "");
        let mut words = Vec::new();
        for identity in found.shown {
            let offered = match identity.offered {
                OfferedKey::Key(_) => "",
                OfferedKey::Certificate(_) => "+cert",
                OfferedKey::Unknown(_) => "+hidden",
            };
            let signing_key = match identity.signing_key {
                SigningKey::Open(_) => "",
                SigningKey::SshAgent(_) => "@",
                SigningKey::Locked(_) => "?",
            };
            words.push(format!("{}{offered}{signing_key}", short(&identity.name)));
        }
        words.extend(found.unusable.iter().map(|tried| format!("!{}:{:?}", short(&tried.key), tried.result)));
        words.join(" ")
    }
}

fn held(key: &PrivateKey, comment: &str) -> AgentIdentity {
    AgentIdentity::PublicKey { key: key.public_key().clone(), comment: comment.to_owned() }
}

fn lock(folder: &KeyFolder, name: &str, key: &PrivateKey) {
    let locked = key.encrypt(&mut safe_rng(), "secret").unwrap();
    locked.write_openssh_file(folder.path(name), LineEnding::LF).unwrap();
}

#[test]
fn named_keys_come_before_the_agents_and_replace_the_default_ones() {
    let folder = KeyFolder::new();
    let (a, b, c) = (folder.key("a"), folder.key("b"), folder.key("c"));
    let agent = [held(&b, "bee"), held(&c, "sea")];
    let table = [
        ("h", "bee@ sea@ a"),
        ("ssh -i ~/a h", "a bee@ sea@"),
        ("ssh -i ~/b -i ~/a h", "b a sea@"),
        ("ssh -i ~/a -o IdentitiesOnly=yes h", "a"),
        ("ssh -o IdentitiesOnly=yes h", "a b"),
        ("ssh -i none h", "bee@ sea@"),
        ("ssh -i ~/nowhere h", "bee@ sea@ !nowhere:Missing"),
    ];
    for (command, order) in table {
        assert_eq!(folder.shown(command, &["a", "none", "b"], &agent), order, "{command}");
    }
    // Locked, and held by the agent or not.
    lock(&folder, "a", &a);
    lock(&folder, "b", &b);
    assert_eq!(folder.shown("ssh -i ~/a -i ~/b h", &[], &agent), "a? b@ sea@");
    assert_eq!(folder.shown("h", &["a", "b"], &agent), "bee@ sea@ a?");
}

#[test]
fn a_key_that_only_the_agent_has_is_named_by_its_public_half() {
    let folder = KeyFolder::new();
    let (a, b) = (folder.key("a"), folder.key("b"));
    for name in ["a", "b"] {
        fs::remove_file(folder.path(name)).unwrap();
    }
    let agent = [held(&a, "one")];
    for (command, order) in [
        ("ssh -i ~/a -o IdentitiesOnly=yes h", "a@"),
        ("ssh -i ~/a.pub -o IdentitiesOnly=yes h", "a.pub@"),
        ("ssh -i ~/b -i ~/a h", "a@ !b:PublicOnly"),
    ] {
        assert_eq!(folder.shown(command, &[], &agent), order, "{command}");
    }
    assert_eq!(folder.shown("ssh -o IdentitiesOnly=yes h", &["a", "b"], &agent), "a@");
    // Not even that, but a certificate.
    fs::remove_file(folder.path("a.pub")).unwrap();
    folder.certificate("a-cert.pub", &a);
    assert_eq!(folder.shown("ssh -i ~/a -o IdentitiesOnly=yes h", &[], &agent), "a-cert.pub+cert@ a@");
    _ = b;
}

#[test]
fn certificates_come_before_their_keys_wherever_either_is() {
    let folder = KeyFolder::new();
    let (a, b) = (folder.key("a"), folder.key("b"));
    folder.certificate("a-cert.pub", &a);
    folder.certificate("elsewhere", &b);
    let in_agent = folder.certificate("other", &b);
    fs::remove_file(folder.path("other")).unwrap();
    let agent = [held(&b, "bee")];
    let both = [held(&b, "bee"), AgentIdentity::Certificate { certificate: in_agent, comment: "bee".into() }];
    let table: &[(&str, &[AgentIdentity], &str)] = &[
        ("ssh -i ~/a h", &[], "a-cert.pub+cert a"),
        ("ssh -i ~/b -o CertificateFile=~/elsewhere h", &[], "elsewhere+cert b"),
        ("ssh -i ~/a -o CertificateFile=~/elsewhere h", &agent, "a-cert.pub+cert a elsewhere+cert@ bee@"),
        ("ssh -o CertificateFile=~/elsewhere -o IdentitiesOnly=yes h", &agent, "elsewhere+cert@"),
        ("ssh -o CertificateFile=~/elsewhere h", &[], "!elsewhere:CertificateOnly"),
        ("ssh -o CertificateFile=~/none h", &[], "!none:Missing"),
        ("ssh -i ~/b -o IdentitiesOnly=yes h", &both, "bee+cert b"),
        ("h", &both, "bee@ bee+cert@"),
    ];
    for (command, agent_keys, order) in table {
        assert_eq!(folder.shown(command, &[], agent_keys), *order, "{command}");
    }
    lock(&folder, "a", &a);
    assert_eq!(folder.shown("ssh -i ~/a h", &[], &agent), "a-cert.pub+cert? a? bee@");
}

#[test]
fn what_is_no_key_says_why() {
    let folder = KeyFolder::new();
    fs::write(folder.path("text"), "no key\n").unwrap();
    assert!(folder.shown("ssh -i ~/text h", &[], &[]).starts_with("!text:Unusable("));
}
