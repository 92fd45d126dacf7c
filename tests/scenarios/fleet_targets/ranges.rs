//! Ranges of hosts mean what they mean to `ClusterShell`, and names are folded as it folds them: the real `NodeSet` is asked.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use hfdown::fleet::{expand, fold};
use hfdown_tests::counterpart::Counterpart;

/// Answers each line, a text, with the names that it stands for, or with nothing where it is none; a list of names with them
/// folded.
const NODESET: &str = r"
import json, sys
from ClusterShell.NodeSet import NodeSet
for line in sys.stdin:
    asked = json.loads(line)
    try:
        said = str(NodeSet.fromlist(asked)) if isinstance(asked, list) else sorted(NodeSet(asked, resolver=None))
    except Exception:
        said = None
    print(json.dumps(said))
";

const RANGES: &[&str] = &[
    "gpu[001-064]",
    "gpu[1-3,7,010-012]",
    "gpu[1-9/2]",
    "gpu[1-10/3]",
    "gpu[1-2/5]",
    "gpu[3]",
    "gpu[08-12]",
    "gpu[8-12]",
    "gpu[099-101]",
    "gpu[001-100]",
    "gpu[00-02]",
    "gpu[01,1]",
    "gpu[1,1,1-2]",
    "gpu[ 1 - 3 ]",
    "gpu[1-3]x",
    "gpu[1-3]4",
    "a[1-2]b[3-4]",
    "a[01-03]x[1-2]y",
    "n[1-2].dc[1-2].org",
    "n[0-3]-ib0",
    "[1-3]",
    "192.168.0.[1-3]",
    "n[1,3],m[2-4]",
    "gpu[017,044],gpu101",
    "root@gpu[1-2]",
    "one",
    "one,two",
    "gpu[9-010]",
    "gpu[009-10]",
    "gpu[01-100]",
    "gpu[5-1]",
    "gpu[a-z]",
    "gpu[1-",
    "gpu[]",
    "gpu[1,,2]",
    "gpu[,1]",
    "gpu[1,]",
    "gpu[1-3/0]",
    "gpu[1-3/a]",
    "gpu[1-]",
    "gpu[a]",
    "gpu[1a]",
];

fn nodeset(questions: &[serde_json::Value]) -> Option<Vec<serde_json::Value>> {
    let python = Counterpart::Nodeset.require()?.with_file_name("python");
    let mut lines = String::new();
    for question in questions {
        writeln!(lines, "{question}").unwrap();
    }
    let asking =
        Command::new(python).args(["-c", NODESET]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut asking = asking.unwrap();
    let mut stdin = asking.stdin.take().unwrap();
    let saying = std::thread::spawn(move || stdin.write_all(lines.as_bytes()).unwrap());
    let output = asking.wait_with_output().unwrap();
    saying.join().unwrap();
    assert!(output.status.success(), "python has an answer to each line");
    let answers = String::from_utf8(output.stdout).unwrap();
    let answers: Vec<_> = answers.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers.len(), questions.len());
    Some(answers)
}

#[test]
fn a_range_is_what_it_is_to_clustershell() {
    let questions: Vec<_> = RANGES.iter().map(|range| serde_json::json!(range)).collect();
    let Some(answers) = nodeset(&questions) else { return };
    for (range, expected) in RANGES.iter().zip(answers) {
        let names = expand(range).ok().map(|names| names.into_iter().collect::<BTreeSet<_>>());
        assert_eq!(serde_json::json!(names), expected, "{range}");
    }
}

/// All but one set of two numbers, which can be folded in two ways, and which word comes first.
#[test]
fn names_are_folded_as_clustershell_folds_them() {
    let lists: Vec<Vec<String>> = [
        "gpu1 gpu2 gpu3",
        "gpu001 gpu002 gpu17",
        "gpu017 gpu044",
        "a b",
        "a1b1 a1b2 a2b1 a2b2",
        "a1b1 a2b2",
        "n9 n10",
        "n09 n10",
        "n1 n01",
        "n8 n9 n09 n10",
        "n9 n10 n010 n09",
        "n99 n100",
        "n1 n2 n003",
        "gpu1 gpu3 gpu5",
        "n1.x n2.x n1.y",
        "10.0.0.1 10.0.0.2",
        "1.2.3.4 1.2.4.4 1.2.3.5 1.2.4.5",
        "gpu1:/a gpu2:/a",
        "a1b1 a1b2 a2b1",
        "a1b1c1 a1b1c2 a1b2c1 a1b2c2 a2b1c1",
        "r1n1 r1n2 r1n3 r2n1 r2n3",
        "gpu099 gpu100 gpu101",
        "n0 n00 n000",
        "1a 2a",
        "x1 x",
        "n1 n3 n2 n2",
    ]
    .iter()
    .map(|names| names.split(' ').map(str::to_owned).collect())
    .chain([(1..=200).map(|number| format!("gpu{number:03}")).collect()])
    .chain([(1..=200).filter(|number| number % 7 != 0).map(|number| format!("gpu{number}")).collect()])
    .collect();
    let questions: Vec<_> = lists.iter().map(|names| serde_json::json!(names)).collect();
    let Some(answers) = nodeset(&questions) else { return };
    for (names, expected) in lists.iter().zip(answers) {
        let (folded, expected) =
            (fold(names.iter().map(String::as_str)), expected.as_str().unwrap().to_owned());
        assert_eq!(words(&folded), words(&expected), "{names:?}");
    }
}

/// The words of a list, commas in brackets left alone.
fn words(folded: &str) -> BTreeSet<String> {
    let mut words = vec![String::new()];
    let mut depth = 0;
    for character in folded.chars() {
        match character {
            ',' if depth == 0 => words.push(String::new()),
            _ => words.last_mut().unwrap().push(character),
        }
        depth += i32::from(character == '[') - i32::from(character == ']');
    }
    words.into_iter().collect()
}
