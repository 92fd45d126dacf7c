//! Logging in with keys: one after the other is offered to the server, and what it takes is signed for.
//!
//! Which keys these are, and in which order, is [`super::identity`]'s business. A server is offered the public half
//! first, so that the user is not asked for a passphrase, or to confirm a signature, for a key that opens nothing.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use russh::client::{AuthResult, Handle};
use russh::keys::agent::AgentIdentity;
use russh::keys::ssh_encoding::Encode as _;
use russh::keys::ssh_key::Signature;
use russh::keys::ssh_key::private::KeypairData;
use russh::keys::{HashAlg, PrivateKey, PublicKey, signature};
use tokio::time::timeout;

use super::handshake::SshHandler;
use super::identity::{Identity, OfferedKey, SigningKey, identities};
use crate::link::keys::{KeyFailure, Keyring, TriedKey, UnlockError};
use crate::link::settings::LinkSettings;
use crate::link::ssh_command::SshTarget;
use crate::system::{SshAgent, connect_ssh_agent};
use crate::text::sanitize;

/// How long an ssh-agent may take to list its keys. To sign it may take longer: it may ask its user.
const SSH_AGENT_TIMEOUT: Duration = Duration::from_secs(5);

/// The keys of one login.
pub(super) struct LoginKeys {
    agent: Option<SshAgent>,
    keyring: Keyring,
    left: std::vec::IntoIter<Identity>,
    unusable: Vec<TriedKey>,
}

impl LoginKeys {
    /// Those of files and of the ssh-agent.
    pub(super) async fn find(target: &SshTarget, settings: &LinkSettings, keyring: &Keyring) -> Self {
        let mut unusable = Vec::new();
        let named = target.identity_agent.as_ref().map(|socket| settings.expand(socket));
        let socket =
            named.as_ref().or(settings.agent_socket.as_ref()).filter(|named| named.as_os_str() != "none");
        let (agent, agent_keys) = match open_agent(socket.map(PathBuf::as_path)).await {
            Ok((agent, agent_keys)) => (agent, agent_keys),
            Err(problem) => {
                let result = KeyFailure::Unusable(problem);
                unusable.push(TriedKey { key: "the ssh-agent".to_owned(), result });
                (None, Vec::new())
            }
        };
        let found = identities(target, settings, &agent_keys);
        unusable.extend(found.unusable);
        Self { agent, keyring: keyring.clone(), left: found.shown.into_iter(), unusable }
    }

    /// The next one to show.
    pub(super) fn next(&mut self) -> Option<Identity> {
        self.left.next()
    }

    /// Whether there are more.
    pub(super) fn is_empty(&self) -> bool {
        self.left.len() == 0
    }

    /// Those that can't be shown.
    pub(super) fn take_unusable(&mut self) -> Vec<TriedKey> {
        std::mem::take(&mut self.unusable)
    }

    /// Shows a key or a certificate.
    pub(super) async fn show(
        &mut self,
        identity: Identity,
        handle: &mut Handle<SshHandler>,
        user: &str,
    ) -> Result<AuthResult, KeyFailure> {
        let Identity { offered, signing_key, .. } = identity;
        let OfferedKey::Unknown(certificates) = offered else {
            return self.prove(offered, signing_key, handle, user).await;
        };
        let SigningKey::Locked(file) = signing_key else {
            return Err(KeyFailure::NotOffered(UnlockError::NoPrompt));
        };
        let key = self.keyring.unlock(&file).await.map_err(KeyFailure::NotOffered)?;
        for (_, certificate) in certificates {
            if certificate.public_key() == key.public_key().key_data() {
                let offered = OfferedKey::Certificate(Box::new(certificate));
                let shown = self.prove(offered, SigningKey::Open(Arc::clone(&key)), handle, user).await;
                if let Ok(AuthResult::Success | AuthResult::Failure { partial_success: true, .. }) = shown {
                    return shown;
                }
            }
        }
        self.prove(OfferedKey::Key(key.public_key().clone()), SigningKey::Open(key), handle, user).await
    }

    async fn prove(
        &mut self,
        offered: OfferedKey,
        signing_key: SigningKey,
        handle: &mut Handle<SshHandler>,
        user: &str,
    ) -> Result<AuthResult, KeyFailure> {
        let hash = match &offered {
            OfferedKey::Key(key) => rsa_hash(handle, key).await,
            OfferedKey::Certificate(certificate) => {
                rsa_hash(handle, &PublicKey::from(certificate.public_key().clone())).await
            }
            OfferedKey::Unknown(_) => None,
        };
        let mut signer = AuthSigner { signing_key, agent: self.agent.as_mut(), keyring: &self.keyring };
        match offered {
            OfferedKey::Key(key) => handle.authenticate_publickey_with(user, key, hash, &mut signer).await,
            OfferedKey::Certificate(certificate) => {
                handle.authenticate_certificate_with(user, *certificate, hash, &mut signer).await
            }
            OfferedKey::Unknown(_) => Err(KeyFailure::NotOffered(UnlockError::NoPrompt)),
        }
    }
}

/// RSA keys sign with SHA-2; SHA-1 is no longer taken anywhere. Asked for RSA alone, because russh waits up to a second
/// for a server that does not say which it likes.
async fn rsa_hash(handle: &Handle<SshHandler>, key: &PublicKey) -> Option<HashAlg> {
    if !key.algorithm().is_rsa() {
        return None;
    }
    match handle.best_supported_rsa_hash().await {
        Ok(Some(Some(hash))) => Some(hash),
        _ => Some(HashAlg::Sha512),
    }
}

/// Signs for what the server has said that it takes.
struct AuthSigner<'a> {
    signing_key: SigningKey,
    agent: Option<&'a mut SshAgent>,
    keyring: &'a Keyring,
}

impl russh::Signer for AuthSigner<'_> {
    type Error = KeyFailure;

    /// `_` is what is shown. What signs is known better here: an ssh-agent that holds a key does not know its
    /// certificate.
    async fn auth_sign(
        &mut self,
        _: &AgentIdentity,
        hash: Option<HashAlg>,
        mut data: Vec<u8>,
    ) -> Result<Vec<u8>, KeyFailure> {
        let unusable = |error: &dyn fmt::Display| KeyFailure::unusable(error);
        let key = match &self.signing_key {
            SigningKey::SshAgent(identity) => {
                let agent = self.agent.as_mut().ok_or_else(|| unusable(&"the ssh-agent is gone"))?;
                let signed = agent.sign_request(identity, hash, data).await;
                return signed.map_err(|error| unusable(&error));
            }
            SigningKey::Open(key) => Arc::clone(key),
            SigningKey::Locked(file) => self.keyring.unlock(file).await.map_err(KeyFailure::Locked)?,
        };
        let signature = sign(&key, hash, &data).map_err(|error| unusable(&error))?;
        signature.encode_prefixed(&mut data).map_err(|error| unusable(&error))?;
        Ok(data)
    }
}

fn sign(key: &PrivateKey, hash: Option<HashAlg>, data: &[u8]) -> Result<Signature, signature::Error> {
    match key.key_data() {
        KeypairData::Rsa(pair) => signature::Signer::try_sign(&(pair, hash), data),
        pair => signature::Signer::try_sign(pair, data),
    }
}

async fn open_agent(socket: Option<&Path>) -> Result<(Option<SshAgent>, Vec<AgentIdentity>), String> {
    let Some(socket) = socket else { return Ok((None, Vec::new())) };
    let opening = async {
        let mut agent = connect_ssh_agent(socket).await?;
        let agent_keys = agent.request_identities().await?;
        Ok::<_, russh::keys::Error>((agent, agent_keys))
    };
    match timeout(SSH_AGENT_TIMEOUT, opening).await {
        Ok(Ok((agent, agent_keys))) => Ok((Some(agent), agent_keys)),
        Ok(Err(error)) => Err(sanitize(error.to_string(), 200)),
        Err(_) => Err("it does not answer".to_owned()),
    }
}
