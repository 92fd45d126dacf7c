//! What a repository's folder in the cache is called, and what that says.

use std::fmt;

/// The kinds of repositories that have folders in the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CachedKind {
    /// Weights and what belongs to them.
    Model,
    /// Data.
    Dataset,
    /// An application.
    Space,
    /// Compiled code for GPUs.
    Kernel,
}

impl CachedKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Model, Self::Dataset, Self::Space, Self::Kernel];

    /// The word that `hf` calls it by: `model`.
    pub fn singular(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Dataset => "dataset",
            Self::Space => "space",
            Self::Kernel => "kernel",
        }
    }

    /// The word that folders and addresses call it by: `models`.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Model => "models",
            Self::Dataset => "datasets",
            Self::Space => "spaces",
            Self::Kernel => "kernels",
        }
    }
}

/// A repository's kind and name, as its folder has them. The name may be none that the Hub would give.
///
/// Prints as it is typed: `gpt2`, `org/name`, `datasets/org/name`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CachedId {
    /// Its kind.
    pub kind: CachedKind,
    /// Its name without the kind.
    pub name: String,
}

impl CachedId {
    /// Reads the name of a folder: `models--org--name`. None where it is no repository's.
    pub fn of_folder(folder: &str) -> Option<Self> {
        let (plural, name) = folder.split_once("--")?;
        let kind = CachedKind::ALL.into_iter().find(|kind| kind.plural() == plural)?;
        (!name.is_empty()).then(|| Self { kind, name: name.replace("--", "/") })
    }
}

impl fmt::Display for CachedId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            CachedKind::Model => formatter.write_str(&self.name),
            kind => write!(formatter, "{}/{}", kind.plural(), self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_say_what_they_hold() {
        for (folder, shown) in [
            ("models--gpt2", Some("gpt2")),
            ("models--org--name", Some("org/name")),
            ("datasets--org--name", Some("datasets/org/name")),
            ("kernels--org--name", Some("kernels/org/name")),
            ("models--a--b--c", Some("a/b/c")),
            ("models--", None),
            ("models-org", None),
            ("model--org", None),
            ("blobs", None),
        ] {
            assert_eq!(CachedId::of_folder(folder).map(|id| id.to_string()).as_deref(), shown, "{folder}");
        }
    }
}
