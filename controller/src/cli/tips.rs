//! What is added to a complaint about a command line: an SSH command without quotes, say, which to clap is options and folders
//! too many.

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::elsewhere::instead;

const UNQUOTED: &str =
    "the SSH command is one word: put it in quotes, like 'ssh -p 20544 root@142.214.185.187'";

const ANOTHER_CACHE: &str = "--cache stands in the place of DIR; another cache is --cache-dir DIR";

/// A complaint, with what to type instead. `words` begin with the verb.
pub(super) fn with_tip(mut error: clap::Error, words: &[&str]) -> clap::Error {
    let verb = words.first().copied().unwrap_or_default();
    let is_to_a_box = ["rsync-to-vast", "push", "attach", "stop", "status"].contains(&verb)
        || verb == "verify" && words.contains(&"ssh");
    let unknown = unknown_word(&error).map(str::to_owned);
    let is_cache_with_folder = names(&error, "--cache") && names(&error, "DIR");
    let tip = match unknown.as_deref() {
        Some(word) if is_to_a_box && !word.starts_with("--") => Some(UNQUOTED.to_owned()),
        Some(word) => instead(word, words),
        None if is_cache_with_folder => Some(ANOTHER_CACHE.to_owned()),
        None => None,
    };
    if let Some(tip) = tip {
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![StyledStr::from(tip)]));
    }
    error
}

/// Whether an error is a conflict with this argument.
fn names(error: &clap::Error, argument: &str) -> bool {
    let is_it = |word: &String| word.trim_matches(['<', '>', '[', ']']) == argument;
    let names = |kind| match error.get(kind) {
        Some(ContextValue::String(word)) => is_it(word),
        Some(ContextValue::Strings(words)) => words.iter().any(is_it),
        _ => false,
    };
    error.kind() == ErrorKind::ArgumentConflict
        && (names(ContextKind::InvalidArg) || names(ContextKind::PriorArg))
}

/// The word that makes no sense to clap.
fn unknown_word(error: &clap::Error) -> Option<&str> {
    match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(word)) if error.kind() == ErrorKind::UnknownArgument => Some(word),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;
    use crate::cli::Arguments;

    fn complaint(words: &str) -> String {
        let words = words.split(' ').map(OsString::from);
        Arguments::read(words).expect_err("it makes no sense").to_string()
    }

    #[test]
    fn a_folder_beside_the_cache_is_told_apart_from_another_cache() {
        for words in ["hfdown download gpt2 --cache /x", "hfdown sync gpt2 /x --cache"] {
            assert!(complaint(words).contains(&format!("tip: {ANOTHER_CACHE}\n")), "{}", complaint(words));
        }
        let other = complaint("hfdown download gpt2 --cache --quiet --verbose");
        assert!(!other.contains(ANOTHER_CACHE), "{other}");
    }

    #[test]
    fn an_ssh_command_without_quotes_is_told_so() {
        for words in [
            "hfdown rsync-to-vast gpt2 ssh -p 20544 root@h /workspace",
            "hfdown attach ssh -p 1 root@h /workspace",
            "hfdown stop root@h -p 1 /workspace",
            "hfdown verify gpt2 ssh -p 20544 root@h /workspace",
        ] {
            assert!(
                complaint(words).contains(&format!("tip: {UNQUOTED}\n")),
                "{words}: {}",
                complaint(words)
            );
        }
        for words in ["hfdown push gpt2 root@h /w --detatch", "hfdown download gpt2 a b", "hfdown info -p"] {
            assert!(!complaint(words).contains(UNQUOTED), "{words}: {}", complaint(words));
        }
    }
}
