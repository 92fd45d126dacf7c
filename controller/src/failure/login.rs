//! What to do about a login that failed.

use crate::link::{AnswerFailure, KeyFailure, TriedKey, UnlockError};

/// After how many rejected keys a server that hangs up has had enough of them, and not of something else.
const MANY: usize = 3;

/// Neither keys nor answers were taken.
pub(super) fn not_let_in(tried: &[TriedKey], methods: &str) -> String {
    if let Some((key, locked)) = locked(tried) {
        let quoted = shell_words::quote(key);
        return if *locked == UnlockError::NoPrompt {
            format!(
                "run `ssh-add {quoted}`, then try again; or run hfdown on a terminal, where it asks for the passphrase"
            )
        } else {
            format!("try again; `ssh-keygen -y -f {quoted}` shows whether a passphrase is the right one")
        };
    }
    if let Some(advice) = tried.iter().find_map(unopened) {
        return advice;
    }
    let has = |result: &KeyFailure| tried.iter().any(|tried| tried.result == *result);
    let rejected = tried.iter().filter(|tried| tried.result == KeyFailure::Rejected).count();
    if has(&KeyFailure::HungUp) && rejected >= MANY {
        return format!(
            "the server hung up after {rejected} keys: name the right one, and that one alone (-i KEY -o IdentitiesOnly=yes)"
        );
    }
    if has(&KeyFailure::Answer(AnswerFailure::Wrong)) {
        return "try again with the right password; servers keep out for a while who gets it wrong too often"
            .to_owned();
    }
    if has(&KeyFailure::Answer(AnswerFailure::Unheard)) {
        return "log in with ssh once: it shows what the server wants, and lets you change the password"
            .to_owned();
    }
    if has(&KeyFailure::Answer(AnswerFailure::Declined)) && !methods.contains("publickey") {
        return "run the same command again with the answer at hand, or let its SSH server take keys (`PubkeyAuthentication yes` \
                in its sshd_config)"
            .to_owned();
    }
    if tried.is_empty() && methods.contains("password") {
        return "name a key in the SSH command (-i KEY), or run hfdown on a terminal, where it asks for the password"
            .to_owned();
    }
    "name the right key in the SSH command (-i KEY), or add its public half to the box; a box that was just started may need \
     a minute to learn it"
        .to_owned()
}

/// A key that would have to be another file.
fn unopened(tried: &TriedKey) -> Option<String> {
    let key = shell_words::quote(&tried.key);
    Some(match tried.result {
        KeyFailure::Encryption(_) => format!(
            "`ssh-keygen -p -f {key}` writes it anew in a format that hfdown opens (its passphrase may stay), or `ssh-add {key}` lets \
             an ssh-agent sign with it"
        ),
        KeyFailure::Hardware => format!("`ssh-add {key}`, then try again: the ssh-agent asks for its touch"),
        KeyFailure::Putty(_) => {
            format!(
                "`puttygen {key} -O private-openssh -o NEW` writes it as OpenSSH has it; then name that (-i NEW)"
            )
        }
        _ => return None,
    })
}

/// The server takes no keys at all.
pub(super) fn no_keys(methods: &str, failure: Option<&AnswerFailure>) -> String {
    let keys = "let its SSH server take keys (`PubkeyAuthentication yes` in its sshd_config)";
    match failure {
        Some(AnswerFailure::NoPrompt) => {
            format!(
                "run hfdown on a terminal, where it asks for what the server takes (or set SSH_ASKPASS); or {keys}"
            )
        }
        Some(AnswerFailure::NotAsked) => format!(
            "an option forbids to ask for it: run hfdown on a terminal without BatchMode and the like; or {keys}"
        ),
        Some(AnswerFailure::Unasked) => {
            format!(
                "it asked nothing and refused: check the user; its PAM modules decide about that; or {keys}"
            )
        }
        _ if methods.is_empty() => format!("check user, host and port; or {keys}"),
        _ => format!("hfdown has keys, passwords and keyboard-interactive; {keys}"),
    }
}

/// A key was taken, and more is wanted.
pub(super) fn second_factor(methods: &str, failure: Option<&AnswerFailure>) -> String {
    if methods == "publickey" {
        return "name the other key as well (-i KEY -i KEY)".to_owned();
    }
    match failure {
        Some(AnswerFailure::NoPrompt) => {
            "run hfdown on a terminal, where it asks for it (or set SSH_ASKPASS); what has arrived is kept"
                .to_owned()
        }
        Some(AnswerFailure::NotAsked) => {
            "run hfdown on a terminal without BatchMode and the like: it asks for it there".to_owned()
        }
        Some(AnswerFailure::Wrong | AnswerFailure::Declined) => {
            "run the same command again with the right answer at hand; a code is good for one login"
                .to_owned()
        }
        Some(AnswerFailure::Unheard) => {
            "log in with ssh once: it shows what the server wants, and lets you change the password"
                .to_owned()
        }
        Some(AnswerFailure::Unasked) => {
            "its sshd_config (`AuthenticationMethods`, `UsePAM`) and its PAM modules decide about that"
                .to_owned()
        }
        Some(AnswerFailure::Unusable(_)) | None => {
            "hfdown has keys, passwords and keyboard-interactive; `ssh` may know more".to_owned()
        }
    }
}

/// A key that a passphrase is in the way of: one that the box takes, or else one that it may take.
fn locked(tried: &[TriedKey]) -> Option<(&str, &UnlockError)> {
    let find = |why: fn(&KeyFailure) -> Option<&UnlockError>| {
        tried.iter().find_map(|tried| Some((tried.key.as_str(), why(&tried.result)?)))
    };
    find(|result| if let KeyFailure::Locked(locked) = result { Some(locked) } else { None }).or_else(|| {
        find(|result| if let KeyFailure::NotOffered(locked) = result { Some(locked) } else { None })
    })
}
