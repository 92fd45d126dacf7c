//! What counts as ours, and what becomes of the rest.

use super::*;

const OURS: u32 = 1000;

fn looking(uid: u32, mode: u32) -> Looks {
    Looks { uid, mode, links: 1 }
}

#[test]
fn a_folder_is_refused_only_where_the_disk_tells_who_a_file_belongs_to() {
    let (owner, writable) = (Distrust::Owner { uid: 0 }, Distrust::Writable { mode: 0o777 });
    for (folder, created, expected) in [
        (looking(OURS, 0o755), None, Ok(Ownership::Shown)),
        (looking(OURS, 0o700), None, Ok(Ownership::Shown)),
        // A disk with owners, as nearly all have.
        (looking(0, 0o755), Some(looking(OURS, 0o600)), Err(owner)),
        (looking(OURS, 0o777), Some(looking(OURS, 0o600)), Err(writable)),
        (looking(OURS, 0o775), Some(looking(OURS, 0o600)), Err(Distrust::Writable { mode: 0o775 })),
        // FAT of another user's, a Windows disk in WSL, an NFS that makes root a stranger.
        (looking(0, 0o755), Some(looking(0, 0o755)), Ok(Ownership::Hidden)),
        (looking(OURS, 0o777), Some(looking(OURS, 0o777)), Ok(Ownership::Hidden)),
        (looking(OURS, 0o755), Some(looking(65_534, 0o644)), Ok(Ownership::Shown)),
        (looking(65_534, 0o755), Some(looking(65_534, 0o600)), Ok(Ownership::Hidden)),
    ] {
        let probe = || Ok(created.expect("it is not needed"));
        assert_eq!(ownership(folder, OURS, probe).unwrap(), expected, "{folder:?} {created:?}");
    }
    let denied = || Err(ErrorKind::PermissionDenied.into());
    assert_eq!(ownership(looking(0, 0o755), OURS, denied).unwrap(), Err(owner));
    let full = || Err(ErrorKind::StorageFull.into());
    assert!(ownership(looking(0, 0o755), OURS, full).is_err(), "nothing is known");
}

#[cfg(unix)]
#[test]
fn what_is_too_large_or_has_two_names_or_is_no_file_is_not_there_and_is_replaced_and_not_written_through() {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let ground = tempfile::tempdir().unwrap();
    let at = |name: &str| ground.path().join(name);
    fs::create_dir(at("own")).unwrap();
    fs::write(at("theirs"), "theirs").unwrap();
    let own = OwnFolder::at(&at("own")).unwrap();
    let path = at("own/name");
    let large = || fs::write(&path, "more than four").unwrap();
    let open = || {
        fs::write(&path, "1234").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o620)).unwrap();
    };
    let puts: [(&str, &dyn Fn()); 4] = [
        ("large", &large),
        ("open to others", &open),
        ("a second name", &|| fs::hard_link(at("theirs"), &path).unwrap()),
        ("a link", &|| symlink("../theirs", &path).unwrap()),
    ];
    for (what, put) in puts {
        for access in [FileAccess::Read, FileAccess::ReadWrite, FileAccess::Append] {
            put();
            assert!(own.open("name", access, 4).unwrap().is_none(), "{what}");
            own.replace("name", b"ours", FileMode::Private).unwrap();
            assert_eq!(own.read("name", 4).unwrap().unwrap(), b"ours", "{what}");
            own.remove("name").unwrap();
        }
    }
    assert_eq!(fs::read(at("theirs")).unwrap(), b"theirs");
    assert_eq!(own.entries().count(), 0);

    fs::create_dir(&path).unwrap();
    assert!(own.read("name", 4).unwrap().is_none());
    for error in [
        own.replace("name", b"ours", FileMode::Private).unwrap_err(),
        own.create("name", FileMode::Private).unwrap_err(),
        own.remove("name").unwrap_err(),
    ] {
        let expected = format!("a folder stands at {}/name", at("own").display());
        assert_eq!((error.kind(), error.to_string()), (ErrorKind::IsADirectory, expected));
    }
}

#[test]
fn nothing_is_left_of_finding_out_which_names_the_disk_folds() {
    let ground = tempfile::tempdir().unwrap();
    let own = OwnFolder::at(ground.path()).unwrap();
    // What runs that were killed have left, here and on a disk that spells names in its own way.
    for left in [[].as_slice(), &[COMPOSED], &[DECOMPOSED], &[COMPOSED, DECOMPOSED]] {
        for name in left {
            std::fs::write(ground.path().join(name), "").unwrap();
        }
        assert_eq!(own.folds_normalisation().unwrap(), cfg!(target_os = "macos"), "{left:?}");
        assert_eq!(own.entries().count(), 0, "{left:?}");
    }
}
