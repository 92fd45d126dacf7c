//! A Hub and its Xet store, as they may answer, and what comes of it.

use std::sync::atomic::{AtomicUsize, Ordering};

use hfdown_agent::http::{ExtraRoots, Proxies};
use hfdown_protocol::{Commit, Digest, FileRow, RepoPath};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::*;
use crate::hub::{Endpoint, Gating, HubSettings, ListedFile, RepoId};
use crate::plan::{Action, Reason};

const SIZE: u64 = 10_000_000;
const TOKEN: &str = "xet_secret";

/// A request as a server sees it.
#[derive(Debug, Clone)]
struct StoreRequest {
    path: String,
    /// Its headers, in small letters.
    headers: String,
}

/// What a server answers: a status, headers, a body.
type ScriptedReply = (u16, String, String);

/// A server on this machine that answers as it is told to.
struct ScriptedServer {
    url: String,
    seen: Arc<Mutex<Vec<StoreRequest>>>,
}

impl ScriptedServer {
    async fn new(answer: impl Fn(&StoreRequest) -> ScriptedReply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen: Arc<Mutex<Vec<StoreRequest>>> = Arc::default();
        let (noted, answer) = (Arc::clone(&seen), Arc::new(answer));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (noted, answer) = (Arc::clone(&noted), Arc::clone(&answer));
                tokio::spawn(async move {
                    let mut head = Vec::new();
                    while !head.ends_with(b"\r\n\r\n") {
                        let Ok(byte) = stream.read_u8().await else { return };
                        head.push(byte);
                    }
                    let head = String::from_utf8(head).unwrap();
                    let path = head.split(' ').nth(1).unwrap().to_owned();
                    let asked = StoreRequest { path, headers: head.to_ascii_lowercase() };
                    let (status, headers, body) = answer(&asked);
                    noted.lock().unwrap().push(asked);
                    let reply = format!(
                        "HTTP/1.1 {status} Scripted\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{body}",
                        body.len()
                    );
                    let _ = stream.write_all(reply.as_bytes()).await;
                });
            }
        });
        Self { url, seen }
    }

    /// A Hub that leads to this store.
    async fn hub(store: &str) -> Self {
        let store = store.to_owned();
        Self::new(move |_| ok(&json!({"accessToken": TOKEN, "exp": 9_999_999_999_u64, "casUrl": store})))
            .await
    }

    fn seen(&self) -> Vec<StoreRequest> {
        self.seen.lock().unwrap().clone()
    }

    fn paths(&self) -> Vec<String> {
        self.seen().into_iter().map(|asked| asked.path).collect()
    }
}

fn ok(body: &Value) -> ScriptedReply {
    (200, String::new(), body.to_string())
}

fn refused(status: u16) -> ScriptedReply {
    (status, String::new(), "no".to_owned())
}

/// A reconstruction of so many bytes in one term, for which so many travel.
fn one_term(length: u64, wire: u64) -> Value {
    let chunks = json!({"start": 0, "end": 200});
    json!({
        "offset_into_first_range": 0,
        "terms": [{"hash": "a".repeat(64), "unpacked_length": length, "range": chunks}],
        "xorbs": {"a".repeat(64): [{
            "url": "http://127.0.0.1:1/xorb?X-Sig=1",
            "ranges": [{"chunks": chunks, "bytes": {"start": 0, "end": wire - 1}}],
        }]},
    })
}

fn first_version(second: &Value) -> Value {
    let hash = "a".repeat(64);
    let range = &second["xorbs"][&hash][0]["ranges"][0];
    json!({
        "terms": second["terms"],
        "fetch_info": {hash: [{
            "url": "http://127.0.0.1:1/xorb?X-Sig=1", "range": range["chunks"], "url_range": range["bytes"],
        }]},
    })
}

/// The Xet hash of a file by its number.
fn hash(number: u64) -> XetHash {
    format!("{number:064x}").parse().unwrap()
}

/// So many files of a plan, and a listing that says that the store has them.
fn files(count: u64) -> (Plan, Listing) {
    let names: Vec<_> = (0..count).map(|number| format!("file-{number:04}")).collect();
    let digest = Digest::Sha256([0; 32]);
    let mut listing = Listing::of(names.iter().map(|name| (name.as_str(), SIZE, digest)));
    listing.details.knows_by((0..).zip((0..count).map(|number| format!("{number:064x}"))));
    let planned = names.iter().map(|name| {
        let file = ListedFile { path: RepoPath::new(name.clone()).unwrap(), size: SIZE, digest };
        (file, Action::Fetch { reason: Reason::Missing, replaces: None, partial: 0 })
    });
    (Plan::of(planned), listing)
}

fn sources(hub: &str, policy: XetPolicy) -> XetSources {
    let (roots, proxies, settings) = (ExtraRoots::default(), Proxies::none(), HubSettings::default());
    let hub = Hub::new(Endpoint::new(hub).unwrap(), None, &roots, proxies, settings).unwrap();
    let info = RepoInfo {
        id: "acme/model".parse::<RepoId>().unwrap(),
        commit: Commit::new("607a30d783dfa663caf39e06633721c8d4cfcd7e").unwrap(),
        private: false,
        gating: Gating::Open,
        license: None,
        last_modified: None,
        tags: Vec::new(),
    };
    XetSources::new(Arc::new(hub), Arc::new(info), policy)
}

fn taken(routes: &Routes, count: u32) -> Vec<u32> {
    (0..count).filter(|number| routes.xet(FileId(*number)).is_some()).collect()
}

fn number_of(asked: &StoreRequest) -> u64 {
    u64::from_str_radix(&asked.path[asked.path.len() - 16..], 16).unwrap_or_default()
}

#[tokio::test]
async fn what_saves_enough_comes_from_the_store_and_is_asked_about_once() {
    let store = ScriptedServer::new(|asked| match number_of(asked) {
        0 => ok(&one_term(SIZE, 9_000_000)),
        1 => ok(&one_term(SIZE, 9_900_000)),
        2 => refused(404),
        3 => ok(&one_term(SIZE - 1, 9_000_000)),
        _ => ok(&one_term(SIZE, 9_700_000)),
    })
    .await;
    let hub = ScriptedServer::hub(&store.url).await;
    let (plan, listing) = files(5);
    for (policy, expected) in
        [(XetPolicy::Auto, vec![0, 4]), (XetPolicy::Always, vec![0, 1, 4]), (XetPolicy::Never, vec![])]
    {
        let sources = sources(&hub.url, policy);
        let before = store.seen().len();
        let (routes, trouble) = sources.routes(&plan, &listing).await;
        assert_eq!(taken(&routes, 5), expected, "{policy:?}");
        assert_eq!(routes.hash(FileId(2)), Some(hash(2)), "it is remembered whatever the way");
        assert_eq!(trouble.is_some(), policy != XetPolicy::Never);
        let asked = store.seen().len();
        // A file that the second version does not know is looked for in the first one.
        assert_eq!(asked - before, if policy == XetPolicy::Never { 0 } else { 6 });
        // Another box of the same run.
        assert_eq!(sources.routes(&plan, &listing).await.0, routes);
        assert_eq!(store.seen().len(), asked);
    }
    let route = "/api/models/acme/model/xet-read-token/607a30d783dfa663caf39e06633721c8d4cfcd7e";
    assert_eq!(hub.paths(), [route, route]);
    assert!(store.seen().iter().all(|asked| asked.headers.contains("authorization: bearer xet_secret")));
    assert!(store.seen().iter().all(|asked| !asked.headers.contains("\r\nrange:")), "they are whole files");
    let firsts = store.paths().into_iter().filter(|path| path.starts_with("/v1/")).count();
    assert_eq!(firsts, 2, "one unknown file makes no store an old one");
}

#[tokio::test]
async fn a_store_that_knows_the_first_version_only_is_asked_in_that_from_then_on() {
    for status in [404, 405, 501] {
        let store = ScriptedServer::new(move |asked| {
            let is_first = asked.path.starts_with("/v1/");
            if is_first { ok(&first_version(&one_term(SIZE, 9_000_000))) } else { refused(status) }
        })
        .await;
        let hub = ScriptedServer::hub(&store.url).await;
        let sources = sources(&hub.url, XetPolicy::Auto);
        for count in [1, 2] {
            let (plan, listing) = files(count);
            let (routes, trouble) = sources.routes(&plan, &listing).await;
            assert_eq!((taken(&routes, 2).len() as u64, trouble), (count, None));
        }
        let versions: Vec<_> = store.paths().iter().map(|path| path[..3].to_owned()).collect();
        assert_eq!(versions, ["/v2", "/v1", "/v1"], "{status}");
    }
}

#[tokio::test]
async fn access_that_is_refused_is_asked_for_once_however_many_files_there_are() {
    for (reply, kind) in [
        (refused(404), FailureKind::NotFound),
        // Which is how the Hub hides what is not to be seen.
        (refused(401), FailureKind::NotFound),
        (refused(403), FailureKind::NotAllowed),
        (ok(&json!({"accessToken": TOKEN})), FailureKind::Nonsense),
        (ok(&json!({"accessToken": "a b", "exp": 1, "casUrl": "http://127.0.0.1:1"})), FailureKind::Nonsense),
        ((429, "retry-after: 3600\r\n".to_owned(), String::new()), FailureKind::RateLimited),
        ((302, "location: https://cas.example/\r\n".to_owned(), String::new()), FailureKind::Nonsense),
        ((200, String::new(), "x".repeat(100_000)), FailureKind::Nonsense),
    ] {
        let told = reply.clone();
        let hub = ScriptedServer::new(move |_| reply.clone()).await;
        let (plan, listing) = files(40);
        let (routes, trouble) = sources(&hub.url, XetPolicy::Auto).routes(&plan, &listing).await;
        assert!(taken(&routes, 40).is_empty(), "{told:?}");
        let trouble = trouble.unwrap();
        assert_eq!((trouble.kind, hub.seen().len()), (kind, 1), "{told:?}");
        assert!(!trouble.detail.contains(TOKEN), "{trouble:?}");
    }
}

#[tokio::test]
async fn no_token_goes_where_all_could_read_it_or_to_where_a_store_leads() {
    for store in
        ["http://192.0.2.1/", "http://cas.example/", "http://me:word@127.0.0.1:1/", "ftp://127.0.0.1/"]
    {
        let hub = ScriptedServer::hub(store).await;
        let (plan, listing) = files(2);
        let (routes, trouble) = sources(&hub.url, XetPolicy::Always).routes(&plan, &listing).await;
        assert!(taken(&routes, 2).is_empty() && trouble.is_some(), "{store}");
    }
    let elsewhere = ScriptedServer::new(|_| ok(&one_term(SIZE, 9_000_000))).await;
    let location = format!("location: {}/v2/reconstructions/x\r\n", elsewhere.url);
    let store = ScriptedServer::new(move |_| (307, location.clone(), String::new())).await;
    let hub = ScriptedServer::hub(&store.url).await;
    let (plan, listing) = files(1);
    let (routes, trouble) = sources(&hub.url, XetPolicy::Always).routes(&plan, &listing).await;
    assert!(taken(&routes, 1).is_empty() && trouble.is_some());
    assert_eq!((store.seen().len(), elsewhere.seen().len()), (1, 0));
}

#[tokio::test]
async fn a_token_that_is_refused_is_renewed() {
    let refusals = AtomicUsize::new(0);
    let store = ScriptedServer::new(move |_| match refusals.fetch_add(1, Ordering::Relaxed) {
        0 => refused(401),
        1 => refused(403),
        _ => ok(&one_term(SIZE, 9_000_000)),
    })
    .await;
    let hub = ScriptedServer::hub(&store.url).await;
    let (plan, listing) = files(1);
    let (routes, trouble) = sources(&hub.url, XetPolicy::Auto).routes(&plan, &listing).await;
    assert_eq!((taken(&routes, 1), trouble), (vec![0], None));
    assert_eq!((store.seen().len(), hub.seen().len()), (3, 3));
}

#[tokio::test]
async fn a_clock_that_is_wrong_has_no_token_asked_for_with_every_question() {
    let store = ScriptedServer::new(|_| ok(&one_term(SIZE, 9_000_000))).await;
    let url = store.url.clone();
    // By the clock of this machine it has ended long ago.
    let hub =
        ScriptedServer::new(move |_| ok(&json!({"accessToken": TOKEN, "exp": 1000, "casUrl": url}))).await;
    let (plan, listing) = files(5);
    let (routes, trouble) = sources(&hub.url, XetPolicy::Auto).routes(&plan, &listing).await;
    assert_eq!((taken(&routes, 5).len(), trouble), (5, None));
    assert_eq!((store.seen().len(), hub.seen().len()), (5, 1));
}

#[tokio::test]
async fn a_store_that_is_away_or_wants_patience_is_left_alone() {
    for reply in [
        refused(500),
        refused(503),
        (429, "retry-after: 3600\r\n".to_owned(), String::new()),
        (429, String::new(), String::new()),
    ] {
        let told = reply.clone();
        let store = ScriptedServer::new(move |_| reply.clone()).await;
        let hub = ScriptedServer::hub(&store.url).await;
        let (plan, listing) = files(200);
        let (routes, trouble) = sources(&hub.url, XetPolicy::Auto).routes(&plan, &listing).await;
        assert!(taken(&routes, 200).is_empty() && trouble.is_some(), "{told:?}");
        let asked = store.seen().len();
        assert!(asked <= 3 * AT_ONCE, "{told:?}: {asked}");
    }
}

#[tokio::test]
async fn a_store_that_never_answers_holds_a_plan_up_for_a_while_only() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hub = ScriptedServer::hub(&format!("http://{}", listener.local_addr().unwrap())).await;
    let (plan, listing) = files(20);
    let mut sources = sources(&hub.url, XetPolicy::Auto);
    sources.patience = Duration::from_millis(50);
    let (routes, trouble) = sources.routes(&plan, &listing).await;
    assert!(routes.is_plain());
    assert_eq!(trouble.unwrap().kind, FailureKind::Unreachable);
    assert_eq!(hub.seen().len(), 1);
}

#[tokio::test]
async fn a_large_file_is_asked_about_in_slices() {
    const GIB: u64 = 1 << 30;
    let size = 5 * GIB + 7;
    let store = ScriptedServer::new(move |asked| {
        let (start, end) = range_of(asked).unwrap();
        let chunks = json!({"start": 0, "end": 8192});
        let hash = "a".repeat(64);
        let mut left = end + 1 - start;
        let mut terms = Vec::new();
        while left > 0 {
            let length = left.min(GIB);
            terms.push(json!({"hash": hash, "unpacked_length": length, "range": chunks}));
            left -= length;
        }
        let bytes = json!({"start": 0, "end": 999});
        let ranges = json!([{"chunks": chunks, "bytes": bytes}]);
        ok(&json!({"terms": terms, "xorbs": {hash: [{"url": "http://127.0.0.1:1/x", "ranges": ranges}]}}))
    })
    .await;
    let hub = ScriptedServer::hub(&store.url).await;
    let sources = sources(&hub.url, XetPolicy::Auto);
    let file = sources.file(hash(0));
    let whole = sources.whole(&file, (hash(0), size), None).await.unwrap();
    assert_eq!((whole.terms.len(), whole.ranges.len(), whole.wire()), (6, 3, 3000));
    assert!(whole.terms.windows(2).all(|pair| pair[0].offset + u64::from(pair[0].length) == pair[1].offset));
    let mut asked: Vec<_> = store.seen().iter().map(|asked| range_of(asked).unwrap()).collect();
    asked.sort_unstable();
    assert_eq!(asked, [(0, 2 * GIB - 1), (2 * GIB, 4 * GIB - 1), (4 * GIB, size - 1)]);
}

/// The range that was asked for, whose end is its last byte.
fn range_of(asked: &StoreRequest) -> Option<(u64, u64)> {
    let range = asked.headers.split("\r\nrange: bytes=").nth(1)?.split("\r\n").next()?;
    let (start, end) = range.split_once('-')?;
    Some((start.parse().ok()?, end.parse().ok()?))
}

/// What an agent is told.
async fn given(
    sources: &XetSources,
    missing: &[Range<u64>],
    before: Option<Instant>,
) -> Result<Vec<Order>, Failure> {
    let (orders, mut said) = mpsc::channel(64);
    let ways = AnswerWays { orders: orders.clone(), bytes: orders };
    sources.give(FileId(0), (hash(0), SIZE), (missing, before), &ways).await?;
    drop(ways);
    let mut orders = Vec::new();
    while let Some(order) = said.recv().await {
        orders.push(order);
    }
    Ok(orders)
}

#[tokio::test]
async fn terms_are_given_once_more_only_where_they_were_of_use() {
    let store = ScriptedServer::new(|asked| {
        let length = range_of(asked).map_or(SIZE, |(start, end)| end + 1 - start);
        ok(&one_term(length, 1 + length / 2))
    })
    .await;
    let hub = ScriptedServer::hub(&store.url).await;
    let sources = sources(&hub.url, XetPolicy::Auto);
    let (plan, listing) = files(1);
    sources.routes(&plan, &listing).await;
    let whole = vec![Range { start: 0, end: SIZE }];
    let first = Instant::now();
    let orders = given(&sources, &whole, None).await.unwrap();
    assert!(matches!(
        &orders[..],
        [Order::XorbRanges { ranges, .. }, Order::Terms { terms, is_last: true, .. }]
            if ranges.len() == 1 && terms.len() == 1 && u64::from(terms[0].length) == SIZE
    ));
    assert_eq!(store.seen().len(), 1, "what the plan was made of is enough");
    // It has turned out to be stale. Another agent for which it has as well needs no third answer.
    given(&sources, &whole, Some(first)).await.unwrap();
    given(&sources, &whole, Some(first)).await.unwrap();
    assert_eq!(store.seen().len(), 2);
    // Parts are asked for as parts.
    let orders = given(&sources, &[5..100, 2_000_000..SIZE], None).await.unwrap();
    let Some(Order::Terms { terms, .. }) = orders.last() else { panic!("{orders:?}") };
    let extents: Vec<_> =
        terms.iter().map(|term| (term.offset, u64::from(term.length), term.range)).collect();
    assert_eq!(extents, [(5, 95, 0), (2_000_000, SIZE - 2_000_000, 1)]);
    // What makes no sense is asked of no one.
    let asked = store.seen().len();
    let (reversed, empty, beyond) = (Range { start: 9, end: 5 }, 5..5, 0..SIZE + 1);
    for missing in [vec![reversed], vec![empty], vec![beyond], vec![5..9, 8..10]] {
        let failure = given(&sources, &missing, None).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Nonsense, "{missing:?}");
    }
    assert_eq!(store.seen().len(), asked);
}

#[test]
fn a_row_of_the_listing_is_found_for_each_file() {
    let (plan, mut listing) = files(3);
    let mut table = hfdown_protocol::FileTable::default();
    let other = RepoPath::new("a-first").unwrap();
    let digest = Digest::Sha256([0; 32]);
    for path in [&other].into_iter().map(|path| path.view()).chain(listing.files.iter().map(|file| file.path))
    {
        table.push(FileRow { path, size: SIZE, digest }).unwrap();
    }
    listing.files = Arc::new(table);
    let routes = names(&plan, &listing);
    let hashes: Vec<_> = (0..3).map(|file| routes.hash(FileId(file))).collect();
    assert_eq!(hashes, [Some(hash(1)), Some(hash(2)), None]);
}
