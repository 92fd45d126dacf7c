//! Whose word is believed.

use std::fs;

use hfdown::link::{HostKeyError, HostKeyPolicy, HostKeyTrust, LinkError, LinkSettings};
use hfdown_tests::ssh_host::{HostOptions, Keys, SshHost, SshServerKind};
use russh::keys::Algorithm;

use super::echo::{error, go, talk};

async fn refuses_a_changed_host_key(kind: SshServerKind) {
    let Some(mut host) = SshHost::start(kind, HostOptions::default()).await else { return };
    go(&host.command(), &host.settings()).await.unwrap();
    let before = host.host_keys().fingerprint();
    host.change_host_key().await;
    let LinkError::HostKey { source: HostKeyError::Changed { known, shown, place, remedy }, .. } =
        error(go(&host.command(), &host.settings()).await)
    else {
        panic!()
    };
    assert_eq!((known, shown), (before, host.host_keys().fingerprint()));
    assert_eq!(remedy.to_string(), format!("hfdown forget-host 127.0.0.1:{}", host.port()));
    assert_eq!((place.file, place.line), (host.own_known_hosts(), 1));
    assert!(!host.users_known_hosts().exists(), "the user's own file is never written");
}

/// What the pages of rental services print: nothing is remembered, so nothing can have changed.
async fn remembers_nothing_where_that_is_asked_for(kind: SshServerKind) {
    let Some(mut host) = SshHost::start(kind, HostOptions::default()).await else { return };
    go(&host.command(), &host.settings()).await.unwrap();
    let before = fs::read(host.own_known_hosts()).unwrap();
    host.change_host_key().await;
    fs::write(
        host.users_known_hosts(),
        format!("[127.0.0.1]:{} {}\n", host.port(), host.client_keys().public()),
    )
    .unwrap();
    for nothing in ["/dev/null", "none"] {
        let command =
            format!("{} -o StrictHostKeyChecking=no -o UserKnownHostsFile={nothing}", host.command());
        assert_eq!(go(&command, &host.settings()).await.unwrap().host_key, HostKeyTrust::Unremembered);
    }
    assert_eq!(fs::read(host.own_known_hosts()).unwrap(), before);
    // Which is no word against strictness, nor against the system's own file.
    let strict = format!("{} -o StrictHostKeyChecking=yes -o UserKnownHostsFile=/dev/null", host.command());
    let failed = error(go(&strict, &host.settings()).await);
    assert!(matches!(failed, LinkError::HostKey { source: HostKeyError::Unknown { .. }, .. }), "{failed:?}");
    let global = host.near().join("global");
    fs::write(&global, format!("[127.0.0.1]:{} {}\n", host.port(), host.host_keys().public())).unwrap();
    let command = format!("{strict} -o GlobalKnownHostsFile={}", global.display());
    assert_eq!(go(&command, &host.settings()).await.unwrap().host_key, HostKeyTrust::Known);
}

async fn refuses_an_unknown_host_key_when_strict(kind: SshServerKind) {
    let Some(host) = SshHost::start(kind, HostOptions::default()).await else { return };
    let settings = LinkSettings { host_keys: HostKeyPolicy::Strict, ..host.settings() };
    let LinkError::HostKey { source: HostKeyError::Unknown { shown }, .. } =
        error(go(&host.command(), &settings).await)
    else {
        panic!()
    };
    assert_eq!(shown, host.host_keys().fingerprint());
    assert!(!host.own_known_hosts().exists());
    // Once the user's own file knows it, it is let through.
    let line = format!("[127.0.0.1]:{} {}\n", host.port(), host.host_keys().public());
    fs::write(host.users_known_hosts(), line).unwrap();
    assert_eq!(go(&host.command(), &settings).await.unwrap().host_key, HostKeyTrust::Known);
}

async fn believes_only_the_pinned_key(kind: SshServerKind) {
    let Some(host) = SshHost::start(kind, HostOptions::default()).await else { return };
    let pinned = |fingerprint: String| LinkSettings {
        host_keys: HostKeyPolicy::Pinned(fingerprint),
        ..host.settings()
    };
    let link = go(&host.command(), &pinned(host.host_keys().fingerprint())).await.unwrap();
    assert_eq!(link.host_key, HostKeyTrust::Pinned);
    let failed = error(go(&host.command(), &pinned(host.client_keys().fingerprint())).await);
    assert!(
        matches!(failed, LinkError::HostKey { source: HostKeyError::NotPinned { .. }, .. }),
        "{failed:?}"
    );
}

async fn refuses_a_revoked_host_key(kind: SshServerKind) {
    let Some(host) = SshHost::start(kind, HostOptions::default()).await else { return };
    go(&host.command(), &host.settings()).await.unwrap();
    let line = format!("@revoked * {}\n", host.host_keys().public());
    fs::write(host.users_known_hosts(), line).unwrap();
    let failed = error(go(&host.command(), &host.settings()).await);
    let LinkError::HostKey { source: HostKeyError::Revoked { shown, place }, .. } = failed else {
        panic!("{failed:?}")
    };
    assert_eq!(shown, host.host_keys().fingerprint());
    assert_eq!((place.file, place.line), (host.users_known_hosts(), 1));
}

/// Also where the user would like it to.
async fn forwards_nothing_whatever_the_command_and_the_environment_say(kind: SshServerKind) {
    let Some(host) = SshHost::start(kind, HostOptions::default()).await else { return };
    let Some(agent) = super::agents::KeyAgent::start(host.near()).await else { return };
    agent.add(&host.client_keys().private);
    let settings = LinkSettings { agent_socket: Some(agent.socket.clone()), ..host.settings() };
    let wishes = "-A -X -R 1:localhost:1 -L 2:localhost:2 -o ForwardAgent=yes -o SendEnv=* -t";
    let mut link = go(&format!("{} {wishes}", host.command()), &settings).await.unwrap();
    talk(&mut link).await;
    assert_eq!(host.asked_for(), [""; 0]);
    let pid = host.agent_pids()[0];
    let environment = hfdown_tests::processes::Process { pid }.environment();
    let leaked = |name: &&str| environment.iter().any(|variable| variable.starts_with(*name));
    let names = ["SSH_AUTH_SOCK=", "DISPLAY=", "SSH_TTY="];
    assert_eq!(names.iter().find(|name| leaked(name)), None, "{environment:?}");
    talk(&mut link).await;
}

#[tokio::test]
async fn channels_that_the_server_opens_are_refused() {
    let host = SshHost::start(SshServerKind::InProcess, HostOptions::default()).await.unwrap();
    let mut link = go(&host.command(), &host.settings()).await.unwrap();
    assert_eq!(host.opened_to_clients().await, [""; 0]);
    talk(&mut link).await;
}

/// On the real `sshd`, which shows the certificate.
#[tokio::test]
async fn believes_a_host_whose_authority_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Keys::generate(folder.path(), "authority", Algorithm::Ed25519);
    let Some(mut host) = SshHost::start(SshServerKind::Sshd, HostOptions::default()).await else { return };
    let strict = LinkSettings { host_keys: HostKeyPolicy::Strict, ..host.settings() };
    let known = format!("@cert-authority [127.0.0.1]:* {}\n", authority.public());
    fs::write(host.users_known_hosts(), known).unwrap();
    // It shows a plain key, of which an authority says nothing.
    let failed = error(go(&host.command(), &strict).await);
    assert!(matches!(failed, LinkError::HostKey { source: HostKeyError::Unknown { .. }, .. }), "{failed:?}");
    host.certify_host_key(&authority, "another-host").await;
    let failed = error(go(&host.command(), &strict).await);
    assert!(matches!(failed, LinkError::HostKey { source: HostKeyError::Certificate(_), .. }), "{failed:?}");
    host.certify_host_key(&authority, "127.0.0.1").await;
    let mut link = go(&host.command(), &strict).await.unwrap();
    talk(&mut link).await;
    assert_eq!(link.host_key, HostKeyTrust::Known);
    assert!(!host.own_known_hosts().exists(), "nothing is written down");
}

on_boxes! {
    refuses_a_changed_host_key,
    remembers_nothing_where_that_is_asked_for,
    refuses_an_unknown_host_key_when_strict,
    believes_only_the_pinned_key,
    refuses_a_revoked_host_key,
    forwards_nothing_whatever_the_command_and_the_environment_say,
}
