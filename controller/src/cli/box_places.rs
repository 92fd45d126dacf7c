//! Which boxes, and which folder on them: what was typed, and the texts that it names.

use std::path::Path;

use super::fleet_arguments::FleetArguments;
use super::fleet_members::{FleetMembers, NamedBoxes};
use super::fleet_texts::FleetTexts;
use super::folders::check_folder_there;
use crate::failure::{Exit, Problem};
use crate::fleet::{FleetTarget, expand, fold};
use crate::link::LinkSettings;
use crate::selection::{Glob, nearest};
use crate::text::sanitize;

/// The most characters of a word that is quoted.
const LONGEST_WORD: usize = 200;
/// The most characters of a list of names.
const LONGEST_LIST: usize = 400;

const UNQUOTED: &str =
    "an SSH command is one word: put it in quotes, like 'ssh -p 20544 root@142.214.185.187'";

/// Where a model is wanted.
#[derive(Debug)]
pub enum BoxPlaces {
    /// On one box.
    One {
        /// The SSH command that leads there.
        ssh: String,
        /// The folder there; none is the hub cache.
        folder: Option<String>,
    },
    /// On many, or what may be many.
    Fleet(FleetMembers),
}

/// What was typed of boxes and a folder.
#[derive(Debug, Clone, Copy)]
pub struct TypedPlaces<'a> {
    /// SSH commands, and behind them the folder, unless it is the hub cache.
    pub words: &'a [String],
    /// Whether the hub cache takes the place of the folder.
    pub is_cache: bool,
    /// Other boxes, and which of all are meant.
    pub fleet: &'a FleetArguments,
}

impl TypedPlaces<'_> {
    /// Whether many boxes are meant, or what may be many.
    pub fn is_fleet(&self) -> bool {
        let boxes = if self.is_cache {
            self.words
        } else {
            self.words.split_last().map_or(&[][..], |(_, boxes)| boxes)
        };
        self.fleet.is_fleet() || boxes.len() > 1 || boxes.iter().any(|word| is_range(word))
    }

    /// The boxes. `texts` are those that the options name.
    pub fn settle(&self, texts: &FleetTexts) -> Result<BoxPlaces, Problem> {
        let (boxes, folder) = self.boxes_and_folder()?;
        if let ([ssh], false) = (boxes, self.is_fleet()) {
            return Ok(BoxPlaces::One { ssh: ssh.clone(), folder: folder.map(str::to_owned) });
        }
        for word in boxes {
            refuse_mistaken(word)?;
        }
        let settings = LinkSettings::from_environment();
        let named = NamedBoxes { ssh: boxes, folder, is_cache: self.is_cache, settings: &settings };
        let mut members = FleetMembers::gather(&named, texts)?;
        for glob in &self.fleet.select {
            refuse_useless(glob, &members.targets)?;
        }
        if !self.fleet.select.is_empty() {
            let globs: Vec<NameGlob> = self.fleet.select.iter().map(|glob| NameGlob::new(glob)).collect();
            members.targets.retain(|target| globs.iter().any(|glob| glob.matches(&target.name)));
        }
        Ok(BoxPlaces::Fleet(members))
    }

    /// The last word is the folder, unless it is the hub cache, or every box of a file has its own.
    fn boxes_and_folder(&self) -> Result<(&[String], Option<&str>), Problem> {
        let missing = || Problem::new(Exit::Usage, "<DIR> is missing: the folder on the box");
        let (boxes, folder) = match (self.is_cache, self.words.split_last()) {
            (true, Some((word, _))) if is_path(word) => {
                let attempted =
                    format!("`{}` is a folder, and --cache stands in the place of DIR", quoted(word));
                return Err(Problem::new(Exit::Usage, attempted).hint("another cache is --cache-dir DIR"));
            }
            (true, _) => (self.words, None),
            (false, Some((folder, boxes))) if !boxes.is_empty() || self.fleet.names_boxes() => {
                (boxes, Some(folder))
            }
            (false, None) if self.fleet.names_boxes() => (self.words, None),
            (false, Some((word, _))) if is_ssh_command(word) || is_bracketed(word) => {
                return Err(missing().because(format!("`{}` names a box", quoted(word))));
            }
            (false, _) => return Err(missing()),
        };
        if boxes.is_empty() && !self.fleet.names_boxes() {
            return Err(Problem::new(Exit::Usage, "<SSH> is missing: the SSH command of a box")
                .hint("like 'ssh -p PORT USER@HOST'; --hosts FILE and --vast-json FILE name many"));
        }
        if let Some(folder) = folder {
            if is_ssh_command(folder) || is_bracketed(folder) {
                return Err(missing()
                    .because(format!("the last word is its place, and `{}` names a box", quoted(folder)))
                    .hint(format!(
                        "write the folder behind it; one that is really called so is ./{}",
                        quoted(folder)
                    )));
            }
            if is_file_of_hosts(folder) {
                return Err(Problem::new(
                    Exit::Usage,
                    format!("`{}` is a file here, and no folder on a box", quoted(folder)),
                )
                .hint(format!("a file of boxes is named with --hosts {}", shell_words::quote(folder))));
            }
            check_folder_there(folder).map_err(|why| {
                Problem::new(Exit::Usage, format!("`{}` is no <DIR>, a folder on a box", quoted(folder)))
                    .because(why)
            })?;
        }
        Ok((boxes, folder.map(String::as_str)))
    }
}

/// A pattern for names; a range in it is one, and not the set of characters that it were in a file name.
struct NameGlob {
    globs: Vec<Glob>,
    names: Vec<String>,
}

impl NameGlob {
    fn new(typed: &str) -> Self {
        let names = expand(typed).unwrap_or_default();
        let globs = std::iter::once(typed).chain(names.iter().map(String::as_str)).map(Glob::new).collect();
        Self { globs, names }
    }

    fn matches(&self, name: &str) -> bool {
        self.names.iter().any(|own| own == name) || self.globs.iter().any(|glob| glob.matches(name))
    }
}

/// A pattern that matches no name is a mistake.
fn refuse_useless(typed: &str, targets: &[FleetTarget]) -> Result<(), Problem> {
    let glob = NameGlob::new(typed);
    if targets.iter().any(|target| glob.matches(&target.name)) {
        return Ok(());
    }
    let problem = Problem::new(Exit::Usage, format!("--select {} matches no box", quoted(typed)));
    let names = || targets.iter().map(|target| &*target.name);
    let near = nearest(&Glob::new(typed), names());
    Err(if near.is_empty() {
        problem.hint(format!("there are {}", sanitize(fold(names()), LONGEST_LIST)))
    } else {
        problem.hint(format!("there is {}", sanitize(near.join(", "), LONGEST_LIST)))
    })
}

/// A word that is in the place of a box and hardly means one.
fn refuse_mistaken(word: &str) -> Result<(), Problem> {
    if ["ssh", "ssh.exe"].contains(&word.to_ascii_lowercase().as_str()) {
        return Err(Problem::new(Exit::Usage, "`ssh` is no box").hint(UNQUOTED));
    }
    if is_file_of_hosts(word) {
        return Err(Problem::new(Exit::Usage, format!("`{}` is a file here, and no box", quoted(word)))
            .hint(format!("a file of boxes is named with --hosts {}", shell_words::quote(word))));
    }
    if is_path(word) {
        return Err(Problem::new(Exit::Usage, format!("`{}` is no box", quoted(word)))
            .hint("one command fills one folder on each box, and it is the last word; where it is another one on some boxes, \
                   a line of --hosts FILE names it behind ->"));
    }
    Ok(())
}

/// Whether a word can hardly be meant as a box.
fn is_path(word: &str) -> bool {
    ["/", "./", "../", "~"].iter().any(|start| word.starts_with(start)) || [".", ".."].contains(&word)
}

/// Whether a word can hardly be meant as a folder.
fn is_ssh_command(word: &str) -> bool {
    let words: Vec<&str> = word.split_whitespace().collect();
    let is_login = !word.contains('/')
        && word.split_once('@').is_some_and(|(user, host)| !user.is_empty() && !host.is_empty());
    word.starts_with("ssh://")
        || words.len() > 1 && words[0].eq_ignore_ascii_case("ssh")
        || words.len() == 1 && is_login
}

/// Whether it is the name of many, or is written as one.
fn is_range(word: &str) -> bool {
    let is_other = |names: Vec<String>| names.len() != 1 || names[0] != word.trim();
    !is_path(word) && !word.trim().is_empty() && expand(word).map_or(true, is_other)
}

/// The same where a list with commas may well be the name of a folder.
fn is_bracketed(word: &str) -> bool {
    word.contains('[') && is_range(word)
}

/// Whether a word without a folder in it is the name of a file here.
fn is_file_of_hosts(word: &str) -> bool {
    !word.contains('/') && Path::new(word).is_file()
}

fn quoted(word: &str) -> String {
    sanitize(word, LONGEST_WORD)
}

#[cfg(test)]
mod tests {
    use super::super::fleet_texts::NamedText;
    use super::*;

    fn settled(words: &str, fleet: &FleetArguments, hosts: Option<&str>, vast: Option<&str>) -> String {
        let words: Vec<String> =
            words.split('|').filter(|word| !word.is_empty()).map(str::to_owned).collect();
        let text = |text: &str| NamedText { from: "FILE".to_owned(), bytes: text.as_bytes().to_owned() };
        let texts = FleetTexts { hosts: hosts.map(text), vast_json: vast.map(text) };
        let fleet = FleetArguments {
            hosts: hosts.map(|_| "FILE".to_owned()),
            vast_json: vast.map(|_| "FILE".to_owned()),
            select: fleet.select.clone(),
            ..FleetArguments::default()
        };
        match (TypedPlaces { words: &words, is_cache: false, fleet: &fleet }).settle(&texts) {
            Ok(BoxPlaces::One { ssh, folder }) => format!("one: {ssh} {}", folder.unwrap_or_default()),
            Ok(BoxPlaces::Fleet(FleetMembers { targets, notes })) => {
                let shown = |target: &FleetTarget| {
                    format!("{} = {} {}", target.name, target.ssh, target.folder.clone().unwrap_or_default())
                };
                targets
                    .iter()
                    .map(shown)
                    .chain(notes.into_iter().map(|note| format!("({note})")))
                    .collect::<Vec<_>>()
                    .join(" | ")
            }
            Err(problem) => {
                let causes = problem.causes.join("; ");
                format!(
                    "! {} {}: {causes}: {}",
                    problem.exit.code(),
                    problem.attempted,
                    problem.hint.unwrap_or_default()
                )
            }
        }
    }

    fn typed(words: &str) -> String {
        settled(words, &FleetArguments::default(), None, None)
    }

    fn selected(select: &[&str], hosts: &str) -> String {
        let select = select.iter().map(|glob| (*glob).to_owned()).collect();
        settled("/d", &FleetArguments { select, ..FleetArguments::default() }, Some(hosts), None)
    }

    #[test]
    fn words_are_boxes_and_a_folder() {
        for (words, expected) in [
            ("root@h|/d", "one: root@h /d"),
            ("ssh -p 5 root@[::1]|/d", "one: ssh -p 5 root@[::1] /d"),
            ("root@gpu[1-2]|/d", "gpu1 = root@gpu1 /d | gpu2 = root@gpu2 /d"),
            ("root@a|root@b|/d", "a = root@a /d | b = root@b /d"),
            (
                "root@a:22|ssh root@a|root@b|/d",
                "a = root@a:22 /d | b = root@b /d | (1 target is named more than once, and meant once: a)",
            ),
            ("ssh -p 1 x@a|ssh -p 2 x@a|/d", "a:1 = ssh -p 1 x@a /d | a:2 = ssh -p 2 x@a /d"),
        ] {
            assert_eq!(typed(words), expected, "{words}");
        }
    }

    #[test]
    fn mistakes_are_told() {
        for (words, parts) in [
            ("", &["<DIR> is missing"][..]),
            ("root@h", &["<DIR> is missing", "`root@h` names a box"]),
            ("root@a|root@b", &["<DIR> is missing", "`root@b` names a box", "./root@b"]),
            ("root@a|root@gpu[1-2]", &["<DIR> is missing"]),
            ("/d", &["<DIR> is missing"]),
            ("ssh|root@h|/d", &["`ssh` is no box", "in quotes"]),
            ("root@h|/a|/d", &["`/a` is no box", "behind ->"]),
            ("root@h|root@gpu[5-1]|/d", &["cannot read the hosts", "goes down"]),
            ("gpu[a-z]|/d", &["cannot read the hosts `gpu[a-z]`", "no range of numbers"]),
            ("root@h|root@gpu[1-9999]|/d", &["more than 4096 targets"]),
            ("root@h|b;ad|/d", &["cannot read the SSH command `b;ad`"]),
            ("root@a|root@b|$HOME/x", &["is no <DIR>", "variables mean nothing here"]),
        ] {
            let said = typed(words);
            assert!(
                said.starts_with("! 2 ") && parts.iter().all(|part| said.contains(part)),
                "{words}: {said}"
            );
        }
    }

    #[test]
    fn a_folder_has_no_place_beside_the_cache() {
        let (words, fleet) = (["root@h".to_owned(), "/w".to_owned()], FleetArguments::default());
        let typed = TypedPlaces { words: &words, is_cache: true, fleet: &fleet };
        let problem = typed.settle(&FleetTexts::default()).unwrap_err();
        assert!(problem.attempted.contains("`/w` is a folder"), "{}", problem.attempted);
        assert_eq!(problem.hint.as_deref(), Some("another cache is --cache-dir DIR"));
    }

    #[test]
    fn files_name_boxes() {
        let hosts = |words: &str, hosts: &str| settled(words, &FleetArguments::default(), Some(hosts), None);
        assert_eq!(hosts("/d", "root@h"), "h = root@h /d");
        assert_eq!(hosts("", "root@h -> /own"), "h = root@h /own");
        assert_eq!(hosts("/d", "x = root@h\nx = root@h -> /e"), "x:/d = root@h /d | x:/e = root@h /e");
        assert_eq!(hosts("root@g|/d", "root@h"), "g = root@g /d | h = root@h /d");
        for (words, file, parts) in [
            ("", "root@h -> /own\nroot@g\nroot@f", &["! 2", "<DIR> is missing: the folder on g,f"][..]),
            ("/d", "", &["! 2", "there are no hosts in FILE"]),
            (
                "/d",
                "x = root@h\nx = root@g",
                &[
                    "! 2",
                    "1 line of FILE makes no sense",
                    "line 2: `x` is the name of another box already, in line 1",
                ],
            ),
            (
                "/d",
                "root@h\nb;ad\n\nroot@g -> $HOME",
                &[
                    "! 2",
                    "2 lines of FILE",
                    "line 2: cannot read the SSH command `b;ad`",
                    "line 4: `$HOME` names no folder",
                ],
            ),
            ("root@g", "root@h", &["! 2", "`root@g` names a box"]),
        ] {
            let said = hosts(words, file);
            assert!(parts.iter().all(|part| said.contains(part)), "{words} {file:?}: {said}");
        }
    }

    #[test]
    fn instances_name_boxes() {
        let vast = |words: &str, vast: &str| settled(words, &FleetArguments::default(), None, Some(vast));
        let one = r#"[{"id": 7, "actual_status": "running", "ssh_host": "ssh5.vast.ai", "ssh_port": 10600},
            {"id": 8, "actual_status": "exited"}]"#;
        let expected =
            "7 = ssh://root@ssh5.vast.ai:10600 /d | (passed over, since they do not run: 1 instance exited)";
        assert_eq!(vast("/d", one), expected);
        let none = vast("/d", r#"[{"id": 8, "actual_status": "exited"}]"#);
        assert!(
            none.starts_with("! 5 there is no running instance in FILE: there is 1 instance exited"),
            "{none}"
        );
        assert!(vast("/d", "[]").contains("the list is empty"));
        assert!(vast("/d", "<html>").starts_with("! 2 cannot read the instances of FILE: it is a web page"));
    }

    #[test]
    fn names_are_selected() {
        let hosts = "root@gpu[001-020]\nx = root@h";
        assert_eq!(selected(&["x"], hosts), "x = root@h /d");
        assert_eq!(selected(&["gpu00[1-2]"], hosts).matches(" | ").count(), 1);
        assert_eq!(selected(&["gpu[009-011],x"], hosts).matches(" | ").count(), 3);
        assert_eq!(selected(&["gpu*", "x"], hosts).matches(" | ").count(), 20);
        let near = selected(&["gpu*", "GPU001"], hosts);
        assert!(
            near.starts_with("! 2 --select GPU001 matches no box") && near.contains("there is gpu001"),
            "{near}"
        );
        assert!(selected(&["zzzz"], hosts).contains("there are gpu[001-020],x"));
    }
}
