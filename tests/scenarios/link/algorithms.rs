//! What OpenSSH's client accepts by default, as the one of this machine says, is accepted from the real server: each by itself.

use std::process::Command;

use hfdown::link::LinkError;
use hfdown_tests::counterpart::Counterpart;
use hfdown_tests::ssh_host::{HostOptions, Keys, SshHost, SshServerKind};
use russh::keys::{Algorithm, EcdsaCurve};

use super::echo::{error, go, talk};

/// What russh has no code for.
const LACKING: [&str; 3] = ["sntrup761", "umac-", "sk-"];

/// What the client would offer, by the name of an option in lower case.
fn offered(option: &str) -> Vec<String> {
    let output = Command::new("ssh").args(["-F", "none", "-G", "nowhere"]).output().unwrap();
    let output = String::from_utf8(output.stdout).unwrap();
    let line = output.lines().find_map(|line| line.strip_prefix(option)?.strip_prefix(' '));
    line.unwrap().split(',').map(str::to_owned).collect()
}

/// Goes to a server that has nothing else.
async fn each(option: &str, algorithms: &[String], more: &str) {
    let mut agreed = 0;
    for algorithm in algorithms {
        let configuration = Some(format!("{option} {algorithm}\n{more}"));
        let options = HostOptions { configuration, ..HostOptions::default() };
        let Some(host) = SshHost::start(SshServerKind::Sshd, options).await else { return };
        let reached = go(&host.command(), &host.settings()).await;
        if LACKING.iter().any(|lacking| algorithm.starts_with(lacking)) {
            let failed = error(reached);
            let LinkError::Algorithms { theirs, .. } = &failed else { panic!("{algorithm}: {failed:?}") };
            assert!(theirs.contains(algorithm.as_str()), "{failed}");
            continue;
        }
        match reached {
            Ok(mut link) => talk(&mut link).await,
            Err(error) => panic!("{algorithm}: {error}"),
        }
        agreed += 1;
    }
    assert!(agreed >= 3, "{option}: {algorithms:?}");
}

#[tokio::test]
async fn each_key_exchange() {
    let Some(_) = Counterpart::Sshd.require() else { return };
    each("KexAlgorithms", &offered("kexalgorithms"), "").await;
}

#[tokio::test]
async fn each_cipher() {
    let Some(_) = Counterpart::Sshd.require() else { return };
    each("Ciphers", &offered("ciphers"), "").await;
}

/// With a cipher that needs one.
#[tokio::test]
async fn each_mac() {
    let Some(_) = Counterpart::Sshd.require() else { return };
    each("MACs", &offered("macs"), "Ciphers aes256-ctr").await;
}

#[tokio::test]
async fn each_host_key() {
    let Some(_) = Counterpart::Sshd.require() else { return };
    let folder = tempfile::tempdir().unwrap();
    let curves = [EcdsaCurve::NistP256, EcdsaCurve::NistP384, EcdsaCurve::NistP521];
    let kinds = curves.map(|curve| Algorithm::Ecdsa { curve }).into_iter();
    let kinds = kinds.chain([Algorithm::Rsa { hash: None }, Algorithm::Ed25519]).enumerate();
    let keys: Vec<Keys> =
        kinds.map(|(number, kind)| Keys::generate(folder.path(), &format!("key{number}"), kind)).collect();
    let lines: Vec<String> = keys.iter().map(|key| format!("HostKey {}", key.private.display())).collect();
    let is_plain = |name: &String| !name.contains("cert") && !name.starts_with("sk-");
    let algorithms: Vec<String> = offered("hostkeyalgorithms").into_iter().filter(is_plain).collect();
    each("HostKeyAlgorithms", &algorithms, &lines.join("\n")).await;
}
