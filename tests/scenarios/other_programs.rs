//! What other programs do to files on their way, and what never follows from it: wrong bytes under a final name.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hfdown_tests::hub::{Content, HubOrigin, StallHandle, When};
use hfdown_tests::sandbox::{Ended, Sandbox, ended, run};
use tokio::process::Child;

const MODEL: &str = "acme/shared";
const FILE: &str = "model.safetensors";
const SIZE: u64 = 40_000_000;
const SMALL: &str = "config.json";
const SMALL_BYTES: &[u8] = b"{\"small\": true}";
/// `git hash-object` of them.
const SMALL_DIGEST: &str = "011069b11b10339df954cef6ef0dc53ec6517f11";
/// What a connection is given before it stalls, and what four of them have on disk then.
const STALL_AFTER: u64 = 3_000_000;
const BEGUN: u64 = 9_000_000;
/// Behind the front of the digest, wherever that is.
const OFFSET: u64 = 100;
/// How often a program that does not leave a part alone comes back.
const PACE: Duration = Duration::from_millis(1);

fn content() -> Content {
    Content::random(23, SIZE)
}

fn publish(sandbox: &Sandbox) {
    sandbox.hub.model(MODEL).file(SMALL, SMALL_BYTES).lfs(FILE, content()).commit();
}

fn parts(sandbox: &Sandbox) -> PathBuf {
    sandbox.root().join(".cache/hfdown/parts")
}

fn part(sandbox: &Sandbox) -> PathBuf {
    parts(sandbox).join(content().sha256())
}

/// A sync that has come to a halt in mid-file.
async fn halfway(sandbox: &Sandbox) -> (Child, StallHandle) {
    let stall = sandbox.hub.stall(STALL_AFTER, When::file(FILE).at(HubOrigin::Cdn));
    let mut child = sandbox.syncing(MODEL, &[]).spawn().unwrap();
    stall.reached_by(4).await;
    while sandbox.claimed() < BEGUN {
        assert!(child.try_wait().unwrap().is_none(), "the run ended too soon");
        tokio::task::yield_now().await;
    }
    (child, stall)
}

/// Everything is right, is ours, and stays known as right without another byte.
async fn assert_right(sandbox: &Sandbox, ended: &Ended, what: &str) {
    assert_eq!(ended.code, 0, "{what}: {}", ended.stderr);
    let is_right = || {
        assert!(
            sandbox.read(FILE).is_some_and(|bytes| bytes == content().to_vec()),
            "{what}: {}",
            ended.stderr
        );
        assert!(sandbox.read(SMALL).is_some_and(|bytes| bytes == SMALL_BYTES), "{what}");
    };
    is_right();
    for file in [FILE, SMALL] {
        let placed = fs::symlink_metadata(sandbox.root().join(file)).unwrap();
        assert!(placed.is_file() && placed.nlink() == 1, "{what}: {file}");
        assert_eq!(placed.uid(), fs::metadata(sandbox.scratch()).unwrap().uid(), "{what}: {file}");
    }
    sandbox.hub.forget_requests();
    let again = sandbox.sync(MODEL, &[]).await;
    assert_eq!(again.code, 0, "{what}: {}", again.stderr);
    assert_eq!(sandbox.hub.bytes_sent(HubOrigin::Cdn), 0, "{what}: it is known as right");
    is_right();
}

fn write(path: &Path) {
    File::options().write(true).open(path).unwrap().write_all_at(b"evil", OFFSET).unwrap();
}

fn cut_short(path: &Path) {
    File::options().write(true).open(path).unwrap().set_len(OFFSET).unwrap();
}

fn replace(path: &Path) {
    let other = path.with_extension("other");
    fs::write(&other, vec![7; usize::try_from(SIZE).unwrap()]).unwrap();
    fs::rename(other, path).unwrap();
}

fn link(path: &Path) {
    fs::hard_link(path, path.ancestors().nth(4).unwrap().join("link")).unwrap();
}

fn open_to_all(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o666)).unwrap();
}

fn remove(path: &Path) {
    fs::remove_file(path).unwrap();
}

/// What another program does to the part at a path.
type Act = (&'static str, fn(&Path));

async fn what_another_program_does_to_a_part_once_does_no_harm(sandbox: Sandbox) {
    publish(&sandbox);
    let acts: [Act; 6] = [
        ("written to", write),
        ("cut short", cut_short),
        ("replaced", replace),
        ("given a second name", link),
        ("opened to all", open_to_all),
        ("removed", remove),
    ];
    for (what, act) in acts {
        let (child, stall) = halfway(&sandbox).await;
        act(&part(&sandbox));
        stall.release();
        assert_right(&sandbox, &ended(child).await, what).await;
        fs::remove_dir_all(sandbox.root()).unwrap();
    }
}

/// A program that does something again and again until it is stopped.
struct Intruder {
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<usize>,
}

impl Intruder {
    fn start(mut act: impl FnMut() -> usize + Send + 'static) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut count = 0;
            while !stopped.load(Ordering::Relaxed) {
                count += act();
                std::thread::sleep(PACE);
            }
            count
        });
        Self { stop, thread }
    }

    /// How often it could do it.
    fn stop(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

async fn a_program_that_keeps_a_part_open_and_writes_does_no_harm(sandbox: Sandbox) {
    publish(&sandbox);
    let (child, stall) = halfway(&sandbox).await;
    let kept = File::options().write(true).open(part(&sandbox)).unwrap();
    let intruder = Intruder::start(move || kept.write_all_at(b"evil", OFFSET).map_or(0, |()| 1));
    stall.release();
    let ended = ended(child).await;
    assert!(intruder.stop() > 0);
    assert_right(&sandbox, &ended, "kept open").await;
}

async fn a_descriptor_from_before_the_run_is_found_out(sandbox: Sandbox) {
    publish(&sandbox);
    let (mut child, stall) = halfway(&sandbox).await;
    child.kill().await.unwrap();
    if let Some(host) = &sandbox.host {
        while !host.agent_pids().is_empty() {
            tokio::task::yield_now().await;
        }
    }
    stall.release();
    let kept = File::options().write(true).open(part(&sandbox)).unwrap();
    let (child, stall) = halfway(&sandbox).await;
    kept.write_all_at(b"evil", OFFSET).unwrap();
    stall.release();
    assert_right(&sandbox, &ended(child).await, "kept open from before").await;
}

async fn a_program_that_comes_back_for_ever_is_an_error_and_places_nothing_wrong(sandbox: Sandbox) {
    publish(&sandbox);
    let (child, stall) = halfway(&sandbox).await;
    let path = part(&sandbox);
    let intruder = Intruder::start(move || {
        let opened = File::options().write(true).open(&path);
        opened.and_then(|file| file.write_all_at(b"evil", OFFSET)).map_or(0, |()| 1)
    });
    stall.release();
    let ended = ended(child).await;
    assert!(intruder.stop() > 0);
    assert!([1, 3, 7].contains(&ended.code), "{}: {}", ended.code, ended.stderr);
    assert!(ended.stderr.contains("another program"), "{}", ended.stderr);
    assert_eq!(sandbox.read(FILE), None, "no wrong bytes under a final name");
    let again = sandbox.sync(MODEL, &[]).await;
    assert_right(&sandbox, &again, "left alone again").await;
}

async fn a_program_that_only_reads_costs_no_byte(sandbox: Sandbox) {
    publish(&sandbox);
    let (child, stall) = halfway(&sandbox).await;
    let path = part(&sandbox);
    let intruder = Intruder::start(move || File::open(&path).map_or(0, |_| 1));
    stall.release();
    let ended = ended(child).await;
    assert!(intruder.stop() > 0);
    let sent = sandbox.hub.bytes_sent(HubOrigin::Cdn);
    assert!(sent < SIZE + SIZE / 50, "{sent} bytes were sent for {SIZE}");
    assert_right(&sandbox, &ended, "read").await;
}

/// Makes something where a part is to be, of a file outside where it needs one.
type StandIn = (&'static str, fn(&Path, &Path));

fn stand_ins() -> Vec<StandIn> {
    let mut all: Vec<StandIn> = vec![
        ("a link", |path, outside| symlink(outside, path).unwrap()),
        ("a second name", |path, outside| fs::hard_link(outside, path).unwrap()),
        ("a pipe", |path, _| {
            assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
        }),
        ("a file that all may write to", |path, outside| {
            fs::copy(outside, path).unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(0o666)).unwrap();
        }),
    ];
    let folder = tempfile::tempdir().unwrap();
    if chown(folder.path(), Some(65_534), None).is_ok() {
        all.push(("a file of another user", |path, outside| {
            fs::copy(outside, path).unwrap();
            chown(path, Some(65_534), None).unwrap();
        }));
    }
    all
}

async fn what_stands_where_a_part_is_to_be_is_neither_used_nor_followed(sandbox: Sandbox) {
    publish(&sandbox);
    let outside = sandbox.scratch().join("outside");
    for (what, make) in stand_ins() {
        fs::create_dir_all(parts(&sandbox)).unwrap();
        fs::write(&outside, "none of ours").unwrap();
        fs::set_permissions(&outside, fs::Permissions::from_mode(0o600)).unwrap();
        for digest in [content().sha256().as_str(), SMALL_DIGEST] {
            make(&parts(&sandbox).join(digest), &outside);
        }
        let ended = sandbox.sync(MODEL, &[]).await;
        assert_right(&sandbox, &ended, what).await;
        assert_eq!(fs::read(&outside).unwrap(), b"none of ours", "{what}");
        let mode = fs::metadata(&outside).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{what}");
        fs::remove_dir_all(sandbox.root()).unwrap();
    }
}

async fn a_folder_where_a_part_is_to_be_is_said(sandbox: Sandbox) {
    publish(&sandbox);
    for digest in [content().sha256().as_str(), SMALL_DIGEST] {
        fs::create_dir_all(parts(&sandbox).join(digest)).unwrap();
    }
    let ended = sandbox.sync(MODEL, &[]).await;
    assert_eq!(ended.code, 1, "{}", ended.stderr);
    assert!(ended.stderr.contains("a folder stands at .cache/hfdown/parts/"), "{}", ended.stderr);
    assert!(sandbox.files().is_empty());
}

/// The same command, started by a shell with this umask.
fn under_umask(umask: &str, command: &tokio::process::Command) -> tokio::process::Command {
    let command = command.as_std();
    let mut shell = tokio::process::Command::new("sh");
    shell
        .args(["-c", &format!("umask {umask}; exec \"$@\""), "sh"])
        .arg(command.get_program())
        .args(command.get_args())
        .env_clear()
        .envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .current_dir(command.get_current_dir().unwrap())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    shell
}

async fn files_and_folders_have_the_modes_of_the_users_umask(sandbox: Sandbox) {
    sandbox.hub.model(MODEL).file("sub/small", "s").lfs(FILE, content()).commit();
    for (umask, file_mode, folder_mode) in
        [("022", 0o644, 0o755), ("027", 0o640, 0o750), ("077", 0o600, 0o700), ("002", 0o664, 0o775)]
    {
        let ended = run(under_umask(umask, &sandbox.syncing(MODEL, &[]))).await;
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        let mode = |path: &str| fs::metadata(sandbox.root().join(path)).unwrap().permissions().mode() & 0o777;
        for (path, expected) in
            [(FILE, file_mode), ("sub/small", file_mode), ("", folder_mode), ("sub", folder_mode)]
        {
            assert_eq!(mode(path), expected, "{path:?} with umask {umask}: {:o}", mode(path));
        }
        fs::remove_dir_all(sandbox.root()).unwrap();
    }
}

here_and_on_a_box! {
    what_another_program_does_to_a_part_once_does_no_harm,
    a_program_that_keeps_a_part_open_and_writes_does_no_harm,
    a_program_that_comes_back_for_ever_is_an_error_and_places_nothing_wrong,
    what_stands_where_a_part_is_to_be_is_neither_used_nor_followed,
}

here! {
    a_descriptor_from_before_the_run_is_found_out,
    a_program_that_only_reads_costs_no_byte,
    a_folder_where_a_part_is_to_be_is_said,
    files_and_folders_have_the_modes_of_the_users_umask,
}
