//! The texts that name boxes: a hosts file, and what `vastai` prints.

use std::fs::File;
use std::io;

use super::fleet_arguments::FleetArguments;
use crate::failure::{Exit, Problem};
use crate::fleet::{LARGEST_INSTANCES, hosts_file};
use crate::own_files::bounded;

/// The word for standard input.
const STDIN: &str = "-";

/// A text, and where it is from.
#[derive(Debug)]
pub struct NamedText {
    /// Where it is from, in words.
    pub from: String,
    /// What it says.
    pub bytes: Vec<u8>,
}

/// What was read of what was asked for.
#[derive(Debug, Default)]
pub struct FleetTexts {
    /// Of `--hosts`.
    pub hosts: Option<NamedText>,
    /// Of `--vast-json`.
    pub vast_json: Option<NamedText>,
}

impl FleetTexts {
    /// Reads them. Blocks, as long as a pipe that is one of them stays open.
    pub fn read(fleet: &FleetArguments) -> Result<Self, Problem> {
        let is_stdin = |name: &Option<String>| name.as_deref() == Some(STDIN);
        if is_stdin(&fleet.hosts) && is_stdin(&fleet.vast_json) {
            return Err(Problem::new(
                Exit::Usage,
                "cannot read both hosts and instances from standard input",
            )
            .hint("put one of them into a file"));
        }
        let text = |name: &Option<String>, largest| {
            name.as_deref()
                .map(|name| read(name, largest).map_err(|error| unreadable(name, &error)))
                .transpose()
        };
        Ok(Self {
            hosts: text(&fleet.hosts, hosts_file::LARGEST_HOSTS_FILE)?,
            vast_json: text(&fleet.vast_json, LARGEST_INSTANCES)?,
        })
    }
}

fn read(name: &str, largest: u64) -> io::Result<NamedText> {
    if name == STDIN {
        let bytes = bounded(io::stdin().lock(), largest)?;
        return Ok(NamedText { from: "standard input".to_owned(), bytes });
    }
    Ok(NamedText { from: name.to_owned(), bytes: bounded(File::open(name)?, largest)? })
}

fn unreadable(name: &str, error: &io::Error) -> Problem {
    let problem = Problem::new(Exit::Usage, format!("cannot read {name}")).because(error);
    match error.kind() {
        io::ErrorKind::NotFound if name.contains('@') || name.starts_with("ssh ") => {
            problem.hint("the option takes a file of boxes; a box itself is a word of its own")
        }
        _ => problem,
    }
}
