//! Bytes that the controller has sent, because only it may read them. They are in memory: they cost nothing on the
//! wire of this machine's own connections, and may be cut anywhere.

use bytes::Bytes;

use super::chunk::{Chunk, Extent};
use crate::fault::FetchFault;

/// An extent of such a file, given as one chunk.
#[derive(Debug)]
pub(crate) struct InlineStream(Option<Chunk>);

impl InlineStream {
    /// Who sends it, for messages.
    pub(super) const HOST: &'static str = "the controller";

    /// Cuts an extent out of a file's bytes, without copying them.
    pub(super) fn new(file: &Bytes, extent: &Extent) -> Result<Self, FetchFault> {
        let (offset, bytes) = match extent {
            Extent::Whole => (0, file.clone()),
            Extent::Range(range) => {
                let ends = usize::try_from(range.start).ok().zip(usize::try_from(range.end).ok());
                let (from, to) = ends
                    .filter(|(from, to)| from <= to && *to <= file.len())
                    .ok_or_else(|| too_short(file.len()))?;
                (range.start, file.slice(from..to))
            }
        };
        Ok(Self(Some(Chunk { offset, bytes, wire: 0 })))
    }

    pub(super) fn next(&mut self) -> Option<Chunk> {
        self.0.take()
    }
}

fn too_short(length: usize) -> FetchFault {
    FetchFault::Nonsense {
        host: InlineStream::HOST.to_owned(),
        what: format!("sent {length} bytes, too few"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extent_is_a_slice_of_the_file_that_cost_nothing_on_the_wire() {
        let file = Bytes::from_static(b"abcdef");
        for (extent, offset, expected) in [
            (Extent::Whole, 0, &b"abcdef"[..]),
            (Extent::Range(0..6), 0, b"abcdef"),
            (Extent::Range(2..4), 2, b"cd"),
            (Extent::Range(6..6), 6, b""),
        ] {
            let mut stream = InlineStream::new(&file, &extent).unwrap();
            let chunk = stream.next().unwrap();
            assert_eq!(
                chunk,
                Chunk { offset, bytes: Bytes::copy_from_slice(expected), wire: 0 },
                "{extent:?}"
            );
            assert!(stream.next().is_none());
        }
        let beyond = InlineStream::new(&file, &Extent::Range(4..7)).unwrap_err();
        assert!(matches!(beyond, FetchFault::Nonsense { .. }), "{beyond}");
    }
}
