//! `hfdown cache verify`: whether what is there is right, without asking the Hub.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use hfdown_agent::hub_cache::{CachedId, CachedKind};

use super::{Context, open};
use crate::cache::{
    CacheEvent, CacheFileState, CacheTarget, CacheVerification, CheckedCacheFile, parse_tree,
};
use crate::cli::CachePlace;
use crate::event::{Event, HintBeside};
use crate::failure::{Exit, Problem};
use crate::selection::escaped;
use crate::text::sanitize;
use crate::text::units::count;

const UNREADABLE: &str = "what was said of each of them tells why: run it as a user who may read them, and remove by hand what \
     leads out of its repository";
/// How often it is said how far the reading is.
const TICK: Duration = Duration::from_millis(200);
/// The most repositories whose repair is told.
const MOST_REPAIRS: usize = 5;
/// The most files that are named in a command.
const MOST_FILES: usize = 8;
/// The most characters of a command.
const LONGEST: usize = 4_000;

pub(super) async fn run(models: &[String], place: &CachePlace, context: &Context) -> Result<Exit, Problem> {
    let opened = open::open(place, context).await?;
    let mut chosen: Vec<(usize, Option<usize>)> = Vec::new();
    for typed in models {
        chosen.push(match opened.resolve(typed, "check")? {
            CacheTarget::Repository(index) => (index, None),
            CacheTarget::Revision(index, at) => (index, Some(at)),
        });
    }
    let is_chosen = |index: usize, at: usize| {
        models.is_empty()
            || chosen.iter().any(|(own, revision)| *own == index && revision.is_none_or(|own| own == at))
    };
    opened.warn(context).await;
    let events = context.events(None);
    let Some(cache) = opened.cache else {
        let path = sanitize(opened.path.to_string_lossy().as_bytes(), 4_096);
        events.send(Event::Cache(Box::new(CacheEvent::Absent { path }))).await;
        events.send(Event::Cache(Box::new(CacheEvent::Verified(CacheVerification::default())))).await;
        return Ok(Exit::Done);
    };
    let (scan, stop, ticking) = (opened.scan, context.cancel.clone(), events.clone());
    let revisions: Vec<(usize, usize)> = scan
        .repositories
        .iter()
        .enumerate()
        .flat_map(|(index, repository)| (0..repository.revisions.len()).map(move |at| (index, at)))
        .filter(|(index, at)| is_chosen(*index, *at))
        .collect();
    let checking = tokio::task::spawn_blocking(move || {
        let last = Mutex::new(Instant::now());
        let progress = |read: u64, of: u64| {
            if let Ok(mut last) = last.try_lock()
                && last.elapsed() >= TICK
            {
                *last = Instant::now();
                ticking.sample(Event::Surveying { read, of });
            }
        };
        let checked = cache.verify(&scan, &revisions, parse_tree, &progress, &stop);
        (scan, checked)
    });
    let (scan, checked) = checking
        .await
        .map_err(|defect| Problem::new(Exit::Failed, "cannot check the cache").because(defect))?;
    let Some(checked) = checked else { return Err(Problem::new(Exit::Cancelled, "cancelled")) };
    let mut sum = CacheVerification { revisions: checked.len(), ..CacheVerification::default() };
    let mut repairs = Vec::new();
    for revision in checked {
        let id = &scan.repositories[revision.repository].id;
        let mut flawed = Vec::new();
        for file in &revision.files {
            let path = &file.path;
            let file = CheckedCacheFile::new(id, &revision.commit, file);
            sum.add(file.state);
            if matches!(file.state, CacheFileState::Wrong | CacheFileState::Missing) {
                flawed.push(path.as_str());
            }
            events.send(Event::Cache(Box::new(CacheEvent::Checked(file)))).await;
        }
        sum.left_out += revision.left_out;
        if !flawed.is_empty() && id.kind != CachedKind::Kernel {
            repairs.push(repair(id, &revision.commit, &flawed, place.cache_dir.as_deref()));
        }
    }
    events.send(Event::Cache(Box::new(CacheEvent::Verified(sum)))).await;
    if !repairs.is_empty() {
        let more = repairs.len().saturating_sub(MOST_REPAIRS);
        let more = if more > 0 { format!(" and {more} more like it") } else { String::new() };
        repairs.truncate(MOST_REPAIRS);
        let verb = if repairs.len() == 1 { "fetches" } else { "fetch" };
        let text = format!("{}{more} {verb} what is wrong or missing", repairs.join(", "));
        events.send(Event::Hint { text, beside: HintBeside::Result }).await;
    }
    match sum {
        CacheVerification { wrong: 0, missing: 0, unreadable: 0, .. } => Ok(Exit::Done),
        CacheVerification { wrong: 0, missing: 0, unreadable, .. } => {
            let problem = Problem::new(Exit::Failed, format!("cannot check {}", count(unreadable, "file")));
            Err(problem.hint(UNREADABLE))
        }
        _ => Ok(Exit::Corrupt),
    }
}

/// The command that fetches files of a revision anew, and none that a selection has left out.
fn repair(id: &CachedId, commit: &str, flawed: &[&str], cache_dir: Option<&str>) -> String {
    let is_few = flawed.len() <= MOST_FILES;
    let mut words = vec!["hfdown".to_owned(), "verify".to_owned(), id.to_string()];
    words.extend(["--revision".to_owned(), commit.to_owned()]);
    match cache_dir {
        Some(folder) => words.extend(["--cache-dir".to_owned(), folder.to_owned()]),
        None => words.push("--cache".to_owned()),
    }
    words.push("--repair".to_owned());
    if is_few {
        for path in flawed {
            let glob = escaped(path);
            if glob.starts_with('-') {
                words.push(format!("--include={glob}"));
            } else {
                words.extend(["--include".to_owned(), glob]);
            }
        }
    }
    let command = sanitize(shell_words::join(words), LONGEST);
    let selection = if is_few {
        ""
    } else {
        ", with the --quant, --include or --exclude that it was fetched with, if any,"
    };
    format!("`{command}`{selection}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repair_is_of_the_same_cache_and_of_no_more_than_what_is_flawed() {
        let id = CachedId { kind: CachedKind::Dataset, name: "acme/data".to_owned() };
        assert_eq!(
            repair(&id, "abc", &["a.bin", "b [1].bin", "-c"], None),
            "`hfdown verify datasets/acme/data --revision abc --cache --repair --include a.bin --include 'b [[]1].bin' '--include=-c'`"
        );
        assert_eq!(
            repair(&id, "abc", &["a"; 9], Some("/my hub")),
            "`hfdown verify datasets/acme/data --revision abc --cache-dir '/my hub' --repair`, with the --quant, --include or \
             --exclude that it was fetched with, if any,"
        );
    }
}
