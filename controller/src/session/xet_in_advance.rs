//! Terms for an agent that is left alone: they wait in its memory until they are wanted.

use std::cmp::Reverse;
use std::time::Duration;

use hfdown_protocol::{handed_over_weight, limits};
use tokio::time::{Instant, timeout_at};

use super::detach::weight;
use super::xet_sources::XetSources;
use crate::plan::Plan;
use crate::routes::{LARGEST_PLAIN, Routes};

/// What all of them may weigh: those of a terabyte or more. The rest is for addresses and small files.
const MOST: u64 = limits::HANDED_OVER as u64 / 2;
/// For how long the store is asked once more about files of which its answers were not kept.
const PATIENCE: Duration = Duration::from_secs(10);

impl XetSources {
    /// Leaves those files to plain ranges whose terms don't fit, the smallest first.
    pub async fn fit_in_advance(&self, plan: &Plan, routes: &mut Routes) {
        let mut files: Vec<_> = plan.to_fetch().filter(|planned| routes.xet(planned.id).is_some()).collect();
        files.sort_by_key(|planned| Reverse(planned.size));
        let (mut room, deadline) = (room(weight(plan)), Instant::now() + PATIENCE);
        for planned in files {
            let (id, size) = (planned.id, planned.size);
            // What is new in a changed file is in many small pieces, of which terms in advance can't say where they are.
            let is_better_plain = routes.is_copied(id) && size <= LARGEST_PLAIN;
            let asked = async { self.described(routes.hash(id)?, size).await };
            let described = timeout_at(deadline, asked).await.ok().flatten();
            let weight = described.map(|found| handed_over_weight(&found.ranges, &found.terms) as u64);
            match weight.filter(|weight| *weight <= room && !is_better_plain) {
                Some(weight) => room -= weight,
                None => routes.leave(id),
            }
        }
    }
}

/// What is left for terms beside what else is handed over. Where that is too much, nothing else is.
fn room(others: u64) -> u64 {
    match (limits::HANDED_OVER as u64).saturating_sub(others) {
        0 => MOST,
        rest => rest.min(MOST),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_have_what_others_leave_and_half_of_it_at_most() {
        let all = limits::HANDED_OVER as u64;
        for (others, expected) in [(0, MOST), (all - 1000, 1000), (all, MOST), (2 * all, MOST)] {
            assert_eq!(room(others), expected, "{others}");
        }
    }
}
