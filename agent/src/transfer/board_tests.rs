//! Who gets what, and when.

use super::super::flight::BACKLOG;
use super::super::request::Asked;
use super::super::slot::ATTEMPTS;
use super::super::work::{FLIGHTS, IN_HANDS, LONGEST_PIECE, SHORTEST_PIECE, SMALL};
use super::*;
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use futures_util::FutureExt as _;
use hfdown_protocol::{Digest, RepoPath, Source, Wanted};
use std::time::Duration;

const SIZE: u64 = 40_000_000;
const CONNECTIONS: u64 = 4;
const DIGESTS: usize = 2;

fn board(sizes: &[u64]) -> Board {
    let task = |(id, size): (u32, &u64)| {
        let path = RepoPath::new(format!("file-{id}")).unwrap();
        let digest = Digest::Sha256([0; 32]);
        let wanted = Wanted { id: FileId(id), path, size: *size, digest };
        Arc::new(Task::new(wanted, None, format!("part-{id}"), Source::OnRequest))
    };
    let at_once =
        Patience { stall: Duration::ZERO, first_wait: Duration::ZERO, longest_wait: Duration::ZERO };
    Board::new((0..).zip(sizes).map(task).collect(), 4, DIGESTS, at_once)
}

fn assign(board: &Board) -> Option<Assignment> {
    board.work().assign(Instant::now(), 0, CONNECTIONS)
}

/// Opens a part for the file that is next.
fn open(board: &Board, folder: &Dir) -> Arc<Part> {
    let Some(Assignment::Open(slot, task)) = assign(board) else { panic!("a large file is next") };
    let part = Arc::new(Part::open(folder, &task.part, task.wanted.size).unwrap());
    board.opened(slot, Arc::clone(&part));
    part
}

fn piece(board: &Board) -> Piece {
    let Some(Assignment::Piece(piece)) = assign(board) else { panic!("a piece is next") };
    piece
}

fn folder() -> (tempfile::TempDir, Dir) {
    let folder = tempfile::tempdir().unwrap();
    let parts = Dir::open_ambient_dir(folder.path(), ambient_authority()).unwrap();
    (folder, parts)
}

fn host() -> String {
    "cdn.example".to_owned()
}

#[test]
fn a_file_without_ranges_is_one_piece_from_its_beginning() {
    let (_folder, parts) = folder();
    let board = board(&[SIZE]);
    let part = open(&board, &parts);
    let pieces: Vec<_> = (0..CONNECTIONS).map(|_| piece(&board)).collect();
    part.write(pieces[1].lease.start, &[bytes::Bytes::from_static(b"kept")]).unwrap();
    for piece in &pieces {
        let course = board.faulted(piece.slot, Some(piece), &Fault::RangeIgnored { host: host() });
        assert!(matches!(course, Course::Silently));
        if board.work().slots[0].flight.as_ref().is_some_and(|flight| !flight.leases.is_empty()) {
            assert!(assign(&board).is_none(), "the others have not found out yet");
        }
    }
    let whole = piece(&board);
    assert_eq!((whole.lease.start, whole.lease.end(), whole.asked), (0, SIZE, Asked::Whole));
    assert!(assign(&board).is_none(), "one connection is enough");
}

#[test]
fn what_came_and_was_thrown_away_is_no_progress() {
    let board = board(&[SMALL]);
    let broken = Fault::Broken { host: host(), why: "cut".to_owned() };
    let attempts = (1..100).find(|_| {
        let Some(Assignment::Small(slot, task, _)) = assign(&board) else { panic!("it is tried again") };
        task.fetched.fetch_add(SMALL - 1, Ordering::Relaxed);
        matches!(board.faulted(slot, None, &broken), Course::Lost)
    });
    assert_eq!(attempts, Some(ATTEMPTS));
}

#[test]
fn whoever_asks_for_patience_is_not_asked_for_the_next_file() {
    let board = board(&[2, 1]);
    let Some(Assignment::Small(slot, _, lease)) = assign(&board) else { panic!("a small file is next") };
    assert!(board.carried(&lease));
    let wait = Duration::from_secs(10);
    board.faulted(slot, None, &Fault::RateLimited { host: host(), status: 429, wait: Some(wait) });
    assert!(assign(&board).is_none());
    let now = Instant::now();
    let wake = board.work().next_wake(now).expect("somebody wakes up");
    assert!(wake > now && wake <= now + wait + Duration::from_secs(1));
    assert!(board.work().assign(wake, 0, CONNECTIONS).is_some());
}

#[test]
fn equal_connections_get_equal_shares_and_finish_together() {
    let (_folder, parts) = folder();
    // One and a half rounds of the longest pieces.
    let board = board(&[CONNECTIONS * LONGEST_PIECE * 3 / 2]);
    open(&board, &parts);
    for length in [LONGEST_PIECE, LONGEST_PIECE / 2] {
        let pieces: Vec<_> = (0..CONNECTIONS).map(|_| piece(&board)).collect();
        for piece in &pieces {
            assert_eq!(piece.lease.end() - piece.lease.start, length);
            piece.lease.advance(piece.lease.end());
        }
        for piece in &pieces {
            board.fetched(piece);
        }
    }
    assert!(assign(&board).is_none());
}

#[test]
fn connections_that_do_harm_leave_what_is_before_them_to_the_others() {
    let (_folder, parts) = folder();
    let board = board(&[SIZE]);
    open(&board, &parts);
    let pieces =
        [0, 1].map(|connection| match board.work().assign(Instant::now(), connection, CONNECTIONS) {
            Some(Assignment::Piece(piece)) => piece,
            other => panic!("a piece is next: {other:?}"),
        });
    pieces[1].lease.advance(pieces[1].lease.start + 10);
    board.allow(1);
    board.drop_surplus();
    assert_eq!(pieces[0].lease.end(), pieces[1].lease.start, "the first goes on");
    let cut = pieces[1].lease.end();
    assert_eq!(cut, pieces[1].lease.start + 10 + IN_HANDS);
    assert_eq!(piece(&board).lease.start, cut);
}

#[test]
fn a_piece_that_ends_early_is_not_forgotten() {
    let (_folder, parts) = folder();
    let board = board(&[SIZE]);
    open(&board, &parts);
    let first = piece(&board);
    first.lease.advance(first.lease.start + 10);
    board.fetched(&first);
    assert_eq!(piece(&board).lease.start, 10);
}

#[test]
fn a_slow_disk_bounds_the_files_in_flight() {
    let (_folder, parts) = folder();
    let board = board(&[SMALL + 1; FLIGHTS + 1]);
    let mut slots = Vec::new();
    for _ in 0..FLIGHTS {
        open(&board, &parts);
        let piece = piece(&board);
        piece.lease.advance(piece.lease.end());
        board.fetched(&piece);
        slots.push(piece.slot);
    }
    assert!(assign(&board).is_none());
    board.settled(slots[0]);
    assert!(matches!(assign(&board), Some(Assignment::Open(..))));
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
    let board = board(&[4 * BACKLOG]);
    let part = open(&board, &parts);
    let leased = piece(&board);
    bring(&part, 0, BACKLOG);
    assert!(assign(&board).is_none(), "neither a piece nor the end of another's");
    board.fetched(&leased);
    let leased = piece(&board);
    bring(&part, 0, 2 * BACKLOG);
    board.fetched(&leased);
    let mut next = Box::pin(board.next(0));
    assert!((&mut next).now_or_never().is_none());
    board.digested(leased.slot, 1 << 20);
    assert!(matches!(next.now_or_never(), Some(Some(Assignment::Piece(_)))), "whoever waited is told");
    assert!(assign(&board).is_none(), "one is enough");
    board.digested(leased.slot, BACKLOG + (1 << 20));
    assert!(assign(&board).is_some());
}

#[test]
fn bytes_that_wait_for_others_before_them_hold_nobody_back() {
    let (_folder, parts) = folder();
    let board = board(&[4 * BACKLOG]);
    let part = open(&board, &parts);
    bring(&part, 1, 2 * BACKLOG);
    assert_eq!(piece(&board).lease.start, 0);
}

#[test]
fn what_was_handed_out_while_the_digest_had_nothing_to_do_holds_nobody_back() {
    let (_folder, parts) = folder();
    let board = board(&[8 * BACKLOG]);
    let part = open(&board, &parts);
    let mut leased = [piece(&board), piece(&board)];
    board.digest_waits(leased[0].slot);
    // All of it at once, and more.
    bring(&part, 0, 3 * BACKLOG);
    for piece in &leased {
        board.fetched(piece);
    }
    leased = [piece(&board), piece(&board)];
    assert_eq!(LONGEST_PIECE * 2, BACKLOG, "so much was handed out");
    board.digested(leased[0].slot, BACKLOG - 1);
    assert!(assign(&board).is_some());
    board.digested(leased[0].slot, BACKLOG);
    assert!(assign(&board).is_none(), "this came since then");
}

#[test]
fn more_arrives_while_the_digest_is_in_what_an_earlier_run_left() {
    let (_folder, parts) = folder();
    bring(&open(&board(&[4 * BACKLOG]), &parts), 0, 2 * BACKLOG);
    let board = board(&[4 * BACKLOG]);
    open(&board, &parts);
    board.digested(0, BACKLOG);
    assert_eq!(piece(&board).lease.start, 2 * BACKLOG + (1 << 20));
}

#[test]
fn the_next_file_is_begun_while_a_digest_trails_unless_that_would_trail_as_well() {
    let (_folder, parts) = folder();
    let board = board(&[2 * BACKLOG; DIGESTS + 1]);
    for _ in 0..DIGESTS {
        bring(&open(&board, &parts), 0, BACKLOG);
        piece(&board);
    }
    assert!(assign(&board).is_none());
    board.digested(0, BACKLOG);
    assert!(assign(&board).is_some());
}

/// Lets a connection carry a piece at once.
fn carry(board: &Board, connection: usize) {
    let Some(Assignment::Piece(piece)) = board.work().assign(Instant::now(), connection, CONNECTIONS) else {
        panic!("a piece is next")
    };
    piece.lease.answered(Instant::now());
    piece.lease.advance(piece.lease.end());
    board.fetched(&piece);
}

#[test]
fn the_last_piece_is_taken_from_a_connection_that_is_much_too_slow() {
    let (_folder, parts) = folder();
    let board = board(&[2 * SHORTEST_PIECE]);
    open(&board, &parts);
    let slow = piece(&board);
    slow.lease.answered(Instant::now());
    slow.lease.advance(100_000);
    carry(&board, 1);
    let later = |seconds| Instant::now() + Duration::from_secs(seconds);
    assert!(board.work().assign(later(2), 1, CONNECTIONS).is_none(), "it has hardly begun");
    let wake = board.work().next_wake(Instant::now()).expect("somebody looks round");
    assert!(wake <= later(1));
    let Some(Assignment::Piece(rest)) = board.work().assign(later(10), 1, CONNECTIONS) else {
        panic!("the rest is next")
    };
    assert_eq!((rest.lease.start, rest.lease.end()), (100_000, SHORTEST_PIECE));
    assert_eq!(slow.lease.relieved().now_or_never(), Some(()), "it stops");
    board.fetched(&slow);
    assert!(assign(&board).is_none(), "the rest is somebody else's");
}

#[test]
fn a_small_file_is_taken_from_a_connection_that_is_much_too_slow_and_is_not_its_own_then() {
    let (_folder, parts) = folder();
    let board = board(&[SMALL + 1, SMALL]);
    open(&board, &parts);
    carry(&board, 1);
    let Some(Assignment::Small(_, _, slow)) = assign(&board) else { panic!("a small file is next") };
    slow.answered(Instant::now());
    let later = Instant::now() + Duration::from_secs(10);
    let Some(Assignment::Small(_, _, again)) = board.work().assign(later, 1, CONNECTIONS) else {
        panic!("it is begun again")
    };
    assert_eq!(slow.relieved().now_or_never(), Some(()), "it stops");
    assert!(!board.carried(&slow), "what it has brought all the same is not used");
    assert!(board.carried(&again));
    assert!(assign(&board).is_none());
}
