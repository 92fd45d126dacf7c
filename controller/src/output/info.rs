//! `hfdown info`: what the Hub says of a repository, as text.

use super::reason::refused_name;
use crate::hub::{Gating, RepoInfo};
use crate::selection::{Contents, QuantisationFiles, Selected};
use crate::text::sanitize;
use crate::text::units::{bytes, bytes_of, count};

/// The most characters of a text that an owner wrote on the Hub.
const LONGEST: usize = 200;

/// The repository's name and properties, its files, what of them can be chosen, and their total, line by line.
pub(super) fn lines(
    info: &RepoInfo,
    selected: &Selected,
    contents: &Contents,
) -> impl Iterator<Item = String> {
    let files = || selected.wanted.iter().map(|(_, file)| file);
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
    let longest = files().map(|file| digest_column(file.digest).len()).max().unwrap_or(0);
    let listed = files().map(move |file| {
        format!("{:>7}  {:<longest$}  {}", bytes(file.size), digest_column(file.digest), file.path)
    });
    let refused = selected.refused.iter();
    let refused = refused.map(|refused| format!("refused  {}  ({})", refused_name(refused), refused.reason));
    let end = (!selected.wanted.is_empty() || !selected.refused.is_empty()).then(String::new);
    let portion = selected.portion();
    let sum = if portion.files < portion.of_files {
        let size = bytes_of(portion.bytes, portion.of_bytes);
        format!("{} of {}, {size}", portion.files, count(portion.of_files, "file"))
    } else {
        format!("{}, {}", count(portion.files, "file"), bytes(portion.bytes))
    };
    head.into_iter().chain(listed).chain(refused).chain(end).chain(choices(contents)).chain([sum])
}

/// What can be chosen, and how: the quantisations, and what is there in more than one format.
fn choices(contents: &Contents) -> Vec<String> {
    let mut lines = Vec::new();
    let name = |group: &QuantisationFiles| {
        group.quantisation.as_ref().map_or_else(|| "without a name".to_owned(), ToString::to_string)
    };
    let quantisations = &contents.quantisations;
    let longest = quantisations.iter().map(|(group, _)| name(group).len()).max().unwrap_or(0);
    lines.extend(quantisations.iter().map(|(group, _)| {
        let what = if group.shards == group.files { "shard" } else { "file" };
        format!("{:>7}  {:<longest$}  {}", bytes(group.bytes), name(group), count(group.files, what))
    }));
    if let Some(command) = quantisations.iter().find_map(|(_, command)| command.as_ref()) {
        lines.extend([format!("one quantisation alone: `{command}`"), String::new()]);
    }
    lines.extend(contents.duplicates.iter().map(|group| {
        let (size, files) = (bytes(group.bytes), count(group.files, "file"));
        format!("{size:>7}  {}, the same weights as in {} ({files})", group.format, group.of)
    }));
    if let Some(command) = &contents.without_duplicates {
        lines.extend([format!("without these: `{command}`"), String::new()]);
    }
    lines
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
    use std::sync::Arc;

    use hfdown_protocol::{Commit, Digest, FileRow, FileTable, PathError, RepoPath};
    use insta::assert_snapshot;

    use super::*;
    use crate::hub::{Listing, RefusalReason, Refused, RepoId, RepoKind, TreeDetails};
    use crate::selection::{Criteria, Globs, Selection};

    fn text(info: &RepoInfo, selected: &Selected, contents: &Contents) -> String {
        lines(info, selected, contents).collect::<Vec<_>>().join("\n")
    }

    const SHA1: &str = "10c66461e4c109db5a2196bff4bb59be30396ed8";
    const SHA256: &str = "248dfc3911869ec493c76e65bf2fcf7f615828b0254c12b473182f0f81d3a707";

    /// All of a listing.
    pub(in crate::output) fn everything(
        info: &RepoInfo,
        files: FileTable,
        refused: Vec<Refused>,
    ) -> Selected {
        let (repo, commit, files) = (info.id.clone(), info.commit.clone(), Arc::new(files));
        Selection::Everything
            .apply(&Arc::new(Listing { repo, commit, files, details: TreeDetails::default(), refused }))
            .unwrap()
    }

    /// A repository with a file of each kind and a hostile name.
    pub(in crate::output) fn described() -> (RepoInfo, Selected) {
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
        let selected = everything(&info, files, refused);
        (info, selected)
    }

    #[test]
    fn tells_properties_files_and_their_total() {
        let (info, selected) = described();
        assert_snapshot!(text(&info, &selected, &Contents::default()), @"
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
    fn what_can_be_chosen_is_told_with_the_commands() {
        let (info, selected) = described();
        let globs = Globs { include: vec!["model.*".parse().unwrap()], ..Globs::default() };
        let some = Selection::Some(Criteria { globs, ..Criteria::default() });
        let selected = some.apply(&Arc::new(selected.listing().clone())).unwrap();
        let files = [
            ("m-Q4_K_M-00001-of-00002.gguf", 60_000_000_000),
            ("m-Q4_K_M-00002-of-00002.gguf", 60_000_000_000),
            ("m-UD-IQ1_S.gguf", 4_100_000_000),
            ("m.gguf", 5_000_000_000),
            ("model.safetensors", 548_105_171),
            ("pytorch_model.bin", 548_118_077),
        ];
        let command = |options: &[String]| format!("hfdown download gpt2 {}", options.join(" "));
        let contents = Contents::of(files.into_iter(), &Selection::Everything, command);
        let text = text(&info, &selected, &contents);
        let (_, choices) = text.split_once("  model.safetensors\n\n").unwrap();
        assert_snapshot!(choices, @"
         4.1 GB  UD-IQ1_S        1 file
         5.0 GB  without a name  1 file
         120 GB  Q4_K_M          2 shards
        one quantisation alone: `hfdown download gpt2 --quant UD-IQ1_S`

         548 MB  pytorch, the same weights as in safetensors (1 file)
        without these: `hfdown download gpt2 --exclude *.bin`

        1 of 2 files, 548 of 548 MB
        ");
    }

    #[test]
    fn an_empty_gated_repository_is_short() {
        let (info, ..) = described();
        let last_modified = Some("2026-11-22T21:31:34.000Z".to_owned());
        let info = RepoInfo { private: true, gating: Gating::Manual, license: None, last_modified, ..info };
        assert_snapshot!(text(&info, &everything(&info, FileTable::default(), Vec::new()), &Contents::default()), @"
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
