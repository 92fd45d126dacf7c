//! What a run holds in memory at most where files come out of a Xet store, also one that sends bombs.

use std::io::Write as _;

use hfdown_tests::hub::{CannedAnswer, Content, HubFault, When};
use hfdown_tests::sandbox::{DestinationKind, Sandbox};
use lz4_flex::frame::FrameEncoder;

use super::with_peak;
use crate::HFDOWN;

const MODEL: &str = "acme/weights";
const FILE: &str = "model.safetensors";
/// What a run may have resident.
const ALLOWED: u64 = 64 << 20;
const SIZE: usize = 96 << 20;

/// A chunk of which the header says as much as it may, and the frame decodes to gigabytes, or would.
fn bomb() -> Vec<u8> {
    let mut encoder = FrameEncoder::new(Vec::new());
    encoder.write_all(&vec![0; 256 << 20]).expect("memory takes what is written");
    let frame = encoder.finish().expect("memory takes what is written");
    let frame = &frame[..frame.len().min(130_000)];
    let stored = u32::try_from(frame.len()).expect("it is short").to_le_bytes();
    let header = [0, stored[0], stored[1], stored[2], 1, 0, 0, 2];
    [&header[..], frame].concat().repeat(50)
}

#[tokio::test]
async fn neither_chunks_nor_bombs_are_held_in_memory() {
    let sandbox = Sandbox::start(DestinationKind::Here, HFDOWN).await.expect("a sandbox here");
    // Words that repeat: small on the wire, and all of it chunks.
    let byte = |number: usize| u8::try_from(number % 251).unwrap();
    let words: Vec<u8> = (0..SIZE).map(|at| byte(at / 7) ^ byte(at >> 16)).collect();
    sandbox.hub.model(MODEL).in_xet(FILE, Content::from(words.clone())).commit();
    let answer = |body: Vec<u8>, status| HubFault::Answer(CannedAnswer { status, headers: Vec::new(), body });
    for (what, fault) in [
        ("a file", None),
        ("bombs", Some((answer(bomb(), 206), When::path("/xorbs/").first(4)))),
        ("headers", Some((answer(vec![0xff; 4 << 20], 206), When::path("/xorbs/").first(4)))),
        (
            "terms without end",
            Some((answer(vec![b' '; 100 << 20], 200), When::path("/reconstructions/").first(9))),
        ),
    ] {
        _ = std::fs::remove_dir_all(sandbox.root());
        let armed = fault.map(|(fault, when)| sandbox.hub.fault(fault, when));
        let child = sandbox.syncing(MODEL, &["--quiet"]).spawn().expect("the program starts");
        let (ended, peak) = with_peak(child).await;
        eprintln!("{what}: {} KiB resident", peak >> 10);
        assert_eq!(ended.code, 0, "{what}: {}", ended.stderr);
        assert!(peak > 0 && peak <= ALLOWED, "{what}: {peak} bytes were resident");
        assert!(sandbox.read(FILE).is_some_and(|read| read == words), "{what}");
        assert!(armed.is_none_or(|armed| armed.times_struck() > 0), "{what}");
    }
}
