//! What russh asks us during a connection: whether a host's key is believed, and what the server may open here.
//! Nothing.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use russh::client::{self, ChannelOpenHandle, Msg};
use russh::keys::PublicKeyOrCertificate;
use russh::{Channel, ChannelOpenFailure};

use super::host_key::{HostKeyError, HostKeySeen, Judge};

/// How much of the server's banner is kept, in bytes.
const BANNER: usize = 4096;

/// What russh asks us during a connection.
pub(super) struct Client {
    judge: Judge,
    seen: Seen,
}

/// What a connection showed before the login. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen(Arc<Mutex<Notes>>);

#[derive(Debug, Default)]
struct Notes {
    host_key: Option<HostKeySeen>,
    banner: Vec<u8>,
}

/// What can end a handshake.
#[derive(Debug)]
pub(super) enum ClientError {
    Ssh(russh::Error),
    HostKey(HostKeyError),
}

impl From<russh::Error> for ClientError {
    fn from(error: russh::Error) -> Self {
        Self::Ssh(error)
    }
}

impl Client {
    pub(super) fn new(judge: Judge, seen: Seen) -> Self {
        Self { judge, seen }
    }
}

impl Seen {
    /// What the server said before the login, as it came.
    pub(super) fn take_banner(&self) -> Vec<u8> {
        std::mem::take(&mut self.notes().banner)
    }

    /// How its key came to be believed.
    pub(super) fn take_host_key(&self) -> Option<HostKeySeen> {
        self.notes().host_key.take()
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Everything that a server may open is refused: russh's defaults would accept it.
impl client::Handler for Client {
    type Error = ClientError;

    async fn auth_banner(&mut self, banner: &str, _: &mut client::Session) -> Result<(), ClientError> {
        let mut seen = self.seen.notes();
        let room = BANNER.saturating_sub(seen.banner.len()).min(banner.len());
        seen.banner.extend_from_slice(&banner.as_bytes()[..room]);
        Ok(())
    }

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, ClientError> {
        let judged = match shown {
            PublicKeyOrCertificate::PublicKey { key, .. } => self.judge.judge(key),
            PublicKeyOrCertificate::Certificate(certificate) => self.judge.judge_certificate(certificate),
        };
        let believed = judged.map_err(ClientError::HostKey)?;
        self.seen.notes().host_key.get_or_insert(believed);
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
    ) -> impl Future<Output = Result<(), ClientError>> + Send {
        refuse(reply)
    }

    fn server_channel_open_forwarded_streamlocal(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        reply: ChannelOpenHandle,
        _: &mut client::Session,
    ) -> impl Future<Output = Result<(), ClientError>> + Send {
        refuse(reply)
    }

    fn server_channel_open_agent_forward(
        &mut self,
        _: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut client::Session,
    ) -> impl Future<Output = Result<(), ClientError>> + Send {
        refuse(reply)
    }

    fn server_channel_open_session(
        &mut self,
        _: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut client::Session,
    ) -> impl Future<Output = Result<(), ClientError>> + Send {
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
    ) -> impl Future<Output = Result<(), ClientError>> + Send {
        refuse(reply)
    }

    fn server_channel_open_direct_streamlocal(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        reply: ChannelOpenHandle,
        _: &mut client::Session,
    ) -> impl Future<Output = Result<(), ClientError>> + Send {
        refuse(reply)
    }

    fn server_channel_open_x11(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        reply: ChannelOpenHandle,
        _: &mut client::Session,
    ) -> impl Future<Output = Result<(), ClientError>> + Send {
        refuse(reply)
    }
}

async fn refuse(reply: ChannelOpenHandle) -> Result<(), ClientError> {
    reply.reject(ChannelOpenFailure::AdministrativelyProhibited).await;
    Ok(())
}
