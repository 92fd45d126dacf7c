//! `hfdown cache ls`.

use std::fs;
use std::os::unix::fs::symlink;

use hfdown_tests::sandbox::run;
use serde_json::json;

use super::{FIRST, SECOND, cache, fill, objects, sandbox};

#[tokio::test]
async fn shows_what_the_real_library_sees() {
    let (sandbox, folder) = sandbox().await;
    fill(&folder);
    let Some(hf) = folder.scanned_by_hf() else { return };
    let listed = cache(&sandbox, &["ls", "--json"]).await;
    assert_eq!(listed.code, 0, "{}", listed.stderr);
    let repositories = objects(&listed, "cached_repository");
    assert_eq!(repositories.len(), hf.0["repositories"].as_object().unwrap().len(), "{}", listed.stdout);
    for ours in &repositories {
        let id = ours["id"].as_str().unwrap();
        let name = id.split_once('/').filter(|(kind, _)| kind.ends_with('s')).map_or(id, |(_, name)| name);
        let theirs = &hf.0["repositories"][format!("{}/{name}", ours["kind"].as_str().unwrap())];
        for field in ["size", "files", "refs"] {
            assert_eq!(ours[field], theirs[field], "{id}: {field}: {ours} {theirs}");
        }
        assert_eq!(ours["revisions"], theirs["revisions"].as_object().unwrap().len(), "{id}");
    }
    let total = &objects(&listed, "cache")[0];
    assert_eq!(total["size"], hf.0["size"], "{total}");
    let revisions = objects(&cache(&sandbox, &["ls", "--revisions", "--json"]).await, "cached_revision");
    assert_eq!(revisions.len(), 6);
    let tiny = &hf.0["repositories"]["model/acme/tiny"]["revisions"];
    for ours in revisions.iter().filter(|revision| revision["id"] == "acme/tiny") {
        let theirs = &tiny[ours["commit"].as_str().unwrap()];
        for field in ["size", "files", "refs"] {
            assert_eq!(ours[field], theirs[field], "{field}");
        }
    }
}

#[tokio::test]
async fn a_person_sees_a_row_each_and_a_total() {
    let (sandbox, folder) = sandbox().await;
    fill(&folder);
    let listed = cache(&sandbox, &["ls", "--sort", "size"]).await;
    assert_eq!(listed.code, 0, "{}", listed.stderr);
    let lines: Vec<_> = listed.stdout.lines().collect();
    assert!(lines[0].starts_with("REPOSITORY") && lines[0].ends_with("REFS"), "{}", listed.stdout);
    assert!(lines[1].contains("gpt2") && lines[1].contains("9.0 kB"), "{}", listed.stdout);
    assert_eq!(lines.last(), Some(&"5 repositories, 6 revisions, 15 kB"));
    assert!(listed.stdout.contains("datasets/acme/data"), "{}", listed.stdout);
    let one = cache(&sandbox, &["ls", "--revisions", "model/acme/tiny"]).await;
    assert!(one.stdout.contains(&FIRST[..12]) && one.stdout.contains(&SECOND[..12]), "{}", one.stdout);
    assert!(one.stdout.contains("refs/pr/1") && !one.stdout.contains("gpt2"), "{}", one.stdout);
    let unknown = cache(&sandbox, &["ls", "acme/tinny"]).await;
    assert_eq!(unknown.code, 5);
    assert!(unknown.stderr.contains("acme/tiny"), "{}", unknown.stderr);
}

#[tokio::test]
async fn an_empty_cache_and_none_are_no_errors_and_what_is_none_is_one() {
    let (sandbox, folder) = sandbox().await;
    let empty = cache(&sandbox, &["ls"]).await;
    assert_eq!((empty.code, empty.stdout.as_str()), (0, "0 repositories, 0 revisions, 0 B\n"));
    let at = |name: &str| folder.path().with_file_name(name).display().to_string();
    fs::write(at("file"), "").unwrap();
    symlink("gone", at("link")).unwrap();
    symlink("hub", at("fine")).unwrap();
    for (name, code, word) in [
        ("none", 0, "there is no cache in "),
        ("fine", 0, ""),
        ("file", 1, "it is no folder"),
        ("file/hub", 1, "it is no folder"),
        ("link", 1, "it is a link to gone, which is not there"),
    ] {
        let ended = run(sandbox.hfdown(["cache", "ls", "--cache-dir", &at(name)])).await;
        assert_eq!(ended.code, code, "{name}: {}", ended.stderr);
        assert!(ended.stderr.contains(word), "{name}: {}", ended.stderr);
    }
}

#[tokio::test]
async fn what_is_odd_is_said_and_the_rest_is_shown() {
    let (sandbox, folder) = sandbox().await;
    fill(&folder);
    let tiny = folder.repository("models--acme--tiny");
    tiny.link(SECOND, "gone.bin", &"f".repeat(64));
    symlink("/etc/passwd", tiny.path.join("snapshots").join(SECOND).join("out")).unwrap();
    symlink("/etc", tiny.path.join("snapshots/3333333333333333333333333333333333333333")).unwrap();
    tiny.name("lost", "4444444444444444444444444444444444444444");
    tiny.put("snapshots/file", b"");
    tiny.put("blobs/folder/file", b"");
    tiny.put(&format!("blobs/{}.12345678.incomplete", "a".repeat(64)), &[0; 300]);
    tiny.put(".hfdown/parts/part", &[0; 400]);
    tiny.blob(b"orphan");
    let broken = folder.repository("models--broken");
    fs::write(broken.path.join("snapshots"), "").unwrap();
    fs::write(broken.path.join("refs"), "").unwrap();
    fs::write(folder.path().join("models--file"), "").unwrap();
    fs::create_dir(folder.path().join("foreign\u{1b}[2J")).unwrap();
    fs::create_dir(folder.path().join("models--evil\u{1b}]0;x\u{7}")).unwrap();
    symlink("/etc", folder.path().join("models--link")).unwrap();
    fs::write(folder.path().join("version.txt"), "1").unwrap();
    let listed = cache(&sandbox, &["ls"]).await;
    assert_eq!(listed.code, 0, "{}", listed.stderr);
    for words in [
        "gone.bin has no content: its blob is missing",
        "out leads to no blob of its repository",
        "snapshots/3333333333333333333333333333333333333333 is not what belongs there",
        "refs/lost names 4444444444444444444444444444444444444444, of which there is no snapshot",
        "snapshots/file is not what belongs there",
        "blobs/folder is not what belongs there",
        "models--file is not what belongs there",
        "models--link is a link to /etc: what is there is not counted, and never removed",
        "cannot look at models--broken/snapshots: not a directory",
        "foreign[2J in ",
        "1 incomplete file (300 B)",
        "1 file (400 B) that a cut-off run of hfdown can go on from",
    ] {
        assert!(listed.stderr.contains(words), "{words}: {}", listed.stderr);
    }
    assert!(!listed.stderr.contains("version.txt") && !listed.stderr.contains('\u{1b}'), "{}", listed.stderr);
    assert!(!listed.stdout.contains('\u{1b}') && listed.stdout.contains("evil]0;x"), "{}", listed.stdout);
    assert!(listed.stdout.contains("acme/tiny") && !listed.stdout.contains("link"), "{}", listed.stdout);
    let rows = objects(&cache(&sandbox, &["ls", "--json", "acme/tiny"]).await, "cached_repository");
    // A link may have been overlooked, so that no blob counts as one of no revision.
    let left = ["incomplete", "partial", "orphaned"].map(|field| rows[0][field].clone());
    assert_eq!(left, [json!(300), json!(400), json!(0)]);
}

#[tokio::test]
async fn the_cache_is_where_huggingface_hub_has_it() {
    let (sandbox, _) = sandbox().await;
    let at = |path: &str| {
        let cache = hfdown_tests::cached::TestCache::create(&sandbox.scratch().join(path));
        cache.repository(&format!("models--in--{}", path.replace('/', "-"))).file(
            FIRST,
            "f",
            path.as_bytes(),
        );
        cache.path().display().to_string()
    };
    let (home, xdg) = (at("home/.cache/huggingface/hub"), at("xdg/huggingface/hub"));
    let (hf, old, new, typed) = (at("hf/hub"), at("old"), at("new"), at("typed"));
    let hf_home = hf.trim_end_matches("/hub").to_owned();
    let xdg_home = xdg.trim_end_matches("/huggingface/hub").to_owned();
    let mut variables: Vec<(&str, &str)> = Vec::new();
    for (variable, expected) in [
        (None, &home),
        (Some(("XDG_CACHE_HOME", xdg_home.as_str())), &xdg),
        (Some(("HF_HOME", hf_home.as_str())), &hf),
        (Some(("HUGGINGFACE_HUB_CACHE", old.as_str())), &old),
        (Some(("HF_HUB_CACHE", new.as_str())), &new),
    ] {
        variables.extend(variable);
        let mut command = sandbox.hfdown(["cache", "ls", "--json"]);
        command.envs(variables.iter().copied());
        let ended = run(command).await;
        assert_eq!(objects(&ended, "cache")[0]["path"], **expected, "{variables:?}");
        assert_eq!(objects(&ended, "cache")[0]["repositories"], 1, "{variables:?}");
    }
    let mut command = sandbox.hfdown(["cache", "ls", "--json", "--cache-dir", "typed"]);
    command.envs(variables.iter().copied());
    let found = objects(&run(command).await, "cached_repository").remove(0);
    assert_eq!(
        (&found["id"], &found["path"]),
        (&"in/typed".into(), &format!("{typed}/models--in--typed").into())
    );
}
