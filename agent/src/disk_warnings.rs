//! What a folder's disk turns out not to have, noted where that is found and told to the controller once.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use hfdown_protocol::DiskWarning;

use crate::system::{self, DiskFeature};

/// What a run goes on without.
#[derive(Debug, Default)]
pub(crate) struct DiskWarnings(Mutex<Noted>);

#[derive(Debug, Default)]
struct Noted {
    warnings: Vec<DiskWarning>,
    told: usize,
}

impl DiskWarnings {
    /// Notes a warning, the first of its kind.
    pub(crate) fn note(&self, warning: DiskWarning) {
        let warnings = &mut self.noted().warnings;
        if !warnings.iter().any(|known| known.is_like(&warning)) {
            warnings.push(warning);
        }
    }

    /// Takes what was to be done for done where the disk has no such thing, and notes that. Any other error is one.
    pub(crate) fn without(
        &self,
        feature: DiskFeature,
        warning: DiskWarning,
        done: io::Result<()>,
    ) -> io::Result<()> {
        match done {
            Err(error) if system::lacks(feature, &error) => {
                self.note(warning);
                Ok(())
            }
            done => done,
        }
    }

    /// Those that have not been taken before.
    pub(crate) fn take(&self) -> Vec<DiskWarning> {
        let mut noted = self.noted();
        let news = noted.warnings[noted.told..].to_vec();
        noted.told = noted.warnings.len();
        news
    }

    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use rustix::io::Errno;

    use super::*;

    #[test]
    fn what_a_disk_lacks_is_told_once_and_what_it_fails_at_is_an_error() {
        let warnings = DiskWarnings::default();
        let flushed = |errno: Errno| {
            let failed = Err(io::Error::from_raw_os_error(errno.raw_os_error()));
            warnings.without(DiskFeature::Flush, DiskWarning::NoFlush, failed)
        };
        for errno in [Errno::IO, Errno::NOSPC, Errno::DQUOT, Errno::ROFS, Errno::BADF] {
            assert!(flushed(errno).is_err(), "{errno}");
        }
        assert_eq!(warnings.take(), []);
        for errno in [Errno::INVAL, Errno::NOSYS, Errno::OPNOTSUPP, Errno::NOTSUP, Errno::PERM] {
            assert!(flushed(errno).is_ok(), "{errno}");
        }
        warnings.note(DiskWarning::NoModes);
        assert_eq!(warnings.take(), [DiskWarning::NoFlush, DiskWarning::NoModes]);
        assert!(flushed(Errno::INVAL).is_ok());
        assert_eq!(warnings.take(), []);
    }
}
