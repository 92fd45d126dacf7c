//! What can be done about the files that a verification has found not to be right.

use hfdown_protocol::FailureKind;

use crate::verification::{CheckedFile, Flaw, Verdict};

/// What says what there should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ListedBy {
    /// The Hub.
    Hub,
    /// The record of the last sync, or the cache itself (`--offline`).
    Record,
}

/// What can be done about the files that are not right.
#[derive(Debug, Default)]
pub(super) struct Remedies {
    /// Whether some can be fetched.
    fetch: bool,
    /// Whether something stands in the place of some.
    clear: bool,
    /// Whether some can't be read.
    mend: bool,
}

impl Remedies {
    pub(super) fn add(&mut self, file: &CheckedFile) {
        match &file.verdict {
            Verdict::Missing | Verdict::Wrong(Flaw::OtherSize(_) | Flaw::OtherContent | Flaw::Misnamed) => {
                self.fetch = true;
            }
            Verdict::Wrong(Flaw::Unusable(failure)) if failure.kind == FailureKind::InTheWay => {
                self.clear = true;
            }
            Verdict::Wrong(Flaw::Unusable(_)) => self.mend = true,
            Verdict::Right | Verdict::Refused(_) | Verdict::Extra(_) => {}
        }
    }

    /// `is_part` says that no more may have been wanted than what is there.
    pub(super) fn in_words(&self, is_part: bool, by: ListedBy) -> Option<String> {
        let repair = match by {
            ListedBy::Hub => "the same command with `--repair`",
            ListedBy::Record => "the same command with `--repair` in the place of `--offline`",
        };
        let mut words = Vec::new();
        if self.fetch {
            words.push(format!("{repair} fetches what is wrong or missing"));
        }
        if self.fetch && is_part {
            words.push("if only a part was wanted, say which: --include, --exclude or --quant".to_owned());
        }
        match (self.clear, self.fetch) {
            (true, true) => {
                words.push("what stands in the place of a file has to be moved away before".to_owned());
            }
            (true, false) => words.push(format!(
                "move away what stands in the place of these files, then {repair} fetches them"
            )),
            (false, _) => {}
        }
        if self.mend {
            let unread = "what cannot be read is not fetched again: see to its permissions or its disk, or move it away";
            words.push(unread.to_owned());
        }
        (!words.is_empty()).then(|| words.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use hfdown_protocol::Failure;

    use super::*;

    #[test]
    fn a_repair_is_hinted_at_where_it_helps() {
        let words = |verdicts: &[Verdict], is_part| {
            let mut remedies = Remedies::default();
            for verdict in verdicts {
                let file = CheckedFile { path: "f".to_owned(), size: 1, verdict: verdict.clone() };
                remedies.add(&file);
            }
            remedies.in_words(is_part, ListedBy::Hub).unwrap_or_default()
        };
        let unusable = |kind| Verdict::Wrong(Flaw::Unusable(Failure::new(kind, "why")));
        let (clear, mend) = (unusable(FailureKind::InTheWay), unusable(FailureKind::PermissionDenied));
        let fetches = "the same command with `--repair` fetches what is wrong or missing";
        assert_eq!(words(&[Verdict::Missing, Verdict::Right], false), fetches);
        assert!(words(&[Verdict::Missing], true).ends_with("say which: --include, --exclude or --quant"));
        assert!(words(&[Verdict::Wrong(Flaw::OtherContent), clear.clone()], false).starts_with(fetches));
        assert!(words(&[clear], false).starts_with("move away what stands"));
        assert!(words(&[mend], false).starts_with("what cannot be read"));
        assert_eq!(words(&[Verdict::Right], true), "");
    }
}
