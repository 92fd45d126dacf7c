//! Who gets what, and when.

use super::super::file_state::Turn;
use super::super::file_transfer::SMALL;
use super::super::jobs::Jobs;
use super::super::leased_part::BACKLOG;
use super::super::queue::{FLIGHTS, IN_HANDS, LONGEST_PIECE, MOST_BEGUN, SHORTEST_PIECE};
use super::super::retries::ATTEMPTS;
use super::*;
use crate::folder::PartNames;
use crate::http::Backoff;
use crate::own_folder::OwnFolder;
use crate::part::Guard;
use crate::source::Extent;
use futures_util::FutureExt as _;
use hfdown_protocol::{Digest, FileRow, Job, RepoPath, Source, WantedFiles};
use std::time::Duration;

const SIZE: u64 = 40_000_000;
const CONNECTIONS: u64 = 4;
const DIGESTS: usize = 2;

fn scheduler(sizes: &[u64]) -> Scheduler {
    let (mut wanted, mut jobs) = (WantedFiles::default(), Jobs::default());
    for (id, size) in (0..).zip(sizes) {
        let path = RepoPath::new(format!("file-{id}")).unwrap();
        wanted.push(FileRow { path: path.view(), size: *size, digest: Digest::Sha256([0; 32]) }).unwrap();
        jobs.add(&wanted, Job { file: FileId(id), replaces: None, source: Source::OnRequest, xet: None })
            .unwrap();
    }
    let parts = PartNames::one_per_file(&wanted);
    let backoff = Backoff { first: Duration::ZERO, ..RetryTiming::default().backoff };
    let at_once = RetryTiming { stall: Duration::ZERO, backoff, ..RetryTiming::default() };
    Scheduler::new(FilesToFetch::new(wanted, jobs, parts), 4, DIGESTS, at_once)
}

/// Has the connection that asks be known for a speed at which it gets the longest pieces.
fn known_as_steady(scheduler: &Scheduler) {
    let (now, second) = (Instant::now(), Duration::from_secs(1));
    let lease = Lease::new(0, 0..SIZE);
    lease.answered(now);
    lease.advance(SIZE);
    scheduler.queue().speeds.hear(&lease, now + second);
}

fn assign(scheduler: &Scheduler) -> Option<Assignment> {
    scheduler.queue().assign(Instant::now(), 0, CONNECTIONS)
}

/// Opens a part for the file that is next.
fn open(scheduler: &Scheduler, folder: &OwnFolder) -> Arc<Part> {
    let Some(Assignment::Open(index, file, _)) = assign(scheduler) else { panic!("a large file is next") };
    let part = Arc::new(Part::open(folder, &Guard::default(), &file.part, file.wanted.size).unwrap());
    scheduler.opened(index, Arc::clone(&part));
    part
}

fn piece(scheduler: &Scheduler) -> Piece {
    let Some(Assignment::Piece(piece)) = assign(scheduler) else { panic!("a piece is next") };
    piece
}

fn folder() -> (tempfile::TempDir, OwnFolder) {
    let folder = tempfile::tempdir().unwrap();
    let parts = OwnFolder::at(folder.path()).unwrap();
    (folder, parts)
}

fn host() -> String {
    "cdn.example".to_owned()
}

#[test]
fn a_file_without_ranges_is_one_piece_from_its_beginning() {
    let (_folder, parts) = folder();
    let scheduler = scheduler(&[SIZE]);
    let part = open(&scheduler, &parts);
    let pieces: Vec<_> = (0..CONNECTIONS).map(|_| piece(&scheduler)).collect();
    part.write(pieces[1].lease.start, &[bytes::Bytes::from_static(b"kept")]).unwrap();
    for piece in &pieces {
        let next_step =
            scheduler.faulted(piece.index, Some(piece), &FetchFault::RangeIgnored { host: host() });
        assert!(matches!(next_step, NextStep::Silently));
        if scheduler.queue().files[&0].in_flight().is_some_and(|in_flight| !in_flight.leases.is_empty()) {
            assert!(assign(&scheduler).is_none(), "the others have not found out yet");
        }
    }
    let whole = piece(&scheduler);
    assert_eq!((whole.lease.start, whole.lease.end(), whole.extent), (0, SIZE, Extent::Whole));
    assert!(assign(&scheduler).is_none(), "one connection is enough");
}

#[test]
fn what_came_and_was_thrown_away_is_no_progress() {
    let scheduler = scheduler(&[SMALL]);
    let broken = FetchFault::Broken { host: host(), why: "cut".to_owned() };
    let attempts = (1..100).find(|_| {
        let Some(Assignment::Small(index, file, ..)) = assign(&scheduler) else {
            panic!("it is tried again")
        };
        file.counts.add_fetched(SMALL - 1);
        matches!(scheduler.faulted(index, None, &broken), NextStep::Lost)
    });
    assert_eq!(attempts, Some(ATTEMPTS));
}

#[test]
fn a_transfer_goes_on_after_more_files_have_failed_than_may_be_begun() {
    let count = MOST_BEGUN + 100;
    let scheduler = scheduler(&vec![1; count]);
    let mut has_failed = vec![false; count];
    let mut placed = 0;
    // Each fails once, as where the network is gone for a moment, and then arrives.
    for _ in 0..2 * count {
        let Some(Assignment::Small(index, _, lease, _)) = assign(&scheduler) else {
            panic!("it stands still after {placed} of {count}")
        };
        assert!(scheduler.carried(index, &lease));
        if std::mem::replace(&mut has_failed[index], true) {
            assert!(scheduler.settled(index));
            placed += 1;
        } else {
            scheduler.faulted(index, None, &FetchFault::Broken { host: host(), why: "cut".to_owned() });
        }
    }
    assert_eq!(placed, count);
}

#[test]
fn a_server_that_asks_for_patience_is_not_asked_for_the_next_file() {
    let scheduler = scheduler(&[2, 1]);
    let Some(Assignment::Small(index, _, lease, _)) = assign(&scheduler) else {
        panic!("a small file is next")
    };
    assert!(scheduler.carried(index, &lease));
    let wait = Duration::from_secs(10);
    scheduler.faulted(index, None, &FetchFault::RateLimited { host: host(), status: 429, wait: Some(wait) });
    assert!(assign(&scheduler).is_none());
    let now = Instant::now();
    let wake = scheduler.queue().next_wake(now).expect("the connection wakes up");
    assert!(wake > now && wake <= now + wait + Duration::from_secs(1));
    assert!(scheduler.queue().assign(wake, 0, CONNECTIONS).is_some());
}

#[test]
fn equal_connections_get_equal_shares_and_finish_together() {
    let (_folder, parts) = folder();
    // One and a half rounds of the longest pieces.
    let scheduler = scheduler(&[CONNECTIONS * LONGEST_PIECE * 3 / 2]);
    known_as_steady(&scheduler);
    open(&scheduler, &parts);
    for length in [LONGEST_PIECE, LONGEST_PIECE / 2] {
        let pieces: Vec<_> = (0..CONNECTIONS).map(|_| piece(&scheduler)).collect();
        for piece in &pieces {
            assert_eq!(piece.lease.end() - piece.lease.start, length);
            piece.lease.advance(piece.lease.end());
        }
        for piece in &pieces {
            scheduler.fetched(piece);
        }
    }
    assert!(assign(&scheduler).is_none());
}

#[test]
fn connections_that_do_harm_leave_what_is_before_them_to_the_others() {
    let (_folder, parts) = folder();
    let scheduler = scheduler(&[SIZE]);
    open(&scheduler, &parts);
    let pieces =
        [0, 1].map(|connection| match scheduler.queue().assign(Instant::now(), connection, CONNECTIONS) {
            Some(Assignment::Piece(piece)) => piece,
            other => panic!("a piece is next: {other:?}"),
        });
    pieces[1].lease.advance(pieces[1].lease.start + 10);
    scheduler.allow(1);
    scheduler.drop_surplus();
    assert_eq!(pieces[0].lease.end(), pieces[1].lease.start, "the first goes on");
    let cut = pieces[1].lease.end();
    assert_eq!(cut, pieces[1].lease.start + 10 + IN_HANDS);
    assert_eq!(piece(&scheduler).lease.start, cut);
}

#[test]
fn a_piece_that_ends_early_is_not_forgotten() {
    let (_folder, parts) = folder();
    let scheduler = scheduler(&[SIZE]);
    open(&scheduler, &parts);
    let first = piece(&scheduler);
    first.lease.advance(first.lease.start + 10);
    scheduler.fetched(&first);
    assert_eq!(piece(&scheduler).lease.start, 10);
}

#[test]
fn a_slow_disk_bounds_the_files_in_flight() {
    let (_folder, parts) = folder();
    let scheduler = scheduler(&[SMALL + 1; FLIGHTS + 1]);
    let mut indices = Vec::new();
    for _ in 0..FLIGHTS {
        open(&scheduler, &parts);
        let piece = piece(&scheduler);
        piece.lease.advance(piece.lease.end());
        scheduler.fetched(&piece);
        indices.push(piece.index);
    }
    assert!(assign(&scheduler).is_none());
    scheduler.settled(indices[0]);
    assert!(matches!(assign(&scheduler), Some(Assignment::Open(..))));
}

/// Brings a MiB more than this.
fn bring(part: &Part, from: u64, more_than: u64) {
    let mebibyte = bytes::Bytes::from(vec![0; 1 << 20]);
    let chunks = vec![mebibyte; usize::try_from(more_than >> 20).unwrap() + 1];
    part.write(from, &chunks).unwrap();
}

#[tokio::test]
async fn a_file_whose_digest_trails_is_left_to_one_connection_and_then_to_none() {
    let (_folder, parts) = folder();
    let scheduler = scheduler(&[4 * BACKLOG]);
    let part = open(&scheduler, &parts);
    let leased = piece(&scheduler);
    bring(&part, 0, BACKLOG);
    assert!(assign(&scheduler).is_none(), "neither a piece nor the end of another's");
    scheduler.fetched(&leased);
    let leased = piece(&scheduler);
    bring(&part, 0, 2 * BACKLOG);
    scheduler.fetched(&leased);
    let mut next = Box::pin(scheduler.next(0));
    assert!((&mut next).now_or_never().is_none());
    scheduler.digested(leased.index, 1 << 20);
    assert!(
        matches!(next.now_or_never(), Some(Some(Assignment::Piece(_)))),
        "the connection that waited is told"
    );
    assert!(assign(&scheduler).is_none(), "one is enough");
    scheduler.digested(leased.index, BACKLOG + (1 << 20));
    assert!(assign(&scheduler).is_some());
}

#[test]
fn bytes_that_wait_for_others_before_them_hold_no_connection_back() {
    let (_folder, parts) = folder();
    let scheduler = scheduler(&[4 * BACKLOG]);
    let part = open(&scheduler, &parts);
    bring(&part, 1, 2 * BACKLOG);
    assert_eq!(piece(&scheduler).lease.start, 0);
}

#[test]
fn what_was_handed_out_while_the_digest_had_nothing_to_do_holds_no_connection_back() {
    let (_folder, parts) = folder();
    let scheduler = scheduler(&[8 * BACKLOG]);
    known_as_steady(&scheduler);
    let part = open(&scheduler, &parts);
    let mut leased = [piece(&scheduler), piece(&scheduler)];
    scheduler.digest_waits(leased[0].index);
    // All of it at once, and more.
    bring(&part, 0, 3 * BACKLOG);
    for piece in &leased {
        scheduler.fetched(piece);
    }
    leased = [piece(&scheduler), piece(&scheduler)];
    assert_eq!(LONGEST_PIECE * 2, BACKLOG, "so much was handed out");
    scheduler.digested(leased[0].index, BACKLOG - 1);
    assert!(assign(&scheduler).is_some());
    scheduler.digested(leased[0].index, BACKLOG);
    assert!(assign(&scheduler).is_none(), "this came since then");
}

#[test]
fn more_arrives_while_the_digest_is_in_what_an_earlier_run_left() {
    let (_folder, parts) = folder();
    bring(&open(&scheduler(&[4 * BACKLOG]), &parts), 0, 2 * BACKLOG);
    let scheduler = scheduler(&[4 * BACKLOG]);
    open(&scheduler, &parts);
    scheduler.digested(0, BACKLOG);
    assert_eq!(piece(&scheduler).lease.start, 2 * BACKLOG + (1 << 20));
}

#[test]
fn the_next_file_is_begun_while_a_digest_trails_unless_that_would_trail_as_well() {
    let (_folder, parts) = folder();
    let scheduler = scheduler(&[2 * BACKLOG; DIGESTS + 1]);
    for _ in 0..DIGESTS {
        bring(&open(&scheduler, &parts), 0, BACKLOG);
        piece(&scheduler);
    }
    assert!(assign(&scheduler).is_none());
    scheduler.digested(0, BACKLOG);
    assert!(assign(&scheduler).is_some());
}

/// Lets a connection carry a piece at once.
fn carry(scheduler: &Scheduler, connection: usize) {
    let Some(Assignment::Piece(piece)) = scheduler.queue().assign(Instant::now(), connection, CONNECTIONS)
    else {
        panic!("a piece is next")
    };
    piece.lease.answered(Instant::now());
    piece.lease.advance(piece.lease.end());
    scheduler.fetched(&piece);
}

#[test]
fn the_last_piece_is_taken_from_a_connection_that_is_much_too_slow() {
    let (_folder, parts) = folder();
    let scheduler = scheduler(&[2 * SHORTEST_PIECE]);
    open(&scheduler, &parts);
    let slow = piece(&scheduler);
    slow.lease.answered(Instant::now());
    slow.lease.advance(100_000);
    carry(&scheduler, 1);
    let later = |seconds| Instant::now() + Duration::from_secs(seconds);
    assert!(scheduler.queue().assign(later(2), 1, CONNECTIONS).is_none(), "it has hardly begun");
    let wake = scheduler.queue().next_wake(Instant::now()).expect("the connection looks round");
    assert!(wake <= later(1));
    let Some(Assignment::Piece(rest)) = scheduler.queue().assign(later(10), 1, CONNECTIONS) else {
        panic!("the rest is next")
    };
    assert_eq!((rest.lease.start, rest.lease.end()), (100_000, SHORTEST_PIECE));
    assert_eq!(slow.lease.taken_over().now_or_never(), Some(()), "it stops");
    scheduler.fetched(&slow);
    assert!(assign(&scheduler).is_none(), "the rest is another connection's");
}

#[test]
fn a_small_file_is_taken_from_a_connection_that_is_much_too_slow_and_is_not_its_own_then() {
    let (_folder, parts) = folder();
    let scheduler = scheduler(&[SMALL + 1, SMALL]);
    open(&scheduler, &parts);
    carry(&scheduler, 1);
    let Some(Assignment::Small(_, _, slow, _)) = assign(&scheduler) else { panic!("a small file is next") };
    slow.answered(Instant::now());
    let later = Instant::now() + Duration::from_secs(10);
    let Some(Assignment::Small(_, _, again, turn)) = scheduler.queue().assign(later, 1, CONNECTIONS) else {
        panic!("it is begun again")
    };
    assert_eq!(slow.taken_over().now_or_never(), Some(()), "it stops");
    assert!(!scheduler.carried(1, &slow), "what it has brought all the same is not used");
    assert!(scheduler.carried(1, &again));
    assert_eq!(turn, Turn::Again, "that it is begun is said once");
    assert!(assign(&scheduler).is_none());
}

#[test]
fn a_file_that_was_lost_is_not_brought_back_by_its_digest() {
    let (_folder, parts) = folder();
    let scheduler = scheduler(&[SIZE, SIZE]);
    open(&scheduler, &parts);
    let piece = piece(&scheduler);
    let refused = FetchFault::Refused { host: host(), status: 403, why: String::new() };
    assert!(matches!(scheduler.faulted(piece.index, Some(&piece), &refused), NextStep::Lost));
    assert!(!scheduler.proved(piece.index));
    assert!(!scheduler.settled(piece.index), "it was settled before");
    assert!(assign(&scheduler).is_some(), "the other file is still to be had");
}

#[test]
fn an_answer_with_the_whole_file_gives_back_only_what_is_not_on_disk() {
    let (_folder, parts) = folder();
    let scheduler = scheduler(&[SIZE]);
    let part = open(&scheduler, &parts);
    let first = piece(&scheduler);
    scheduler.faulted(first.index, Some(&first), &FetchFault::RangeIgnored { host: host() });
    let whole = piece(&scheduler);
    assert_eq!(whole.extent, Extent::Whole);
    let rest = usize::try_from(SIZE).unwrap() - 10;
    part.write(0, &[bytes::Bytes::from(vec![0; 20])]).unwrap();
    part.write(10, &[bytes::Bytes::from(vec![0; rest])]).unwrap();
    whole.lease.advance(20);
    let broken = FetchFault::Broken { host: host(), why: "cut".to_owned() };
    scheduler.faulted(whole.index, Some(&whole), &broken);
    assert!(assign(&scheduler).is_none(), "every byte is on disk");
}
