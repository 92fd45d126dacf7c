//! Files are cut and called as the real `hf_xet` does it.

use hfdown_tests::cas_server::names;
use hfdown_tests::hub::Content;
use hfdown_tests::sandbox::Sandbox;

use super::weights;

here! { files_are_called_as_hf_xet_calls_them, }

async fn files_are_called_as_hf_xet_calls_them(sandbox: Sandbox) {
    let random = |size: usize| Content::random(size as u64, size as u64).to_vec();
    let repeated = random(100_003).into_iter().cycle().take(5_000_000).collect();
    let mut files: Vec<Vec<u8>> =
        [0, 1, 8_191, 8_192, 65_535, 65_536, 65_537, 131_072, 131_073, 8 << 20, 12_345_678]
            .map(random)
            .to_vec();
    files.extend([vec![0; 3 << 20], repeated, weights(7, 4_000_001), b"{\"a\": 1}".repeat(200_000)]);
    let Some(names) = names(sandbox.scratch(), &files) else { return };
    for (bytes, name) in files.iter().zip(names) {
        let cut = hfdown_agent::cut(&bytes[..], |_| Ok(())).unwrap();
        assert_eq!(cut.hash.to_string(), name, "of {} bytes", bytes.len());
        assert_eq!(cut.offsets.last(), Some(&(bytes.len() as u64)));
    }
}
