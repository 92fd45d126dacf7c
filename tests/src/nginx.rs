//! The real nginx in the CDN's place: it serves a folder over http or https, and writes down what it has sent.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::counterpart::Counterpart;
use crate::hub::Authority;
use crate::mount;
use crate::processes;
use crate::proxy::free_port;

/// How often other ports are tried: between finding a free one and using it another program may take it.
const ATTEMPTS: usize = 10;
/// Not a measurement: a start that hangs is to fail.
const LONGEST: Duration = Duration::from_secs(60);
/// What delays answers: a module of Debian's `nginx-light`.
const ECHO: &str = "/usr/lib/nginx/modules/ngx_http_echo_module.so";

/// How it serves.
#[derive(Clone, Copy, Default)]
pub struct NginxOptions<'a> {
    /// Over https, with a certificate of this authority.
    pub authority: Option<&'a Authority>,
    /// What an answer carries at most in a second.
    pub bytes_per_second: Option<u64>,
    /// How much later each answer begins.
    pub delay: Option<Duration>,
}

/// A running nginx. It ends when it is dropped.
pub struct Nginx {
    folder: TempDir,
    scheme: &'static str,
    port: u16,
    status_port: u16,
    child: Child,
    /// How often it was asked for its own state, a connection each.
    looks: AtomicU64,
}

/// A request that it has answered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ServedRequest {
    /// A number that requests on one connection share.
    pub connection: u64,
    /// When the answer was complete, in seconds since 1970.
    pub ended: f64,
    /// How long that took, in seconds.
    pub lasted: f64,
    /// Bytes of body.
    pub bytes: u64,
    /// Whether the connection's TLS session had been begun on an earlier one.
    pub resumed: bool,
}

impl Nginx {
    /// Starts one with an empty folder in `on`, and returns when it listens.
    pub fn start(on: &Path, options: NginxOptions<'_>) -> io::Result<Self> {
        let places = Counterpart::Tool("nginx").places();
        let program = places.into_iter().find(|place| place.is_file());
        let program = program.ok_or_else(|| io::Error::other("nginx is missing"))?;
        if options.delay.is_some() && !Path::new(ECHO).exists() {
            return Err(io::Error::other(format!("nginx lacks what delays answers, {ECHO}")));
        }
        for _ in 0..ATTEMPTS {
            let folder = tempfile::Builder::new().prefix("hfdown-nginx-").tempdir_in(on)?;
            fs::create_dir(folder.path().join("root"))?;
            if let Some(authority) = options.authority {
                let issued = authority.issue();
                fs::write(folder.path().join("certificate.pem"), issued.certificate)?;
                fs::write(folder.path().join("key.pem"), issued.key)?;
            }
            let (port, status_port) = (free_port(), free_port());
            let settings = settings(folder.path(), [port, status_port], options);
            fs::write(folder.path().join("nginx.conf"), settings)?;
            if let Some(child) = spawn(&program, folder.path(), status_port)? {
                let scheme = if options.authority.is_some() { "https" } else { "http" };
                return Ok(Self { folder, scheme, port, status_port, child, looks: AtomicU64::new(0) });
            }
        }
        Err(io::Error::other("nginx does not start"))
    }

    /// Where it is asked. Another name than the Hub's as well as another port.
    pub fn origin(&self) -> String {
        format!("{}://localhost:{}", self.scheme, self.port)
    }

    /// Puts a file of this disk under a path.
    pub fn serve(&self, path: &str, file: &Path) -> io::Result<()> {
        let link = self.folder.path().join("root").join(path.trim_start_matches('/'));
        if let Some(folder) = link.parent() {
            fs::create_dir_all(folder)?;
        }
        std::os::unix::fs::symlink(file, link)
    }

    /// All requests that have ended, in that order.
    pub fn requests(&self) -> Vec<ServedRequest> {
        let log = fs::read_to_string(self.folder.path().join("access.log")).unwrap_or_default();
        log.lines().filter_map(ServedRequest::of_line).collect()
    }

    /// How many connections were made to it, those without a request included.
    pub fn connections(&self) -> io::Result<u64> {
        let looks = self.looks.fetch_add(1, Ordering::Relaxed) + 1;
        let mut stream = TcpStream::connect(local(self.status_port))?;
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
        let mut state = String::new();
        stream.read_to_string(&mut state)?;
        let numbers = state.split("requests\n").nth(1);
        let accepted = numbers.and_then(|numbers| numbers.split_whitespace().next()?.parse::<u64>().ok());
        let accepted = accepted.ok_or_else(|| io::Error::other("nginx does not say what it has accepted"))?;
        Ok(accepted.saturating_sub(looks))
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Not killed: its workers would go on. It may have ended by itself.
        processes::signal(self.child.id(), "TERM");
        _ = self.child.wait();
    }
}

impl ServedRequest {
    fn of_line(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let (connection, ended) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let (lasted, bytes) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        Some(Self { connection, ended, lasted, bytes, resumed: words.next()? == "r" })
    }
}

fn local(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

fn settings(folder: &Path, [port, status_port]: [u16; 2], options: NginxOptions<'_>) -> String {
    let folder = folder.display();
    let mut text = String::new();
    if options.delay.is_some() {
        _ = writeln!(text, "load_module {ECHO};");
    }
    if mount::is_root() {
        // As another user it could not read what only this one may.
        text += "user root;\n";
    }
    _ = writeln!(
        text,
        "worker_processes 2;\ndaemon off;\npid {folder}/pid;\nerror_log {folder}/error.log;\n\
         events {{ worker_connections 4096; }}\nhttp {{\n\
         log_format bench '$connection $msec $request_time $body_bytes_sent $ssl_session_reused';\n\
         access_log {folder}/access.log bench;\n\
         sendfile on;\ntcp_nopush on;\nkeepalive_requests 1000000;\ndefault_type application/octet-stream;"
    );
    for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
        _ = writeln!(text, "{kind}_temp_path {folder}/{kind};");
    }
    _ = writeln!(text, "server {{\nroot {folder}/root;");
    if options.authority.is_some() {
        _ = writeln!(
            text,
            "listen 127.0.0.1:{port} ssl backlog=1024;\nssl_certificate {folder}/certificate.pem;\n\
             ssl_certificate_key {folder}/key.pem;\nssl_protocols TLSv1.2 TLSv1.3;"
        );
    } else {
        _ = writeln!(text, "listen 127.0.0.1:{port} backlog=1024;");
    }
    if let Some(bytes) = options.bytes_per_second {
        _ = writeln!(text, "limit_rate {bytes};");
    }
    if let Some(delay) = options.delay {
        let seconds = delay.as_secs_f64();
        _ = writeln!(text, "location / {{ echo_sleep {seconds}; echo_exec @files; }}\nlocation @files {{ }}");
    }
    _ = writeln!(text, "}}\nserver {{ listen 127.0.0.1:{status_port}; access_log off; stub_status; }}\n}}");
    text
}

/// Returns when it listens. `None` if it ends instead, because a port is taken.
fn spawn(program: &Path, folder: &Path, port: u16) -> io::Result<Option<Child>> {
    let said: PathBuf = folder.join("said");
    // It ends with the thread that starts it, however that ends: its workers would keep the port and the folder.
    let mut child = Command::new("setpriv")
        .args(["--pdeathsig", "TERM"])
        .arg(program)
        .arg("-c")
        .arg(folder.join("nginx.conf"))
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(fs::File::create(&said)?)
        .spawn()?;
    let begun = Instant::now();
    // It says nothing that can be waited for; its ports do.
    loop {
        if child.try_wait()?.is_some() {
            let said = fs::read_to_string(said)?;
            let is_taken = said.contains("Address already in use");
            return if is_taken { Ok(None) } else { Err(io::Error::other(said)) };
        }
        if begun.elapsed() > LONGEST {
            child.kill()?;
            return Err(io::Error::other("nginx neither listens nor ends"));
        }
        if TcpStream::connect(local(port)).is_ok() {
            return Ok(Some(child));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
