//! What an agent may make the controller read, and how much of it it is sent.

use hfdown_agent::http::{ExtraRoots, Proxies};
use hfdown_protocol::{Commit, Digest, RepoPath};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::hub::{Endpoint, Gating, Hub, HubSettings, RepoId, RepoInfo};
use crate::plan::{Action, Plan, Reason};
use crate::session::{Carryover, Relaying};

const SIZE: u64 = 10_000_000;
const WINDOW: u32 = 256 * 1024;

/// A relay of one file, and what it says.
struct Trial {
    relay: Relay,
    sources: Sources,
    plan: Plan,
    run: Carryover,
    said: mpsc::Receiver<Order>,
}

impl Trial {
    /// With a Hub at this address.
    fn at(endpoint: &str) -> Self {
        let settings = HubSettings::default();
        let hub = Hub::new(
            Endpoint::new(endpoint).unwrap(),
            None,
            &ExtraRoots::default(),
            Proxies::none(),
            settings,
        )
        .unwrap();
        let info = RepoInfo {
            id: "acme/model".parse::<RepoId>().unwrap(),
            commit: Commit::new("607a30d783dfa663caf39e06633721c8d4cfcd7e").unwrap(),
            private: false,
            gating: Gating::Open,
            license: None,
            last_modified: None,
            tags: Vec::new(),
        };
        let sources = Sources::new(Arc::new(hub), Arc::new(info), Relaying::ToBox);
        let planned = |id: u32| {
            let path = RepoPath::new(format!("file-{id}")).unwrap();
            let file = ListedFile { path, size: SIZE, digest: Digest::Sha256([0; 32]) };
            (file, Action::Fetch { reason: Reason::Missing, replaces: None, partial: 0 })
        };
        let plan = Plan::of([planned(0), planned(1)]);
        sources.will_relay(FileId(0));
        let (out, said) = mpsc::channel(2);
        Self { relay: Relay::new(out), sources, plan, run: Carryover::default(), said }
    }

    fn hear(&mut self, stream: u32, request: StreamRequest) -> Result<(), SessionError> {
        let mut monitor = TransferMonitor::new(&self.plan, &mut self.run);
        self.relay.hear(StreamId(stream), request, &self.sources, &mut monitor)
    }

    fn open(&mut self, stream: u32, file: u32, range: Range<u64>) -> Result<(), SessionError> {
        self.hear(stream, StreamRequest::Open { file: FileId(file), range: Some(range) })
    }

    fn window(&mut self, stream: u32, bytes: u32) -> Result<(), SessionError> {
        self.hear(stream, StreamRequest::Window { bytes })
    }

    /// Receives so many bytes, and no more.
    async fn receive(&mut self, expected: u32) {
        let mut received = 0;
        while received < expected as usize {
            match self.said.recv().await.unwrap() {
                Order::Stream { event: StreamEvent::Bytes { bytes }, .. } => received += bytes.len(),
                Order::Stream { event: StreamEvent::Head(head), .. } => assert_eq!(head.status, 206),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(received, expected as usize);
        assert!(self.said.try_recv().is_err(), "there was no room for more");
    }
}

#[tokio::test]
async fn an_agent_is_sent_no_more_than_it_has_made_room_for() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move {
        let (mut connection, _) = listener.accept().await.unwrap();
        _ = connection.read(&mut [0; 4096]).await;
        let head = format!(
            "HTTP/1.1 206 Partial Content\r\nContent-Length: {SIZE}\r\nContent-Range: bytes 0-{}/{SIZE}\r\n\r\n",
            SIZE - 1
        );
        // The client goes when it has seen enough.
        _ = connection.write_all(head.as_bytes()).await;
        _ = connection.write_all(&vec![7; usize::try_from(SIZE).unwrap()]).await;
    });
    let mut trial = Trial::at(&address);
    trial.open(0, 0, 0..SIZE).unwrap();
    trial.receive(WINDOW).await;
    for bytes in [1, 1000, WINDOW] {
        trial.window(0, bytes).unwrap();
        trial.receive(bytes).await;
    }
    assert!(trial.window(0, WINDOW + 1).is_err(), "there is no such room");
    trial.hear(0, StreamRequest::Close).unwrap();
    serving.await.unwrap();
}

#[tokio::test]
async fn what_an_agent_was_not_to_ask_for_ends_the_conversation() {
    type Lie = fn(&mut Trial) -> Result<(), SessionError>;
    let lies: [(&str, Lie); 9] = [
        ("a file that is not in the plan", |trial| trial.open(1, 2, 0..1)),
        ("a file that is not relayed", |trial| trial.open(1, 1, 0..1)),
        ("bytes behind the end", |trial| trial.open(1, 0, 0..SIZE + 1)),
        ("no bytes", |trial| trial.open(1, 0, 5..5)),
        ("a number again", |trial| trial.open(0, 0, 0..1)),
        ("a window that was not used", |trial| trial.window(0, 1)),
        ("a window of nothing", |trial| trial.window(0, 0)),
        ("streams without end", |trial| (1..1000).try_for_each(|stream| trial.open(stream, 0, 0..1))),
        ("streams that there are not", |trial| (1..10).try_for_each(|_| trial.window(7, 1))),
    ];
    for (what, lie) in lies {
        // No Hub is asked before this task waits.
        let mut trial = Trial::at("http://127.0.0.1:9");
        trial.open(0, 0, 0..1).unwrap();
        assert!(matches!(lie(&mut trial), Err(SessionError::Protocol(_))), "{what}");
    }
}

#[tokio::test]
async fn one_file_is_not_read_for_ever() {
    let mut trial = Trial::at("http://127.0.0.1:9");
    let asked = (0..1_000_000).find(|stream| {
        let opened = trial.open(*stream, 0, 0..SIZE);
        opened.and_then(|()| trial.hear(*stream, StreamRequest::Close)).is_err()
    });
    let most = (SIZE * MOST_TIMES + ALLOWANCE) / QUESTION;
    assert!(asked.is_some_and(|asked| u64::from(asked) <= most + 2), "{asked:?}");
}
