//! Where a report goes, found out before anything begins.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::problem::{Exit, Problem};

/// What kind of file it is, which its ending says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReportKind {
    /// For programs.
    Json,
    /// A page for a browser.
    Html,
}

/// A file that a report can be written to.
#[derive(Debug)]
pub(super) struct ReportFile {
    path: PathBuf,
    /// Where it is while it is written: beside it, so that it can be renamed.
    partial: PathBuf,
    pub(super) kind: ReportKind,
}

impl ReportFile {
    /// Looks whether it can be written.
    pub(super) fn new(path: &Path) -> Result<Self, Problem> {
        let shown = path.display();
        let problem =
            |why: String| Problem::new(Exit::Usage, format!("cannot write a report to {shown}")).because(why);
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
        let kind = match ending.as_deref() {
            Some("json") => ReportKind::Json,
            Some("html" | "htm") => ReportKind::Html,
            _ => {
                let problem = problem("its name says no format".to_owned());
                return Err(problem.hint("let it end in .json or in .html"));
            }
        };
        if path.is_dir() {
            return Err(problem("it is a folder".to_owned()).hint("name a file in it"));
        }
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.partial", std::process::id()));
        let file = Self { path: path.to_owned(), partial: path.with_file_name(name), kind };
        let tried = file.create().and_then(|_| fs::remove_file(&file.partial));
        tried.map_err(|error| {
            problem(error.to_string()).hint("name a file in a folder that is there and that you may write to")
        })?;
        Ok(file)
    }

    fn create(&self) -> io::Result<fs::File> {
        OpenOptions::new().write(true).create_new(true).open(&self.partial)
    }

    /// Writes it.
    pub(super) fn write(&self, text: &str) -> Result<(), Problem> {
        let written = self.create().and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&self.partial, &self.path)
        });
        written.map_err(|error| {
            // What is left of it is no report.
            let _ = fs::remove_file(&self.partial);
            let attempted = format!("cannot write the report to {}", self.path.display());
            Problem::new(Exit::Failed, attempted).because(error).hint("what was done on the boxes stays done")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_cannot_be_written_is_found_out_at_once() {
        let folder = tempfile::tempdir().unwrap();
        for (name, why) in [
            ("report.txt", "its name says no format"),
            ("report", "its name says no format"),
            ("missing/report.json", "no such file or directory"),
            ("folder.html", "it is a folder"),
        ] {
            fs::create_dir_all(folder.path().join("folder.html")).unwrap();
            let problem = ReportFile::new(&folder.path().join(name)).unwrap_err();
            assert_eq!(problem.exit, Exit::Usage);
            assert!(problem.causes[0].contains(why), "{name}: {problem:?}");
        }
        let path = folder.path().join("report.HTML");
        fs::write(&path, "an earlier one").unwrap();
        let file = ReportFile::new(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "an earlier one");
        file.write("whole").unwrap();
        assert_eq!((file.kind, fs::read_to_string(&path).unwrap().as_str()), (ReportKind::Html, "whole"));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing else stays");
    }
}
