//! What stays of a detached transfer: a few lines that people can read as well.

use std::fmt;
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use hfdown_protocol::{
    Conclusion, DiskWarning, Failure, FailureKind, NoticedRuns, Skipped, Summary, TransferStatus, VERSION,
};

/// A transfer's status and how it ended, with the times that ages are counted from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TransferRecord {
    /// Its `age` is of no interest.
    pub(super) status: TransferStatus,
    /// Seconds since the Unix epoch.
    pub(super) began: u64,
    /// The same; none while it runs.
    pub(super) ended: Option<u64>,
    /// How it ended. [`Conclusion::Vanished`] while it runs: to a reader that finds no host, it did.
    pub(super) conclusion: Conclusion,
    /// What its disk could not do.
    pub(super) warnings: Vec<DiskWarning>,
}

/// A text that is no record of this version.
#[derive(Debug)]
pub(super) struct InvalidRecord;

/// Seconds since the Unix epoch.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// One line of text, whatever is in it.
fn line(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}

impl fmt::Display for TransferRecord {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { status, began, ended, conclusion, warnings } = self;
        let TransferStatus { title, root, age: _, files, bytes, done, summary, skipped, failures } = status;
        let Summary { placed, failed, removed, fetched, written, end: _ } = summary;
        let Skipped { kept, kept_bytes, by_size, refused } = skipped;
        writeln!(formatter, "hfdown {VERSION}")?;
        writeln!(formatter, "title {}\nroot {}\nbegan {began}", line(title), line(root))?;
        if let Some(ended) = ended {
            writeln!(formatter, "ended {ended}")?;
        }
        writeln!(formatter, "files {files}\nbytes {bytes}\ndone {done}")?;
        writeln!(formatter, "placed {placed}\nfailed {failed}\nremoved {removed}")?;
        writeln!(formatter, "fetched {fetched}\nwritten {written}")?;
        writeln!(formatter, "kept {kept}\nkept-bytes {kept_bytes}\nby-size {by_size}\nrefused {refused}")?;
        writeln!(formatter, "failures {}", failures.iter().copied().map(word).collect::<Vec<_>>().join(" "))?;
        for warning in warnings {
            writeln!(formatter, "warning {}", warning_line(warning))?;
        }
        match conclusion {
            Conclusion::Finished => writeln!(formatter, "conclusion finished"),
            Conclusion::Stopped => writeln!(formatter, "conclusion stopped"),
            Conclusion::Vanished => writeln!(formatter, "conclusion running"),
            Conclusion::Superseded => writeln!(formatter, "conclusion superseded"),
            Conclusion::Failed { failure } => {
                writeln!(
                    formatter,
                    "conclusion failed\nkind {}\nwhy {}",
                    word(failure.kind),
                    line(&failure.detail)
                )
            }
        }
    }
}

impl FromStr for TransferRecord {
    type Err = InvalidRecord;

    fn from_str(text: &str) -> Result<Self, InvalidRecord> {
        let value = |key: &str| {
            text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')).ok_or(InvalidRecord)
        };
        let number = |key: &str| value(key)?.parse::<u64>().map_err(|_| InvalidRecord);
        let count = |key: &str| value(key)?.parse::<u32>().map_err(|_| InvalidRecord);
        if value("hfdown")? != VERSION {
            return Err(InvalidRecord);
        }
        let summary = Summary {
            placed: count("placed")?,
            failed: count("failed")?,
            removed: count("removed")?,
            fetched: number("fetched")?,
            written: number("written")?,
            ..Summary::default()
        };
        let skipped = Skipped {
            kept: count("kept")?,
            kept_bytes: number("kept-bytes")?,
            by_size: count("by-size")?,
            refused: count("refused")?,
        };
        let status = TransferStatus {
            title: value("title")?.to_owned(),
            root: value("root")?.to_owned(),
            age: 0,
            files: count("files")?,
            bytes: number("bytes")?,
            done: number("done")?,
            summary,
            skipped,
            failures: value("failures")?.split_whitespace().map(kind).collect(),
        };
        let conclusion = match value("conclusion")? {
            "finished" => Conclusion::Finished,
            "stopped" => Conclusion::Stopped,
            "running" => Conclusion::Vanished,
            "superseded" => Conclusion::Superseded,
            "failed" => Conclusion::Failed { failure: Failure::new(kind(value("kind")?), value("why")?) },
            _ => return Err(InvalidRecord),
        };
        let warnings = text.lines().filter_map(|line| warning(line.strip_prefix("warning ")?)).collect();
        Ok(Self { status, began: number("began")?, ended: number("ended").ok(), conclusion, warnings })
    }
}

/// The kinds whose exit code a controller wants to know; the others are the disk's or a defect.
const KINDS: [(FailureKind, &str); 7] = [
    (FailureKind::Unreachable, "unreachable"),
    (FailureKind::RateLimited, "rate-limited"),
    (FailureKind::Stale, "stale"),
    (FailureKind::NotAllowed, "not-allowed"),
    (FailureKind::NotFound, "not-found"),
    (FailureKind::Corrupt, "corrupt"),
    (FailureKind::Misconfigured, "misconfigured"),
];

fn word(kind: FailureKind) -> &'static str {
    KINDS.iter().find(|(known, _)| *known == kind).map_or("disk", |(_, word)| word)
}

fn kind(word: &str) -> FailureKind {
    KINDS.iter().find(|(_, known)| *known == word).map_or(FailureKind::Disk, |(kind, _)| *kind)
}

/// Before what is told of `hf`'s metadata.
const HUB_METADATA: &str = "hub-metadata ";

fn warning_line(warning: &DiskWarning) -> String {
    let word = match warning {
        DiskWarning::NoLocks { noticed: NoticedRuns::OnThisMachine } => "machine-locks",
        DiskWarning::NoLocks { noticed: NoticedRuns::None } => "no-locks",
        DiskWarning::NoFlush => "no-flush",
        DiskWarning::NoReplace => "no-replace",
        DiskWarning::NoModes => "no-modes",
        DiskWarning::NoLinks => "no-links",
        DiskWarning::HubMetadata { failure } => return format!("{HUB_METADATA}{}", line(&failure.detail)),
    };
    word.to_owned()
}

fn warning(line: &str) -> Option<DiskWarning> {
    Some(match line {
        "machine-locks" => DiskWarning::NoLocks { noticed: NoticedRuns::OnThisMachine },
        "no-locks" => DiskWarning::NoLocks { noticed: NoticedRuns::None },
        "no-flush" => DiskWarning::NoFlush,
        "no-replace" => DiskWarning::NoReplace,
        "no-modes" => DiskWarning::NoModes,
        "no-links" => DiskWarning::NoLinks,
        line => {
            let failure = Failure::new(FailureKind::Disk, line.strip_prefix(HUB_METADATA)?);
            DiskWarning::HubMetadata { failure }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        let status = TransferStatus {
            title: "acme/large @ 607a30d".to_owned(),
            root: "/workspace/a b".to_owned(),
            age: 0,
            files: 3,
            bytes: 1 << 40,
            done: 7,
            summary: Summary {
                placed: 1,
                failed: 2,
                removed: 3,
                fetched: 9,
                written: 8,
                ..Summary::default()
            },
            skipped: Skipped { kept: 4, kept_bytes: 5, by_size: 6, refused: 7 },
            failures: vec![FailureKind::NotFound, FailureKind::Disk],
        };
        let failure = Failure::new(FailureKind::Stale, "no controller came\nto answer");
        let metadata = Failure::new(FailureKind::Disk, "it is another's");
        let warnings = vec![
            DiskWarning::NoLocks { noticed: NoticedRuns::None },
            DiskWarning::NoLocks { noticed: NoticedRuns::OnThisMachine },
            DiskWarning::NoFlush,
            DiskWarning::NoReplace,
            DiskWarning::NoModes,
            DiskWarning::HubMetadata { failure: metadata },
        ];
        for (ended, conclusion) in [
            (None, Conclusion::Vanished),
            (Some(2), Conclusion::Finished),
            (Some(2), Conclusion::Stopped),
            (Some(2), Conclusion::Superseded),
            (Some(2), Conclusion::Failed { failure }),
        ] {
            let warnings = warnings.clone();
            let record = TransferRecord { status: status.clone(), began: 1, ended, conclusion, warnings };
            let read: TransferRecord = record.to_string().parse().unwrap();
            assert_eq!(read.to_string(), record.to_string());
            assert_eq!((&read.status, read.ended), (&record.status, record.ended));
            assert_eq!(read.warnings, record.warnings);
        }
        for failures in [vec![], vec![FailureKind::Corrupt]] {
            let status = TransferStatus { failures: failures.clone(), ..status.clone() };
            let (conclusion, warnings) = (Conclusion::Vanished, Vec::new());
            let record = TransferRecord { status, began: 1, ended: None, conclusion, warnings };
            assert_eq!(record.to_string().parse::<TransferRecord>().unwrap().status.failures, failures);
        }
        for text in ["", "hfdown 0", "conclusion finished"] {
            assert!(text.parse::<TransferRecord>().is_err());
        }
    }
}
