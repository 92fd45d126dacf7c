//! DIR, here and on a box: a path, as the system there has it. Shells, other systems and chats teach other ways to write one,
//! which would all be names of odd folders; they are answered with what to type.
//!
//! `~` and `~/…` mean the home of the user that the agent runs as. What is refused and really is the name of a folder can be
//! written with `./` before it, or `/` behind it.

use crate::text::is_hidden;

/// Where a folder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Here,
    OnBox,
}

/// Checks that the folder on a box is just that.
pub(super) fn parse_folder_there(text: &str) -> Result<String, String> {
    check(text, Place::OnBox)
}

/// Checks the same of a folder or a file here, where the user's shell has done its part.
#[expect(clippy::needless_pass_by_value, reason = "clap passes what it has made")]
pub(super) fn parse_path_here(text: String) -> Result<String, String> {
    check(&text, Place::Here)
}

/// The same of a word that takes the place of one.
pub fn check_path_here(text: &str) -> Result<(), String> {
    check(text, Place::Here).map(drop)
}

/// The same of one that takes the place of a folder on a box.
pub fn check_folder_there(text: &str) -> Result<(), String> {
    check(text, Place::OnBox).map(drop)
}

fn check(text: &str, place: Place) -> Result<String, String> {
    let complaint = empty(text, place)
        .or_else(|| stray_characters(text))
        .or_else(|| windows(text, place))
        .or_else(|| address(text))
        .or_else(|| another_host(text, place))
        .or_else(|| for_a_shell(text, place));
    complaint.map_or_else(|| Ok(text.to_owned()), Err)
}

fn empty(text: &str, place: Place) -> Option<String> {
    text.is_empty().then(|| match place {
        Place::OnBox => "it is the folder's path on the box, like /workspace".to_owned(),
        Place::Here => "it is the path of a folder, like ./models".to_owned(),
    })
}

/// What came along when it was copied.
fn stray_characters(text: &str) -> Option<String> {
    let is_quote = |character: char| "'\"`‘’“”«»".contains(character);
    let bare = text.trim().trim_matches(is_quote);
    if text.ends_with(['\r', '\n']) {
        Some(format!("it ends in a line break: write {bare}"))
    } else if text.contains(is_hidden) {
        Some("it has an invisible character in it: type it anew".to_owned())
    } else if text.trim() != text {
        Some(format!("it begins or ends with a space: write {bare}"))
    } else if text.starts_with(is_quote) {
        Some(format!("it has quotes of its own: write {bare}"))
    } else {
        None
    }
}

fn windows(text: &str, place: Place) -> Option<String> {
    let mut characters = text.chars();
    let is_drive = characters.next().is_some_and(|letter| letter.is_ascii_alphabetic())
        && characters.next() == Some(':')
        && matches!(characters.next(), None | Some('/' | '\\'));
    let is_variable = text.strip_prefix('%').is_some_and(|rest| rest.contains('%'));
    if !is_drive && !is_variable && !text.contains('\\') || place == Place::Here && cfg!(windows) {
        return None;
    }
    let home = if text.starts_with("~\\") { Some(text.replace('\\', "/")) } else { None };
    let relative = !is_drive && !is_variable && !text.starts_with('\\');
    let instead = home.or_else(|| relative.then(|| text.replace('\\', "/")));
    Some(match (instead, place) {
        (Some(instead), _) => format!("it is written as on Windows: write {instead}"),
        (None, Place::OnBox) => {
            "it is a path of Windows: on the box, write it like /workspace/models or ~/models".to_owned()
        }
        (None, Place::Here) => {
            "it is a path of Windows: on this system, write it like ./models, ~/models or /mnt/c/models"
                .to_owned()
        }
    })
}

fn address(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    let is_scheme = !scheme.is_empty()
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    let is_ssh = ["ssh", "scp", "sftp", "rsync"].contains(&scheme);
    if !is_scheme || is_ssh {
        return None;
    }
    Some(match rest.find('/') {
        Some(path) if scheme.eq_ignore_ascii_case("file") => {
            format!("it is an address: write {}", &rest[path..])
        }
        _ => "it is an address, and this is the place of a folder's path".to_owned(),
    })
}

fn another_host(text: &str, place: Place) -> Option<String> {
    let (before, after) = text.split_once(':')?;
    if before.contains('/') || !(before.contains('@') || after.starts_with(['/', '~'])) {
        return None;
    }
    Some(match place {
        Place::OnBox => "it is a path alone, like /workspace: the box is named by the SSH command".to_owned(),
        Place::Here => {
            "it is on another machine: `hfdown rsync-to-vast MODEL SSH DIR` brings a folder there up to date"
                .to_owned()
        }
    })
}

/// What a shell would have made something else of.
fn for_a_shell(text: &str, place: Place) -> Option<String> {
    let has_variable = text.match_indices('$').any(|(at, _)| {
        let next = text[at + 1..].chars().next();
        next.is_some_and(|next| next.is_alphabetic() || "_{(".contains(next))
    });
    if text.contains('`') || text.contains("$(") {
        return Some("commands mean nothing here: write the path itself".to_owned());
    }
    if has_variable || text.starts_with('$') {
        return Some(match place {
            Place::OnBox => {
                "variables mean nothing here: write ~/models for a folder in the home of the box".to_owned()
            }
            Place::Here => {
                "variables are filled in by a shell, outside of single quotes: write the path itself, like ~/models".to_owned()
            }
        });
    }
    let rest = text.strip_prefix('~').filter(|rest| !rest.is_empty() && !rest.starts_with('/'))?;
    let user = rest.split('/').next().unwrap_or_default();
    let below = &rest[user.len()..];
    let home = if user == "root" { "/root".to_owned() } else { format!("/home/{user}") };
    let whose = match place {
        Place::OnBox => "the user that the SSH command names",
        Place::Here => "your own user",
    };
    Some(format!(
        "the homes of other users are not looked up: write the whole path, like {home}{below}, or ~{} for {whose}",
        if below.is_empty() { "/models" } else { below }
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_on_a_box_is_a_path_alone() {
        for text in [
            "/workspace",
            "~",
            "~/",
            "~/models",
            "models",
            "./a:/b",
            "odd:name",
            "/cost in $",
            "a/~b",
            "./~root/x",
            "/workspace/100%",
            "models/",
            "/a b/c",
            "it's",
            "-x",
            "größe",
            "/w/$5",
        ] {
            assert_eq!(parse_folder_there(text).as_deref(), Ok(text));
            assert_eq!(parse_path_here(text.to_owned()).as_deref(), Ok(text));
        }
        for (text, words) in [
            ("", "it is the folder's path on the box, like /workspace"),
            ("root@box:/workspace", "the box is named by the SSH command"),
            ("root@box:models", "the box is named by the SSH command"),
            ("box:/workspace", "the box is named by the SSH command"),
            ("box:~/models", "the box is named by the SSH command"),
            ("ssh://root@box/workspace", "the box is named by the SSH command"),
            ("$HOME/models", "write ~/models"),
            ("${HOME}/models", "variables mean nothing here"),
            ("/workspace/$MODEL", "variables mean nothing here"),
            ("$(pwd)", "commands mean nothing here"),
            ("`pwd`/x", "it has quotes of its own"),
            ("/w/`id`", "commands mean nothing here"),
            (
                "~user",
                "write the whole path, like /home/user, or ~/models for the user that the SSH command names",
            ),
            ("~user/x", "write the whole path, like /home/user/x, or ~/x for"),
            ("~root/x", "like /root/x, or ~/x for"),
            ("~+/x", "the homes of other users are not looked up"),
            ("~\\models\\x", "write ~/models/x"),
            ("models\\x", "write models/x"),
            ("C:\\x", "on the box, write it like /workspace/models"),
            ("c:/x", "it is a path of Windows"),
            ("C:", "it is a path of Windows"),
            ("\\\\server\\share", "it is a path of Windows"),
            ("%USERPROFILE%\\x", "it is a path of Windows"),
            ("file:///workspace/x", "write /workspace/x"),
            ("s3://bucket/x", "it is an address, and this is the place of a folder's path"),
            ("/workspace\r", "it ends in a line break: write /workspace"),
            ("/workspace\n", "it ends in a line break"),
            ("/work\tspace", "invisible character"),
            ("/workspace\u{200b}", "invisible character"),
            (" /workspace", "it begins or ends with a space: write /workspace"),
            ("/workspace ", "it begins or ends with a space"),
            ("'/workspace/x'", "it has quotes of its own: write /workspace/x"),
            ("\"/workspace/x\"", "it has quotes of its own"),
            ("“/workspace/x”", "it has quotes of its own: write /workspace/x"),
        ] {
            let said = parse_folder_there(text).expect_err(text);
            assert!(said.contains(words), "{text:?}: {said}");
            assert!(parse_path_here(text.to_owned()).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_folder_here_is_refused_in_words_of_its_own() {
        for (text, words) in [
            ("", "like ./models"),
            ("root@box:/workspace", "`hfdown rsync-to-vast MODEL SSH DIR`"),
            ("$HOME/models", "outside of single quotes"),
            ("C:\\x", "/mnt/c/models"),
            ("~user/x", "or ~/x for your own user"),
        ] {
            let said = parse_path_here(text.to_owned()).expect_err(text);
            assert!(said.contains(words), "{text:?}: {said}");
        }
    }
}
