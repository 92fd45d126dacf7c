//! A machine some of whose system calls fail, as on disks that have no such thing: a sandbox for it.

#![expect(clippy::missing_panics_doc, reason = "what can't be set up fails its test")]

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::counterpart::leave_out;
use crate::sandbox::{DestinationKind, Ended, Sandbox, run};
use crate::ssh_host::HostOptions;

/// The programs of this crate that it takes.
#[derive(Debug, Clone, Copy)]
pub struct LackingPrograms {
    /// `env!("CARGO_BIN_EXE_hfdown-tested")`.
    pub hfdown: &'static str,
    /// `env!("CARGO_BIN_EXE_without")`.
    pub without: &'static str,
}

/// A sandbox whose destination is on such a machine: this one, or a box whose login shell, and so the agent, runs so.
pub struct Lacking {
    /// The sandbox itself.
    pub sandbox: Sandbox,
    without: &'static str,
    /// What fails here; nothing, where the destination is on a box.
    rules: Option<&'static str>,
    _shell: TempDir,
}

impl Lacking {
    /// Sets it up. `rules` are those of `tests/bin/without.rs`. `None` where this machine can't; what is left out has
    /// then been said.
    pub async fn start(
        place: DestinationKind,
        programs: LackingPrograms,
        rules: &'static str,
    ) -> Option<Self> {
        let LackingPrograms { hfdown, without } = programs;
        let tried = Command::new(without)
            .args([rules, "true"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        if !tried.is_ok_and(|status| status.success()) {
            leave_out("system calls can't be made to fail (seccomp)");
            return None;
        }
        let folder = TempDir::new().expect("a temporary folder");
        let is_here = place == DestinationKind::Here;
        let shell = (!is_here).then(|| shell(folder.path(), without, rules));
        let sandbox =
            Sandbox::start_with(place, hfdown, HostOptions { shell, ..HostOptions::default() }).await?;
        Some(Self { sandbox, without, rules: is_here.then_some(rules), _shell: folder })
    }

    /// The program told to sync a model to the destination, as [`Sandbox::syncing`] tells it.
    pub fn syncing(&self, model: &str, more: &[&str]) -> tokio::process::Command {
        self.lacking(self.sandbox.syncing(model, more))
    }

    /// A command of the sandbox's, on such a machine where that is this one.
    pub fn lacking(&self, plain: tokio::process::Command) -> tokio::process::Command {
        let Some(rules) = self.rules else { return plain };
        let plain = plain.as_std();
        let mut command = tokio::process::Command::new(self.without);
        command.arg(rules).arg(plain.get_program()).args(plain.get_args()).env_clear();
        command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command
            .current_dir(self.sandbox.scratch())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Syncs a model and waits for the end.
    pub async fn sync(&self, model: &str, more: &[&str]) -> Ended {
        run(self.syncing(model, more)).await
    }
}

/// A login shell that is such a machine.
fn shell(folder: &Path, without: &str, rules: &str) -> PathBuf {
    let path = folder.join("shell");
    let script = format!("#!/bin/sh\nexec '{without}' '{rules}' /bin/sh \"$@\"\n");
    std::fs::write(&path, script).expect("the temporary folder can be written");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("it is ours");
    path
}
