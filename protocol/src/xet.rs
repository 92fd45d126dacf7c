//! Files as the Hub keeps them in its Xet store: cut into chunks, which lie compressed in *xorbs*. A *reconstruction* says
//! which chunks of which xorbs a file consists of, a *term* for each run of them.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use serde::{Deserialize, Serialize};

use crate::Address;

/// The Xet store's name of a file or a xorb: the root of a tree of BLAKE3 hashes over its chunks.
///
/// The Hub writes it as four little-endian 64-bit numbers, each in big-endian hex.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct XetHash(pub [u8; 32]);

/// A text that is not the hex form of a [`XetHash`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a Xet hash")]
pub struct XetHashError;

/// Bytes of a xorb that one signed address is good for, and the chunks that these are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct XorbRange {
    /// Where the xorb is.
    pub address: Address,
    /// Which of its bytes may be asked for.
    pub bytes: Range<u64>,
    /// Which of its chunks these are.
    pub chunks: Range<u32>,
}

/// A run of a file's bytes, which are chunks of a xorb.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Term {
    /// Where in the file they begin.
    pub offset: u64,
    /// How many bytes of the file they are.
    pub length: u32,
    /// Which of the xorb ranges has them, by its place in the answer.
    pub range: u32,
    /// Which chunks of the xorb.
    pub chunks: Range<u32>,
    /// How many bytes of these chunks lie before `offset`, and are passed over.
    pub skip: u32,
}

/// What terms weigh in memory while they wait to be wanted, in bytes.
pub fn handed_over_weight(ranges: &[XorbRange], terms: &[Term]) -> usize {
    let of_range = |range: &XorbRange| range.address.expose().as_str().len() + size_of::<XorbRange>();
    ranges.iter().map(of_range).sum::<usize>() + size_of_val(terms)
}

impl XetHash {
    /// Turns each group of eight bytes round.
    fn swapped(mut bytes: [u8; 32]) -> [u8; 32] {
        bytes.chunks_exact_mut(8).for_each(<[u8]>::reverse);
        bytes
    }
}

impl FromStr for XetHash {
    type Err = XetHashError;

    fn from_str(hex: &str) -> Result<Self, XetHashError> {
        let mut bytes = [0; 32];
        if hex.len() != 2 * bytes.len() {
            return Err(XetHashError);
        }
        HEXLOWER_PERMISSIVE.decode_mut(hex.as_bytes(), &mut bytes).map_err(|_| XetHashError)?;
        Ok(Self(Self::swapped(bytes)))
    }
}

impl fmt::Display for XetHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&HEXLOWER.encode(&Self::swapped(self.0)))
    }
}

impl fmt::Debug for XetHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "XetHash({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_written_as_the_hub_writes_them() {
        let bytes: Vec<u8> = (0..32).collect();
        let hash = XetHash(bytes.try_into().unwrap());
        let text = "07060504030201000f0e0d0c0b0a090817161514131211101f1e1d1c1b1a1918";
        assert_eq!(hash.to_string(), text);
        assert_eq!(text.parse(), Ok(hash));
        assert_eq!(text.to_uppercase().parse(), Ok(hash));
        for wrong in ["", "07", &text[1..], &format!("{text}00"), &text.replace('7', "g")] {
            assert_eq!(wrong.parse::<XetHash>(), Err(XetHashError), "{wrong}");
        }
    }
}
