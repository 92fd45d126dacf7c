//! GGUF files that are chosen by their quantisation.

use hfdown_tests::hub::Content;
use hfdown_tests::sandbox::{Sandbox, run};

pub(super) const MODEL: &str = "acme/tiny-GGUF";

/// As such repositories are: one file, shards, folders, several projectors, and what is no model.
pub(super) fn publish(sandbox: &Sandbox) {
    let sizes = [
        ("BF16/tiny-BF16-00001-of-00002.gguf", 160_000),
        ("BF16/tiny-BF16-00002-of-00002.gguf", 160_001),
        ("imatrix_unsloth.gguf", 1_000),
        ("mmproj-BF16.gguf", 30_000),
        ("mmproj-F32.gguf", 60_000),
        ("tiny-F16.gguf", 320_000),
        ("tiny-Q4_K_M.gguf", 90_000),
        ("tiny-UD-Q4_K_XL-00001-of-00003.gguf", 50_000),
        ("tiny-UD-Q4_K_XL-00003-of-00003.gguf", 40_000),
        ("tiny-q8_0.gguf", 170_000),
    ];
    let draft = sandbox.hub.model(MODEL).file("README.md", "# tiny").file("config.json", "{}");
    let draft = (1..)
        .zip(sizes)
        .fold(draft, |draft, (seed, (path, size))| draft.lfs(path, Content::random(seed, size)));
    draft.commit();
}

async fn all_shards_of_a_quantisation_are_fetched_and_nothing_else(sandbox: Sandbox) {
    publish(&sandbox);
    for (model, words, files) in [
        (MODEL, &["--quant", "q4_k_m"][..], &["tiny-Q4_K_M.gguf"][..]),
        ("acme/tiny-GGUF:Q8_0", &[], &["tiny-q8_0.gguf"]),
        (MODEL, &["--quant", "F16"], &["tiny-F16.gguf"]),
        (
            MODEL,
            &["--quant", "bf16", "--mmproj"],
            &["BF16/tiny-BF16-00001-of-00002.gguf", "BF16/tiny-BF16-00002-of-00002.gguf", "mmproj-BF16.gguf"],
        ),
        (
            "hf.co/acme/tiny-GGUF:q8_0",
            &["--quant", "Q4_K_M,F16", "--exclude", "*BF16*"],
            &["tiny-F16.gguf", "tiny-Q4_K_M.gguf", "tiny-q8_0.gguf"],
        ),
        (
            MODEL,
            &["--quant", "Q4_K_XL"],
            &["tiny-UD-Q4_K_XL-00001-of-00003.gguf", "tiny-UD-Q4_K_XL-00003-of-00003.gguf"],
        ),
    ] {
        let ended = sandbox.sync(model, words).await;
        assert_eq!(ended.code, 0, "{model} {words:?}: {}", ended.stderr);
        assert_eq!(sandbox.files(), files, "{model} {words:?}");
        let is_told = ended.stderr.contains(
            "warning: the repository lists tiny-UD-Q4_K_XL-00001-of-00003.gguf and only 2 of its 3 shards: 2 is missing",
        );
        assert_eq!(is_told, words.contains(&"Q4_K_XL"), "{model} {words:?}: {}", ended.stderr);
        std::fs::remove_dir_all(sandbox.root()).unwrap();
    }
}

async fn a_tag_goes_with_every_verb_that_is_about_a_whole_repository(sandbox: Sandbox) {
    publish(&sandbox);
    let ended = run(sandbox.hfdown(["info", "acme/tiny-GGUF:F16"])).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(
        ended.stdout.contains("tiny-F16.gguf") && !ended.stdout.contains("config.json"),
        "{}",
        ended.stdout
    );
    let ended = run(sandbox.hfdown(["download", "acme/tiny-GGUF:F16"])).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let files =
        std::fs::read_dir(sandbox.scratch().join(MODEL)).unwrap().flatten().map(|entry| entry.file_name());
    let files: Vec<_> = files.filter(|name| name != ".cache").collect();
    assert_eq!(files, ["tiny-F16.gguf"]);
    // A revision goes with it, on either side.
    sandbox.hub.model(MODEL).tag("v1").commit();
    for model in ["acme/tiny-GGUF@v1:F16", "acme/tiny-GGUF:F16@v1"] {
        let ended = run(sandbox.hfdown(["info", model])).await;
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        assert!(ended.stdout.contains("--quant F16 --revision v1`"), "{model}: {}", ended.stdout);
    }
    // A single file has no quantisations to choose from.
    let ended = run(sandbox.hfdown(["file", "acme/tiny-GGUF:F16", "config.json"])).await;
    assert_eq!(ended.code, 2, "{}", ended.stderr);
    let hint = "hint: that quantisation comes here with `hfdown download acme/tiny-GGUF:F16`";
    assert!(ended.stderr.contains(hint), "{}", ended.stderr);
}

everywhere! {
    all_shards_of_a_quantisation_are_fetched_and_nothing_else,
}

here! {
    a_tag_goes_with_every_verb_that_is_about_a_whole_repository,
}
