//! Pieces of memory, written side by side to a file in as few calls as there can be.

use std::fs::File;
use std::io;

use super::write_all_at;

/// Writes the pieces one behind the other, from an offset on.
pub(crate) fn write_chunks_at(file: &File, chunks: &[&[u8]], offset: u64) -> io::Result<()> {
    match chunks {
        [chunk] => write_all_at(file, chunk, offset),
        chunks => write_many(file, chunks, offset),
    }
}

#[cfg(target_os = "linux")]
fn write_many(file: &File, chunks: &[&[u8]], mut offset: u64) -> io::Result<()> {
    use rustix::io::{Errno, pwritev};
    use std::io::IoSlice;

    /// The system takes 1,024.
    const AT_ONCE: usize = 256;
    let mut slices: Vec<_> = chunks.iter().map(|chunk| IoSlice::new(chunk)).collect();
    let mut slices = &mut slices[..];
    // Empty ones would look like a disk that takes nothing.
    IoSlice::advance_slices(&mut slices, 0);
    while !slices.is_empty() {
        match pwritev(file, &slices[..slices.len().min(AT_ONCE)], offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                IoSlice::advance_slices(&mut slices, written);
                offset += written as u64;
            }
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn write_many(file: &File, chunks: &[&[u8]], mut offset: u64) -> io::Result<()> {
    chunks.iter().try_for_each(|chunk| {
        write_all_at(file, chunk, offset)?;
        offset += chunk.len() as u64;
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_lie_side_by_side() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        let file = File::create(&path).unwrap();
        let large = vec![b'x'; 3_000_000];
        let many: Vec<&[u8]> = std::iter::repeat_n(&b"y"[..], 1000).collect();
        write_chunks_at(&file, &[], 0).unwrap();
        write_chunks_at(&file, &[b"one"], 2).unwrap();
        write_chunks_at(&file, &[b"", b"two", b"", &large, b"three", b""], 5).unwrap();
        write_chunks_at(&file, &many, 3_000_013).unwrap();
        let expected = [b"\0\0onetwo", &large[..], b"three", &[b'y'; 1000]].concat();
        assert!(std::fs::read(path).unwrap() == expected);
    }
}
