//! Boxes that say too much, among others.

use hfdown_tests::hub::Content;
use hfdown_tests::sandbox::{Sandbox, run};
use hfdown_tests::ssh_host::{HostOptions, SshHost, SshServerKind};

const MODEL: &str = "acme/flooded";
const FILE: &str = "model.safetensors";
const FOLDER: &str = "model";

/// Before a word of any agent, without end.
const NOISE: &str = "while :; do echo noise; done";
/// Beside all that the agent says, as long as it lives.
const CHATTER: &str = "(while :; do printf %065536d 0 >&2 || exit; sleep 0.01; done) &";

async fn host(bashrc: Option<&str>) -> SshHost {
    let options = HostOptions { bashrc: bashrc.map(str::to_owned), ..HostOptions::default() };
    SshHost::start(SshServerKind::InProcess, options).await.unwrap()
}

async fn a_box_that_floods_takes_nothing_from_the_others(sandbox: Sandbox) {
    let content = Content::random(5, 5_000_000);
    sandbox.hub.model(MODEL).lfs(FILE, content.clone()).commit();
    let hosts = [host(Some(NOISE)).await, host(None).await, host(Some(CHATTER)).await, host(None).await];
    let commands: Vec<String> = hosts.iter().map(SshHost::command).collect();
    let words = ["rsync-to-vast", MODEL].into_iter().chain(commands.iter().map(String::as_str));
    let ended = run(sandbox.hfdown(words.chain([FOLDER]))).await;
    assert_eq!(ended.code, 3, "{}", ended.stderr);
    assert!(ended.stderr.contains("printed more than can be noise"), "{}", ended.stderr);
    let arrived = hosts.iter().map(|host| std::fs::read(host.home().join(FOLDER).join(FILE)).ok());
    let arrived: Vec<_> = arrived.map(|bytes| bytes.is_some_and(|bytes| bytes == content.to_vec())).collect();
    assert_eq!(arrived, [false, true, true, true], "{}", ended.stderr);
}

here! {
    a_box_that_floods_takes_nothing_from_the_others,
}
