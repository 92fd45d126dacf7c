//! `hfdown cache`: what it shows and removes, with the real library as a judge.

mod ls;
mod prune;
mod rm;
mod verify;

use hfdown_tests::cached::TestCache;
use hfdown_tests::sandbox::{DestinationKind, Ended, Sandbox, run};
use serde_json::Value;

use crate::places::HFDOWN;

/// Commits of a repository.
const FIRST: &str = "1111111111111111111111111111111111111111";
const SECOND: &str = "2222222222222222222222222222222222222222";

/// A sandbox, and a cache in it.
async fn sandbox() -> (Sandbox, TestCache) {
    let sandbox = Sandbox::start(DestinationKind::Here, HFDOWN).await.unwrap();
    let cache = TestCache::create(&sandbox.scratch().join("hub"));
    (sandbox, cache)
}

/// `hfdown cache` on that cache.
async fn cache(sandbox: &Sandbox, arguments: &[&str]) -> Ended {
    let mut command = sandbox.hfdown(["cache"].iter().chain(arguments));
    command.env("HF_HUB_CACHE", sandbox.scratch().join("hub"));
    run(command).await
}

/// What it printed as objects, of one type.
fn objects(ended: &Ended, kind: &str) -> Vec<Value> {
    let lines = ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap());
    lines.filter(|object: &Value| object["type"] == kind).collect()
}

/// Several repositories, kinds and revisions, with blobs that revisions and repositories share.
fn fill(cache: &TestCache) {
    let tiny = cache.repository("models--acme--tiny");
    let shared = tiny.file(FIRST, "model.safetensors", &[1; 5_000]);
    tiny.link(SECOND, "model.safetensors", &shared);
    tiny.link(SECOND, "sub/again.safetensors", &shared);
    tiny.file(FIRST, "config.json", b"{}");
    tiny.file(SECOND, "config.json", b"{\"second\": true}");
    tiny.name("main", SECOND);
    tiny.name("refs/pr/1", FIRST);
    let data = cache.repository("datasets--acme--data");
    data.file(FIRST, "a/b/c.parquet", &[2; 700]);
    data.name("main", FIRST);
    let plain = cache.repository("models--gpt2");
    let large = plain.shared_blob(&[3; 9_000]);
    plain.link(FIRST, "model.safetensors", &large);
    plain.name("main", FIRST);
    let copy = cache.repository("models--acme--gpt2-copy");
    let large = copy.shared_blob(&[3; 9_000]);
    copy.link(SECOND, "model.safetensors", &large);
    copy.name("main", SECOND);
    let kernel = cache.repository("kernels--acme--kernel");
    kernel.file(FIRST, "build/kernel.so", &[4; 60]);
}
