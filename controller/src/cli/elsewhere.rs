//! Words that `hf download` and its relatives take, and hfdown does not: what to type here instead.

use crate::selection::escaped;

/// What is answered to an option of another program. `MODEL`, `VALUE` and `VERB` stand for what was typed.
const OPTIONS: [(&str, &str); 16] = [
    ("--local-dir", "the folder is a word of its own: hfdown VERB MODEL VALUE"),
    ("--dest", "the folder is a word of its own: hfdown VERB MODEL VALUE"),
    ("--output", "the folder is a word of its own: hfdown VERB MODEL VALUE"),
    ("--output-dir", "the folder is a word of its own: hfdown VERB MODEL VALUE"),
    ("--cache-dir", "it is for the verbs that fill a cache: hfdown download MODEL --cache-dir VALUE"),
    ("--repo-type", "the kind stands before the name: datasets/organisation/name, spaces/organisation/name"),
    ("--repo-id", "the repository is a word of its own: hfdown VERB VALUE"),
    ("--include", SELECTION),
    ("--exclude", SELECTION),
    ("--quant", SELECTION),
    ("--allow-patterns", "it is called --include VALUE here"),
    ("--ignore-patterns", "it is called --exclude VALUE here"),
    ("--max-workers", "it is called --connections VALUE here"),
    ("--force-download", "what is there is read again by: hfdown rsync-sync MODEL DIR --checksum"),
    ("--resume-download", "leave it out: every run goes on where the last one stopped"),
    ("--local-dir-use-symlinks", "leave it out: in a folder, files are never links"),
];
/// What many boxes are named and gone about with, and the verbs that take it.
const OF_BOXES: [&str; 7] =
    ["--hosts", "--vast-json", "--select", "--jobs", "--timeout", "--fail-fast", "--report"];
const BOXES: &str = "it is for the verbs that go to boxes: rsync-to-vast, verify, status, attach and stop";
const SELECTION: &str = "files are chosen where several are fetched: hfdown download MODEL OPTION VALUE";
/// Options that have a value, which is no word of its own.
const VALUED: [&str; 23] = [
    "--revision",
    "--token",
    "--connections",
    "--max-speed",
    "--lock-timeout",
    "--speed-limit",
    "--speed-time",
    "--host-key",
    "--wait",
    "--retries",
    "--hosts",
    "--vast-json",
    "--select",
    "--jobs",
    "--timeout",
    "--report",
    "--model",
    "--local-dir",
    "--cache-dir",
    "--repo-type",
    "--include",
    "--exclude",
    "--quant",
];

/// What to type instead of a word that makes no sense. `words` begin with the verb.
pub(super) fn instead(unknown: &str, words: &[&str]) -> Option<String> {
    let verb = words.first()?;
    let plain = plain_words(words);
    let model = plain.first().map_or("MODEL", |model| *model);
    if !unknown.starts_with('-') {
        let one = plain.get(1).map_or("NAME", |name| *name);
        let is_fetching = ["download", "rsync-sync", "sync"].contains(verb);
        let is_pattern = words.iter().any(|word| ["--include", "--exclude"].contains(word));
        return is_fetching.then(|| {
            if is_pattern {
                let option = shell_words::join(["--include", unknown]);
                return format!("each pattern is an option of its own, and quoted: {option}");
            }
            let command = shell_words::join(["hfdown", "file", model, one]);
            let several = ["hfdown", "download", model, "--include", one, "--include", unknown];
            let several = shell_words::join(several);
            format!("DIR is one folder; one file is fetched by {command}, several by {several}")
        });
    }
    if let ("--local-dir", [model, name], Some(folder)) = (unknown, &plain[..], value_of(unknown, words)) {
        let folder = format!("{}/", folder.trim_end_matches('/'));
        let command = shell_words::join(["hfdown", "file", model, name, &folder]);
        return Some(format!("the folder is a word of its own: {command}"));
    }
    if let ("file", "--cache" | "--cache-dir", [model, name, ..]) = (*verb, unknown, &plain[..]) {
        let pattern = escaped(name);
        let mut several = vec!["hfdown", "download", model, "--include", &pattern, unknown];
        several.extend(value_of(unknown, words).filter(|_| unknown == "--cache-dir"));
        return Some(format!("it is for the verbs that fill a cache: {}", shell_words::join(several)));
    }
    let of_verb = match (*verb, unknown) {
        ("verify", "--dry-run" | "-n") => Some("leave it out: nothing is changed without --repair"),
        ("verify", "--checksum") => Some("leave it out: every file is read in any case"),
        ("verify", "--delete") => Some(
            "verify removes nothing; what earlier syncs placed is removed by: hfdown rsync-sync MODEL DIR --delete",
        ),
        ("info" | "file", "--cache") => {
            Some("it is for the verbs that fill a cache: hfdown download MODEL --cache")
        }
        ("cache", "--force" | "-f") if plain.first().is_some_and(|verb| !["ls", "list"].contains(verb)) => {
            Some("it is called --yes here")
        }
        _ => None,
    };
    let of_all = || OPTIONS.iter().find(|(option, _)| *option == unknown).map(|(_, advice)| *advice);
    let of_boxes = || OF_BOXES.contains(&unknown).then_some(BOXES);
    let advice = of_verb.or_else(of_all).or_else(of_boxes)?;
    let value = value_of(unknown, words).unwrap_or("VALUE");
    let quoted = |word: &str| shell_words::quote(word).into_owned();
    let filled = advice
        .replace("VERB", verb)
        .replace("OPTION", unknown)
        .replace("MODEL", &quoted(model))
        .replace("VALUE", &quoted(value));
    Some(filled)
}

/// The words behind the verb that are neither options nor their values.
fn plain_words<'a>(words: &[&'a str]) -> Vec<&'a str> {
    let mut plain = Vec::new();
    let mut rest = words.iter().skip(1);
    while let Some(word) = rest.next() {
        if VALUED.contains(word) {
            rest.next();
        } else if !word.starts_with('-') {
            plain.push(*word);
        }
    }
    plain
}

/// The value of an option, behind it or behind its `=`.
fn value_of<'a>(option: &str, words: &[&'a str]) -> Option<&'a str> {
    let at = words.iter().position(|word| word.split('=').next() == Some(option))?;
    words[at].split_once('=').map(|(_, value)| value).or_else(|| words.get(at + 1).copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_other_programs_are_answered_with_those_of_this_one() {
        for (words, unknown, expected) in [
            ("download org/name --local-dir ./x", "--local-dir", Some("hfdown download org/name ./x")),
            ("download --local-dir=x org/name", "--local-dir", Some("hfdown download org/name x")),
            (
                "download --revision v1 org/name --local-dir x",
                "--local-dir",
                Some("hfdown download org/name x"),
            ),
            ("download a/b --repo-type dataset", "--repo-type", Some("datasets/organisation/name")),
            ("file a/b --include *.gguf", "--include", Some("hfdown download a/b --include '*.gguf'")),
            ("attach --quant Q4_0 h d", "--quant", Some("hfdown download h --quant Q4_0")),
            ("download a/b --allow-patterns *.gguf", "--allow-patterns", Some("--include '*.gguf' here")),
            (
                "download a/b d --include *.json *.txt",
                "*.txt",
                Some("of its own, and quoted: --include '*.txt'"),
            ),
            ("sync a/b d --max-workers 4", "--max-workers", Some("--connections 4")),
            ("download a/b x.json --local-dir d", "--local-dir", Some("hfdown file a/b x.json d/")),
            ("download a/b x.json y.json", "y.json", Some("hfdown file a/b x.json")),
            ("download a/b x y", "y", Some("several by hfdown download a/b --include x --include y")),
            ("rsync-sync a/b x y", "y", Some("hfdown file a/b x")),
            ("info a/b x", "x", None),
            ("download a/b --delete", "--delete", None),
            ("verify a/b d --dry-run", "--dry-run", Some("nothing is changed without --repair")),
            ("verify a/b d -n", "-n", Some("nothing is changed without --repair")),
            ("verify a/b d --checksum", "--checksum", Some("every file is read in any case")),
            ("verify a/b d --delete", "--delete", Some("hfdown rsync-sync a/b DIR --delete")),
            ("info a/b --cache", "--cache", Some("hfdown download a/b --cache")),
            (
                "file a/b x[1].txt --cache",
                "--cache",
                Some("hfdown download a/b --include 'x[[]1].txt' --cache"),
            ),
            (
                "file a/b x --cache-dir c",
                "--cache-dir",
                Some("hfdown download a/b --include x --cache-dir c"),
            ),
            ("download a/b --hosts f d", "--hosts", Some("for the verbs that go to boxes: rsync-to-vast,")),
            ("sync a/b d --timeout 3", "--timeout", Some("rsync-to-vast, verify, status, attach and stop")),
            ("info a/b --select x", "--select", Some("it is for the verbs that go to boxes")),
            ("cache rm a/b --force", "--force", Some("it is called --yes here")),
            ("cache ls --force", "--force", None),
        ] {
            let words: Vec<_> = words.split(' ').collect();
            let tip = instead(unknown, &words);
            match expected {
                Some(expected) => {
                    assert!(tip.as_deref().is_some_and(|tip| tip.contains(expected)), "{words:?}: {tip:?}");
                }
                None => assert_eq!(tip, None, "{words:?}"),
            }
        }
    }
}
