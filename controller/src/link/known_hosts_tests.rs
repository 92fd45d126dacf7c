//! Tables of `known_hosts` lines.

use super::*;

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB9dG4kjRhQTtWTVzd2t27+t0DEHBPW7iOD23TUiYLio";

/// The lines that match a name, with their markers.
fn found(text: &str, host: &str, port: u16) -> Vec<(usize, Marker)> {
    let entries = entries_of(text, Path::new("known_hosts"), &host_name(host, port));
    entries.into_iter().map(|entry| (entry.place.line, entry.marker)).collect()
}

#[test]
fn matches_names_as_openssh_does() {
    for (hosts, host, port, matches) in [
        ("box", "box", 22, true),
        ("box", "BOX", 22, true),
        ("Box", "box", 22, true),
        ("box", "box", 2222, false),
        ("[box]:2222", "box", 2222, true),
        ("[box]:2222", "box", 22, false),
        ("[box]:2222", "box", 2223, false),
        ("a,box,c", "box", 22, true),
        ("1.2.3.4", "1.2.3.4", 22, true),
        ("::1", "::1", 22, true),
        ("[::1]:7", "::1", 7, true),
        ("*", "box", 22, true),
        ("*", "box", 2222, true),
        ("*.example.com", "a.example.com", 22, true),
        ("*.example.com", "example.com", 22, false),
        ("*.Example.com", "a.b.example.COM", 22, true),
        ("box?", "box1", 22, true),
        ("box?", "box", 22, false),
        ("[*.example.com]:*", "a.example.com", 77, true),
        ("*,!box", "box", 22, false),
        ("!box,*", "box", 22, false),
        ("!box", "other", 22, false),
        ("!b*,box,c*", "box", 22, false),
        ("a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 22, false),
        ("", "box", 22, false),
        // `ssh-keygen -H` on `box` and on `[box]:2222`, with salts of its own.
        ("|1|notbase64!|x", "box", 22, false),
        ("|1|AAAA", "box", 22, false),
    ] {
        let expected = if matches { vec![(1, Marker::Plain)] } else { vec![] };
        assert_eq!(found(&format!("{hosts} {KEY}\n"), host, port), expected, "{hosts:?} for {host} {port}");
    }
}

#[test]
fn hashed_names_are_hmac_sha1() {
    // RFC 2202, test cases 1 and 2.
    let digest =
        |salt: &[u8], text: &[u8]| hfdown_protocol::Digest::GitSha1(hmac_sha1(salt, text)).to_string();
    assert_eq!(digest(&[0x0b; 20], b"Hi There"), "b617318655057264e28bc0b6fb378c8ef146be00");
    assert_eq!(digest(b"Jefe", b"what do ya want for nothing?"), "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
    assert_eq!(
        digest(&[0xaa; 80], b"Test Using Larger Than Block-Size Key - Hash Key First"),
        "aa4ae5e15272d00e95705637ce8a3b55ed402112"
    );
}

#[test]
fn reads_markers_comments_and_tabs_and_counts_lines() {
    let text = format!(
        "# a comment\n\n  \t box\t{KEY} me@here\n@revoked * {KEY}\n@cert-authority *.x,box {KEY}\n@unknown box {KEY}\n\
         box\nbox ssh-ed25519\n#box {KEY}\nbox ssh-dss AAAAunreadable\r\nother {KEY}\n"
    );
    assert_eq!(
        found(&text, "box", 22),
        [(3, Marker::Plain), (4, Marker::Revoked), (5, Marker::Authority), (10, Marker::Plain)]
    );
    let entries = entries_of(&text, Path::new("k"), "box");
    assert_eq!(entries[0].fingerprint(), "SHA256:bPGahMcWimQBTdksNSUoI+j8Sfbbx1OSgE7hHiSDBTg");
    assert_eq!(entries[3].fingerprint(), "an unreadable ssh-dss key");
}

#[test]
fn a_missing_file_is_empty_and_an_unreadable_one_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(entries(&folder.path().join("none"), "box").unwrap(), []);
    // A folder can be opened and not read.
    assert_eq!(entries(folder.path(), "box").unwrap_err().path, folder.path());
    // Not UTF-8, which other tools write into comments.
    let file = folder.path().join("latin1");
    fs::write(&file, [b"# \xfc\nbox ", KEY.as_bytes(), b" \xfc\n"].concat()).unwrap();
    assert_eq!(entries(&file, "box").unwrap().len(), 1);
}

#[test]
fn learns_a_key_once_in_a_private_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("new/known_hosts");
    let key = PublicKey::from_openssh(KEY).unwrap();
    for name in ["box", "[box]:7", "box"] {
        learn(&file, name, &key).unwrap();
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), format!("box {KEY}\n[box]:7 {KEY}\n"));
    #[cfg(unix)]
    assert_eq!(
        std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&file).unwrap().permissions()) & 0o777,
        0o600
    );
    // Somebody's editor left no line end.
    fs::write(&file, "# mine").unwrap();
    learn(&file, "box", &key).unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), format!("# mine\nbox {KEY}\n"));
}

#[test]
fn two_runs_that_learn_at_once_leave_whole_lines() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("known_hosts");
    let key = PublicKey::from_openssh(KEY).unwrap();
    std::thread::scope(|scope| {
        for run in 0..8 {
            let (file, key) = (&file, &key);
            scope.spawn(move || learn(file, &format!("box{run}"), key).unwrap());
        }
    });
    let text = fs::read_to_string(&file).unwrap();
    assert_eq!(text.lines().filter(|line| line.ends_with(KEY)).count(), 8);
}

#[test]
fn forgets_a_host_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("known_hosts");
    assert_eq!(forget(&file, "box").unwrap(), 0);
    assert!(!file.exists(), "nothing is made");
    let text = format!("# box\nbox {KEY}\n[box]:7 {KEY}\n@revoked box {KEY}\nbox {KEY}\nfox {KEY}");
    fs::write(&file, text).unwrap();
    assert_eq!(forget(&file, "box").unwrap(), 2);
    let left = format!("# box\n[box]:7 {KEY}\n@revoked box {KEY}\nfox {KEY}");
    assert_eq!(fs::read_to_string(&file).unwrap(), left);
    assert_eq!(forget(&file, "box").unwrap(), 0);
    assert_eq!(forget(&file, "[box]:7").unwrap(), 1);
}

/// A counterpart that we did not write: OpenSSH hashes the names, and both find them.
#[test]
fn finds_what_ssh_keygen_hashed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("known_hosts");
    fs::write(&file, format!("box {KEY}\n[box]:2222 {KEY}\n[::1]:7 {KEY}\n1.2.3.4 {KEY}\n")).unwrap();
    let keygen = |arguments: &[&str]| {
        std::process::Command::new("ssh-keygen").args(arguments).arg("-f").arg(&file).output()
    };
    // Without OpenSSH on this machine there is nothing to compare with.
    let Ok(hashed) = keygen(&["-H"]) else { return };
    assert!(hashed.status.success());
    let text = fs::read_to_string(&file).unwrap();
    assert!(!text.contains("box"), "the names are hashed");
    for (host, port, line) in [("box", 22, 1), ("Box", 2222, 2), ("::1", 7, 3), ("1.2.3.4", 22, 4)] {
        assert_eq!(found(&text, host, port), [(line, Marker::Plain)]);
        assert!(keygen(&["-F", &host_name(host, port)]).unwrap().status.success(), "{host}");
    }
    assert_eq!(found(&text, "box", 2223), []);
    assert_eq!(found(&text, "1.2.3.5", 22), []);
}

proptest::proptest! {
    #[test]
    fn no_file_makes_it_panic(text in r"[-a-z0-9*?!,|\[\]:@# \t\n=+/.]{0,200}", any in ".*") {
        for text in [text, any] {
            for entry in entries_of(&text, Path::new("known_hosts"), "[box]:2222") {
                _ = entry.fingerprint();
            }
        }
    }

    /// The pattern matcher agrees with a plain recursive one.
    #[test]
    fn patterns_match_as_their_definition_says(pattern in "[ab*?]{0,8}", name in "[ab]{0,8}") {
        fn defined(pattern: &[u8], name: &[u8]) -> bool {
            match (pattern.split_first(), name.split_first()) {
                (None, rest) => rest.is_none(),
                (Some((b'*', after)), rest) => {
                    defined(after, name) || rest.is_some_and(|(_, shorter)| defined(pattern, shorter))
                }
                (Some((byte, after)), Some((first, shorter))) => {
                    (*byte == b'?' || byte == first) && defined(after, shorter)
                }
                (Some(_), None) => false,
            }
        }
        let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
        proptest::prop_assert_eq!(matches_pattern(pattern, name), defined(pattern, name));
    }
}
