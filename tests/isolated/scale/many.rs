//! Many small files: what is asked of the Hub, and what is read from the disk.

use std::time::Instant;

use hfdown_tests::hub::{Content, HubRequest};
use hfdown_tests::processes::Process;
use hfdown_tests::sandbox::{DestinationKind, Ended, Sandbox};
use tokio::io::AsyncReadExt as _;

use crate::HFDOWN;

const MODEL: &str = "acme/many";
const SIZE: u64 = 10_000;
/// How many files a page of the Hub's listing has.
const PAGE: usize = 1_000;

fn publish(sandbox: &Sandbox, files: usize) {
    let draft = sandbox.hub.model(MODEL);
    let content = |seed: usize| Content::random(seed as u64, SIZE);
    (0..files).fold(draft, |draft, file| draft.lfs(&format!("file-{file}.bin"), content(file))).commit();
}

/// Requests that are not about one file.
fn calls(requests: &[HubRequest]) -> usize {
    requests.iter().filter(|request| request.file.is_none()).count()
}

/// Bytes that a process has read from files and pipes, when it has closed its output and was not waited for yet.
async fn sync_and_count(sandbox: &Sandbox) -> (Ended, u64) {
    let mut child = sandbox.syncing(MODEL, &[]).spawn().unwrap();
    let process = Process { pid: child.id().unwrap() };
    let (mut stdout, mut stderr) = (String::new(), String::new());
    let mut errors = child.stderr.take().unwrap();
    let mut output = child.stdout.take().unwrap();
    let (first, second) =
        tokio::join!(output.read_to_string(&mut stdout), errors.read_to_string(&mut stderr));
    first.and(second).unwrap();
    let read = process.bytes_read();
    let code = child.wait().await.unwrap().code().unwrap_or(-1);
    (Ended { code, stdout, stderr }, read)
}

async fn synced(files: usize) {
    let sandbox = Sandbox::start(DestinationKind::Here, HFDOWN).await.expect("it needs nothing");
    publish(&sandbox, files);
    let pages = files.div_ceil(PAGE);

    let began = Instant::now();
    assert_eq!(sandbox.sync(MODEL, &["--dry-run"]).await.code, 0);
    eprintln!("{files} files: listed and planned in {:?}", began.elapsed());
    assert_eq!(calls(&sandbox.hub.requests()), 1 + pages);
    assert_eq!(sandbox.hub.requests().len(), 1 + pages, "a plan asks about no file");

    sandbox.hub.forget_requests();
    let began = Instant::now();
    let ended = sandbox.sync(MODEL, &[]).await;
    eprintln!("{files} files: synced in {:?}", began.elapsed());
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert_eq!(sandbox.files().len(), files);
    let requests = sandbox.hub.requests();
    assert_eq!(calls(&requests), 1 + pages);
    // The Hub's redirect, and the bytes.
    assert_eq!(requests.len() - calls(&requests), 2 * files, "one request for each file's own bytes");

    sandbox.hub.forget_requests();
    let began = Instant::now();
    let (ended, read) = sync_and_count(&sandbox).await;
    eprintln!("{files} files: nothing to do in {:?}, with {read} bytes read", began.elapsed());
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ended.stderr.contains("are there already"), "{}", ended.stderr);
    assert_eq!(sandbox.hub.requests().len(), 1 + pages);
    assert!(read > 0, "the process was seen");
    assert!(read < files as u64 * SIZE / 4, "{read} bytes were read to find out that nothing is to be done");
}

#[tokio::test]
async fn a_thousand_files_in_place_cost_two_calls_and_no_look_into_them() {
    synced(1_000).await;
}

#[tokio::test]
async fn twenty_thousand_files_cost_a_call_for_each_page_of_their_list() {
    synced(20_000).await;
}
