//! `hfdown rsync-sync MODEL DIR`: bring a folder here up to date.

use super::Context;
use super::request::{SyncRequest, Target};
use crate::cli::{RepoArguments, Settings, SyncArguments, TransferArguments};
use crate::failure::Problem;

pub(super) fn request(
    source: &RepoArguments,
    folder: &str,
    arguments: &SyncArguments,
    transfer: &TransferArguments,
    context: &Context,
) -> Result<(SyncRequest, Target), Problem> {
    let events = context.events(None);
    let settings = Settings::new(source, transfer.floor(), &events)?;
    let target = Target::local(&settings, folder.to_owned(), events)?;
    let request = SyncRequest { policy: arguments.policy(), ..SyncRequest::new(settings, transfer) };
    Ok((request, target))
}
