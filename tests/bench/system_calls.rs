//! What the programs called, as a table: calls for each GB of the files.

use std::fmt;

use hfdown_tests::system_calls::{CallCount, SystemCalls};

use crate::round::Failed;
use crate::tool::Tool;
use crate::workspace::ServedFile;

/// Calls that bring bytes.
const READS: [&str; 6] = ["read", "readv", "pread64", "preadv", "recvfrom", "recvmsg"];
/// Calls that take them away.
const WRITES: [&str; 4] = ["write", "writev", "pwrite64", "pwritev"];
/// The columns with their widths.
const COLUMNS: [(&str, usize); 7] = [
    ("socket reads/GB", 17),
    ("KB each", 9),
    ("file reads/GB", 15),
    ("% of bytes", 12),
    ("pread64/GB", 12),
    ("file writes/GB", 16),
    ("KB each", 9),
];

/// One scenario's calls.
pub(crate) struct CallTable {
    bytes: u64,
    rows: Vec<(Tool, Result<SystemCalls, String>)>,
}

impl CallTable {
    pub(crate) fn new(files: &[ServedFile]) -> Self {
        Self { bytes: files.iter().map(|file| file.content.size()).sum(), rows: Vec::new() }
    }

    pub(crate) fn add(&mut self, tool: Tool, calls: Result<SystemCalls, Failed>) {
        self.rows.push((tool, calls.map_err(|error| error.to_string())));
    }
}

impl fmt::Display for CallTable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:<18}", "under strace")?;
        for (word, width) in COLUMNS {
            write!(formatter, "{word:>width$}")?;
        }
        writeln!(formatter)?;
        for (tool, calls) in &self.rows {
            let calls = match calls {
                Ok(calls) => calls,
                Err(why) => {
                    writeln!(formatter, "{tool:<18} left out: {why}")?;
                    continue;
                }
            };
            let (sockets, files) = (calls.of_sockets(&READS), calls.of_files(&READS));
            let writes = calls.of_files(&WRITES);
            let per_gb = |count: CallCount| format!("{:.0}", 1e9 * count.calls as f64 / self.bytes as f64);
            let each =
                |count: CallCount| format!("{:.1}", count.bytes as f64 / 1e3 / count.calls.max(1) as f64);
            let row = [
                per_gb(sockets),
                each(sockets),
                per_gb(files),
                format!("{:.1}", 100.0 * files.bytes as f64 / self.bytes as f64),
                per_gb(calls.of_files(&["pread64"])),
                per_gb(writes),
                each(writes),
            ];
            write!(formatter, "{tool:<18}")?;
            for (cell, (_, width)) in row.iter().zip(COLUMNS) {
                write!(formatter, "{cell:>width$}")?;
            }
            writeln!(formatter)?;
        }
        Ok(())
    }
}
