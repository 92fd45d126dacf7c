//! What both programs settle with the system before they do anything: who may look into them, and what becomes of
//! limits that would end them without a word.

use std::io;
use std::panic::PanicHookInfo;
use std::sync::{Arc, Condvar, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use crate::system;

/// Threads for what blocks, without which nothing moves: one reads standard input, others the disk.
const LEAST_BLOCKING: usize = 4;
/// Threads that the programs start beside those of the runtime: one draws.
const OTHERS: usize = 1;
/// A thread that was made stays: when the next one is wanted, the system may refuse it. A year is for as long as it takes.
const KEPT: Duration = Duration::from_secs(365 * 24 * 3600);
/// How long threads that were granted a moment ago may take to begin.
const BEGINNING: Duration = Duration::from_secs(5);
/// How long a thread that has ended may go on counting.
const LINGERING: Duration = Duration::from_secs(1);
/// Files, sockets and the like without which nothing moves, beside the standard streams: about what a runtime has, and one
/// transfer of one file.
const LEAST_FILES: usize = 20;

/// Why a program can't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The system grants too few threads.
    #[error("only {granted} threads can be started, and {needed} are needed: {why}")]
    Threads {
        /// How many.
        granted: usize,
        /// How many there must be.
        needed: usize,
        /// What the system said of the next one.
        why: io::Error,
    },
    /// It lets too few files be open.
    #[error("{LEAST_FILES} files can't be open at once: {0}")]
    Files(#[source] io::Error),
    /// It grants no runtime.
    #[error(transparent)]
    Runtime(#[from] io::Error),
}

/// The first thing that a program does. From here on, other processes of the same user can't look into it, nor does a
/// crash write its memory down: tokens and signed addresses are in there. A file that grows beyond what the process may
/// write is an error, not its end.
pub fn begin() -> Result<(), StartError> {
    system::forbid_dumps();
    // What handles signals takes for granted that there are some.
    system::has_descriptors(LEAST_FILES).map_err(StartError::Files)?;
    system::survive_file_limit();
    Ok(())
}

/// Has a defect said in one line, by this.
pub fn report_defects(say: impl Fn(&str) + Send + Sync + 'static) {
    std::panic::set_hook(Box::new(move |panic| say(&defect(panic))));
}

fn defect(panic: &PanicHookInfo<'_>) -> String {
    let place = panic.location().map_or_else(String::new, |at| format!(" at {}:{}", at.file(), at.line()));
    let payload = panic.payload();
    let why =
        payload.downcast_ref::<&str>().copied().or(payload.downcast_ref::<String>().map(String::as_str));
    let why = why.unwrap_or("unknown").replace(|letter: char| letter.is_control(), " ");
    format!("internal error{place}: {why}; please report it")
}

/// A runtime that has all threads it will ever have: where a limit leaves fewer than were asked for, it makes do with
/// those, and where it leaves too few, that is an error and no panic later.
pub fn runtime(workers: usize, blocking: usize) -> Result<Runtime, StartError> {
    let (granted, refused) = grantable(workers + blocking + OTHERS);
    let needed = workers + LEAST_BLOCKING.min(blocking) + OTHERS;
    // Where they are rationed, no more than the least: what is short may be memory, which others than threads need.
    let blocking = match refused {
        None => blocking,
        Some(_) if granted >= needed => LEAST_BLOCKING.min(blocking),
        Some(why) => return Err(StartError::Threads { granted, needed, why }),
    };
    let runtime = Builder::new_multi_thread()
        .worker_threads(workers)
        .max_blocking_threads(blocking)
        .thread_keep_alive(KEPT)
        .enable_all()
        .build()?;
    let began = occupy(&runtime, blocking);
    if began < LEAST_BLOCKING.min(blocking) {
        let why = io::ErrorKind::WouldBlock.into();
        return Err(StartError::Threads { granted: began + workers, needed, why });
    }
    Ok(runtime)
}

/// How many threads the system grants at once, up to so many, and why not more.
fn grantable(most: usize) -> (usize, Option<io::Error>) {
    let before = threads();
    let gate = Rendezvous::default();
    let mut made: Vec<JoinHandle<()>> = Vec::with_capacity(most);
    let mut refused = None;
    while made.len() < most && refused.is_none() {
        let gate = gate.clone();
        match std::thread::Builder::new().spawn(move || gate.pass()) {
            Ok(thread) => made.push(thread),
            Err(error) => refused = Some(error),
        }
    }
    gate.open();
    let granted = made.len();
    for thread in made {
        // It has done nothing that could go wrong.
        let _ = thread.join();
    }
    // The system counts a thread for a moment after its end.
    for _ in 0..LINGERING.as_millis() {
        if threads() <= before {
            break;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    (granted, refused)
}

/// How many threads this process has; none where that can't be seen.
fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count)
}

/// Has a runtime make all its threads for what blocks, by giving each something to wait for. How many there are.
fn occupy(runtime: &Runtime, blocking: usize) -> usize {
    let gate = Rendezvous::default();
    let (says, heard) = mpsc::sync_channel(blocking);
    for _ in 0..blocking {
        let (gate, says) = (gate.clone(), says.clone());
        runtime.spawn_blocking(move || {
            // There is room for each.
            let _ = says.send(());
            gate.pass();
        });
    }
    let began = (0..blocking).take_while(|_| heard.recv_timeout(BEGINNING).is_ok()).count();
    gate.open();
    began
}

/// What several threads wait for at once.
#[derive(Clone, Default)]
struct Rendezvous(Arc<(Mutex<bool>, Condvar)>);

impl Rendezvous {
    fn pass(&self) {
        let (is_open, opened) = &*self.0;
        let closed = is_open.lock().unwrap_or_else(PoisonError::into_inner);
        drop(opened.wait_while(closed, |is_open| !*is_open));
    }

    fn open(&self) {
        let (is_open, opened) = &*self.0;
        *is_open.lock().unwrap_or_else(PoisonError::into_inner) = true;
        opened.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runtime_has_its_threads_from_the_start() {
        let runtime = runtime(2, 5).unwrap();
        assert_eq!(runtime.metrics().num_alive_tasks(), 0);
        assert_eq!(occupy(&runtime, 5), 5, "and can use all of them at once");
    }
}
