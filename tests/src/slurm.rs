//! A Slurm of this machine: its controller and four nodes, without a service, in a temporary folder.

#![expect(clippy::missing_panics_doc, reason = "what can't be set up fails its test")]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::counterpart::{Counterpart, require_root};
use crate::proxy::free_port;

/// How many nodes there are; each runs one task at a time.
pub const NODES: usize = 4;
/// A Slurm that is not up by then never will be. It takes about a second.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is looked whether the nodes are up.
const LOOK: Duration = Duration::from_millis(50);

/// The Slurm. It ends with this value.
pub struct Slurm {
    folder: TempDir,
    programs: Vec<Child>,
}

impl Slurm {
    /// Starts it and waits for its nodes. `None` where this machine has none, or does not let it be started; what is left
    /// out has then been said.
    pub fn start() -> Option<Self> {
        let [munged, controller, node] =
            ["munged", "slurmctld", "slurmd"].map(|name| Counterpart::Tool(name).require());
        let (munged, controller, node) = (munged?, controller?, node?);
        if !require_root() {
            return None;
        }
        let folder = tempfile::Builder::new().prefix("hfdown-slurm-").tempdir().expect("a temporary folder");
        let mut slurm = Self { folder, programs: Vec::new() };
        slurm.write_key();
        fs::create_dir(slurm.path("state")).expect("the temporary folder can be written");
        fs::write(slurm.configuration(), slurm.settings()).expect("the temporary folder can be written");
        let named = |option: &str, file: &str| format!("--{option}={}", slurm.path(file).display());
        let munge = [
            "--foreground".to_owned(),
            "--force".to_owned(),
            named("key-file", "munge.key"),
            named("socket", "munge.socket"),
            named("log-file", "munge.log"),
            named("pid-file", "munge.pid"),
            named("seed-file", "munge.seed"),
        ];
        slurm.run(&munged, &munge);
        let socket = slurm.path("munge.socket");
        slurm.wait("munged listens", || socket.exists());
        slurm.run(&controller, &["-D".to_owned(), "-i".to_owned()]);
        for number in 1..=NODES {
            slurm.run(&node, &["-D".to_owned(), "-N".to_owned(), format!("n{number}")]);
        }
        let mut looking = slurm.command("sinfo");
        looking.args(["--noheader", "--nodes", &format!("n[1-{NODES}]"), "--format", "%D %T"]);
        let ready = format!("{NODES} idle");
        slurm.wait("all nodes are idle", || {
            let looked = looking.output().expect("sinfo comes with Slurm");
            String::from_utf8_lossy(&looked.stdout).trim() == ready
        });
        Some(slurm)
    }

    /// One of Slurm's commands, which finds this Slurm.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("SLURM_CONF", self.configuration())
            .current_dir(self.folder.path())
            .stdin(Stdio::null());
        command
    }

    /// A folder that all nodes see.
    pub fn shared(&self) -> &Path {
        self.folder.path()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn configuration(&self) -> PathBuf {
        self.path("slurm.conf")
    }

    /// What proves to each program that the others are of the same cluster.
    fn write_key(&self) {
        fs::write(self.path("munge.key"), rand::random::<[u8; 64]>())
            .expect("the temporary folder can be written");
        let owner_alone = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        fs::set_permissions(self.path("munge.key"), owner_alone).expect("the file is ours");
    }

    /// No control groups, no tracking of processes by a service, no accounting; several nodes of one machine.
    fn settings(&self) -> String {
        let name = Command::new("hostname").arg("-s").output().expect("a machine has a name").stdout;
        let (name, folder) = (String::from_utf8_lossy(&name).trim().to_owned(), self.folder.path().display());
        let mut text = format!(
            "ClusterName=world\nSlurmctldHost={name}(127.0.0.1)\nSlurmctldPort={port}\nSlurmUser=root\nSlurmdUser=root\n\
             AuthType=auth/munge\nAuthInfo=socket={folder}/munge.socket\nCredType=cred/munge\n\
             ProctrackType=proctrack/linuxproc\nTaskPlugin=task/none\nSwitchType=switch/none\nMpiDefault=none\n\
             SelectType=select/cons_tres\nSelectTypeParameters=CR_Core\nSchedulerType=sched/builtin\n\
             SchedulerParameters=batch_sched_delay=0,sched_min_interval=0\nReturnToService=2\nKillWait=1\n\
             AccountingStorageType=accounting_storage/none\nJobAcctGatherType=jobacct_gather/none\n\
             StateSaveLocation={folder}/state\nSlurmdSpoolDir={folder}/spool-%n\nSlurmdPidFile={folder}/slurmd-%n.pid\n\
             SlurmctldPidFile={folder}/slurmctld.pid\nSlurmctldLogFile={folder}/slurmctld.log\n\
             SlurmdLogFile={folder}/slurmd-%n.log\n",
            port = free_port(),
        );
        for number in 1..=NODES {
            let port = free_port();
            // Writing to a string can't fail.
            _ = writeln!(
                text,
                "NodeName=n{number} NodeHostname={name} NodeAddr=127.0.0.1 Port={port} CPUs=1 RealMemory=100"
            );
        }
        text + &format!("PartitionName=all Nodes=n[1-{NODES}] Default=YES MaxTime=5:00 State=UP\n")
    }

    fn run(&mut self, program: &Path, arguments: &[String]) {
        let mut command = self.command(&program.display().to_string());
        let started = command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        self.programs.push(started.expect("the program is there"));
    }

    fn wait(&self, what: &str, mut is_so: impl FnMut() -> bool) {
        let began = Instant::now();
        while !is_so() {
            let logs = || {
                let logs = fs::read_dir(self.folder.path()).expect("it is there").flatten();
                let logs = logs.filter(|entry| entry.path().extension().is_some_and(|end| end == "log"));
                logs.filter_map(|entry| fs::read_to_string(entry.path()).ok()).collect::<String>()
            };
            assert!(began.elapsed() < PATIENCE, "{what} never comes true: {}", logs());
            std::thread::sleep(LOOK);
        }
    }
}

/// The nodes before their controller, so that none has anything to report.
impl Drop for Slurm {
    fn drop(&mut self) {
        for program in self.programs.iter_mut().rev() {
            // It may have ended by itself.
            _ = program.kill();
            _ = program.wait();
        }
    }
}
