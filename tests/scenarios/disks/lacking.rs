//! Disks without locks, flushes and other things that a run can do without: it goes on, and says what is lost. The kernel
//! itself fails the system calls (seccomp), also those of the static agent on a box.

use hfdown_tests::hub::{Content, HubOrigin, When};
use hfdown_tests::lacking::{Lacking, LackingPrograms};
use hfdown_tests::sandbox::{DestinationKind, Ended, ended, run};

use crate::refusals::words::{lines, refusal};
use crate::sync::until_it_says;

const MODEL: &str = "acme/tiny";
const WEIGHTS: u64 = 3_000_000;
const PROGRAMS: LackingPrograms =
    LackingPrograms { hfdown: crate::places::HFDOWN, without: env!("CARGO_BIN_EXE_without") };
const LOCKS: &str = "warning: the disk of SCRATCH/models/model can't lock files: another hfdown that writes there at the same \
     time, from another machine or container, would not be noticed";
const FLUSHES: &str = "warning: the disk of SCRATCH/models/model can't flush files: after a power loss, a file there may be \
     incomplete under its own name; --checksum finds such files";
/// What is lost without these is speed, or nothing.
const NO_LOSS: &str = "fallocate=EOPNOTSUPP,linkat=EPERM,renameat2=EINVAL,copy_file_range=EOPNOTSUPP,openat2=ENOSYS,\
     statx=ENOSYS,inotify_init1=ENOSYS,sync_file_range=EINVAL,syncfs=ENOSYS,ftruncate=EINVAL,utimensat=ENOSYS";

fn publish(lacking: &Lacking) {
    let draft = lacking.sandbox.hub.model(MODEL).file("config.json", "{}").file("onnx/config.json", "[]");
    draft.lfs("model.safetensors", Content::random(1, WEIGHTS)).commit();
}

fn assert_whole(lacking: &Lacking, ended: &Ended, what: &str) {
    assert_eq!(ended.code, 0, "{what}: {}", ended.stderr);
    let read = |file| lacking.sandbox.read(file).unwrap_or_default();
    assert_eq!((read("config.json"), read("onnx/config.json")), (b"{}".to_vec(), b"[]".to_vec()), "{what}");
    assert!(read("model.safetensors") == Content::random(1, WEIGHTS).to_vec(), "{what}");
}

fn warnings(lacking: &Lacking, ended: &Ended) -> Vec<String> {
    lines(&lacking.sandbox, ended, "warning: ")
}

async fn what_a_disk_lacks_is_told_once_and_the_run_goes_on(place: DestinationKind) {
    let rows: [(&str, &[&str]); 8] = [
        ("flock=ENOLCK,fsync=EINVAL,fdatasync=EINVAL", &[LOCKS, FLUSHES]),
        ("flock=EOPNOTSUPP", &[LOCKS]),
        ("flock=ENOSYS", &[LOCKS]),
        ("flock=EINVAL,fsync=EOPNOTSUPP", &[LOCKS, FLUSHES]),
        ("fsync=ENOSYS", &[FLUSHES]),
        (NO_LOSS, &[]),
        // As the sandboxes of some containers say that they know no such call.
        ("flock=EPERM,fsync=EPERM", &[LOCKS, FLUSHES]),
        ("openat2=EPERM,statx=EPERM,renameat2=EPERM,copy_file_range=EPERM,inotify_init1=EPERM", &[]),
    ];
    // Starting a box takes longer than all else.
    let rows = if place == DestinationKind::Here { &rows[..] } else { &[rows[0], rows[5]][..] };
    for (rules, told) in rows {
        let Some(lacking) = Lacking::start(place, PROGRAMS, rules).await else { return };
        publish(&lacking);
        let first = lacking.sync(MODEL, &[]).await;
        assert_whole(&lacking, &first, rules);
        assert_eq!(warnings(&lacking, &first), *told, "{rules}");

        // What was placed is known without reading it.
        let second = lacking.sync(MODEL, &[]).await;
        assert_whole(&lacking, &second, rules);
        assert!(second.stderr.contains("3 files are there already"), "{rules}: {}", second.stderr);
        let locks: Vec<_> = told.iter().filter(|told| **told == LOCKS).collect();
        assert_eq!(
            warnings(&lacking, &second).iter().collect::<Vec<_>>(),
            locks,
            "{rules}: nothing was flushed"
        );
        let dry = lacking.sync(MODEL, &["--dry-run"]).await;
        assert_eq!((dry.code, warnings(&lacking, &dry)), (0, Vec::new()), "{rules}: nothing was locked");
    }
}

async fn programs_are_told_by_name_what_a_disk_lacks(place: DestinationKind) {
    let Some(lacking) = Lacking::start(place, PROGRAMS, "flock=ENOLCK,fsync=EINVAL").await else { return };
    publish(&lacking);
    let ended = lacking.sync(MODEL, &["--json"]).await;
    assert_whole(&lacking, &ended, "--json");
    let objects = ended.stdout.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let warnings: Vec<_> = objects.filter(|object| object["type"] == "warning").collect();
    let kinds: Vec<_> = warnings.iter().map(|warning| warning["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["no_locks", "no_flush"], "{warnings:?}");
    assert!(warnings[0]["text"].as_str().unwrap().contains("can't lock files"), "{warnings:?}");
}

async fn modes_that_can_not_be_changed_are_told(place: DestinationKind) {
    let Some(lacking) = Lacking::start(place, PROGRAMS, "fchmod=EPERM").await else { return };
    publish(&lacking);
    let ended = lacking.sync(MODEL, &[]).await;
    assert_whole(&lacking, &ended, "fchmod");
    let told = "warning: the disk of SCRATCH/models/model can't change the modes of files: others may not be able to read the \
         new ones";
    assert_eq!(warnings(&lacking, &ended), [told]);
}

async fn two_runs_of_one_machine_are_kept_apart_without_locks(place: DestinationKind) {
    let Some(lacking) = Lacking::start(place, PROGRAMS, "flock=ENOLCK").await else { return };
    publish(&lacking);
    let hub = &lacking.sandbox.hub;
    let stall = hub.stall(1_000_000, When::file("model.safetensors").at(HubOrigin::Cdn).first(1));
    let first = lacking.syncing(MODEL, &[]).spawn().unwrap();
    stall.reached().await;
    let mut second = lacking.syncing(MODEL, &[]).spawn().unwrap();
    let rest = until_it_says(&mut second, "waiting: another run holds the folder (process ").await;
    stall.release();
    let rest = rest.await.unwrap();
    let (first, second) = (ended(first).await, ended(second).await);
    assert_whole(&lacking, &first, "the first");
    assert_eq!(second.code, 0, "{rest}");
    assert!(rest.contains("3 files are there already"), "{rest}");
    assert_eq!(hub.bytes_sent(HubOrigin::Cdn), WEIGHTS, "nothing was fetched twice");
}

async fn a_killed_run_is_resumed_without_locks_or_flushes(place: DestinationKind) {
    let Some(lacking) = Lacking::start(place, PROGRAMS, "flock=ENOLCK,fsync=EINVAL").await else { return };
    publish(&lacking);
    let hub = &lacking.sandbox.hub;
    let stall = hub.stall(2_000_000, When::file("model.safetensors").at(HubOrigin::Cdn).first(1));
    let mut child = lacking.syncing(MODEL, &[]).spawn().unwrap();
    stall.reached().await;
    while lacking.sandbox.claimed() < 1_000_000 {
        tokio::task::yield_now().await;
    }
    child.kill().await.unwrap();
    stall.release();
    let before = hub.bytes_sent(HubOrigin::Cdn);
    let ended = lacking.sync(MODEL, &[]).await;
    assert_whole(&lacking, &ended, "resumed");
    let again = hub.bytes_sent(HubOrigin::Cdn) - before;
    assert!(again <= WEIGHTS - 1_000_000, "{again} bytes were fetched again");
}

async fn a_disk_that_fails_is_none_that_lacks_something(place: DestinationKind) {
    let rows = [
        ("fsync=EIO", "cannot flush model.safetensors: input/output error\n", "hint: check the disk, then"),
        (
            "pwrite64=EDQUOT,pwritev=EDQUOT",
            "caused by: cannot write model.safetensors: disk quota exceeded: the quota of root (uid 0) on the disk of \
             SCRATCH/models/model is used up\n",
            "hint: remove what is not needed there (`quota -s` tells what counts), have the quota raised, or",
        ),
        // As NFS tells of a quota.
        (
            "fsync=EDQUOT",
            ": disk quota exceeded: the quota of root (uid 0) on the disk of SCRATCH/",
            "`quota -s`",
        ),
        (
            "flock=EIO",
            "caused by: cannot lock SCRATCH/models/model: input/output error",
            "hint: check the disk",
        ),
    ];
    for (rules, cause, hint) in rows {
        let Some(lacking) = Lacking::start(place, PROGRAMS, rules).await else { return };
        // The large file alone: which of several is flushed first is up to the network.
        let sandbox = &lacking.sandbox;
        sandbox.hub.model(MODEL).lfs("model.safetensors", Content::random(1, WEIGHTS)).commit();
        // New folders are flushed as well.
        std::fs::create_dir_all(sandbox.root()).unwrap();
        let ended = lacking.sync(MODEL, &[]).await;
        let said = refusal(sandbox, &ended, 1);
        let cause =
            if hfdown_tests::mount::is_root() { cause } else { cause.split(" of root").next().unwrap() };
        assert!(said.contains(cause) && said.contains(hint), "{rules}: {said}");
        assert!(!said.contains("are free"), "{rules}: what is free is none of the matter: {said}");
        assert_eq!(sandbox.files(), [""; 0], "{rules}: nothing has its name");
        let json = lacking.sync(MODEL, &["--json"]).await;
        let last: serde_json::Value = serde_json::from_str(json.stdout.lines().last().unwrap()).unwrap();
        assert_eq!((&last["type"], &last["exit_code"]), (&"error".into(), &1.into()), "{rules}");
    }
}

async fn a_detached_transfer_tells_those_who_attach(place: DestinationKind) {
    let Some(lacking) = Lacking::start(place, PROGRAMS, "flock=ENOLCK,fsync=EINVAL").await else { return };
    publish(&lacking);
    let sandbox = &lacking.sandbox;
    let stall = sandbox.hub.stall(1_000_000, When::file("model.safetensors").at(HubOrigin::Cdn));
    let begun = lacking.sync(MODEL, &["--detach"]).await;
    assert_eq!(begun.code, 0, "{}", begun.stderr);
    assert_eq!(warnings(&lacking, &begun), [LOCKS]);
    let (ssh, root) = (sandbox.host.as_ref().unwrap().command(), sandbox.root());
    let attach = || sandbox.hfdown(["attach", &ssh, root.to_str().unwrap()]);
    let watching = attach().spawn().unwrap();
    stall.release();
    let watched = ended(watching).await;
    assert_whole(&lacking, &watched, "attached");
    assert_eq!(warnings(&lacking, &watched), [LOCKS, FLUSHES]);
    while !sandbox.host.as_ref().unwrap().agent_pids().is_empty() {
        tokio::task::yield_now().await;
    }
    let later = run(attach()).await;
    assert_eq!((later.code, warnings(&lacking, &later)), (0, vec![LOCKS.to_owned(), FLUSHES.to_owned()]));
}

everywhere! {
    what_a_disk_lacks_is_told_once_and_the_run_goes_on,
}

here_and_on_a_box! {
    programs_are_told_by_name_what_a_disk_lacks,
    two_runs_of_one_machine_are_kept_apart_without_locks,
    a_disk_that_fails_is_none_that_lacks_something,
}

here! {
    modes_that_can_not_be_changed_are_told,
    a_killed_run_is_resumed_without_locks_or_flushes,
}

on_boxes! {
    a_detached_transfer_tells_those_who_attach,
}
