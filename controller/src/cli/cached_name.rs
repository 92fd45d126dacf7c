//! What is typed for a repository in the cache: an address means there what it means where MODEL stands.

use super::model::{endpoint, shown};
use crate::failure::{Exit, Problem};
use crate::hub::{Endpoint, RepoReference};

const TARGET: &str =
    "write `org/name`, `datasets/org/name` or `org/name@REF`; `hfdown cache ls` shows what there is";

/// The name of a repository, or of a revision of one, where its address was typed; else what was typed.
pub fn name_in_cache(typed: &str, attempted: impl Fn(&str) -> String) -> Result<String, Problem> {
    if !is_address(typed) {
        return Ok(typed.to_owned());
    }
    name_at(typed, &endpoint()?, attempted)
}

fn name_at(typed: &str, endpoint: &Endpoint, attempted: impl Fn(&str) -> String) -> Result<String, Problem> {
    let problem = || Problem::new(Exit::Usage, attempted(&shown(typed)));
    let reference = RepoReference::parse(typed.trim(), endpoint)
        .map_err(|error| problem().because(error).hint(TARGET))?;
    let RepoReference { id, revision, inner } = reference;
    match (revision, inner) {
        (_, Some(inner)) => {
            let because = format!("it leads to `{}` inside of `{id}`", shown(&inner.path));
            let hint = format!("repositories and revisions are what the cache has: `{id}` is all of it");
            Err(problem().because(because).hint(hint))
        }
        (Some(revision), None) => Ok(format!("{id}@{revision}")),
        (None, None) => Ok(id.to_string()),
    }
}

/// Whether it is the address of a page, or of git. `hf://` is none: the cache may have what the Hub has no page of.
fn is_address(typed: &str) -> bool {
    let typed = typed.trim().to_ascii_lowercase();
    let is_site = ["huggingface.co/", "www.huggingface.co/", "hf.co/", "git clone ", "git+", "git@"];
    is_site.iter().any(|start| typed.starts_with(start))
        || typed.split_once("://").is_some_and(|(scheme, _)| scheme != "hf")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_means_its_repository_or_its_revision() {
        let hub = Endpoint::hub().unwrap();
        let name = |typed: &str| {
            let said = |typed: &str| format!("cannot remove {typed}");
            if is_address(typed) { name_at(typed, &hub, said) } else { Ok(typed.to_owned()) }
        };
        for (typed, meant) in [
            ("org/name", "org/name"),
            ("hf://kernels/org/name", "hf://kernels/org/name"),
            ("https://huggingface.co/org/name", "org/name"),
            ("huggingface.co/datasets/org/name/", "datasets/org/name"),
            ("https://hf.co/org/name/tree/main", "org/name@main"),
            ("https://huggingface.co/org/name/tree/refs%2Fpr%2F1", "org/name@refs/pr/1"),
            ("git clone https://huggingface.co/org/name", "org/name"),
        ] {
            assert_eq!(name(typed).ok().as_deref(), Some(meant), "{typed}");
        }
        let said = name("https://huggingface.co/org/name/blob/main/a.bin").unwrap_err();
        assert_eq!(said.causes, ["it leads to `a.bin` inside of `org/name`"]);
        let said = name("https://user:secret@example.org/org/name").unwrap_err();
        assert_eq!((said.exit, said.attempted.contains("secret")), (Exit::Usage, false));
    }
}
