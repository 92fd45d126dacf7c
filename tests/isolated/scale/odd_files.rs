//! What a sync holds in memory at most where its books are something without end.

use hfdown_tests::hub::Content;
use hfdown_tests::odd_file::OddFile;
use hfdown_tests::sandbox::{DestinationKind, Sandbox};

use super::with_peak;
use crate::HFDOWN;

const MODEL: &str = "acme/odd";
/// What a run with nothing odd may have resident.
const ALLOWED: u64 = 64 << 20;

#[tokio::test]
async fn books_without_end_are_not_read_into_memory() {
    let sandbox = Sandbox::start(DestinationKind::Here, HFDOWN).await.expect("a sandbox here");
    let weights = Content::random(1, 3_000_000);
    sandbox.hub.model(MODEL).file("config.json", "{}").lfs("model.safetensors", weights.clone()).commit();
    let theirs = sandbox.scratch().join("theirs");
    std::fs::write(&theirs, "theirs").expect("the temporary folder can be written");
    let part = format!("parts/{}", weights.sha256());
    for odd in [OddFile::LinkToDevice, OddFile::Huge, OddFile::EndlessLine] {
        for name in ["records", "lock", &part, &format!("{part}.journal")] {
            odd.put(&sandbox.root().join(".cache/hfdown").join(name), &theirs);
        }
        // Read again, so that the journal and the part count.
        _ = std::fs::remove_file(sandbox.root().join("model.safetensors"));
        let child = sandbox.syncing(MODEL, &["--quiet"]).spawn().expect("the program starts");
        let (ended, peak) = with_peak(child).await;
        assert_eq!(ended.code, 0, "{odd:?}: {}", ended.stderr);
        assert!(peak > 0 && peak <= ALLOWED, "{odd:?}: {peak} bytes were resident");
        assert!(sandbox.read("model.safetensors") == Some(weights.to_vec()), "{odd:?}");
    }
}
