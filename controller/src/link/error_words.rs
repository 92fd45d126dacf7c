//! The parts of a link error's sentence that depend on what was seen.

use std::time::Duration;

use super::command_exit::CommandExit;
use super::keys::{AnswerFailure, TriedKey};

pub(super) fn list(tried: &[TriedKey]) -> String {
    if tried.is_empty() {
        return "there is no key to try".to_owned();
    }
    format!("tried {}", tried.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
}

/// What became of an agent instead of a greeting.
pub(super) fn not_started(exit: Option<&CommandExit>) -> String {
    match (exit, exit.and_then(CommandExit::signal)) {
        (_, Some(signal)) => signal.in_words(" before it greeted"),
        (Some(exit), None) => format!("did not start ({exit})"),
        (None, None) => "did not start".to_owned(),
    }
}

/// What a server takes beside keys, which is worth a word only then.
pub(super) fn other_methods(methods: &str) -> String {
    if matches!(methods, "" | "publickey") { String::new() } else { format!("; it takes {methods}") }
}

pub(super) fn methods_of(methods: &str) -> &str {
    if methods.is_empty() { "nothing that hfdown knows" } else { methods }
}

/// What a server wants beside what it has accepted.
pub(super) fn factor(methods: &str) -> String {
    match methods {
        "publickey" => "another key".to_owned(),
        "" => "something that hfdown does not know".to_owned(),
        methods => format!("{methods} (a second factor)"),
    }
}

pub(super) fn because(question: &str, failure: Option<&AnswerFailure>) -> String {
    match (question, failure) {
        ("", None) => String::new(),
        ("", Some(failure)) => format!(": {failure}"),
        (question, None) => format!(": it asked `{question}`"),
        (question, Some(failure)) => format!(": it asked `{question}`, and {failure}"),
    }
}

/// What a shell did that ran nothing.
pub(super) fn idle(exit: Option<&CommandExit>, waited: Option<Duration>) -> String {
    match (exit, waited) {
        (Some(exit), _) => format!(" ({exit})"),
        (None, Some(waited)) => format!(" (we waited for it for {} s)", waited.as_secs()),
        (None, None) => String::new(),
    }
}

pub(super) fn printed(said: &str) -> String {
    if said.is_empty() { "; it printed nothing".to_owned() } else { format!("; it printed: {said}") }
}

pub(super) fn says(said: &str) -> String {
    if said.is_empty() { String::new() } else { format!(": it says `{said}`") }
}

pub(super) fn quoted(said: &str) -> String {
    if said.is_empty() { String::new() } else { format!(": {said}") }
}
