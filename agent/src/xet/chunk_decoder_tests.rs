//! Chunks of every kind, and what is none.

use std::io::Write;

use lz4_flex::frame::FrameEncoder;
use proptest::prelude::*;

use super::*;

fn compressed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = FrameEncoder::new(Vec::new());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn header(version: u8, stored: usize, scheme: u8, length: usize) -> [u8; HEADER] {
    let number = |number: usize| u32::try_from(number).unwrap().to_le_bytes();
    let (stored, length) = (number(stored), number(length));
    [version, stored[0], stored[1], stored[2], scheme, length[0], length[1], length[2]]
}

fn chunk(scheme: u8, bytes: &[u8]) -> Vec<u8> {
    let stored = match scheme {
        0 => bytes.to_vec(),
        1 => compressed(bytes),
        _ => {
            let groups = (0..4).flat_map(|group| bytes.iter().skip(group).step_by(4).copied());
            compressed(&groups.collect::<Vec<_>>())
        }
    };
    [&header(0, stored.len(), scheme, bytes.len())[..], &stored].concat()
}

/// Decodes bytes that come in pieces of these lengths, over and over.
fn decode(xorb: &[u8], pieces: &[usize]) -> Result<Vec<Bytes>, ChunkError> {
    let mut decoder = ChunkDecoder::default();
    let (mut rest, mut chunks) = (xorb, Vec::new());
    for length in pieces.iter().cycle() {
        let (piece, behind) = rest.split_at((*length).min(rest.len()));
        rest = behind;
        let mut piece = Bytes::copy_from_slice(piece);
        while let Some(chunk) = decoder.next(&mut piece)? {
            chunks.push(chunk);
        }
        assert!(piece.is_empty(), "all of it is taken");
        if rest.is_empty() {
            break;
        }
    }
    if decoder.header.is_some() || !decoder.received.is_empty() {
        Err(ChunkError::TooShort)
    } else {
        Ok(chunks)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn chunks_come_out_as_they_went_in_however_they_are_cut(
        chunks in prop::collection::vec((0u8..3, prop::collection::vec(any::<u8>(), 1..200), 1usize..200), 1..8),
        pieces in prop::collection::vec(1usize..5000, 1..6),
    ) {
        let chunks: Vec<_> =
            chunks.into_iter().map(|(scheme, pattern, times)| (scheme, pattern.repeat(times))).collect();
        let xorb: Vec<u8> = chunks.iter().flat_map(|(scheme, bytes)| chunk(*scheme, bytes)).collect();
        let decoded = decode(&xorb, &pieces).unwrap();
        prop_assert_eq!(decoded.len(), chunks.len());
        prop_assert!(decoded.iter().zip(&chunks).all(|(decoded, (_, bytes))| decoded == bytes));
        // Cut short anywhere, it is none, or fewer.
        for cut in 1..xorb.len().min(20) {
            prop_assert!(decode(&xorb[..xorb.len() - cut], &pieces).is_err());
        }
    }

    #[test]
    fn garbage_is_an_error_and_no_more(
        garbage in prop::collection::vec(any::<u8>(), 0..4000), scheme in 0u8..3, length in 1usize..LONGEST_CHUNK,
    ) {
        let _ = decode(&garbage, &[1000]);
        let xorb = [&header(0, garbage.len(), scheme, length)[..], &garbage].concat();
        let _ = decode(&xorb, &[1000]);
    }
}

#[test]
fn a_header_that_lies_is_found_out_before_anything_is_kept() {
    let bytes = [7; 1000];
    let stored = compressed(&bytes).len();
    for (lie, expected) in [
        (header(1, stored, 1, 1000), ChunkError::Unknown { version: 1, scheme: 1 }),
        (header(0, stored, 3, 1000), ChunkError::Unknown { version: 0, scheme: 3 }),
        (header(0, stored, 1, 0), ChunkError::Length { stored, length: 0 }),
        (header(0, stored, 1, LONGEST_CHUNK + 1), ChunkError::Length { stored, length: LONGEST_CHUNK + 1 }),
        (header(0, LONGEST_STORED + 1, 1, 9), ChunkError::Length { stored: LONGEST_STORED + 1, length: 9 }),
        (header(0, 9, 0, 10), ChunkError::Length { stored: 9, length: 10 }),
        (header(0, stored, 1, 999), ChunkError::Lz4("has an LZ4 block that is broken")),
        (header(0, stored, 1, 1001), ChunkError::TooShort),
    ] {
        let xorb = [&lie[..], &compressed(&bytes)].concat();
        assert_eq!(decode(&xorb, &[100_000]), Err(expected));
    }
}

/// A frame may claim blocks of 4 MiB, and that gigabytes come out.
#[test]
fn a_bomb_is_an_error_and_takes_no_memory() {
    let bomb = compressed(&vec![0; 64 << 20]);
    assert!(bomb.len() > LONGEST_STORED);
    let xorb = [&header(0, LONGEST_STORED, 1, LONGEST_CHUNK)[..], &bomb[..LONGEST_STORED]].concat();
    assert!(decode(&xorb, &[64 << 10]).is_err());
    let small = compressed(&vec![0; 4 << 20]);
    assert!(small.len() < LONGEST_STORED);
    assert!(decode(&[&header(0, small.len(), 1, LONGEST_CHUNK)[..], &small].concat(), &[1 << 20]).is_err());
}
