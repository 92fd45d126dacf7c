//! Events in, objects out.

use std::sync::Arc;

use hfdown_protocol::FailureKind;
use insta::assert_snapshot;

use super::*;
use crate::event::{Agent, HintBeside};
use crate::output::printer::capture;
use crate::output::sample::{self, BOX, look, motley, path, plan};
use crate::output::style::Style;
use crate::plan::Intent;
use crate::problem::Exit;

/// What is printed when these events happen, 0.4 seconds apart.
fn draw(verbosity: Verbosity, name: Option<&str>, events: &[Event]) -> String {
    let (mut printer, data, conversation) = capture::printer();
    let mut json = Json::new(look(Style::Json, verbosity));
    let start = Instant::now();
    for (tick, event) in (0..).zip(events) {
        let now = start + Duration::from_millis(400) * tick;
        json.event(name, event, now, &mut printer).unwrap();
    }
    assert_eq!(conversation.text(), "", "standard error is silent");
    data.text()
}

/// One of each that [`sample::run`] lacks.
fn the_others() -> Vec<Event> {
    let failure = || {
        sample::failure(FailureKind::NoSpace {
            needed: 2_000,
            free: 10,
            scarcity: hfdown_protocol::Scarcity::Bytes,
        })
    };
    vec![
        Event::Warning { text: "a \"text\"".to_owned() },
        Event::DiskWarning { root: "/w".to_owned(), warning: hfdown_protocol::DiskWarning::NoFlush },
        Event::Hint { text: "do that".to_owned(), beside: HintBeside::Failure },
        Event::Delayed { why: "no answer".to_owned(), attempt: 1, wait: Duration::from_millis(2_500) },
        Event::NotReady { why: "refused".to_owned(), left: Duration::from_secs(180) },
        Event::Reconnecting { why: "lost".to_owned(), attempt: 1, of: 8, wait: Duration::from_millis(500) },
        Event::Waiting { holder: "pid 7".to_owned(), path: None, waited: Duration::from_secs(60) },
        sample::opened(Agent::Uploaded { bytes: 4_900_000, replaces: None }),
        plan(motley(), Intent::DryRun),
        Event::Failed { path: "config.json".to_owned(), failure: failure() },
        Event::Removed { path: path("old.bin") },
        Event::NotRemoved { path: path("older.bin"), failure: failure() },
        Event::Status(Box::new(crate::fleet::BoxStatus {
            state: crate::fleet::FolderState::OtherCommit,
            files: 1,
            of_files: 2,
            bytes: 10,
            of_bytes: 30,
            by_size: 1,
            commit: hfdown_protocol::Commit::new("607a30d783dfa663caf39e06633721c8d4cfcd7e").ok(),
        })),
        Event::Forgotten { host: "box:7".to_owned(), file: "/home/me/known_hosts".to_owned() },
        Event::Cancelling,
    ]
}

#[test]
fn a_run_is_a_line_per_event() {
    assert_snapshot!(draw(Verbosity::Normal, None, &sample::run()), @r#"
    {"type":"listed","repo":"openai-community/gpt2","commit":"607a30d783dfa663caf39e06633721c8d4cfcd7e","files":26,"bytes":5200000000,"of_files":40,"of_bytes":210000000000}
    {"type":"opened","root":"/workspace/gpt2","free":118000000000,"os":"linux","arch":"x86_64","cpus":8,"agent":"cached","uploaded":0,"ready_seconds":0.8}
    {"type":"surveying","done":340,"total":1000}
    {"type":"plan","dry_run":false,"fetch":[{"path":"model.safetensors","size":548000000,"reason":"missing","partial":0,"new":548000000,"wire":548000000,"replaces":null},{"path":"config.json","size":665,"reason":"other_size","partial":0,"new":665,"wire":665,"replaces":"placed"}],"fetch_bytes":548000665,"new_bytes":548000665,"wire_bytes":548000665,"keep":{"files":1,"bytes":1042301,"by_size":0},"remove":[],"refuse":[],"dot_files":[],"left_out":{"files":0,"bytes":0}}
    {"type":"started","path":"model.safetensors","size":548000000,"resumed":0}
    {"type":"progress","done":405000000,"total":548000665,"rate":121000000,"left_seconds":1.0,"in_flight":[{"path":"model.safetensors","done":389000000,"size":548000000,"rate":118000000}]}
    {"type":"retrying","path":"model.safetensors","attempt":1,"kind":"unreachable","why":"it does not work","wait_seconds":1.5}
    {"type":"verified","path":"model.safetensors"}
    {"type":"placed","path":"model.safetensors","size":548000000,"fetched":548000000}
    {"type":"finished","end":"done","dry_run":false,"placed":2,"failed":0,"kept":1,"kept_bytes":1042301,"by_size":0,"removed":0,"fetched":548000665,"written":548000000,"elapsed_seconds":4.9,"transfer_seconds":4.6,"rate":119130579}
    "#);
    assert_snapshot!(draw(Verbosity::Normal, None, &the_others()), @r#"
    {"type":"warning","text":"a \"text\""}
    {"type":"warning","text":"the disk of /w can't flush files: after a power loss, a file there may be incomplete under its own name; --checksum finds such files","kind":"no_flush"}
    {"type":"hint","text":"do that"}
    {"type":"delayed","why":"no answer","attempt":1,"wait_seconds":2.5}
    {"type":"not_ready","why":"refused","left_seconds":180.0}
    {"type":"reconnecting","why":"lost","attempt":1,"of":8,"wait_seconds":0.5}
    {"type":"waiting","holder":"pid 7","waited_seconds":60.0}
    {"type":"opened","root":"/workspace/gpt2","free":118000000000,"os":"linux","arch":"x86_64","cpus":8,"agent":"uploaded","uploaded":4900000,"ready_seconds":0.8}
    {"type":"plan","dry_run":true,"fetch":[{"path":"model.safetensors","size":548000000,"reason":"other_content","partial":120000000,"new":428000000,"wire":428000000,"replaces":"placed"},{"path":"onnx/config.json","size":665,"reason":"missing","partial":0,"new":665,"wire":665,"replaces":null}],"fetch_bytes":428000665,"new_bytes":428000665,"wire_bytes":428000665,"keep":{"files":2,"bytes":1498619,"by_size":1},"remove":[{"path":"old.bin","size":9000}],"refuse":[{"path":"a","why":"it does not work"},{"path":"../[2Jx","why":"it has a `.` or `..` component"}],"dot_files":[],"left_out":{"files":1,"bytes":9000000000}}
    {"type":"failed","path":"config.json","kind":"no_space","why":"it does not work (2.0 kB missing, 10 B free)"}
    {"type":"removed","path":"old.bin"}
    {"type":"not_removed","path":"older.bin","kind":"no_space","why":"it does not work (2.0 kB missing, 10 B free)"}
    {"type":"status","state":"other_commit","files":1,"of_files":2,"bytes":10,"of_bytes":30,"by_size":1,"commit":"607a30d783dfa663caf39e06633721c8d4cfcd7e"}
    {"type":"forgotten","host":"box:7","file":"/home/me/known_hosts"}
    {"type":"cancelling"}
    "#);
}

#[test]
fn every_object_of_a_box_names_it_and_is_in_the_table() {
    let table = include_str!("json.rs");
    let events: Vec<_> = sample::run().into_iter().chain(the_others()).collect();
    let drawn = draw(Verbosity::Normal, Some(BOX), &events);
    assert_eq!(drawn.lines().count(), events.len());
    for line in drawn.lines() {
        let object: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(object["box"], BOX, "{line}");
        let kind = object["type"].as_str().unwrap();
        let row = table.lines().find(|row| row.starts_with(&format!("//! | `{kind}` |"))).expect(kind);
        for field in
            object.as_object().unwrap().keys().filter(|field| !["type", "box"].contains(&field.as_str()))
        {
            assert!(row.contains(&format!("`{field}`")), "{kind}.{field} is not documented");
        }
    }
}

#[test]
fn samples_come_once_per_second() {
    let samples = vec![Event::Progress(sample::progress()); 6];
    assert_eq!(draw(Verbosity::Normal, None, &samples).lines().count(), 2);
    assert_eq!(draw(Verbosity::Verbose, None, &samples).lines().count(), 2);
    assert_eq!(draw(Verbosity::Quiet, None, &samples), "");
}

#[test]
fn a_listing_of_more_than_a_second_shows_how_far_it_is() {
    let pages = |count| (1..=count).map(|page| Event::Listing { files: 1_000 * page });
    assert_eq!(draw(Verbosity::Normal, None, &pages(3).collect::<Vec<_>>()), "");
    assert_eq!(draw(Verbosity::Quiet, None, &pages(9).collect::<Vec<_>>()), "");
    let drawn = draw(Verbosity::Normal, None, &pages(9).collect::<Vec<_>>());
    assert_eq!(drawn, "{\"type\":\"listing\",\"files\":4000}\n{\"type\":\"listing\",\"files\":7000}\n");
    // What comes next does not wait for it.
    let survey = pages(2).chain([sample::listed(), Event::Surveying { read: 1, of: 2 }]).collect::<Vec<_>>();
    assert_eq!(draw(Verbosity::Normal, None, &survey).lines().count(), 2);
}

#[test]
fn the_error_is_an_object_and_a_sentence() {
    let (mut printer, data, said) = capture::printer();
    let problem = Problem::new(Exit::NotAllowed, "cannot fetch x").because("403").hint("pass a token");
    Json::new(look(Style::Json, Verbosity::Normal)).problem(&problem, &mut printer).unwrap();
    let expected =
        r#"{"type":"error","message":"cannot fetch x","causes":["403"],"hint":"pass a token","exit_code":4}"#;
    assert_eq!(data.text().trim_end(), expected);
    assert_eq!(said.text(), "error: cannot fetch x\ncaused by: 403\n\nhint: pass a token\n");
}

#[test]
fn what_the_hub_says_is_an_object_and_one_per_file() {
    let (mut printer, data, _) = capture::printer();
    let (info, selected) = crate::output::info::tests::described();
    described(None, &info, &selected, &Contents::default(), &mut printer).unwrap();
    assert_snapshot!(data.text(), @r#"
    {"type":"model","id":"openai-community/gpt2","kind":"model","commit":"607a30d783dfa663caf39e06633721c8d4cfcd7e","private":false,"gating":"none","license":"mit","last_modified":null,"tags":["safetensors"],"files":2,"bytes":548105836}
    {"type":"file","path":"config.json","size":665,"digest":"git-sha1:10c66461e4c109db5a2196bff4bb59be30396ed8"}
    {"type":"file","path":"model.safetensors","size":548105171,"digest":"sha256:248dfc3911869ec493c76e65bf2fcf7f615828b0254c12b473182f0f81d3a707"}
    {"type":"refused","path":"../[2Jx","why":"it has a `.` or `..` component"}
    "#);
}

#[test]
fn a_finished_run_knows_what_was_compared_by_size_only() {
    let events = [
        Event::Planned { plan: Arc::new(motley()), intent: Intent::Execute },
        Event::Finished(sample::outcome()),
    ];
    let drawn = draw(Verbosity::Normal, None, &events);
    let last: serde_json::Value = serde_json::from_str(drawn.lines().last().unwrap()).unwrap();
    assert_eq!((&last["by_size"], &last["end"]), (&1.into(), &"done".into()));
}

/// Where Python's `str.splitlines` begins a new line.
const SPLITS: [char; 10] =
    ['\n', '\r', '\u{b}', '\u{c}', '\u{1c}', '\u{1d}', '\u{1e}', '\u{85}', '\u{2028}', '\u{2029}'];

#[test]
fn a_line_is_one_line_to_every_reader_and_says_the_same() {
    // Line ends of all kinds; what turns the reading direction round; what is beyond 16 bits, hidden and not.
    let hostile: String =
        SPLITS.iter().chain(&['\u{202e}', '\u{7f}', '\u{feff}', '\u{e0041}', '🤗', 'ü', '"', '\\']).collect();
    let text = || hostile.clone();
    let failure = || hfdown_protocol::Failure::new(FailureKind::Disk, &hostile);
    let (mut info, ..) = crate::output::info::tests::described();
    (info.license, info.tags) = (Some(text()), vec![text()]);
    let file = path("a\u{2028}b\u{2029}c\u{61c}d");
    let digest = hfdown_protocol::Digest::GitSha1([0; 20]);
    let files =
        hfdown_protocol::FileTable::of_one(hfdown_protocol::FileRow { path: file.view(), size: 1, digest });
    let selected = Box::new(crate::output::info::tests::everything(&info, files, Vec::new()));
    let events = [
        Event::Described { info: Box::new(info), selected, contents: Box::default() },
        Event::Warning { text: text() },
        Event::Delayed { why: text(), attempt: 1, wait: Duration::ZERO },
        Event::NotReady { why: text(), left: Duration::ZERO },
        Event::Waiting { holder: text(), path: None, waited: Duration::ZERO },
        Event::Placed { path: file.clone(), size: 1, fetched: 1 },
        Event::Failed { path: text(), failure: failure() },
        Event::NotRemoved { path: file, failure: failure() },
        Event::Forgotten { host: text(), file: text() },
    ];
    let problem = Problem::new(Exit::Failed, text()).because(text()).hint(text());
    let (mut printer, data, _) = capture::printer();
    Json::new(look(Style::Json, Verbosity::Normal)).problem(&problem, &mut printer).unwrap();
    let drawn = draw(Verbosity::Normal, Some(&hostile), &events) + &data.text();
    let lines: Vec<&str> = drawn.trim_end_matches('\n').split(SPLITS).collect();
    assert_eq!(lines.len(), events.len() + 2, "{lines:?}");
    let objects: Vec<serde_json::Value> =
        lines.iter().map(|line| serde_json::from_str(line).expect(line)).collect();
    assert_eq!(objects[0]["tags"][0], hostile);
    assert_eq!(objects[1]["path"], "a\u{2028}b\u{2029}c\u{61c}d");
    assert_eq!(objects[2]["text"], hostile);
    assert_eq!(objects[2]["box"], hostile);
    assert_eq!(objects.last().unwrap()["causes"][0], hostile);
    assert!(!drawn.contains(|character: char| character != '\n' && is_hidden(character)));
}

#[test]
fn the_schema_and_the_table_know_every_object_and_its_fields() {
    let schema: serde_json::Value =
        serde_json::from_str(include_str!("../../schema/events.schema.json")).unwrap();
    let table = include_str!("json.rs");
    let objects = include_str!("object.rs").split_once("pub(super) enum Object<'a> {").unwrap().1;
    let objects = objects.split_once("\n}\n").unwrap().0;
    let variants = objects
        .lines()
        .filter_map(|line| line.strip_prefix("    "))
        .filter(|line| line.starts_with(char::is_uppercase));
    let mut kinds = Vec::new();
    for variant in variants {
        let name = variant.split([' ', '(', '{']).next().unwrap();
        let mut kind = String::new();
        for character in name.chars() {
            if character.is_uppercase() && !kind.is_empty() {
                kind.push('_');
            }
            kind.extend(character.to_lowercase());
        }
        kinds.push(kind);
    }
    assert!(kinds.len() >= 49, "{kinds:?}");
    for kind in &kinds {
        assert_eq!(schema["$defs"][kind]["properties"]["type"]["const"], **kind, "{kind} is in the schema");
        let reference = serde_json::json!({ "$ref": format!("#/$defs/{kind}") });
        assert!(schema["oneOf"].as_array().unwrap().contains(&reference), "{kind} is one of them");
        let row = table.lines().find(|row| row.starts_with(&format!("//! | `{kind}` |"))).expect(kind);
        let properties = schema["$defs"][kind]["properties"].as_object().unwrap();
        for field in properties.keys().filter(|field| !["type", "box"].contains(&field.as_str())) {
            let is_said = row.contains(&format!("`{field}`")) || row.contains("the fields of `joined`");
            assert!(is_said, "{kind}.{field} is in the table");
        }
    }
    assert_eq!(schema["oneOf"].as_array().unwrap().len(), kinds.len(), "and no others");
}
