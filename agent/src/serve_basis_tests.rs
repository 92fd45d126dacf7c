//! A file of which an older version is there, through a whole conversation with an agent: what both have in common is copied,
//! and where that comes to nothing all of it is fetched.

use std::fs;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::{SinkExt, StreamExt};
use hfdown_protocol::{
    Access, Address, BasisVersion, Check, ChunkRun, Commit, Digest, FileId, FoundBasis, Job, Layout, Limits,
    Mode, Order, RepoPath, Report, RunsOf, Source, Traces, VERSION, Wanted, XetHash, batches, inbox, outbox,
};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::serve;
use crate::environment::Environment;
use crate::http::Proxies;
use crate::xet::{cut, noise};

const OLD: usize = 20_000_000;
const HEADER: usize = 1_000;
const NAME: &str = "model.safetensors";

/// An old file, and a new one with another header, a megabyte in its middle and one at its end.
fn versions() -> (Vec<u8>, Vec<u8>) {
    let old = noise(OLD, 3);
    let mut new = noise(HEADER, 4);
    new.extend(&old[..OLD / 2]);
    new.extend(noise(1 << 20, 5));
    new.extend(&old[OLD / 2..]);
    new.extend(noise(1 << 20, 6));
    (old, new)
}

/// How an uploader describes both: a chunk is in xorb 0 if the old file has it.
fn runs(old: &[u8], new: &[u8]) -> (XetHash, Vec<ChunkRun>, Vec<ChunkRun>) {
    let chunks = |bytes: &[u8]| -> (XetHash, Vec<Vec<u8>>) {
        let file = cut(bytes, |_| Ok(())).unwrap();
        let at = |offset: u64| usize::try_from(offset).unwrap();
        let chunks = file.offsets.windows(2).map(|pair| bytes[at(pair[0])..at(pair[1])].to_vec()).collect();
        (file.hash, chunks)
    };
    let (hash, known) = chunks(old);
    let run = |xorb, at: usize, chunk: &[u8]| {
        let at = u32::try_from(at).unwrap();
        ChunkRun { xorb, chunks: at..at + 1, length: u32::try_from(chunk.len()).unwrap() }
    };
    let old = known.iter().enumerate().map(|(at, chunk)| run(0, at, chunk)).collect();
    let new = chunks(new).1;
    let new = new.iter().enumerate().map(|(at, chunk)| {
        let found = known.iter().position(|known| known == chunk);
        found.map_or_else(|| run(1, at, chunk), |found| run(0, found, chunk))
    });
    (hash, old, new.collect())
}

/// Sends ranges of a file, and counts the bytes.
async fn send(mut connection: TcpStream, file: &[u8], sent: &AtomicUsize) -> Option<()> {
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(connection.read_u8().await.ok()?);
        }
        let head = String::from_utf8(head).ok()?.to_ascii_lowercase();
        let (first, last) = head.split_once("range: bytes=")?.1.lines().next()?.split_once('-')?;
        let range: Range<usize> = first.parse().ok()?..last.parse::<usize>().ok()? + 1;
        let (last, length, size) = (range.end - 1, range.len(), file.len());
        let head = format!(
            "HTTP/1.1 206 Partial Content\r\ncontent-range: bytes {first}-{last}/{size}\r\ncontent-length: {length}\r\n\r\n"
        );
        connection.write_all(head.as_bytes()).await.ok()?;
        connection.write_all(&file[range]).await.ok()?;
        sent.fetch_add(length, Ordering::Relaxed);
    }
}

/// What a conversation came to.
struct Synced {
    reports: Vec<Report>,
    sent: usize,
}

impl Synced {
    fn fell_back(&self) -> Option<String> {
        self.reports.iter().find_map(|report| match report {
            Report::FellBack { failure, .. } => Some(failure.detail.clone()),
            _ => None,
        })
    }

    fn bases(&self) -> Vec<FoundBasis> {
        let bases = self.reports.iter().filter_map(|report| match report {
            Report::Bases { bases } => Some(bases.clone()),
            _ => None,
        });
        bases.flatten().collect()
    }
}

/// What is done to the basis when it has been looked at and before anything is copied.
type Meanwhile<'a> = &'a (dyn Fn(&Path) + Sync);
/// What the controller says of the old file and the new one.
type Description = (XetHash, Vec<ChunkRun>, Vec<ChunkRun>);

/// Brings a folder that has a file up to date with a newer version of it.
async fn sync(
    folder: &Path,
    file: &[u8],
    described: Option<Description>,
    meanwhile: Meanwhile<'_>,
) -> Synced {
    let (content, sent) = (Arc::new(file.to_vec()), Arc::new(AtomicUsize::new(0)));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = Address::new(&format!("http://{}/{NAME}", listener.local_addr().unwrap())).unwrap();
    let server = {
        let (content, sent) = (Arc::clone(&content), Arc::clone(&sent));
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let (content, sent) = (Arc::clone(&content), Arc::clone(&sent));
                tokio::spawn(async move { send(connection, &content, &sent).await });
            }
        })
    };
    let (near, far) = tokio::io::duplex(1 << 20);
    let (reader, writer) = tokio::io::split(far);
    let agent = tokio::spawn(serve(reader, writer, Environment::new(None, Proxies::none()).unwrap()));
    let (reader, writer) = tokio::io::split(near);
    let (mut reports, mut orders) = (inbox::<_, Report>(reader, &[]), outbox::<_, Order>(writer));
    let (id, digest) = (FileId(0), Digest::Sha256(Sha256::digest(file).into()));
    let wanted = Wanted { id, path: RepoPath::new(NAME).unwrap(), size: file.len() as u64, digest };
    let commit = Commit::new("0123456789012345678901234567890123456789").unwrap();
    let root = Some(folder.to_str().unwrap().to_owned());
    let (access, traces, limits) = (Access::ReadWrite, Traces::Keep, Limits::default());
    for order in [
        Order::Hello { version: VERSION.to_owned(), mode: Mode::Attached },
        Order::Open { root, access, layout: Layout::LocalDir { commit }, traces, limits },
        Order::List { files: vec![wanted] },
        Order::Survey { check: Check::Records },
    ] {
        orders.send(order).await.unwrap();
    }
    let (mut heard, mut stamp) = (Vec::new(), None);
    while let Some(report) = reports.next().await {
        let report = report.unwrap();
        match &report {
            Report::Found { files } => {
                stamp = files.iter().find_map(|(_, found)| match found {
                    hfdown_protocol::Found::OtherSize { stamp, .. }
                    | hfdown_protocol::Found::OtherContent { stamp, .. } => Some(*stamp),
                    _ => None,
                });
            }
            Report::Surveyed { .. } => {
                let xet = Some(cut(file, |_| Ok(())).unwrap().hash);
                let source = Source::Public(address.clone());
                let job = Job { file: id, replaces: stamp, source, xet };
                orders.send(Order::Fetch { jobs: vec![job] }).await.unwrap();
                if let (Some((hash, old, new)), Some(stamp)) = (described.clone(), stamp) {
                    let place = RepoPath::new(NAME).unwrap();
                    orders.send(Order::Basis { file: id, place, stamp, hash }).await.unwrap();
                    for (whose, runs) in [(RunsOf::Basis, old), (RunsOf::Wanted, new)] {
                        for runs in batches(runs) {
                            orders.send(Order::ChunkRuns { file: id, whose, runs }).await.unwrap();
                        }
                    }
                }
                meanwhile(&folder.join(NAME));
                orders.send(Order::Begin).await.unwrap();
            }
            Report::Finished { .. } | Report::Fatal { .. } => {
                heard.push(report);
                break;
            }
            _ => {}
        }
        heard.push(report);
    }
    let _ = orders.send(Order::Bye).await;
    agent.await.unwrap();
    server.abort();
    Synced { reports: heard, sent: sent.load(Ordering::Relaxed) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_both_versions_have_is_copied_and_the_rest_fetched() {
    let (old, new) = versions();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(NAME), &old).unwrap();
    let synced = sync(folder.path(), &new, Some(runs(&old, &new)), &|_| {}).await;
    assert!(fs::read(folder.path().join(NAME)).unwrap() == new, "{:?}", synced.reports);
    assert_eq!(synced.fell_back(), None);
    // What is new, and the rest of the chunks that it is in.
    let added = new.len() - old.len();
    assert!((added..added + 6 * 128 * 1024).contains(&synced.sent), "{} of {added}", synced.sent);
    let placed = synced.reports.iter().find_map(|report| match report {
        Report::Placed { fetched, written, .. } => Some((*fetched, *written)),
        _ => None,
    });
    assert_eq!(placed, Some((synced.sent as u64, new.len() as u64)));

    // The next sync is told by what name the store knows what is there.
    let newer = [&new[..], &noise(1 << 20, 7)].concat();
    let synced = sync(folder.path(), &newer, None, &|_| {}).await;
    let versions: Vec<_> = synced.bases().into_iter().map(|basis| (basis.file, basis.version)).collect();
    let hash = cut(&new[..], |_| Ok(())).unwrap().hash;
    assert_eq!(versions, [(Some(FileId(0)), BasisVersion::Hash(hash))]);
    assert!(fs::read(folder.path().join(NAME)).unwrap() == newer);
    assert_eq!(synced.sent, newer.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_basis_that_is_not_what_it_was_taken_for_is_left_alone() {
    let (old, new) = versions();
    let (hash, old_runs, new_runs) = runs(&old, &new);
    let right = || (hash, old_runs.clone(), new_runs.clone());
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), &old).unwrap();
    let lead_out = |path: &Path| {
        fs::remove_file(path).unwrap();
        std::os::unix::fs::symlink(outside.path().join("secret"), path).unwrap();
    };
    let make_pipe = |path: &Path| {
        fs::remove_file(path).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, path, rustix::fs::Mode::RWXU).unwrap();
    };
    let cut_short = |path: &Path| fs::File::options().write(true).open(path).unwrap().set_len(99).unwrap();
    let edit = |path: &Path| fs::write(path, noise(OLD, 9)).unwrap();
    let cases: [(&str, Description, Meanwhile<'_>); 7] = [
        ("edited", right(), &edit),
        ("cut short", right(), &cut_short),
        ("gone", right(), &|path| fs::remove_file(path).unwrap()),
        ("a link that leads out", right(), &lead_out),
        ("a pipe", right(), &make_pipe),
        ("another file", (XetHash([1; 32]), old_runs.clone(), new_runs.clone()), &|_| {}),
        ("other chunks", (hash, old_runs[1..].to_vec(), new_runs.clone()), &|_| {}),
    ];
    for (what, described, meanwhile) in cases {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(NAME), &old).unwrap();
        let synced = sync(folder.path(), &new, Some(described), meanwhile).await;
        let why = synced.fell_back().unwrap_or_default();
        assert!(why.starts_with("nothing of model.safetensors is copied out of"), "{what}: {why}");
        // What is done to the file is seen again when it is to be replaced: then it is not.
        assert!(synced.sent == new.len(), "{what}: {:?}", synced.reports);
        assert!(!fs::read(outside.path().join("secret")).unwrap().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_bytes_out_of_a_basis_are_found_out_and_the_file_comes_without_it() {
    let (old, new) = versions();
    let (hash, old_runs, mut new_runs) = runs(&old, &new);
    // Two chunks of equal length in the place of each other would do; one is told to be where another one is.
    let shift = new_runs.iter_mut().filter(|run| run.xorb == 0);
    let mut told: Vec<_> = shift.collect();
    {
        let (first, last) = (told.len() / 4, told.len() / 2);
        let chunks = told[first].chunks.clone();
        let length = told[first].length;
        let other = std::mem::replace(&mut told[last].chunks, chunks);
        let other_length = std::mem::replace(&mut told[last].length, length);
        (told[first].chunks, told[first].length) = (other, other_length);
    }
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(NAME), &old).unwrap();
    let synced = sync(folder.path(), &new, Some((hash, old_runs, new_runs)), &|_| {}).await;
    assert!(fs::read(folder.path().join(NAME)).unwrap() == new, "{:?}", synced.reports);
    assert!(synced.fell_back().is_some_and(|why| why.contains("sha256") || why.contains("SHA-256")));
    assert!(synced.sent > new.len());
    assert!(!synced.reports.iter().any(|report| matches!(report, Report::Failed { .. })));
}
