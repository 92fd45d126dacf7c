//! Edited files, uploaded by an encoder that deduplicates: what is copied is what the new file has there.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::xet::cut;

/// A file cut into chunks, as an uploader describes it that knows the chunks of `store` already.
fn upload(bytes: &[u8], store: &mut HashMap<Vec<u8>, (u32, u32)>, xorb: u32) -> (CutFile, Vec<ChunkRun>) {
    let file = cut(bytes, |_| Ok(())).unwrap();
    let (mut runs, mut next): (Vec<ChunkRun>, u32) = (Vec::new(), 0);
    for pair in file.offsets.windows(2) {
        let chunk = &bytes[usize::try_from(pair[0]).unwrap()..usize::try_from(pair[1]).unwrap()];
        let (xorb, index) = *store.entry(chunk.to_vec()).or_insert_with(|| {
            next += 1;
            (xorb, next - 1)
        });
        let length = u32::try_from(chunk.len()).unwrap();
        match runs.last_mut() {
            Some(run) if (run.xorb, run.chunks.end) == (xorb, index) && run.chunks.len() < 40 => {
                run.chunks.end += 1;
                run.length += length;
            }
            _ => runs.push(ChunkRun { xorb, chunks: index..index + 1, length }),
        }
    }
    (file, runs)
}

fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut step = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..length).map(|_| step()).collect()
}

#[derive(Debug, Clone)]
enum Edit {
    Insert(usize, Vec<u8>),
    Replace(usize, Vec<u8>),
    Swap(usize),
    Append(Vec<u8>),
    Repeat,
}

fn edited(mut bytes: Vec<u8>, edits: Vec<Edit>) -> Vec<u8> {
    for edit in edits {
        match edit {
            Edit::Insert(at, new) => {
                let at = at % (bytes.len() + 1);
                bytes.splice(at..at, new);
            }
            Edit::Replace(at, new) => {
                let at = at % (bytes.len() + 1);
                let end = (at + new.len()).min(bytes.len());
                bytes.splice(at..end, new);
            }
            Edit::Swap(at) => {
                let at = at % (bytes.len() + 1);
                bytes.rotate_left(at);
            }
            Edit::Append(new) => bytes.extend(new),
            Edit::Repeat => bytes.extend_from_within(..bytes.len() / 2),
        }
    }
    bytes
}

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let new = || (1usize..200_000, any::<u64>()).prop_map(|(length, seed)| noise(length, seed));
    let edit = prop_oneof![
        (any::<usize>(), new()).prop_map(|(at, new)| Edit::Insert(at, new)),
        (any::<usize>(), new()).prop_map(|(at, new)| Edit::Replace(at, new)),
        any::<usize>().prop_map(Edit::Swap),
        new().prop_map(Edit::Append),
        Just(Edit::Repeat),
    ];
    prop::collection::vec(edit, 0..5)
}

fn at(bytes: &[u8], from: u64, length: u64) -> &[u8] {
    &bytes[usize::try_from(from).unwrap()..][..usize::try_from(length).unwrap()]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn what_is_copied_is_what_the_new_file_has_there(
        length in 0usize..3_000_000, seed in any::<u64>(), edits in edits(),
    ) {
        let old = noise(length, seed);
        let new = edited(old.clone(), edits);
        let mut store = HashMap::new();
        let (basis, old_runs) = upload(&old, &mut store, 0);
        let (whole, new_runs) = upload(&new, &mut store, 1);
        let copies = copies(&basis, &old_runs, &new_runs).unwrap();
        let mut end = 0;
        for copy in &copies {
            prop_assert!(copy.length > 0 && copy.to >= end);
            end = copy.to + copy.length;
            prop_assert_eq!(at(&old, copy.from, copy.length), at(&new, copy.to, copy.length));
        }
        prop_assert!(end <= *whole.offsets.last().unwrap());
        // This encoder's runs never mix chunks that are known with others: nothing that is shared is missed.
        let shared: u64 =
            new_runs.iter().filter(|run| run.xorb == 0).map(|run| u64::from(run.length)).sum();
        prop_assert_eq!(copies.iter().map(|copy| copy.length).sum::<u64>(), shared);
    }

    #[test]
    fn runs_that_lie_are_an_error_or_copy_within_the_old_file(
        length in 1usize..600_000, old in runs(), new in runs(),
    ) {
        let bytes = noise(length, 3);
        let basis = cut(&bytes[..], |_| Ok(())).unwrap();
        for old in [old, upload(&bytes, &mut HashMap::new(), 0).1] {
            let size: u64 = new.iter().map(|run| u64::from(run.length)).sum();
            for copy in copies(&basis, &old, &new).unwrap_or_default() {
                prop_assert!(copy.from + copy.length <= length as u64);
                prop_assert!(copy.to + copy.length <= size);
            }
        }
    }
}

fn runs() -> impl Strategy<Value = Vec<ChunkRun>> {
    let run = (0u32..2, 0u32..6, 0u32..8, any::<u32>()).prop_map(|(xorb, start, count, length)| ChunkRun {
        xorb,
        chunks: start..start + count,
        length: length % 500_000,
    });
    prop::collection::vec(run, 0..6)
}

#[test]
fn of_a_run_with_chunks_missing_both_ends_are_copied() {
    let basis = CutFile { offsets: vec![0, 10, 30, 60, 100], hash: XetHash([0; 32]) };
    let old = [
        ChunkRun { xorb: 7, chunks: 0..2, length: 30 },
        ChunkRun { xorb: 7, chunks: 4..5, length: 30 },
        ChunkRun { xorb: 7, chunks: 6..7, length: 40 },
    ];
    let new = |chunks, length| [ChunkRun { xorb: 7, chunks, length }];
    let copy = |from, to, length| Copied { from, to, length };
    // One gap: all is exact. Two gaps: what is between them may be anywhere.
    assert_eq!(copies(&basis, &old, &new(1..5, 100)), Ok(vec![copy(10, 0, 20), copy(30, 70, 30)]));
    assert_eq!(copies(&basis, &old, &new(1..7, 150)), Ok(vec![copy(10, 0, 20), copy(60, 110, 40)]));
    // Too short for what is in it: another file's.
    assert_eq!(copies(&basis, &old, &new(1..5, 50)), Ok(vec![]));
    assert_eq!(copies(&basis, &old, &new(0..2, 31)), Ok(vec![]));
    assert_eq!(copies(&basis, &old[..2], &new(0..2, 30)), Err(NotItsRuns));
}
