//! The way through a proxy to what is behind it, as far as the proxy answers for itself.
//!
//! The controller's client (`reqwest`) has a way of its own, and says only that it failed. Then one more connection is made
//! here, and sees what is wrong.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hyper::header::HeaderValue;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use url::{Host, Url};

use super::extra_roots::ExtraRoots;
use super::names::Names;
use super::proxy_fault::{ProxyFault, ProxyTrouble, printable};
use super::proxy_login::Login;
use super::proxy_server::{ProxyScheme, ProxyServer};
use crate::os_error::in_words;

/// How long all of it may take: what is slower than this is as good as silent, and the request has waited before.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest head of an answer that is read.
const HEAD: usize = 16 << 10;

/// Bytes in both directions.
pub(super) trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

/// What ended the look: an I/O error, or what is wrong. Nothing is wrong where the proxy connects.
enum Seen {
    Io(io::Error),
    Trouble(ProxyTrouble),
}

impl From<io::Error> for Seen {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl ProxyServer {
    /// What is wrong with it, after a request to this address through it has failed; none where it does what it should,
    /// so that the fault is beyond it.
    pub async fn examine(&self, url: &Url, names: &Names, roots: &ExtraRoots) -> Option<ProxyFault> {
        let tls = match roots.tls() {
            Ok(tls) => Arc::new(tls),
            Err(error) => return Some(ProxyFault::new(self, ProxyTrouble::Tls(error.to_string()))),
        };
        self.tunnel(url, names, &tls).await.err().map(|fault| *fault)
    }

    /// A connection through it to the host of an address; or, where the address is one that it asks for itself, to it.
    pub(super) async fn tunnel(
        &self,
        url: &Url,
        names: &Names,
        tls: &Arc<ClientConfig>,
    ) -> Result<Box<dyn Wire>, Box<ProxyFault>> {
        let trouble = match tokio::time::timeout(PATIENCE, self.lead(url, names, tls)).await {
            Ok(Ok(wire)) => return Ok(wire),
            Ok(Err(Seen::Trouble(trouble))) => trouble,
            Ok(Err(Seen::Io(error))) if error.kind() == ErrorKind::UnexpectedEof => ProxyTrouble::Closed,
            Ok(Err(Seen::Io(error))) => ProxyTrouble::Connect(in_words(&error.to_string())),
            Err(_) => ProxyTrouble::Silent(PATIENCE.as_secs()),
        };
        Err(Box::new(ProxyFault::new(self, trouble)))
    }

    /// Whether an address is asked of the proxy itself: it forwards what is not encrypted.
    pub(super) fn forwards(&self, url: &Url) -> bool {
        matches!(self.scheme, ProxyScheme::Http | ProxyScheme::Https) && url.scheme() != "https"
    }

    /// The login that goes with a request for an address which it forwards.
    pub(super) fn login_for_forwarding(&self, url: &Url) -> Option<HeaderValue> {
        let login = self.login().filter(|_| self.forwards(url))?;
        let mut value = HeaderValue::from_str(&basic(login)).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    async fn lead(&self, url: &Url, names: &Names, tls: &Arc<ClientConfig>) -> Result<Box<dyn Wire>, Seen> {
        let stream = self.connect(names).await?;
        let mut wire: Box<dyn Wire> = match self.scheme {
            ProxyScheme::Https => self.encrypt(stream, tls).await?,
            _ => Box::new(stream),
        };
        let (Some(host), Some(port)) = (url.host(), url.port_or_known_default()) else { return Ok(wire) };
        let host = host.to_owned();
        match self.scheme {
            ProxyScheme::Http | ProxyScheme::Https if self.forwards(url) => {}
            ProxyScheme::Http | ProxyScheme::Https => self.ask_to_connect(&mut wire, &host, port).await?,
            ProxyScheme::Socks5 | ProxyScheme::Socks5h => {
                self.log_in_to_socks(&mut wire).await?;
                let target = self.target(host, names).await?;
                self.ask_socks5(&mut wire, &target, port).await?;
            }
            ProxyScheme::Socks4 | ProxyScheme::Socks4a => {
                let target = self.target(host, names).await?;
                self.ask_socks4(&mut wire, &target, port).await?;
            }
        }
        Ok(wire)
    }

    fn is_a_stranger(&self) -> Seen {
        Seen::Trouble(ProxyTrouble::Stranger(self.kind()))
    }

    async fn connect(&self, names: &Names) -> Result<TcpStream, Seen> {
        let addresses: Vec<IpAddr> = match &self.host {
            Host::Ipv4(address) => vec![(*address).into()],
            Host::Ipv6(address) => vec![(*address).into()],
            Host::Domain(name) => {
                names.look_up(name).await.map_err(|why| Seen::Trouble(ProxyTrouble::Name(why)))?
            }
        };
        let addresses: Vec<_> = addresses.into_iter().map(|ip| SocketAddr::new(ip, self.port)).collect();
        Ok(TcpStream::connect(&addresses[..]).await?)
    }

    async fn encrypt(&self, stream: TcpStream, tls: &Arc<ClientConfig>) -> Result<Box<dyn Wire>, Seen> {
        let refused = |why: String| Seen::Trouble(ProxyTrouble::Tls(why));
        let host = server_name(&self.host).ok_or_else(|| refused("it has no name".to_owned()))?;
        let connector = tokio_rustls::TlsConnector::from(Arc::clone(tls));
        let encrypted = connector.connect(host, stream).await;
        Ok(Box::new(encrypted.map_err(|error| refused(in_words(&error.to_string())))?))
    }

    /// Where names are resolved here: the address, one of IPv4 where there is one.
    async fn target(&self, host: Host, names: &Names) -> Result<Host, Seen> {
        let Host::Domain(name) = &host else { return Ok(host) };
        if !self.takes_addresses() {
            return Ok(host);
        }
        let unknown = |why: String| Seen::Trouble(ProxyTrouble::Target { host: name.clone(), why });
        let found = names.look_up(name).await.map_err(unknown)?;
        let first = found.iter().find(|address| address.is_ipv4()).or(found.first());
        match first.ok_or_else(|| unknown("it has no address".to_owned()))? {
            IpAddr::V4(address) => Ok(Host::Ipv4(*address)),
            IpAddr::V6(address) => Ok(Host::Ipv6(*address)),
        }
    }

    async fn ask_to_connect(&self, wire: &mut Box<dyn Wire>, host: &Host, port: u16) -> Result<(), Seen> {
        let login = self.login().map(|login| format!("Proxy-Authorization: {}\r\n", basic(login)));
        let login = login.unwrap_or_default();
        let request = format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n{login}\r\n");
        wire.write_all(request.as_bytes()).await?;
        let mut head = Vec::new();
        while !head.windows(4).any(|end| end == b"\r\n\r\n") && head.len() < HEAD {
            if wire.read_buf(&mut head).await? == 0 {
                break;
            }
        }
        if head.is_empty() {
            return Err(hangs_up(host, port));
        }
        let head = String::from_utf8_lossy(&head);
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.strip_prefix("HTTP/")?.split_once(' '));
        let status = status.map(|(_, rest)| rest.split_once(' ').unwrap_or((rest, "")));
        let Some((Ok(code), reason)) = status.map(|(code, reason)| (code.trim().parse::<u16>(), reason))
        else {
            return Err(self.is_a_stranger());
        };
        match code {
            200..=299 => Ok(()),
            407 => {
                let way = |line: &str| {
                    let (name, value) = line.split_once(':')?;
                    name.eq_ignore_ascii_case("proxy-authenticate").then(|| value.trim().to_owned())
                };
                let ways: Vec<_> = lines.take_while(|line| !line.is_empty()).filter_map(way).collect();
                Err(Seen::Trouble(ProxyTrouble::login(self, &ways.join(", "))))
            }
            code => Err(refuses(host, port, code, reason, code >= 500 || code == 429)),
        }
    }

    async fn log_in_to_socks(&self, wire: &mut Box<dyn Wire>) -> Result<(), Seen> {
        const NONE: u8 = 0;
        const PASSWORD: u8 = 2;
        let login = self.login();
        let offered: &[u8] = if login.is_some() { &[5, 2, NONE, PASSWORD] } else { &[5, 1, NONE] };
        wire.write_all(offered).await?;
        let mut chosen = [0; 2];
        wire.read_exact(&mut chosen).await?;
        match (chosen, login) {
            ([5, NONE], None) => Ok(()),
            ([5, NONE], Some(_)) => {
                self.takes_no_login.store(true, Ordering::Relaxed);
                Err(Seen::Trouble(ProxyTrouble::NoLogin))
            }
            ([5, PASSWORD], Some(Login { user, password })) => {
                let mut message = vec![1];
                for text in [user, password] {
                    // No longer than that: it was checked when it was read.
                    message.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
                    message.extend_from_slice(text.as_bytes());
                }
                wire.write_all(&message).await?;
                let mut answer = [0; 2];
                wire.read_exact(&mut answer).await?;
                let refused = || Seen::Trouble(ProxyTrouble::login(self, "a user name and a password"));
                if answer[1] == 0 { Ok(()) } else { Err(refused()) }
            }
            ([5, 0xff], None) => Err(Seen::Trouble(ProxyTrouble::login(self, "a user name and a password"))),
            ([5, _], _) => {
                Err(Seen::Trouble(ProxyTrouble::login(self, "in a way that hfdown does not know")))
            }
            _ => Err(self.is_a_stranger()),
        }
    }

    async fn ask_socks5(&self, wire: &mut Box<dyn Wire>, host: &Host, port: u16) -> Result<(), Seen> {
        let mut message = vec![5, 1, 0];
        match host {
            Host::Ipv4(address) => {
                message.push(1);
                message.extend_from_slice(&address.octets());
            }
            Host::Ipv6(address) => {
                message.push(4);
                message.extend_from_slice(&address.octets());
            }
            Host::Domain(name) => {
                message.push(3);
                message.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
                message.extend_from_slice(name.as_bytes());
            }
        }
        message.extend_from_slice(&port.to_be_bytes());
        wire.write_all(&message).await?;
        let answer = connected(wire, host, port).await?;
        let (why, passes) = match answer {
            [5, 0] => return self.skip_bound_address(wire).await,
            [5, 1] => ("general failure", true),
            [5, 2] => ("its rules do not allow it", false),
            [5, 3] => ("the network is unreachable", true),
            [5, 4] => ("the host is unreachable", true),
            [5, 5] => ("connection refused", true),
            [5, 6] => ("it took too long", true),
            [5, 7] => ("it knows no such command", false),
            [5, 8] => ("it knows no such kind of address", false),
            [5, _] => ("it does not say why", false),
            _ => return Err(self.is_a_stranger()),
        };
        Err(refuses(host, port, answer[1].into(), why, passes))
    }

    /// The rest of its answer: from where it has connected.
    async fn skip_bound_address(&self, wire: &mut Box<dyn Wire>) -> Result<(), Seen> {
        let mut kind = [0; 2];
        wire.read_exact(&mut kind).await?;
        let length = match kind[1] {
            1 => 4,
            4 => 16,
            3 => usize::from(wire.read_u8().await?),
            _ => return Err(self.is_a_stranger()),
        };
        let port = 2;
        wire.read_exact(&mut vec![0; length + port]).await?;
        Ok(())
    }

    async fn ask_socks4(&self, wire: &mut Box<dyn Wire>, host: &Host, port: u16) -> Result<(), Seen> {
        let mut message = vec![4, 1];
        message.extend_from_slice(&port.to_be_bytes());
        match host {
            Host::Ipv4(address) => {
                message.extend_from_slice(&address.octets());
                message.push(0);
            }
            // An address that is none says that a name follows.
            Host::Domain(name) => {
                message.extend_from_slice(&[0, 0, 0, 1, 0]);
                message.extend_from_slice(name.as_bytes());
                message.push(0);
            }
            Host::Ipv6(address) => {
                let why = format!("{address} is an address of IPv6, and SOCKS 4 knows none");
                return Err(Seen::Trouble(ProxyTrouble::Target { host: host.to_string(), why }));
            }
        }
        wire.write_all(&message).await?;
        match connected(wire, host, port).await? {
            [0, 90] => {
                // A port and an address, which say nothing here.
                wire.read_exact(&mut [0; 6]).await?;
                Ok(())
            }
            [0, code @ 91..=93] => {
                let why = if code == 91 { "rejected or failed" } else { "it wants to know who the user is" };
                Err(refuses(host, port, code.into(), why, code == 91))
            }
            _ => Err(self.is_a_stranger()),
        }
    }
}

/// A login as HTTP has it.
fn basic(Login { user, password }: &Login) -> String {
    format!("Basic {}", data_encoding::BASE64.encode(format!("{user}:{password}").as_bytes()))
}

/// A host, as its certificate names it.
pub(super) fn server_name(host: &Host) -> Option<ServerName<'static>> {
    match host {
        Host::Domain(name) => ServerName::try_from(name.clone()).ok(),
        Host::Ipv4(address) => Some(ServerName::from(IpAddr::from(*address))),
        Host::Ipv6(address) => Some(ServerName::from(IpAddr::from(*address))),
    }
}

/// How SOCKS answers to what it is to connect to. Some proxies (`ssh -D`) say nothing where they can't.
async fn connected(wire: &mut Box<dyn Wire>, host: &Host, port: u16) -> Result<[u8; 2], Seen> {
    let mut answer = [0; 2];
    match wire.read_exact(&mut answer).await {
        Ok(_) => Ok(answer),
        Err(error) if matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset) => {
            Err(hangs_up(host, port))
        }
        Err(error) => Err(error.into()),
    }
}

fn hangs_up(host: &Host, port: u16) -> Seen {
    Seen::Trouble(ProxyTrouble::HangsUp { target: format!("{host}:{port}") })
}

fn refuses(host: &Host, port: u16, code: u16, why: &str, passes: bool) -> Seen {
    let target = format!("{host}:{port}");
    Seen::Trouble(ProxyTrouble::Refuses { target, code, why: printable(why), passes })
}
