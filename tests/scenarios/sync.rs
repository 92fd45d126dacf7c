//! The main job, by the real program: here, on a box behind russh, on a box behind the real `sshd`.

#![expect(clippy::unwrap_used, reason = "a test that can't go on says where")]

mod sync {
    pub(crate) mod basics;
    pub(crate) mod detached;
    pub(crate) mod interrupted;
    pub(crate) mod lost;
    pub(crate) mod records;
    pub(crate) mod secrets;
    pub(crate) mod traces;
    pub(crate) mod visits;
}

/// The program under test.
pub(crate) const HFDOWN: &str = env!("CARGO_BIN_EXE_hfdown-tested");

/// Runs each scenario in all three places.
macro_rules! everywhere {
    ($($module:ident :: $scenario:ident),* $(,)?) => {
        mod here {
            $(#[tokio::test] async fn $scenario() { crate::at(hfdown_tests::stage::Place::Here, crate::sync::$module::$scenario).await })*
        }
        mod in_process_ssh {
            $(#[tokio::test] async fn $scenario() { crate::at(hfdown_tests::stage::Place::InProcess, crate::sync::$module::$scenario).await })*
        }
        mod sshd {
            $(#[tokio::test] async fn $scenario() { crate::at(hfdown_tests::stage::Place::Sshd, crate::sync::$module::$scenario).await })*
        }
    };
}

/// Runs each scenario on both kinds of boxes.
macro_rules! on_boxes {
    ($($in_process:ident $sshd:ident $module:ident { $($scenario:ident,)* })*) => {
        $(mod $in_process {
            $(#[tokio::test] async fn $scenario() { crate::at(hfdown_tests::stage::Place::InProcess, crate::sync::$module::$scenario).await })*
        }
        mod $sshd {
            $(#[tokio::test] async fn $scenario() { crate::at(hfdown_tests::stage::Place::Sshd, crate::sync::$module::$scenario).await })*
        })*
    };
}

on_boxes! {
    lost_in_process lost_sshd lost {
        a_link_that_is_cut_in_mid_file_is_made_anew,
        a_file_that_can_not_be_had_is_told_and_counted_once_though_the_link_breaks,
        a_link_that_falls_silent_in_mid_file_is_made_anew,
        a_link_that_stays_away_is_given_up_and_parts_are_kept,
        without_retries_a_link_is_made_once,
        ctrl_c_ends_the_wait_for_a_link,
        another_box_behind_the_same_port_is_not_tried_twice,
        a_port_that_opens_later_is_waited_for,
        a_key_that_is_authorised_later_is_waited_for,
        a_web_server_instead_of_a_box_is_not_waited_for,
        a_box_that_never_comes_up_is_given_up_with_the_first_reason,
    }
    detached_in_process detached_sshd detached {
        a_detached_transfer_goes_on_and_is_watched_to_its_end,
        a_detached_transfer_ends_by_itself_and_leaves_word,
        watching_can_be_left_and_ending_keeps_what_arrived,
        what_a_private_repository_needs_is_handed_over,
        addresses_that_go_stale_are_waited_for_and_then_given_up,
        addresses_that_go_stale_are_renewed_by_whoever_attaches,
        a_second_run_waits_for_the_detached_one,
        whoever_dies_while_handing_over_leaves_nobody_behind,
        whoever_attaches_amid_many_files_misses_none,
        nothing_to_do_is_done_at_once,
    }
    visits_in_process visits_sshd visits {
        a_box_that_can_not_be_reached_is_said_to_be_so,
        where_nothing_was_detached_that_is_said,
        a_detached_agent_that_was_killed_is_said_to_have_vanished,
        an_agent_that_is_killed_while_it_is_watched_is_said_to_have_vanished,
        a_hub_that_wants_to_be_left_alone_is_waited_for_before_the_box_is_left,
        a_box_is_not_left_with_questions_that_only_time_answers,
        what_is_told_afterwards_has_the_exit_code_of_a_run_that_stayed,
        a_later_run_that_stays_takes_the_place_of_what_was_detached,
        a_later_run_with_nothing_to_do_leaves_the_word_of_the_detached_one,
    }
    traces_in_process traces_sshd traces {
        a_box_is_left_as_it_was,
        what_earlier_runs_left_goes_as_well,
        a_run_that_is_cut_off_leaves_its_parts_and_says_so,
        whoever_never_reached_the_box_speaks_of_no_parts_there,
        nothing_stays_in_folders_outside_of_home_either,
    }
}

async fn at<F: Future<Output = ()>>(
    place: hfdown_tests::stage::Place,
    scenario: impl FnOnce(hfdown_tests::stage::Stage) -> F,
) {
    if let Some(stage) = hfdown_tests::stage::Stage::set(place, HFDOWN).await {
        // Not a measurement: a scenario that hangs fails instead of holding everything up.
        tokio::time::timeout(std::time::Duration::from_secs(120), scenario(stage)).await.expect("it ends");
    }
}

everywhere! {
    basics::the_first_sync_fetches_everything_and_the_second_nothing,
    basics::only_what_changed_is_fetched,
    basics::sizes_are_enough_where_that_is_asked_for,
    basics::delete_removes_only_what_an_earlier_sync_placed,
    basics::a_dry_run_says_what_it_would_do_and_touches_nothing,
    basics::a_renamed_model_and_old_revisions_are_found,
    basics::events_are_json_lines_when_asked_for,
    interrupted::a_cut_connection_costs_only_what_was_lost,
    interrupted::a_killed_run_goes_on_where_it_stopped,
    interrupted::ctrl_c_stops_the_agent_and_keeps_what_arrived,
    interrupted::an_expired_address_is_asked_for_again,
    interrupted::wrong_bytes_once_are_fetched_again,
    interrupted::wrong_bytes_never_get_a_name,
    interrupted::a_server_that_ignores_ranges_is_put_up_with,
    interrupted::a_file_that_the_hub_withholds_is_asked_for_once_and_the_others_arrive,
    interrupted::a_part_of_a_file_that_is_in_place_is_swept,
    records::a_file_that_only_looks_like_the_one_that_was_proved_is_noticed,
    records::an_edit_right_after_a_sync_is_noticed,
    records::an_edit_right_after_a_sync_is_noticed_on_a_disk_that_counts_seconds,
    secrets::a_gated_model_arrives_and_the_token_stays_at_home,
    secrets::a_private_repository_works_down_to_its_small_files,
}
