//! Agents on a box that must not be believed, folders that must not be trusted, and disks that are full.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use hfdown::link::{AgentImage, AgentOrigin, BadAgent, InstallStage, LinkError};
use hfdown_tests::counterpart::require_root;
use hfdown_tests::mount::Mount;
use hfdown_tests::sandbox::{DestinationKind, Sandbox};
use hfdown_tests::ssh_host::{HostOptions, Programs, SshHost, SshServerKind};

use super::echo::{ECHO, error, go, go_with, images, running_agent, talk};

/// A look into a FIFO would not end.
const BOUND: Duration = Duration::from_secs(20);

/// What an accident or another user has made of the cached agent, and what is said of it.
type Bad = (&'static str, fn(&Path), BadAgent);

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn made(program: &str, arguments: &[&str], path: &Path) {
    assert!(Command::new(program).args(arguments).arg(path).status().unwrap().success());
}

const BAD: [Bad; 8] = [
    // The right size, and it would run.
    (
        "three flipped bytes",
        |agent| {
            let other = ECHO.replace("agent is up", "agent is :-(").replace("exit 7\n", "exit 7");
            fs::write(agent, other).unwrap();
        },
        BadAgent::Damaged,
    ),
    ("one that is cut short", |agent| fs::write(agent, &ECHO[..20]).unwrap(), BadAgent::Damaged),
    ("an empty one", |agent| fs::write(agent, "").unwrap(), BadAgent::Damaged),
    (
        "a FIFO",
        |agent| {
            fs::remove_file(agent).unwrap();
            made("mkfifo", &["-m", "700"], agent);
        },
        BadAgent::NotOurs,
    ),
    (
        "a link to a good one",
        |agent| {
            let elsewhere = agent.ancestors().nth(3).unwrap().join("elsewhere");
            fs::rename(agent, &elsewhere).unwrap();
            symlink(elsewhere, agent).unwrap();
        },
        BadAgent::NotOurs,
    ),
    (
        "an empty folder",
        |agent| {
            fs::remove_file(agent).unwrap();
            fs::create_dir(agent).unwrap();
        },
        BadAgent::NotOurs,
    ),
    ("one that a group may write to", |agent| mode(agent, 0o770), BadAgent::NotOurs),
    ("one that all may write to", |agent| mode(agent, 0o702), BadAgent::NotOurs),
];

async fn an_agent_that_is_not_what_was_put_there_is_replaced(kind: SshServerKind) {
    let Some(host) = SshHost::start(kind, HostOptions::default()).await else { return };
    drop(go(&host.command(), &host.settings()).await.unwrap());
    let agent = host.home().join(".cache/hfdown").join(AgentImage::new(ECHO).file_name());
    for (what, spoil, why) in BAD {
        spoil(&agent);
        let going = async { go(&host.command(), &host.settings()).await };
        let mut link = tokio::time::timeout(BOUND, going).await.expect(what).unwrap();
        let expected = AgentOrigin::Uploaded { bytes: ECHO.len() as u64, replaces: Some(why) };
        assert_eq!(link.origin, expected, "{what}");
        talk(&mut link).await;
        let there = fs::symlink_metadata(&agent).unwrap();
        assert!(there.is_file() && there.mode() & 0o7777 == 0o700, "{what}: {there:?}");
        assert_eq!(fs::read_to_string(&agent).unwrap(), ECHO, "{what}");
    }
    assert_eq!(
        fs::read_to_string(host.home().join("elsewhere")).unwrap(),
        ECHO,
        "nothing was written through a link"
    );
    assert_eq!(go(&host.command(), &host.settings()).await.unwrap().origin, AgentOrigin::Cached);
}

async fn another_users_agent_is_not_run(kind: SshServerKind) {
    if !require_root() {
        return;
    }
    let Some(host) = SshHost::start(kind, HostOptions::default()).await else { return };
    drop(go(&host.command(), &host.settings()).await.unwrap());
    let agent = host.home().join(".cache/hfdown").join(AgentImage::new(ECHO).file_name());
    std::os::unix::fs::chown(&agent, Some(65_534), None).unwrap();
    let link = go(&host.command(), &host.settings()).await.unwrap();
    assert!(matches!(link.origin, AgentOrigin::Uploaded { replaces: Some(BadAgent::NotOurs), .. }));
    assert_eq!(fs::metadata(&agent).unwrap().uid(), 0);
}

/// Goes there, sees that no agent in home is used, and removes the one in the machine's own folder.
async fn passes_home_over(host: &SshHost, script: &str, what: &str) {
    let mut link = go_with(&host.command(), &host.settings(), &images(script)).await.unwrap();
    talk(&mut link).await;
    let runs = running_agent(host);
    assert!(!runs.starts_with(host.home()), "{what}: {}", runs.display());
    drop(link);
    let again = go_with(&host.command(), &host.settings(), &images(script)).await.unwrap();
    assert_eq!(again.origin, AgentOrigin::Cached, "{what}");
    drop(again);
    fs::remove_file(&runs).unwrap();
    // Fails while another test's agent is in there.
    _ = fs::remove_dir(runs.parent().unwrap());
}

async fn a_folder_that_others_could_replace_is_passed_over(kind: SshServerKind) {
    let Some(host) = SshHost::start(kind, HostOptions::default()).await else { return };
    let script = format!("{ECHO}# {}", host.home().display());
    let cache = host.home().join(".cache");
    drop(go_with(&host.command(), &host.settings(), &images(&script)).await.unwrap());
    for (what, folder, modes) in [
        ("its parent", cache.as_path(), 0o777),
        ("home", host.home(), 0o757),
        ("the folder", &cache.join("hfdown"), 0o770),
    ] {
        let before = fs::metadata(folder).unwrap().mode();
        mode(folder, modes);
        passes_home_over(&host, &script, what).await;
        mode(folder, before);
    }
    // The sticky bit keeps others from renaming what is not theirs; so does a link that only this user can change.
    mode(&cache, 0o1777);
    let origin = async || go_with(&host.command(), &host.settings(), &images(&script)).await.unwrap().origin;
    assert_eq!(origin().await, AgentOrigin::Cached);
    mode(&cache, 0o700);
    fs::rename(&cache, host.home().join("cache elsewhere")).unwrap();
    symlink("cache elsewhere", &cache).unwrap();
    assert_eq!(origin().await, AgentOrigin::Cached);
    mode(&host.home().join("cache elsewhere"), 0o777);
    passes_home_over(&host, &script, "a folder behind a link").await;
}

async fn a_folder_under_the_agents_name_is_left_alone(kind: SshServerKind) {
    let Some(host) = SshHost::start(kind, HostOptions::default()).await else { return };
    let script = format!("{ECHO}# {}", host.home().display());
    let agent = host.home().join(".cache/hfdown").join(AgentImage::new(script.clone()).file_name());
    fs::create_dir_all(&agent).unwrap();
    fs::write(agent.join("file"), "").unwrap();
    mode(agent.parent().unwrap(), 0o700);
    passes_home_over(&host, &script, "a folder with a file in it").await;
    assert_eq!(fs::read_dir(&agent).unwrap().count(), 1);
}

async fn a_full_home_is_passed_over(kind: SshServerKind) {
    let Some(host) = SshHost::start(kind, HostOptions::default()).await else { return };
    // Room for a program of one page, and not for this agent.
    let script = format!("{ECHO}# {} {}", host.home().display(), "-".repeat(100_000));
    let cache = host.home().join(".cache");
    let Some(_disk) = Mount::memory(&cache, "size=32k,mode=700") else { return };
    passes_home_over(&host, &script, "a full disk").await;
    assert_eq!(fs::read_dir(&cache).unwrap().count(), 0, "nothing is left of the try");
}

async fn says_why_where_every_folder_is_full(kind: SshServerKind) {
    let shell = Some("/bin/bash".into());
    let options = HostOptions { shell, bashrc: Some("ulimit -f 8".into()), ..HostOptions::default() };
    let Some(host) = SshHost::start(kind, options).await else { return };
    let script = format!("{ECHO}# {} {}", host.home().display(), "-".repeat(100_000));
    let failed = error(go_with(&host.command(), &host.settings(), &images(&script)).await);
    assert!(matches!(failed, LinkError::Install { stage: InstallStage::Write, .. }), "{failed:?}");
    assert!(!host.home().join(".cache").exists(), "no folder is left for an agent that is not there");
}

/// Neither `sha256sum` nor what else could tell.
async fn an_agent_is_told_to_prove_itself_where_no_program_can(kind: SshServerKind) {
    const FEW: &[&str] =
        &["cat", "chmod", "dd", "head", "id", "ls", "mkdir", "mv", "rm", "rmdir", "touch", "uname", "wc"];
    // It ends before it greets, as the real one does: the second time, when it is damaged.
    let own = "#!/bin/sh\n[ \"$3\" ] || exit 64; grep -q '[:]-(' \"$0\" && exit 65\n";
    let script = ECHO.replacen("#!/bin/sh\n", own, 1);
    let options = HostOptions { programs: Programs::Only(FEW), ..HostOptions::default() };
    let Some(host) = SshHost::start(kind, options).await else { return };
    host.put_program("grep", "exec /usr/bin/grep \"$@\"");
    let going = async || go_with(&host.command(), &host.settings(), &images(&script)).await.unwrap().origin;
    assert!(matches!(going().await, AgentOrigin::Uploaded { replaces: None, .. }));
    assert_eq!(going().await, AgentOrigin::Cached);
    let agent = host.home().join(".cache/hfdown").join(AgentImage::new(script.clone()).file_name());
    fs::write(&agent, script.replace("up >&2", ":-( >2")).unwrap();
    assert!(matches!(going().await, AgentOrigin::Uploaded { replaces: Some(BadAgent::Damaged), .. }));
}

/// Files and folders get the same modes, whichever command started the agent: the one that brought it, or a later one.
async fn modes_are_those_of_the_users_umask(place: DestinationKind) {
    for (umask, file_mode, folder_mode) in [("022", 0o644, 0o755), ("027", 0o640, 0o750)] {
        let shell = Some("/bin/bash".into());
        let options = HostOptions { shell, bashrc: Some(format!("umask {umask}")), ..HostOptions::default() };
        let Some(sandbox) = Sandbox::start_with(place, crate::places::HFDOWN, options).await else { return };
        // The first brings the agent along.
        for file in ["a/model.bin", "b/model.bin"] {
            sandbox.hub.model("acme/tiny").file(file, file).commit();
            let ended = sandbox.sync("acme/tiny", &[]).await;
            assert_eq!(ended.code, 0, "{ended:?}");
            let modes = |path: &Path| fs::metadata(path).unwrap().mode() & 0o7777;
            let file = sandbox.root().join(file);
            assert_eq!(modes(&file), file_mode, "{} with {umask}", file.display());
            assert_eq!(modes(file.parent().unwrap()), folder_mode, "{} with {umask}", file.display());
            assert_eq!(modes(&sandbox.root()), folder_mode, "{} with {umask}", file.display());
        }
        let own = sandbox.host.as_ref().unwrap().home().join(".cache/hfdown");
        let modes: Vec<u32> = [own.clone()]
            .into_iter()
            .chain(fs::read_dir(own).unwrap().map(|entry| entry.unwrap().path()))
            .map(|path| fs::metadata(path).unwrap().mode() & 0o7777)
            .collect();
        assert_eq!(modes, [0o700; 2], "the agent and its folder are this user's alone");
    }
}

on_boxes! {
    an_agent_that_is_not_what_was_put_there_is_replaced,
    another_users_agent_is_not_run,
    a_folder_that_others_could_replace_is_passed_over,
    a_folder_under_the_agents_name_is_left_alone,
    a_full_home_is_passed_over,
    says_why_where_every_folder_is_full,
    an_agent_is_told_to_prove_itself_where_no_program_can,
    modes_are_those_of_the_users_umask,
}
