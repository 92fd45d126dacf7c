//! How long it takes until the first model byte leaves the CDN, on a box that has never been seen and on one that has the
//! agent, through a wire with a round trip of 100 ms. Prints a table; not part of the tests.

use std::error::Error;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use hfdown_tests::hub::{Content, Origin, TestHub};
use hfdown_tests::proxy::Proxy;
use hfdown_tests::ssh_host::{HostOptions, Kind, SshHost};

const MODEL: &str = "acme/tiny";
const HFDOWN: &str = "hfdown";
const ONE_WAY: Duration = Duration::from_millis(50);
const ROUNDS: usize = 5;

fn main() -> ExitCode {
    let called = std::env::args().next().unwrap_or_default();
    if Path::new(&called).file_name().is_some_and(|name| name == HFDOWN) {
        return hfdown::main();
    }
    match tokio::runtime::Runtime::new().map_err(Box::from).and_then(|runtime| runtime.block_on(measure())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("it failed: {error}"));
            ExitCode::FAILURE
        }
    }
}

async fn measure() -> Result<(), Box<dyn Error>> {
    let hub = TestHub::start();
    hub.model(MODEL).lfs("model.safetensors", Content::random(1, 2_000_000)).commit();
    say("seconds from the start of the process to the first model byte, through 100 ms; the real sshd\n");
    let (mut cold, mut warm, mut plain) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let host = SshHost::start(Kind::Sshd, HostOptions::default()).await.ok_or("no sshd")?;
        let wire = Proxy::with_latency(host.port(), ONE_WAY).await;
        let ssh = host.command_via(wire.port());
        let folder = tempfile::TempDir::new()?;
        cold.push(first_byte(&hub, &ssh, folder.path(), "cold").await?);
        warm.push(first_byte(&hub, &ssh, folder.path(), "warm").await?);
        plain.push(ssh_true(&ssh, folder.path()).await?);
    }
    for (what, times) in
        [("cold: the agent is uploaded", &mut cold), ("warm", &mut warm), ("`ssh box true`", &mut plain)]
    {
        times.sort_unstable();
        let seconds = |at: usize| times[at].as_secs_f64();
        say(&format!(
            "{what:30} median {:.2}  min {:.2}  max {:.2}",
            seconds(ROUNDS / 2),
            seconds(0),
            seconds(ROUNDS - 1)
        ));
    }
    Ok(())
}

async fn first_byte(hub: &TestHub, ssh: &str, home: &Path, root: &str) -> Result<Duration, Box<dyn Error>> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg0(HFDOWN).args(["rsync-to-vast", "--quiet", MODEL, ssh]).arg(home.join(root));
    command.env_clear().env("HOME", home).env("HF_ENDPOINT", hub.endpoint());
    let before = hub.bytes_sent(Origin::Cdn);
    let began = Instant::now();
    let mut child = tokio::process::Command::from(command).spawn()?;
    while hub.bytes_sent(Origin::Cdn) == before {
        if let Some(status) = child.try_wait()? {
            return Err(format!("hfdown ended with {status}").into());
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let took = began.elapsed();
    let status = child.wait().await?;
    if status.success() { Ok(took) } else { Err(format!("hfdown ended with {status}").into()) }
}

/// What OpenSSH's own client needs for the least that it can do.
async fn ssh_true(ssh: &str, home: &Path) -> Result<Duration, Box<dyn Error>> {
    let known = home.join("known_hosts");
    let command = format!(
        "{ssh} -o BatchMode=yes -o StrictHostKeyChecking=accept-new -o UserKnownHostsFile={} true",
        known.display()
    );
    let began = Instant::now();
    let output = tokio::process::Command::new("sh").args(["-c", &command]).output().await?;
    let took = began.elapsed();
    if output.status.success() { Ok(took) } else { Err(String::from_utf8_lossy(&output.stderr).into()) }
}

fn say(text: &str) {
    // Nobody reads: nobody is told anything.
    let _ = std::io::Write::write_all(&mut std::io::stdout(), format!("{text}\n").as_bytes());
}
