//! From a stream to a connection that is logged in: the handshake, the host's key, the login.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use russh::client::{self, Handle, Msg};
use russh::{AlgorithmKind, ChannelOpenFailure, ChannelStream, Disconnect};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{error::Elapsed, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::cancellable_stream::CancellableStream;
use super::handshake::{Farewell, HandshakeError, HandshakeRecord, SshHandler};
use super::identification::{Identification, Peer, RecordedStream};
use super::login::{self, FailedLogin};
use super::remote_command::RemoteCommand;
use super::reply_clock::ReplyClock;
use super::transport;
use crate::link::error::{LinkError, NotForwarded};
use crate::link::host_key::{HostKeyError, HostKeyTrust, HostKeyVerifier};
use crate::link::keys::{AnswerFailure, KeyFailure, TriedKey};
use crate::link::settings::LinkSettings;
use crate::link::ssh_command::SshTarget;
use crate::link::turns::Turns;
use crate::text::{sanitize, sanitize_lines};

/// How often a channel is asked for again, and after how long.
const REFUSALS: u32 = 3;
const BETWEEN_CHANNELS: Duration = Duration::from_millis(200);

/// How long a server may think within a login, in times that it may take to answer a connection: 120 s, after which OpenSSH's
/// hangs up. One that has the user asked on a phone is silent for a while.
const LOGIN_PATIENCE: u32 = 8;

/// How long disconnecting may take.
const FAREWELL: Duration = Duration::from_secs(2);

/// An authenticated connection. Dropping it cuts it.
pub(in crate::link) struct ClientConnection {
    handle: Handle<SshHandler>,
    address: String,
    user: String,
    pub(in crate::link) host_key: HostKeyTrust,
    /// The connection that this one goes through, beside others.
    through: Option<Arc<ClientConnection>>,
    _cut: DropGuard,
}

/// What a channel is opened for.
pub(in crate::link) enum ChannelRequest<'a> {
    /// A command for the login shell.
    Exec(&'a str),
    /// Files, by a part of the server that needs no shell where it is built in.
    Sftp,
    /// The login shell at a terminal.
    Terminal,
}

impl ClientConnection {
    /// Makes it one that goes through another.
    pub(super) fn behind(self, jump: Arc<Self>) -> Self {
        Self { through: Some(jump), ..self }
    }

    /// Who is logged in where, and by which way, in one word.
    pub(in crate::link) fn login(&self) -> String {
        format!("{}{}", self.way(), self.user)
    }

    /// The hosts on the way to what is behind this one, itself the last.
    pub(super) fn way(&self) -> String {
        let before = self.through.as_ref().map(|through| through.way()).unwrap_or_default();
        format!("{before}{}>", self.address)
    }

    /// Whether it is there, as far as is known.
    pub(super) fn is_open(&self) -> bool {
        !self.handle.is_closed() && self.through.as_ref().is_none_or(|through| through.is_open())
    }

    /// A stream from this host to the next one.
    pub(super) async fn forward(&self, target: &SshTarget) -> Result<ChannelStream<Msg>, LinkError> {
        // The jump host is not told where the stream comes from; OpenSSH says the same for `-W`.
        let (host, port) = (target.host.clone(), u32::from(target.port));
        match self.handle.channel_open_direct_tcpip(host, port, "127.0.0.1", 65535).await {
            Ok(channel) => Ok(channel.into_stream()),
            Err(russh::Error::ChannelOpenFailure(reason)) => Err(LinkError::NotForwarded {
                jump: self.address.clone(),
                address: target.to_string(),
                why: match reason {
                    ChannelOpenFailure::AdministrativelyProhibited => NotForwarded::Forbidden,
                    _ => NotForwarded::Unreachable,
                },
            }),
            Err(error) => Err(self.lost(&error)),
        }
    }

    /// Over a stream to a host: the handshake, the host's key, the login.
    pub(super) async fn over<S>(
        stream: S,
        target: &SshTarget,
        settings: &LinkSettings,
        turns: &Turns,
    ) -> Result<Self, LinkError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let address = target.to_string();
        let user = target.user.as_ref().or(settings.user.as_ref()).ok_or(LinkError::NoUser)?.clone();
        let limit = target.connect_timeout.unwrap_or(settings.connect_timeout);
        let policy = settings.host_keys_for(target);
        let files = settings.known_hosts_for(target);
        let untrusted = |source: HostKeyError| LinkError::HostKey { address: address.clone(), source };
        let own_file = settings.own_known_hosts_for(target);
        let verifier = HostKeyVerifier::new(target, policy, &files, own_file)
            .map_err(|error| untrusted(error.into()))?;
        let config = Arc::new(transport::config(&verifier));
        let record = HandshakeRecord::default();
        let handler = SshHandler::new(verifier, record.clone());
        let cut = CancellationToken::new();
        let identification = Identification::default();
        let replies = ReplyClock::default();
        let stream = RecordedStream::new(stream, identification.clone(), replies.clone());
        let stream = CancellableStream::new(stream, cut.clone());
        let guard = cut.drop_guard();
        let turn = turns.key_exchange(&settings.queued).await;
        let mut handle = match timeout(limit, client::connect_stream(config, stream, handler)).await {
            Ok(Ok(handle)) => handle,
            Ok(Err(HandshakeError::HostKey(error))) => return Err(untrusted(error)),
            Ok(Err(HandshakeError::Ssh(error))) => {
                return Err(no_handshake(address, &identification, &error));
            }
            Err(Elapsed { .. }) => {
                return Err(match identification.peer() {
                    Peer::Other(said) => LinkError::NotSsh { address, said },
                    Peer::Busy(said) => LinkError::Busy { address, said },
                    Peer::Silent | Peer::Ssh => LinkError::Timeout { address, after: limit },
                });
            }
        };
        drop(turn);
        let patience = settings.connect_timeout * LOGIN_PATIENCE;
        tokio::select! {
            logged_in = login::log_in(&mut handle, &user, target, settings) => {
                logged_in.map_err(|failed| not_let_in(address.clone(), user.clone(), failed, &record))?;
            }
            () = replies.overdue(patience) => return Err(LinkError::Timeout { address, after: patience }),
        }
        let host_key = record.take_host_key().unwrap_or(HostKeyTrust::Known);
        Ok(Self { handle, address, user, host_key, through: None, _cut: guard })
    }

    /// Starts a command. It goes to the user's login shell, whatever that is.
    pub(in crate::link) async fn run(&self, command: &str) -> Result<RemoteCommand, LinkError> {
        self.start(ChannelRequest::Exec(command)).await
    }

    /// Opens a channel for something. Whether the server agrees is record in the channel.
    pub(in crate::link) async fn start(
        &self,
        request: ChannelRequest<'_>,
    ) -> Result<RemoteCommand, LinkError> {
        let lost = |error: russh::Error| self.lost(&error);
        let mut refusals = 0;
        let channel = loop {
            match self.handle.channel_open_session().await {
                Ok(channel) => break channel,
                // A server that allows one channel at a time may not have noticed yet that the last one has ended.
                Err(russh::Error::ChannelOpenFailure(_)) if refusals < REFUSALS => {
                    refusals += 1;
                    tokio::time::sleep(BETWEEN_CHANNELS).await;
                }
                Err(russh::Error::ChannelOpenFailure(_)) => {
                    return Err(LinkError::NoExec { address: self.address.clone() });
                }
                Err(error) => return Err(lost(error)),
            }
        };
        let command = match request {
            ChannelRequest::Exec(command) => command,
            ChannelRequest::Sftp | ChannelRequest::Terminal => "",
        };
        match request {
            ChannelRequest::Exec(command) => channel.exec(true, command).await,
            ChannelRequest::Sftp => channel.request_subsystem(true, "sftp").await,
            ChannelRequest::Terminal => match channel.request_pty(true, "xterm", 120, 40, 0, 0, &[]).await {
                Ok(()) => channel.request_shell(true).await,
                Err(error) => Err(error),
            },
        }
        .map_err(lost)?;
        Ok(RemoteCommand::new(channel, command))
    }

    /// Waits for a sign of life. A link that is silent gives none.
    pub(in crate::link) async fn ping(&self) -> Result<(), LinkError> {
        self.handle.send_ping().await.map_err(|error| self.lost(&error))
    }

    /// The hosts on the way and the last one, with why their keys are trusted.
    pub(in crate::link) fn trust(&self) -> Vec<(String, HostKeyTrust)> {
        let mut trust = self.through.as_ref().map(|through| through.trust()).unwrap_or_default();
        trust.push((self.address.clone(), self.host_key.clone()));
        trust
    }

    /// `host:port`.
    pub(in crate::link) fn address(&self) -> &str {
        &self.address
    }

    fn lost(&self, error: &russh::Error) -> LinkError {
        LinkError::Lost { address: self.address.clone(), detail: detail(error) }
    }

    /// Disconnects, and gives the message a moment to leave. So does the last one that goes through another.
    pub(in crate::link) async fn close(self) {
        let farewell = async {
            let mut next = Some(self);
            while let Some(connection) = next {
                let Self { handle, through, _cut, .. } = connection;
                // It may have gone before; that is fine.
                _ = handle.disconnect(Disconnect::ByApplication, "", "").await;
                _ = handle.await;
                next = through.and_then(Arc::into_inner);
            }
        };
        _ = timeout(FAREWELL, farewell).await;
    }
}

impl fmt::Debug for ClientConnection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ClientConnection({})", self.address)
    }
}

/// Why a login failed, with what the server had to say about it.
fn not_let_in(address: String, user: String, failed: FailedLogin, record: &HandshakeRecord) -> LinkError {
    let FailedLogin { mut tried, takes_keys, methods, accepted, question, said } = failed;
    let mut banner = vec![sanitize_lines(record.take_banner(), 4, 400)];
    banner.extend(said);
    let mut takes_keys = takes_keys;
    let has_hung_up = tried.iter().any(|tried| tried.result == KeyFailure::HungUp);
    match record.take_farewell() {
        Some(Farewell::Said(words)) => banner.push(sanitize_lines(words, 2, 200)),
        Some(Farewell::NoMethod) if methods.is_empty() => {
            takes_keys = false;
            tried.clear();
        }
        _ => takes_keys |= has_hung_up,
    }
    banner.retain(|line| !line.is_empty());
    let (banner, methods) = (banner.join(" · "), methods.join(", "));
    let unasked = |tried: &TriedKey| {
        matches!(
            tried.result,
            KeyFailure::Answer(AnswerFailure::NoPrompt | AnswerFailure::NotAsked | AnswerFailure::Unasked)
        )
    };
    match accepted {
        // A server that hangs up while the user looks for the answer is gone to again.
        Some(accepted) if !has_hung_up => {
            let failure = tried.into_iter().rev().find_map(|tried| match tried.result {
                KeyFailure::Answer(failure) => Some(failure),
                _ => None,
            });
            LinkError::SecondFactor { address, user, accepted, methods, question, failure, banner }
        }
        None if !takes_keys && tried.iter().all(unasked) => {
            let failure = tried.into_iter().next_back().and_then(|tried| match tried.result {
                KeyFailure::Answer(failure) => Some(failure),
                _ => None,
            });
            LinkError::NoKeys { address, user, methods, failure, banner }
        }
        _ => LinkError::Auth { address, user, tried, methods, banner },
    }
}

/// What the peer said tells more than what russh made of it.
fn no_handshake(address: String, identification: &Identification, error: &russh::Error) -> LinkError {
    match (identification.peer(), error) {
        (Peer::Other(said), _) => LinkError::NotSsh { address, said },
        (Peer::Busy(said), _) => LinkError::Busy { address, said },
        (_, russh::Error::NoCommonAlgo { kind, theirs, .. }) => {
            let kind = match kind {
                AlgorithmKind::Kex => "key exchange",
                AlgorithmKind::Key => "host key",
                AlgorithmKind::Cipher => "cipher",
                AlgorithmKind::Compression => "compression",
                AlgorithmKind::Mac => "MAC",
            };
            LinkError::Algorithms { address, kind, theirs: sanitize(theirs.join(", "), 200) }
        }
        _ => LinkError::Handshake { address, detail: detail(error) },
    }
}

/// What russh says, for the user. Parts of it may be the server's words.
fn detail(error: &russh::Error) -> String {
    let text = match error {
        russh::Error::Disconnect | russh::Error::HUP | russh::Error::SendError => "it hung up".to_owned(),
        // Their own words would be what Rust prints for programmers.
        russh::Error::NoCommonAlgo { .. } => "it no longer offers an algorithm that both know".to_owned(),
        russh::Error::ChannelOpenFailure(_) => "it opens no channel".to_owned(),
        error => error.to_string(),
    };
    sanitize(text, 300)
}
