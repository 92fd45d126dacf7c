//! Names in the Hub's listing that no file may have.

use hfdown_protocol::{ExtraneousFile, FileId, Folding, Found, RepoPath, Report, Stamp};
use hfdown_tests::hub::{Content, HubOrigin};
use hfdown_tests::mount::{Mount, Twins};
use hfdown_tests::sandbox::{Sandbox, run};

use super::words::{everything, plain, refusal};
use crate::hostile::{MODEL, against, frames, hello};

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
        Mount::folding(Twins::Case, &sandbox.scratch().join("folding"), &sandbox.scratch().join("image"))
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

/// One name in two spellings, as a file and as a folder. The Hub lists what sorts first at first.
const SPELT: [(&str, &str); 2] = [("e\u{301}.txt", "\u{e9}.txt"), ("e\u{301}/a.txt", "\u{e9}/a.txt")];
const IN_TWO_WAYS: &str = "are the same name on this disk (their letters are encoded in two ways)";

fn publish_spelt(sandbox: &Sandbox) {
    let mut draft =
        sandbox.hub.model(MODEL).file("config.json", "{}").file("\u{e9}/b.txt", "of another name");
    for (first, second) in SPELT {
        draft = draft.file(first, "first").file(second, "second");
    }
    draft.commit();
}

async fn spellings_that_this_disk_cannot_tell_apart(sandbox: Sandbox) {
    publish_spelt(&sandbox);
    let ended = sandbox.sync(MODEL, &[]).await;
    if sandbox.files().len() == 6 {
        assert_eq!(ended.code, 0, "a disk that tells them apart has both: {}", ended.stderr);
        for (first, second) in SPELT {
            let there = (sandbox.read(first).unwrap(), sandbox.read(second).unwrap());
            assert_eq!(there, ("first".into(), "second".into()));
        }
        let left = std::fs::read_dir(sandbox.root().join(".cache/hfdown")).unwrap();
        let is_probe = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with("probe");
        assert!(!left.flatten().any(|entry| is_probe(&entry.file_name())), "nothing is left of finding out");
    }
    let (at, image) = (sandbox.scratch().join("folding"), sandbox.scratch().join("image"));
    let Some(disk) = Mount::folding(Twins::Normalisation, &at, &image) else { return };
    let root = disk.folding_folder().join("model");
    for more in [[].as_slice(), &[], &["--dry-run"]] {
        let mut command = sandbox.hfdown(["rsync-sync".as_ref(), MODEL.as_ref(), root.as_os_str()]);
        command.args(more);
        let ended = run(command).await;
        refusal(&sandbox, &ended, 3);
        let said = plain(&sandbox, &ended.stderr);
        for (first, second) in SPELT {
            assert!(said.contains(&format!("{second} and {first} {IN_TWO_WAYS}")), "{said}");
            assert_eq!(std::fs::read_to_string(root.join(first)).unwrap(), "first");
        }
        assert_eq!(std::fs::read_to_string(root.join("e\u{301}/b.txt")).unwrap(), "of another name");
    }
}

async fn spellings_that_the_disk_of_a_box_cannot_tell_apart(sandbox: Sandbox) {
    publish_spelt(&sandbox);
    let extraneous = |path: &str| ExtraneousFile {
        path: RepoPath::new(path).unwrap(),
        stamp: Stamp { size: 5, modified: 1, changed: 1, inode: 1 },
    };
    let mut said = vec![hello(), Report::Opened { root: "/models".into(), free: 1 << 40, lacks_tree: false }];
    let absent = |file| (FileId(file), Found::Absent { partial: 0 });
    said.push(Report::Found { files: (0..6).map(absent).collect() });
    said.push(Report::Extraneous { extraneous: vec![extraneous("CONFIG.json"), extraneous("old.txt")] });
    for folding in [Folding::CaseAndNormalisation, Folding::Nothing] {
        let frames = frames(&[&said[..], &[Report::Surveyed { folding }]].concat()).await;
        let options = ["--dry-run", "--delete", "--json"];
        let (ended, _) = against(&sandbox, &frames, "cat >/dev/null", &options).await;
        let is_told = |(first, second): (&str, &str)| {
            ended.stdout.contains(&format!("{second} and {first} {IN_TWO_WAYS}"))
        };
        let folds = folding == Folding::CaseAndNormalisation;
        assert_eq!(ended.code, if folds { 3 } else { 0 }, "{}{}", ended.stdout, ended.stderr);
        assert_eq!(SPELT.map(is_told), [folds; 2], "{}", ended.stdout);
        assert!(ended.stdout.contains("old.txt"), "{}", ended.stdout);
        assert_eq!(ended.stdout.contains("CONFIG.json"), !folds, "it is config.json: {}", ended.stdout);
    }
}

everywhere! {
    hostile_names_stay_out_and_the_rest_arrives,
}

on_boxes! {
    spellings_that_the_disk_of_a_box_cannot_tell_apart,
}

here! {
    a_listing_of_hostile_names_alone_places_nothing,
    names_that_this_disk_cannot_tell_apart,
    spellings_that_this_disk_cannot_tell_apart,
}
