//! Ports behind which there is no SSH server, or a bad one.

use tokio::net::TcpListener;

use super::*;

/// Goes to a port whose connections are handled like this.
async fn go_to<F>(handle: impl Fn(tokio::net::TcpStream) -> F) -> LinkError
where
    F: Future<Output = ()>,
{
    let folder = tempfile::tempdir().unwrap();
    let settings = LinkSettings {
        user: Some("root".into()),
        known_hosts: Vec::new(),
        own_known_hosts: folder.path().join("known_hosts"),
        agent_socket: None,
        default_keys: Vec::new(),
        connect_timeout: Duration::from_secs(1),
        ..LinkSettings::from_environment()
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let command = format!("ssh -p {} 127.0.0.1", listener.local_addr().unwrap().port());
    let serving = async {
        let (stream, _) = listener.accept().await.unwrap();
        handle(stream).await;
    };
    tokio::join!(async { error(go(&command, &settings).await) }, serving).0
}

#[tokio::test]
async fn a_port_that_says_nothing_times_out() {
    let failed = go_to(|mut stream| async move {
        // Until the other side gives up.
        _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await;
    assert!(matches!(failed, LinkError::Timeout { .. }), "{failed:?}");
}

#[tokio::test]
async fn a_port_that_hangs_up_is_no_ssh_server() {
    let failed = go_to(|stream| async move { drop(stream) }).await;
    assert!(matches!(failed, LinkError::Handshake { .. }), "{failed:?}");
}

#[tokio::test]
async fn a_port_that_speaks_something_else_is_no_ssh_server() {
    let failed = go_to(|mut stream| async move {
        stream.write_all(b"HTTP/1.1 400 Bad \x1b[31mRequest\r\n\r\n").await.unwrap();
        _ = stream.shutdown().await;
    })
    .await;
    let LinkError::Handshake { detail, .. } = failed else { panic!("{failed:?}") };
    assert!(!detail.contains('\u{1b}'), "{detail:?}");
}

#[tokio::test]
async fn a_flood_instead_of_a_handshake_is_cut() {
    let failed = go_to(|mut stream| async move {
        let line = vec![b'x'; 1 << 16];
        while stream.write_all(&line).await.is_ok() {}
    })
    .await;
    assert!(matches!(failed, LinkError::Handshake { .. } | LinkError::Timeout { .. }), "{failed:?}");
}

#[tokio::test]
async fn a_name_without_an_address_is_said_to_be_one() {
    let settings = LinkSettings::from_environment();
    let failed = error(go("ssh root@no-such-host.invalid", &settings).await);
    assert!(
        matches!(&failed, LinkError::Resolve { host, .. } if host == "no-such-host.invalid"),
        "{failed:?}"
    );
}
