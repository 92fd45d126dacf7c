//! `known_hosts` files, read as OpenSSH reads them: hashed names, `[host]:port`, wildcards and negation, `@revoked` and
//! `@cert-authority`. russh has a reader as well, but it takes an unreadable file for an empty one and knows no
//! markers.
//!
//! Keys are kept as their base64 text and compared as such, so that a line with a key of a kind that this program can't
//! parse still counts as "this host is known".

use std::fs;
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit as _, Mac as _};
use russh::keys::ssh_key::known_hosts::HostPatterns;
use russh::keys::{HashAlg, PublicKey};
use sha1::Sha1;

use crate::link::file_line::FileLine;
use crate::link::pattern::matches_pattern;
use crate::link::ssh_command::{DEFAULT_PORT, SshTarget};
use crate::own_files;

/// The largest file that is read, in bytes. A line is about 150, so this is more than 50,000 hosts.
const LARGEST: u64 = 8 << 20;

/// A file that could not be used.
#[derive(Debug, thiserror::Error)]
#[error("{}", path.display())]
pub struct KnownHostsError {
    /// The file.
    pub path: PathBuf,
    /// What happened.
    #[source]
    pub source: io::Error,
}

/// What a line says about its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Marker {
    /// The host has this key.
    Plain,
    /// `@revoked`: this key must not be used any more.
    Revoked,
    /// `@cert-authority`: it signs host certificates, and is no host's own key.
    Authority,
}

/// A line that speaks of the host that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KnownHostsEntry {
    pub(super) marker: Marker,
    pub(super) algorithm: String,
    /// The key's base64 text.
    pub(super) key: String,
    pub(super) place: FileLine,
}

impl KnownHostsEntry {
    /// Whether the line has this very key.
    pub(super) fn is(&self, key: &PublicKey) -> bool {
        let encoded = key.to_openssh().unwrap_or_default();
        encoded.split(' ').nth(1) == Some(&self.key)
    }

    /// The key's SHA-256 fingerprint as `ssh-keygen` prints it, or a word for a key that can't be parsed.
    pub(super) fn fingerprint(&self) -> String {
        match PublicKey::from_openssh(&format!("{} {}", self.algorithm, self.key)) {
            Ok(key) => key.fingerprint(HashAlg::Sha256).to_string(),
            Err(_) => format!("an unreadable {} key", self.algorithm),
        }
    }
}

/// The name that a host has in these files.
pub(super) fn host_name(host: &str, port: u16) -> String {
    let host = host.to_ascii_lowercase();
    if port == DEFAULT_PORT { host } else { format!("[{host}]:{port}") }
}

/// The name that is looked up for a target. An alias stands for one host, whatever its port.
pub(in crate::link) fn name_of(target: &SshTarget) -> String {
    match &target.host_key_alias {
        Some(alias) => host_name(alias, DEFAULT_PORT),
        None => host_name(&target.host, target.port),
    }
}

/// All lines of a file that match a name. No file is an empty file; one that can't be read is an error.
pub(super) fn entries(path: &Path, name: &str) -> Result<Vec<KnownHostsEntry>, KnownHostsError> {
    let read = fs::File::open(path).and_then(|file| own_files::bounded(file, LARGEST));
    parsed(read, path, name)
}

/// The same of hfdown's own file.
pub(super) fn own_entries(path: &Path, name: &str) -> Result<Vec<KnownHostsEntry>, KnownHostsError> {
    parsed(own_files::read(path, LARGEST), path, name)
}

fn parsed(
    read: io::Result<Vec<u8>>,
    path: &Path,
    name: &str,
) -> Result<Vec<KnownHostsEntry>, KnownHostsError> {
    match read {
        // A host's name in a comment need not be UTF-8.
        Ok(bytes) => Ok(entries_of(&String::from_utf8_lossy(&bytes), path, name)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(Vec::new())
        }
        Err(source) => Err(KnownHostsError { path: path.to_owned(), source }),
    }
}

fn entries_of(text: &str, path: &Path, name: &str) -> Vec<KnownHostsEntry> {
    let numbered = (1..).zip(text.lines());
    numbered.filter_map(|(line, text)| entry(text, name, FileLine { file: path.to_owned(), line })).collect()
}

fn entry(line: &str, name: &str, place: FileLine) -> Option<KnownHostsEntry> {
    let mut words = line.split_ascii_whitespace();
    let mut hosts = words.next()?;
    let marker = match hosts {
        "@revoked" => Marker::Revoked,
        "@cert-authority" => Marker::Authority,
        _ if hosts.starts_with(['#', '@']) => return None,
        _ => Marker::Plain,
    };
    if marker != Marker::Plain {
        hosts = words.next()?;
    }
    let (algorithm, key) = (words.next()?.to_owned(), words.next()?.to_owned());
    // Keys of SSH 1 are numbers. OpenSSH passes them over, and no server shows them any more.
    if algorithm.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    matches(hosts, name).then_some(KnownHostsEntry { marker, algorithm, key, place })
}

fn matches(hosts: &str, name: &str) -> bool {
    match hosts.parse() {
        Ok(HostPatterns::HashedName { salt, hash }) => is_hash_of(name, &salt, &hash),
        Ok(HostPatterns::Patterns(patterns)) => matches_list(&patterns, name),
        Err(_) => false,
    }
}

/// One negated pattern that matches undoes the whole list.
fn matches_list(patterns: &[String], name: &str) -> bool {
    let mut found = false;
    for pattern in patterns {
        let pattern = pattern.to_ascii_lowercase();
        match pattern.strip_prefix('!') {
            Some(negated) if matches_pattern(negated.as_bytes(), name.as_bytes()) => return false,
            Some(_) => {}
            None => found |= matches_pattern(pattern.as_bytes(), name.as_bytes()),
        }
    }
    found
}

/// How OpenSSH hashes host names: HMAC with SHA-1, keyed by the salt.
fn is_hash_of(name: &str, salt: &[u8], hash: &[u8]) -> bool {
    let keyed = Hmac::<Sha1>::new_from_slice(salt);
    keyed.is_ok_and(|keyed| keyed.chain_update(name).verify_slice(hash).is_ok())
}

/// Adds a line to hfdown's own file, which only this user may read. The file is locked meanwhile, and the line is
/// written by one call, so that two runs at once leave two whole lines. A line that is there already is not added
/// again.
pub(super) fn learn(path: &Path, name: &str, key: &PublicKey) -> Result<(), KnownHostsError> {
    let failed = |source| KnownHostsError { path: path.to_owned(), source };
    let encoded = key.to_openssh().map_err(|error| failed(io::Error::other(error)))?;
    let mut words = encoded.split(' ');
    let line = format!("{name} {} {}\n", words.next().unwrap_or_default(), words.next().unwrap_or_default());
    append(path, &line).map_err(failed)
}

fn append(path: &Path, line: &str) -> io::Result<()> {
    path.parent().map_or(Ok(()), own_files::make_folder)?;
    let mut file = own_files::open(path, fs::OpenOptions::new().create(true).read(true).append(true))?;
    own_files::lock(&file)?;
    file.seek(SeekFrom::Start(0))?;
    let text = own_files::bounded(&file, LARGEST)?;
    if text.split_inclusive(|byte| *byte == b'\n').any(|known| known == line.as_bytes()) {
        return Ok(());
    }
    let gap = if text.last().is_none_or(|byte| *byte == b'\n') { "" } else { "\n" };
    file.write_all(format!("{gap}{line}").as_bytes())?;
    own_files::flush(&file)
}

/// Removes the lines that remember a key for this name, and says how many there were. Revoked keys and authorities
/// stay.
pub(in crate::link) fn forget(path: &Path, name: &str) -> Result<usize, KnownHostsError> {
    without(path, name).map_err(|source| KnownHostsError { path: path.to_owned(), source })
}

fn without(path: &Path, name: &str) -> io::Result<usize> {
    let mut file = match own_files::open(path, fs::OpenOptions::new().read(true).write(true)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    own_files::lock(&file)?;
    let bytes = own_files::bounded(&file, LARGEST)?;
    let remembers = |line: &[u8]| {
        let place = FileLine { file: PathBuf::new(), line: 0 };
        let entry = entry(&String::from_utf8_lossy(line), name, place);
        entry.is_some_and(|entry| entry.marker == Marker::Plain)
    };
    let lines = || bytes.split_inclusive(|byte| *byte == b'\n');
    let kept = lines().filter(|line| !remembers(line)).collect::<Vec<_>>().concat();
    let forgotten = lines().filter(|line| remembers(line)).count();
    if forgotten > 0 {
        // In place, as the lock is the file's: another run may be waiting for it.
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&kept)?;
        file.set_len(kept.len() as u64)?;
        own_files::flush(&file)?;
    }
    Ok(forgotten)
}

#[cfg(test)]
#[path = "known_hosts_tests.rs"]
mod tests;
