//! The destination word of an `ssh` command, and which characters hosts, users and ports may have.

use std::net::Ipv6Addr;

use super::error::TargetError;

pub(in crate::link) fn is_ssh(word: &str) -> bool {
    let name = word.rsplit(['/', '\\']).next().unwrap_or(word);
    // Phones begin a sentence with a capital.
    name.eq_ignore_ascii_case("ssh") || name.eq_ignore_ascii_case("ssh.exe")
}

/// The destination word: `host`, `user@host`, `user@host:port`, `[v6]:port`, `ssh://user@host:port/`.
pub(in crate::link) struct Destination {
    pub(in crate::link) user: Option<String>,
    pub(in crate::link) host: String,
    pub(in crate::link) port: Option<u16>,
}

impl Destination {
    pub(in crate::link) fn parse(word: &str) -> Result<Self, TargetError> {
        let rest = match word.split_once("://") {
            Some(("ssh", rest)) => rest.strip_suffix('/').unwrap_or(rest),
            Some(_) => return Err(TargetError::Host(word.to_owned())),
            None => word,
        };
        let (user, rest) = match rest.rsplit_once('@') {
            Some((user, rest)) => (Some(user.to_owned()), rest),
            None => (None, rest),
        };
        let (host, port) = split_port(rest)?;
        Ok(Self { user, host: host.to_owned(), port })
    }
}

/// `ssh` itself takes a port after a colon only in `ssh://`; users type it anyway, and no host name has a colon.
fn split_port(text: &str) -> Result<(&str, Option<u16>), TargetError> {
    let wrong = || TargetError::Host(text.to_owned());
    if let Some(rest) = text.strip_prefix('[') {
        let (host, after) = rest.split_once(']').ok_or_else(wrong)?;
        return match after.strip_prefix(':') {
            Some(port) => Ok((host, Some(parse_port(port)?))),
            None if after.is_empty() => Ok((host, None)),
            None => Err(wrong()),
        };
    }
    match text.split_once(':') {
        Some((host, port)) if !port.contains(':') => Ok((host, Some(parse_port(port)?))),
        _ => Ok((text, None)),
    }
}

/// Names, IPv4 and IPv6 addresses. Nothing that a shell, an option parser or a terminal could take for something else.
pub(in crate::link) fn check_host(host: String) -> Result<String, TargetError> {
    let address = host.split_once('%').map_or(host.as_str(), |(address, _)| address);
    let plain = |character: char| character.is_ascii_alphanumeric() || matches!(character, '.' | '-' | '_');
    let is_name = host.chars().all(plain) && host.starts_with(|first: char| first.is_ascii_alphanumeric());
    let is_v6 =
        address.parse::<Ipv6Addr>().is_ok() && host.chars().all(|c| plain(c) || matches!(c, ':' | '%'));
    if host.is_empty() {
        Err(TargetError::NoHost)
    } else if is_name || is_v6 {
        Ok(host)
    } else {
        Err(TargetError::Host(host))
    }
}

pub(in crate::link) fn check_user(user: String) -> Result<String, TargetError> {
    let refused = |character: char| {
        character.is_control() || character.is_whitespace() || ";|&$()<>`'\"\\:/".contains(character)
    };
    if user.is_empty() || user.starts_with('-') || user.chars().any(refused) {
        Err(TargetError::User(user))
    } else {
        Ok(user)
    }
}

/// A port from 1 to 65535. `parse` alone would take `+22` as well.
pub(super) fn parse_port(text: &str) -> Result<u16, TargetError> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let port = text.parse().ok().filter(|port| digits && *port != 0);
    port.ok_or_else(|| TargetError::Port(text.to_owned()))
}
