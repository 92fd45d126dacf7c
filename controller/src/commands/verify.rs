//! `hfdown verify MODEL [SSH] DIR`: read everything that is there and say what is right; with `--repair`, fetch the rest.
//!
//! It is a sync that believes no record. Without `--repair` it ends before the plan, needs no lock and changes nothing, so
//! that it can look at a folder which may not be written to, or which a sync is changing.

use std::path::Path;
use std::time::Duration;

use hfdown_protocol::{Check, Traces};

use super::Context;
use super::attempts::SyncRun;
use super::remedies::{ListedBy, Remedies};
use super::request::{FolderLayout, SyncRequest, Target, Targets, Through};
use crate::cli::{
    BoxAccess, Cache, CacheArguments, FleetArguments, LimitArguments, LoginArguments, Model, RepoArguments,
    SelectionArguments, Settings, TypedCommand, TypedPlaces, VerifyArguments, check_folder_there,
    check_path_here, of_command,
};
use crate::event::{Event, HintBeside};
use crate::failure::{Exit, Problem};
use crate::plan::{Extraneous, Intent, Inventory, Policy};
use crate::selection::{Selected, Selection};
use crate::session::Machine;
use crate::text::sanitize;
use crate::verification::{VerificationTotals, verify};

/// The most characters of a word that a user typed.
const LONGEST_WORD: usize = 200;
const USAGE: &str = "hfdown verify MODEL DIR, or with a folder on a box hfdown verify MODEL 'ssh -p PORT USER@HOST' DIR; --cache in \
     the place of DIR is the hub cache";

/// What was typed.
pub(super) struct TypedVerification<'a> {
    pub(super) source: &'a RepoArguments,
    pub(super) place: &'a [String],
    pub(super) cache: &'a CacheArguments,
    pub(super) selection: &'a SelectionArguments,
    pub(super) verify: &'a VerifyArguments,
    pub(super) login: &'a LoginArguments,
    pub(super) fleet: &'a FleetArguments,
    pub(super) limits: &'a LimitArguments,
}

/// Where it is looked.
#[derive(Debug, PartialEq, Eq)]
enum VerifiedPlace<'a> {
    Here { folder: Option<&'a str> },
    OnBoxes,
}

pub(super) async fn request(
    typed: TypedVerification<'_>,
    context: &Context,
) -> Result<(SyncRequest, Targets), Problem> {
    let TypedVerification { source, place, cache, selection, verify, login, fleet, limits } = typed;
    let words = selection.words();
    let after = place.iter().chain(&words).map(String::as_str).collect();
    let model = Model::whole(source, &TypedCommand { verb: "verify", after })?;
    let selection = selection.selection(model.quantisation.as_ref())?;
    let settings = |model, events| Settings::new(model, source.token.as_deref(), limits.floor(), events);
    let places = TypedPlaces { words: place, is_cache: cache.is_wanted(), fleet };
    let place = if places.is_fleet() { VerifiedPlace::OnBoxes } else { VerifiedPlace::of(place, cache)? };
    let (settings, targets, cache) = match place {
        VerifiedPlace::Here { folder } => {
            let (events, cache) = (context.events(None), Cache::here(cache)?);
            let settings = settings(model, &events)?;
            let folder = folder.unwrap_or_default().to_owned();
            let target = Target::local(&settings, folder, cache.as_ref(), events)?;
            (settings, Targets::One(Box::new(target)), cache)
        }
        VerifiedPlace::OnBoxes => {
            let (cache, access) = (Cache::on_box(cache)?, BoxAccess::new(login, Traces::Keep)?);
            let targets = Targets::on_boxes(places, &access, cache.as_ref(), context).await?;
            (settings(model, &targets.events(context))?, targets, cache)
        }
    };
    let intent = if verify.repair { Intent::Execute } else { Intent::Verify };
    let through = if verify.through_controller { Through::Controller } else { Through::Nothing };
    // The layout that needs no commit, which only the record knows.
    let layout = if verify.offline { FolderLayout::Bare } else { FolderLayout::LocalDir };
    let request = SyncRequest {
        selection,
        layout,
        policy: Policy { check: Check::Everything, extraneous: Extraneous::Keep },
        through,
        ..SyncRequest::within(settings, limits, intent)
    };
    Ok((request.into_cache(cache.as_ref()), targets))
}

impl<'a> VerifiedPlace<'a> {
    /// The number of words tells: a folder is the last one, unless it is the hub cache.
    fn of(words: &'a [String], cache: &CacheArguments) -> Result<Self, Problem> {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let usage = |attempted: String| Problem::new(Exit::Usage, attempted).hint(USAGE);
        match words[..] {
            [] if cache.is_wanted() => Ok(Self::Here { folder: None }),
            [.., word] if cache.is_wanted() && is_folder(word) => Err(folder_beside_cache(word)),
            [ssh] if cache.is_wanted() => Ok(Self::OnBox { ssh, folder: None }),
            [.., folder] if cache.is_wanted() => Err(usage(format!(
                "there is no place for `{}` beside --cache",
                sanitize(folder, LONGEST_WORD)
            ))),
            [] => Err(usage("DIR is missing: the folder that is to be verified".to_owned())),
            [ssh] if ssh.starts_with("ssh ") || ssh.starts_with("ssh://") => {
                Err(usage(format!("DIR is missing: the folder behind `{}`", sanitize(ssh, LONGEST_WORD))))
            }
            [folder] => {
                check_path_here(folder).map_err(|why| no_folder(folder, why))?;
                Ok(Self::Here { folder: Some(folder) })
            }
            [ssh, folder] => {
                check_folder_there(folder).map_err(|why| no_folder(folder, why))?;
                Ok(Self::OnBox { ssh, folder: Some(folder) })
            }
            [_, _, third, ..] => {
                Err(usage(format!("there is no place for `{}`", sanitize(third, LONGEST_WORD))))
            }
        }
    }
}

/// Whether a word can hardly be meant as a box.
fn is_folder(word: &str) -> bool {
    ["/", "./", "../", "~"].iter().any(|start| word.starts_with(start))
        || [".", ".."].contains(&word)
        || Path::new(word).is_dir()
}

fn folder_beside_cache(word: &str) -> Problem {
    let quoted = sanitize(shell_words::quote(word).as_ref(), LONGEST_WORD);
    let word = sanitize(word, LONGEST_WORD);
    let attempted = format!("`{word}` is a folder, and --cache stands in the place of DIR");
    Problem::new(Exit::Usage, attempted).hint(format!(
        "`--cache-dir {quoted}` names another cache, `hfdown verify MODEL {quoted}` verifies a folder; a box of that name \
         is 'ssh {word}'"
    ))
}

fn no_folder(word: &str, why: String) -> Problem {
    Problem::new(Exit::Usage, format!("`{}` names no folder", sanitize(word, LONGEST_WORD))).because(why)
}

/// Tells every file, once in a run, and what it comes to.
pub(super) async fn tell(
    request: &SyncRequest,
    target: &Target,
    selected: &Selected,
    inventory: &Inventory,
    took: Duration,
    by: ListedBy,
    run: &mut SyncRun,
) {
    let (mut totals, mut remedies) = (VerificationTotals::default(), Remedies::default());
    for file in verify(selected, inventory) {
        totals.add(&file);
        remedies.add(&file);
        target.events.send(Event::Checked(file)).await;
    }
    target.events.send(Event::Verification { totals, took }).await;
    if !totals.is_right() && request.intent == Intent::Verify {
        let is_part = request.selection == Selection::Everything
            && (totals.wrong.files, totals.right.files > 0) == (0, true);
        if let Some(text) = remedies.in_words(is_part, by) {
            target.events.send(Event::Hint { text, beside: HintBeside::Result }).await;
        }
    }
    run.carryover.tally = totals.tally();
}

fn is_cache(request: &SyncRequest) -> bool {
    matches!(request.layout, FolderLayout::HubCache(_))
}

/// What to do where there is nothing to verify, or no Hub to go by.
pub(super) fn advise(problem: Problem, request: &SyncRequest, target: &Target) -> Problem {
    if request.policy.check != Check::Everything {
        return problem;
    }
    let is_known_here = target.ssh.is_empty() || !is_cache(request);
    if problem.exit == Exit::Unreachable && request.intent == Intent::Verify && is_known_here {
        let known =
            if is_cache(request) { "what the cache itself says" } else { "the record of the last sync" };
        let before = problem.hint.as_ref().map(|hint| format!("{hint}; or ")).unwrap_or_default();
        return problem.hint(format!("{before}add --offline to go by {known}, without a Hub"));
    }
    if problem.exit != Exit::NotFound || problem.hint.is_some() {
        return problem;
    }
    let Settings { repo, revision, .. } = &request.settings;
    let (verb, ssh) = match target.machine {
        Machine::Local(_) => ("rsync-sync", None),
        Machine::Box { .. } => ("rsync-to-vast", Some(target.ssh.clone())),
    };
    let place = match (request.layout, &target.folder) {
        (FolderLayout::HubCache(_), folder) => Cache::words(folder.as_deref(), ssh.is_none()),
        (FolderLayout::LocalDir | FolderLayout::Bare, folder) => folder.iter().cloned().collect(),
    };
    let words: Vec<String> = ssh.into_iter().chain(place).chain(request.selection.words()).collect();
    let command = TypedCommand { verb, after: words.iter().map(String::as_str).collect() };
    problem.hint(format!("check the path; `{}` brings the model there", of_command(&command, repo, revision)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_words_tells_a_box_from_a_folder_here() {
        let place = |words: &[&str], is_cache| {
            let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
            let cache = CacheArguments { cache: is_cache, cache_dir: None };
            match VerifiedPlace::of(&words, &cache) {
                Ok(VerifiedPlace::Here { folder }) => Ok(format!("here {}", folder.unwrap_or("cache"))),
                Ok(VerifiedPlace::OnBox { ssh, folder }) => {
                    Ok(format!("{ssh} {}", folder.unwrap_or("cache")))
                }
                Err(problem) => Err(problem.attempted),
            }
        };
        assert_eq!(place(&[], true), Ok("here cache".to_owned()));
        assert_eq!(place(&["box"], true), Ok("box cache".to_owned()));
        assert!(place(&["box", "x"], true).is_err_and(|said| said.contains("beside --cache")));
        for folder in ["/x", "./x", "../x", "~/x", ".", "src"] {
            let said = place(&[folder], true);
            assert!(said.as_ref().is_err_and(|said| said.contains("is a folder")), "{said:?}");
        }
        assert!(place(&["box", "/x"], true).is_err_and(|said| said.contains("`/x` is a folder")));
        let place = |words: &[&str]| place(words, false);
        assert_eq!(place(&["./x"]), Ok("here ./x".to_owned()));
        assert_eq!(place(&["ssh -p 1 root@h", "/x"]), Ok("ssh -p 1 root@h /x".to_owned()));
        assert_eq!(place(&["box", "~/x"]), Ok("box ~/x".to_owned()));
        for (words, complaint) in [
            (&[][..], "DIR is missing"),
            (&["ssh -p 1 root@h"], "DIR is missing: the folder behind `ssh -p 1 root@h`"),
            (&["ssh://root@h:1"], "DIR is missing: the folder behind"),
            (&["C:\\x"], "`C:\\x` names no folder"),
            (&["box", "C:\\x"], "`C:\\x` names no folder"),
            (&["a", "b", "c"], "there is no place for `c`"),
        ] {
            let said = place(words);
            assert!(said.as_ref().is_err_and(|said| said.starts_with(complaint)), "{words:?}: {said:?}");
        }
    }
}
