//! `olah`, a Hub that others wrote: it serves git repositories of this machine, without the Internet.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use tempfile::TempDir;

use crate::counterpart::Counterpart;
use crate::proxy::free_port;

/// How often another port is tried: between finding a free one and using it another program may take it.
const ATTEMPTS: usize = 10;
/// Not a measurement: a start that hangs is to fail.
const LONGEST: Duration = Duration::from_secs(120);

/// The real `olah`, offline, with repositories of its own.
pub struct Olah {
    folder: TempDir,
    port: u16,
    child: Child,
}

/// A repository that it serves: a git repository, with the objects of Git LFS beside it.
pub struct OlahRepository(PathBuf);

impl Olah {
    /// Starts it, and returns when it listens. `None` where there is none; that has been said then.
    ///
    /// # Panics
    /// Under `CI=true`, where there is none, and if it does not start.
    pub fn start() -> Option<Self> {
        let program = Counterpart::Olah.require()?;
        let folder = tempfile::tempdir().expect("a temporary folder");
        for _ in 0..ATTEMPTS {
            let port = free_port();
            if let Some(child) = spawn(&program, folder.path(), port) {
                return Some(Self { folder, port, child });
            }
        }
        panic!("olah does not start on {ATTEMPTS} ports");
    }

    /// What `HF_ENDPOINT` is to be.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// A new model, which has no version yet.
    ///
    /// # Panics
    /// If there is no git.
    pub fn model(&self, id: &str) -> OlahRepository {
        let repository = OlahRepository(self.folder.path().join("mirror/models").join(id));
        fs::create_dir_all(&repository.0).expect("the temporary folder can be written");
        repository.git(&["init", "--quiet", "--initial-branch", "main"]);
        repository
    }
}

impl OlahRepository {
    /// Adds a regular file, or replaces one.
    ///
    /// # Panics
    /// If the disk is full.
    pub fn file(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().expect("a file is in a folder")).expect("a folder is made");
        fs::write(path, content).expect("the temporary folder can be written");
    }

    /// The same for a file of Git LFS: git has its pointer alone. `stored` is what is served for it.
    pub fn lfs(&self, path: &str, sha256: &str, stored: &[u8]) {
        let size = stored.len();
        let pointer =
            format!("version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n");
        self.file(path, pointer);
        self.file(&format!(".git/lfs/objects/{}/{}/{sha256}", &sha256[..2], &sha256[2..4]), stored);
    }

    /// Makes a version of what is there, and returns its commit.
    ///
    /// # Panics
    /// If git fails.
    pub fn commit(&self) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", "A version"]);
        self.git(&["rev-parse", "HEAD"]).trim().to_owned()
    }

    /// The folder of its files, to change what the next version has.
    pub fn path(&self) -> &Path {
        &self.0
    }

    fn git(&self, words: &[&str]) -> String {
        let user =
            ["-c", "user.name=Tests", "-c", "user.email=tests@example.org", "-c", "core.autocrlf=false"];
        let mut git = Command::new("git");
        git.args(user).args(words).current_dir(&self.0);
        // No setting of the user who runs the tests has a say.
        git.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
        let output = git.output().expect("git can be started");
        assert!(output.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl Drop for Olah {
    fn drop(&mut self) {
        // It may have ended by itself.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// Returns when it listens. `None` if it does not, because the port is taken.
fn spawn(program: &Path, folder: &Path, port: u16) -> Option<Child> {
    let configuration = folder.join("olah.toml");
    let in_folder = |name: &str| folder.join(name).display().to_string();
    let (repos, mirror) = (in_folder("repos"), in_folder("mirror"));
    let text = format!(
        "[basic]\nhost = \"127.0.0.1\"\nport = {port}\nrepos-path = \"{repos}\"\nmirrors-path = [\"{mirror}\"]\n\
         [accessibility]\noffline = true\n"
    );
    fs::write(&configuration, text).expect("the temporary folder can be written");
    let mut child = Command::new(program)
        .arg("-c")
        .arg(&configuration)
        .args(["--log-path", &in_folder("logs")])
        .current_dir(folder)
        .env_clear()
        .env("HOME", folder)
        // Of git, which it runs.
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("olah can be started");
    let said = BufReader::new(child.stderr.take().expect("it is piped"));
    let (listens, listening) = std::sync::mpsc::sync_channel(1);
    // Ends with olah, which is not to wait for a reader of what it says.
    std::thread::spawn(move || {
        for line in said.lines().map_while(Result::ok) {
            if line.contains("Uvicorn running on") {
                // The first is heard.
                _ = listens.try_send(());
            }
        }
    });
    match listening.recv_timeout(LONGEST) {
        Ok(()) => Some(child),
        Err(RecvTimeoutError::Disconnected) => {
            child.wait().expect("it has ended");
            None
        }
        Err(RecvTimeoutError::Timeout) => panic!("olah neither listens nor ends"),
    }
}
