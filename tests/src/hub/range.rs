//! The `Range` header, as far as the Hub and its CDN understand it.

use std::ops::Range;

/// What a `Range` header asks of a file of some size.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum RequestedRange {
    /// No range, or one that servers ignore: several at once, another unit, nonsense.
    Whole,
    /// These bytes.
    Part(Range<u64>),
    /// Nothing that the file has.
    PastTheEnd,
}

impl RequestedRange {
    pub(super) fn of(header: Option<&str>, size: u64) -> Self {
        let Some((first, last)) = header.and_then(|text| text.trim().strip_prefix("bytes=")?.split_once('-'))
        else {
            return Self::Whole;
        };
        let number = |text: &str| text.trim().parse::<u64>().ok();
        let part = match (number(first), number(last)) {
            (Some(first), Some(last)) if last < first => return Self::Whole,
            (Some(first), Some(last)) => first..last.saturating_add(1).min(size),
            (Some(first), None) if last.is_empty() => first..size,
            (None, Some(length)) if first.is_empty() && length > 0 => size.saturating_sub(length)..size,
            (None, Some(_)) if first.is_empty() => return Self::PastTheEnd,
            _ => return Self::Whole,
        };
        if part.start >= size { Self::PastTheEnd } else { Self::Part(part) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_clients_send() {
        let cases = [
            (None, RequestedRange::Whole),
            (Some("bytes=0-0"), RequestedRange::Part(0..1)),
            (Some("bytes=2-"), RequestedRange::Part(2..10)),
            (Some("bytes=2-99"), RequestedRange::Part(2..10)),
            (Some("bytes=-3"), RequestedRange::Part(7..10)),
            (Some("bytes=-99"), RequestedRange::Part(0..10)),
            (Some("bytes=10-"), RequestedRange::PastTheEnd),
            (Some("bytes=-0"), RequestedRange::PastTheEnd),
            (Some("bytes=5-4"), RequestedRange::Whole),
            (Some("bytes=0-1,3-4"), RequestedRange::Whole),
            (Some("bytes=a-b"), RequestedRange::Whole),
            (Some("lines=1-2"), RequestedRange::Whole),
        ];
        for (header, asked) in cases {
            assert_eq!(RequestedRange::of(header, 10), asked, "{header:?}");
        }
        assert_eq!(RequestedRange::of(Some("bytes=0-0"), 0), RequestedRange::PastTheEnd);
    }
}
