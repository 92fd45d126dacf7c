//! How fast connections are, and what follows: how much each is given at a time, and which are so much slower than another one
//! that this had better do what they have left. At the end of a transfer, all the others wait for them.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use super::lease::Lease;
use super::queue::{LONGEST_PIECE, SHORTEST_PIECE};

/// What a connection may have received and not yet written, which is not known of it.
const IN_HANDS: u64 = 256 << 10;
/// Less than this within a moment shows how long the server takes to answer, and not how fast it sends: a configuration of
/// two bytes is no connection of two kilobytes per second.
const TELLING: u64 = 16 << 10;
/// To wait for so long is better than another request.
const WORTH_WAITING: Duration = Duration::from_secs(3);
/// How much waiting shows how fast a connection is.
pub(super) const RECENT: Duration = WORTH_WAITING;
/// What a slow connection has in its hands is lost with it, so the other one has to be faster by far.
const TIMES_FASTER: u64 = 4;
/// After so many takeovers of one file an hour is waited for the next: it is not one connection that is slow then.
const MOST_DOUBLINGS: u32 = 10;

/// A connection that is faster than this, in bytes per second, keeps a processor busy. Then it pays to have bytes arrive in
/// order, in short ranges side by side: they are hashed out of memory.
const BUSY: u64 = 64 << 20;
/// A range takes so many times as long as the server took to answer: what is lost between two ranges is 3 % of the time.
const ANSWER_TIMES: u32 = 32;
/// The range of a connection of which nothing is known.
const FIRST_PIECE: u64 = 8 << 20;

/// How fast each connection was the last time, in bytes per second.
#[derive(Debug, Default)]
pub(super) struct ConnectionSpeeds {
    known: HashMap<usize, u64>,
    /// How long a server takes to answer, at best: what is more is a busy machine, whose time is not lost.
    answer_time: Option<Duration>,
}

impl ConnectionSpeeds {
    /// A connection is done with a lease.
    pub(super) fn hear(&mut self, lease: &Lease, now: Instant) {
        let (Some(since), brought @ 1..) = (lease.answered_at(), lease.brought()) else { return };
        let took = now.saturating_duration_since(since);
        if brought >= TELLING || took >= RECENT {
            self.known.insert(lease.connection, per_second(brought, took));
            self.answer_time = self.answer_time.into_iter().chain(lease.answer_time()).min();
        }
    }

    /// How long a range is worth a connection's request.
    pub(super) fn piece_length(&self, connection: usize) -> u64 {
        let (Some(speed), Some(answer_time)) = (self.known.get(&connection), self.answer_time) else {
            return FIRST_PIECE;
        };
        if *speed < BUSY {
            return LONGEST_PIECE;
        }
        let micros = u64::try_from((answer_time * ANSWER_TIMES).as_micros()).unwrap_or(u64::MAX);
        let length = u128::from(*speed) * u128::from(micros) / 1_000_000;
        u64::try_from(length).unwrap_or(u64::MAX).clamp(SHORTEST_PIECE, LONGEST_PIECE)
    }

    /// Whether this connection had better do what is left of a lease, whose file has seen so many `takeovers`. With each,
    /// more time is given: where everything has become slow, files must arrive all the same.
    pub(super) fn had_better(&self, connection: usize, lease: &Lease, takeovers: u32, now: Instant) -> bool {
        // Who has not been answered may be waiting for the controller, who is asked once. Silence has a limit of its
        // own.
        let Some(since) = lease.answered_at() else { return false };
        let age = now.saturating_duration_since(since);
        if age < WORTH_WAITING * 2_u32.pow(takeovers.min(MOST_DOUBLINGS)) {
            return false;
        }
        // All of it together may have come fast, and its end does not.
        let average = per_second(lease.brought() + IN_HANDS, age);
        let slow = lease.speed().map_or(average, |recent| recent.min(average)).max(1);
        // One that has carried nothing that tells is taken to be like the slowest of the others: it may be one of the few
        // that are still allowed when those that were fast are not.
        let others = || {
            self.known.iter().filter(|(other, _)| **other != lease.connection).map(|(_, speed)| *speed).min()
        };
        let fast = self.known.get(&connection).copied().or_else(others).unwrap_or_default();
        fast / TIMES_FASTER > slow && lease.left() / slow >= WORTH_WAITING.as_secs()
    }
}

/// How often a connection without work looks round for a slow connection.
pub(super) const GLANCE: Duration = Duration::from_secs(1);

fn per_second(bytes: u64, time: Duration) -> u64 {
    let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1);
    bytes.saturating_mul(1_000) / millis
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_fast_connection_gets_pieces_as_long_as_pay() {
        let mut speeds = ConnectionSpeeds::default();
        assert_eq!(speeds.piece_length(0), FIRST_PIECE);
        for (megabytes, answer_millis, expected) in [
            // A cap per connection, or a link that is full: nothing is gained by many requests.
            (60, 30, LONGEST_PIECE),
            (400, 20, LONGEST_PIECE),
            (400, 1, 12_800_000),
            // It is not the server that took so long.
            (400, 20, 12_800_000),
            (400, 0, SHORTEST_PIECE),
        ] {
            let lease = Lease::new(0, 0..megabytes * 1_000_000);
            tokio::time::advance(Duration::from_millis(answer_millis)).await;
            lease.answered(Instant::now());
            lease.advance(megabytes * 1_000_000);
            speeds.hear(&lease, Instant::now() + Duration::from_secs(1));
            assert_eq!(
                speeds.piece_length(0),
                expected,
                "{megabytes} MB/s, answers after {answer_millis} ms"
            );
        }
    }

    #[test]
    fn only_who_is_much_faster_helps_and_only_where_it_is_worth_it() {
        let (began, size) = (Instant::now(), 4_000_000);
        let seconds = Duration::from_secs;
        let carried = |connection, bytes| {
            let lease = Lease::new(connection, 0..bytes);
            lease.answered(began);
            lease.advance(bytes);
            lease
        };
        let mut speeds = ConnectionSpeeds::default();
        speeds.hear(&carried(1, 20_000_000), began + seconds(1));
        speeds.hear(&carried(2, 300_000), began + seconds(1));
        // 50 kB/s for some time.
        let slow = |time: u64| {
            let lease = Lease::new(0, 0..size);
            lease.answered(began);
            lease.advance(50_000 * time);
            lease
        };
        for (connection, time, takeovers, expected) in [
            (1, 2, 0, false), // it has hardly begun
            (1, 4, 0, true),
            (2, 4, 0, false),  // hardly any faster
            (3, 4, 0, false),  // its speed is not known, and the slowest of the others is hardly any faster
            (1, 70, 0, true),  // 10 s are left
            (1, 78, 0, false), // it is nearly there
            (1, 4, 1, false),
            (1, 7, 1, true),
        ] {
            let better = speeds.had_better(connection, &slow(time), takeovers, began + seconds(time));
            assert_eq!(better, expected, "{connection} after {time} s, {takeovers}");
        }
        // What a tiny file took is no speed: neither of a connection that has carried more, nor of one that has not.
        let mut tiny = ConnectionSpeeds::default();
        tiny.hear(&carried(3, 2), began + Duration::from_millis(1));
        assert!(!tiny.had_better(3, &slow(4), 0, began + seconds(4)), "no speed is known");
        tiny.hear(&carried(1, 20_000_000), began + seconds(1));
        tiny.hear(&carried(1, 2), began + Duration::from_millis(1));
        for connection in [1, 3] {
            assert!(tiny.had_better(connection, &slow(4), 0, began + seconds(4)), "{connection}");
        }
        // A few bytes in a long time are one.
        tiny.hear(&carried(1, 2), began + seconds(3));
        assert!(!tiny.had_better(1, &slow(4), 0, began + seconds(4)));
        // The last kilobyte of what came fast.
        let tail = Lease::new(0, 0..size);
        tail.answered(began);
        tail.advance(size - 1_000);
        assert!(!speeds.had_better(1, &tail, 0, began + seconds(60)));
        tail.comes_at(1);
        assert!(speeds.had_better(1, &tail, 0, began + seconds(60)));
        tail.comes_at(100_000);
        assert!(!speeds.had_better(1, &tail, 0, began + seconds(60)));
        let unanswered = Lease::new(0, 0..size);
        assert!(!speeds.had_better(1, &unanswered, 0, began + seconds(600)));
        assert!(!speeds.had_better(1, &slow(70), u32::MAX, began + seconds(70)));
    }
}
