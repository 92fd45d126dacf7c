//! `hfdown info`: what the Hub says of a repository, for people.

use super::plan_lines::REFUSED_NAME;
use super::sanitize::sanitize;
use super::units::{bytes, count};
use crate::hub::{Gating, Listing, RepoInfo};

/// The most characters of a text that somebody wrote on the Hub.
const LONGEST: usize = 200;

/// The repository's name and properties, its files, and their total.
pub(super) fn text(info: &RepoInfo, listing: &Listing) -> String {
    let unknown = || "not stated".to_owned();
    let stated = |text: &Option<String>| text.as_ref().map_or_else(unknown, |text| sanitize(text, LONGEST));
    let mut lines = vec![
        info.id.to_string(),
        format!("commit         {}", info.commit),
        format!("licence        {}", stated(&info.license)),
        format!("gating         {}", gating(info.gating)),
        format!("visibility     {}", if info.private { "private" } else { "public" }),
        format!("last modified  {}", stated(&info.last_modified)),
        String::new(),
    ];
    let longest = listing.files.iter().map(|file| digest_column(file.digest).len()).max().unwrap_or(0);
    lines.extend(listing.files.iter().map(|file| {
        format!("{:>7}  {:<longest$}  {}", bytes(file.size), digest_column(file.digest), file.path)
    }));
    lines.extend(
        listing.refused.iter().map(|refused| {
            format!("refused  {}  ({})", sanitize(&refused.name, REFUSED_NAME), refused.reason)
        }),
    );
    if !listing.files.is_empty() || !listing.refused.is_empty() {
        lines.push(String::new());
    }
    lines.push(format!("{}, {}", count(listing.files.len(), "file"), bytes(listing.total())));
    lines.join("\n")
}

fn digest_column(digest: hfdown_protocol::Digest) -> String {
    format!("{digest:?}")
}

fn gating(gating: Gating) -> &'static str {
    match gating {
        Gating::Open => "none",
        Gating::Auto => "automatic: accept the conditions on its page",
        Gating::Manual => "manual: its owners let people in one by one",
    }
}
