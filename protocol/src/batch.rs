//! Long lists travel as several frames: where one ends and the next begins.

use serde::Serialize;

use crate::{codec, limits};

/// Packs the entries of a long list into batches, one for each frame, in order.
///
/// A batch has at most [`limits::ENTRIES`] entries and [`limits::BATCH_BYTES`] bytes as they are encoded. No batch is
/// empty, and the entries of an empty list make none.
pub fn batches<T: Serialize>(entries: impl IntoIterator<Item = T>) -> impl Iterator<Item = Vec<T>> {
    let mut entries = entries.into_iter().map(|entry| (codec::encoded_length(&entry), entry)).peekable();
    std::iter::from_fn(move || {
        let (mut bytes, first) = entries.next()?;
        let mut batch = vec![first];
        while batch.len() < limits::ENTRIES
            && let Some((length, entry)) =
                entries.next_if(|(length, _)| bytes.saturating_add(*length) <= limits::BATCH_BYTES)
        {
            bytes += length;
            batch.push(entry);
        }
        Some(batch)
    })
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use proptest::prelude::*;
    use tokio_util::codec::Encoder;

    use super::*;
    use crate::{
        Address, Codec, Digest, ExtraneousFile, Failure, FailureKind, FileId, Found, Job, Message, Order,
        Remaining, RepoPath, Report, Source, Stamp, Wanted,
    };

    const STAMP: Stamp = Stamp { size: 1, modified: 2, changed: 3, inode: 4 };

    /// A file whose path has this many bytes.
    fn wanted(id: usize, length: usize) -> Wanted {
        let component = "n".repeat(limits::PATH_COMPONENT - 1) + "/";
        let name = format!("{}n", component.repeat(length.div_ceil(component.len())));
        let path = RepoPath::new(&name[name.len() - length.clamp(1, limits::PATH)..])
            .or_else(|_| RepoPath::new("n"))
            .unwrap();
        let id = FileId(u32::try_from(id).unwrap());
        Wanted { id, path, size: u64::MAX, digest: Digest::Sha256([7; 32]) }
    }

    /// Packs the entries, and checks that nothing is lost, that the order is kept, and that each frame fits.
    fn check<T, M>(entries: &[T], frame: impl Fn(Vec<T>) -> M)
    where
        T: Clone + PartialEq + std::fmt::Debug + Serialize,
        M: Message,
    {
        let packed: Vec<_> = batches(entries.iter().cloned()).collect();
        assert_eq!(packed.concat(), entries);
        for batch in packed {
            assert!(!batch.is_empty());
            let mut encoded = BytesMut::new();
            Codec::new().encode(frame(batch), &mut encoded).unwrap();
            // Beside its entries a frame has its own length, the variant's number and the list's length.
            assert!(encoded.len() <= limits::BATCH_BYTES + 16, "{}", encoded.len());
        }
    }

    #[test]
    fn an_empty_list_makes_no_frame() {
        assert_eq!(batches(Vec::<Wanted>::new()).count(), 0);
    }

    #[test]
    fn short_entries_fill_a_frame_up_to_the_bound_of_a_list() {
        let files: Vec<_> = (0..=2 * limits::ENTRIES).map(|id| wanted(id, 8)).collect();
        let lengths: Vec<_> = batches(files).map(|batch| batch.len()).collect();
        assert_eq!(lengths, [limits::ENTRIES, limits::ENTRIES, 1]);
    }

    #[test]
    fn entries_as_long_as_can_be_fit_their_frames() {
        let files: Vec<_> = (0..limits::ENTRIES).map(|id| wanted(id, limits::PATH)).collect();
        check(&files, |files| Order::List { files });
        let text = format!("https://cdn.example/{}", "a".repeat(limits::ADDRESS - 20));
        let source = Source::Public(Address::new(&text).unwrap());
        let job = Job { file: FileId(0), replaces: Some(STAMP), source, xet: None };
        check(&vec![job; 100], |jobs| Order::Fetch { jobs });
        let failure = Failure::new(FailureKind::InTheWay, "d".repeat(limits::TEXT));
        let found = (FileId(0), Found::Obstructed { failure });
        check(&vec![found; 200], |files| Report::Found { files });
    }

    proptest! {
        #[test]
        fn whatever_the_names_every_entry_travels_once_and_in_order(
            lengths in prop::collection::vec(prop_oneof![1..40_usize, 1..=limits::PATH], 0..900),
            repeated in 1..4_usize,
        ) {
            let lengths = lengths.repeat(repeated);
            let files: Vec<_> =
                lengths.into_iter().enumerate().map(|(id, length)| wanted(id, length)).collect();
            check(&files, |files| Order::List { files });
            let remaining: Vec<_> =
                files.iter().map(|wanted| Remaining { wanted: wanted.clone(), done: 1 }).collect();
            check(&remaining, |files| Report::Remaining { files });
            let extraneous: Vec<_> =
                files.into_iter().map(|file| ExtraneousFile { path: file.path, stamp: STAMP }).collect();
            check(&extraneous, |extraneous| Order::Remove { extraneous });
        }
    }
}
