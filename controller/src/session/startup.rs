//! Boxes that were rented a minute ago: their SSH server does not listen yet, or has not learned the key.

use std::mem::discriminant;
use std::ops::RangeInclusive;
use std::time::Duration;

use hfdown_agent::http::{Backoff, Jitter};
use hfdown_agent::in_words;
use tokio::time::Instant;

use super::error::SessionError;
use crate::display::Events;
use crate::event::Event;
use crate::link::{AgentLink, AnswerFailure, KeyFailure, LinkError, TriedKey};

/// The pauses while there is nothing to log in to: a port that is closed is cheap to ask.
const BACKOFF: Backoff =
    Backoff { first: Duration::from_millis(500), longest: Duration::from_secs(5), jitter: Jitter::NONE };

/// The pauses after logins that failed: 7 in the first 3 minutes, one a minute from there on. fail2ban shuts out who
/// fails 5 times in 10 minutes by what it counts, and OpenSSH 9.8 who fails for 15 s of its penalties, which fade.
const LOGIN_PAUSES: [Duration; 5] = [
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(20),
    Duration::from_secs(40),
    Duration::from_secs(60),
];

/// How much longer a pause may be, so that the boxes of a fleet are not asked in step.
const SPREAD: RangeInclusive<f64> = 1.0..=1.25;

fn spread(pause: Duration) -> Duration {
    pause.mul_f64(rand::random_range(SPREAD))
}

/// How long to leave a box alone.
#[derive(Default)]
struct Pauses {
    attempts: u32,
    logins: usize,
}

impl Pauses {
    /// Before the next attempt. Once logins have failed, whatever follows may be the box's answer to that.
    fn next(&mut self, error: &LinkError) -> Duration {
        if self.logins == 0 && !error.has_cost_a_login() {
            self.attempts += 1;
            return BACKOFF.wait_after(self.attempts);
        }
        self.logins += 1;
        LOGIN_PAUSES[self.logins.min(LOGIN_PAUSES.len()) - 1]
    }
}

/// Tries again, for so long, what a box that is just starting refuses. Each new reason is said once. The time for which
/// the user is asked in between, or other targets have their turn, does not count.
pub(super) async fn until_ready<F: Future<Output = Result<AgentLink, LinkError>>>(
    wait: Duration,
    events: &Events,
    beside: impl Fn() -> Duration,
    attempt: impl Fn() -> F,
) -> Result<AgentLink, SessionError> {
    let began = Instant::now();
    let before = beside();
    let mut said = None;
    let mut pauses = Pauses::default();
    loop {
        let error = match attempt().await {
            Ok(link) => return Ok(link),
            Err(error) => error,
        };
        let waited = began.elapsed().saturating_sub(beside().saturating_sub(before));
        let left = wait.saturating_sub(waited);
        if !may_pass(&error) || left.is_zero() {
            let waited = said.map(|_| waited);
            return Err(SessionError::Link { error: Box::new(error), waited });
        }
        if said != Some(discriminant(&error)) {
            said = Some(discriminant(&error));
            events.send(Event::NotReady { why: in_words(&error.to_string()), left }).await;
        }
        tokio::time::sleep(spread(pauses.next(&error)).min(left)).await;
    }
}

/// Whether a box may think better of it within minutes. A name that does not resolve is more likely to be mistyped.
fn may_pass(error: &LinkError) -> bool {
    match error {
        // Keys that can't be used here won't be in a minute.
        LinkError::Auth { tried, .. } => {
            // Nor will a key that the box takes already, and that the user does not unlock; nor a wrong password.
            let is_final = |tried: &TriedKey| {
                matches!(
                    tried.result,
                    KeyFailure::Locked(_)
                        | KeyFailure::Answer(
                            AnswerFailure::Wrong | AnswerFailure::Unheard | AnswerFailure::Unusable(_)
                        )
                )
            };
            let may_be_learned =
                |tried: &TriedKey| matches!(tried.result, KeyFailure::Rejected | KeyFailure::HungUp);
            !tried.iter().any(is_final) && tried.iter().any(may_be_learned)
        }
        LinkError::Jump { source, .. } | LinkError::WithoutMatch { source, .. } => may_pass(source),
        _ => error.is_of_the_moment(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rejected() -> LinkError {
        let tried = vec![TriedKey { key: "~/.ssh/id".into(), result: KeyFailure::Rejected }];
        let (address, user) = ("box:22".to_owned(), "root".to_owned());
        LinkError::Auth { address, user, tried, methods: "publickey".into(), banner: String::new() }
    }

    fn refused() -> LinkError {
        LinkError::Refused { address: "box:22".into() }
    }

    /// When attempts are made within a wait, by a clock of their own.
    fn attempts(wait: u64, error: impl Fn(usize) -> LinkError) -> Vec<Duration> {
        let wait = Duration::from_secs(wait);
        let (mut now, mut pauses, mut made) = (Duration::ZERO, Pauses::default(), Vec::new());
        loop {
            made.push(now);
            let left = wait.saturating_sub(now);
            if left.is_zero() {
                return made;
            }
            now += pauses.next(&error(made.len())).min(left);
        }
    }

    #[test]
    fn a_key_that_is_not_taken_costs_few_logins() {
        let made = attempts(180, |_| rejected());
        assert_eq!(made.iter().map(Duration::as_secs).collect::<Vec<_>>(), [0, 5, 15, 35, 75, 135, 180]);
        let long = attempts(1800, |_| rejected());
        for first in &long {
            let within = long.iter().filter(|at| *at >= first && **at <= *first + Duration::from_secs(180));
            assert!(within.count() <= 8, "{long:?}");
        }
        // A host on the way that is logged in to each time.
        let (jump, address) = ("jump:22".to_owned(), "box:22".to_owned());
        let why = crate::link::NotForwarded::Unreachable;
        let not_forwarded = |_| LinkError::NotForwarded { jump: jump.clone(), address: address.clone(), why };
        assert_eq!(attempts(180, not_forwarded).len(), 7);
        // One that lets us in and hangs up.
        let lost = |_| LinkError::Lost { address: address.clone(), detail: "it hung up".into() };
        assert_eq!(attempts(180, lost).len(), 7);
        // A box that shuts out who has failed.
        let penalty = |at| match at {
            1 => rejected(),
            _ => LinkError::Handshake { address: address.clone(), detail: "it hung up".into() },
        };
        assert_eq!(attempts(180, penalty).len(), 7);
    }

    #[test]
    fn a_port_that_is_closed_is_asked_often_and_does_not_make_the_first_login_late() {
        assert!(attempts(180, |_| refused()).len() > 30);
        let opens = attempts(60, |at| if at < 5 { refused() } else { rejected() });
        assert_eq!(opens[5], opens[4] + Duration::from_secs(5), "{opens:?}");
    }
}
