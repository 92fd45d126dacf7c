//! The Xet store of the test Hub: files cut into chunks, which lie compressed in xorbs behind the CDN. A chunk that is there
//! already is not stored again, so that a new version of a file shares xorbs with the old one.
//!
//! Files are cut and named by the agent's own function, which a scenario compares with the real `hf_xet`.

use std::collections::HashMap;
use std::io::Write as _;
use std::ops::Range;

use hfdown_agent::CutFile;
use lz4_flex::frame::FrameEncoder;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::content::Content;

/// The raw bytes of a xorb. The Hub's have 64 MiB; smaller ones make more terms of a test's file.
const XORB: usize = 4 << 20;
/// The longest chunk.
const LONGEST: usize = 128 << 10;

/// Files and the chunks that they consist of.
#[derive(Debug, Default)]
pub(super) struct TestXetStore {
    files: HashMap<String, Vec<Run>>,
    xorbs: Vec<Xorb>,
    /// Chunks by their digests: which xorb has them, and at which place.
    chunks: HashMap<[u8; 32], (usize, usize)>,
}

/// Chunks of one xorb that follow each other in a file.
#[derive(Debug, Clone)]
struct Run {
    xorb: usize,
    chunks: Range<usize>,
}

#[derive(Debug)]
struct Xorb {
    hash: String,
    /// Where each chunk begins, and where the last one ends.
    stored: Vec<usize>,
    /// How long each chunk is.
    lengths: Vec<usize>,
    bytes: Vec<u8>,
}

/// A question about a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reconstruct {
    /// The version of the API.
    pub(super) version: u8,
    /// What the Hub lists.
    pub(super) file: String,
}

impl TestXetStore {
    /// Takes in a file. Returns what is new: the paths of xorbs and their bytes.
    pub(super) fn add(&mut self, name: &str, content: &Content) -> Vec<(String, Vec<u8>)> {
        if content.is_unread() {
            return self.add_unread(name, content.size());
        }
        let bytes = content.to_vec();
        let first_new = self.xorbs.len();
        let mut runs: Vec<Run> = Vec::new();
        let (mut begun, mut raw): (Option<Xorb>, usize) = (None, 0);
        for chunk in chunks(&bytes, &cut(&bytes)) {
            let digest: [u8; 32] = Sha256::digest(chunk).into();
            let place = if let Some(place) = self.chunks.get(&digest) {
                *place
            } else {
                if raw + chunk.len() > XORB {
                    self.xorbs.extend(begun.take());
                    raw = 0;
                }
                raw += chunk.len();
                let place = (self.xorbs.len(), begun.as_ref().map_or(0, |xorb| xorb.lengths.len()));
                begun.get_or_insert_with(Xorb::default).push(chunk);
                self.chunks.insert(digest, place);
                place
            };
            match runs.last_mut() {
                Some(run) if (run.xorb, run.chunks.end) == place => run.chunks.end += 1,
                _ => runs.push(Run { xorb: place.0, chunks: place.1..place.1 + 1 }),
            }
        }
        self.xorbs.extend(begun);
        for xorb in &mut self.xorbs[first_new..] {
            xorb.hash = Content::bytes(xorb.bytes.clone()).sha256();
        }
        self.files.insert(name.to_owned(), runs);
        self.xorbs[first_new..].iter().map(|xorb| (path(&xorb.hash), xorb.bytes.clone())).collect()
    }

    /// Two xorbs in turn, whose chunks no compression makes smaller.
    fn add_unread(&mut self, name: &str, size: u64) -> Vec<(String, Vec<u8>)> {
        let first_new = self.xorbs.len();
        for seed in 0..2 {
            let mut xorb = Xorb::default();
            Content::random(seed, XORB as u64).to_vec().chunks(LONGEST).for_each(|chunk| xorb.push(chunk));
            xorb.hash = Content::bytes(xorb.bytes.clone()).sha256();
            self.xorbs.push(xorb);
        }
        let (mut left, mut runs) = (usize::try_from(size).unwrap_or(usize::MAX) / LONGEST, Vec::new());
        while left > 0 {
            let chunks = left.min(XORB / LONGEST);
            runs.push(Run { xorb: first_new + runs.len() % 2, chunks: 0..chunks });
            left -= chunks;
        }
        self.files.insert(name.to_owned(), runs);
        self.xorbs[first_new..].iter().map(|xorb| (path(&xorb.hash), xorb.bytes.clone())).collect()
    }

    /// What the store answers about some bytes of a file, or all of them. None where it does not have it, or not so many.
    pub(super) fn reconstruct(
        &self,
        asked: &Reconstruct,
        range: Option<Range<u64>>,
        sign: impl Fn(&str) -> String,
    ) -> Option<Value> {
        let range = range.unwrap_or(0..u64::MAX);
        let (mut offset, mut before, mut terms) = (0_u64, None, Vec::new());
        let mut fetched: HashMap<&str, Vec<Value>> = HashMap::new();
        for Run { xorb, chunks } in self.files.get(&asked.file)? {
            let xorb = &self.xorbs[*xorb];
            // The chunks of it that have bytes of the range.
            let mut wanted: Option<(Range<usize>, u64)> = None;
            for chunk in chunks.clone() {
                let length = xorb.lengths[chunk] as u64;
                if offset < range.end && range.start < offset + length {
                    before.get_or_insert(range.start.saturating_sub(offset));
                    let (chunks, unpacked) = wanted.get_or_insert((chunk..chunk, 0));
                    chunks.end = chunk + 1;
                    *unpacked += length;
                }
                offset += length;
            }
            let Some((chunks, unpacked)) = wanted else { continue };
            let bounds = json!({"start": chunks.start, "end": chunks.end});
            let bytes = json!({"start": xorb.stored[chunks.start], "end": xorb.stored[chunks.end] - 1});
            terms.push(json!({"hash": xorb.hash, "unpacked_length": unpacked, "range": bounds}));
            let url = sign(&path(&xorb.hash));
            fetched.entry(&xorb.hash).or_default().push(if asked.version == 1 {
                json!({"range": bounds, "url": url, "url_range": bytes})
            } else {
                json!({"url": url, "ranges": [{"chunks": bounds, "bytes": bytes}]})
            });
        }
        let before = before?;
        let fetched_as = if asked.version == 1 { "fetch_info" } else { "xorbs" };
        Some(json!({"offset_into_first_range": before, "terms": terms, fetched_as: fetched}))
    }
}

/// Where a xorb lies on the CDN.
fn path(hash: &str) -> String {
    format!("/xorbs/default/{hash}")
}

impl Default for Xorb {
    fn default() -> Self {
        Self { hash: String::new(), stored: vec![0], lengths: Vec::new(), bytes: Vec::new() }
    }
}

impl Xorb {
    /// Stores a chunk in the shortest way.
    fn push(&mut self, chunk: &[u8]) {
        let grouped: Vec<u8> =
            (0..4).flat_map(|group| chunk.iter().skip(group).step_by(4).copied()).collect();
        let ways = [(0_u8, chunk.to_vec()), (1, compressed(chunk)), (2, compressed(&grouped))];
        let Some((scheme, stored)) = ways.into_iter().min_by_key(|(_, stored)| stored.len()) else { return };
        let number = |length: usize| u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
        let (short, long) = (number(stored.len()), number(chunk.len()));
        self.bytes.extend([0, short[0], short[1], short[2], scheme, long[0], long[1], long[2]]);
        self.bytes.extend(stored);
        self.stored.push(self.bytes.len());
        self.lengths.push(chunk.len());
    }
}

fn compressed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = FrameEncoder::new(Vec::new());
    encoder.write_all(bytes).and_then(|()| Ok(encoder.finish()?)).expect("memory takes what is written")
}

/// Cuts bytes where their content says.
fn chunks<'a>(bytes: &'a [u8], cut: &CutFile) -> impl Iterator<Item = &'a [u8]> {
    let place = |offset: u64| usize::try_from(offset).expect("it is in memory");
    cut.offsets.windows(2).map(move |pair| &bytes[place(pair[0])..place(pair[1])])
}

/// Cuts a file, and says what the store calls it.
pub(super) fn cut(bytes: &[u8]) -> CutFile {
    hfdown_agent::cut(bytes, |_| Ok(())).expect("memory can be read")
}
