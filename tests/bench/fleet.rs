//! `bench fleet`: one command for many boxes, beside a loop of `ssh` and Ansible, which start an `hf download` on each.
//!
//! The boxes are SSH servers of this process with homes of their own, so what they do counts for no program: wall, CPU and
//! memory are the controlling side's. The rivals take turns in the same minutes, each with boxes that have nothing yet.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use clap::{Parser, ValueEnum};
use hfdown_tests::fleet::{FOLDER, Fleet};
use hfdown_tests::hub::{Content, HubOrigin, TestHub};
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::measurements::Cost;
use crate::round::Failed;
use crate::tool::installed;
use crate::{HFDOWN, measure, say};

/// The argument that asks for this.
pub(crate) const WORD: &str = "fleet";
const MODEL: &str = "bench/model";
const FILE: &str = "model.safetensors";

/// Compares one command for many boxes with what starts one per box. The boxes' homes are in TMPDIR.
#[derive(Debug, Parser)]
#[command(name = "bench fleet")]
struct FleetBenchOptions {
    /// How many boxes: a row each.
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "50")]
    boxes: Vec<usize>,

    /// How large the model is, in MB.
    #[arg(long, value_name = "MB", default_value_t = 100)]
    size: u64,

    /// Only these.
    #[arg(long, value_name = "TOOL,…", value_delimiter = ',')]
    tools: Vec<FleetTool>,
}

/// What fills the boxes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FleetTool {
    /// hfdown, and then hfdown once more.
    Hfdown,
    /// A shell that starts `ssh … hf download` for each box at once.
    Ssh,
    /// Ansible with as many forks as there are boxes, and the same command.
    Ansible,
}

/// `bench fleet …`.
pub(crate) fn main() -> ExitCode {
    let words = std::env::args_os().enumerate().filter(|(number, _)| *number != 1).map(|(_, word)| word);
    match compare(&FleetBenchOptions::parse_from(words)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("the benchmark failed: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn compare(options: &FleetBenchOptions) -> Result<(), Failed> {
    say(&crate::table::machine());
    say(&format!("a model of {} MB\n", options.size));
    say("| | boxes | wall, s | CPU, s | peak, MiB | requests to the Hub | to the CDN | MB fetched |");
    say("|---|---|---|---|---|---|---|---|");
    let tools = FleetTool::value_variants().iter();
    for tool in tools.filter(|tool| options.tools.is_empty() || options.tools.contains(tool)) {
        for boxes in &options.boxes {
            let ground = FleetGround::prepare(*boxes, options.size * 1_000_000)?;
            for name in tool.names() {
                match ground.cost_of(*tool) {
                    Ok(cost) => say(&ground.row(name, cost)),
                    Err(error) => say(&format!("| {name} | {boxes} | {error} | | | | | |")),
                }
            }
        }
    }
    Ok(())
}

impl FleetTool {
    /// A row each.
    fn names(self) -> &'static [&'static str] {
        match self {
            Self::Hfdown => &["hfdown", "hfdown again"],
            Self::Ssh => &["ssh … hf download"],
            Self::Ansible => &["Ansible, hf download"],
        }
    }
}

/// Boxes that have nothing yet, a Hub, and a folder for what controls them.
struct FleetGround {
    hub: TestHub,
    fleet: Fleet,
    size: u64,
    folder: TempDir,
    /// What the boxes' servers run in.
    _runtime: Runtime,
}

impl FleetGround {
    fn prepare(boxes: usize, size: u64) -> Result<Self, Failed> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let fleet = runtime.block_on(Fleet::of(boxes));
        let (hub, folder) = (TestHub::start(), tempfile::Builder::new().prefix("hfdown-bench-").tempdir()?);
        // In memory, so that the Hub does nothing but send.
        let content = Content::bytes(Content::random(1, size).to_vec());
        hub.model(MODEL).file("config.json", "{}").lfs(FILE, content).commit();
        fs::create_dir(folder.path().join("home"))?;
        std::os::unix::fs::symlink(std::env::current_exe()?, folder.path().join(HFDOWN))?;
        Ok(Self { hub, fleet, size, folder, _runtime: runtime })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn cost_of(&self, tool: FleetTool) -> Result<Cost, Failed> {
        let words: Vec<OsString> = match tool {
            FleetTool::Hfdown => {
                let hosts = self.fleet.hosts_file();
                let program = self.path(HFDOWN).into_os_string();
                let words = ["rsync-to-vast", "--quiet", MODEL, "--hosts", &hosts, FOLDER];
                [program].into_iter().chain(words.map(OsString::from)).collect()
            }
            FleetTool::Ssh => vec!["sh".into(), self.ssh_loop()?.into()],
            FleetTool::Ansible => self.playing()?,
        };
        self.hub.forget_requests();
        let report = self.path("report");
        let log = File::create(self.path("log"))?;
        let status = Command::new(std::env::current_exe()?)
            .arg(measure::WORD)
            .arg(&report)
            .args(words)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.path("home"))
            .env("LC_ALL", "C.UTF-8")
            .env("HF_ENDPOINT", self.hub.endpoint())
            .envs([("ANSIBLE_HOST_KEY_CHECKING", "0"), ("ANSIBLE_PIPELINING", "1")])
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .status()?;
        if !status.success() {
            let log = fs::read_to_string(self.path("log"))?;
            let last = log.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
            return Err(format!("failed ({status}): {last}").into());
        }
        for there in self.fleet.boxes() {
            let found = fs::metadata(there.root().join(FILE)).map(|metadata| metadata.len());
            if found.ok() != Some(self.size) {
                return Err(format!("left {} incomplete", there.name).into());
            }
        }
        Cost::of_line(&fs::read_to_string(report)?).ok_or_else(|| "there are no measurements".into())
    }

    fn row(&self, name: &str, cost: Cost) -> String {
        let count = |origin| self.hub.requests().iter().filter(|request| request.origin == origin).count();
        format!(
            "| {name} | {} | {:.1} | {:.1} | {} | {} | {} | {} |",
            self.fleet.boxes().len(),
            cost.wall.as_secs_f64(),
            cost.cpu.as_secs_f64(),
            cost.memory >> 20,
            count(HubOrigin::Hub),
            count(HubOrigin::Cdn),
            self.hub.bytes_sent(HubOrigin::Cdn) / 1_000_000,
        )
    }

    /// What a box is told: the real `hf`, over HTTP and without its bars.
    fn download(&self) -> Result<String, Failed> {
        let hf = fs::canonicalize(installed(&[], "counterparts/bin")?)?.join("hf");
        let switches = ["TELEMETRY", "UPDATE_CHECK", "XET", "PROGRESS_BARS"]
            .map(|name| format!("HF_HUB_DISABLE_{name}=1"));
        let (switches, endpoint) = (switches.join(" "), self.hub.endpoint());
        Ok(format!(
            "env HF_ENDPOINT={endpoint} {switches} {} download {MODEL} --local-dir {FOLDER}",
            hf.display()
        ))
    }

    /// All boxes at once, and the worst exit code.
    fn ssh_loop(&self) -> Result<PathBuf, Failed> {
        let download = self.download()?;
        let options = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR";
        let mut script = String::new();
        for there in self.fleet.boxes() {
            // Writing to a string can't fail.
            _ = writeln!(script, "{} {options} '{download}' & all=\"$all $!\"", there.command());
        }
        script += "for one in $all; do wait $one || exit 1; done\n";
        let path = self.path("loop");
        fs::write(&path, script)?;
        Ok(path)
    }

    fn playing(&self) -> Result<Vec<OsString>, Failed> {
        let program = installed(&["recipes"], "counterparts-recipes/bin/ansible-playbook")?;
        let hosts: Map<String, Value> = self
            .fleet
            .boxes()
            .iter()
            .map(|there| {
                let address = json!({
                    "ansible_host": "127.0.0.1", "ansible_port": there.host.port(), "ansible_user": "root",
                    "ansible_ssh_private_key_file": there.host.client_keys().private,
                    "ansible_python_interpreter": "/usr/bin/python3",
                });
                (there.name.clone(), address)
            })
            .collect();
        fs::write(self.path("hosts.json"), json!({"all": {"hosts": hosts}}).to_string())?;
        let play = json!([{
            "hosts": "all", "gather_facts": false,
            "tasks": [{"ansible.builtin.shell": self.download()?}],
        }]);
        fs::write(self.path("play.yml"), play.to_string())?;
        let forks = self.fleet.boxes().len().to_string();
        let words = ["-i", "hosts.json", "--forks", &forks, "play.yml"].map(OsString::from);
        Ok([program.into_os_string()].into_iter().chain(words).collect())
    }
}
