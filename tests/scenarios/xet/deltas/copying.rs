//! Runs that are killed while they copy or fetch what is new, and how much of the disk they take.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use hfdown_tests::hub::Content;
use hfdown_tests::processes::Process;
use hfdown_tests::sandbox::{Sandbox, ended};
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};

use super::{FEW, FILE, MODEL, bring, commit, travelled, weights};

here! { a_run_that_is_killed_while_it_copies_costs_next_to_nothing, files_that_changed_take_the_room_of_one, }

const KILLS: u64 = 12;
/// Enough to be killed in: the old file is read, its pieces are copied, and what is new is fetched.
const LARGE: usize = 40 << 20;

async fn a_run_that_is_killed_while_it_copies_costs_next_to_nothing(sandbox: Sandbox) {
    let bytes = weights(3, LARGE);
    let middle = LARGE / 2;
    let old = [&[1; 5000], &bytes[..]].concat();
    let added = weights(4, 3_000_000);
    let new = [&[2; 6003], &bytes[..middle], &added, &bytes[middle..]].concat();
    commit(&sandbox, FILE, &old);
    bring(&sandbox, &old, &[]).await;
    commit(&sandbox, FILE, &new);
    sandbox.hub.forget_requests();
    let mut random = SmallRng::seed_from_u64(14);
    let place = sandbox.root().join(FILE);
    for kill in 0..KILLS {
        let mut child = sandbox.syncing(MODEL, &["--connections", "2", "--max-speed", "8M"]).spawn().unwrap();
        let process = Process { pid: child.id().unwrap() };
        // The first ones while the old file is read or copied, the others while what is new comes.
        let (read, claimed) = if kill < KILLS / 2 {
            (random.random_range(0..2 * LARGE as u64), u64::MAX)
        } else {
            let left = new.len() as u64 - sandbox.claimed().min(new.len() as u64);
            (u64::MAX, sandbox.claimed() + random.random_range(0..=left / 3))
        };
        while process.bytes_read() < read
            && sandbox.claimed() < claimed
            && child.try_wait().unwrap().is_none()
        {
            tokio::task::yield_now().await;
        }
        let _ = child.kill().await;
        let _ = ended(child).await;
        let there = fs::read(&place).unwrap();
        assert!(there == old || there == new, "kill {kill}: what has the name is whole");
    }
    let last = sandbox.sync(MODEL, &[]).await;
    assert_eq!(last.code, 0, "{}", last.stderr);
    assert!(fs::read(&place).unwrap() == new);
    let few = travelled(&sandbox);
    // What is new, and what connections had in their hands each time.
    assert!(few < 3_000_000 + FEW + (8 << 20), "{few}");
}

/// Bytes of disk that a folder takes.
fn room(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match fs::symlink_metadata(entry.path()) {
        Ok(metadata) if metadata.is_dir() => room(&entry.path()),
        // A file that is gone meanwhile takes none.
        metadata => metadata.map_or(0, |metadata| metadata.blocks() * 512),
    });
    sizes.sum()
}

async fn files_that_changed_take_the_room_of_one(sandbox: Sandbox) {
    const FILES: u64 = 4;
    const EACH: usize = 9_000_000;
    let name = |number: u64| format!("model-{number}.safetensors");
    let file = |number: u64, header: &[u8]| [header, &weights(number, EACH)].concat();
    for header in [&[1; 5000][..], &[2; 6003]] {
        let draft = (0..FILES).fold(sandbox.hub.model(MODEL), |draft, number| {
            draft.in_xet(&name(number), Content::from(file(number, header)))
        });
        draft.commit();
        sandbox.hub.forget_requests();
        let mut child = sandbox.syncing(MODEL, &["--connections", "16"]).spawn().unwrap();
        let mut most = 0;
        while child.try_wait().unwrap().is_none() {
            most = most.max(room(&sandbox.root()));
            tokio::task::yield_now().await;
        }
        let ended = ended(child).await;
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        // The model and one file, with its header, records and folders.
        let bound = (FILES + 1) * EACH as u64 + (1 << 20);
        assert!(most < bound, "{most} of {bound}");
    }
    assert!(travelled(&sandbox) < FILES * 300_000, "{}", travelled(&sandbox));
    for number in 0..FILES {
        assert!(sandbox.read(&name(number)).unwrap() == file(number, &[2; 6003]));
    }
}
