//! Keys as OpenSSH and OpenSSL write them, at the real `sshd`: what `ssh-keygen` opens is opened, or called what it is.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use hfdown::link::{KeyFailure, Keyring, LinkError, LinkSettings};
use hfdown_tests::ssh_host::{HostOptions, SshHost, SshServerKind};

use super::echo::{error, go, talk};
use super::keys::PassphraseScript;

/// How each is made: a name, and a script that writes `$KEY`, for the passphrase `right`.
const OPENED: &[(&str, &str)] = &[
    ("ed25519", "ssh-keygen -q -t ed25519 -N '' -f $KEY"),
    ("rsa", "ssh-keygen -q -t rsa -b 2048 -N right -f $KEY"),
    ("ecdsa-256", "ssh-keygen -q -t ecdsa -b 256 -N right -f $KEY"),
    ("ecdsa-384", "ssh-keygen -q -t ecdsa -b 384 -N right -f $KEY"),
    ("ecdsa-521", "ssh-keygen -q -t ecdsa -b 521 -N right -f $KEY"),
    ("3des-cbc", "ssh-keygen -q -t ed25519 -Z 3des-cbc -N right -f $KEY"),
    ("aes128-cbc", "ssh-keygen -q -t ed25519 -Z aes128-cbc -N right -f $KEY"),
    ("aes192-cbc", "ssh-keygen -q -t ed25519 -Z aes192-cbc -N right -f $KEY"),
    ("aes256-cbc", "ssh-keygen -q -t ecdsa -Z aes256-cbc -N right -f $KEY"),
    ("aes128-ctr", "ssh-keygen -q -t ed25519 -Z aes128-ctr -N right -f $KEY"),
    ("aes192-ctr", "ssh-keygen -q -t ed25519 -Z aes192-ctr -N right -f $KEY"),
    ("aes256-ctr", "ssh-keygen -q -t rsa -b 2048 -Z aes256-ctr -N right -f $KEY"),
    ("aes128-gcm", "ssh-keygen -q -t ed25519 -Z aes128-gcm@openssh.com -N right -f $KEY"),
    ("aes256-gcm", "ssh-keygen -q -t rsa -b 2048 -Z aes256-gcm@openssh.com -N right -f $KEY"),
    ("chacha20", "ssh-keygen -q -t ed25519 -Z chacha20-poly1305@openssh.com -N right -f $KEY"),
    ("pem-rsa", "ssh-keygen -q -t rsa -b 2048 -m PEM -N '' -f $KEY"),
    ("pem-rsa-locked", "ssh-keygen -q -t rsa -b 2048 -m PEM -N right -f $KEY"),
    ("pem-ecdsa", "ssh-keygen -q -t ecdsa -b 384 -m PEM -N '' -f $KEY"),
    ("pem-ecdsa-locked", "ssh-keygen -q -t ecdsa -b 256 -m PEM -N right -f $KEY"),
    ("pkcs8-rsa", "ssh-keygen -q -t rsa -b 2048 -m PKCS8 -N '' -f $KEY"),
    ("pkcs8-rsa-locked", "ssh-keygen -q -t rsa -b 2048 -m PKCS8 -N right -f $KEY"),
    ("pkcs8-ecdsa-locked", "ssh-keygen -q -t ecdsa -b 521 -m PKCS8 -N right -f $KEY"),
    ("openssl-aes256", "openssl genrsa -traditional -aes256 -passout pass:right -out $KEY 2048"),
    ("openssl-aes192", "openssl genrsa -traditional -aes192 -passout pass:right -out $KEY 2048"),
    ("openssl-3des", "openssl genrsa -traditional -des3 -passout pass:right -out $KEY 2048"),
    ("openssl-ec-parameters", "openssl ecparam -name prime256v1 -genkey -out $KEY"),
    (
        "openssl-ec-aes256",
        "openssl ecparam -name secp384r1 -genkey -noout | openssl ec -aes256 -passout pass:right -out $KEY",
    ),
    ("pkcs8-3des", "openssl genrsa 2048 | openssl pkcs8 -topk8 -v2 des3 -passout pass:right -out $KEY"),
    (
        "pkcs8-sha1",
        "openssl genrsa 2048 | openssl pkcs8 -topk8 -v2 aes256 -v2prf hmacWithSHA1 -passout pass:right -out $KEY",
    ),
    (
        "pkcs8-sha512",
        "openssl genrsa 2048 | openssl pkcs8 -topk8 -v2 aes192 -v2prf hmacWithSHA512 -passout pass:right -out $KEY",
    ),
    ("pkcs8-scrypt", "openssl genrsa 2048 | openssl pkcs8 -topk8 -scrypt -passout pass:right -out $KEY"),
];

/// What OpenSSH opens with OpenSSL's help and we don't, and what it is called.
const NOT_OPENED: &[(&str, &str)] = &[
    ("CAMELLIA-256-CBC", "openssl genrsa -traditional -camellia256 -passout pass:right -out $KEY 2048"),
    ("ARIA-128-CBC", "openssl genrsa -traditional -aria128 -passout pass:right -out $KEY 2048"),
    (
        "a cipher of PKCS#8 that it does not know",
        "openssl genrsa 2048 | openssl pkcs8 -topk8 -v1 PBE-SHA1-3DES -passout pass:right -out $KEY",
    ),
    (
        "a cipher of PKCS#8 that it does not know",
        "openssl genrsa 2048 | openssl pkcs8 -topk8 -v2 camellia256 -passout pass:right -out $KEY",
    ),
];

/// Makes a key, and says its public half, which OpenSSH itself reads out of it; `….pub` is removed.
fn make(folder: &Path, name: &str, script: &str) -> (PathBuf, String) {
    let key = folder.join(name.replace(|character: char| !character.is_ascii_alphanumeric(), "-"));
    let mut shell = Command::new("sh");
    shell
        .args(["-ec", script])
        .env("KEY", &key)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    assert!(shell.status().unwrap().success(), "{script}");
    // It insists on a file that only its user may read.
    let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    fs::set_permissions(&key, permissions).unwrap();
    _ = fs::remove_file(key.with_extension("pub"));
    let public = Command::new("ssh-keygen").args(["-y", "-P", "right", "-f"]).arg(&key).output().unwrap();
    assert!(public.status.success(), "{name}: {}", String::from_utf8_lossy(&public.stderr));
    (key, String::from_utf8_lossy(&public.stdout).trim().to_owned())
}

fn asking(host: &SshHost, script: &std::sync::Arc<PassphraseScript>) -> LinkSettings {
    LinkSettings { keyring: Keyring::default().with_prompt(script.clone()), ..host.settings() }
}

#[tokio::test]
async fn what_openssh_opens_logs_in() {
    let Some(host) = SshHost::start(SshServerKind::Sshd, HostOptions::default()).await else { return };
    for (name, script) in OPENED {
        let (key, public) = make(host.near(), name, script);
        host.authorize_line(&public);
        let answers = PassphraseScript::of(&["wrong", "right"]);
        let command = format!("{} -i {}", host.command_without_key(), key.display());
        let reached = go(&command, &asking(&host, &answers)).await;
        talk(&mut reached.unwrap_or_else(|failed| panic!("{name}: {failed}"))).await;
        assert!(matches!(answers.asked(), 0 | 2), "{name}: a wrong passphrase is one");
    }
}

#[tokio::test]
async fn what_is_not_opened_is_called_what_it_is_and_no_passphrase_is_asked_for() {
    let Some(host) = SshHost::start(SshServerKind::Sshd, HostOptions::default()).await else { return };
    for (cipher, script) in NOT_OPENED {
        let (key, public) = make(host.near(), cipher, script);
        host.authorize_line(&public);
        let answers = PassphraseScript::of(&["right"]);
        let command = format!("{} -i {}", host.command_without_key(), key.display());
        let failed = error(go(&command, &asking(&host, &answers)).await);
        let LinkError::Auth { tried, .. } = &failed else { panic!("{failed:?}") };
        assert_eq!(tried[0].result, KeyFailure::Encryption((*cipher).to_owned()));
        assert_eq!(answers.asked(), 0, "{cipher}");
        // What the hint says helps: OpenSSH writes it anew.
        let mut renew = Command::new("ssh-keygen");
        renew.args(["-q", "-p", "-P", "right", "-N", "right", "-f"]).arg(&key).stdout(Stdio::null());
        assert!(renew.status().unwrap().success(), "{cipher}");
        talk(&mut go(&command, &asking(&host, &answers)).await.unwrap()).await;
    }
}

#[tokio::test]
async fn files_that_are_no_keys_are_called_what_they_are() {
    let Some(host) = SshHost::start(SshServerKind::Sshd, HostOptions::default()).await else { return };
    let certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let key = fs::read_to_string(&host.client_keys().private).unwrap();
    let cut_off = &key[..key.len() / 2];
    let putty = "PuTTY-User-Key-File-9: ssh-ed25519\nEncryption: none\nComment: x\n";
    for (text, reason) in [
        ("".as_bytes(), "the file is empty"),
        (b"\r\n\r\n", "the file is empty"),
        (b"\x93not a key\x94\n", "it is no private key"),
        (certificate.as_bytes(), "it holds a certificate, and no private key"),
        (cut_off.as_bytes(), "it is damaged, or cut off"),
        (b"-----BEGIN DSA PRIVATE KEY-----\nAAAA\n-----END DSA PRIVATE KEY-----\n", "it is a DSA key"),
        (putty.as_bytes(), "it is a PuTTY key that can't be opened"),
    ] {
        let path = host.near().join("odd");
        fs::write(&path, text).unwrap();
        let failed = error(go(&format!("{} -i ~/odd", host.command_without_key()), &host.settings()).await);
        assert!(failed.to_string().contains(&format!("odd ({reason}")), "{failed}");
    }
    // As Windows' editors save it.
    let utf16: Vec<u8> =
        "\u{feff}".encode_utf16().chain(key.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let crlf = key.replace('\n', "\r\n").into_bytes();
    for text in
        [format!("\u{feff}{key}").into_bytes(), format!("a comment\n\n  {key}").into_bytes(), utf16, crlf]
    {
        fs::write(host.near().join("odd"), text).unwrap();
        let command = format!("{} -i ~/odd", host.command_without_key());
        talk(&mut go(&command, &host.settings()).await.unwrap()).await;
    }
}

/// `-i id.pub`, `-i id-cert.pub`: what is meant is the key beside it.
#[tokio::test]
async fn a_public_half_or_a_certificate_stands_for_its_key() {
    let Some(host) = SshHost::start(SshServerKind::Sshd, HostOptions::default()).await else { return };
    let public = format!("{} -i ~/id_ed25519.pub", host.command_without_key());
    talk(&mut go(&public, &host.settings()).await.unwrap()).await;
    let authority =
        hfdown_tests::ssh_host::Keys::generate(host.near(), "authority", russh::keys::Algorithm::Ed25519);
    let user = hfdown_tests::ssh_host::Keys::generate(host.near(), "user", russh::keys::Algorithm::Ed25519);
    host.trust_certificates_of(&authority);
    let name = host.command_without_key().rsplit(' ').next().unwrap().split('@').next().unwrap().to_owned();
    let mut sign = Command::new("ssh-keygen");
    sign.args(["-q", "-I", "test", "-n", &name, "-s"]).arg(&authority.private);
    assert!(sign.arg(user.private.with_extension("pub")).status().unwrap().success());
    let certificate = format!("{} -i ~/user-cert.pub", host.command_without_key());
    talk(&mut go(&certificate, &host.settings()).await.unwrap()).await;
}
