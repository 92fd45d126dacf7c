//! What the Hub does not have, does not give, or can't be asked for.

use hfdown_tests::hub::{Content, Gate};
use hfdown_tests::sandbox::{Sandbox, run};

use super::words::{assert_untouched, everything, refusal, refused};

const MODEL: &str = "acme/tiny";
const TOKEN: &str = "hf_ofSomebodyWhoWasLetIn";
const STRANGER: &str = "hf_ofSomebodyElse";

fn publish(sandbox: &Sandbox) {
    sandbox
        .hub
        .model(MODEL)
        .file("config.json", "{}")
        .lfs("model.safetensors", Content::random(1, 100_000))
        .commit();
}

/// A gated model, and a user with a token who was not let in.
fn publish_gated(sandbox: &Sandbox) {
    sandbox.hub.model("acme/gated").file("config.json", "{}").gated(Gate::Auto, TOKEN).commit();
    sandbox.hub.token(STRANGER);
}

async fn an_unknown_model_is_not_found(sandbox: Sandbox) {
    publish(&sandbox);
    let listed = "error: cannot list acme/none at main
caused by: HUB/api/models/acme/none/revision/main is missing, or private and not shown to this account
caused by: 401 RepoNotFound: Invalid username or password. (request REQUEST)

hint: check the name; if the repository is private, pass a token of an account that may see it (HF_TOKEN or --token)";
    let verbs: [&[&str]; 5] = [
        &["info", "acme/none"],
        &["download", "acme/none"],
        &["file", "acme/none", "config.json"],
        &["rsync-sync", "acme/none", "models"],
        &["rsync-sync", "acme/none", "models", "--dry-run"],
    ];
    for words in verbs {
        assert_eq!(refused(&sandbox, words, &[], 5).await, listed, "{words:?}");
        assert_untouched(&sandbox);
    }
    sandbox.hub.token(STRANGER);
    let said = refused(&sandbox, &["info", "acme/none"], &[("HF_TOKEN", STRANGER)], 5).await;
    assert!(said.contains("404 RepoNotFound"), "{said}");
    assert!(
        said.ends_with("hint: check the name, and that the token's account may see HUB/acme/none"),
        "{said}"
    );
}

async fn an_unknown_model_is_not_found_on_behalf_of_a_box(sandbox: Sandbox) {
    let ended = sandbox.sync("acme/none", &[]).await;
    assert!(
        refusal(&sandbox, &ended, 5).starts_with("error: cannot list acme/none at main\n"),
        "{}",
        ended.stderr
    );
    assert_untouched(&sandbox);
    let host = sandbox.host.expect("a box");
    assert!(!host.home().join(".cache").exists(), "the box was not bothered");
}

async fn an_unknown_revision_is_not_found(sandbox: Sandbox) {
    publish(&sandbox);
    for words in [&["info", MODEL][..], &["rsync-sync", MODEL, "models"]] {
        let said = refused(&sandbox, &[words, &["--revision", "v9"]].concat(), &[], 5).await;
        assert_eq!(
            said,
            "error: cannot list acme/tiny at v9
caused by: HUB/api/models/acme/tiny/revision/v9: no such revision
caused by: 404 RevisionNotFound: Invalid rev id: v9 (request REQUEST)

hint: the branches and tags are listed at HUB/acme/tiny"
        );
        assert_untouched(&sandbox);
    }
}

async fn an_unknown_file_is_not_found(sandbox: Sandbox) {
    publish(&sandbox);
    assert_eq!(
        refused(&sandbox, &["file", MODEL, "model.bin", "models/model.bin"], &[], 5).await,
        "error: cannot fetch model.bin of acme/tiny
caused by: there is no such file in this version of the repository

hint: `hfdown info acme/tiny` lists its files"
    );
    let ended = run(sandbox.hfdown(["file", MODEL, "../\u{1b}[2Jmodel.bin"])).await;
    assert!(refusal(&sandbox, &ended, 2).starts_with("error: cannot place a file as `[2Jmodel.bin`"));
    assert_untouched(&sandbox);
}

async fn a_gated_model_wants_a_token(sandbox: Sandbox) {
    publish_gated(&sandbox);
    for words in [&["rsync-sync", "acme/gated", "models"][..], &["file", "acme/gated", "config.json"]] {
        assert_eq!(
            refused(&sandbox, words, &[], 4).await,
            "error: cannot fetch config.json of acme/gated
caused by: HUB/acme/gated/resolve/COMMIT/config.json: access is restricted to accounts that accepted its conditions
caused by: 401 GatedRepo: Access to model acme/gated is restricted. You must have access to it and be authenticated to access \
it. Please log in. (request REQUEST)

hint: accept the conditions at HUB/acme/gated, then pass a token of that account (HF_TOKEN or --token)"
        );
        assert_untouched(&sandbox);
    }
    let ended = run(sandbox.hfdown(["info", "acme/gated"])).await;
    assert_eq!(ended.code, 0, "what it contains may be seen without a token: {}", ended.stderr);
    let ended = run(sandbox.hfdown(["rsync-sync", "acme/gated", "models", "--token", TOKEN])).await;
    assert_eq!(ended.code, 0, "the hint is right: {}", ended.stderr);
}

async fn a_gated_model_wants_a_token_that_was_let_in(sandbox: Sandbox) {
    publish_gated(&sandbox);
    let said = refused(&sandbox, &["rsync-sync", "acme/gated", "models"], &[("HF_TOKEN", STRANGER)], 4).await;
    assert_eq!(
        said,
        "error: cannot fetch config.json of acme/gated
caused by: HUB/acme/gated/resolve/COMMIT/config.json: access is restricted to accounts that accepted its conditions
caused by: 403 GatedRepo: Access to model acme/gated is restricted and you are not in the authorized list. Visit \
https://huggingface.co/acme/gated to ask for access. (request REQUEST)

hint: accept the conditions at HUB/acme/gated with the account whose token this is"
    );
    assert_untouched(&sandbox);
}

async fn a_wrong_token_opens_nothing(sandbox: Sandbox) {
    publish(&sandbox);
    let invented = "hf_invented";
    for words in [&["info", MODEL][..], &["rsync-sync", MODEL, "models"]] {
        let said = refused(&sandbox, words, &[("HF_TOKEN", invented)], 4).await;
        assert_eq!(
            said,
            "error: cannot list acme/tiny at main
caused by: HUB/api/models/acme/tiny/revision/main: the token may be wrong or expired
caused by: 401: Invalid credentials in Authorization header (request REQUEST)

hint: it is the token of HF_TOKEN; take one that HUB knows, for `hf auth login`, HF_TOKEN or --token; public models need none (HF_HUB_DISABLE_IMPLICIT_TOKEN=1)"
        );
        assert!(!said.contains(invented));
        assert_untouched(&sandbox);
    }
    let mut without = sandbox.hfdown(["rsync-sync", MODEL, "models"]);
    without.env("HF_TOKEN", invented).env("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1");
    let ended = run(without).await;
    assert_eq!(ended.code, 0, "the hint is right: {}", ended.stderr);
}

async fn a_private_model_is_not_shown(sandbox: Sandbox) {
    sandbox.hub.model("acme/private").file("config.json", "{}").private(TOKEN).commit();
    let said = refused(&sandbox, &["download", "acme/private"], &[], 5).await;
    assert!(said.contains("is missing, or private and not shown to this account"), "{said}");
    assert!(said.contains("if the repository is private, pass a token"), "{said}");
    assert_untouched(&sandbox);
}

/// The counts and times of attempts, which differ.
fn without_attempts(said: &str) -> String {
    let (before, rest) = said.split_once(" (6 attempts in ").expect("the attempts are counted");
    let (_, after) = rest.split_once(" s)").expect("the time is told");
    format!("{before}{after}")
}

async fn a_closed_port_is_said_to_be_one(sandbox: Sandbox) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("the loopback has a free port");
    let closed = format!("http://{}", listener.local_addr().expect("it has an address"));
    drop(listener);
    let mut command = sandbox.hfdown(["rsync-sync", MODEL, "models"]);
    command.env("HF_ENDPOINT", &closed);
    let ended = run(command).await;
    let said = without_attempts(&refusal(&sandbox, &ended, 6)).replace(&closed, "CLOSED");
    assert_eq!(
        said,
        "error: cannot list acme/tiny at main
caused by: CLOSED/api/models/acme/tiny/revision/main: cannot connect: connection refused

hint: check the network, the proxy settings (HTTPS_PROXY, NO_PROXY) and, if it is set, HF_ENDPOINT"
    );
    assert!(
        ended.stderr.contains("trying again in"),
        "the user is told why nothing happens: {}",
        ended.stderr
    );
    assert_untouched(&sandbox);
}

async fn a_name_without_an_address_is_said_to_be_one(sandbox: Sandbox) {
    let mut command = sandbox.hfdown(["rsync-sync", MODEL, "models"]);
    command.env("HF_ENDPOINT", "http://no-such-host.invalid");
    let ended = run(command).await;
    let said = refusal(&sandbox, &ended, 6);
    assert!(said.starts_with("error: cannot list acme/tiny at main\n"), "{said}");
    assert!(said.contains("the host's name cannot be resolved"), "{said}");
    assert!(said.contains("no-such-host.invalid"), "{said}");
    assert!(said.ends_with("hint: check the network and, if it is set, HF_ENDPOINT"), "{said}");
    assert_untouched(&sandbox);
}

async fn offline_nothing_is_asked(sandbox: Sandbox) {
    publish(&sandbox);
    for words in [&["info", MODEL][..], &["rsync-sync", MODEL, "models"]] {
        assert_eq!(
            refused(&sandbox, words, &[("HF_HUB_OFFLINE", "1")], 6).await,
            "error: cannot list acme/tiny at main
caused by: HUB/api/models/acme/tiny/revision/main was not asked, because HF_HUB_OFFLINE is set

hint: unset HF_HUB_OFFLINE to ask the Hub"
        );
    }
    assert_eq!(sandbox.hub.requests().len(), 0);
    assert_untouched(&sandbox);
}

async fn a_model_without_files_is_no_error(sandbox: Sandbox) {
    sandbox.hub.model("acme/empty").commit();
    let info = run(sandbox.hfdown(["info", "acme/empty"])).await;
    assert_eq!(info.code, 0, "{}", info.stderr);
    let ended = sandbox.sync("acme/empty", &[]).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ended.stderr.contains("0 files") && ended.stderr.contains("nothing to"), "{}", ended.stderr);
    assert_eq!(sandbox.files(), [""; 0]);
    let said = refused(&sandbox, &["file", "acme/empty", "config.json", "other/"], &[], 5).await;
    assert!(said.contains("there is no such file"), "{said}");
    assert!(!everything(sandbox.scratch()).contains(&"other/".to_owned()));
}

here! {
    an_unknown_model_is_not_found,
    an_unknown_revision_is_not_found,
    an_unknown_file_is_not_found,
    a_gated_model_wants_a_token,
    a_gated_model_wants_a_token_that_was_let_in,
    a_wrong_token_opens_nothing,
    a_private_model_is_not_shown,
    a_closed_port_is_said_to_be_one,
    a_name_without_an_address_is_said_to_be_one,
    offline_nothing_is_asked,
    a_model_without_files_is_no_error,
}

on_boxes! {
    an_unknown_model_is_not_found_on_behalf_of_a_box,
}
