//! What is believed, and why not.

use std::fs;
use std::path::Path;

use russh::keys::PrivateKey;
use russh::keys::key::safe_rng;
use russh::keys::ssh_key::certificate::{Builder, CertType};

use super::*;
use crate::link::file_line::FileLine;

fn new_key(algorithm: Algorithm) -> PublicKey {
    PrivateKey::random(&mut safe_rng(), algorithm).unwrap().public_key().clone()
}

fn ed25519() -> PublicKey {
    new_key(Algorithm::Ed25519)
}

fn ecdsa() -> PublicKey {
    new_key(Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 })
}

fn line(hosts: &str, key: &PublicKey) -> String {
    format!("{hosts} {}\n", key.to_openssh().unwrap())
}

/// A verifier over one file of the user's with this text.
fn verifier(folder: &Path, text: &str, policy: HostKeyPolicy) -> HostKeyVerifier {
    let file = folder.join("users");
    fs::write(&file, text).unwrap();
    let (target, _) = SshTarget::parse("ssh -p 7 root@box").unwrap();
    HostKeyVerifier::new(&target, policy, &[file], folder.join("own")).unwrap()
}

/// The result in a word.
fn word(verified: &Result<HostKeyTrust, HostKeyError>) -> &'static str {
    match verified {
        Ok(HostKeyTrust::Known) => "known",
        Ok(HostKeyTrust::Pinned) => "pinned",
        Ok(HostKeyTrust::Learned { .. }) => "learned",
        Err(HostKeyError::Changed { .. }) => "changed",
        Err(HostKeyError::Unknown { .. }) => "unknown",
        Err(HostKeyError::Revoked { .. }) => "revoked",
        Err(HostKeyError::NotPinned { .. }) => "not pinned",
        Err(HostKeyError::Certificate(_)) => "certificate",
        Ok(HostKeyTrust::NotWritten { .. }) => "not written",
        Ok(HostKeyTrust::Unremembered) => "unremembered",
        Err(HostKeyError::File(_)) => "file",
    }
}

#[test]
fn verifies_by_all_lines_and_the_policy() {
    use HostKeyPolicy::{AcceptNew, Pinned, Strict};
    let (key, other, curve) = (ed25519(), ed25519(), ecdsa());
    let pin = |key: &PublicKey| Pinned(key.fingerprint(HashAlg::Sha256).to_string());
    let both = line("[box]:7", &other) + &line("[box]:7", &key);
    let revoked = line("[box]:7", &key) + &line("@revoked *", &key);
    for (text, policy, expected) in [
        (line("[box]:7", &key), AcceptNew, "known"),
        (line("[box]:7", &key), Strict, "known"),
        (both, Strict, "known"),
        (String::new(), AcceptNew, "learned"),
        (String::new(), Strict, "unknown"),
        (line("[box]:8", &other), AcceptNew, "learned"),
        (line("[box]:7", &other), AcceptNew, "changed"),
        (line("[box]:7", &other), Strict, "changed"),
        // Known by another algorithm only: a machine in the middle would show just that.
        (line("[box]:7", &curve), AcceptNew, "changed"),
        ("[box]:7 ssh-dss AAAA\n".to_owned(), AcceptNew, "changed"),
        // Authorities sign certificates; they are no host's key.
        (line("@cert-authority [box]:7", &key), Strict, "unknown"),
        (line("@cert-authority [box]:7", &other), AcceptNew, "learned"),
        (revoked.clone(), AcceptNew, "revoked"),
        (revoked, pin(&key), "revoked"),
        (line("@revoked *", &other), AcceptNew, "learned"),
        // The name without its port can vouch, not accuse.
        (line("box", &key), Strict, "known"),
        (line("box", &other), AcceptNew, "learned"),
        (line("@revoked box", &key), AcceptNew, "revoked"),
        (String::new(), pin(&key), "pinned"),
        (line("[box]:7", &other), pin(&key), "pinned"),
        (line("[box]:7", &key), pin(&other), "not pinned"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let verifier = verifier(folder.path(), &text, policy.clone());
        assert_eq!(word(&verifier.verify(&key)), expected, "{policy:?} {text}");
        assert_eq!(folder.path().join("own").exists(), expected == "learned", "{policy:?} {text}");
        assert_eq!(fs::read_to_string(folder.path().join("users")).unwrap(), text, "it is never written");
    }
}

#[test]
fn a_learned_key_is_known_from_then_on() {
    let folder = tempfile::tempdir().unwrap();
    let (key, other) = (ed25519(), ed25519());
    assert_eq!(word(&verifier(folder.path(), "", HostKeyPolicy::AcceptNew).verify(&key)), "learned");
    let again = verifier(folder.path(), "", HostKeyPolicy::Strict);
    assert_eq!(word(&again.verify(&key)), "known");
    let HostKeyError::Changed { known, shown, place, remedy } = again.verify(&other).unwrap_err() else {
        panic!()
    };
    assert_eq!(known, key.fingerprint(HashAlg::Sha256).to_string());
    assert_eq!(shown, other.fingerprint(HashAlg::Sha256).to_string());
    assert_eq!(place, FileLine { file: folder.path().join("own"), line: 1 });
    assert_eq!(remedy.to_string(), "hfdown forget-host box:7");
}

#[test]
fn an_unreadable_file_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let (target, _) = SshTarget::parse("box").unwrap();
    let files = [folder.path().to_owned()];
    assert!(
        HostKeyVerifier::new(&target, HostKeyPolicy::AcceptNew, &files, folder.path().join("own")).is_err()
    );
}

#[test]
fn asks_for_known_algorithms_first_and_never_for_sha1() {
    let folder = tempfile::tempdir().unwrap();
    let text =
        line("[box]:7", &ecdsa()) + &line("@cert-authority [box]:7", &ed25519()) + "[box]:7 ssh-rsa AAAA\n";
    let asked = verifier(folder.path(), &text, HostKeyPolicy::AcceptNew).algorithms();
    let asked: Vec<_> = asked.iter().map(ToString::to_string).collect();
    let expected = [
        "ecdsa-sha2-nistp256",
        "rsa-sha2-512",
        "rsa-sha2-256",
        "ssh-ed25519",
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521",
    ];
    assert_eq!(asked, expected);
}

#[test]
fn an_authority_vouches_for_the_hosts_of_its_certificates() {
    use HostKeyPolicy::{AcceptNew, Pinned, Strict};
    let folder = tempfile::tempdir().unwrap();
    let authority = PrivateKey::random(&mut safe_rng(), Algorithm::Ed25519).unwrap();
    let stranger = PrivateKey::random(&mut safe_rng(), Algorithm::Ed25519).unwrap();
    let key = ed25519();
    let (past, future) = (1_000_000_000, 1 << 40);
    let certificate = |kind, principal: &str, from, to, signer: &PrivateKey| {
        let mut certificate = Builder::new_with_random_nonce(&mut safe_rng(), &key, from, to).unwrap();
        certificate.cert_type(kind).unwrap();
        if principal.is_empty() {
            certificate.all_principals_valid().unwrap();
        } else {
            certificate.valid_principal(principal).unwrap();
        }
        certificate.sign(signer).unwrap()
    };
    let good = || certificate(CertType::Host, "box", past, future, &authority);
    let ca = line("@cert-authority [box]:*,box", authority.public_key());
    let revoked_ca = ca.clone() + &line("@revoked *", authority.public_key());
    let revoked_key = ca.clone() + &line("@revoked *", &key);
    let of_others = line("@cert-authority *.example.com", authority.public_key());
    let pin = Pinned(key.fingerprint(HashAlg::Sha256).to_string());
    for (text, policy, shown, expected) in [
        (&ca, Strict, good(), "known"),
        (&ca, AcceptNew, certificate(CertType::Host, "", past, future, &authority), "known"),
        (&ca, AcceptNew, certificate(CertType::Host, "b*", past, future, &authority), "known"),
        (&ca, AcceptNew, certificate(CertType::Host, "fox", past, future, &authority), "certificate"),
        (&ca, AcceptNew, certificate(CertType::User, "box", past, future, &authority), "certificate"),
        (&ca, AcceptNew, certificate(CertType::Host, "box", past, past + 1, &authority), "certificate"),
        (&ca, AcceptNew, certificate(CertType::Host, "box", future, future + 1, &authority), "certificate"),
        // Of an authority that is not known, nothing follows.
        (&ca, Strict, certificate(CertType::Host, "box", past, future, &stranger), "unknown"),
        (&of_others, Strict, good(), "unknown"),
        (&line("[box]:7", &ed25519()), AcceptNew, good(), "changed"),
        (&line("[box]:7", &key), Strict, good(), "known"),
        (&revoked_ca, AcceptNew, good(), "revoked"),
        (&revoked_key, AcceptNew, good(), "revoked"),
        (&ca, pin, certificate(CertType::Host, "fox", past, future, &stranger), "pinned"),
    ] {
        let verified = verifier(folder.path(), text, policy).verify_certificate(&shown);
        assert_eq!(word(&verified), expected, "{text} {:?}", shown.valid_principals());
        _ = fs::remove_file(folder.path().join("own"));
    }
    assert!(!verifier(folder.path(), &ca, Strict).certificates().is_empty());
    assert!(verifier(folder.path(), &line("box", &key), Strict).certificates().is_empty());
    // A signature of another key under the authority's name.
    let forged = good().to_bytes().unwrap();
    let mut forged = forged;
    let last = forged.len() - 1;
    forged[last] ^= 1;
    let forged = Certificate::from_bytes(&forged).unwrap();
    assert_eq!(word(&verifier(folder.path(), &ca, AcceptNew).verify_certificate(&forged)), "certificate");
}
