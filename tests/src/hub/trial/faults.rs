//! Each fault, as a client sees it.

use std::error::Error as _;
use std::io;
use std::time::{Duration, Instant, SystemTime};

use futures_util::StreamExt as _;
use reqwest::Response;

use super::super::{Armed, Content, HubFault, HubOrigin, RetryAfterForm, TestHub, When};
use super::{LARGE, ask, get, header, hub, signed};

/// A Hub with the fault armed for the large file's content, and the answer to a request for a range of it.
async fn struck(fault: HubFault, range: Option<&str>) -> (TestHub, Content, Armed, Response) {
    let (hub, large) = hub();
    let armed = hub.fault(fault, When::file(LARGE).at(HubOrigin::Cdn).first(1));
    let request = get(&signed(&hub).await);
    let request = match range {
        Some(range) => request.header("range", range),
        None => request,
    };
    let response = request.send().await.unwrap();
    (hub, large, armed, response)
}

/// What arrives before the body ends or fails, and how it fails.
async fn drain(response: Response) -> (Vec<u8>, Option<reqwest::Error>) {
    let mut stream = response.bytes_stream();
    let mut bytes = Vec::new();
    while let Some(piece) = stream.next().await {
        match piece {
            Ok(piece) => bytes.extend_from_slice(&piece),
            Err(error) => return (bytes, Some(error)),
        }
    }
    (bytes, None)
}

#[tokio::test]
async fn a_cut_lets_exactly_so_many_bytes_through() {
    for after in [0, 1, 1_234_567] {
        let (hub, large, armed, response) = struck(HubFault::CutAfter(after), None).await;
        assert_eq!((response.status().as_u16(), header(&response, "content-length")), (200, "3000000"));
        let (bytes, error) = drain(response).await;
        assert!(error.is_some());
        assert_eq!(bytes, large.read(0..after), "after {after}");
        assert_eq!((armed.times_struck(), hub.bytes_sent(HubOrigin::Cdn)), (1, after));
        assert_eq!(drain(get(&signed(&hub).await).send().await.unwrap()).await.0.len(), 3_000_000);
    }
}

#[tokio::test]
async fn a_reset_is_a_reset() {
    let (_hub, large, _, response) = struck(HubFault::ResetAfter(1000), None).await;
    let (bytes, error) = drain(response).await;
    assert!(large.to_vec().starts_with(&bytes) && bytes.len() <= 1000);
    let mut cause = error.as_ref().and_then(|error| error.source());
    let mut kinds = Vec::new();
    while let Some(error) = cause {
        kinds.extend(error.downcast_ref::<io::Error>().map(io::Error::kind));
        cause = error.source();
    }
    assert!(kinds.contains(&io::ErrorKind::ConnectionReset), "{error:?}");
}

#[tokio::test]
async fn a_stall_holds_until_it_is_released() {
    let (hub, large) = hub();
    let stall = hub.stall(1_000_000, When::file(LARGE).first(1));
    let response = get(&signed(&hub).await).send().await.unwrap();
    let mut stream = response.bytes_stream();
    let mut bytes = Vec::new();
    while bytes.len() < 1_000_000 {
        bytes.extend_from_slice(&stream.next().await.unwrap().unwrap());
    }
    stall.reached().await;
    assert_eq!(bytes.len(), 1_000_000);
    assert!(futures_util::poll!(stream.next()).is_pending());
    stall.release();
    while let Some(piece) = stream.next().await {
        bytes.extend_from_slice(&piece.unwrap());
    }
    assert_eq!(bytes, large.to_vec());
}

#[tokio::test]
async fn a_stalled_answer_ends_when_the_hub_does() {
    let (hub, _) = hub();
    let stall = hub.stall(0, When::file(LARGE));
    let response = get(&signed(&hub).await).send().await.unwrap();
    stall.reached().await;
    drop(hub);
    assert!(drain(response).await.1.is_some());
}

#[tokio::test]
async fn ranges_are_ignored_or_misnamed() {
    let (_hub, large, _, response) = struck(HubFault::IgnoresRange, Some("bytes=10-19")).await;
    assert_eq!((response.status().as_u16(), header(&response, "content-range")), (200, ""));
    assert_eq!(drain(response).await.0, large.to_vec());

    let (_hub, large, _, response) = struck(HubFault::WrongContentRange, Some("bytes=10-19")).await;
    assert_eq!(header(&response, "content-range"), "bytes 11-20/3000000");
    assert_eq!(drain(response).await.0, large.read(10..20));
}

#[tokio::test]
async fn bodies_are_shorter_or_longer_than_asked() {
    let (_hub, large, _, response) = struck(HubFault::ShortBody(3), Some("bytes=10-19")).await;
    assert_eq!(
        (header(&response, "content-range"), header(&response, "content-length")),
        ("bytes 10-19/3000000", "7")
    );
    let (bytes, error) = drain(response).await;
    assert!(error.is_none() && bytes == large.read(10..17));

    let (_hub, large, _, response) = struck(HubFault::LongBody(3), None).await;
    assert_eq!(header(&response, "content-length"), "3000003");
    let (bytes, error) = drain(response).await;
    assert!(error.is_none() && bytes.len() == 3_000_003 && bytes.starts_with(&large.to_vec()));
}

#[tokio::test]
async fn one_byte_is_wrong_in_whichever_range_has_it() {
    let (hub, large) = hub();
    let armed = hub.fault(HubFault::WrongBytes { at: 1_700_000 }, When::file(LARGE));
    let signed = signed(&hub).await;
    let early = get(&signed).header("range", "bytes=0-999").send().await.unwrap();
    assert_eq!((drain(early).await.0, armed.times_struck()), (large.read(0..1000), 0));
    let late = get(&signed).header("range", "bytes=1699999-1700001").send().await.unwrap();
    let (bytes, right) = (drain(late).await.0, large.read(1_699_999..1_700_002));
    assert_eq!(bytes, [right[0], !right[1], right[2]]);
    armed.lift();
    assert_eq!(drain(get(&signed).send().await.unwrap()).await.0, large.to_vec());
}

#[tokio::test]
async fn compression_comes_unasked() {
    let (_hub, _, _, response) = struck(HubFault::Gzipped, Some("bytes=0-9")).await;
    assert_eq!((response.status().as_u16(), header(&response, "content-encoding")), (200, "gzip"));
    assert_eq!(header(&response, "content-length"), "");
}

#[tokio::test]
async fn answers_are_replaced() {
    for (fault, status, location) in [
        (HubFault::Status(503), 503, None),
        (HubFault::RateLimited { seconds: 9 }, 429, None),
        (HubFault::RedirectTo("http://elsewhere.invalid/".into()), 302, Some("http://elsewhere.invalid/")),
        (HubFault::RedirectLoop, 302, Some("/api/models/acme/tiny?blobs=true")),
    ] {
        let (hub, _) = hub();
        hub.fault(fault, When::path("/api/").first(1));
        let response = ask(&hub, "/api/models/acme/tiny?blobs=true").await;
        assert_eq!(
            (response.status().as_u16(), header(&response, "location")),
            (status, location.unwrap_or(""))
        );
        assert_eq!(ask(&hub, "/api/models/acme/tiny?blobs=true").await.status(), 200);
    }
    let (hub, _) = hub();
    let armed = hub.fault(HubFault::Expired, When::file(LARGE).first(1));
    let signed = signed(&hub).await;
    assert_eq!(get(&signed).send().await.unwrap().status(), 403);
    assert_eq!(armed.times_struck(), 1);
}

#[tokio::test]
async fn answers_are_late_and_slow() {
    let (hub, _) = hub();
    hub.fault(HubFault::Delay(Duration::from_millis(60)), When::path("/api/"));
    let started = Instant::now();
    ask(&hub, "/api/models/acme/tiny").await;
    assert!(started.elapsed() >= Duration::from_millis(60));

    hub.fault(HubFault::Throttle { bytes_per_second: 10_000_000 }, When::file(LARGE));
    let started = Instant::now();
    assert_eq!(drain(get(&signed(&hub).await).send().await.unwrap()).await.0.len(), 3_000_000);
    assert!(started.elapsed() >= Duration::from_millis(250), "3 MB at 10 MB/s took {:?}", started.elapsed());
}

#[tokio::test]
async fn patience_is_asked_for_in_seconds_and_as_a_date() {
    let (hub, _) = hub();
    let path = "/api/models/acme/tiny";
    hub.fault(
        HubFault::RetryAfter { status: 429, seconds: 7, form: RetryAfterForm::Seconds },
        When::path("/api/").first(1),
    );
    hub.fault(
        HubFault::RetryAfter { status: 503, seconds: 7, form: RetryAfterForm::Date },
        When::path("/api/").first(1),
    );
    let refused = ask(&hub, path).await;
    assert_eq!((refused.status().as_u16(), header(&refused, "retry-after")), (429, "7"));
    let refused = ask(&hub, path).await;
    assert_eq!(refused.status(), 503);
    let date = httpdate::parse_http_date(header(&refused, "retry-after")).unwrap();
    assert!(date > SystemTime::now() + Duration::from_secs(6));
    assert_eq!(ask(&hub, path).await.status(), 200);
    let requests = hub.requests();
    let asked: Vec<_> = requests.iter().map(|request| Some(request.not_before? - request.came)).collect();
    assert!(
        asked[..2].iter().all(|wait| wait.is_some_and(|wait| wait >= Duration::from_secs(7))),
        "{asked:?}"
    );
    assert_eq!(asked[2], None);
}

#[tokio::test]
async fn a_fault_waits_for_its_turn() {
    let (hub, _) = hub();
    let armed = hub.fault(HubFault::Status(500), When::path("/api/").method("GET").after(1).first(2));
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(ask(&hub, "/api/models/acme/tiny").await.status().as_u16());
    }
    assert_eq!((statuses, armed.times_struck()), (vec![200, 500, 500, 200], 2));
}

#[tokio::test]
async fn listings_can_be_cut_too() {
    let (hub, _) = hub();
    hub.fault(HubFault::CutAfter(20), When::path("/tree/").first(1));
    let (bytes, error) = drain(ask(&hub, "/api/models/acme/tiny/tree/main").await).await;
    assert!(error.is_some() && bytes.len() == 20);
}
