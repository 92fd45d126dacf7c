//! What records remember, of which sync, and what is read of damaged ones.

use super::*;
use hfdown_protocol::FileRow;

/// The records of a folder, none of which is listed.
fn load(work: &OwnFolder) -> Records {
    let mut records = Records::default();
    records.load(work, &WantedFiles::default());
    records
}

/// What is changed, and how.
type Change<'a> = (&'static str, &'a dyn Fn(&mut Records));

#[test]
fn what_did_not_change_is_not_written_again() {
    let folder = tempfile::tempdir().unwrap();
    let work = OwnFolder::at(folder.path()).unwrap();
    let record = |size| Record {
        origin: Origin::Seen,
        digest: Digest::git_sha1("ce013625030ba8dba906f756967f9e9ca394464a").unwrap(),
        stamp: Stamp { size, modified: 1, changed: 1, inode: 1 },
        xet: None,
    };
    let path = |name: &str| RepoPath::new(name).unwrap();
    let inode = || disk::stamp(&work.dir().metadata(NAME).unwrap()).inode;
    let mut records = load(&work);
    records.insert(&work, path("a"), record(1)).unwrap();
    records.insert(&work, path("b"), record(1)).unwrap();
    records.save(&work).unwrap();
    let changes: [Change<'_>; 5] = [
        ("nothing", &|_| {}),
        ("the same again", &|records| records.insert(&work, path("a"), record(1)).unwrap()),
        ("another state", &|records| records.insert(&work, path("a"), record(2)).unwrap()),
        ("one less", &|records| _ = records.remove(&path("b"))),
        ("none that was there", &|records| _ = records.remove(&path("b"))),
    ];
    for (what, change) in changes {
        let (mut records, before) = (load(&work), inode());
        change(&mut records);
        records.save(&work).unwrap();
        let rewritten = ["another state", "one less"].contains(&what);
        assert_eq!(inode() != before, rewritten, "{what}");
        assert_eq!(load(&work).entries, records.entries, "{what}");
    }
    // Repetitions and torn lines are what a run that was killed leaves.
    let text = work.dir().read(NAME).unwrap();
    for left in [[&text[..], b"\n", &text].concat(), [&text[..], b"\nplaced sha256:00"].concat()] {
        work.dir().write(NAME, left).unwrap();
        load(&work).save(&work).unwrap();
        assert_eq!(work.dir().read(NAME).unwrap(), text);
    }
}

#[test]
fn remembers_across_runs_and_torn_lines() {
    let folder = tempfile::tempdir().unwrap();
    let work = OwnFolder::at(folder.path()).unwrap();
    let record = |size| Record {
        origin: Origin::Placed,
        digest: Digest::git_sha1("ce013625030ba8dba906f756967f9e9ca394464a").unwrap(),
        stamp: Stamp { size, modified: -1, changed: 1 << 60, inode: u64::MAX },
        xet: (size > 2).then_some(XetHash([7; 32])),
    };
    let path = |name: &str| RepoPath::new(name).unwrap();
    let mut records = load(&work);
    records.insert(&work, path("a b/c"), record(1)).unwrap();
    records.insert(&work, path("d"), record(2)).unwrap();
    records.insert(&work, path("d"), record(3)).unwrap();

    let mut torn = work.dir().read(NAME).unwrap();
    torn.extend_from_slice(b"\nplaced sha256:00");
    work.dir().write(NAME, torn).unwrap();
    let mut records = load(&work);
    records.insert(&work, path("e"), record(4)).unwrap();
    let mut records = load(&work);
    for (name, size) in [("a b/c", 1), ("d", 3), ("e", 4)] {
        assert_eq!(records.get(&path(name)), Some(record(size)), "{name}");
    }

    records.remove(&path("d"));
    records.save(&work).unwrap();
    let records = load(&work);
    assert_eq!(records.iter().count(), 2);
    assert_eq!(records.get(&path("d")), None);
}

#[test]
fn what_is_as_it_is_listed_is_remembered_beside_what_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let work = OwnFolder::at(folder.path()).unwrap();
    let path = |name: &str| RepoPath::new(name).unwrap();
    let digest = seen(1).digest;
    let mut wanted = WantedFiles::default();
    for name in ["d", "b", "a/c"] {
        wanted.push(FileRow { path: path(name).view(), size: 1, digest }).unwrap();
    }
    let load = |wanted: &WantedFiles| {
        let mut records = Records::default();
        records.load(&work, wanted);
        records
    };
    let mut records = load(&wanted);
    let other = Record { digest: Digest::Sha256([0; 32]), ..seen(2) };
    let beyond = Record { stamp: Stamp { modified: i128::MAX, ..seen(3).stamp }, ..seen(3) };
    let all = [("a/c", seen(1)), ("b", other), ("d", beyond), ("not listed", seen(4))];
    for (name, record) in &all {
        records.insert(&work, path(name), record.clone()).unwrap();
    }
    assert_eq!((records.listed.iter().count(), records.entries.len()), (1, 3));
    // Another state takes the place of the first one, wherever that was.
    records.insert(&work, path("b"), seen(5)).unwrap();
    records.insert(&work, path("a/c"), all[1].1.clone()).unwrap();
    records.save(&work).unwrap();
    for wanted in [wanted, WantedFiles::default()] {
        let mut records = load(&wanted);
        assert_eq!(records.on_disk, OnDisk::Same);
        for (name, record) in
            [("a/c", &all[1].1), ("b", &seen(5)), ("d", &all[2].1), ("not listed", &all[3].1)]
        {
            assert_eq!(records.get(&path(name)).as_ref(), Some(record), "{name}");
        }
        assert_eq!(records.remove(&path("b")), Some(seen(5)));
        assert_eq!(records.get(&path("b")), None);
    }
}

#[test]
fn records_say_which_sync_they_are_of_and_how_many_there_are() {
    let folder = tempfile::tempdir().unwrap();
    let work = OwnFolder::at(folder.path()).unwrap();
    let path = |name: &str| RepoPath::new(name).unwrap();
    let commit = |digit: &str| Commit::new(digit.repeat(40)).unwrap();
    let told = || {
        let (files, sync) = Records::recall(&work);
        let files: Vec<_> = files.map(|file| (file.id.0, file.path.to_string())).collect();
        let sync = sync.map(|sync| (sync.commit, sync.files));
        (files, sync)
    };
    let mut records = load(&work);
    records.insert(&work, path("b"), seen(1)).unwrap();
    assert_eq!(told(), (vec![(0, "b".to_owned())], None), "as earlier versions wrote them");
    records.begin(&commit("1"));
    records.insert(&work, path("a"), seen(2)).unwrap();
    let both = vec![(0, "a".to_owned()), (1, "b".to_owned())];
    assert_eq!(told(), (both.clone(), Some((commit("1"), None))));
    records.conclude(&commit("1"), Completeness::Whole);
    records.save(&work).unwrap();
    assert_eq!(told(), (both.clone(), Some((commit("1"), Some(2)))));
    let mut records = load(&work);
    assert_eq!(records.on_disk, OnDisk::Same);
    records.begin(&commit("1"));
    records.conclude(&commit("1"), Completeness::Whole);
    assert_eq!(records.on_disk, OnDisk::Same);
    records.conclude(&commit("2"), Completeness::Partial);
    records.save(&work).unwrap();
    assert_eq!(told(), (both, Some((commit("2"), None))));
    let text = work.dir().read_to_string(NAME).unwrap();
    work.dir().write(NAME, text.lines().next().unwrap()).unwrap();
    assert_eq!(told(), (vec![], Some((commit("2"), None))));
}

#[test]
fn what_the_xet_store_calls_a_listed_file_is_remembered_and_forgotten_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let work = OwnFolder::at(folder.path()).unwrap();
    let path = RepoPath::new("a").unwrap();
    let record = Record { xet: Some(XetHash([7; 32])), ..seen(1) };
    let wanted = Wanted { id: FileId(0), path: path.clone(), size: 1, digest: record.digest };
    let files = WantedFiles::of(vec![wanted]).unwrap();
    let load = || {
        let mut records = Records::default();
        records.load(&work, &files);
        records
    };
    load().insert(&work, path.clone(), record.clone()).unwrap();
    let mut records = load();
    assert_eq!(records.get(&path), Some(record.clone()));
    records.save(&work).unwrap();
    assert_eq!(load().get(&path), Some(record.clone()));
    // Proved again, by a run that does not know it.
    records.insert(&work, path.clone(), Record { xet: None, ..record.clone() }).unwrap();
    assert_eq!(records.get(&path), Some(Record { xet: None, ..record.clone() }));
    records.insert(&work, path.clone(), record).unwrap();
    records.remove(&path);
    assert_eq!(records.get(&path), None);
}

fn seen(changed: i128) -> Record {
    Record {
        origin: Origin::Seen,
        digest: Digest::git_sha1("ce013625030ba8dba906f756967f9e9ca394464a").unwrap(),
        stamp: Stamp { size: 1, modified: 1, changed, inode: 1 },
        xet: None,
    }
}

#[test]
fn what_changed_in_the_tick_of_the_last_record_is_not_vouched_for() {
    let folder = tempfile::tempdir().unwrap();
    let work = OwnFolder::at(folder.path()).unwrap();
    let path = |name: &str| RepoPath::new(name).unwrap();
    // A run that is killed right after it has placed the second.
    let mut records = load(&work);
    records.insert(&work, path("before"), seen(1)).unwrap();
    records.insert(&work, path("in it"), seen(2)).unwrap();
    let tick = written(&work.dir().open(NAME).unwrap().into_std()).unwrap();
    let (before, within) = (seen(tick - 1), seen(tick));
    let text = format!("{}\n{}", line(path("before").view(), &before), line(path("in it").view(), &within));
    work.dir().write(NAME, text).unwrap();
    let file = work.open(NAME, FileAccess::ReadWrite, LARGEST).unwrap().unwrap();
    let tick = std::time::UNIX_EPOCH + Duration::from_nanos(u64::try_from(tick).unwrap());
    file.set_modified(tick).unwrap();

    let mut records = load(&work);
    assert_eq!(records.get(&path("before")), Some(before));
    let unsettled = records.get(&path("in it")).unwrap();
    assert!(unsettled.stamp != within.stamp && unsettled.digest == within.digest);
    // What is written later does not vouch for it either, before it is proved anew.
    records.insert(&work, path("later"), seen(3)).unwrap();
    records.save(&work).unwrap();
    let mut records = load(&work);
    assert_eq!(records.get(&path("in it")), Some(unsettled.clone()));
    records.insert(&work, path("in it"), within.clone()).unwrap();
    records.save(&work).unwrap();
    assert_eq!(load(&work).get(&path("in it")), Some(within));
}

#[test]
fn records_are_not_done_before_the_clock_of_the_disk_has_gone_on() {
    let folder = tempfile::tempdir().unwrap();
    let work = OwnFolder::at(folder.path()).unwrap();
    let path = |name: &str| RepoPath::new(name).unwrap();
    work.dir().write("probe", "").unwrap();
    let now = written(&work.dir().open("probe").unwrap().into_std()).unwrap();
    // The clock ticks faster here: a file of the tick that ends in a twentieth of a second, and one of next year.
    let (soon, next_year) = (seen(now + 50_000_000), seen(now + 365 * 86_400 * 1_000_000_000));
    let mut records = load(&work);
    records.insert(&work, path("soon"), soon.clone()).unwrap();
    records.insert(&work, path("next year"), next_year.clone()).unwrap();
    records.save(&work).unwrap();
    let records = load(&work);
    assert_eq!(records.get(&path("soon")), Some(soon));
    assert!(records.get(&path("next year")).is_some_and(|record| record.stamp != next_year.stamp));
}
