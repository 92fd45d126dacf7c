//! What each pasted form is read as.

use super::*;

const SHA: &str = "607a30d783dfa663caf39e06633721c8d4cfcd7e";

fn parse(text: &str) -> Result<RepoReference, ReferenceError> {
    RepoReference::parse(text, &Endpoint::new("https://mirror.example/hub").unwrap())
}

/// As one line: `id @ revision: path`.
fn line(text: &str) -> String {
    let RepoReference { id, revision, inner } = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let revision = revision.map_or_else(String::new, |revision| format!(" @ {revision}"));
    let inner = inner.map_or_else(String::new, |InnerPath { path, kind }| match kind {
        InnerPathKind::File => format!(": {path}"),
        InnerPathKind::Folder => format!(": {path}/"),
        InnerPathKind::Either => format!(": {path}?"),
    });
    format!("{id}{revision}{inner}")
}

#[test]
fn what_means_one_thing_is_understood() {
    for (text, expected) in [
        // Names.
        ("gpt2", "gpt2"),
        ("openai-community/gpt2/", "openai-community/gpt2"),
        (" org/Name_1.5-b ", "org/Name_1.5-b"),
        ("models/org/name", "org/name"),
        ("dataset/org/name", "datasets/org/name"),
        ("datasets/squad", "datasets/squad"),
        ("org/name.git", "org/name"),
        ("org%2Fname", "org/name"),
        ("models--org--name", "org/name"),
        ("datasets--org--name", "datasets/org/name"),
        ("models--gpt2", "gpt2"),
        // With a revision.
        ("org/name@v1.0", "org/name @ v1.0"),
        ("gpt2@main", "gpt2 @ main"),
        ("org/name@feature/x", "org/name @ feature/x"),
        ("org/name@refs/pr/7", "org/name @ refs/pr/7"),
        ("org/name@refs%2Fpr%2F7", "org/name @ refs/pr/7"),
        ("datasets/org/name@refs%2fconvert%2fparquet", "datasets/org/name @ refs/convert/parquet"),
        ("org/name@refs/pr/7/config.json", "org/name @ refs/pr/7: config.json?"),
        // As chats and sentences have them.
        ("`org/name`", "org/name"),
        ("\"org/name\"", "org/name"),
        ("<https://huggingface.co/org/name>.", "org/name"),
        ("“org/name”,", "org/name"),
        ("'`org/name`'\r\n", "org/name"),
        ("org/name.", "org/name"),
        ("\u{200b}org/name\u{feff}", "org/name"),
        // Addresses of pages.
        ("https://huggingface.co/gpt2", "gpt2"),
        ("http://www.huggingface.co/org/name/", "org/name"),
        ("HTTPS://HuggingFace.co/Org/Name", "Org/Name"),
        ("https://huggingface.co/org/name?library=x#files", "org/name"),
        ("https://user:secret@huggingface.co/org/name.git", "org/name"),
        ("hf.co/org/name/", "org/name"),
        ("HF.co/org/name", "org/name"),
        ("huggingface.co/datasets/org/name", "datasets/org/name"),
        ("https://huggingface.co/org/name/tree/main", "org/name @ main"),
        ("https://huggingface.co/org/name/tree", "org/name"),
        ("https://huggingface.co/gpt2/tree/main", "gpt2 @ main"),
        ("https://huggingface.co/org/tree/tree/main", "org/tree @ main"),
        ("https://huggingface.co/org/name/tree/refs%2Fpr%2F7", "org/name @ refs/pr/7"),
        ("https://huggingface.co/org/name/tree/refs/pr/7", "org/name @ refs/pr/7"),
        (
            "https://huggingface.co/datasets/org/name/tree/refs%2Fconvert%2Fparquet/a/b",
            "datasets/org/name @ refs/convert/parquet: a/b/",
        ),
        (
            "https://huggingface.co/datasets/org/name/tree/refs/convert/parquet",
            "datasets/org/name @ refs/convert/parquet",
        ),
        ("https://huggingface.co/datasets/org/name/viewer/default/train", "datasets/org/name"),
        ("https://huggingface.co/org/name/commits/v1", "org/name @ v1"),
        ("https://huggingface.co/org/name/discussions", "org/name"),
        ("https://huggingface.co/gpt2/discussions", "gpt2"),
        ("https://huggingface.co/org/name/discussions/7/files", "org/name @ refs/pr/7"),
        ("https://mirror.example/hub/org/name", "org/name"),
        ("http://mirror.example/hub/org/name/tree/v1/", "org/name @ v1"),
        ("mirror.example/hub/org/name", "org/name"),
        ("https://huggingface.co/api/models/org/name", "org/name"),
        ("https://huggingface.co/api/models/org/name/revision/refs%2Fpr%2F7", "org/name @ refs/pr/7"),
        (
            "https://mirror.example/hub/api/datasets/org/name/tree/main?recursive=true",
            "datasets/org/name @ main",
        ),
        // Git.
        ("https://huggingface.co/org/name.git", "org/name"),
        ("git clone https://huggingface.co/org/name", "org/name"),
        ("git@hf.co:org/name", "org/name"),
        ("git@hf.co:org/name.git", "org/name"),
        ("git@hf.co:123/name", "123/name"),
        ("git@hf.co:datasets/org/name", "datasets/org/name"),
        ("ssh://git@hf.co/org/name", "org/name"),
        ("ssh://git@hf.co:22/spaces/org/name.git", "spaces/org/name"),
        ("git+https://huggingface.co/org/name@v1", "org/name @ v1"),
        ("git+ssh://git@hf.co/org/name", "org/name"),
        // fsspec.
        ("hf://org/name", "org/name"),
        ("hf://models/org/name/", "org/name"),
        ("hf://datasets/org/name@rev", "datasets/org/name @ rev"),
        ("hf://org/name@refs%2Fpr%2F7", "org/name @ refs/pr/7"),
        ("hf://org/name@refs/pr/7", "org/name @ refs/pr/7"),
    ] {
        assert_eq!(line(text), expected, "{text}");
    }
    let commit = format!("https://huggingface.co/org/name/commit/{SHA}");
    assert_eq!(line(&commit), format!("org/name @ {SHA}"));
}

#[test]
fn a_path_inside_of_a_repository_is_told_from_the_whole() {
    for (text, expected) in [
        ("hf://org/name@feature/x", "org/name @ feature: x?"),
        ("hf://org/name@refs/pr/7/a/b.bin", "org/name @ refs/pr/7: a/b.bin?"),
        ("hf://org/name/tree/main", "org/name: tree/main?"),
        ("hf://org/name/sub/folder/", "org/name: sub/folder/"),
        ("a/b/c", "a/b: c?"),
        ("org/name/onnx/", "org/name: onnx/"),
        ("datasets/org/name/data/a.parquet", "datasets/org/name: data/a.parquet?"),
        ("org/name/resolve/main/a/x.gguf", "org/name @ main: a/x.gguf"),
        ("https://huggingface.co/org/name/blob/main/config.json", "org/name @ main: config.json"),
        ("https://huggingface.co/org/name/blob/main", "org/name @ main"),
        (
            "https://huggingface.co/org/name/resolve/v1/a%20b/x.gguf?download=true",
            "org/name @ v1: a b/x.gguf",
        ),
        ("https://hf.co/org/name/raw/refs%2Fpr%2F7/x.json", "org/name @ refs/pr/7: x.json"),
        ("https://huggingface.co/gpt2/resolve/main/x.json", "gpt2 @ main: x.json"),
        ("https://huggingface.co/org/name/tree/main/onnx", "org/name @ main: onnx/"),
        ("https://huggingface.co/org/name/commits/main/config.json", "org/name @ main: config.json"),
        ("https://mirror.example/hub/org/name/resolve/main/x.bin", "org/name @ main: x.bin"),
    ] {
        assert_eq!(line(text), expected, "{text}");
    }
    let cache = format!("https://huggingface.co/api/resolve-cache/models/org/name/{SHA}/a%2Fx.json?etag=1");
    assert_eq!(line(&cache), format!("org/name @ {SHA}: a/x.json"));
}

#[test]
fn what_does_not_is_told_apart() {
    use ReferenceError as Error;
    let elsewhere = || Error::Elsewhere("https://mirror.example/hub".to_owned());
    let section = |name: &str| Error::Section(name.to_owned());
    let id = |name: &str| RepoId::new(RepoKind::Model, name).unwrap();
    let tag = |name: &str, tag: &str| Error::Tag { id: id(name), revision: None, tag: tag.to_owned() };
    let tag_at = |revision: &str| Error::Tag {
        id: id("org/name"),
        revision: Some(Revision::new(revision).unwrap()),
        tag: "Q8_0".to_owned(),
    };
    let long = "a".repeat(97);
    for (text, reason) in [
        ("", Error::Name(RepoIdError::Empty)),
        ("``", Error::Name(RepoIdError::Empty)),
        ("hf://", Error::Name(RepoIdError::Empty)),
        ("org//name", Error::Name(RepoIdError::Length)),
        ("org/name//x", Error::Name(RepoIdError::Parts)),
        (&long, Error::Name(RepoIdError::Length)),
        ("org/.hidden", Error::Name(RepoIdError::Character)),
        ("org/na me", Error::Name(RepoIdError::Character)),
        ("org/name?x", Error::Name(RepoIdError::Character)),
        ("-x/name", Error::Name(RepoIdError::Character)),
        ("org/a--b", Error::Name(RepoIdError::Character)),
        ("org/ünïcode", Error::Name(RepoIdError::Character)),
        ("localhost:8080/org/name", Error::Name(RepoIdError::Character)),
        ("https:/huggingface.co/org/name", Error::Name(RepoIdError::Character)),
        ("hf:org/name", Error::Name(RepoIdError::Character)),
        ("https://evil.example/org/name", elsewhere()),
        ("https://mirror.example/org/name", elsewhere()),
        ("https://huggingface.co.evil.example/org/name", elsewhere()),
        ("git@github.com:org/name.git", elsewhere()),
        ("s3://bucket/name", elsewhere()),
        ("https://huggingface.co/papers/2401.00001", section("papers")),
        ("https://huggingface.co/collections/org/x", section("collections")),
        ("https://huggingface.co/models", section("models")),
        ("datasets", section("datasets")),
        ("hf://spaces/", section("spaces")),
        ("https://huggingface.co/api/whoami-v2", section("api")),
        ("hf://buckets/org/name", section("buckets")),
        ("https://huggingface.co/org/name/tree/a%20b", Error::Revision(RevisionError)),
        ("org/name@", Error::Revision(RevisionError)),
        ("org/name@a..b", Error::Revision(RevisionError)),
        ("org/name:Q4_K_M", tag("org/name", "Q4_K_M")),
        ("hf.co/org/name:Q4_K_M", tag("org/name", "Q4_K_M")),
        ("https://huggingface.co/org/name:IQ2_XS", tag("org/name", "IQ2_XS")),
        ("gpt2:latest", tag("gpt2", "latest")),
        ("org/name@v1:Q8_0", tag_at("v1")),
        ("org/name:Q8_0@v1", tag_at("v1")),
        ("org/name@refs/pr/1:Q8_0", tag_at("refs/pr/1")),
        ("org/name@a:b:Q8_0", Error::Revision(RevisionError)),
        (
            "https://huggingface.co/org/name/discussions/7",
            Error::Discussion { id: id("org/name"), number: 7 },
        ),
        (".", Error::LocalPath),
        ("..", Error::LocalPath),
        ("./models/x", Error::LocalPath),
        ("../etc", Error::LocalPath),
        ("/name", Error::LocalPath),
        ("~/models", Error::LocalPath),
        ("C:\\models", Error::LocalPath),
        ("c:/models", Error::LocalPath),
        ("file:///models", Error::LocalPath),
        ("ssh -p 22 root@h", Error::Box),
        ("ssh://root@h:22", Error::Box),
        ("root@h", Error::Box),
        ("user@h:models", Error::Box),
        ("user@h:/models", Error::Box),
        ("box:/models", Error::Box),
    ] {
        assert_eq!(parse(text), Err(reason), "{text}");
    }
}
