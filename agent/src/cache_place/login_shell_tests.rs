//! Login shells that tell where the hub cache is, and some that do not.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use hfdown_protocol::FailureKind::NoCache;

use super::*;

/// A shell with a profile that is this text. It is another process's, so a name and not a variable of this one.
fn shell_with(folder: &Path, profile: &str) -> PathBuf {
    let shell = folder.join("sh");
    fs::write(folder.join(".profile"), profile).unwrap();
    let home = folder.display();
    fs::write(&shell, format!("#!/bin/sh\nHOME={home}; export HOME\n. {home}/.profile\neval \"$2\"\n"))
        .unwrap();
    fs::set_permissions(&shell, fs::Permissions::from_mode(0o755)).unwrap();
    shell
}

fn asked(profile: &str, patience: Duration) -> Result<PathBuf, Failure> {
    let folder = tempfile::tempdir().unwrap();
    hub_cache_of(shell_with(folder.path(), profile).as_os_str(), patience)
}

#[test]
fn what_a_profile_sets_counts_whatever_it_says() {
    for (profile, expected) in [
        ("export HF_HOME=/data/hf", "/data/hf/hub"),
        ("echo Welcome; export HF_HUB_CACHE='/a b/ü'", "/a b/ü"),
        ("export HF_HOME='/two\nlines'", "/two\nlines/hub"),
        ("export ROOM=/r HF_HOME='$ROOM/hf'", "/r/hf/hub"),
        ("HF_HOME=/not/exported; export XDG_CACHE_HOME=/x", "/x/huggingface/hub"),
        // What goes on by itself keeps nothing waiting.
        ("export HF_HOME=/data/hf; sleep 1000 &\necho $! >$HOME/pid", "/data/hf/hub"),
        // An `env` of old.
        ("export HF_HOME=/old; env() { [ -z \"$1\" ] && command env; }", "/old/hub"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        // Variables of the machine that tests run on must not count.
        let profile = format!("unset HF_HUB_CACHE HUGGINGFACE_HUB_CACHE HF_HOME XDG_CACHE_HOME\n{profile}");
        let found = hub_cache_of(shell_with(folder.path(), &profile).as_os_str(), PATIENCE);
        assert_eq!(found.unwrap(), Path::new(expected), "{profile}");
        if let Ok(pid) = fs::read_to_string(folder.path().join("pid")) {
            let pid = Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
            rustix::process::kill_process(pid, Signal::KILL).unwrap();
        }
    }
}

#[test]
fn a_shell_that_does_not_tell_is_an_error() {
    let endless = "while :; do echo yes yes yes yes yes yes yes yes yes yes yes yes; done";
    for (profile, patience, expected) in [
        ("exit 0", PATIENCE, "printed no environment"),
        ("exec true", PATIENCE, "printed no environment"),
        ("sleep 1000", Duration::ZERO, "it has not ended for 0 s"),
        (endless, PATIENCE, "it prints without end"),
    ] {
        let failure = asked(profile, patience).unwrap_err();
        assert_eq!(failure.kind, NoCache);
        assert!(failure.detail.contains(expected), "{profile}: {failure}");
    }
    let failure = hub_cache_of(OsStr::new("/no/such/shell"), PATIENCE).unwrap_err();
    assert!(failure.detail.contains("/no/such/shell does not tell: "), "{failure}");
}
