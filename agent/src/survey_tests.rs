//! What a survey reads, says and remembers.

use super::*;
use hfdown_protocol::{Access, Commit, Layout, RepoPath, Traces};

fn wanted(id: u32, path: &str, content: u8) -> Wanted {
    Wanted {
        id: FileId(id),
        path: RepoPath::new(path).unwrap(),
        size: 1,
        digest: Digest::GitSha1([content; 20]),
    }
}

#[test]
fn every_cpu_reads() {
    let folder = tempfile::tempdir().unwrap();
    let commit = Commit::new("0123456789012345678901234567890123456789").unwrap();
    let layout = Layout::LocalDir { commit };
    let open = || {
        Root::open(folder.path().to_str().unwrap(), Access::ReadWrite, layout.clone(), Traces::Keep)
            .expect("it opens")
    };
    let digest = Digest::git_sha1("2e65efe2a145dda7ee51d1741299f848e5bf752e").unwrap();
    let names = || (0..).map(|id| (id, format!("file-{id}"))).take(2 * readers());
    let files: Vec<_> = names().map(|(id, name)| Wanted { digest, ..wanted(id, &name, 0) }).collect();
    for (_, name) in names() {
        std::fs::write(folder.path().join(name), "a").unwrap();
    }
    let mut root = open();
    assert_eq!(root.try_lock().unwrap(), None);
    while !matches!(root.occupant(&files[files.len() - 1].path), Occupant::File(last) if root.is_settled(last))
    {
        root = open();
        assert_eq!(root.try_lock().unwrap(), None);
    }
    let records = Mutex::default();
    let wanted = WantedFiles::of(files.clone()).unwrap();
    // One report fits in, and is not taken, so that each reader remembers one file and waits to report it.
    let (reports, mut heard) = mpsc::channel(1);
    reports.try_send(Report::Pong).unwrap();
    let stop = CancellationToken::new();
    let survey = Survey {
        root: &root,
        records: &records,
        intact: &Mutex::default(),
        wanted: &wanted,
        check: Check::Contents,
        reports: &reports,
        stop: &stop,
        places: Mutex::default(),
        parts: PartNames::default(),
        bases: Bases::default(),
    };
    let remembered = || records.lock().unwrap().iter().count();
    std::thread::scope(|scope| {
        let survey = scope.spawn(|| survey.run());
        let deadline = Instant::now() + Duration::from_secs(60);
        while remembered() < readers() && Instant::now() < deadline {
            std::thread::yield_now();
        }
        let at_once = remembered();
        while !survey.is_finished() {
            _ = heard.try_recv();
            std::thread::yield_now();
        }
        survey.join().unwrap().unwrap();
        assert_eq!(at_once, readers(), "files were read while the report of the first one waited");
    });
    assert_eq!(remembered(), files.len());
    assert!(machine::cpus() == 1 || readers() > 1);
}

#[test]
fn what_was_touched_since_the_run_began_is_read_and_not_remembered() {
    let folder = tempfile::tempdir().unwrap();
    let commit = Commit::new("0123456789012345678901234567890123456789").unwrap();
    let layout = Layout::LocalDir { commit };
    let mut root =
        Root::open(folder.path().to_str().unwrap(), Access::ReadWrite, layout, Traces::Keep).unwrap();
    assert_eq!(root.try_lock().unwrap(), None);
    std::fs::write(folder.path().join("file"), "a").unwrap();
    let digest = Digest::git_sha1("2e65efe2a145dda7ee51d1741299f848e5bf752e").unwrap();
    let records = Mutex::default();
    let (reports, mut heard) = mpsc::channel(8);
    let survey = Survey {
        root: &root,
        records: &records,
        intact: &Mutex::default(),
        wanted: &WantedFiles::of([Wanted { digest, ..wanted(0, "file", 0) }]).unwrap(),
        check: Check::Records,
        reports: &reports,
        stop: &CancellationToken::new(),
        places: Mutex::default(),
        parts: PartNames::default(),
        bases: Bases::default(),
    };
    survey.run().unwrap();
    let Ok(Report::Found { files }) = heard.try_recv() else { panic!("it is told") };
    assert_eq!(files, [(FileId(0), Found::Intact { proof: Proof::Read })]);
    assert_eq!(records.lock().unwrap().iter().count(), 0);
}

#[test]
fn a_file_that_is_written_to_while_it_is_read_is_neither_right_nor_remembered() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    // Long enough to be read that the writer is never still for as long.
    let size = 32 << 20;
    std::fs::write(&path, vec![0; size]).unwrap();
    let root = folder.path().to_str().unwrap();
    let mut root = Root::open(root, Access::ReadWrite, Layout::Bare, Traces::Keep).unwrap();
    assert_eq!(root.try_lock().unwrap(), None);
    let mut hasher = Hasher::like(Digest::GitSha1([0; 20]), size as u64);
    hasher.update(&vec![0; size]);
    let wanted = Wanted { digest: hasher.finish(), size: size as u64, ..wanted(0, "file", 0) };
    let records = Mutex::default();
    let (reports, mut heard) = mpsc::channel(64);
    let survey = Survey {
        root: &root,
        records: &records,
        intact: &Mutex::default(),
        wanted: &WantedFiles::of([wanted]).unwrap(),
        check: Check::Contents,
        reports: &reports,
        stop: &CancellationToken::new(),
        places: Mutex::default(),
        parts: PartNames::default(),
        bases: Bases::default(),
    };
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    std::thread::scope(|scope| {
        let survey = scope.spawn(|| survey.run());
        while !survey.is_finished() {
            // The same bytes: only that they were written shows.
            disk::At::write_all_at(&file, &[&[0]], 0).unwrap();
        }
        survey.join().unwrap().unwrap();
    });
    let found = std::iter::from_fn(|| heard.try_recv().ok()).find_map(|report| match report {
        Report::Found { files } => Some(files),
        _ => None,
    });
    let Some([(_, Found::Obstructed { failure })]) = found.as_deref() else { panic!("{found:?}") };
    assert_eq!(failure.kind, FailureKind::ChangedMeanwhile);
    assert_eq!(records.lock().unwrap().iter().count(), 0);
}
