//! Many names in a few words, as `nodeset -f` and `clush -b` write them: `gpu[001-064]`, `gpu[017,044]`.

use std::collections::HashMap;

/// Digits beyond these are text: no host is numbered with more.
const MOST_DIGITS: usize = 18;

/// A number of a name, with the zeros before it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Number {
    /// Sorts shorter ones first: `9` before `09` before `10`.
    digits: usize,
    value: u64,
}

/// Names that are the same but for their numbers.
struct Template<'a> {
    /// What is around the numbers: one more than there are of these.
    texts: Vec<&'a str>,
    /// Names that were folded: what each of their numbers may be.
    folded: Vec<Vec<Vec<Number>>>,
}

/// Folds names. Those that have nothing in common stand in the order in which they came, with commas between them; a name
/// that came twice is written once.
pub fn fold<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let mut templates: Vec<Template<'a>> = Vec::new();
    let mut known: HashMap<Vec<&'a str>, usize> = HashMap::new();
    for name in names {
        let (texts, numbers) = split(name);
        let at = *known.entry(texts.clone()).or_insert_with(|| {
            templates.push(Template { texts, folded: Vec::new() });
            templates.len() - 1
        });
        templates[at].folded.push(numbers.into_iter().map(|number| vec![number]).collect());
    }
    let words: Vec<String> = templates.into_iter().flat_map(Template::words).collect();
    words.join(",")
}

impl Template<'_> {
    fn words(mut self) -> Vec<String> {
        let axes = self.texts.len() - 1;
        // The last number first: of `r1n1`, `r1n2` and `r2n1` the first two are those of one rack.
        for axis in (0..axes).rev() {
            self.merge(axis);
        }
        if axes == 0 {
            self.folded.truncate(1);
        }
        self.folded.iter().map(|numbers| self.word(numbers)).collect()
    }

    /// Makes one of all that differ in one number alone.
    fn merge(&mut self, axis: usize) {
        let mut merged: Vec<Vec<Vec<Number>>> = Vec::new();
        let mut known: HashMap<Vec<Vec<Number>>, usize> = HashMap::new();
        for mut numbers in std::mem::take(&mut self.folded) {
            let own = std::mem::take(&mut numbers[axis]);
            if let Some(at) = known.get(&numbers) {
                merged[*at][axis].extend(own);
            } else {
                known.insert(numbers.clone(), merged.len());
                numbers[axis] = own;
                merged.push(numbers);
            }
        }
        for numbers in &mut merged {
            numbers[axis].sort_unstable();
            numbers[axis].dedup();
        }
        self.folded = merged;
    }

    fn word(&self, numbers: &[Vec<Number>]) -> String {
        let mut word = String::new();
        for (text, numbers) in self.texts.iter().zip(numbers.iter().map(Some).chain([None])) {
            word.push_str(text);
            match numbers.map(Vec::as_slice) {
                None | Some([]) => {}
                Some([number]) => word.push_str(&number.text()),
                Some(numbers) => {
                    let runs: Vec<String> = runs(numbers).collect();
                    word.push('[');
                    word.push_str(&runs.join(","));
                    word.push(']');
                }
            }
        }
        word
    }
}

impl Number {
    fn text(&self) -> String {
        let Self { value, digits } = self;
        format!("{value:0digits$}")
    }

    fn is_padded(&self) -> bool {
        self.digits > 1 && self.text().starts_with('0')
    }

    /// Whether it comes next in a range that begins with `first`.
    fn follows(&self, before: &Self, first: &Self) -> bool {
        let is_alike = self.digits == before.digits || !first.is_padded() && !self.is_padded();
        is_alike && before.value.checked_add(1) == Some(self.value)
    }
}

/// Sorted numbers as ranges: `1-3`, `7`.
fn runs(numbers: &[Number]) -> impl Iterator<Item = String> {
    let mut runs: Vec<(&Number, &Number)> = Vec::new();
    for number in numbers {
        match runs.last_mut() {
            Some((first, last)) if number.follows(last, first) => *last = number,
            _ => runs.push((number, number)),
        }
    }
    runs.into_iter().map(|(first, last)| {
        if first == last { first.text() } else { format!("{}-{}", first.text(), last.text()) }
    })
}

/// The texts of a name and the numbers between them.
fn split(name: &str) -> (Vec<&str>, Vec<Number>) {
    let (mut texts, mut numbers, mut begin, mut at) = (Vec::new(), Vec::new(), 0, 0);
    let bytes = name.as_bytes();
    while at < bytes.len() {
        let digits = bytes[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        if (1..=MOST_DIGITS).contains(&digits)
            && let Ok(value) = name[at..at + digits].parse()
        {
            texts.push(&name[begin..at]);
            numbers.push(Number { digits, value });
            begin = at + digits;
        }
        at += digits.max(1);
    }
    texts.push(&name[begin..]);
    (texts, numbers)
}

#[cfg(test)]
mod tests {
    use super::super::expand;
    use super::*;

    #[test]
    fn names_are_folded_as_nodeset_does() {
        for (names, expected) in [
            ("gpu1 gpu2 gpu3", "gpu[1-3]"),
            ("gpu001 gpu002 gpu17", "gpu[17,001-002]"),
            ("gpu017 gpu044", "gpu[017,044]"),
            ("gpu101", "gpu101"),
            ("b a b", "b,a"),
            ("a1b1 a1b2 a2b1 a2b2", "a[1-2]b[1-2]"),
            ("a1b1 a2b2", "a1b1,a2b2"),
            ("a1b1 a1b2 a2b1", "a1b[1-2],a2b1"),
            ("n9 n10", "n[9-10]"),
            ("n09 n10", "n[09-10]"),
            ("n1 n01", "n[1,01]"),
            ("n8 n9 n09 n10", "n[8-9,09-10]"),
            ("gpu101 gpu099 gpu100", "gpu[099-101]"),
            ("n099 n999 n1000", "n[099,999-1000]"),
            ("n0999 n1000", "n[0999-1000]"),
            ("10.0.0.1 10.0.0.2", "10.0.0.[1-2]"),
            ("h:22 h:23", "h:[22-23]"),
            ("gpu1:/a gpu2:/a gpu1:/b", "gpu[1-2]:/a,gpu1:/b"),
            ("x1 x x1", "x1,x"),
            ("1 2", "[1-2]"),
            ("n99999999999999999998 n99999999999999999999", "n99999999999999999998,n99999999999999999999"),
            ("größe1 größe2", "größe[1-2]"),
            ("", ""),
        ] {
            assert_eq!(fold(names.split(' ')), expected, "{names}");
        }
        assert_eq!(fold([]), "");
        let many: Vec<String> = (1..=64).map(|number| format!("gpu{number:03}")).collect();
        assert_eq!(fold(many.iter().map(String::as_str)), "gpu[001-064]");
    }

    proptest::proptest! {
        #[test]
        fn what_was_folded_expands_to_the_same_names(
            names in proptest::collection::vec("[ab]?[0-9]{1,3}[ab]?[0-9]{0,2}", 1..40)
        ) {
            let mut names = names;
            let mut again = expand(&fold(names.iter().map(String::as_str))).unwrap();
            names.sort();
            names.dedup();
            again.sort();
            proptest::prop_assert_eq!(again, names);
        }
    }
}
