//! Agents that the same run of a controller started before this one: their link broke or fell silent, and what is left
//! of them would hold the folder. They are ended, whatever keeps them from it.
//!
//! They are known by their command line alone: `agent-… serve NONCE RUN`, where RUN is the random word of 128 bits that
//! a controller gives to every agent of one run, and to no other. What stands in a lock's file ends no process.

use std::time::Duration;

use hfdown_protocol::Nonce;

/// What one agent can be known by on its machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AgentIdentity {
    /// Its own: a host shares it with the relay that started it.
    pub(crate) nonce: Nonce,
    /// That of the run which it serves.
    pub(crate) run: Nonce,
}

/// How long one may take to end once it was told to. Nothing delays an agent but being stopped.
const TERM_GRACE: Duration = Duration::from_secs(2);
/// How long it may take once it was killed. What sits in a system call of a disk that does not answer takes for ever.
const KILL_GRACE: Duration = Duration::from_secs(5);
/// For both, and for the system to say what runs.
const PATIENCE: Duration = Duration::from_secs(10);

impl AgentIdentity {
    /// Ends them, and returns the ids of those that are still there.
    pub(crate) async fn end_predecessors(self) -> Vec<u32> {
        let ending = tokio::task::spawn_blocking(move || processes::end(self));
        // A process that is not even listed in time hides itself, and maybe the lock.
        match tokio::time::timeout(PATIENCE, ending).await {
            Ok(Ok(left)) => left,
            Ok(Err(_)) | Err(_) => Vec::new(),
        }
    }
}

#[cfg(target_os = "linux")]
mod processes {
    use std::fs::File;
    use std::io::Read;
    use std::path::Path;
    use std::time::Instant;

    use rustix::io::Errno;
    use rustix::process::{Pid, PidfdFlags, Signal, getuid, kill_process, pidfd_open, pidfd_send_signal};

    use super::{AgentIdentity, Duration, KILL_GRACE, TERM_GRACE};

    /// How often it is looked whether they are gone.
    const LOOK: Duration = Duration::from_millis(20);
    /// More than the command line of any agent.
    const LONGEST: u64 = 16 * 1024;

    pub(super) fn end(identity: AgentIdentity) -> Vec<u32> {
        let mut left = find(identity);
        for (told, grace) in [(Signal::TERM, TERM_GRACE), (Signal::KILL, KILL_GRACE)] {
            left.retain(|pid| signal(*pid, identity, told));
            let since = Instant::now();
            while !left.is_empty() && since.elapsed() < grace {
                std::thread::sleep(LOOK);
                left.retain(|pid| is_predecessor(*pid, identity));
            }
        }
        left.into_iter().map(|pid| pid.as_raw_nonzero().get().cast_unsigned()).collect()
    }

    fn find(identity: AgentIdentity) -> Vec<Pid> {
        let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = entries.filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?));
        pids.filter(|pid| is_predecessor(*pid, identity)).collect()
    }

    /// Whether it was there to be signalled. What is signalled is what was looked at: where the system has handles of
    /// processes, a pid that was used again meanwhile is another one.
    fn signal(pid: Pid, identity: AgentIdentity, signal: Signal) -> bool {
        let handle = pidfd_open(pid, PidfdFlags::empty());
        if !is_predecessor(pid, identity) {
            return false;
        }
        match handle {
            Ok(handle) => pidfd_send_signal(handle, signal) != Err(Errno::SRCH),
            Err(Errno::SRCH) => false,
            // Linux has handles since 5.3.
            Err(_) => kill_process(pid, signal) != Err(Errno::SRCH),
        }
    }

    /// Whether it is an agent of the same run and the same user, and another than this. A process that has ended and
    /// was not waited for has no command line.
    pub(super) fn is_predecessor(pid: Pid, identity: AgentIdentity) -> bool {
        let command = read(pid, "cmdline");
        let words: Vec<_> = command.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
        let (own, run) = (identity.nonce.to_string(), identity.run.to_string());
        let is_one = words.windows(4).any(|words| {
            let [program, verb, nonce, of] = words else { return false };
            let name = Path::new(program.as_ref()).file_name().and_then(|name| name.to_str());
            let is_agent = name.is_some_and(|name| name.starts_with("agent-"));
            is_agent && ["serve", "host"].contains(&verb.as_ref()) && *nonce != own && *of == run
        });
        is_one && is_ours(pid)
    }

    /// By its status: the files themselves are root's where a process can't be looked into, as agents can't.
    fn is_ours(pid: Pid) -> bool {
        let status = read(pid, "status");
        let text = String::from_utf8_lossy(&status);
        let real = text.lines().find_map(|line| line.strip_prefix("Uid:")?.split_whitespace().next());
        real.and_then(|real| real.parse().ok()) == Some(getuid().as_raw())
    }

    fn read(pid: Pid, name: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        // A process that has ended reads as nothing.
        if let Ok(file) = File::open(format!("/proc/{}/{name}", pid.as_raw_nonzero())) {
            let _ = file.take(LONGEST).read_to_end(&mut bytes);
        }
        bytes
    }
}

#[cfg(not(target_os = "linux"))]
mod processes {
    use super::AgentIdentity;

    /// Agents run on Linux.
    pub(super) fn end(_: AgentIdentity) -> Vec<u32> {
        Vec::new()
    }
}

#[cfg(all(test, target_os = "linux"))]
#[path = "predecessor_tests.rs"]
mod tests;
