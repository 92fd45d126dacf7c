//! Choices that come to nothing, and patterns that are none: what is said instead of nothing.

use hfdown_tests::sandbox::{Sandbox, run};

use super::{named, quantised};

/// How it ends: what is said, without the warnings before it.
async fn said(sandbox: &Sandbox, words: &[&str], code: i32) -> String {
    let ended = run(sandbox.hfdown(words)).await;
    assert_eq!(ended.code, code, "{words:?}: {}", ended.stderr);
    assert_eq!(ended.stdout, "", "{words:?}");
    ended.stderr
}

async fn a_choice_that_comes_to_nothing_is_answered_with_what_there_is(sandbox: Sandbox) {
    named::publish(&sandbox);
    quantised::publish(&sandbox);
    let lists = "`hfdown info acme/tiny` lists its files";
    for (words, cause, hint) in [
        (
            &["--include", "*.SAFETENSORS"][..],
            "none of its 5 files matches --include `*.SAFETENSORS`",
            "the nearest is `model.safetensors`; ",
        ),
        (
            &["--include", "confg.json", "--include", "model.onnx"],
            "none of its 5 files matches --include `confg.json` or `model.onnx`",
            "the nearest are `config.json`, `onnx/model.onnx`; ",
        ),
        (&["--include", "onnx"], "none of its 5 files matches --include `onnx`", "the nearest is `onnx/`; "),
        (
            &["--include", "*.{json,txt}"],
            "none of its 5 files matches --include `*.{json,txt}`",
            "braces in `*.{json,txt}` stand for themselves: each alternative is an option of its own; ",
        ),
        (
            &["--include", "[mc"],
            "none of its 5 files matches --include `[mc`",
            "the `[` in `[mc` stands for itself, since no `]` closes it; ",
        ),
        (&["--include", "*.zip"], "none of its 5 files matches --include `*.zip`", ""),
        (
            &["--include", "*.json", "--exclude", "config*"],
            "--exclude leaves out all of it, 1 file that would be wanted",
            "",
        ),
        (&["--exclude", "*"], "--exclude leaves out all of it, 5 files that would be wanted", ""),
        (&["--quant", "Q4_K_M"], "it has no GGUF files, which alone have quantisations to choose from", ""),
    ] {
        let (mut download, mut info) = (vec!["download", "acme/tiny"], vec!["info", "acme/tiny"]);
        download.extend(words);
        info.extend(words);
        let expected =
            format!("error: cannot select files of acme/tiny\ncaused by: {cause}\n\nhint: {hint}{lists}\n");
        assert_eq!(said(&sandbox, &download, 5).await, expected, "{words:?}");
        assert_eq!(said(&sandbox, &info, 5).await, expected, "{words:?}");
    }
    let there = "there is Q4_K_M (90 kB), UD-Q4_K_XL (90 kB), Q8_0 (170 kB), F16 (320 kB), BF16 (320 kB)";
    for (words, cause, hint) in [
        (&["acme/tiny-GGUF:IQ2_XS"][..], "no GGUF file of it is quantised as IQ2_XS", there),
        (&["acme/tiny-GGUF", "--quant", "q3"], "no GGUF file of it is quantised as Q3", there),
        (
            &["acme/tiny-GGUF:F16", "--exclude", "*F16*"],
            "--include or --exclude leave out all files of F16",
            "with --quant, only what all of these options want is fetched; --include and --exclude leave Q4_K_M (90 kB), \
             UD-Q4_K_XL (90 kB), Q8_0 (170 kB)",
        ),
        (
            &["acme/tiny-GGUF:F16", "--include", "README*"],
            "--include or --exclude leave out all of its GGUF files",
            "with --quant, only what all of these options want is fetched",
        ),
        (
            &["acme/tiny-GGUF:IQ2_XS", "--include", "*q8*"],
            "no GGUF file of it is quantised as IQ2_XS",
            "--include and --exclude leave Q8_0 (170 kB)",
        ),
        (
            &["acme/tiny-GGUF:F16", "--exclude", "mmproj*", "--mmproj"],
            "--include or --exclude leave out the projectors (mmproj) for these models",
            "leave out --mmproj, or the pattern",
        ),
    ] {
        let said = said(&sandbox, &[&["download"], words].concat(), 5).await;
        let expected =
            format!("caused by: {cause}\n\nhint: {hint}; `hfdown info acme/tiny-GGUF` lists its files\n");
        assert!(said.ends_with(&expected), "{words:?}: {said}");
    }
    // One file by its name is a choice as well.
    let said = said(&sandbox, &["file", "acme/tiny", "onnx/config.json"], 5).await;
    assert!(
        said.contains("hint: the nearest is `config.json`; `hfdown info acme/tiny` lists its files"),
        "{said}"
    );
    assert!(!sandbox.scratch().join("acme").exists(), "nothing is written");
}

async fn a_pattern_that_no_file_can_match_is_a_matter_of_usage(sandbox: Sandbox) {
    named::publish(&sandbox);
    for (words, expected) in [
        (&["--include", ""][..], "invalid value '' for '--include <GLOB>': it is empty, and matches no file"),
        (&["--exclude", ""], "invalid value '' for '--exclude <GLOB>': it is empty"),
        (&["--include", "/config.json"], "paths in a repository do not begin with `/`"),
        (
            &["--include", "./config.json"],
            "no path in a repository has a component `.`, `..` or an empty one",
        ),
        (&["--exclude", "onnx/../*"], "no path in a repository has a component `.`, `..` or an empty one"),
        (&["--include", "[z-a]*"], "a set in it has nothing in it: a range goes up, like `[a-z]`"),
        (&["--quant", ""], "a value is required for '--quant <QUANT>'"),
        (&["--mmproj"], "--mmproj brings the one that fits a quantisation, and none is named"),
        (
            &["--include", "*.json", "*.txt", "models"],
            "tip: each pattern is an option of its own, and quoted: --include ",
        ),
    ] {
        let said = said(&sandbox, &[&["download", "acme/tiny"], words].concat(), 2).await;
        assert!(said.contains(expected), "{words:?}: {said}");
    }
    assert_eq!(sandbox.hub.requests().len(), 0, "the Hub is not asked");
    // As `hf` once took it: the second pattern stands where DIR does.
    let said = said(&sandbox, &["download", "acme/tiny", "--include", "*.json", "*.txt"], 2).await;
    assert!(said.contains("hint: each pattern is an option of its own: `--include '*.txt'`; a folder of that name is `*.txt/`"), "{said}");
    assert!(!sandbox.scratch().join("*.txt").exists());
}

here! {
    a_choice_that_comes_to_nothing_is_answered_with_what_there_is,
    a_pattern_that_no_file_can_match_is_a_matter_of_usage,
}
