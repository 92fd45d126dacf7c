//! The second command, on a box without an agent: upload one and start it.
//!
//! The shell takes it from its standard input by `head -c`, checks size and digest, and renames it to a name that holds
//! its digest; so the agent is started by the same command that brought it, and a cold box costs one more round trip
//! and the bytes. Where the box has a `gzip` that works, these are less than half.

use std::time::Duration;

use hfdown_protocol::Nonce;
use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout;

use super::agent_link::{AgentOrigin, BadAgent, Launched};
use super::greeting::{greeted, marked, takes_input};
use super::image::{AgentImage, AgentImages};
use super::script::{self, UploadForm};
use super::traces::CacheFolder;
use crate::link::connection::{ChannelWriter, ClientConnection, RemoteCommand};
use crate::link::error::{InstallStage, LinkError};
use crate::link::platform::Platform;
use crate::link::settings::LinkSettings;
use crate::text::sanitize_lines;

/// How much is handed over at once, in bytes; between two of them the progress is looked at.
const PIECE: usize = 64 * 1024;

/// How long one piece may take. 64 KiB in 30 s is slower than a modem.
const STALL: Duration = Duration::from_secs(30);

/// An installation that did not lead to an agent.
enum InstallFailure {
    /// The folder of this number could not take the agent in: its disk is full, or the user's share of it.
    Full(u8, LinkError),
    /// What came compressed was not unpacked there. Its size and digest were right, so the box is to blame: its `gzip`, or a
    /// disk that is full.
    NotUnpacked(LinkError),
    /// No folder is left to try.
    NoFolder(LinkError),
    /// Another folder would be no better.
    Other(LinkError),
}

/// An agent that greets, after it was sent.
struct Installed {
    running: RemoteCommand,
    already_read: Vec<u8>,
    cache: CacheFolder,
    /// How many bytes were sent.
    sent: u64,
}

/// Uploads the agent for this platform and starts it. A folder that turns out to be full is passed over, as one that runs
/// no programs is, and what could not be unpacked is sent as it is; so the agent may be sent once more.
pub(super) async fn install(
    connection: &ClientConnection,
    settings: &LinkSettings,
    images: &AgentImages,
    platform: Platform,
    replaces: Option<BadAgent>,
) -> Result<Launched, LinkError> {
    let address = || connection.address().to_owned();
    let Some(cpu) = platform.cpu() else {
        return Err(LinkError::OtherMachine { address: address(), platform });
    };
    let Some(image) = images.get(cpu) else {
        return Err(LinkError::NoImage { address: address(), platform, variable: cpu.variable() });
    };
    let mut form = form_of(image).await;
    let mut skip = 0;
    let mut first_full = None;
    loop {
        let nonce = Nonce(rand::random());
        let command = script::install(nonce, settings.run, image, cpu, skip, form);
        let running = connection.run(&command).await?;
        let (folder, full) = match install_once(connection, settings, image, form, nonce, running).await {
            Ok(Installed { running, already_read, cache, sent: bytes }) => {
                let origin = AgentOrigin::Uploaded { bytes, replaces };
                return Ok(Launched { running, already_read, origin, platform, cache });
            }
            Err(InstallFailure::Full(folder, error)) => (folder, error),
            Err(InstallFailure::NotUnpacked(_)) if form == UploadForm::PackedWherePossible => {
                form = UploadForm::Plain;
                continue;
            }
            // Why the first one would not do says more than that none is left.
            Err(InstallFailure::NoFolder(error)) => return Err(first_full.unwrap_or(error)),
            Err(InstallFailure::NotUnpacked(error) | InstallFailure::Other(error)) => return Err(error),
        };
        let full = first_full.take().unwrap_or(full);
        // A box that names a folder it was told to pass over is not asked without end.
        if folder <= skip || folder >= script::FOLDERS {
            return Err(full);
        }
        (skip, first_full) = (folder, Some(full));
    }
}

/// How an agent is sent: a small one, as tests have it, may not gain by being compressed.
async fn form_of(image: &AgentImage) -> UploadForm {
    // Compressing one that was not embedded takes too long for a thread that others wait for.
    let its = image.clone();
    match tokio::task::spawn_blocking(move || its.packed().len() < its.size()).await {
        Ok(true) => UploadForm::PackedWherePossible,
        Ok(false) | Err(_) => UploadForm::Plain,
    }
}

/// One try, which ends at the first folder that runs programs.
async fn install_once(
    connection: &ClientConnection,
    settings: &LinkSettings,
    image: &AgentImage,
    form: UploadForm,
    nonce: Nonce,
    mut running: RemoteCommand,
) -> Result<Installed, InstallFailure> {
    let address = || connection.address().to_owned();
    let mut heard = match takes_input(&mut running, nonce, settings.greeting_timeout).await {
        Ok(heard) => heard,
        Err(no_greeting) => {
            return Err(failed_install(&no_greeting.said, connection, &running, nonce).unwrap_or_else(
                || InstallFailure::Other(no_greeting.into_link_error(connection, &running, nonce)),
            ));
        }
    };
    let ready = marked(&heard, script::READY, nonce).unwrap_or_default();
    let unpacks = ready.first().is_some_and(|word| word == script::GZIP);
    let upload = match form {
        UploadForm::PackedWherePossible if unpacks => image.packed(),
        UploadForm::PackedWherePossible | UploadForm::Plain => image.bytes(),
    };
    if let Err(UploadStalled) = send(&mut running.writer, upload).await {
        let (stage, said) = (InstallStage::Stalled, String::new());
        return Err(InstallFailure::Other(LinkError::Install { address: address(), stage, said }));
    }
    let no_greeting = match greeted(&mut running, nonce, settings.greeting_timeout).await {
        Ok((already_read, _, cache)) => {
            return Ok(Installed { running, already_read, cache, sent: upload.len() as u64 });
        }
        Err(no_greeting) => no_greeting,
    };
    // A box that fails at once says so together with that it is ready.
    heard.extend_from_slice(&no_greeting.said);
    Err(failed_install(&heard, connection, &running, nonce)
        .unwrap_or_else(|| InstallFailure::Other(no_greeting.into_link_error(connection, &running, nonce))))
}

/// What the script says of its failure, if it does.
fn failed_install(
    printed: &[u8],
    connection: &ClientConnection,
    running: &RemoteCommand,
    nonce: Nonce,
) -> Option<InstallFailure> {
    let address = || connection.address().to_owned();
    let said = sanitize_lines(running.status.errors(), 4, 400);
    let failed = |stage, said| LinkError::Install { address: address(), stage, said };
    let fields = marked(printed, script::FAILED, nonce)?;
    Some(match fields.first()?.as_str() {
        "folder" => InstallFailure::NoFolder(LinkError::NoFolder { address: address(), said }),
        "size" => InstallFailure::Other(failed(InstallStage::Size, said)),
        "unpack" => InstallFailure::NotUnpacked(failed(InstallStage::Write, said)),
        "digest" => InstallFailure::Other(failed(InstallStage::Digest, said)),
        _ => {
            let folder = fields.get(1).and_then(|folder| folder.parse().ok()).unwrap_or(script::FOLDERS);
            InstallFailure::Full(folder, failed(InstallStage::Write, said))
        }
    })
}

struct UploadStalled;

/// Hands the agent over. A shell that no longer reads has said why on its output, so that is no error here.
async fn send(writer: &mut ChannelWriter, bytes: &[u8]) -> Result<(), UploadStalled> {
    for piece in bytes.chunks(PIECE) {
        match timeout(STALL, writer.write_all(piece)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => break,
            Err(_) => return Err(UploadStalled),
        }
    }
    Ok(())
}
