//! A verification in words: a line for each file, and the sum.

use std::time::Duration;

use super::reason;

use super::style::Verbosity;
use crate::text::units::{bytes, count, duration, mean_rate, rate};
use crate::verification::{CheckedFile, ExtraOrigin, FileCount, Flaw, Verdict, VerificationTotals};

/// The state of a file in a word, as `--json` has it as well.
pub(super) fn state(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Right => "ok",
        Verdict::Wrong(_) => "wrong",
        Verdict::Missing | Verdict::Refused(_) => "missing",
        Verdict::Extra(_) => "extra",
    }
}

/// What is to be said of that state, if anything.
pub(super) fn why(file: &CheckedFile) -> Option<String> {
    Some(match &file.verdict {
        Verdict::Right | Verdict::Missing => return None,
        Verdict::Wrong(Flaw::OtherSize(size)) => format!("it has {size} B, and {} are listed", file.size),
        Verdict::Wrong(Flaw::OtherContent) => "its size is right, its digest is not".to_owned(),
        Verdict::Wrong(Flaw::Misnamed) => {
            "its bytes are there, its link in the snapshot leads elsewhere".to_owned()
        }
        Verdict::Wrong(Flaw::Unusable(failure)) => reason::because(failure),
        Verdict::Refused(reason) => reason::because(&reason.failure()),
        Verdict::Extra(ExtraOrigin::Extraneous) => "an earlier sync placed it, no longer listed".to_owned(),
        Verdict::Extra(ExtraOrigin::Foreign) => "not listed".to_owned(),
    })
}

/// The same for programs: what is wrong with it, or how it came to be there.
pub(super) fn kind(verdict: &Verdict) -> Option<&'static str> {
    Some(match verdict {
        Verdict::Right | Verdict::Missing => return None,
        Verdict::Wrong(Flaw::OtherSize(_)) => "other_size",
        Verdict::Wrong(Flaw::OtherContent) => "other_content",
        Verdict::Wrong(Flaw::Misnamed) => "other_link",
        Verdict::Wrong(Flaw::Unusable(failure)) => reason::kind(failure),
        Verdict::Refused(refusal) => reason::kind(&refusal.failure()),
        Verdict::Extra(ExtraOrigin::Extraneous) => "extraneous",
        Verdict::Extra(ExtraOrigin::Foreign) => "foreign",
    })
}

/// From which verbosity on a file is told.
pub(super) fn level(verdict: &Verdict) -> Verbosity {
    match verdict {
        Verdict::Right => Verbosity::Verbose,
        Verdict::Extra(_) => Verbosity::Normal,
        Verdict::Wrong(_) | Verdict::Missing | Verdict::Refused(_) => Verbosity::Quiet,
    }
}

/// `wrong     548 MB  model.safetensors  (its size is right, its digest is not)`.
pub(super) fn line(file: &CheckedFile) -> String {
    let (state, size, path) = (state(&file.verdict), bytes(file.size), &file.path);
    let why = why(file).map(|why| format!("  ({why})")).unwrap_or_default();
    format!("{state:<7}  {size:>7}  {path}{why}")
}

/// The sum: `verified: 26 files (5.2 GB) are right, in 3 s (1.7 GB/s)`.
pub(super) fn summary(totals: &VerificationTotals, took: Duration) -> String {
    let VerificationTotals { right, wrong, missing, extra } = totals;
    let of = |count: &FileCount, word: &str| format!("{} {word} ({})", count.files, bytes(count.bytes));
    let mut parts = Vec::new();
    if totals.is_right() {
        parts.push(format!("verified: {} right ({})", count(right.files, "file"), bytes(right.bytes)));
    } else {
        let flaws = [(wrong, "wrong"), (missing, "missing")];
        let flaws =
            flaws.into_iter().filter(|(count, _)| count.files > 0).map(|(count, word)| of(count, word));
        parts.push(format!("not right: {}", flaws.collect::<Vec<_>>().join(", ")));
        parts.push(of(right, "right"));
    }
    if extra.files > 0 {
        parts.push(of(extra, "extra"));
    }
    let speed = mean_rate(right.bytes.saturating_add(wrong.bytes), took);
    let speed = speed.map(|speed| format!(" ({})", rate(speed))).unwrap_or_default();
    format!("{} · {}{speed}", parts.join(" · "), duration(took))
}
