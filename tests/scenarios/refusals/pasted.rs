//! What people paste for MODEL: understood where it means one thing, and otherwise answered with the command to type.

use std::process::Command;

use hfdown::hub::{Endpoint, RepoReference};
use hfdown_tests::counterpart::Counterpart;
use hfdown_tests::hub::Content;
use hfdown_tests::mount::Mount;
use hfdown_tests::processes::{self, Process};
use hfdown_tests::sandbox::{Sandbox, run};

use super::words::{assert_untouched, everything, plain, refusal, refused};

const MODEL: &str = "acme/tiny";
const PLAIN: &str = "{\"branch\":\"main\"}";
const PULLED: &str = "{\"branch\":\"pull request\"}";

fn publish(sandbox: &Sandbox) {
    let weights = Content::random(1, 40_000);
    let draft = sandbox.hub.model(MODEL).file("config.json", PLAIN).file("sub/a b.json", "{}");
    draft.lfs("tiny-Q4_K_M.gguf", weights.clone()).lfs("tiny-Q8_0.gguf", weights).commit();
    sandbox.hub.model(MODEL).reference("refs/pr/7").file("config.json", PULLED).commit();
    sandbox.hub.model(MODEL).branch("wip/x").file("config.json", "{}").commit();
}

/// What a box is called in commands, and the words behind MODEL.
fn syncing_words(sandbox: &Sandbox, root: &str) -> (&'static str, Vec<String>) {
    match &sandbox.host {
        None => ("rsync-sync", vec![root.to_owned()]),
        Some(host) => ("rsync-to-vast", vec![host.command(), root.to_owned()]),
    }
}

/// The commands of a hint, as a shell splits them, without the program's name.
fn commands(said: &str) -> Vec<Vec<String>> {
    let (_, hint) = said.split_once("\n\nhint: ").expect("there is a hint");
    let quoted = hint.split('`').skip(1).step_by(2);
    let words = quoted.filter(|quoted| quoted.starts_with("hfdown ")).map(shell_words);
    words.map(|words| words.split_first().expect("a command").1.to_vec()).collect()
}

/// As a POSIX shell splits a command, which prints a word a line.
pub(crate) fn shell_words(command: &str) -> Vec<String> {
    let script = format!("for word in {command}; do printf '%s\\n' \"$word\"; done");
    let output = Command::new("sh").args(["-c", &script]).output().expect("there is a shell");
    String::from_utf8(output.stdout).expect("text").lines().map(str::to_owned).collect()
}

async fn what_means_one_thing_is_understood(sandbox: Sandbox) {
    publish(&sandbox);
    let hub = sandbox.hub.endpoint();
    let bare_hub = hub.trim_start_matches("http://").to_owned();
    for (typed, revision) in [
        ("hf://acme/tiny".to_owned(), "main"),
        ("hf://models/acme/tiny@refs%2Fpr%2F7".to_owned(), "refs/pr/7"),
        ("hf://acme/tiny@refs/pr/7".to_owned(), "refs/pr/7"),
        ("acme/tiny@refs%2Fpr%2F7".to_owned(), "refs/pr/7"),
        ("acme/tiny@wip/x".to_owned(), "wip/x"),
        ("models--acme--tiny".to_owned(), "main"),
        ("git@hf.co:acme/tiny.git".to_owned(), "main"),
        ("ssh://git@hf.co/acme/tiny".to_owned(), "main"),
        ("git+https://huggingface.co/acme/tiny.git".to_owned(), "main"),
        ("https://huggingface.co/acme/tiny/tree/refs/pr/7".to_owned(), "refs/pr/7"),
        ("https://huggingface.co/acme/tiny/discussions/7/files".to_owned(), "refs/pr/7"),
        (format!("{hub}/acme/tiny.git"), "main"),
        (format!("{hub}/acme/tiny/tree/wip%2Fx?not-for-all-audiences=true"), "wip/x"),
        (format!("{hub}/api/models/acme/tiny/revision/refs%2Fpr%2F7"), "refs/pr/7"),
        (format!("{bare_hub}/acme/tiny/"), "main"),
        (format!(" <{hub}/acme/tiny>.\r\n"), "main"),
        ("`acme/tiny`".to_owned(), "main"),
    ] {
        sandbox.hub.forget_requests();
        let ended = run(sandbox.hfdown(["info", &typed, "--json"])).await;
        assert_eq!(ended.code, 0, "{typed}: {}", ended.stderr);
        let model: serde_json::Value = serde_json::from_str(ended.stdout.lines().next().unwrap()).unwrap();
        assert_eq!(model["id"], MODEL, "{typed}");
        let plainly = run(sandbox.hfdown(["info", MODEL, "--revision", revision, "--json"])).await;
        assert_eq!(ended.stdout, plainly.stdout, "{typed}");
        let asked = sandbox.hub.requests();
        assert!(asked.iter().all(|request| request.path.starts_with("/api/models/acme/tiny/")), "{asked:?}");
    }
    // The folder is called as the repository is, and not as it was typed.
    let ended = run(sandbox.hfdown(["download", "hf://acme/tiny@refs/pr/7"])).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert_eq!(std::fs::read_to_string(sandbox.scratch().join("acme/tiny/config.json")).unwrap(), PULLED);
    // Also an option may be pasted out of an address.
    let ended = run(sandbox.hfdown(["info", MODEL, "--revision", "refs%2Fpr%2F7", "--json"])).await;
    let plainly = run(sandbox.hfdown(["info", MODEL, "--revision", "refs/pr/7", "--json"])).await;
    assert_eq!((ended.code, ended.stdout), (0, plainly.stdout), "{}", ended.stderr);
    // The same revision twice is no contradiction, and two of them are one.
    let ended = run(sandbox.hfdown(["info", "acme/tiny@wip/x", "--revision", "wip/x"])).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert_eq!(
        refused(&sandbox, &["info", "hf://acme/tiny@wip%2Fx", "--revision", "main"], &[], 2).await,
        "error: two revisions of acme/tiny are named
caused by: `hf://acme/tiny@wip%2Fx` says wip/x, and --revision says main

hint: leave one of them out: `hfdown info acme/tiny`"
    );
}

async fn the_address_of_a_file_is_one_file(sandbox: Sandbox) {
    publish(&sandbox);
    let hub = sandbox.hub.endpoint();
    let read = |path: &str| std::fs::read_to_string(sandbox.scratch().join(path)).unwrap_or_default();
    for (words, place, content) in [
        (vec![format!("{hub}/acme/tiny/resolve/main/config.json?download=true")], "config.json", PLAIN),
        (
            vec![format!("{hub}/acme/tiny/blob/refs%2Fpr%2F7/config.json"), "pulled.json".to_owned()],
            "pulled.json",
            PULLED,
        ),
        (
            vec!["https://huggingface.co/acme/tiny/raw/main/sub/a%20b.json".to_owned(), "new/".to_owned()],
            "new/a b.json",
            "{}",
        ),
        (vec!["hf://acme/tiny@refs/pr/7/config.json".to_owned(), "uri.json".to_owned()], "uri.json", PULLED),
        (vec!["acme/tiny/config.json".to_owned(), "named.json".to_owned()], "named.json", PLAIN),
        (vec![MODEL.to_owned(), "./sub/a b.json".to_owned(), "dotted.json".to_owned()], "dotted.json", "{}"),
        // NAME once more is no contradiction.
        (
            vec![
                format!("{hub}/acme/tiny/blob/main/config.json"),
                "config.json".to_owned(),
                "third.json".to_owned(),
            ],
            "third.json",
            PLAIN,
        ),
    ] {
        let ended = run(sandbox.hfdown([vec!["file".to_owned()], words.clone()].concat())).await;
        assert_eq!((ended.code, read(place).as_str()), (0, content), "{words:?}: {}", ended.stderr);
    }
    let before = everything(sandbox.scratch());
    sandbox.hub.forget_requests();
    let address = format!("{hub}/acme/tiny/blob/wip%2Fx/config.json");
    assert_eq!(
        refused(&sandbox, &["file", &address, "other.json", "x"], &[], 2).await,
        "error: two files are named
caused by: MODEL leads to `config.json` already, and NAME says `other.json`

hint: leave one of them out: `hfdown file acme/tiny config.json --revision wip/x`"
    );
    assert_eq!(
        refused(&sandbox, &["file", MODEL], &[], 2).await,
        "error: the file's NAME is missing
caused by: `acme/tiny` is a repository

hint: `hfdown info acme/tiny` lists its files"
    );
    let folder = format!("{hub}/acme/tiny/tree/main/sub");
    let said = refused(&sandbox, &["file", &folder], &[], 2).await;
    assert!(said.contains("caused by: it leads to the folder `sub` inside of `acme/tiny`"), "{said}");
    assert!(said.contains("hint: that folder is `hfdown download acme/tiny --include sub/`"), "{said}");
    let said = refused(&sandbox, &["file", &address, "~root/x"], &[], 2).await;
    assert!(said.contains("error: `~root/x` is no place for a file\n"), "{said}");
    assert_eq!((everything(sandbox.scratch()), sandbox.hub.requests().len()), (before, 0));
}

/// Where the whole of a repository is wanted, here and on a box.
async fn what_is_inside_of_a_repository_is_answered_with_commands(sandbox: Sandbox) {
    publish(&sandbox);
    let hub = sandbox.hub.endpoint();
    let root = sandbox.root().display().to_string();
    let (verb, after) = syncing_words(&sandbox, &root);
    for (typed, cause, name, revision) in [
        (
            format!("{hub}/acme/tiny/resolve/main/sub/a%20b.json?download=true"),
            "it leads to the file `sub/a b.json` inside of `acme/tiny`",
            "sub/a b.json",
            None,
        ),
        (
            format!("{hub}/acme/tiny/blob/refs%2Fpr%2F7/config.json"),
            "it leads to the file `config.json` inside of `acme/tiny`",
            "config.json",
            Some("refs/pr/7"),
        ),
        (
            "acme/tiny/sub/a b.json".to_owned(),
            "it has more parts than `organisation/name`",
            "sub/a b.json",
            None,
        ),
        (
            format!("{hub}/acme/tiny/tree/wip%2Fx/sub"),
            "it leads to the folder `sub` inside of `acme/tiny`",
            "sub/",
            Some("wip/x"),
        ),
    ] {
        let with_revision = |words: Vec<&str>| {
            let more = revision.map(|revision| ["--revision", revision]).into_iter().flatten();
            words.into_iter().chain(more).map(|word| plain(&sandbox, word)).collect::<Vec<_>>()
        };
        let words: Vec<&str> = [verb, &typed].into_iter().chain(after.iter().map(String::as_str)).collect();
        let said = refused(&sandbox, &words, &[], 2).await;
        assert!(
            said.contains(&format!(" names no repository\ncaused by: {cause}\n\nhint: ")),
            "{typed}: {said}"
        );
        let whole = || [verb, MODEL].into_iter().chain(after.iter().map(String::as_str));
        let part = match name.strip_suffix('/') {
            None => vec!["file", MODEL, name],
            Some(_) => whole().chain(["--include", name]).collect(),
        };
        let expected = [with_revision(part), with_revision(whole().collect())];
        assert_eq!(commands(&said), expected, "{typed}: {said}");
    }
    assert_eq!(sandbox.hub.requests().len(), 0);
    assert_untouched(&sandbox);
    if let Some(host) = &sandbox.host {
        assert!(!host.home().join(".cache").exists(), "the box was not bothered");
    }
    // What the answer says to type does what it says.
    let typed = format!("{hub}/acme/tiny/blob/refs%2Fpr%2F7/config.json");
    let ended = sandbox.sync(&typed, &[]).await;
    let said = plain(&sandbox, &ended.stderr);
    let [file, whole] = &commands(&ended.stderr)[..] else { panic!("{said}") };
    for words in [file, whole] {
        let ended = run(sandbox.hfdown(words)).await;
        assert_eq!(ended.code, 0, "{words:?}: {}", ended.stderr);
    }
    assert_eq!(std::fs::read_to_string(sandbox.scratch().join("config.json")).unwrap(), PULLED);
    assert_eq!(sandbox.read("config.json").as_deref(), Some(PULLED.as_bytes()));
}

async fn a_tag_that_is_no_quantisation_is_answered_with_what_may_be_meant(sandbox: Sandbox) {
    publish(&sandbox);
    for (typed, hint) in [
        ("acme/tiny:latest", "hint: all of the repository, as it is now, is `hfdown download acme/tiny`"),
        (
            "acme/tiny:v1.0",
            "hint: if v1.0 is a branch or a tag of it: `hfdown download acme/tiny --revision v1.0`; otherwise `hfdown info acme/tiny` \
             shows its files",
        ),
    ] {
        let said = refused(&sandbox, &["download", typed], &[], 2).await;
        assert!(said.ends_with(hint), "{typed}: {said}");
    }
    assert_untouched(&sandbox);
}

async fn what_is_no_model_is_said_as_what_it_is(sandbox: Sandbox) {
    publish(&sandbox);
    for (words, cause, hint) in [
        (
            &["rsync-sync", "./models/x", "acme/tiny"][..],
            "it is a path of this machine",
            "MODEL comes first: `hfdown rsync-sync acme/tiny ./models/x`",
        ),
        (
            &["rsync-to-vast", "ssh -p 9 root@h", "acme/tiny", "/workspace"],
            "it is the way to a box",
            "MODEL comes first: `hfdown rsync-to-vast acme/tiny 'ssh -p 9 root@h' /workspace`",
        ),
        (&["info", "user@h:models"], "it is the way to a box", "write `name`"),
        (&["info", "C:\\models\\x"], "it is a path of this machine", "write `name`"),
        (
            &["info", "https://modelscope.cn/acme/tiny"],
            "that address does not belong to HUB",
            "let HF_ENDPOINT be its address",
        ),
        (
            &["info", "https://huggingface.co/papers/2401.00001"],
            "it leads to the Hub's `papers`",
            "write `name`",
        ),
        (&["download", "hf://buckets/acme/tiny"], "it leads to the Hub's `buckets`", "write `name`"),
        (
            &["download", "https://huggingface.co/acme/tiny/discussions/7"],
            "it leads to discussion 7 of `acme/tiny`",
            "what a pull request proposes is `hfdown download acme/tiny --revision refs/pr/7`; what the repository has now is \
             `hfdown download acme/tiny`",
        ),
        (&["info", "acme/tiny@a..b"], "the revision in it is not one", "under `Files and versions`"),
    ] {
        let said = refused(&sandbox, words, &[], 2).await;
        assert!(said.contains(&format!(" names no repository\ncaused by: {cause}")), "{words:?}: {said}");
        let (_, said_hint) = said.split_once("\n\nhint: ").unwrap();
        assert!(said_hint.contains(hint), "{words:?}: {said}");
    }
    // A folder here, and a repository in its place.
    std::fs::create_dir_all(sandbox.scratch().join("models/x")).unwrap();
    let said = refused(&sandbox, &["rsync-sync", "models/x", "acme/tiny"], &[], 5).await;
    let hint = "hint: `models/x` is a folder here; MODEL comes first: `hfdown rsync-sync acme/tiny models/x`";
    assert!(said.ends_with(hint), "{said}");
    std::fs::remove_dir_all(sandbox.scratch().join("models")).unwrap();
    sandbox.hub.forget_requests();
    let said = refused(&sandbox, &["info", "https://me:hf_secret@example.com/acme/tiny"], &[], 2).await;
    assert!(!said.contains("hf_secret"), "{said}");
    assert_eq!(sandbox.hub.requests().len(), 0);
    assert_untouched(&sandbox);
}

/// DIR that is the name of a listed file, as `hf download` takes it.
async fn a_file_is_not_made_into_a_folder(sandbox: Sandbox) {
    publish(&sandbox);
    for name in ["config.json", "sub/a b.json"] {
        let path = sandbox.scratch().join(name).display().to_string();
        let (verb, after) = syncing_words(&sandbox, &path);
        let mut words = vec![verb.to_owned(), MODEL.to_owned()];
        words.extend(after);
        let typed: Vec<&str> = words.iter().map(String::as_str).collect();
        let said = refused(&sandbox, &typed, &[], 2).await;
        let cause = format!(
            "caused by: `{name}` is a file of acme/tiny, and DIR is the folder that all of its files go to\n"
        );
        assert!(said.contains(&cause), "{said}");
        refused(&sandbox, &[&typed[..], &["--dry-run"]].concat(), &[], 2).await;
        assert_untouched(&sandbox);
        let ended = run(sandbox.hfdown(&words)).await;
        let [file, whole] = &commands(
            &refusal(&sandbox, &ended, 2).replace("SCRATCH", &sandbox.scratch().display().to_string()),
        )[..] else {
            panic!("{}", ended.stderr)
        };
        assert_eq!(file, &["file", MODEL, name]);
        let last = words.pop().unwrap();
        words.push(format!("{last}/"));
        if sandbox.host.is_none() {
            assert_eq!(whole, &words, "{}", ended.stderr);
        }
        if let Some(host) = &sandbox.host {
            assert!(!host.home().join(".cache").exists(), "the box was not bothered");
        }
        let ended = run(sandbox.hfdown(&words)).await;
        assert_eq!(ended.code, 0, "the folder is meant: {}", ended.stderr);
        assert!(std::path::Path::new(&path).join("config.json").is_file());
        std::fs::remove_dir_all(&path).unwrap();
        let _ = std::fs::remove_dir(sandbox.scratch().join("sub"));
        let _ = std::fs::remove_dir_all(sandbox.scratch().join("home"));
        std::fs::create_dir(sandbox.scratch().join("home")).unwrap();
        if let Some(host) = &sandbox.host {
            let _ = std::fs::remove_dir_all(host.home().join(".cache"));
        }
    }
}

async fn a_folder_that_is_there_may_have_the_name_of_a_file(sandbox: Sandbox) {
    publish(&sandbox);
    let said = refused(&sandbox, &["download", MODEL, "config.json"], &[], 2).await;
    assert_eq!(
        said,
        "error: cannot tell whether `config.json` is the folder for acme/tiny, or a file of it
caused by: `config.json` is a file of acme/tiny, and DIR is the folder that all of its files go to

hint: that file alone comes here with `hfdown file acme/tiny config.json`; all of them into a folder of that name: \
`hfdown download acme/tiny config.json/`"
    );
    assert_untouched(&sandbox);
    // A file in its place is no folder either.
    std::fs::write(sandbox.scratch().join("config.json"), "mine").unwrap();
    refused(&sandbox, &["download", MODEL, "./config.json"], &[], 2).await;
    assert_eq!(std::fs::read_to_string(sandbox.scratch().join("config.json")).unwrap(), "mine");
    std::fs::remove_file(sandbox.scratch().join("config.json")).unwrap();
    std::fs::create_dir(sandbox.scratch().join("config.json")).unwrap();
    let ended = run(sandbox.hfdown(["download", MODEL, "config.json"])).await;
    assert_eq!(ended.code, 0, "it is a folder: {}", ended.stderr);
    assert!(sandbox.scratch().join("config.json/config.json").is_file());
}

/// Whether a folder of that name is there, a disk may not say.
async fn ctrl_c_ends_a_run_that_looks_for_such_a_folder(sandbox: Sandbox) {
    publish(&sandbox);
    let Some(_disk) = Mount::silent(&sandbox.scratch().join("models")) else { return };
    for words in
        [&["rsync-sync", MODEL, "models/config.json"][..], &["file", MODEL, "config.json", "models/x.json"]]
    {
        let mut child = sandbox.hfdown(words).spawn().unwrap();
        let pid = child.id().unwrap();
        while !(Process { pid }).waits_in("fuse") {
            assert!(child.try_wait().unwrap().is_none(), "it ended before the disk held it up");
            tokio::task::yield_now().await;
        }
        processes::interrupt(pid);
        assert_eq!(child.wait().await.unwrap().code(), Some(130), "{words:?}");
    }
}

/// What `huggingface_hub` reads in addresses and URIs, where it and we read anything at all.
#[tokio::test]
async fn addresses_and_uris_are_read_as_huggingface_hub_reads_them() {
    let Some(hf) = Counterpart::Hf.require() else { return };
    let forms = [
        "hf://org/name",
        "hf://models/org/name",
        "hf://datasets/org/name@rev",
        "hf://spaces/org/name@v1.0/app.py",
        "hf://org/name@refs%2Fpr%2F7",
        "hf://org/name@refs/pr/7",
        "hf://org/name@refs/pr/7/a/b.bin",
        "hf://datasets/org/name@refs/convert/parquet/default/train/0.parquet",
        "hf://org/name@feature%2Fx/a.bin",
        "hf://org/name@feature/x",
        "hf://org/name/folder/file@1.txt",
        "hf://org/name/tree/main",
        "https://huggingface.co/org/name",
        "huggingface.co/datasets/org/name",
        "https://hf.co/org/name/tree/main",
        "https://huggingface.co/org/name/tree",
        "https://huggingface.co/org/name/tree/refs%2Fpr%2F7/folder",
        "https://huggingface.co/org/name/tree/refs/pr/7",
        "https://huggingface.co/org/name/blob/main/a%20b.json",
        "https://huggingface.co/org/name/resolve/v1/x.gguf?download=true",
        "https://huggingface.co/datasets/org/name/raw/main/data/x.csv#L3",
        "https://huggingface.co/org/name/blame/main/config.json",
    ];
    let script = "
import sys
from huggingface_hub.utils import parse_hf_uri
for form in sys.argv[1:]:
    uri = parse_hf_uri(form)
    print(uri.type, uri.id, uri.revision or '', uri.path_in_repo, sep='|')
";
    let python = hf.with_file_name("python");
    let output = Command::new(python).env_clear().args(["-c", script]).args(forms).output().unwrap();
    let theirs = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let endpoint = Endpoint::hub().unwrap();
    for (form, theirs) in forms.iter().zip(theirs.lines()) {
        let RepoReference { id, revision, inner } = RepoReference::parse(form, &endpoint).unwrap();
        let revision = revision.map(|revision| revision.to_string()).unwrap_or_default();
        let inner = inner.map(|inner| inner.path).unwrap_or_default();
        assert_eq!(format!("{}|{}|{revision}|{inner}", id.kind(), id.name()), theirs, "{form}");
    }
    assert_eq!(theirs.lines().count(), forms.len());
}

everywhere! {
    what_is_inside_of_a_repository_is_answered_with_commands,
    a_file_is_not_made_into_a_folder,
}

here! {
    what_means_one_thing_is_understood,
    the_address_of_a_file_is_one_file,
    a_tag_that_is_no_quantisation_is_answered_with_what_may_be_meant,
    what_is_no_model_is_said_as_what_it_is,
    a_folder_that_is_there_may_have_the_name_of_a_file,
    ctrl_c_ends_a_run_that_looks_for_such_a_folder,
}
