//! The system calls that move a program's bytes, counted by `strace`: no clock has a say in them.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::Path;

/// What is written down: calls that read or write files or sockets.
const TRACED: &str = "trace=read,readv,pread64,preadv,recvfrom,recvmsg,write,writev,pwrite64,pwritev";

/// Calls of one kind, and the bytes that they moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallCount {
    /// How many, those that moved nothing included.
    pub calls: u64,
    /// Bytes.
    pub bytes: u64,
}

/// What a program and its children called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SystemCalls(BTreeMap<(String, Descriptor), CallCount>);

/// What a call was about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Descriptor {
    File,
    Socket,
    /// By which one thread wakes another up.
    Event,
}

/// Words to put before a command, so that its calls are written to `log`.
pub fn tracer(log: &Path) -> Vec<OsString> {
    let words =
        ["strace", "-f", "--seccomp-bpf", "-qq", "-y", "-s", "0", "-e", "signal=none", "-e", TRACED, "-o"];
    words.iter().map(OsString::from).chain([log.into()]).collect()
}

impl SystemCalls {
    /// Reads what [`tracer`] has written.
    pub fn read(log: &Path) -> io::Result<Self> {
        Ok(Self::parse(&String::from_utf8_lossy(&fs::read(log)?)))
    }

    /// Counts another program's calls as well.
    pub fn add(&mut self, other: &Self) {
        for (kind, count) in &other.0 {
            let sum = self.0.entry(kind.clone()).or_default();
            *sum = CallCount { calls: sum.calls + count.calls, bytes: sum.bytes + count.bytes };
        }
    }

    /// Calls of these names for sockets.
    pub fn of_sockets(&self, names: &[&str]) -> CallCount {
        self.sum(Descriptor::Socket, names)
    }

    /// Calls of these names for files, pipes and terminals.
    pub fn of_files(&self, names: &[&str]) -> CallCount {
        self.sum(Descriptor::File, names)
    }

    /// How often one thread woke another up that waited for the network.
    pub fn wake_ups(&self) -> u64 {
        self.sum(Descriptor::Event, &["write"]).calls
    }

    fn sum(&self, of: Descriptor, names: &[&str]) -> CallCount {
        let counted = names.iter().filter_map(|name| self.0.get(&((*name).to_owned(), of)));
        counted.fold(CallCount::default(), |sum, count| CallCount {
            calls: sum.calls + count.calls,
            bytes: sum.bytes + count.bytes,
        })
    }

    /// `PID name(3<socket:[7]>, …) = 5`, or in two lines where another thread came between them: `PID name(3<…>,
    /// <unfinished ...>` and `PID <... name resumed>…) = 5`.
    fn parse(text: &str) -> Self {
        let mut counted: BTreeMap<(String, Descriptor), CallCount> = BTreeMap::new();
        let mut begun: HashMap<&str, Descriptor> = HashMap::new();
        for line in text.lines() {
            let Some((pid, rest)) = line.split_once(' ') else { continue };
            let rest = rest.trim_start();
            let (name, about) = if let Some(resumed) = rest.strip_prefix("<... ") {
                let Some((name, _)) = resumed.split_once(" resumed>") else { continue };
                (name, begun.remove(pid).unwrap_or(Descriptor::File))
            } else {
                let Some((name, arguments)) = rest.split_once('(') else { continue };
                (name, Descriptor::of(name, arguments))
            };
            if rest.ends_with("<unfinished ...>") {
                begun.insert(pid, about);
                continue;
            }
            let Some((_, result)) = rest.rsplit_once(" = ") else { continue };
            let count = counted.entry((name.to_owned(), about)).or_default();
            count.calls += 1;
            // One that failed begins with a minus, and moved nothing.
            count.bytes += result.split(' ').next().and_then(|bytes| bytes.parse::<u64>().ok()).unwrap_or(0);
        }
        Self(counted)
    }
}

impl Descriptor {
    fn of(name: &str, arguments: &str) -> Self {
        let first = arguments.split(',').next().unwrap_or_default();
        // Where the tracer may not look at descriptors, names tell.
        if first.contains("<anon_inode:") {
            Self::Event
        } else if name.starts_with("recv") || first.contains("<socket:") || first.contains("<TCP") {
            Self::Socket
        } else {
            Self::File
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_told_apart_by_their_descriptors_and_counted_with_their_bytes() {
        let log = "11 recvfrom(9<socket:[5]>, \"\"..., 16384, 0, NULL, NULL) = 16384\n\
            11 recvfrom(9<socket:[5]>, 0x7f, 16384, 0, NULL, NULL) = -1 EAGAIN (Resource temporarily unavailable)\n\
            12 pread64(4</tmp/a, (b) = c>, <unfinished ...>\n\
            11 read(9<socket:[5]>,  <unfinished ...>\n\
            12 <... pread64 resumed>\"\"..., 100, 0) = 100\n\
            11 <... read resumed>\"\"..., 100) = 7\n\
            11 read(3</etc/passwd>, \"\"..., 100) = 9\n\
            11 write(5<anon_inode:[eventfd]>, \"\"..., 8) = 8\n\
            12 +++ exited with 0 +++\n";
        let calls = SystemCalls::parse(log);
        assert_eq!(calls.of_sockets(&["recvfrom"]), CallCount { calls: 2, bytes: 16384 });
        assert_eq!(calls.of_sockets(&["recvfrom", "read"]), CallCount { calls: 3, bytes: 16391 });
        assert_eq!(calls.of_files(&["pread64"]), CallCount { calls: 1, bytes: 100 });
        assert_eq!(calls.wake_ups(), 1);
        assert_eq!(calls.of_files(&["read", "write"]), CallCount { calls: 1, bytes: 9 });
    }
}
