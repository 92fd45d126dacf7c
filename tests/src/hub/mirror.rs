//! A mirror in the manner of Artifactory and Nexus: the Hub's API below a path of its own, and a token for everything,
//! whatever it says of a repository.

use hyper::{Method, StatusCode};
use serde_json::Value;

use super::reply::{Payload, Reply};
use super::route::{Question, RepositoryRequest, Route};

/// How a mirror goes about it.
#[derive(Clone, Copy, Debug)]
pub struct Mirror {
    /// The path below which everything is.
    pub prefix: &'static str,
    /// The status with which it refuses those that show no token, without a word on why.
    pub refusal: u16,
    /// For what a token has to be shown.
    pub guards: Guarded,
    /// Who sends large files.
    pub bodies: Bodies,
    /// The status with which it refuses to be asked with HEAD for a file, if it does.
    pub head: Option<u16>,
    /// What it says of who may read a repository.
    pub says: AccessClaim,
}

/// For what a mirror wants a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guarded {
    /// For nothing.
    Nothing,
    /// For files; all may list them.
    Files,
    /// For everything.
    Everything,
}

/// Who sends the bytes of large files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bodies {
    /// The mirror itself.
    Own,
    /// A CDN, at signed addresses.
    Cdn,
}

/// What a mirror says of who may read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessClaim {
    /// That all may.
    Open,
    /// The same as texts.
    OpenInWords,
    /// Nothing.
    Nothing,
}

impl Default for Mirror {
    /// Artifactory's.
    fn default() -> Self {
        Self {
            prefix: "/artifactory/api/huggingfaceml/models",
            refusal: 401,
            guards: Guarded::Everything,
            bodies: Bodies::Own,
            head: None,
            says: AccessClaim::Open,
        }
    }
}

impl Mirror {
    /// What a path asks for.
    pub(super) fn route(&self, path: &str) -> Route {
        path.strip_prefix(self.prefix).map_or(Route::Unknown { api: false }, Route::of)
    }

    /// A refusal, where a request has no good token and needs one, or is made in a way that the mirror does not like.
    pub(super) fn refuses(&self, route: &Route, method: &Method, is_known: bool) -> Option<Reply> {
        let is_file =
            matches!(route, Route::Repository(RepositoryRequest { question: Question::Resolve { .. }, .. }));
        let is_guarded = match self.guards {
            Guarded::Nothing => false,
            Guarded::Files => is_file,
            Guarded::Everything => true,
        };
        let status = match self.head {
            Some(status) if is_file && *method == Method::HEAD => status,
            _ if is_guarded && !is_known => self.refusal,
            _ => return None,
        };
        let status = StatusCode::from_u16(status).expect("a test asks for a status that exists");
        Some(Reply::text(status, "no".to_owned()))
    }

    /// What it says of a repository.
    pub(super) fn told(&self, mut reply: Reply) -> Reply {
        if let Payload::Words(words) = &reply.payload
            && let Ok(Value::Object(mut info)) = serde_json::from_slice(&words.to_vec())
        {
            for key in ["private", "gated"] {
                match self.says {
                    AccessClaim::Open => info.insert(key.to_owned(), Value::Bool(false)),
                    AccessClaim::OpenInWords => {
                        info.insert(key.to_owned(), Value::String("False".to_owned()))
                    }
                    AccessClaim::Nothing => info.remove(key),
                };
            }
            reply = Reply::ok(&Value::Object(info));
        }
        reply
    }
}
