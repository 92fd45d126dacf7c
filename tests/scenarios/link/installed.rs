//! Agents that are on a box already: old ones and damaged ones.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use hfdown::link::{AgentImages, AgentOrigin, Cpu};
use hfdown_tests::ssh_host::{HostOptions, SshHost, SshServerKind};

use super::echo::{ECHO, go, go_with, images, running_agent, talk};

/// Images of a version of its own.
fn version(name: &str) -> AgentImages {
    images(&format!("{ECHO}# {name}"))
}

fn file_of(host: &SshHost, images: &AgentImages) -> PathBuf {
    let image = images.get(Cpu::X86_64).or(images.get(Cpu::Aarch64)).unwrap();
    host.home().join(".cache/hfdown").join(image.file_name())
}

/// As if it had last been used so long ago.
fn age(path: &Path, age: &str) {
    assert!(Command::new("touch").args(["-d", age]).arg(path).status().unwrap().success());
}

async fn sweeps_old_versions_and_not_one_that_is_in_use(kind: SshServerKind) {
    let Some(host) = SshHost::start(kind, HostOptions::default()).await else { return };
    let [used, unused, new] = ["used", "unused", "new"].map(version);
    for images in [&used, &unused] {
        drop(go_with(&host.command(), &host.settings(), images).await.unwrap());
    }
    for images in [&used, &unused] {
        age(&file_of(&host, images), "20 days ago");
    }
    // Starting it is using it.
    let mut in_use = go_with(&host.command(), &host.settings(), &used).await.unwrap();
    assert_eq!(in_use.origin, AgentOrigin::Cached);
    drop(go_with(&host.command(), &host.settings(), &new).await.unwrap());
    let there = [&used, &unused, &new].map(|images| file_of(&host, images).exists());
    assert_eq!(there, [true, false, true]);
    talk(&mut in_use).await;
}

async fn replaces_an_agent_that_does_not_come_up(kind: SshServerKind) {
    let Some(host) = SshHost::start(kind, HostOptions::default()).await else { return };
    drop(go(&host.command(), &host.settings()).await.unwrap());
    let agent = file_of(&host, &images(ECHO));
    // Its size is right, as after a crash of the box that lost what was in it.
    fs::write(&agent, vec![0; ECHO.len()]).unwrap();
    let mut link = go(&host.command(), &host.settings()).await.unwrap();
    assert!(matches!(link.origin, AgentOrigin::Uploaded { .. }));
    talk(&mut link).await;
    assert_eq!(fs::read_to_string(&agent).unwrap(), ECHO);
}

async fn runs_no_agent_that_others_may_have_written(kind: SshServerKind) {
    let Some(host) = SshHost::start(kind, HostOptions::default()).await else { return };
    drop(go(&host.command(), &host.settings()).await.unwrap());
    let agent = file_of(&host, &images(ECHO));
    let folder = agent.parent().unwrap();
    fs::set_permissions(folder, fs::Permissions::from_mode(0o777)).unwrap();
    fs::write(&agent, ECHO.replace("agent is up", "agent is it")).unwrap();
    let own = images(&format!("{ECHO}# {}", host.home().display()));
    let link = go_with(&host.command(), &host.settings(), &own).await.unwrap();
    let runs = running_agent(&host);
    assert!(!runs.starts_with(host.home()), "{}", runs.display());
    drop(link);
    fs::remove_file(&runs).unwrap();
    // Fails while another test's agent is in there.
    _ = fs::remove_dir(runs.parent().unwrap());
}

on_boxes! {
    sweeps_old_versions_and_not_one_that_is_in_use,
    replaces_an_agent_that_does_not_come_up,
    runs_no_agent_that_others_may_have_written,
}
