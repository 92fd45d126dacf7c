//! What is known of a transfer from what was ordered and reported, for clients that join it later.

use std::collections::{BTreeMap, HashMap};

use hfdown_protocol::{
    AskedFor, DiskWarning, Failure, FailureKind, FileId, Found, Order, Remaining, Report, Skipped, Summary,
    Ticked, TransferStatus, Wanted, batches,
};

use super::source_requests::{SourceRequests, TooMuch};
use super::transfer_record::now;

/// What one transfer has come to.
#[derive(Debug, Default)]
pub(super) struct TransferState {
    pub(super) title: String,
    pub(super) root: String,
    /// Files that nothing is fetched of, and why some of them can't have their place.
    pub(super) skipped: Skipped,
    pub(super) refusals: Vec<FailureKind>,
    began: u64,
    wanted: Vec<Wanted>,
    /// Bytes that an earlier run left behind.
    partial: HashMap<FileId, u64>,
    files: BTreeMap<FileId, FileRecord>,
    removed: u32,
    fetched: u64,
    written: u64,
    requests: SourceRequests,
    /// What the disk can't do.
    pub(super) warnings: Vec<DiskWarning>,
}

#[derive(Debug, Default)]
struct FileRecord {
    done: u64,
    fetched: u64,
    written: u64,
    stage: ReportedStage,
}

#[derive(Debug, Default)]
enum ReportedStage {
    #[default]
    Waiting,
    Begun,
    Placed,
    Failed(Failure),
}

impl TransferState {
    /// Takes note of an order that is passed on.
    pub(super) fn note_order(&mut self, order: &Order) {
        match order {
            Order::List { files } => self.wanted.extend(files.iter().cloned()),
            Order::Fetch { jobs } => {
                for job in jobs {
                    let done = self.partial.get(&job.file).copied().unwrap_or_default();
                    self.files.insert(job.file, FileRecord { done, ..FileRecord::default() });
                }
            }
            Order::Begin => {
                self.began = now();
                self.partial = HashMap::new();
            }
            _ => {}
        }
    }

    /// Takes note of a report.
    pub(super) fn note_report(&mut self, report: &Report) {
        match report {
            Report::Opened { root, .. } => self.root.clone_from(root),
            Report::Found { files } => {
                for (file, found) in files {
                    if let Found::Absent { partial }
                    | Found::OtherSize { partial, .. }
                    | Found::OtherContent { partial, .. } = found
                    {
                        self.partial.insert(*file, *partial);
                    }
                }
            }
            Report::Started { file, resumed } => {
                self.advance(*file, *resumed);
                self.set(*file, ReportedStage::Begun);
            }
            Report::Tick { files } => {
                for Ticked { file, done } in files {
                    self.advance(*file, *done);
                }
            }
            Report::Placed { file, fetched, written } => {
                let size = self.wanted(*file).map_or(0, |wanted| wanted.size);
                self.advance(*file, size);
                self.settle(*file, (*fetched, *written), ReportedStage::Placed);
            }
            Report::Failed { file, failure, fetched, written } => {
                self.settle(*file, (*fetched, *written), ReportedStage::Failed(failure.clone()));
            }
            Report::Removed { .. } => self.removed += 1,
            Report::Warning { warning } => self.warnings.push(warning.clone()),
            _ => {}
        }
    }

    /// A file's source is needed. What was given for it in advance answers once: a second question says that it has
    /// gone stale.
    pub(super) fn ask(&mut self, file: FileId, asked: &AskedFor) -> Vec<Order> {
        self.requests.ask(file, asked)
    }

    /// An answer has come. It is handed back if it was asked for, and kept otherwise.
    pub(super) fn answered(&mut self, file: FileId, answer: Order) -> Result<Option<Order>, TooMuch> {
        let is_settled = self
            .files
            .get(&file)
            .is_some_and(|record| matches!(record.stage, ReportedStage::Placed | ReportedStage::Failed(_)));
        // An answer to a question that has settled itself.
        if is_settled && !self.requests.is_open(file) {
            return Ok(None);
        }
        let size = self.wanted(file).map_or(0, |wanted| wanted.size);
        self.requests.answer(file, answer, size)
    }

    /// The client has gone, maybe in the middle of an answer. Returns what takes the place of such an answer.
    pub(super) fn interrupted(&mut self) -> Vec<Order> {
        self.requests.interrupt()
    }

    /// Whether there is nothing to fetch.
    pub(super) fn is_idle(&self) -> bool {
        self.files.is_empty()
    }

    /// How many questions have not been answered.
    pub(super) fn unanswered(&self) -> usize {
        self.requests.open().count()
    }

    /// Bytes on disk: what tells whether anything moves.
    pub(super) fn done(&self) -> u64 {
        self.files.values().map(|file_record| file_record.done).sum()
    }

    /// When it was begun, in seconds since the Unix epoch.
    pub(super) fn began(&self) -> u64 {
        self.began
    }

    /// What it has come to.
    pub(super) fn status(&self) -> TransferStatus {
        let count = |is: fn(&ReportedStage) -> bool| {
            u32::try_from(self.files.values().filter(|file_record| is(&file_record.stage)).count())
                .unwrap_or(u32::MAX)
        };
        let failed = self.files.values().filter_map(|file_record| match &file_record.stage {
            ReportedStage::Failed(failure) => Some(failure.kind),
            ReportedStage::Waiting | ReportedStage::Begun | ReportedStage::Placed => None,
        });
        let sizes = self.files.keys().filter_map(|file| self.wanted(*file)).map(|wanted| wanted.size);
        TransferStatus {
            title: self.title.clone(),
            root: self.root.clone(),
            age: now().saturating_sub(self.began),
            files: u32::try_from(self.files.len()).unwrap_or(u32::MAX),
            bytes: sizes.fold(0, u64::saturating_add),
            done: self.done(),
            summary: Summary {
                placed: count(|stage| matches!(stage, ReportedStage::Placed)),
                failed: count(|stage| matches!(stage, ReportedStage::Failed(_))),
                removed: self.removed,
                fetched: self.fetched,
                written: self.written,
                ..Summary::default()
            },
            skipped: self.skipped,
            failures: FailureKind::distinct(self.refusals.iter().copied().chain(failed)),
        }
    }

    /// Everything that a client that joins is sent before what happens next.
    pub(super) fn catch_up(&self) -> Vec<Report> {
        let mut reports = vec![Report::Joined { status: Box::new(self.status()) }];
        reports.extend(self.remaining());
        reports.extend(self.warnings.iter().map(|warning| Report::Warning { warning: warning.clone() }));
        for (file, file_record) in &self.files {
            match &file_record.stage {
                ReportedStage::Waiting | ReportedStage::Placed => {}
                ReportedStage::Begun => {
                    reports.push(Report::Started { file: *file, resumed: file_record.done });
                }
                ReportedStage::Failed(failure) => {
                    let (file, failure) = (*file, failure.clone());
                    let FileRecord { fetched, written, .. } = *file_record;
                    reports.push(Report::Failed { file, failure, fetched, written });
                }
            }
        }
        reports.extend(self.requests.open().map(|(file, asked)| Report::NeedSource { file, asked }));
        reports
    }

    /// The files that are not in place. One frame at least: a list's end is known by its length.
    fn remaining(&self) -> Vec<Report> {
        let remaining = self.files.iter().filter_map(|(file, file_record)| match file_record.stage {
            ReportedStage::Waiting | ReportedStage::Begun | ReportedStage::Failed(_) => {
                Some(Remaining { wanted: self.wanted(*file)?.clone(), done: file_record.done })
            }
            ReportedStage::Placed => None,
        });
        let mut frames: Vec<_> = batches(remaining).map(|files| Report::Remaining { files }).collect();
        if frames.is_empty() {
            frames.push(Report::Remaining { files: Vec::new() });
        }
        frames
    }

    fn wanted(&self, file: FileId) -> Option<&Wanted> {
        self.wanted.get(file.0 as usize)
    }

    fn advance(&mut self, file: FileId, done: u64) {
        if let Some(file_record) = self.files.get_mut(&file) {
            file_record.done = done;
        }
    }

    fn settle(&mut self, file: FileId, (fetched, written): (u64, u64), stage: ReportedStage) {
        self.fetched = self.fetched.saturating_add(fetched);
        self.written = self.written.saturating_add(written);
        if let Some(file_record) = self.files.get_mut(&file) {
            (file_record.fetched, file_record.written) = (fetched, written);
        }
        self.set(file, stage);
        self.requests.forget(file);
    }

    fn set(&mut self, file: FileId, stage: ReportedStage) {
        if let Some(file_record) = self.files.get_mut(&file) {
            file_record.stage = stage;
        }
    }
}

#[cfg(test)]
mod tests {
    use hfdown_protocol::{Address, Digest, HubNetwork, Job, RepoPath, Source, limits};

    use super::*;

    /// A transfer of files of these sizes, which has begun.
    fn state(sizes: &[u64]) -> TransferState {
        let wanted = |(id, size): (u32, &u64)| Wanted {
            id: FileId(id),
            path: RepoPath::new(format!("file-{id}")).unwrap(),
            size: *size,
            digest: Digest::Sha256([0; 32]),
        };
        let job =
            |wanted: &Wanted| Job { file: wanted.id, replaces: None, source: Source::OnRequest, xet: None };
        let files: Vec<_> = (0..).zip(sizes).map(wanted).collect();
        let mut state = TransferState::default();
        state.note_report(&Report::Found { files: vec![(FileId(0), Found::Absent { partial: 5 })] });
        state.note_order(&Order::Fetch { jobs: files.iter().map(job).collect() });
        state.note_order(&Order::List { files });
        state.note_order(&Order::Begin);
        state
    }

    fn address(path: &str) -> Order {
        Order::Source {
            file: FileId(0),
            address: Address::new(&format!("https://cdn.example/{path}")).unwrap(),
            hub: HubNetwork::Public,
        }
    }

    #[test]
    fn what_was_given_in_advance_answers_once() {
        let mut state = state(&[10]);
        assert!(matches!(state.answered(FileId(0), address("early")), Ok(None)));
        assert_eq!(state.ask(FileId(0), &AskedFor::Plain), [address("early")]);
        assert_eq!(state.unanswered(), 0);
        assert_eq!(state.ask(FileId(0), &AskedFor::Plain), [], "it has gone stale");
        assert_eq!(state.unanswered(), 1);
        assert_eq!(state.answered(FileId(0), address("late")).unwrap(), Some(address("late")));
        assert_eq!(state.unanswered(), 0);
    }

    #[test]
    fn bytes_are_an_answer_when_all_have_come_and_few_may_wait() {
        let mut state = state(&[3]);
        let bytes = |bytes: &[u8]| Order::Inline { file: FileId(0), bytes: bytes.to_vec() };
        assert_eq!(state.ask(FileId(0), &AskedFor::Plain), []);
        assert!(state.answered(FileId(0), bytes(b"ab")).unwrap().is_some());
        assert_eq!(state.unanswered(), 1);
        assert!(state.answered(FileId(0), bytes(b"c")).unwrap().is_some());
        assert_eq!(state.unanswered(), 0);
        assert!(matches!(state.answered(FileId(0), bytes(&vec![0; limits::HANDED_OVER])), Ok(None)));
        assert!(state.answered(FileId(0), bytes(b"d")).is_err());
        state.ask(FileId(0), &AskedFor::Plain);
        assert!(matches!(state.answered(FileId(0), bytes(b"d")), Ok(None)), "there is room again");
    }

    #[test]
    fn half_an_answer_is_none() {
        let mut state = state(&[3, 3]);
        state.ask(FileId(0), &AskedFor::Plain);
        state.ask(FileId(1), &AskedFor::Plain);
        let half = Order::Inline { file: FileId(0), bytes: b"ab".to_vec() };
        assert!(state.answered(FileId(0), half).unwrap().is_some());
        let instead = state.interrupted();
        assert!(matches!(&instead[..], [Order::SourceUnavailable { file: FileId(0), .. }]), "{instead:?}");
        assert_eq!((state.unanswered(), state.interrupted().len()), (1, 0));
    }

    #[test]
    fn a_client_that_joins_is_sent_what_is_left_and_what_went_wrong() {
        let mut state = state(&[10, 20, 30, 40]);
        assert_eq!(state.done(), 5, "an earlier run left that");
        let failure = Failure::new(FailureKind::NotFound, "gone");
        for report in [
            Report::Started { file: FileId(0), resumed: 5 },
            Report::Tick { files: vec![Ticked { file: FileId(0), done: 7 }] },
            Report::Placed { file: FileId(1), fetched: 25, written: 24 },
            Report::Failed { file: FileId(2), failure: failure.clone(), fetched: 1, written: 1 },
        ] {
            state.note_report(&report);
        }
        state.ask(FileId(3), &AskedFor::Plain);
        let told = state.catch_up();
        let [Report::Joined { status }, Report::Remaining { files }, rest @ ..] = &told[..] else {
            panic!("{told:?}")
        };
        assert_eq!((status.files, status.bytes, status.done), (4, 100, 27));
        assert_eq!((status.summary.placed, status.summary.failed, status.summary.fetched), (1, 1, 26));
        assert_eq!(status.failures, [FailureKind::NotFound]);
        assert_eq!(
            files.iter().map(|file| (file.wanted.id.0, file.done)).collect::<Vec<_>>(),
            [(0, 7), (2, 0), (3, 0)]
        );
        let expected = [
            Report::Started { file: FileId(0), resumed: 7 },
            Report::Failed { file: FileId(2), failure, fetched: 1, written: 1 },
            Report::NeedSource { file: FileId(3), asked: AskedFor::Plain },
        ];
        assert_eq!(rest, expected);
    }
}
