//! Bad input, by the real program: each with its exit code, with words that say what to do next, and with nothing
//! written where nothing should be.

#![expect(clippy::unwrap_used, reason = "a step that fails is a scenario that fails")]

mod refusals {
    pub(crate) mod folders;
    pub(crate) mod hub;
    pub(crate) mod names;
    pub(crate) mod space;
    pub(crate) mod ssh;
    pub(crate) mod streams;
    pub(crate) mod typed;
}

use hfdown_tests::stage::{Ended, Place, Stage, run};

/// The program under test.
pub(crate) const HFDOWN: &str = env!("CARGO_BIN_EXE_hfdown-tested");

/// Runs each scenario in all three places, or in the two that are boxes.
macro_rules! at_places {
    ($($place:ident $of:ident { $($module:ident :: $scenario:ident,)* })*) => {
        $(mod $place {
            $(#[tokio::test] async fn $scenario() {
                crate::at(hfdown_tests::stage::Place::$of, crate::refusals::$module::$scenario).await;
            })*
        })*
    };
}

async fn at<F: Future<Output = ()>>(place: Place, scenario: impl FnOnce(Stage) -> F) {
    if let Some(stage) = Stage::set(place, HFDOWN).await {
        // Not a measurement: a scenario that hangs fails instead of holding everything up.
        tokio::time::timeout(std::time::Duration::from_secs(120), scenario(stage)).await.expect("it ends");
    }
}

at_places! {
    here Here {
        hub::an_unknown_model_is_not_found,
        hub::an_unknown_revision_is_not_found,
        hub::an_unknown_file_is_not_found,
        hub::a_gated_model_wants_a_token,
        hub::a_gated_model_wants_a_token_that_was_let_in,
        hub::a_wrong_token_opens_nothing,
        hub::a_private_model_is_not_shown,
        hub::a_closed_port_is_said_to_be_one,
        hub::a_name_without_an_address_is_said_to_be_one,
        hub::offline_nothing_is_asked,
        hub::a_model_without_files_is_no_error,
        typed::what_makes_no_sense_is_a_matter_of_usage,
        typed::a_command_for_ssh_that_does_not_parse_asks_nobody,
        streams::a_reader_that_leaves_is_no_error,
        streams::data_that_could_not_be_written_is_an_error,
        folders::a_file_is_no_folder,
        folders::what_may_not_be_written_is_left_alone,
        folders::another_users_folder_is_left_alone,
        folders::links_that_lead_out_are_not_followed,
        folders::bookkeeping_that_leads_out_is_not_followed,
        folders::folders_and_files_in_the_way_stay,
        folders::a_second_run_waits_for_the_first,
        folders::one_file_goes_where_cp_would_put_it,
        names::hostile_names_stay_out_and_the_rest_arrives,
        names::a_listing_of_hostile_names_alone_places_nothing,
        names::names_that_this_disk_cannot_tell_apart,
        space::a_small_disk_is_refused_before_the_first_byte,
        space::a_disk_that_fills_up_keeps_what_arrived,
    }
    in_process_ssh InProcess {
        hub::an_unknown_model_is_not_found_on_behalf_of_a_box,
        ssh::a_closed_port_is_refused,
        ssh::a_rejected_key_is_named,
        ssh::a_changed_host_key_is_refused_until_it_is_pinned,
        ssh::an_unknown_host_key_is_refused_when_strict,
        ssh::other_machines_are_refused_by_name,
        ssh::a_home_that_runs_no_programs_is_not_the_end,
        ssh::a_box_that_runs_no_programs_is_refused,
        folders::a_file_is_no_folder,
        folders::what_may_not_be_written_is_left_alone,
        folders::links_that_lead_out_are_not_followed,
        folders::a_second_run_waits_for_the_first,
        names::hostile_names_stay_out_and_the_rest_arrives,
        space::a_small_disk_is_refused_before_the_first_byte,
        space::a_disk_that_fills_up_keeps_what_arrived,
    }
    sshd Sshd {
        hub::an_unknown_model_is_not_found_on_behalf_of_a_box,
        ssh::a_closed_port_is_refused,
        ssh::a_rejected_key_is_named,
        ssh::a_changed_host_key_is_refused_until_it_is_pinned,
        ssh::an_unknown_host_key_is_refused_when_strict,
        ssh::other_machines_are_refused_by_name,
        ssh::a_home_that_runs_no_programs_is_not_the_end,
        ssh::a_box_that_runs_no_programs_is_refused,
        folders::a_file_is_no_folder,
        folders::what_may_not_be_written_is_left_alone,
        folders::links_that_lead_out_are_not_followed,
        folders::a_second_run_waits_for_the_first,
        names::hostile_names_stay_out_and_the_rest_arrives,
        space::a_small_disk_is_refused_before_the_first_byte,
        space::a_disk_that_fills_up_keeps_what_arrived,
    }
}

/// What may never reach a person's eyes: Rust's own ways of saying things, and a terminal's controls.
const RUST: [&str; 9] =
    ["panicked", "backtrace", "RUST_", "os error", "Some(", "Err(", " { ", "::", "\u{1b}"];

/// What was said last: the error with its causes and its hint, without what differs between runs. The code is checked,
/// and that it is meant for people.
pub(crate) fn refusal(stage: &Stage, ended: &Ended, code: i32) -> String {
    let said = plain(stage, &ended.stderr);
    assert_eq!(ended.code, code, "{said}");
    for word in RUST {
        assert!(!said.contains(word), "`{word}` is for programmers: {said}");
    }
    let begin = said.rfind("\nerror: ").map_or(0, |line| line + 1);
    said[begin..].trim_end().to_owned()
}

/// A text without what differs between runs.
pub(crate) fn plain(stage: &Stage, text: &str) -> String {
    let mut text = text.replace(&stage.hub.endpoint(), "HUB");
    if let Some(host) = &stage.host {
        text = text.replace(&format!("127.0.0.1:{}", host.port()), "BOX");
        text = text.replace(&host.near().display().to_string(), "NEAR");
        text = text.replace(&host.home().display().to_string(), "HOME");
    }
    let text = text.replace(&stage.scratch().display().to_string(), "SCRATCH");
    let text = text.split_inclusive(')').map(|piece| match piece.rsplit_once("(request ") {
        Some((before, _)) => format!("{before}(request REQUEST)"),
        None => piece.to_owned(),
    });
    let text: String = text.collect();
    let is_commit = |word: &str| word.len() == 40 && word.chars().all(|digit| digit.is_ascii_hexdigit());
    text.split('/').map(|word| if is_commit(word) { "COMMIT" } else { word }).collect::<Vec<_>>().join("/")
}

/// Runs the program twice, once for people and once for programs, which are told the same. Gives what people are told.
pub(crate) async fn refused(stage: &Stage, words: &[&str], variables: &[(&str, &str)], code: i32) -> String {
    let with = |words: &[&str]| {
        let mut command = stage.hfdown(words);
        command.envs(variables.iter().copied());
        command
    };
    let ended = run(with(words)).await;
    let people = refusal(stage, &ended, code);
    let ended = run(with(&[words, &["--json"]].concat())).await;
    let again = refusal(stage, &ended, code);
    assert_eq!(people, again, "standard error is for people with --json, too");
    let last = plain(stage, ended.stdout.lines().last().unwrap_or_default());
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
pub(crate) fn assert_untouched(stage: &Stage) {
    assert_eq!(everything(stage.scratch()), ["home/"], "nothing was written");
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
