//! xet-core's own Xet store, `local_cas_server`, and the real `hf_xet` that uploads to it: files as the Hub keeps them, under
//! their real names. It asks for no token and has no Hub; the test Hub leads to it.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::counterpart::Counterpart;
use crate::proxy::free_port;

/// How often another port is tried: between finding a free one and using it another program may take it.
const ATTEMPTS: usize = 10;
/// Not a measurement: a start that hangs is to fail.
const LONGEST: Duration = Duration::from_secs(120);
/// Uploads files with `hf_xet`, and prints the hash of each on a line.
const UPLOAD: &str = "import sys, hf_xet\n\
    for info in hf_xet.upload_files(sys.argv[2:], sys.argv[1], ('t', 9999999999), None, None, None): print(info.hash)";

/// Prints what `hf_xet` calls files, each on a line.
const NAMES: &str = "import sys, hf_xet\n\
    for info in hf_xet.hash_files(sys.argv[1:]): print(info.hash)";

/// What `hf_xet` calls files with these bytes, which are put into a folder for it. `None` where it is missing; that has been
/// said then.
///
/// # Panics
/// Under `CI=true`, where it is missing, and if it fails.
pub fn names(folder: &Path, files: &[Vec<u8>]) -> Option<Vec<String>> {
    let python = Counterpart::Hf.require()?.with_file_name("python");
    let paths: Vec<_> = (0..files.len()).map(|number| folder.join(format!("named-{number}"))).collect();
    for (path, bytes) in paths.iter().zip(files) {
        fs::write(path, bytes).expect("the temporary folder can be written");
    }
    let mut python = Command::new(python);
    let output =
        python.args(["-c", NAMES]).args(paths).env_clear().current_dir(folder).env("HOME", folder).output();
    let output = output.expect("Python can be started");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect())
}

/// A running store.
pub struct CasServer {
    folder: TempDir,
    python: PathBuf,
    port: u16,
    child: Child,
}

impl CasServer {
    /// Starts it, and returns when it listens. `None` where it or `hf_xet` is missing; that has been said then.
    ///
    /// # Panics
    /// Under `CI=true`, where one is missing, and if it does not start.
    pub fn start() -> Option<Self> {
        let python = Counterpart::Hf.require()?.with_file_name("python");
        let program = Counterpart::CasServer.require()?;
        let folder = tempfile::tempdir().expect("a temporary folder");
        for _ in 0..ATTEMPTS {
            let port = free_port();
            if let Some(child) = spawn(&program, folder.path(), port) {
                return Some(Self { folder, python, port, child });
            }
        }
        panic!("local_cas_server does not start on {ATTEMPTS} ports");
    }

    /// Where it is.
    pub fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Uploads bytes as an uploader of this name, and returns the file's Xet hash. One name knows the chunks that it uploaded
    /// before, and does not store them again; another one has to find that out from the store.
    ///
    /// # Panics
    /// If `hf_xet` fails.
    pub fn upload(&self, uploader: &str, bytes: &[u8]) -> String {
        let home = self.folder.path().join(uploader);
        fs::create_dir_all(&home).expect("the temporary folder can be written");
        let file = home.join("file");
        fs::write(&file, bytes).expect("the temporary folder can be written");
        self.upload_file(uploader, &file)
    }

    /// The same of a file that is there.
    ///
    /// # Panics
    /// If `hf_xet` fails.
    pub fn upload_file(&self, uploader: &str, file: &Path) -> String {
        let home = self.folder.path().join(uploader);
        fs::create_dir_all(&home).expect("the temporary folder can be written");
        let mut python = Command::new(&self.python);
        python.args(["-c", UPLOAD, &self.address()]).arg(file);
        // From nothing, so that no proxy, token or cache of the user who runs the tests has a say.
        python.env_clear().current_dir(&home).env("HOME", &home).env("HF_HOME", home.join("hf"));
        let output = python.output().expect("Python can be started");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}

impl Drop for CasServer {
    fn drop(&mut self) {
        // It may have ended by itself.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// Returns when it listens. `None` if it ends instead, because the port is taken.
fn spawn(program: &Path, folder: &Path, port: u16) -> Option<Child> {
    let mut child = Command::new(program)
        .args(["--port", &port.to_string(), "--data-directory"])
        .arg(folder.join("store"))
        .current_dir(folder)
        .env_clear()
        .env("HOME", folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("local_cas_server can be started");
    let begun = Instant::now();
    // It says nothing that can be waited for; its port does.
    loop {
        if child.try_wait().expect("it is this program's child").is_some() {
            return None;
        }
        if TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))).is_ok() {
            return Some(child);
        }
        assert!(begun.elapsed() < LONGEST, "local_cas_server neither listens nor ends");
        std::thread::sleep(Duration::from_millis(20));
    }
}
