//! Where the hub cache is that was asked for, here and on a box.

use std::path::Path;

use hfdown_protocol::Symlinks;

use super::box_arguments::CacheArguments;
use super::folders::{check_path_here, parse_folder_there};
use crate::failure::{Exit, Problem};
use crate::hub::Variables;

/// A hub cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cache {
    /// The folder; none is that of the user on a box, who alone knows it.
    pub folder: Option<String>,
    /// The same in words, with what named it.
    pub in_words: String,
    /// Whether a snapshot in it may consist of links.
    pub symlinks: Symlinks,
}

impl Cache {
    /// The one here, if one was asked for.
    pub fn here(arguments: &CacheArguments) -> Result<Option<Self>, Problem> {
        let variable = |name: &str| std::env::var(name).ok();
        let file = |path: &Path| std::fs::read_to_string(path);
        Self::here_by(arguments, Variables { variable: &variable, file: &file })
    }

    fn here_by(arguments: &CacheArguments, variables: Variables<'_>) -> Result<Option<Self>, Problem> {
        if !arguments.is_wanted() {
            return Ok(None);
        }
        let (folder, named_by) = if let Some(folder) = &arguments.cache_dir {
            check_path_here(folder).map_err(|why| unusable(folder, &why))?;
            (folder.clone(), "--cache-dir")
        } else {
            let folder = variables.hub_cache().and_then(|folder| folder.to_str().map(str::to_owned));
            (folder.ok_or_else(unknown)?, variables.names_cache().unwrap_or("the default"))
        };
        let is_without_links = variables.says_yes("HF_HUB_DISABLE_SYMLINKS");
        let symlinks = if is_without_links { Symlinks::Never } else { Symlinks::WherePossible };
        let in_words = format!("the hub cache {folder} ({named_by})");
        Ok(Some(Self { folder: Some(folder), in_words, symlinks }))
    }

    /// The words that mean the cache in this folder, here or on a box.
    pub fn words(folder: Option<&str>, is_here: bool) -> Vec<String> {
        let default = || Self::here(&CacheArguments { cache: true, cache_dir: None }).ok().flatten();
        let is_default = is_here && default().is_some_and(|cache| cache.folder.as_deref() == folder);
        match folder.filter(|_| !is_default) {
            Some(folder) => vec!["--cache-dir".to_owned(), folder.to_owned()],
            None => vec!["--cache".to_owned()],
        }
    }

    /// The one on a box, if one was asked for.
    pub fn on_box(arguments: &CacheArguments) -> Result<Option<Self>, Problem> {
        if !arguments.is_wanted() {
            return Ok(None);
        }
        let folder = arguments.cache_dir.as_deref();
        let folder = folder.map(|folder| parse_folder_there(folder).map_err(|why| unusable(folder, &why)));
        let folder = folder.transpose()?;
        let in_words = match &folder {
            Some(folder) => format!("the hub cache {folder} (--cache-dir)"),
            None => "the hub cache of its user".to_owned(),
        };
        Ok(Some(Self { folder, in_words, symlinks: Symlinks::WherePossible }))
    }
}

fn unusable(folder: &str, why: &str) -> Problem {
    Problem::new(Exit::Usage, format!("cannot use `{folder}` as the hub cache")).because(why)
}

fn unknown() -> Problem {
    Problem::new(Exit::Usage, "cannot tell where the hub cache is")
        .because("neither HF_HUB_CACHE nor HF_HOME nor the folder of the user is known")
        .hint("name it: --cache-dir DIR")
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::system::HOME;

    fn here(cache_dir: Option<&str>, set: &[(&str, &str)]) -> Result<Option<Cache>, Problem> {
        let variable =
            |name: &str| set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        let file = |_: &Path| Err(io::ErrorKind::NotFound.into());
        let arguments = CacheArguments { cache: true, cache_dir: cache_dir.map(str::to_owned) };
        Cache::here_by(&arguments, Variables { variable: &variable, file: &file })
    }

    #[test]
    fn it_is_told_what_named_the_cache() {
        let home = (HOME, "/h");
        for (cache_dir, set, expected) in [
            (None, vec![home], "the hub cache /h/.cache/huggingface/hub (the default)"),
            (None, vec![home, ("HF_HOME", "~/x")], "the hub cache /h/x/hub (HF_HOME)"),
            (None, vec![home, ("HF_HOME", "/x"), ("HF_HUB_CACHE", "/y")], "the hub cache /y (HF_HUB_CACHE)"),
            (Some("/z"), vec![home, ("HF_HUB_CACHE", "/y")], "the hub cache /z (--cache-dir)"),
        ] {
            let cache = here(cache_dir, &set).unwrap().unwrap();
            assert_eq!(cache.in_words, expected);
            assert_eq!(cache.symlinks, Symlinks::WherePossible);
        }
        let copies = here(None, &[home, ("HF_HUB_DISABLE_SYMLINKS", "true")]).unwrap().unwrap();
        assert_eq!(copies.symlinks, Symlinks::Never);
        assert_eq!(here(None, &[]).unwrap_err().exit, Exit::Usage);
        assert_eq!(here(Some("$HOME/x"), &[home]).unwrap_err().exit, Exit::Usage);
    }
}
