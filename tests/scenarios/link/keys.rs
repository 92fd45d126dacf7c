//! Who is let in.

use super::*;

/// An ssh-agent that ends with the test.
struct KeyAgent {
    child: std::process::Child,
    socket: PathBuf,
}

impl KeyAgent {
    async fn start(folder: &Path) -> Option<Self> {
        // It comes with the server.
        Counterpart::Sshd.require()?;
        let socket = folder.join("agent.sock");
        let child =
            Command::new("ssh-agent").arg("-D").arg("-a").arg(&socket).stdout(Stdio::null()).spawn().unwrap();
        let agent = Self { child, socket };
        eventually("the ssh-agent listens", || agent.socket.exists()).await;
        Some(agent)
    }

    fn add(&self, key: &Path) {
        let mut add = Command::new("ssh-add");
        add.arg("-q").arg(key).env("SSH_AUTH_SOCK", &self.socket).stdin(Stdio::null());
        assert!(add.status().unwrap().success());
    }
}

impl Drop for KeyAgent {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

pub(super) async fn logs_in_with_a_key_of_the_ssh_agent(kind: Kind) {
    let Some(host) = SshHost::start(kind, HostOptions::default()).await else { return };
    let Some(agent) = KeyAgent::start(host.near()).await else { return };
    let settings = LinkSettings { agent_socket: Some(agent.socket.clone()), ..host.settings() };
    let LinkError::Auth { tried, .. } = error(go(&host.command_without_key(), &settings).await) else {
        panic!()
    };
    assert_eq!(tried, []);
    // A wrong one first: the right one is tried after it.
    agent.add(&Keys::generate(host.near(), "other", Algorithm::Ed25519).private);
    agent.add(&host.client_keys().private);
    talk(&mut go(&host.command_without_key(), &settings).await.unwrap()).await;
}

pub(super) async fn logs_in_with_an_encrypted_key_that_the_ssh_agent_holds(kind: Kind) {
    let Some(host) = SshHost::start(kind, HostOptions::default()).await else { return };
    let Some(agent) = KeyAgent::start(host.near()).await else { return };
    agent.add(&host.client_keys().private);
    let mut encrypt = Command::new("ssh-keygen");
    encrypt.args(["-q", "-p", "-P", "", "-N", "a secret", "-f"]).arg(&host.client_keys().private);
    assert!(encrypt.stdout(Stdio::null()).status().unwrap().success());
    let LinkError::Auth { tried, .. } = error(go(&host.command(), &host.settings()).await) else { panic!() };
    assert_eq!(tried[0].result, Refusal::Encrypted);
    assert_eq!(tried[0].key, host.client_keys().private.display().to_string());
    let settings = LinkSettings { agent_socket: Some(agent.socket.clone()), ..host.settings() };
    talk(&mut go(&host.command(), &settings).await.unwrap()).await;
}

pub(super) async fn logs_in_with_rsa_and_ecdsa_keys(kind: Kind) {
    let Some(host) = SshHost::start(kind, HostOptions::default()).await else { return };
    let rsa = Algorithm::Rsa { hash: None };
    let ecdsa = Algorithm::Ecdsa { curve: EcdsaCurve::NistP384 };
    for (name, algorithm) in [("id_rsa", rsa), ("id_ecdsa", ecdsa)] {
        let keys = Keys::generate(host.near(), name, algorithm);
        host.authorize(&keys);
        let settings = LinkSettings { default_keys: vec![keys.private], ..host.settings() };
        talk(&mut go(&host.command_without_key(), &settings).await.unwrap()).await;
    }
}

pub(super) async fn says_which_keys_were_tried(kind: Kind) {
    let options =
        HostOptions { banner: Some("double check your \u{1b}[1mssh key\n".into()), ..HostOptions::default() };
    let Some(host) = SshHost::start(kind, options).await else { return };
    let other = Keys::generate(host.near(), "other", Algorithm::Ed25519);
    let settings = LinkSettings { default_keys: vec![host.client_keys().private.clone()], ..host.settings() };
    let command = format!("{} -i ~/other -i ~/none", host.command_without_key());
    let failed = error(go(&command, &settings).await);
    let LinkError::Auth { tried, user, banner, .. } = &failed else { panic!("{failed:?}") };
    let results: Vec<_> = tried.iter().map(|tried| tried.result.clone()).collect();
    assert_eq!(results, [Refusal::Rejected, Refusal::Missing]);
    assert_eq!(tried[0].key, other.private.display().to_string());
    assert!(host.command().contains(&format!(" {user}@")));
    assert_eq!(banner, "double check your [1mssh key");
    assert!(failed.to_string().contains("other (rejected)"), "{failed}");
}

pub(super) async fn says_that_the_server_had_enough_of_keys(kind: Kind) {
    let Some(host) = SshHost::start(kind, HostOptions::default()).await else { return };
    let wrong =
        (0..8).map(|number| Keys::generate(host.near(), &format!("key{number}"), Algorithm::Ed25519).private);
    let settings = LinkSettings { default_keys: wrong.collect(), ..host.settings() };
    let failed = error(go(&host.command_without_key(), &settings).await);
    let LinkError::Auth { tried, .. } = failed else { panic!("{failed:?}") };
    let (last, before) = tried.split_last().unwrap();
    assert!((4..8).contains(&before.len()), "{tried:?}");
    assert!(before.iter().all(|tried| tried.result == Refusal::Rejected), "{tried:?}");
    assert_eq!(last.result, Refusal::HungUp);
}

/// On the real `sshd` alone: it is the one that judges the certificate.
#[tokio::test]
async fn logs_in_with_a_certificate_beside_the_key_or_named() {
    let authority = tempfile::tempdir().unwrap();
    let authority = Keys::generate(authority.path(), "authority", Algorithm::Ed25519);
    let Some(host) = SshHost::start(Kind::Sshd, HostOptions::default()).await else { return };
    let keys = Keys::generate(host.near(), "certified", Algorithm::Ed25519);
    let user = host.command_without_key();
    let user = user.rsplit(' ').next().unwrap().split('@').next().unwrap();
    let sign = |principal: &str| {
        let mut sign = Command::new("ssh-keygen");
        sign.args(["-q", "-I", "test", "-n", principal, "-s"]).arg(&authority.private);
        assert!(sign.arg(keys.private.with_extension("pub")).status().unwrap().success());
    };
    let settings = LinkSettings { default_keys: vec![keys.private.clone()], ..host.settings() };
    host.trust_certificates_of(&authority);
    sign("somebody-else");
    let failed = error(go(&host.command_without_key(), &settings).await);
    let LinkError::Auth { tried, .. } = failed else { panic!("{failed:?}") };
    let names: Vec<_> = tried.iter().map(|tried| tried.key.rsplit('/').next().unwrap()).collect();
    assert_eq!(names, ["certified-cert.pub", "certified"]);
    sign(user);
    talk(&mut go(&host.command_without_key(), &settings).await.unwrap()).await;
    // Elsewhere it has to be named.
    fs::rename(host.near().join("certified-cert.pub"), host.near().join("elsewhere")).unwrap();
    assert!(matches!(error(go(&host.command_without_key(), &settings).await), LinkError::Auth { .. }));
    let command = format!("{} -o CertificateFile=~/elsewhere", host.command_without_key());
    talk(&mut go(&command, &settings).await.unwrap()).await;
}
