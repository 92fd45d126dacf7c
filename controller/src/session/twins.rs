//! Files that would be one on a disk that can't tell their names apart.

use std::borrow::Cow;
use std::collections::HashMap;

use hfdown_protocol::{Failure, FailureKind, Folding, RepoPath, RepoPathRef};
use icu_normalizer::DecomposingNormalizerBorrowed;

/// The names that have their place on a disk. Of those that it can't tell apart, the first one has it.
#[derive(Debug)]
pub(super) struct PlacedNames<'a> {
    folding: Folding,
    /// By what the disk makes of their names.
    files: HashMap<String, RepoPathRef<'a>>,
    /// The folders that these files need, each with the first that needs it.
    folders: HashMap<String, RepoPathRef<'a>>,
}

impl<'a> PlacedNames<'a> {
    /// No names yet.
    pub(super) fn on(folding: Folding) -> Self {
        Self { folding, files: HashMap::new(), folders: HashMap::new() }
    }

    /// Gives a file its place, unless one of those before it has it.
    pub(super) fn place(&mut self, path: RepoPathRef<'a>) -> Result<(), Failure> {
        if self.folding == Folding::Nothing {
            return Ok(());
        }
        let name = folded(path.as_str(), self.folding).into_owned();
        let clash = |what: &str, other: RepoPathRef<'_>| {
            Failure::new(
                FailureKind::InTheWay,
                format_args!("{path} and {other} {what}{}", spelt(path, other)),
            )
        };
        if let Some(first) = self.files.get(&name) {
            return Err(clash("are the same name on this disk", *first));
        }
        if let Some(file) = folders_above(&name).find_map(|folder| self.files.get(folder)) {
            return Err(clash("need a folder and a file of the same name on this disk", *file));
        }
        if let Some(below) = self.folders.get(&name) {
            return Err(clash("need a file and a folder of the same name on this disk", *below));
        }
        for folder in folders_above(&name) {
            if !self.folders.contains_key(folder) {
                self.folders.insert(folder.to_owned(), path);
            }
        }
        self.files.insert(name, path);
        Ok(())
    }

    /// Whether one of the files stands at this name.
    pub(super) fn has(&self, path: &RepoPath) -> bool {
        self.folding != Folding::Nothing && self.files.contains_key(&*folded(path.as_str(), self.folding))
    }
}

/// What such a disk compares names by.
fn folded(name: &str, folding: Folding) -> Cow<'_, str> {
    match folding {
        Folding::Nothing => Cow::Borrowed(name),
        Folding::Case => Cow::Owned(name.to_lowercase()),
        Folding::Normalisation => decomposed(name),
        // A small letter may have a spelling that the capital has not.
        Folding::CaseAndNormalisation => {
            Cow::Owned(decomposed(&decomposed(name).to_lowercase()).into_owned())
        }
    }
}

fn decomposed(name: &str) -> Cow<'_, str> {
    DecomposingNormalizerBorrowed::new_nfd().normalize(name)
}

/// The folders that a path lies in, the innermost first.
fn folders_above(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path), |path| path.rsplit_once('/').map(|(above, _)| above)).skip(1)
}

/// What is to be said where two names look alike.
fn spelt(path: RepoPathRef<'_>, other: RepoPathRef<'_>) -> &'static str {
    let is_spelling = path != other && decomposed(path.as_str()) == decomposed(other.as_str());
    if is_spelling { " (their letters are encoded in two ways)" } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hfdown_protocol::Folding::{Case, CaseAndNormalisation, Normalisation, Nothing};

    /// What is refused of these, in this order.
    fn refused(folding: Folding, paths: &[&str]) -> Vec<String> {
        let paths: Vec<_> = paths.iter().map(|path| RepoPath::new(*path).unwrap()).collect();
        let mut names = PlacedNames::on(folding);
        paths.iter().filter_map(|path| names.place(path.view()).err()).map(|failure| failure.detail).collect()
    }

    #[test]
    fn of_names_that_a_disk_takes_for_one_the_first_has_the_place() {
        for (paths, folders) in [
            (["Model.bin", "model.bin"], [Case, CaseAndNormalisation].as_slice()),
            (["Ä/x", "ä/X"], &[Case, CaseAndNormalisation]),
            (["\u{e9}", "e\u{301}"], &[Normalisation, CaseAndNormalisation]),
            (["e\u{301}", "\u{e9}"], &[Normalisation, CaseAndNormalisation]),
            (["\u{e9}/a", "e\u{301}/a"], &[Normalisation, CaseAndNormalisation]),
            (["x/\u{ac00}/a", "x/\u{1100}\u{1161}/a"], &[Normalisation, CaseAndNormalisation]),
            // Accents in another order.
            (["a\u{323}\u{307}", "a\u{307}\u{323}"], &[Normalisation, CaseAndNormalisation]),
            // A unit that is a letter: its small letter is that one's as well.
            (["\u{212b}", "\u{c5}"], &[Case, Normalisation, CaseAndNormalisation]),
            (["\u{c9}", "e\u{301}"], &[CaseAndNormalisation]),
            (["E\u{301}/a", "\u{e9}/A"], &[CaseAndNormalisation]),
            // Alike to the eye alone, or in one folder.
            (["\u{2460}", "1"], &[]),
            (["\u{fb01}", "fi"], &[]),
            (["\u{e9}", "e"], &[]),
            (["\u{e9}/a", "e\u{301}/b"], &[]),
        ] {
            for folding in [Nothing, Case, Normalisation, CaseAndNormalisation] {
                let refused = refused(folding, &paths);
                let expected = format!("{} and {} are the same name on this disk", paths[1], paths[0]);
                assert_eq!(refused.len(), usize::from(folders.contains(&folding)), "{folding:?}: {paths:?}");
                assert!(refused.iter().all(|said| said.starts_with(&expected)), "{refused:?}");
            }
        }
    }

    #[test]
    fn names_that_look_alike_are_said_to() {
        let said = refused(CaseAndNormalisation, &["\u{e9}", "e\u{301}", "A", "a"]);
        assert_eq!(
            said,
            [
                "e\u{301} and \u{e9} are the same name on this disk (their letters are encoded in two ways)",
                "a and A are the same name on this disk"
            ]
        );
    }

    #[test]
    fn a_file_stands_in_the_way_of_a_folder_of_its_name_and_what_is_refused_in_nothings() {
        let file_first = refused(Normalisation, &["x/\u{e9}", "x/e\u{301}/a/b", "x/e\u{301}/c", "x/other"]);
        let both = "need a folder and a file of the same name on this disk";
        assert_eq!(
            file_first,
            [format!("x/e\u{301}/a/b and x/\u{e9} {both}"), format!("x/e\u{301}/c and x/\u{e9} {both}")]
        );
        let folder_first = refused(Case, &["A/b/c", "a/B", "a/b/d", "a"]);
        let both = "need a file and a folder of the same name on this disk";
        assert_eq!(folder_first, [format!("a/B and A/b/c {both}"), format!("a and A/b/c {both}")]);
        // `x` is refused, so that nothing of `x/…` needs to be.
        assert_eq!(refused(Case, &["X/a", "x", "x/b"]).len(), 1);
    }

    #[test]
    fn an_extraneous_file_under_another_spelling_of_a_wanted_one_is_that_one() {
        let (wanted, other) = (RepoPath::new("E\u{301}").unwrap(), RepoPath::new("\u{e9}").unwrap());
        for (folding, expected) in [(Nothing, false), (Case, false), (CaseAndNormalisation, true)] {
            let mut names = PlacedNames::on(folding);
            names.place(wanted.view()).unwrap();
            assert_eq!(names.has(&other), expected, "{folding:?}");
        }
    }
}
