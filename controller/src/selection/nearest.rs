//! The names that may have been meant by a pattern that matches none: those that differ in case, in their folder, or by a
//! letter or two.
//!
//! Each name is looked at once, character by character, with all states of the pattern in a few machine words (Wu and
//! Manber's way), so that a million names take a fraction of a second.

use super::glob::Glob;
use super::glob_token::GlobToken;

/// The most names that are told.
const MOST: usize = 5;
/// The most characters of a pattern that is compared with names: states are the bits of a word.
const LONGEST: usize = 63;
/// Patterns with fewer characters of their own are like anything.
const ONE_LETTER: usize = 3;
/// The same where two letters may differ.
const TWO_LETTERS: usize = 8;

/// How a name is like a pattern. What comes first is told first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Likeness {
    /// It is what was typed, which stands for something else: `[` has a meaning in a pattern.
    Literal,
    /// It differs in case.
    Case,
    /// The pattern is a folder that it is in.
    Folder,
    /// The pattern's end matches it, and it is in another folder.
    Elsewhere,
    /// One letter is missing, too many, or another.
    Letter,
    /// Two are.
    TwoLetters,
}

/// The names that are most like a pattern, of those that it does not match, most likely first.
pub(crate) fn nearest<'a>(glob: &Glob, names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let whole = Automaton::new(glob.tokens());
    let start =
        glob.tokens().iter().rposition(|token| *token == GlobToken::Literal('/')).map_or(0, |at| at + 1);
    let end = Automaton::new(&glob.tokens()[start..]).filter(|end| end.letters >= ONE_LETTER);
    let folder = glob.literal().map(|folder| format!("{folder}/"));
    let mut found: Vec<(Likeness, String)> = Vec::new();
    for name in names {
        let faults = whole.as_ref().and_then(|whole| whole.faults(name));
        let is_below = |folder: &String| name.starts_with(folder.as_str());
        let is_elsewhere = || {
            let own = name.rsplit('/').next().unwrap_or(name);
            end.as_ref().is_some_and(|end| end.faults(own) == Some(0))
        };
        let (likeness, told) = match (faults, folder.as_ref().filter(|folder| is_below(folder))) {
            _ if name == glob.as_str() => (Likeness::Literal, name),
            (Some(0), _) => (Likeness::Case, name),
            (_, Some(folder)) => (Likeness::Folder, folder.as_str()),
            _ if is_elsewhere() => (Likeness::Elsewhere, name),
            (Some(1), _) => (Likeness::Letter, name),
            (Some(_), _) => (Likeness::TwoLetters, name),
            (None, None) => continue,
        };
        if found.last().is_some_and(|(worst, _)| found.len() == MOST && *worst <= likeness)
            || found.iter().any(|(_, known)| known == told)
        {
            continue;
        }
        found.insert(found.partition_point(|(other, _)| *other <= likeness), (likeness, told.to_owned()));
        found.truncate(MOST);
    }
    found.into_iter().map(|(_, name)| name).collect()
}

/// A pattern as an automaton: state `n` says that its first `n` characters have been found.
struct Automaton {
    /// The tokens that stand for one character each.
    tokens: Vec<GlobToken>,
    /// Which of them may stand for an ASCII character, whatever its case.
    ascii: Vec<u64>,
    /// The states in which any number of characters may follow.
    stars: u64,
    /// The characters of the pattern that are letters of its own.
    letters: usize,
}

impl Automaton {
    /// None for a pattern that has more states than there are bits.
    fn new(pattern: &[GlobToken]) -> Option<Self> {
        let mut automaton = Self { tokens: Vec::new(), ascii: Vec::new(), stars: 0, letters: 0 };
        for token in pattern {
            if automaton.tokens.len() >= LONGEST {
                return None;
            }
            match token {
                GlobToken::Star => automaton.stars |= 1 << automaton.tokens.len(),
                token => automaton.tokens.push(token.clone()),
            }
        }
        automaton.letters =
            automaton.tokens.iter().filter(|token| matches!(token, GlobToken::Literal(_))).count();
        automaton.ascii = (0..128).map(|byte| automaton.mask(char::from(byte))).collect();
        Some(automaton)
    }

    /// Which tokens may stand for a character, whatever its case.
    fn mask(&self, character: char) -> u64 {
        let cases = character.to_lowercase().chain(character.to_uppercase());
        let cases: Vec<char> = [character].into_iter().chain(cases).collect();
        let stands = |token: &GlobToken| cases.iter().any(|case| token.stands_for(*case));
        (0..).zip(&self.tokens).filter(|(_, token)| stands(token)).map(|(at, _)| 1 << at).sum()
    }

    /// How many letters of a name, up to two, are missing, too many, or others than the pattern has.
    fn faults(&self, name: &str) -> Option<usize> {
        let allowed = match self.letters {
            ..ONE_LETTER => 0,
            ONE_LETTER..TWO_LETTERS => 1,
            _ => 2,
        };
        // By the number of faults: the states that can have been reached.
        let mut states = [1_u64, 0b11, 0b111];
        for character in name.chars() {
            let mask = match self.ascii.get(character as usize) {
                Some(mask) => *mask,
                None => self.mask(character),
            };
            let mut before = 0;
            let mut now = 0;
            for reached in &mut states[..=allowed] {
                let follows = (*reached & mask) << 1 | *reached & self.stars;
                // A letter too many, another one, and one that is missing.
                let faulty = before | before << 1 | now << 1;
                (before, now) = (*reached, follows | faulty);
                *reached = now;
            }
        }
        let end = 1_u64 << self.tokens.len();
        states[..=allowed].iter().position(|reached| reached & end != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 8] = [
        "README.md",
        "config.json",
        "onnx/model.onnx",
        "onnx/model_q4.onnx",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
        "unet/config.json",
    ];

    #[test]
    fn names_are_near_by_case_folder_and_a_letter_or_two() {
        for (pattern, expected) in [
            ("Config.json", &["config.json", "unet/config.json"][..]),
            ("readme.md", &["README.md"]),
            ("*.SAFETENSORS", &["model.safetensors"]),
            ("onnx", &["onnx/"]),
            ("onx/", &["onnx/model.onnx", "onnx/model_q4.onnx"]),
            ("model.onnx", &["onnx/model.onnx"]),
            ("vae/config.json", &["config.json", "unet/config.json"]),
            ("confg.json", &["config.json"]),
            ("cofnig.json", &["config.json"]),
            ("*.safetensor", &["model.safetensors"]),
            ("tokeniser*", &["tokenizer.json", "tokenizer_config.json"]),
            ("*.gguf", &[]),
            ("zz", &[]),
            ("?", &[]),
        ] {
            assert_eq!(nearest(&Glob::new(pattern), NAMES.into_iter()), expected, "{pattern}");
        }
    }

    #[test]
    fn a_name_that_was_typed_as_it_is_comes_first() {
        let names = ["[odd] name.tx", "[odd] name.txt", "o name.txt2"];
        assert_eq!(nearest(&Glob::new("[odd] name.txt"), names.into_iter())[0], "[odd] name.txt");
    }

    #[test]
    fn the_likeliest_few_are_told() {
        let names: Vec<String> = (0..1000).map(|number| format!("data/part-{number:04}.parquet")).collect();
        let names = names.iter().map(String::as_str);
        let found = nearest(&Glob::new("DATA/part-0999.parquet"), names);
        assert_eq!(found.len(), MOST);
        assert_eq!(found[0], "data/part-0999.parquet");
    }

    #[test]
    fn a_pattern_of_any_length_is_compared_or_passed_over() {
        for length in [62, 63, 64, 65, 1000] {
            let name = "n".repeat(length);
            let found = nearest(&Glob::new(&name.to_uppercase()), [name.as_str()].into_iter());
            assert_eq!(!found.is_empty(), length <= LONGEST, "{length}");
        }
    }
}
