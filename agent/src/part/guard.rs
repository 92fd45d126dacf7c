//! What guards the parts of one transfer against other programs.

use std::fs::File;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use super::new_file::NewFile;
use crate::own_folder::OwnFolder;
use crate::system::OpenWatch;

/// Knows what a file of ours looks like in the folder of parts, and hears of programs that open one.
#[derive(Debug, Default)]
pub(crate) struct Guard {
    new_file: Mutex<Option<NewFile>>,
    opens: Arc<OpenWatch>,
}

/// A part that is watched until this is dropped.
#[derive(Debug)]
pub(super) struct Watched {
    opens: Arc<OpenWatch>,
    /// None where there is no watch to be had.
    number: Option<i32>,
    /// How often it had been opened when the watch began.
    before: u64,
}

impl Guard {
    #[cfg(all(test, target_os = "linux"))]
    pub(super) fn deaf() -> Self {
        Self { opens: Arc::new(OpenWatch::deaf()), ..Self::default() }
    }

    /// What a file of ours looks like here: found out once.
    pub(super) fn new_file(&self, parts: &OwnFolder) -> io::Result<NewFile> {
        let mut known = self.new_file.lock().unwrap_or_else(PoisonError::into_inner);
        match *known {
            Some(new_file) => Ok(new_file),
            None => Ok(*known.insert(NewFile::learn(parts)?)),
        }
    }

    pub(super) fn watch(&self, file: &File) -> Watched {
        let number = self.opens.begin(file);
        let before = number.map_or(0, |number| self.opens.opened(number));
        Watched { opens: Arc::clone(&self.opens), number, before }
    }
}

impl Watched {
    /// Whether a system that has such watches has none left: who opens the file is not heard of then.
    pub(super) fn is_deaf(&self) -> bool {
        OpenWatch::IS_TO_BE_HAD && self.number.is_none()
    }

    /// Whether another program has opened the file since the watch began.
    pub(super) fn was_opened(&self) -> bool {
        self.number.is_some_and(|number| self.opens.opened(number) > self.before)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            self.opens.end(number);
        }
    }
}
