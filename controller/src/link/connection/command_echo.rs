//! Our own command in what a server says about it: thousands of characters that tell a user nothing.

use std::collections::HashMap;

/// From how many bytes on a text is taken for a piece of the command.
const WINDOW: usize = 16;
/// The same where it is not the command's beginning, and has a space in it: the name of a file has none.
const PIECE: usize = 32;

/// What is left of the command in a text: its first word, and that there was more.
const MORE: &[u8] = "…".as_bytes();

/// The text with `…` for all of the command but its first word. Servers break lines in it, escape its quotes, or cut its end off.
pub(super) fn without_command(text: &[u8], command: &[u8]) -> Vec<u8> {
    let mut places = HashMap::new();
    for (place, window) in command.windows(WINDOW).enumerate() {
        places.entry(window).or_insert(place);
    }
    let mut kept = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        let place = rest.get(..WINDOW).and_then(|window| places.get(window));
        let piece = place.map_or(0, |place| common(rest, &command[*place..]));
        let is_begin = place == Some(&0);
        if is_begin || (piece >= PIECE && rest[..piece].contains(&b' ')) {
            if is_begin {
                kept.extend(rest.iter().take_while(|byte| !byte.is_ascii_whitespace()));
                kept.push(b' ');
            }
            if !kept.trim_ascii_end().ends_with(MORE) {
                kept.extend(MORE);
            }
            rest = &rest[piece..];
        } else {
            kept.push(*first);
            rest = after;
        }
    }
    kept
}

/// How many bytes of the text are the command's. White space may be more or less there, and quotes and backslashes more.
fn common(text: &[u8], mut command: &[u8]) -> usize {
    let mut length = 0;
    for (at, byte) in text.iter().enumerate() {
        if !byte.is_ascii_whitespace() {
            command = command.trim_ascii_start();
        }
        match command.split_first() {
            Some((expected, after)) if expected == byte => {
                command = after;
                length = at + 1;
            }
            Some(_) if byte.is_ascii_whitespace() || b"\\'\"".contains(byte) => {}
            _ => break,
        }
    }
    length
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMAND: &str = "exec /bin/sh -c 'u=$(id -u); s=$(uname -s); m=$(uname -m); printf \"\\n%s\\n\" \"$s\"; \
                           exec \"$p\" serve /dev/shm/hfdown-0/agent-0123456789abcdef'";

    #[test]
    fn a_servers_words_stay_and_our_command_goes() {
        let half = &COMMAND[..40];
        let wrapped = COMMAND.replace("; ", ";\r\n ");
        let escaped = COMMAND.replace('"', "\\\"");
        let quoted = COMMAND.replace('\'', "'\\''");
        let tail = &COMMAND[16..];
        for (said, left) in [
            (
                format!("fatal: unrecognized command '{COMMAND}'\nbye"),
                "fatal: unrecognized command 'exec …'\nbye",
            ),
            (format!("Unknown command: {half}"), "Unknown command: exec …"),
            (format!("+ {wrapped}\r\n+ ~~~"), "+ exec …\r\n+ ~~~"),
            (format!("*** forbidden syntax -> \"{escaped}\""), "*** forbidden syntax -> \"exec …\""),
            (format!("sh -c '{quoted}': no"), "sh -c 'exec …\\''': no"),
            (format!("-c: line 1: `{tail}: twice {COMMAND}"), "-c: line 1: `…: twice exec …"),
            ("rbash: line 1: exec: restricted".to_owned(), "rbash: line 1: exec: restricted"),
            ("exec /bin/sh: not found".to_owned(), "exec /bin/sh: not found"),
            (
                "/dev/shm/hfdown-0/agent-0123456789abcdef: Permission denied".to_owned(),
                "/dev/shm/hfdown-0/agent-0123456789abcdef: Permission denied",
            ),
            (String::new(), ""),
        ] {
            let kept = without_command(said.as_bytes(), COMMAND.as_bytes());
            assert_eq!(String::from_utf8(kept).unwrap(), left);
        }
        assert_eq!(without_command(b"Welcome to a terminal", b""), b"Welcome to a terminal");
    }
}
