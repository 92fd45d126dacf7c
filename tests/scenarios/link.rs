//! From a pasted SSH string to an agent that greets, on both kinds of hosts.
//!
//! The agent is a shell script that greets and then repeats what it is told: what is shown here is the way to it.

#![expect(clippy::unwrap_used, reason = "a step that fails is a scenario that fails")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use hfdown::link::{
    AgentImage, AgentImages, AgentLink, AgentOrigin, Cpu, Exit, HostKeyError, HostKeyPolicy, HostKeySeen,
    LinkError, LinkSettings, Refusal, SshTarget, reach,
};
use hfdown_tests::counterpart::Counterpart;
use hfdown_tests::proxy::Proxy;
use hfdown_tests::ssh_host::{HostOptions, Keys, Kind, SshHost};
use russh::keys::Algorithm;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Runs each scenario on both kinds of hosts.
macro_rules! on_both {
    ($($name:ident,)*) => {
        mod in_process {
            $(#[tokio::test] async fn $name() { super::$name(super::Kind::InProcess).await; })*
        }
        mod sshd {
            $(#[tokio::test] async fn $name() { super::$name(super::Kind::Sshd).await; })*
        }
    };
}

on_both! {
    uploads_an_agent_once_and_finds_it_again,
    speaks_through_banners_and_noise,
    logs_in_with_a_key_of_the_ssh_agent,
    logs_in_with_an_encrypted_key_that_the_ssh_agent_holds,
    logs_in_with_rsa_and_ecdsa_keys,
    says_which_keys_were_tried,
    refuses_a_changed_host_key,
    refuses_an_unknown_host_key_when_strict,
    believes_only_the_pinned_key,
    says_that_a_port_is_closed,
    goes_elsewhere_when_home_is_no_place,
    refuses_other_machines_by_name,
    says_what_a_broken_agent_said,
    says_that_a_shell_ran_nothing,
    ends_the_agent_when_the_link_is_dropped,
    notices_that_the_connection_was_cut,
    uses_two_commands_on_a_cold_box_and_one_on_a_warm_one,
    replaces_an_agent_that_was_cut_short_and_sweeps_old_ones,
    carries_megabytes_both_ways,
}

/// An agent that greets and echoes.
const ECHO: &str = "#!/bin/sh\necho agent is up >&2\nprintf '\\nHFDOWN-AGENT %s\\n' \"$2\"\ncat\nexit 7\n";

fn images(script: &str) -> AgentImages {
    let image = || AgentImage::new(script.as_bytes().to_vec());
    AgentImages::none().with(Cpu::X86_64, image()).with(Cpu::Aarch64, image())
}

async fn go(command: &str, settings: &LinkSettings) -> Result<AgentLink, LinkError> {
    let (target, _) = SshTarget::parse(command).expect("the host's own command is understood");
    reach(&target, settings, &images(ECHO)).await
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
        assert!(link.reader.read_buf(&mut heard).await.unwrap() > 0, "{:?}", link.tether.ending());
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

async fn uploads_an_agent_once_and_finds_it_again(kind: Kind) {
    let Some(host) = SshHost::start(kind, HostOptions::default()).await else { return };
    let settings = host.settings();
    let mut cold = go(&host.command(), &settings).await.unwrap();
    assert_eq!(cold.origin, AgentOrigin::Uploaded { bytes: ECHO.len() as u64 });
    assert_eq!(cold.platform.system, "Linux");
    assert!(
        matches!(&cold.host_key, HostKeySeen::Learned { fingerprint, .. } if *fingerprint == host.host_keys().fingerprint())
    );
    talk(&mut cold).await;
    let agent = host.home().join(".cache/hfdown").join(AgentImage::new(ECHO).file_name());
    assert_eq!(fs::read_to_string(&agent).unwrap(), ECHO);
    for path in [agent.as_path(), agent.parent().unwrap()] {
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o700, "{}", path.display());
    }
    assert_eq!(fs::read_dir(agent.parent().unwrap()).unwrap().count(), 1, "nothing else is left there");

    cold.writer.shutdown().await.unwrap();
    let mut rest = Vec::new();
    cold.reader.read_to_end(&mut rest).await.unwrap();
    let ending = cold.tether.close(Duration::from_secs(5)).await;
    assert_eq!(ending.exit, Some(Exit::Status(7)));
    assert!(ending.closed);
    assert_eq!(ending.last_words, "agent is up");

    let mut warm = go(&host.command(), &settings).await.unwrap();
    assert_eq!((warm.origin, &warm.host_key), (AgentOrigin::Warm, &HostKeySeen::Known));
    assert_eq!(warm.platform.system, "Linux");
    talk(&mut warm).await;
}

async fn speaks_through_banners_and_noise(kind: Kind) {
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

/// An ssh-agent that ends with the test.
struct KeyAgent {
    child: std::process::Child,
    socket: std::path::PathBuf,
}

impl KeyAgent {
    async fn start(folder: &Path) -> Option<Self> {
        // It comes with the server.
        Counterpart::Sshd.require()?;
        let socket = folder.join("agent.sock");
        let child =
            Command::new("ssh-agent").arg("-D").arg("-a").arg(&socket).stdout(Stdio::null()).spawn().unwrap();
        let agent = Self { child, socket };
        eventually("the ssh-agent listens", || agent.socket.exists()).await;
        Some(agent)
    }

    fn add(&self, key: &Path) {
        let mut add = Command::new("ssh-add");
        add.arg("-q").arg(key).env("SSH_AUTH_SOCK", &self.socket).stdin(Stdio::null());
        assert!(add.status().unwrap().success());
    }
}

impl Drop for KeyAgent {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

async fn logs_in_with_a_key_of_the_ssh_agent(kind: Kind) {
    let Some(host) = SshHost::start(kind, HostOptions::default()).await else { return };
    let Some(agent) = KeyAgent::start(host.near()).await else { return };
    let settings = LinkSettings { agent_socket: Some(agent.socket.clone()), ..host.settings() };
    let LinkError::Auth { tried, .. } = error(go(&host.command_without_key(), &settings).await) else {
        panic!()
    };
    assert_eq!(tried, []);
    // A wrong one first: the right one is tried after it.
    agent.add(&Keys::generate(host.near(), "other", Algorithm::Ed25519).private);
    agent.add(&host.client_keys().private);
    talk(&mut go(&host.command_without_key(), &settings).await.unwrap()).await;
}

async fn logs_in_with_an_encrypted_key_that_the_ssh_agent_holds(kind: Kind) {
    let Some(host) = SshHost::start(kind, HostOptions::default()).await else { return };
    let Some(agent) = KeyAgent::start(host.near()).await else { return };
    agent.add(&host.client_keys().private);
    let mut encrypt = Command::new("ssh-keygen");
    encrypt.args(["-q", "-p", "-P", "", "-N", "a secret", "-f"]).arg(&host.client_keys().private);
    assert!(encrypt.stdout(Stdio::null()).status().unwrap().success());
    let LinkError::Auth { tried, .. } = error(go(&host.command(), &host.settings()).await) else { panic!() };
    assert_eq!(tried[0].result, Refusal::Encrypted);
    assert_eq!(tried[0].key, host.client_keys().private.display().to_string());
    let settings = LinkSettings { agent_socket: Some(agent.socket.clone()), ..host.settings() };
    talk(&mut go(&host.command(), &settings).await.unwrap()).await;
}

async fn logs_in_with_rsa_and_ecdsa_keys(kind: Kind) {
    let Some(host) = SshHost::start(kind, HostOptions::default()).await else { return };
    let rsa = Algorithm::Rsa { hash: None };
    let ecdsa = Algorithm::Ecdsa { curve: russh::keys::EcdsaCurve::NistP384 };
    for (name, algorithm) in [("id_rsa", rsa), ("id_ecdsa", ecdsa)] {
        let keys = Keys::generate(host.near(), name, algorithm);
        host.authorize(&keys);
        let settings = LinkSettings { default_keys: vec![keys.private], ..host.settings() };
        talk(&mut go(&host.command_without_key(), &settings).await.unwrap()).await;
    }
}

async fn says_which_keys_were_tried(kind: Kind) {
    let options =
        HostOptions { banner: Some("double check your \u{1b}[1mssh key\n".into()), ..HostOptions::default() };
    let Some(host) = SshHost::start(kind, options).await else { return };
    let other = Keys::generate(host.near(), "other", Algorithm::Ed25519);
    let settings = LinkSettings { default_keys: vec![host.client_keys().private.clone()], ..host.settings() };
    let command = format!("{} -i ~/other -i ~/none", host.command_without_key());
    let failed = error(go(&command, &settings).await);
    let LinkError::Auth { tried, user, banner, .. } = &failed else { panic!("{failed:?}") };
    let results: Vec<_> = tried.iter().map(|tried| tried.result.clone()).collect();
    assert_eq!(results, [Refusal::Rejected, Refusal::Missing]);
    assert_eq!(tried[0].key, other.private.display().to_string());
    assert!(host.command().contains(&format!(" {user}@")));
    assert_eq!(banner, "double check your [1mssh key");
    assert!(failed.to_string().contains("other (rejected)"), "{failed}");
}

async fn refuses_a_changed_host_key(kind: Kind) {
    let Some(mut host) = SshHost::start(kind, HostOptions::default()).await else { return };
    go(&host.command(), &host.settings()).await.unwrap();
    let before = host.host_keys().fingerprint();
    host.change_host_key().await;
    let LinkError::HostKey { source: HostKeyError::Changed { known, shown, place }, .. } =
        error(go(&host.command(), &host.settings()).await)
    else {
        panic!()
    };
    assert_eq!((known, shown), (before, host.host_keys().fingerprint()));
    assert_eq!((place.file, place.line), (host.own_known_hosts(), 1));
    assert!(!host.users_known_hosts().exists(), "the user's own file is never written");
}

async fn refuses_an_unknown_host_key_when_strict(kind: Kind) {
    let Some(host) = SshHost::start(kind, HostOptions::default()).await else { return };
    let settings = LinkSettings { host_keys: HostKeyPolicy::Strict, ..host.settings() };
    let LinkError::HostKey { source: HostKeyError::Unknown { shown }, .. } =
        error(go(&host.command(), &settings).await)
    else {
        panic!()
    };
    assert_eq!(shown, host.host_keys().fingerprint());
    assert!(!host.own_known_hosts().exists());
    // Once the user's own file knows it, it is let through.
    let line = format!("[127.0.0.1]:{} {}\n", host.port(), host.host_keys().public());
    fs::write(host.users_known_hosts(), line).unwrap();
    assert_eq!(go(&host.command(), &settings).await.unwrap().host_key, HostKeySeen::Known);
}

async fn believes_only_the_pinned_key(kind: Kind) {
    let Some(host) = SshHost::start(kind, HostOptions::default()).await else { return };
    let pinned = |fingerprint: String| LinkSettings {
        host_keys: HostKeyPolicy::Pinned(fingerprint),
        ..host.settings()
    };
    let link = go(&host.command(), &pinned(host.host_keys().fingerprint())).await.unwrap();
    assert_eq!(link.host_key, HostKeySeen::Pinned);
    let failed = error(go(&host.command(), &pinned(host.client_keys().fingerprint())).await);
    assert!(
        matches!(failed, LinkError::HostKey { source: HostKeyError::NotPinned { .. }, .. }),
        "{failed:?}"
    );
}

async fn says_that_a_port_is_closed(kind: Kind) {
    let Some(host) = SshHost::start(kind, HostOptions::default()).await else { return };
    let (command, settings) = (host.command(), host.settings());
    drop(host);
    eventually("the port is closed", || {
        let (target, _) = SshTarget::parse(&command).unwrap();
        std::net::TcpStream::connect((target.host.as_str(), target.port)).is_err()
    })
    .await;
    let failed = error(go(&command, &settings).await);
    assert!(matches!(failed, LinkError::Refused { .. }), "{failed:?}");
}

async fn goes_elsewhere_when_home_is_no_place(kind: Kind) {
    let Some(host) = SshHost::start(kind, HostOptions::default()).await else { return };
    // A file where the folder should be: this keeps root out as well, as a read-only home would.
    fs::write(host.home().join(".cache"), "").unwrap();
    // The other folders are the machine's, so that this agent must have a name of its own.
    let images = images(&format!("{ECHO}# {}", host.home().display()));
    let (target, _) = SshTarget::parse(&host.command()).unwrap();
    let mut link = reach(&target, &host.settings(), &images).await.unwrap();
    talk(&mut link).await;
    let command = fs::read(format!("/proc/{}/cmdline", host.agent_pids()[0])).unwrap();
    let command = String::from_utf8_lossy(&command);
    let agent = Path::new(command.split('\0').find(|word| word.contains("/agent-")).unwrap());
    let folder = agent.parent().unwrap();
    assert!(folder.starts_with("/dev/shm") || folder.starts_with("/tmp"), "{command}");
    assert_eq!(fs::metadata(folder).unwrap().permissions().mode() & 0o777, 0o700);
    drop(link);
    assert_eq!(reach(&target, &host.settings(), &images).await.unwrap().origin, AgentOrigin::Warm);
    fs::remove_file(agent).unwrap();
    // Fails while somebody else's agent is in there.
    _ = fs::remove_dir(folder);
}

/// Puts a program before those of the box.
fn lie(host: &SshHost, program: &str, script: &str) {
    let path = host.bin().join(program);
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

async fn refuses_other_machines_by_name(kind: Kind) {
    let Some(host) = SshHost::start(kind, HostOptions::default()).await else { return };
    for (system, machine) in [("Linux", "riscv64"), ("Darwin", "arm64"), ("Linux", "i686")] {
        lie(&host, "uname", &format!("[ $1 = -s ] && echo {system} || echo {machine}"));
        let failed = error(go(&host.command(), &host.settings()).await);
        let LinkError::OtherMachine { platform, .. } = failed else { panic!("{failed:?}") };
        assert_eq!((platform.system.as_str(), platform.machine.as_str()), (system, machine));
    }
    lie(&host, "uname", "[ $1 = -s ] && echo Linux || echo aarch64");
    let (target, _) = SshTarget::parse(&host.command()).unwrap();
    let only_intel = AgentImages::none().with(Cpu::X86_64, AgentImage::new(ECHO));
    let failed = error(reach(&target, &host.settings(), &only_intel).await);
    assert!(matches!(failed, LinkError::NoImage { variable: "HFDOWN_AGENT_AARCH64", .. }), "{failed:?}");
    assert!(!host.home().join(".cache").exists(), "nothing was put there");
}

async fn says_what_a_broken_agent_said(kind: Kind) {
    let Some(host) = SshHost::start(kind, HostOptions::default()).await else { return };
    let (target, _) = SshTarget::parse(&host.command()).unwrap();
    let broken = images("#!/bin/sh\nprintf 'no \\033[1mmemory' >&2\nexit 3\n");
    for _ in ["cold", "warm"] {
        let failed = error(reach(&target, &host.settings(), &broken).await);
        let LinkError::AgentSilent { exit, said, .. } = failed else { panic!("{failed:?}") };
        assert_eq!((exit, said.as_str()), (Some(3), "no [1mmemory"));
    }
}

async fn says_that_a_shell_ran_nothing(kind: Kind) {
    let hijack = HostOptions { bashrc: Some("echo no sessions; exit 1".into()), ..HostOptions::default() };
    let Some(host) = SshHost::start(kind, hijack).await else { return };
    let failed = error(go(&host.command(), &host.settings()).await);
    let LinkError::Shell { exit, said, .. } = failed else { panic!("{failed:?}") };
    assert_eq!((exit, said.as_str()), (Some(1), "no sessions"));
}

async fn ends_the_agent_when_the_link_is_dropped(kind: Kind) {
    let Some(host) = SshHost::start(kind, HostOptions::default()).await else { return };
    let mut link = go(&host.command(), &host.settings()).await.unwrap();
    talk(&mut link).await;
    assert_eq!(host.agent_pids().len(), 1);
    let AgentLink { reader, writer, tether, .. } = link;
    drop(tether);
    eventually("the agent is gone", || host.agent_pids().is_empty()).await;
    drop((reader, writer));
}

async fn notices_that_the_connection_was_cut(kind: Kind) {
    let Some(host) = SshHost::start(kind, HostOptions::default()).await else { return };
    let mut link = go(&host.command(), &host.settings()).await.unwrap();
    talk(&mut link).await;
    host.kill_connections();
    assert_eq!(link.reader.read_buf(&mut Vec::with_capacity(9)).await.unwrap(), 0);
    let ending = link.tether.ending();
    assert_eq!((ending.exit, ending.closed), (None, false));
    assert!(link.writer.write_all(b"anybody?").await.is_err());
    eventually("the agent is gone", || host.agent_pids().is_empty()).await;
    talk(&mut go(&host.command(), &host.settings()).await.unwrap()).await;
}

async fn uses_two_commands_on_a_cold_box_and_one_on_a_warm_one(kind: Kind) {
    let Some(host) = SshHost::start(kind, HostOptions::default()).await else { return };
    lie(&host, "uname", "echo run >>\"$HOME/runs\"; exec /usr/bin/uname \"$@\"");
    let runs = || fs::read_to_string(host.home().join("runs")).unwrap().lines().count();
    // `uname` runs twice in a launch and never in an installation.
    let proxy = Proxy::to(host.port()).await;
    talk(&mut go(&host.command_via(proxy.port()), &host.settings()).await.unwrap()).await;
    assert_eq!((runs(), proxy.opened()), (2, 1));
    talk(&mut go(&host.command_via(proxy.port()), &host.settings()).await.unwrap()).await;
    assert_eq!((runs(), proxy.opened()), (4, 2));
}

async fn replaces_an_agent_that_was_cut_short_and_sweeps_old_ones(kind: Kind) {
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

async fn carries_megabytes_both_ways(kind: Kind) {
    const SIZE: usize = 24 << 20;
    let Some(host) = SshHost::start(kind, HostOptions::default()).await else { return };
    let AgentLink { mut reader, mut writer, already_read, tether, .. } =
        go(&host.command(), &host.settings()).await.unwrap();
    let sent: Vec<u8> = (0..=250).cycle().take(SIZE).collect();
    let writing = async {
        writer.write_all(&sent).await.unwrap();
        writer.shutdown().await.unwrap();
    };
    let mut heard = already_read;
    let (heard_more, ()) = tokio::join!(reader.read_to_end(&mut heard), writing);
    heard_more.unwrap();
    assert!(heard == sent);
    assert_eq!(tether.close(Duration::from_secs(5)).await.exit, Some(Exit::Status(7)));
}
