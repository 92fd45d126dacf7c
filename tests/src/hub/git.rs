//! How git names things: blobs, trees and commits by the SHA-1 of what they say. The Hub shows these names.

use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use sha1::{Digest as _, Sha1};

use super::content::Content;

/// A SHA-1 as git uses it.
pub(super) type Id = [u8; 20];

/// The name of a blob with this content.
pub(super) fn blob(content: &Content) -> Id {
    let mut hasher = Sha1::new();
    hasher.update(format!("blob {}\0", content.size()));
    content.for_each_piece(|piece| hasher.update(piece));
    hasher.finalize().into()
}

/// What git itself stores for an LFS file.
pub(super) fn pointer(content: &Content) -> Content {
    let (digest, size) = (content.sha256(), content.size());
    Content::from(format!("version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize {size}\n"))
}

/// The name of a commit of this tree.
pub(super) fn commit(tree: Id, parent: Option<&str>, title: &str, seconds: u64) -> Id {
    let parent = parent.map(|parent| format!("parent {parent}\n")).unwrap_or_default();
    let who = format!("test <test@hub.invalid> {seconds} +0000");
    let tree = HEXLOWER.encode(&tree);
    named("commit", format!("tree {tree}\n{parent}author {who}\ncommitter {who}\n\n{title}\n").as_bytes())
}

/// The names of all folders, keyed by path, the root's under the empty one.
///
/// Paths are taken as they come: a test may well want a listing with `../x` in it.
pub(super) fn trees<'a>(files: impl Iterator<Item = (&'a str, Id)>) -> BTreeMap<String, Id> {
    let mut root = GitTree::default();
    for (path, id) in files {
        let mut components: Vec<&str> = path.split('/').collect();
        let name = components.pop().unwrap_or_default();
        let folder = components
            .iter()
            .fold(&mut root, |folder, component| folder.folders.entry((*component).to_owned()).or_default());
        folder.files.insert(name.to_owned(), id);
    }
    let mut named = BTreeMap::new();
    root.name("", &mut named);
    named
}

#[derive(Default)]
struct GitTree {
    files: BTreeMap<String, Id>,
    folders: BTreeMap<String, GitTree>,
}

impl GitTree {
    fn name(&self, path: &str, all: &mut BTreeMap<String, Id>) -> Id {
        // Git sorts a folder as if its name ended in a slash.
        let mut entries: BTreeMap<String, (&str, &str, Id)> = BTreeMap::new();
        for (name, id) in &self.files {
            entries.insert(name.clone(), ("100644", name, *id));
        }
        for (name, folder) in &self.folders {
            let inner = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
            entries.insert(format!("{name}/"), ("40000", name, folder.name(&inner, all)));
        }
        let mut content = Vec::new();
        for (mode, name, id) in entries.values() {
            content.extend_from_slice(format!("{mode} {name}\0").as_bytes());
            content.extend_from_slice(id);
        }
        let id = self::named("tree", &content);
        all.insert(path.to_owned(), id);
        id
    }
}

fn named(kind: &str, content: &[u8]) -> Id {
    let mut hasher = Sha1::new();
    hasher.update(format!("{kind} {}\0", content.len()));
    hasher.update(content);
    hasher.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected values: `git hash-object`, `git mktree` and `git commit-tree` of git 2.47.
    #[test]
    fn names_what_git_names() {
        let empty = blob(&Content::from(""));
        assert_eq!(HEXLOWER.encode(&empty), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
        let trees = trees([("a.b", empty), ("a/c", empty)].into_iter());
        assert_eq!(trees.keys().collect::<Vec<_>>(), ["", "a"]);
        assert_eq!(HEXLOWER.encode(&trees[""]), "eac5fa17d0a9cfe281f28124912ab169a7650485");
        assert_eq!(
            HEXLOWER.encode(&commit(trees[""], None, "one", 0)),
            "17ec3592bdb375cc71e28abb202e3b6bcae09879"
        );
    }
}
