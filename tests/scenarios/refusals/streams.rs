//! Standard output without a reader, or that can't be written.

use std::process::Stdio;

use hfdown_tests::sandbox::{Sandbox, run};
use tokio::io::{AsyncBufReadExt as _, BufReader};

use super::words::refusal;

/// So many files that what is said of them fills any pipe.
const FILES: usize = 3_000;

fn publish(sandbox: &Sandbox) {
    let mut draft = sandbox.hub.model("acme/many");
    for number in 0..FILES {
        draft = draft
            .file(&format!("a/rather/long/folder/name/for/a/file/that/is/listed/{number:05}.json"), "{}");
    }
    draft.commit();
}

async fn a_reader_that_leaves_is_no_error(sandbox: Sandbox) {
    publish(&sandbox);
    for words in [
        &["info", "acme/many"][..],
        &["info", "acme/many", "--json"],
        &["download", "acme/many", "--dry-run"],
    ] {
        let mut child = sandbox.hfdown(words).spawn().expect("the program starts");
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        assert!(lines.next_line().await.expect("it can be read").is_some());
        drop(lines);
        let ended = hfdown_tests::sandbox::ended(child).await;
        assert_eq!(ended.code, 0, "{words:?}: {}", ended.stderr);
        assert!(!ended.stderr.contains("error"), "{words:?}: {}", ended.stderr);
    }
}

async fn data_that_could_not_be_written_is_an_error(sandbox: Sandbox) {
    publish(&sandbox);
    for words in [
        &["info", "acme/many"][..],
        &["info", "acme/many", "--json"],
        &["download", "acme/many", "--dry-run"],
    ] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("Linux has it");
        let mut command = sandbox.hfdown(words);
        command.stdout(Stdio::from(full));
        let ended = run(command).await;
        assert_eq!(
            refusal(&sandbox, &ended, 1),
            "error: cannot write to standard output
caused by: no space left on device

hint: what was to be written there is incomplete"
        );
    }
}

/// Where Python's `str.splitlines` begins a new line.
const SPLITS: [char; 10] =
    ['\n', '\r', '\u{b}', '\u{c}', '\u{1c}', '\u{1d}', '\u{1e}', '\u{85}', '\u{2028}', '\u{2029}'];

async fn an_object_is_one_line_whatever_the_hub_lists(sandbox: Sandbox) {
    let name = "a\u{2028}b\u{2029}c.json";
    let draft = sandbox.hub.model("acme/lines").file(name, "{}");
    draft.file("re\u{85}fused", "{}").file("\u{1e}refused", "{}").commit();
    let missing = format!("no such folder{}x", '\u{2028}');
    for (words, code) in [
        (&["info", "acme/lines", "--json"][..], 0),
        (&["download", "acme/lines", "--json", "--dry-run"], 3),
        (&["download", "acme/lines", "--json"], 3),
        (&["file", "acme/lines", &missing, "--json"], 5),
    ] {
        let ended = run(sandbox.hfdown(words)).await;
        assert_eq!(ended.code, code, "{words:?}: {ended:?}");
        let lines = ended.stdout.trim_end_matches('\n').split(SPLITS);
        let objects: Vec<serde_json::Value> = lines
            .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{words:?}: {line}")))
            .collect();
        let texts = objects.iter().map(|object| object["path"].as_str().unwrap_or_default());
        assert!(
            code == 5 || words.contains(&"--dry-run") || texts.collect::<Vec<_>>().contains(&name),
            "{objects:?}"
        );
    }
}

here! {
    an_object_is_one_line_whatever_the_hub_lists,
    a_reader_that_leaves_is_no_error,
    data_that_could_not_be_written_is_an_error,
}
