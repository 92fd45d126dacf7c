//! Many hosts in one word, as Slurm and `ClusterShell` write them: `gpu[001-064]`, `gpu[1-3,7]`, `gpu[0-62/2]`.
//!
//! Each range is in brackets; a number that begins with a zero is padded, and so are all of its range. Of several brackets
//! every combination is meant, also within a whole SSH command: `ssh -p 22[01-04] root@gpu[1-2]` is eight targets. Words
//! without spaces may be listed with commas. What has a colon in brackets is an IPv6 address and stays what it is, and so do
//! brackets without numbers in the path of a file.
//!
//! Unlike there, there are no negative numbers, no operators (`!`, `&`, `^`) and no groups (`@gpus`).

use super::MOST_TARGETS;

/// The most digits of a number. More than that no host is numbered with.
const MOST_DIGITS: usize = 18;

/// Why brackets are no range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RangeError {
    /// A bracket is open.
    #[error("the bracket of `{0}` is not closed")]
    Unclosed(String),
    /// There is nothing between two commas.
    #[error("`[{0}]` has nothing in one of its places")]
    Empty(String),
    /// What is there is no number.
    #[error("`[{range}]` is no range of numbers: `{part}` is none")]
    NoNumber {
        /// What is in the brackets.
        range: String,
        /// What of it is no number.
        part: String,
    },
    /// The range ends before it begins.
    #[error("`[{0}]` goes down: the smaller number comes first")]
    Backwards(String),
    /// The range has a step of nothing.
    #[error("`[{0}]` has a step of zero")]
    NoStep(String),
    /// The ends of the range are not padded alike.
    #[error("`[{0}]` has ends of different lengths: with zeros in front, both have as many digits")]
    Padding(String),
    /// It is more than a fleet may have.
    #[error("it is more than {MOST_TARGETS} targets")]
    TooMany,
}

/// What a word, or a whole SSH command, stands for: itself, where there is no range in it.
pub fn expand(text: &str) -> Result<Vec<String>, RangeError> {
    let mut expanded = Vec::new();
    for word in listed(text) {
        let pieces = pieces(word)?;
        let count = pieces.iter().try_fold(1, |count: usize, piece| count.checked_mul(piece.count()));
        let count = count.and_then(|count| count.checked_add(expanded.len()));
        if count.is_none_or(|count| count > MOST_TARGETS) {
            return Err(RangeError::TooMany);
        }
        combine(&pieces, &mut String::new(), &mut expanded);
    }
    Ok(expanded)
}

/// The words of a list with commas. A command has spaces, and commas of its own (`-J a,b`).
fn listed(text: &str) -> Vec<&str> {
    let text = text.trim();
    if text.contains(char::is_whitespace) && !is_spaced_list(text) || text.starts_with('-') {
        return vec![text];
    }
    let (mut words, mut begin, mut depth) = (Vec::new(), 0, 0_usize);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'[' => depth += 1,
            b']' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => {
                words.push(text[begin..at].trim());
                begin = at + 1;
            }
            _ => {}
        }
    }
    words.push(text[begin..].trim());
    words.retain(|word| !word.is_empty());
    words
}

/// Whether all spaces are behind commas or in brackets: `gpu[1, 3], gpu7`.
fn is_spaced_list(text: &str) -> bool {
    let mut depth = 0_usize;
    let mut last = ',';
    for character in text.chars() {
        match character {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            _ if character.is_whitespace() && depth == 0 => {
                if last != ',' {
                    return false;
                }
                continue;
            }
            _ => {}
        }
        last = character;
    }
    true
}

/// Text, and the numbers that follow it.
struct RangePiece<'a> {
    text: &'a str,
    numbers: Option<Vec<NumberRange>>,
}

/// Numbers with the same distance, and how many digits each has at least.
struct NumberRange {
    first: u64,
    last: u64,
    step: u64,
    digits: usize,
}

impl RangePiece<'_> {
    fn count(&self) -> usize {
        let count = |range: &NumberRange| (range.last - range.first) / range.step + 1;
        self.numbers.as_ref().map_or(1, |numbers| {
            let count = numbers.iter().map(count).fold(0, u64::saturating_add);
            usize::try_from(count).unwrap_or(usize::MAX)
        })
    }
}

/// Every combination, the last range running fastest. Numbers that are written twice are meant once.
fn combine(pieces: &[RangePiece<'_>], front: &mut String, expanded: &mut Vec<String>) {
    let Some((piece, rest)) = pieces.split_first() else {
        expanded.push(front.clone());
        return;
    };
    let length = front.len();
    front.push_str(piece.text);
    match &piece.numbers {
        None => combine(rest, front, expanded),
        Some(numbers) => {
            let mut seen = std::collections::HashSet::new();
            for NumberRange { first, last, step, digits } in numbers {
                let mut number = Some(*first);
                while let Some(now) = number.filter(|number| number <= last) {
                    let text = format!("{now:0digits$}");
                    let end = front.len();
                    front.push_str(&text);
                    if seen.insert(text) {
                        combine(rest, front, expanded);
                    }
                    front.truncate(end);
                    number = now.checked_add(*step);
                }
            }
        }
    }
    front.truncate(length);
}

fn pieces(word: &str) -> Result<Vec<RangePiece<'_>>, RangeError> {
    let (mut pieces, mut begin, mut looked) = (Vec::new(), 0, 0);
    while let Some(open) = word[looked..].find('[').map(|at| looked + at) {
        let around = around(word, open);
        let Some(close) = word[open..].find(']').map(|at| open + at) else {
            if is_path(around) {
                break;
            }
            return Err(RangeError::Unclosed(around.to_owned()));
        };
        let inside = &word[open + 1..close];
        looked = close + 1;
        let has_numbers = inside.bytes().all(|byte| b"0123456789-,/ ".contains(&byte)) && !inside.is_empty();
        if inside.contains(':') || !has_numbers && is_path(around) {
            continue;
        }
        pieces.push(RangePiece { text: &word[begin..open], numbers: Some(numbers(inside)?) });
        begin = looked;
    }
    pieces.push(RangePiece { text: &word[begin..], numbers: None });
    Ok(pieces)
}

/// The word of a command that a bracket stands in, up to where it ends.
fn around(command: &str, open: usize) -> &str {
    let begin = command[..open].rfind(char::is_whitespace).map_or(0, |at| at + 1);
    let end = command[open..].find(char::is_whitespace).map_or(command.len(), |at| open + at);
    command[begin..end].trim_matches(['\'', '"'])
}

/// Whether a word is the path of a file, like that of a key.
fn is_path(word: &str) -> bool {
    let word = word.strip_prefix("ssh://").unwrap_or(word);
    let before = word.split('[').next().unwrap_or_default();
    before.contains(['/', '~', '\\'])
}

fn numbers(inside: &str) -> Result<Vec<NumberRange>, RangeError> {
    inside.split(',').map(|part| range(inside, part.trim())).collect()
}

fn range(inside: &str, part: &str) -> Result<NumberRange, RangeError> {
    let range = || inside.to_owned();
    if part.is_empty() {
        return Err(RangeError::Empty(range()));
    }
    let number = |text: &str| {
        let digits = !text.is_empty() && text.len() <= MOST_DIGITS;
        let digits = digits && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse().ok().filter(|_| digits);
        number.ok_or_else(|| RangeError::NoNumber { range: range(), part: text.to_owned() })
    };
    let (ends, step) = match part.split_once('/') {
        Some((ends, step)) => (ends.trim(), number(step.trim())?),
        None => (part, 1),
    };
    let (first, last) =
        ends.split_once('-').map_or((ends, ends), |(first, last)| (first.trim(), last.trim()));
    let is_padded = |text: &str| text.len() > 1 && text.starts_with('0');
    let digits = if is_padded(first) { first.len() } else { 1 };
    let range_ends = (number(first)?, number(last)?);
    if (is_padded(first) || is_padded(last)) && first.len() != last.len() {
        return Err(RangeError::Padding(range()));
    }
    match range_ends {
        _ if step == 0 => Err(RangeError::NoStep(range())),
        (first, last) if first > last => Err(RangeError::Backwards(range())),
        (first, last) => Ok(NumberRange { first, last, step, digits }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(text: &str) -> String {
        expand(text).map_or_else(|error| format!("! {error}"), |hosts| hosts.join(" | "))
    }

    #[test]
    fn ranges_are_expanded_wherever_they_stand() {
        for (text, expected) in [
            ("root@gpu[001-003]", "root@gpu001 | root@gpu002 | root@gpu003"),
            ("gpu[1-3,7,010-012]", "gpu1 | gpu2 | gpu3 | gpu7 | gpu010 | gpu011 | gpu012"),
            ("gpu[0-6/3]", "gpu0 | gpu3 | gpu6"),
            ("gpu[099-101]", "gpu099 | gpu100 | gpu101"),
            ("a[1-2]b[3-4]", "a1b3 | a1b4 | a2b3 | a2b4"),
            (
                "ssh -p 22[01-02] root@h[1-2]",
                "ssh -p 2201 root@h1 | ssh -p 2201 root@h2 | ssh -p 2202 root@h1 | ssh -p 2202 root@h2",
            ),
            ("ssh://root@h[1-2]:22", "ssh://root@h1:22 | ssh://root@h2:22"),
            ("root@10.0.0.[9-10]:2222", "root@10.0.0.9:2222 | root@10.0.0.10:2222"),
            ("h[1-2].example.org", "h1.example.org | h2.example.org"),
            ("h[1,1-2]", "h1 | h2"),
            ("gpu[017,044],gpu101", "gpu017 | gpu044 | gpu101"),
            ("gpu[1, 3], gpu7", "gpu1 | gpu3 | gpu7"),
            ("ssh -J a,b root@h", "ssh -J a,b root@h"),
            ("[1-2]", "1 | 2"),
            ("root@h", "root@h"),
            ("[::1]", "[::1]"),
            ("root@[fe80::1]:22", "root@[fe80::1]:22"),
            ("2001:db8::[1-2]", "2001:db8::1 | 2001:db8::2"),
            (
                "ssh -L [::1]:80:[::1]:80 root@h[1-2]",
                "ssh -L [::1]:80:[::1]:80 root@h1 | ssh -L [::1]:80:[::1]:80 root@h2",
            ),
            (
                "ssh -i ~/keys/[old]/id root@h[1-2]",
                "ssh -i ~/keys/[old]/id root@h1 | ssh -i ~/keys/[old]/id root@h2",
            ),
            ("ssh -i '/a/[x' root@h", "ssh -i '/a/[x' root@h"),
        ] {
            assert_eq!(expanded(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_range_is_told() {
        for (text, expected) in [
            ("gpu[5-1]", "`[5-1]` goes down: the smaller number comes first"),
            ("gpu[a-z]", "`[a-z]` is no range of numbers: `a` is none"),
            ("gpu[1-3", "the bracket of `gpu[1-3` is not closed"),
            ("ssh -p 22 root@gpu[1-3 -v", "the bracket of `root@gpu[1-3` is not closed"),
            ("gpu[]", "`[]` has nothing in one of its places"),
            ("gpu[1,,2]", "`[1,,2]` has nothing in one of its places"),
            ("gpu[1-]", "`[1-]` is no range of numbers: `` is none"),
            ("gpu[1-2-3]", "`[1-2-3]` is no range of numbers: `2-3` is none"),
            ("gpu[1-3/0]", "`[1-3/0]` has a step of zero"),
            (
                "gpu[01-100]",
                "`[01-100]` has ends of different lengths: with zeros in front, both have as many digits",
            ),
            (
                "gpu[9-010]",
                "`[9-010]` has ends of different lengths: with zeros in front, both have as many digits",
            ),
            ("gpu[1-999999999999999999]", "it is more than 4096 targets"),
            ("a[1-99]b[1-99]", "it is more than 4096 targets"),
            ("a[0-99999]b[0-99999]c[0-99999]d[0-99999]e[0-99999]", "it is more than 4096 targets"),
            (
                "gpu[9999999999999999999]",
                "`[9999999999999999999]` is no range of numbers: `9999999999999999999` is none",
            ),
            ("ssh://root@gpu[a-z]", "`[a-z]` is no range of numbers: `a` is none"),
        ] {
            assert_eq!(expanded(text), format!("! {expected}"), "{text}");
        }
        assert_eq!(expand(&format!("gpu[1-{MOST_TARGETS}]")).map(|hosts| hosts.len()), Ok(MOST_TARGETS));
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_typed_has_an_end(text in "[a-c0-9\\[\\],/ :~-]{0,40}") {
            if let Ok(hosts) = expand(&text) {
                proptest::prop_assert!(hosts.len() <= MOST_TARGETS);
            }
        }
    }
}
