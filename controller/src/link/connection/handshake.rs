//! What russh asks during a connection: whether a host's key is trusted, and what channels the server may open here:
//! none.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use russh::client::{self, ChannelOpenHandle, Msg};
use russh::keys::PublicKeyOrCertificate;
use russh::{Channel, ChannelOpenFailure};

use crate::link::host_key::{HostKeyError, HostKeyTrust, HostKeyVerifier};

/// How much of the server's banner is kept, in bytes.
const BANNER: usize = 4096;

/// Answers what russh asks during a connection.
pub(super) struct SshHandler {
    verifier: HostKeyVerifier,
    record: HandshakeRecord,
}

/// What a connection showed before the login. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct HandshakeRecord(Arc<Mutex<HandshakeFacts>>);

#[derive(Debug, Default)]
struct HandshakeFacts {
    host_key: Option<HostKeyTrust>,
    banner: Vec<u8>,
    farewell: Option<Farewell>,
}

/// How a connection ended.
#[derive(Debug)]
pub(super) enum Farewell {
    /// The server said why, as it came.
    Said(String),
    /// The server takes nothing by which a login could go on.
    NoMethod,
}

/// What can end a handshake.
#[derive(Debug)]
pub(super) enum HandshakeError {
    Ssh(russh::Error),
    HostKey(HostKeyError),
}

impl From<russh::Error> for HandshakeError {
    fn from(error: russh::Error) -> Self {
        Self::Ssh(error)
    }
}

impl SshHandler {
    pub(super) fn new(verifier: HostKeyVerifier, record: HandshakeRecord) -> Self {
        Self { verifier, record }
    }
}

impl HandshakeRecord {
    /// What the server said before the login, as it came.
    pub(super) fn take_banner(&self) -> Vec<u8> {
        std::mem::take(&mut self.facts().banner)
    }

    /// Why the server hung up, if it said so.
    pub(super) fn take_farewell(&self) -> Option<Farewell> {
        self.facts().farewell.take()
    }

    /// Why its key is trusted.
    pub(super) fn take_host_key(&self) -> Option<HostKeyTrust> {
        self.facts().host_key.take()
    }

    fn facts(&self) -> MutexGuard<'_, HandshakeFacts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Everything that a server may open is refused: russh's defaults would accept it.
impl client::Handler for SshHandler {
    type Error = HandshakeError;

    async fn auth_banner(&mut self, banner: &str, _: &mut client::Session) -> Result<(), HandshakeError> {
        let mut record = self.record.facts();
        let room = BANNER.saturating_sub(record.banner.len()).min(banner.len());
        record.banner.extend_from_slice(&banner.as_bytes()[..room]);
        Ok(())
    }

    async fn disconnected(
        &mut self,
        reason: client::DisconnectReason<HandshakeError>,
    ) -> Result<(), HandshakeError> {
        match reason {
            client::DisconnectReason::ReceivedDisconnect(said) => {
                self.record.facts().farewell = Some(Farewell::Said(said.message));
                Ok(())
            }
            client::DisconnectReason::Error(error) => {
                if let HandshakeError::Ssh(russh::Error::NoAuthMethod) = error {
                    self.record.facts().farewell = Some(Farewell::NoMethod);
                }
                Err(error)
            }
        }
    }

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, HandshakeError> {
        let verified = match shown {
            PublicKeyOrCertificate::PublicKey { key, .. } => self.verifier.verify(key),
            PublicKeyOrCertificate::Certificate(certificate) => self.verifier.verify_certificate(certificate),
        };
        let believed = verified.map_err(HandshakeError::HostKey)?;
        self.record.facts().host_key.get_or_insert(believed);
        Ok(true)
    }

    fn server_channel_open_forwarded_tcpip(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        reply: ChannelOpenHandle,
        _: &mut client::Session,
    ) -> impl Future<Output = Result<(), HandshakeError>> + Send {
        refuse(reply)
    }

    fn server_channel_open_forwarded_streamlocal(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        reply: ChannelOpenHandle,
        _: &mut client::Session,
    ) -> impl Future<Output = Result<(), HandshakeError>> + Send {
        refuse(reply)
    }

    fn server_channel_open_agent_forward(
        &mut self,
        _: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut client::Session,
    ) -> impl Future<Output = Result<(), HandshakeError>> + Send {
        refuse(reply)
    }

    fn server_channel_open_session(
        &mut self,
        _: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut client::Session,
    ) -> impl Future<Output = Result<(), HandshakeError>> + Send {
        refuse(reply)
    }

    fn server_channel_open_direct_tcpip(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        reply: ChannelOpenHandle,
        _: &mut client::Session,
    ) -> impl Future<Output = Result<(), HandshakeError>> + Send {
        refuse(reply)
    }

    fn server_channel_open_direct_streamlocal(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        reply: ChannelOpenHandle,
        _: &mut client::Session,
    ) -> impl Future<Output = Result<(), HandshakeError>> + Send {
        refuse(reply)
    }

    fn server_channel_open_x11(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        reply: ChannelOpenHandle,
        _: &mut client::Session,
    ) -> impl Future<Output = Result<(), HandshakeError>> + Send {
        refuse(reply)
    }
}

async fn refuse(reply: ChannelOpenHandle) -> Result<(), HandshakeError> {
    reply.reject(ChannelOpenFailure::AdministrativelyProhibited).await;
    Ok(())
}
