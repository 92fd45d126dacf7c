//! One object per line on standard output, for programs.
//!
//! Names are kept: fields are added, never renamed or removed, and a reader skips types and fields that it does not
//! know. Sizes are bytes as integers, rates bytes per second, durations seconds as numbers. Every object about a box
//! also has `box`, its name. `path` is the file's path in the repository. Standard error has the error that ends the run, or those
//! that boxes of a fleet ended with, for the user, and nothing else. `--quiet` leaves out `listing`, `surveying` and `progress`; `--verbose` changes nothing.
//!
//! | `type` | fields | when |
//! |---|---|---|
//! | `warning` | `text`, and `kind` where a disk can't do something: `no_locks`, `no_flush`, `no_replace`, `no_modes`, `no_links`, `hub_metadata` | something worth knowing |
//! | `hint` | `text` | what can be done about something that went wrong |
//! | `delayed` | `why`, `attempt`, `wait_seconds` | a question is asked again after a wait |
//! | `model` | `id`, `kind`, `commit`, `private`, `gating` (`none`, `automatic`, `manual`), `license` or null, `last_modified` or null, `tags`, `files`, `bytes` | `info`, first |
//! | `selection` | `files`, `bytes`, `of_files`, `of_bytes` | `info` with a selection: so many files are wanted, of so many that there are; `file` follows for these alone |
//! | `file` | `path`, `size`, `digest` (`sha256:…` or `git-sha1:…`) | `info`, per file |
//! | `refused` | `path`, `why` | `info`, per listed file that can't be had |
//! | `quantisation` | `name` or null, `files`, `shards`, `bytes`, `command` or null | `info`, per quantisation of GGUF files, smallest first; models whose names say none have null; `command` fetches it alone |
//! | `duplicate` | `format` (`pytorch`, `tensorflow`, `flax`, `rust`, `onnx`, `openvino`, `original`, `consolidated`, `fp16`), `of` (`safetensors`, `pytorch`), `files`, `bytes`, `exclude`: [text] | `info`, per format in which the same weights are there again; `exclude` are the patterns that match these files and no others |
//! | `leave_out` | `files`, `bytes`, `command` | `info`, after these: how much all of them are, and the command that fetches the rest |
//! | `listing` | `files` | while the Hub lists more than it does in a second, at most once per second |
//! | `listed` | `repo`, `commit`, `files`, `bytes`, `of_files`, `of_bytes` | the Hub has answered; so many files are wanted, of so many that there are |
//! | `recalled` | `repo`, `commit` or null, `is_whole`, `files`, `bytes` | `verify --offline`: what the last sync has recorded takes the place of what the Hub lists; whether that sync had everything in place in the end |
//! | `not_ready` | `why`, `left_seconds` | a box does not let us in yet; it is asked again for a while |
//! | `reconnecting` | `why`, `attempt`, `of`, `wait_seconds` | the link to a box broke, or the agent there was killed; another one is made after the wait, and `opened` follows |
//! | `waiting` | `holder`, `waited_seconds`, and `path` where it is a file | another run holds the folder; said again every minute. Or another program fetches a file into the same hub cache; the others go on |
//! | `opened` | `root`, `free`, `os`, `arch`, `cpus`, `agent` (`in_process`, `cached`, `uploaded`), `uploaded`, `ready_seconds` | an agent has the folder; `root` is the repository's folder in a hub cache |
//! | `surveying` | `done`, `total` | while files are read, at most once per second |
//! | `checked` | `path`, `state` (`ok`, `wrong`, `missing`, `extra`), `size`, `kind` and `why` or null | `verify`, per file: `kind` is `other_size`, `other_content`, `other_link` (in a snapshot of the hub cache) or a failure's of a wrong one, `extraneous` (an earlier sync placed it) or `foreign` of an extra one |
//! | `verification` | `ok`, `ok_bytes`, `wrong`, `wrong_bytes`, `missing`, `missing_bytes`, `extra`, `extra_bytes`, `elapsed_seconds` | `verify`: all of these have been told; `finished` follows, after `plan` and the rest with `--repair` |
//! | `plan` | `dry_run`, `fetch`: [`path`, `size`, `reason` (`missing`, `other_size`, `other_content`), `partial`, `new`, `wire`, `replaces` (null, `placed`, `edited`, `foreign`, `cached`)], `fetch_bytes`, `new_bytes`, `wire_bytes`, `keep`: {`files`, `bytes`, `by_size`}, `remove`: [`path`, `size`], `refuse`: [`path`, `why`], `dot_files`: [text], `left_out`: {`files`, `bytes`} | it is decided; `partial` bytes are not fetched again, `fetch_bytes` are what is left, `new` and `new_bytes` what of it is not copied out of files that are there, and `wire` and `wire_bytes` what travels for it; what it `replaces` was placed by hfdown, edited since then, or put there by others, or is a blob of the hub cache with wrong content; `by_size` kept files were compared by size only; `dot_files` are those to fetch that programs may obey in a home folder |
//! | `started` | `path`, `size`, `resumed` | a file's transfer begins |
//! | `progress` | `done`, `total`, `rate`, `left_seconds` or null, `in_flight`: [`path`, `done`, `size`, `rate`] | while files are fetched, at most once per second |
//! | `retrying` | `path`, `attempt`, `kind`, `why`, `wait_seconds` | an attempt at a file failed |
//! | `fell_back` | `path`, `kind`, `why` | the Hub's Xet store, or an older version that is there, was of no use for this file, or for some (`null`); plain ranges go on |
//! | `verified` | `path` | a file's digest is right |
//! | `placed` | `path`, `size`, `fetched` | a file has its final name |
//! | `failed` | `path`, `kind`, `why` | a file could not be had |
//! | `removed` | `path` | a file that is no longer listed was removed |
//! | `not_removed` | `path`, `kind`, `why` | it could not be removed |
//! | `detached` | `files`, `bytes`, `attach`, `stop` | the box goes on by itself; `attach` and `stop` are the commands that watch it and end it |
//! | `joined` | `title`, `root`, `age_seconds`, `files`, `bytes`, `done`, `placed`, `failed`, `kept`, `kept_bytes`, `by_size`, `removed`, `fetched`, `written` | `attach`, `stop`: a detached transfer runs, and this is what it has come to |
//! | `ended` | `conclusion` (`done`, `incomplete`, `stopped`, `failed`, `vanished`, `superseded`), `kind` and `why` or null, `ago_seconds`, and the fields of `joined` | it has ended while no controller was connected |
//! | `status` | `state` (`complete`, `partial`, `other_commit`, `absent`, `running`), `files`, `of_files`, `bytes`, `of_bytes`, `by_size`, `commit` or null | `status`, per target: so much is there of what should be; `by_size` files are on no record, and were compared by size alone; `commit` is the one that the folder says it has |
//! | `forgotten` | `host`, `file` | `forget-host`: the key of that box is no longer in hfdown's file |
//! | `cached_repository` | `id`, `kind` (`model`, `dataset`, `space`, `kernel`), `size`, `revisions`, `refs`: [text], `files`, `last_used`, `last_changed`, `incomplete`, `partial`, `orphaned`, `path` | `cache ls`, per repository; `size` has each blob once; `incomplete` bytes were left by cut-off runs of `hf`, `partial` ones by those of hfdown, which go on from them, `orphaned` ones are in blobs of no revision; `path` is its folder; times are UTC (RFC 3339) |
//! | `cached_revision` | `id`, `kind`, `commit`, `refs`: [text], `size`, `files`, `last_changed`, `path` | `cache ls --revisions`, per revision |
//! | `cache` | `path`, `repositories`, `revisions`, `size`, `incomplete`, `partial`, `orphaned` | `cache ls`, last: all of these together; what repositories share counts once |
//! | `removal` | `dry_run`, `remove`: [`id`, `kind`, `whole`, `revisions`: [commit], `refs`: [text], `incomplete`, `partial`, `orphaned`, `bytes`], `shared`, `bytes` | `cache rm`, `cache prune`: what is to go; `bytes` is what that frees, with what goes from the `shared` store; nothing to prune is an empty one |
//! | `not_freed` | `id`, `kind`, `why` | a repository that is left as it is, `held` where another program is at work in it |
//! | `freed` | `repositories`, `revisions`, `failed`, `bytes` | what has gone; the last object of `cache rm` and `cache prune` |
//! | `cached_file` | `id`, `kind`, `commit`, `path`, `state` (`ok`, `wrong`, `missing`, `unreadable`, `unknown`), `why` or null | `cache verify`, per file; nothing says what an `unknown` one should be |
//! | `cache_verification` | `revisions`, `ok`, `wrong`, `missing`, `unreadable`, `unknown`, `left_out` | `cache verify`, last: files of each state; `left_out` ones are listed, and there is no trace of them |
//! | `disconnected` | | Ctrl-C ended `attach`; the transfer goes on |
//! | `cancelling` | | Ctrl-C was seen |
//! | `finished` | `end` (`done`, `incomplete`, `cancelled`), `dry_run`, `placed`, `failed`, `kept`, `kept_bytes`, `by_size`, `removed`, `fetched`, `written`, `elapsed_seconds`, `transfer_seconds`, `rate` or null, and `snapshot` in a hub cache | the run is over; `fetched` bytes came over the network, repeated ones included, `written` ones of files reached the disk, wherever they came from |
//! | `error` | `message`, `causes`: [text], `hint` or null, `exit_code` | the run failed; the last object. With `box`, that box has; `box_finished` follows |
//! | `fleet` | `boxes`: [`name`, `ssh`, `folder` or null, `dollars_per_tb` or null], `jobs` | a command for many boxes begins, `jobs` at a time; a null `folder` is the hub cache |
//! | `box_started` | | the turn of a box has come |
//! | `box_finished` | `outcome` (`done`, `complete`, `right`, `planned`, `detached`, `disconnected`, `incomplete`, `not_right`, `partial`, `other_commit`, `absent`, `running`, `failed`, `timed_out`, `stopped`, `not_begun`, `vanished`, `superseded`), `text`, `exit_code`, `placed`, `failed`, `kept`, `kept_bytes`, `resumed`, `to_fetch` or null, `fetched`, `removed`, `retries`, `elapsed_seconds`, `rate` or null, `dollars` or null, `dollars_saved` or null, `dollars_to_fetch` or null, `error` or null | one box of a fleet, once: what has become of it, as a word and as people read it. `complete` had nothing to do, `to_fetch` is what its plan missed, `resumed` bytes of it were there in part; `dollars` are the price of `fetched`, `dollars_saved` of what was there, `dollars_to_fetch` of what travels for `to_fetch` |
//! | `fleet_finished` | `boxes`, `done`, `failed`, `stopped`, `to_fetch` or null, `fetched`, `not_fetched`, `retries`, `elapsed_seconds`, `rate` or null, `dollars` or null, `dollars_saved` or null, `dollars_to_fetch` or null, `unpriced` or null, `exit_code`, `groups`: [`outcome`, `text`, `exit_code`, `count`, `boxes`] | all boxes; the last object of a fleet. A group has the boxes that came to the same end, whose names are folded (`gpu[001-064,072]`); `done` boxes ended with 0, `failed` ones did not, but for those that were `stopped`; `not_fetched` bytes were there already; `unpriced` boxes have no known price |
//!
//! `kind` is one of `unreachable`, `rate_limited`, `stale`, `not_allowed`, `not_found`, `nonsense`, `corrupt`, `no_space`,
//! `permission_denied`, `not_ours`, `not_a_directory`, `in_the_way`, `changed_meanwhile`, `locked`, `held`, `disk`, `protocol`, `cancelled`.

use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::ser::Formatter;

use super::description_objects::{contents, files, model, refused, selection};
use super::object::Object;
use super::objects::{error, object};
use super::printer::Printer;
use super::renderer::Renderer;
use super::style::{Colour, Look, Verbosity};
use super::summary::PlanTotals;
use super::{Log, Unwritable, cache, fleet, problem};
use crate::board::Board;
use crate::event::Event;
use crate::fleet::{BoxEnding, FleetEvent};
use crate::hub::RepoInfo;
use crate::problem::Problem;
use crate::selection::{Contents, Selected};
use crate::text::is_hidden;

/// Samples come at most this often.
const PAUSE: Duration = Duration::from_secs(1);

/// The style.
#[derive(Debug)]
pub(super) struct Json {
    verbosity: Verbosity,
    colour: Colour,
    /// By the box's name; none is the empty one.
    runs: BTreeMap<String, SampledRun>,
    /// What is known of the boxes of a fleet.
    board: Board,
}

/// What is remembered of a run.
#[derive(Debug, Default)]
struct SampledRun {
    sampled: Option<Instant>,
    expected: PlanTotals,
}

/// A line.
#[derive(Serialize)]
struct JsonLine<'a> {
    #[serde(flatten)]
    object: Object<'a>,
    #[serde(rename = "box", skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
}

impl Json {
    pub(super) fn new(look: Look) -> Self {
        Self {
            verbosity: look.verbosity,
            colour: look.colour,
            runs: BTreeMap::new(),
            board: Board::default(),
        }
    }
}

impl Json {
    fn fleet(&self, name: Option<&str>, event: &FleetEvent, printer: &mut Printer) -> Result<(), Unwritable> {
        match event {
            FleetEvent::Begun { targets, jobs } => print(None, fleet::fleet_begun(targets, *jobs), printer),
            FleetEvent::BoxBegun => print(name, Object::BoxStarted {}, printer),
            FleetEvent::BoxEnded(outcome) => {
                if let BoxEnding::Failed(problem) = &outcome.ending {
                    print(name, error(problem), printer)?;
                }
                match name.and_then(|name| self.board.get(name)) {
                    Some(record) => print(name, fleet::box_finished(record), printer),
                    None => Ok(()),
                }
            }
            FleetEvent::Ended(outcome) => {
                for line in fleet::failures(&self.board, outcome, self.colour) {
                    printer.say(&line);
                }
                print(None, fleet::fleet_finished(&self.board, outcome), printer)
            }
        }
    }
}

impl Renderer for Json {
    fn event(
        &mut self,
        name: Option<&str>,
        event: &Event,
        now: Instant,
        printer: &mut Printer,
    ) -> Result<(), Unwritable> {
        if self.board.is_fleet() || matches!(event, Event::Fleet(_)) {
            self.board.hear(name, event, now);
        }
        let run = self.runs.entry(name.unwrap_or_default().to_owned()).or_default();
        match event {
            // What is over within a pause is never said.
            Event::Listing { .. } if run.sampled.is_none() => {
                run.sampled = Some(now);
                return Ok(());
            }
            Event::Listing { .. } | Event::Surveying { .. } | Event::Progress(_) => {
                let is_early = run.sampled.is_some_and(|last| now.duration_since(last) < PAUSE);
                if is_early || self.verbosity == Verbosity::Quiet {
                    return Ok(());
                }
                run.sampled = Some(now);
            }
            Event::Listed { .. } => run.sampled = None,
            Event::Planned { plan, .. } => {
                // The first sample of the transfer does not wait for the last one of the survey.
                *run = SampledRun { sampled: None, expected: PlanTotals::of(plan) };
            }
            Event::Joined { status } => {
                *run = SampledRun { sampled: None, expected: PlanTotals::of_status(status) };
            }
            Event::Described { info, selected, contents } => {
                return described(name, info, selected, contents, printer);
            }
            Event::Fleet(event) => return self.fleet(name, event, printer),
            Event::Cache(event) => {
                let mut objects = cache::objects(event).into_iter();
                return objects.try_for_each(|object| print(name, object, printer));
            }
            _ => {}
        }
        match object(event, run.expected) {
            Some(object) => print(name, object, printer),
            None => Ok(()),
        }
    }

    fn problem(&mut self, problem: &Problem, printer: &mut Printer) -> Result<(), Unwritable> {
        printer.say(&problem::draw(problem, self.colour));
        print(None, error(problem), printer)
    }

    fn finish(&mut self) {}

    fn log(&self, printer: &Printer) -> Log {
        Log::new(None, printer.stderr())
    }
}

fn described(
    name: Option<&str>,
    info: &RepoInfo,
    selected: &Selected,
    chosen: &Contents,
    printer: &mut Printer,
) -> Result<(), Unwritable> {
    let portion = selected.portion();
    let objects = std::iter::once(model(info, portion)).chain(selection(portion));
    let mut objects = objects.chain(files(selected)).chain(refused(selected)).chain(contents(chosen));
    objects.try_for_each(|object| print(name, object, printer))
}

fn print(name: Option<&str>, object: Object<'_>, printer: &mut Printer) -> Result<(), Unwritable> {
    printer.data_by(|out| {
        let mut serializer = serde_json::Serializer::with_formatter(out, OneLine);
        Ok(JsonLine { object, name }.serialize(&mut serializer)?)
    })
}

/// A line that is one for every reader: some split at U+0085, U+2028 and U+2029 as well, as Python's `splitlines` does.
/// What a terminal would hide or obey is spelled out too. All of it can only stand within texts, where JSON allows it.
struct OneLine;

impl Formatter for OneLine {
    fn write_string_fragment<W: io::Write + ?Sized>(&mut self, out: &mut W, text: &str) -> io::Result<()> {
        if !text.contains(is_hidden) {
            return out.write_all(text.as_bytes());
        }
        for character in text.chars() {
            if is_hidden(character) {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    write!(out, "\\u{unit:04x}")?;
                }
            } else {
                out.write_all(character.encode_utf8(&mut [0; 4]).as_bytes())?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
