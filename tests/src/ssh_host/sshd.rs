//! The real OpenSSH server on a loopback port, with a configuration, keys and a home of its own.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::ground::Ground;
use crate::processes;

/// How often another port is tried: between finding a free one and using it somebody else may take it.
const ATTEMPTS: usize = 10;

pub(super) struct Sshd {
    program: PathBuf,
    port: u16,
    child: Child,
}

impl Sshd {
    pub(super) async fn start(ground: &Ground, program: PathBuf) -> Self {
        prepare_machine();
        for _ in 0..ATTEMPTS {
            let port = free_port();
            if let Some(child) = spawn(ground, &program, port).await {
                return Self { program, port, child };
            }
        }
        panic!("sshd does not start on {ATTEMPTS} ports");
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Starts it again on the same port, with what the ground has now.
    pub(super) async fn restart(&mut self, ground: &Ground) {
        self.stop();
        self.child = spawn(ground, &self.program, self.port).await.expect("sshd starts again");
    }

    /// Each connection has a process of its own, and more after the login.
    pub(super) fn kill_connections(&self) {
        processes::descendants(self.child.id(), "sshd").into_iter().for_each(processes::kill);
    }

    fn stop(&mut self) {
        self.kill_connections();
        // It may have ended by itself.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Root's sshd wants this empty folder, which Debian's service would make.
fn prepare_machine() {
    if Path::new("/run").is_dir() && !Path::new("/run/sshd").exists() {
        // Without the right to make it, sshd does not need it either.
        _ = fs::create_dir("/run/sshd");
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("the loopback has a free port");
    listener.local_addr().expect("a listener has an address").port()
}

/// Returns when it listens. `None` if it does not, because the port is taken.
async fn spawn(ground: &Ground, program: &Path, port: u16) -> Option<Child> {
    let configuration = ground.folder.path().join("server").join("sshd_config");
    fs::write(&configuration, text(ground, port)).expect("the temporary folder can be written");
    let mut child = Command::new(program)
        .args(["-D", "-e", "-f"])
        .arg(&configuration)
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("sshd can be started");
    let errors = child.stderr.take().expect("it is piped");
    let (listens, listening) = tokio::sync::oneshot::channel();
    // Ends with sshd, which the host's end brings.
    std::thread::spawn(move || {
        let mut listens = Some(listens);
        for line in BufReader::new(errors).lines().map_while(Result::ok) {
            if line.contains("Server listening on") {
                _ = listens.take().map(|listens| listens.send(()));
            }
        }
    });
    if listening.await.is_ok() {
        return Some(child);
    }
    child.wait().expect("it has ended");
    None
}

/// `SetEnv` overrides the home that the machine's user really has.
fn text(ground: &Ground, port: u16) -> String {
    let environment: Vec<_> =
        ground.environment().into_iter().map(|(name, value)| format!("\"{name}={value}\"")).collect();
    let banner = ground.banner.as_ref().map_or("none".to_owned(), |path| format!("\"{}\"", path.display()));
    format!(
        "ListenAddress 127.0.0.1\nPort {port}\nHostKey \"{host_key}\"\nAuthorizedKeysFile \"{authorized_keys}\"\n\
         PidFile none\nStrictModes no\nUsePAM no\nPermitRootLogin yes\nPubkeyAuthentication yes\n\
         PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitUserRC no\nX11Forwarding no\n\
         PrintMotd no\nUseDNS no\nMaxStartups 100\nBanner {banner}\nSubsystem sftp internal-sftp\n\
         SetEnv {environment}\n",
        host_key = ground.host_keys.private.display(),
        authorized_keys = ground.authorized_keys.display(),
        environment = environment.join(" "),
    )
}
