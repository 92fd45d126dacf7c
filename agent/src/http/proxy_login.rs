//! The login in a proxy's address: a user name and a password, which no message shows.

use std::fmt;

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// The longest text of a variable that is shown.
const SHOWN: usize = 200;

/// A user name and a password, which are not printed.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Login {
    pub(super) user: String,
    pub(super) password: String,
}

impl Login {
    /// Reads `user:password`, each escaped as in an address.
    pub(super) fn parse(text: &str) -> Self {
        let (user, password) = text.split_once(':').unwrap_or((text, ""));
        let unescaped = |text| percent_decode_str(text).decode_utf8_lossy().into_owned();
        Self { user: unescaped(user), password: unescaped(password) }
    }

    /// As it is written into an address, which is not to be printed then.
    pub(super) fn escaped(&self) -> String {
        let [user, password] =
            [&self.user, &self.password].map(|text| utf8_percent_encode(text, NON_ALPHANUMERIC));
        format!("{user}:{password}")
    }
}

/// The text of a variable without its login, and without what could move a terminal's cursor.
pub(super) fn shown(text: &str) -> String {
    let text = text.trim();
    let begin = text.find("://").map_or(0, |at| at + 3);
    let hidden = match text[begin..].rfind('@') {
        Some(at) => format!("{}***{}", &text[..begin], &text[begin + at..]),
        None => text.to_owned(),
    };
    hidden.chars().map(|character| if character.is_control() { ' ' } else { character }).take(SHOWN).collect()
}

impl fmt::Debug for Login {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Login(hidden)")
    }
}
