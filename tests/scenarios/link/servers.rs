//! Ports behind which there is no SSH server, or a bad one.

use std::time::Duration;

use hfdown::link::{LinkError, LinkSettings};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::echo::{error, go};

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
    assert!(failed.is_of_the_moment(), "a busy proxy does that, too");
}

#[tokio::test]
async fn a_server_that_has_too_many_logins_just_now_is_one() {
    let failed = go_to(|mut stream| async move {
        stream.write_all(b"Exceeded MaxStartups\r\n").await.unwrap();
    })
    .await;
    assert!(matches!(failed, LinkError::Busy { .. }) && failed.is_of_the_moment(), "{failed:?}");
}

#[tokio::test]
async fn a_port_that_greets_and_waits_is_no_ssh_server() {
    let failed = go_to(|mut stream| async move {
        stream.write_all(b"220 mail.example.com ESMTP\r\n").await.unwrap();
        _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await;
    assert!(
        matches!(&failed, LinkError::NotSsh { said, .. } if said == "220 mail.example.com ESMTP"),
        "{failed:?}"
    );
}

#[tokio::test]
async fn a_server_that_knows_no_algorithm_of_ours_says_which_it_knows() {
    let failed = go_to(|mut stream| async move {
        stream.write_all(b"SSH-2.0-old\r\n").await.unwrap();
        let lists = [
            "ancient-kex",
            "ssh-dss",
            "3des-cbc",
            "3des-cbc",
            "hmac-md5",
            "hmac-md5",
            "none",
            "none",
            "",
            "",
        ];
        let mut payload = vec![20; 17];
        for list in lists {
            payload.extend(u32::try_from(list.len()).unwrap().to_be_bytes());
            payload.extend(list.as_bytes());
        }
        payload.extend([0; 5]);
        let padding = 8 - (payload.len() + 5) % 8 + 8;
        let length = u32::try_from(payload.len() + 1 + padding).unwrap();
        stream.write_all(&length.to_be_bytes()).await.unwrap();
        stream.write_all(&[u8::try_from(padding).unwrap()]).await.unwrap();
        stream.write_all(&payload).await.unwrap();
        stream.write_all(&vec![0; padding]).await.unwrap();
        _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await;
    assert_eq!(
        failed.to_string().split_once(' ').unwrap().1,
        "and hfdown have no key exchange algorithm in common: it knows ancient-kex"
    );
    assert!(!failed.is_of_the_moment());
}

#[tokio::test]
async fn a_port_that_speaks_something_else_is_no_ssh_server() {
    let failed = go_to(|mut stream| async move {
        stream.write_all(b"HTTP/1.1 400 Bad \x1b[31mRequest\r\n\r\n").await.unwrap();
        _ = stream.shutdown().await;
    })
    .await;
    let LinkError::NotSsh { said, .. } = &failed else { panic!("{failed:?}") };
    assert_eq!(said, "HTTP/1.1 400 Bad [31mRequest");
    assert!(!failed.is_of_the_moment());
}

#[tokio::test]
async fn a_flood_instead_of_a_handshake_is_cut() {
    let failed = go_to(|mut stream| async move {
        let line = vec![b'x'; 1 << 16];
        while stream.write_all(&line).await.is_ok() {}
    })
    .await;
    assert!(matches!(failed, LinkError::NotSsh { .. }), "{failed:?}");
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
