//! What becomes of each option of `ssh`: accepted, ignored with a reason, or refused. One table for letters, one for
//! the keywords of `-o`; the letters are those of OpenSSH 9.9.

use super::auth_methods::AuthMethod;
use super::error::TargetError;
use super::ssh_options::{Keyword, SshOptions};
use super::ssh_target::IgnoredOption;
use crate::link::config::{ConfigSetting, split_arguments};

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

/// Letters that are followed by a value, glued to them or as the next word.
const WITH_VALUE: &str = "BbcDEeFIiJLlmOoPpQRSWw";

const FORWARDING: &str = "hfdown forwards no ports";
const AGENT_FORWARDING: &str = "an ssh-agent is never forwarded to a box";
const NO_X11: &str = "hfdown needs no X11";
const NO_TERMINAL: &str = "hfdown needs no terminal on the box";
const OWN_CIPHERS: &str = "hfdown chooses its own algorithms";
const OWN_MESSAGES: &str = "hfdown has its own messages";
const RUNS_COMMAND: &str = "hfdown runs no commands from an SSH string";
const CONTROL: &str = "it belongs to a shared connection of OpenSSH";

fn letter_rule(letter: char) -> Option<Rule> {
    use Rule::{Accept, Ignore, Refuse};
    Some(match letter {
        'p' => Accept(Keyword::Port),
        'l' => Accept(Keyword::User),
        'i' => Accept(Keyword::IdentityFile),
        'F' => Accept(Keyword::ConfigFile),
        'J' => Accept(Keyword::ProxyJump),
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
        'P' => Ignore("tags select `Match` blocks of ssh_config files, and those are not used"),
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
        "batchmode" => Accept(Keyword::BatchMode),
        "preferredauthentications" => Accept(Keyword::PreferredAuthentications),
        "pubkeyauthentication" => Accept(Keyword::Authentication(AuthMethod::PublicKey)),
        "passwordauthentication" => Accept(Keyword::Authentication(AuthMethod::Password)),
        // The second is its older name.
        "kbdinteractiveauthentication" | "challengeresponseauthentication" => {
            Accept(Keyword::Authentication(AuthMethod::KeyboardInteractive))
        }
        "numberofpasswordprompts" => Accept(Keyword::NumberOfPasswordPrompts),
        "stricthostkeychecking" => Accept(Keyword::StrictHostKeyChecking),
        "userknownhostsfile" => Accept(Keyword::UserKnownHostsFile),
        "globalknownhostsfile" => Accept(Keyword::GlobalKnownHostsFile),
        "identityagent" => Accept(Keyword::IdentityAgent),
        "connecttimeout" => Accept(Keyword::ConnectTimeout),
        "addressfamily" => Accept(Keyword::AddressFamily),
        "certificatefile" => Accept(Keyword::CertificateFile),
        "hostkeyalias" => Accept(Keyword::HostKeyAlias),
        "proxyjump" => Accept(Keyword::ProxyJump),
        "proxycommand" => Accept(Keyword::ProxyCommand),
        "forwardagent" => Ignore(AGENT_FORWARDING),
        "localforward" | "remoteforward" | "dynamicforward" | "exitonforwardfailure" => Ignore(FORWARDING),
        "forwardx11" | "forwardx11trusted" => Ignore(NO_X11),
        "requesttty" => Ignore(NO_TERMINAL),
        "loglevel" => Ignore(OWN_MESSAGES),
        "serveraliveinterval" | "serveralivecountmax" | "tcpkeepalive" => {
            Ignore("hfdown keeps its link alive by itself")
        }
        "ciphers" | "macs" | "kexalgorithms" => Ignore(OWN_CIPHERS),
        "localcommand" | "permitlocalcommand" | "knownhostscommand" | "remotecommand" | "proxyusefdpass" => {
            Refuse(RUNS_COMMAND)
        }
        "controlmaster" | "controlpath" | "controlpersist" => Ignore(CONTROL),
        _ => Ignore("hfdown does not know this setting"),
    }
}

/// Whether `${VARIABLE}` means something in the value of a keyword: those that `ssh_config(5)` lists, as far as they have
/// an effect here.
pub(in crate::link) fn has_variables(keyword: &str) -> bool {
    ["certificatefile", "identityagent", "identityfile", "userknownhostsfile"]
        .iter()
        .any(|known| keyword.eq_ignore_ascii_case(known))
}

/// Reads the words after `ssh` as `ssh` does: options before and after the host, the first value of each wins.
pub(in crate::link) fn read(words: &[String]) -> Result<SshOptions, TargetError> {
    let mut options = SshOptions::default();
    let mut words = words.iter();
    let mut options_ended = false;
    while let Some(word) = words.next() {
        if word == "--" && !options_ended {
            options_ended = true;
        } else if word.starts_with('-') && word.len() > 1 && !options_ended {
            read_letters(word, &mut words, &mut options)?;
        } else if options.destination.is_none() {
            options.destination = Some(word.clone());
        } else {
            let command: Vec<_> = std::iter::once(word).chain(words).map(String::as_str).collect();
            return Err(TargetError::Command(command.join(" ")));
        }
    }
    Ok(options)
}

/// One word of options: `-p`, `-p22`, `-Av`, `-tp 22`.
fn read_letters<'a>(
    word: &str,
    words: &mut impl Iterator<Item = &'a String>,
    options: &mut SshOptions,
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
            ('o', _, Some(setting)) => read_setting(&setting, options)?,
            (_, Some(rule), value) => apply(rule, &option, value.as_deref(), options)?,
            (_, None, _) => {
                return Err(TargetError::NoSuchOption(if letter == '-' { word.to_owned() } else { option }));
            }
        }
    }
    Ok(())
}

/// The value of `-o`: `Port=22`, `Port 22`, `Port = 22`.
fn read_setting(setting: &str, options: &mut SshOptions) -> Result<(), TargetError> {
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
    match keyword_rule(&keyword.to_ascii_lowercase()) {
        Rule::Accept(Keyword::ProxyCommand) => {
            options.accept(Keyword::ProxyCommand, &option, &[value.to_owned()])
        }
        Rule::Accept(keyword) => {
            let wrong = || TargetError::BadValue { option: option.clone(), value: value.to_owned() };
            options.accept(keyword, &option, &split_arguments(value).ok_or_else(wrong)?)
        }
        rule => apply(rule, &option, Some(value), options),
    }
}

/// A line of a configuration file that applies to the host. What has no effect here is passed over without a word: the
/// file was not written for hfdown.
pub(in crate::link) fn configure(
    setting: &ConfigSetting,
    options: &mut SshOptions,
) -> Result<(), TargetError> {
    let Rule::Accept(keyword) = keyword_rule(&setting.keyword.to_ascii_lowercase()) else { return Ok(()) };
    let noted = options.ignored.len();
    let accepted = options.accept(keyword, &setting.keyword, &setting.arguments);
    options.ignored.truncate(noted);
    accepted.map_err(|error| TargetError::At { place: setting.place.clone(), error: Box::new(error) })
}

fn apply(rule: Rule, option: &str, value: Option<&str>, options: &mut SshOptions) -> Result<(), TargetError> {
    match rule {
        Rule::Accept(keyword) => options.accept(keyword, option, &[value.unwrap_or_default().to_owned()]),
        Rule::Ignore(reason) => {
            let separator = if option.starts_with("-o ") { "=" } else { " " };
            let typed = value.map_or(option.to_owned(), |value| format!("{option}{separator}{value}"));
            options.ignored.push(IgnoredOption { option: typed, reason });
            Ok(())
        }
        Rule::Refuse(reason) => Err(TargetError::Refused { option: option.to_owned(), reason }),
    }
}
