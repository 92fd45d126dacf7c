//! `%h` and its like, and `${VARIABLE}`.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// The variables of the environment. They may be secrets, so they print as nothing.
#[derive(Clone, Default)]
pub struct EnvironmentVariables(Arc<HashMap<String, String>>);

impl EnvironmentVariables {
    /// Those of this process that are text.
    pub(in super::super) fn from_environment() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self(Arc::new(std::env::vars_os().filter_map(text).collect()))
    }

    /// These alone.
    #[cfg(test)]
    pub(in super::super) fn of<const N: usize>(variables: [(&str, &str); N]) -> Self {
        Self(Arc::new(variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into()))
    }

    pub(in super::super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The first variable of a text that is not set.
    pub(in super::super) fn missing<'a>(&self, text: &'a str) -> Option<&'a str> {
        let names = text.split("${").skip(1).filter_map(|rest| Some(rest.split_once('}')?.0));
        names.into_iter().find(|name| self.get(name).is_none())
    }
}

impl fmt::Debug for EnvironmentVariables {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("EnvironmentVariables").finish_non_exhaustive()
    }
}

/// What the tokens of a path or a host name stand for.
#[derive(Debug, Default)]
pub(in super::super) struct Tokens<'a> {
    /// `%d`: the home folder.
    pub(in super::super) home: Option<&'a str>,
    /// `%h`: the host's name.
    pub(in super::super) host: Option<&'a str>,
    /// `%n`: the host as it was typed.
    pub(in super::super) alias: Option<&'a str>,
    /// `%p`: the port.
    pub(in super::super) port: Option<u16>,
    /// `%r`: the user on the box.
    pub(in super::super) user: Option<&'a str>,
    /// `%u`: the user here.
    pub(in super::super) local_user: Option<&'a str>,
    /// `%k`: the host's name in `known_hosts` files.
    pub(in super::super) host_key_alias: Option<&'a str>,
    /// `%j`: the hosts on the way.
    pub(in super::super) jumps: Option<&'a str>,
    /// `${VARIABLE}`, where it means something.
    pub(in super::super) variables: Option<&'a EnvironmentVariables>,
}

impl Tokens<'_> {
    /// The text with its tokens replaced. None if it has one that is not known here.
    pub(in super::super) fn expand(&self, text: &str) -> Option<String> {
        let mut expanded = String::with_capacity(text.len());
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            if let ('$', Some(variables)) = (character, self.variables)
                && let Some((name, rest)) =
                    characters.as_str().strip_prefix('{').and_then(|rest| rest.split_once('}'))
            {
                expanded.push_str(variables.get(name)?);
                characters = rest.chars();
                continue;
            }
            if character != '%' {
                expanded.push(character);
                continue;
            }
            let port;
            let value = match characters.next()? {
                '%' => "%",
                'd' => self.home?,
                'h' => self.host?,
                'n' => self.alias?,
                'r' => self.user?,
                'u' => self.local_user?,
                'k' => self.host_key_alias?,
                'j' => self.jumps?,
                'p' => {
                    port = self.port?.to_string();
                    &port
                }
                _ => return None,
            };
            expanded.push_str(value);
        }
        Some(expanded)
    }
}
