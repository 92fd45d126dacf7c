//! What `--offline` goes by: the record of the last sync, and no Hub.

use std::fs;

use hfdown_tests::hub::Content;
use hfdown_tests::sandbox::{Sandbox, run};

use super::{MODEL, flaws, objects, publish, told};
use crate::refusals::words::refusal;

async fn a_folder_is_verified_by_the_record_of_its_last_sync_without_a_question_to_the_hub(sandbox: Sandbox) {
    publish(&sandbox);
    assert_eq!(sandbox.sync(MODEL, &[]).await.code, 0);
    // The Hub has gone on since.
    sandbox
        .hub
        .model(MODEL)
        .lfs("onnx/model.onnx", Content::random(9, 300_000))
        .file("new.json", "[]")
        .commit();
    sandbox.hub.forget_requests();
    let mut command = sandbox.verifying(MODEL, &["--offline", "--json"]);
    command.env("HF_HUB_OFFLINE", "1");
    let ended = run(command).await;
    assert_eq!((ended.code, flaws(&ended).len()), (0, 0), "{}", ended.stderr);
    let [recalled] = &objects(&ended, "recalled")[..] else { panic!("{}", ended.stdout) };
    assert_eq!((&recalled["files"], &recalled["is_whole"]), (&5.into(), &true.into()), "{recalled}");
    assert_eq!(recalled["commit"].as_str().unwrap().len(), 40);

    let root = sandbox.root();
    let mut weights = fs::read(root.join("model.safetensors")).unwrap();
    weights[7] ^= 1;
    fs::write(root.join("model.safetensors"), weights).unwrap();
    fs::remove_file(root.join("config.json")).unwrap();
    fs::write(root.join("extra"), "").unwrap();
    let ended = sandbox.verify(MODEL, &["--offline", "--json"]).await;
    assert_eq!(ended.code, 7, "{}", ended.stderr);
    let expected = ["config.json missing -", "extra extra foreign", "model.safetensors wrong other_content"];
    assert_eq!(flaws(&ended), expected);
    assert_eq!(sandbox.hub.requests().len(), 0);
    let ended = sandbox.verify(MODEL, &["--offline"]).await;
    let expected =
        format!("{MODEL} @ {}, as its last sync recorded it", &recalled["commit"].as_str().unwrap()[..7]);
    assert!(ended.stderr.contains(&expected), "{}", ended.stderr);
    assert_eq!(told(&sandbox, &ended).len(), 3, "{}", ended.stdout);
    let hint = "hint: the same command with `--repair` in the place of `--offline` fetches";
    assert!(ended.stderr.contains(hint), "{}", ended.stderr);

    // With the Hub, what is there now is not what should be.
    let ended = sandbox.verify(MODEL, &["--json"]).await;
    let expected = [
        "config.json missing -",
        "extra extra foreign",
        "model.safetensors wrong other_content",
        "new.json missing -",
        "onnx/model.onnx wrong other_content",
    ];
    assert_eq!((ended.code, flaws(&ended)), (7, expected.map(str::to_owned).to_vec()), "{}", ended.stderr);
    let ended = sandbox.verify(MODEL, &["--offline", "--repair"]).await;
    assert_eq!(ended.code, 2, "{}", ended.stderr);
}

async fn without_a_record_that_can_be_read_there_is_nothing_to_go_by(sandbox: Sandbox) {
    publish(&sandbox);
    fs::create_dir_all(sandbox.root()).unwrap();
    let ended = sandbox.verify(MODEL, &["--offline"]).await;
    let said = refusal(&sandbox, &ended, 5);
    assert!(said.contains("caused by: no sync has left a record there"), "{said}");
    assert!(said.contains("hint: without --offline the Hub is asked"), "{said}");

    assert_eq!(sandbox.sync(MODEL, &[]).await.code, 0);
    let records = sandbox.root().join(".cache/hfdown/records");
    let whole = fs::read_to_string(&records).unwrap();
    let damaged: Vec<&str> = whole.lines().filter(|line| !line.contains("model")).collect();
    fs::write(&records, damaged.join("\n")).unwrap();
    let ended = sandbox.verify(MODEL, &["--offline"]).await;
    let said = refusal(&sandbox, &ended, 5);
    assert!(said.contains("caused by: the record there is damaged: 2 files of it can't be read"), "{said}");

    fs::write(&records, whole).unwrap();
    let other = "0123456789012345678901234567890123456789";
    let ended = sandbox.verify(MODEL, &["--offline", "--revision", other]).await;
    let said = refusal(&sandbox, &ended, 5);
    assert!(said.contains("caused by: the record there is of commit "), "{said}");
    // The Hub that is not to be asked is told what there is instead.
    let mut command = sandbox.verifying(MODEL, &[]);
    command.env("HF_HUB_OFFLINE", "1");
    let said = refusal(&sandbox, &run(command).await, 6);
    let hint =
        "hint: unset HF_HUB_OFFLINE to ask the Hub; or add --offline to go by the record of the last sync";
    assert!(said.contains(hint), "{said}");
    let mut command = sandbox.verifying(MODEL, &["--repair"]);
    command.env("HF_HUB_OFFLINE", "1");
    let said = refusal(&sandbox, &run(command).await, 6);
    assert!(!said.contains("--offline"), "{said}");
}

async fn a_record_says_which_sync_it_is_of_and_whether_that_was_whole(sandbox: Sandbox) {
    publish(&sandbox);
    assert_eq!(sandbox.sync(MODEL, &[]).await.code, 0);
    let commit = sandbox.hub.model(MODEL).file("new.json", "[]").file("other.json", "{}").commit();
    let fault = hfdown_tests::hub::HubFault::Status(404);
    sandbox.hub.fault(fault, hfdown_tests::hub::When::file("other.json"));
    assert_eq!(sandbox.sync(MODEL, &[]).await.code, 3);
    let ended = sandbox.verify(MODEL, &["--offline", "--json"]).await;
    let [recalled] = &objects(&ended, "recalled")[..] else { panic!("{}", ended.stdout) };
    assert_eq!((&recalled["commit"], &recalled["is_whole"]), (&commit.as_str().into(), &false.into()));
    assert_eq!((ended.code, &recalled["files"]), (0, &6.into()), "{}", ended.stderr);
}

async fn a_record_of_an_earlier_hfdown_is_read_and_completed_by_the_next_sync(sandbox: Sandbox) {
    publish(&sandbox);
    assert_eq!(sandbox.sync(MODEL, &[]).await.code, 0);
    let records = sandbox.root().join(".cache/hfdown/records");
    let new = fs::read_to_string(&records).unwrap();
    let (sync, old) = new.split_once('\n').unwrap();
    assert!(sync.starts_with("sync ") && sync.ends_with(" 5"), "{sync}");
    let before = fs::metadata(&records).unwrap().modified().unwrap();
    fs::write(&records, old).unwrap();
    fs::File::options().write(true).open(&records).unwrap().set_modified(before).unwrap();
    let ended = sandbox.verify(MODEL, &["--offline", "--json"]).await;
    let [recalled] = &objects(&ended, "recalled")[..] else { panic!("{}", ended.stdout) };
    assert_eq!((&recalled["files"], &recalled["is_whole"]), (&5.into(), &false.into()), "{recalled}");
    assert_eq!((ended.code, recalled["commit"].is_null()), (0, true), "{}", ended.stderr);
    // Nothing is read anew for it.
    sandbox.hub.forget_requests();
    assert_eq!(sandbox.sync(MODEL, &[]).await.code, 0);
    // An empty line says nothing: it was written to see the disk's clock go on.
    assert_eq!(fs::read_to_string(&records).unwrap().trim_end(), new.trim_end());
}

async fn what_is_left_out_is_neither_checked_nor_extra(sandbox: Sandbox) {
    publish(&sandbox);
    assert_eq!(sandbox.sync(MODEL, &[]).await.code, 0);
    let root = sandbox.root();
    fs::write(root.join("model.safetensors"), "other").unwrap();
    fs::remove_file(root.join("onnx/config.json")).unwrap();
    fs::write(root.join("mine"), "").unwrap();
    let words = ["--json", "--include", "*.json", "--include", "*.txt", "--exclude", "onnx/"];
    for more in [&[][..], &["--offline"]] {
        let ended = sandbox.verify(MODEL, &[&words, more].concat()).await;
        assert_eq!(
            (ended.code, flaws(&ended)),
            (0, vec!["mine extra foreign".to_owned()]),
            "{}",
            ended.stderr
        );
        assert_eq!(objects(&ended, "checked").len(), 3, "{}", ended.stdout);
        let ended = sandbox.verify(MODEL, &[&["--include", "none*"], more].concat()).await;
        assert_eq!(ended.code, 5, "{}", ended.stderr);
    }
}

async fn one_quantisation_of_several_is_verified(sandbox: Sandbox) {
    let model = sandbox.hub.model(MODEL);
    let model = model.file("config.json", "{}").lfs("m-Q4_K_M.gguf", Content::random(4, 40_000));
    model.lfs("m-Q8_0.gguf", Content::random(8, 80_000)).commit();
    assert_eq!(sandbox.sync(MODEL, &[]).await.code, 0);
    fs::write(sandbox.root().join("m-Q8_0.gguf"), "other").unwrap();
    for (quant, code, expected) in
        [("q4_k_m", 0, &[][..]), ("Q8_0", 7, &["m-Q8_0.gguf wrong other_size"]), ("Q2_K", 5, &[])]
    {
        for more in [&[][..], &["--offline"]] {
            let ended = sandbox.verify(MODEL, &[&["--json", "--quant", quant], more].concat()).await;
            assert_eq!(ended.code, code, "{}", ended.stderr);
            assert_eq!(flaws(&ended), expected, "{quant}: {}", ended.stdout);
        }
    }
}

everywhere! {
    a_folder_is_verified_by_the_record_of_its_last_sync_without_a_question_to_the_hub,
}

here_and_on_a_box! {
    what_is_left_out_is_neither_checked_nor_extra,
}

here! {
    without_a_record_that_can_be_read_there_is_nothing_to_go_by,
    a_record_says_which_sync_it_is_of_and_whether_that_was_whole,
    a_record_of_an_earlier_hfdown_is_read_and_completed_by_the_next_sync,
    one_quantisation_of_several_is_verified,
}
