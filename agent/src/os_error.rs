//! What the system says, as users read it.

/// What the system says as a fragment, and without the number that Rust appends: `Connection refused (os error 111)`.
pub fn in_words(text: &str) -> String {
    let mut words = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(" (os error ") {
        let said = before.rfind(": ").map_or(0, |colon| colon + 2);
        words.push_str(&before[..said]);
        let mut letters = before[said..].chars();
        words.extend(letters.next().into_iter().flat_map(char::to_lowercase));
        words.push_str(letters.as_str());
        rest = after.split_once(')').map_or("", |(_, after)| after);
    }
    words + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_the_system_are_not_for_people() {
        for (text, words) in [
            (
                "h: Connection refused (os error 111) (6 attempts in 9.9 s)",
                "h: connection refused (6 attempts in 9.9 s)",
            ),
            ("Permission denied (os error 13)", "permission denied"),
            ("a (os error 2) and b (os error 13)", "a and b"),
            ("nothing of the kind (really)", "nothing of the kind (really)"),
            ("cut (os error 1", "cut"),
        ] {
            assert_eq!(in_words(text), words);
        }
    }
}
