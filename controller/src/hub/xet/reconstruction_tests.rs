//! Answers of both versions, and what is none.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

/// 700 bytes: 300 of one xorb, whose first 50 are before what was asked for, then 450 of another.
fn answer() -> Value {
    json!({
        "offset_into_first_range": 50,
        "terms": [
            {"hash": A, "unpacked_length": 300, "range": {"start": 2, "end": 4}},
            {"hash": B, "unpacked_length": 450, "range": {"start": 0, "end": 1}},
        ],
        "xorbs": {
            A: [{"url": "https://cdn.example/a?X=1", "ranges": [
                {"chunks": {"start": 0, "end": 9}, "bytes": {"start": 0, "end": 900}},
                {"chunks": {"start": 2, "end": 4}, "bytes": {"start": 100, "end": 299}},
            ]}],
            B: [{"url": "https://cdn.example/b?X=2", "ranges": [
                {"chunks": {"start": 0, "end": 1}, "bytes": {"start": 0, "end": 399}},
            ]}],
        },
    })
}

fn read(answer: &Value, asked: Range<u64>) -> Result<XetReconstruction, ReconstructionError> {
    XetReconstruction::from_json(answer.to_string().as_bytes(), &asked, true)
}

#[test]
fn both_versions_say_the_same() {
    let second = read(&answer(), 1000..1700).unwrap();
    let term = |offset, length, range, chunks, skip| Term { offset, length, range, chunks, skip };
    assert_eq!(second.terms, [term(1000, 250, 0, 2..4, 50), term(1250, 450, 1, 0..1, 0)]);
    assert_eq!((&second.unpacked[..], second.wire()), (&[300, 450][..], 600));
    assert_eq!((&second.ranges[0].bytes, &second.ranges[0].chunks), (&(100..300), &(2..4)));
    let mut first = answer();
    first.as_object_mut().unwrap().remove("xorbs");
    let info = |url: &str, chunks: [u32; 2], bytes: [u64; 2]| {
        let range = json!({"start": chunks[0], "end": chunks[1]});
        json!([{"range": range, "url": url, "url_range": {"start": bytes[0], "end": bytes[1]}}])
    };
    first["fetch_info"] = json!({
        A: info("https://cdn.example/a?X=1", [2, 4], [100, 299]),
        B: info("https://cdn.example/b?X=2", [0, 1], [0, 399]),
    });
    assert_eq!(read(&first, 1000..1700), Ok(second));
    // The last chunks may have more than what was asked for.
    let cut = read(&answer(), 1000..1300).unwrap();
    assert_eq!(cut.terms[1].length, 50);
    let mut both = cut.clone();
    both.append(cut).unwrap();
    assert_eq!((both.terms.len(), both.terms[3].range, both.wire()), (4, 3, 1200));
}

#[test]
fn numbers_that_do_not_add_up_are_refused() {
    let refused = |pointer: &str, value: Value| {
        let mut answer = answer();
        *answer.pointer_mut(pointer).unwrap() = value;
        read(&answer, 1000..1700).unwrap_err()
    };
    let a = |rest: &str| format!("/xorbs/{A}/0/{rest}");
    for (pointer, value, expected) in [
        ("/terms/0/hash".to_owned(), json!("a"), ReconstructionError::Text("hash")),
        (a("url"), json!("ftp://cdn.example/a"), ReconstructionError::Text("address")),
        (a("url"), json!("https://user:word@cdn.example/a"), ReconstructionError::Text("address")),
        (a("url"), json!("http://cdn.example/a"), ReconstructionError::Downgrade),
        ("/offset_into_first_range".to_owned(), json!(300), ReconstructionError::Length),
        ("/offset_into_first_range".to_owned(), json!(301), ReconstructionError::Length),
        ("/terms/0/unpacked_length".to_owned(), json!(299), ReconstructionError::Length),
        ("/terms/0/unpacked_length".to_owned(), json!(2 * (128 << 10) + 1), ReconstructionError::Range),
        ("/terms/0/range/end".to_owned(), json!(2), ReconstructionError::Range),
        ("/terms/0/range/end".to_owned(), json!(8193), ReconstructionError::Range),
        ("/terms/0/range/end".to_owned(), json!(10), ReconstructionError::Unlisted),
        (a("ranges/1/bytes/end"), json!(u64::MAX), ReconstructionError::Range),
        (a("ranges/1/bytes/start"), json!(300), ReconstructionError::Range),
        (a("ranges/1/bytes/end"), json!(90_u64 << 20), ReconstructionError::Range),
        (a("ranges/1/chunks/end"), json!(1), ReconstructionError::Range),
        ("/xorbs".to_owned(), json!({}), ReconstructionError::Unlisted),
        ("/terms".to_owned(), json!([]), ReconstructionError::Length),
    ] {
        assert_eq!(refused(&pointer, value.clone()), expected, "{pointer} {value}");
    }
    assert_eq!(read(&answer(), 1000..1701), Err(ReconstructionError::Length));
    assert_eq!(read(&answer(), 1000..1250), Err(ReconstructionError::Length), "a term for nothing");
    for text in ["", "[]", "{}", "null", r#"{"terms":[{"hash":1}]}"#] {
        let read = XetReconstruction::from_json(text.as_bytes(), &(0..1), true);
        assert!(matches!(read, Err(ReconstructionError::Json(_))), "{text}");
    }
}

#[test]
fn a_file_in_too_many_pieces_is_refused() {
    let mut answer = answer();
    answer["offset_into_first_range"] = json!(0);
    answer["terms"] = (0..=limits::TERMS).map(|_| answer["terms"][1].clone()).collect();
    let length = 450 * (limits::TERMS as u64 + 1);
    assert_eq!(read(&answer, 0..length), Err(ReconstructionError::TooMany));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever is accepted is in order and adds up.
    #[test]
    fn what_is_accepted_is_what_was_asked_for(
        pointers in prop::collection::vec((0usize..9, prop_oneof![
            (0u64..500).prop_map(|number| json!(number)), any::<u64>().prop_map(|number| json!(number)), Just(json!(null)),
        ]), 0..4),
        start in 0u64..1000, length in 1u64..1000,
    ) {
        let a = format!("/xorbs/{A}/0/ranges/1");
        let all = [
            "/offset_into_first_range".to_owned(), "/terms/0/unpacked_length".to_owned(),
            "/terms/1/unpacked_length".to_owned(), "/terms/0/range/start".to_owned(),
            "/terms/0/range/end".to_owned(), format!("{a}/bytes/start"), format!("{a}/bytes/end"),
            format!("{a}/chunks/start"), format!("{a}/chunks/end"),
        ];
        let mut answer = answer();
        for (index, value) in pointers {
            *answer.pointer_mut(&all[index]).unwrap() = value;
        }
        if let Ok(read) = read(&answer, start..start + length) {
            let mut end = start;
            for term in &read.terms {
                prop_assert_eq!(term.offset, end);
                end += u64::from(term.length);
                let range = &read.ranges[term.range as usize];
                prop_assert!(range.chunks.start <= term.chunks.start && term.chunks.end <= range.chunks.end);
            }
            prop_assert_eq!(end, start + length);
        }
    }
}
