//! What an agent has on record of a folder, in the place of what the Hub lists.

use hfdown_protocol::{FileRow, FileTable, Order, RecordedSync, Report, limits};

use super::error::SessionError;
use super::session::{Heard, Session, unexpected};

/// What was proved in a folder.
#[derive(Debug, Default)]
pub struct FolderRecord {
    /// The files.
    pub files: FileTable,
    /// Which sync it is of, if it says so.
    pub sync: Option<RecordedSync>,
}

impl FolderRecord {
    /// How many files were recorded that are not any more: a record that says so is damaged.
    pub fn lost(&self) -> usize {
        let recorded = self.sync.as_ref().and_then(|sync| sync.files).map_or(0, |files| files as usize);
        recorded.saturating_sub(self.files.len())
    }
}

impl Session {
    /// Asks the agent for what is on record.
    pub async fn recall(&mut self) -> Result<FolderRecord, SessionError> {
        self.say(Order::Recall).await?;
        let (mut files, mut names) = (FileTable::default(), 0);
        loop {
            match self.hear().await? {
                Heard::Cancelled => return Err(SessionError::Cancelled),
                Heard::Report(Report::Recorded { files: more }) => {
                    names += more.iter().map(|file| file.path.as_str().len()).sum::<usize>();
                    if files.len() + more.len() > limits::FILES || names > 2 * limits::NAMES {
                        return Err(SessionError::protocol("it has more files on record than can be"));
                    }
                    for file in more {
                        let row = FileRow { path: file.path.view(), size: file.size, digest: file.digest };
                        let added = files.push(row);
                        added
                            .map_err(|_| SessionError::protocol("it has more files on record than can be"))?;
                    }
                }
                Heard::Report(Report::Recalled { sync }) => return Ok(FolderRecord { files, sync }),
                Heard::Report(report) => return Err(unexpected(&report)),
            }
        }
    }
}
