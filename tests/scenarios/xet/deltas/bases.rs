//! What stands there is not what it is taken for: the right file comes all the same, and what is not the folder's is not read.

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use hfdown_tests::hub::Content;
use hfdown_tests::odd_file::{OddFile, Untouched};
use hfdown_tests::sandbox::{Sandbox, run};

use super::{
    FEW, FILE, MODEL, SIZE, WHOLE, bring, commit, left_by_hf, objects, reasons, travelled, versions, weights,
};
use crate::disks::foreign::nobodys;

here_and_on_a_box! {
    a_basis_that_is_something_else_gives_no_wrong_file, a_place_that_is_no_file_is_not_read, notes_of_hf_are_believed_in_nothing,
    a_store_that_lies_about_the_basis_costs_a_whole_file, repairing_takes_what_is_right,
}
here! { what_may_not_be_read_comes_whole, }

/// Does something to a file that stands there.
type Damage = fn(&Path);

async fn a_basis_that_is_something_else_gives_no_wrong_file(sandbox: Sandbox) {
    let (old, new) = versions();
    let first = commit(&sandbox, FILE, &old);
    commit(&sandbox, FILE, &new);
    let changes: [(&str, Damage, usize); 5] = [
        ("cut short", |path| File::options().write(true).open(path).unwrap().set_len(8_700_000).unwrap(), 0),
        ("longer", |path| File::options().write(true).open(path).unwrap().set_len(9_700_000).unwrap(), 0),
        (
            "one bit",
            |path| {
                let mut bytes = fs::read(path).unwrap();
                bytes[6_000_000] ^= 1;
                fs::write(path, bytes).unwrap();
            },
            1,
        ),
        ("others", |path| fs::write(path, weights(8, SIZE + 5000)).unwrap(), 1),
        (
            "holes",
            |path| {
                File::create(path).unwrap().set_len(SIZE as u64 + 5000).unwrap();
            },
            1,
        ),
    ];
    for (what, change, told) in changes {
        left_by_hf(&sandbox, first.as_str(), &old);
        change(&sandbox.root().join(FILE));
        let (ended, travelled) = bring(&sandbox, &new, &[]).await;
        let reasons = reasons(&ended);
        assert!(travelled > WHOLE, "{what}: {travelled}");
        assert_eq!(reasons.len(), told, "{what}: {reasons:?}");
        assert!(
            reasons.iter().all(|why| why.contains("is not the file that the Hub had there")),
            "{reasons:?}"
        );
    }
}

async fn a_place_that_is_no_file_is_not_read(sandbox: Sandbox) {
    let (old, new) = versions();
    let first = commit(&sandbox, FILE, &old);
    commit(&sandbox, FILE, &new);
    let outside = sandbox.scratch().join("outside");
    fs::write(&outside, &old).unwrap();
    let before = Untouched::of(&outside);
    let place = sandbox.root().join(FILE);
    for odd in [OddFile::LinkTo, OddFile::DanglingLink, OddFile::Loop, OddFile::Pipe, OddFile::Socket] {
        left_by_hf(&sandbox, first.as_str(), &old);
        assert!(odd.put(&place, &outside), "{odd:?}");
        sandbox.hub.forget_requests();
        let ended = sandbox.sync(MODEL, &["--json"]).await;
        // It is in the way, and says so; or its name is given to the right file.
        assert!([0, 1, 3].contains(&ended.code), "{odd:?}: {} {} {}", ended.code, ended.stderr, ended.stdout);
        let is_file = fs::symlink_metadata(&place).is_ok_and(|there| there.is_file());
        assert_eq!(ended.code == 0, is_file && sandbox.read(FILE).unwrap() == new, "{odd:?}");
        assert!(ended.code != 0 || travelled(&sandbox) > WHOLE, "{odd:?}: nothing is copied");
        assert!(before == Untouched::of(&outside), "{odd:?}");
    }
    // A link that stays in the folder leads to a file like any other.
    left_by_hf(&sandbox, first.as_str(), &old);
    let kept = sandbox.root().join("kept");
    fs::rename(&place, &kept).unwrap();
    symlink("kept", &place).unwrap();
    let (ended, few) = bring(&sandbox, &new, &[]).await;
    assert!(few < FEW && reasons(&ended).is_empty(), "{few}: {}", ended.stdout);
    assert!(fs::read(&kept).unwrap() == old);
}

async fn notes_of_hf_are_believed_in_nothing(sandbox: Sandbox) {
    let (old, new) = versions();
    let first = commit(&sandbox, FILE, &old);
    commit(&sandbox, FILE, &new);
    let outside = sandbox.scratch().join("outside");
    fs::write(&outside, format!("{first}\nx\n1\n")).unwrap();
    let before = Untouched::of(&outside);
    let note = sandbox.root().join(format!(".cache/huggingface/download/{FILE}.metadata"));
    for odd in OddFile::REPLACED {
        left_by_hf(&sandbox, first.as_str(), &old);
        if !odd.put(&note, &outside) {
            continue;
        }
        let (ended, travelled) = bring(&sandbox, &new, &[]).await;
        assert!(travelled > WHOLE || matches!(odd, OddFile::HardLinkTo), "{odd:?}: {}", ended.stdout);
        assert!(before == Untouched::of(&outside), "{odd:?}");
    }
    // Commits that the Hub does not have, and one that never was.
    for commit in ["0123456789012345678901234567890123456789", "../../../../etc/passwd", ""] {
        left_by_hf(&sandbox, commit, &old);
        let (ended, travelled) = bring(&sandbox, &new, &[]).await;
        assert!(travelled > WHOLE, "{commit}: {}", ended.stdout);
    }
}

/// The store describes the old file as another one of the same length.
async fn a_store_that_lies_about_the_basis_costs_a_whole_file(sandbox: Sandbox) {
    let (old, new) = versions();
    let first = commit(&sandbox, FILE, &old);
    commit(&sandbox, FILE, &new);
    left_by_hf(&sandbox, first.as_str(), &old);
    let lengths = old.len() as u64;
    sandbox.hub.tamper(move |answer| {
        let terms = answer["terms"].as_array_mut().unwrap();
        let sum: u64 = terms.iter().filter_map(|term| term["unpacked_length"].as_u64()).sum();
        // The first xorb's chunks are said to be the second one's.
        if sum == lengths && terms.len() > 2 {
            let (first, second) = (terms[0]["hash"].clone(), terms[1]["hash"].clone());
            (terms[0]["hash"], terms[1]["hash"]) = (second.clone(), first.clone());
            let xorbs = answer["xorbs"].as_object_mut().unwrap();
            let (of_first, of_second) =
                (xorbs[first.as_str().unwrap()].clone(), xorbs[second.as_str().unwrap()].clone());
            xorbs[first.as_str().unwrap()] = of_second;
            xorbs[second.as_str().unwrap()] = of_first;
        }
    });
    let (ended, travelled) = bring(&sandbox, &new, &[]).await;
    assert!(travelled > WHOLE, "{travelled}");
    // Neither what was copied nor what came out of xorbs is taken again.
    let reasons = reasons(&ended);
    assert!(matches!(&reasons[..], [why] if why.contains("its sha256 is")), "{reasons:?}");
    assert!(objects(&ended, "error").is_empty() && objects(&ended, "warning").is_empty(), "{}", ended.stdout);
}

async fn repairing_takes_what_is_right(sandbox: Sandbox) {
    let (old, new) = versions();
    commit(&sandbox, FILE, &old);
    bring(&sandbox, &old, &[]).await;
    // Bits that have changed: which chunks these are in, no description tells.
    let path = sandbox.root().join(FILE);
    let mut damaged = old.clone();
    damaged[7_000_000] ^= 1;
    fs::write(&path, &damaged).unwrap();
    let repaired = sandbox.verify(MODEL, &["--repair", "--json"]).await;
    assert_eq!(repaired.code, 0, "{}", repaired.stderr);
    assert!(sandbox.read(FILE).unwrap() == old);
    // An older version is what only lacks what is new.
    commit(&sandbox, FILE, &new);
    sandbox.hub.forget_requests();
    let repaired = sandbox.verify(MODEL, &["--repair", "--json"]).await;
    assert_eq!(repaired.code, 0, "{}", repaired.stderr);
    assert!(sandbox.read(FILE).unwrap() == new);
    assert!(travelled(&sandbox) < FEW && reasons(&repaired).is_empty(), "{}", repaired.stdout);
}

async fn what_may_not_be_read_comes_whole(sandbox: Sandbox) {
    let (old, new) = versions();
    let first = commit(&sandbox, FILE, &old);
    commit(&sandbox, FILE, &new);
    left_by_hf(&sandbox, first.as_str(), &old);
    let Some(command) = nobodys(&sandbox, &sandbox.syncing(MODEL, &["--json"])) else { return };
    crate::disks::foreign::give_to_nobody(&sandbox.root());
    fs::set_permissions(sandbox.root().join(FILE), fs::Permissions::from_mode(0o0)).unwrap();
    let ended = run(command).await;
    assert_eq!(ended.code, 0, "{}\n{}", ended.stdout, ended.stderr);
    assert!(sandbox.read(FILE).unwrap() == new);
    assert!(travelled(&sandbox) > WHOLE);
    let reasons = reasons(&ended);
    assert!(matches!(&reasons[..], [why] if why.contains("ermission")), "{reasons:?}");
    assert_eq!(Content::from(new).size(), SIZE as u64 + 6003);
}
