//! The way through other hosts.

use std::fs;
use std::time::Duration;

use hfdown::link::{HostKeyError, HostKeyPolicy, HostKeyTrust, LinkError, LinkSettings};
use hfdown_tests::ssh_host::{HostOptions, SshHost, SshServerKind};

use super::echo::{error, go, talk};

/// Settings that know the keys of two hosts' client.
fn settings(near: &SshHost, far: &SshHost) -> LinkSettings {
    let keys = vec![near.client_keys().private.clone(), far.client_keys().private.clone()];
    LinkSettings { default_keys: keys, ..far.settings() }
}

/// `user@127.0.0.1:port`.
fn address(host: &SshHost) -> String {
    let command = host.command_without_key();
    format!("{}:{}", command.rsplit(' ').next().unwrap(), host.port())
}

async fn two(kind: SshServerKind) -> Option<(SshHost, SshHost)> {
    Some((
        SshHost::start(SshServerKind::Sshd, HostOptions::default()).await?,
        SshHost::start(kind, HostOptions::default()).await?,
    ))
}

async fn goes_through_a_real_sshd(kind: SshServerKind) {
    let Some((jump, host)) = two(kind).await else { return };
    let settings = settings(&jump, &host);
    let command = format!("{} -J {}", host.command_without_key(), address(&jump));
    let mut link = go(&command, &settings).await.unwrap();
    talk(&mut link).await;
    // Each of them was judged.
    let known = fs::read_to_string(host.own_known_hosts()).unwrap();
    assert!(
        known.contains(&jump.host_keys().public()) && known.contains(&host.host_keys().public()),
        "{known}"
    );
    link.guard.close(Duration::from_secs(5)).await;
    // A chain: the same jump host twice is a way as well.
    let command = format!("{} -J {},{}", host.command_without_key(), address(&jump), address(&jump));
    talk(&mut go(&command, &settings).await.unwrap()).await;
}

async fn pins_the_key_of_the_box_and_not_that_of_the_jump_host(kind: SshServerKind) {
    let Some((jump, host)) = two(kind).await else { return };
    let pinned = HostKeyPolicy::Pinned(host.host_keys().fingerprint());
    let settings = LinkSettings { host_keys: pinned, ..settings(&jump, &host) };
    let command = format!("{} -J {}", host.command_without_key(), address(&jump));
    assert_eq!(go(&command, &settings).await.unwrap().host_key, HostKeyTrust::Pinned);
}

async fn names_the_host_on_the_way_that_is_in_the_way(kind: SshServerKind) {
    let Some((mut jump, host)) = two(kind).await else { return };
    let command = format!("{} -J {}", host.command_without_key(), address(&jump));
    let settings = settings(&jump, &host);
    // Its key opens only the box.
    let without = LinkSettings { default_keys: vec![host.client_keys().private.clone()], ..settings.clone() };
    let failed = error(go(&command, &without).await);
    let LinkError::Jump { jump: name, source } = &failed else { panic!("{failed:?}") };
    assert_eq!(*name, format!("127.0.0.1:{}", jump.port()));
    assert!(matches!(**source, LinkError::Auth { .. }), "{source:?}");
    // Nothing listens behind it.
    let closed = format!("ssh -p 1 root@127.0.0.1 -J {}", address(&jump));
    let failed = error(go(&closed, &settings).await);
    let LinkError::NotForwarded { jump: name, address, why } = &failed else { panic!("{failed:?}") };
    assert_eq!((name, address.as_str()), (&format!("127.0.0.1:{}", jump.port()), "127.0.0.1:1"));
    assert_eq!(*why, hfdown::link::NotForwarded::Unreachable);
    // It is another host by now.
    jump.change_host_key().await;
    let failed = error(go(&command, &settings).await);
    let LinkError::Jump { source, .. } = &failed else { panic!("{failed:?}") };
    assert!(
        matches!(**source, LinkError::HostKey { source: HostKeyError::Changed { .. }, .. }),
        "{source:?}"
    );
}

on_boxes! {
    goes_through_a_real_sshd,
    pins_the_key_of_the_box_and_not_that_of_the_jump_host,
    names_the_host_on_the_way_that_is_in_the_way,
}
