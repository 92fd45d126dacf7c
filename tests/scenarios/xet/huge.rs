//! Files of more than 50 GB, which the Hub gives out through its store alone. None is fetched: a dry run tells its way.

use hfdown_tests::hub::Content;
use hfdown_tests::sandbox::{Sandbox, run};

use super::{FILE, MODEL, objects, questions};

here! { a_file_beyond_the_limit_comes_from_the_store_whatever_that_saves, }

/// 50 GB and a little, in chunks of 128 KiB; and a little less.
const BEYOND: u64 = 381_500 << 17;
const WITHIN: u64 = 381_400 << 17;

async fn a_file_beyond_the_limit_comes_from_the_store_whatever_that_saves(sandbox: Sandbox) {
    for (name, size) in [("acme/beyond", BEYOND), (MODEL, WITHIN)] {
        sandbox.hub.model(name).in_xet(FILE, Content::unread(size)).commit();
    }
    for (model, size, more, is_xet) in [
        ("acme/beyond", BEYOND, [].as_slice(), true),
        ("acme/beyond", BEYOND, &["--xet", "never"], false),
        (MODEL, WITHIN, &[], false),
    ] {
        sandbox.hub.forget_requests();
        let ended = run(sandbox.syncing(model, &[&["--dry-run", "--json"], more].concat())).await;
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        let plan = &objects(&ended, "plan")[0];
        let wire = plan["wire_bytes"].as_u64().unwrap();
        // As it is, what is missing travels; out of the store, the headers of its chunks as well.
        assert_eq!(
            (plan["fetch_bytes"].as_u64(), wire > size),
            (Some(size), is_xet),
            "{model} {more:?}: {wire} {}",
            ended.stdout
        );
        assert_eq!(questions(&sandbox) > 0, more.is_empty());
    }
}
