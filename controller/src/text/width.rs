//! How many columns of a terminal a text takes: wide characters take two, combining ones none.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The columns of a text.
pub(crate) fn columns(text: &str) -> usize {
    text.width()
}

/// A text of so many columns at most: what comes first of it.
pub(crate) fn cut(text: &str, columns: usize) -> &str {
    // A text is not always as wide as its characters are one by one: an emoji's variation selector widens it.
    let ends = text.char_indices().map(|(start, character)| start + character.len_utf8());
    let end = ends.take_while(|end| text[..*end].width() <= columns).last();
    &text[..end.unwrap_or(0)]
}

/// A text of so many columns at most: what comes last of it. It does not begin with a combining character, which would
/// join what stands before it.
pub(crate) fn cut_start(text: &str, columns: usize) -> &str {
    let kept = text.char_indices().rev().take_while(|(start, _)| text[*start..].width() <= columns);
    let start = kept.last().map_or(text.len(), |(start, _)| start);
    text[start..].trim_start_matches(|character: char| character.width() == Some(0))
}

/// A text filled up with spaces to so many columns.
pub(crate) fn padded(text: &str, width: usize) -> String {
    text.to_owned() + &" ".repeat(width.saturating_sub(columns(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An `e` with its accent as a character of its own.
    const ACCENTED: &str = "e\u{301}";

    #[test]
    fn wide_characters_take_two_columns_and_combining_ones_none() {
        let decomposed = format!("caf{ACCENTED}");
        for (text, expected) in [
            ("", 0),
            ("model.safetensors", 17),
            ("für", 3),
            ("模型", 4),
            ("ｆｕｌｌ", 8),
            ("🤗", 2),
            ("━╸…·", 4),
            (decomposed.as_str(), 4),
        ] {
            assert_eq!(columns(text), expected, "{text}");
        }
    }

    #[test]
    fn cuts_between_characters_and_never_wider_than_allowed() {
        let accents = ACCENTED.repeat(3);
        for (text, width, first, last) in [
            ("abc", 0, "", ""),
            ("abc", 2, "ab", "bc"),
            ("abc", 3, "abc", "abc"),
            ("模型", 3, "模", "型"),
            ("模型", 1, "", ""),
            ("a🤗b", 2, "a", "b"),
            // The variation selector makes the heart a wide one.
            ("❤\u{fe0f}❤\u{fe0f}", 3, "❤\u{fe0f}❤", "❤\u{fe0f}"),
            (accents.as_str(), 2, &accents[..6], &accents[3..]),
        ] {
            assert_eq!((cut(text, width), cut_start(text, width)), (first, last), "{text} in {width}");
        }
    }

    #[test]
    fn fills_up_to_columns_not_to_characters() {
        assert_eq!(padded("模型", 6), "模型  ");
        assert_eq!(padded(ACCENTED, 3), format!("{ACCENTED}  "));
        assert_eq!(padded("too long", 3), "too long");
    }
}
