//! A transfer into the cache of a box that outlives its link, and what stays of hfdown there.

use std::fs;

use hfdown_tests::hf::Hf;
use hfdown_tests::hub::{Content, HubOrigin, When};
use hfdown_tests::sandbox::{Sandbox, run};
use serde_json::json;

use super::{cache, judge, objects, sync, text};

const MODEL: &str = "acme/left";
const FOLDER: &str = "models--acme--left";
const FILE: &str = "model.safetensors";

async fn it_is_watched_by_the_command_that_was_printed_and_leaves_no_trace_if_asked(sandbox: Sandbox) {
    let Some(hf) = Hf::at(&sandbox.hub) else { return };
    let draft = sandbox.hub.model(MODEL).file("config.json", "{}");
    draft.lfs(FILE, Content::random(6, 3_000_000)).commit();
    let stall = sandbox.hub.stall(1_000_000, When::file(FILE).at(HubOrigin::Cdn));
    let ended = sync(&sandbox, MODEL, &["--detach", "--json"]).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let folder = cache(&sandbox).join(FOLDER);
    assert_eq!(objects(&ended, "opened")[0]["root"], text(&folder), "{}", ended.stdout);
    let attach = objects(&ended, "detached")[0]["attach"].as_str().unwrap().to_owned();
    assert!(attach.starts_with("hfdown attach ") && attach.ends_with(text(&folder)), "{attach}");

    stall.release();
    let ssh = sandbox.host.as_ref().unwrap().command();
    let watched = run(sandbox.hfdown(["attach", &ssh, text(&folder), "--json"])).await;
    assert_eq!(watched.code, 0, "{}", watched.stderr);
    let said = judge(&hf, &cache(&sandbox), MODEL, "main", &[FILE, "config.json"]);
    assert!(said["snapshot"].is_string() && said["warnings"] == json!([]), "{said}");

    assert!(folder.join(".hfdown").exists());
    let ended = sync(&sandbox, MODEL, &["--no-trace"]).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(!folder.join(".hfdown").exists(), "{:?}", fs::read_dir(folder.join(".hfdown")));
    let said = judge(&hf, &cache(&sandbox), MODEL, "main", &[FILE]);
    assert!(said["snapshot"].is_string() && said["warnings"] == json!([]), "{said}");
}

scenarios! { [sshd Sshd,] it_is_watched_by_the_command_that_was_printed_and_leaves_no_trace_if_asked }
