//! The cache, opened and looked at.

use std::path::PathBuf;
use std::sync::Arc;

use hfdown_agent::hub_cache::{CacheScan, HubCache};

use super::Context;
use crate::cache::{CacheTarget, resolve};
use crate::cli::{CachePlace, hub_cache, name_in_cache};
use crate::event::Event;
use crate::failure::{self, Exit, Problem};
use crate::text::sanitize;

/// The most characters of a sentence on what is odd in a cache: it has names from there.
const LONGEST: usize = 600;
/// The most names of what does not belong into a cache that are said.
const MOST_NAMES: usize = 5;

/// A cache that was looked at.
pub(super) struct OpenCache {
    pub(super) path: PathBuf,
    /// None where there is none: an empty one then.
    pub(super) cache: Option<Arc<HubCache>>,
    pub(super) scan: CacheScan,
}

/// Opens it and looks at it.
pub(super) async fn open(place: &CachePlace, context: &Context) -> Result<OpenCache, Problem> {
    let path = hub_cache(place.cache_dir.as_deref())?;
    let path = std::path::absolute(&path).unwrap_or(path);
    let looked = path.clone();
    let looking = tokio::task::spawn_blocking(move || {
        let Some(cache) = HubCache::open(&looked)? else { return Ok((None, CacheScan::default())) };
        let scan = cache.scan()?;
        Ok((Some(Arc::new(cache)), scan))
    });
    let looked = tokio::select! {
        looked = looking => looked,
        () = context.cancel.cancelled() => return Err(Problem::new(Exit::Cancelled, "cancelled")),
    };
    let attempted = format!("cannot look into the cache {}", path.display());
    match looked {
        Ok(Ok((cache, scan))) => Ok(OpenCache { path, cache, scan }),
        Ok(Err(fault)) => Err(failure::cache(attempted, &fault)),
        Err(defect) => Err(Problem::new(Exit::Failed, attempted).because(defect)),
    }
}

impl OpenCache {
    /// What is meant by a word that was typed. `attempt` is what it was typed for, as in `cannot remove`.
    pub(super) fn resolve(&self, typed: &str, attempt: &str) -> Result<CacheTarget, Problem> {
        let attempted = |typed: &str| format!("cannot {attempt} {typed}");
        let name = name_in_cache(typed, attempted)?;
        resolve(&self.scan, &name)
            .map_err(|error| failure::cache_target(attempted(&name), &self.path, &error))
    }

    /// Says what is odd.
    pub(super) async fn warn(&self, context: &Context) {
        let events = context.events(None);
        let warn = |text: String| Event::Warning { text: sanitize(text, LONGEST) };
        let foreign = &self.scan.foreign;
        if !foreign.is_empty() {
            let names: Vec<_> = foreign.iter().take(MOST_NAMES).map(|name| sanitize(name, 80)).collect();
            let more = foreign.len().saturating_sub(MOST_NAMES);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let are =
                if foreign.len() == 1 { "is no repository, and is" } else { "are no repositories, and are" };
            let text = format!("{}{more} in {} {are} left alone", names.join(", "), self.path.display());
            events.send(warn(text)).await;
        }
        for flaw in &self.scan.flaws {
            events.send(warn(flaw.to_string())).await;
        }
    }
}
