//! Text from a box, a server or the Hub, made fit for a terminal and a log.
//!
//! A box belongs to a stranger. Its banners, error messages and names could move the cursor, set the window's title,
//! repaint earlier lines, or turn the reading direction round; what comes out of here can do none of that.

/// Drops what a terminal could obey or hide: C0 and C1 controls, DEL, bidirectional controls, zero-width characters and
/// tags. Tabs and line ends become one space. At most `longest` characters remain; a cut is marked with `…`.
pub(crate) fn sanitize(text: impl AsRef<[u8]>, longest: usize) -> String {
    let text = String::from_utf8_lossy(text.as_ref());
    let mut clean = String::with_capacity(text.len().min(longest));
    let mut count = 0;
    let visible = text.chars().filter_map(|character| match character {
        '\t' | '\n' | '\r' => Some(' '),
        _ if is_hidden(character) => None,
        _ => Some(character),
    });
    for character in visible {
        if character == ' ' && clean.ends_with(' ') {
            continue;
        }
        if count == longest {
            clean.pop();
            clean.push('…');
            break;
        }
        clean.push(character);
        count += 1;
    }
    clean.trim().to_owned()
}

/// The first lines of a text, each sanitised, joined with ` · `: what is quoted in an error.
pub(crate) fn sanitize_lines(text: impl AsRef<[u8]>, lines: usize, longest: usize) -> String {
    let text = text.as_ref();
    let clean = text.split(|byte| *byte == b'\n').map(|line| sanitize(line, longest));
    let clean: Vec<_> = clean.filter(|line| !line.is_empty()).take(lines).collect();
    sanitize(clean.join(" · "), longest)
}

/// Whether a terminal, or a reader of lines, could obey a character or hide it.
pub(crate) fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{00ad}' | '\u{034f}' | '\u{061c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_nothing_that_a_terminal_obeys() {
        for (hostile, clean) in [
            ("plain text, ü, 模型, 🤗", "plain text, ü, 模型, 🤗"),
            ("\u{1b}[31mred\u{1b}[0m", "[31mred[0m"),
            ("\u{1b}]0;title\u{7}after", "]0;titleafter"),
            ("a\u{9b}2Jb", "a2Jb"),
            ("over\rwritten", "over written"),
            ("back\u{8}\u{8}space\u{7f}", "backspace"),
            ("safe\u{202e}gpj.exe", "safegpj.exe"),
            ("\u{2066}iso\u{2069}late", "isolate"),
            ("ze\u{200b}ro\u{200d}wid\u{feff}th", "zerowidth"),
            ("ta\u{e0041}gs", "tags"),
            ("para\u{2029}graph", "paragraph"),
            ("  two\t\tlines \r\n here  ", "two lines here"),
            ("\0\u{1}\u{2}", ""),
        ] {
            assert_eq!(sanitize(hostile, 100), clean, "{hostile:?}");
        }
    }

    #[test]
    fn takes_bytes_that_are_no_text() {
        assert_eq!(sanitize(b"a\xff\x9bb", 100), "a\u{fffd}\u{fffd}b");
    }

    proptest::proptest! {
        #[test]
        fn is_clean_and_short_whatever_comes(bytes: Vec<u8>, text in ".*", longest in 1_usize..80) {
            for clean in [sanitize(&bytes, longest), sanitize(&text, longest)] {
                proptest::prop_assert!(clean.chars().count() <= longest);
                proptest::prop_assert!(!clean.contains(is_hidden));
                proptest::prop_assert_eq!(sanitize(&clean, longest), clean);
            }
        }
    }

    #[test]
    fn cuts_long_texts_by_characters() {
        assert_eq!(sanitize("abcdef", 6), "abcdef");
        assert_eq!(sanitize("abcdefg", 6), "abcde…");
        assert_eq!(sanitize("é".repeat(1000), 4), "ééé…");
        assert_eq!(sanitize("abc", 0), "…");
    }

    #[test]
    fn quotes_the_first_lines() {
        let said = "\r\n\u{1b}[1mWelcome to vast.ai\r\n\n\nHave fun!\nno sessions\nfourth\n";
        assert_eq!(sanitize_lines(said, 3, 200), "[1mWelcome to vast.ai · Have fun! · no sessions");
    }
}
