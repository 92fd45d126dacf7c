//! Which answers are taken, and what each of the others is.

use super::*;
use reqwest::header::HeaderName;
use std::time::Duration;

const SIZE: u64 = 100;

/// What an answer is checked for: an extent of a file of a listed size, at an address that may be a signed one.
fn check(
    (extent, total, has_query): (&Extent, Option<u64>, bool),
    status: u16,
    headers: &[(&'static str, &'static str)],
) -> Result<(), FetchFault> {
    let expected = Expected { host: "cdn.example", extent, total, has_query, is_page: false };
    let pair = |(name, value): &(&'static str, &'static str)| {
        (HeaderName::from_static(name), HeaderValue::from_static(value))
    };
    expected.check(StatusCode::from_u16(status).unwrap(), &headers.iter().map(pair).collect())
}

/// The fault in words that hold all of it.
fn words(checked: Result<(), FetchFault>) -> String {
    checked.map_or_else(|fault| format!("{fault:?}"), |()| "right".to_owned())
}

fn nonsense(what: &str) -> String {
    words(Err(FetchFault::Nonsense { host: "cdn.example".to_owned(), what: what.to_owned() }))
}

#[test]
fn what_was_asked_for_is_told_from_what_was_not() {
    let (some, all) = (Extent::Range(10..20), Extent::Range(0..SIZE));
    let right = "right".to_owned();
    let ignored = words(Err(FetchFault::RangeIgnored { host: "cdn.example".to_owned() }));
    let other_part = nonsense("answered with a part of the file to a request for all of it");
    let compressed = nonsense("compresses what was asked for as it is");
    let too_many = nonsense("sends 101 bytes where the Hub lists 100");
    for (extent, status, headers, expected) in [
        // A part.
        (&some, 206, &[("content-range", "bytes 10-19/100")][..], &right),
        (&some, 206, &[("content-range", "bytes 10-19/*")], &right),
        (&some, 206, &[("content-range", "Bytes  10-19/100 ")], &right),
        (&some, 206, &[("content-range", "bytes 10-19/101")], &ignored),
        (&some, 206, &[("content-range", "bytes 10-19/")], &ignored),
        (&some, 206, &[("content-range", "bytes 10-18/100")], &ignored),
        (&some, 206, &[("content-range", "bytes 0-9/100")], &ignored),
        (&some, 206, &[("content-range", "10-19/100")], &ignored),
        (&some, 206, &[("content-range", "bytes 10-19")], &ignored),
        (&some, 206, &[], &ignored),
        (&some, 206, &[("content-range", "bytes 10-19/10")], &ignored),
        (&some, 206, &[("content-range", "bytes 10-18446744073709551615/100")], &ignored),
        (&some, 206, &[("content-range", "bytes */100")], &ignored),
        (&some, 206, &[("content-type", "multipart/byteranges; boundary=x")], &ignored),
        (&all, 206, &[], &ignored),
        (&some, 416, &[], &ignored),
        (&some, 416, &[("content-range", "bytes */100")], &ignored),
        // The whole, which may be what was asked for.
        (&some, 200, &[("content-length", "100")], &ignored),
        (&some, 200, &[], &ignored),
        (&all, 200, &[("content-length", "100")], &right),
        (&all, 200, &[("content-length", "101")], &too_many),
        (&all, 206, &[("content-range", "bytes 0-99/100")], &right),
        (&Extent::Whole, 200, &[("content-length", "100")], &right),
        (&Extent::Whole, 200, &[], &right),
        (&Extent::Whole, 200, &[("content-length", "some")], &right),
        (&Extent::Whole, 200, &[("content-length", "101")], &too_many),
        (&Extent::Whole, 200, &[("content-length", "0")], &nonsense("sends 0 bytes where the Hub lists 100")),
        // A part that was not asked for.
        (&Extent::Whole, 206, &[("content-range", "bytes 0-99/100")], &right),
        (&Extent::Whole, 206, &[("content-range", "bytes 0-99/*")], &right),
        (&Extent::Whole, 206, &[], &right),
        (&Extent::Whole, 206, &[("content-length", "100")], &right),
        (&Extent::Whole, 206, &[("content-length", "101")], &too_many),
        (&Extent::Whole, 206, &[("content-range", "bytes 0-49/100")], &other_part),
        (&Extent::Whole, 206, &[("content-range", "bytes")], &other_part),
        (&Extent::Whole, 206, &[("content-type", "multipart/byteranges; boundary=x")], &other_part),
        // Compressed.
        (&Extent::Whole, 200, &[("content-encoding", "identity")], &right),
        (&Extent::Whole, 200, &[("content-encoding", "gzip")], &compressed),
        (&some, 206, &[("content-range", "bytes 10-19/100"), ("content-encoding", "br")], &compressed),
        // Success of another kind.
        (&some, 204, &[], &nonsense("answered 204")),
        (&Extent::Whole, 203, &[], &nonsense("answered 203")),
        (&Extent::Whole, 416, &[], &nonsense("answered 416")),
        (&some, 400, &[], &nonsense("answered 400")),
    ] {
        for has_query in [false, true] {
            let checked = check((extent, Some(SIZE), has_query), status, headers);
            assert_eq!(&words(checked), expected, "{status} {headers:?} to {extent:?}");
        }
    }
}

#[test]
fn where_the_hub_lists_no_total_a_server_may_claim_any() {
    let ignored = words(Err(FetchFault::RangeIgnored { host: "cdn.example".to_owned() }));
    for (extent, status, headers, expected) in [
        (Extent::Range(10..20), 206, &[("content-range", "bytes 10-19/7000")][..], "right"),
        (Extent::Range(10..20), 206, &[("content-range", "bytes 10-19/*")], "right"),
        (Extent::Range(10..20), 206, &[("content-range", "bytes 9-19/7000")], &ignored),
        (Extent::Range(0..20), 200, &[("content-length", "20")], &ignored),
        (Extent::Whole, 200, &[("content-length", "20")], "right"),
    ] {
        let checked = check((&extent, None, true), status, headers);
        assert_eq!(words(checked), expected, "{status} {headers:?} to {extent:?}");
    }
}

#[test]
fn a_refusal_means_what_its_status_and_the_hubs_words_say() {
    let host = || "cdn.example".to_owned();
    let stale = |status| FetchFault::Stale { host: host(), status, why: String::new() };
    let refused = |status, why: &str| FetchFault::Refused { host: host(), status, why: why.to_owned() };
    let missing = |status, why: &str| FetchFault::Missing { host: host(), status, why: why.to_owned() };
    let limited = |seconds: Option<u64>| {
        let wait = seconds.map(Duration::from_secs);
        FetchFault::RateLimited { host: host(), status: 429, wait }
    };
    let trouble = |status, seconds: Option<u64>| {
        let wait = seconds.map(Duration::from_secs);
        FetchFault::Server { host: host(), status, wait }
    };
    let other = |status: u16| FetchFault::Nonsense { host: host(), what: format!("answered {status}") };
    let gated = [("x-error-code", "GatedRepo"), ("x-error-message", "accept it first")];
    let code = [("x-error-code", "EntryNotFound")];
    let message = [("x-error-message", "not for you")];
    let wait = [("retry-after", "7")];
    for (status, headers, signed, plain) in [
        (401, &[][..], stale(401), refused(401, "")),
        (403, &[], stale(403), refused(403, "")),
        (410, &[], stale(410), missing(410, "")),
        (404, &[], missing(404, ""), missing(404, "")),
        (451, &[], refused(451, ""), refused(451, "")),
        // A CDN names no reasons: where there is one, the Hub has refused, and a new address helps nothing.
        (401, &message, refused(401, "not for you"), refused(401, "not for you")),
        (403, &gated, refused(403, "GatedRepo: accept it first"), refused(403, "GatedRepo: accept it first")),
        (404, &code, missing(404, "EntryNotFound"), missing(404, "EntryNotFound")),
        (410, &code, missing(410, "EntryNotFound"), missing(410, "EntryNotFound")),
        (429, &[], limited(None), limited(None)),
        (429, &wait, limited(Some(7)), limited(Some(7))),
        (408, &[], trouble(408, None), trouble(408, None)),
        (425, &[], trouble(425, None), trouble(425, None)),
        (500, &[], trouble(500, None), trouble(500, None)),
        (503, &wait, trouble(503, Some(7)), trouble(503, Some(7))),
        (599, &[], trouble(599, None), trouble(599, None)),
        (400, &[], other(400), other(400)),
        (402, &[], other(402), other(402)),
        (418, &code, other(418), other(418)),
        (600, &[], other(600), other(600)),
        (202, &[], other(202), other(202)),
    ] {
        for extent in [Extent::Whole, Extent::Range(10..20)] {
            for (has_query, expected) in [(true, &signed), (false, &plain)] {
                let checked = check((&extent, Some(SIZE), has_query), status, headers);
                let expected = words(Err(expected.clone()));
                assert_eq!(words(checked), expected, "{status} {headers:?}, signed: {has_query}");
            }
        }
    }
}

#[test]
fn a_web_page_in_the_place_of_a_file_is_one() {
    let page = [("content-type", "text/html; charset=utf-8"), ("content-length", "2143")];
    let headers = |pairs: &[(&'static str, &'static str)]| {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        pairs.iter().map(pair).collect::<HeaderMap>()
    };
    for (is_page, pairs, words) in [
        (
            false,
            &page[..],
            "cdn.example sends 2143 bytes of text/html where the Hub lists 100 bytes; a proxy or a login portal is in between",
        ),
        (true, &page, "cdn.example sends 2143 bytes where the Hub lists 100"),
        (false, &page[1..], "cdn.example sends 2143 bytes where the Hub lists 100"),
    ] {
        let expected = Expected {
            host: "cdn.example",
            extent: &Extent::Whole,
            total: Some(SIZE),
            has_query: true,
            is_page,
        };
        let fault = expected.check(StatusCode::OK, &headers(pairs)).unwrap_err();
        assert_eq!(fault.to_string(), words);
    }
    // A file that is one, or that its server takes for one, has its length.
    let right = [page[0], ("content-length", "100")];
    let expected = Expected {
        host: "cdn.example",
        extent: &Extent::Whole,
        total: Some(SIZE),
        has_query: true,
        is_page: false,
    };
    assert!(expected.check(StatusCode::OK, &headers(&right)).is_ok());
}

#[test]
fn a_part_of_a_xorb_need_not_say_where_it_belongs() {
    let extent = Extent::Range(10..30);
    let length = |length: &'static str| {
        HeaderMap::from_iter([(reqwest::header::CONTENT_LENGTH, HeaderValue::from_static(length))])
    };
    let elsewhere = HeaderMap::from_iter([
        (reqwest::header::CONTENT_LENGTH, HeaderValue::from_static("20")),
        (reqwest::header::CONTENT_RANGE, HeaderValue::from_static("bytes 0-19/100")),
    ]);
    for (total, headers, expected) in [
        (None, length("20"), true),
        (None, length("21"), false),
        (None, HeaderMap::new(), false),
        (None, elsewhere, false),
        (Some(SIZE), length("20"), false),
    ] {
        let head = Expected { host: "cdn.example", extent: &extent, total, has_query: true, is_page: false };
        let checked = head.check(StatusCode::PARTIAL_CONTENT, &headers);
        assert_eq!(checked.is_ok(), expected, "{total:?} {headers:?}");
    }
}
