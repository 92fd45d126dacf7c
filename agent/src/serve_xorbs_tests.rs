//! A file out of xorbs, through a whole conversation with an agent: from the first word to the last, with a server that
//! does not do what it should.

use std::num::NonZeroU16;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex};

use futures_util::{SinkExt, StreamExt};
use hfdown_protocol::{
    Access, Address, AskedFor, Check, Commit, Digest, FileId, HubNetwork, Job, Layout, Limits, Mode, Order,
    RepoPath, Report, Source, Term, Traces, VERSION, Wanted, XorbRange, batches, inbox, outbox,
};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::serve;
use crate::environment::Environment;
use crate::http::Proxies;

const CHUNK: usize = 60_000;
/// What a chunk takes in a xorb.
const STORED: usize = CHUNK + 8;
const XORB_CHUNKS: usize = 80;
const XORBS: usize = 4;
const SIZE: usize = XORBS * XORB_CHUNKS * CHUNK;
/// Of a file that is fetched as a whole.
const SMALL: usize = 10 * CHUNK;

/// What is wrong with the answer to a request for bytes of a xorb.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wrong {
    Nothing,
    Status(&'static str),
    /// Half of it comes, and then nothing more.
    Cut,
    /// The same, and the connection stays.
    Silent,
    /// The chunk in the middle says that it is one of a kind that there is not.
    Kind,
    /// One of its bytes is another.
    Byte,
}

/// What is wrong with an answer, by the number of the request and of the answer of the controller that led to it.
type Script = fn(usize, usize) -> Wrong;

/// A server of a file, as it is and as xorbs.
struct XorbHost {
    file: Vec<u8>,
    script: Script,
    served: Mutex<Served>,
}

#[derive(Debug, Default)]
struct Served {
    xorb_requests: usize,
    xorb_bytes: usize,
    plain_bytes: usize,
}

/// Which part of what a request is for.
enum Asked {
    Xorb { number: usize, answer: usize, range: Range<usize> },
    Plain(Range<usize>),
    Whole,
}

impl XorbHost {
    fn new(size: usize, script: Script) -> Self {
        let file = (0..size)
            .map(|index| (index / 7 % 251).to_le_bytes()[0] ^ (index / CHUNK).to_le_bytes()[0])
            .collect();
        Self { file, script, served: Mutex::default() }
    }

    fn xorb(&self, number: usize) -> Vec<u8> {
        let file = &self.file[number * XORB_CHUNKS * CHUNK..];
        let file = &file[..file.len().min(XORB_CHUNKS * CHUNK)];
        let length = u32::try_from(CHUNK).unwrap().to_le_bytes();
        let header = [0, length[0], length[1], length[2], 0, length[0], length[1], length[2]];
        file.chunks(CHUNK).flat_map(|chunk| [&header[..], chunk]).collect::<Vec<_>>().concat()
    }

    fn asked(head: &str) -> Option<Asked> {
        let path = head.split(' ').nth(1)?;
        let head = head.to_ascii_lowercase();
        if !head.contains("range: ") {
            return Some(Asked::Whole);
        }
        let (first, last) = head.split_once("range: bytes=")?.1.lines().next()?.split_once('-')?;
        let range = first.parse().ok()?..last.parse::<usize>().ok()? + 1;
        match path.strip_prefix("/xorb/") {
            None => Some(Asked::Plain(range)),
            Some(numbers) => {
                let (number, answer) = numbers.split_once("?answer=")?;
                Some(Asked::Xorb { number: number.parse().ok()?, answer: answer.parse().ok()?, range })
            }
        }
    }

    async fn serve(&self, mut connection: TcpStream) -> Option<()> {
        let mut head = Vec::new();
        loop {
            while !head.ends_with(b"\r\n\r\n") {
                head.push(connection.read_u8().await.ok()?);
            }
            let asked = Self::asked(&String::from_utf8(std::mem::take(&mut head)).ok()?)?;
            let (range, mut bytes, wrong) = match asked {
                Asked::Whole => {
                    let length = self.file.len();
                    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
                    connection.write_all(head.as_bytes()).await.ok()?;
                    connection.write_all(&self.file).await.ok()?;
                    continue;
                }
                Asked::Plain(range) => {
                    let bytes = self.file[range.clone()].to_vec();
                    self.served.lock().unwrap().plain_bytes += bytes.len();
                    (range, bytes, Wrong::Nothing)
                }
                Asked::Xorb { number, answer, range } => {
                    let request = {
                        let mut served = self.served.lock().unwrap();
                        served.xorb_requests += 1;
                        served.xorb_requests - 1
                    };
                    let bytes = self.xorb(number)[range.clone()].to_vec();
                    (range, bytes, (self.script)(request, answer))
                }
            };
            if let Wrong::Status(status) = wrong {
                let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
                connection.write_all(answer.as_bytes()).await.ok()?;
                continue;
            }
            let length = bytes.len();
            let middle = length / STORED / 2 * STORED;
            match wrong {
                Wrong::Cut | Wrong::Silent => bytes.truncate(middle + 100),
                Wrong::Kind => bytes[middle + 4] = 9,
                Wrong::Byte => bytes[middle + 500] ^= 1,
                Wrong::Nothing | Wrong::Status(_) => {}
            }
            let (first, last) = (range.start, range.end - 1);
            let head = format!(
                "HTTP/1.1 206 Partial Content\r\ncontent-range: bytes {first}-{last}/*\r\ncontent-length: {length}\r\n\r\n"
            );
            connection.write_all(head.as_bytes()).await.ok()?;
            connection.write_all(&bytes).await.ok()?;
            self.served.lock().unwrap().xorb_bytes += bytes.len();
            match wrong {
                Wrong::Cut => return None,
                Wrong::Silent => std::future::pending().await,
                _ => {}
            }
        }
    }
}

/// What was heard and served until the end.
struct Had {
    reports: Vec<Report>,
    served: Served,
    /// How many bytes were missing each time that terms were asked for.
    missing: Vec<u64>,
    is_right: bool,
}

impl Had {
    fn fell_back(&self) -> usize {
        self.reports.iter().filter(|report| matches!(report, Report::FellBack { .. })).count()
    }
}

/// The terms of what is missing, each xorb of which something is missing as one range with just the chunks that are
/// needed.
fn terms(base: &str, answer: usize, missing: &[Range<u64>]) -> (Vec<XorbRange>, Vec<Term>) {
    let (mut ranges, mut terms) = (Vec::new(), Vec::new());
    for gap in missing {
        let mut offset = usize::try_from(gap.start).unwrap();
        let gap_end = usize::try_from(gap.end).unwrap();
        while offset < gap_end {
            let number = offset / (XORB_CHUNKS * CHUNK);
            let start = number * XORB_CHUNKS * CHUNK;
            let end = gap_end.min(start + XORB_CHUNKS * CHUNK);
            let (first, behind) = ((offset - start) / CHUNK, (end - start).div_ceil(CHUNK));
            let chunks = u32::try_from(first).unwrap()..u32::try_from(behind).unwrap();
            let address = Address::new(&format!("{base}/xorb/{number}?answer={answer}")).unwrap();
            let bytes = (first * STORED) as u64..(behind * STORED) as u64;
            terms.push(Term {
                offset: offset as u64,
                length: u32::try_from(end - offset).unwrap(),
                range: u32::try_from(ranges.len()).unwrap(),
                chunks: chunks.clone(),
                skip: u32::try_from(offset - start - first * CHUNK).unwrap(),
            });
            ranges.push(XorbRange { address, bytes, chunks });
            offset = end;
        }
    }
    (ranges, terms)
}

/// Fetches the file with so many connections.
async fn fetch(connections: u16, script: Script) -> Had {
    let folder = tempfile::tempdir().unwrap();
    fetch_into(folder.path(), SIZE, connections, usize::MAX, script).await
}

/// Fetches a file of this size into a folder, until so many xorbs have been asked for.
async fn fetch_into(folder: &Path, size: usize, connections: u16, until: usize, script: Script) -> Had {
    let store = Arc::new(XorbHost::new(size, script));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let server = {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let store = Arc::clone(&store);
                tokio::spawn(async move { store.serve(connection).await });
            }
        })
    };
    let (near, far) = tokio::io::duplex(1 << 20);
    let (reader, writer) = tokio::io::split(far);
    let agent = tokio::spawn(serve(reader, writer, Environment::new(None, Proxies::none()).unwrap()));
    let (reader, writer) = tokio::io::split(near);
    let (mut reports, mut orders) = (inbox::<_, Report>(reader, &[]), outbox::<_, Order>(writer));

    let digest = Digest::Sha256(Sha256::digest(&store.file).into());
    let (file, path) = (FileId(0), RepoPath::new("model.safetensors").unwrap());
    let limits = Limits {
        connections: NonZeroU16::new(connections),
        stall_seconds: NonZeroU16::new(1),
        first_wait_millis: NonZeroU16::new(1),
        ..Limits::default()
    };
    let layout =
        Layout::LocalDir { commit: Commit::new("0123456789012345678901234567890123456789").unwrap() };
    let root = Some(folder.to_str().unwrap().to_owned());
    let otherwise = Address::new(&format!("{base}/file")).unwrap();
    let source = Source::Reconstructed(Some(otherwise));
    for order in [
        Order::Hello { version: VERSION.to_owned(), mode: Mode::Attached },
        Order::Open { root, access: Access::ReadWrite, layout, traces: Traces::Keep, limits },
        Order::List { files: vec![Wanted { id: file, path, size: size as u64, digest }] },
        Order::Survey { check: Check::Records },
    ] {
        orders.send(order).await.unwrap();
    }
    let (mut heard, mut asked) = (Vec::new(), Vec::new());
    while let Some(report) = reports.next().await {
        let report = report.unwrap();
        match &report {
            Report::Surveyed { .. } => {
                let job = Job { file, replaces: None, source: source.clone(), xet: None };
                orders.send(Order::Fetch { jobs: vec![job] }).await.unwrap();
                orders.send(Order::Begin).await.unwrap();
            }
            Report::NeedSource { asked: AskedFor::Terms { missing }, .. } => {
                let (ranges, terms) = terms(&base, asked.len(), missing);
                asked.push(missing.iter().map(|gap| gap.end - gap.start).sum());
                for ranges in batches(ranges) {
                    let hub = HubNetwork::Private;
                    orders.send(Order::XorbRanges { file, ranges, hub }).await.unwrap();
                }
                orders.send(Order::Terms { file, terms, is_last: true }).await.unwrap();
            }
            Report::Tick { .. } if store.served.lock().unwrap().xorb_requests >= until => {
                orders.send(Order::Cancel).await.unwrap();
            }
            Report::Finished { .. } | Report::Fatal { .. } => {
                heard.push(report);
                break;
            }
            _ => {}
        }
        heard.push(report);
    }
    orders.send(Order::Bye).await.unwrap();
    agent.await.unwrap();
    server.abort();
    let placed = std::fs::read(folder.join("model.safetensors")).unwrap_or_default();
    let cost = std::mem::take(&mut *store.served.lock().unwrap());
    Had { reports: heard, served: cost, missing: asked, is_right: placed == store.file }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_out_of_xorbs_costs_what_they_are() {
    let had = fetch(1, |_, _| Wrong::Nothing).await;
    assert!(had.is_right && had.fell_back() == 0, "{:?}", had.reports);
    assert_eq!((had.served.xorb_bytes, had.served.plain_bytes), (XORBS * XORB_CHUNKS * STORED, 0));
    assert_eq!(had.missing, [SIZE as u64], "{:?}", had.reports);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn addresses_that_expire_are_asked_for_anew_for_what_is_missing_then() {
    // Each answer is good for two requests.
    let had = fetch(
        4,
        |request, answer| {
            if request / 3 > answer { Wrong::Status("403 Forbidden") } else { Wrong::Nothing }
        },
    )
    .await;
    assert!(had.is_right && had.fell_back() == 0, "{:?}", had.reports);
    assert!(
        had.missing.len() > 1 && had.missing.is_sorted_by(|before, then| before >= then),
        "{:?}",
        had.missing
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_broke_or_fell_silent_goes_on_where_it_was() {
    for wrong in [
        |request, _| if request == 1 { Wrong::Cut } else { Wrong::Nothing },
        |request, _| {
            if request == 1 { Wrong::Silent } else { Wrong::Nothing }
        },
    ] {
        let had = fetch(1, wrong).await;
        assert!(had.is_right && had.fell_back() == 0, "{:?}", had.reports);
        let repeated = had.served.xorb_bytes - XORBS * XORB_CHUNKS * STORED;
        assert!(repeated <= 6 * STORED, "{repeated} bytes came twice");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_use_in_mid_file_comes_by_plain_ranges_from_there() {
    for wrong in [
        (|request, _| if request == 2 { Wrong::Kind } else { Wrong::Nothing }) as Script,
        |request, _| if request == 2 { Wrong::Status("404 Not Found") } else { Wrong::Nothing },
        |request, _| if request >= 2 { Wrong::Status("403 Forbidden") } else { Wrong::Nothing },
        |request, _| if request >= 2 { Wrong::Status("503 Service Unavailable") } else { Wrong::Nothing },
    ] {
        let had = fetch(1, wrong).await;
        assert!(had.is_right, "{:?}", had.reports);
        assert_eq!(had.fell_back(), 1, "{:?}", had.reports);
        let kept = SIZE - had.served.plain_bytes;
        assert!(kept >= 2 * XORB_CHUNKS * CHUNK, "{kept}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_bytes_are_found_out_and_the_file_comes_anew_by_plain_ranges() {
    let had = fetch(2, |request, _| if request == 2 { Wrong::Byte } else { Wrong::Nothing }).await;
    assert!(had.is_right, "{:?}", had.reports);
    assert_eq!((had.fell_back(), had.served.plain_bytes), (1, SIZE));
    assert!(!had.reports.iter().any(|report| matches!(report, Report::Failed { .. })));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_earlier_run_left_is_not_asked_for_again() {
    let folder = tempfile::tempdir().unwrap();
    let silent = |request, _| if request == 2 { Wrong::Silent } else { Wrong::Nothing };
    let had = fetch_into(folder.path(), SIZE, 1, 3, silent).await;
    assert!(!had.is_right, "it was ended before: {:?}", had.reports);
    let then = fetch_into(folder.path(), SIZE, 1, usize::MAX, |_, _| Wrong::Nothing).await;
    assert!(then.is_right && then.fell_back() == 0, "{:?}", then.reports);
    let here = 2 * XORB_CHUNKS * CHUNK + XORB_CHUNKS / 2 * CHUNK;
    assert!(then.missing[0] <= (SIZE - here + 5 * CHUNK) as u64, "{:?}", then.missing);
    assert!(then.served.xorb_bytes as u64 <= then.missing[0] + (XORBS * XORB_CHUNKS * 8 + CHUNK) as u64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_small_file_comes_out_of_xorbs_and_falls_back_as_well() {
    for (wrong, fell_back) in [
        ((|_, _| Wrong::Nothing) as Script, 0),
        (|request, _| if request == 0 { Wrong::Cut } else { Wrong::Nothing }, 0),
        (|_, _| Wrong::Kind, 1),
        (|_, _| Wrong::Status("404 Not Found"), 1),
        (|_, _| Wrong::Byte, 1),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let had = fetch_into(folder.path(), SMALL, 1, usize::MAX, wrong).await;
        assert!(had.is_right, "{:?}", had.reports);
        assert_eq!(had.fell_back(), fell_back, "{:?}", had.reports);
    }
}
