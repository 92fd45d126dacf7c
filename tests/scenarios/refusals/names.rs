//! Names in the Hub's listing that no file may have.

use hfdown_tests::hub::{Content, HubOrigin};
use hfdown_tests::mount::Mount;
use hfdown_tests::sandbox::{Sandbox, run};

use super::words::{everything, plain, refusal};

/// Each with how it is shown, and why it is refused.
const HOSTILE: [(&str, &str); 17] = [
    ("../x", "../x"),
    (
        "../../../../../../../../../../../../../etc/hfdown-x",
        "../../../../../../../../../../../../../etc/hfdown-x",
    ),
    ("a/../../../y", "a/../../../y"),
    ("/etc/hfdown-x", "/etc/hfdown-x"),
    ("C:/x", "C:/x"),
    ("a\0b", "ab"),
    ("a\nb", "a b"),
    ("\u{1b}[2Jgone", "[2Jgone"),
    ("..\\x", "..\\x"),
    (".cache/hfdown/x", ".cache/hfdown/x"),
    (".cache/huggingface/download/config.json.metadata", ".cache/huggingface/download/config.json.metadata"),
    (".git/hooks/post-checkout", ".git/hooks/post-checkout"),
    (".git /hooks/post-checkout", ".git /hooks/post-checkout"),
    ("git~1/hooks/post-checkout", "git~1/hooks/post-checkout"),
    (".GIT:$INDEX_ALLOCATION/hooks/post-checkout", ".GIT:$INDEX_ALLOCATION/hooks/post-checkout"),
    (".g\u{206b}it/hooks/post-checkout", ".git/hooks/post-checkout"),
    (".CACHE./HFDOWN~1/records", ".CACHE./HFDOWN~1/records"),
];

const GOOD: [&str; 3] = ["config.json", "model.safetensors", "onnx/config.json"];

fn publish(sandbox: &Sandbox, model: &str, good: bool) {
    let mut draft = sandbox.hub.model(model);
    for (name, _) in HOSTILE {
        draft = draft.file(name, "hostile").lfs(&format!("{name}.bin"), Content::random(9, 70_000));
    }
    if good {
        draft = draft.file(GOOD[0], "{}").lfs(GOOD[1], Content::random(1, 2_000_000)).file(GOOD[2], "{}");
    }
    draft.commit();
}

fn assert_nothing_escaped(sandbox: &Sandbox) {
    for place in ["x", "x.bin", "y", "etc", "models/x", "models/y", "models/etc"] {
        assert!(!sandbox.scratch().join(place).exists(), "{place} escaped");
    }
    assert!(!std::path::Path::new("/etc/hfdown-x").exists());
    assert!(!std::path::Path::new("/etc/hfdown-x.bin").exists());
    let ours: Vec<_> = everything(&sandbox.root().join(".cache/hfdown"));
    assert!(
        ours.iter().all(|file| ["parts/", "records", "lock", ".gitignore"].contains(&file.as_str())),
        "{ours:?}"
    );
}

async fn hostile_names_stay_out_and_the_rest_arrives(sandbox: Sandbox) {
    publish(&sandbox, "acme/hostile", true);
    for fetched in [true, false] {
        sandbox.hub.forget_requests();
        let ended = sandbox.sync("acme/hostile", &[]).await;
        refusal(&sandbox, &ended, 3);
        for (name, shown) in HOSTILE {
            let line = format!("error: cannot fetch {shown}: the Hub lists a name that no file may have: ");
            assert!(ended.stderr.contains(&line), "{name:?}: {}", ended.stderr);
        }
        assert!(!ended.stderr.contains("done"), "it is not done: {}", ended.stderr);
        let failed = format!("{} failed", 2 * HOSTILE.len());
        assert!(ended.stderr.contains(&failed), "{}", ended.stderr);
        assert_eq!(sandbox.files(), GOOD);
        assert_eq!(sandbox.hub.bytes_sent(HubOrigin::Cdn) > 0, fetched, "what is there is not fetched again");
        assert!(
            sandbox.hub.requests().iter().all(|request| !request.path.contains("hfdown-x")),
            "it was not asked for"
        );
        assert_nothing_escaped(&sandbox);
    }
    let hub_metadata = sandbox.root().join(".cache/huggingface/download/config.json.metadata");
    let metadata = std::fs::read_to_string(hub_metadata).expect("it is ours");
    assert!(!metadata.contains("hostile"));

    // The same for those who only look.
    let info = run(sandbox.hfdown(["info", "acme/hostile"])).await;
    assert_eq!(info.code, 0, "{}", info.stderr);
    assert!(!info.stdout.contains('\u{1b}') && !info.stdout.contains('\0'), "{:?}", info.stdout);
    let json = run(sandbox.hfdown(["info", "acme/hostile", "--json"])).await;
    let lines =
        json.stdout.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("an object"));
    assert_eq!(lines.filter(|line| line["type"] == "refused").count(), 2 * HOSTILE.len());
}

async fn a_listing_of_hostile_names_alone_places_nothing(sandbox: Sandbox) {
    publish(&sandbox, "acme/hostile", false);
    let ended = sandbox.sync("acme/hostile", &["--json"]).await;
    refusal(&sandbox, &ended, 1);
    let failed = ended.stdout.lines().filter(|line| line.contains(r#""type":"failed""#)).count();
    assert_eq!(failed, 2 * HOSTILE.len(), "{}", ended.stdout);
    assert_eq!(sandbox.files(), [""; 0]);
    assert_nothing_escaped(&sandbox);
    let ended = run(sandbox.hfdown(["file", "acme/hostile", "../x", "there"])).await;
    let said = refusal(&sandbox, &ended, 1);
    assert!(said.contains("the Hub lists it, but no file may have that name"), "{said}");
    assert!(!sandbox.scratch().join("there").exists());
    assert_nothing_escaped(&sandbox);
}

async fn names_that_this_disk_cannot_tell_apart(sandbox: Sandbox) {
    sandbox
        .hub
        .model("acme/twins")
        .file("README.md", "upper")
        .file("config.json", "{}")
        .file("readme.md", "lower")
        .commit();
    let ended = sandbox.sync("acme/twins", &[]).await;
    if sandbox.files().len() == 3 {
        assert_eq!(ended.code, 0, "a disk that tells them apart has both: {}", ended.stderr);
        assert_eq!(
            (sandbox.read("README.md").unwrap(), sandbox.read("readme.md").unwrap()),
            ("upper".into(), "lower".into())
        );
    }
    let Some(disk) =
        Mount::folding_case(&sandbox.scratch().join("folding"), &sandbox.scratch().join("image"))
    else {
        return;
    };
    let root = disk.folding_folder().join("model");
    for _ in ["first", "again"] {
        let ended =
            run(sandbox.hfdown(["rsync-sync".as_ref(), "acme/twins".as_ref(), root.as_os_str()])).await;
        refusal(&sandbox, &ended, 3);
        let said = plain(&sandbox, &ended.stderr);
        assert!(said.contains("readme.md and README.md are the same name on this disk"), "{said}");
        assert_eq!(std::fs::read_to_string(root.join("README.md")).unwrap(), "upper");
        assert_eq!(std::fs::read_to_string(root.join("config.json")).unwrap(), "{}");
    }
}

everywhere! {
    hostile_names_stay_out_and_the_rest_arrives,
}

here! {
    a_listing_of_hostile_names_alone_places_nothing,
    names_that_this_disk_cannot_tell_apart,
}
