//! Large models: memory that does not grow with them, and no step that is made for each file where one for all will do.
//!
//! What runs here takes seconds; the same at full size, 20 GB and 20,000 files, takes minutes and a disk:
//! `cargo test --release -p hfdown-tests --test isolated -- --ignored --nocapture --test-threads 1`.

mod fleet;
mod many;
mod memory;
mod million;
mod odd_files;
mod xet;

use std::time::Duration;

use hfdown_tests::processes::Process;
use hfdown_tests::sandbox::{Ended, ended};
use tokio::process::Child;

/// The end of a program, and the most that it had resident.
async fn with_peak(child: Child) -> (Ended, u64) {
    let process = Process { pid: child.id().expect("it has not ended") };
    let mut end = std::pin::pin!(ended(child));
    let mut peak = 0;
    loop {
        // The kernel keeps the peak, so that looking now and then is enough.
        tokio::select! {
            ended = &mut end => return (ended, peak),
            () = tokio::time::sleep(Duration::from_millis(5)) => {}
        }
        peak = peak.max(process.peak_memory());
    }
}
