//! `--include` and `--exclude` mean what they mean to `huggingface_hub`: the real one is asked.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use hfdown::selection::{Glob, Globs};
use hfdown_tests::counterpart::Counterpart;

/// Answers each line, a list of names, of patterns to include and of patterns to exclude, with the names that are wanted.
const FILTER: &str = r#"
import json, sys, warnings
from huggingface_hub.utils import filter_repo_objects
warnings.simplefilter("ignore")
for line in sys.stdin:
    names, include, exclude = json.loads(line)
    print(json.dumps(list(filter_repo_objects(names, allow_patterns=include or None, ignore_patterns=exclude or None))))
"#;

const NAMES: &[&str] = &[
    "config.json",
    "Config.json",
    "README.md",
    ".gitattributes",
    ".hidden/config.json",
    "model.safetensors",
    "model-00001-of-00002.safetensors",
    "model-00002-of-00002.safetensors",
    "model.safetensors.index.json",
    "model.fp16.bin",
    "onnx/model.onnx",
    "onnx/model_q4.onnx",
    "onnx/decoder/model.onnx",
    "onnx",
    "onnxx/model.onnx",
    "a",
    "b",
    "ab",
    "aab",
    "z",
    "-",
    "]",
    "[",
    "[a",
    "[a]",
    "a]",
    "!",
    "!a",
    "^",
    "^a",
    "\\",
    "a\\b",
    "a/b",
    "a//b",
    "/a",
    "./a",
    "&",
    "&&",
    "~",
    "|",
    "||",
    "--",
    "0",
    ".",
    "..",
    "a.b",
    "a\nb",
    "\n",
    "ünïcode/模型.bin",
    "é",
    "e",
    "{a,b}",
    "a,b",
    "a b",
    "*",
    "?",
    "a*b",
];

const PATTERNS: &[&str] = &[
    "*",
    "**",
    "***",
    "?",
    "??",
    "*?",
    "?*",
    "",
    "*.json",
    "*.JSON",
    "config.json",
    "Config*",
    "*.safetensors",
    "model-*-of-*.safetensors",
    "model-0000?-of-0000[12].safetensors",
    "onnx/",
    "onnx/*",
    "onnx/**",
    "onnx/**/",
    "**/onnx/*",
    "**/*.onnx",
    "*/model.onnx",
    "onnx/*.onnx",
    "onnx\\",
    "onnx\\*",
    "a\\b",
    "a/b",
    "a//b",
    "/a",
    "./a",
    "/",
    "//",
    "\\",
    ".*",
    "*.",
    ".",
    "..",
    "[a]",
    "[ab]",
    "[!a]",
    "[^a]",
    "[]]",
    "[]a]",
    "[!]]",
    "[!]a]",
    "[]",
    "[!]",
    "[",
    "[[",
    "[[]",
    "[[a]",
    "[a[]",
    "[]-a]",
    "[]-Z]",
    "[!]-a]",
    "[a-z]",
    "[z-a]",
    "[!z-a]",
    "[a-]",
    "[-a]",
    "[-]",
    "[!-]",
    "[!-a]",
    "[--]",
    "[---]",
    "[--0]",
    "[+--]",
    "[a-c-e]",
    "[a-cx-z]",
    "[c-ax-z]",
    "[c-ba-z]",
    "[b-a-z]",
    "[b-a!]",
    "[b-a!x]",
    "[b-a!-z]",
    "[b-a^]",
    "[b-a]x",
    "[!!]",
    "[!^]",
    "[^!]",
    "[^]",
    "[\\]",
    "[\\-a]",
    "[a\\b]",
    "[a/b]",
    "[&&]",
    "[a&&b]",
    "[~~]",
    "[a~~b]",
    "[||]",
    "[a||b]",
    "[a--b]",
    "[.-/]",
    "a[/]b",
    "a[!/]b",
    "a\nb",
    "a?b",
    "*\n*",
    "模型*",
    "*模型.bin",
    "[é]",
    "[!é]",
    "[a-é]",
    "é",
    "{a,b}",
    "a,b",
    "a b",
    " a",
    "a ",
    "[*]",
    "[?]",
    "a[*]b",
    "*a*a*b",
    "*[",
    "[*",
    "*]",
    "(a|b)",
    "a+",
    "^a$",
    "\\d",
    "a|b",
    "a.b",
];

/// What patterns are made up of.
const PIECES: &[&str] = &[
    "*", "?", "[", "]", "!", "-", "^", "a", "b", "z", "0", "/", "\\", ".", "&", "~", "|", "[a", "[!", "-]",
    "[]", "é", "\n",
];

/// Numbers that are the same in each run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }

    fn pattern(&mut self) -> String {
        (0..=self.below(9)).map(|_| PIECES[self.below(PIECES.len())]).collect()
    }
}

/// Every pattern by itself on either side, made-up ones, and several together.
fn cases() -> Vec<(Vec<String>, Vec<String>)> {
    let mut numbers = Numbers(12);
    let made_up: Vec<String> = (0..1500).map(|_| numbers.pattern()).collect();
    let patterns: Vec<String> = PATTERNS.iter().map(|pattern| (*pattern).to_owned()).chain(made_up).collect();
    let included = patterns.iter().map(|pattern| (vec![pattern.clone()], vec![]));
    let excluded = patterns.iter().map(|pattern| (vec![], vec![pattern.clone()]));
    let mut cases: Vec<_> = included.chain(excluded).collect();
    for _ in 0..300 {
        let mut some = |most| -> Vec<String> {
            (0..numbers.below(most)).map(|_| patterns[numbers.below(patterns.len())].clone()).collect()
        };
        cases.push((some(4), some(3)));
    }
    cases
}

#[test]
fn what_is_wanted_is_what_huggingface_hub_wants() {
    let Some(hf) = Counterpart::Hf.require() else { return };
    let cases = cases();
    let mut questions = String::new();
    for (include, exclude) in &cases {
        writeln!(questions, "{}", serde_json::json!([NAMES, include, exclude])).unwrap();
    }
    let mut python = Command::new(hf.with_file_name("python"))
        .args(["-c", FILTER])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = python.stdin.take().unwrap();
    let asking = std::thread::spawn(move || stdin.write_all(questions.as_bytes()).unwrap());
    let output = python.wait_with_output().unwrap();
    asking.join().unwrap();
    assert!(output.status.success(), "python has an answer to each pattern");
    let answers = String::from_utf8(output.stdout).unwrap();
    let answers: Vec<Vec<String>> = answers.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers.len(), cases.len());
    let globs = |patterns: &[String]| patterns.iter().map(|pattern| Glob::new(pattern)).collect();
    for ((include, exclude), expected) in cases.iter().zip(answers) {
        let globs = Globs { include: globs(include), exclude: globs(exclude) };
        let wanted: Vec<_> = NAMES.iter().filter(|name| globs.want(name)).collect();
        assert_eq!(wanted, expected.iter().collect::<Vec<_>>(), "include {include:?}, exclude {exclude:?}");
    }
}

/// A pattern that is refused would have been answered with nothing; the other way round a typed one is never refused that
/// a file could match.
#[test]
fn a_pattern_that_is_refused_matches_no_file() {
    let names = NAMES.iter().filter(|name| hfdown_protocol::RepoPath::new(**name).is_ok());
    let names: Vec<&str> = names.copied().collect();
    assert!(names.len() > 30, "{names:?}");
    for (include, _) in cases() {
        for pattern in include {
            let matching = names.iter().find(|name| Glob::new(&pattern).matches(name));
            assert!(
                matching.is_none() || pattern.parse::<Glob>().is_ok(),
                "{pattern:?} matches {matching:?}"
            );
        }
    }
}
