//! Parts, and what other programs do to them.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::Path;
use std::time::SystemTime;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use hfdown_protocol::RepoPath;

use super::*;

/// A folder with a folder of parts in it, and a file that is none of ours.
struct Ground {
    folder: tempfile::TempDir,
    root: Dir,
    parts: OwnFolder,
    guard: Guard,
}

const OUTSIDE: &[u8] = b"none of ours";

fn ground() -> Ground {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("parts")).unwrap();
    fs::write(folder.path().join("outside"), OUTSIDE).unwrap();
    let root = Dir::open_ambient_dir(folder.path(), ambient_authority()).unwrap();
    let parts = OwnFolder::at(&folder.path().join("parts")).unwrap();
    Ground { folder, root, parts, guard: Guard::default() }
}

impl Ground {
    fn part(&self) -> std::path::PathBuf {
        self.folder.path().join("parts/p")
    }

    fn open(&self) -> Part {
        Part::open(&self.parts, &self.guard, "p", 8).unwrap()
    }

    fn place(&self, part: &ProvedPart) -> Result<Stamp, RenameFault> {
        part.rename(&self.parts, &self.root, &RepoPath::new("sub/placed").unwrap())
    }
}

/// Something that another program does to the part at a path.
type Disturbance = (&'static str, fn(&Path));

fn write_at_once(path: &Path) {
    File::options().write(true).open(path).unwrap().write_all_at(&[b"X"], 1).unwrap();
}

fn write_and_set_the_time_back(path: &Path) {
    let file = File::options().write(true).open(path).unwrap();
    let before = file.metadata().unwrap().modified().unwrap();
    file.write_all_at(&[b"X"], 1).unwrap();
    file.set_modified(before).unwrap();
}

fn cut_short_and_fill_up(path: &Path) {
    let file = File::options().write(true).open(path).unwrap();
    let length = file.metadata().unwrap().len();
    file.set_len(1).unwrap();
    file.set_len(length).unwrap();
}

fn only_open(path: &Path) {
    drop(File::open(path).unwrap());
}

fn link(path: &Path) {
    fs::hard_link(path, path.with_extension("link")).unwrap();
}

fn replace(path: &Path) {
    let other = path.with_extension("other");
    fs::write(&other, b"XXXXXXXX").unwrap();
    fs::rename(other, path).unwrap();
}

fn remove(path: &Path) {
    fs::remove_file(path).unwrap();
}

const DISTURBANCES: [Disturbance; 7] = [
    ("written to", write_at_once),
    ("written to with its time set back", write_and_set_the_time_back),
    ("cut short and filled up", cut_short_and_fill_up),
    ("only opened", only_open),
    ("given another name", link),
    ("replaced", replace),
    ("removed", remove),
];

/// Whether it got its final name, in the state in which it was sealed.
fn is_placed(ground: &Ground, part: &Part) -> bool {
    match part.seal().unwrap() {
        None => false,
        Some(proved) => match ground.place(&proved) {
            Ok(_) => true,
            Err(RenameFault::Changed) => false,
            Err(RenameFault::Disk(error)) => panic!("{error}"),
        },
    }
}

#[test]
fn what_another_program_does_to_a_part_is_noticed_before_it_has_a_name() {
    for (what, disturb) in DISTURBANCES {
        for step in ["between two writes", "before it is sealed"] {
            let ground = ground();
            let part = ground.open();
            part.write(0, &[Bytes::from_static(b"abcd")]).unwrap();
            if step == "between two writes" {
                disturb(&ground.part());
            }
            part.write(4, &[Bytes::from_static(b"efgh")]).unwrap();
            if step == "before it is sealed" {
                disturb(&ground.part());
            }
            assert!(!is_placed(&ground, &part), "{what} {step}");
            assert!(!ground.folder.path().join("sub/placed").exists(), "{what} {step}");
        }
        let ground = ground();
        let part = ground.open();
        part.write(0, &[Bytes::from_static(b"abcdefgh")]).unwrap();
        let proved = part.seal().unwrap().expect("nothing has happened");
        disturb(&ground.part());
        // To be opened and no more changes nothing.
        assert_eq!(ground.place(&proved).is_ok(), what == "only opened", "{what} before it is placed");
    }
}

#[test]
fn a_descriptor_from_before_the_run_is_noticed_when_it_writes() {
    let ground = ground();
    ground.open().write(0, &[Bytes::from_static(b"abcd")]).unwrap();
    let foreign = File::options().write(true).open(ground.part()).unwrap();
    let part = ground.open();
    foreign.write_all_at(&[b"X"], 1).unwrap();
    part.write(4, &[Bytes::from_static(b"efgh")]).unwrap();
    assert!(part.is_disturbed());
    assert!(part.seal().unwrap().is_none());
    // It is read again, and written to again.
    part.rest().unwrap();
    foreign.write_all_at(&[b"b"], 1).unwrap();
    assert!(part.seal().unwrap().is_none());
    // And once more, left alone.
    part.rest().unwrap();
    let proved = part.seal().unwrap().expect("nothing has happened since it was read");
    ground.place(&proved).unwrap();
}

#[test]
fn what_is_proved_has_a_time_that_no_tick_of_the_disk_gives() {
    let ground = ground();
    let time = || fs::metadata(ground.part()).unwrap().modified().unwrap();
    let part = ground.open();
    part.write(0, &[Bytes::from_static(b"abcdefgh")]).unwrap();
    let written = SystemTime::now();
    part.seal().unwrap().expect("nothing has happened");
    assert!(time() >= written);
    let before = SystemTime::now();
    write_small(&ground.parts, &ground.guard, "p", b"abcdefgh").unwrap().unwrap();
    assert!(time() >= before, "a disk's own clock is behind by part of a tick");
}

#[test]
#[cfg(target_os = "linux")]
fn where_no_watch_is_left_what_was_written_is_read_again() {
    let ground = Ground { guard: Guard::deaf(), ..ground() };
    let part = ground.open();
    part.write(0, &[Bytes::from_static(b"abcdefgh")]).unwrap();
    assert!(part.seal().unwrap().is_none());
    assert!(!part.is_disturbed(), "nothing is known of another program");
    part.rest().unwrap();
    ground.place(&part.seal().unwrap().expect("nothing has happened since it was read")).unwrap();
}

#[test]
fn a_part_is_ours_alone_and_a_placed_file_has_the_mode_of_any_new_one() {
    let ground = ground();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let part = ground.open();
    part.write(0, &[Bytes::from_static(b"abcdefgh")]).unwrap();
    assert_eq!(mode(&ground.part()), 0o600);
    let stamp = ground.place(&part.seal().unwrap().unwrap()).unwrap();
    let placed = ground.folder.path().join("sub/placed");
    assert_eq!(mode(&placed), mode(&ground.folder.path().join("outside")));
    let there = disk::stamp(&ground.root.metadata("sub/placed").unwrap());
    assert_eq!(stamp, there, "what is recorded is what is there");
    assert!(!ground.folder.path().join("parts/probe").exists());
}

/// What may stand where a part is to be: made by another program, or left by an accident.
fn stand_ins() -> Vec<Disturbance> {
    let mut all: Vec<Disturbance> = vec![
        ("a link", |path| symlink("../outside", path).unwrap()),
        ("a link to nothing", |path| symlink("../nothing", path).unwrap()),
        ("a second name", |path| fs::hard_link(path.with_file_name("../outside"), path).unwrap()),
        ("a pipe", |path| {
            use rustix::fs::{CWD, FileType, Mode, mknodat};
            mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        }),
        ("a socket", |path| drop(std::os::unix::net::UnixListener::bind(path).unwrap())),
        ("a file that all may write to", |path| {
            fs::write(path, b"XXXXXXXX").unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(0o666)).unwrap();
        }),
    ];
    if rustix::process::geteuid().is_root() {
        all.push(("a file of another user", |path| {
            fs::write(path, b"XXXXXXXX").unwrap();
            chown(path, Some(65_534), None).unwrap();
        }));
    }
    all
}

#[test]
fn what_is_not_a_part_of_ours_is_begun_afresh_and_nothing_outside_changes() {
    for (what, make) in stand_ins() {
        let ground = ground();
        // A journal says that all of it is there.
        ground.open().write(0, &[Bytes::from_static(b"abcdefgh")]).unwrap();
        fs::remove_file(ground.part()).unwrap();
        make(&ground.part());
        assert_eq!(Part::peek(&ground.parts, "p", 8), 0, "{what}");
        let part = ground.open();
        assert_eq!(part.total(), 0, "{what}");
        part.write(0, &[Bytes::from_static(b"abcdefgh")]).unwrap();
        assert!(is_placed(&ground, &part), "{what}");

        make(&ground.part());
        let small = write_small(&ground.parts, &ground.guard, "p", b"abcdefgh").unwrap().unwrap();
        ground.place(&small).unwrap();
        assert_eq!(ground.root.read("sub/placed").unwrap(), b"abcdefgh", "{what}");
        let placed = fs::symlink_metadata(ground.folder.path().join("sub/placed")).unwrap();
        assert_eq!((placed.uid(), placed.nlink()), (rustix::process::geteuid().as_raw(), 1), "{what}");
        assert_eq!(ground.root.read("outside").unwrap(), OUTSIDE, "{what}");
        assert!(!ground.folder.path().join("nothing").exists(), "{what}");
    }
}

#[test]
fn a_folder_where_a_part_is_to_be_is_an_error() {
    let ground = ground();
    fs::create_dir(ground.part()).unwrap();
    let error = Part::open(&ground.parts, &ground.guard, "p", 8).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::IsADirectory);
    assert!(write_small(&ground.parts, &ground.guard, "p", b"abcdefgh").is_err());
    assert!(ground.part().is_dir());
}

#[test]
fn a_small_file_that_changes_before_it_is_placed_has_no_name() {
    for (what, disturb) in DISTURBANCES {
        let ground = ground();
        let small = write_small(&ground.parts, &ground.guard, "p", b"abcdefgh").unwrap().unwrap();
        disturb(&ground.part());
        assert_eq!(ground.place(&small).is_ok(), what == "only opened", "{what}");
    }
}

#[test]
fn what_was_written_is_there_in_the_next_run() {
    let folder = tempfile::tempdir().unwrap();
    let parts = OwnFolder::at(folder.path()).unwrap();
    let part = Part::open(&parts, &Guard::default(), "p", 100).unwrap();
    part.write(40, &[Bytes::from_static(b"ab"), Bytes::from_static(b"c")]).unwrap();
    part.write(0, &[Bytes::from_static(b"xyz")]).unwrap();
    drop(part);
    assert_eq!(Part::peek(&parts, "p", 100), 6);
    let part = Part::open(&parts, &Guard::default(), "p", 100).unwrap();
    assert_eq!((part.front(), part.total()), (3, 6));
    assert_eq!(part.missing().iter().cloned().collect::<Vec<_>>(), [3..40, 43..100]);
    let mut buffer = [0; 3];
    part.read_at(&mut buffer, 40).unwrap();
    assert_eq!(&buffer, b"abc");
}

#[test]
fn what_is_on_disk_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let parts = OwnFolder::at(folder.path()).unwrap();
    let part = Part::open(&parts, &Guard::default(), "p", 12).unwrap();
    part.write(2, &[Bytes::from_static(b"CD")]).unwrap();
    part.write(7, &[Bytes::from_static(b"H")]).unwrap();
    let chunks = [Bytes::from_static(b"abcde"), Bytes::from_static(b"fghijkl")];
    assert_eq!(part.write(0, &chunks).unwrap(), Written { end: 12, added: 9 });
    assert_eq!(parts.dir().read("p").unwrap(), b"abCDefgHijkl");
    assert_eq!(part.total(), 12);
}

#[test]
fn a_journal_without_its_data_claims_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let parts = OwnFolder::at(folder.path()).unwrap();
    Part::open(&parts, &Guard::default(), "p", 100).unwrap().write(0, &[Bytes::from_static(b"xyz")]).unwrap();
    parts.remove("p").unwrap();
    assert_eq!(Part::peek(&parts, "p", 100), 0);
    assert_eq!(Part::open(&parts, &Guard::default(), "p", 100).unwrap().total(), 0);
    Part::discard(&parts, "p").unwrap();
    assert_eq!(parts.entries().count(), 0);
}

#[test]
fn what_is_copied_fills_gaps_and_survives_the_run() {
    let ground = ground();
    let basis = ground.folder.path().join("basis");
    fs::write(&basis, b"xxABCDEFGH").unwrap();
    let basis = File::open(&basis).unwrap();
    let part = ground.open();
    part.write(2, &[Bytes::from_static(b"12")]).unwrap();
    let written = part.copy_from(&basis, 2, 0..6).unwrap();
    assert_eq!(written, Written { end: 6, added: 4 });
    assert_eq!(part.copy_from(&basis, 2, 0..6).unwrap().added, 0);
    assert!(!part.is_disturbed());
    drop(part);
    // As after a kill: the journal has it.
    let part = ground.open();
    assert_eq!((part.total(), part.front()), (6, 6));
    // The basis is shorter than it was.
    let cut_short = part.copy_from(&basis, 9, 6..8).unwrap_err();
    assert_eq!(cut_short.kind(), io::ErrorKind::UnexpectedEof);
    assert_eq!(part.total(), 6);
    part.write(6, &[Bytes::from_static(b"78")]).unwrap();
    assert_eq!(fs::read(ground.part()).unwrap(), b"AB12EF78");
}
