//! The real OpenSSH server on a loopback port, with a configuration, keys and a home of its own.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::host_folder::HostFolder;
use super::{HostOptions, LoginStep, Programs, SftpSubsystem};
use crate::counterpart::{Counterpart, require_root};
use crate::processes;
use crate::proxy::free_port;

/// How often another port is tried: between finding a free one and using it another program may take it.
const ATTEMPTS: usize = 10;

pub(super) struct Sshd {
    setup: Setup,
    port: u16,
    child: Child,
    connections: Arc<AtomicUsize>,
}

/// What a server is started with.
struct Setup {
    program: PathBuf,
    sftp: Option<PathBuf>,
    channels: Option<u32>,
    login: &'static [LoginStep],
    configuration: Option<String>,
    /// A library that shows sshd the user database in the host's folder `server`.
    users: Option<PathBuf>,
    /// Busybox, which then is `/bin/sh` as well, in a view of the machine that only this server has.
    busybox: Option<PathBuf>,
}

impl Sshd {
    /// `None` if something that it takes is not on this machine.
    pub(super) async fn start(host_folder: &HostFolder, options: &HostOptions) -> Option<Self> {
        let setup = Setup::new(host_folder, options)?;
        prepare_machine();
        for _ in 0..ATTEMPTS {
            let port = free_port();
            let connections = Arc::default();
            if let Some(child) = spawn(host_folder, &setup, port, &connections).await {
                return Some(Self { setup, port, child, connections });
            }
        }
        panic!("sshd does not start on {ATTEMPTS} ports");
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Starts it again on the same port, with what the host's folder has now.
    pub(super) async fn restart(&mut self, host_folder: &HostFolder) {
        self.stop();
        let started = spawn(host_folder, &self.setup, self.port, &self.connections).await;
        self.child = started.expect("sshd starts again");
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

impl Setup {
    fn new(host_folder: &HostFolder, options: &HostOptions) -> Option<Self> {
        let password = options.login.iter().find_map(|step| match step {
            LoginStep::Password(password) => Some(*password),
            _ => None,
        });
        let is_asked = |step: &LoginStep| matches!(step, LoginStep::Questions(_));
        assert!(
            !options.login.iter().any(is_asked),
            "the real sshd takes its questions from the machine's PAM"
        );
        let users = if options.shell.is_some() || password.is_some() {
            let library = Counterpart::NssWrapper.require()?;
            write_users(host_folder, options.shell.as_deref());
            write_passwords(host_folder, password);
            Some(library)
        } else {
            None
        };
        let busybox = match options.programs {
            Programs::Usual | Programs::Only(_) => None,
            Programs::Busybox => {
                Counterpart::Tool("unshare").require()?;
                if !require_root() {
                    return None;
                }
                let busybox = Counterpart::Tool("busybox").require()?;
                let install = Command::new(&busybox).args(["--install", "-s"]).arg(&host_folder.bin).status();
                assert!(install.is_ok_and(|status| status.success()), "busybox lays its tools there");
                Some(busybox)
            }
        };
        let sftp = match options.sftp {
            SftpSubsystem::Internal => Some(PathBuf::from("internal-sftp")),
            SftpSubsystem::External => Some(Counterpart::SftpServer.require()?),
            SftpSubsystem::Missing => None,
        };
        let (program, channels) = (Counterpart::Sshd.require()?, options.channels);
        let configuration = options.configuration.clone();
        Some(Self { program, sftp, channels, login: options.login, configuration, users, busybox })
    }

    /// The command that becomes sshd.
    fn command(&self, host_folder: &HostFolder) -> Command {
        let mut command = match &self.busybox {
            None => Command::new(&self.program),
            Some(busybox) => {
                let mut command = Command::new("unshare");
                let script = "mount --bind \"$0\" /bin/sh && exec \"$@\"";
                command.args(["--mount", "/bin/sh", "-c", script]).arg(busybox).arg(&self.program);
                command
            }
        };
        if let Some(library) = &self.users {
            let server = host_folder.folder.path().join("server");
            command.env("LD_PRELOAD", library);
            command.env("NSS_WRAPPER_PASSWD", server.join("passwd"));
            command.env("NSS_WRAPPER_GROUP", "/etc/group");
            command.env("NSS_WRAPPER_SHADOW", server.join("shadow"));
        }
        command
    }
}

/// The machine's users, but for the host's own: whose home and login shell are others where a shell is named.
fn write_users(host_folder: &HostFolder, shell: Option<&Path>) {
    let users = fs::read_to_string("/etc/passwd").expect("this machine has users");
    let line = |line: &str| {
        let fields: Vec<&str> = line.split(':').collect();
        match (fields.as_slice(), shell) {
            ([name, rest @ .., _, _], Some(shell)) if *name == host_folder.user => {
                let (home, shell) = (host_folder.home.display(), shell.display());
                format!("{name}:{}:{home}:{shell}\n", rest.join(":"))
            }
            _ => format!("{line}\n"),
        }
    };
    let users: String = users.lines().map(line).collect();
    fs::write(host_folder.folder.path().join("server").join("passwd"), users)
        .expect("the temporary folder can be written");
}

/// The password of the host's user.
fn write_passwords(host_folder: &HostFolder, password: Option<&str>) {
    let hash = match password {
        None => "*".to_owned(),
        Some(password) => {
            let hashed = Command::new("openssl").args(["passwd", "-6", password]).output();
            let hashed = hashed.expect("openssl comes with the tests' tools").stdout;
            String::from_utf8_lossy(&hashed).trim().to_owned()
        }
    };
    let line = format!("{}:{hash}:19000:0:99999:7:::\n", host_folder.user);
    fs::write(host_folder.folder.path().join("server").join("shadow"), line)
        .expect("the temporary folder can be written");
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

/// Returns when it listens. `None` if it does not, because the port is taken.
async fn spawn(
    host_folder: &HostFolder,
    setup: &Setup,
    port: u16,
    connections: &Arc<AtomicUsize>,
) -> Option<Child> {
    let configuration = host_folder.folder.path().join("server").join("sshd_config");
    fs::write(&configuration, text(host_folder, setup, port)).expect("the temporary folder can be written");
    let mut child = setup
        .command(host_folder)
        .args(["-D", "-e", "-f"])
        .arg(&configuration)
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("sshd can be started");
    let errors = child.stderr.take().expect("it is piped");
    let (listens, listening) = tokio::sync::oneshot::channel();
    let connections = Arc::clone(connections);
    // Ends with sshd, which the host's end brings.
    std::thread::spawn(move || {
        let mut listens = Some(listens);
        for line in BufReader::new(errors).lines().map_while(Result::ok) {
            if line.contains("Server listening on") {
                _ = listens.take().map(|listens| listens.send(()));
            }
            if line.starts_with("Connection from ") {
                connections.fetch_add(1, Ordering::SeqCst);
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
fn text(host_folder: &HostFolder, setup: &Setup, port: u16) -> String {
    let environment: Vec<_> =
        host_folder.environment().into_iter().map(|(name, value)| format!("\"{name}={value}\"")).collect();
    let sftp = setup.sftp.as_ref().map(|sftp| format!("Subsystem sftp {}\n", sftp.display()));
    let banner =
        host_folder.banner.as_ref().map_or("none".to_owned(), |path| format!("\"{}\"", path.display()));
    let certificate = host_folder.host_certificate();
    let certificate = if certificate.exists() {
        format!("HostCertificate \"{}\"\n", certificate.display())
    } else {
        String::new()
    };
    let allowed = |method: &str| {
        if setup.login.iter().any(|step| step.method() == method) { "yes" } else { "no" }
    };
    let methods: Vec<_> = setup.login.iter().map(|step| step.method()).collect();
    format!(
        "{certificate}ListenAddress 127.0.0.1\nPort {port}\nHostKey \"{host_key}\"\nAuthorizedKeysFile \"{authorized_keys}\"\n\
         PidFile none\nStrictModes no\nUsePAM no\nPermitRootLogin yes\nPubkeyAuthentication {keys}\n\
         PasswordAuthentication {passwords}\nAuthenticationMethods {methods}\nLogLevel VERBOSE\nKbdInteractiveAuthentication no\nPermitUserRC no\nX11Forwarding no\n\
         PrintMotd no\nUseDNS no\nMaxStartups 100\nBanner {banner}\n{sftp}{channels}SetEnv {environment}\n{more}",
        keys = allowed("publickey"),
        passwords = allowed("password"),
        methods = methods.join(","),
        more = setup.configuration.as_ref().map(|lines| format!("{lines}\n")).unwrap_or_default(),
        sftp = sftp.unwrap_or_default(),
        channels = setup.channels.map(|channels| format!("MaxSessions {channels}\n")).unwrap_or_default(),
        host_key = host_folder.host_keys.private.display(),
        authorized_keys = host_folder.authorized_keys.display(),
        environment = environment.join(" "),
    )
}
