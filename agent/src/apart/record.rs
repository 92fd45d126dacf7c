//! What stays of a detached transfer: a few lines that people can read as well.

use std::fmt;
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use hfdown_protocol::{Account, Aside, Failure, FailureKind, Summary, VERSION, Verdict};

/// A transfer's account and how it ended, with the times that ages are counted from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    /// Its `age` is of no interest.
    pub(super) account: Account,
    /// Seconds since the Unix epoch.
    pub(super) began: u64,
    /// The same; none while it runs.
    pub(super) ended: Option<u64>,
    /// How it ended. [`Verdict::Vanished`] while it runs: whoever reads that and finds nobody knows what it means.
    pub(super) verdict: Verdict,
}

/// A text that is no record of this version.
#[derive(Debug)]
pub(super) struct NoRecord;

/// Seconds since the Unix epoch.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// One line of text, whatever is in it.
fn line(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}

impl fmt::Display for Record {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { account, began, ended, verdict } = self;
        let Account { title, root, age: _, files, bytes, done, summary, aside, failures } = account;
        let Summary { placed, failed, removed, fetched, end: _ } = summary;
        let Aside { kept, kept_bytes, by_size, refused } = aside;
        writeln!(formatter, "hfdown {VERSION}")?;
        writeln!(formatter, "title {}\nroot {}\nbegan {began}", line(title), line(root))?;
        if let Some(ended) = ended {
            writeln!(formatter, "ended {ended}")?;
        }
        writeln!(formatter, "files {files}\nbytes {bytes}\ndone {done}")?;
        writeln!(formatter, "placed {placed}\nfailed {failed}\nremoved {removed}\nfetched {fetched}")?;
        writeln!(formatter, "kept {kept}\nkept-bytes {kept_bytes}\nby-size {by_size}\nrefused {refused}")?;
        writeln!(formatter, "failures {}", failures.iter().copied().map(word).collect::<Vec<_>>().join(" "))?;
        match verdict {
            Verdict::Finished => writeln!(formatter, "verdict finished"),
            Verdict::Stopped => writeln!(formatter, "verdict stopped"),
            Verdict::Vanished => writeln!(formatter, "verdict running"),
            Verdict::Superseded => writeln!(formatter, "verdict superseded"),
            Verdict::Failed { failure } => {
                writeln!(
                    formatter,
                    "verdict failed\nkind {}\nwhy {}",
                    word(failure.kind),
                    line(&failure.detail)
                )
            }
        }
    }
}

impl FromStr for Record {
    type Err = NoRecord;

    fn from_str(text: &str) -> Result<Self, NoRecord> {
        let value = |key: &str| {
            text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')).ok_or(NoRecord)
        };
        let number = |key: &str| value(key)?.parse::<u64>().map_err(|_| NoRecord);
        let count = |key: &str| value(key)?.parse::<u32>().map_err(|_| NoRecord);
        if value("hfdown")? != VERSION {
            return Err(NoRecord);
        }
        let summary = Summary {
            placed: count("placed")?,
            failed: count("failed")?,
            removed: count("removed")?,
            fetched: number("fetched")?,
            ..Summary::default()
        };
        let aside = Aside {
            kept: count("kept")?,
            kept_bytes: number("kept-bytes")?,
            by_size: count("by-size")?,
            refused: count("refused")?,
        };
        let account = Account {
            title: value("title")?.to_owned(),
            root: value("root")?.to_owned(),
            age: 0,
            files: count("files")?,
            bytes: number("bytes")?,
            done: number("done")?,
            summary,
            aside,
            failures: value("failures")?.split_whitespace().map(kind).collect(),
        };
        let verdict = match value("verdict")? {
            "finished" => Verdict::Finished,
            "stopped" => Verdict::Stopped,
            "running" => Verdict::Vanished,
            "superseded" => Verdict::Superseded,
            "failed" => Verdict::Failed { failure: Failure::new(kind(value("kind")?), value("why")?) },
            _ => return Err(NoRecord),
        };
        Ok(Self { account, began: number("began")?, ended: number("ended").ok(), verdict })
    }
}

/// The kinds whose exit code a controller wants to know; the others are the disk's or a defect.
const KINDS: [(FailureKind, &str); 6] = [
    (FailureKind::Unreachable, "unreachable"),
    (FailureKind::RateLimited, "rate-limited"),
    (FailureKind::Stale, "stale"),
    (FailureKind::NotAllowed, "not-allowed"),
    (FailureKind::NotFound, "not-found"),
    (FailureKind::Corrupt, "corrupt"),
];

fn word(kind: FailureKind) -> &'static str {
    KINDS.iter().find(|(known, _)| *known == kind).map_or("disk", |(_, word)| word)
}

fn kind(word: &str) -> FailureKind {
    KINDS.iter().find(|(_, known)| *known == word).map_or(FailureKind::Disk, |(kind, _)| *kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        let account = Account {
            title: "acme/large @ 607a30d".to_owned(),
            root: "/workspace/a b".to_owned(),
            age: 0,
            files: 3,
            bytes: 1 << 40,
            done: 7,
            summary: Summary { placed: 1, failed: 2, removed: 3, fetched: 9, ..Summary::default() },
            aside: Aside { kept: 4, kept_bytes: 5, by_size: 6, refused: 7 },
            failures: vec![FailureKind::NotFound, FailureKind::Disk],
        };
        let failure = Failure::new(FailureKind::Stale, "nobody came\nto answer");
        for (ended, verdict) in [
            (None, Verdict::Vanished),
            (Some(2), Verdict::Finished),
            (Some(2), Verdict::Stopped),
            (Some(2), Verdict::Superseded),
            (Some(2), Verdict::Failed { failure }),
        ] {
            let record = Record { account: account.clone(), began: 1, ended, verdict };
            let read: Record = record.to_string().parse().unwrap();
            assert_eq!(read.to_string(), record.to_string());
            assert_eq!((&read.account, read.ended), (&record.account, record.ended));
        }
        for failures in [vec![], vec![FailureKind::Corrupt]] {
            let account = Account { failures: failures.clone(), ..account.clone() };
            let record = Record { account, began: 1, ended: None, verdict: Verdict::Vanished };
            assert_eq!(record.to_string().parse::<Record>().unwrap().account.failures, failures);
        }
        for text in ["", "hfdown 0", "verdict finished"] {
            assert!(text.parse::<Record>().is_err());
        }
    }
}
