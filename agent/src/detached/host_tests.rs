//! Clients that come and go, around a real conversation.

use std::num::NonZeroU32;

use hfdown_protocol::{
    Access, AskedFor, Check, Commit, Digest, FailureKind, FileId, Job, Layout, Limits, Outbox, RepoPath,
    Skipped, Source, Traces, Wanted,
};
use tempfile::TempDir;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use super::*;

/// What `hello\n` is to git.
const HELLO: &str = "ce013625030ba8dba906f756967f9e9ca394464a";
/// Not a measurement: a test that hangs fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// One controller's end.
struct Controller {
    orders: Outbox<OwnedWriteHalf, Order>,
    reports: Inbox<OwnedReadHalf, Report>,
}

impl Controller {
    fn new(stream: UnixStream) -> Self {
        let (reader, writer) = stream.into_split();
        Self { orders: outbox(writer), reports: inbox(reader, &[]) }
    }

    async fn say(&mut self, orders: impl IntoIterator<Item = Order>) {
        for order in orders {
            self.orders.send(order).await.unwrap();
        }
    }

    /// What is heard up to the report that is waited for.
    async fn until(&mut self, is: fn(&Report) -> bool) -> Vec<Report> {
        let mut heard = Vec::new();
        let hearing = async {
            while !heard.last().is_some_and(is) {
                let report = self.reports.next().await;
                heard.push(report.unwrap_or_else(|| panic!("it ended after {heard:?}")).unwrap());
            }
        };
        tokio::time::timeout(PATIENCE, hearing).await.unwrap();
        heard
    }
}

struct Scene {
    ground: TempDir,
    controller: Controller,
    hosting: JoinHandle<CloseReason>,
}

impl Scene {
    /// A transfer of one small file, up to the moment before it begins.
    async fn set() -> Self {
        let ground = tempfile::tempdir().unwrap();
        std::fs::create_dir(ground.path().join("agent")).unwrap();
        let (ours, theirs) = UnixStream::pair().unwrap();
        let environment = Environment::new(None, crate::http::Proxies::none()).unwrap();
        let hosting = tokio::spawn(host(theirs, ground.path().join("agent"), environment));
        let mut scene = Self { controller: Controller::new(ours), ground, hosting };
        let file = Wanted {
            id: FileId(0),
            path: RepoPath::new("hello").unwrap(),
            size: 6,
            digest: Digest::git_sha1(HELLO).unwrap(),
        };
        let layout = Layout::LocalDir { commit: Commit::new(HELLO).unwrap() };
        let open = Order::Open {
            root: Some(scene.root()),
            access: Access::ReadWrite,
            layout,
            traces: Traces::Keep,
            limits: Limits::default(),
        };
        let hello = Order::Hello { version: VERSION.to_owned(), mode: Mode::Detached };
        let survey = Order::Survey { check: Check::Records };
        scene.controller.say([hello, open, Order::List { files: vec![file] }, survey]).await;
        scene.controller.until(|report| matches!(report, Report::Surveyed { .. })).await;
        let jobs = vec![Job { file: FileId(0), replaces: None, source: Source::OnRequest, xet: None }];
        scene.controller.say([Order::Fetch { jobs }]).await;
        scene
    }

    fn root(&self) -> String {
        self.ground.path().join("model").to_str().unwrap().to_owned()
    }

    async fn join(&self) -> Controller {
        let files = ControlFiles::for_destination(self.ground.path().join("agent"), &self.root()).unwrap();
        Controller::new(files.connect().await.unwrap())
    }

    /// Waits for the end, and says what lies beside the agent then.
    async fn end(self) -> Vec<(String, String)> {
        tokio::time::timeout(PATIENCE, self.hosting).await.expect("it ends").unwrap();
        assert_eq!(std::fs::read(self.ground.path().join("model/hello")).unwrap(), b"hello\n");
        let files =
            std::fs::read_dir(self.ground.path().join("agent")).unwrap().map(|file| file.unwrap().path());
        let kind = |path: &PathBuf| path.extension().unwrap().to_str().unwrap().to_owned();
        files.map(|path| (kind(&path), std::fs::read_to_string(path).unwrap())).collect()
    }
}

fn bytes(text: &[u8]) -> Order {
    Order::Inline { file: FileId(0), bytes: text.to_vec() }
}

fn detach() -> Order {
    Order::Detach {
        title: "acme/hello".to_owned(),
        idle_timeout: NonZeroU32::MAX,
        skipped: Skipped::default(),
        refusals: Vec::new(),
    }
}

fn is_finished(report: &Report) -> bool {
    matches!(report, Report::Finished { .. })
}

#[tokio::test]
async fn a_transfer_that_was_over_before_it_was_detached_ends_all_the_same() {
    let mut scene = Scene::set().await;
    scene.controller.say([bytes(b"hello\n"), Order::Begin]).await;
    scene.controller.until(is_finished).await;
    scene.controller.say([detach()]).await;
    scene.controller.until(|report| matches!(report, Report::Detached)).await;
    let left = scene.end().await;
    assert!(
        matches!(&left[..], [(kind, text)] if kind == "record" && text.contains("\nconclusion finished\n")),
        "{left:?}"
    );
}

#[tokio::test]
async fn a_client_that_joins_is_sent_the_whole_status_first_and_the_one_before_it_goes() {
    let mut scene = Scene::set().await;
    scene.controller.say([Order::Begin, detach()]).await;
    scene.controller.until(|report| matches!(report, Report::Detached)).await;
    scene.controller.say([Order::Bye]).await;

    // One that says nothing keeps none out.
    let mut silent = scene.join().await;
    let (mut joined, mut other) = (scene.join().await, scene.join().await);
    let joining = || {
        let mode = Mode::Joining { root: scene.root() };
        Order::Hello { version: VERSION.to_owned(), mode }
    };
    other.say([joining()]).await;
    other.until(|report| matches!(report, Report::NeedSource { .. })).await;
    joined.say([joining()]).await;
    let heard = other.until(|report| matches!(report, Report::Fatal { .. })).await;
    assert!(
        matches!(&heard[..], [Report::Fatal { failure }] if failure.kind == FailureKind::Locked),
        "{heard:?}"
    );
    let heard = joined.until(|report| matches!(report, Report::NeedSource { .. })).await;
    let [Report::Hello { .. }, Report::Joined { status }, Report::Remaining { files }, rest @ ..] =
        &heard[..]
    else {
        panic!("{heard:?}")
    };
    assert_eq!((status.title.as_str(), status.files, files.len()), ("acme/hello", 1, 1));
    // Whether it has begun is a question of the moment.
    assert!(
        matches!(rest, [Report::Started { .. }, Report::NeedSource { .. }] | [Report::NeedSource { .. }]),
        "{heard:?}"
    );

    // Half an answer, and it is gone: the next one begins anew.
    joined.say([bytes(b"hel")]).await;
    drop(joined);
    let mut last = scene.join().await;
    last.say([joining()]).await;
    last.until(|report| matches!(report, Report::NeedSource { .. })).await;
    last.say([bytes(b"hello\n")]).await;
    let heard = last.until(is_finished).await;
    assert!(heard.iter().any(|report| matches!(report, Report::Placed { .. })), "{heard:?}");
    scene.end().await;
    assert!(silent.reports.next().await.is_none(), "it was told something");
}

#[tokio::test]
async fn a_client_that_inquires_is_answered_and_disturbs_no_other() {
    let mut scene = Scene::set().await;
    scene.controller.say([Order::Begin, detach()]).await;
    scene.controller.until(|report| matches!(report, Report::Detached)).await;

    let mut inquiring = scene.join().await;
    let mode = Mode::Inquiring { root: scene.root() };
    inquiring.say([Order::Ping, Order::Hello { version: VERSION.to_owned(), mode }]).await;
    let heard = inquiring.until(|report| matches!(report, Report::Joined { .. })).await;
    let [Report::Hello { .. }, Report::Joined { status }] = &heard[..] else { panic!("{heard:?}") };
    assert_eq!((status.title.as_str(), status.files, status.done), ("acme/hello", 1, 0));

    // The first one still is the client, to the end.
    let silent = scene.join().await;
    scene.controller.say([bytes(b"hello\n")]).await;
    scene.controller.until(is_finished).await;
    drop(silent);
    scene.end().await;
}

#[tokio::test]
async fn why_it_was_given_up_is_on_record_though_a_client_does_not_stay_until_the_end() {
    let ground = tempfile::tempdir().unwrap();
    let (orders, _within) = mpsc::channel(1);
    let mut host = Host::new(orders, ground.path().to_owned());
    let idle_timeout = NonZeroU32::MIN;
    let Order::Detach { title, skipped, refusals, .. } = detach() else { unreachable!() };
    host.state.root = ground.path().join("model").to_str().unwrap().to_owned();
    host.forward_order(Order::Detach { title, idle_timeout, skipped, refusals }).unwrap();
    host.state.ask(FileId(0), &AskedFor::Plain);
    // No client is there, and nothing moves.
    host.check(1).unwrap();
    let (stays, comes) = UnixStream::pair().unwrap();
    host.client = Some(Client::new(comes, ClientRole::Newcomer));
    drop(stays);
    host.client_left(CloseReason::LinkLost).unwrap_err();
    let mut files = std::fs::read_dir(ground.path()).unwrap().map(|file| file.unwrap().path());
    let record = files.find(|path| path.extension().is_some_and(|kind| kind == "record")).unwrap();
    let text = std::fs::read_to_string(record).unwrap();
    assert!(text.contains("\nconclusion failed\n"), "{text}");
}
