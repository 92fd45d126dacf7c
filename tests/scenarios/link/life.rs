//! From the first byte to the last.

use std::cell::Cell;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use hfdown::link::{
    AgentImage, AgentImages, AgentLink, AgentOrigin, CommandExit, Cpu, HostKeyTrust, LinkError, SshTarget,
};
use hfdown_protocol::{Order, Report, VERSION, inbox, outbox};
use hfdown_tests::proxy::Proxy;
use hfdown_tests::ssh_host::{HostOptions, SshHost, SshServerKind};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::echo::{ECHO, error, eventually, go, go_with, images, talk};

async fn uploads_an_agent_once_and_finds_it_again(kind: SshServerKind) {
    let Some(host) = SshHost::start(kind, HostOptions::default()).await else { return };
    let settings = host.settings();
    let mut cold = go(&host.command(), &settings).await.unwrap();
    assert_eq!(cold.origin, AgentOrigin::Uploaded { bytes: ECHO.len() as u64, replaces: None });
    assert_eq!(cold.platform.system, "Linux");
    assert!(
        matches!(&cold.host_key, HostKeyTrust::Learned { fingerprint, .. } if *fingerprint == host.host_keys().fingerprint())
    );
    talk(&mut cold).await;
    let agent = host.home().join(".cache/hfdown").join(AgentImage::new(ECHO).file_name());
    assert_eq!(fs::read_to_string(&agent).unwrap(), ECHO);
    for path in [agent.as_path(), agent.parent().unwrap()] {
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o700, "{}", path.display());
    }
    assert_eq!(fs::read_dir(agent.parent().unwrap()).unwrap().count(), 1, "nothing else is left there");

    cold.writer.shutdown().await.unwrap();
    let mut rest = Vec::new();
    cold.reader.read_to_end(&mut rest).await.unwrap();
    let ending = cold.guard.close(Duration::from_secs(5)).await;
    assert_eq!(ending.exit, Some(CommandExit::Status(7)));
    assert!(ending.closed);
    assert_eq!(ending.last_words, "agent is up");

    let mut warm = go(&host.command(), &settings).await.unwrap();
    assert_eq!((warm.origin, &warm.host_key), (AgentOrigin::Cached, &HostKeyTrust::Known));
    assert_eq!(warm.platform.system, "Linux");
    talk(&mut warm).await;
}

async fn says_that_a_port_is_closed(kind: SshServerKind) {
    let Some(host) = SshHost::start(kind, HostOptions::default()).await else { return };
    let (command, settings) = (host.command(), host.settings());
    drop(host);
    eventually("the port is closed", || {
        let (target, _) = SshTarget::parse(&command).unwrap();
        std::net::TcpStream::connect((target.host.as_str(), target.port)).is_err()
    })
    .await;
    let failed = error(go(&command, &settings).await);
    assert!(matches!(failed, LinkError::Refused { .. }), "{failed:?}");
}

async fn ends_the_agent_when_the_link_is_dropped(kind: SshServerKind) {
    let Some(host) = SshHost::start(kind, HostOptions::default()).await else { return };
    let mut link = go(&host.command(), &host.settings()).await.unwrap();
    talk(&mut link).await;
    assert_eq!(host.agent_pids().len(), 1);
    let AgentLink { reader, writer, guard, .. } = link;
    drop(guard);
    eventually("the agent is gone", || host.agent_pids().is_empty()).await;
    drop((reader, writer));
}

async fn notices_that_the_connection_was_cut(kind: SshServerKind) {
    let Some(host) = SshHost::start(kind, HostOptions::default()).await else { return };
    let mut link = go(&host.command(), &host.settings()).await.unwrap();
    talk(&mut link).await;
    host.kill_connections();
    assert_eq!(link.reader.read_buf(&mut Vec::with_capacity(9)).await.unwrap(), 0);
    let ending = link.guard.agent_exit();
    assert_eq!((ending.exit, ending.closed), (None, false));
    assert!(link.writer.write_all(b"still there?").await.is_err());
    eventually("the agent is gone", || host.agent_pids().is_empty()).await;
    talk(&mut go(&host.command(), &host.settings()).await.unwrap()).await;
}

async fn uses_two_commands_on_a_cold_box_and_one_on_a_warm_one(kind: SshServerKind) {
    let Some(host) = SshHost::start(kind, HostOptions::default()).await else { return };
    host.put_program("uname", "echo run >>\"$HOME/runs\"; exec /usr/bin/uname \"$@\"");
    let runs = || fs::read_to_string(host.home().join("runs")).unwrap().lines().count();
    // `uname` runs twice in a launch and never in an installation.
    let proxy = Proxy::to(host.port()).await;
    talk(&mut go(&host.command_via(proxy.port()), &host.settings()).await.unwrap()).await;
    assert_eq!((runs(), proxy.opened()), (2, 1));
    talk(&mut go(&host.command_via(proxy.port()), &host.settings()).await.unwrap()).await;
    assert_eq!((runs(), proxy.opened()), (4, 2));
}

async fn carries_megabytes_both_ways(kind: SshServerKind) {
    const SIZE: usize = 24 << 20;
    let Some(host) = SshHost::start(kind, HostOptions::default()).await else { return };
    let AgentLink { mut reader, mut writer, already_read, guard, .. } =
        go(&host.command(), &host.settings()).await.unwrap();
    let sent: Vec<u8> = (0..=250).cycle().take(SIZE).collect();
    let writing = async {
        writer.write_all(&sent).await.unwrap();
        writer.shutdown().await.unwrap();
    };
    let mut heard = already_read;
    let (heard_more, ()) = tokio::join!(reader.read_to_end(&mut heard), writing);
    heard_more.unwrap();
    assert!(heard == sent);
    assert_eq!(guard.close(Duration::from_secs(5)).await.exit, Some(CommandExit::Status(7)));
}

/// The agent that this build embeds, if it embeds one.
async fn starts_the_real_agent(kind: SshServerKind) {
    let images = AgentImages::embedded();
    if [Cpu::X86_64, Cpu::Aarch64].iter().all(|cpu| images.get(*cpu).is_none()) {
        return;
    }
    let Some(host) = SshHost::start(kind, HostOptions::default()).await else { return };
    for _ in ["cold", "warm"] {
        let link = go_with(&host.command(), &host.settings(), &images).await.unwrap();
        let mut outbox = outbox(link.writer);
        let mut inbox = inbox(link.reader, &link.already_read);
        outbox
            .send(Order::Hello { version: VERSION.to_owned(), mode: hfdown_protocol::Mode::Attached })
            .await
            .unwrap();
        let answer: Report = inbox.next().await.unwrap().unwrap();
        assert!(matches!(&answer, Report::Hello { version, .. } if version == VERSION), "{answer:?}");
        outbox.close().await.unwrap();
        let ending = link.guard.close(Duration::from_secs(10)).await;
        assert!(ending.closed, "{ending:?}");
    }
}

async fn lets_two_come_at_once(kind: SshServerKind) {
    let Some(host) = SshHost::start(kind, HostOptions::default()).await else { return };
    let (command, settings) = (host.command(), host.settings());
    let (one, other) = tokio::join!(go(&command, &settings), go(&command, &settings));
    let (mut one, mut other) = (one.unwrap(), other.unwrap());
    tokio::join!(talk(&mut one), talk(&mut other));
    assert_eq!(fs::read_to_string(host.own_known_hosts()).unwrap().lines().count(), 1);
    assert_eq!(fs::read_dir(host.home().join(".cache/hfdown")).unwrap().count(), 1);
}

/// An agent that hangs fills the window; then a dropped guard must still end the connection, and the task that writes.
/// The server in this process would hang as well: russh's server stops reading then.
#[tokio::test]
async fn lets_go_of_an_agent_that_does_not_listen() {
    const DEAF: &str = "#!/bin/sh\nprintf '\\nHFDOWN-AGENT %s\\n' \"$2\"\nwhile :; do sleep 1; done\n";
    let Some(host) = SshHost::start(SshServerKind::Sshd, HostOptions::default()).await else { return };
    let proxy = Proxy::to(host.port()).await;
    let deaf = images(DEAF);
    let AgentLink { mut writer, guard, .. } =
        go_with(&host.command_via(proxy.port()), &host.settings(), &deaf).await.unwrap();
    let writing = tokio::spawn(async move { writer.write_all(&vec![0; 64 << 20]).await });
    let seen = Cell::new((0, 0));
    eventually("nothing moves any more", || {
        let (before, times) = seen.get();
        let now = proxy.bytes_up();
        seen.set((now, if now == before { times + 1 } else { 0 }));
        now > 1 << 20 && times > 10
    })
    .await;
    assert!(!writing.is_finished());
    assert_eq!(proxy.open(), 1);
    drop(guard);
    assert!(writing.await.unwrap().is_err());
    eventually("the connection is closed", || proxy.open() == 0).await;
}

on_boxes! {
    uploads_an_agent_once_and_finds_it_again,
    uses_two_commands_on_a_cold_box_and_one_on_a_warm_one,
    starts_the_real_agent,
    lets_two_come_at_once,
    carries_megabytes_both_ways,
    ends_the_agent_when_the_link_is_dropped,
    notices_that_the_connection_was_cut,
    says_that_a_port_is_closed,
}
