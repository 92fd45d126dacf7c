//! What serves the files, over http or https, and what it has seen of the program that fetched them.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use hfdown_tests::hub::{Authority, Front, HubFault, HubOrigin, TestHub, When};
use hfdown_tests::nginx::{Nginx, NginxOptions};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::scenario::{CAP, DELAY, Scenario};
use crate::workspace::{MODEL, ServedFile};

/// A connection that carried less was for a question.
const WORTH_MENTIONING: u64 = 1 << 20;
/// How long what was sent to a killed program may take to be written down.
const LONGEST: Duration = Duration::from_secs(10);
/// A state of the system's table of connections: it is open on both sides.
const ESTABLISHED: &str = "01";

/// What the bytes travel in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Transport {
    /// Plain HTTP.
    Http,
    /// HTTPS, by an authority that all programs are told to trust.
    Tls,
}

/// What serves the files that are in LFS. The Hub itself is always the test Hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CdnKind {
    /// The test Hub's own CDN, behind a TLS front in its process where that is wanted.
    Hub,
    /// The real nginx, with two workers and its own TLS.
    Nginx,
}

/// The Hub, its CDN, and what opens their TLS.
pub(crate) struct Servers {
    pub(crate) hub: TestHub,
    cdn: Option<Nginx>,
    fronts: Vec<Front>,
    /// The certificate of the authority.
    certificate: Option<PathBuf>,
    before: Traffic,
    _folder: TempDir,
    /// What the fronts run in.
    _runtime: Runtime,
}

/// What servers have seen.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Traffic {
    /// Bytes of body that were sent.
    pub(crate) sent: u64,
    pub(crate) requests: u64,
    /// All connections, also those without a request.
    pub(crate) connections: u64,
    /// Connections that took a full TLS handshake.
    pub(crate) handshakes: u64,
    /// Connections that carried something worth mentioning.
    pub(crate) carriers: u64,
    /// How long each of those was there, from its first request to its last byte, added up.
    pub(crate) connected: Duration,
}

/// By connection, and whether it is nginx's: bytes, beginning and end in seconds.
type ConnectionTimes = HashMap<(bool, u64), (u64, f64, f64)>;

impl Servers {
    /// Servers with these files, as the scenario wants them. `memory` is a folder whose files are in memory.
    pub(crate) fn start(
        scenario: Scenario,
        files: &[ServedFile],
        (transport, cdn): (Transport, CdnKind),
        memory: &Path,
    ) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let folder = tempfile::Builder::new().prefix("hfdown-bench-").tempdir()?;
        let authority = (transport == Transport::Tls).then(Authority::new);
        let certificate = authority.as_ref().map(|_| folder.path().join("authority.pem"));
        let mut fronts = Vec::new();
        if let (Some(authority), Some(certificate)) = (&authority, &certificate) {
            fs::write(certificate, authority.pem())?;
            let wanted = if cdn == CdnKind::Hub { 2 } else { 1 };
            fronts = (0..wanted).map(|_| runtime.block_on(Front::open(authority))).collect();
        }
        let is_slow = scenario == Scenario::SlowConnections;
        let (bytes_per_second, delay) = if is_slow { (Some(CAP), Some(DELAY)) } else { (None, None) };
        let options = NginxOptions { authority: authority.as_ref(), bytes_per_second, delay };
        let cdn = match cdn {
            CdnKind::Hub => None,
            CdnKind::Nginx => Some(Nginx::start(memory, options)?),
        };
        let hub = match &cdn {
            Some(nginx) => TestHub::start_with_cdn(fronts.first(), &nginx.origin()),
            None => TestHub::start_behind(fronts.first(), fronts.get(1)),
        };
        publish(&hub, files);
        if is_slow {
            hub.fault(HubFault::Throttle { bytes_per_second: CAP }, When::always().at(HubOrigin::Cdn));
            hub.fault(HubFault::Delay(DELAY), When::always());
        }
        if let Some(nginx) = &cdn {
            for (path, content) in hub.objects() {
                let file = content.path().ok_or_else(|| io::Error::other("nginx serves files of a disk"))?;
                nginx.serve(&path, file)?;
            }
        }
        let before = Traffic::default();
        Ok(Self { hub, cdn, fronts, certificate, before, _folder: folder, _runtime: runtime })
    }

    /// What programs have to trust, over https.
    pub(crate) fn certificate(&self) -> Option<&Path> {
        self.certificate.as_deref()
    }

    /// What follows stands alone in [`Servers::traffic`].
    pub(crate) fn forget(&mut self) -> io::Result<()> {
        self.before = Traffic::default();
        self.hub.forget_requests();
        self.before = self.traffic()?;
        Ok(())
    }

    /// What was seen since then.
    pub(crate) fn traffic(&self) -> io::Result<Traffic> {
        let (mut all, requests) = self.hub_traffic();
        if self.certificate.is_some() {
            all.connections = self.fronts.iter().map(|front| front.connections() as u64).sum();
            all.handshakes = self.fronts.iter().map(|front| front.full_handshakes() as u64).sum();
        }
        let mut connections: ConnectionTimes = requests;
        if let Some(nginx) = &self.cdn {
            all.connections += nginx.connections()?;
            let requests = nginx.requests();
            all.requests += requests.len() as u64;
            let mut full = HashMap::new();
            for request in &requests {
                all.sent += request.bytes;
                full.insert(request.connection, !request.resumed);
            }
            if self.certificate.is_some() {
                all.handshakes += full.values().filter(|is_full| **is_full).count() as u64;
            }
            let later = requests.get(usize::try_from(self.before.requests).unwrap_or(0)..).unwrap_or(&[]);
            for request in later {
                let began = request.ended - request.lasted;
                let entry =
                    connections.entry((true, request.connection)).or_insert((0, began, request.ended));
                *entry = (entry.0 + request.bytes, entry.1.min(began), entry.2.max(request.ended));
            }
        }
        let carriers = connections.values().filter(|(bytes, ..)| *bytes >= WORTH_MENTIONING);
        let carriers: Vec<f64> = carriers.map(|(_, came, gone)| gone - came).collect();
        Ok(Traffic {
            sent: all.sent - self.before.sent,
            requests: all.requests - self.before.requests,
            connections: all.connections - self.before.connections,
            handshakes: all.handshakes - self.before.handshakes,
            carriers: carriers.len() as u64,
            connected: Duration::from_secs_f64(carriers.iter().sum()),
        })
    }

    /// What the test Hub itself has seen, and its connections: bytes, beginning and end.
    fn hub_traffic(&self) -> (Traffic, ConnectionTimes) {
        let requests = self.hub.requests();
        let start = requests.iter().map(|request| request.came).min().unwrap_or_else(Instant::now);
        let mut connections = HashMap::new();
        for request in &requests {
            let came = request.came.duration_since(start).as_secs_f64();
            let gone = came + request.lasted.as_secs_f64();
            let entry = connections.entry((false, request.connection)).or_insert((0, came, gone));
            *entry = (entry.0 + request.bytes_sent, entry.1.min(came), entry.2.max(gone));
        }
        let seen = Traffic {
            sent: requests.iter().map(|request| request.bytes_sent).sum(),
            requests: requests.len() as u64,
            connections: connections.len() as u64,
            ..Traffic::default()
        };
        (seen, connections)
    }

    /// What waits on both sides of the connections to the servers, by the system's own table: `sl local remote state
    /// tx:rx …`, all numbers in hexadecimal.
    pub(crate) fn buffered(&self) -> Option<u64> {
        let number = |text: &str| u64::from_str_radix(text, 16).unwrap_or(0);
        let waiting = |(_, queues): (String, String)| {
            queues.split_once(':').map_or(0, |(tx, rx)| number(tx) + number(rx))
        };
        Some(self.table()?.into_iter().map(waiting).sum())
    }

    /// Waits until all connections are closed: nginx writes down what it has sent when a request has ended.
    pub(crate) fn settle(&self) {
        let begun = Instant::now();
        let is_open = |(state, _): &(String, String)| state == ESTABLISHED;
        while self.table().is_some_and(|table| table.iter().any(is_open)) && begun.elapsed() < LONGEST {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// State and queues of each connection to the servers, from both sides.
    fn table(&self) -> Option<Vec<(String, String)>> {
        let ports = [self.hub.endpoint(), self.hub.cdn_origin()].map(|origin| {
            let port = origin.rsplit(':').next().and_then(|port| port.parse::<u16>().ok());
            port.map(|port| format!(":{port:04X}"))
        });
        let table = fs::read_to_string("/proc/net/tcp").ok()?;
        let lines = table.lines().filter_map(|line| {
            let mut words = line.split_whitespace().skip(1);
            let (local, remote, state, queues) = (words.next()?, words.next()?, words.next()?, words.next()?);
            let is_ours = ports.iter().flatten().any(|port| local.ends_with(port) || remote.ends_with(port));
            is_ours.then(|| (state.to_owned(), queues.to_owned()))
        });
        Some(lines.collect())
    }
}

fn publish(hub: &TestHub, files: &[ServedFile]) {
    let draft = files.iter().fold(hub.model(MODEL), |draft, file| {
        if file.is_lfs {
            draft.lfs(&file.path, file.content.clone())
        } else {
            draft.file(&file.path, file.content.clone())
        }
    });
    draft.commit();
}

impl fmt::Display for Transport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Http => "HTTP",
            Self::Tls => "TLS",
        })
    }
}

impl fmt::Display for CdnKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Hub => "from the test Hub",
            Self::Nginx => "from nginx",
        })
    }
}
