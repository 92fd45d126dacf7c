//! The environment variables of `huggingface_hub`, which many tools share, read as it reads them.
//!
//! Nothing here touches the process: variables and files come through [`Variables`], so that a test is a table.

use std::io;
use std::path::{Path, PathBuf};

use hfdown_agent::cache_place::CacheVariables;

use crate::system::HOME;

/// Where variables and small files come from.
#[derive(Clone, Copy)]
pub struct Variables<'a> {
    /// A variable's value, if it is set.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
    /// A file's text.
    pub file: &'a dyn Fn(&Path) -> io::Result<String>,
}

impl Variables<'_> {
    /// A variable that is set and not blank.
    pub fn text(&self, name: &str) -> Option<String> {
        self.cache().text(name)
    }

    /// A variable that says yes: `1`, `ON`, `YES` or `TRUE`, in any case.
    pub fn says_yes(&self, name: &str) -> bool {
        self.text(name).is_some_and(|value| {
            matches!(value.trim().to_ascii_uppercase().as_str(), "1" | "ON" | "YES" | "TRUE")
        })
    }

    /// Whether the Hub must not be asked at all.
    pub fn is_offline(&self) -> bool {
        self.says_yes("HF_HUB_OFFLINE") || self.says_yes("TRANSFORMERS_OFFLINE")
    }

    /// `HF_HOME`, or where it is by default. `None` where not even the user's own folder is known.
    pub fn hf_home(&self) -> Option<PathBuf> {
        self.cache().hf_home()
    }

    /// The folder of the hub cache. `None` where not even the user's own folder is known.
    pub fn hub_cache(&self) -> Option<PathBuf> {
        self.cache().hub_cache()
    }

    /// The variable that says where that is; none where the user's own folder does.
    pub fn names_cache(&self) -> Option<&'static str> {
        self.cache().deciding()
    }

    /// The file that holds the token of `hf auth login`.
    pub fn token_file(&self) -> Option<PathBuf> {
        let named = self.text("HF_TOKEN_PATH").map(|path| self.expand(&path));
        named.or_else(|| self.hf_home().map(|home| home.join("token")))
    }

    /// A path with its `~` and `$NAME` expanded.
    pub fn expand(&self, path: &str) -> PathBuf {
        self.cache().expand(path)
    }

    fn cache(&self) -> CacheVariables<'_> {
        CacheVariables { variable: self.variable, home: HOME }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token_file(variables: &[(&str, &str)]) -> Option<PathBuf> {
        let variable = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        let file = |_: &Path| Err(io::ErrorKind::NotFound.into());
        Variables { variable: &variable, file: &file }.token_file()
    }

    #[test]
    fn finds_the_token_file_as_huggingface_hub_does() {
        let home = (HOME, "/h");
        for (variables, expected) in [
            (vec![], None),
            (vec![home], Some("/h/.cache/huggingface/token")),
            (vec![home, ("XDG_CACHE_HOME", "/x")], Some("/x/huggingface/token")),
            (vec![home, ("XDG_CACHE_HOME", "/x"), ("HF_HOME", "/y")], Some("/y/token")),
            (vec![home, ("HF_HOME", "~/z")], Some("/h/z/token")),
            (vec![home, ("HF_HOME", "  ")], Some("/h/.cache/huggingface/token")),
            (vec![home, ("HF_HOME", "/y"), ("HF_TOKEN_PATH", "/t/tok")], Some("/t/tok")),
            (
                vec![home, ("U", "me"), ("HF_HOME", "/d/${U}/$U-$NONE/${NONE}/$")],
                Some("/d/me/me-$NONE/${NONE}/$/token"),
            ),
        ] {
            assert_eq!(token_file(&variables), expected.map(PathBuf::from), "{variables:?}");
        }
    }
}
