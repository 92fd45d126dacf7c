//! Boxes that can't be reached, are not to be trusted, or can't run an agent.

use hfdown_tests::mount::Mount;
use hfdown_tests::sandbox::{DestinationKind, Ended, Sandbox, run};
use hfdown_tests::ssh_host::HostOptions;

use super::words::{assert_untouched, everything, refusal, refused};
use crate::places::HFDOWN;

const MODEL: &str = "acme/tiny";

fn publish(sandbox: &Sandbox) {
    sandbox.hub.model(MODEL).file("config.json", "{}").commit();
}

/// A run with another SSH command than the host's own.
async fn push(sandbox: &Sandbox, ssh: &str, more: &[&str]) -> Ended {
    let root = sandbox.root();
    let words = ["rsync-to-vast", MODEL, ssh, root.to_str().expect("plain names"), "--wait", "0"];
    run(sandbox.hfdown([&words, more].concat())).await
}

fn ssh(sandbox: &Sandbox) -> String {
    sandbox.host.as_ref().expect("a box").command()
}

/// The error without the box's user, who is the one that runs the tests.
fn without_user(said: &str) -> String {
    let Some((before, rest)) = said.split_once("cannot reach ") else { return said.to_owned() };
    let Some((_, after)) = rest.split_once('\n') else { return said.to_owned() };
    format!("{before}cannot reach …\n{after}")
}

async fn a_closed_port_is_refused(sandbox: Sandbox) {
    publish(&sandbox);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("the loopback has a free port");
    let port = listener.local_addr().expect("it has an address").port();
    drop(listener);
    let ssh = format!("ssh -p {port} root@127.0.0.1");
    let root = sandbox.root();
    let words = ["rsync-to-vast", MODEL, &ssh, root.to_str().expect("plain names"), "--wait", "0"];
    let said = refused(&sandbox, &words, &[], 6).await;
    assert_eq!(
        said.replace(&port.to_string(), "PORT"),
        "error: cannot reach 127.0.0.1:PORT
caused by: 127.0.0.1:PORT refused the connection

hint: a box that was just started needs a minute or two until its SSH server listens; check the port, then try again"
    );
    assert_untouched(&sandbox);
}

async fn a_rejected_key_is_named(sandbox: Sandbox) {
    publish(&sandbox);
    let host = sandbox.host.as_ref().expect("a box");
    let other = hfdown_tests::ssh_host::Keys::generate(host.near(), "other", russh::keys::Algorithm::Ed25519);
    let command = format!("{} -i {} -i /no/such/key", host.command_without_key(), other.private.display());
    let ended = push(&sandbox, &command, &[]).await;
    let said = refusal(&sandbox, &ended, 4);
    assert!(said.contains("NEAR/other (rejected), /no/such/key (no such file)"), "{said}");
    assert!(said.contains("hint: name the right key in the SSH command (-i KEY)"), "{said}");
    let ended = push(&sandbox, &host.command_without_key(), &[]).await;
    let said = refusal(&sandbox, &ended, 4);
    assert!(said.contains(": there is no key to try\n"), "{said}");
    assert!(!sandbox.root().exists());
    assert!(!host.home().join(".cache").exists(), "nothing was put on the box");
    host.authorize(&other);
    let ended = push(&sandbox, &command, &[]).await;
    assert_eq!(ended.code, 0, "the hint is right: {}", ended.stderr);
}

async fn a_server_that_has_had_enough_of_keys_is_said_to(sandbox: Sandbox) {
    publish(&sandbox);
    let host = sandbox.host.as_ref().expect("a box");
    let wrong = (0..8).map(|number| {
        let name = format!("key{number}");
        let keys =
            hfdown_tests::ssh_host::Keys::generate(host.near(), &name, russh::keys::Algorithm::Ed25519);
        format!(" -i {}", keys.private.display())
    });
    let command = host.command_without_key() + &wrong.collect::<String>();
    let ended = push(&sandbox, &command, &[]).await;
    let said = refusal(&sandbox, &ended, 4);
    assert!(said.contains("the server hung up"), "{said}");
    assert!(said.contains("and that one alone (-i KEY -o IdentitiesOnly=yes)"), "{said}");
}

async fn a_key_whose_encryption_is_not_known_is_said_to_be_that(sandbox: Sandbox) {
    publish(&sandbox);
    let key = sandbox.host.as_ref().expect("a box").near().join("my key");
    let mut openssl = std::process::Command::new("openssl");
    openssl.args(["genrsa", "-traditional", "-camellia128", "-passout", "pass:right", "-out"]).arg(&key);
    let made = openssl.arg("2048").stderr(std::process::Stdio::null()).status();
    assert!(made.is_ok_and(|status| status.success()), "openssl makes a key");
    let command =
        format!("{} -i '{}'", sandbox.host.as_ref().expect("a box").command_without_key(), key.display());
    let ended = push(&sandbox, &command, &[]).await;
    let said = refusal(&sandbox, &ended, 4);
    assert!(
        said.contains("NEAR/my key (it is encrypted with CAMELLIA-128-CBC, which hfdown can't open)"),
        "{said}"
    );
    assert!(said.contains("hint: `ssh-keygen -p -f 'NEAR/my key'` writes it anew"), "{said}");
    assert!(!said.contains("wrong"), "{said}");
}

async fn a_changed_host_key_is_refused_until_it_is_pinned(mut sandbox: Sandbox) {
    publish(&sandbox);
    assert_eq!(sandbox.sync(MODEL, &[]).await.code, 0);
    let host = sandbox.host.as_mut().expect("a box");
    let before = host.host_keys().fingerprint();
    host.change_host_key().await;
    let now = host.host_keys().fingerprint();
    std::fs::remove_dir_all(sandbox.root()).expect("it is ours");
    let ended = sandbox.sync(MODEL, &[]).await;
    let said = refusal(&sandbox, &ended, 4).replace(&before, "BEFORE").replace(&now, "NOW");
    let port = sandbox.host.as_ref().expect("a box").port();
    assert!(said.contains("caused by: the host key has changed: it was BEFORE, it is NOW\n"), "{said}");
    let hint = "forget the old one (`hfdown forget-host BOX`) or run with --host-key NOW";
    assert!(said.ends_with(hint), "{said}");
    assert!(!sandbox.root().exists(), "nothing was written");
    let ended = sandbox.sync(MODEL, &["--host-key", &now]).await;
    assert_eq!(ended.code, 0, "the hint is right: {}", ended.stderr);
    let ended = sandbox.sync(MODEL, &["--host-key", &before]).await;
    let said = refusal(&sandbox, &ended, 4);
    assert!(said.contains("hint: this is not the box that the fingerprint belongs to"), "{said}");
    // The other hint is right as well: forgotten, the new key is learned like a first one.
    for _ in 0..2 {
        let ended = run(sandbox.hfdown(["forget-host", &format!("127.0.0.1:{port}")])).await;
        assert_eq!(ended.code, 0, "{}", ended.stderr);
    }
    assert_eq!(sandbox.sync(MODEL, &[]).await.code, 0);
}

async fn an_unknown_host_key_is_refused_when_strict(sandbox: Sandbox) {
    publish(&sandbox);
    let ended = sandbox.sync(MODEL, &["--strict-host-key"]).await;
    let fingerprint = sandbox.host.as_ref().expect("a box").host_keys().fingerprint();
    let said = refusal(&sandbox, &ended, 4).replace(&fingerprint, "FINGERPRINT");
    assert!(said.contains("caused by: the host key FINGERPRINT is not known\n"), "{said}");
    assert!(said.ends_with("then run with --host-key FINGERPRINT"), "{said}");
    assert_untouched(&sandbox);
}

async fn a_home_that_can_t_be_written_costs_a_warning(sandbox: Sandbox) {
    publish(&sandbox);
    let read_only = sandbox.scratch().join("read-only");
    std::fs::create_dir(&read_only).expect("the temporary folder can be written");
    // Under a file that is no folder; and on a disk that takes nothing, where this machine lets us make one.
    let disk = Mount::memory(&read_only, "ro");
    let homes = [Some("/dev/null/home".into()), disk.as_ref().map(|_| read_only)];
    for home in homes.into_iter().flatten() {
        let mut command = sandbox.syncing(MODEL, &[]);
        command.env("HOME", &home);
        let ended = run(command).await;
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        let said = "can't remember the host key of 127.0.0.1:";
        assert_eq!(ended.stderr.matches(said).count(), 1, "{}", ended.stderr);
        assert!(ended.stderr.contains("it will not be noticed if it changes"), "{}", ended.stderr);
        // One that is refused is refused still.
        let mut command = sandbox.syncing(MODEL, &["--strict-host-key"]);
        command.env("HOME", &home);
        assert_eq!(run(command).await.code, 4);
    }
}

fn configure(sandbox: &Sandbox, text: &str) {
    let folder = sandbox.scratch().join("home/.ssh");
    std::fs::create_dir_all(&folder).expect("the temporary folder can be written");
    std::fs::write(folder.join("config"), text).expect("the temporary folder can be written");
}

async fn a_block_that_is_skipped_is_said_where_no_host_is_found(sandbox: Sandbox) {
    publish(&sandbox);
    configure(
        &sandbox,
        "Host other\nPort 1\n\nMatch originalhost gpu.invalid exec \"true\"\nHostName 127.0.0.1\n",
    );
    let ended = push(&sandbox, "gpu.invalid", &[]).await;
    assert_eq!(ended.code, 6, "{}", ended.stderr);
    let said = &ended.stderr;
    assert!(said.contains("cannot find the address of gpu.invalid"), "{said}");
    assert!(said.contains("/.ssh/config:4 was skipped, because hfdown runs no commands"), "{said}");
    assert!(said.contains("hint: write its HostName, User and IdentityFile into a `Host` block"), "{said}");
    // It is not said of another host.
    let ended = push(&sandbox, "cpu.invalid", &[]).await;
    assert!(ended.code == 6 && !ended.stderr.contains("Match"), "{}", ended.stderr);
}

async fn a_host_of_the_configuration_is_found_by_variables_and_match(sandbox: Sandbox) {
    publish(&sandbox);
    let host = sandbox.host.as_ref().expect("a box");
    let user = host.command_without_key().rsplit(' ').next().expect("a word").replace("@127.0.0.1", "");
    configure(
        &sandbox,
        &format!(
            "Match originalhost box,fox\n HostName 127.0.0.1\n Port {}\n User {user}\n\
             Match host 127.0.0.* user {user}\n IdentityFile ${{MY_KEYS}}/id_ed25519\n IdentityAgent none\n",
            host.port()
        ),
    );
    let root = sandbox.root();
    let words = ["rsync-to-vast", MODEL, "box", root.to_str().expect("plain names"), "--wait", "0"];
    let mut command = sandbox.hfdown(words);
    command.env("MY_KEYS", host.near());
    let ended = run(command).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let ended = run(sandbox.hfdown(words)).await;
    assert_ne!(ended.code, 0);
    let why = "/.ssh/config:6: IdentityFile needs the variable MY_KEYS, which is not set";
    assert!(ended.stderr.contains(why), "{}", ended.stderr);
}

async fn other_machines_are_refused_by_name(sandbox: Sandbox) {
    publish(&sandbox);
    let host = sandbox.host.as_ref().expect("a box");
    for (system, machine) in [("Darwin", "arm64"), ("Linux", "riscv64"), ("FreeBSD", "amd64")] {
        host.put_program("uname", &format!("[ $1 = -s ] && echo {system} || echo {machine}"));
        let ended = sandbox.sync(MODEL, &[]).await;
        let said = without_user(&refusal(&sandbox, &ended, 1));
        assert_eq!(
            said,
            format!(
                "error: cannot reach …
caused by: BOX is {system} {machine}, and the agent runs only on Linux with an x86_64 or aarch64 CPU

hint: take a box with Linux on such a CPU, or install hfdown on this one and run `hfdown rsync-sync` there"
            )
        );
        assert!(!sandbox.root().exists());
        assert_eq!(everything(host.home()), [".bashrc"], "nothing was put on the box");
    }
    // A Linux whose CPU this build has no agent for.
    host.put_program("uname", "[ $1 = -s ] && echo Linux || echo aarch64");
    let ended = sandbox.sync(MODEL, &[]).await;
    if ended.stderr.contains("carries no agent") {
        let said = refusal(&sandbox, &ended, 1);
        assert!(said.contains("name its file: HFDOWN_AGENT_AARCH64=FILE hfdown"), "{said}");
        assert_eq!(everything(host.home()), [".bashrc"], "nothing was put on the box");
    }
}

async fn a_home_that_runs_no_programs_is_not_the_end(sandbox: Sandbox) {
    publish(&sandbox);
    let host = sandbox.host.as_ref().expect("a box");
    let Some(agent) = sandbox.own_agent() else { return };
    let Some(_disk) = Mount::memory(host.home(), "noexec,mode=700") else { return };
    let mut command = sandbox.syncing(MODEL, &[]);
    command.env("HFDOWN_AGENT_X86_64", &agent);
    let ended = run(command).await;
    let name = hfdown::link::AgentImage::new(std::fs::read(&agent).expect("it is ours")).file_name();
    for folder in ["/dev/shm", "/tmp"] {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            // Only one of them has it, and that stays while another test's agent is in there.
            if std::fs::remove_file(entry.path().join(&name)).is_ok() {
                _ = std::fs::remove_dir(entry.path());
            }
        }
    }
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert_eq!(sandbox.files(), ["config.json"]);
    assert!(!host.home().join(".cache/hfdown").exists(), "no empty folder is left there");
}

async fn a_box_that_runs_no_programs_is_refused(sandbox: Sandbox) {
    publish(&sandbox);
    let host = sandbox.host.as_ref().expect("a box");
    // Nothing becomes a program anywhere, as where every mount is `noexec`.
    host.put_program("chmod", "exit 0");
    let ended = run(sandbox.hfdown(["rsync-to-vast", MODEL, &ssh(&sandbox), "/nowhere/model"])).await;
    let said = refusal(&sandbox, &ended, 1);
    assert!(said.contains("has no folder that the agent can be put in and run from"), "{said}");
    assert!(said.contains("hint: ") && said.contains("noexec"), "{said}");
    assert!(!host.home().join(".cache/hfdown").exists(), "no empty folder is left there");
    assert!(!std::path::Path::new("/nowhere").exists());
}

/// Its start-up files are passed by, and then it has no place for the agent.
#[tokio::test]
async fn what_was_placed_on_a_box_is_told_though_nothing_came_of_it() {
    let options = HostOptions {
        shell: Some("/bin/bash".into()),
        bashrc: Some("[ -e ~/.no_auto_tmux ] || { echo no sessions; exit 1; }".to_owned()),
        ..HostOptions::default()
    };
    let Some(sandbox) = Sandbox::start_with(DestinationKind::Sshd, HFDOWN, options).await else { return };
    publish(&sandbox);
    let host = sandbox.host.as_ref().expect("a box");
    host.put_program("chmod", "exit 0");
    let Ended { code, stderr, .. } = sandbox.sync(MODEL, &[]).await;
    assert_eq!(code, 1, "{stderr}");
    let told = stderr.find("placed ~/.no_auto_tmux there by sftp");
    assert!(told.is_some() && told < stderr.find("error: cannot reach"), "{stderr}");
    assert!(host.home().join(".no_auto_tmux").exists());
}

on_boxes! {
    a_closed_port_is_refused,
    a_home_that_can_t_be_written_costs_a_warning,
    a_block_that_is_skipped_is_said_where_no_host_is_found,
    a_host_of_the_configuration_is_found_by_variables_and_match,
    a_rejected_key_is_named,
    a_key_whose_encryption_is_not_known_is_said_to_be_that,
    a_server_that_has_had_enough_of_keys_is_said_to,
    a_changed_host_key_is_refused_until_it_is_pinned,
    an_unknown_host_key_is_refused_when_strict,
    other_machines_are_refused_by_name,
    a_home_that_runs_no_programs_is_not_the_end,
    a_box_that_runs_no_programs_is_refused,
}
