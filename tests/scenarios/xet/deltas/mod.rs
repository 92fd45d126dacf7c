//! Files of which older versions are there: what these have is copied where it lies, and only the rest travels.

mod bases;
mod caches;
mod copying;
mod fleets;
mod names;
mod versions;

use std::fs;

use hfdown_protocol::Commit;
use hfdown_tests::hub::Content;
use hfdown_tests::sandbox::{Ended, Sandbox};
use serde_json::Value;

use super::{FILE, MODEL, objects, sent, weights};

/// Files of less than 8 MiB are not compared with what is there.
const SIZE: usize = 9_000_000;
/// What travels at least of a file that is fetched whole, compressed as it is.
const WHOLE: u64 = SIZE as u64 * 7 / 10;
/// What travels of a version that has a new header: chunks at its borders.
const FEW: u64 = SIZE as u64 / 15;

/// Two versions of a file: the second one has another header, of another length.
fn versions() -> (Vec<u8>, Vec<u8>) {
    with_headers(&weights(1, SIZE))
}

/// The same of any bytes.
fn with_headers(bytes: &[u8]) -> (Vec<u8>, Vec<u8>) {
    ([&[1; 5000], bytes].concat(), [&[2; 6003], bytes].concat())
}

fn commit(sandbox: &Sandbox, path: &str, bytes: &[u8]) -> Commit {
    sandbox.hub.model(MODEL).in_xet(path, Content::from(bytes.to_vec())).commit()
}

/// Bytes of the file that have travelled, one way or another.
fn travelled(sandbox: &Sandbox) -> u64 {
    let (xorbs, plain) = sent(sandbox);
    xorbs + plain
}

/// Brings the newest version, and says how many bytes have travelled for it.
async fn bring(sandbox: &Sandbox, bytes: &[u8], more: &[&str]) -> (Ended, u64) {
    sandbox.hub.forget_requests();
    let ended = sandbox.sync(MODEL, &[&["--json"], more].concat()).await;
    assert_eq!(ended.code, 0, "{}\n{}", ended.stdout, ended.stderr);
    assert!(sandbox.read(FILE).is_some_and(|read| read == bytes), "{}", ended.stdout);
    let bytes = travelled(sandbox);
    (ended, bytes)
}

/// Why something was of no use.
fn reasons(ended: &Ended) -> Vec<String> {
    let said = objects(ended, "fell_back");
    said.iter().map(|said| said["why"].as_str().unwrap_or_default().to_owned()).collect()
}

/// Puts a file there as `hf download --local-dir` leaves it, of a commit.
fn left_by_hf(sandbox: &Sandbox, commit: &str, bytes: &[u8]) {
    let root = sandbox.root();
    _ = fs::remove_dir_all(&root);
    let notes = root.join(".cache/huggingface/download");
    fs::create_dir_all(&notes).unwrap();
    fs::write(root.join(FILE), bytes).unwrap();
    let note = format!("{commit}\n{}\n9999999999.5\n", Content::from(bytes.to_vec()).sha256());
    fs::write(notes.join(format!("{FILE}.metadata")), note).unwrap();
}

/// The plan of a run with `--json`: what is to be fetched of all files, what of it is new, and what travels.
fn planned(ended: &Ended) -> (u64, u64, u64) {
    let plan = &objects(ended, "plan")[0];
    let number = |name: &str| plan[name].as_u64().unwrap();
    let of_files: u64 =
        plan["fetch"].as_array().unwrap().iter().filter_map(|file| file["new"].as_u64()).sum();
    assert_eq!(of_files, number("new_bytes"), "{plan}");
    (number("fetch_bytes"), of_files, number("wire_bytes"))
}

/// The one object of a type.
fn one(ended: &Ended, kind: &str) -> Value {
    let [object] = &objects(ended, kind)[..] else { panic!("{kind}: {}", ended.stdout) };
    object.clone()
}
