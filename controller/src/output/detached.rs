//! What is said of transfers that were detached.

use std::time::Duration;

use hfdown_protocol::{Conclusion, TransferStatus};

use super::reason::because;
use crate::text::units::{bytes, count, duration, percent};

/// It was left to itself.
pub(super) fn detached(files: usize, size: u64, attach: &str, stop: &str) -> String {
    let files = count(files, "file");
    format!(
        "detached: the box goes on by itself with {files} ({})\nwatch it: {attach}\nend it:   {stop}",
        bytes(size)
    )
}

/// It runs.
pub(super) fn joined(status: &TransferStatus) -> String {
    let TransferStatus { title, root, age, .. } = status;
    let age = since(Duration::from_secs(*age));
    format!("{title} to {root}, detached {age} · {}", state(status))
}

/// It has ended.
pub(super) fn ended(status: &TransferStatus, conclusion: &Conclusion, ago: Duration) -> String {
    let TransferStatus { title, root, .. } = status;
    let (ago, state) = (since(ago), state(status));
    let is_whole = lost(status) == 0;
    let how = match conclusion {
        Conclusion::Finished if !is_whole => format!("ended incomplete {ago}"),
        Conclusion::Finished => format!("done {ago}"),
        Conclusion::Stopped => format!("stopped {ago}"),
        Conclusion::Failed { failure } => format!("failed {ago}: {}", because(failure)),
        Conclusion::Vanished => {
            "ended without a word: it was killed (out of memory?), or the box was restarted".to_owned()
        }
        Conclusion::Superseded => format!("a later run took the folder over {ago}"),
    };
    let rest = match (conclusion, status.skipped.by_size) {
        (Conclusion::Finished, 0) if is_whole => "every byte proved".to_owned(),
        (Conclusion::Finished, by_size) if is_whole => {
            format!("every byte proved but for {by_size} compared by size only")
        }
        (Conclusion::Superseded, _) => "`hfdown rsync-to-vast` with --dry-run says how it stands".to_owned(),
        _ => "what arrived is kept, run `hfdown rsync-to-vast` again to go on".to_owned(),
    };
    match conclusion {
        // Its last state was not written down, or no longer holds.
        Conclusion::Vanished | Conclusion::Superseded => {
            let began = since(Duration::from_secs(status.age));
            format!("{title} to {root}, detached {began}: {how} · {rest}")
        }
        _ => format!("{title} to {root}: {how} · {state} · {rest}"),
    }
}

/// Boxes count in seconds.
fn since(time: Duration) -> String {
    if time < Duration::from_secs(1) { "just now".to_owned() } else { format!("{} ago", duration(time)) }
}

/// Files that could not be had, or not be placed.
pub(super) fn lost(status: &TransferStatus) -> u32 {
    status.summary.failed.saturating_add(status.skipped.refused)
}

fn state(status: &TransferStatus) -> String {
    let TransferStatus { files, bytes: size, done, summary, skipped, .. } = status;
    let failed = match lost(status) {
        0 => String::new(),
        lost => format!(", {lost} failed"),
    };
    let kept = match skipped.kept {
        0 => String::new(),
        kept => format!(" · {kept} already there ({})", bytes(skipped.kept_bytes)),
    };
    format!(
        "{} of {} placed{failed}, {} % of {}{kept}",
        summary.placed,
        count(*files, "file"),
        percent(*done, *size),
        bytes(*size)
    )
}

#[cfg(test)]
mod tests {
    use hfdown_protocol::{Failure, FailureKind, Skipped, Summary};
    use insta::assert_snapshot;

    use super::*;

    #[test]
    fn sentences_say_where_it_stands_and_what_to_do() {
        let status = TransferStatus {
            title: "acme/large @ 607a30d".to_owned(),
            root: "/workspace/large".to_owned(),
            age: 754,
            files: 3,
            bytes: 548_000_000,
            done: 405_000_000,
            summary: Summary { placed: 1, ..Summary::default() },
            skipped: Skipped::default(),
            failures: Vec::new(),
        };
        let whole = TransferStatus {
            done: 548_000_000,
            summary: Summary { placed: 3, ..Summary::default() },
            ..status.clone()
        };
        let lost = TransferStatus {
            summary: Summary { placed: 2, failed: 1, ..Summary::default() },
            skipped: Skipped { kept: 23, kept_bytes: 4_700_000_000, by_size: 0, refused: 1 },
            ..whole.clone()
        };
        let by_size = TransferStatus {
            skipped: Skipped { kept: 2, kept_bytes: 9000, by_size: 2, refused: 0 },
            ..whole.clone()
        };
        let failure = Failure::new(FailureKind::Stale, "the signed addresses have gone stale");
        let hour = Duration::from_secs(3600);
        let said = [
            detached(
                3,
                548_000_000,
                "hfdown attach 'ssh -p 1 root@h' /w",
                "hfdown stop 'ssh -p 1 root@h' /w",
            ),
            joined(&status),
            ended(&whole, &Conclusion::Finished, hour),
            ended(&lost, &Conclusion::Finished, hour),
            ended(&by_size, &Conclusion::Finished, hour),
            ended(&status, &Conclusion::Stopped, Duration::from_secs(5)),
            ended(&status, &Conclusion::Failed { failure }, hour),
            ended(&status, &Conclusion::Vanished, hour),
            ended(&status, &Conclusion::Superseded, Duration::from_secs(125)),
        ];
        assert_snapshot!(said.join("\n"), @"
        detached: the box goes on by itself with 3 files (548 MB)
        watch it: hfdown attach 'ssh -p 1 root@h' /w
        end it:   hfdown stop 'ssh -p 1 root@h' /w
        acme/large @ 607a30d to /workspace/large, detached 12 m 34 s ago · 1 of 3 files placed, 73 % of 548 MB
        acme/large @ 607a30d to /workspace/large: done 1 h 00 m ago · 3 of 3 files placed, 100 % of 548 MB · every byte proved
        acme/large @ 607a30d to /workspace/large: ended incomplete 1 h 00 m ago · 2 of 3 files placed, 2 failed, 100 % of 548 MB · 23 already there (4.7 GB) · what arrived is kept, run `hfdown rsync-to-vast` again to go on
        acme/large @ 607a30d to /workspace/large: done 1 h 00 m ago · 3 of 3 files placed, 100 % of 548 MB · 2 already there (9.0 kB) · every byte proved but for 2 compared by size only
        acme/large @ 607a30d to /workspace/large: stopped 5.0 s ago · 1 of 3 files placed, 73 % of 548 MB · what arrived is kept, run `hfdown rsync-to-vast` again to go on
        acme/large @ 607a30d to /workspace/large: failed 1 h 00 m ago: the signed addresses have gone stale · 1 of 3 files placed, 73 % of 548 MB · what arrived is kept, run `hfdown rsync-to-vast` again to go on
        acme/large @ 607a30d to /workspace/large, detached 12 m 34 s ago: ended without a word: it was killed (out of memory?), or the box was restarted · what arrived is kept, run `hfdown rsync-to-vast` again to go on
        acme/large @ 607a30d to /workspace/large, detached 12 m 34 s ago: a later run took the folder over 2 m 05 s ago · `hfdown rsync-to-vast` with --dry-run says how it stands
        ");
    }
}
