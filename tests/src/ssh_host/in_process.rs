//! An SSH server in this process that runs commands by a real shell.

use std::collections::HashMap;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::{fs, io};

use russh::keys::PrivateKey;
use russh::server::{self, Auth, ChannelOpenHandle, Config, Msg, PublicKeyOffer, Session, VerifiedPublicKey};
use russh::{Channel, ChannelId, ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Sig};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{ChildStdin, Command};
use tokio::task::JoinSet;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::host_folder::HostFolder;
use super::login_rules::{self, LoginProgress, LoginStep};
use super::{CommandPolicy, HostOptions};
use crate::proxy::CuttableStream;

pub(super) struct InProcess {
    port: u16,
    state: Arc<HostState>,
    /// Ends the listener and every connection.
    _end: DropGuard,
}

/// What all connections share.
struct HostState {
    config: RwLock<Arc<Config>>,
    /// A child of the host's end; cancelled and replaced to cut the connections there are.
    connections: Mutex<CancellationToken>,
    end: CancellationToken,
    authorized_keys: PathBuf,
    banner: Option<String>,
    shell: PathBuf,
    environment: Vec<(&'static str, String)>,
    home: PathBuf,
    commands: CommandPolicy,
    /// What clients asked for that they should not.
    asked_for: Mutex<Vec<&'static str>>,
    /// Of connections that run something.
    handles: Mutex<Vec<server::Handle>>,
    login: &'static [LoginStep],
    accepted: AtomicUsize,
}

impl InProcess {
    pub(super) async fn start(host_folder: &HostFolder, options: &HostOptions) -> Self {
        let end = CancellationToken::new();
        let mut environment = host_folder.environment();
        environment.push(("USER", host_folder.user.clone()));
        environment.push(("LOGNAME", host_folder.user.clone()));
        let mut shell = PathBuf::from("/bin/sh");
        if let Some(named) = &options.shell {
            shell.clone_from(named);
        } else if options.bashrc.is_some() {
            shell = PathBuf::from("/bin/bash");
        }
        if options.bashrc.is_some() && shell.ends_with("bash") {
            // What bash does by itself when sshd starts it.
            environment.push(("BASH_ENV", host_folder.home.join(".bashrc").display().to_string()));
        }
        let state = Arc::new(HostState {
            config: RwLock::new(Arc::new(config(host_folder.host_keys.private_key().clone(), options.login))),
            connections: Mutex::new(end.child_token()),
            end: end.clone(),
            authorized_keys: host_folder.authorized_keys.clone(),
            banner: options.banner.clone(),
            shell,
            environment,
            home: host_folder.home.clone(),
            commands: options.commands,
            asked_for: Mutex::default(),
            handles: Mutex::default(),
            login: options.login,
            accepted: AtomicUsize::new(0),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("the loopback has a free port");
        let port = listener.local_addr().expect("a listener has an address").port();
        tokio::spawn(listen(listener, Arc::clone(&state)));
        Self { port, state, _end: end.drop_guard() }
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn set_host_key(&self, host_folder: &HostFolder) {
        let config = Arc::new(config(host_folder.host_keys.private_key().clone(), self.state.login));
        *self.state.config.write().unwrap_or_else(PoisonError::into_inner) = config;
    }

    pub(super) fn connections(&self) -> usize {
        self.state.accepted.load(Ordering::SeqCst)
    }

    pub(super) fn asked_for(&self) -> Vec<&'static str> {
        self.state.asked_for.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) async fn opened_to_clients(&self) -> Vec<&'static str> {
        let handles = self.state.handles.lock().unwrap_or_else(PoisonError::into_inner).clone();
        assert!(!handles.is_empty(), "there is a client");
        let mut opened = Vec::new();
        for handle in handles {
            let mut note = |kind, is_open| {
                if is_open {
                    opened.push(kind);
                }
            };
            note("agent", handle.channel_open_agent().await.is_ok());
            note("session", handle.channel_open_session().await.is_ok());
            note("x11", handle.channel_open_x11("127.0.0.1", 1).await.is_ok());
            note("tcp", handle.channel_open_forwarded_tcpip("127.0.0.1", 1, "127.0.0.1", 1).await.is_ok());
            note("direct", handle.channel_open_direct_tcpip("127.0.0.1", 1, "127.0.0.1", 1).await.is_ok());
            note("socket", handle.channel_open_forwarded_streamlocal("/x").await.is_ok());
            note("direct socket", handle.channel_open_direct_streamlocal("/x").await.is_ok());
        }
        opened
    }

    pub(super) fn kill_connections(&self) {
        let next = self.state.end.child_token();
        let mut connections = self.state.connections.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *connections, next).cancel();
    }
}

fn config(key: PrivateKey, login: &[LoginStep]) -> Config {
    Config {
        keys: vec![key],
        methods: login_rules::methods(login),
        auth_rejection_time: std::time::Duration::ZERO,
        max_auth_attempts: 6,
        nodelay: true,
        ..Config::default()
    }
}

async fn listen(listener: TcpListener, state: Arc<HostState>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = state.end.cancelled() => return,
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { return };
                connections.spawn(serve(stream, Arc::clone(&state)));
            }
        }
    }
}

async fn serve(stream: TcpStream, state: Arc<HostState>) {
    state.accepted.fetch_add(1, Ordering::SeqCst);
    // Only speed depends on it.
    _ = stream.set_nodelay(true);
    let cut = state.connections.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let config = Arc::clone(&state.config.read().unwrap_or_else(PoisonError::into_inner));
    let login = LoginProgress::new(state.login);
    let connection = ServedConnection { state, cut: cut.clone(), login, channels: HashMap::new() };
    // A connection that fails is the client's business.
    if let Ok(session) = server::run_stream(config, CuttableStream::new(stream, cut), connection).await {
        _ = session.await;
    }
}

struct ServedConnection {
    state: Arc<HostState>,
    cut: CancellationToken,
    login: LoginProgress,
    /// Channels that were opened and run nothing yet.
    channels: HashMap<ChannelId, Channel<Msg>>,
}

impl ServedConnection {
    fn knows(&self, key: &russh::keys::PublicKey) -> bool {
        let known = fs::read_to_string(&self.state.authorized_keys).unwrap_or_default();
        let shown = key.to_openssh().unwrap_or_default();
        let blob = |line: &str| line.split(' ').nth(1).map(str::to_owned);
        known.lines().any(|line| blob(line) == blob(&shown))
    }
}

impl ServedConnection {
    fn opens_terminals(&self) -> bool {
        matches!(
            self.state.commands,
            CommandPolicy::TerminalOnly | CommandPolicy::Unanswered | CommandPolicy::Closed
        )
    }

    fn note(&self, wish: &'static str) {
        self.state.asked_for.lock().unwrap_or_else(PoisonError::into_inner).push(wish);
    }
}

impl server::Handler for ServedConnection {
    type Error = russh::Error;

    async fn authentication_banner(&mut self) -> Result<Option<String>, russh::Error> {
        Ok(self.state.banner.clone())
    }

    async fn auth_publickey_offered(
        &mut self,
        _: &str,
        offer: PublicKeyOffer<'_>,
    ) -> Result<Auth, russh::Error> {
        let is_known = self.knows(offer.public_key);
        Ok(if is_known { self.login.offered(offer.public_key) } else { self.login.unknown() })
    }

    async fn auth_publickey(&mut self, _: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, russh::Error> {
        let is_known = self.knows(key.public_key);
        Ok(if is_known { self.login.proved(key.public_key) } else { self.login.unknown() })
    }

    async fn auth_password(&mut self, _: &str, password: &str) -> Result<Auth, russh::Error> {
        Ok(self.login.password(password))
    }

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        _: &str,
        _: &str,
        answers: Option<server::Response<'a>>,
    ) -> Result<Auth, russh::Error> {
        Ok(self.login.answers(answers))
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        self.channels.insert(channel.id(), channel);
        reply.accept().await;
        Ok(())
    }

    async fn subsystem_request(
        &mut self,
        id: ChannelId,
        _: &str,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        session.channel_failure(id)
    }

    async fn pty_request(
        &mut self,
        id: ChannelId,
        _: &str,
        _: u32,
        _: u32,
        _: u32,
        _: u32,
        _: &[(russh::Pty, u32)],
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        if self.opens_terminals() { session.channel_success(id) } else { session.channel_failure(id) }
    }

    async fn shell_request(&mut self, id: ChannelId, session: &mut Session) -> Result<(), russh::Error> {
        if !self.opens_terminals() {
            return session.channel_failure(id);
        }
        self.note("shell");
        session.channel_success(id)?;
        session.data(id, "-- RUNPOD.IO --\r\nEnjoy your Pod\r\n# ")
    }

    async fn data(&mut self, _: ChannelId, _: &[u8], _: &mut Session) -> Result<(), russh::Error> {
        if self.opens_terminals() {
            self.note("typed");
        }
        Ok(())
    }

    async fn agent_request(&mut self, _: ChannelId, _: &mut Session) -> Result<bool, russh::Error> {
        self.note("agent");
        Ok(true)
    }

    async fn x11_request(
        &mut self,
        _: ChannelId,
        _: bool,
        _: &str,
        _: &str,
        _: u32,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        self.note("x11");
        Ok(())
    }

    async fn env_request(
        &mut self,
        _: ChannelId,
        _: &str,
        _: &str,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        self.note("env");
        Ok(())
    }

    async fn tcpip_forward(&mut self, _: &str, _: &mut u32, _: &mut Session) -> Result<bool, russh::Error> {
        self.note("tcp");
        Ok(true)
    }

    async fn exec_request(
        &mut self,
        id: ChannelId,
        command: &[u8],
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        match self.state.commands {
            CommandPolicy::Runs | CommandPolicy::RunsWithoutStatus => {}
            CommandPolicy::TerminalOnly | CommandPolicy::Refuses => return session.channel_failure(id),
            CommandPolicy::Unanswered => return Ok(()),
            CommandPolicy::Closed => {
                session.channel_success(id)?;
                return session.close(id);
            }
        }
        self.state.handles.lock().unwrap_or_else(PoisonError::into_inner).push(session.handle());
        let Some(channel) = self.channels.remove(&id) else { return session.channel_failure(id) };
        let mut shell = Command::new(&self.state.shell);
        shell
            .args(["-c", &String::from_utf8_lossy(command)])
            .env_clear()
            .envs(self.state.environment.iter().map(|(name, value)| (name, value)))
            .env("SHELL", &self.state.shell)
            .current_dir(&self.state.home)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let cut = self.cut.clone();
        let teller = (self.state.commands == CommandPolicy::Runs).then(|| session.handle());
        tokio::spawn(async move {
            // As with sshd, a command outlives its connection and finds its standard input at its end.
            tokio::select! {
                () = cut.cancelled() => {}
                // An error is a connection that has gone.
                _ = run(shell, channel, teller) => {}
            }
        });
        session.channel_success(id)
    }
}

/// Runs a command with its streams on a channel, and reports its end. How it ended is told where there is a teller.
async fn run(mut shell: Command, channel: Channel<Msg>, teller: Option<server::Handle>) -> io::Result<()> {
    let mut child = shell.spawn()?;
    let id = channel.id();
    let (reader, writer) = channel.split();
    let missing = || io::Error::other("it is piped");
    let stdin = child.stdin.take().ok_or_else(missing)?;
    let mut stdout = child.stdout.take().ok_or_else(missing)?;
    let mut stderr = child.stderr.take().ok_or_else(missing)?;
    let (mut output, mut errors) = (writer.make_writer(), writer.make_writer_ext(Some(1)));
    let copying = async {
        tokio::try_join!(tokio::io::copy(&mut stdout, &mut output), tokio::io::copy(&mut stderr, &mut errors))
    };
    // As with sshd, how it ended is told at once, and what it has left in the background holds the channel.
    let waiting = async {
        let status = child.wait().await?;
        let Some(handle) = teller else { return Ok(()) };
        match status.signal() {
            Some(number) => {
                // A connection that has gone wants to know nothing.
                _ = handle.exit_signal_request(id, signal(number), false, String::new(), String::new()).await;
            }
            None => writer.exit_status(code(status)).await.map_err(io::Error::other)?,
        }
        Ok(())
    };
    let said = async {
        tokio::try_join!(copying, waiting)?;
        finish(&writer).await.map_err(io::Error::other)
    };
    tokio::select! {
        said = said => said,
        // The client has closed the channel: dropping the pipes ends what still writes to them.
        () = feed(reader, stdin) => Ok(()),
    }
}

/// Standard input, until the channel is closed.
async fn feed(mut reader: ChannelReadHalf, stdin: ChildStdin) {
    let mut stdin = Some(stdin);
    while let Some(message) = reader.wait().await {
        match message {
            ChannelMsg::Data { data } => {
                // A command that reads no more may still write.
                if let Some(pipe) = &mut stdin
                    && pipe.write_all(&data).await.is_err()
                {
                    stdin = None;
                }
            }
            ChannelMsg::Eof => stdin = None,
            ChannelMsg::Close => return,
            _ => {}
        }
    }
}

fn code(status: std::process::ExitStatus) -> u32 {
    status.code().and_then(|code| u32::try_from(code).ok()).unwrap_or(255)
}

/// What OpenSSH calls a signal.
fn signal(number: i32) -> Sig {
    match number {
        1 => Sig::HUP,
        6 => Sig::ABRT,
        9 => Sig::KILL,
        11 => Sig::SEGV,
        15 => Sig::TERM,
        _ => Sig::Custom("SIG@openssh.com".to_owned()),
    }
}

async fn finish(writer: &ChannelWriteHalf<Msg>) -> Result<(), russh::Error> {
    writer.eof().await?;
    writer.close().await
}
