//! Texts as they come out of chats, documents and shells: what stands around what is meant.

use crate::text::is_hidden;

/// Without what chats, shells and sentences put around it.
pub(super) fn bare(text: &str) -> &str {
    const PAIRS: [(char, char); 9] = [
        ('"', '"'),
        ('\'', '\''),
        ('`', '`'),
        ('<', '>'),
        ('(', ')'),
        ('[', ']'),
        ('“', '”'),
        ('‘', '’'),
        ('«', '»'),
    ];
    let mut text = text;
    loop {
        let mut inner = text.trim_matches(|edge: char| edge.is_whitespace() || is_hidden(edge));
        for (open, close) in PAIRS {
            let within = inner.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
            inner = within.unwrap_or(inner);
        }
        // The end of a sentence.
        inner = match inner.strip_suffix(['.', ',', ';']) {
            Some(rest)
                if rest.ends_with(|last: char| last.is_alphanumeric() || "/\"'`>)]”’»".contains(last)) =>
            {
                rest
            }
            _ => inner,
        };
        if inner == text {
            return text;
        }
        text = inner;
    }
}

/// Whether it is a path of this machine, of whatever system.
pub(super) fn is_local(text: &str) -> bool {
    let begins = ["/", "./", "../", "~"].iter().any(|start| text.starts_with(start));
    let is_drive = text.len() > 2 && text.as_bytes()[0].is_ascii_alphabetic() && text[1..].starts_with(":/");
    begins || is_drive || text.contains('\\') || [".", ".."].contains(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_around_a_text_is_taken_off() {
        for (text, expected) in [
            ("org/name", "org/name"),
            (" org/name\r\n", "org/name"),
            ("\u{feff}org/name\u{200b}", "org/name"),
            ("'\"`org/name`\"'", "org/name"),
            ("(<https://hf.co/a/b>).", "https://hf.co/a/b"),
            ("“org/name”,", "org/name"),
            ("org/v1.5.", "org/v1.5"),
            ("'org/name", "'org/name"),
            ("..", ".."),
            ("``", ""),
            ("", ""),
        ] {
            assert_eq!(bare(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_path_of_this_machine_is_one_of_any_system() {
        for text in ["/a", "./a", "../a", "~", "~/a", "~user/a", ".", "..", "C:\\a", "c:/a", "a\\b"] {
            assert!(is_local(text), "{text}");
        }
        for text in ["a/b", "a.b", "c:", "a:b/c", "https://a/b", "-a"] {
            assert!(!is_local(text), "{text}");
        }
    }
}
