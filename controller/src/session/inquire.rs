//! How far a transfer is that was detached: asked without taking the place of a client that watches it.

use hfdown_protocol::{FailureKind, FileTable, Mode, Order, Report, TransferStatus, VERSION};
use tokio_util::sync::CancellationToken;

use super::connect::{ConnectAttempt, Machine, find, same_version};
use super::error::SessionError;
use super::join;
use super::session::{Heard, Session, unexpected};
use crate::display::Events;

/// The status of the transfer to a folder, if one runs there. Texts in it are sanitised.
pub async fn inquire(
    machine: &Machine,
    root: &str,
    attempt: ConnectAttempt,
    events: &Events,
    cancel: &CancellationToken,
) -> Result<Option<TransferStatus>, SessionError> {
    // It is not told to stop: it goes on in any case.
    let never = CancellationToken::new();
    let listing = std::sync::Arc::<FileTable>::default();
    let inquiring = async {
        let (mut session, _) = find(machine, &listing, attempt, events, &never).await?;
        let mode = Mode::Inquiring { root: root.to_owned() };
        session.say(Order::Hello { version: VERSION.to_owned(), mode }).await?;
        let heard = hear(&mut session).await;
        session.close_for_good().await;
        heard
    };
    tokio::select! {
        inquired = inquiring => inquired,
        () = cancel.cancelled() => Err(SessionError::Cancelled),
    }
}

async fn hear(session: &mut Session) -> Result<Option<TransferStatus>, SessionError> {
    let mut has_greeted = false;
    loop {
        match session.hear().await {
            Ok(Heard::Report(Report::Hello { version, .. })) if !has_greeted => {
                same_version(&version)?;
                has_greeted = true;
            }
            Ok(Heard::Report(Report::Joined { status })) => return join::checked(*status).map(Some),
            Ok(Heard::Report(Report::Warning { .. })) => {}
            Ok(Heard::Report(Report::Ended { .. })) => return Ok(None),
            // None was detached there.
            Err(SessionError::Agent(failure)) if failure.kind == FailureKind::NotFound => return Ok(None),
            Ok(Heard::Report(report)) => return Err(unexpected(&report)),
            Ok(Heard::Cancelled) => return Err(SessionError::Cancelled),
            Err(error) => return Err(error),
        }
    }
}
