//! One line: a keyword, and its arguments.

/// The keyword, as it was written, and the rest: `Port 22`, `Port=22`, `Port = 22`. None for a comment or an empty
/// line.
pub(super) fn split_keyword(line: &str) -> Option<(&str, &str)> {
    let line = line.trim_matches([' ', '\t', '\r', '\n', '\u{c}']);
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let ends = |character: char| character == '=' || character.is_ascii_whitespace();
    let (keyword, rest) = line.split_at(line.find(ends).unwrap_or(line.len()));
    let rest = rest.trim_start();
    let rest = rest.strip_prefix('=').unwrap_or(rest).trim_start();
    Some((keyword, rest))
}

/// Splits as OpenSSH's `argv_split` does: both kinds of quotes, `\` before a quote, a `\` or (outside of quotes) a
/// space, and a comment where a word begins with `#`. None if a quote is not closed.
pub(in super::super) fn split_arguments(text: &str) -> Option<Vec<String>> {
    let mut arguments = Vec::new();
    let mut characters = text.chars().peekable();
    while let Some(first) = characters.peek() {
        match first {
            ' ' | '\t' => {
                characters.next();
            }
            '#' => break,
            _ => arguments.push(word(&mut characters)?),
        }
    }
    Some(arguments)
}

fn word(characters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<String> {
    let mut word = String::new();
    let mut quote = None;
    while let Some(character) = characters.next() {
        match (character, quote) {
            ('\\', _) => {
                let escaped = characters
                    .next_if(|next| matches!(next, '\'' | '"' | '\\') || (quote.is_none() && *next == ' '));
                word.push(escaped.unwrap_or('\\'));
            }
            (' ' | '\t', None) => return Some(word),
            ('"' | '\'', None) => quote = Some(character),
            (_, Some(open)) if character == open => quote = None,
            _ => word.push(character),
        }
    }
    quote.is_none().then_some(word)
}
