//! What an address of the Hub asks for.

use percent_encoding::percent_decode_str;

use super::rate::Bucket;
use super::repository::RepositoryKind;
use super::xet_store::Reconstruct;

/// Where the Xet store is asked.
pub(super) const STORE: &str = "/cas/";

/// A request's meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// `/api/whoami-v2`
    WhoAmI,
    /// Anything about a repository.
    Repository(RepositoryRequest),
    /// `/cas/v2/reconstructions/HASH`: the Xet store.
    Reconstruct(Reconstruct),
    /// Nothing that the Hub knows.
    Unknown { api: bool },
}

/// A repository and what is asked about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RepositoryRequest {
    pub(super) kind: RepositoryKind,
    pub(super) id: String,
    pub(super) question: Question,
    /// The path before and after the id, as it was sent: what a redirect to another id keeps.
    around_id: (&'static str, String),
}

/// What is asked about a repository. Revisions, folders and paths are decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Question {
    Info {
        revision: Option<String>,
    },
    Tree {
        revision: String,
        folder: String,
    },
    PathsInfo {
        revision: String,
    },
    References,
    /// Access to the Xet store.
    XetReadToken,
    Resolve {
        revision: String,
        path: String,
    },
    ResolveCache {
        commit: String,
        path: String,
    },
}

impl Route {
    /// Reads a path as it was sent, percent-encoded.
    pub(super) fn of(path: &str) -> Self {
        if path == "/api/whoami-v2" {
            return Self::WhoAmI;
        }
        if let Some(("v1" | "v2", file)) =
            path.strip_prefix(STORE).and_then(|rest| rest.split_once("/reconstructions/"))
        {
            let version = if path.contains("/v1/") { 1 } else { 2 };
            return Self::Reconstruct(Reconstruct { version, file: file.to_owned() });
        }
        let prefixes = [
            ("/api/resolve-cache/models/", RepositoryKind::Model, RouteFamily::Cache),
            ("/api/resolve-cache/datasets/", RepositoryKind::Dataset, RouteFamily::Cache),
            ("/api/models/", RepositoryKind::Model, RouteFamily::Api),
            ("/api/datasets/", RepositoryKind::Dataset, RouteFamily::Api),
            ("/datasets/", RepositoryKind::Dataset, RouteFamily::Files),
            ("/", RepositoryKind::Model, RouteFamily::Files),
        ];
        let api = path.starts_with("/api/");
        let Some((prefix, kind, family)) = prefixes.into_iter().find(|(prefix, ..)| path.starts_with(prefix))
        else {
            return Self::Unknown { api };
        };
        if api && matches!(family, RouteFamily::Files) {
            return Self::Unknown { api };
        }
        let segments: Vec<&str> = path[prefix.len()..].split('/').collect();
        // An id has one segment or two, so what follows it is found at the second or third place.
        let lengths = [1, 2].into_iter().filter(|length| *length <= segments.len());
        let read = |length: usize| Some((length, family.question(&segments[length..])?));
        let Some((length, question)) = lengths.into_iter().find_map(read) else {
            return Self::Unknown { api };
        };
        let (id, rest) = segments.split_at(length);
        let rest: String = rest.iter().flat_map(|segment| ["/", segment]).collect();
        Self::Repository(RepositoryRequest {
            kind,
            id: decode(&id.join("/")),
            question,
            around_id: (prefix, rest),
        })
    }

    /// Which rate limit it counts against.
    pub(super) fn bucket(&self) -> Option<Bucket> {
        match self {
            Self::WhoAmI | Self::Unknown { api: true } => Some(Bucket::Api),
            Self::Unknown { api: false } | Self::Reconstruct(_) => None,
            Self::Repository(subject) => match subject.question {
                Question::Resolve { .. } => Some(Bucket::Resolvers),
                Question::ResolveCache { .. } => None,
                _ => Some(Bucket::Api),
            },
        }
    }

    /// The file that is meant, if it is one.
    pub(super) fn file(&self) -> Option<&str> {
        match self {
            Self::Repository(RepositoryRequest {
                question: Question::Resolve { path, .. } | Question::ResolveCache { path, .. },
                ..
            }) => Some(path),
            _ => None,
        }
    }
}

impl RepositoryRequest {
    /// The same question about another id, as a relative address without its query.
    pub(super) fn moved_to(&self, id: &str) -> String {
        format!("{}{id}{}", self.around_id.0, self.around_id.1)
    }
}

#[derive(Clone, Copy)]
enum RouteFamily {
    Api,
    Files,
    Cache,
}

impl RouteFamily {
    /// What the segments after the id ask. The order of the arms matters for a model that is called `tree`.
    fn question(self, rest: &[&str]) -> Option<Question> {
        Some(match (self, rest) {
            (Self::Api, []) => Question::Info { revision: None },
            (Self::Api, ["revision", revision]) => Question::Info { revision: Some(decode(revision)) },
            (Self::Api, ["tree", revision, folder @ ..]) => {
                Question::Tree { revision: decode(revision), folder: decode(&folder.join("/")) }
            }
            (Self::Api, ["paths-info", revision]) => Question::PathsInfo { revision: decode(revision) },
            (Self::Api, ["refs"]) => Question::References,
            (Self::Api, ["xet-read-token", _]) => Question::XetReadToken,
            (Self::Files, ["resolve", revision, path @ ..]) if !path.is_empty() => {
                Question::Resolve { revision: decode(revision), path: decode(&path.join("/")) }
            }
            (Self::Cache, [commit, path @ ..]) if commit.len() == 40 && !path.is_empty() => {
                Question::ResolveCache { commit: decode(commit), path: decode(&path.join("/")) }
            }
            _ => return None,
        })
    }
}

fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(path: &str) -> (RepositoryKind, String, Question) {
        match Route::of(path) {
            Route::Repository(subject) => (subject.kind, subject.id, subject.question),
            other => panic!("{path}: {other:?}"),
        }
    }

    #[test]
    fn reads_ids_of_one_and_two_segments() {
        let info = |revision: Option<&str>| Question::Info { revision: revision.map(str::to_owned) };
        assert_eq!(ask("/api/models/gpt2"), (RepositoryKind::Model, "gpt2".into(), info(None)));
        assert_eq!(ask("/api/datasets/a/b"), (RepositoryKind::Dataset, "a/b".into(), info(None)));
        assert_eq!(
            ask("/api/models/a/b/revision/refs%2Fpr%2F1"),
            (RepositoryKind::Model, "a/b".into(), info(Some("refs/pr/1")))
        );
        assert_eq!(ask("/api/models/gpt2/revision/main").1, "gpt2");
        assert_eq!(
            ask("/api/models/gpt2/refs"),
            (RepositoryKind::Model, "gpt2".into(), Question::References)
        );
    }

    #[test]
    fn reads_files_in_folders() {
        let (revision, path) = ("main".to_owned(), "a b/c.bin".to_owned());
        let resolve = Question::Resolve { revision, path };
        assert_eq!(
            ask("/o/n/resolve/main/a%20b/c.bin"),
            (RepositoryKind::Model, "o/n".into(), resolve.clone())
        );
        assert_eq!(
            ask("/datasets/o/n/resolve/main/a%20b/c.bin"),
            (RepositoryKind::Dataset, "o/n".into(), resolve)
        );
        let tree = Question::Tree { revision: "main".into(), folder: "a/b".into() };
        assert_eq!(ask("/api/models/n/tree/main/a/b").2, tree);
        assert_eq!(Route::of("/o/n/resolve/main"), Route::Unknown { api: false });
        assert_eq!(Route::of("/api/agent-harnesses"), Route::Unknown { api: true });
    }

    #[test]
    fn a_redirect_keeps_what_surrounds_the_id() {
        let Route::Repository(subject) = Route::of("/gpt2/resolve/main/a%20b") else {
            panic!("a repository")
        };
        assert_eq!(subject.moved_to("o/gpt2"), "/o/gpt2/resolve/main/a%20b");
    }
}
