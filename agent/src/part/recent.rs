//! What was written a moment ago and the digest has not gone over yet, still in memory: bytes that arrive in order need not be
//! read back.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::OwnedSemaphorePermit;

/// How far ahead of the digest bytes are kept. What arrives earlier is read back when its turn comes, so that what is
/// near has the room.
const WINDOW: u64 = 4 << 20;

/// Written bytes of one part.
#[derive(Debug, Default)]
pub(super) struct RecentWrites(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    /// Where the digest is.
    position: u64,
    /// By where they begin.
    writes: BTreeMap<u64, KeptWrite>,
}

/// Bytes that were written at once, and the room that they take.
#[derive(Debug)]
struct KeptWrite {
    chunks: Vec<Bytes>,
    _room: OwnedSemaphorePermit,
}

/// Where the next bytes for the digest are.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NextBytes {
    /// In memory.
    Kept(Vec<Bytes>),
    /// On disk, up to here at least.
    Written(u64),
}

impl RecentWrites {
    /// Whether the digest comes to a place soon.
    pub(super) fn is_near(&self, start: u64) -> bool {
        let position = self.kept().position;
        (position..position.saturating_add(WINDOW)).contains(&start)
    }

    /// Keeps what has been written, as it was.
    pub(super) fn keep(&self, start: u64, chunks: Vec<Bytes>, room: OwnedSemaphorePermit) {
        let mut kept = self.kept();
        // The digest may have gone past it meanwhile.
        if start >= kept.position {
            kept.writes.insert(start, KeptWrite { chunks, _room: room });
        }
    }

    /// Takes what the digest goes over next in a range.
    pub(super) fn next(&self, range: &Range<u64>) -> NextBytes {
        let mut kept = self.kept();
        // What lies behind is of no use any more.
        kept.writes = kept.writes.split_off(&range.start);
        if let Some(KeptWrite { chunks, .. }) = kept.writes.remove(&range.start) {
            kept.position = range.start + chunks.iter().map(|chunk| chunk.len() as u64).sum::<u64>();
            return NextBytes::Kept(chunks);
        }
        let end = kept.writes.first_key_value().map_or(range.end, |(start, _)| range.end.min(*start));
        kept.position = end;
        NextBytes::Written(end)
    }

    /// All of it is to be read back.
    pub(super) fn forget(&self) {
        *self.kept() = Kept { position: u64::MAX, writes: BTreeMap::new() };
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use tokio::sync::Semaphore;

    #[test]
    fn what_is_near_is_kept_until_the_digest_is_there() {
        let (recent, room) = (RecentWrites::default(), Arc::new(Semaphore::new(4)));
        let keep = |start: u64, bytes: &'static [u8]| {
            recent.keep(
                start,
                vec![Bytes::from_static(bytes)],
                Arc::clone(&room).try_acquire_owned().unwrap(),
            );
        };
        keep(0, b"ab");
        keep(6, b"gh");
        keep(4, b"ef");
        assert!(recent.is_near(WINDOW - 1) && !recent.is_near(WINDOW));
        assert_eq!(recent.next(&(0..8)), NextBytes::Kept(vec![Bytes::from_static(b"ab")]));
        assert_eq!(recent.next(&(2..8)), NextBytes::Written(4), "up to what is in memory");
        keep(2, b"cd");
        assert_eq!(room.available_permits(), 2, "too late");
        assert_eq!(recent.next(&(4..8)), NextBytes::Kept(vec![Bytes::from_static(b"ef")]));
        assert_eq!(recent.next(&(7..8)), NextBytes::Written(8), "it begins before that");
        assert_eq!(room.available_permits(), 4);
        keep(8, b"ij");
        recent.forget();
        keep(8, b"ij");
        assert!(!recent.is_near(8) && room.available_permits() == 4);
        assert_eq!(recent.next(&(0..8)), NextBytes::Written(8));
    }
}
