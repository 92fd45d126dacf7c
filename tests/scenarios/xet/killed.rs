//! Runs that are killed at any instant: what has been decoded and written is not fetched again.

use hfdown_tests::sandbox::{Sandbox, ended};
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};

use super::{FILE, MODEL, SIZE, publish, sent};

here! { what_was_written_is_not_fetched_again, }

const KILLS: u64 = 20;
/// What connections have in their hands: the beginning of a chunk, and what they gather before they write it.
const IN_HANDS: u64 = 1_000_000;

async fn what_was_written_is_not_fetched_again(sandbox: Sandbox) {
    let bytes = publish(&sandbox);
    let mut random = SmallRng::seed_from_u64(20);
    for kill in 0..=KILLS {
        let claimed = sandbox.claimed();
        sandbox.hub.forget_requests();
        // The last one when all of it is there, and perhaps not placed yet.
        let more = if kill == KILLS { u64::MAX } else { random.random_range(0..SIZE as u64 / 12) };
        let until = claimed.saturating_add(more).min(SIZE as u64);
        // Slowly, so that there is something to be cut off.
        let mut child =
            sandbox.syncing(MODEL, &["--connections", "2", "--max-speed", "20M"]).spawn().unwrap();
        while sandbox.claimed() < until && child.try_wait().unwrap().is_none() {
            tokio::task::yield_now().await;
        }
        let _ = child.kill().await;
        let _ = ended(child).await;
        let (xorbs, plain) = sent(&sandbox);
        assert!(
            plain == 0 && xorbs <= SIZE as u64 - claimed + IN_HANDS,
            "kill {kill}: {xorbs} after {claimed}"
        );
    }
    let left = SIZE as u64 - sandbox.claimed().min(SIZE as u64);
    sandbox.hub.forget_requests();
    let last = sandbox.sync(MODEL, &[]).await;
    assert_eq!(last.code, 0, "{}", last.stderr);
    assert!(sandbox.read(FILE).is_some_and(|read| read == bytes));
    let (xorbs, plain) = sent(&sandbox);
    assert!(plain == 0 && (xorbs <= left + IN_HANDS), "{xorbs} of {left}");
}
