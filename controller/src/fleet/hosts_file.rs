//! A file of hosts, a line each: `root@gpu1`, `gpu1 = ssh -p 22 root@10.0.0.1`, `gpu1 = root@10.0.0.1 -> /data/model`.
//!
//! `#` begins a comment, at the start of a line or behind a space. Names and hosts may have ranges: those of a line are
//! paired. What is wrong is told of every line at once.

use super::MOST_TARGETS;
use super::host_range::{RangeError, expand};
use crate::text::is_hidden;

/// The most bytes of such a file: a thousand for each target, and as many again for comments.
pub const LARGEST_HOSTS_FILE: u64 = 2_000 * MOST_TARGETS as u64;

/// The most characters of a name. Rows of a screen are not much longer.
const LONGEST_NAME: usize = 100;

/// What a line says of one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostLine {
    /// Its number in the file, from one.
    pub line: usize,
    /// What the host is called, if the line says so.
    pub name: Option<String>,
    /// The SSH command that leads there.
    pub ssh: String,
    /// The folder there, if it is one of its own.
    pub folder: Option<String>,
}

/// A line that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineFault {
    /// Its number in the file, from one.
    pub line: usize,
    /// Why.
    pub why: String,
}

/// Why a line makes no sense.
#[derive(Debug, thiserror::Error)]
enum LineError {
    #[error("it names no host")]
    NoHost,
    #[error("there is no folder behind `->`")]
    NoFolder,
    #[error("a name has at most {LONGEST_NAME} characters, and none that a terminal hides or obeys")]
    Name,
    #[error("it has {names} names and {hosts} hosts")]
    Unequal { names: usize, hosts: usize },
    #[error(
        "a group of Ansible's inventory has no place here: each line is a host, or a range like root@gpu[1-8]"
    )]
    AnsibleGroup,
    #[error("it is a line of Ansible's inventory, and is written here like gpu1 = ssh -p PORT USER@HOST")]
    AnsibleHost,
    #[error("it is a line of a known_hosts file, and is written here like root@gpu1")]
    KnownHosts,
    #[error(transparent)]
    Range(#[from] RangeError),
}

/// Reads such a file: its hosts, and all lines that make no sense.
pub fn read(bytes: &[u8]) -> (Vec<HostLine>, Vec<LineFault>) {
    let text = String::from_utf8_lossy(bytes);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let (mut hosts, mut faults) = (Vec::new(), Vec::new());
    for (line, text) in (1..).zip(text.split('\n')) {
        match host_lines(line, without_comment(text).trim()) {
            Ok(more) => hosts.extend(more),
            Err(error) => faults.push(LineFault { line, why: error.to_string() }),
        }
        if hosts.len() > MOST_TARGETS {
            faults.push(LineFault { line, why: format!("with it, {}", RangeError::TooMany) });
            break;
        }
    }
    (hosts, faults)
}

fn host_lines(line: usize, text: &str) -> Result<Vec<HostLine>, LineError> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    if let Some(foreign) = foreign(text) {
        return Err(foreign);
    }
    let (host, folder) = match outside_of_quotes(text).find("->") {
        Some(at) => (text[..at].trim(), Some(text[at + 2..].trim())),
        None => (text, None),
    };
    if folder == Some("") {
        return Err(LineError::NoFolder);
    }
    let (name, ssh) = named(host);
    if ssh.is_empty() {
        return Err(LineError::NoHost);
    }
    let hosts = expand(ssh)?;
    let names = match name {
        Some("") => return Err(LineError::Name),
        name => name.map(expand).transpose()?,
    };
    if let Some(names) = names.as_ref().filter(|names| names.len() != hosts.len()) {
        return Err(LineError::Unequal { names: names.len(), hosts: hosts.len() });
    }
    if names.iter().flatten().any(|name| !is_name(name)) {
        return Err(LineError::Name);
    }
    let mut names = names.into_iter().flatten();
    let folder = folder.map(str::to_owned);
    Ok(hosts
        .into_iter()
        .map(|ssh| HostLine { line, name: names.next(), ssh, folder: folder.clone() })
        .collect())
}

/// The name before the first `=`, and the rest; of `ssh -o Key=Value HOST` there is none.
fn named(text: &str) -> (Option<&str>, &str) {
    let Some(at) = outside_of_quotes(text).find('=') else { return (None, text) };
    let (name, is_spaced) = (text[..at].trim(), text[..at].ends_with(char::is_whitespace));
    let mut words = name.split_whitespace();
    if name.is_empty() {
        return (Some(name), text[at + 1..].trim());
    }
    let is_one = words.clone().count() == 1;
    let is_command = words.clone().next().is_some_and(|word| word.eq_ignore_ascii_case("ssh"))
        || words.any(|word| word.starts_with('-') || !is_one && word.contains('@'));
    if is_command && !(is_one && is_spaced) || !is_one && !is_spaced {
        return (None, text);
    }
    (Some(name), text[at + 1..].trim())
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().count() <= LONGEST_NAME && !name.contains(is_hidden)
}

/// What other programs' files have on their lines.
fn foreign(text: &str) -> Option<LineError> {
    let inside = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let is_word = |word: &str| {
        word.starts_with(|first: char| first.is_ascii_alphabetic())
            && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.:".contains(&byte))
    };
    // An address of IPv6 has colons, and no letters beyond `f`.
    let is_group = |word: &str| is_word(word) && word.parse::<std::net::Ipv6Addr>().is_err();
    let has = |words: &[&str]| {
        text.split_whitespace().skip(1).any(|word| words.iter().any(|it| word.starts_with(it)))
    };
    if inside.is_some_and(is_group) {
        Some(LineError::AnsibleGroup)
    } else if has(&["ansible_"]) {
        Some(LineError::AnsibleHost)
    } else if has(&["ssh-ed25519", "ssh-rsa", "ecdsa-sha2-", "sk-ssh-ed25519"]) {
        Some(LineError::KnownHosts)
    } else {
        None
    }
}

/// A line up to where a comment begins.
fn without_comment(line: &str) -> &str {
    let mut before = ' ';
    for (at, character) in outside_of_quotes(line).char_indices() {
        if character == '#' && before.is_whitespace() {
            return &line[..at];
        }
        before = character;
    }
    line
}

/// A text of the same length, in which what is in quotes is dots. A quote that is not closed is none.
fn outside_of_quotes(text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let quote = bytes[at];
        let closed = || bytes[at + 1..].iter().position(|byte| *byte == quote).map(|end| at + 1 + end);
        if let (b'\'' | b'"', Some(end)) = (quote, closed()) {
            bytes[at + 1..end].fill(b'.');
            at = end;
        }
        at += 1;
    }
    String::from_utf8(bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        match read(text.as_bytes()) {
            (hosts, faults) if faults.is_empty() => {
                let shown = |host: HostLine| {
                    let name = host.name.map(|name| format!("{name} = ")).unwrap_or_default();
                    let folder = host.folder.map(|folder| format!(" -> {folder}")).unwrap_or_default();
                    format!("{}: {name}{}{folder}", host.line, host.ssh)
                };
                hosts.into_iter().map(shown).collect::<Vec<_>>().join(" | ")
            }
            (_, faults) => {
                let shown = |fault: LineFault| format!("! {}: {}", fault.line, fault.why);
                faults.into_iter().map(shown).collect::<Vec<_>>().join(" | ")
            }
        }
    }

    #[test]
    fn a_line_is_a_host() {
        for (text, expected) in [
            ("", ""),
            ("\n# a comment\n\n  # another\n", ""),
            ("root@gpu1", "1: root@gpu1"),
            ("\u{feff}root@gpu1\r\n\r\n root@gpu2 \t\r\n", "1: root@gpu1 | 3: root@gpu2"),
            ("root@gpu1 # the first\nroot@gpu#2", "1: root@gpu1 | 2: root@gpu#2"),
            (
                "ssh -p 20544 root@1.2.3.4 -L 8080:localhost:8080",
                "1: ssh -p 20544 root@1.2.3.4 -L 8080:localhost:8080",
            ),
            ("gpu1 = ssh -p 22 root@h", "1: gpu1 = ssh -p 22 root@h"),
            ("gpu1=root@h", "1: gpu1 = root@h"),
            ("gpu1 = ssh -o Port=22 root@h", "1: gpu1 = ssh -o Port=22 root@h"),
            ("ssh -o Port=22 root@h", "1: ssh -o Port=22 root@h"),
            ("ssh -oPort=22 root@h", "1: ssh -oPort=22 root@h"),
            ("-oPort=22 root@h", "1: -oPort=22 root@h"),
            ("root@h -o Port=22", "1: root@h -o Port=22"),
            ("SSH -o 'A = b' h", "1: SSH -o 'A = b' h"),
            ("my box = root@h", "1: my box = root@h"),
            ("ssh = root@h", "1: ssh = root@h"),
            ("root@h -> /data/model", "1: root@h -> /data/model"),
            ("root@h->~/model # there", "1: root@h -> ~/model"),
            ("gpu1 = ssh root@h -> /data/a b", "1: gpu1 = ssh root@h -> /data/a b"),
            ("ssh -i '/keys/a #1 -> b' h -> /d", "1: ssh -i '/keys/a #1 -> b' h -> /d"),
            ("root@h -> /it's # x", "1: root@h -> /it's"),
            ("root@gpu[1-2] -> /d", "1: root@gpu1 -> /d | 1: root@gpu2 -> /d"),
            ("gpu[01-02] = root@10.0.0.[1-2]", "1: gpu01 = root@10.0.0.1 | 1: gpu02 = root@10.0.0.2"),
            ("[::1]", "1: [::1]"),
            ("[fe80::1]", "1: [fe80::1]"),
        ] {
            assert_eq!(shown(text), expected, "{text:?}");
        }
    }

    #[test]
    fn every_broken_line_is_told() {
        for (text, expected) in [
            (
                "root@h\ngpu[5-1]\nok\nx = \nh -> \n",
                "! 2: `[5-1]` goes down: the smaller number comes first | ! 4: it names no host | ! 5: there is no folder \
                 behind `->`",
            ),
            ("a[1-3] = h[1-2]", "! 1: it has 3 names and 2 hosts"),
            (" = h", "! 1: a name has at most 100 characters, and none that a terminal hides or obeys"),
            (
                "a\u{1b} = h",
                "! 1: a name has at most 100 characters, and none that a terminal hides or obeys",
            ),
            ("-> /d", "! 1: it names no host"),
        ] {
            assert_eq!(shown(text), expected, "{text:?}");
        }
        for (text, word) in [
            ("[gpus]", "Ansible"),
            ("[gpus:vars]", "Ansible"),
            ("gpu1 ansible_host=10.0.0.1 ansible_port=22", "Ansible"),
            ("gpu1 ssh-ed25519 AAAAC3Nz", "known_hosts"),
            ("h[1-4000]\nh[1-4000]", "with it, it is more than 4096 targets"),
        ] {
            assert!(shown(text).contains(word), "{text:?}: {}", shown(text));
        }
    }

    proptest::proptest! {
        #[test]
        fn whatever_a_file_has_in_it_is_read(bytes: Vec<u8>, text in "[a-c =\\-#'\"\\[\\]0-9>\n@/]{0,60}") {
            let _ = (read(&bytes), read(text.as_bytes()));
        }
    }
}
