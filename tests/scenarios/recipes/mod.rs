//! The recipes of `tests/recipes`, run for real: by Ansible over the real `sshd`, by Slurm, by a shell; what Kubernetes would
//! run is held against its schemas.

mod ansible;
mod kubernetes;
mod shell;
mod slurm;

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use hfdown_tests::hub::{Content, HubOrigin};
use hfdown_tests::sandbox::{DestinationKind, Sandbox};
use serde_json::{Value, json};

use crate::places::HFDOWN;

const MODEL: &str = "acme/tiny";
const CONFIG: &str = "config.json";
const WEIGHTS: &str = "model.safetensors";
const SIZE: u64 = 3_000_000;

/// What recipes run in: a Hub with a model, and a machine whose search path has `hfdown` first.
struct RecipeWorld {
    sandbox: Sandbox,
    bin: PathBuf,
}

impl RecipeWorld {
    async fn start() -> Self {
        let sandbox = Sandbox::start(DestinationKind::Here, HFDOWN).await.unwrap();
        sandbox.hub.model(MODEL).file(CONFIG, "{\"layers\": 2}").lfs(WEIGHTS, weights()).commit();
        let bin = sandbox.scratch().join("bin");
        fs::create_dir(&bin).unwrap();
        symlink(HFDOWN, bin.join("hfdown")).unwrap();
        Self { sandbox, bin }
    }

    fn home(&self) -> PathBuf {
        self.sandbox.scratch().join("home")
    }

    /// A program that finds this world and nothing of the user who runs the tests.
    fn in_here(&self, command: &mut Command) {
        let path = std::env::var("PATH").unwrap();
        command
            .env_clear()
            .env("PATH", format!("{}:{path}", self.bin.display()))
            .env("HOME", self.home())
            .env("HF_ENDPOINT", self.sandbox.hub.endpoint())
            .env("LC_ALL", "C.UTF-8")
            .current_dir(self.sandbox.scratch())
            .stdin(std::process::Stdio::null());
    }

    /// A `vastai` that shows these instances, as `vastai show instances --raw` does.
    fn puts_vastai(&self, instances: &[Value]) {
        let shown = self.sandbox.scratch().join("instances");
        fs::write(&shown, json!(instances).to_string()).unwrap();
        let script = format!("#!/bin/sh\n[ \"$*\" = 'show instances --raw' ] && cat '{}'\n", shown.display());
        let program = self.bin.join("vastai");
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Bytes that the CDN has sent.
    fn fetched(&self) -> u64 {
        self.sandbox.hub.bytes_sent(HubOrigin::Cdn)
    }
}

fn weights() -> Content {
    Content::random(31, SIZE)
}

/// Runs a program while the boxes of this process go on.
async fn output(command: Command) -> Output {
    tokio::process::Command::from(command).output().await.unwrap()
}

fn recipe(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes").join(path)
}

#[track_caller]
fn assert_whole(root: &Path) {
    let read = |name: &str| fs::read(root.join(name)).unwrap_or_default();
    assert_eq!(read(CONFIG), b"{\"layers\": 2}", "{}", root.display());
    assert!(read(WEIGHTS) == weights().to_vec(), "{}", root.display());
}

/// An instance of Vast.ai with a direct port, in the fields that matter and some that do not.
fn instance(id: u64, label: Option<&str>, port: u16) -> Value {
    json!({
        "id": id, "label": label, "actual_status": "running", "intended_status": "running", "cur_state": "running",
        "image_runtype": "ssh_direc ssh_proxy", "public_ipaddr": "127.0.0.1", "ssh_host": "ssh4.vast.ai",
        "ssh_port": 10_600, "ports": {"22/tcp": [{"HostIp": "0.0.0.0", "HostPort": port.to_string()}]},
        "gpu_name": "H100 SXM", "inet_down_cost": 0.003, "dph_total": 1.9,
    })
}
