//! What is kept of an order, and what is made of it.

use hfdown_protocol::{Digest, FileRow, RepoPath};

use super::*;

fn wanted(names: &[&str]) -> WantedFiles {
    let mut wanted = WantedFiles::default();
    for name in names {
        let path = RepoPath::new(*name).unwrap();
        let size = name.len() as u64;
        wanted.push(FileRow { path: path.view(), size, digest: Digest::Sha256([7; 32]) }).unwrap();
    }
    wanted
}

fn address(text: &str) -> Source {
    Source::Public(Address::new(text).unwrap())
}

#[test]
fn the_largest_file_is_the_first_and_each_has_its_own_source() {
    let files = wanted(&["a", "dir/b", "c d", "longest/of/all", "unordered"]);
    let stamp = Stamp { size: 1, modified: 2, changed: 3, inode: 4 };
    let sources = [
        (0, address("https://hub.example/x/a")),
        (1, address("https://hub.example/x/dir/b")),
        (2, address("https://hub.example/x/c%20d")),
        (3, Source::OnRequest),
    ];
    let mut jobs = Jobs::default();
    for (id, source) in sources.clone() {
        let replaces = (id == 1).then_some(stamp);
        jobs.add(&files, Job { file: FileId(id), replaces, source, xet: None }).unwrap();
    }
    assert_eq!(jobs.sources.len(), 1, "most are the base and a path");
    for twice_or_unlisted in [0, 5] {
        let job =
            Job { file: FileId(twice_or_unlisted), replaces: None, source: Source::OnRequest, xet: None };
        assert!(jobs.add(&files, job).is_err());
    }
    let files = FilesToFetch::new(files, jobs, PartNames::default());
    let order: Vec<_> = (0..files.len()).map(|index| files.transfer(index).unwrap().wanted.id.0).collect();
    assert_eq!(order, [3, 1, 2, 0]);
    let replaced: Vec<_> = (0..files.len()).map(|index| files.part(index).unwrap().2).collect();
    assert_eq!(replaced, [None, Some(stamp), None, None]);
    for (index, id) in order.into_iter().enumerate() {
        let expected = format!(
            "{:?}",
            FileTransfer::new(
                files.wanted.get(FileId(id)).unwrap().wanted(FileId(id)),
                None,
                String::new(),
                sources[id as usize].1.clone(),
            )
            .source
        );
        assert_eq!(format!("{:?}", files.transfer(index).unwrap().source), expected);
    }
}
