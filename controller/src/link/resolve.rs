//! From words to a target: the command line first, then configuration files, then the hosts on the route.

use std::path::{Path, PathBuf};

use super::config::{ConfigFile, ConfigQuery, ConfigSetting, Tokens, settings_for};
use super::settings::LinkSettings;
use super::ssh_command::{
    DEFAULT_PORT, Destination, IgnoredOption, MOST_JUMPS, ProxyRoute, SshOptions, SshTarget, TargetError,
    check_host, check_user, is_ssh, option_rules,
};
use crate::system;

const RUNS_COMMAND: &str =
    "hfdown runs no commands on the way to a box; ProxyJump (-J) does what most of them are for";

impl SshTarget {
    /// Reads what was pasted, and no file: what it leaves open (user, keys) stays open.
    pub fn parse(pasted: &str) -> Result<(Self, Vec<IgnoredOption>), TargetError> {
        TargetResolver { files: Vec::new(), settings: None }.read(pasted)
    }

    /// Reads what was pasted, and what the configuration files of OpenSSH say of the host. What was pasted wins.
    pub fn resolve(pasted: &str, settings: &LinkSettings) -> Result<(Self, Vec<IgnoredOption>), TargetError> {
        TargetResolver { files: settings.config.clone(), settings: Some(settings) }.read(pasted)
    }
}

/// Where what the words leave open is looked up.
struct TargetResolver<'a> {
    files: Vec<ConfigFile>,
    /// This machine, if it may be looked at.
    settings: Option<&'a LinkSettings>,
}

impl TargetResolver<'_> {
    fn read(mut self, pasted: &str) -> Result<(SshTarget, Vec<IgnoredOption>), TargetError> {
        // Web pages have spaces that don't break.
        let pasted = pasted.replace('\u{a0}', " ");
        let words = system::split_words(pasted.trim()).map_err(|_| TargetError::Quote)?;
        let words = match words.split_first() {
            Some((first, rest)) if is_ssh(first) && !rest.is_empty() => rest,
            _ => &words,
        };
        let mut options = option_rules::read(words)?;
        if let (Some(path), Some(settings)) = (options.config.take(), self.settings) {
            self.files = settings.instead(&path);
        }
        let ignored = std::mem::take(&mut options.ignored);
        Ok((self.target(options, MOST_JUMPS)?, ignored))
    }

    /// `jumps_left` bounds the way there.
    fn target(&self, mut options: SshOptions, jumps_left: usize) -> Result<SshTarget, TargetError> {
        let destination = options.destination.take().ok_or(TargetError::NoHost)?;
        let named = Destination::parse(&destination)?;
        options.port = options.port.or(named.port);
        options.user = options.user.or(named.user);
        let user = options.user.clone();
        let query = ConfigQuery {
            host: &named.host,
            user: user.as_deref(),
            local_user: self.settings.and_then(|settings| settings.user.as_deref()),
            home: self.settings.and_then(|settings| settings.home.as_deref()),
            variables: self.settings.map(|settings| &settings.variables),
        };
        let (found, skipped_matches) = settings_for(query, &self.files)?;
        for setting in found {
            self.check_variables(&setting)?;
            option_rules::configure(&setting, &mut options)?;
        }
        let host = match options.host_name.take() {
            Some(name) => {
                let tokens =
                    Tokens { host: Some(&named.host), alias: Some(&named.host), ..Tokens::default() };
                tokens.expand(&name).ok_or(TargetError::Host(name))?
            }
            None => named.host.clone(),
        };
        let through = match &options.route {
            Some(ProxyRoute::Jump(hosts)) => hosts.clone(),
            _ => String::new(),
        };
        let jumps = self.jumps(options.route.take(), jumps_left)?;
        let mut target = SshTarget {
            host: check_host(host)?,
            port: options.port.unwrap_or(DEFAULT_PORT),
            user: options.user.map(check_user).transpose()?,
            identities: options.identities,
            certificates: options.certificates,
            identities_only: options.identities_only.unwrap_or_default(),
            batch_mode: options.batch_mode.unwrap_or_default(),
            auth_methods: options.auth_settings.methods(options.batch_mode.unwrap_or_default()),
            strict_host_key_checking: options.strict_host_key_checking,
            host_key_alias: options.host_key_alias.map(check_host).transpose()?,
            known_hosts: options.known_hosts,
            global_known_hosts: options.global_known_hosts,
            identity_agent: options.identity_agent,
            skipped_matches,
            address_family: options.address_family.unwrap_or_default(),
            connect_timeout: options.connect_timeout,
            jumps,
        };
        if let Some(settings) = self.settings {
            expand(&mut target, &named.host, &through, settings)?;
        }
        Ok(target)
    }

    /// A variable that is not set is an error, with its line, where OpenSSH would look it up.
    fn check_variables(&self, setting: &ConfigSetting) -> Result<(), TargetError> {
        let Some(settings) = self.settings else { return Ok(()) };
        if !option_rules::has_variables(&setting.keyword) {
            return Ok(());
        }
        match setting.arguments.iter().find_map(|argument| settings.variables.missing(argument)) {
            None => Ok(()),
            Some(name) => {
                let option = setting.keyword.clone();
                let error = Box::new(TargetError::NoVariable { option, name: name.to_owned() });
                Err(TargetError::At { place: setting.place.clone(), error })
            }
        }
    }

    /// The last one named is the nearest to the host, and those before it are the way to that one, as with OpenSSH:
    /// each is looked up in the configuration files by itself, and takes nothing else from this command line.
    fn jumps(&self, route: Option<ProxyRoute>, left: usize) -> Result<Vec<SshTarget>, TargetError> {
        let hosts = match route {
            None | Some(ProxyRoute::Direct) => return Ok(Vec::new()),
            Some(ProxyRoute::Command(option)) => {
                return Err(TargetError::Refused { option, reason: RUNS_COMMAND });
            }
            Some(ProxyRoute::Jump(hosts)) => hosts,
        };
        let left = left.checked_sub(1).ok_or(TargetError::TooManyJumps)?;
        let (before, nearest) = match hosts.rsplit_once(',') {
            Some((before, nearest)) => (Some(ProxyRoute::Jump(before.to_owned())), nearest),
            None => (None, hosts.as_str()),
        };
        let options = SshOptions {
            destination: Some(nearest.trim().to_owned()),
            route: before,
            ..SshOptions::default()
        };
        let mut nearest = self.target(options, left)?;
        let mut jumps = std::mem::take(&mut nearest.jumps);
        jumps.push(nearest);
        Ok(jumps)
    }
}

/// The tokens and variables in the paths of a target.
fn expand(
    target: &mut SshTarget,
    alias: &str,
    through: &str,
    settings: &LinkSettings,
) -> Result<(), TargetError> {
    let SshTarget {
        host,
        port,
        user,
        identities,
        certificates,
        known_hosts,
        identity_agent,
        host_key_alias,
        ..
    } = target;
    let tokens = Tokens {
        home: settings.home.as_deref().and_then(Path::to_str),
        host: Some(host),
        alias: Some(alias),
        port: Some(*port),
        user: user.as_deref().or(settings.user.as_deref()),
        local_user: settings.user.as_deref(),
        host_key_alias: Some(host_key_alias.as_deref().unwrap_or(host)),
        jumps: Some(through),
        variables: Some(&settings.variables),
    };
    let expand = |path: &mut PathBuf, option: &str| -> Result<(), TargetError> {
        let Some(text) = path.to_str().filter(|text| text.contains(['%', '$'])) else { return Ok(()) };
        if let Some(name) = settings.variables.missing(text) {
            return Err(TargetError::NoVariable { option: option.to_owned(), name: name.to_owned() });
        }
        let wrong = || TargetError::BadValue { option: option.to_owned(), value: text.to_owned() };
        *path = PathBuf::from(tokens.expand(text).ok_or_else(wrong)?);
        Ok(())
    };
    identities.iter_mut().try_for_each(|path| expand(path, "IdentityFile"))?;
    certificates.iter_mut().try_for_each(|path| expand(path, "CertificateFile"))?;
    known_hosts.iter_mut().flatten().try_for_each(|path| expand(path, "UserKnownHostsFile"))?;
    let Some(agent) = identity_agent else { return Ok(()) };
    // The whole word may be a variable: `$OTHER_SOCK`, or the usual one by its bare name.
    let variable = match agent.to_str() {
        Some("SSH_AUTH_SOCK") => Some("SSH_AUTH_SOCK"),
        Some(text) => text.strip_prefix('$').filter(|name| !name.starts_with('{')),
        None => None,
    };
    match variable {
        None => expand(agent, "IdentityAgent"),
        Some("SSH_AUTH_SOCK") => {
            *identity_agent = None;
            Ok(())
        }
        Some(name) => {
            let unset =
                || TargetError::NoVariable { option: "IdentityAgent".to_owned(), name: name.to_owned() };
            let socket = settings.variables.get(name).ok_or_else(unset)?;
            *identity_agent = Some(PathBuf::from(socket));
            Ok(())
        }
    }
}

#[cfg(test)]
#[path = "resolve_tests.rs"]
mod tests;
