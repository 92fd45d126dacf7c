//! Tables of `known_hosts` lines.

use std::process::Command;

use data_encoding::HEXLOWER;
use proptest::strategy::Strategy as _;

use super::*;
use crate::link::openssh;
use crate::link::pattern::matches_pattern;

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
    // RFC 2202, test cases 1, 2 and 6.
    for (salt, name, hash) in [
        (&[0x0b; 20][..], "Hi There", "b617318655057264e28bc0b6fb378c8ef146be00"),
        (b"Jefe", "what do ya want for nothing?", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
        (
            &[0xaa; 80],
            "Test Using Larger Than Block-Size Key - Hash Key First",
            "aa4ae5e15272d00e95705637ce8a3b55ed402112",
        ),
    ] {
        let hash = HEXLOWER.decode(hash.as_bytes()).unwrap();
        assert!(is_hash_of(name, salt, &hash), "{name}");
        assert!(!is_hash_of("box", salt, &hash), "{name}");
    }
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
    // An editor that left no line end.
    fs::write(&file, "# mine").unwrap();
    learn(&file, "box", &key).unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), format!("# mine\nbox {KEY}\n"));
}

#[test]
fn runs_and_boxes_that_learn_at_once_leave_whole_lines() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("known_hosts");
    let key = PublicKey::from_openssh(KEY).unwrap();
    std::thread::scope(|scope| {
        for run in 0..50 {
            let (file, key) = (&file, &key);
            scope.spawn(move || learn(file, &format!("box{run}"), key).unwrap());
        }
    });
    let text = fs::read_to_string(&file).unwrap();
    assert_eq!(text.lines().filter(|line| line.ends_with(KEY)).count(), 50);
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

/// What OpenSSH finds in a file: `# Host box found: line 3 REVOKED`.
fn found_by_ssh_keygen(file: &Path, name: &str) -> Vec<(usize, Marker)> {
    let output = Command::new("ssh-keygen").args(["-F", name, "-f"]).arg(file).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines = text.lines().filter_map(|line| line.strip_prefix(&format!("# Host {name} found: line ")));
    lines
        .map(|found| {
            let mut words = found.split(' ');
            let line = words.next().unwrap().parse().unwrap();
            let marker = match words.next() {
                Some("REVOKED") => Marker::Revoked,
                Some("CA") => Marker::Authority,
                _ => Marker::Plain,
            };
            (line, marker)
        })
        .collect()
}

/// A counterpart that we did not write finds the same lines, for every name in every file, plain and hashed. But for
/// two things, which are on the safe side here: a tab after a marker makes it none for OpenSSH 9.2, and a key of a kind
/// that it does not know is passed over.
#[test]
fn finds_what_ssh_keygen_finds() {
    if openssh::program("ssh-keygen").is_none() {
        return;
    }
    let files = [
        "box K\n[box]:2222 K\n[::1]:7 K\n::1 K\n1.2.3.4 K\n[1.2.3.4]:2222 K\n",
        "box,fox,1.2.3.4 K\nBOX K\nfox,[box]:2222 K comment with words\n",
        "* K\n*.example.com K\n[*.example.com]:* K\n*.EXAMPLE.com K\n[*]:2222 K\n[*]:* K\n",
        "box? K\nb?x K\nb*x K\n?* K\n??? K\n**x K\n",
        "*,!box K\n!box,* K\n!box K\n!b*,box K\nfox,!*.example.com,a* K\n*,!box,!fox K\n*,!BOX K\n",
        "@revoked * K\n@revoked box K\n@cert-authority *.example.com,box K\n@cert-authority !box,* K\n@unknown box K\n",
        "@revoked box\tK\n@revoked  box   K\n @cert-authority box K\n@ box K\n@revoked\n@revoked box\n",
        "# box K\n#box K\n\n   \n\tbox\tK\n  box   K   # late\nbox K # comment\n   # box K\n",
        "box K\r\n[box]:2222 K\r\n\r\n# box\r\nbox K comment\r\n",
        "box\nbox \nbox ssh-ed25519\nbox ssh-ed25519 \nbox 1024 35 12345\nbox K\n",
        ",box K\nbox, K\nbox,,fox K\n, K\n",
        "box ssh-ed25519 AAAA\nbox ssh-dss AAAAB3NzaC1kc3M=\n",
        "box K",
        "",
    ];
    let names = [
        ("box", 22),
        ("box", 2222),
        ("fox", 22),
        ("box1", 22),
        ("a.example.com", 22),
        ("a.example.com", 77),
        ("example.com", 22),
        ("1.2.3.4", 22),
        ("1.2.3.4", 2222),
        ("::1", 22),
        ("::1", 7),
        ("other", 22),
    ];
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("known_hosts");
    let mut lines_found = 0;
    for text in files {
        fs::write(&file, text.replace(" K", &format!(" {KEY}")).replace("\tK", &format!("\t{KEY}"))).unwrap();
        let compare = || -> usize {
            let text = fs::read_to_string(&file).unwrap();
            let same = |(host, port): &(&str, u16)| {
                let theirs = found_by_ssh_keygen(&file, &host_name(host, *port));
                assert_eq!(found(&text, host, *port), theirs, "{host} {port} in:\n{text}");
                theirs.len()
            };
            names.iter().map(same).sum()
        };
        lines_found += compare();
        // Hashed, where it can be: wildcards and what makes no sense stay.
        let hashed = Command::new("ssh-keygen").args(["-q", "-H", "-f"]).arg(&file).output().unwrap();
        lines_found += if hashed.status.success() { compare() } else { 0 };
    }
    assert!(lines_found > 200, "{lines_found}");
}

/// A marker, hosts, a key and a comment; each may be missing, doubled or broken.
fn near_valid_line() -> impl proptest::strategy::Strategy<Value = String> {
    let part = |choices: &'static [&'static str]| proptest::sample::select(choices);
    let key = KEY.split(' ').nth(1).unwrap();
    let markers = part(&["", "", "", "@revoked ", "@cert-authority\t", "@revoked @revoked ", "@", "#"]);
    let hosts = part(&[
        "box",
        "[box]:2222",
        "*",
        "*,!box",
        "!box",
        "[box]:*",
        "BOX,a.example.com",
        "*.example.com",
        "[box",
        "box]:",
        "|1|F1E1KeoE/eEWhi10WpGv4OdiO6Y=|3988QV0VE8wmZL7suNrYQLITLCg=",
        "|1||",
        "|1|AAAA|AAAA",
        "|2|a|b",
        ",,",
        "!",
    ]);
    let kinds = part(&["ssh-ed25519", "ssh-rsa", "ssh-dss", "1024", "", "ecdsa-sha2-nistp256", "x"]);
    let keys = proptest::prop_oneof![
        proptest::strategy::Just(key.to_owned()),
        (0..key.len()).prop_map(move |cut| key[..cut].to_owned()),
        "[A-Za-z0-9+/=]{0,40}",
    ];
    (markers, hosts, "[ \t]{1,3}", kinds, keys, "( comment| #.{0,5})?").prop_map(
        |(marker, hosts, space, kind, key, comment)| format!("{marker}{hosts}{space}{kind} {key}{comment}"),
    )
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

    /// Lines as they are, with something wrong in them here and there.
    #[test]
    fn near_valid_lines_give_entries_that_are_as_they_stand(
        lines in proptest::collection::vec(near_valid_line(), 0..8),
        ends in "\r?\n",
    ) {
        let text = lines.join(&ends);
        for name in ["box", "[box]:2222", "a.example.com"] {
            let entries = entries_of(&text, Path::new("known_hosts"), name);
            proptest::prop_assert!(entries.len() <= lines.len());
            for entry in entries {
                let line = text.lines().nth(entry.place.line - 1).unwrap();
                proptest::prop_assert!(line.contains(&entry.key) && line.contains(&entry.algorithm));
                proptest::prop_assert_eq!(line.contains("@revoked"), entry.marker == Marker::Revoked);
                let longest = entry.algorithm.len() + 80;
                proptest::prop_assert!(entry.fingerprint().len() <= longest);
            }
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("known_hosts");
        fs::write(&file, bytes).unwrap();
        _ = entries(&file, "box");
        _ = forget(&file, "box");
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
