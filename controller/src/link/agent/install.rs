//! The second command, on a box without an agent: upload one and start it.
//!
//! The shell takes it from its standard input by `head -c`, checks size and digest, and renames it to a name that holds
//! its digest; so the agent is started by the same command that brought it, and a cold box costs one more round trip
//! and the bytes.

use std::time::Duration;

use hfdown_protocol::Nonce;
use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout;

use super::agent_link::{AgentOrigin, Launched};
use super::greeting::{greeted, marked};
use super::image::AgentImages;
use super::script;
use crate::link::connection::{ChannelWriter, ClientConnection};
use crate::link::error::{InstallStage, LinkError};
use crate::link::platform::Platform;
use crate::link::settings::LinkSettings;
use crate::text::sanitize_lines;

/// How much is handed over at once, in bytes; between two of them the progress is looked at.
const PIECE: usize = 64 * 1024;

/// How long one piece may take. 64 KiB in 30 s is slower than a modem.
const STALL: Duration = Duration::from_secs(30);

/// Uploads the agent for this platform and starts it.
pub(super) async fn install(
    connection: &ClientConnection,
    settings: &LinkSettings,
    images: &AgentImages,
    platform: Platform,
) -> Result<Launched, LinkError> {
    let address = || connection.address().to_owned();
    let Some(cpu) = platform.cpu() else {
        return Err(LinkError::OtherMachine { address: address(), platform });
    };
    let Some(image) = images.get(cpu) else {
        return Err(LinkError::NoImage { address: address(), platform, variable: cpu.variable() });
    };
    let nonce = Nonce(rand::random());
    let mut running = connection.run(&script::install(nonce, image, cpu)).await?;
    let sent = send(&mut running.writer, image.bytes()).await;
    if let Err(UploadStalled) = sent {
        return Err(LinkError::Install {
            address: address(),
            stage: InstallStage::Stalled,
            said: String::new(),
        });
    }
    match greeted(&mut running, nonce, settings.greeting_timeout).await {
        Ok((already_read, _, cache)) => {
            let origin = AgentOrigin::Uploaded { bytes: image.bytes().len() as u64 };
            Ok(Launched { running, nonce, already_read, origin, platform, cache })
        }
        Err(no_greeting) => {
            let said = sanitize_lines(running.status.errors(), 4, 400);
            let stage =
                match marked(&no_greeting.said, script::FAILED, nonce).as_deref().and_then(<[String]>::first)
                {
                    Some(stage) if stage == "folder" => {
                        return Err(LinkError::NoFolder { address: address(), said });
                    }
                    Some(stage) if stage == "size" => InstallStage::Size,
                    Some(stage) if stage == "digest" => InstallStage::Digest,
                    Some(_) => InstallStage::Write,
                    None => return Err(no_greeting.into_error(connection, &running, nonce)),
                };
            Err(LinkError::Install { address: address(), stage, said })
        }
    }
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
