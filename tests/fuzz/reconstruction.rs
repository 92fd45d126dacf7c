//! What the Xet store says of a file, which the controller reads: nonsense is an error, and what is none adds up.

#![no_main]

use hfdown_protocol::limits;
use libfuzzer_sys::fuzz_target;
use reconstruction::XetReconstruction;

#[allow(dead_code)]
#[path = "../../controller/src/hub/xet/reconstruction.rs"]
mod reconstruction;

fuzz_target!(|bytes: &[u8]| {
    let [start, length, json @ ..] = bytes else { return };
    let asked = u64::from(*start) * 1000..u64::from(*start) * 1000 + u64::from(*length) * 100;
    let Ok(mut read) = XetReconstruction::from_json(json, &asked, start % 2 == 0) else { return };
    let mut offset = asked.start;
    for term in &read.terms {
        let range = &read.ranges[term.range as usize];
        assert!(term.offset == offset && term.length > 0);
        assert!(range.chunks.start <= term.chunks.start && term.chunks.end <= range.chunks.end);
        offset += u64::from(term.length);
    }
    assert_eq!(offset, asked.end);
    assert!(read.terms.len() <= limits::TERMS && read.ranges.len() == read.xorbs.len());
    assert!(read.terms.len() == read.unpacked.len());
    let (wire, terms) = (read.wire(), read.terms.len());
    if read.append(read.clone()).is_ok() {
        assert!(read.terms.len() == 2 * terms && read.wire() <= 2 * wire);
    }
});
