//! A plan in words: its totals as a sentence, its files as a table or as reasons.

use hfdown_protocol::{Proof, Provenance};

use super::reason::{because, refused_name};
use super::style::Verbosity;
use crate::plan::{Action, Extraneous, Plan, Planned, Reason, Replaced};
use crate::selection::Portion;
use crate::text::units::{bytes, bytes_of, count};

/// The totals: `plan: fetch 3 files (548 MB), keep 9 · 12 of 40 files (9.1 of 210 GB)`.
pub(super) fn headline(plan: &Plan) -> String {
    let portion = plan.portion().map(|Portion { files, bytes, of_files, of_bytes }| {
        format!(" · {files} of {} ({})", count(of_files, "file"), bytes_of(bytes, of_bytes))
    });
    format!("{}{}", totals(plan), portion.unwrap_or_default())
}

fn totals(plan: &Plan) -> String {
    let (fetched, kept) = (plan.to_fetch().count(), plan.kept().count());
    let (removed, refused) = (plan.to_remove().count(), plan.obstructed().count() + plan.refused.len());
    let links = plan.to_link().count();
    if fetched + removed + refused + links == 0 {
        return match kept {
            0 => "plan: nothing to do, there are no files".to_owned(),
            // A link to one of them may be missing: that is seen, and mended, when it is carried out.
            kept if plan.is_in_cache => {
                let are = if kept == 1 { "is" } else { "are" };
                format!("plan: nothing to fetch, {} {are} there already", count(kept, "file"))
            }
            1 => "plan: nothing to do, the file is there already".to_owned(),
            kept => format!("plan: nothing to do, {kept} files are there already"),
        };
    }
    let mut parts = Vec::new();
    if fetched == 0 {
        parts.push("nothing to fetch".to_owned());
    } else {
        let size: u64 = plan.to_fetch().map(|file| file.size).sum();
        let resumed = match size - plan.missing_bytes() {
            0 => String::new(),
            resumed => format!(", resume {} of it", bytes(resumed)),
        };
        let fresh = match plan.fresh_bytes() {
            _ if !plan.routes.has_copies() => String::new(),
            fresh => format!(", {} of it new", bytes(fresh)),
        };
        let wire = match plan.wire_bytes() {
            wire if plan.routes.is_plain() || wire >= plan.fresh_bytes() => String::new(),
            wire => format!(", {} over the wire", bytes(wire)),
        };
        parts.push(format!("fetch {} ({}{resumed}{fresh}{wire})", count(fetched, "file"), bytes(size)));
    }
    if links > 0 {
        parts.push(format!("make {}", count(links, "link")));
    }
    if kept > 0 {
        parts.push(format!("keep {kept}"));
    }
    if removed > 0 {
        parts.push(format!("remove {removed}"));
    }
    if refused > 0 {
        parts.push(format!("{refused} refused"));
    }
    format!("plan: {}", parts.join(", "))
}

/// How many files are named in a sentence: what a user reads at a glance. All of them are in the dry run's table.
const NAMED: usize = 5;

/// What a user would want to know before it is done: files that are replaced and are not hfdown's, or not as it left
/// them, and names that programs may obey.
pub(super) fn notes(plan: &Plan) -> Vec<String> {
    let named = |files: &[Planned<'_>]| {
        let names: Vec<_> = files.iter().take(NAMED).map(|file| file.path.as_str()).collect();
        let rest = match files.len().saturating_sub(NAMED) {
            0 => String::new(),
            rest => format!(" and {rest} more"),
        };
        format!("{}{rest}", names.join(", "))
    };
    let noted = [Provenance::Foreign, Provenance::Edited, Provenance::Cached];
    let replaced = noted.into_iter().filter_map(|provenance| {
        let files = plan.replacing(provenance);
        let which = match (provenance, files.len()) {
            (Provenance::Placed, _) | (_, 0) => return None,
            (Provenance::Foreign, _) => "that hfdown did not put there",
            (Provenance::Edited, 1) => "that was changed since hfdown put it there",
            (Provenance::Edited, _) => "that were changed since hfdown put them there",
            (Provenance::Cached, _) => "whose content is wrong",
        };
        Some(format!("replaces {} {which}: {}", count(files.len(), "file"), named(&files)))
    });
    let obeyed = plan.obeyed_at_home();
    let note = || format!("note: names that programs may obey in a home folder: {}", named(&obeyed));
    replaced.chain((!obeyed.is_empty()).then(note)).collect()
}

/// A dry run's data, a line per file: `fetch    548 MB  model.safetensors  (other content)`. None where nothing is to
/// be done.
pub(super) fn table(plan: &Plan, verbosity: Verbosity) -> impl Iterator<Item = String> {
    let row = |verb: &str, size: Option<u64>, path: &str, why: &str| {
        let size = size.map_or_else(|| "-".to_owned(), bytes);
        format!("{verb:<6}  {size:>7}  {path}  ({why})")
    };
    let files = plan.files().filter_map(move |file| {
        let (size, path) = (Some(file.size), file.path.as_str());
        match &file.action {
            Action::Fetch { reason, replaces, partial } => {
                Some(row("fetch", size, path, &why(*reason, *replaces, *partial)))
            }
            Action::Keep { proof } if verbosity == Verbosity::Verbose => {
                Some(row("keep", size, path, how(*proof)))
            }
            Action::Keep { .. } => None,
            Action::Refuse { failure } => Some(row("refuse", size, path, &because(failure))),
        }
    });
    let refused = plan
        .refused
        .iter()
        .map(move |refused| row("refuse", None, &refused_name(refused), &refused.reason.to_string()));
    let removed = plan
        .to_remove()
        .map(move |file| row("remove", Some(file.stamp.size), file.path.as_str(), "no longer listed"));
    files.chain(refused).chain(removed)
}

/// Every file and why, for `--verbose`: `fetch model.safetensors (548 MB): not there`.
pub(super) fn reasons(plan: &Plan) -> impl Iterator<Item = String> {
    let files = plan.files().map(|file| {
        let (path, size) = (&file.path, bytes(file.size));
        match &file.action {
            Action::Fetch { reason, replaces, partial } => {
                format!("fetch {path} ({size}): {}", why(*reason, *replaces, *partial))
            }
            Action::Keep { proof } => format!("keep {path} ({size}): {}", how(*proof)),
            Action::Refuse { failure } => format!("refuse {path} ({size}): {}", because(failure)),
        }
    });
    let refused =
        plan.refused.iter().map(|refused| format!("refuse {}: {}", refused_name(refused), refused.reason));
    let extraneous = plan.extraneous.iter().map(|(file, fate)| match fate {
        Extraneous::Remove => {
            format!("remove {} ({}): no longer listed", file.path, bytes(file.stamp.size))
        }
        Extraneous::Keep => {
            format!("leave {} ({}): no longer listed, --delete removes it", file.path, bytes(file.stamp.size))
        }
    });
    files.chain(refused).chain(extraneous)
}

fn why(reason: Reason, replaces: Option<Replaced>, partial: u64) -> String {
    let reason = match reason {
        Reason::Missing => "not there",
        Reason::OtherSize => "other size",
        Reason::OtherContent => "other content",
    };
    let whose = match replaces.map(|there| there.provenance) {
        None | Some(Provenance::Placed | Provenance::Cached) => "",
        Some(Provenance::Edited) => ", changed since hfdown put it there",
        Some(Provenance::Foreign) => ", not put there by hfdown",
    };
    let resumed = if partial == 0 { String::new() } else { format!(", resume after {}", bytes(partial)) };
    format!("{reason}{whose}{resumed}")
}

fn how(proof: Proof) -> &'static str {
    match proof {
        Proof::Recorded => "unchanged since it was proved",
        Proof::Read | Proof::Unnamed | Proof::Misnamed => "read and proved",
        Proof::SizeOnly => "same size",
    }
}
