//! What a refusal says to its reader and to programs, and what it leaves behind.

use hfdown_tests::sandbox::{Ended, Sandbox, run};

/// What may never reach a user's eyes: Rust's own ways of saying things, and a terminal's controls.
const RUST: [&str; 9] =
    ["panicked", "backtrace", "RUST_", "os error", "Some(", "Err(", " { ", "::", "\u{1b}"];

/// What was said last: the error with its causes and its hint, without what differs between runs. The code is checked,
/// and that it is meant for people.
pub(crate) fn refusal(sandbox: &Sandbox, ended: &Ended, code: i32) -> String {
    let said = plain(sandbox, &ended.stderr);
    assert_eq!(ended.code, code, "{said}");
    for word in RUST {
        assert!(!said.contains(word), "`{word}` is for programmers: {said}");
    }
    let begin = said.rfind("\nerror: ").map_or(0, |line| line + 1);
    said[begin..].trim_end().to_owned()
}

/// A text without what differs between runs.
pub(crate) fn plain(sandbox: &Sandbox, text: &str) -> String {
    let mut text = text.replace(&sandbox.hub.endpoint(), "HUB");
    if let Some(host) = &sandbox.host {
        text = text.replace(&format!("127.0.0.1:{}", host.port()), "BOX");
        text = text.replace(&host.near().display().to_string(), "NEAR");
        text = text.replace(&host.home().display().to_string(), "HOME");
    }
    let text = text.replace(&sandbox.scratch().display().to_string(), "SCRATCH");
    let text = text.split_inclusive(')').map(|piece| match piece.rsplit_once("(request ") {
        Some((before, _)) => format!("{before}(request REQUEST)"),
        None => piece.to_owned(),
    });
    let text: String = text.collect();
    let is_commit = |word: &str| word.len() == 40 && word.chars().all(|digit| digit.is_ascii_hexdigit());
    text.split('/').map(|word| if is_commit(word) { "COMMIT" } else { word }).collect::<Vec<_>>().join("/")
}

/// The lines that begin so, without the box's name before them.
pub(crate) fn lines(sandbox: &Sandbox, ended: &Ended, begin: &str) -> Vec<String> {
    let said = plain(sandbox, &ended.stderr);
    let lines = said.lines().map(|line| line.strip_prefix("BOX: ").unwrap_or(line));
    lines.filter(|line| line.starts_with(begin)).map(str::to_owned).collect()
}

/// Runs the program twice, once for people and once for programs, which are told the same. Gives what people are told.
pub(crate) async fn refused(
    sandbox: &Sandbox,
    words: &[&str],
    variables: &[(&str, &str)],
    code: i32,
) -> String {
    let with = |words: &[&str]| {
        let mut command = sandbox.hfdown(words);
        command.envs(variables.iter().copied());
        command
    };
    let ended = run(with(words)).await;
    let people = refusal(sandbox, &ended, code);
    let ended = run(with(&[words, &["--json"]].concat())).await;
    let again = refusal(sandbox, &ended, code);
    assert_eq!(people, again, "standard error is for people with --json, too");
    let last = plain(sandbox, ended.stdout.lines().last().unwrap_or_default());
    let object: serde_json::Value =
        serde_json::from_str(&last).unwrap_or_else(|_| panic!("{last:?} is an object"));
    assert_eq!((&object["type"], &object["exit_code"]), (&"error".into(), &code.into()), "{last}");
    let mut lines = vec![format!("error: {}", object["message"].as_str().expect("a message"))];
    let causes = object["causes"].as_array().expect("causes").iter();
    lines.extend(causes.map(|cause| format!("caused by: {}", cause.as_str().expect("a text"))));
    if let Some(hint) = object["hint"].as_str() {
        lines.push(format!("\nhint: {hint}"));
    }
    assert_eq!(lines.join("\n"), people);
    people
}

/// That a run left nothing behind, neither at its destination nor at home.
pub(crate) fn assert_untouched(sandbox: &Sandbox) {
    assert_eq!(everything(sandbox.scratch()), ["home/"], "nothing was written");
}

/// Every file and folder below a folder, sorted.
pub(crate) fn everything(folder: &std::path::Path) -> Vec<String> {
    fn walk(folder: &std::path::Path, prefix: &str, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                found.push(format!("{name}/"));
                walk(&entry.path(), &format!("{name}/"), found);
            } else {
                found.push(name);
            }
        }
    }
    let mut found = Vec::new();
    walk(folder, "", &mut found);
    found.sort();
    found
}
