//! A listing, page by page: what `tree` answers, and where its `Link` leads.

use data_encoding::HEXLOWER;
use serde_json::{Value, json};

use super::repository::{Snapshot, Storage, Stored, XetName};

/// How a listing was asked for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) recursive: bool,
    pub(super) expand: bool,
    limit: Option<usize>,
    cursor: Option<String>,
}

/// The real Hub's page size, and the smaller one where each entry comes with its last commit.
pub(super) const PAGE: usize = 1000;
const PAGE_EXPANDED: usize = 50;

impl Query {
    pub(super) fn of(query: &str) -> Self {
        let mut read = Self::default();
        for (key, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let yes = matches!(&*value, "true" | "True" | "1");
            match &*key {
                "recursive" => read.recursive = yes,
                "expand" => read.expand = yes,
                "limit" => read.limit = value.parse().ok(),
                "cursor" => read.cursor = Some(value.into_owned()),
                _ => {}
            }
        }
        read
    }

    /// The entries of the page, and the query of the next one, if there is one.
    pub(super) fn page<T>(&self, all: Vec<T>, page_size: usize) -> (Vec<T>, Option<String>) {
        let most = if self.expand { page_size.min(PAGE_EXPANDED) } else { page_size };
        let size = self.limit.map_or(most, |limit| limit.clamp(1, most));
        let start = self.cursor.as_deref().and_then(position).unwrap_or(0).min(all.len());
        let end = (start + size).min(all.len());
        let next = (end < all.len()).then(|| {
            let (recursive, expand) = (self.recursive, self.expand);
            format!("recursive={recursive}&expand={expand}&limit={size}&cursor={}", cursor(end))
        });
        (all.into_iter().skip(start).take(size).collect(), next)
    }
}

/// Opaque to clients, and with a character that must stay encoded, as the real one's `=`.
fn cursor(position: usize) -> String {
    format!("{}%3D", HEXLOWER.encode(format!("at:{position}").as_bytes()))
}

fn position(cursor: &str) -> Option<usize> {
    let bytes = HEXLOWER.decode(cursor.strip_suffix('=')?.as_bytes()).ok()?;
    String::from_utf8(bytes).ok()?.strip_prefix("at:")?.parse().ok()
}

/// What a listing has a line for. The line itself is written only for the page that is asked for: a page of many would
/// otherwise cost as much as all of them.
pub(super) enum PageEntry<'a> {
    Folder(&'a str),
    File(&'a Stored),
}

/// Everything in a folder, folders included, sorted by path. `None` where there is no such folder.
pub(super) fn entries<'a>(snapshot: &'a Snapshot, folder: &str, query: &Query) -> Option<Vec<PageEntry<'a>>> {
    if !snapshot.folders.contains_key(folder) {
        return None;
    }
    let inside = |path: &str| {
        let name = if folder.is_empty() { Some(path) } else { path.strip_prefix(folder)?.strip_prefix('/') }?;
        (!name.is_empty() && (query.recursive || !name.contains('/'))).then_some(())
    };
    let folders = snapshot.folders.keys().map(|path| PageEntry::Folder(path));
    let files = snapshot.files.values().map(|stored| PageEntry::File(stored));
    let mut listed: Vec<_> = folders.chain(files).filter(|listed| inside(listed.path()).is_some()).collect();
    // Two sorted runs become one. Hostile listings may have a file and a folder of one name.
    listed.sort_by_key(PageEntry::path);
    Some(listed)
}

impl<'a> PageEntry<'a> {
    fn path(&self) -> &'a str {
        match *self {
            Self::Folder(path) => path,
            Self::File(stored) => &stored.path,
        }
    }

    /// Its line.
    pub(super) fn json(&self, snapshot: &Snapshot, query: &Query) -> Value {
        match *self {
            Self::Folder(path) => directory(snapshot, path, query),
            Self::File(stored) => file(snapshot, stored, query),
        }
    }
}

/// The entries of these paths; those that are nowhere are left out.
pub(super) fn selected(snapshot: &Snapshot, paths: &[String], query: &Query) -> Vec<Value> {
    let mut listed = Vec::new();
    for path in paths.iter().map(|path| path.trim_end_matches('/')) {
        if let Some(stored) = snapshot.files.get(path) {
            listed.push(file(snapshot, stored, query));
        } else if snapshot.folders.contains_key(path) && !path.is_empty() {
            listed.push(directory(snapshot, path, query));
        }
    }
    listed
}

fn directory(snapshot: &Snapshot, path: &str, query: &Query) -> Value {
    let oid = HEXLOWER.encode(&snapshot.folders[path]);
    expanded(json!({ "type": "directory", "oid": oid, "size": 0, "path": path }), snapshot, query)
}

fn file(snapshot: &Snapshot, stored: &Stored, query: &Query) -> Value {
    let size = stored.content.size();
    let mut entry =
        json!({ "type": "file", "oid": HEXLOWER.encode(&stored.blob), "size": size, "path": stored.path });
    if let Storage::Lfs { pointer_size, xet, .. } = &stored.storage {
        entry["lfs"] = json!({ "oid": stored.content.sha256(), "size": size, "pointerSize": pointer_size });
        if let Some(XetName { hash, .. }) = xet {
            entry["xetHash"] = json!(hash);
        }
    }
    if query.expand {
        let unscanned = json!({ "status": "unscanned" });
        entry["securityFileStatus"] =
            json!({ "status": "unscanned", "avScan": unscanned, "pickleImportScan": unscanned });
    }
    expanded(entry, snapshot, query)
}

fn expanded(mut entry: Value, snapshot: &Snapshot, query: &Query) -> Value {
    if query.expand {
        let (id, title) = (snapshot.commit.as_str(), &snapshot.title);
        entry["lastCommit"] = json!({ "id": id, "title": title, "date": super::api::DATE });
    }
    entry
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_join_to_the_whole() {
        let all: Vec<Value> = (0..7).map(|number| json!(number)).collect();
        let mut query = Query::of("recursive=true&expand=false");
        let mut seen = Vec::new();
        let mut pages = 0;
        loop {
            let (page, next) = query.page(all.clone(), 3);
            seen.extend(page);
            pages += 1;
            let Some(next) = next else { break };
            query = Query::of(&next);
            assert!(query.recursive && !query.expand);
        }
        assert_eq!((seen, pages), (all, 3));
    }
}
