//! Whose word is believed.

use super::*;

pub(super) async fn refuses_a_changed_host_key(kind: Kind) {
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

pub(super) async fn refuses_an_unknown_host_key_when_strict(kind: Kind) {
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
    assert_eq!(go(&host.command(), &settings).await.unwrap().host_key, HostKeySeen::Known);
}

pub(super) async fn believes_only_the_pinned_key(kind: Kind) {
    let Some(host) = SshHost::start(kind, HostOptions::default()).await else { return };
    let pinned = |fingerprint: String| LinkSettings {
        host_keys: HostKeyPolicy::Pinned(fingerprint),
        ..host.settings()
    };
    let link = go(&host.command(), &pinned(host.host_keys().fingerprint())).await.unwrap();
    assert_eq!(link.host_key, HostKeySeen::Pinned);
    let failed = error(go(&host.command(), &pinned(host.client_keys().fingerprint())).await);
    assert!(
        matches!(failed, LinkError::HostKey { source: HostKeyError::NotPinned { .. }, .. }),
        "{failed:?}"
    );
}
