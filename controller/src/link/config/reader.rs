//! Files, their blocks, and the files that they include.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::error::ConfigError;
use super::line::{split_arguments, split_keyword};
use super::skipped_match::SkippedMatch;
use super::tokens::{EnvironmentVariables, Tokens};
use crate::link::file_line::FileLine;
use crate::link::pattern::matches_pattern;

/// The largest file that is read, in bytes. Generated ones have a few hundred KiB.
const LARGEST: u64 = 1 << 20;

/// How deep files may include each other: OpenSSH's own bound.
const DEEPEST: usize = 16;

/// How many files are read in all. A file that includes itself twice would else be read 2^16 times.
const MOST_FILES: usize = 512;

/// A configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigFile {
    /// Where it is.
    pub path: PathBuf,
    /// What its relative `Include`s are relative to.
    pub folder: PathBuf,
    /// Whether it is an error that it is not there.
    pub presence: Presence,
}

/// Whether a file must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// The user named it.
    Required,
    /// It is one of those that are looked for.
    Optional,
}

/// A line that applies to the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct ConfigSetting {
    /// As it was written.
    pub(in super::super) keyword: String,
    /// At least one.
    pub(in super::super) arguments: Vec<String>,
    pub(in super::super) place: FileLine,
}

/// Whose settings are wanted.
#[derive(Debug, Clone, Copy, Default)]
pub(in super::super) struct ConfigQuery<'a> {
    /// The host as it was typed.
    pub(in super::super) host: &'a str,
    /// The user there, if one was typed.
    pub(in super::super) user: Option<&'a str>,
    /// The user here.
    pub(in super::super) local_user: Option<&'a str>,
    /// What `~` stands for.
    pub(in super::super) home: Option<&'a Path>,
    /// What `${…}` stands for in an `Include`.
    pub(in super::super) variables: Option<&'a EnvironmentVariables>,
}

/// Everything that the files say of a host, in their order, and the blocks that could not be judged.
pub(in super::super) fn settings_for(
    query: ConfigQuery<'_>,
    files: &[ConfigFile],
) -> Result<(Vec<ConfigSetting>, Vec<SkippedMatch>), ConfigError> {
    let mut reader = ConfigReader { query, found: Vec::new(), skipped: Vec::new(), files: 0 };
    for file in files {
        match text(&file.path)? {
            Some(text) => reader.read(&text, &file.path, &file.folder, 0)?,
            None if file.presence == Presence::Optional => {}
            None => {
                let kind = io::ErrorKind::NotFound;
                return Err(ConfigError::Unreadable { file: file.path.clone(), kind });
            }
        }
    }
    Ok((reader.found, reader.skipped))
}

/// Whether the lines of the block that is being read apply to the host.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Block {
    Applies,
    Skipped,
}

struct ConfigReader<'a> {
    query: ConfigQuery<'a>,
    found: Vec<ConfigSetting>,
    skipped: Vec<SkippedMatch>,
    files: usize,
}

impl ConfigReader<'_> {
    /// Blocks end with their file, and a file is only included by a block that applies.
    fn read(&mut self, text: &str, path: &Path, folder: &Path, depth: usize) -> Result<(), ConfigError> {
        let mut block = Block::Applies;
        for (line, text) in (1..).zip(text.lines()) {
            let Some((keyword, rest)) = split_keyword(text) else { continue };
            let place = FileLine { file: path.to_owned(), line };
            let kind = keyword.to_ascii_lowercase();
            // Its value is the rest of the line, for a shell that never sees it.
            let arguments =
                if kind == "proxycommand" { Some(vec![rest.to_owned()]) } else { split_arguments(rest) };
            let Some(arguments) = arguments else { return Err(ConfigError::Quote { place }) };
            let is_block = matches!(kind.as_str(), "host" | "match");
            if !is_block && block == Block::Skipped {
                continue;
            }
            if arguments.first().is_none_or(String::is_empty) {
                return Err(ConfigError::NoValue { place, keyword: keyword.to_owned() });
            }
            match kind.as_str() {
                "host" => block = if self.is_host(&arguments) { Block::Applies } else { Block::Skipped },
                "match" => block = self.matches(keyword, &arguments, place)?,
                "include" => self.include(&arguments, folder, &place, depth)?,
                _ => self.found.push(ConfigSetting { keyword: keyword.to_owned(), arguments, place }),
            }
        }
        Ok(())
    }

    /// One negated pattern that matches undoes the whole line.
    fn is_host(&self, patterns: &[String]) -> bool {
        let fits = |pattern: &str| matches_pattern(pattern.as_bytes(), self.query.host.as_bytes());
        let undone = patterns.iter().filter_map(|pattern| pattern.strip_prefix('!')).any(fits);
        !undone && patterns.iter().any(|pattern| fits(pattern))
    }

    /// Criterion by criterion, as OpenSSH does: one that does not fit decides, whatever the others are.
    fn matches(&mut self, keyword: &str, words: &[String], place: FileLine) -> Result<Block, ConfigError> {
        let mut words = words.iter();
        let mut unknown = None;
        while let Some(word) = words.next() {
            let (word, is_negated) = match word.strip_prefix('!') {
                Some(word) => (word, true),
                None => (word.as_str(), false),
            };
            let (name, glued) = match word.split_once('=') {
                Some((name, value)) => (name.to_ascii_lowercase(), Some(value)),
                None => (word.to_ascii_lowercase(), None),
            };
            let fits = match name.as_str() {
                "all" => true,
                // There is one pass, and no name is made canonical.
                "canonical" | "final" => false,
                _ => {
                    let value = glued.or_else(|| words.next().map(String::as_str));
                    let Some(value) = value else {
                        let keyword = format!("{keyword} {name}");
                        return Err(ConfigError::NoValue { place, keyword });
                    };
                    match name.as_str() {
                        "host" => is_listed(value, &self.host_name()),
                        "originalhost" => is_listed(value, self.query.host),
                        "user" => is_listed(value, self.user()),
                        "localuser" => is_listed(value, self.query.local_user.unwrap_or_default()),
                        // No `-P` has an effect.
                        "tagged" => is_listed(value, ""),
                        _ => {
                            unknown.get_or_insert(name);
                            continue;
                        }
                    }
                }
            };
            if fits == is_negated {
                return Ok(Block::Skipped);
            }
        }
        Ok(match unknown {
            None => Block::Applies,
            Some(criterion) => {
                self.skipped.push(SkippedMatch { place, criterion });
                Block::Skipped
            }
        })
    }

    fn said(&self, keyword: &str) -> Option<&str> {
        let setting = self.found.iter().find(|setting| setting.keyword.eq_ignore_ascii_case(keyword))?;
        setting.arguments.first().map(String::as_str)
    }

    /// As the lines before this one have it.
    fn host_name(&self) -> String {
        let host = self.query.host;
        self.said("hostname").map_or(host.to_owned(), |name| name.replace("%h", host))
    }

    fn user(&self) -> &str {
        self.query.user.or_else(|| self.said("user")).or(self.query.local_user).unwrap_or_default()
    }

    fn include(
        &mut self,
        patterns: &[String],
        folder: &Path,
        place: &FileLine,
        depth: usize,
    ) -> Result<(), ConfigError> {
        for pattern in patterns {
            let tokens = Tokens { variables: self.query.variables, ..Tokens::default() };
            let pattern = tokens.expand(pattern).unwrap_or_else(|| pattern.clone());
            let path = match (pattern.strip_prefix("~/"), self.query.home) {
                (Some(rest), Some(home)) => home.join(rest),
                _ => folder.join(&pattern),
            };
            for path in matching(&path) {
                self.files += 1;
                if depth + 1 > DEEPEST || self.files > MOST_FILES {
                    return Err(ConfigError::TooDeep { place: place.clone() });
                }
                // What is not there is left out, as with OpenSSH.
                if let Some(text) = text(&path)? {
                    self.read(&text, &path, folder, depth + 1)?;
                }
            }
        }
        Ok(())
    }
}

/// A list of patterns with commas between them; one negated pattern that matches undoes it.
fn is_listed(patterns: &str, text: &str) -> bool {
    let fits = |pattern: &str| matches_pattern(pattern.as_bytes(), text.as_bytes());
    let undone = patterns.split(',').filter_map(|pattern| pattern.strip_prefix('!')).any(fits);
    !undone && patterns.split(',').any(fits)
}

/// The files that a pattern names, in alphabetical order. What is no pattern names nothing.
fn matching(path: &Path) -> Vec<PathBuf> {
    let options = glob::MatchOptions {
        case_sensitive: true,
        require_literal_separator: true,
        require_literal_leading_dot: true,
    };
    let found = path.to_str().and_then(|pattern| glob::glob_with(pattern, options).ok());
    // Folders that can't be listed have no files for us, as with glob(3).
    found.into_iter().flatten().take(MOST_FILES + 1).filter_map(Result::ok).collect()
}

/// The text of a file, if it is there. Comments need not be UTF-8.
fn text(path: &Path) -> Result<Option<String>, ConfigError> {
    let unreadable =
        |error: &io::Error| ConfigError::Unreadable { file: path.to_owned(), kind: error.kind() };
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(unreadable(&error)),
    };
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(|error| unreadable(&error))?;
    if bytes.len() as u64 > LARGEST {
        return Err(ConfigError::TooLarge { file: path.to_owned() });
    }
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}
