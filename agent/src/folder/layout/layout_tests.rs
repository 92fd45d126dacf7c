//! What each layout does, as a table: where a file stands, how it is placed, what is remembered of it, and what stays at
//! the end where traces are kept and where they are removed.

use std::collections::{BTreeSet, HashSet};
use std::path::Path;

use hfdown_protocol::{Access, Commit, Digest, FileId, Layout, RepoPath, Traces, Wanted, WantedFiles};
use tokio_util::sync::CancellationToken;

use crate::folder::{Completeness, Durable, Folder, Occupant, Opening, Origin, Root, place};
use crate::part::{Guard, write_small};

/// What `hello\n` is to git.
const HELLO: &str = "ce013625030ba8dba906f756967f9e9ca394464a";
const RECORDS: &str = ".cache/hfdown/records";
const METADATA: &str = ".cache/huggingface/download/sub/hello.metadata";

/// One layout and what may stay.
struct LayoutCase {
    layout: Layout,
    traces: Traces,
    /// Of these two, which are there after a file was placed.
    remembered: &'static [&'static str],
    /// Of the parts `wanted` and `unwanted`, which are there after a run that was cut off.
    parts_of_a_cut_off_run: &'static [&'static str],
    /// Whether our own folder is there after a run that left no part.
    own_folder: bool,
}

fn table() -> Vec<LayoutCase> {
    let local_dir = || Layout::LocalDir { commit: Commit::new(HELLO).unwrap() };
    let row = |layout, traces, remembered, parts_of_a_cut_off_run, own_folder| LayoutCase {
        layout,
        traces,
        remembered,
        parts_of_a_cut_off_run,
        own_folder,
    };
    vec![
        row(local_dir(), Traces::Keep, &[RECORDS, METADATA], &["wanted"], true),
        row(local_dir(), Traces::Remove, &[], &["wanted"], false),
        row(Layout::Bare, Traces::Keep, &[], &["unwanted", "wanted"], false),
        row(Layout::Bare, Traces::Remove, &[], &["wanted"], false),
    ]
}

fn wanted(id: u32, path: &str) -> Wanted {
    let digest = Digest::git_sha1(HELLO).unwrap();
    Wanted { id: FileId(id), path: RepoPath::new(path).unwrap(), size: 6, digest }
}

/// The folder, open and locked.
async fn open(folder: &Path, row: &LayoutCase) -> Folder {
    let (reports, _) = tokio::sync::mpsc::channel(1);
    let root = folder.to_str().unwrap();
    let (access, layout, traces) = (Access::ReadWrite, row.layout.clone(), row.traces);
    let opening = Opening { access, layout, traces, identity: None, wait: None };
    Folder::open(Some(root.to_owned()), opening, &reports, &CancellationToken::new()).await.unwrap()
}

/// A part's proved bytes get the place of a file, and it is remembered.
fn place_and_remember(folder: &Folder, part: &str, wanted: &Wanted) {
    let part = write_small(folder.root.parts().unwrap(), &Guard::default(), part, b"hello\n");
    let placed = place(&folder.root, &part.unwrap().unwrap(), wanted, None, Durable::Now).unwrap();
    folder.records().remember(&folder.root, wanted, placed.stamp, Origin::Placed, None).unwrap();
}

#[tokio::test]
async fn a_file_stands_at_its_path_and_what_is_remembered_depends_on_the_layout_and_the_traces() {
    for row in table() {
        let ground = tempfile::tempdir().unwrap();
        let folder = open(ground.path(), &row).await;
        let what = format!("{:?} {:?}", row.layout, row.traces);
        let files = [wanted(0, "sub/hello"), wanted(1, "again")];
        assert_eq!(folder.root.layout().work_folder(), ".cache/hfdown", "{what}");
        assert_eq!(*folder.root.place_of(&files[0]), files[0].path, "{what}");
        let all = WantedFiles::of(files.clone()).unwrap();
        let names = folder.root.layout().parts(&all);
        let parts = files.each_ref().map(|file| names.name(file.id, file.digest));
        assert_eq!(parts, [HELLO.to_owned(), format!("{HELLO}-1")], "{what}: each is fetched");

        place_and_remember(&folder, &parts[0], &files[0]);
        assert_eq!(std::fs::read(ground.path().join("sub/hello")).unwrap(), b"hello\n", "{what}");
        let there: Vec<_> =
            [RECORDS, METADATA].into_iter().filter(|name| ground.path().join(name).exists()).collect();
        assert_eq!(there, row.remembered, "{what}");
        let is_recorded = folder.records().get(&files[0].path).is_some();
        assert_eq!(is_recorded, row.remembered.contains(&RECORDS), "{what}");
    }
}

#[tokio::test]
async fn what_stays_at_the_end_depends_on_the_layout_and_the_traces() {
    for row in table() {
        let ground = tempfile::tempdir().unwrap();
        let what = format!("{:?} {:?}", row.layout, row.traces);
        let file = wanted(0, "sub/hello");
        let files = WantedFiles::of([file.clone()]).unwrap();
        // An earlier run has left a record.
        let earlier = LayoutCase { layout: table().remove(0).layout, traces: Traces::Keep, ..row };
        let folder = open(ground.path(), &earlier).await;
        place_and_remember(&folder, "wanted", &file);
        folder.finish(&files, Completeness::Whole, &HashSet::new()).unwrap();
        drop(folder);

        // This one is cut off.
        let folder = open(ground.path(), &row).await;
        for part in ["wanted", "wanted.journal", "unwanted", "unwanted.journal"] {
            folder.root.parts().unwrap().dir().write(part, "").unwrap();
        }
        let resumable = HashSet::from(["wanted".to_owned()]);
        folder.finish(&files, Completeness::Partial, &resumable).unwrap();
        let parts = std::fs::read_dir(ground.path().join(".cache/hfdown/parts")).unwrap();
        let parts: BTreeSet<_> = parts.map(|part| part.unwrap().file_name().into_string().unwrap()).collect();
        let with_journals = row
            .parts_of_a_cut_off_run
            .iter()
            .flat_map(|part| [(*part).to_owned(), format!("{part}.journal")]);
        assert_eq!(parts, with_journals.collect(), "{what}");
        assert!(ground.path().join(RECORDS).exists(), "{what}: there is something to go on from");

        // And this one is not.
        for part in &parts {
            folder.root.parts().unwrap().dir().remove_file(part).unwrap();
        }
        folder.finish(&files, Completeness::Whole, &HashSet::new()).unwrap();
        // Records are another run's where this one keeps none, and stay unless traces are removed.
        let records_stay = row.traces == Traces::Keep;
        assert_eq!(ground.path().join(RECORDS).exists(), records_stay, "{what}");
        assert_eq!(ground.path().join(".cache/hfdown/lock").exists(), row.own_folder, "{what}");
        assert!(ground.path().join(METADATA).exists(), "{what}: `hf` may have written it");
        assert!(ground.path().join("sub/hello").exists(), "{what}");
    }
}

#[tokio::test]
async fn an_empty_folder_of_ours_goes_with_what_it_alone_was_in() {
    for row in table() {
        let ground = tempfile::tempdir().unwrap();
        let folder = open(ground.path(), &row).await;
        folder.finish(&WantedFiles::default(), Completeness::Whole, &HashSet::new()).unwrap();
        assert_eq!(
            ground.path().join(".cache").exists(),
            row.own_folder,
            "{:?} {:?}",
            row.layout,
            row.traces
        );
    }
}

#[test]
fn a_dry_run_makes_nothing_and_may_not_write() {
    for row in table() {
        let ground = tempfile::tempdir().unwrap();
        let root = ground.path().to_str().unwrap();
        let root = Root::open(root, Access::ReadOnly, row.layout, row.traces).unwrap();
        assert!(root.writable().is_err() && root.parts().is_err());
        assert!(matches!(root.occupant(&RepoPath::new("sub/hello").unwrap()), Occupant::Nothing));
        assert_eq!(std::fs::read_dir(ground.path()).unwrap().count(), 0);
    }
}
