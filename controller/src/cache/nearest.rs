//! Names that are like one that was typed.

/// The most names that are offered.
const MOST: usize = 3;

/// The names that are most like a word, the nearest first; none that are not like it at all.
pub(super) fn nearest<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let word = word.to_lowercase();
    let mut near: Vec<(usize, &str)> = names
        .filter_map(|name| {
            let other = name.to_lowercase();
            let last = other.rsplit('/').next().unwrap_or_default();
            let within = last.contains(&word) || word.contains(last) && last.len() > 2;
            let distance = distance(&word, &other).min(distance(&word, last));
            let most = (word.chars().count() / 3).max(2);
            (within || distance <= most).then_some((distance, name))
        })
        .collect();
    near.sort_unstable();
    near.dedup();
    near.into_iter().take(MOST).map(|(_, name)| name).collect()
}

/// How many letters have to be put in, taken out or changed.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, letter) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, against) in other.iter().enumerate() {
            let changed = diagonal + usize::from(letter != *against);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offers_what_was_meant() {
        let names = ["openai-community/gpt2", "Qwen/Qwen3-0.6B", "datasets/squad", "acme/tiny"];
        for (word, expected) in [
            ("gpt2", vec!["openai-community/gpt2"]),
            ("gpt3", vec!["openai-community/gpt2"]),
            ("qwen/qwen3-0.6b", vec!["Qwen/Qwen3-0.6B"]),
            ("Qwen3", vec!["Qwen/Qwen3-0.6B"]),
            ("squat", vec!["datasets/squad"]),
            ("meta-llama/Llama-3", vec![]),
        ] {
            assert_eq!(nearest(word, names.iter().copied()), expected, "{word}");
        }
    }
}
