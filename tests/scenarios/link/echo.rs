//! An agent that greets and echoes, and the way to it.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use hfdown::link::{AgentImage, AgentImages, AgentLink, Cpu, LinkError, LinkSettings, SshTarget, reach};
use hfdown_tests::ssh_host::SshHost;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// An agent that greets and echoes.
pub(super) const ECHO: &str =
    "#!/bin/sh\necho agent is up >&2\nprintf '\\nHFDOWN-AGENT %s\\n' \"$2\"\ncat\nexit 7\n";

pub(super) fn images(script: &str) -> AgentImages {
    let image = || AgentImage::new(script.as_bytes().to_vec());
    AgentImages::none().with(Cpu::X86_64, image()).with(Cpu::Aarch64, image())
}

/// To a box with the echoing agent.
pub(super) async fn go(command: &str, settings: &LinkSettings) -> Result<AgentLink, LinkError> {
    go_with(command, settings, &images(ECHO)).await
}

pub(super) async fn go_with(
    command: &str,
    settings: &LinkSettings,
    images: &AgentImages,
) -> Result<AgentLink, LinkError> {
    let (target, _) = SshTarget::parse(command).expect("the host's own command is understood");
    reach(&target, settings, images).await
}

/// The error of a way that leads nowhere.
pub(super) fn error(reached: Result<AgentLink, LinkError>) -> LinkError {
    match reached {
        Ok(_) => panic!("it was reached"),
        Err(error) => error,
    }
}

/// Says a word and hears it.
pub(super) async fn talk(link: &mut AgentLink) {
    link.writer.write_all(b"a word").await.unwrap();
    let mut heard = std::mem::take(&mut link.already_read);
    while heard.len() < 6 {
        assert!(link.reader.read_buf(&mut heard).await.unwrap() > 0, "{:?}", link.guard.agent_exit());
    }
    assert_eq!(heard, b"a word");
}

/// Lets a condition outside of this process come true.
pub(super) async fn eventually(what: &str, condition: impl Fn() -> bool) {
    for _ in 0..500 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("it never came true: {what}");
}

/// The file of the agent that runs on a host.
pub(super) fn running_agent(host: &SshHost) -> PathBuf {
    let command = fs::read(format!("/proc/{}/cmdline", host.agent_pids()[0])).unwrap();
    let command = String::from_utf8_lossy(&command);
    PathBuf::from(command.split('\0').find(|word| word.contains("/agent-")).unwrap())
}
