//! Conversations that end in other ways than they should.

use super::*;
use crate::conversation::CHECK;
use futures_util::StreamExt;
use hfdown_protocol::{FailureKind, Order, VERSION, inbox, limits};
use tokio::io::{DuplexStream, split};

/// An agent at the end of a pipe of so many bytes.
fn agent(pipe: usize) -> (tokio::task::JoinHandle<CloseReason>, DuplexStream) {
    let (near, far) = tokio::io::duplex(pipe);
    let (reader, writer) = split(far);
    let serving = serve(reader, writer, Environment::new(None, crate::http::Proxies::none()).unwrap());
    (tokio::spawn(serving), near)
}

#[tokio::test]
async fn what_is_no_certificate_is_not_trusted() {
    let (agent, near) = agent(4096);
    let (reader, writer) = split(near);
    let mut orders = outbox::<_, Order>(writer);
    orders.send(Order::Trust { authorities: vec![b"not a certificate".to_vec()] }).await.unwrap();
    let mut reports = inbox::<_, Report>(reader, &[]);
    let report = reports.next().await.unwrap().unwrap();
    assert!(
        matches!(&report, Report::Fatal { failure } if failure.kind == FailureKind::Protocol),
        "{report:?}"
    );
    assert_eq!(agent.await.unwrap(), CloseReason::Fatal);
}

#[tokio::test(start_paused = true)]
async fn a_silent_controller_is_given_up_but_not_a_quiet_one() {
    let (agent, near) = agent(4096);
    let mut orders = outbox::<_, Order>(near);
    let began = tokio::time::Instant::now();
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_secs(limits::SILENCE_SECONDS / 2)).await;
        orders.send(Order::Ping).await.unwrap();
    }
    assert_eq!(agent.await.unwrap(), CloseReason::Silence);
    let silence = Duration::from_secs(limits::SILENCE_SECONDS);
    assert!(began.elapsed() + CHECK >= silence * 6);
}

#[tokio::test(start_paused = true)]
async fn an_agent_whose_reports_are_not_read_ends_all_the_same() {
    let (agent, near) = agent(64);
    let (_unread, writer) = split(near);
    let mut orders = outbox::<_, Order>(writer);
    // Each is answered; the answers fill the queue and the pipe.
    while orders
        .send(Order::Hello { version: VERSION.to_owned(), mode: hfdown_protocol::Mode::Attached })
        .await
        .is_ok()
    {}
    assert_eq!(agent.await.unwrap(), CloseReason::LinkLost);
}
