//! Events in, lines out.

use hfdown_protocol::{End, FailureKind, Proof, Provenance};
use insta::assert_snapshot;

use super::*;
use crate::event::{Agent, HintBeside};
use crate::link::BadAgent;
use crate::output::printer::capture;
use crate::output::sample::{self, BOX, look, motley, opened, outcome, path, plan, simple};
use crate::output::style::Style;
use crate::plan::{Action, Intent, Plan, Reason};
use crate::problem::Exit;
use crate::tally::Tally;

/// What is printed as data and what is said when these events happen, a second apart.
fn draw(verbosity: Verbosity, name: Option<&str>, events: &[Event]) -> (String, String) {
    let (mut printer, data, conversation) = capture::printer();
    let mut lines = Lines::new(look(Style::Lines, verbosity));
    let start = Instant::now();
    for (second, event) in (0..).zip(events) {
        let now = start + Duration::from_secs(second);
        lines.event(name, event, now, &mut printer).unwrap();
    }
    (data.text(), conversation.text())
}

fn said(verbosity: Verbosity, events: &[Event]) -> String {
    let (data, said) = draw(verbosity, None, events);
    assert_eq!(data, "");
    said
}

#[test]
fn a_run_is_a_few_sentences() {
    assert_snapshot!(said(Verbosity::Normal, &sample::run()), @"
    openai-community/gpt2 @ 607a30d · 26 files · 5.2 GB
    /workspace/gpt2 · linux x86_64 · 118 GB free · agent ready in 0.8 s
    plan: fetch 2 files (548 MB), keep 1
    done: 2 files, 548 MB in 4.6 s (119 MB/s) · 1 already there (1.0 MB) · every byte proved
    ");
}

#[test]
fn a_box_is_named_on_every_line() {
    let (data, said) = draw(Verbosity::Normal, Some(BOX), &sample::run());
    assert_eq!(data, "");
    assert_snapshot!(said, @"
    142.214.185.187:20544: openai-community/gpt2 @ 607a30d · 26 files · 5.2 GB
    142.214.185.187:20544: linux x86_64 · 118 GB free · agent ready in 0.8 s
    142.214.185.187:20544: plan: fetch 2 files (548 MB), keep 1
    142.214.185.187:20544: done: 2 files, 548 MB in 4.6 s (119 MB/s) · 1 already there (1.0 MB) · every byte proved
    ");
}

#[test]
fn verbose_tells_every_file_and_why() {
    assert_snapshot!(said(Verbosity::Verbose, &sample::run()), @"
    openai-community/gpt2 @ 607a30d · 26 files · 5.2 GB
    /workspace/gpt2 · linux x86_64 · 118 GB free · agent ready in 0.8 s
    plan: fetch 2 files (548 MB), keep 1
    fetch model.safetensors (548 MB): not there
    fetch config.json (665 B): other size
    keep vocab.json (1.0 MB): read and proved
    retrying model.safetensors in 1.5 s: it does not work (attempt 1 failed)
    proved model.safetensors: git-sha1:607a30d783dfa663caf39e06633721c8d4cfcd7e
    placed model.safetensors (548 MB)
    done: 2 files, 548 MB in 4.6 s (119 MB/s) · 1 already there (1.0 MB) · every byte proved
    ");
    assert_snapshot!(said(Verbosity::Verbose, &[plan(motley(), Intent::Execute)]), @"
    plan: fetch 2 files (548 MB, resume 120 MB of it), keep 2, remove 1, 2 refused · 5 of 6 files (549 MB of 9.5 GB)
    fetch model.safetensors (548 MB): other content, resume after 120 MB
    fetch onnx/config.json (665 B): not there
    keep vocab.json (1.0 MB): unchanged since it was proved
    keep merges.txt (456 kB): same size
    refuse a (8 B): it does not work
    refuse ../[2Jx: it has a `.` or `..` component
    remove old.bin (9.0 kB): no longer listed
    leave older.bin (9.0 kB): no longer listed, --delete removes it
    ");
}

#[test]
fn quiet_says_nothing_but_errors() {
    assert_eq!(said(Verbosity::Quiet, &sample::run()), "");
    let failure = sample::failure(FailureKind::NoSpace {
        needed: 5_000_000,
        free: 12_000,
        scarcity: hfdown_protocol::Scarcity::Bytes,
    });
    let events = [
        Event::Warning { text: "option -L is ignored".to_owned() },
        Event::Failed { path: "config.json".to_owned(), failure },
        Event::NotRemoved { path: path("old.bin"), failure: sample::failure(FailureKind::ChangedMeanwhile) },
        Event::Cancelling,
    ];
    assert_snapshot!(said(Verbosity::Quiet, &events), @"error: cannot fetch config.json: it does not work (5.0 MB missing, 12 kB free)");
    assert_snapshot!(said(Verbosity::Normal, &events), @"
    warning: option -L is ignored
    error: cannot fetch config.json: it does not work (5.0 MB missing, 12 kB free)
    warning: cannot remove old.bin: it does not work
    stopping; press Ctrl-C again to end at once
    ");
}

#[test]
fn a_dry_run_prints_the_plan_as_data() {
    let finished = Event::Finished(Tally { intent: Intent::DryRun, ..Tally::default() });
    let events = [plan(motley(), Intent::DryRun), finished];
    let (data, said) = draw(Verbosity::Normal, None, &events);
    assert_snapshot!(data, @"
    fetch    548 MB  model.safetensors  (other content, resume after 120 MB)
    fetch     665 B  onnx/config.json  (not there)
    refuse      8 B  a  (it does not work)
    refuse        -  ../[2Jx  (it has a `.` or `..` component)
    remove   9.0 kB  old.bin  (no longer listed)
    ");
    assert_snapshot!(said, @"
    plan: fetch 2 files (548 MB, resume 120 MB of it), keep 2, remove 1, 2 refused · 5 of 6 files (549 MB of 9.5 GB)
    dry run: nothing was changed
    ");
    let (verbose, _) = draw(Verbosity::Verbose, Some("box"), &events);
    assert_snapshot!(verbose, @"
    box: fetch    548 MB  model.safetensors  (other content, resume after 120 MB)
    box: fetch     665 B  onnx/config.json  (not there)
    box: keep     1.0 MB  vocab.json  (unchanged since it was proved)
    box: keep     456 kB  merges.txt  (same size)
    box: refuse      8 B  a  (it does not work)
    box: refuse        -  ../[2Jx  (it has a `.` or `..` component)
    box: remove   9.0 kB  old.bin  (no longer listed)
    ");
    let (quiet, nothing) = draw(Verbosity::Quiet, None, &events);
    assert_eq!((quiet, nothing.as_str()), (data, ""));
    let (nothing, _) = draw(Verbosity::Normal, None, &[plan(Plan::default(), Intent::DryRun)]);
    assert_eq!(nothing, "");
}

#[test]
fn agents_say_how_they_came() {
    let local = said(Verbosity::Normal, &[opened(Agent::InProcess)]);
    assert_eq!(local, "/workspace/gpt2 · 118 GB free\n");
    let uploaded = |verbosity, replaces| {
        draw(verbosity, Some("box"), &[opened(Agent::Uploaded { bytes: 4_900_000, replaces })]).1
    };
    let damaged = Some(BadAgent::Damaged);
    for said in [uploaded(Verbosity::Normal, damaged), uploaded(Verbosity::Verbose, None)] {
        assert_eq!(said, "box: linux x86_64 · 118 GB free · agent ready in 0.8 s (uploaded 4.9 MB)\n");
    }
    let said = uploaded(Verbosity::Verbose, damaged);
    assert!(said.ends_with("(uploaded 4.9 MB, as the one that was there is damaged)\n"), "{said}");
}

#[test]
fn a_folder_that_goes_by_another_name_is_said() {
    let mut event = opened(Agent::Cached);
    let Event::Opened { root, asked, .. } = &mut event else { unreachable!() };
    (*root, *asked) = ("/root/models".to_owned(), "~/models".to_owned());
    let (_, said) = draw(Verbosity::Normal, Some("box"), &[event]);
    assert_eq!(said, "box: /root/models · linux x86_64 · 118 GB free · agent ready in 0.8 s\n");
}

#[test]
fn waits_are_said() {
    let retrying = |seconds| Event::Retrying {
        path: path("config.json"),
        attempt: 2,
        failure: sample::failure(FailureKind::RateLimited),
        wait: Duration::from_secs(seconds),
    };
    let why = "the Hub answers 503".to_owned();
    let events = [
        Event::Delayed { why, attempt: 1, wait: Duration::from_secs(2) },
        Event::NotReady { why: "h:1 refused the connection".to_owned(), left: Duration::from_secs(180) },
        Event::Reconnecting {
            why: "the agent was silent for 30 s".to_owned(),
            attempt: 1,
            of: 8,
            wait: Duration::from_millis(500),
        },
        Event::Waiting { holder: "pid 7 on box".to_owned(), path: None, waited: Duration::ZERO },
        retrying(4),
        retrying(90),
    ];
    assert_snapshot!(said(Verbosity::Normal, &events), @"
    the Hub answers 503; trying again in 2.0 s (attempt 1 failed)
    h:1 refused the connection; a box that was just started does that: trying for 3 m 00 s
    the agent was silent for 30 s; reconnecting in 0.5 s (attempt 1 of 8)
    waiting: another run holds the folder (pid 7 on box)
    retrying config.json in 1 m 30 s: it does not work (attempt 2 failed)
    ");
}

#[test]
fn progress_is_said_every_ten_seconds() {
    let sample = Event::Progress(sample::progress());
    let samples = vec![sample; 31];
    let expected = "73 % of 548 MB, 121 MB/s, 1 s left\n".repeat(3);
    assert_eq!(said(Verbosity::Normal, &samples), expected);
    assert_eq!(said(Verbosity::Quiet, &samples), "");
    let mut survey = vec![Event::Surveying { read: 34, of: 100 }; 11];
    survey.push(plan(simple(), Intent::Execute));
    survey.extend(samples.into_iter().take(10));
    let said = said(Verbosity::Normal, &survey);
    assert_eq!(said, "checking 34 % of 100 B\nplan: fetch 2 files (548 MB), keep 1\n");
}

#[test]
fn a_long_listing_is_said_rarely_and_a_short_one_never() {
    let pages =
        |count| (1..=count).map(|page| Event::Listing { files: 1_000 * page }).chain([sample::listed()]);
    let last = "openai-community/gpt2 @ 607a30d · 26 files · 5.2 GB\n";
    assert_eq!(said(Verbosity::Normal, &pages(10).collect::<Vec<_>>()), last);
    let long: Vec<_> = pages(25).collect();
    let expected = format!("listing: 11,000 files so far\nlisting: 21,000 files so far\n{last}");
    assert_eq!(said(Verbosity::Normal, &long), expected);
    assert_eq!(said(Verbosity::Quiet, &long), "");
}

#[test]
fn a_second_box_does_not_take_the_first_ones_turn() {
    let (mut printer, _, said) = capture::printer();
    let mut lines = Lines::new(look(Style::Lines, Verbosity::Normal));
    let start = Instant::now();
    for (second, name) in [(0, "a"), (5, "b"), (10, "a"), (12, "b"), (15, "b")] {
        let event = Event::Surveying { read: 1, of: 2 };
        lines.event(Some(name), &event, start + Duration::from_secs(second), &mut printer).unwrap();
    }
    assert_eq!(said.text(), "a: checking 50 % of 2 B\nb: checking 50 % of 2 B\n");
}

#[test]
fn the_summary_is_true() {
    let unproved = |files: Vec<sample::SampleFile>| {
        Plan::of(files.into_iter().map(|(file, action)| match action {
            Action::Keep { .. } => (file, Action::Keep { proof: hfdown_protocol::Proof::SizeOnly }),
            action => (file, action),
        }))
    };
    let kept = || sample::simple_files().split_off(2);
    let only_kept = || Plan::of(kept());
    let nothing = Tally { placed: 0, fetched: 0, elapsed: Duration::from_millis(300), ..outcome() };
    let minutes = Duration::from_secs(72);
    let half = Tally { placed: 1, fetched: 300_000_000, ..outcome() };
    let outcomes = [
        (simple(), outcome()),
        (simple(), Tally { elapsed: minutes, removed: 2, ..outcome() }),
        (unproved(sample::simple_files()), outcome()),
        (only_kept(), nothing.clone()),
        (unproved(kept()), nothing.clone()),
        (only_kept(), Tally { removed: 1, ..nothing.clone() }),
        (Plan::default(), Tally { kept: 0, kept_bytes: 0, ..nothing.clone() }),
        (simple(), Tally { lost: 1, ..half.clone() }),
        (only_kept(), Tally { lost: 1, ..nothing.clone() }),
        (simple(), Tally { end: End::Cancelled, ..half.clone() }),
        (simple(), Tally { end: End::Cancelled, lost: 1, ..nothing.clone() }),
        (simple(), Tally { placed: 2, fetched: 0, ..outcome() }),
    ];
    let summaries = outcomes.map(|(planned, outcome)| {
        let text = said(Verbosity::Normal, &[plan(planned, Intent::Execute), Event::Finished(outcome)]);
        text.lines().nth(1).unwrap().to_owned()
    });
    assert_snapshot!(summaries.join("\n"), @"
    done: 2 files, 548 MB in 4.6 s (119 MB/s) · 1 already there (1.0 MB) · every byte proved
    done: 2 files, 548 MB in 4.6 s (119 MB/s) · 1 already there (1.0 MB) · 2 removed · 1 m 12 s in all · every byte proved
    done: 2 files, 548 MB in 4.6 s (119 MB/s) · 1 already there (1.0 MB) · every byte proved but for 1 compared by size only
    done: 1 file (1.0 MB) already there, in 0.3 s · every byte proved
    done: 1 file (1.0 MB) already there, in 0.3 s · only sizes were compared
    done: 1 file (1.0 MB) already there, in 0.3 s · 1 removed · every byte proved
    done: nothing to fetch in 0.3 s
    incomplete: 1 of 2 files, 300 MB in 4.6 s (65 MB/s) · 1 already there (1.0 MB) · 1 failed
    incomplete: nothing fetched in 0.3 s · 1 already there (1.0 MB) · 1 failed
    cancelled: 1 of 2 files, 300 MB in 4.6 s (65 MB/s) · 1 already there (1.0 MB) · what arrived is kept
    cancelled: 0 of 2 files, 0 B in 0.3 s · 1 already there (1.0 MB) · 1 failed · what arrived is kept
    done: 2 files, 0 B in 4.9 s · 1 already there (1.0 MB) · every byte proved
    ");
}

#[test]
fn the_headline_names_what_there_is() {
    let file = |index: usize| sample::simple_files().remove(index);
    let mut refusing = Plan::of([file(2)]);
    refusing.refused = motley().refused;
    let plans = [
        simple(),
        motley(),
        Plan::default(),
        Plan::of([file(2)]),
        Plan::of(vec![file(2); 26]),
        Plan::of([file(1)]),
        refusing,
    ];
    let headlines = plans.map(|planned| said(Verbosity::Normal, &[plan(planned, Intent::Execute)]));
    assert_snapshot!(headlines.concat(), @"
    plan: fetch 2 files (548 MB), keep 1
    plan: fetch 2 files (548 MB, resume 120 MB of it), keep 2, remove 1, 2 refused · 5 of 6 files (549 MB of 9.5 GB)
    plan: nothing to do, there are no files
    plan: nothing to do, the file is there already
    plan: nothing to do, 26 files are there already
    plan: fetch 1 file (665 B)
    plan: nothing to fetch, keep 1, 1 refused
    ");
    let mut cached = Plan::of([file(2), file(2)]);
    cached.is_in_cache = true;
    let unnamed =
        Plan::of([file(2), sample::keep("a", 8, Proof::Unnamed), sample::keep("b", 8, Proof::Misnamed)]);
    let headlines =
        [cached, unnamed].map(|planned| said(Verbosity::Normal, &[plan(planned, Intent::Execute)]));
    assert_snapshot!(headlines.concat(), @"
    plan: nothing to fetch, 2 files are there already
    plan: nothing to fetch, make 2 links, keep 3
    ");
}

#[test]
fn a_hint_beside_a_result_is_for_who_wants_more_than_that() {
    let hint = |beside| Event::Hint { text: "do that".to_owned(), beside };
    let hints = || [hint(HintBeside::Failure), hint(HintBeside::Result)];
    assert_eq!(draw(Verbosity::Normal, None, &hints()).1, "hint: do that\nhint: do that\n");
    assert_eq!(draw(Verbosity::Quiet, None, &hints()).1, "hint: do that\n");
}

#[test]
fn an_error_is_drawn_on_standard_error() {
    let (mut printer, data, said) = capture::printer();
    let problem = Problem::new(Exit::NotFound, "cannot list gpt3").because("404").hint("check the name");
    Lines::new(look(Style::Lines, Verbosity::Quiet)).problem(&problem, &mut printer).unwrap();
    assert_eq!(data.text(), "");
    assert_eq!(said.text(), "error: cannot list gpt3\ncaused by: 404\n\nhint: check the name\n");
}

#[test]
fn what_is_not_ours_to_replace_is_said_before_it_is_replaced() {
    let many: Vec<_> =
        (0..7).map(|number| sample::replacing(&format!("{number}.json"), Provenance::Foreign)).collect();
    let mut files = vec![
        sample::fetch("model.safetensors", 548_000_000, Reason::OtherContent, 0),
        sample::replacing(".ssh/authorized_keys", Provenance::Foreign),
        sample::replacing("config.json", Provenance::Edited),
        sample::replacing("vocab.json", Provenance::Cached),
    ];
    let few = Plan::of(files.clone());
    files.extend(many);
    let said = |intent| draw(Verbosity::Normal, None, &[plan(few.clone(), intent)]).1;
    assert_eq!(said(Intent::Execute), said(Intent::DryRun));
    assert_snapshot!(said(Intent::Execute), @"
    plan: fetch 4 files (548 MB)
    replaces 1 file that hfdown did not put there: .ssh/authorized_keys
    replaces 1 file that was changed since hfdown put it there: config.json
    replaces 1 file whose content is wrong: vocab.json
    note: names that programs may obey in a home folder: .ssh/authorized_keys
    ");
    let (_, all) = draw(Verbosity::Normal, None, &[plan(Plan::of(files), Intent::Execute)]);
    assert!(
        all.contains(
            "replaces 8 files that hfdown did not put there: .ssh/authorized_keys, 0.json, 1.json, 2.json, 3.json and 3 more\n"
        ),
        "{all}"
    );
}
