//! Limits that a shell or a container sets: each ends a run as an error that says so, never as a signal or a panic.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use hfdown_tests::counterpart::{Counterpart, require_root};
use hfdown_tests::hub::{Content, HubOrigin, When};
use hfdown_tests::sandbox::{Ended, Sandbox, ended, run};
use tokio::process::Command;

const MODEL: &str = "acme/large";
const FILE: &str = "model.safetensors";
const SIZE: u64 = 8_000_000;
/// What no run of this size needs.
const BOUND: Duration = Duration::from_secs(60);
/// Users that run nothing else here, each for one scenario: limits of processes count all of a user's.
const USER: &str = "61234";
const OTHER_USER: &str = "61235";

fn publish(sandbox: &Sandbox) {
    sandbox.hub.model(MODEL).file("config.json", "{}").lfs(FILE, Content::random(7, SIZE)).commit();
}

/// The same command, by way of a program that takes it as its last words.
fn by_way_of(command: &Command, words: &[&str]) -> Command {
    let inner = command.as_std();
    let mut outer = Command::new(words[0]);
    outer.args(&words[1..]).arg(inner.get_program()).args(inner.get_args());
    outer.env_clear().envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    outer.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").current_dir(inner.get_current_dir().unwrap());
    outer.stdin(std::process::Stdio::null());
    outer.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).kill_on_drop(true);
    outer
}

/// A program on its way to which a shell sets a limit.
fn limited(sandbox: &Sandbox, limit: &str, program: &str) -> PathBuf {
    let path = sandbox.scratch().join("limited");
    std::fs::write(&path, format!("#!/bin/sh\nulimit {limit}\nexec {program} \"$@\"\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// Everything in the sandbox, as far as it is needed, is another user's.
fn give_away(sandbox: &Sandbox, user: &str) {
    let mut command = std::process::Command::new("chown");
    let status = command.args(["-R", user]).arg(sandbox.scratch()).status().unwrap();
    assert!(status.success());
}

fn as_another_user(sandbox: &Sandbox, user: &str, limit: &[&str]) -> Command {
    let user = [format!("--reuid={user}"), format!("--regid={user}")];
    let words = [limit, &["setpriv", &user[0], &user[1], "--clear-groups"]].concat();
    by_way_of(&sandbox.syncing(MODEL, &[]), &words)
}

async fn in_time(command: Command) -> Ended {
    tokio::time::timeout(BOUND, run(command)).await.expect("it ends in time")
}

fn assert_an_error(Ended { code, stdout, stderr }: &Ended, what: &str) {
    assert!((0..=7).contains(code), "{what}: {code}\n{stdout}{stderr}");
    assert!(!stderr.contains("panicked") && !stderr.contains("internal error"), "{what}: {stderr}");
    assert!(*code == 0 || stderr.contains("error: "), "{what}: {stderr}");
}

async fn a_file_that_is_larger_than_may_be_written_fails_by_itself(sandbox: Sandbox) {
    publish(&sandbox);
    // In blocks of 512 bytes, or 1024: less than the file either way.
    let limit = "-f 4000";
    let command = if sandbox.host.is_some() {
        let mut command = sandbox.syncing(MODEL, &[]);
        command
            .env("HFDOWN_AGENT_X86_64", limited(&sandbox, limit, env!("CARGO_BIN_EXE_hfdown-agent-tested")));
        command
    } else {
        let shell = format!("ulimit {limit}; exec \"$@\"");
        by_way_of(&sandbox.syncing(MODEL, &[]), &["/bin/sh", "-c", &shell, "sh"])
    };
    let Ended { code, stderr, .. } = in_time(command).await;
    assert_eq!(code, 1, "{stderr}");
    assert!(stderr.contains("the file is larger than this process may write"), "{stderr}");
    assert!(sandbox.read(FILE).is_none());
}

async fn few_threads_are_an_error_and_some_are_enough(sandbox: Sandbox) {
    if Counterpart::Tool("setpriv").require().is_none() || !require_root() {
        return;
    }
    publish(&sandbox);
    give_away(&sandbox, OTHER_USER);
    let mut codes = Vec::new();
    for threads in (1..30).step_by(2) {
        let limit = format!("--nproc={threads}");
        let ended = in_time(as_another_user(&sandbox, OTHER_USER, &["prlimit", &limit])).await;
        assert_an_error(&ended, &limit);
        if ended.code != 0 {
            assert!(ended.stderr.contains("threads can be started, and"), "{limit}: {}", ended.stderr);
        }
        codes.push(ended.code);
    }
    assert_eq!((codes[0], codes.last()), (1, Some(&0)));
    assert!(codes.is_sorted_by(|fewer, more| fewer >= more), "{codes:?}");
}

async fn few_descriptors_are_an_error(sandbox: Sandbox) {
    publish(&sandbox);
    // With fewer, the system can't load the program.
    for files in 5..40 {
        let limit = format!("--nofile={files}");
        let command = by_way_of(&sandbox.syncing(MODEL, &[]), &["prlimit", &limit]);
        assert_an_error(&in_time(command).await, &limit);
        let _ = std::fs::remove_dir_all(sandbox.root());
    }
}

/// Who may look into a process can be seen by whose its files are: they are root's where its own user may not.
fn assert_closed(pid: u32) {
    let of = |file: &str| PathBuf::from(format!("/proc/{pid}/{file}"));
    assert_eq!(of("environ").metadata().unwrap().uid(), 0);
    let status = std::fs::read_to_string(of("status")).unwrap();
    assert!(status.contains(&format!("Uid:\t{USER}\t")), "{status}");
    let limits = std::fs::read_to_string(of("limits")).unwrap();
    let core = limits.lines().find_map(|line| line.strip_prefix("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().next(), Some("0"));
}

async fn processes_that_hold_secrets_are_closed_to_their_own_user(sandbox: Sandbox) {
    if Counterpart::Tool("setpriv").require().is_none() || !require_root() {
        return;
    }
    publish(&sandbox);
    give_away(&sandbox, USER);
    let stall = sandbox.hub.stall(1_000_000, When::file(FILE).at(HubOrigin::Cdn));
    let child = as_another_user(&sandbox, USER, &["prlimit", "--core=unlimited"]).spawn().unwrap();
    stall.reached().await;
    assert_closed(child.id().unwrap());
    stall.release();
    let Ended { code, stderr, .. } = ended(child).await;
    assert_eq!(code, 0, "it works all the same: {stderr}");
    let agent = Path::new(env!("CARGO_BIN_EXE_hfdown-agent-tested"));
    let copy = sandbox.scratch().join("agent-0");
    std::fs::copy(agent, &copy).unwrap();
    let user = [format!("--reuid={USER}"), format!("--regid={USER}")];
    let mut agent = Command::new("prlimit")
        .args(["--core=unlimited", "setpriv", &user[0], &user[1], "--clear-groups"])
        .arg(copy)
        .args(["serve", "1", "2"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut greeting = [0; 10];
    let stdout = agent.stdout.as_mut().unwrap();
    tokio::io::AsyncReadExt::read_exact(stdout, &mut greeting).await.unwrap();
    assert_closed(agent.id().unwrap());
}

here! {
    few_threads_are_an_error_and_some_are_enough,
    few_descriptors_are_an_error,
    processes_that_hold_secrets_are_closed_to_their_own_user,
}

everywhere! {
    a_file_that_is_larger_than_may_be_written_fails_by_itself,
}
