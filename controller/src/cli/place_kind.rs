//! Whether the words that were typed are of a folder here, or of boxes, where a verb takes both.

use std::path::Path;

use super::box_places::TypedPlaces;
use super::folders::check_path_here;
use crate::failure::{Exit, Problem};
use crate::text::sanitize;

/// The most characters of a word that is quoted.
const LONGEST_WORD: usize = 200;

/// Where it is looked.
#[derive(Debug, PartialEq, Eq)]
pub enum PlaceKind<'a> {
    /// On this machine.
    Here {
        /// The folder; none is the hub cache.
        folder: Option<&'a str>,
    },
    /// On boxes.
    OnBoxes,
}

impl<'a> PlaceKind<'a> {
    /// The number of words tells: one is a folder here, unless it can only be a box.
    pub fn of(typed: &TypedPlaces<'a>, verb: &str, usage: &str) -> Result<Self, Problem> {
        let kind = Self::by_words(typed, verb, usage)?;
        match (&kind, typed.fleet.of_many()) {
            (Self::Here { .. }, Some(option)) => {
                let attempted = format!("{option} is for many boxes, and a folder here is none");
                Err(Problem::new(Exit::Usage, attempted).hint(usage))
            }
            _ => Ok(kind),
        }
    }

    fn by_words(typed: &TypedPlaces<'a>, verb: &str, usage: &str) -> Result<Self, Problem> {
        let missing = |attempted: String| Err(Problem::new(Exit::Usage, attempted).hint(usage));
        match typed.words {
            [.., word] if typed.is_cache && is_folder(word) => Err(folder_beside_cache(word, verb)),
            _ if typed.fleet.names_boxes() => Ok(Self::OnBoxes),
            [] if typed.is_cache => Ok(Self::Here { folder: None }),
            _ if typed.is_cache => Ok(Self::OnBoxes),
            [] => missing("DIR is missing: the folder".to_owned()),
            [ssh] if is_box(ssh) => {
                missing(format!("DIR is missing: the folder behind `{}`", sanitize(ssh, LONGEST_WORD)))
            }
            [folder] => {
                check_path_here(folder).map_err(|why| {
                    let folder = sanitize(folder, LONGEST_WORD);
                    Problem::new(Exit::Usage, format!("`{folder}` names no folder")).because(why)
                })?;
                Ok(Self::Here { folder: Some(folder) })
            }
            _ => Ok(Self::OnBoxes),
        }
    }
}

/// Whether a word can hardly be meant as a box.
fn is_folder(word: &str) -> bool {
    ["/", "./", "../", "~"].iter().any(|start| word.starts_with(start))
        || [".", ".."].contains(&word)
        || Path::new(word).is_dir()
}

/// Whether a word can hardly be meant as a folder.
fn is_box(word: &str) -> bool {
    let is_login = word.contains('@') && !word.contains('/') && !Path::new(word).exists();
    is_login || word.starts_with("ssh ") || word.starts_with("ssh://")
}

fn folder_beside_cache(word: &str, verb: &str) -> Problem {
    let quoted = sanitize(shell_words::quote(word).as_ref(), LONGEST_WORD);
    let word = sanitize(word, LONGEST_WORD);
    let attempted = format!("`{word}` is a folder, and --cache stands in the place of DIR");
    Problem::new(Exit::Usage, attempted).hint(format!(
        "`--cache-dir {quoted}` names another cache, `hfdown {verb} MODEL {quoted}` is about a folder; a box of that name \
         is 'ssh {word}'"
    ))
}

#[cfg(test)]
mod tests {
    use super::super::fleet_arguments::FleetArguments;
    use super::*;

    #[test]
    fn the_number_of_words_tells_a_box_from_a_folder_here() {
        let place = |words: &[&str], is_cache| {
            let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
            let typed = TypedPlaces { words: &words, is_cache, fleet: &FleetArguments::default() };
            match PlaceKind::of(&typed, "verify", "") {
                Ok(PlaceKind::Here { folder }) => Ok(format!("here {}", folder.unwrap_or("cache"))),
                Ok(PlaceKind::OnBoxes) => Ok("boxes".to_owned()),
                Err(problem) => Err(problem.attempted),
            }
        };
        assert_eq!(place(&[], true), Ok("here cache".to_owned()));
        for words in [&["box"][..], &["box", "x"]] {
            assert_eq!(place(words, true), Ok("boxes".to_owned()), "{words:?}");
        }
        for folder in ["/x", "./x", "../x", "~/x", ".", "src"] {
            let said = place(&[folder], true);
            assert!(said.as_ref().is_err_and(|said| said.contains("is a folder")), "{said:?}");
        }
        assert!(place(&["box", "/x"], true).is_err_and(|said| said.contains("`/x` is a folder")));
        let place = |words: &[&str]| place(words, false);
        assert_eq!(place(&["./x"]), Ok("here ./x".to_owned()));
        for words in [&["ssh -p 1 root@h", "/x"][..], &["box", "~/x"], &["a", "b", "c"]] {
            assert_eq!(place(words), Ok("boxes".to_owned()), "{words:?}");
        }
        for (words, complaint) in [
            (&[][..], "DIR is missing"),
            (&["ssh -p 1 root@h"], "DIR is missing: the folder behind `ssh -p 1 root@h`"),
            (&["ssh://root@h:1"], "DIR is missing: the folder behind"),
            (&["root@gpu[1-2]"], "DIR is missing: the folder behind"),
            (&["C:\\x"], "`C:\\x` names no folder"),
        ] {
            let said = place(words);
            assert!(said.as_ref().is_err_and(|said| said.starts_with(complaint)), "{words:?}: {said:?}");
        }
    }
}
