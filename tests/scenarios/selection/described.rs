//! `hfdown info`: what there is to choose from, and the commands that do it, which do what they say.

use hfdown_tests::hub::Content;
use hfdown_tests::sandbox::{Sandbox, run};

use super::named::objects;
use super::quantised;
use crate::refusals::shell_words;

const MODEL: &str = "acme/bert";

fn publish(sandbox: &Sandbox) {
    let draft = sandbox.hub.model(MODEL).file("config.json", "{}").file("training_args.bin", "pickled");
    draft
        .lfs("model.safetensors", Content::random(1, 400_000))
        .lfs("pytorch_model.bin", Content::random(2, 400_010))
        .lfs("tf_model.h5", Content::random(3, 400_020))
        .lfs("onnx/model [fp32].onnx", Content::random(4, 400_030))
        .file("onnx/it's here.txt", "x")
        .commit();
}

/// Runs a command that was printed, as a dry run.
async fn dry_run(sandbox: &Sandbox, command: &str) -> Vec<String> {
    let words = shell_words(command);
    let ended = run(sandbox.hfdown(words[1..].iter().map(String::as_str).chain(["--dry-run"]))).await;
    assert_eq!(ended.code, 0, "{command}: {}", ended.stderr);
    let path = |line: &str| line["fetch     90 kB  ".len()..].trim_end_matches("  (not there)").to_owned();
    ended.stdout.lines().map(path).collect()
}

async fn weights_that_are_there_again_are_left_out_by_the_command_that_is_told(sandbox: Sandbox) {
    publish(&sandbox);
    let ended = run(sandbox.hfdown(["info", MODEL])).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let (_, choices) = ended.stdout.split_once("training_args.bin\n\n").unwrap();
    let expected = " 400 kB  onnx, the same weights as in safetensors (2 files)
 400 kB  tensorflow, the same weights as in safetensors (1 file)
 400 kB  pytorch, the same weights as in safetensors (1 file)
without these: `hfdown download acme/bert --exclude onnx/ --exclude '*.h5' --exclude 'pytorch_model*'`

7 files, 1.6 MB
";
    assert_eq!(choices, expected);
    let ended = run(sandbox.hfdown(["info", MODEL, "--json"])).await;
    let objects = objects(&ended.stdout);
    let of = |kind: &str| objects.iter().filter(|object| object["type"] == kind).cloned().collect::<Vec<_>>();
    let duplicates = of("duplicate");
    let told: Vec<_> = duplicates
        .iter()
        .map(|object| (object["format"].as_str().unwrap(), object["exclude"][0].as_str().unwrap()))
        .collect();
    assert_eq!(told, [("onnx", "onnx/"), ("tensorflow", "*.h5"), ("pytorch", "pytorch_model*")]);
    let [leave_out] = &of("leave_out")[..] else { panic!("{}", ended.stdout) };
    assert_eq!((&leave_out["files"], &leave_out["bytes"]), (&4.into(), &1_200_061.into()));
    let left = dry_run(&sandbox, leave_out["command"].as_str().unwrap()).await;
    assert_eq!(left, ["config.json", "model.safetensors", "training_args.bin"]);
}

async fn quantisations_are_told_with_the_command_for_each(sandbox: Sandbox) {
    quantised::publish(&sandbox);
    sandbox.hub.model(quantised::MODEL).tag("v1").commit();
    let ended = run(sandbox.hfdown(["info", quantised::MODEL, "--revision", "v1"])).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let (_, choices) = ended.stdout.split_once("tiny-q8_0.gguf\n\n").unwrap();
    let expected = "  90 kB  Q4_K_M      1 file
  90 kB  UD-Q4_K_XL  2 shards
 170 kB  Q8_0        1 file
 320 kB  F16         1 file
 320 kB  BF16        2 shards
one quantisation alone: `hfdown download acme/tiny-GGUF --quant Q4_K_M --revision v1`

12 files, 1.1 MB
";
    assert_eq!(choices, expected);
    let ended = run(sandbox.hfdown(["info", quantised::MODEL, "--json"])).await;
    let mut taken = Vec::new();
    for object in objects(&ended.stdout).iter().filter(|object| object["type"] == "quantisation") {
        let files = dry_run(&sandbox, object["command"].as_str().unwrap()).await;
        assert_eq!(object["files"], files.len(), "{object}");
        assert_eq!(object["shards"], if files.len() > 1 { files.len() } else { 0 }, "{object}");
        taken.extend(files);
    }
    assert_eq!(taken.len(), 7, "each model is in one of them: {taken:?}");
    // One that was chosen is not chosen twice; what else was typed is kept.
    let words = ["info", &format!("{}:F16", quantised::MODEL), "--mmproj", "--exclude", "*.md"];
    let ended = run(sandbox.hfdown(words)).await;
    assert!(
        ended.stdout.contains("`hfdown download acme/tiny-GGUF --exclude '*.md' --quant F16 --mmproj`"),
        "{}",
        ended.stdout
    );
}

async fn what_is_chosen_is_described(sandbox: Sandbox) {
    publish(&sandbox);
    let words = ["info", MODEL, "--include", "*.bin", "--include", "config.json"];
    let ended = run(sandbox.hfdown(words)).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ended.stdout.ends_with("\n\n3 of 7 files, 400 kB of 1.6 MB\n"), "{}", ended.stdout);
    assert!(!ended.stdout.contains("safetensors"), "{}", ended.stdout);
    let ended = run(sandbox.hfdown(words.iter().chain(&["--json"]))).await;
    let objects = objects(&ended.stdout);
    let kinds: Vec<_> = objects.iter().map(|object| object["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["model", "selection", "file", "file", "file"]);
    assert_eq!(objects[0]["files"], 7, "the model is what it is");
    assert_eq!((&objects[1]["files"], &objects[1]["of_files"]), (&3.into(), &7.into()));
}

here! {
    weights_that_are_there_again_are_left_out_by_the_command_that_is_told,
    quantisations_are_told_with_the_command_for_each,
    what_is_chosen_is_described,
}
