//! One command for one box, or for many: each of these has a task of its own, a turn, and an outcome.

mod work;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::Context;
use super::request::{Target, Targets};
use crate::cli::FleetArguments;
use crate::display::Events;
use crate::event::Event;
use crate::failure::{self, Exit, Problem};
use crate::fleet::{BoxEnding, BoxOutcome, FleetEvent, FleetOutcome, FleetTarget};
use crate::session::SessionError;
use crate::system;

pub(super) use work::{BoxResult, FleetAttendance, FleetSync, FleetWork, OfflineVerification};

/// Descriptors of this process beside its boxes: the runtime's, those of connections to the Hub, files.
const DESCRIPTORS: u64 = 128;
/// What a box takes: its connection, and for a moment an ssh-agent's and a file.
const DESCRIPTORS_OF_A_BOX: u64 = 3;

/// How long a target that is told to stop may take for that: less than the whole program has after Ctrl-C.
const STOPPING: Duration = Duration::from_secs(25);

/// How to go about many boxes.
#[derive(Debug, Clone, Copy)]
pub(super) struct FleetOptions {
    /// How many at once.
    jobs: usize,
    /// How long one of them may take.
    timeout: Option<Duration>,
    /// What becomes of the others when one has failed.
    on_failure: OnFailure,
}

/// What becomes of the others when one has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OnFailure {
    /// They go on.
    GoOn,
    /// They are stopped.
    Stop,
}

impl From<&FleetArguments> for FleetOptions {
    fn from(arguments: &FleetArguments) -> Self {
        Self {
            jobs: arguments.jobs(),
            timeout: arguments.timeout(),
            on_failure: if arguments.fail_fast { OnFailure::Stop } else { OnFailure::GoOn },
        }
    }
}

/// Does the same for every target, and says how the command ends.
pub(super) async fn run<W: FleetWork>(
    work: W,
    targets: Targets,
    options: FleetOptions,
    context: &Context,
) -> Result<Exit, Problem> {
    match targets {
        Targets::One(target) => alone(&work, &target, options.timeout, &context.cancel).await,
        Targets::Fleet(fleet) => {
            let boxes = options.jobs.min(fleet.len());
            system::allow_descriptors(DESCRIPTORS + DESCRIPTORS_OF_A_BOX * boxes as u64);
            Ok(each(work, fleet, options, context).await)
        }
    }
}

/// Does it for one that is no part of a fleet.
async fn alone(
    work: &impl FleetWork,
    target: &Target,
    timeout: Option<Duration>,
    cancel: &CancellationToken,
) -> Result<Exit, Problem> {
    let attempt = in_time(work, target, timeout, cancel).await;
    match attempt.given_up {
        Some(after) if attempt.is_cut_short() => Err(failure::timed_out(&target.destination, after)),
        _ => {
            let BoxResult { exit, ending } = attempt.result?;
            tell_status(&target.events, &ending).await;
            Ok(exit)
        }
    }
}

/// Does it for each of many. What happens to one does not touch the others.
async fn each<W: FleetWork>(
    work: W,
    fleet: Vec<(FleetTarget, Target)>,
    options: FleetOptions,
    context: &Context,
) -> Exit {
    let began = Instant::now();
    let events = context.events(None);
    let tell = async |event| events.send(Event::Fleet(Box::new(event))).await;
    let targets: Arc<[FleetTarget]> = fleet.iter().map(|(target, _)| target.clone()).collect();
    tell(FleetEvent::Begun { targets: Arc::clone(&targets), jobs: options.jobs }).await;
    let (work, turns) = (Arc::new(work), Arc::new(Semaphore::new(options.jobs)));
    let stop = context.cancel.child_token();
    let mut running = JoinSet::new();
    for (number, (_, target)) in fleet.into_iter().enumerate() {
        // In the order of the command.
        let turn = tokio::select! {
            biased;
            () = stop.cancelled() => None,
            // Never closed, so its turn comes.
            turn = Arc::clone(&turns).acquire_owned() => turn.ok(),
        };
        let (work, stop) = (Arc::clone(&work), stop.clone());
        running.spawn(async move { (number, in_turn(&*work, &target, turn, options, &stop).await) });
    }
    let mut outcomes = vec![None; targets.len()];
    while let Some(joined) = running.join_next().await {
        // What it ends with is told when all tasks have ended.
        let Ok((number, outcome)) = joined else { continue };
        outcomes[number] = Some(outcome);
    }
    let is_late = work.is_settled_together();
    if is_late {
        work.settle(&mut outcomes);
    }
    let mut boxes = Vec::with_capacity(outcomes.len());
    for (target, outcome) in targets.iter().zip(outcomes) {
        let is_told = outcome.is_some() && !is_late;
        let outcome = outcome.unwrap_or_else(defect);
        if !is_told {
            tell_end(&context.events(Some(&target.name)), &outcome).await;
        }
        boxes.push((Arc::clone(&target.name), outcome));
    }
    let exit = FleetOutcome::exit_of(&boxes, context.cancel.is_cancelled());
    tell(FleetEvent::Ended(Arc::new(FleetOutcome { boxes, exit, elapsed: began.elapsed() }))).await;
    exit
}

/// Does it in its turn, if it has one.
async fn in_turn(
    work: &impl FleetWork,
    target: &Target,
    turn: Option<OwnedSemaphorePermit>,
    options: FleetOptions,
    stop: &CancellationToken,
) -> BoxOutcome {
    let tell = async |event| target.events.send(Event::Fleet(Box::new(event))).await;
    let outcome = match turn {
        Some(_turn) => {
            tell(FleetEvent::BoxBegun).await;
            let outcome = in_time(work, target, options.timeout, stop).await.into_outcome();
            // Before its turn is another one's.
            if options.on_failure == OnFailure::Stop && outcome.exit != Exit::Done {
                stop.cancel();
            }
            outcome
        }
        None => BoxOutcome { exit: Exit::Cancelled, ending: BoxEnding::NotBegun, elapsed: Duration::ZERO },
    };
    if !work.is_settled_together() {
        tell_end(&target.events, &outcome).await;
    }
    outcome
}

/// Tells what has become of one of many.
async fn tell_end(events: &Events, outcome: &BoxOutcome) {
    tell_status(events, &outcome.ending).await;
    events.send(Event::Fleet(Box::new(FleetEvent::BoxEnded(outcome.clone())))).await;
}

/// Tells what there is, where that was asked.
async fn tell_status(events: &Events, ending: &BoxEnding) {
    if let BoxEnding::Status(status) = ending {
        events.send(Event::Status(status.clone())).await;
    }
}

/// What work on one target has come to.
struct TimedAttempt {
    result: Result<BoxResult, Problem>,
    /// The time after which it was told to stop, if it was.
    given_up: Option<Duration>,
    elapsed: Duration,
}

/// Does it, within its time.
async fn in_time(
    work: &impl FleetWork,
    target: &Target,
    timeout: Option<Duration>,
    stop: &CancellationToken,
) -> TimedAttempt {
    let began = Instant::now();
    let cancel = stop.child_token();
    let deadline = async {
        match timeout {
            Some(timeout) => tokio::time::sleep(timeout).await,
            None => std::future::pending().await,
        }
    };
    let mut working = std::pin::pin!(work.carry_out(target, &cancel));
    let given_up = tokio::select! {
        result = &mut working => return TimedAttempt { result, given_up: None, elapsed: began.elapsed() },
        () = deadline => timeout,
        () = stop.cancelled() => None,
    };
    // In good order, which takes a moment: what has arrived is kept. One that does not answer is let go.
    cancel.cancel();
    let ended = tokio::time::timeout(STOPPING, working).await;
    let result = ended.unwrap_or_else(|_| Err(failure::session(String::new(), &SessionError::Cancelled)));
    TimedAttempt { result, given_up, elapsed: began.elapsed() }
}

impl TimedAttempt {
    /// Whether it ended because it was told to.
    fn is_cut_short(&self) -> bool {
        match &self.result {
            // What was to be stopped and is has done what was asked.
            Ok(BoxResult { exit, ending }) => {
                let is_own_end = matches!(ending, BoxEnding::Finished(_) | BoxEnding::Disconnected);
                is_own_end && *exit == Exit::Cancelled
            }
            Err(problem) => problem.exit == Exit::Cancelled,
        }
    }

    fn into_outcome(self) -> BoxOutcome {
        let (exit, ending) = match (self.is_cut_short(), self.given_up, self.result) {
            (true, Some(after), _) => (Exit::Unreachable, BoxEnding::TimedOut(after)),
            // The user has seen enough of what goes on by itself.
            (true, None, Ok(BoxResult { exit, ending: BoxEnding::Disconnected })) => {
                (exit, BoxEnding::Disconnected)
            }
            (true, None, _) => (Exit::Cancelled, BoxEnding::Stopped),
            (false, _, Ok(BoxResult { exit, ending })) => (exit, ending),
            (false, _, Err(problem)) => (problem.exit, BoxEnding::Failed(problem)),
        };
        BoxOutcome { exit, ending, elapsed: self.elapsed }
    }
}

/// A task that has panicked has said so itself.
fn defect() -> BoxOutcome {
    let problem = Problem::new(Exit::Failed, "cannot go on with this box").because("an internal error");
    BoxOutcome { exit: Exit::Failed, ending: BoxEnding::Failed(problem), elapsed: Duration::ZERO }
}
