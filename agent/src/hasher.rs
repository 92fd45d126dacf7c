//! Digests as the Hub computes them, fed piece by piece.

use hfdown_protocol::Digest;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

/// A digest in the making, of the same kind as the one it will be compared with.
#[derive(Debug, Clone)]
pub(crate) enum Hasher {
    Sha256(Sha256),
    GitSha1(Sha1),
}

impl Hasher {
    /// Begins the digest of a file of `size` bytes that should come out as `expected`.
    pub(crate) fn like(expected: Digest, size: u64) -> Self {
        match expected {
            Digest::Sha256(_) => Self::Sha256(Sha256::new()),
            Digest::GitSha1(_) => Self::GitSha1(Sha1::new_with_prefix(format!("blob {size}\0"))),
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::GitSha1(hasher) => hasher.update(bytes),
        }
    }

    pub(crate) fn finish(self) -> Digest {
        match self {
            Self::Sha256(hasher) => Digest::Sha256(hasher.finalize().into()),
            Self::GitSha1(hasher) => Digest::GitSha1(hasher.finalize().into()),
        }
    }
}

/// The digest of a whole file in memory, of the same kind as the one it will be compared with.
pub fn digest_like(expected: Digest, file: &[u8]) -> Digest {
    let mut hasher = Hasher::like(expected, file.len() as u64);
    hasher.update(file);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_git_and_sha256sum() {
        // `printf 'hello\n' | git hash-object --stdin` and `printf 'hello\n' | sha256sum`.
        for expected in [
            Digest::git_sha1("ce013625030ba8dba906f756967f9e9ca394464a").unwrap(),
            Digest::sha256("5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03").unwrap(),
        ] {
            let mut hasher = Hasher::like(expected, 6);
            hasher.update(b"hel");
            hasher.update(b"lo\n");
            assert_eq!(hasher.finish(), expected);
            assert_eq!(digest_like(expected, b"hello\n"), expected);
            assert_ne!(digest_like(expected, b"hello!"), expected);
        }
    }
}
