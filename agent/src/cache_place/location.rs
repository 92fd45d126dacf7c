//! Where the hub cache is, by the variables that `huggingface_hub` reads and in its order.

use std::path::{Path, PathBuf};

/// The variables of a user, read as `huggingface_hub` reads them. One that is blank counts as not set.
#[derive(Clone, Copy)]
pub struct CacheVariables<'a> {
    /// A variable's value, if it is set.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
    /// The name of the variable that names the user's own folder.
    pub home: &'a str,
}

/// The variables that say where the hub cache is, the first that is set first. The user's own folder follows them.
pub(super) const DECIDING: [&str; 4] = ["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"];

impl CacheVariables<'_> {
    /// A variable that is set and not blank.
    pub fn text(&self, name: &str) -> Option<String> {
        (self.variable)(name).filter(|value| !value.trim().is_empty())
    }

    /// The hub cache. `None` where not even the user's own folder is known.
    pub fn hub_cache(&self) -> Option<PathBuf> {
        let named = self.text("HF_HUB_CACHE").or_else(|| self.text("HUGGINGFACE_HUB_CACHE"));
        named.map(|folder| self.expand(&folder)).or_else(|| self.hf_home().map(|home| home.join("hub")))
    }

    /// The variable that says where the hub cache is; none where the user's own folder does.
    pub fn deciding(&self) -> Option<&'static str> {
        DECIDING.into_iter().find(|name| self.text(name).is_some())
    }

    /// `HF_HOME`, or where it is by default. `None` where not even the user's own folder is known.
    pub fn hf_home(&self) -> Option<PathBuf> {
        let below = |folder: String, rest: &str| self.expand(&folder).join(rest);
        self.text("HF_HOME")
            .map(|folder| self.expand(&folder))
            .or_else(|| self.text("XDG_CACHE_HOME").map(|folder| below(folder, "huggingface")))
            .or_else(|| self.text(self.home).map(|folder| Path::new(&folder).join(".cache/huggingface")))
    }

    /// Expands a leading `~` and every `$NAME` or `${NAME}` that is set; the rest stays as it is.
    pub fn expand(&self, path: &str) -> PathBuf {
        let mut rest = path;
        let mut expanded = String::new();
        if (path == "~" || path.starts_with("~/"))
            && let Some(home) = self.text(self.home)
        {
            expanded.push_str(&home);
            rest = &path[1..];
        }
        while let Some(start) = rest.find('$') {
            expanded.push_str(&rest[..start]);
            let after = &rest[start + 1..];
            let braced = after.strip_prefix('{').and_then(|name| name.split_once('}'));
            let is_name = |character: char| character.is_ascii_alphanumeric() || character == '_';
            let bare = &after[..after.find(|character| !is_name(character)).unwrap_or(after.len())];
            let (name, end) = braced.map_or((bare, bare.len()), |(name, _)| (name, name.len() + 2));
            match self.text(name) {
                Some(value) => expanded.push_str(&value),
                None => expanded.push_str(&rest[start..=start + end]),
            }
            rest = &after[end..];
        }
        expanded.push_str(rest);
        PathBuf::from(expanded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_cache_as_huggingface_hub_does() {
        let home = ("HOME", "/h");
        for (variables, expected) in [
            (vec![], None),
            (vec![home], Some("/h/.cache/huggingface/hub")),
            (vec![home, ("XDG_CACHE_HOME", "/x")], Some("/x/huggingface/hub")),
            (vec![home, ("XDG_CACHE_HOME", "/x"), ("HF_HOME", "~/y")], Some("/h/y/hub")),
            (vec![home, ("HF_HOME", "/y"), ("HUGGINGFACE_HUB_CACHE", "/old")], Some("/old")),
            (
                vec![home, ("HF_HUB_CACHE", "$D/c"), ("D", "/d"), ("HUGGINGFACE_HUB_CACHE", "/old")],
                Some("/d/c"),
            ),
            (vec![home, ("HF_HUB_CACHE", " "), ("HF_HOME", "")], Some("/h/.cache/huggingface/hub")),
            (vec![("HF_HUB_CACHE", "~/c")], Some("~/c")),
        ] {
            let variable = |name: &str| {
                variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
            };
            let found = CacheVariables { variable: &variable, home: "HOME" }.hub_cache();
            assert_eq!(found, expected.map(PathBuf::from), "{variables:?}");
        }
    }
}
