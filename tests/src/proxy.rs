//! A wire that can be cut, silenced and made long: TCP connections through a port of this process.

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard, WaitForCancellationFutureOwned};

/// Blocks under way in one direction of a connection. At 64 KiB each this is more than 100 ms of a fast wire.
const UNDER_WAY: usize = 1024;

/// A port that nothing listens at.
///
/// # Panics
/// When the system gives none.
pub fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("the loopback has a free port");
    listener.local_addr().expect("a listener has an address").port()
}

/// A proxy in front of one port. It ends with its connections when it is dropped.
pub struct Proxy {
    address: SocketAddr,
    wire: Arc<ProxyState>,
    _end: DropGuard,
}

struct ProxyState {
    to: SocketAddr,
    latency: Duration,
    /// How many bytes it carries in a second, over all connections.
    cap: Option<NonZeroU64>,
    /// When the last byte that was let through is through.
    busy: Mutex<Instant>,
    /// Whether bytes pass.
    passes: watch::Sender<bool>,
    connections: Mutex<CancellationToken>,
    /// What was open when it was cancelled has forwarded its last byte.
    hushed: Mutex<CancellationToken>,
    end: CancellationToken,
    opened: AtomicU64,
    open: AtomicU64,
    up: AtomicU64,
    down: AtomicU64,
}

impl Proxy {
    /// Forwards to a port of the loopback without delay.
    pub async fn to(port: u16) -> Self {
        Self::with_latency(port, Duration::ZERO).await
    }

    /// Forwards to a port of the loopback; each byte is under way for this long, in either direction.
    pub async fn with_latency(port: u16, latency: Duration) -> Self {
        Self::begin(0, port, latency, 0).await
    }

    /// Listens at a port that is known to be free, and forwards to another one.
    pub async fn at(listen: u16, port: u16) -> Self {
        Self::begin(listen, port, Duration::ZERO, 0).await
    }

    /// Forwards to a port of the loopback so many bytes in a second, over all connections; with 0 as many as it can.
    pub async fn with_cap(port: u16, bytes_per_second: u64) -> Self {
        Self::begin(0, port, Duration::ZERO, bytes_per_second).await
    }

    async fn begin(at: u16, port: u16, latency: Duration, cap: u64) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", at)).await.expect("the loopback has a free port");
        let address = listener.local_addr().expect("a listener has an address");
        let end = CancellationToken::new();
        let wire = Arc::new(ProxyState {
            to: SocketAddr::from(([127, 0, 0, 1], port)),
            latency,
            cap: NonZeroU64::new(cap),
            busy: Mutex::new(Instant::now()),
            passes: watch::Sender::new(true),
            connections: Mutex::new(end.child_token()),
            hushed: Mutex::default(),
            end: end.clone(),
            opened: AtomicU64::new(0),
            open: AtomicU64::new(0),
            up: AtomicU64::new(0),
            down: AtomicU64::new(0),
        });
        tokio::spawn(listen(listener, Arc::clone(&wire)));
        Self { address, wire, _end: end.drop_guard() }
    }

    /// The port to connect to.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Cuts all connections; new ones are forwarded.
    pub fn cut(&self) {
        let mut connections = self.wire.connections.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *connections, self.wire.end.child_token()).cancel();
    }

    /// Stops forwarding and closes nothing, as a laptop that was carried away.
    pub fn go_silent(&self) {
        self.wire.passes.send_replace(false);
    }

    /// Silences for good what is open now, and closes nothing; new connections are forwarded.
    pub fn hush(&self) {
        let mut hushed = self.wire.hushed.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *hushed).cancel();
    }

    /// Forwards again, also what was held back.
    pub fn speak_again(&self) {
        self.wire.passes.send_replace(true);
    }

    /// Connections that are open now.
    pub fn open(&self) -> u64 {
        self.wire.open.load(Ordering::Relaxed)
    }

    /// Connections that were opened.
    pub fn opened(&self) -> u64 {
        self.wire.opened.load(Ordering::Relaxed)
    }

    /// Bytes that were forwarded to the server.
    pub fn bytes_up(&self) -> u64 {
        self.wire.up.load(Ordering::Relaxed)
    }

    /// Bytes that were forwarded to the client.
    pub fn bytes_down(&self) -> u64 {
        self.wire.down.load(Ordering::Relaxed)
    }
}

impl ProxyState {
    /// Waits until so many bytes are through, where only so many may be in a second.
    async fn let_through(&self, bytes: usize) {
        let Some(cap) = self.cap else { return };
        let through = {
            let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
            let takes = Duration::from_nanos(bytes as u64 * 1_000_000_000 / cap.get());
            *busy = (*busy).max(Instant::now()) + takes;
            *busy
        };
        tokio::time::sleep_until(through).await;
    }
}

async fn listen(listener: TcpListener, wire: Arc<ProxyState>) {
    loop {
        tokio::select! {
            () = wire.end.cancelled() => return,
            accepted = listener.accept() => {
                let Ok((near, _)) = accepted else { return };
                wire.opened.fetch_add(1, Ordering::Relaxed);
                wire.open.fetch_add(1, Ordering::Relaxed);
                let cut = wire.connections.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let wire = Arc::clone(&wire);
                tokio::spawn(async move {
                    tokio::select! {
                        () = cut.cancelled() => {}
                        // A connection that breaks is what tests are after.
                        _ = forward(near, &wire) => {}
                    }
                    wire.open.fetch_sub(1, Ordering::Relaxed);
                });
            }
        }
    }
}

async fn forward(near: TcpStream, wire: &ProxyState) -> io::Result<()> {
    let hushed = wire.hushed.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let far = TcpStream::connect(wire.to).await?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    let (near_reader, near_writer) = near.into_split();
    let (far_reader, far_writer) = far.into_split();
    tokio::try_join!(
        carry(near_reader, far_writer, wire, &hushed, &wire.up),
        carry(far_reader, near_writer, wire, &hushed, &wire.down)
    )?;
    Ok(())
}

/// One direction. Reading goes on while earlier blocks are under way, so that latency does not limit the rate.
async fn carry(
    mut reader: impl AsyncRead + Unpin,
    mut writer: impl AsyncWrite + Unpin,
    wire: &ProxyState,
    hushed: &CancellationToken,
    count: &AtomicU64,
) -> io::Result<()> {
    let (sender, mut receiver) = mpsc::channel::<(Instant, Vec<u8>)>(UNDER_WAY);
    let reading = async move {
        loop {
            let mut block = Vec::with_capacity(64 * 1024);
            let read = reader.read_buf(&mut block).await;
            if hushed.is_cancelled() && !matches!(read, Ok(1..)) {
                // Its end is no news either.
                std::future::pending::<()>().await;
            }
            if read? == 0 {
                return Ok(());
            }
            // No peer to send to: the other half has failed and ends this one.
            _ = sender.send((Instant::now() + wire.latency, block)).await;
        }
    };
    let writing = async {
        let mut passes = wire.passes.subscribe();
        while let Some((arrival, block)) = receiver.recv().await {
            tokio::time::sleep_until(arrival).await;
            wire.let_through(block.len()).await;
            passes.wait_for(|passes| *passes).await.map_err(io::Error::other)?;
            if hushed.is_cancelled() {
                std::future::pending::<()>().await;
            }
            writer.write_all(&block).await?;
            count.fetch_add(block.len() as u64, Ordering::Relaxed);
        }
        writer.shutdown().await
    };
    tokio::try_join!(reading, writing)?;
    Ok(())
}

/// A stream that can be cut from outside.
pub(crate) struct CuttableStream<S> {
    stream: S,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl<S> CuttableStream<S> {
    pub(crate) fn new(stream: S, cut: CancellationToken) -> Self {
        Self { stream, cut: Box::pin(cut.cancelled_owned()) }
    }

    fn alive(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        match self.cut.as_mut().poll(context) {
            Poll::Ready(()) => Err(io::ErrorKind::ConnectionReset.into()),
            Poll::Pending => Ok(()),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for CuttableStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.alive(context)?;
        pin!(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for CuttableStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.alive(context)?;
        pin!(&mut self.stream).poll_write(context, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.alive(context)?;
        pin!(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        pin!(&mut self.stream).poll_shutdown(context)
    }
}
