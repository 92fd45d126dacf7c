//! Tables of configuration files, and what `ssh -G` makes of the same ones.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::super::openssh;
use super::super::{LinkSettings, SshTarget, TargetError};
use super::*;

/// A home with these files in its `.ssh`.
struct ConfigHome {
    folder: tempfile::TempDir,
}

impl ConfigHome {
    fn with(files: &[(&str, &str)]) -> Self {
        let home = Self { folder: tempfile::tempdir().unwrap() };
        for (name, text) in files {
            let path = home.file(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        home
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(".ssh").join(name)
    }

    fn settings(&self) -> LinkSettings {
        let folder = self.folder.path().join(".ssh");
        let config = ConfigFile { path: folder.join("config"), folder, presence: Presence::Optional };
        LinkSettings {
            user: Some("here".into()),
            variables: EnvironmentVariables::of([("HFDOWN_TEST_KEYS", "/the keys")]),
            home: Some(self.folder.path().to_owned()),
            config: vec![config],
            ..LinkSettings::from_environment()
        }
    }

    fn read(&self, pasted: &str) -> Result<SshTarget, TargetError> {
        SshTarget::resolve(pasted, &self.settings()).map(|(target, _)| target)
    }
}

fn line(target: &SshTarget) -> String {
    let user = target.user.as_ref().map(|user| format!("{user}@")).unwrap_or_default();
    let mut words = vec![format!("{user}{target}")];
    words.extend(target.identities.iter().map(|path| format!("key={}", path.display())));
    words.extend(target.certificates.iter().map(|path| format!("cert={}", path.display())));
    words.extend(target.jumps.iter().map(|jump| format!("via({})", line(jump))));
    words.extend(target.host_key_alias.iter().map(|alias| format!("alias={alias}")));
    if target.identities_only == super::super::IdentitiesOnly::Yes {
        words.push("only".to_owned());
    }
    words.join(" ")
}

#[test]
fn reads_what_the_file_says_of_a_host() {
    let table = [
        ("Host box\n HostName 1.2.3.4\n Port 7\n User me\n", "box", "me@1.2.3.4:7"),
        ("Host box\n HostName 1.2.3.4\n", "other", "other:22"),
        ("port 7\nHost box\nPort 8\n", "box", "box:7"),
        ("Host b*x\nPort 7\n", "box", "box:7"),
        ("Host b?x c?\nPort 7\n", "c1", "c1:7"),
        ("Host * !box\nPort 7\n", "box", "box:22"),
        ("Host !box *\nPort 7\n", "fox", "fox:7"),
        ("Host !box\nPort 7\n", "fox", "fox:22"),
        ("hOsT=box\n\tPORT = 7\n  user\t\"me\" # who\n", "box", "me@box:7"),
        ("Host \"box\" # fox\nPort 7\n", "fox", "fox:22"),
        ("# Port 7\n\n  #\nHost box\r\nPort 8\r\n", "box", "box:8"),
        ("Host box\nHostName %h.example.com\n", "box", "box.example.com:22"),
        // The string wins.
        ("User you\nPort 7\nIdentityFile ~/a\n", "ssh -i b -p 9 me@box", "me@box:9 key=b key=~/a"),
        ("User you\nPort 7\n", "ssh://me@box:9", "me@box:9"),
        ("IdentitiesOnly yes\n", "ssh -o IdentitiesOnly=no box", "box:22"),
        ("IdentitiesOnly yes\nCertificateFile ~/c\n", "box", "box:22 cert=~/c only"),
        (
            "IdentityFile \"~/my key\"\nIdentityFile ~/%n-%r-%u-%p-%%\n",
            "me@box",
            "me@box:22 key=~/my key key=~/box-me-here-22-%",
        ),
        ("Host box\nHostName h\nHostKeyAlias farm\n", "box", "h:22 alias=farm"),
        // `Match` never leaks.
        ("Match host box\nPort 7\n", "box", "box:7"),
        ("Match host=b*,!bax\nPort 7\n", "bax", "bax:22"),
        ("HostName 1.2.3.4\nMatch host 1.2.* !user you\nPort 7\n", "box", "1.2.3.4:7"),
        ("Match originalhost box user you\nPort 7\n", "you@box", "you@box:7"),
        ("User you\nMatch user you,me\nPort 7\n", "me@box", "me@box:7"),
        ("Match localuser here\nPort 7\nMatch !localuser here\nUser me\n", "box", "box:7"),
        ("Match host fox exec true\nPort 7\nMatch exec true host box\nPort 8\n", "box", "box:22"),
        ("IdentityFile ${HFDOWN_TEST_KEYS}/%n-%k\n", "box", "box:22 key=/the keys/box-box"),
        ("Match exec true\nPort 7\nHost box\nUser me\n", "box", "me@box:22"),
        ("Match final all\nPort 7\nMatch canonical\nPort 8\n", "box", "box:22"),
        ("Host fox\nPort 7\nMatch all\nUser me\n", "box", "me@box:22"),
        // Through others.
        (
            "Host box\nProxyJump me@jump:2\nHost jump\nHostName 1.2.3.4\nIdentityFile ~/j\n",
            "box",
            "box:22 via(me@1.2.3.4:2 key=~/j)",
        ),
        ("Host box\nProxyJump b\nHost b\nProxyJump a\n", "box", "box:22 via(a:22) via(b:22)"),
        ("Host box\nProxyJump a,b\nHost b\nProxyJump c\n", "box", "box:22 via(a:22) via(b:22)"),
        ("Host box\nProxyJump none\nHost *\nProxyJump j\n", "box", "box:22"),
        ("Host box\nProxyCommand none\nHost *\nProxyCommand nc %h\n", "box", "box:22"),
        ("Host *\nProxyCommand nc '%h\n", "ssh -J j -F none box", "box:22 via(j:22)"),
        ("Host *\nProxyCommand nc %h\n", "ssh -o ProxyJump=none box", "box:22"),
        // Settings of other programs are passed over.
        (
            "Host box\nRemoteCommand tmux\nForwardAgent yes\nStrictHostKeyChecking no\nNonsense\t1\n",
            "box",
            "box:22",
        ),
    ];
    for (text, pasted, meaning) in table {
        let home = ConfigHome::with(&[("config", text)]);
        assert_eq!(home.read(pasted).as_ref().map(line), Ok(meaning.to_owned()), "{text}");
    }
}

#[test]
fn says_which_line_makes_no_sense() {
    for (text, reason) in [
        ("\nPort x\n", "CONFIG:2: `x` is not a port"),
        ("Port 1 2\n", "CONFIG:1: Port can't be `1 2`"),
        ("Port\n", "CONFIG:1: Port needs a value"),
        ("User \"me\n", "CONFIG:1: a quote is not closed"),
        ("Host\n", "CONFIG:1: Host needs a value"),
        ("IdentitiesOnly maybe\n", "CONFIG:1: IdentitiesOnly can't be `maybe`"),
        ("Include config\n", "CONFIG:1: too many files include each other"),
        ("ProxyJump box\n", "the jump hosts lead in a circle, or are more than 8"),
        ("HostName -oProxyCommand=x\n", "`-oProxyCommand=x` is not a host name"),
        (
            "\nIdentityFile ${NONE_SUCH}/k\n",
            "CONFIG:2: IdentityFile needs the variable NONE_SUCH, which is not set",
        ),
        ("Match host\n", "CONFIG:1: Match host needs a value"),
        ("IdentityFile ~/%C\n", "IdentityFile can't be `~/%C`"),
        (
            "ProxyCommand nc %h %p\n",
            "ProxyCommand is not supported: hfdown runs no commands on the way to a box; ProxyJump (-J) does what most of \
             them are for",
        ),
    ] {
        let home = ConfigHome::with(&[("config", text)]);
        let error = home.read("box").unwrap_err().to_string();
        assert_eq!(error.replace(home.file("config").to_str().unwrap(), "CONFIG"), reason, "{text}");
    }
    let home = ConfigHome::with(&[("config", &"# much\n".repeat(200_000))]);
    assert!(home.read("box").unwrap_err().to_string().ends_with("is larger than 1 MiB"));
    let error = ConfigHome::with(&[]).read("ssh -F /no/such/file box").unwrap_err();
    assert!(error.to_string().starts_with("cannot read /no/such/file: "), "{error}");
    assert_eq!(ConfigHome::with(&[]).read("box").as_ref().map(line), Ok("box:22".to_owned()));
}

#[test]
fn includes_files_where_they_stand() {
    let home = ConfigHome::with(&[
        ("config", "Host box\nInclude more/*.conf none\nHost *\nUser late\nInclude ~/.ssh/all\n"),
        ("more/1.conf", "Port 7\nHost fox\nUser wrong\n"),
        ("more/2.conf", "Port 8\nUser early\n"),
        ("more/.hidden.conf", "HostName hidden\n"),
        ("all", "IdentityFile k\n"),
    ]);
    assert_eq!(line(&home.read("box").unwrap()), "early@box:7 key=k");
    assert_eq!(line(&home.read("fox").unwrap()), "late@fox:22 key=k");
}

/// A counterpart that we did not write.
#[test]
fn agrees_with_ssh() {
    if openssh::program("ssh").is_none() {
        return;
    }
    let text = "Include extra.conf\nHost box b?x*\n HostName %h.example.com\n Port=7\n User \"me\"\n\
        IdentityFile ~/.ssh/a\n\nHost * !fox\n Port 8\n IdentityFile \"/my key\"\n IdentitiesOnly yes\n\
        Match all\n User all\nMatch host nothing\n Port 9\nMatch host *.example.com user me\n ServerAliveInterval 3\n\
        Match !originalhost fox,vox user me\n IdentityFile /matched\nhost FOX\n Port 10\nHost via\n ProxyJump me@jump:3\n";
    let home = ConfigHome::with(&[("config", text), ("extra.conf", "Host vox\nPort 11\nCompression yes\n")]);
    let settings = home.settings();
    for host in ["box", "bix2", "fox", "FOX", "vox", "via", "other"] {
        // `-F` would look for the included file in the real home.
        let config = fs::read_to_string(home.file("config")).unwrap();
        let absolute = config.replace("extra.conf", home.file("extra.conf").to_str().unwrap());
        fs::write(home.file("absolute"), absolute).unwrap();
        let output =
            Command::new("ssh").arg("-F").arg(home.file("absolute")).args(["-G", host]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let theirs = String::from_utf8_lossy(&output.stdout).into_owned();
        let said = |keyword: &str| -> Vec<&str> {
            theirs.lines().filter_map(|line| line.strip_prefix(keyword)?.strip_prefix(' ')).collect()
        };
        let (ours, _) = SshTarget::resolve(host, &settings).unwrap();
        assert_eq!(said("hostname"), [ours.host.to_ascii_lowercase()], "{host}");
        assert_eq!(said("port"), [ours.port.to_string()], "{host}");
        if let Some(user) = &ours.user {
            assert_eq!(said("user"), [user.as_str()], "{host}");
        }
        if !ours.identities.is_empty() {
            let keys: Vec<_> = ours.identities.iter().map(|key| key.display().to_string()).collect();
            assert_eq!(said("identityfile"), keys, "{host}");
        }
        let only = ours.identities_only == super::super::IdentitiesOnly::Yes;
        assert_eq!(said("identitiesonly"), [if only { "yes" } else { "no" }], "{host}");
        assert_eq!(said("proxyjump").is_empty(), ours.jumps.is_empty(), "{host}");
    }
}

proptest::proptest! {
    #[test]
    fn no_file_makes_it_panic(
        text in r#"((Host|Match|Port|Include|IdentityFile|ProxyJump|HostName)[ =\t]*[-a-z0-9*!?%~"'\\,@:. #]{0,20}\n){0,8}"#,
        any in ".*",
    ) {
        for text in [text, any] {
            let home = ConfigHome::with(&[("config", &text)]);
            _ = home.read("box");
            let query = ConfigQuery { host: "box", home: Some(Path::new("/none")), ..ConfigQuery::default() };
            _ = settings_for(query, &home.settings().config);
            _ = split_arguments(&text);
            _ = Tokens::default().expand(&text);
        }
    }
}
