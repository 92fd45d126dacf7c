//! A fleet: many boxes on this machine's loopback, each with a name, a home and a folder of its own.
//!
//! A box that has the agent already costs a scenario milliseconds instead of an upload of megabytes, so all of them have
//! it unless the upload is what a scenario is about.

#![expect(clippy::missing_panics_doc, reason = "what can't be set up fails its test")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use hfdown::link::{AgentImage, AgentImages, Cpu};
use tempfile::TempDir;

use crate::proxy::Proxy;
use crate::ssh_host::{HostOptions, SshHost, SshServerKind};

/// The folder that a command names: on each box it is in the home of its user.
pub const FOLDER: &str = "~/model";
/// The same within a home.
const FOLDER_NAME: &str = "model";

/// Many boxes.
pub struct Fleet {
    boxes: Vec<FleetBox>,
    folder: TempDir,
}

/// One of them.
pub struct FleetBox {
    /// Its name in the list of hosts.
    pub name: String,
    /// The box itself.
    pub host: SshHost,
    /// The wire to it, where that is not the loopback as it is.
    proxy: Option<Proxy>,
}

impl Fleet {
    /// One without boxes.
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("hfdown-fleet-").tempdir().expect("a temporary folder");
        if let Some(image) = embedded() {
            write_program(&folder.path().join("agent"), image.bytes());
        }
        Self { boxes: Vec::new(), folder }
    }

    /// So many boxes in this process: `gpu001`, `gpu002`, …
    pub async fn of(count: usize) -> Self {
        let mut fleet = Self::new();
        for number in 1..=count {
            fleet.add(&format!("gpu{number:03}"), HostOptions::default()).await;
        }
        fleet
    }

    /// The real `sshd` so many times: `box1`, `box2`, … `None` where this machine has none; what is left out has then
    /// been said.
    pub async fn of_sshd(count: usize) -> Option<Self> {
        let mut fleet = Self::new();
        fleet.add_sshd(count).await.then_some(fleet)
    }

    /// Adds boxes behind the real `sshd`. Whether this machine has one; if not, what is left out has then been said.
    pub async fn add_sshd(&mut self, count: usize) -> bool {
        for number in 1..=count {
            let Some(host) = SshHost::start(SshServerKind::Sshd, HostOptions::default()).await else {
                return false;
            };
            self.put(&format!("box{number}"), host);
        }
        true
    }

    /// Adds a box in this process.
    pub async fn add(&mut self, name: &str, options: HostOptions) -> &mut FleetBox {
        let host = SshHost::start(SshServerKind::InProcess, options).await;
        self.put(name, host.expect("a server in this process needs nothing"))
    }

    fn put(&mut self, name: &str, host: SshHost) -> &mut FleetBox {
        let agent = self.folder.path().join("agent");
        if let Some(image) = embedded() {
            let place = agent_folder(&host).join(image.file_name());
            // Another name of one file: a hundred copies of it would be a gigabyte.
            fs::hard_link(&agent, &place)
                .or_else(|_| fs::copy(&agent, &place).map(|_| ()))
                .expect("a home can be written");
        }
        self.boxes.push(FleetBox { name: name.to_owned(), host, proxy: None });
        self.boxes.last_mut().expect("one has just been added")
    }

    /// All boxes, in the order of the list.
    pub fn boxes(&self) -> &[FleetBox] {
        &self.boxes
    }

    /// The same, to be changed.
    pub fn boxes_mut(&mut self) -> &mut [FleetBox] {
        &mut self.boxes
    }

    /// The box of a name.
    pub fn named(&self, name: &str) -> &FleetBox {
        self.boxes.iter().find(|there| there.name == name).expect("the fleet has such a box")
    }

    /// The same, to be changed.
    pub fn named_mut(&mut self, name: &str) -> &mut FleetBox {
        self.boxes.iter_mut().find(|there| there.name == name).expect("the fleet has such a box")
    }

    /// The list of hosts, as `--hosts` takes it: `NAME = SSH string`.
    pub fn hosts(&self) -> String {
        let lines = self.boxes.iter().map(|there| format!("{} = {}", there.name, there.command()));
        lines.collect::<Vec<_>>().join("\n") + "\n"
    }

    /// The same in a file.
    pub fn hosts_file(&self) -> String {
        let path = self.folder.path().join("hosts");
        fs::write(&path, self.hosts()).expect("the temporary folder can be written");
        path.display().to_string()
    }
}

impl Default for Fleet {
    fn default() -> Self {
        Self::new()
    }
}

impl FleetBox {
    /// What a user would paste.
    pub fn command(&self) -> String {
        match &self.proxy {
            None => self.host.command(),
            Some(proxy) => self.host.command_via(proxy.port()),
        }
    }

    /// Where [`FOLDER`] is.
    pub fn root(&self) -> PathBuf {
        self.host.home().join(FOLDER_NAME)
    }

    /// What a file of the folder contains; `None` if it is not there.
    pub fn read(&self, path: &str) -> Option<Vec<u8>> {
        fs::read(self.root().join(path)).ok()
    }

    /// From now on the box is reached by way of this wire.
    pub fn reached_by(&mut self, proxy: Proxy) {
        self.proxy = Some(proxy);
    }

    /// The wire that it is reached by.
    pub fn wire(&self) -> &Proxy {
        self.proxy.as_ref().expect("the box is reached by way of a proxy")
    }

    /// The box has no agent: it is sent one.
    pub fn forgets_the_agent(&self) {
        fs::remove_dir_all(agent_folder(&self.host)).expect("a home can be written");
    }

    /// Another program answers in the place of the agent: a shell script, on a box whose owner sees to it that its digest
    /// is the right one.
    pub fn answers_by(&self, script: &str) {
        let Some(image) = embedded() else { return };
        let place = agent_folder(&self.host).join(image.file_name());
        // The agent of all boxes must not be written to.
        fs::remove_file(&place).expect("the agent is there");
        let script = format!("#!/bin/sh\n{script}\nexit\n");
        // What follows the end of a script is never read, and makes its size the agent's.
        let padding = image.bytes().len().checked_sub(script.len()).expect("the script is shorter");
        write_program(&place, &[script.as_bytes(), &vec![b'#'; padding]].concat());
        self.host.put_program("sha256sum", &format!("cat >/dev/null; echo '{}  -'", image.sha256()));
    }
}

fn embedded() -> Option<AgentImage> {
    AgentImages::embedded().get(Cpu::X86_64).cloned()
}

/// Where the agent is on a box, which is made.
fn agent_folder(host: &SshHost) -> PathBuf {
    let cache = host.home().join(".cache");
    let folder = cache.join("hfdown");
    fs::create_dir_all(&folder).expect("a home can be written");
    for made in [&cache, &folder] {
        fs::set_permissions(made, fs::Permissions::from_mode(0o700)).expect("the folder is ours");
    }
    folder
}

fn write_program(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).expect("the temporary folder can be written");
    fs::set_permissions(path, fs::Permissions::from_mode(0o700)).expect("the file is ours");
}
