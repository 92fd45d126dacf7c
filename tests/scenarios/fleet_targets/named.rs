//! Boxes by words, by a file of hosts and by what `vastai` prints, all the way through the program.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Instant;

use hfdown_tests::counterpart::require_root;
use hfdown_tests::sandbox::{DestinationKind, Ended, Sandbox, ended, run};
use hfdown_tests::ssh_host::SshHost;
use tokio::io::AsyncWriteExt as _;

use crate::places::HFDOWN;

const MODEL: &str = "acme/tiny";

async fn sandbox(place: DestinationKind) -> Option<Sandbox> {
    let sandbox = Sandbox::start(place, HFDOWN).await?;
    sandbox.hub.model(MODEL).file("config.json", "{}").commit();
    Some(sandbox)
}

fn ssh(sandbox: &Sandbox) -> String {
    sandbox.host.as_ref().map(SshHost::command).unwrap()
}

fn folder(sandbox: &Sandbox, name: &str) -> String {
    sandbox.scratch().join(name).to_str().unwrap().to_owned()
}

fn hosts_file(sandbox: &Sandbox, text: &str) -> PathBuf {
    let file = sandbox.scratch().join("hosts.txt");
    fs::write(&file, text).unwrap();
    file
}

async fn push(sandbox: &Sandbox, words: &[&str]) -> Ended {
    run(sandbox.hfdown(["rsync-to-vast", MODEL].iter().chain(words))).await
}

fn is_there(folder: &str) -> bool {
    fs::read(PathBuf::from(folder).join("config.json")).is_ok_and(|bytes| bytes == b"{}")
}

/// The names of boxes in the objects of a kind.
fn boxes(stdout: &str, kind: &str) -> Vec<String> {
    let objects = stdout.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let mut boxes: Vec<String> = objects
        .filter(|object| object["type"] == kind)
        .map(|object| object["box"].as_str().unwrap_or("none").to_owned())
        .collect();
    boxes.sort();
    boxes
}

async fn a_file_names_boxes_and_folders(sandbox: Sandbox) {
    sandbox.hub.model(MODEL).file("config.json", "{}").commit();
    let (ssh, a, b) = (ssh(&sandbox), folder(&sandbox, "a"), folder(&sandbox, "b"));
    let text = format!(
        "\u{feff}# the boxes\r\n\r\none = {ssh} # the first\r\none = {ssh} -> {b}\r\n{ssh} -> {a}/\r\nignored = {ssh} -> /nowhere\n"
    );
    let file = hosts_file(&sandbox, &text);
    let words = ["--hosts", file.to_str().unwrap(), "--select", "one*", "--json", &a];
    let Ended { code, stdout, stderr } = push(&sandbox, &words).await;
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert!(is_there(&a) && is_there(&b), "{stdout}{stderr}");
    assert_eq!(boxes(&stdout, "finished"), [format!("one:{a}"), format!("one:{b}")]);
    assert_eq!(stdout.matches("named more than once, and meant once").count(), 1, "{stdout}");
}

#[tokio::test]
async fn a_file_may_be_standard_input_and_every_box_have_its_folder() {
    let Some(sandbox) = sandbox(DestinationKind::InProcess).await else { return };
    let a = folder(&sandbox, "a");
    let mut command = sandbox.hfdown(["push", MODEL, "--hosts", "-"]);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(format!("{} -> {a}\n", ssh(&sandbox)).as_bytes()).await.unwrap();
    drop(stdin);
    let Ended { code, stderr, .. } = ended(child).await;
    assert_eq!(code, 0, "{stderr}");
    assert!(is_there(&a));
}

#[tokio::test]
async fn two_boxes_and_two_folders_by_words() {
    let Some(sandbox) = sandbox(DestinationKind::InProcess).await else { return };
    let a = folder(&sandbox, "a");
    // Nothing listens there.
    let other = ssh(&sandbox).replace("@127.0.0.1", "@127.0.0.2");
    let Ended { code, stdout, stderr } =
        push(&sandbox, &[&ssh(&sandbox), &other, &ssh(&sandbox), &a, "--json", "--wait", "0"]).await;
    assert_eq!(code, 3, "{stdout}{stderr}");
    assert!(is_there(&a));
    assert!(stdout.contains("1 target is named more than once, and meant once: 127.0.0.1"), "{stdout}");
}

#[tokio::test]
async fn what_vastai_prints_names_boxes() {
    if !require_root() {
        return;
    }
    let Some(sandbox) = sandbox(DestinationKind::InProcess).await else { return };
    let host = sandbox.host.as_ref().unwrap();
    let keys = sandbox.scratch().join("home/.ssh");
    fs::create_dir_all(&keys).unwrap();
    fs::copy(&host.client_keys().private, keys.join("id_ed25519")).unwrap();
    let text = serde_json::json!({"success": true, "instances": [
        {"id": 7, "label": "trainer", "actual_status": "running", "inet_down_cost": 0.004, "ssh_host": "ssh5.vast.invalid",
         "ssh_port": 1, "public_ipaddr": "127.0.0.1 ", "ports": {"22/tcp": [{"HostIp": "0.0.0.0", "HostPort": host.port().to_string()}]}},
        {"id": 8, "label": null, "actual_status": "exited", "ssh_host": "ssh5.vast.invalid", "ssh_port": 1},
    ]});
    let file = sandbox.scratch().join("instances.json");
    fs::write(&file, text.to_string()).unwrap();
    sandbox.hub.model(MODEL).file("config.json", "{}").lfs("model.bin", vec![7; 3_000_000]).commit();
    let (a, report) = (folder(&sandbox, "a"), folder(&sandbox, "report.json"));
    // Dollars per 10^9 bytes: what came over the network is paid for, what was there is not.
    let price = 3e6 * 0.004 / 1e9;
    for (paid, saved) in [(price, 0.0), (0.0, price)] {
        let words = ["--vast-json", file.to_str().unwrap(), &a, "--json", "--report", &report];
        let Ended { code, stdout, stderr } = push(&sandbox, &words).await;
        assert_eq!(code, 0, "{stdout}{stderr}");
        assert!(is_there(&a));
        assert_eq!(boxes(&stdout, "finished"), ["trainer"]);
        assert!(stdout.contains("passed over, since they do not run: 1 instance exited"), "{stdout}");
        let objects = stdout.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let is_price = |value: &serde_json::Value, expected: f64| {
            (value.as_f64().unwrap_or(f64::NAN) - expected).abs() < price / 1e3
        };
        let ends: Vec<_> = objects.filter(|object| object["dollars"].is_number()).collect();
        assert_eq!(ends.len(), 2, "of the box and of the fleet: {stdout}");
        for end in ends {
            assert!(is_price(&end["dollars"], paid) && is_price(&end["dollars_saved"], saved), "{end}");
        }
        let written = fs::read_to_string(&report).unwrap();
        let totals = &serde_json::from_str::<serde_json::Value>(&written).unwrap()["totals"];
        assert!(is_price(&totals["dollars"], paid) && is_price(&totals["dollars_saved"], saved), "{written}");
    }
}

#[tokio::test]
async fn what_makes_no_sense_begins_nothing() {
    let Some(sandbox) = sandbox(DestinationKind::InProcess).await else { return };
    let ssh = ssh(&sandbox);
    let a = folder(&sandbox, "a");
    let many = "root@gpu[1-4000]\n".repeat(2);
    for (text, code, parts) in [
        (
            format!("{ssh}\nb;ad\n\nx = {ssh} ->\n"),
            2,
            &["2 lines of ", "line 2: ", "line 4: ", "nothing was begun"][..],
        ),
        (format!("{ssh}\nroot@gpu[5-1]"), 2, &["line 2: `[5-1]` goes down"]),
        (
            format!("x = {ssh}\nx = root@other"),
            2,
            &["line 2: `x` is the name of another box already, in line 1"],
        ),
        (format!("[gpus]\n{ssh}\ngpu1 ansible_host=10.0.0.1"), 2, &["line 1: ", "line 3: ", "Ansible"]),
        (many, 2, &["more than 4096 targets"]),
        ("# nothing\n\n".to_owned(), 2, &["there are no hosts in"]),
    ] {
        let file = hosts_file(&sandbox, &text);
        let ended = push(&sandbox, &["--hosts", file.to_str().unwrap(), &a]).await;
        assert_eq!(ended.code, code, "{}", ended.stderr);
        assert!(parts.iter().all(|part| ended.stderr.contains(part)), "{parts:?}: {}", ended.stderr);
    }
    let file = sandbox.scratch().join("instances.json");
    for (text, code, part) in [
        ("[]", 5, "there is no running instance"),
        (
            r#"[{"id": 1, "actual_status": "loading", "ssh_host": "h", "ssh_port": 1}]"#,
            5,
            "there is 1 instance loading",
        ),
        (
            r#"{"success": false, "error": "auth_error", "msg": "Invalid user key"}"#,
            2,
            "Vast's API: Invalid user key",
        ),
        ("<!DOCTYPE html>", 2, "it is a web page"),
        ("ID  Machine  Status", 2, "vastai show instances --raw"),
        (r#"{"a": 1}"#, 2, "JSON of another kind"),
    ] {
        fs::write(&file, text).unwrap();
        let ended = push(&sandbox, &["--vast-json", file.to_str().unwrap(), &a]).await;
        assert_eq!(ended.code, code, "{text}: {}", ended.stderr);
        assert!(ended.stderr.contains(part), "{text}: {}", ended.stderr);
    }
    for (words, part) in [
        (&["--hosts", "/dev/zero", a.as_str()][..], "it is larger than"),
        (&["--hosts", ".", &a], "is a directory"),
        (&["--hosts", "missing.txt", &a], "no such file"),
        (&["--hosts", "-", "--vast-json", "-", &a], "both hosts and instances"),
        (&[&ssh, "instances.json"], "--hosts instances.json"),
        (&["instances.json", &ssh, &a], "--hosts instances.json"),
        (&[&ssh, "root@other"], "<DIR> is missing"),
        (&[&ssh, "--select", "x*", &a], "--select x* matches no box"),
    ] {
        let ended = push(&sandbox, words).await;
        assert_eq!(ended.code, 2, "{words:?}: {}", ended.stderr);
        assert!(ended.stderr.to_lowercase().contains(&part.to_lowercase()), "{words:?}: {}", ended.stderr);
    }
    assert_eq!(sandbox.host.as_ref().unwrap().connections(), 0);
    assert!(!PathBuf::from(&a).exists());
}

/// Refused ports of the loopback, all but three.
#[tokio::test]
async fn of_a_thousand_boxes_three_answer() {
    let Some(sandbox) = sandbox(DestinationKind::InProcess).await else { return };
    let (ssh, near) = (ssh(&sandbox), sandbox.scratch().display().to_string());
    let gone = (1..=997)
        .map(|number| format!("gone{number:03} = root@127.9.{}.{}:9", number / 250, number % 250 + 1));
    let here = (1..=3).map(|number| format!("here{number} = {ssh} -> {near}/{number}"));
    let file = hosts_file(&sandbox, &gone.chain(here).collect::<Vec<_>>().join("\n"));
    let began = Instant::now();
    let words = ["--hosts", file.to_str().unwrap(), "--wait", "0", "--timeout", "120", "--json", "/nowhere"];
    let Ended { code, stdout, stderr } = push(&sandbox, &words).await;
    assert_eq!(code, 3, "{stderr} after {:?}", began.elapsed());
    assert_eq!(boxes(&stdout, "finished"), ["here1", "here2", "here3"]);
    assert!((1..=3).all(|number| is_there(&format!("{near}/{number}"))));
}

on_boxes! {
    a_file_names_boxes_and_folders,
}
