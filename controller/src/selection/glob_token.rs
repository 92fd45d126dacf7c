//! What patterns consist of, as Python's `fnmatch` reads them.

/// A part of a pattern. All but [`GlobToken::Star`] stand for one character.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum GlobToken {
    /// This character.
    Literal(char),
    /// Any character, also a `/` or a line break.
    Any,
    /// One of these, or none of these.
    Set {
        /// Whether it is one that is in none of the ranges.
        is_negated: bool,
        /// First and last characters.
        ranges: Vec<(char, char)>,
    },
    /// Any number of characters.
    Star,
}

impl GlobToken {
    /// Whether a character of a path is what it stands for.
    pub(super) fn stands_for(&self, character: char) -> bool {
        let character = separator(character);
        match self {
            Self::Literal(one) => *one == character,
            Self::Any => true,
            Self::Set { is_negated, ranges } => {
                ranges.iter().any(|(first, last)| (*first..=*last).contains(&character)) != *is_negated
            }
            Self::Star => false,
        }
    }
}

/// Reads a pattern, as `huggingface_hub` hands it to `fnmatch`.
pub(super) fn tokens(typed: &str) -> Vec<GlobToken> {
    let mut pattern: Vec<char> = typed.chars().map(separator).collect();
    if pattern.last() == Some(&'/') {
        pattern.push('*');
    }
    let mut tokens = Vec::new();
    let mut rest = &pattern[..];
    while let [first, after @ ..] = rest {
        rest = after;
        tokens.push(match first {
            '*' if tokens.last() == Some(&GlobToken::Star) => continue,
            '*' => GlobToken::Star,
            '?' => GlobToken::Any,
            '[' => match end_of_set(after) {
                Some(end) => {
                    rest = &after[end + 1..];
                    set(&after[..end])
                }
                None => GlobToken::Literal('['),
            },
            other => GlobToken::Literal(*other),
        });
    }
    tokens
}

/// Where the `]` is that ends a set. One that comes first is in the set.
fn end_of_set(after: &[char]) -> Option<usize> {
    let negated = usize::from(after.first() == Some(&'!'));
    let first = negated + usize::from(after.get(negated) == Some(&']'));
    after.iter().skip(first).position(|character| *character == ']').map(|at| first + at)
}

/// What stands between the brackets of a set. `fnmatch` hands it to a regular expression, after it has taken out the
/// ranges that go down and joined what is left beside them; what that makes of odd ones (`[b-a!x]` is none of `x`) is kept.
fn set(inner: &[char]) -> GlobToken {
    let (is_negated, members) = match &members(inner)[..] {
        [Member { character: '!', .. }] => return GlobToken::Any,
        [Member { character: '!', .. }, members @ ..] => (true, members.to_vec()),
        members => (false, members.to_vec()),
    };
    let mut ranges = Vec::new();
    let mut rest = &members[..];
    while let [first, after @ ..] = rest {
        if let [Member { is_range: true, .. }, last, after @ ..] = after {
            ranges.push((first.character, last.character));
            rest = after;
        } else {
            ranges.push((first.character, first.character));
            rest = after;
        }
    }
    GlobToken::Set { is_negated, ranges }
}

/// A character between the brackets of a set.
#[derive(Debug, Clone, Copy)]
struct Member {
    character: char,
    /// Whether it is a `-` that makes a range of its neighbours.
    is_range: bool,
}

/// The characters of a set. A `-` makes a range unless it is first, last, or right behind one.
fn members(inner: &[char]) -> Vec<Member> {
    let is_negated = inner.first() == Some(&'!');
    let mut chunks: Vec<Vec<char>> = Vec::new();
    let (mut from, mut look) = (0, 1 + usize::from(is_negated));
    while let Some(at) = (look..inner.len()).find(|at| inner[*at] == '-') {
        chunks.push(inner[from..at].to_vec());
        (from, look) = (at + 1, at + 3);
    }
    match (&inner[from..], chunks.last_mut()) {
        ([], Some(last)) => last.push('-'),
        (rest, _) => chunks.push(rest.to_vec()),
    }
    for at in (1..chunks.len()).rev() {
        if let (Some(last), Some(first)) = (chunks[at - 1].last(), chunks[at].first())
            && last > first
        {
            let joined = chunks.remove(at);
            chunks[at - 1].pop();
            chunks[at - 1].extend(&joined[1..]);
        }
    }
    let mut members = Vec::new();
    for (number, chunk) in chunks.iter().enumerate() {
        members.extend((number > 0).then_some(Member { character: '-', is_range: true }));
        members.extend(chunk.iter().map(|character| Member { character: *character, is_range: false }));
    }
    members
}

fn separator(character: char) -> char {
    if character == '\\' { '/' } else { character }
}
