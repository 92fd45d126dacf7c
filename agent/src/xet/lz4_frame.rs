//! LZ4 frames, decoded into a buffer that is as long as what must come out. What a frame says of itself decides nothing that
//! is allocated: there is nothing to allocate.

use lz4_flex::block::{decompress_into, decompress_into_with_dict};

use super::ChunkError;

const MAGIC: u32 = 0x184D_2204;
/// How far back a block of a frame with linked blocks may look.
const WINDOW: usize = 64 << 10;
/// The bit of a block's length that says that it is not compressed.
const STORED: u32 = 1 << 31;

/// The first byte of a frame's descriptor.
#[derive(Debug, Clone, Copy)]
struct Flags(u8);

impl Flags {
    fn is_version_1(self) -> bool {
        self.0 >> 6 == 1
    }

    fn blocks_are_independent(self) -> bool {
        self.0 & 0x20 != 0
    }

    fn has_block_checksums(self) -> bool {
        self.0 & 0x10 != 0
    }

    fn has_content_size(self) -> bool {
        self.0 & 0x08 != 0
    }

    fn has_content_checksum(self) -> bool {
        self.0 & 0x04 != 0
    }

    /// A bit that means nothing yet, or a dictionary that is not here.
    fn asks_for_more(self) -> bool {
        self.0 & 0x03 != 0
    }
}

/// Decodes one frame, which must be all of `frame` and fill all of `decoded`. Its checksums are passed over: the whole file
/// has a digest.
pub(super) fn decode(frame: &[u8], decoded: &mut [u8]) -> Result<(), ChunkError> {
    let mut rest = FrameBytes(frame);
    if rest.number()? != MAGIC {
        return Err(ChunkError::Lz4("has no LZ4 frame"));
    }
    let flags = Flags(rest.take(1)?[0]);
    if !flags.is_version_1() || flags.asks_for_more() {
        return Err(ChunkError::Lz4("has an LZ4 frame of an unknown kind"));
    }
    // The largest block that there may be: what fits is known without it. And the checksum of what has just been read.
    rest.take(1 + if flags.has_content_size() { 8 } else { 0 } + 1)?;
    let mut position = 0;
    loop {
        let length = rest.number()?;
        if length == 0 {
            break;
        }
        let block = rest.take((length & !STORED) as usize)?;
        if flags.has_block_checksums() {
            rest.take(4)?;
        }
        let (before, room) = decoded.split_at_mut(position);
        position += if length & STORED != 0 {
            room.get_mut(..block.len()).ok_or(ChunkError::TooLong)?.copy_from_slice(block);
            block.len()
        } else if flags.blocks_are_independent() || before.is_empty() {
            decompress_into(block, room).map_err(|_| ChunkError::Lz4("has an LZ4 block that is broken"))?
        } else {
            let window = &before[before.len().saturating_sub(WINDOW)..];
            decompress_into_with_dict(block, room, window)
                .map_err(|_| ChunkError::Lz4("has an LZ4 block that is broken"))?
        };
    }
    if flags.has_content_checksum() {
        rest.take(4)?;
    }
    match (rest.0, position == decoded.len()) {
        ([], true) => Ok(()),
        ([], false) => Err(ChunkError::TooShort),
        _ => Err(ChunkError::Lz4("has something behind its LZ4 frame")),
    }
}

/// What of a frame is still to be read.
struct FrameBytes<'a>(&'a [u8]);

impl<'a> FrameBytes<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], ChunkError> {
        let (taken, rest) =
            self.0.split_at_checked(length).ok_or(ChunkError::Lz4("has an LZ4 frame that is cut short"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn number(&mut self) -> Result<u32, ChunkError> {
        let bytes = self.take(4)?;
        Ok(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};
    use proptest::prelude::*;

    use super::*;

    fn frame(bytes: &[u8], info: FrameInfo) -> Vec<u8> {
        let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    /// Bytes that repeat, so that blocks look back.
    fn compressible() -> impl Strategy<Value = Vec<u8>> {
        (prop::collection::vec(any::<u8>(), 1..3000), 1usize..80)
            .prop_map(|(pattern, times)| pattern.repeat(times)[..].iter().copied().take(128 << 10).collect())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn frames_of_every_kind_are_decoded(
            bytes in compressible(), linked: bool, sums: bool, sum: bool, sized: bool, size in 0..3,
        ) {
            let block_size =
                [BlockSize::Max64KB, BlockSize::Max256KB, BlockSize::Max1MB][usize::try_from(size).unwrap()];
            let info = FrameInfo::new()
                .block_mode(if linked { BlockMode::Linked } else { BlockMode::Independent })
                .block_size(block_size)
                .block_checksums(sums)
                .content_checksum(sum)
                .content_size(sized.then_some(bytes.len() as u64));
            let frame = frame(&bytes, info);
            let mut decoded = vec![0; bytes.len()];
            prop_assert_eq!(decode(&frame, &mut decoded), Ok(()));
            prop_assert!(decoded == bytes);
            for wrong in [bytes.len() - 1, bytes.len() + 1] {
                prop_assert!(decode(&frame, &mut vec![0; wrong]).is_err());
            }
            for cut in 0..frame.len().min(40) {
                prop_assert!(decode(&frame[..cut], &mut decoded).is_err());
                prop_assert!(decode(&frame[..frame.len() - 1 - cut], &mut decoded).is_err());
            }
            prop_assert!(decode(&[&frame[..], &[0]].concat(), &mut decoded).is_err());
        }

        #[test]
        fn whatever_comes_is_an_error_and_no_more(
            bytes in compressible(), flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
        ) {
            let mut frame = frame(&bytes, FrameInfo::new());
            for (at, to) in flips {
                let at = at.index(frame.len());
                frame[at] = to;
            }
            let mut decoded = vec![0; bytes.len()];
            let _ = decode(&frame, &mut decoded);
            let _ = decode(&bytes, &mut decoded);
        }
    }
}
