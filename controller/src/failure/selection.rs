//! Selections that come to nothing, with what there is instead.

use super::{Exit, Problem};
use crate::selection::{
    Glob, GlobShare, MissingShards, NoQuantisation, NothingSelected, QuantisationFiles, SelectionError,
    SelectionNote,
};
use crate::text::sanitize;
use crate::text::units::{bytes, count};

/// The most characters of a name, or of a pattern that a user typed.
const LONGEST: usize = 200;
/// The most quantisations that are named. Repositories that have all of them have about thirty.
const MOST: usize = 40;
const BOTH: &str = "with --quant, only what all of these options want is fetched";

/// A selection that can't be had. `info` is the command that lists the files.
pub fn selection(attempted: String, error: &SelectionError, info: &str) -> Problem {
    let lists = format!("`{info}` lists its files");
    match error {
        SelectionError::RefusedName | SelectionError::Refused(_) => {
            Problem::new(Exit::Failed, attempted).because(error)
        }
        SelectionError::NotListed { nearest } => {
            let hint = near(nearest).map_or_else(|| lists.clone(), |near| format!("{near}; {lists}"));
            Problem::new(Exit::NotFound, attempted).because(error).hint(hint)
        }
        SelectionError::Nothing(nothing) => {
            let (cause, advice) = nothing_selected(nothing);
            let problem = Problem::new(Exit::NotFound, attempted).because(cause);
            problem.hint(advice.into_iter().chain([lists]).collect::<Vec<_>>().join("; "))
        }
    }
}

/// Why nothing is selected, and what may have been meant.
fn nothing_selected(nothing: &NothingSelected) -> (String, Vec<String>) {
    match nothing {
        NothingSelected::NotIncluded { globs, files, nearest } => {
            let patterns: Vec<_> = globs.iter().map(shown).collect();
            let cause = match files {
                0 => "there are no files".to_owned(),
                1 => format!("its one file does not match --include {}", patterns.join(" or ")),
                files => format!("none of its {files} files matches --include {}", patterns.join(" or ")),
            };
            let advice = near(nearest).into_iter().chain(globs.iter().filter_map(misread));
            (cause, advice.collect())
        }
        NothingSelected::Excluded { files } => {
            let cause =
                format!("--exclude leaves out all of it, {} that would be wanted", count(*files, "file"));
            (cause, Vec::new())
        }
        NothingSelected::Quantisation { why, there, globs } => no_quantisation(why, there, *globs),
    }
}

/// Why no file has a quantisation, and what may have been meant.
fn no_quantisation(
    why: &NoQuantisation,
    there: &[QuantisationFiles],
    globs: GlobShare,
) -> (String, Vec<String>) {
    let is_by_globs = globs == GlobShare::Wanted;
    match why {
        NoQuantisation::NoGguf if is_by_globs => {
            ("--include or --exclude leave out all of its GGUF files".to_owned(), vec![BOTH.to_owned()])
        }
        NoQuantisation::NoGguf => {
            ("it has no GGUF files, which alone have quantisations to choose from".to_owned(), Vec::new())
        }
        NoQuantisation::NoProjector if is_by_globs => (
            "--include or --exclude leave out the projectors (mmproj) for these models".to_owned(),
            vec!["leave out --mmproj, or the pattern".to_owned()],
        ),
        NoQuantisation::NoProjector => (
            "it has no projector (mmproj) for these models".to_owned(),
            vec!["leave out --mmproj".to_owned()],
        ),
        NoQuantisation::NotThere(wanted) => {
            let wanted = sanitize(wanted.as_str(), LONGEST);
            let cause = if is_by_globs {
                format!("--include or --exclude leave out all files of {wanted}")
            } else {
                format!("no GGUF file of it is quantised as {wanted}")
            };
            let both = is_by_globs.then(|| BOTH.to_owned());
            (cause, both.into_iter().chain([there_is(there, globs)]).collect())
        }
    }
}

/// What is worth knowing of a selection.
pub fn selection_note(note: &SelectionNote) -> String {
    let told = |glob: &Glob, nearest: &[String], what: &str| {
        let advice: Vec<_> = near(nearest).into_iter().chain(misread(glob)).collect();
        let advice = if advice.is_empty() { String::new() } else { format!(" ({})", advice.join("; ")) };
        format!("no file matches {what} {}{advice}", shown(glob))
    };
    match note {
        SelectionNote::NothingIncluded { glob, nearest } => told(glob, nearest, "--include"),
        SelectionNote::NothingExcluded { glob, nearest } => told(glob, nearest, "--exclude"),
        SelectionNote::MissingShards(MissingShards { listed, missing, numbers, of }) => {
            let listed = sanitize(listed, LONGEST);
            let more = if numbers.len() < *missing { ", …" } else { "" };
            let numbers: Vec<_> = numbers.iter().map(u32::to_string).collect();
            format!(
                "the repository lists {listed} and only {} of its {of} shards: {}{more} {} missing",
                *of as usize - missing,
                numbers.join(", "),
                if *missing == 1 { "is" } else { "are" }
            )
        }
    }
}

/// The quantisations that there are, or that globs leave.
fn there_is(there: &[QuantisationFiles], globs: GlobShare) -> String {
    let is_all = globs == GlobShare::None;
    let there_is = if is_all { "there is" } else { "--include and --exclude leave" };
    let named: Vec<_> = there
        .iter()
        .filter_map(|group| Some(format!("{} ({})", group.quantisation.as_ref()?, bytes(group.bytes))))
        .collect();
    let unnamed: usize =
        there.iter().filter(|group| group.quantisation.is_none()).map(|group| group.files).sum();
    let more = match named.len().saturating_sub(MOST) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let list = named.iter().take(MOST).map(String::as_str).collect::<Vec<_>>().join(", ");
    match (named.is_empty(), unnamed) {
        (false, 0) => format!("{there_is} {list}{more}"),
        (false, _) => {
            format!(
                "{there_is} {list}{more}, and {} whose name says none, for --include",
                count(unnamed, "GGUF file")
            )
        }
        (true, 0) if is_all => "there is no model among its GGUF files".to_owned(),
        (true, 0) => format!("{there_is} no model of its GGUF files"),
        (true, _) if !is_all => {
            format!("{there_is} {} whose name says none", count(unnamed, "GGUF file"))
        }
        (true, _) => {
            format!(
                "the names of its {} say no quantisation: choose with --include",
                count(unnamed, "GGUF file")
            )
        }
    }
}

fn near(nearest: &[String]) -> Option<String> {
    let names: Vec<_> = nearest.iter().map(|name| format!("`{}`", sanitize(name, LONGEST))).collect();
    (!names.is_empty())
        .then(|| format!("the nearest {} {}", if names.len() == 1 { "is" } else { "are" }, names.join(", ")))
}

/// What a pattern has in it that means something elsewhere.
fn misread(glob: &Glob) -> Option<String> {
    let pattern = glob.as_str();
    let has = |characters: &str| characters.chars().all(|character| pattern.contains(character));
    if has("{,}") {
        Some(format!(
            "braces in {} stand for themselves: each alternative is an option of its own",
            shown(glob)
        ))
    } else if has(",") {
        Some(format!("the comma in {} stands for itself: each pattern is an option of its own", shown(glob)))
    } else if glob.has_unclosed_bracket() {
        Some(format!("the `[` in {} stands for itself, since no `]` closes it", shown(glob)))
    } else {
        None
    }
}

fn shown(glob: &Glob) -> String {
    format!("`{}`", sanitize(glob.as_str(), LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::selection::Quantisation;

    fn not_there(why: NoQuantisation, there: Vec<QuantisationFiles>, globs: GlobShare) -> Problem {
        let nothing = NothingSelected::Quantisation { why, there, globs };
        selection(
            "cannot select files of a/b".to_owned(),
            &SelectionError::Nothing(nothing),
            "hfdown info a/b",
        )
    }

    fn group(name: Option<&str>, bytes: u64) -> QuantisationFiles {
        QuantisationFiles { quantisation: name.map(Quantisation::named), files: 2, shards: 0, bytes }
    }

    #[test]
    fn a_quantisation_that_is_not_there_is_answered_with_those_that_are() {
        let lists = "`hfdown info a/b` lists its files";
        for (there, hint) in [
            (
                vec![group(Some("Q4_0"), 4_100_000_000), group(Some("Q8_0"), 8_500_000_000)],
                "there is Q4_0 (4.1 GB), Q8_0 (8.5 GB)",
            ),
            (
                vec![group(None, 5), group(Some("Q4_0"), 4_100_000_000)],
                "there is Q4_0 (4.1 GB), and 2 GGUF files whose name says none, for --include",
            ),
            (
                vec![group(None, 5)],
                "the names of its 2 GGUF files say no quantisation: choose with --include",
            ),
            (vec![], "there is no model among its GGUF files"),
        ] {
            let why = NoQuantisation::NotThere(Quantisation::named("q3_k_s"));
            let problem = not_there(why, there, GlobShare::None);
            assert_eq!(
                (problem.exit, &problem.causes[..]),
                (Exit::NotFound, &["no GGUF file of it is quantised as Q3_K_S".to_owned()][..])
            );
            assert_eq!(problem.hint.unwrap(), format!("{hint}; {lists}"));
        }
    }

    #[test]
    fn what_globs_leave_out_is_not_said_to_be_missing_and_not_offered() {
        let wanted = || NoQuantisation::NotThere(Quantisation::named("q3_k_s"));
        for (why, there, globs, cause, hint) in [
            (
                NoQuantisation::NoGguf,
                vec![],
                GlobShare::Wanted,
                "--include or --exclude leave out all of its GGUF",
                BOTH,
            ),
            (
                NoQuantisation::NoProjector,
                vec![],
                GlobShare::Wanted,
                "--include or --exclude leave out the projectors",
                "leave out --mmproj, or",
            ),
            (NoQuantisation::NoGguf, vec![], GlobShare::None, "it has no GGUF files", "`hfdown info"),
            (
                wanted(),
                vec![group(Some("Q8_0"), 9)],
                GlobShare::Others,
                "no GGUF file of it is quantised as Q3_K_S",
                "--include and --exclude leave Q8_0 (9 B); ",
            ),
            (
                wanted(),
                vec![],
                GlobShare::Others,
                "no GGUF file",
                "--include and --exclude leave no model of its GGUF files; ",
            ),
            (
                wanted(),
                vec![group(None, 9)],
                GlobShare::Wanted,
                "--include or --exclude leave out all files of Q3_K_S",
                BOTH,
            ),
        ] {
            let problem = not_there(why.clone(), there, globs);
            assert!(problem.causes[0].starts_with(cause), "{why:?}, {globs:?}: {problem:?}");
            assert!(problem.hint.as_ref().unwrap().starts_with(hint), "{why:?}, {globs:?}: {problem:?}");
        }
    }

    #[test]
    fn patterns_of_other_programs_are_called_what_they_are() {
        for (pattern, expected) in [
            ("*.{json,txt}", Some("braces in `*.{json,txt}` stand for themselves")),
            ("*.json,*.txt", Some("the comma in `*.json,*.txt` stands for itself")),
            ("model[1.bin", Some("the `[` in `model[1.bin` stands for itself")),
            ("*.json", None),
        ] {
            let found = misread(&pattern.parse().unwrap());
            assert_eq!(found.is_some(), expected.is_some(), "{pattern}");
            assert!(found.is_none_or(|found| found.starts_with(expected.unwrap())), "{pattern}");
        }
    }
}
