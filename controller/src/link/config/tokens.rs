//! `%h` and its like.

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
}

impl Tokens<'_> {
    /// The text with its tokens replaced. None if it has one that is not known here.
    pub(in super::super) fn expand(&self, text: &str) -> Option<String> {
        let mut expanded = String::with_capacity(text.len());
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
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
