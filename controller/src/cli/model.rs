//! MODEL: the repository and the revision that are meant, or the command that may have been.

use super::arguments::RepoArguments;
use crate::failure::{Exit, Problem};
use crate::hub::{
    Endpoint, InnerPath, InnerPathKind, ReferenceError, RepoId, RepoIdError, RepoReference, Revision,
    Variables,
};
use crate::selection::{Glob, Quantisation};
use crate::text::sanitize;

// What to type instead.
const ENDPOINT: &str = "unset it to use https://huggingface.co, or let it be the address of another Hub";
const REPOSITORY: &str = "write `name`, `organisation/name`, `datasets/organisation/name`, or paste the address of the repository's page";
const REVISION: &str =
    "the branches and tags are listed on the repository's page, under `Files and versions`";

/// The most characters that are shown of what was typed, and of a command that has it in it.
const LONGEST: usize = 4000;

/// A command as it was typed, as far as MODEL has to know it.
#[derive(Debug, Clone)]
pub struct TypedCommand<'a> {
    /// The verb.
    pub verb: &'static str,
    /// The words behind MODEL.
    pub after: Vec<&'a str>,
}

/// The repository that was typed, at a revision.
#[derive(Debug)]
pub struct Model {
    /// The Hub.
    pub endpoint: Endpoint,
    /// The repository.
    pub repo: RepoId,
    /// Its version.
    pub revision: Revision,
    /// The quantisation that was typed behind its name, as `llama.cpp` and `ollama` take it: `org/name:Q4_K_M`.
    pub quantisation: Option<Quantisation>,
    /// The verb that it was typed for.
    pub verb: &'static str,
}

impl Model {
    /// What was typed where only the whole of a repository makes sense.
    pub fn whole(source: &RepoArguments, command: &TypedCommand<'_>) -> Result<Self, Problem> {
        match Self::with_path(source, command)? {
            (model, None) => Ok(model),
            (model, Some(inner)) => Err(model.is_not_the_whole(source, command, &inner)),
        }
    }

    /// What was typed where it may also be the address of a file.
    pub fn with_path(
        source: &RepoArguments,
        command: &TypedCommand<'_>,
    ) -> Result<(Self, Option<InnerPath>), Problem> {
        let endpoint = endpoint()?;
        let typed = &source.model;
        let (reference, quantisation) = quantised(RepoReference::parse(typed, &endpoint), command);
        let RepoReference { id, revision, inner } = reference.map_err(|error| {
            names_no_repository(typed).because(&error).hint(advice(&error, typed, command, &endpoint))
        })?;
        let revision = match (&source.revision, revision) {
            (Some(option), pasted) => {
                let option = Revision::typed(option).map_err(|error| {
                    Problem::new(Exit::Usage, format!("`{}` is no revision", shown(option)))
                        .because(error)
                        .hint(REVISION)
                })?;
                if let Some(pasted) = pasted.filter(|pasted| *pasted != option) {
                    return Err(Problem::new(Exit::Usage, format!("two revisions of {id} are named"))
                        .because(format!("`{}` says {pasted}, and --revision says {option}", shown(typed)))
                        .hint(format!("leave one of them out: `{}`", of_command(command, &id, &option))));
                }
                option
            }
            (None, pasted) => pasted.unwrap_or_default(),
        };
        Ok((Self { endpoint, repo: id, revision, quantisation, verb: command.verb }, inner))
    }

    /// The command that fetches one of its files.
    pub fn file_command(&self, path: &str) -> String {
        file_command(&self.repo, path, &self.revision)
    }

    /// The command that fetches one of its folders.
    pub fn folder_command(&self, command: &TypedCommand<'_>, path: &str) -> String {
        let pattern = Glob::of_folder(path);
        let after = command.after.iter().copied().chain(["--include", &pattern]).collect();
        of_command(&TypedCommand { verb: command.verb, after }, &self.repo, &self.revision)
    }

    fn is_not_the_whole(
        &self,
        source: &RepoArguments,
        command: &TypedCommand<'_>,
        inner: &InnerPath,
    ) -> Problem {
        let (repo, path) = (&self.repo, shown(&inner.path));
        let (file, whole) = (self.file_command(&inner.path), of_command(command, repo, &self.revision));
        let problem = names_no_repository(&source.model);
        match inner.kind {
            InnerPathKind::File => problem
                .because(format!("it leads to the file `{path}` inside of `{repo}`"))
                .hint(format!("that file alone comes here with `{file}`; all of the repository is `{whole}`")),
            InnerPathKind::Folder => problem
                .because(format!("it leads to the folder `{path}` inside of `{repo}`"))
                .hint(format!(
                    "that folder alone is `{}`; all of the repository is `{whole}`",
                    self.folder_command(command, &inner.path)
                )),
            InnerPathKind::Either => problem.because(RepoIdError::Parts).hint(format!(
                "if `{path}` is a file inside of `{repo}`, it comes here with `{file}`; all of the repository is `{whole}`"
            )),
        }
    }
}

/// A repository whose name has the quantisation behind it that is wanted of it. One file has none to choose from.
fn quantised(
    parsed: Result<RepoReference, ReferenceError>,
    command: &TypedCommand<'_>,
) -> (Result<RepoReference, ReferenceError>, Option<Quantisation>) {
    match parsed {
        Err(ReferenceError::Tag { id, revision, tag }) if command.verb != "file" => {
            match Quantisation::parse(&tag) {
                Some(named) => (Ok(RepoReference { id, revision, inner: None }), Some(named)),
                None => (Err(ReferenceError::Tag { id, revision, tag }), None),
            }
        }
        parsed => (parsed, None),
    }
}

/// The Hub that is asked.
pub(super) fn endpoint() -> Result<Endpoint, Problem> {
    let variable = |name: &str| std::env::var(name).ok();
    let file = |path: &std::path::Path| std::fs::read_to_string(path);
    let variables = Variables { variable: &variable, file: &file };
    let endpoint = variables.text("HF_ENDPOINT").map_or_else(Endpoint::hub, |text| Endpoint::new(&text));
    endpoint
        .map_err(|error| Problem::new(Exit::Usage, "cannot use HF_ENDPOINT").because(error).hint(ENDPOINT))
}

/// The command that fetches a file of a repository.
pub fn file_command(repo: &RepoId, path: &str, revision: &Revision) -> String {
    of_command(&TypedCommand { verb: "file", after: vec![path] }, repo, revision)
}

/// A command with another MODEL.
pub fn of_command(command: &TypedCommand<'_>, repo: &RepoId, revision: &Revision) -> String {
    let (repo, revision) = (repo.to_string(), revision.to_string());
    let mut words = vec!["hfdown", command.verb, &repo];
    words.extend(&command.after);
    if revision != Revision::default().to_string() {
        words.extend(["--revision", &revision]);
    }
    shown(&shell_words::join(words))
}

/// What was typed for MODEL, as something that it is not.
fn names_no_repository(typed: &str) -> Problem {
    Problem::new(Exit::Usage, format!("`{}` names no repository", shown(typed)))
}

/// What was typed, without what it may hold of a password, or of a signature.
pub(super) fn shown(typed: &str) -> String {
    let public = match typed.split_once("://") {
        Some((scheme, rest)) => {
            let host = rest.find('/').unwrap_or(rest.len());
            let begin = rest[..host].rfind('@').filter(|_| scheme != "ssh").map_or(0, |at| at + 1);
            let rest = &rest[begin..];
            let end = rest.find('?').filter(|at| is_secret(&rest[*at..])).unwrap_or(rest.len());
            format!("{scheme}://{}", &rest[..end])
        }
        None => typed.to_owned(),
    };
    sanitize(public, LONGEST)
}

/// Whether the query of an address lets in those who have it.
fn is_secret(query: &str) -> bool {
    let query = query.to_ascii_lowercase();
    ["signature=", "sig=", "token=", "credential=", "key="].iter().any(|name| query.contains(name))
}

fn advice(error: &ReferenceError, typed: &str, command: &TypedCommand<'_>, endpoint: &Endpoint) -> String {
    let main = Revision::default();
    match error {
        ReferenceError::Name(_) | ReferenceError::Section(_) => REPOSITORY.to_owned(),
        ReferenceError::Elsewhere(_) => {
            format!("{REPOSITORY}; if it is another Hub, or a mirror of it, let HF_ENDPOINT be its address")
        }
        ReferenceError::Revision(_) => REVISION.to_owned(),
        ReferenceError::Tag { id, revision, tag } => tag_advice(id, revision.as_ref(), tag, command),
        ReferenceError::Discussion { id, number } => {
            let pull = Revision::new(format!("refs/pr/{number}")).unwrap_or_default();
            format!(
                "what a pull request proposes is `{}`; what the repository has now is `{}`",
                of_command(command, id, &pull),
                of_command(command, id, &main)
            )
        }
        ReferenceError::LocalPath | ReferenceError::Box => match in_order(typed, command, endpoint) {
            Some(command) => format!("MODEL comes first: `{command}`"),
            None => REPOSITORY.to_owned(),
        },
    }
}

fn tag_advice(id: &RepoId, revision: Option<&Revision>, tag: &str, command: &TypedCommand<'_>) -> String {
    let at = revision.cloned().unwrap_or_default();
    let of = |verb| of_command(&TypedCommand { verb, after: Vec::new() }, id, &at);
    let shows = format!("`{}` shows its files", of("info"));
    if Quantisation::parse(tag).is_some() {
        let download = of("download").replacen(&id.to_string(), &format!("{id}:{tag}"), 1);
        return format!("that quantisation comes here with `{download}`; {shows}");
    }
    if tag == "latest" {
        return format!("all of the repository, as it is now, is `{}`", of_command(command, id, &at));
    }
    match Revision::new(tag.to_owned()) {
        Ok(named) if revision.is_none() => {
            format!(
                "if {tag} is a branch or a tag of it: `{}`; otherwise {shows}",
                of_command(command, id, &named)
            )
        }
        _ => shows,
    }
}

/// The command with a repository before the folder, or before the way to the box, that stands in its place.
fn in_order(typed: &str, command: &TypedCommand<'_>, endpoint: &Endpoint) -> Option<String> {
    let is_model =
        |word: &&str| RepoReference::parse(word, endpoint).is_ok_and(|reference| reference.inner.is_none());
    let (model, rest) = command.after.split_first().filter(|(first, _)| is_model(first))?;
    let words = ["hfdown", command.verb, model, typed];
    Some(shown(&shell_words::join(words.iter().chain(rest))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_in_addresses_are_not_shown() {
        for (typed, expected) in [
            ("https://user:hf_secret@hub.example/a@b", "https://hub.example/a@b"),
            ("https://hub.example/a@b", "https://hub.example/a@b"),
            ("ssh://root@h:22", "ssh://root@h:22"),
            ("https://cdn.example/x?Expires=1&Signature=s~-", "https://cdn.example/x"),
            ("https://cdn.example/x?X-Amz-Security-Token=s", "https://cdn.example/x"),
            ("https://hub.example/a/b?download=true", "https://hub.example/a/b?download=true"),
            ("org/name@v1", "org/name@v1"),
            ("a\u{1b}[2Jb", "a[2Jb"),
        ] {
            assert_eq!(shown(typed), expected);
        }
    }
}
