//! The user's access token, and where it is found.
//!
//! A token cannot be printed: there is no `Display`, `Debug` is a fixed word, and the only way out of the type is a
//! header that is marked sensitive.

use std::fmt;
use std::io;
use std::path::PathBuf;

use reqwest::header::HeaderValue;

use super::Variables;

/// An access token of the Hub.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    header: HeaderValue,
    source: TokenSource,
}

/// Where a token came from, for messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenSource {
    /// The option `--token`.
    Typed,
    /// This environment variable.
    Variable(&'static str),
    /// The file that `hf auth login` writes.
    File(PathBuf),
}

/// Why a token can't be used. The token itself is never part of the message.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// Blank, where one was given on purpose.
    #[error("the token of {0} is empty")]
    Empty(TokenSource),
    /// It holds something that no token and no header can hold: a blank inside, a control character, a letter beyond
    /// ASCII.
    #[error("the token of {0} has a character that no token has")]
    Character(TokenSource),
    /// The token file is there and can't be read.
    #[error("cannot read the token in {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        error: io::Error,
    },
}

impl Token {
    /// Checks a token. Line breaks and the blanks around it are dropped, as `huggingface_hub` does; `None` if nothing
    /// is left.
    pub fn new(text: &str, source: &TokenSource) -> Result<Option<Self>, TokenError> {
        let text: String =
            text.trim().chars().filter(|character| !matches!(character, '\r' | '\n')).collect();
        if text.is_empty() {
            return Ok(None);
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(TokenError::Character(source.clone()));
        }
        let mut header = HeaderValue::try_from(format!("Bearer {text}"))
            .map_err(|_| TokenError::Character(source.clone()))?;
        header.set_sensitive(true);
        Ok(Some(Self { header, source: source.clone() }))
    }

    /// Finds the token in `huggingface_hub`'s order; what was typed comes first.
    ///
    /// A blank variable or file is passed over. `HF_HUB_DISABLE_IMPLICIT_TOKEN` leaves only what was typed.
    pub fn find(
        typed: Option<&str>,
        environment: &Variables<'_>,
    ) -> Result<Option<(Self, TokenSource)>, TokenError> {
        if let Some(typed) = typed {
            let token =
                Self::new(typed, &TokenSource::Typed)?.ok_or(TokenError::Empty(TokenSource::Typed))?;
            return Ok(Some((token, TokenSource::Typed)));
        }
        if environment.says_yes("HF_HUB_DISABLE_IMPLICIT_TOKEN") {
            return Ok(None);
        }
        for name in ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"] {
            let source = TokenSource::Variable(name);
            if let Some(text) = environment.text(name)
                && let Some(token) = Self::new(&text, &source)?
            {
                return Ok(Some((token, source)));
            }
        }
        let Some(path) = environment.token_file() else { return Ok(None) };
        let text = match (environment.file)(&path) {
            Ok(text) => text,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(None);
            }
            Err(error) => return Err(TokenError::File { path, error }),
        };
        let source = TokenSource::File(path);
        Ok(Self::new(&text, &source)?.map(|token| (token, source)))
    }

    /// The value of the `Authorization` header, marked sensitive. For requests to the Hub's own origin only.
    pub(super) fn header(&self) -> HeaderValue {
        self.header.clone()
    }

    /// Where it came from.
    pub(super) fn source(&self) -> &TokenSource {
        &self.source
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token(hidden)")
    }
}

impl fmt::Display for TokenSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Typed => formatter.write_str("--token"),
            Self::Variable(name) => formatter.write_str(name),
            Self::File(path) => write!(formatter, "{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    /// `file` is what the token file holds.
    fn find(
        typed: Option<&str>,
        variables: &[(&str, &str)],
        file: &io::Result<&str>,
    ) -> Result<Option<(String, String)>, TokenError> {
        let variable = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        let file = |path: &Path| match file {
            Ok(text) if path == Path::new("/home/token") => Ok((*text).to_owned()),
            Ok(_) => Err(io::ErrorKind::NotFound.into()),
            Err(error) => Err(error.kind().into()),
        };
        let found = Token::find(typed, &Variables { variable: &variable, file: &file })?;
        Ok(found.map(|(token, source)| (token.header().to_str().unwrap().to_owned(), source.to_string())))
    }

    #[test]
    fn is_found_in_the_order_of_huggingface_hub() {
        let home = ("HF_HOME", "/home");
        let new = ("HF_TOKEN", "hf_new");
        let old = ("HUGGING_FACE_HUB_TOKEN", "hf_old\r\n");
        let file = || Ok(" hf_file\n");
        for (typed, variables, expected) in [
            (Some("hf_typed"), vec![home, new, old], Some(("hf_typed", "--token"))),
            (None, vec![home, new, old], Some(("hf_new", "HF_TOKEN"))),
            (None, vec![home, ("HF_TOKEN", " \n"), old], Some(("hf_old", "HUGGING_FACE_HUB_TOKEN"))),
            (None, vec![home], Some(("hf_file", "/home/token"))),
            (None, vec![home, new, ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "true")], None),
            (Some("hf_typed"), vec![("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")], Some(("hf_typed", "--token"))),
            (None, vec![], None),
            (None, vec![("HF_HOME", "/nowhere")], None),
        ] {
            let expected = expected.map(|(token, source)| (format!("Bearer {token}"), source.to_owned()));
            assert_eq!(find(typed, &variables, &file()).unwrap(), expected, "{typed:?} {variables:?}");
        }
    }

    #[test]
    fn what_no_header_can_hold_is_refused_without_showing_it() {
        for text in ["hf_a b", "hf_\u{1b}x", "hf_ü", "hf_\0"] {
            let error = find(Some(text), &[], &Ok("")).unwrap_err();
            assert_eq!(error.to_string(), "the token of --token has a character that no token has");
        }
        assert!(matches!(find(Some(" \n"), &[], &Ok("")), Err(TokenError::Empty(TokenSource::Typed))));
    }

    #[test]
    fn a_token_file_that_cannot_be_read_is_an_error() {
        let denied = Err(io::ErrorKind::PermissionDenied.into());
        assert!(matches!(find(None, &[("HF_HOME", "/home")], &denied), Err(TokenError::File { .. })));
    }

    #[test]
    fn never_prints_itself() {
        let token = Token::new("hf_secret", &TokenSource::Typed).unwrap().unwrap();
        assert_eq!(format!("{token:?}"), "Token(hidden)");
        assert_eq!(format!("{:?}", token.header()), "Sensitive");
    }
}
