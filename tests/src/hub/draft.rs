//! A commit in the making.

use std::collections::BTreeMap;
use std::sync::Arc;

use hfdown_protocol::Commit;

use super::access::Gate;
use super::content::Content;
use super::lock;
use super::repository::{RepositoryKind, Stored, XetChange};
use super::server::ServerState;

/// The next commit of a repository, which comes into being with its first. Files that are not mentioned stay.
#[must_use = "nothing happens before `commit`"]
pub struct Draft {
    hub: Arc<ServerState>,
    kind: RepositoryKind,
    id: String,
    reference: String,
    tags: Vec<String>,
    changes: Vec<FileChange>,
    private: bool,
    gate: Option<Gate>,
    readers: Vec<String>,
    licence: Option<String>,
}

enum FileChange {
    Regular { path: String, content: Content },
    Lfs { path: String, content: Content, xet: XetChange },
    Remove { path: String },
}

impl Draft {
    pub(super) fn new(hub: Arc<ServerState>, kind: RepositoryKind, id: &str) -> Self {
        Self {
            hub,
            kind,
            id: id.to_owned(),
            reference: "refs/heads/main".to_owned(),
            tags: Vec::new(),
            changes: Vec::new(),
            private: false,
            gate: None,
            readers: Vec::new(),
            licence: None,
        }
    }

    /// Adds or replaces a regular file: kept in git, known by its git blob SHA-1.
    pub fn file(mut self, path: &str, content: impl Into<Content>) -> Self {
        self.changes.push(FileChange::Regular { path: path.to_owned(), content: content.into() });
        self
    }

    /// Adds or replaces an LFS file: kept behind the CDN, known by its SHA-256.
    pub fn lfs(mut self, path: &str, content: impl Into<Content>) -> Self {
        self.changes.push(FileChange::Lfs {
            path: path.to_owned(),
            content: content.into(),
            xet: XetChange::None,
        });
        self
    }

    /// The same with a hash of Xet's in listings. Its bytes are served as those of any other LFS file.
    pub fn xet(mut self, path: &str, content: impl Into<Content>) -> Self {
        self.changes.push(FileChange::Lfs {
            path: path.to_owned(),
            content: content.into(),
            xet: XetChange::Listed,
        });
        self
    }

    /// The same in the Hub's Xet store, as compressed chunks.
    pub fn in_xet(mut self, path: &str, content: impl Into<Content>) -> Self {
        self.changes.push(FileChange::Lfs {
            path: path.to_owned(),
            content: content.into(),
            xet: XetChange::Kept,
        });
        self
    }

    /// The same in another Xet store, which has it under this name. [`TestHub::lead_to_store`](super::TestHub::lead_to_store) says where that is.
    pub fn in_xet_as(mut self, path: &str, content: impl Into<Content>, hash: &str) -> Self {
        let xet = XetChange::KeptAs(hash.to_owned());
        self.changes.push(FileChange::Lfs { path: path.to_owned(), content: content.into(), xet });
        self
    }

    /// Removes a file.
    pub fn remove(mut self, path: &str) -> Self {
        self.changes.push(FileChange::Remove { path: path.to_owned() });
        self
    }

    /// Commits to another branch than `main`. A new branch starts where `main` is.
    pub fn branch(self, name: &str) -> Self {
        let reference = format!("refs/heads/{name}");
        self.reference(&reference)
    }

    /// Commits to a reference by its full name, such as `refs/pr/1`. A new one starts where `main` is.
    pub fn reference(mut self, name: &str) -> Self {
        name.clone_into(&mut self.reference);
        self
    }

    /// Puts a tag on the commit.
    pub fn tag(mut self, name: &str) -> Self {
        self.tags.push(name.to_owned());
        self
    }

    /// Hides the repository from all but this token's owner.
    pub fn private(mut self, token: &str) -> Self {
        self.private = true;
        self.reader(token)
    }

    /// Gates the repository: all may list it, only this token's owner may have its files.
    pub fn gated(mut self, gate: Gate, token: &str) -> Self {
        self.gate = Some(gate);
        self.reader(token)
    }

    /// Lets another token's owner into a private or gated repository.
    pub fn reader(mut self, token: &str) -> Self {
        self.readers.push(token.to_owned());
        self
    }

    /// Names the licence in the model card.
    pub fn licence(mut self, licence: &str) -> Self {
        self.licence = Some(licence.to_owned());
        self
    }

    /// Makes it so. The digests of large contents are computed here, before the Hub shows anything of it.
    pub fn commit(self) -> Commit {
        let store = lock(&self.hub.catalogue).repository(self.kind, &self.id).store();
        let prepared: Vec<(String, Option<Arc<Stored>>)> =
            self.changes.into_iter().map(|change| change.prepare(&store)).collect();

        let mut catalogue = lock(&self.hub.catalogue);
        catalogue.tokens.extend(self.readers.iter().cloned());
        for file in prepared.iter().filter_map(|(_, file)| file.as_ref()) {
            catalogue.shelve(file);
        }
        let repository = catalogue.repository(self.kind, &self.id);
        repository.access.private |= self.private;
        repository.access.gate = self.gate.or(repository.access.gate);
        repository.access.readers.extend(self.readers);
        repository.licence = self.licence.or(repository.licence.take());

        let base = repository.at(&self.reference).or_else(|| repository.at("main"));
        let mut files: BTreeMap<_, _> = base.map(|snapshot| snapshot.files.clone()).unwrap_or_default();
        for (path, file) in prepared {
            match file {
                Some(file) => files.insert(path, file),
                None => files.remove(&path),
            };
        }
        let commit = repository.commit(&self.reference, files);
        for tag in self.tags {
            repository.references.insert(format!("refs/tags/{tag}"), commit.clone());
        }
        commit
    }
}

impl FileChange {
    fn prepare(self, store: &str) -> (String, Option<Arc<Stored>>) {
        let file = match &self {
            Self::Regular { path, content } => Some(Stored::regular(path, content.clone())),
            Self::Lfs { path, content, xet } => Some(Stored::lfs(path, content.clone(), store, xet)),
            Self::Remove { .. } => None,
        };
        let (Self::Regular { path, .. } | Self::Lfs { path, .. } | Self::Remove { path }) = self;
        (path, file.map(Arc::new))
    }
}
