//! The main job, on a Hub and a box that live in this process: what a user sees who syncs a model to a rented box,
//! for the first time, again, and after the model has changed.

use std::error::Error;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

use hfdown_tests::hub::{Content, HubFault, HubOrigin, TestHub, When};
use hfdown_tests::ssh_host::{HostOptions, SshHost, SshServerKind};

const MODEL: &str = "acme/demo-7b";
/// What the one program that cargo builds for this is called when it is to be the real thing.
const HFDOWN: &str = "hfdown";
/// A connection to a real CDN brings about this much; without a limit there would be nothing to see.
const BYTES_PER_SECOND: u64 = 25_000_000;

fn main() -> ExitCode {
    let called = std::env::args().next().unwrap_or_default();
    if Path::new(&called).file_name().is_some_and(|name| name == HFDOWN) {
        return hfdown::main();
    }
    match tokio::runtime::Runtime::new().map_err(Box::from).and_then(|runtime| runtime.block_on(show())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("the demo failed: {error}"));
            ExitCode::FAILURE
        }
    }
}

async fn show() -> Result<(), Box<dyn Error>> {
    let hub = TestHub::start();
    hub.model(MODEL)
        .licence("apache-2.0")
        .file("README.md", "# A model to show hfdown with\n")
        .file("config.json", "{\"architectures\": [\"Demo\"], \"layers\": 32}\n")
        .file("tokenizer.json", vec![b' '; 700_000])
        .lfs("model-00001-of-00003.safetensors", Content::random(1, 140_000_000))
        .lfs("model-00002-of-00003.safetensors", Content::random(2, 140_000_000))
        .lfs("model-00003-of-00003.safetensors", Content::random(3, 60_000_000))
        .commit();
    hub.fault(HubFault::Throttle { bytes_per_second: BYTES_PER_SECOND }, When::always().at(HubOrigin::Cdn));
    let host = SshHost::start(SshServerKind::InProcess, HostOptions::default()).await.ok_or("no SSH host")?;
    let home = tempfile::TempDir::new()?;
    let workspace = home.path().join("workspace");

    say(
        "A Hub and a box on this machine's loopback; the link to the CDN is slowed down to 25 MB/s per connection.\n",
    );
    step("1. A new box: everything is fetched, and the agent is put there first.");
    sync(&hub, &host, home.path(), &workspace).await?;
    step("2. The same again: nothing to do.");
    sync(&hub, &host, home.path(), &workspace).await?;
    hub.model(MODEL).lfs("model-00003-of-00003.safetensors", Content::random(4, 60_000_000)).commit();
    step("3. One file has changed upstream: it alone is fetched.");
    sync(&hub, &host, home.path(), &workspace).await
}

async fn sync(hub: &TestHub, host: &SshHost, home: &Path, workspace: &Path) -> Result<(), Box<dyn Error>> {
    let ssh = host.command();
    say(&format!("$ hfdown rsync-to-vast {MODEL} \"{ssh}\" {}", workspace.display()));
    let mut command = Command::new(std::env::current_exe()?);
    command
        .arg0(HFDOWN)
        .args(["rsync-to-vast", MODEL, &ssh])
        .arg(workspace)
        .env("HOME", home)
        .env("HF_ENDPOINT", hub.endpoint())
        .env_remove("XDG_CONFIG_HOME")
        .env_remove("HF_TOKEN")
        .env_remove("SSH_AUTH_SOCK");
    let mut command = tokio::process::Command::from(command);
    let status = command.status().await?;
    say("");
    if status.success() { Ok(()) } else { Err(format!("hfdown ended with {status}").into()) }
}

fn step(text: &str) {
    say(&format!("── {text}"));
}

fn say(text: &str) {
    // A closed output has no reader to be shown anything.
    let _ = std::io::Write::write_all(&mut std::io::stdout(), format!("{text}\n").as_bytes());
}
