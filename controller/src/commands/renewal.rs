//! Where the addresses of detached transfers come from when they have gone stale: each repository that is on record is asked
//! for once, however many boxes fetch it.

use std::sync::Arc;

use hfdown_agent::http::SpeedFloor;
use tokio::sync::Mutex;

use crate::cli::{Model, RepoArguments, Settings, TypedCommand};
use crate::detached_records::DetachedRecord;
use crate::display::Events;
use crate::failure;
use crate::hub::HubError;
use crate::routes::XetPolicy;
use crate::session::{Relaying, Sources, XetSources};

/// What a record names, and where its addresses come from, or why from nowhere.
type KnownSources = (DetachedRecord, Result<Sources, Arc<str>>);

/// The sources of what is on record.
pub(super) struct Renewals {
    token: Option<String>,
    /// Locked while one is asked for.
    known: Mutex<Vec<KnownSources>>,
}

impl Renewals {
    /// None yet. The token may have been typed.
    pub(super) fn new(token: Option<&str>) -> Self {
        Self { token: token.map(str::to_owned), known: Mutex::default() }
    }

    /// Those of one target, or why there are none: that is said to the first that asks for them, and none to the others.
    pub(super) async fn sources(
        &self,
        record: DetachedRecord,
        events: &Events,
    ) -> Result<Option<Sources>, Arc<str>> {
        let mut known = self.known.lock().await;
        if let Some((_, sources)) = known.iter().find(|(known, _)| *known == record) {
            return Ok(sources.as_ref().ok().map(Sources::for_target));
        }
        let sources = renewed(&record, self.token.as_deref(), events).await.map_err(Arc::from);
        known.push((record, sources.clone()));
        sources.map(Some)
    }
}

/// Asks the Hub for the repository that a record names.
async fn renewed(record: &DetachedRecord, token: Option<&str>, events: &Events) -> Result<Sources, String> {
    let DetachedRecord { endpoint, repo, commit } = record;
    let source = RepoArguments { model: repo.clone(), revision: Some(commit.to_string()), token: None };
    let settings = Model::whole(&source, &TypedCommand { verb: "attach", after: Vec::new() })
        .and_then(|model| Settings::new(model, token, SpeedFloor::default(), events));
    let Settings { hub, repo, revision, .. } = settings.map_err(|problem| problem.causes.join(": "))?;
    if hub.endpoint().to_string() != *endpoint {
        return Err(format!("it was detached with HF_ENDPOINT={endpoint}"));
    }
    let words = |error: HubError| failure::in_words(&error.to_string());
    let info = hub.info(&repo, &revision).await.map_err(words)?;
    let listing = hub.list(&info).await.map_err(words)?;
    let info = Arc::new(info);
    let xet = XetSources::new(Arc::clone(&hub), Arc::clone(&info), XetPolicy::Auto);
    Ok(Sources::new(hub, info, Relaying::Never).with_xet(Arc::new(xet)).within(&listing))
}
