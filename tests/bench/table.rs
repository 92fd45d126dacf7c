//! What is printed.

use std::fmt::{self, Write as _};

use crate::Measurements;
use crate::measurements::median;
use crate::scenario::{CAP, Scenario};
use crate::servers::{CdnKind, Transport};
use crate::tool::Tool;
use crate::workspace::{ServedFile, cpus};

/// One scenario's results.
pub(crate) struct Table {
    scenario: Scenario,
    way: (Transport, CdnKind),
    circumstances: String,
    files: usize,
    bytes: u64,
    rows: Vec<(Tool, Vec<Measurements>)>,
    left_out: Vec<(Tool, String)>,
}

/// The medians of a program's rounds.
struct Middle {
    wall: f64,
    cpu: f64,
    memory: u64,
    flushed: Option<f64>,
    fetched: u64,
    requests: u64,
    connections: u64,
    handshakes: u64,
    carriers: u64,
    connected: f64,
    again: Option<u64>,
    buffered: Option<u64>,
}

impl Table {
    pub(crate) fn new(
        scenario: Scenario,
        way: (Transport, CdnKind),
        circumstances: String,
        files: &[ServedFile],
    ) -> Self {
        let bytes = files.iter().map(|file| file.content.size()).sum();
        let (rows, left_out) = (Vec::new(), Vec::new());
        Self { scenario, way, circumstances, files: files.len(), bytes, rows, left_out }
    }

    pub(crate) fn add(&mut self, tool: Tool, measurements: Measurements) {
        match self.rows.iter_mut().find(|(known, _)| *known == tool) {
            Some((_, rounds)) => rounds.push(measurements),
            None => self.rows.push((tool, vec![measurements])),
        }
    }

    /// A program that takes no part, or no longer.
    pub(crate) fn left_out(&mut self, tool: Tool, why: &str) {
        self.rows.retain(|(known, _)| *known != tool);
        self.left_out.push((tool, why.to_owned()));
    }

    /// What is worth saying in this scenario alone.
    fn remark(&self, middle: &Middle) -> String {
        match (self.scenario, middle.again) {
            (Scenario::Killed, Some(again)) => {
                let share = 100.0 * again as f64 / self.bytes as f64;
                let buffered = middle.buffered.map_or(String::new(), |buffered| {
                    format!(", {:.0} MB were in the system's buffers", megabytes(buffered))
                });
                format!(", {:.0} MB again ({share:.1} %){buffered}", megabytes(again))
            }
            (Scenario::SlowConnections, _) => {
                // Those that are opened later are there for a shorter time, and may carry less.
                let may = CAP as f64 * middle.connected;
                let (opened, share) = (middle.carriers, 100.0 * middle.fetched as f64 / may);
                let rate = megabytes(self.bytes) / middle.wall;
                format!(
                    ", {rate:.0} MB/s, {opened} opened, which may carry {:.0} MB in their time: {share:.1} %",
                    may / 1e6
                )
            }
            _ => String::new(),
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scenario, way: (transport, cdn), circumstances, files, bytes, .. } = self;
        let plural = if *files == 1 { "" } else { "s" };
        let size = megabytes(*bytes);
        writeln!(
            formatter,
            "{scenario}: {files} file{plural}, {size:.0} MB, over {transport} {cdn}, {circumstances}"
        )?;
        let head = [
            "wall s",
            "×",
            "flush s",
            "CPU s",
            "×",
            "peak MiB",
            "fetched MB",
            "requests",
            "connections",
            "full TLS",
        ];
        write!(formatter, "{:<18}", "")?;
        for (word, width) in head.iter().zip(WIDTHS) {
            write!(formatter, "{word:>width$}")?;
        }
        writeln!(formatter, "  proved")?;
        let own =
            self.rows.iter().find(|(tool, _)| *tool == Tool::Hfdown).and_then(|(_, rounds)| middle(rounds));
        for (tool, rounds) in &self.rows {
            let Some(middle) = middle(rounds) else { continue };
            let (wall, cpu) = own.as_ref().map_or((f64::NAN, f64::NAN), |own| (own.wall, own.cpu));
            let cells = [
                format!("{:.3}", middle.wall),
                ratio(middle.wall, wall),
                middle.flushed.map_or_else(|| "-".to_owned(), |flushed| format!("{flushed:.3}")),
                format!("{:.3}", middle.cpu),
                ratio(middle.cpu, cpu),
                (middle.memory >> 20).to_string(),
                format!("{:.1}", megabytes(middle.fetched)),
                middle.requests.to_string(),
                middle.connections.to_string(),
                if *transport == Transport::Tls { middle.handshakes.to_string() } else { "-".to_owned() },
            ];
            write!(formatter, "{tool:<18}")?;
            for (cell, width) in cells.iter().zip(WIDTHS) {
                write!(formatter, "{cell:>width$}")?;
            }
            writeln!(formatter, "  {}{}", tool.proof(), self.remark(&middle))?;
        }
        for (tool, why) in &self.left_out {
            writeln!(formatter, "{tool:<18} left out: {why}")?;
        }
        Ok(())
    }
}

/// The widths of the columns.
const WIDTHS: [usize; 10] = [9, 7, 9, 9, 7, 10, 12, 10, 13, 10];

fn ratio(value: f64, own: f64) -> String {
    if own.is_nan() { String::new() } else { format!("{:.2}", value / own) }
}

fn middle(rounds: &[Measurements]) -> Option<Middle> {
    Some(Middle {
        wall: median(rounds.iter().map(|measurements| measurements.cost.wall))?.as_secs_f64(),
        cpu: median(rounds.iter().map(|measurements| measurements.cost.cpu))?.as_secs_f64(),
        memory: median(rounds.iter().map(|measurements| measurements.cost.memory))?,
        flushed: median(rounds.iter().filter_map(|measurements| measurements.flushed))
            .map(|flushed| flushed.as_secs_f64()),
        fetched: median(rounds.iter().map(|measurements| measurements.traffic.sent))?,
        requests: median(rounds.iter().map(|measurements| measurements.traffic.requests))?,
        connections: median(rounds.iter().map(|measurements| measurements.traffic.connections))?,
        handshakes: median(rounds.iter().map(|measurements| measurements.traffic.handshakes))?,
        carriers: median(rounds.iter().map(|measurements| measurements.traffic.carriers))?,
        connected: median(rounds.iter().map(|measurements| measurements.traffic.connected))?.as_secs_f64(),
        again: median(rounds.iter().filter_map(|measurements| measurements.again)),
        buffered: median(rounds.iter().filter_map(|measurements| measurements.buffered)),
    })
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// What it all ran on.
pub(crate) fn machine() -> String {
    let read = |file: &str| std::fs::read_to_string(file).unwrap_or_default();
    let of = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_once(':'))
            .map_or_else(String::new, |(_, value)| value.trim().to_owned())
    };
    let mut text = format!("{} × {}", cpus(), of(&read("/proc/cpuinfo"), "model name"));
    let _ = write!(text, ", {} of memory", of(&read("/proc/meminfo"), "MemTotal"));
    let _ = write!(text, ", Linux {}", read("/proc/sys/kernel/osrelease").trim());
    let _ = write!(text, ", load {}", read("/proc/loadavg").split(' ').next().unwrap_or_default());
    text
}
