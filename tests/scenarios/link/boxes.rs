//! Boxes as they are: noisy, read-only, foreign, broken.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use hfdown::link::{
    AgentImage, AgentImages, AgentOrigin, CommandExit, Cpu, InstallStage, LinkError, SshTarget, reach,
};
use hfdown_tests::proxy::Proxy;
use hfdown_tests::ssh_host::{HostOptions, SshHost, SshServerKind};

use super::echo::{ECHO, error, go, go_with, images, running_agent, talk};

/// Images with a name of their own: folders outside of home are the machine's, and other tests' agents are there too.
fn images_of(host: &SshHost) -> AgentImages {
    images(&format!("{ECHO}# {}", host.home().display()))
}

/// Goes there twice, and removes the agent from the machine's own folder.
pub(super) async fn finds_another_folder(host: &SshHost) {
    let images = images_of(host);
    let mut link = go_with(&host.command(), &host.settings(), &images).await.unwrap();
    talk(&mut link).await;
    let agent = running_agent(host);
    let folder = agent.parent().unwrap();
    assert!(folder.starts_with("/dev/shm") || folder.starts_with("/tmp"), "{}", folder.display());
    assert!(!agent.starts_with(host.home()));
    assert_eq!(fs::metadata(folder).unwrap().permissions().mode() & 0o777, 0o700);
    drop(link);
    assert_eq!(
        go_with(&host.command(), &host.settings(), &images).await.unwrap().origin,
        AgentOrigin::Cached
    );
    fs::remove_file(&agent).unwrap();
    // Fails while another test's agent is in there.
    _ = fs::remove_dir(folder);
}

async fn goes_elsewhere_when_home_is_no_place(kind: SshServerKind) {
    let Some(host) = SshHost::start(kind, HostOptions::default()).await else { return };
    // A file where the folder should be: this keeps root out as well, as a read-only home would.
    fs::write(host.home().join(".cache"), "").unwrap();
    finds_another_folder(&host).await;
}

async fn goes_elsewhere_when_home_runs_no_programs(kind: SshServerKind) {
    let Some(host) = SshHost::start(kind, HostOptions::default()).await else { return };
    // Nothing in home becomes a program, as on a `noexec` mount.
    host.put_program("chmod", "case $2 in $HOME/*) exit 0;; esac; exec /bin/chmod \"$@\"");
    finds_another_folder(&host).await;
    assert!(!host.home().join(".cache/hfdown").exists(), "no empty folder is left there");
}

/// What another conversation does when it takes its agent away: it removes the folder, if that is empty.
async fn keeps_a_folder_that_another_gives_up(kind: SshServerKind) {
    let Some(host) = SshHost::start(kind, HostOptions::default()).await else { return };
    let given_up = "rmdir $HOME/.cache/hfdown 2>/dev/null";
    // Once before there is anything in it, and then again and again.
    host.put_program("mkdir", &format!("/bin/mkdir \"$@\"; [ -e ~/once ] || {{ : >~/once; {given_up}; }}"));
    host.put_program("chmod", &format!("{given_up}; exec /bin/chmod \"$@\""));
    host.put_program("head", &format!("{given_up}; exec /usr/bin/head \"$@\""));
    host.put_program("wc", &format!("{given_up}; exec /usr/bin/wc \"$@\""));
    let mut link = go(&host.command(), &host.settings()).await.unwrap();
    talk(&mut link).await;
    assert!(host.home().join("once").exists(), "it was given up while nothing was in it");
    assert_eq!(running_agent(&host).parent().unwrap(), host.home().join(".cache/hfdown"));
}

async fn says_that_there_is_no_folder(kind: SshServerKind) {
    let Some(host) = SshHost::start(kind, HostOptions::default()).await else { return };
    host.put_program("chmod", "exit 0");
    let failed = error(go(&host.command(), &host.settings()).await);
    let LinkError::NoFolder { said, .. } = failed else { panic!("{failed:?}") };
    assert!(said.to_lowercase().contains("permission denied"), "{said}");
}

async fn says_why_an_agent_could_not_be_put_there(kind: SshServerKind) {
    let Some(host) = SshHost::start(kind, HostOptions::default()).await else { return };
    // Whether there is a `head -c` is found out with one byte.
    let one = "[ $2 = 1 ] && exec /usr/bin/head \"$@\";";
    let full = "echo 'head: write error: No space left on device' >&2; exit 1";
    for (head, stage, reason) in [
        (full, InstallStage::Write, "head: write error: No space left on device"),
        ("exec /usr/bin/head -c 20", InstallStage::Size, ""),
        ("/usr/bin/head \"$@\" | tr a b", InstallStage::Digest, ""),
    ] {
        host.put_program("head", &format!("{one} {head}"));
        let failed = error(go(&host.command(), &host.settings()).await);
        let LinkError::Install { stage: at, said, .. } = failed else { panic!("{failed:?}") };
        assert_eq!((at, said.as_str()), (stage, reason));
        assert!(!host.home().join(".cache").exists(), "no folder is left for an agent that is not there");
    }
}

async fn refuses_other_machines_by_name(kind: SshServerKind) {
    let Some(host) = SshHost::start(kind, HostOptions::default()).await else { return };
    for (system, machine) in [("Linux", "riscv64"), ("Darwin", "arm64"), ("Linux", "i686")] {
        host.put_program("uname", &format!("[ $1 = -s ] && echo {system} || echo {machine}"));
        let failed = error(go(&host.command(), &host.settings()).await);
        let LinkError::OtherMachine { platform, .. } = failed else { panic!("{failed:?}") };
        assert_eq!((platform.system.as_str(), platform.machine.as_str()), (system, machine));
    }
    host.put_program("uname", "[ $1 = -s ] && echo Linux || echo aarch64");
    let (target, _) = SshTarget::parse(&host.command()).unwrap();
    let only_intel = AgentImages::none().with(Cpu::X86_64, AgentImage::new(ECHO));
    let failed = error(reach(&target, &host.settings(), &only_intel).await);
    assert!(matches!(failed, LinkError::NoImage { variable: "HFDOWN_AGENT_AARCH64", .. }), "{failed:?}");
    assert!(!host.home().join(".cache").exists(), "nothing was put there");
}

async fn says_what_a_broken_agent_said(kind: SshServerKind) {
    let Some(host) = SshHost::start(kind, HostOptions::default()).await else { return };
    let (target, _) = SshTarget::parse(&host.command()).unwrap();
    let broken = images("#!/bin/sh\nprintf 'no \\033[1mmemory' >&2\nexit 3\n");
    for _ in ["cold", "warm"] {
        let failed = error(reach(&target, &host.settings(), &broken).await);
        let LinkError::AgentSilent { exit, said, .. } = failed else { panic!("{failed:?}") };
        assert_eq!((exit, said.as_str()), (Some(CommandExit::Status(3)), "no [1mmemory"));
    }
}

/// A box that has no memory for it ends each agent at once: it is not taken for a damaged one, and sent once.
async fn says_that_an_agent_was_killed_before_it_greeted(kind: SshServerKind) {
    let Some(host) = SshHost::start(kind, HostOptions::default()).await else { return };
    let proxy = Proxy::to(host.port()).await;
    let (target, _) = SshTarget::parse(&host.command_via(proxy.port())).unwrap();
    // Half a megabyte that can't be compressed any further, so that each upload is seen.
    let noise = (1..50_000_u64).map(|number| number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let noise: Vec<_> = noise.map(|number| format!("{:016x}", number.wrapping_mul(number | 1))).collect();
    let killed = images(&format!("#!/bin/sh\nkill -9 $$\n# {}", noise.concat()));
    for _ in ["cold", "warm"] {
        let failed = error(reach(&target, &host.settings(), &killed).await);
        assert!(failed.is_killed_agent() && !failed.is_of_the_moment(), "{failed:?}");
        let said = failed.to_string();
        assert!(said.ends_with(" was killed before it greeted (signal 9): out of memory?"), "{said}");
    }
    assert!((400_000..700_000).contains(&proxy.bytes_up()), "{} bytes were sent", proxy.bytes_up());
}

async fn replaces_an_agent_that_was_cut_short_and_sweeps_old_ones(kind: SshServerKind) {
    let Some(host) = SshHost::start(kind, HostOptions::default()).await else { return };
    drop(go(&host.command(), &host.settings()).await.unwrap());
    let folder = host.home().join(".cache/hfdown");
    let agent = folder.join(AgentImage::new(ECHO).file_name());
    fs::write(&agent, &ECHO[..20]).unwrap();
    let (old, recent) = (folder.join("agent-0000000000000000"), folder.join("agent-1111111111111111"));
    for (path, age) in [(&old, "20 days ago"), (&recent, "2 days ago")] {
        fs::write(path, "").unwrap();
        assert!(Command::new("touch").args(["-d", age]).arg(path).status().unwrap().success());
    }
    let link = go(&host.command(), &host.settings()).await.unwrap();
    assert!(matches!(link.origin, AgentOrigin::Uploaded { .. }));
    assert_eq!((agent.exists(), old.exists(), recent.exists()), (true, false, true));
}

async fn speaks_through_banners_and_noise(kind: SshServerKind) {
    let options = HostOptions {
        banner: Some("Welcome to vast.ai. If authentication fails, try again after a few seconds.\n".into()),
        bashrc: Some(
            "echo Have fun!; printf '\\033[31mred'; echo HFDOWN-AGENT nonsense; echo loud >&2".into(),
        ),
        ..HostOptions::default()
    };
    let Some(host) = SshHost::start(kind, options).await else { return };
    for _ in 0..2 {
        talk(&mut go(&host.command(), &host.settings()).await.unwrap()).await;
    }
}

on_boxes! {
    speaks_through_banners_and_noise,
    goes_elsewhere_when_home_is_no_place,
    goes_elsewhere_when_home_runs_no_programs,
    keeps_a_folder_that_another_gives_up,
    says_that_there_is_no_folder,
    says_why_an_agent_could_not_be_put_there,
    replaces_an_agent_that_was_cut_short_and_sweeps_old_ones,
    refuses_other_machines_by_name,
    says_what_a_broken_agent_said,
    says_that_an_agent_was_killed_before_it_greeted,
}
