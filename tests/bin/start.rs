//! How long it takes until the first model byte leaves the CDN, on a box that has never been seen and on one that has
//! the agent, through a wire with a round trip of 100 ms; beside `ssh box true` and `scp` of the same agent. Each is
//! measured without the delay as well: the difference is the number of round trips. Prints a table; not part of the
//! tests.

use std::error::Error;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use hfdown::link::{AgentImages, Cpu};
use hfdown_tests::hub::{Content, HubOrigin, TestHub};
use hfdown_tests::proxy::Proxy;
use hfdown_tests::ssh_host::{HostOptions, SshHost, SshServerKind};

const MODEL: &str = "acme/tiny";
const HFDOWN: &str = "hfdown";
const ROUND_TRIP: Duration = Duration::from_millis(100);
const ROUNDS: usize = 7;

/// What is measured, in the order of the table.
const ROWS: [&str; 5] =
    ["hfdown, warm box", "hfdown, cold box", "ssh box true", "scp of the agent", "ssh box 'cat >agent'"];

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
    let images = AgentImages::embedded();
    let image = images.get(Cpu::X86_64).or(images.get(Cpu::Aarch64)).ok_or("this build embeds no agent")?;
    let agent = image.bytes();
    let mut near = ROWS.map(|_| Vec::new());
    let mut far = ROWS.map(|_| Vec::new());
    for _ in 0..ROUNDS {
        for (latency, times) in [(Duration::ZERO, &mut near), (ROUND_TRIP / 2, &mut far)] {
            for (times, time) in times.iter_mut().zip(round(&hub, latency, agent).await?) {
                times.push(time);
            }
        }
    }
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    say(&format!(
        "seconds to the first model byte, or to the end of the command; the real sshd, {ROUNDS} rounds, load {load}, \
         an agent of {} bytes\n\n\
         {:24}{:>12}{:>12}{:>8}{:>8}{:>14}",
        agent.len(),
        "",
        "no delay",
        "100 ms",
        "min",
        "max",
        "round trips"
    ));
    for ((what, near), far) in ROWS.iter().zip(&mut near).zip(&mut far) {
        near.sort_unstable();
        far.sort_unstable();
        let [middle_near, middle, min, max] =
            [median(near), median(far), far[0], far[ROUNDS - 1]].map(|time| time.as_secs_f64());
        let trips = (middle - middle_near) / ROUND_TRIP.as_secs_f64();
        say(&format!("{what:24}{middle_near:12.2}{middle:12.2}{min:8.2}{max:8.2}{trips:14.1}"));
    }
    let [warm, cold, login, scp, cat] = far.map(|times| median(&times).as_secs_f64());
    #[expect(clippy::cast_precision_loss, reason = "a program of megabytes")]
    let rate = |seconds: f64| agent.len() as f64 / 1e6 / seconds;
    say(&format!(
        "\nwarm: {:.1} round trips more than `ssh box true`\nthe upload, beyond what the same does without one: hfdown \
         {:.1} MB/s, scp {:.1} MB/s, cat {:.1} MB/s",
        (warm - login) / ROUND_TRIP.as_secs_f64(),
        rate(cold - warm),
        rate(scp - login),
        rate(cat - login),
    ));
    Ok(())
}

/// One time for each row.
async fn round(hub: &TestHub, latency: Duration, agent: &[u8]) -> Result<[Duration; 5], Box<dyn Error>> {
    let host = SshHost::start(SshServerKind::Sshd, HostOptions::default()).await.ok_or("no sshd")?;
    let wire = Proxy::with_latency(host.port(), latency).await;
    let ssh = host.command_via(wire.port());
    let folder = tempfile::TempDir::new()?;
    let near = folder.path();
    std::fs::write(near.join("agent"), agent)?;
    let cold = first_byte(hub, &ssh, near, "cold").await?;
    let warm = first_byte(hub, &ssh, near, "warm").await?;
    let options = format!(
        "-o BatchMode=yes -o StrictHostKeyChecking=accept-new -o UserKnownHostsFile={}/known",
        near.display()
    );
    // The key is learned before anything is measured.
    to_its_end(&format!("{ssh} {options} true")).await?;
    let login = to_its_end(&format!("{ssh} {options} true")).await?;
    let (to, file) = (host.home().display(), near.join("agent"));
    let key = host.client_keys().private.display().to_string();
    let user = ssh.rsplit(' ').next().unwrap_or_default();
    let scp = format!("scp -q -P {} -i {key} {options} {} {user}:{to}/by-scp", wire.port(), file.display());
    let scp = to_its_end(&scp).await?;
    let cat = to_its_end(&format!("{ssh} {options} 'cat >{to}/by-cat' <{}", file.display())).await?;
    for copy in ["by-scp", "by-cat"] {
        if std::fs::read(host.home().join(copy))? != agent {
            return Err(format!("{copy} is no copy").into());
        }
    }
    Ok([warm, cold, login, scp, cat])
}

async fn first_byte(hub: &TestHub, ssh: &str, home: &Path, root: &str) -> Result<Duration, Box<dyn Error>> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg0(HFDOWN).args(["rsync-to-vast", "--quiet", MODEL, ssh]).arg(home.join(root));
    command.env_clear().env("HOME", home).env("HF_ENDPOINT", hub.endpoint());
    let before = hub.bytes_sent(HubOrigin::Cdn);
    let began = Instant::now();
    let mut child = tokio::process::Command::from(command).spawn()?;
    while hub.bytes_sent(HubOrigin::Cdn) == before {
        if let Some(status) = child.try_wait()? {
            return Err(format!("hfdown ended with {status}").into());
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let took = began.elapsed();
    let status = child.wait().await?;
    if status.success() { Ok(took) } else { Err(format!("hfdown ended with {status}").into()) }
}

/// Runs a command of OpenSSH's.
async fn to_its_end(command: &str) -> Result<Duration, Box<dyn Error>> {
    let began = Instant::now();
    let output = tokio::process::Command::new("sh").args(["-c", command]).output().await?;
    let took = began.elapsed();
    if output.status.success() { Ok(took) } else { Err(String::from_utf8_lossy(&output.stderr).into()) }
}

fn median(sorted: &[Duration]) -> Duration {
    sorted[sorted.len() / 2]
}

fn say(text: &str) {
    // A closed output has no reader to be told.
    let _ = std::io::Write::write_all(&mut std::io::stdout(), format!("{text}\n").as_bytes());
}
