//! How an error is drawn: what was attempted, why it failed, and what to do next.

use super::sanitize::sanitize;
use super::style::{Colour, Ink};

/// The most characters of one line. An error quotes an answer or a banner, never all of it.
const LONGEST: usize = 2_000;
/// The exit code of a run that was cancelled: no error, but an end that a person wanted.
const CANCELLED: u8 = 130;

/// Draws an error. The hint may have several lines; nothing in any of them reaches the terminal unsanitised.
///
/// ```text
/// error: cannot fetch config.json of meta-llama/Llama-3.2-1B
/// caused by: 403 GatedRepo: access to this model is restricted
///
/// hint: accept the licence at https://huggingface.co/meta-llama/Llama-3.2-1B
/// ```
pub fn draw(message: &str, causes: &[String], hint: Option<&str>, exit_code: u8, colour: Colour) -> String {
    let message = sanitize(message, LONGEST);
    let headline = match exit_code {
        CANCELLED if message.is_empty() => "cancelled".to_owned(),
        CANCELLED => message,
        _ => format!("{} {message}", colour.paint(Ink::Red, "error:")),
    };
    let mut lines = vec![headline];
    let because = |cause| format!("{} {}", colour.paint(Ink::Bold, "caused by:"), sanitize(cause, LONGEST));
    lines.extend(causes.iter().map(because));
    if let Some(hint) = hint {
        let hint: Vec<_> = hint.lines().map(|line| sanitize(line, LONGEST)).collect();
        lines.push(String::new());
        lines.push(format!("{} {}", colour.paint(Ink::Cyan, "hint:"), hint.join("\n      ")));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_causes_as_a_chain_and_the_hint_on_its_own_line() {
        let causes = ["403 GatedRepo: access is restricted".to_owned(), "a \u{1b}[2Jbox's\nword".to_owned()];
        let message = "cannot fetch config.json of meta-llama/Llama-3.2-1B";
        insta::assert_snapshot!(draw(message, &causes, Some("accept the licence,\nthen pass a token"), 4, Colour::Plain), @r"
        error: cannot fetch config.json of meta-llama/Llama-3.2-1B
        caused by: 403 GatedRepo: access is restricted
        caused by: a [2Jbox's word

        hint: accept the licence,
              then pass a token
        ");
    }

    #[test]
    fn is_one_line_where_there_is_no_more_to_say() {
        assert_eq!(draw("cannot start", &[], None, 1, Colour::Plain), "error: cannot start");
        assert_eq!(
            draw("cannot start", &[], None, 1, Colour::Coloured),
            "\u{1b}[1;31merror:\u{1b}[0m cannot start"
        );
    }

    #[test]
    fn to_cancel_is_no_error() {
        assert_eq!(
            draw("cancelled", &[], Some("run it again"), 130, Colour::Plain),
            "cancelled\n\nhint: run it again"
        );
    }
}
