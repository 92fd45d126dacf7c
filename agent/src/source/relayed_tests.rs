use hfdown_protocol::{Failure, FailureKind};

use super::*;

/// A stream of which the controller has been told, and what it is told.
fn opened() -> (Arc<Streams>, RelayedStream, mpsc::Receiver<Report>) {
    let (reports, told) = mpsc::channel(1);
    let (streams, incoming) = (Arc::new(Streams::default()), Arc::new(Incoming::default()));
    let stream = StreamId(0);
    {
        let mut open = streams.lock();
        open.numbered = 1;
        open.incoming.insert(stream, Arc::clone(&incoming));
    }
    let host = "hub.example".to_owned();
    let relayed = RelayedStream {
        stream,
        host,
        position: 7,
        incoming,
        taken: 0,
        streams: Arc::clone(&streams),
        reports,
        _turn: Arc::clone(&streams.turns).try_acquire_owned().unwrap(),
    };
    (streams, relayed, told)
}

fn bytes(length: usize) -> StreamEvent {
    StreamEvent::Bytes { bytes: vec![b'x'; length] }
}

fn head() -> StreamEvent {
    StreamEvent::Head(StreamHead { status: 206, ..StreamHead::default() })
}

#[tokio::test]
async fn no_more_comes_than_the_window_holds_and_what_is_taken_is_told() {
    let (streams, mut relayed, mut told) = opened();
    let say = |event| streams.hand_over(StreamId(0), event);
    assert_eq!(say(bytes(1)), Err(Unasked), "before the head");
    say(head()).unwrap();
    assert_eq!(say(head()), Err(Unasked), "twice");
    say(bytes(limits::WINDOW - 1)).unwrap();
    say(bytes(1)).unwrap();
    assert_eq!(say(bytes(1)), Err(Unasked), "more than the window");
    let chunk = relayed.next().await.unwrap().unwrap();
    assert_eq!((chunk.offset, chunk.bytes.len(), chunk.wire), (7, limits::WINDOW, limits::WINDOW as u64));
    assert_eq!(say(bytes(1)), Err(Unasked), "it has not been told yet");
    say(StreamEvent::End).unwrap();
    assert!(relayed.next().await.unwrap().is_none());
    let window = StreamRequest::Window { bytes: u32::try_from(limits::WINDOW).unwrap() };
    assert_eq!(told.try_recv().unwrap(), Report::Stream { stream: StreamId(0), request: window });
    assert_eq!(say(bytes(1)), Err(Unasked), "after the end");
    drop(relayed);
    assert!(told.try_recv().is_err(), "what has ended need not be closed");
    assert_eq!(say(bytes(1)), Ok(()), "it is of no interest any more");
    assert_eq!(streams.hand_over(StreamId(1), head()), Err(Unasked), "that has not been opened");
}

#[tokio::test]
async fn a_wait_that_is_given_up_loses_nothing() {
    let (streams, mut relayed, told) = opened();
    streams.hand_over(StreamId(0), head()).unwrap();
    streams.hand_over(StreamId(0), bytes(limits::WINDOW)).unwrap();
    let first = relayed.next().await.unwrap().unwrap();
    // The controller can't be told: the channel is full.
    relayed.reports.try_send(Report::Pong).unwrap();
    streams.hand_over(StreamId(0), StreamEvent::End).unwrap();
    let waited = tokio::time::timeout(std::time::Duration::from_millis(1), relayed.next()).await;
    assert!(waited.is_err());
    drop(told);
    assert_eq!(first.bytes.len(), limits::WINDOW);
    assert!(relayed.next().await.is_err(), "the conversation is over");
}

#[tokio::test]
async fn a_stream_that_is_dropped_is_closed_also_where_there_is_no_room_to_say_so() {
    let (streams, relayed, mut told) = opened();
    relayed.reports.try_send(Report::Pong).unwrap();
    drop(relayed);
    assert_eq!(streams.lock().closed, [StreamId(0)]);
    let (_, relayed, mut closed) = opened();
    drop(relayed);
    let close = Report::Stream { stream: StreamId(0), request: StreamRequest::Close };
    assert_eq!(closed.try_recv().unwrap(), close);
    assert_eq!(told.try_recv().unwrap(), Report::Pong);
}

#[tokio::test]
async fn what_came_before_a_failure_is_had_first() {
    let (streams, mut relayed, _told) = opened();
    let failure = Failure::new(FailureKind::Unreachable, "it went away");
    for event in [head(), bytes(3), StreamEvent::Failed { failure }] {
        streams.hand_over(StreamId(0), event).unwrap();
    }
    assert_eq!(relayed.next().await.unwrap().unwrap().bytes.len(), 3);
    assert!(matches!(relayed.next().await, Err(FetchFault::SourceUnavailable(_))));
}
