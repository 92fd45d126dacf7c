//! A repository: its commits, what points at them, and who may read it.

use std::collections::BTreeMap;
use std::sync::Arc;

use data_encoding::HEXLOWER;
use hfdown_protocol::Commit;

use super::access::AccessRules;
use super::content::Content;
use super::{git, xet_store};

/// What a repository holds. Models live at the root of the Hub's addresses, data sets under `datasets/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RepositoryKind {
    /// A model.
    Model,
    /// A data set.
    Dataset,
}

impl RepositoryKind {
    /// Its name in API addresses.
    pub(super) fn plural(self) -> &'static str {
        match self {
            Self::Model => "models",
            Self::Dataset => "datasets",
        }
    }
}

/// How the Hub keeps a file.
#[derive(Clone, Debug)]
pub(super) enum Storage {
    /// In git itself.
    Regular,
    /// In the store behind the CDN; git holds a pointer. `address` is the path there, `xet` what listings tell of it.
    Lfs { pointer_size: u64, address: String, xet: Option<XetName> },
}

/// What the Xet store calls a file.
#[derive(Clone, Debug)]
pub(super) struct XetName {
    pub(super) hash: String,
    pub(super) kept: XetKept,
}

/// Which store has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum XetKept {
    /// None: it is only listed.
    Nowhere,
    /// The test Hub's own.
    Here,
    /// Another, to which the Hub leads.
    Elsewhere,
}

/// Whether a file is to be in a Xet store.
#[derive(Clone, Debug)]
pub(super) enum XetChange {
    None,
    /// It is listed, and no store has it.
    Listed,
    /// It is put into the test Hub's own.
    Kept,
    /// Another one has it under this name.
    KeptAs(String),
}

/// A file at some commit.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) path: String,
    pub(super) content: Content,
    pub(super) storage: Storage,
    /// The git blob: of the content, or of the pointer.
    pub(super) blob: git::Id,
}

impl Stored {
    pub(super) fn regular(path: &str, content: Content) -> Self {
        let blob = git::blob(&content);
        Self { path: path.to_owned(), content, storage: Storage::Regular, blob }
    }

    /// `store` is the repository's own folder on the CDN.
    pub(super) fn lfs(path: &str, content: Content, store: &str, xet: &XetChange) -> Self {
        let pointer = git::pointer(&content);
        // The real store is keyed by the Xet hash. Any 64 digits that are not the SHA-256 serve; with the path in them,
        // the CDN's part of the log knows which file was meant.
        let key = Content::from(format!("{path}\0{}", content.sha256())).sha256();
        let address = format!("{store}/{key}");
        let xet = match xet {
            XetChange::None => None,
            XetChange::Listed => Some(XetName { hash: key, kept: XetKept::Nowhere }),
            XetChange::Kept if content.is_unread() => Some(XetName { hash: key, kept: XetKept::Here }),
            XetChange::Kept => {
                let hash = xet_store::cut(&content.to_vec()).hash.to_string();
                Some(XetName { hash, kept: XetKept::Here })
            }
            XetChange::KeptAs(hash) => Some(XetName { hash: hash.clone(), kept: XetKept::Elsewhere }),
        };
        let storage = Storage::Lfs { pointer_size: pointer.size(), address, xet };
        Self { path: path.to_owned(), content, storage, blob: git::blob(&pointer) }
    }

    /// A xorb, which belongs to no repository. The log knows it by its path.
    pub(super) fn xorb(path: &str, content: Content) -> Self {
        let storage = Storage::Lfs { pointer_size: 0, address: path.to_owned(), xet: None };
        let path = path.trim_start_matches('/').to_owned();
        Self { path, content, storage, blob: [0; 20] }
    }

    /// What the Xet store calls it, where that store has it.
    pub(super) fn xet(&self) -> Option<&str> {
        match &self.storage {
            Storage::Lfs {
                xet: Some(XetName { hash, kept: XetKept::Here | XetKept::Elsewhere }), ..
            } => Some(hash),
            _ => None,
        }
    }

    /// What the Hub's `ETag` for it is, without quotes.
    pub(super) fn etag(&self) -> String {
        match self.storage {
            Storage::Regular => HEXLOWER.encode(&self.blob),
            Storage::Lfs { .. } => self.content.sha256(),
        }
    }
}

/// The files at one commit.
#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) commit: Commit,
    pub(super) title: String,
    pub(super) files: BTreeMap<String, Arc<Stored>>,
    /// The git trees by path; the root's is the empty path.
    pub(super) folders: BTreeMap<String, git::Id>,
}

/// A repository.
#[derive(Debug)]
pub(super) struct Repository {
    pub(super) kind: RepositoryKind,
    pub(super) id: String,
    pub(super) access: AccessRules,
    pub(super) licence: Option<String>,
    /// Full names, such as `refs/heads/main`, to commits.
    pub(super) references: BTreeMap<String, Commit>,
    snapshots: Vec<Arc<Snapshot>>,
    /// 24 hex digits, as the Hub's database numbers it.
    pub(super) number: String,
}

impl Repository {
    pub(super) fn new(kind: RepositoryKind, id: &str) -> Self {
        let number = Content::from(format!("{}/{id}", kind.plural())).sha256()[..24].to_owned();
        Self {
            kind,
            id: id.to_owned(),
            access: AccessRules::default(),
            licence: None,
            references: BTreeMap::new(),
            snapshots: Vec::new(),
            number,
        }
    }

    /// Its folder on the CDN.
    pub(super) fn store(&self) -> String {
        format!("/xet-bridge-us/{}", self.number)
    }

    /// What a branch, a tag, a full reference or a commit (40 digits, or at least the first 7) stands for.
    pub(super) fn at(&self, revision: &str) -> Option<Arc<Snapshot>> {
        let named = [format!("refs/heads/{revision}"), format!("refs/tags/{revision}"), revision.to_owned()];
        if let Some(commit) = named.iter().find_map(|name| self.references.get(name)) {
            return self.snapshots.iter().find(|snapshot| snapshot.commit == *commit).cloned();
        }
        let abbreviated = revision.len() >= 7;
        let fits = |snapshot: &&Arc<Snapshot>| snapshot.commit.as_str().starts_with(revision);
        self.snapshots.iter().find(fits).filter(|_| abbreviated).cloned()
    }

    /// Puts a commit with these files on a reference.
    pub(super) fn commit(&mut self, reference: &str, files: BTreeMap<String, Arc<Stored>>) -> Commit {
        let folders = git::trees(files.values().map(|file| (file.path.as_str(), file.blob)));
        let number = self.snapshots.len() as u64;
        let title = if number == 0 { "initial commit".to_owned() } else { format!("change {number}") };
        let parent = self.references.get(reference).map(Commit::as_str);
        let id = git::commit(folders[""], parent, &title, number);
        let commit = Commit::new(HEXLOWER.encode(&id)).expect("a SHA-1 has 40 digits");
        self.snapshots.push(Arc::new(Snapshot { commit: commit.clone(), title, files, folders }));
        self.references.insert(reference.to_owned(), commit.clone());
        commit
    }
}
