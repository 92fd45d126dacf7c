//! What follows from each fault.

use super::*;
use crate::http::{Backoff, Jitter};
use hfdown_protocol::{Failure, FailureKind};

/// Fails until the file is lost. Each attempt comes when its wait is over and takes no time.
fn until_lost(fault: &FetchFault, timing: &RetryTiming) -> (u32, Duration) {
    let (mut retries, start) = (Retries::default(), Instant::now());
    let mut now = start;
    let mut attempts = 1;
    while let NextStep::Again { wait, .. } = retries.next_step(fault, 0, now, timing) {
        now += wait;
        attempts += 1;
    }
    (attempts, now - start)
}

#[test]
fn a_server_may_be_away_for_a_minute() {
    let fault = FetchFault::Connect { host: "cdn.example".to_owned(), why: "refused".to_owned() };
    // The waits have chance in them: even a hundred files find the minute bridged.
    for _ in 0..100 {
        let (attempts, patience) = until_lost(&fault, &RetryTiming::default());
        assert_eq!(attempts, ATTEMPTS);
        assert!(patience > Duration::from_secs(60), "{patience:?}");
    }
    let waits = (1..ATTEMPTS).map(|failures| RetryTiming::default().backoff.even_wait_after(failures));
    let shortest = waits.sum::<Duration>().mul_f64(RetryTiming::default().backoff.jitter.least);
    assert!(shortest > Duration::from_secs(60), "{shortest:?}");
}

#[test]
fn answers_without_sense_and_strangers_are_given_up_within_seconds() {
    let (host, why) = ("cdn.example".to_owned(), "UnknownIssuer".to_owned());
    let nonsense = FetchFault::Nonsense { host: host.clone(), what: "redirects for ever".to_owned() };
    for fault in [nonsense, FetchFault::Untrusted { host, why }] {
        let (attempts, patience) = until_lost(&fault, &RetryTiming::default());
        assert_eq!(attempts, NONSENSE_ATTEMPTS);
        assert!(patience < Duration::from_secs(5), "{patience:?}");
    }
}

fn host() -> String {
    "cdn.example".to_owned()
}

fn broken() -> FetchFault {
    FetchFault::Broken { host: host(), why: "cut".to_owned() }
}

fn limited(seconds: Option<u64>) -> FetchFault {
    FetchFault::RateLimited { host: host(), status: 429, wait: seconds.map(Duration::from_secs) }
}

fn trouble(seconds: Option<u64>) -> FetchFault {
    FetchFault::Server { host: host(), status: 503, wait: seconds.map(Duration::from_secs) }
}

fn unavailable(kind: FailureKind) -> FetchFault {
    FetchFault::SourceUnavailable(Failure::new(kind, "the Hub said so"))
}

fn disk(kind: FailureKind) -> FetchFault {
    FetchFault::Disk(Failure::new(kind, "cannot write"))
}

/// Waits without chance: 1 s, 2 s, 4 s and so on.
fn even() -> RetryTiming {
    let backoff =
        Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(30), jitter: Jitter::NONE };
    RetryTiming { backoff, ..RetryTiming::default() }
}

#[test]
fn each_fault_has_its_decision_and_its_first_step() {
    use RetryDecision::{
        GiveUp, Retry, RetryBriefly, RetryFromNothing, RetryRecut, RetryWithNewAddress, StopAll,
    };
    let again = |seconds| NextStep::Again { attempt: 1, wait: Duration::from_secs(seconds) };
    let no_space = FailureKind::NoSpace { needed: 1, free: 0, scarcity: hfdown_protocol::Scarcity::Quota };
    let (why, what) = (String::new, || "makes no sense".to_owned());
    for (fault, decision, step) in [
        (FetchFault::Connect { host: host(), why: why() }, Retry, again(1)),
        (FetchFault::Untrusted { host: host(), why: why() }, RetryBriefly, again(1)),
        (broken(), Retry, again(1)),
        (FetchFault::Stalled { host: host(), after: Duration::from_secs(30) }, Retry, again(1)),
        (trouble(None), Retry, again(1)),
        // A second more than was asked for: servers count whole ones.
        (trouble(Some(0)), Retry, again(1)),
        (trouble(Some(7)), Retry, again(8)),
        (trouble(Some(329)), Retry, again(330)),
        (trouble(Some(330)), GiveUp, NextStep::Lost),
        (limited(None), Retry, again(1)),
        (limited(Some(300)), Retry, again(301)),
        (limited(Some(u64::MAX)), GiveUp, NextStep::Lost),
        (FetchFault::Stale { host: host(), status: 403, why: String::new() }, RetryWithNewAddress, again(1)),
        (FetchFault::FreshRefused { host: host(), status: 403, why: String::new() }, RetryBriefly, again(1)),
        (FetchFault::Page { host: host(), what: "9 bytes".to_owned(), listed: 7 }, RetryBriefly, again(1)),
        (FetchFault::Refused { host: host(), status: 403, why: why() }, GiveUp, NextStep::Lost),
        (FetchFault::Missing { host: host(), status: 404, why: why() }, GiveUp, NextStep::Lost),
        (FetchFault::RangeIgnored { host: host() }, RetryRecut, NextStep::Silently),
        (FetchFault::Nonsense { host: host(), what: what() }, RetryBriefly, again(1)),
        (FetchFault::Corrupt(what()), RetryFromNothing, again(0)),
        (unavailable(FailureKind::Unreachable), Retry, again(1)),
        (unavailable(FailureKind::RateLimited), RetryBriefly, again(1)),
        (unavailable(FailureKind::NotAllowed), GiveUp, NextStep::Lost),
        (unavailable(FailureKind::NotFound), GiveUp, NextStep::Lost),
        (unavailable(FailureKind::Nonsense), GiveUp, NextStep::Lost),
        (disk(FailureKind::InTheWay), GiveUp, NextStep::Lost),
        (disk(FailureKind::ChangedMeanwhile), GiveUp, NextStep::Lost),
        (disk(FailureKind::PermissionDenied), StopAll, NextStep::Stop),
        (disk(no_space), StopAll, NextStep::Stop),
        (disk(FailureKind::Disk), StopAll, NextStep::Stop),
        (disk(FailureKind::Protocol), StopAll, NextStep::Stop),
    ] {
        assert_eq!(fault.retry_decision(), decision, "{fault:?}");
        let taken = Retries::default().next_step(&fault, 0, Instant::now(), &even());
        assert_eq!(taken, step, "{fault:?}");
    }
}

/// A file's faults, each at a second since the first, with so many bytes on disk.
fn steps(faults: &[(u64, FetchFault, u64)]) -> Vec<NextStep> {
    let (mut retries, start) = (Retries::default(), Instant::now());
    let mut step = |(second, fault, done): &(u64, FetchFault, u64)| {
        retries.next_step(fault, *done, start + Duration::from_secs(*second), &even())
    };
    faults.iter().map(&mut step).collect()
}

#[test]
fn attempts_add_up_and_progress_forgives_them() {
    let again = |attempt, seconds| NextStep::Again { attempt, wait: Duration::from_secs(seconds) };
    let nonsense = || FetchFault::Nonsense { host: host(), what: "answered 418".to_owned() };
    let corrupt = || FetchFault::Corrupt("its digest is another".to_owned());
    for (name, faults, expected) in [
        (
            "waits grow",
            vec![(0, broken(), 0), (1, broken(), 0), (3, broken(), 0)],
            vec![again(1, 1), again(2, 2), again(3, 4)],
        ),
        (
            "progress starts anew",
            vec![(0, broken(), 0), (1, broken(), PROGRESS - 1), (3, broken(), 2 * PROGRESS - 1)],
            vec![again(1, 1), again(2, 2), again(1, 1)],
        ),
        (
            "what was thrown away is no progress, and what follows it is",
            vec![(0, broken(), 9 * PROGRESS), (1, broken(), 0), (3, broken(), PROGRESS)],
            vec![again(1, 1), again(2, 2), again(1, 1)],
        ),
        (
            "connections that fail together are one failure",
            vec![(10, broken(), 0), (10, broken(), 0), (10, nonsense(), 0), (11, broken(), 0)],
            vec![again(1, 1), NextStep::Silently, NextStep::Silently, again(2, 2)],
        ),
        (
            "but a wait that one of them is asked for is kept",
            vec![(10, broken(), 0), (10, limited(Some(60)), 0), (70, broken(), 0), (71, broken(), 0)],
            vec![again(1, 1), NextStep::Silently, NextStep::Silently, again(2, 2)],
        ),
        (
            "a shorter wait shortens nothing",
            vec![(10, limited(Some(60)), 0), (10, trouble(Some(5)), 0), (70, broken(), 0)],
            vec![again(1, 61), NextStep::Silently, NextStep::Silently],
        ),
        (
            "what ends a file ends it among others too",
            vec![
                (10, broken(), 0),
                (10, FetchFault::Missing { host: host(), status: 404, why: String::new() }, 0),
            ],
            vec![again(1, 1), NextStep::Lost],
        ),
        (
            "nonsense counts apart",
            vec![(0, nonsense(), 0), (9, broken(), 0), (19, nonsense(), 0), (29, nonsense(), 0)],
            vec![again(1, 1), again(2, 2), again(3, 4), NextStep::Lost],
        ),
        (
            "progress forgives nonsense as well",
            vec![
                (0, nonsense(), 0),
                (9, nonsense(), 0),
                (19, nonsense(), PROGRESS),
                (29, nonsense(), PROGRESS),
            ],
            vec![again(1, 1), again(2, 2), again(1, 1), again(2, 2)],
        ),
        (
            "wrong bytes are fetched once more, whatever else happened",
            vec![(0, broken(), 0), (0, corrupt(), 0), (5, broken(), 0), (5, corrupt(), 0)],
            vec![again(1, 1), again(1, 0), again(2, 2), NextStep::Lost],
        ),
        (
            "a server that ignores ranges has failed at nothing",
            vec![(0, FetchFault::RangeIgnored { host: host() }, 0), (0, broken(), 0)],
            vec![NextStep::Silently, again(1, 1)],
        ),
    ] {
        assert_eq!(steps(&faults), expected, "{name}");
    }
}
