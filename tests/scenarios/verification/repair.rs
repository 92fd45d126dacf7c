//! What `--repair` does: what is wrong or missing is fetched, and nothing else is touched.

use std::fs;

use hfdown_tests::hub::{Content, HubFault, When};
use hfdown_tests::sandbox::Sandbox;

use super::{FILES, MODEL, WEIGHTS, flaws, objects, publish, told};

async fn what_is_wrong_or_missing_is_fetched_and_what_is_extra_stays(sandbox: Sandbox) {
    publish(&sandbox);
    assert_eq!(sandbox.sync(MODEL, &[]).await.code, 0);
    let root = sandbox.root();
    let weights = root.join("model.safetensors");
    let before = fs::metadata(&weights).unwrap().modified().unwrap();
    let mut bytes = fs::read(&weights).unwrap();
    bytes[2_000_000] ^= 1;
    fs::write(&weights, bytes).unwrap();
    fs::File::options().write(true).open(&weights).unwrap().set_modified(before).unwrap();
    fs::remove_file(root.join("onnx/model.onnx")).unwrap();
    fs::write(root.join("extra"), "mine").unwrap();
    sandbox.hub.forget_requests();
    let ended = sandbox.verify(MODEL, &["--repair", "--json"]).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let expected =
        ["extra extra foreign", "model.safetensors wrong other_content", "onnx/model.onnx missing -"];
    assert_eq!(flaws(&ended), expected);
    let [finished] = &objects(&ended, "finished")[..] else { panic!("{}", ended.stdout) };
    assert_eq!((&finished["placed"], &finished["kept"]), (&2.into(), &3.into()), "{finished}");
    assert!(sandbox.read("model.safetensors").unwrap() == Content::random(1, WEIGHTS).to_vec());
    assert_eq!(sandbox.read("extra").unwrap(), b"mine");
    assert!(sandbox.hub.requests_for("config.json").is_empty());
    // And it is remembered.
    let ended = sandbox.sync(MODEL, &[]).await;
    assert!(ended.stderr.contains("5 files are there already"), "{}", ended.stderr);
    let ended = sandbox.verify(MODEL, &[]).await;
    assert_eq!((ended.code, told(&sandbox, &ended).len()), (0, 1), "{}", ended.stderr);
}

async fn a_folder_that_is_not_there_is_repaired_by_a_whole_fetch(sandbox: Sandbox) {
    publish(&sandbox);
    let ended = sandbox.verify(MODEL, &["--repair"]).await;
    assert_eq!((ended.code, sandbox.files()), (0, FILES.map(str::to_owned).to_vec()), "{}", ended.stderr);
    assert!(ended.stderr.contains("not right: 5 missing"), "{}", ended.stderr);
    assert!(ended.stderr.contains("done: 5 files"), "{}", ended.stderr);
}

async fn what_cannot_be_repaired_ends_a_run_as_it_ends_a_sync(sandbox: Sandbox) {
    publish(&sandbox);
    assert_eq!(sandbox.sync(MODEL, &[]).await.code, 0);
    fs::remove_file(sandbox.root().join("onnx/model.onnx")).unwrap();
    fs::remove_file(sandbox.root().join("config.json")).unwrap();
    sandbox.hub.fault(HubFault::Status(404), When::file("onnx/model.onnx"));
    let ended = sandbox.verify(MODEL, &["--repair"]).await;
    assert_eq!(ended.code, 3, "{}", ended.stderr);
    assert!(sandbox.read("config.json").is_some());
}

everywhere! {
    what_is_wrong_or_missing_is_fetched_and_what_is_extra_stays,
}

here! {
    a_folder_that_is_not_there_is_repaired_by_a_whole_fetch,
    what_cannot_be_repaired_ends_a_run_as_it_ends_a_sync,
}
