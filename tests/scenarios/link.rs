//! From a pasted SSH string to an agent that greets, on both kinds of hosts.
//!
//! The agent is mostly a shell script that greets and then repeats what it is told: what is shown here is the way to
//! it.

#![expect(clippy::unwrap_used, reason = "a step that fails is a scenario that fails")]

#[path = "link/agents.rs"]
mod agents;
#[path = "link/boxes.rs"]
mod boxes;
#[path = "link/hijacked.rs"]
mod hijacked;
#[path = "link/installed.rs"]
mod installed;
#[path = "link/jumps.rs"]
mod jumps;
#[path = "link/keys.rs"]
mod keys;
#[path = "link/life.rs"]
mod life;
#[path = "link/servers.rs"]
mod servers;
#[path = "link/shells.rs"]
mod shells;
#[path = "link/trust.rs"]
mod trust;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use hfdown::link::{
    AgentImage, AgentImages, AgentLink, AgentOrigin, CommandExit, Cpu, HostKeyError, HostKeyPolicy,
    HostKeyTrust, InstallStage, KeyFailure, LinkError, LinkSettings, SshTarget, reach,
};
use hfdown_tests::counterpart::Counterpart;
use hfdown_tests::proxy::Proxy;
use hfdown_tests::ssh_host::{HostOptions, Keys, Kind, SshHost};
use russh::keys::{Algorithm, EcdsaCurve};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Runs each scenario on both kinds of hosts.
macro_rules! on_both {
    ($($module:ident { $($name:ident,)* })*) => {
        mod in_process {
            $($(#[tokio::test] async fn $name() { super::$module::$name(super::Kind::InProcess).await; })*)*
        }
        mod sshd {
            $($(#[tokio::test] async fn $name() { super::$module::$name(super::Kind::Sshd).await; })*)*
        }
    };
}

on_both! {
    life {
        uploads_an_agent_once_and_finds_it_again,
        uses_two_commands_on_a_cold_box_and_one_on_a_warm_one,
        starts_the_real_agent,
        lets_two_come_at_once,
        carries_megabytes_both_ways,
        ends_the_agent_when_the_link_is_dropped,
        notices_that_the_connection_was_cut,
        says_that_a_port_is_closed,
    }
    agents {
        logs_in_with_a_key_of_the_ssh_agent,
        logs_in_with_an_encrypted_key_that_the_ssh_agent_holds,
        logs_in_with_an_rsa_key_of_the_ssh_agent,
        a_full_ssh_agent_does_not_use_up_the_servers_patience,
    }
    keys {
        asks_for_the_passphrase_of_a_key_that_the_server_takes,
        asks_nobody_for_a_key_that_the_server_does_not_take,
        asks_before_a_key_whose_public_half_is_not_known,
        a_server_that_hangs_up_while_somebody_is_asked_is_gone_to_again,
        logs_in_with_rsa_and_ecdsa_keys,
        says_which_keys_were_tried,
        says_that_the_server_had_enough_of_keys,
    }
    jumps {
        goes_through_a_real_sshd,
        pins_the_key_of_the_box_and_not_that_of_the_jump_host,
        names_the_host_on_the_way_that_is_in_the_way,
    }
    trust {
        refuses_a_changed_host_key,
        refuses_an_unknown_host_key_when_strict,
        believes_only_the_pinned_key,
        refuses_a_revoked_host_key,
        forwards_nothing_whatever_the_command_and_the_environment_say,
    }
    boxes {
        speaks_through_banners_and_noise,
        goes_elsewhere_when_home_is_no_place,
        goes_elsewhere_when_home_runs_no_programs,
        keeps_a_folder_that_another_gives_up,
        says_that_there_is_no_folder,
        says_why_an_agent_could_not_be_put_there,
        replaces_an_agent_that_was_cut_short_and_sweeps_old_ones,
        refuses_other_machines_by_name,
        says_what_a_broken_agent_said,
    }
    installed {
        sweeps_old_versions_and_not_one_that_is_in_use,
        replaces_an_agent_that_does_not_come_up,
        runs_no_agent_that_others_may_have_written,
        ends_the_agent_that_it_supersedes_and_nothing_else,
    }
    hijacked {
        says_that_a_shell_ran_nothing,
    }
    shells {
        speaks_to_any_login_shell,
        waits_for_a_shell_that_takes_its_time,
        skips_as_much_noise_as_can_be_noise,
        says_that_a_shell_is_noisy,
        goes_elsewhere_without_a_home,
        goes_elsewhere_when_home_is_read_only,
        needs_few_programs,
        needs_no_head_that_counts,
    }
}

/// An agent that greets and echoes.
const ECHO: &str = "#!/bin/sh\necho agent is up >&2\nprintf '\\nHFDOWN-AGENT %s\\n' \"$2\"\ncat\nexit 7\n";

fn images(script: &str) -> AgentImages {
    let image = || AgentImage::new(script.as_bytes().to_vec());
    AgentImages::none().with(Cpu::X86_64, image()).with(Cpu::Aarch64, image())
}

/// To a box with the echoing agent.
async fn go(command: &str, settings: &LinkSettings) -> Result<AgentLink, LinkError> {
    go_with(command, settings, &images(ECHO)).await
}

async fn go_with(
    command: &str,
    settings: &LinkSettings,
    images: &AgentImages,
) -> Result<AgentLink, LinkError> {
    let (target, _) = SshTarget::parse(command).expect("the host's own command is understood");
    reach(&target, settings, images).await
}

/// The error of a way that leads nowhere.
fn error(reached: Result<AgentLink, LinkError>) -> LinkError {
    match reached {
        Ok(_) => panic!("it was reached"),
        Err(error) => error,
    }
}

/// Says a word and hears it.
async fn talk(link: &mut AgentLink) {
    link.writer.write_all(b"a word").await.unwrap();
    let mut heard = std::mem::take(&mut link.already_read);
    while heard.len() < 6 {
        assert!(link.reader.read_buf(&mut heard).await.unwrap() > 0, "{:?}", link.guard.agent_exit());
    }
    assert_eq!(heard, b"a word");
}

/// Lets a condition outside of this process come true.
async fn eventually(what: &str, condition: impl Fn() -> bool) {
    for _ in 0..500 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("it never came true: {what}");
}

/// The file of the agent that runs on a host.
fn running_agent(host: &SshHost) -> PathBuf {
    let command = fs::read(format!("/proc/{}/cmdline", host.agent_pids()[0])).unwrap();
    let command = String::from_utf8_lossy(&command);
    PathBuf::from(command.split('\0').find(|word| word.contains("/agent-")).unwrap())
}
