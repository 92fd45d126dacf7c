//! Standard output that nobody reads, or that can't be written.

use std::process::Stdio;

use hfdown_tests::stage::{Stage, run};
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::refusal;

/// So many files that what is said of them fills any pipe.
const FILES: usize = 3_000;

fn publish(stage: &Stage) {
    let mut draft = stage.hub.model("acme/many");
    for number in 0..FILES {
        draft = draft
            .file(&format!("a/rather/long/folder/name/for/a/file/that/is/listed/{number:05}.json"), "{}");
    }
    draft.commit();
}

pub(crate) async fn a_reader_that_leaves_is_no_error(stage: Stage) {
    publish(&stage);
    for words in [
        &["info", "acme/many"][..],
        &["info", "acme/many", "--json"],
        &["download", "acme/many", "--dry-run"],
    ] {
        let mut child = stage.hfdown(words).spawn().expect("the program starts");
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        assert!(lines.next_line().await.expect("it can be read").is_some());
        drop(lines);
        let ended = hfdown_tests::stage::ended(child).await;
        assert_eq!(ended.code, 0, "{words:?}: {}", ended.stderr);
        assert!(!ended.stderr.contains("error"), "{words:?}: {}", ended.stderr);
    }
}

pub(crate) async fn data_that_could_not_be_written_is_an_error(stage: Stage) {
    publish(&stage);
    for words in [
        &["info", "acme/many"][..],
        &["info", "acme/many", "--json"],
        &["download", "acme/many", "--dry-run"],
    ] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("Linux has it");
        let mut command = stage.hfdown(words);
        command.stdout(Stdio::from(full));
        let ended = run(command).await;
        assert_eq!(
            refusal(&stage, &ended, 1),
            "error: cannot write to standard output
caused by: no space left on device

hint: what was to be written there is incomplete"
        );
    }
}
