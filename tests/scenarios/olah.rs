//! Models from `olah`, a Hub that others wrote: what hfdown does with the test Hub it does with a Hub that knows nothing of
//! these tests.

use hfdown_tests::hub::Content;
use hfdown_tests::olah::Olah;
use hfdown_tests::sandbox::{Ended, Sandbox, run};

const MODEL: &str = "strangers/tiny";
const SIZE: u64 = 3_000_000;
const WEIGHTS: &str = "model.safetensors";

async fn sync(sandbox: &Sandbox, olah: &Olah, more: &[&str]) -> Ended {
    let mut syncing = sandbox.syncing(MODEL, more);
    syncing.env("HF_ENDPOINT", olah.endpoint());
    run(syncing).await
}

async fn a_model_of_a_hub_that_others_wrote_is_fetched_proved_and_kept(sandbox: Sandbox) {
    let Some(olah) = Olah::start() else { return };
    let repository = olah.model(MODEL);
    let weights = Content::random(1, SIZE);
    repository.file("config.json", "{}");
    repository.file("sub/a file.txt", "blob");
    repository.file("empty", "");
    repository.lfs(WEIGHTS, &weights.sha256(), &weights.to_vec());
    let commit = repository.commit();

    let Ended { code, stdout, stderr } = sync(&sandbox, &olah, &["--json"]).await;
    assert_eq!(code, 0, "{stderr}");
    assert!(stdout.contains(&commit), "{stdout}");
    assert_eq!(sandbox.files(), ["config.json", "empty", WEIGHTS, "sub/a file.txt"]);
    assert!(sandbox.read(WEIGHTS).is_some_and(|bytes| bytes == weights.to_vec()));
    assert_eq!(sandbox.read("sub/a file.txt").unwrap(), b"blob");
    let Ended { code, stdout, stderr } = sync(&sandbox, &olah, &["--json"]).await;
    assert_eq!(code, 0, "{stderr}");
    assert!(stdout.contains(r#""fetch":[],"fetch_bytes":0"#), "{stdout}");

    // The next version has one file anew and one less.
    repository.file("config.json", "{\"changed\": true}");
    std::fs::remove_file(repository.path().join("empty")).unwrap();
    repository.commit();
    let Ended { code, stdout, stderr } = sync(&sandbox, &olah, &["--json", "--delete"]).await;
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(stdout.matches(r#""type":"placed""#).count(), 1, "{stdout}");
    assert_eq!(sandbox.files(), ["config.json", WEIGHTS, "sub/a file.txt"]);
    assert_eq!(sandbox.read("config.json").unwrap(), b"{\"changed\": true}");

    // What a tag, a branch or a commit names is that version.
    let old = sync(&sandbox, &olah, &["--revision", &commit]).await;
    assert_eq!(old.code, 0, "{}", old.stderr);
    assert_eq!(sandbox.read("config.json").unwrap(), b"{}");
}

async fn wrong_bytes_of_a_hub_that_others_wrote_get_no_name(sandbox: Sandbox) {
    let Some(olah) = Olah::start() else { return };
    let repository = olah.model(MODEL);
    let (said, served) = (Content::random(1, SIZE), Content::random(2, SIZE));
    repository.file("config.json", "{}");
    repository.lfs(WEIGHTS, &said.sha256(), &served.to_vec());
    repository.commit();
    let Ended { code, stderr, .. } = sync(&sandbox, &olah, &["--first-wait", "1"]).await;
    assert_eq!(code, 7, "{stderr}");
    assert_eq!(sandbox.files(), ["config.json"]);
}

async fn a_model_that_is_not_there_is_not_found(sandbox: Sandbox) {
    let Some(olah) = Olah::start() else { return };
    let Ended { code, stderr, .. } = sync(&sandbox, &olah, &[]).await;
    assert!([4, 5].contains(&code), "{code} {stderr}");
    assert!(stderr.contains(MODEL), "{stderr}");
    assert!(sandbox.files().is_empty());
}

here_and_on_a_box! {
    a_model_of_a_hub_that_others_wrote_is_fetched_proved_and_kept,
}

here! {
    wrong_bytes_of_a_hub_that_others_wrote_get_no_name,
    a_model_that_is_not_there_is_not_found,
}
