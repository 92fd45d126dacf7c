//! `hfdown cache verify`: whether what is there is right, without asking the Hub.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::{Context, open};
use crate::cache::{
    CacheEvent, CacheFileState, CacheTarget, CacheVerification, CheckedCacheFile, parse_tree, resolve,
};
use crate::cli::CachePlace;
use crate::event::Event;
use crate::failure::{self, Exit, Problem};
use crate::text::sanitize;

/// How often it is said how far the reading is.
const TICK: Duration = Duration::from_millis(200);
/// The most repositories whose repair is told.
const MOST_REPAIRS: usize = 5;

pub(super) async fn run(models: &[String], place: &CachePlace, context: &Context) -> Result<Exit, Problem> {
    let opened = open::open(place, context).await?;
    let mut chosen: Vec<(usize, Option<usize>)> = Vec::new();
    for typed in models {
        chosen.push(
            match resolve(&opened.scan, typed).map_err(|error| {
                failure::cache_target(format!("cannot check {typed}"), &opened.path, &error)
            })? {
                CacheTarget::Repository(index) => (index, None),
                CacheTarget::Revision(index, at) => (index, Some(at)),
            },
        );
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
        let id = scan.repositories[revision.repository].id.to_string();
        let mut is_damaged = false;
        for file in &revision.files {
            let file = CheckedCacheFile::new(&id, &revision.commit, file);
            sum.add(file.state);
            is_damaged |= matches!(file.state, CacheFileState::Wrong | CacheFileState::Missing);
            events.send(Event::Cache(Box::new(CacheEvent::Checked(file)))).await;
        }
        sum.left_out += revision.left_out;
        if is_damaged {
            repairs.push(format!(
                "`hfdown verify {} --revision {} --cache --repair`",
                sanitize(&id, 300),
                sanitize(&revision.commit, 64)
            ));
        }
    }
    events.send(Event::Cache(Box::new(CacheEvent::Verified(sum)))).await;
    if !repairs.is_empty() {
        let more = repairs.len().saturating_sub(MOST_REPAIRS);
        let more = if more > 0 { format!(" and {more} more like it") } else { String::new() };
        repairs.truncate(MOST_REPAIRS);
        let verb = if repairs.len() == 1 { "fetches" } else { "fetch" };
        let text = format!("{}{more} {verb} what is wrong or missing", repairs.join(", "));
        events.send(Event::Hint { text }).await;
    }
    Ok(match sum {
        CacheVerification { wrong: 0, missing: 0, unreadable: 0, .. } => Exit::Done,
        CacheVerification { wrong: 0, missing: 0, .. } => Exit::Failed,
        _ => Exit::Corrupt,
    })
}
