//! Terms out of a small xorb server, which does as a test tells it.

use std::sync::Mutex;
use std::time::Duration;

use hfdown_protocol::{Address, FileId, HubNetwork, Report, Source, Term, XorbRange};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc};

use super::super::file_source::FileSource;
use super::super::network::for_tests as network;
use super::super::pending::SourceAnswer;
use super::super::stream::ByteStream;
use super::*;
use crate::part::RangeSet;

/// How the server answers a request for a range.
#[derive(Debug, Clone)]
enum XorbReply {
    /// As it should.
    Right,
    /// With this head, and the bytes from the first of the range on, so many of them.
    Wrong(&'static str, usize),
    /// When it is told to.
    Late(Arc<Notify>),
}

/// A server of one xorb, and what it was asked for.
struct XorbServer {
    address: Address,
    asked: Arc<Mutex<Vec<Range<usize>>>>,
}

impl XorbServer {
    async fn new(xorb: Vec<u8>, reply: impl Fn(usize) -> XorbReply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/xorb?signed", listener.local_addr().unwrap());
        let (asked, noted) = {
            let asked = Arc::new(Mutex::new(Vec::new()));
            (Arc::clone(&asked), asked)
        };
        let (xorb, reply) = (Arc::new(xorb), Arc::new(reply));
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let (xorb, reply, asked) = (Arc::clone(&xorb), Arc::clone(&reply), Arc::clone(&asked));
                tokio::spawn(async move { serve(connection, &xorb, &*reply, &asked).await });
            }
        });
        Self { address: Address::new(&address).unwrap(), asked: noted }
    }

    fn asked(&self) -> Vec<Range<usize>> {
        self.asked.lock().unwrap().clone()
    }
}

async fn serve(
    mut connection: TcpStream,
    xorb: &[u8],
    reply: &(impl Fn(usize) -> XorbReply + Sync),
    asked: &Mutex<Vec<Range<usize>>>,
) -> Option<()> {
    let mut head = Vec::new();
    loop {
        while !head.ends_with(b"\r\n\r\n") {
            head.push(connection.read_u8().await.ok()?);
        }
        let text = String::from_utf8(std::mem::take(&mut head)).ok()?.to_ascii_lowercase();
        let (first, last) = text.split_once("range: bytes=")?.1.lines().next()?.split_once('-')?;
        let range = first.parse::<usize>().ok()?..last.parse::<usize>().ok()? + 1;
        let number = {
            let mut asked = asked.lock().unwrap();
            asked.push(range.clone());
            asked.len() - 1
        };
        let right = format!("206 Partial Content\r\ncontent-range: bytes {first}-{last}/*");
        let reply = reply(number);
        if let XorbReply::Late(told) = &reply {
            told.notified().await;
        }
        let (head, bytes, length) = match reply {
            XorbReply::Wrong("", length) => (right.as_str(), &xorb[range.start..][..length], range.len()),
            XorbReply::Wrong("long", length) => (right.as_str(), &xorb[range.start..][..length], length),
            XorbReply::Wrong(head, length) => (head, &xorb[range.start..][..length], length),
            XorbReply::Right | XorbReply::Late(_) => (right.as_str(), &xorb[range.clone()], range.len()),
        };
        let head = format!("HTTP/1.1 {head}\r\ncontent-length: {length}\r\n\r\n");
        connection.write_all(head.as_bytes()).await.ok()?;
        connection.write_all(bytes).await.ok()?;
        if bytes.len() < length {
            return None;
        }
    }
}

/// A chunk as it is, and where in a xorb of such chunks each of them begins.
fn chunk(byte: u8, length: usize) -> Vec<u8> {
    let size = u32::try_from(length).unwrap().to_le_bytes();
    [&[0, size[0], size[1], size[2], 0, size[0], size[1], size[2]], &vec![byte; length][..]].concat()
}

const CHUNK: usize = 1000;

fn xorb(chunks: u8) -> Vec<u8> {
    (0..chunks).flat_map(|byte| chunk(byte, CHUNK)).collect()
}

/// The chunks of a xorb at this address.
fn range(address: &Address, chunks: Range<u32>) -> XorbRange {
    let start = |chunk: u32| u64::from(chunk) * (CHUNK as u64 + 8);
    XorbRange { address: address.clone(), bytes: start(chunks.start)..start(chunks.end), chunks }
}

fn term(offset: u64, length: u32, range: u32, chunks: Range<u32>, skip: u32) -> Term {
    Term { offset, length, range, chunks, skip }
}

fn reconstruction(ranges: Vec<XorbRange>, terms: Vec<Term>) -> Arc<Reconstruction> {
    Arc::new(Reconstruction::new(ranges, terms, HubNetwork::Private, 1 << 30, &[]).unwrap())
}

fn world() -> Arc<Network> {
    network(mpsc::channel(1).0)
}

/// All bytes of an extent, and what they cost.
async fn read(
    reconstruction: &Arc<Reconstruction>,
    extent: Range<u64>,
) -> Result<(Vec<u8>, u64), FetchFault> {
    let (mut position, extent) = (extent.start, Extent::Range(extent));
    let mut stream = XetStream::open(&world(), reconstruction, 1, &extent, 1 << 30).await?;
    let (mut bytes, mut wire) = (Vec::new(), 0);
    while let Some(chunk) = stream.next().await? {
        assert_eq!(chunk.offset, position, "chunks follow one another");
        position += chunk.bytes.len() as u64;
        bytes.extend_from_slice(&chunk.bytes);
        wire += chunk.wire;
    }
    Ok((bytes, wire))
}

#[tokio::test]
async fn terms_follow_one_another_and_cost_what_came_for_them() {
    let server = XorbServer::new(xorb(9), |_| XorbReply::Right).await;
    let ranges = vec![range(&server.address, 0..4), range(&server.address, 6..9)];
    let terms = vec![
        term(10, 1500, 0, 0..2, 300),
        term(1510, 900, 0, 3..4, 100),
        term(2410, 2000, 1, 7..9, 0),
        term(4410, 1000, 0, 2..3, 0),
    ];
    let (bytes, wire) = read(&reconstruction(ranges, terms), 10..5410).await.unwrap();
    let expected =
        [vec![0; 700], vec![1; 800], vec![3; 900], vec![7; 1000], vec![8; 1000], vec![2; 1000]].concat();
    assert!(bytes == expected);
    assert_eq!(server.asked(), [0..4032, 6048..9072], "the second term goes on in the first one's answer");
    assert_eq!(wire, 4032 + 3024);
}

#[tokio::test]
async fn a_xorb_that_goes_on_after_others_is_fetched_once() {
    let server = XorbServer::new(xorb(100), |_| XorbReply::Right).await;
    let ranges =
        vec![range(&server.address, 0..50), range(&server.address, 50..80), range(&server.address, 80..100)];
    // A new chunk, twenty chunks of the old xorb, a new one from another xorb, and so on.
    let chunks = [(1, 50..51), (0, 0..20), (2, 80..81), (0, 20..30), (1, 51..60), (0, 35..50), (2, 90..100)];
    let (mut terms, mut expected) = (Vec::new(), Vec::new());
    for (number, chunks) in chunks {
        let length = (chunks.end - chunks.start) * 1000;
        terms.push(term(expected.len() as u64, length, number, chunks.clone(), 0));
        expected.extend(chunks.flat_map(|chunk| vec![u8::try_from(chunk).unwrap(); 1000]));
    }
    let (bytes, wire) = read(&reconstruction(ranges, terms), 0..expected.len() as u64).await.unwrap();
    assert!(bytes == expected);
    assert_eq!(server.asked().len(), 3, "{:?}", server.asked());
    assert!(wire <= 100 * 1008, "{wire}");
}

#[tokio::test]
async fn what_is_new_in_several_places_is_fetched_once_for_all_connections() {
    let server = XorbServer::new(xorb(40), |_| XorbReply::Right).await;
    let ranges = vec![range(&server.address, 0..10), range(&server.address, 10..40)];
    // Four places of what is new, each with one of what is old.
    let places = (0..4u32).flat_map(|place| {
        let (new, old) = (2 * place..2 * place + 2, 10 + 7 * place..17 + 7 * place);
        let offset = u64::from(place) * 9000;
        [term(offset, 2000, 0, new, 0), term(offset + 2000, 7000, 1, old, 0)]
    });
    let reconstruction = reconstruction(ranges, places.collect());
    let reads = (0..4).map(|place| read(&reconstruction, place * 9000..place * 9000 + 2000));
    let had = futures_util::future::join_all(reads).await;
    let wire: u64 = had.iter().map(|had| had.as_ref().unwrap().1).sum();
    for (place, had) in (0..).zip(had) {
        assert!(had.unwrap().0 == [vec![2 * place; 1000], vec![2 * place + 1; 1000]].concat());
    }
    assert_eq!((server.asked().len(), wire), (1, 10 * 1008), "{:?}", server.asked());
}

#[tokio::test]
async fn a_chunk_that_comes_again_and_again_is_fetched_once() {
    let server = XorbServer::new(xorb(2), |_| XorbReply::Right).await;
    let ranges = vec![range(&server.address, 0..1), range(&server.address, 1..2)];
    let terms = (0..100)
        .map(|number| term(u64::from(number) * 1000, 1000, number % 2, number % 2..number % 2 + 1, 0));
    let (bytes, wire) = read(&reconstruction(ranges, terms.collect()), 0..100_000).await.unwrap();
    assert!(
        bytes
            .chunks(1000)
            .enumerate()
            .all(|(number, chunk)| chunk.iter().all(|byte| usize::from(*byte) == number % 2))
    );
    assert_eq!((server.asked().len(), wire), (2, 2016));
}

#[tokio::test]
async fn a_request_goes_on_while_its_connection_looks_up() {
    let told = Arc::new(Notify::new());
    let server = {
        let told = Arc::clone(&told);
        XorbServer::new(xorb(2), move |number| {
            if number == 0 { XorbReply::Right } else { XorbReply::Late(Arc::clone(&told)) }
        })
        .await
    };
    let ranges = vec![range(&server.address, 0..1), range(&server.address, 1..2)];
    let reconstruction =
        reconstruction(ranges, vec![term(0, 1000, 0, 0..1, 0), term(1000, 1000, 1, 1..2, 0)]);
    let mut stream =
        XetStream::open(&world(), &reconstruction, 1, &Extent::Range(0..2000), 2000).await.unwrap();
    let mut bytes = Vec::new();
    let mut looks = 0;
    while bytes.len() < 2000 {
        match tokio::time::timeout(Duration::from_millis(20), stream.next()).await {
            Ok(next) => bytes.extend_from_slice(&next.unwrap().unwrap().bytes),
            Err(_) if server.asked().len() == 2 => {
                looks += 1;
                if looks == 3 {
                    told.notify_one();
                }
            }
            Err(_) => {}
        }
    }
    assert_eq!(server.asked().len(), 2);
}

type IsRight<'a> = &'a dyn Fn(&FetchFault) -> bool;

#[tokio::test]
async fn what_is_wrong_with_an_answer_is_a_fault_of_its_kind() {
    let is_stale = |fault: &FetchFault| matches!(fault, FetchFault::Stale { .. });
    let is_nonsense = |fault: &FetchFault| matches!(fault, FetchFault::Nonsense { .. });
    let cases: [(&str, XorbReply, u32, IsRight<'_>); 10] = [
        ("refused", XorbReply::Wrong("403 Forbidden", 0), 2, &is_stale),
        (
            "refused with a reason",
            XorbReply::Wrong("403 Forbidden\r\nx-error-code: Expired", 0),
            2,
            &is_stale,
        ),
        ("gone", XorbReply::Wrong("410 Gone\r\nx-error-code: Gone", 0), 2, &is_stale),
        ("missing", XorbReply::Wrong("404 Not Found", 0), 2, &|fault| {
            matches!(fault, FetchFault::Missing { .. })
        }),
        ("all of it", XorbReply::Wrong("200 OK", 4032), 2, &|fault| {
            matches!(fault, FetchFault::RangeIgnored { .. })
        }),
        (
            "another range",
            XorbReply::Wrong("206 Partial Content\r\ncontent-range: bytes 0-7/*", 8),
            2,
            &|fault| matches!(fault, FetchFault::RangeIgnored { .. }),
        ),
        ("too little", XorbReply::Wrong("", 1500), 2, &|fault| matches!(fault, FetchFault::Broken { .. })),
        ("too much", XorbReply::Wrong("long", 2100), 2, &is_nonsense),
        ("fewer chunks than there are bytes", XorbReply::Right, 1, &is_nonsense),
        ("more chunks than there are bytes", XorbReply::Right, 3, &is_nonsense),
    ];
    for (name, reply, chunks, is_right) in cases {
        let server = XorbServer::new(xorb(4), move |_| reply.clone()).await;
        let mut range = range(&server.address, 0..2);
        range.chunks.end = chunks;
        let reconstruction = reconstruction(vec![range], vec![term(0, chunks * 1000, 0, 0..chunks, 0)]);
        let fault = read(&reconstruction, 0..u64::from(chunks) * 1000).await.unwrap_err();
        assert!(is_right(&fault), "{name}: {fault}");
    }
    // A term that is longer than its chunks.
    let server = XorbServer::new(xorb(4), |_| XorbReply::Right).await;
    let reconstruction = reconstruction(vec![range(&server.address, 0..2)], vec![term(0, 2001, 0, 0..2, 0)]);
    assert!(is_nonsense(&read(&reconstruction, 0..2001).await.unwrap_err()));
}

/// A file of xorbs, and a controller that is asked for what is missing.
struct XetFile {
    network: Arc<Network>,
    source: FileSource,
    reports: mpsc::Receiver<Report>,
    missing: RangeSet,
}

impl XetFile {
    fn new(size: u64) -> Self {
        Self::of(size, Source::Reconstructed(Some(plain())))
    }

    fn of(size: u64, source: Source) -> Self {
        let (reports, told) = mpsc::channel(8);
        let network = network(reports);
        let source = FileSource::new(FileId(0), size, source);
        let missing = RangeSet::default().missing(0..size);
        Self { network, source, reports: told, missing }
    }

    async fn open(
        &mut self,
        extent: Range<u64>,
        answer: impl FnOnce(Report) -> SourceAnswer,
    ) -> Result<ByteStream, FetchFault> {
        let extent = Extent::Range(extent);
        let opened = self.source.open(&self.network, &extent, || self.missing.clone());
        let controller = async {
            let asked = self.reports.recv().await.unwrap();
            self.network.pending.give(FileId(0), answer(asked)).unwrap();
            std::future::pending::<()>().await;
        };
        tokio::select! { opened = opened => opened, () = controller => unreachable!() }
    }
}

/// Where nothing listens.
fn plain() -> Address {
    Address::new("http://127.0.0.1:1/file").unwrap()
}

fn terms(address: &Address, missing: &[Range<u64>]) -> SourceAnswer {
    let terms = missing.iter().map(|range| {
        let (start, length) = (range.start, u32::try_from(range.end - range.start).unwrap());
        let first = u32::try_from(start / 1000).unwrap();
        let behind = u32::try_from(range.end.div_ceil(1000)).unwrap();
        term(start, length, 0, first..behind, u32::try_from(start % 1000).unwrap())
    });
    SourceAnswer::Terms(vec![range(address, 0..4)], terms.collect(), HubNetwork::Private)
}

fn asked_ranges(report: Report) -> Vec<Range<u64>> {
    match report {
        Report::NeedSource { asked: hfdown_protocol::AskedFor::Terms { missing }, .. } => missing,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_broke_in_the_middle_of_a_term_goes_on_there() {
    let server =
        XorbServer::new(
            xorb(4),
            |number| if number == 0 { XorbReply::Wrong("", 2500) } else { XorbReply::Right },
        )
        .await;
    let mut file = XetFile::new(4000);
    let whole = |report| {
        let ranges = asked_ranges(report);
        assert_eq!(ranges, vec![0..4000]);
        terms(&server.address, &ranges)
    };
    let mut stream = file.open(0..4000, whole).await.unwrap();
    let mut had = 0;
    let fault = loop {
        match stream.next().await {
            Ok(chunk) => had += chunk.unwrap().bytes.len() as u64,
            Err(fault) => break fault,
        }
    };
    assert_eq!(had, 2000);
    file.missing.remove(0..had);
    // Another connection fails with it: that is one failure.
    for _ in 0..9 {
        let judged = file.source.judge(&file.network, fault.clone(), had).await;
        assert!(matches!(judged, FetchFault::Broken { .. }), "{judged}");
    }
    // What was leased by the old terms is leased again by the new ones.
    let rest = |report| {
        let ranges = asked_ranges(report);
        assert_eq!(ranges, vec![2000..4000]);
        terms(&server.address, &ranges)
    };
    let fault = file.open(0..4000, rest).await.unwrap_err();
    let judged = file.source.judge(&file.network, fault, had).await;
    assert!(matches!(judged, FetchFault::CutElsewhere), "{judged}");
    assert_eq!(file.source.cuts().widen(2000..2001, 4000), 2000..4000);
    let unasked = |_| panic!("it is asked about again");
    let mut stream = file.open(2000..4000, unasked).await.unwrap();
    let mut offset = 2000;
    while let Some(chunk) = stream.next().await.unwrap() {
        assert_eq!(chunk.offset, offset);
        offset += chunk.bytes.len() as u64;
    }
    assert_eq!(offset, 4000);
    assert!(file.reports.try_recv().is_err(), "nothing fell back");
}

#[tokio::test]
async fn what_is_no_use_falls_back_once_and_is_said_once() {
    let server = XorbServer::new(xorb(4), |_| XorbReply::Wrong("404 Not Found", 0)).await;
    let answers: [&dyn Fn(Report) -> SourceAnswer; 2] = [
        &|report| terms(&server.address, &asked_ranges(report)),
        // It leaves out the last byte.
        &|_| terms(&server.address, &[0..2000, 2000..3999]),
    ];
    for answer in answers {
        let mut file = XetFile::new(4000);
        let fault = file.open(0..4000, answer).await.unwrap_err();
        for _ in 0..3 {
            let judged = file.source.judge(&file.network, fault.clone(), 0).await;
            assert!(matches!(judged, FetchFault::CutElsewhere | FetchFault::Connect { .. }), "{judged}");
        }
        assert!(matches!(file.reports.recv().await, Some(Report::FellBack { .. })));
        assert!(file.reports.try_recv().is_err());
        // The public address has it, or would.
        let fault = file.open(0..4000, |_| panic!("it is asked about")).await.unwrap_err();
        assert!(matches!(fault, FetchFault::Connect { .. }), "{fault}");
    }
}

#[tokio::test]
async fn what_other_connections_have_brought_is_not_asked_for_and_nothing_is_said() {
    let mut file = XetFile::new(4000);
    file.missing = RangeSet::default();
    let fault = file.open(0..4000, |_| panic!("it is asked about")).await.unwrap_err();
    assert!(matches!(fault, FetchFault::Connect { .. }), "{fault}");
    assert!(file.reports.try_recv().is_err());
}

#[tokio::test]
async fn terms_that_were_given_in_advance_are_enough_until_they_are_refused() {
    let server = XorbServer::new(xorb(4), |number| match number {
        0 => XorbReply::Wrong("", 2500),
        1 => XorbReply::Right,
        _ => XorbReply::Wrong("403 Forbidden", 0),
    })
    .await;
    for otherwise in [Some(plain()), None] {
        let is_public = otherwise.is_some();
        let mut file = XetFile::of(4000, Source::ReconstructedInAdvance(otherwise));
        let all: Vec<_> = std::iter::once(0..4000).collect();
        let whole = |_| terms(&server.address, &all);
        let extent = if is_public { 2000..4000 } else { 0..4000 };
        if is_public {
            let mut stream = file.open(0..4000, whole).await.unwrap();
            let mut had = 0;
            let fault = loop {
                match stream.next().await {
                    Ok(chunk) => had += chunk.unwrap().bytes.len() as u64,
                    Err(fault) => break fault,
                }
            };
            assert_eq!(had, 2000);
            file.missing.remove(0..had);
            let judged = file.source.judge(&file.network, fault, had).await;
            assert!(matches!(judged, FetchFault::Broken { .. }), "{judged}");
            let unasked = |_| panic!("it is asked about again");
            let fault = file.open(0..4000, unasked).await.unwrap_err();
            file.source.judge(&file.network, fault, had).await;
            assert_eq!(file.source.cuts().widen(2000..2001, 4000), 2000..4000);
            let mut stream = file.open(2000..4000, unasked).await.unwrap();
            assert!(matches!(stream.next().await, Ok(Some(chunk)) if chunk.offset == 2000));
        }
        let fault = file.open(extent.clone(), whole).await.unwrap_err();
        let judged = file.source.judge(&file.network, fault, extent.start).await;
        assert!(matches!(judged, FetchFault::CutElsewhere), "{judged}");
        if is_public {
            assert!(matches!(file.reports.recv().await, Some(Report::FellBack { .. })));
            let fault = file.open(2000..4000, |_| panic!("it is asked about")).await.unwrap_err();
            assert!(matches!(fault, FetchFault::Connect { .. }), "{fault}");
        } else {
            // New ones are asked for, and would be waited for.
            let asked = |report| {
                let missing = asked_ranges(report);
                assert_eq!(missing, vec![0..4000]);
                terms(&server.address, &missing)
            };
            assert!(file.open(0..4000, asked).await.is_err());
        }
    }
}
