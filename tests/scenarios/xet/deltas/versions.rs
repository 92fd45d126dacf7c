//! Older versions that hfdown has placed itself, at their places and under other names.

use hfdown_tests::hub::Content;
use hfdown_tests::sandbox::{Sandbox, run};

use super::{
    FEW, FILE, MODEL, SIZE, WHOLE, bring, commit, one, planned, reasons, sent, versions, weights,
    with_headers,
};
use crate::xet::questions;

everywhere! { of_a_new_version_only_what_is_new_travels, }
here_and_on_a_box! {
    a_file_that_was_renamed_is_a_basis, a_file_that_stays_is_a_basis_of_one_that_is_added, tensors_that_moved_are_copied,
}
on_boxes! { what_leaves_nothing_or_comes_otherwise_comes_whole, }

async fn of_a_new_version_only_what_is_new_travels(sandbox: Sandbox) {
    // Out of xorbs, and as plain ranges where nothing is compressed.
    for bytes in [weights(1, SIZE), Content::random(5, SIZE as u64).to_vec()] {
        let (old, new) = with_headers(&bytes);
        let size = new.len() as u64;
        commit(&sandbox, FILE, &old);
        let (_, whole) = bring(&sandbox, &old, &[]).await;
        assert!(whole > WHOLE);
        commit(&sandbox, FILE, &new);
        sandbox.hub.forget_requests();
        let dry = run(sandbox.syncing(MODEL, &["--dry-run"])).await;
        let plan = dry.stderr.lines().find(|line| line.contains("plan:")).unwrap_or_default();
        assert!(plan.contains("fetch 1 file (9.0 MB, ") && plan.contains(" of it new"), "{}", dry.stderr);
        let dry = sandbox.sync(MODEL, &["--dry-run", "--json"]).await;
        assert_eq!((dry.code, sent(&sandbox)), (0, (0, 0)), "{}", dry.stderr);
        assert!(sandbox.read(FILE).is_some_and(|read| read == old));
        let (ended, few) = bring(&sandbox, &new, &[]).await;
        assert!(few < FEW && reasons(&ended).is_empty(), "{few}: {}", ended.stdout);
        let plan = planned(&ended);
        assert_eq!(plan, planned(&dry));
        let (fetch, fresh, wire) = plan;
        assert!(fetch == size && fresh < FEW && wire <= fresh, "{plan:?}");
        let (placed, finished) = (one(&ended, "placed"), one(&ended, "finished"));
        assert_eq!(
            (&placed["fetched"], &finished["fetched"]),
            (&few.into(), &few.into()),
            "{}",
            ended.stdout
        );
        assert_eq!(finished["written"], size);
        // And that is remembered.
        let (_, nothing) = bring(&sandbox, &new, &[]).await;
        assert_eq!((nothing, questions(&sandbox)), (0, 0));
        let verified = sandbox.verify(MODEL, &[]).await;
        assert_eq!(verified.code, 0, "{}", verified.stderr);
    }
}

/// Its name is one that no commit has any more.
async fn a_file_that_was_renamed_is_a_basis(sandbox: Sandbox) {
    const OLD: &str = "old/model-00001.safetensors";
    let (old, new) = versions();
    for (bytes, more) in [(&old, &[][..]), (&new, &[]), (&new, &["--delete"]), (&old, &["--delete"])] {
        _ = std::fs::remove_dir_all(sandbox.root());
        let draft = sandbox.hub.model(MODEL).remove(FILE);
        draft.in_xet(OLD, Content::from(old.clone())).commit();
        assert_eq!(sandbox.sync(MODEL, &[]).await.code, 0);
        let draft = sandbox.hub.model(MODEL).remove(OLD);
        draft.in_xet(FILE, Content::from(bytes.clone())).commit();
        let (ended, few) = bring(&sandbox, bytes, more).await;
        let (_, fresh, _) = planned(&ended);
        let most = if *bytes == old { 0 } else { FEW };
        assert!(few <= most && fresh <= most && reasons(&ended).is_empty(), "{few}: {}", ended.stdout);
        let stays = more.is_empty();
        assert_eq!(sandbox.read(OLD).is_some_and(|read| read == old), stays, "{}", ended.stdout);
    }
}

/// A variant of a model beside the one that is there.
async fn a_file_that_stays_is_a_basis_of_one_that_is_added(sandbox: Sandbox) {
    const OTHER: &str = "model.fp8.safetensors";
    let (old, new) = versions();
    commit(&sandbox, OTHER, &old);
    assert_eq!(sandbox.sync(MODEL, &[]).await.code, 0);
    commit(&sandbox, FILE, &new);
    let (ended, few) = bring(&sandbox, &new, &[]).await;
    assert!(few < FEW && reasons(&ended).is_empty(), "{few}: {}", ended.stdout);
    assert!(sandbox.read(OTHER).is_some_and(|read| read == old));
}

/// What was at the end is at the beginning, one part is there twice, another is new, and one is gone.
async fn tensors_that_moved_are_copied(sandbox: Sandbox) {
    let tensor = |number: u64| weights(number, 2_500_000);
    let old = [tensor(1), tensor(2), tensor(3), tensor(4)].concat();
    let new = [tensor(4), tensor(1), tensor(9), tensor(2), tensor(1)].concat();
    commit(&sandbox, FILE, &old);
    bring(&sandbox, &old, &[]).await;
    commit(&sandbox, FILE, &new);
    let (ended, travelled) = bring(&sandbox, &new, &[]).await;
    assert!(travelled < 2_500_000 + 2 * FEW && reasons(&ended).is_empty(), "{travelled}: {}", ended.stdout);
    // Shorter than what it takes the place of.
    let newest = new[..8_500_000].to_vec();
    commit(&sandbox, FILE, &newest);
    let (ended, travelled) = bring(&sandbox, &newest, &[]).await;
    assert!(travelled < FEW && reasons(&ended).is_empty(), "{travelled}: {}", ended.stdout);
}

/// Where nothing is asked, and where nothing is remembered, nothing is copied.
async fn what_leaves_nothing_or_comes_otherwise_comes_whole(sandbox: Sandbox) {
    let (old, new) = versions();
    for (first, more) in
        [(&[][..], &["--xet", "never"][..]), (&["--no-trace"], &[]), (&["--no-trace"], &["--no-trace"])]
    {
        _ = std::fs::remove_dir_all(sandbox.root());
        commit(&sandbox, FILE, &old);
        bring(&sandbox, &old, first).await;
        commit(&sandbox, FILE, &new);
        let (ended, travelled) = bring(&sandbox, &new, more).await;
        assert!(travelled > WHOLE, "{travelled}: {}", ended.stdout);
        let (_, fresh, _) = planned(&ended);
        assert_eq!(fresh, new.len() as u64);
    }
}
