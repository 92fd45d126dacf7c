//! A proxy as companies and tunnels have them: it speaks HTTP (to forward, and to connect), SOCKS 4, 4a and 5 at one port,
//! and remembers what it carried. Whatever name it is asked for, it finds on the loopback.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use data_encoding::BASE64;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};

/// How a client asked a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyMethod {
    /// By a request of HTTP for the proxy to forward.
    Forward,
    /// By `CONNECT`.
    Connect,
    /// By SOCKS 4, with an address.
    Socks4,
    /// By SOCKS 4a, with a name.
    Socks4a,
    /// By SOCKS 5.
    Socks5,
}

/// What a proxy is like. By default it wants no login and carries everything.
#[derive(Clone, Copy, Debug, Default)]
pub struct WebProxyOptions {
    /// The user name and the password that it wants.
    pub login: Option<(&'static str, &'static str)>,
    /// What it answers instead of connecting: a status of HTTP, or a code of SOCKS.
    pub refuses: Option<u16>,
}

/// One connection that a proxy made for a client.
#[derive(Clone, Debug)]
pub struct Carried {
    /// How it was asked.
    pub method: ProxyMethod,
    /// What it was asked for: `host:port`.
    pub target: String,
    down: Arc<AtomicU64>,
}

impl Carried {
    /// Bytes that went to the client so far.
    pub fn bytes_down(&self) -> u64 {
        self.down.load(Ordering::Relaxed)
    }
}

/// A running proxy. It ends when it is dropped.
pub struct WebProxy {
    port: u16,
    state: Arc<WebProxyState>,
    _end: DropGuard,
}

struct WebProxyState {
    options: WebProxyOptions,
    log: Mutex<Vec<Carried>>,
    asked: AtomicU64,
}

impl WebProxy {
    /// Starts one on the loopback.
    ///
    /// # Panics
    /// Where the loopback has no free port.
    pub async fn start(options: WebProxyOptions) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("the loopback has a free port");
        let port = listener.local_addr().expect("a listener has an address").port();
        let state = Arc::new(WebProxyState { options, log: Mutex::default(), asked: AtomicU64::new(0) });
        let end = CancellationToken::new();
        let (serving, ended) = (Arc::clone(&state), end.clone());
        tokio::spawn(async move {
            loop {
                let accepted = tokio::select! {
                    () = ended.cancelled() => return,
                    accepted = listener.accept() => accepted,
                };
                let Ok((client, _)) = accepted else { return };
                serving.asked.fetch_add(1, Ordering::Relaxed);
                let (serving, ended) = (Arc::clone(&serving), ended.clone());
                tokio::spawn(async move {
                    tokio::select! {
                        () = ended.cancelled() => {}
                        // A client that goes away is none of its business.
                        _ = serve(client, &serving) => {}
                    }
                });
            }
        });
        Self { port, state, _end: end.drop_guard() }
    }

    /// Its port on the loopback.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What a variable says of it: `socks5h://127.0.0.1:40123`.
    pub fn named(&self, scheme: &str) -> String {
        format!("{scheme}://127.0.0.1:{}", self.port)
    }

    /// The same with a login.
    pub fn named_with(&self, scheme: &str, login: &str) -> String {
        format!("{scheme}://{login}@127.0.0.1:{}", self.port)
    }

    /// Connections that were made to it, whatever became of them.
    pub fn asked(&self) -> u64 {
        self.state.asked.load(Ordering::Relaxed)
    }

    /// What it carried.
    pub fn carried(&self) -> Vec<Carried> {
        self.state.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Bytes that went to clients from a target: `host:port`.
    pub fn bytes_from(&self, target: &str) -> u64 {
        let of_it = self.carried().into_iter().filter(|carried| carried.target == target);
        of_it.map(|carried| carried.bytes_down()).sum()
    }
}

async fn serve(client: TcpStream, state: &WebProxyState) -> io::Result<()> {
    client.set_nodelay(true)?;
    let mut first = [0];
    client.peek(&mut first).await?;
    match first[0] {
        4 => socks4(client, state).await,
        5 => socks5(client, state).await,
        _ => http(client, state).await,
    }
}

async fn http(mut client: TcpStream, state: &WebProxyState) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await?);
    }
    let text = String::from_utf8_lossy(&head).into_owned();
    let mut words = text.split(' ');
    let (verb, asked) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (method, target) = match asked.strip_prefix("http://") {
        Some(rest) => (ProxyMethod::Forward, rest.split('/').next().unwrap_or_default()),
        None if verb == "CONNECT" => (ProxyMethod::Connect, asked),
        None => return answer(&mut client, "400 Bad Request", "").await,
    };
    if let Some((user, password)) = state.options.login {
        let right = format!("Basic {}", BASE64.encode(format!("{user}:{password}").as_bytes()));
        let is_right = text.lines().any(|line| {
            let header = line.split_once(": ");
            header.is_some_and(|(name, value)| {
                name.eq_ignore_ascii_case("proxy-authorization") && value == right
            })
        });
        if !is_right {
            let wants = "Proxy-Authenticate: Basic realm=\"acme\"\r\n";
            return answer(&mut client, "407 Proxy Authentication Required", wants).await;
        }
    }
    if let Some(status) = state.options.refuses {
        return answer(&mut client, &format!("{status} Refused by Policy"), "").await;
    }
    let target = if target.contains(':') { target.to_owned() } else { format!("{target}:80") };
    let mut server = reach(&target).await?;
    if method == ProxyMethod::Connect {
        client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
    } else {
        server.write_all(&head).await?;
    }
    carry(client, server, method, target, state).await
}

async fn answer(client: &mut TcpStream, status: &str, headers: &str) -> io::Result<()> {
    let text = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: 0\r\nConnection: close\r\n\r\n");
    client.write_all(text.as_bytes()).await?;
    client.shutdown().await
}

async fn socks4(mut client: TcpStream, state: &WebProxyState) -> io::Result<()> {
    let mut request = [0; 8];
    client.read_exact(&mut request).await?;
    let port = u16::from_be_bytes([request[2], request[3]]);
    let address = Ipv4Addr::new(request[4], request[5], request[6], request[7]);
    let _user = until_zero(&mut client).await?;
    let (method, host) = match address.octets() {
        [0, 0, 0, 1..=255] => (ProxyMethod::Socks4a, until_zero(&mut client).await?),
        _ => (ProxyMethod::Socks4, address.to_string()),
    };
    let code = state.options.refuses.map_or(90, |code| u8::try_from(code).unwrap_or(91));
    let reply = [0, code, 0, 0, 0, 0, 0, 0];
    let target = format!("{host}:{port}");
    if code != 90 {
        return client.write_all(&reply).await;
    }
    let server = reach(&target).await?;
    client.write_all(&reply).await?;
    carry(client, server, method, target, state).await
}

async fn until_zero(client: &mut TcpStream) -> io::Result<String> {
    let mut text = Vec::new();
    loop {
        match client.read_u8().await? {
            0 => return Ok(String::from_utf8_lossy(&text).into_owned()),
            byte => text.push(byte),
        }
    }
}

async fn socks5(mut client: TcpStream, state: &WebProxyState) -> io::Result<()> {
    let [_, count] = read(&mut client).await?;
    let mut methods = vec![0; usize::from(count)];
    client.read_exact(&mut methods).await?;
    let method = if state.options.login.is_some() { 2 } else { 0 };
    if !methods.contains(&method) {
        return client.write_all(&[5, 0xff]).await;
    }
    client.write_all(&[5, method]).await?;
    if let Some((user, password)) = state.options.login {
        let [_version] = read(&mut client).await?;
        let (name, word) = (counted(&mut client).await?, counted(&mut client).await?);
        let is_right = name == user && word == password;
        client.write_all(&[1, u8::from(!is_right)]).await?;
        if !is_right {
            return Ok(());
        }
    }
    let [_, _, _, kind] = read(&mut client).await?;
    let host = match kind {
        1 => Ipv4Addr::from(read::<4>(&mut client).await?).to_string(),
        4 => format!("[{}]", Ipv6Addr::from(read::<16>(&mut client).await?)),
        _ => counted(&mut client).await?,
    };
    let target = format!("{host}:{}", u16::from_be_bytes(read(&mut client).await?));
    let code = state.options.refuses.map_or(0, |code| u8::try_from(code).unwrap_or(1));
    let reply = [5, code, 0, 1, 0, 0, 0, 0, 0, 0];
    if code != 0 {
        return client.write_all(&reply).await;
    }
    let server = reach(&target).await?;
    client.write_all(&reply).await?;
    carry(client, server, ProxyMethod::Socks5, target, state).await
}

async fn read<const LENGTH: usize>(client: &mut TcpStream) -> io::Result<[u8; LENGTH]> {
    let mut bytes = [0; LENGTH];
    client.read_exact(&mut bytes).await?;
    Ok(bytes)
}

async fn counted(client: &mut TcpStream) -> io::Result<String> {
    let mut text = vec![0; usize::from(client.read_u8().await?)];
    client.read_exact(&mut text).await?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Connects to a target; every name is one of the loopback.
async fn reach(target: &str) -> io::Result<TcpStream> {
    let (_, port) = target.rsplit_once(':').ok_or(io::ErrorKind::InvalidInput)?;
    let port: u16 = port.parse().map_err(io::Error::other)?;
    TcpStream::connect(("127.0.0.1", port)).await
}

async fn carry(
    client: TcpStream,
    server: TcpStream,
    method: ProxyMethod,
    target: String,
    state: &WebProxyState,
) -> io::Result<()> {
    let down = Arc::new(AtomicU64::new(0));
    let carried = Carried { method, target, down: Arc::clone(&down) };
    state.log.lock().unwrap_or_else(PoisonError::into_inner).push(carried);
    let (client_reader, client_writer) = client.into_split();
    let (server_reader, server_writer) = server.into_split();
    let up = AtomicU64::new(0);
    tokio::try_join!(copy(client_reader, server_writer, &up), copy(server_reader, client_writer, &down))?;
    Ok(())
}

async fn copy(
    mut reader: impl AsyncRead + Unpin,
    mut writer: impl AsyncWrite + Unpin,
    count: &AtomicU64,
) -> io::Result<()> {
    let mut block = vec![0; 64 * 1024];
    loop {
        let length = reader.read(&mut block).await?;
        if length == 0 {
            return writer.shutdown().await;
        }
        // Counted before it can be seen to have come.
        count.fetch_add(length as u64, Ordering::Relaxed);
        writer.write_all(&block[..length]).await?;
    }
}
