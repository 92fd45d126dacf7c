//! The Hub's JSON: info, tree, paths-info, references, and who the visitor is.

use data_encoding::HEXLOWER;
use hyper::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::access::Visitor;
use super::page::{Query, entries, selected};
use super::refusal::HubRefusal;
use super::reply::Reply;
use super::repository::{Repository, RepositoryKind, Snapshot, Storage, Stored};

/// When everything here happened. Nothing depends on it.
pub(super) const DATE: &str = "2026-11-22T21:31:34.000Z";

pub(super) fn info(
    repository: &Repository,
    revision: Option<&str>,
    query: &str,
) -> Result<Reply, HubRefusal> {
    let snapshot = snapshot(repository, revision.unwrap_or("main"))?;
    let blobs = url::form_urlencoded::parse(query.as_bytes())
        .any(|(key, value)| key == "blobs" && matches!(&*value, "true" | "True" | "1"));
    let siblings: Vec<Value> = snapshot.files.values().map(|file| sibling(file, blobs)).collect();
    let used: u64 = snapshot.files.values().map(|file| file.content.size()).sum();
    let id = &repository.id;
    let mut tags = vec![];
    let mut card = json!({});
    if let Some(licence) = &repository.licence {
        tags.push(format!("license:{licence}"));
        card["license"] = json!(licence);
    }
    let mut body = json!({
        "_id": repository.number, "id": id, "author": id.split_once('/').map(|(author, _)| author),
        "sha": snapshot.commit.as_str(), "lastModified": DATE, "createdAt": DATE,
        "private": repository.access.private,
        "gated": repository.access.gate.map_or(json!(false), |gate| json!(gate.word())),
        "disabled": false, "downloads": 1, "likes": 0,
        "tags": tags, "cardData": card, "usedStorage": used, "siblings": siblings,
    });
    if repository.kind == RepositoryKind::Model {
        body["modelId"] = json!(id);
        body["library_name"] = json!("transformers");
        body["pipeline_tag"] = json!("text-generation");
        body["config"] = json!({});
    }
    Ok(Reply::ok(&body))
}

fn sibling(file: &Stored, blobs: bool) -> Value {
    if !blobs {
        return json!({ "rfilename": file.path });
    }
    let size = file.content.size();
    let mut entry = json!({ "rfilename": file.path, "size": size, "blobId": HEXLOWER.encode(&file.blob) });
    if let Storage::Lfs { pointer_size, .. } = file.storage {
        entry["lfs"] = json!({ "sha256": file.content.sha256(), "size": size, "pointerSize": pointer_size });
    }
    entry
}

/// `address` is the full address of the question without its query: the `Link` to the next page is absolute.
pub(super) fn tree(
    repository: &Repository,
    revision: &str,
    folder: &str,
    query: &str,
    page_size: usize,
    address: &str,
) -> Result<Reply, HubRefusal> {
    let snapshot = snapshot(repository, revision)?;
    let query = Query::of(query);
    let all =
        entries(&snapshot, folder, &query).ok_or_else(|| HubRefusal::Entry { path: folder.to_owned() })?;
    let (page, next) = query.page(all, page_size);
    let page: Vec<Value> = page.iter().map(|listed| listed.json(&snapshot, &query)).collect();
    let reply = Reply::ok(&json!(page));
    Ok(match next {
        Some(next) => reply.with("link", &format!("<{address}?{next}>; rel=\"next\"")),
        None => reply,
    })
}

/// The question is in the body, as a form or as JSON.
pub(super) fn paths_info(
    repository: &Repository,
    revision: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Reply, HubRefusal> {
    let snapshot = snapshot(repository, revision)?;
    let kind = headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (paths, expand) = if kind.starts_with("application/json") {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let paths = body["paths"].as_array().into_iter().flatten();
        (paths.filter_map(|path| path.as_str().map(str::to_owned)).collect(), body["expand"] == json!(true))
    } else {
        let pairs = || url::form_urlencoded::parse(body);
        let paths = pairs().filter(|(key, _)| key == "paths").map(|(_, path)| path.into_owned()).collect();
        (paths, pairs().any(|(key, value)| key == "expand" && matches!(&*value, "true" | "True")))
    };
    let paths: Vec<String> = paths;
    let query = Query::of(if expand { "expand=true" } else { "" });
    Ok(Reply::ok(&json!(selected(&snapshot, &paths, &query))))
}

pub(super) fn references(repository: &Repository) -> Reply {
    let under = |prefix: &str| -> Vec<Value> {
        let named = repository.references.iter();
        let named = named.filter_map(|(name, commit)| Some((name, name.strip_prefix(prefix)?, commit)));
        named
            .map(|(full, name, commit)| json!({ "name": name, "ref": full, "targetCommit": commit.as_str() }))
            .collect()
    };
    Reply::ok(&json!({
        "branches": under("refs/heads/"), "tags": under("refs/tags/"),
        "converts": under("refs/convert/"), "pullRequests": under("refs/pr/"),
    }))
}

pub(super) fn who_am_i(visitor: &Visitor) -> Result<Reply, HubRefusal> {
    match visitor {
        Visitor::Anonymous => Err(HubRefusal::NoCredentials),
        Visitor::Known { .. } => Ok(Reply::json(
            StatusCode::OK,
            &json!({
                "type": "user", "id": "000000000000000000000001", "name": "tester", "fullname": "Tester",
                "isPro": false, "orgs": [],
                "auth": { "type": "access_token", "accessToken": { "displayName": "test", "role": "read" } },
            }),
        )),
    }
}

fn snapshot(repository: &Repository, revision: &str) -> Result<std::sync::Arc<Snapshot>, HubRefusal> {
    repository.at(revision).ok_or_else(|| HubRefusal::Revision { revision: revision.to_owned() })
}
