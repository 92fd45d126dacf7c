//! `hfdown info`: what the Hub says of a repository, as text.

use hfdown_protocol::FileTable;

use super::reason::refused_name;
use crate::hub::{Gating, Refused, RepoInfo};
use crate::text::sanitize;
use crate::text::units::{bytes, count};

/// The most characters of a text that an owner wrote on the Hub.
const LONGEST: usize = 200;

/// The repository's name and properties, its files, and their total, line by line.
pub(super) fn lines(info: &RepoInfo, files: &FileTable, refused: &[Refused]) -> impl Iterator<Item = String> {
    let total: u64 = files.iter().map(|file| file.size).sum();
    let unknown = || "not stated".to_owned();
    let stated = |text: &Option<String>| text.as_ref().map_or_else(unknown, |text| sanitize(text, LONGEST));
    let head = [
        info.id.to_string(),
        format!("commit         {}", info.commit),
        format!("licence        {}", stated(&info.license)),
        format!("gating         {}", gating(info.gating)),
        format!("visibility     {}", if info.private { "private" } else { "public" }),
        format!("last modified  {}", stated(&info.last_modified)),
        String::new(),
    ];
    let longest = files.iter().map(|file| digest_column(file.digest).len()).max().unwrap_or(0);
    let listed = files.iter().map(move |file| {
        format!("{:>7}  {:<longest$}  {}", bytes(file.size), digest_column(file.digest), file.path)
    });
    let refused_lines =
        refused.iter().map(|refused| format!("refused  {}  ({})", refused_name(refused), refused.reason));
    let end = (!files.is_empty() || !refused.is_empty()).then(String::new);
    let sum = format!("{}, {}", count(files.len(), "file"), bytes(total));
    head.into_iter().chain(listed).chain(refused_lines).chain(end).chain([sum])
}

fn digest_column(digest: hfdown_protocol::Digest) -> String {
    format!("{}:{digest}", digest.kind())
}

fn gating(gating: Gating) -> &'static str {
    match gating {
        Gating::Open => "none",
        Gating::Auto => "automatic: accept the conditions on its page",
        Gating::Manual => "manual: its owners let people in one by one",
    }
}

#[cfg(test)]
pub(super) mod tests {
    use hfdown_protocol::{Commit, Digest, FileRow, PathError, RepoPath};
    use insta::assert_snapshot;

    use super::*;

    fn text(info: &RepoInfo, files: &FileTable, refused: &[Refused]) -> String {
        lines(info, files, refused).collect::<Vec<_>>().join("\n")
    }
    use crate::hub::{RefusalReason, RepoId, RepoKind};

    const SHA1: &str = "10c66461e4c109db5a2196bff4bb59be30396ed8";
    const SHA256: &str = "248dfc3911869ec493c76e65bf2fcf7f615828b0254c12b473182f0f81d3a707";

    /// A repository with a file of each kind and a hostile name.
    pub(in crate::output) fn described() -> (RepoInfo, FileTable, Vec<Refused>) {
        let info = RepoInfo {
            id: RepoId::new(RepoKind::Model, "openai-community/gpt2").unwrap(),
            commit: Commit::new("607a30d783dfa663caf39e06633721c8d4cfcd7e").unwrap(),
            private: false,
            gating: Gating::Open,
            license: Some("mit".to_owned()),
            last_modified: None,
            tags: vec!["safetensors".to_owned()],
        };
        let mut files = FileTable::default();
        for (path, size, digest) in [
            ("config.json", 665, Digest::git_sha1(SHA1).unwrap()),
            ("model.safetensors", 548_105_171, Digest::sha256(SHA256).unwrap()),
        ] {
            let path = RepoPath::new(path).unwrap();
            files.push(FileRow { path: path.view(), size, digest }).unwrap();
        }
        let refused =
            vec![Refused { name: "../\u{1b}[2Jx".to_owned(), reason: RefusalReason::Path(PathError::Dots) }];
        (info, files, refused)
    }

    #[test]
    fn tells_properties_files_and_their_total() {
        let (info, files, refused) = described();
        assert_snapshot!(text(&info, &files, &refused), @"
        openai-community/gpt2
        commit         607a30d783dfa663caf39e06633721c8d4cfcd7e
        licence        mit
        gating         none
        visibility     public
        last modified  not stated

          665 B  git-sha1:10c66461e4c109db5a2196bff4bb59be30396ed8                        config.json
         548 MB  sha256:248dfc3911869ec493c76e65bf2fcf7f615828b0254c12b473182f0f81d3a707  model.safetensors
        refused  ../[2Jx  (it has a `.` or `..` component)

        2 files, 548 MB
        ");
    }

    #[test]
    fn an_empty_gated_repository_is_short() {
        let (info, ..) = described();
        let last_modified = Some("2026-11-22T21:31:34.000Z".to_owned());
        let info = RepoInfo { private: true, gating: Gating::Manual, license: None, last_modified, ..info };
        assert_snapshot!(text(&info, &FileTable::default(), &[]), @"
        openai-community/gpt2
        commit         607a30d783dfa663caf39e06633721c8d4cfcd7e
        licence        not stated
        gating         manual: its owners let people in one by one
        visibility     private
        last modified  2026-11-22T21:31:34.000Z

        0 files, 0 B
        ");
    }
}
