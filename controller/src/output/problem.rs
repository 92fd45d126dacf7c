//! How an error is drawn: what was attempted, why it failed, and what to do next.

use super::style::{Colour, Highlight};
use crate::problem::{Exit, Problem};
use crate::text::sanitize;

/// The most characters of one line. An error quotes an answer or a banner, never all of it.
const LONGEST: usize = 2_000;

/// Draws an error. The hint may have several lines; nothing in any of them reaches the terminal unsanitised.
///
/// ```text
/// error: cannot fetch config.json of meta-llama/Llama-3.2-1B
/// caused by: 403 GatedRepo: access to this model is restricted
///
/// hint: accept the licence at https://huggingface.co/meta-llama/Llama-3.2-1B
/// ```
pub(super) fn draw(problem: &Problem, colour: Colour) -> String {
    let Problem { attempted, causes, hint, exit, brief: _ } = problem;
    let message = sanitize(attempted, LONGEST);
    let headline = match exit {
        // No error, but an end that the user wanted.
        Exit::Cancelled if message.is_empty() => "cancelled".to_owned(),
        Exit::Cancelled => message,
        _ => format!("{} {message}", colour.paint(Highlight::Red, "error:")),
    };
    let mut lines = vec![headline];
    let because =
        |cause| format!("{} {}", colour.paint(Highlight::Bold, "caused by:"), sanitize(cause, LONGEST));
    lines.extend(causes.iter().map(because));
    if let Some(hint) = hint {
        let hint: Vec<_> = hint.lines().map(|line| sanitize(line, LONGEST)).collect();
        lines.push(String::new());
        lines.push(format!("{} {}", colour.paint(Highlight::Cyan, "hint:"), hint.join("\n      ")));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_causes_as_a_chain_and_the_hint_on_its_own_line() {
        let problem = Problem::new(Exit::NotAllowed, "cannot fetch config.json of meta-llama/Llama-3.2-1B")
            .because("403 GatedRepo: access is restricted")
            .because("a \u{1b}[2Jbox's\nword")
            .hint("accept the licence,\nthen pass a token");
        insta::assert_snapshot!(draw(&problem, Colour::Plain), @r"
        error: cannot fetch config.json of meta-llama/Llama-3.2-1B
        caused by: 403 GatedRepo: access is restricted
        caused by: a [2Jbox's word

        hint: accept the licence,
              then pass a token
        ");
    }

    #[test]
    fn is_one_line_where_there_is_no_more_to_say() {
        let problem = Problem::new(Exit::Failed, "cannot start");
        assert_eq!(draw(&problem, Colour::Plain), "error: cannot start");
        assert_eq!(draw(&problem, Colour::Coloured), "\u{1b}[1;31merror:\u{1b}[0m cannot start");
    }

    #[test]
    fn to_cancel_is_no_error() {
        let problem = Problem::new(Exit::Cancelled, "cancelled").hint("run it again");
        assert_eq!(draw(&problem, Colour::Plain), "cancelled\n\nhint: run it again");
    }
}
