//! What follows from each fault.

use super::*;

/// Fails until the file is lost. Each attempt comes when its wait is over and takes no time.
fn until_lost(fault: &Fault, timing: &RetryTiming) -> (u32, Duration) {
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
    let fault = Fault::Connect { host: "cdn.example".to_owned(), why: "refused".to_owned() };
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
    let nonsense = Fault::Nonsense { host: host.clone(), what: "redirects for ever".to_owned() };
    for fault in [nonsense, Fault::Untrusted { host, why }] {
        let (attempts, patience) = until_lost(&fault, &RetryTiming::default());
        assert_eq!(attempts, NONSENSE_ATTEMPTS);
        assert!(patience < Duration::from_secs(5), "{patience:?}");
    }
}
