//! Listening to an agent, whatever it does.

use super::super::lull::{LONGEST, SLOWEST_DISK};
use super::*;
use hfdown_agent::CloseReason;
use hfdown_protocol::Folding;
use tokio::io::DuplexStream;

/// A session whose agent is the test, behind a pipe of so many bytes.
fn session(pipe: usize) -> (Session, DuplexStream, CancellationToken) {
    let (near, far) = tokio::io::duplex(pipe);
    let (reader, writer) = tokio::io::split(near);
    let cancel = CancellationToken::new();
    let agent = AgentHandle::Local(tokio::spawn(async { CloseReason::Bye }));
    (Session::new(reader, writer, &[], agent, SILENCE, cancel.clone()), far, cancel)
}

#[tokio::test(start_paused = true)]
async fn a_controller_that_wants_to_stop_listens_until_there_is_room_to_say_so() {
    let (mut session, far, cancel) = session(64);
    let (reader, writer) = tokio::io::split(far);
    let mut agent = outbox::<_, Report>(writer);
    // The agent does not read: the pipe fills, then the queue.
    while tokio::time::timeout(SILENCE / 60, session.say(Order::Ping)).await.is_ok() {}
    cancel.cancel();
    agent.send(Report::Surveyed { folding: Folding::Nothing }).await.unwrap();
    assert!(matches!(session.hear().await, Ok(Heard::Report(Report::Surveyed { .. }))));
    let reading = async {
        let mut orders = inbox::<_, Order>(reader, &[]);
        while !matches!(orders.next().await, Some(Ok(Order::Cancel))) {}
    };
    let (heard, ()) = tokio::join!(session.hear(), reading);
    assert!(matches!(heard, Ok(Heard::Cancelled)));
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_says_nothing_is_given_up_but_not_one_that_was_not_listened_to() {
    let (mut session, far, _cancel) = session(4096);
    let mut agent = outbox::<_, Report>(far);
    agent.send(Report::Surveyed { folding: Folding::Nothing }).await.unwrap();
    // As after Ctrl-Z and `fg`.
    tokio::time::advance(Duration::from_secs(3600)).await;
    assert!(matches!(session.hear().await, Ok(Heard::Report(Report::Surveyed { .. }))));
    assert!(matches!(session.hear().await, Err(SessionError::Silent(30))));
    let silent_since = Instant::now();
    session.close().await;
    assert_eq!(silent_since.elapsed(), Duration::ZERO, "it is not waited for once more");
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_is_alive_and_has_nothing_new_to_say_is_given_up() {
    let (mut session, far, _cancel) = session(4096);
    let (reader, writer) = tokio::io::split(far);
    let answering = tokio::spawn(async move {
        let (mut orders, mut agent) = (inbox::<_, Order>(reader, &[]), outbox::<_, Report>(writer));
        while let Some(Ok(Order::Ping)) = orders.next().await {
            for report in [Report::Pong, Report::Tick { files: Vec::new() }] {
                if agent.send(report).await.is_err() {
                    return;
                }
            }
        }
    });
    let waiting = tokio::time::timeout(2 * LONGEST, async { while session.hear().await.is_ok() {} });
    assert!(waiting.await.is_err(), "a folder may be waited for as long as it takes");
    session.lull.begin(60 * SLOWEST_DISK);
    let began = Instant::now();
    let error = loop {
        match session.hear().await {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert_eq!(error.to_string(), "the agent broke the protocol: it has had nothing new to say for 61 min");
    assert!(began.elapsed() < LONGEST + Duration::from_secs(70), "{:?}", began.elapsed());
    answering.abort();
}

#[tokio::test(start_paused = true)]
async fn pings_go_out_while_the_controller_does_not_listen() {
    let (session, far, _cancel) = session(4096);
    let mut orders = inbox::<_, Order>(far, &[]);
    for _ in 0..10 {
        assert!(matches!(orders.next().await, Some(Ok(Order::Ping))));
    }
    drop(session);
}
