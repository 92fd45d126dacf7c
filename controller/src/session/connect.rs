//! From a machine to an agent that has the folder.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hfdown_agent::{Environment, serve};
use hfdown_protocol::{Access, FileTable, Layout, Limits, Mode, Order, Report, Traces, VERSION, limits};
use tokio_util::sync::CancellationToken;

use super::error::SessionError;
use super::prompter::Prompter;
use super::session::{AgentHandle, Heard, SILENCE, Session, unexpected};
use super::startup::until_ready;
use crate::display::Events;
use crate::event::{Agent, Event};
use crate::link::{
    AgentImages, AgentLink, AgentOrigin, Dismissal, HostKeyTrust, LinkSettings, SharedLinks, SshTarget,
    TmuxOptOut, reach_leaving,
};
use crate::text::sanitize;

/// Bytes in the pipe to an agent in this process: a few of the largest frames.
const PIPE: usize = 2 << 20;

/// How often an agent may say that another run holds the folder, between two of our own reminders. Each is shown.
const MOST_WAITS: u32 = 100;
/// How often a user is reminded that the folder is waited for.
const REMINDER: Duration = Duration::from_secs(60);

/// Where an agent runs.
#[expect(clippy::large_enum_variant, reason = "there is one per run, and it is never moved about")]
pub enum Machine {
    /// In this process.
    Local(Environment),
    /// On a box.
    Box {
        /// Which.
        target: SshTarget,
        /// How links are made.
        settings: LinkSettings,
        /// What the links to all targets of the run share.
        links: SharedLinks,
        /// What can be put there.
        images: AgentImages,
        /// How long links may take for what.
        timeouts: Timeouts,
        /// Whom an agent there is to trust beside the well-known authorities: certificates in DER.
        authorities: Arc<[Vec<u8>]>,
    },
}

/// How long a link may take for what.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// How long a box that does not let us in yet is asked again.
    pub wait: Duration,
    /// How often in a row a link that broke is made anew.
    pub retries: u32,
    /// After how long a silent link is given up.
    pub silence: Duration,
}

/// Whether a machine has been reached before in this run.
#[derive(Debug, Clone, Copy)]
pub enum ConnectAttempt {
    /// The first: a box that was rented a minute ago may not be ready.
    First,
    /// The link broke. The agent that it led to may still be there and hold the folder: the next one ends it.
    Reconnect,
}

/// What the agent is asked for.
pub struct FolderRequest {
    /// The destination, as it was typed; none is the hub cache of the user there.
    pub root: Option<String>,
    /// Whether anything may be written.
    pub access: Access,
    /// How the folder is laid out.
    pub layout: Layout,
    /// Whether anything of ours may stay in it.
    pub traces: Traces,
    /// What the transfer may use.
    pub limits: Limits,
    /// Whether the machine has been reached before.
    pub attempt: ConnectAttempt,
    /// Who is to conduct it.
    pub mode: Mode,
    /// What the repository contains: an agent in this process does not keep that twice.
    pub listing: Arc<FileTable>,
}

/// Finds the agent and gives it the folder.
pub async fn connect(
    machine: &Machine,
    request: FolderRequest,
    events: &Events,
    cancel: &CancellationToken,
) -> Result<Session, SessionError> {
    let began = Instant::now();
    // A user who looks for a passphrase takes longer than any box, and so may other targets.
    let time_waited = || match machine {
        Machine::Local(_) => Duration::ZERO,
        Machine::Box { settings, .. } => settings.time_waited(),
    };
    let waited_before = time_waited();
    let waited_beside = || time_waited().saturating_sub(waited_before);
    let (mut session, agent) = tokio::select! {
        found = find(machine, &request.listing, request.attempt, events, cancel) => found?,
        () = cancel.cancelled() => return Err(SessionError::Cancelled),
    };
    if let Some(seconds) = request.limits.stall_seconds {
        session.lull.allow_silence_of(Duration::from_secs(seconds.get().into()));
    }
    // All orders go at once: a box is a long way off.
    session.say(Order::Hello { version: VERSION.to_owned(), mode: request.mode }).await?;
    if let Machine::Box { authorities, .. } = machine
        && !authorities.is_empty()
    {
        session.say(Order::Trust { authorities: authorities.to_vec() }).await?;
    }
    session
        .say(Order::Open {
            root: request.root.clone(),
            access: request.access,
            layout: request.layout,
            traces: request.traces,
            limits: request.limits,
        })
        .await?;
    let mut described = None;
    let mut waits = 0;
    let mut waiting: Option<FolderWait> = None;
    loop {
        let heard = tokio::select! {
            heard = session.hear() => heard,
            () = reminded(waiting.as_ref()) => {
                if let Some(wait) = &mut waiting {
                    wait.reminders += 1;
                    let (holder, waited) = (wait.holder.clone(), REMINDER * wait.reminders);
                    events.send(Event::Waiting { holder, path: None, waited }).await;
                    waits = 0;
                }
                continue;
            }
        };
        let heard = match heard {
            Err(SessionError::Cancelled) | Ok(Heard::Cancelled) => {
                warn_of_what_is_left(session, events).await;
                return Err(SessionError::Cancelled);
            }
            heard => heard?,
        };
        match heard {
            Heard::Cancelled => return Err(SessionError::Cancelled),
            Heard::Report(Report::Hello { version, machine }) if described.is_none() => {
                same_version(&version)?;
                described = Some(machine);
            }
            Heard::Report(Report::Waiting { holder, file: None }) => {
                waits += 1;
                if waits > MOST_WAITS {
                    return Err(SessionError::protocol("it waits for one holder after the other"));
                }
                let holder = sanitize(&holder, 200);
                let (path, waited) = (None, Duration::ZERO);
                events.send(Event::Waiting { holder: holder.clone(), path, waited }).await;
                waiting = Some(FolderWait { holder, since: Instant::now(), reminders: 0 });
            }
            Heard::Report(Report::Opened { root, free, lacks_tree }) => {
                let Some(machine) = described else {
                    return Err(SessionError::protocol("it does not say what it is"));
                };
                let machine = hfdown_protocol::MachineInfo {
                    os: sanitize(&machine.os, 40),
                    arch: sanitize(&machine.arch, 40),
                    ..machine
                };
                let root = sanitize(&root, limits::PATH);
                session.root.clone_from(&root);
                session.lacks_tree = lacks_tree;
                let after = began.elapsed().saturating_sub(waited_beside());
                let asked = request.root.unwrap_or_default();
                events.send(Event::Opened { root, asked, free, machine, agent, after }).await;
                return Ok(session);
            }
            Heard::Report(report) => return Err(unexpected(&report)),
        }
    }
}

/// A folder that another run holds.
struct FolderWait {
    holder: String,
    since: Instant,
    reminders: u32,
}

/// Ends when the user is to be reminded of what is waited for; never, where nothing is.
async fn reminded(waiting: Option<&FolderWait>) {
    match waiting {
        Some(FolderWait { since, reminders, .. }) => {
            tokio::time::sleep_until((*since + REMINDER * (reminders + 1)).into()).await;
        }
        None => std::future::pending().await,
    }
}

/// Ends a conversation that is not needed any more before it has come to anything.
async fn warn_of_what_is_left(session: Session, events: &Events) {
    let (_, dismissal) = session.close_for_good().await;
    if let Some(text) = left_running(&dismissal) {
        events.send(Event::Warning { text }).await;
    }
}

/// What is said of an agent that neither answers nor can be ended.
pub fn left_running(dismissal: &Dismissal) -> Option<String> {
    let Dismissal::Left(process) = dismissal else { return None };
    // Never a pattern to kill by: root on a box would end the agents of others with it.
    let (which, how) = if process.is_empty() {
        (String::new(), "`pgrep -af agent-` there shows its number, and `kill -KILL` with it ends it")
    } else {
        (format!(" ({process})"), "`kill -KILL` there with its number ends it")
    };
    Some(format!(
        "the agent on the box does not answer, and could not be ended{which}: it ends by itself when it notices that this run \
         is gone; if it is stopped, or hangs on a disk, {how}"
    ))
}

/// Both halves are of one build.
pub(super) fn same_version(theirs: &str) -> Result<(), SessionError> {
    if theirs == VERSION {
        return Ok(());
    }
    Err(SessionError::Version { theirs: sanitize(theirs, 80), ours: VERSION })
}

/// An agent, here or on a box, that has not been told anything.
pub(super) async fn find(
    machine: &Machine,
    listing: &Arc<FileTable>,
    attempt: ConnectAttempt,
    events: &Events,
    cancel: &CancellationToken,
) -> Result<(Session, Agent), SessionError> {
    match machine {
        Machine::Local(environment) => {
            let (near, far) = tokio::io::duplex(PIPE);
            let (their_reader, their_writer) = tokio::io::split(far);
            let environment = environment.clone().with_listing(Arc::clone(listing));
            let agent = tokio::spawn(serve(their_reader, their_writer, environment));
            let (reader, writer) = tokio::io::split(near);
            Ok((
                Session::new(reader, writer, &[], AgentHandle::Local(agent), SILENCE, cancel.clone()),
                Agent::InProcess,
            ))
        }
        Machine::Box { target, settings, links, images, timeouts, .. } => {
            let prompter = Prompter::new(settings.askpass.clone(), events.clone());
            let keyring = settings.keyring.with_prompt(Arc::new(prompter));
            let settings = &LinkSettings { keyring, ..settings.clone() };
            let reach = async || {
                let mut left = None;
                let reached = reach_leaving(target, settings, links, images, &mut left).await;
                // Why the box was not reached is an error of its own.
                if let Some(left) = left {
                    events.send(Event::Warning { text: past_the_shell(left, Traces::Keep) }).await;
                }
                reached
            };
            let link = match attempt {
                ConnectAttempt::First => {
                    until_ready(timeouts.wait, events, || settings.time_waited(), reach).await?
                }
                ConnectAttempt::Reconnect => reach()
                    .await
                    .map_err(|error| SessionError::Link { error: Box::new(error), waited: None })?,
            };
            if let ConnectAttempt::First = attempt {
                for (address, trust) in &link.trust {
                    if let HostKeyTrust::NotWritten { file, reason } = trust
                        && links.is_first_unwritten(file)
                    {
                        let file = file.display();
                        let text = format!(
                            "can't remember the host key of {address} in {file}: {reason}; it will not be noticed if it changes"
                        );
                        events.send(Event::Warning { text }).await;
                    }
                }
            }
            if let Some(placed) = link.tmux_opt_out {
                events.send(Event::Warning { text: past_the_shell(placed, settings.traces) }).await;
            }
            let agent = match link.origin {
                AgentOrigin::Cached => Agent::Cached,
                AgentOrigin::Uploaded { bytes, replaces } => Agent::Uploaded { bytes, replaces },
            };
            let handle = AgentHandle::Box(Box::new(link.guard));
            let AgentLink { reader, writer, already_read, .. } = link;
            let session =
                Session::new(reader, writer, &already_read, handle, timeouts.silence, cancel.clone());
            Ok((session, agent))
        }
    }
}

/// What was done to a box whose login shell ran no commands.
fn past_the_shell(placed: TmuxOptOut, traces: Traces) -> String {
    let how = match placed {
        TmuxOptOut::BySftp => "by sftp",
        TmuxOptOut::ByTerminal => "through a terminal",
    };
    let stays = match traces {
        Traces::Keep => "",
        Traces::Remove => ", and removed it again",
    };
    format!(
        "the box's login shell ran no command, as an automatic tmux does; placed ~/.no_auto_tmux there {how}{stays}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_to_be_ended_by_its_number_alone() {
        assert_eq!(left_running(&Dismissal::Gone), None);
        for process in ["", "process 7"] {
            let text = left_running(&Dismissal::Left(process.to_owned())).expect("it is said");
            assert!(
                text.contains("kill -KILL") && text.contains(process) && !text.contains("pkill"),
                "{text}"
            );
        }
    }
}
