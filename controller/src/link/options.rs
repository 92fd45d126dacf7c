//! What becomes of each option of `ssh`: accepted, ignored with a reason, or refused. One table for letters, one for the
//! keywords of `-o`; the letters are those of OpenSSH 9.9.

use std::path::PathBuf;
use std::time::Duration;

use super::target::{Family, HostKeyWish, Ignored, Offer, TargetError};

/// What the words of a command line said.
#[derive(Debug, Default)]
pub(super) struct Given {
    pub(super) destination: Option<String>,
    pub(super) host_name: Option<String>,
    pub(super) port: Option<u16>,
    pub(super) user: Option<String>,
    pub(super) identities: Vec<PathBuf>,
    pub(super) offer: Offer,
    pub(super) host_keys: Option<HostKeyWish>,
    pub(super) known_hosts: Option<Vec<PathBuf>>,
    pub(super) family: Family,
    pub(super) connect_timeout: Option<Duration>,
    pub(super) ignored: Vec<Ignored>,
}

/// What is done with an option.
#[derive(Clone, Copy)]
enum Rule {
    /// It sets something here.
    Accept(Keyword),
    /// It has no effect here, for this reason.
    Ignore(&'static str),
    /// Leaving it out would do something else than what was asked.
    Refuse(&'static str),
}

/// What an accepted option sets.
#[derive(Clone, Copy)]
enum Keyword {
    Port,
    User,
    HostName,
    IdentityFile,
    IdentitiesOnly,
    StrictHostKeyChecking,
    UserKnownHostsFile,
    ConnectTimeout,
    AddressFamily,
    V4,
    V6,
}

/// Letters that are followed by a value, glued to them or as the next word.
const WITH_VALUE: &str = "BbcDEeFIiJLlmOoPpQRSWw";

const FORWARDING: &str = "hfdown forwards no ports";
const AGENT_FORWARDING: &str = "an ssh-agent is never forwarded to a box";
const NO_X11: &str = "hfdown needs no X11";
const NO_TERMINAL: &str = "hfdown needs no terminal on the box";
const OWN_CIPHERS: &str = "hfdown chooses its own algorithms";
const OWN_MESSAGES: &str = "hfdown has its own messages";
const NO_CONFIG: &str = "ssh_config files are not read";
const JUMP: &str = "jump hosts can't be used yet";
const RUNS_COMMAND: &str = "hfdown runs no commands from an SSH string";
const CONTROL: &str = "it belongs to a shared connection of OpenSSH";

fn letter_rule(letter: char) -> Option<Rule> {
    use Rule::{Accept, Ignore, Refuse};
    Some(match letter {
        'p' => Accept(Keyword::Port),
        'l' => Accept(Keyword::User),
        'i' => Accept(Keyword::IdentityFile),
        '4' => Accept(Keyword::V4),
        '6' => Accept(Keyword::V6),
        'L' | 'R' | 'D' | 'g' => Ignore(FORWARDING),
        'A' => Ignore(AGENT_FORWARDING),
        'a' => Ignore("that is how hfdown always does it"),
        'X' | 'x' | 'Y' => Ignore(NO_X11),
        'C' => Ignore("what hfdown sends does not compress"),
        'c' | 'm' => Ignore(OWN_CIPHERS),
        'v' | 'q' | 'y' | 'E' => Ignore(OWN_MESSAGES),
        'T' | 't' | 'N' | 'n' | 'f' | 'e' => Ignore(NO_TERMINAL),
        'K' | 'k' => Ignore("GSSAPI is not used"),
        'b' | 'B' => Ignore("the system chooses the local address"),
        'P' => Ignore("tags select parts of ssh_config files, which are not read"),
        'F' => Ignore(NO_CONFIG),
        'J' => Refuse(JUMP),
        'w' | 'W' => Refuse("hfdown opens no tunnels"),
        's' => Refuse("hfdown runs only its own agent on the box"),
        'S' | 'O' | 'M' => Refuse(CONTROL),
        'I' => Refuse("PKCS#11 libraries are not loaded; put the key into an ssh-agent"),
        'G' | 'Q' | 'V' => Refuse("it asks ssh for something else than a connection"),
        _ => return None,
    })
}

/// The keywords of `-o`, in lower case. Those that are not listed are ignored as well: they are settings of a program
/// that does not run here.
fn keyword_rule(keyword: &str) -> Rule {
    use Rule::{Accept, Ignore, Refuse};
    match keyword {
        "port" => Accept(Keyword::Port),
        "user" => Accept(Keyword::User),
        "hostname" => Accept(Keyword::HostName),
        "identityfile" => Accept(Keyword::IdentityFile),
        "identitiesonly" => Accept(Keyword::IdentitiesOnly),
        "stricthostkeychecking" => Accept(Keyword::StrictHostKeyChecking),
        "userknownhostsfile" => Accept(Keyword::UserKnownHostsFile),
        "connecttimeout" => Accept(Keyword::ConnectTimeout),
        "addressfamily" => Accept(Keyword::AddressFamily),
        "forwardagent" => Ignore(AGENT_FORWARDING),
        "localforward" | "remoteforward" | "dynamicforward" | "exitonforwardfailure" => Ignore(FORWARDING),
        "forwardx11" | "forwardx11trusted" => Ignore(NO_X11),
        "requesttty" => Ignore(NO_TERMINAL),
        "loglevel" => Ignore(OWN_MESSAGES),
        "serveraliveinterval" | "serveralivecountmax" | "tcpkeepalive" => {
            Ignore("hfdown keeps its link alive by itself")
        }
        "ciphers" | "macs" | "kexalgorithms" => Ignore(OWN_CIPHERS),
        "proxyjump" => Refuse(JUMP),
        "proxycommand" | "localcommand" | "permitlocalcommand" | "knownhostscommand" | "remotecommand" => {
            Refuse(RUNS_COMMAND)
        }
        "proxyusefdpass" => Refuse(RUNS_COMMAND),
        "controlmaster" | "controlpath" | "controlpersist" => Ignore(CONTROL),
        _ => Ignore("hfdown does not know this setting"),
    }
}

/// Reads the words after `ssh` as `ssh` does: options before and after the host, the first value of each wins.
pub(super) fn read(words: &[String]) -> Result<Given, TargetError> {
    let mut given = Given::default();
    let mut words = words.iter();
    let mut options_ended = false;
    while let Some(word) = words.next() {
        if word == "--" && !options_ended {
            options_ended = true;
        } else if word.starts_with('-') && word.len() > 1 && !options_ended {
            read_letters(word, &mut words, &mut given)?;
        } else if given.destination.is_none() {
            given.destination = Some(word.clone());
        } else {
            let command: Vec<_> = std::iter::once(word).chain(words).map(String::as_str).collect();
            return Err(TargetError::Command(command.join(" ")));
        }
    }
    Ok(given)
}

/// One word of options: `-p`, `-p22`, `-Av`, `-tp 22`.
fn read_letters<'a>(
    word: &str,
    words: &mut impl Iterator<Item = &'a String>,
    given: &mut Given,
) -> Result<(), TargetError> {
    let mut rest = word[1..].chars();
    while let Some(letter) = rest.next() {
        let option = format!("-{letter}");
        let rule = letter_rule(letter).filter(|_| letter != '-');
        let value = if WITH_VALUE.contains(letter) {
            let glued = std::mem::replace(&mut rest, "".chars());
            let value = Some(glued.as_str().to_owned()).filter(|glued| !glued.is_empty());
            Some(
                value
                    .or_else(|| words.next().cloned())
                    .ok_or_else(|| TargetError::NoValue(option.clone()))?,
            )
        } else {
            None
        };
        match (letter, rule, value) {
            ('o', _, Some(setting)) => read_setting(&setting, given)?,
            (_, Some(rule), value) => apply(rule, &option, value.as_deref(), given)?,
            (_, None, _) => {
                return Err(TargetError::NoSuchOption(if letter == '-' { word.to_owned() } else { option }));
            }
        }
    }
    Ok(())
}

/// The value of `-o`: `Port=22`, `Port 22`, `Port = 22`.
fn read_setting(setting: &str, given: &mut Given) -> Result<(), TargetError> {
    let setting = setting.trim();
    let end = setting
        .find(|character: char| character == '=' || character.is_whitespace())
        .unwrap_or(setting.len());
    let (keyword, value) = setting.split_at(end);
    let value = value.trim_start();
    let value = value.strip_prefix('=').unwrap_or(value).trim();
    let option = format!("-o {keyword}");
    if value.is_empty() {
        return Err(TargetError::NoValue(option));
    }
    apply(keyword_rule(&keyword.to_ascii_lowercase()), &option, Some(value), given)
}

fn apply(rule: Rule, option: &str, value: Option<&str>, given: &mut Given) -> Result<(), TargetError> {
    match rule {
        Rule::Accept(keyword) => accept(keyword, option, value.unwrap_or_default(), given),
        Rule::Ignore(reason) => {
            let separator = if option.starts_with("-o ") { "=" } else { " " };
            let typed = value.map_or(option.to_owned(), |value| format!("{option}{separator}{value}"));
            given.ignored.push(Ignored { option: typed, reason });
            Ok(())
        }
        Rule::Refuse(reason) => Err(TargetError::Refused { option: option.to_owned(), reason }),
    }
}

fn accept(keyword: Keyword, option: &str, value: &str, given: &mut Given) -> Result<(), TargetError> {
    let wrong = || TargetError::BadValue { option: option.to_owned(), value: value.to_owned() };
    match keyword {
        Keyword::Port => _ = given.port.get_or_insert(port(value)?),
        Keyword::User => _ = given.user.get_or_insert_with(|| value.to_owned()),
        Keyword::HostName => _ = given.host_name.get_or_insert_with(|| value.to_owned()),
        Keyword::IdentityFile => given.identities.push(PathBuf::from(unquoted(value))),
        Keyword::IdentitiesOnly if yes(value).ok_or_else(wrong)? => given.offer = Offer::NamedOnly,
        Keyword::IdentitiesOnly => {}
        Keyword::StrictHostKeyChecking => {
            let wish = match value.to_ascii_lowercase().as_str() {
                "yes" | "true" => HostKeyWish::Strict,
                "accept-new" => HostKeyWish::AcceptNew,
                "ask" | "no" | "off" | "false" => {
                    let reason = "new host keys are accepted and changed ones refused";
                    given.ignored.push(Ignored { option: format!("{option}={value}"), reason });
                    HostKeyWish::AcceptNew
                }
                _ => return Err(wrong()),
            };
            given.host_keys.get_or_insert(wish);
        }
        Keyword::UserKnownHostsFile => {
            let files = shell_words::split(value).map_err(|_| wrong())?;
            let files = files.into_iter().filter(|file| file != "none").map(PathBuf::from).collect();
            given.known_hosts.get_or_insert(files);
        }
        Keyword::ConnectTimeout => {
            let seconds = value.parse::<u32>().ok().filter(|seconds| *seconds > 0).ok_or_else(wrong)?;
            given.connect_timeout.get_or_insert(Duration::from_secs(seconds.into()));
        }
        Keyword::AddressFamily => {
            given.family = match value.to_ascii_lowercase().as_str() {
                "any" => Family::Any,
                "inet" => Family::V4,
                "inet6" => Family::V6,
                _ => return Err(wrong()),
            };
        }
        Keyword::V4 => given.family = Family::V4,
        Keyword::V6 => given.family = Family::V6,
    }
    Ok(())
}

/// A port from 1 to 65535. `parse` alone would take `+22` as well.
pub(super) fn port(text: &str) -> Result<u16, TargetError> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let port = text.parse().ok().filter(|port| digits && *port != 0);
    port.ok_or_else(|| TargetError::Port(text.to_owned()))
}

fn yes(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "yes" | "true" => Some(true),
        "no" | "false" => Some(false),
        _ => None,
    }
}

/// `-o 'IdentityFile="my key"'`: the inner quotes are the config syntax's own.
fn unquoted(value: &str) -> &str {
    value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value)
}
