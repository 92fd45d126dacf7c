//! What is meant by a word that names something in the cache: a repository, or a revision of one.

use hfdown_agent::hub_cache::{CacheScan, CachedId, CachedKind, CachedRevision, FlawKind};

use super::nearest::nearest;

/// The least digits of a commit that stand for it.
const LEAST_DIGITS: usize = 7;
/// The digits of a commit.
const COMMIT_DIGITS: usize = 40;

/// What was meant. Numbers are those of the scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CacheTarget {
    /// All of a repository.
    Repository(usize),
    /// One revision of it.
    Revision(usize, usize),
}

/// Why a word means nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CacheTargetError {
    /// There is no such repository.
    #[error("it is not in the cache")]
    Unknown {
        /// Names that are like it.
        nearest: Vec<String>,
    },
    /// Its folder is a link.
    #[error("{folder} is a link to {target}, and what is behind it is never removed")]
    Linked {
        /// The folder.
        folder: String,
        /// What the link says.
        target: String,
    },
    /// There is no such revision of the repository.
    #[error("{repository} is in the cache, but not this revision of it")]
    UnknownRevision {
        /// The repository.
        repository: String,
        /// Those that there are.
        revisions: Vec<String>,
    },
    /// It is the beginning of a commit, and a short one.
    #[error("it may be the beginning of a commit, of which it takes {LEAST_DIGITS} digits")]
    ShortCommit {
        /// The commits that begin like that.
        commits: Vec<String>,
    },
    /// There are several.
    #[error("it may be {}", .0.join(" or "))]
    Ambiguous(Vec<String>),
}

/// Finds what was meant.
pub fn resolve(scan: &CacheScan, typed: &str) -> Result<CacheTarget, CacheTargetError> {
    let typed = typed.trim().trim_end_matches('/');
    let bare = typed.strip_prefix("hf://").unwrap_or(typed);
    let (name, revision) = match bare.split_once('@') {
        Some((name, revision)) => (name, Some(revision)),
        None => (bare, None),
    };
    let repositories = repositories(scan, name);
    let mut found: Vec<CacheTarget> = match revision {
        None => repositories.iter().map(|index| CacheTarget::Repository(*index)).collect(),
        Some(revision) => repositories
            .iter()
            .flat_map(|index| revisions(scan, *index, revision).map(|at| CacheTarget::Revision(*index, at)))
            .collect(),
    };
    if revision.is_none() && is_commit(bare) {
        let commit = bare.to_ascii_lowercase();
        found.extend(
            (0..scan.repositories.len()).flat_map(|index| {
                commits(scan, index, &commit).map(move |at| CacheTarget::Revision(index, at))
            }),
        );
    }
    let short = |of: &[usize], typed: &str| {
        let is_short =
            (1..LEAST_DIGITS).contains(&typed.len()) && typed.bytes().all(|byte| byte.is_ascii_hexdigit());
        let at = |index: usize| commits(scan, index, typed).map(move |at| (index, at));
        let found = of.iter().filter(|_| is_short).flat_map(|index| at(*index));
        let commits: Vec<_> =
            found.map(|(index, at)| scan.repositories[index].revisions[at].commit.clone()).collect();
        (!commits.is_empty()).then_some(CacheTargetError::ShortCommit { commits })
    };
    match (&found[..], &repositories[..], revision) {
        ([target], ..) => Ok(*target),
        ([], [index, ..], Some(revision)) => {
            let repository = &scan.repositories[*index];
            if let Some(short) = short(&repositories, revision) {
                return Err(short);
            }
            let revisions = repository.revisions.iter().map(called).collect();
            Err(CacheTargetError::UnknownRevision { repository: repository.id.to_string(), revisions })
        }
        ([], ..) => {
            if let Some(linked) = linked(scan, name) {
                return Err(linked);
            }
            let all: Vec<usize> = (0..scan.repositories.len()).collect();
            if let Some(short) = short(&all, bare) {
                return Err(short);
            }
            let ids: Vec<_> = scan.repositories.iter().map(|one| one.id.to_string()).collect();
            let near = nearest(name, ids.iter().map(String::as_str));
            Err(CacheTargetError::Unknown { nearest: near.into_iter().map(str::to_owned).collect() })
        }
        (several, ..) => Err(CacheTargetError::Ambiguous(
            several.iter().map(|target| unmistakable(scan, *target)).collect(),
        )),
    }
}

/// The repositories that a name may mean: as it stands, or else whatever its case.
fn repositories(scan: &CacheScan, name: &str) -> Vec<usize> {
    let meant = meant(name);
    let matching = |is: &dyn Fn(&CachedId, &CachedId) -> bool| -> Vec<usize> {
        let is_meant = |index: &usize| meant.iter().any(|id| is(id, &scan.repositories[*index].id));
        (0..scan.repositories.len()).filter(is_meant).collect()
    };
    let exact = matching(&|one, other| one == other);
    if !exact.is_empty() {
        return exact;
    }
    matching(&|one, other| one.kind == other.kind && one.name.eq_ignore_ascii_case(&other.name))
}

/// What a name may mean. Both `datasets/org/name` and what `hf` calls it, `dataset/org/name`, are understood, and the
/// folder's name.
fn meant(name: &str) -> Vec<CachedId> {
    let kinds = CachedKind::ALL.into_iter().flat_map(|kind| {
        [kind.plural(), kind.singular()]
            .into_iter()
            .filter_map(move |word| Some((kind, name.strip_prefix(word)?.strip_prefix('/')?)))
    });
    let mut meant: Vec<CachedId> =
        kinds.map(|(kind, name)| CachedId { kind, name: name.to_owned() }).collect();
    meant.push(CachedId { kind: CachedKind::Model, name: name.to_owned() });
    meant.extend(CachedId::of_folder(name));
    meant
}

/// A repository of this name whose folder is a link.
fn linked(scan: &CacheScan, name: &str) -> Option<CacheTargetError> {
    let meant = meant(name);
    scan.flaws.iter().find_map(|flaw| match &flaw.kind {
        FlawKind::LinkedRepository { target }
            if CachedId::of_folder(&flaw.path).is_some_and(|id| meant.contains(&id)) =>
        {
            Some(CacheTargetError::Linked { folder: flaw.path.clone(), target: target.clone() })
        }
        _ => None,
    })
}

/// The revisions of a repository that have this name, or a commit that begins like this.
fn revisions<'a>(scan: &'a CacheScan, index: usize, typed: &'a str) -> Box<dyn Iterator<Item = usize> + 'a> {
    let revisions = &scan.repositories[index].revisions;
    let named = revisions.iter().position(|revision| revision.refs.iter().any(|name| name == typed));
    match named {
        Some(at) => Box::new(std::iter::once(at)),
        None if is_commit(typed) => Box::new(commits(scan, index, typed)),
        None => Box::new(std::iter::empty()),
    }
}

fn commits<'a>(scan: &'a CacheScan, index: usize, typed: &str) -> impl Iterator<Item = usize> + use<'a> {
    let typed = typed.to_ascii_lowercase();
    let revisions = scan.repositories[index].revisions.iter().enumerate();
    revisions.filter(move |(_, revision)| revision.commit.starts_with(&typed)).map(|(at, _)| at)
}

fn is_commit(typed: &str) -> bool {
    (LEAST_DIGITS..=COMMIT_DIGITS).contains(&typed.len())
        && typed.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A name of a revision that people know.
fn called(revision: &CachedRevision) -> String {
    revision.refs.first().unwrap_or(&revision.commit).clone()
}

/// What means this and nothing else.
fn unmistakable(scan: &CacheScan, target: CacheTarget) -> String {
    let id = |index: usize| {
        let id = &scan.repositories[index].id;
        format!("{}/{}", id.kind.plural(), id.name)
    };
    match target {
        CacheTarget::Repository(index) => id(index),
        CacheTarget::Revision(index, at) => {
            format!("{}@{}", id(index), scan.repositories[index].revisions[at].commit)
        }
    }
}
