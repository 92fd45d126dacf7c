//! An entry of the list of a commit's files, as servers write it: what it is, and which size and digest it means.
//!
//! The Hub's own form is `{type, path, size, oid, lfs: {oid, size, pointerSize}}`. Servers that copy it differ in small
//! things. Where two fields speak of one thing, the one that describes the content wins: `lfs.size` over `size`, a SHA-256 of
//! the content over the git digest of an LFS pointer. What they leave open is refused with the reason.

use hfdown_protocol::{Digest, Failure, FailureKind, FileRow, PathError, RepoPath, XetHash};
use serde::Deserialize;
use serde_json::Value;

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedFile {
    /// Where it belongs.
    pub path: RepoPath,
    /// Its size in bytes.
    pub size: u64,
    /// What proves it.
    pub digest: Digest,
}

impl ListedFile {
    /// The same as a table has it.
    pub(super) fn row(&self) -> FileRow<'_> {
        FileRow { path: self.path.view(), size: self.size, digest: self.digest }
    }
}

impl From<FileRow<'_>> for ListedFile {
    fn from(file: FileRow<'_>) -> Self {
        Self { path: file.path.to_path(), size: file.size, digest: file.digest }
    }
}

/// Why a listed file is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RefusalReason {
    /// The name is no path inside a repository.
    #[error("{0}")]
    Path(#[from] PathError),
    /// Another file lies below it, so it would have to be a folder as well.
    #[error("another file lies below it")]
    Parent,
    /// The name is listed twice, with these sizes.
    #[error("the server lists it twice, with {0} and with {1} B")]
    Resized(u64, u64),
    /// The name is listed twice, with two digests of one kind.
    #[error("the server lists it twice, with different digests")]
    Redigested,
    /// There is no size.
    #[error("the server lists no size for it")]
    NoSize,
    /// The size is no number of bytes.
    #[error("the server lists a size for it that is no number of bytes")]
    BadSize,
    /// The only size is that of the LFS pointer.
    #[error("the server lists the size of its LFS pointer ({0} B), and not its own")]
    PointerSize(u64),
    /// The two sizes differ, and there is no SHA-256 to say which of them is the content's.
    #[error("the server lists two sizes for it, {0} and {1} B, and no SHA-256 of an LFS file to decide")]
    TwoSizes(u64, u64),
    /// There is no digest, so nothing could prove it.
    #[error("the server lists no digest for it, and nothing else could prove its bytes")]
    NoDigest,
    /// It is said to be an LFS file, and what would prove it is missing.
    #[error("the server lists it as an LFS file without its SHA-256, and nothing else could prove its bytes")]
    NoSha256,
    /// The digest is none.
    #[error("the server lists a digest for it that is neither a SHA-256 nor git's SHA-1")]
    BadDigest,
    /// Two SHA-256 are listed.
    #[error("the server lists two different SHA-256 for it")]
    TwoDigests,
}

impl RefusalReason {
    /// Whether it is the name that no file may have.
    pub fn is_of_the_name(self) -> bool {
        matches!(self, Self::Path(_) | Self::Parent)
    }

    /// What becomes of the file, as a failure.
    pub fn failure(self) -> Failure {
        if self.is_of_the_name() {
            let detail = format!("the Hub lists a name that no file may have: {self}");
            Failure::new(FailureKind::InTheWay, detail)
        } else {
            Failure::new(FailureKind::Nonsense, self)
        }
    }
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EntryKind {
    File,
    /// The server does not say. It is a folder if another entry lies below it.
    Unsaid,
    /// A folder, a submodule, or what is not known here.
    Other,
}

/// An entry, as far as it is used. Any field may be missing or of another type.
#[derive(Deserialize)]
pub(super) struct TreeEntry {
    #[serde(default, rename = "type")]
    kind: Value,
    #[serde(default)]
    path: Value,
    #[serde(default, rename = "rfilename")]
    file_name: Value,
    #[serde(default)]
    oid: Value,
    #[serde(default, rename = "blobId")]
    blob: Value,
    #[serde(default)]
    sha256: Value,
    #[serde(default)]
    size: Value,
    #[serde(default)]
    lfs: Value,
    #[serde(default, rename = "xetHash")]
    xet_hash: Value,
}

impl TreeEntry {
    pub(super) fn kind(&self) -> EntryKind {
        match &self.kind {
            Value::Null => EntryKind::Unsaid,
            Value::String(kind) if ["file", "blob"].iter().any(|file| kind.eq_ignore_ascii_case(file)) => {
                EntryKind::File
            }
            _ => EntryKind::Other,
        }
    }

    /// Its name, which may be anything.
    pub(super) fn name(&self) -> &str {
        self.path.as_str().or(self.file_name.as_str()).unwrap_or_default()
    }

    /// The file that it lists.
    pub(super) fn file(&self) -> Result<ListedFile, RefusalReason> {
        let path = RepoPath::new(self.name())?;
        let (size, digest) = match self.lfs() {
            Some(pointer) => self.large(pointer)?,
            None => (Size::of(&self.size).known()?, self.regular_digest()?),
        };
        Ok(ListedFile { path, size, digest })
    }

    /// What Xet knows its content by. What is not written as the Hub writes it is none.
    pub(super) fn xet_hash(&self) -> Option<XetHash> {
        self.xet_hash.as_str()?.parse().ok()
    }

    /// What git knows it by: of an LFS file, the pointer's digest.
    pub(super) fn blob(&self) -> Option<Digest> {
        [&self.oid, &self.blob].into_iter().find_map(git_sha1)
    }

    /// What it says of an LFS pointer, if anything.
    fn lfs(&self) -> Option<&Value> {
        let says_nothing = match &self.lfs {
            Value::Null | Value::Bool(false) => true,
            Value::Object(fields) => fields.is_empty(),
            Value::Array(items) => items.is_empty(),
            Value::String(text) => matches!(text.trim(), "" | "false"),
            Value::Number(number) => number.as_u64() == Some(0),
            Value::Bool(true) => false,
        };
        (!says_nothing).then_some(&self.lfs)
    }

    fn large(&self, pointer: &Value) -> Result<(u64, Digest), RefusalReason> {
        let (own, other) = (Size::of(&pointer["size"]), Size::of(&self.size));
        let digest = self.sha256(pointer)?.ok_or(match (own, other) {
            (Size::Bytes(own), Size::Bytes(other)) if own != other => RefusalReason::TwoSizes(other, own),
            _ => RefusalReason::NoSha256,
        })?;
        let size = match (own, other) {
            (Size::Bytes(own), _) => own,
            (_, Size::Bytes(other)) if Size::of(&pointer["pointerSize"]) == Size::Bytes(other) => {
                return Err(RefusalReason::PointerSize(other));
            }
            (Size::Absent, other) | (_, other @ Size::Bytes(_)) => other.known()?,
            (Size::Unreadable, _) => return Err(RefusalReason::BadSize),
        };
        Ok((size, digest))
    }

    /// The SHA-256 of an LFS file: the pointer's, or one that stands beside it.
    fn sha256(&self, pointer: &Value) -> Result<Option<Digest>, RefusalReason> {
        let named = [&pointer["oid"], &pointer["sha256"], pointer].map(sha256);
        let mut named = named.into_iter().flatten();
        let first = named.next();
        match named.find(|other| Some(*other) != first) {
            Some(_) => Err(RefusalReason::TwoDigests),
            None => Ok(first.or_else(|| sha256(&self.sha256)).or_else(|| sha256(&self.oid))),
        }
    }

    fn regular_digest(&self) -> Result<Digest, RefusalReason> {
        let found = self.blob().or_else(|| [&self.sha256, &self.oid].into_iter().find_map(sha256));
        let is_listed = |value: &&Value| !value.is_null() && value.as_str() != Some("");
        let is_any = [&self.oid, &self.blob, &self.sha256].iter().any(is_listed);
        found.ok_or(if is_any { RefusalReason::BadDigest } else { RefusalReason::NoDigest })
    }
}

/// What a field says of a size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Size {
    Absent,
    Unreadable,
    Bytes(u64),
}

impl Size {
    /// A number without a fraction, or its digits as a text.
    fn of(value: &Value) -> Self {
        let text = match value {
            Value::Null => return Self::Absent,
            Value::Number(number) => number.to_string(),
            Value::String(text) if text.trim().is_empty() => return Self::Absent,
            Value::String(text) => text.trim().to_owned(),
            _ => return Self::Unreadable,
        };
        let digits = text.strip_suffix(".0").unwrap_or(&text);
        // `parse` takes a `+`, too.
        let is_number = digits.bytes().all(|digit| digit.is_ascii_digit());
        digits.parse().ok().filter(|_| is_number).map_or(Self::Unreadable, Self::Bytes)
    }

    fn known(self) -> Result<u64, RefusalReason> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            Self::Absent => Err(RefusalReason::NoSize),
            Self::Unreadable => Err(RefusalReason::BadSize),
        }
    }
}

fn sha256(value: &Value) -> Option<Digest> {
    Digest::sha256(hexadecimal(value, &["sha256", "sha-256"])?).ok()
}

fn git_sha1(value: &Value) -> Option<Digest> {
    Digest::git_sha1(hexadecimal(value, &["sha1", "git-sha1"])?).ok()
}

/// The digits of a digest: some servers name the algorithm before them, or quote them as in an `ETag`.
fn hexadecimal<'a>(value: &'a Value, algorithms: &[&str]) -> Option<&'a str> {
    let text = value.as_str()?.trim().trim_matches('"');
    Some(match text.split_once(':') {
        Some((algorithm, digits)) if algorithms.iter().any(|name| algorithm.eq_ignore_ascii_case(name)) => {
            digits.trim()
        }
        _ => text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHA1: &str = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391";
    const SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    const OTHER: &str = "f3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    /// Reads an entry of which the path is there already. `@1`, `@256` and `@512` stand for digests.
    fn read(rest: &str) -> Result<(u64, &'static str), RefusalReason> {
        let rest = rest.replace("@1", SHA1).replace("@256", SHA256).replace("@512", OTHER);
        let entry: TreeEntry = serde_json::from_str(&format!(r#"{{"path":"x",{rest}}}"#)).unwrap();
        let file = entry.file()?;
        assert!([SHA1, SHA256].contains(&file.digest.to_string().as_str()), "{rest}: {}", file.digest);
        Ok((file.size, file.digest.kind()))
    }

    #[test]
    fn of_two_fields_the_one_that_describes_the_content_wins() {
        use RefusalReason as Refusal;
        for (rest, expected) in [
            // The Hub itself.
            (r#""oid":"@1","size":7"#, Ok((7, "git-sha1"))),
            (r#""oid":"@1","size":9,"lfs":{"oid":"@256","size":9,"pointerSize":130}"#, Ok((9, "sha256"))),
            // Sizes of LFS files.
            (r#""oid":"@1","size":130,"lfs":{"oid":"@256","size":9,"pointerSize":130}"#, Ok((9, "sha256"))),
            (r#""size":7,"lfs":{"oid":"@256","size":8}"#, Ok((8, "sha256"))),
            (r#""size":9,"lfs":{"oid":"@256"}"#, Ok((9, "sha256"))),
            (r#""size":9,"lfs":{"oid":"@256","size":null}"#, Ok((9, "sha256"))),
            (r#""size":9,"lfs":{"oid":"@256","size":-1}"#, Ok((9, "sha256"))),
            (r#""lfs":{"oid":"@256","size":"9"}"#, Ok((9, "sha256"))),
            (r#""size":130,"lfs":{"oid":"@256","pointerSize":130}"#, Err(Refusal::PointerSize(130))),
            (r#""lfs":{"oid":"@256"}"#, Err(Refusal::NoSize)),
            (r#""size":[],"lfs":{"oid":"@256"}"#, Err(Refusal::BadSize)),
            (r#""lfs":{"oid":"@256","size":{}}"#, Err(Refusal::BadSize)),
            // Sizes of all files.
            (r#""oid":"@1","size":"7""#, Ok((7, "git-sha1"))),
            (r#""oid":"@1","size":" 7 ""#, Ok((7, "git-sha1"))),
            (r#""oid":"@1","size":7.0"#, Ok((7, "git-sha1"))),
            (r#""oid":"@1","size":18446744073709551615"#, Ok((u64::MAX, "git-sha1"))),
            (r#""oid":"@1""#, Err(Refusal::NoSize)),
            (r#""oid":"@1","size":null"#, Err(Refusal::NoSize)),
            (r#""oid":"@1","size":"""#, Err(Refusal::NoSize)),
            (r#""oid":"@1","size":7.5"#, Err(Refusal::BadSize)),
            (r#""oid":"@1","size":-1"#, Err(Refusal::BadSize)),
            (r#""oid":"@1","size":"+7""#, Err(Refusal::BadSize)),
            (r#""oid":"@1","size":"7 kB""#, Err(Refusal::BadSize)),
            (r#""oid":"@1","size":1e30"#, Err(Refusal::BadSize)),
            (r#""oid":"@1","size":18446744073709551616"#, Err(Refusal::BadSize)),
            (r#""oid":"@1","size":true"#, Err(Refusal::BadSize)),
            (r#""oid":"@1","size":12,"lfs":{"size":13}"#, Err(Refusal::TwoSizes(12, 13))),
            // Digests of LFS files.
            (r#""size":9,"lfs":{"sha256":"@256"}"#, Ok((9, "sha256"))),
            (r#""size":9,"lfs":{"oid":"sha256:@256"}"#, Ok((9, "sha256"))),
            (r#""size":9,"lfs":{"oid":"SHA256:@256","sha256":"@256"}"#, Ok((9, "sha256"))),
            (r#""size":9,"lfs":{"oid":"\"@256\""}"#, Ok((9, "sha256"))),
            (r#""size":9,"lfs":{"oid":"@1","sha256":"@256"}"#, Ok((9, "sha256"))),
            (r#""size":9,"lfs":"sha256:@256""#, Ok((9, "sha256"))),
            (r#""size":9,"lfs":true,"oid":"@256""#, Ok((9, "sha256"))),
            (r#""size":9,"lfs":true,"oid":"@1","sha256":"@256""#, Ok((9, "sha256"))),
            (r#""size":9,"lfs":{"oid":"@256","sha256":"@512"}"#, Err(Refusal::TwoDigests)),
            (r#""size":9,"oid":"@1","lfs":true"#, Err(Refusal::NoSha256)),
            (r#""size":9,"oid":"@1","lfs":{"size":9}"#, Err(Refusal::NoSha256)),
            (r#""size":9,"oid":"@1","lfs":{"oid":"@1","size":9}"#, Err(Refusal::NoSha256)),
            // Digests of regular files, and what says that they are.
            (r#""size":7,"oid":"@1","lfs":null"#, Ok((7, "git-sha1"))),
            (r#""size":7,"oid":"@1","lfs":false"#, Ok((7, "git-sha1"))),
            (r#""size":7,"oid":"@1","lfs":{}"#, Ok((7, "git-sha1"))),
            (r#""size":7,"oid":"@1","lfs":"""#, Ok((7, "git-sha1"))),
            (r#""size":7,"oid":"@1","sha256":"@256""#, Ok((7, "git-sha1"))),
            (r#""size":7,"blobId":"@1""#, Ok((7, "git-sha1"))),
            (r#""size":7,"oid":"sha1:@1""#, Ok((7, "git-sha1"))),
            (r#""size":7,"sha256":"@256""#, Ok((7, "sha256"))),
            (r#""size":7,"oid":"@256""#, Ok((7, "sha256"))),
            (r#""size":7"#, Err(Refusal::NoDigest)),
            (r#""size":7,"oid":"""#, Err(Refusal::NoDigest)),
            (r#""size":7,"xetHash":"@256""#, Err(Refusal::NoDigest)),
            (r#""size":7,"oid":"main""#, Err(Refusal::BadDigest)),
            (r#""size":7,"oid":"e69de29","xetHash":"@256""#, Err(Refusal::BadDigest)),
            (r#""size":7,"oid":"md5:d41d8cd98f00b204e9800998ecf8427e""#, Err(Refusal::BadDigest)),
        ] {
            assert_eq!(read(rest), expected, "{rest}");
        }
        let upper = format!(r#""size":9,"lfs":{{"oid":"{}"}}"#, SHA256.to_uppercase());
        assert_eq!(read(&upper), Ok((9, "sha256")));
    }

    #[test]
    fn an_entry_is_a_file_unless_it_says_otherwise() {
        for (entry, kind, name) in [
            (r#""type":"file","path":"a""#, EntryKind::File, "a"),
            (r#""type":"blob","path":"a""#, EntryKind::File, "a"),
            (r#""path":"a""#, EntryKind::Unsaid, "a"),
            (r#""type":null,"rfilename":"a""#, EntryKind::Unsaid, "a"),
            (r#""type":"file","path":"a","rfilename":"b","size":"?""#, EntryKind::File, "a"),
            (r#""type":"directory","path":"a""#, EntryKind::Other, "a"),
            (r#""type":"tree","path":"a""#, EntryKind::Other, "a"),
            (r#""type":"commit","path":"a""#, EntryKind::Other, "a"),
            (r#""type":7"#, EntryKind::Other, ""),
        ] {
            let read: TreeEntry = serde_json::from_str(&format!("{{{entry}}}")).unwrap();
            assert_eq!((read.kind(), read.name()), (kind, name), "{entry}");
        }
    }
}
