//! Runs a program on a machine some of whose system calls fail: `without flock=ENOLCK,fsync=EINVAL program argument …`.
//!
//! The kernel itself answers so (seccomp), to the program and to whatever that starts: to a static one as well, and past
//! any library. Linux only.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::error::Error;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use libc::{
    EBADF, EDQUOT, EINVAL, EIO, ENOLCK, ENOSPC, ENOSYS, EOPNOTSUPP, EPERM, SYS_copy_file_range,
    SYS_fallocate, SYS_fchmod, SYS_fdatasync, SYS_flock, SYS_fsync, SYS_ftruncate, SYS_inotify_init1,
    SYS_linkat, SYS_openat2, SYS_pwrite64, SYS_pwritev, SYS_renameat2, SYS_statx, SYS_symlinkat,
    SYS_sync_file_range, SYS_syncfs, SYS_utimensat,
};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch, apply_filter};

const CALLS: [(&str, i64); 18] = [
    ("copy_file_range", SYS_copy_file_range),
    ("fallocate", SYS_fallocate),
    ("fchmod", SYS_fchmod),
    ("fdatasync", SYS_fdatasync),
    ("flock", SYS_flock),
    ("fsync", SYS_fsync),
    ("ftruncate", SYS_ftruncate),
    ("inotify_init1", SYS_inotify_init1),
    ("linkat", SYS_linkat),
    ("openat2", SYS_openat2),
    ("pwrite64", SYS_pwrite64),
    ("pwritev", SYS_pwritev),
    ("renameat2", SYS_renameat2),
    ("statx", SYS_statx),
    ("symlinkat", SYS_symlinkat),
    ("sync_file_range", SYS_sync_file_range),
    ("syncfs", SYS_syncfs),
    ("utimensat", SYS_utimensat),
];

const ERRORS: [(&str, i32); 9] = [
    ("EBADF", EBADF),
    ("EDQUOT", EDQUOT),
    ("EINVAL", EINVAL),
    ("EIO", EIO),
    ("ENOLCK", ENOLCK),
    ("ENOSPC", ENOSPC),
    ("ENOSYS", ENOSYS),
    ("EOPNOTSUPP", EOPNOTSUPP),
    ("EPERM", EPERM),
];

fn main() -> Result<Infallible, Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let rules = arguments.next().ok_or("without RULES PROGRAM [ARGUMENT]…")?;
    let program = arguments.next().ok_or("no program")?;
    let architecture: TargetArch = std::env::consts::ARCH.try_into()?;
    for rule in rules.to_str().ok_or("rules are plain text")?.split(',') {
        let (call, error) = rule.split_once('=').ok_or_else(|| format!("{rule} has no `=`"))?;
        let call = named(&CALLS, call)?;
        let error = SeccompAction::Errno(named(&ERRORS, error)?.unsigned_abs());
        // Whatever its arguments are.
        let always = BTreeMap::from([(call, Vec::new())]);
        let filter = SeccompFilter::new(always, SeccompAction::Allow, error, architecture)?;
        apply_filter(&BpfProgram::try_from(filter)?)?;
    }
    Err(Command::new(program).args(arguments).exec().into())
}

fn named<T: Copy>(known: &[(&str, T)], name: &str) -> Result<T, String> {
    let found = known.iter().find(|(known, _)| *known == name);
    found.map(|(_, value)| *value).ok_or_else(|| format!("{name} is not known here"))
}
