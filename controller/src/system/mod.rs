//! What differs between operating systems, and nothing else: a file for each kind, with the same functions.

use russh::keys::agent::client::{AgentClient, AgentStream};

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub(crate) use unix::{
    HOME, TERMINAL, Terminal, allow_descriptors, asked_to_stop, close_file, close_folder, connect_ssh_agent,
    is_out_of_descriptors, names, ownership, private, private_folder, split_words, usual_ssh_agent,
};
#[cfg(windows)]
pub(crate) use windows::{
    HOME, TERMINAL, Terminal, allow_descriptors, asked_to_stop, close_file, close_folder, connect_ssh_agent,
    is_out_of_descriptors, names, ownership, private, private_folder, split_words, usual_ssh_agent,
};

/// Whose a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileOwner {
    /// This user's.
    Ours,
    /// Another user's.
    #[cfg_attr(windows, expect(dead_code, reason = "a user's own folder holds only what is theirs"))]
    Others,
}

/// An ssh-agent, however it is reached.
pub(crate) type SshAgent = AgentClient<Box<dyn AgentStream + Send + Unpin>>;

/// A command line in which `\` is a letter like any other, for those who split it as a shell does.
#[cfg(any(windows, test))]
fn with_literal_backslashes(text: &str) -> String {
    let mut literal = String::with_capacity(text.len());
    let mut quote = None;
    for letter in text.chars() {
        match (quote, letter) {
            (None, '\'' | '"') => quote = Some(letter),
            (Some(open), _) if open == letter => quote = None,
            // In single quotes it is one already.
            (None | Some('"'), '\\') => literal.push('\\'),
            _ => {}
        }
        literal.push(letter);
    }
    literal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_windows_survive_the_splitting() {
        for (typed, path) in [
            (r"ssh -i C:\Users\me\id_ed25519 h", r"C:\Users\me\id_ed25519"),
            (r"ssh -i 'C:\my keys\id' h", r"C:\my keys\id"),
            (r#"ssh -i "C:\my keys\id" h"#, r"C:\my keys\id"),
            (r#"ssh -i "C:\it's\id" h"#, r"C:\it's\id"),
            (r"ssh -i \\server\share\id h", r"\\server\share\id"),
            ("ssh -i ~/.ssh/id h", "~/.ssh/id"),
        ] {
            let words = shell_words::split(&with_literal_backslashes(typed)).unwrap();
            assert_eq!(words, ["ssh", "-i", path, "h"]);
        }
    }
}
