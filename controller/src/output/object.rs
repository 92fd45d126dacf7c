//! The forms of `--json`'s objects. Their documentation is the table in `json.rs`.

use serde::Serialize;
use std::borrow::Cow;

use super::plan_object::{PlannedFetches, PlannedKeep, PlannedRefusals, PlannedRemovals};
use crate::board::{BoxFields, FleetFields, GroupFields};
use crate::text::Seconds;

/// An object. Fields stand in the order of the table.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Object<'a> {
    Warning {
        text: Cow<'a, str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        kind: Option<&'static str>,
    },
    Hint {
        text: &'a str,
    },
    Delayed {
        why: &'a str,
        attempt: u32,
        wait_seconds: Seconds,
    },
    Model {
        id: String,
        kind: String,
        commit: &'a str,
        private: bool,
        gating: &'static str,
        license: Option<&'a str>,
        last_modified: Option<&'a str>,
        tags: &'a [String],
        files: usize,
        bytes: u64,
    },
    File {
        path: &'a str,
        size: u64,
        digest: String,
    },
    Refused(RefusedName),
    Listing {
        files: usize,
    },
    Selection(SelectedFiles),
    Quantisation {
        name: Option<&'a str>,
        files: usize,
        shards: usize,
        bytes: u64,
        command: Option<&'a str>,
    },
    Duplicate {
        format: &'static str,
        of: &'static str,
        files: usize,
        bytes: u64,
        exclude: &'a [String],
    },
    LeaveOut {
        files: usize,
        bytes: u64,
        command: &'a str,
    },
    Listed {
        repo: &'a str,
        commit: &'a str,
        files: usize,
        bytes: u64,
        of_files: usize,
        of_bytes: u64,
    },
    Recalled {
        repo: &'a str,
        commit: Option<&'a str>,
        is_whole: bool,
        files: usize,
        bytes: u64,
    },
    NotReady {
        why: &'a str,
        left_seconds: Seconds,
    },
    Reconnecting {
        why: &'a str,
        attempt: u32,
        of: u32,
        wait_seconds: Seconds,
    },
    Waiting {
        holder: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        path: Option<&'a str>,
        waited_seconds: Seconds,
    },
    Opened {
        root: &'a str,
        free: u64,
        os: &'a str,
        arch: &'a str,
        cpus: u32,
        agent: &'static str,
        uploaded: u64,
        ready_seconds: Seconds,
    },
    Surveying {
        done: u64,
        total: u64,
    },
    Checked {
        path: &'a str,
        state: &'static str,
        size: u64,
        kind: Option<&'static str>,
        why: Option<String>,
    },
    Verification {
        ok: u32,
        ok_bytes: u64,
        wrong: u32,
        wrong_bytes: u64,
        missing: u32,
        missing_bytes: u64,
        extra: u32,
        extra_bytes: u64,
        elapsed_seconds: Seconds,
    },
    Plan {
        dry_run: bool,
        fetch: PlannedFetches<'a>,
        fetch_bytes: u64,
        new_bytes: u64,
        wire_bytes: u64,
        keep: PlannedKeep,
        remove: PlannedRemovals<'a>,
        refuse: PlannedRefusals<'a>,
        dot_files: Vec<&'a str>,
        left_out: FileTotals,
    },
    Started {
        path: &'a str,
        size: u64,
        resumed: u64,
    },
    Progress {
        done: u64,
        total: u64,
        rate: u64,
        left_seconds: Option<Seconds>,
        in_flight: Vec<FileInFlight<'a>>,
    },
    Retrying {
        path: &'a str,
        attempt: u32,
        kind: &'static str,
        why: String,
        wait_seconds: Seconds,
    },
    FellBack {
        path: Option<&'a str>,
        kind: &'static str,
        why: String,
    },
    Verified {
        path: &'a str,
    },
    Placed {
        path: &'a str,
        size: u64,
        fetched: u64,
    },
    Failed {
        path: &'a str,
        kind: &'static str,
        why: String,
    },
    Removed {
        path: &'a str,
    },
    NotRemoved {
        path: &'a str,
        kind: &'static str,
        why: String,
    },
    Detached {
        files: usize,
        bytes: u64,
        attach: &'a str,
        stop: &'a str,
    },
    Joined {
        #[serde(flatten)]
        status: StatusFields<'a>,
    },
    Ended {
        conclusion: &'static str,
        kind: Option<&'static str>,
        why: Option<String>,
        ago_seconds: Seconds,
        #[serde(flatten)]
        status: StatusFields<'a>,
    },
    Status {
        state: &'static str,
        files: usize,
        of_files: usize,
        bytes: u64,
        of_bytes: u64,
        by_size: usize,
        commit: Option<&'a str>,
    },
    Forgotten {
        host: &'a str,
        file: &'a str,
    },
    CachedRepository {
        id: &'a str,
        kind: &'static str,
        size: u64,
        revisions: usize,
        refs: &'a [String],
        files: u64,
        last_used: String,
        last_changed: String,
        incomplete: u64,
        partial: u64,
        orphaned: u64,
        path: &'a str,
    },
    CachedRevision {
        id: &'a str,
        kind: &'static str,
        commit: &'a str,
        refs: &'a [String],
        size: u64,
        files: u64,
        last_changed: String,
        path: &'a str,
    },
    Removal {
        dry_run: bool,
        remove: Vec<GoingFields<'a>>,
        shared: u64,
        bytes: u64,
    },
    NotFreed {
        id: &'a str,
        kind: &'static str,
        why: String,
    },
    Freed {
        repositories: usize,
        revisions: usize,
        failed: usize,
        bytes: u64,
    },
    CachedFile {
        id: &'a str,
        kind: &'static str,
        commit: &'a str,
        path: &'a str,
        state: &'static str,
        why: Option<&'a str>,
    },
    CacheVerification {
        revisions: usize,
        ok: usize,
        wrong: usize,
        missing: usize,
        unreadable: usize,
        unknown: usize,
        left_out: usize,
    },
    Cache {
        path: &'a str,
        repositories: usize,
        revisions: usize,
        size: u64,
        incomplete: u64,
        partial: u64,
        orphaned: u64,
    },
    Disconnected {},
    Cancelling {},
    Fleet {
        boxes: Vec<FleetTargetFields<'a>>,
        jobs: usize,
    },
    BoxStarted {},
    BoxFinished(BoxFields),
    FleetFinished {
        #[serde(flatten)]
        totals: FleetFields,
        elapsed_seconds: Seconds,
        exit_code: u8,
        groups: Vec<GroupFields>,
    },
    Finished {
        end: &'static str,
        dry_run: bool,
        placed: u32,
        failed: u32,
        kept: u32,
        kept_bytes: u64,
        by_size: usize,
        removed: u32,
        fetched: u64,
        written: u64,
        elapsed_seconds: Seconds,
        transfer_seconds: Seconds,
        rate: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        snapshot: Option<&'a str>,
    },
    Error {
        message: String,
        causes: Vec<String>,
        hint: Option<&'a str>,
        exit_code: u8,
    },
}

/// What a detached transfer has come to.
#[derive(Debug, Serialize)]
pub(super) struct StatusFields<'a> {
    pub(super) title: &'a str,
    pub(super) root: &'a str,
    pub(super) age_seconds: u64,
    pub(super) files: u32,
    pub(super) bytes: u64,
    pub(super) done: u64,
    pub(super) placed: u32,
    pub(super) failed: u32,
    pub(super) kept: u32,
    pub(super) kept_bytes: u64,
    pub(super) by_size: u32,
    pub(super) removed: u32,
    pub(super) fetched: u64,
    pub(super) written: u64,
}

/// A box of a fleet.
#[derive(Debug, Serialize)]
pub(super) struct FleetTargetFields<'a> {
    pub(super) name: &'a str,
    pub(super) ssh: &'a str,
    pub(super) folder: Option<&'a str>,
    pub(super) dollars_per_tb: Option<f64>,
}

/// How much of a repository is wanted.
#[derive(Debug, Serialize)]
pub(super) struct SelectedFiles {
    pub(super) files: usize,
    pub(super) bytes: u64,
    pub(super) of_files: usize,
    pub(super) of_bytes: u64,
}

/// What is to go of a repository in the cache.
#[derive(Debug, Serialize)]
pub(super) struct GoingFields<'a> {
    pub(super) id: &'a str,
    pub(super) kind: &'static str,
    pub(super) whole: bool,
    pub(super) revisions: Vec<&'a str>,
    pub(super) refs: Vec<&'a str>,
    pub(super) incomplete: u64,
    pub(super) partial: u64,
    pub(super) orphaned: u64,
    pub(super) bytes: u64,
}

/// How many files, and their bytes.
#[derive(Debug, Serialize)]
pub(super) struct FileTotals {
    pub(super) files: usize,
    pub(super) bytes: u64,
}

/// A name and why it is refused.
#[derive(Debug, Serialize)]
pub(super) struct RefusedName {
    pub(super) path: String,
    pub(super) why: String,
}

/// A file in flight.
#[derive(Debug, Serialize)]
pub(super) struct FileInFlight<'a> {
    pub(super) path: &'a str,
    pub(super) done: u64,
    pub(super) size: u64,
    pub(super) rate: u64,
}
