//! Proof that the test Hub is one: the real `hf` lists, downloads, resumes and verifies from it, and is refused by it.

use std::fs;
use std::path::Path;

use hfdown_tests::hf::Hf;
use hfdown_tests::hub::{Content, Gate, HubFault, HubOrigin, HubRequest, TestHub, When};

const MODEL: &str = "acme/tiny";

/// A model with everything that a listing can have, and a listing of several pages.
fn model(hub: &TestHub) -> Vec<(&'static str, Content)> {
    hub.set_page_size(3);
    let regular = [
        ("config.json", Content::from(r#"{"model_type":"tiny"}"#)),
        ("vocab.txt", Content::from("token\n".repeat(20_000))),
        ("empty", Content::from("")),
        ("sub/a b & ü%.txt", Content::from("spaces and more")),
        ("sub/deeper/notes.md", Content::from("# notes")),
    ];
    let large = [
        ("model.safetensors", Content::random(1, 5_000_000)),
        ("sub/onnx/model.onnx", Content::random(2, 1_000_003)),
    ];
    let draft = hub.model(MODEL).licence("mit");
    let draft = regular.iter().fold(draft, |draft, (path, content)| draft.file(path, content.clone()));
    large.iter().fold(draft, |draft, (path, content)| draft.lfs(path, content.clone())).commit();
    regular.into_iter().chain(large).collect()
}

#[track_caller]
fn assert_holds(folder: &Path, files: &[(&str, Content)]) {
    for (path, content) in files {
        let found = fs::read(folder.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert!(found == content.to_vec(), "{path} differs");
    }
}

#[test]
fn hf_downloads_into_a_folder_and_verifies_it() {
    let hub = TestHub::start();
    let Some(hf) = Hf::at(&hub) else { return };
    let files = model(&hub);
    hf.succeeds(&["download", MODEL, "--local-dir", "here"]);
    let folder = hf.home().join("here");
    assert_holds(&folder, &files);
    let pages = hub.requests().iter().filter(|request| request.path.contains("/tree/")).count();
    assert_eq!(pages, 4, "11 entries, folders included, make 4 pages of 3");
    hf.succeeds(&["cache", "verify", MODEL, "--local-dir", "here", "--fail-on-missing-files"]);

    // That verification can fail is what makes its success mean something.
    for (path, content) in
        [("sub/onnx/model.onnx", files[6].1.to_vec()), ("config.json", files[0].1.to_vec())]
    {
        let mut damaged = content.clone();
        damaged[5] ^= 1;
        fs::write(folder.join(path), damaged).unwrap();
        hf.fails_with(&["cache", "verify", MODEL, "--local-dir", "here"], path);
        fs::write(folder.join(path), content).unwrap();
    }
}

#[test]
fn hf_downloads_into_its_cache_and_verifies_it() {
    let hub = TestHub::start();
    let Some(hf) = Hf::at(&hub) else { return };
    let files = model(&hub);
    hf.succeeds(&["download", MODEL]);
    let cached = hf.home().join("hf/hub/models--acme--tiny");
    let commit = fs::read_to_string(cached.join("refs/main")).unwrap();
    assert_holds(&cached.join("snapshots").join(commit), &files);
    // Blobs are named by the ETags of `resolve`, never by the CDN's own.
    assert!(cached.join("blobs").join(files[5].1.sha256()).is_file());
    hf.succeeds(&["cache", "verify", MODEL, "--fail-on-missing-files"]);

    hub.forget_requests();
    hf.succeeds(&["download", MODEL]);
    assert_eq!(hub.bytes_sent(HubOrigin::Cdn), 0);
}

#[test]
fn hf_downloads_a_gated_model_with_its_token_only() {
    let hub = TestHub::start();
    let Some(hf) = Hf::at(&hub) else { return };
    let large = Content::random(3, 100_000);
    hub.token("hf_other");
    let draft = hub.model("acme/gated").gated(Gate::Manual, "hf_good");
    draft.file("config.json", "{}").lfs("model.safetensors", large.clone()).commit();
    let download = ["download", "acme/gated", "--local-dir", "here"];
    hf.fails_with(&download, "gated");
    hf.fails_with(&[&download[..], &["--token", "hf_other"]].concat(), "Access denied");
    hf.fails_with(&[&download[..], &["--token", "hf_wrong"]].concat(), "Invalid");
    assert_eq!(hub.bytes_sent(HubOrigin::Cdn), 0);

    hf.succeeds(&[&download[..], &["--token", "hf_good"]].concat());
    let files = [("config.json", Content::from("{}")), ("model.safetensors", large)];
    assert_holds(&hf.home().join("here"), &files);
    let requests = hub.requests();
    let mut to_the_cdn = requests.iter().filter(|request| request.origin == HubOrigin::Cdn).peekable();
    assert!(to_the_cdn.peek().is_some());
    assert!(!to_the_cdn.any(HubRequest::authorized));
}

#[test]
fn hf_sees_a_private_model_only_with_its_token() {
    let hub = TestHub::start();
    let Some(hf) = Hf::at(&hub) else { return };
    hub.token("hf_other");
    hub.model("acme/secret").private("hf_good").file("config.json", "{}").lfs("big", "content").commit();
    let download = ["download", "acme/secret", "--local-dir", "here"];
    hf.fails_with(&download, "not found");
    hf.fails_with(&[&download[..], &["--token", "hf_other"]].concat(), "not found");
    hf.succeeds(&[&download[..], &["--token", "hf_good"]].concat());
    assert_holds(&hf.home().join("here"), &[("big", Content::from("content"))]);
}

#[test]
fn hf_refuses_a_wrong_token_on_a_public_model_too() {
    let hub = TestHub::start();
    let Some(hf) = Hf::at(&hub) else { return };
    model(&hub);
    hf.fails_with(&["download", MODEL, "--token", "hf_wrong"], "Invalid");
}

#[test]
fn hf_follows_a_renamed_model_and_finds_an_unscoped_one() {
    let hub = TestHub::start();
    let Some(hf) = Hf::at(&hub) else { return };
    let large = Content::random(4, 100_000);
    hub.model("openai-community/gpt2").file("config.json", "{}").lfs("model.bin", large.clone()).commit();
    hub.rename("gpt2", "openai-community/gpt2");
    hub.model("unscoped").file("config.json", "{}").lfs("model.bin", large.clone()).commit();
    for id in ["gpt2", "unscoped"] {
        hf.succeeds(&["download", id, "--local-dir", id]);
        let files = [("config.json", Content::from("{}")), ("model.bin", large.clone())];
        assert_holds(&hf.home().join(id), &files);
        hf.succeeds(&["cache", "verify", id, "--local-dir", id, "--fail-on-missing-files"]);
    }
}

#[test]
fn hf_finds_revisions_data_sets_and_what_is_missing() {
    let hub = TestHub::start();
    let Some(hf) = Hf::at(&hub) else { return };
    let first = hub.model(MODEL).file("version.txt", "1").tag("v1").commit();
    hub.model(MODEL).file("version.txt", "2").commit();
    hub.model(MODEL).file("version.txt", "3").reference("refs/pr/1").commit();
    hub.dataset("acme/rows").lfs("rows.parquet", "rows").file("README.md", "# rows").commit();
    for (revision, version) in [("main", "2"), ("v1", "1"), (first.as_str(), "1"), ("refs/pr/1", "3")] {
        hf.succeeds(&["download", MODEL, "--revision", revision, "--local-dir", "here"]);
        assert_holds(&hf.home().join("here"), &[("version.txt", Content::from(version.to_owned()))]);
    }
    hf.succeeds(&["download", "acme/rows", "--repo-type", "dataset", "--local-dir", "rows"]);
    assert_holds(&hf.home().join("rows"), &[("rows.parquet", Content::from("rows"))]);
    hf.fails_with(&["download", MODEL, "--revision", "v9"], "Revision not found");
    hf.fails_with(&["download", MODEL, "no.txt"], "no.txt");
    hf.fails_with(&["download", "acme/none"], "not found");
}

#[test]
fn hf_resumes_by_range_what_was_cut() {
    let hub = TestHub::start();
    let Some(hf) = Hf::at(&hub) else { return };
    // `hf` takes 10 MiB at a time from the connection, and resumes after the last piece that it had whole.
    let (piece, large) = (10 << 20, Content::random(5, (10 << 20) + 1_000_000));
    hub.model(MODEL).lfs("model.safetensors", large.clone()).commit();
    let cut = hub.fault(HubFault::CutAfter(piece + 500_000), When::file("model.safetensors").first(1));
    let busy = hub.fault(HubFault::RateLimited { seconds: 0 }, When::path("/tree/").first(1));
    hf.succeeds(&["download", MODEL, "--local-dir", "here"]);
    assert_eq!((cut.times_struck(), busy.times_struck()), (1, 1));
    assert_holds(&hf.home().join("here"), &[("model.safetensors", large)]);
    let requests = hub.requests_for("model.safetensors");
    let last = requests.last().unwrap();
    assert_eq!((last.status, last.range(), last.bytes_sent), (206, Some("bytes=10485760-"), 1_000_000));
}
