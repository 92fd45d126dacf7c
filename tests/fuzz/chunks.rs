//! Chunks of xorbs, which an agent decodes as they come: garbage is an error, and what is none comes out the same however it was
//! cut on its way.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use xet::{ChunkDecoder, ChunkError, LONGEST_CHUNK};

#[allow(dead_code, unused_imports)]
#[path = "../../agent/src/xet/mod.rs"]
mod xet;

/// Decodes what comes in pieces of this length.
fn decode(xorb: &[u8], piece: usize) -> Result<Vec<Bytes>, ChunkError> {
    let (mut decoder, mut chunks) = (ChunkDecoder::default(), Vec::new());
    for piece in xorb.chunks(piece) {
        let mut piece = Bytes::copy_from_slice(piece);
        while let Some(chunk) = decoder.next(&mut piece)? {
            assert!(chunk.len() <= LONGEST_CHUNK);
            chunks.push(chunk);
        }
        assert!(piece.is_empty());
    }
    Ok(chunks)
}

fuzz_target!(|bytes: &[u8]| {
    let Some((piece, xorb)) = bytes.split_first() else { return };
    let whole = decode(xorb, xorb.len().max(1));
    assert_eq!(decode(xorb, usize::from(*piece) + 1), whole);
});
