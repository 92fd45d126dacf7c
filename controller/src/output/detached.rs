//! What is said of transfers that were detached.

use std::time::Duration;

use hfdown_protocol::{Account, Verdict};

use super::reason::because;
use super::units::{bytes, count, duration, percent};

/// It was left to itself.
pub(super) fn detached(files: usize, size: u64, attach: &str, stop: &str) -> String {
    let files = count(files, "file");
    format!(
        "detached: the box goes on by itself with {files} ({})\nwatch it: {attach}\nend it:   {stop}",
        bytes(size)
    )
}

/// It runs.
pub(super) fn joined(account: &Account) -> String {
    let Account { title, root, age, .. } = account;
    let age = since(Duration::from_secs(*age));
    format!("{title} to {root}, detached {age} · {}", state(account))
}

/// It has ended.
pub(super) fn ended(account: &Account, verdict: &Verdict, ago: Duration) -> String {
    let Account { title, root, .. } = account;
    let (ago, state) = (since(ago), state(account));
    let is_whole = lost(account) == 0;
    let how = match verdict {
        Verdict::Finished if !is_whole => format!("ended incomplete {ago}"),
        Verdict::Finished => format!("done {ago}"),
        Verdict::Stopped => format!("stopped {ago}"),
        Verdict::Failed { failure } => format!("failed {ago}: {}", because(failure)),
        Verdict::Vanished => "ended without a word: it was killed, or the box was restarted".to_owned(),
        Verdict::Superseded => format!("a later run took the folder over {ago}"),
    };
    let rest = match (verdict, account.aside.by_size) {
        (Verdict::Finished, 0) if is_whole => "every byte proved".to_owned(),
        (Verdict::Finished, by_size) if is_whole => {
            format!("every byte proved but for {by_size} compared by size only")
        }
        (Verdict::Superseded, _) => "`hfdown rsync-to-vast` with --dry-run says how it stands".to_owned(),
        _ => "what arrived is kept, run `hfdown rsync-to-vast` again to go on".to_owned(),
    };
    match verdict {
        // What it had come to by then, nobody wrote down; or it is so no more.
        Verdict::Vanished | Verdict::Superseded => {
            let began = since(Duration::from_secs(account.age));
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
pub(super) fn lost(account: &Account) -> u32 {
    account.summary.failed.saturating_add(account.aside.refused)
}

fn state(account: &Account) -> String {
    let Account { files, bytes: size, done, summary, aside, .. } = account;
    let failed = match lost(account) {
        0 => String::new(),
        lost => format!(", {lost} failed"),
    };
    let kept = match aside.kept {
        0 => String::new(),
        kept => format!(" · {kept} already there ({})", bytes(aside.kept_bytes)),
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
    use hfdown_protocol::{Aside, Failure, FailureKind, Summary};
    use insta::assert_snapshot;

    use super::*;

    #[test]
    fn sentences_say_where_it_stands_and_what_to_do() {
        let account = Account {
            title: "acme/large @ 607a30d".to_owned(),
            root: "/workspace/large".to_owned(),
            age: 754,
            files: 3,
            bytes: 548_000_000,
            done: 405_000_000,
            summary: Summary { placed: 1, ..Summary::default() },
            aside: Aside::default(),
            failures: Vec::new(),
        };
        let whole = Account {
            done: 548_000_000,
            summary: Summary { placed: 3, ..Summary::default() },
            ..account.clone()
        };
        let lost = Account {
            summary: Summary { placed: 2, failed: 1, ..Summary::default() },
            aside: Aside { kept: 23, kept_bytes: 4_700_000_000, by_size: 0, refused: 1 },
            ..whole.clone()
        };
        let by_size =
            Account { aside: Aside { kept: 2, kept_bytes: 9000, by_size: 2, refused: 0 }, ..whole.clone() };
        let failure = Failure::new(FailureKind::Stale, "the signed addresses have gone stale");
        let hour = Duration::from_secs(3600);
        let said = [
            detached(
                3,
                548_000_000,
                "hfdown attach 'ssh -p 1 root@h' /w",
                "hfdown stop 'ssh -p 1 root@h' /w",
            ),
            joined(&account),
            ended(&whole, &Verdict::Finished, hour),
            ended(&lost, &Verdict::Finished, hour),
            ended(&by_size, &Verdict::Finished, hour),
            ended(&account, &Verdict::Stopped, Duration::from_secs(5)),
            ended(&account, &Verdict::Failed { failure }, hour),
            ended(&account, &Verdict::Vanished, hour),
            ended(&account, &Verdict::Superseded, Duration::from_secs(125)),
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
        acme/large @ 607a30d to /workspace/large, detached 12 m 34 s ago: ended without a word: it was killed, or the box was restarted · what arrived is kept, run `hfdown rsync-to-vast` again to go on
        acme/large @ 607a30d to /workspace/large, detached 12 m 34 s ago: a later run took the folder over 2 m 05 s ago · `hfdown rsync-to-vast` with --dry-run says how it stands
        ");
    }
}
