//! Where the Xet store cuts a file into chunks: where the content says so, so that what is the same in two files is cut alike
//! wherever it stands.
//!
//! Uploaders cut like this, so that a file which lies here has the chunks that its reconstruction names.

use std::io::{self, ErrorKind, Read};

use super::LONGEST_CHUNK;
use super::delta::CutFile;
use super::merkle::{Tree, chunk_hash};

/// The shortest chunk, but for the last of a file.
const SHORTEST_CHUNK: usize = 8 << 10;
/// A chunk ends behind a byte where the bits of the rolling hash are 0 that these are: after 64 KiB on average.
const MASK: u64 = 0xFFFF_0000_0000_0000;
/// So many bytes decide what the rolling hash is.
const WINDOW: usize = 64;
/// Bytes that are read at a time. A longest chunk is in it whole, and what is hashed is still in a processor's cache.
const READ: usize = 1 << 20;

/// How long the first chunk of these bytes is: a longest chunk at least, or all that is left of the file.
fn first_chunk(bytes: &[u8]) -> usize {
    let end = bytes.len().min(LONGEST_CHUNK);
    let mut hasher = gearhash::Hasher::default();
    // Where no chunk ends, only the window before the first byte that one may end behind is looked at.
    let mut at = SHORTEST_CHUNK - WINDOW - 1;
    while at < end {
        let Some(next) = hasher.next_match(&bytes[at..end], MASK) else { break };
        at += next;
        if at >= SHORTEST_CHUNK {
            return at;
        }
    }
    end
}

/// Cuts a file that is read from its beginning into chunks, and says what the Hub's Xet store calls it. `go_on` is told how
/// many bytes were read, and its error ends it.
///
/// # Errors
/// Those of reading, and `go_on`'s.
pub fn cut(mut file: impl Read, mut go_on: impl FnMut(usize) -> io::Result<()>) -> io::Result<CutFile> {
    let (mut buffer, mut begin, mut end) = (vec![0; READ], 0, 0);
    let (mut tree, mut offsets, mut offset) = (Tree::default(), vec![0], 0);
    let mut is_over = false;
    loop {
        while !is_over && end - begin < LONGEST_CHUNK {
            buffer.copy_within(begin..end, 0);
            (begin, end) = (0, end - begin);
            match file.read(&mut buffer[end..]) {
                Ok(0) => is_over = true,
                Ok(read) => {
                    end += read;
                    go_on(read)?;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let length = first_chunk(&buffer[begin..end]);
        if length == 0 {
            return Ok(CutFile { offsets, hash: tree.file_hash() });
        }
        tree.add(chunk_hash(&buffer[begin..begin + length]), length as u64);
        offset += length as u64;
        offsets.push(offset);
        begin += length;
    }
}

#[cfg(test)]
#[path = "chunking_tests.rs"]
mod tests;
