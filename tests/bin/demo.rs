//! The main job, on a Hub and on boxes that live in this process: what a user sees who chooses from a model, syncs it to
//! a rented box, again, after it has changed, into the hub cache, and to three boxes at once. Half a minute.

use std::error::Error;
use std::fmt::Write as _;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Instant;

use hfdown_tests::hub::{Content, HubFault, HubOrigin, TestHub, When};
use hfdown_tests::ssh_host::{HostOptions, SshHost, SshServerKind};

const MODEL: &str = "acme/demo-7b";
/// What the one program that cargo builds for this is called when it is to be the real thing.
const HFDOWN: &str = "hfdown";
/// A connection to a real CDN brings about this much; without a limit there would be nothing to see.
const BYTES_PER_SECOND: u64 = 25_000_000;
const BOXES: usize = 3;
/// Each box has a home of its own.
const FOLDER: &str = "~/demo-7b";

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

/// What the commands are run with.
struct Stage {
    hub: TestHub,
    home: tempfile::TempDir,
}

async fn show() -> Result<(), Box<dyn Error>> {
    let began = Instant::now();
    let stage = Stage { hub: hub_with_model(), home: tempfile::TempDir::new()? };
    let mut boxes = Vec::new();
    for _ in 0..BOXES {
        let options = HostOptions::default();
        boxes.push(SshHost::start(SshServerKind::InProcess, options).await.ok_or("no SSH host")?);
    }
    stage.knows(&boxes)?;
    let push = ["rsync-to-vast", MODEL, "ssh gpu1", FOLDER, "--exclude", "*.bin"];
    let push_to_all = ["rsync-to-vast", MODEL, "gpu[1-3]", FOLDER, "--include", "*-00003-*"];

    say(
        "A Hub and three boxes on this machine's loopback; a connection to the CDN is slowed down to 25 MB/s.\n",
    );
    step("1. What is there? Weights in two formats, one of which is enough.");
    stage.hfdown(&["info", MODEL]).await?;
    step("2. A selection, to a new box: it is fetched, and the agent is put there first.");
    stage.hfdown(&push).await?;
    step("3. The same again: nothing to do.");
    stage.hfdown(&push).await?;
    stage.hub.model(MODEL).lfs("model-00003-of-00003.safetensors", Content::random(4, 30_000_000)).commit();
    step("4. One file has changed upstream: it alone is fetched.");
    stage.hfdown(&push).await?;
    step("5. Into the hub cache of this machine, where transformers and vLLM look.");
    stage.hfdown(&["download", MODEL, "--cache", "--include", "*.json", "--include", "*-00003-*"]).await?;
    stage.hfdown(&["cache", "ls"]).await?;
    step("6. A part of it to three boxes at once. One has it, two of them get the agent first.");
    stage.hfdown(&push_to_all).await?;
    step("7. The same again.");
    stage.hfdown(&push_to_all).await?;
    say(&format!("That was the demo, in {} s.", began.elapsed().as_secs()));
    Ok(())
}

fn hub_with_model() -> TestHub {
    let hub = TestHub::start();
    hub.model(MODEL)
        .licence("apache-2.0")
        .file("README.md", "# A model to show hfdown with\n")
        .file("config.json", "{\"architectures\": [\"Demo\"], \"layers\": 32}\n")
        .file("tokenizer.json", vec![b' '; 700_000])
        .lfs("model-00001-of-00003.safetensors", Content::random(1, 140_000_000))
        .lfs("model-00002-of-00003.safetensors", Content::random(2, 140_000_000))
        .lfs("model-00003-of-00003.safetensors", Content::random(3, 30_000_000))
        .lfs("pytorch_model.bin", Content::random(5, 310_000_000))
        .commit();
    hub.fault(HubFault::Throttle { bytes_per_second: BYTES_PER_SECOND }, When::always().at(HubOrigin::Cdn));
    hub
}

impl Stage {
    /// Gives the boxes the names `gpu1`, `gpu2`, …, as users do.
    fn knows(&self, boxes: &[SshHost]) -> Result<(), Box<dyn Error>> {
        let folder = self.home.path().join(".ssh");
        let mut lines = String::new();
        for (there, number) in boxes.iter().zip(1..) {
            let command = there.command();
            let user =
                command.rsplit(' ').next().and_then(|to| to.split_once('@')).map_or("root", |(user, _)| user);
            let (port, key) = (there.port(), there.client_keys().private.display());
            writeln!(
                lines,
                "Host gpu{number}\n HostName 127.0.0.1\n Port {port}\n User {user}\n IdentityFile {key}"
            )?;
        }
        std::fs::create_dir(&folder)?;
        Ok(std::fs::write(folder.join("config"), lines)?)
    }

    /// Shows a command as it would be typed, and runs it.
    async fn hfdown(&self, words: &[&str]) -> Result<(), Box<dyn Error>> {
        let typed: Vec<String> = words.iter().map(|word| quoted(word)).collect();
        say(&format!("$ hfdown {}", typed.join(" ")));
        let mut command = Command::new(std::env::current_exe()?);
        command
            .arg0(HFDOWN)
            .args(words)
            .current_dir(self.home.path())
            .env("HOME", self.home.path())
            .env("HF_ENDPOINT", self.hub.endpoint())
            .env_remove("SSH_AUTH_SOCK");
        for name in ["HF_TOKEN", "HF_HOME", "HF_HUB_CACHE", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"] {
            command.env_remove(name);
        }
        let mut command = tokio::process::Command::from(command);
        let status = command.status().await?;
        say("");
        if status.success() { Ok(()) } else { Err(format!("hfdown ended with {status}").into()) }
    }
}

/// As a shell takes it.
fn quoted(word: &str) -> String {
    if word.contains([' ', '*', '[', '~']) { format!("'{word}'") } else { word.to_owned() }
}

fn step(text: &str) {
    say(&format!("── {text}"));
}

fn say(text: &str) {
    // A closed output has no reader to be shown anything.
    let _ = std::io::Write::write_all(&mut std::io::stdout(), format!("{text}\n").as_bytes());
}
