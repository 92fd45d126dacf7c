//! The machine an agent runs on.

use hfdown_protocol::MachineInfo;

/// What a controller may want to know.
pub(crate) fn describe() -> MachineInfo {
    MachineInfo {
        os: std::env::consts::OS.to_owned(),
        arch: std::env::consts::ARCH.to_owned(),
        cpus: u32::try_from(cpus()).unwrap_or(u32::MAX),
        pid: std::process::id(),
    }
}

/// How many CPUs may be used: rented boxes show 384 and grant 46, so the control group's quota is honoured (the
/// standard library does that).
pub(crate) fn cpus() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
