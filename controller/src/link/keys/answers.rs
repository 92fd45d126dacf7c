//! The passwords that the user has given to servers. A run asks once for each and keeps it in memory, so that a link that
//! breaks can be made anew; it is wiped with the run, and never written anywhere.
//!
//! A code of a second factor is good for one login and is not kept.

use std::collections::HashMap;

use zeroize::Zeroizing;

/// By login and question.
pub(in crate::link) type Passwords = HashMap<String, RememberedPassword>;

/// What the user said when asked for a password.
#[derive(Clone)]
pub(in crate::link) enum RememberedPassword {
    /// This.
    Given(Zeroizing<String>),
    /// Nothing, and is not asked again.
    Declined,
}

/// Whether a server's question is for a password, and not for a code that is good for one login, or for a new password.
pub(in crate::link) fn is_password(question: &str) -> bool {
    const OTHERS: [&str; 9] =
        ["one-time", "one time", "onetime", "otp", "oath", "token", "new ", "retype", "code"];
    let question = question.to_lowercase();
    question.contains("password") && !OTHERS.iter().any(|other| question.contains(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_passwords_from_codes() {
        for (question, is) in [
            ("Password: ", true),
            ("root@box's password:", true),
            ("LDAP Password for root:", true),
            ("Verification code: ", false),
            ("One-time password (OATH) for `root': ", false),
            ("New password:", false),
            ("Retype password:", false),
            ("Passcode or option (1-3): ", false),
            ("Password & verification code: ", false),
        ] {
            assert_eq!(is_password(question), is, "{question}");
        }
    }
}
