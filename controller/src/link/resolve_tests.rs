//! The table of pasted strings.

use proptest::strategy::Strategy as _;

use super::super::openssh;
use super::*;
use crate::link::{AddressFamily, BatchMode, IdentitiesOnly};

/// What a string means, in one line: `user@host:port` and whatever else it sets; ignored options after `~`.
fn read(pasted: &str) -> String {
    let (target, ignored) = match SshTarget::parse(pasted) {
        Ok(parsed) => parsed,
        Err(error) => return format!("error: {error}"),
    };
    let login = |target: &SshTarget| {
        let login = target.user.as_ref().map(|user| format!("{user}@{target}"));
        login.unwrap_or_else(|| target.to_string())
    };
    let mut line = vec![login(&target)];
    for key in &target.identities {
        line.push(format!("key={}", key.display()));
    }
    for certificate in &target.certificates {
        line.push(format!("cert={}", certificate.display()));
    }
    if let Some(alias) = &target.host_key_alias {
        line.push(format!("alias={alias}"));
    }
    for jump in &target.jumps {
        line.push(format!("via={}", login(jump)));
    }
    if target.identities_only == IdentitiesOnly::Yes {
        line.push("only".to_owned());
    }
    if target.batch_mode == BatchMode::Yes {
        line.push("silent".to_owned());
    }
    if let Some(wish) = target.strict_host_key_checking {
        line.push(format!("{wish:?}"));
    }
    if let Some(files) = &target.known_hosts {
        line.push(format!("known={files:?}"));
    }
    if target.address_family != AddressFamily::Any {
        line.push(format!("{:?}", target.address_family));
    }
    if let Some(timeout) = target.connect_timeout {
        line.push(format!("{timeout:?}"));
    }
    for IgnoredOption { option, .. } in ignored {
        line.push(format!("~{option}"));
    }
    line.join(" ")
}

const PASTED: &[(&str, &str)] = &[
    // What the Vast console gives, and its command line tool.
    (
        "ssh -p 20544 root@142.214.185.187 -L 8080:localhost:8080",
        "root@142.214.185.187:20544 ~-L 8080:localhost:8080",
    ),
    ("ssh -p10600 root@ssh4.vast.ai", "root@ssh4.vast.ai:10600"),
    (
        "ssh -p 10600 root@ssh123.vast.ai -L 8080:localhost:8080 -L 1:a:2",
        "root@ssh123.vast.ai:10600 ~-L 8080:localhost:8080 ~-L 1:a:2",
    ),
    ("ssh://root@142.214.185.187:20544", "root@142.214.185.187:20544"),
    // RunPod, Lambda, plain ones.
    ("ssh root@213.173.98.1 -p 17445 -i ~/.ssh/id_ed25519", "root@213.173.98.1:17445 key=~/.ssh/id_ed25519"),
    ("ssh abc-6441@ssh.runpod.io -i ~/.ssh/id_ed25519", "abc-6441@ssh.runpod.io:22 key=~/.ssh/id_ed25519"),
    ("ssh -i '~/.ssh/my key' ubuntu@10.0.0.1", "ubuntu@10.0.0.1:22 key=~/.ssh/my key"),
    ("ssh root@h -p 1 -i '~/.ssh/my key'", "root@h:1 key=~/.ssh/my key"),
    ("ssh root@h", "root@h:22"),
    ("ssh h", "h:22"),
    ("h", "h:22"),
    ("root@h", "root@h:22"),
    ("root@h:1", "root@h:1"),
    ("h:65535", "h:65535"),
    ("gpu-box_3.example.com", "gpu-box_3.example.com:22"),
    ("  \t ssh   root@h  \n", "root@h:22"),
    ("\"root@h\"", "root@h:22"),
    ("'ssh' \"root@h\" -p '2'", "root@h:2"),
    ("/usr/bin/ssh root@h", "root@h:22"),
    ("ssh.exe root@h", "root@h:22"),
    ("ssh ssh", "ssh:22"),
    ("ssh", "ssh:22"),
    // Addresses.
    ("[::1]:2222", "[::1]:2222"),
    ("[::1]", "[::1]:22"),
    ("::1", "[::1]:22"),
    ("root@2001:db8::1", "root@[2001:db8::1]:22"),
    ("ssh root@[2001:db8::1]:7 -6", "root@[2001:db8::1]:7 V6"),
    ("ssh -p 9 fe80::1%eth0", "[fe80::1%eth0]:9"),
    ("ssh://[::1]:22/", "[::1]:22"),
    ("ssh://h", "h:22"),
    ("ssh://h/", "h:22"),
    ("ssh ssh://me@h:3 -v", "me@h:3 ~-v"),
    ("me@there@h", "me@there@h:22"),
    // Glued and combined letters, the end of options, who wins.
    ("ssh -Av -tp 22 root@h", "root@h:22 ~-A ~-v ~-t"),
    ("ssh -vvvp22 h", "h:22 ~-v ~-v ~-v"),
    ("ssh -NTn -p 5 h", "h:5 ~-N ~-T ~-n"),
    ("ssh -oPort=7 h", "h:7"),
    ("ssh -o Port=7 h", "h:7"),
    ("ssh -o 'Port 7' h", "h:7"),
    ("ssh -o 'port = 7' h", "h:7"),
    ("ssh -p 7 -o Port=8 -p 9 h:10", "h:7"),
    ("ssh h:10 -p 7", "h:7"),
    ("ssh -l me h", "me@h:22"),
    ("ssh -lme you@h", "me@h:22"),
    ("ssh -o User=me you@h", "me@h:22"),
    ("ssh -o HostName=1.2.3.4 box", "1.2.3.4:22"),
    ("ssh -- h", "h:22"),
    ("ssh -p 2 -- root@h", "root@h:2"),
    ("ssh h -i a -i b", "h:22 key=a key=b"),
    ("ssh -o 'IdentityFile=\"~/my key\"' h", "h:22 key=~/my key"),
    ("ssh -o IdentitiesOnly=yes -i k h", "h:22 key=k only"),
    ("ssh -o IdentitiesOnly=no h", "h:22"),
    ("ssh -4 h -o ConnectTimeout=9", "h:22 V4 9s"),
    ("ssh -o AddressFamily=inet6 h", "h:22 V6"),
    ("ssh -o StrictHostKeyChecking=yes h", "h:22 Strict"),
    ("ssh -o StrictHostKeyChecking=accept-new h", "h:22 AcceptNew"),
    (
        "ssh -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null h",
        "h:22 AcceptNew known=[\"/dev/null\"] ~-o StrictHostKeyChecking=no",
    ),
    ("ssh -o HostName=%h.example.com box", "box.example.com:22"),
    ("ssh -o HostKeyAlias=farm -o CertificateFile=~/c h", "h:22 cert=~/c alias=farm"),
    // Through others.
    ("ssh -J jump h", "h:22 via=jump:22"),
    ("ssh -J me@jump:2222 root@h -p 3", "root@h:3 via=me@jump:2222"),
    ("ssh -Ja,ssh://me@[::1]:2,c h", "h:22 via=a:22 via=me@[::1]:2 via=c:22"),
    ("ssh -o ProxyJump=jump h", "h:22 via=jump:22"),
    ("ssh -J none -o ProxyJump=jump h", "h:22"),
    ("ssh -o ProxyCommand=none h", "h:22"),
    ("ssh -J jump -o 'ProxyCommand nc %h %p' h", "h:22 via=jump:22"),
    // Without effect.
    (
        "ssh -C -c aes128-ctr -m hmac -b 1.2.3.4 -D 1080 -R 1:h:2 h",
        "h:22 ~-C ~-c aes128-ctr ~-m hmac ~-b 1.2.3.4 ~-D 1080 ~-R 1:h:2",
    ),
    ("ssh -X -Y -x -K -k -a -q h", "h:22 ~-X ~-Y ~-x ~-K ~-k ~-a ~-q"),
    ("ssh -F none h", "h:22"),
    (
        "ssh -o ServerAliveInterval=30 -o LogLevel=ERROR h",
        "h:22 ~-o ServerAliveInterval=30 ~-o LogLevel=ERROR",
    ),
    ("ssh -o ForwardAgent=yes h", "h:22 ~-o ForwardAgent=yes"),
    ("ssh -o NoSuchThing=1 h", "h:22 ~-o NoSuchThing=1"),
    // A comment as the shell would drop it.
    ("ssh root@h # my box", "root@h:22"),
    // Batch jobs, keys of clouds, what web pages and phones make of a command, lines that were wrapped.
    ("ssh -o BatchMode=yes root@h", "root@h:22 silent"),
    ("ssh -o batchmode=no root@h", "root@h:22"),
    (
        "ssh -i \"my key.pem\" ubuntu@ec2-1-2-3-4.compute-1.amazonaws.com",
        "ubuntu@ec2-1-2-3-4.compute-1.amazonaws.com:22 key=my key.pem",
    ),
    (
        "ssh -i ~/.ssh/google_compute_engine -o IdentitiesOnly=yes me@34.1.2.3",
        "me@34.1.2.3:22 key=~/.ssh/google_compute_engine only",
    ),
    (
        "ssh -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -p 40022 root@1.2.3.4",
        "root@1.2.3.4:40022 AcceptNew known=[\"/dev/null\"] ~-o StrictHostKeyChecking=no",
    ),
    (
        "ssh -tt -p 20544 root@h -L 8080:localhost:8080 -N -f",
        "root@h:20544 ~-t ~-t ~-L 8080:localhost:8080 ~-N ~-f",
    ),
    ("ssh -p 20544 \\\n  root@h \\\n  -L 1:a:2", "root@h:20544 ~-L 1:a:2"),
    ("ssh\u{a0}-p\u{a0}20544\u{a0}root@h", "root@h:20544"),
    ("Ssh root@h -p 7", "root@h:7"),
    ("root@h -p 2222", "root@h:2222"),
    ("-p 2222 root@h", "root@h:2222"),
    ("ssh -p2222 -lroot h", "root@h:2222"),
    ("ssh -p=22 h", "error: `=22` is not a port"),
    ("ssh -o \"Port 2222\" -o \"User root\" h", "root@h:2222"),
    (
        "ssh -L 8888:localhost:8888 -R 9:h:9 -D 1080 root@h",
        "root@h:22 ~-L 8888:localhost:8888 ~-R 9:h:9 ~-D 1080",
    ),
    (
        "ssh -J user@bastion.example.com:2222 root@10.0.0.2",
        "root@10.0.0.2:22 via=user@bastion.example.com:2222",
    ),
    (
        "ssh root@1.2.3.4 -p 22 -i ~/.ssh/id_ed25519 -o ServerAliveInterval=30",
        "root@1.2.3.4:22 key=~/.ssh/id_ed25519 ~-o ServerAliveInterval=30",
    ),
];

#[test]
fn reads_what_people_paste() {
    assert!(PASTED.len() >= 60);
    for (pasted, meaning) in PASTED {
        assert_eq!(read(pasted), *meaning, "{pasted:?}");
    }
}

/// A counterpart that we did not write reads the same host, port, user and keys. Leftovers out is what `ssh` does not take:
/// what is no command, a port after a colon, settings and algorithms that it does not know, several sources of one
/// value.
#[test]
fn agrees_with_ssh_on_what_it_takes() {
    let Some(_) = openssh::program("ssh") else { return };
    let only_here = [
        "h:10",
        "::1]:7 -6",
        "-Ja,ssh://",
        "NoSuchThing",
        "hmac",
        "-p=22",
        "ProxyCommand nc",
        "you@h",
        "ssh\u{a0}",
        "Ssh ",
    ];
    let mut compared = 0;
    for (pasted, _) in PASTED {
        let is_command =
            pasted.trim_start().trim_start_matches('\'').starts_with("ssh") && pasted.contains(' ');
        if !is_command || only_here.iter().any(|only| pasted.contains(only)) {
            continue;
        }
        let words = shell_words::split(pasted.trim()).unwrap();
        let mut ssh = std::process::Command::new("ssh");
        // The last `-F` would win; `-G` alone asks what it would do.
        let output = ssh.args(["-F", "none", "-G"]).args(&words[1..]).output().unwrap();
        assert!(output.status.success(), "{pasted:?}: {}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let said = |keyword: &str| -> Vec<&str> {
            text.lines().filter_map(|line| line.strip_prefix(keyword)?.strip_prefix(' ')).collect()
        };
        let (ours, _) = SshTarget::parse(pasted).unwrap();
        assert_eq!(said("hostname"), [ours.host.to_ascii_lowercase()], "{pasted:?}");
        assert_eq!(said("port"), [ours.port.to_string()], "{pasted:?}");
        if let Some(user) = &ours.user {
            assert_eq!(said("user"), [user], "{pasted:?}");
        }
        // A key after `-i` that does not exist is none for `ssh`.
        if !ours.identities.is_empty() && !pasted.contains("-i") {
            let keys: Vec<_> = ours.identities.iter().map(|key| key.display().to_string()).collect();
            assert_eq!(said("identityfile"), keys, "{pasted:?}");
        }
        let only = if ours.identities_only == IdentitiesOnly::Yes { "yes" } else { "no" };
        assert_eq!(said("identitiesonly"), [only], "{pasted:?}");
        let batch = if ours.batch_mode == BatchMode::Yes { "yes" } else { "no" };
        assert_eq!(said("batchmode"), [batch], "{pasted:?}");
        assert_eq!(said("proxyjump").is_empty(), ours.jumps.is_empty(), "{pasted:?}");
        compared += 1;
    }
    assert!(compared >= 50, "{compared}");
}

#[test]
fn refuses_the_rest_with_the_reason() {
    let table = [
        ("", "it names no host"),
        ("   ", "it names no host"),
        ("ssh -p 22", "it names no host"),
        ("root@", "it names no host"),
        ("[]:1", "it names no host"),
        ("ssh 'root@h", "a quote is not closed"),
        ("ssh root@h -p", "-p needs a value"),
        ("ssh h -o", "-o needs a value"),
        ("ssh h -o Port", "-o Port needs a value"),
        ("ssh h -o Port=", "-o Port needs a value"),
        ("h:0", "`0` is not a port"),
        ("h:65536", "`65536` is not a port"),
        ("h:+22", "`+22` is not a port"),
        ("h:", "`` is not a port"),
        ("ssh -p x h", "`x` is not a port"),
        ("@h", "`` is not a user name"),
        ("-l@h", "-l needs a value|it names no host"),
        ("ssh '-x y'@h", "ssh has no option"),
        ("'a b@h'", "`a b` is not a user name"),
        ("'$(id)@h'", "`$(id)` is not a user name"),
        ("h;reboot", "`h;reboot` is not a host name"),
        ("'h$(reboot)'", "`h$(reboot)` is not a host name"),
        ("h`id`", "`h`id`` is not a host name"),
        ("ssh -- -oProxyCommand=x", "`-oProxyCommand=x` is not a host name"),
        ("ssh -o HostName=-x h", "`-x` is not a host name"),
        (
            "$ ssh root@h",
            "it ends in a command for the box (`ssh root@h`), and hfdown runs only its own agent there",
        ),
        ("h\u{202e}", "`h\u{202e}` is not a host name"),
        ("::g", "`::g` is not a host name"),
        ("[::1", "`[::1` is not a host name"),
        ("[::1]22", "`[::1]22` is not a host name"),
        ("http://h", "`http://h` is not a host name"),
        ("ssh://h/path", "`h/path` is not a host name"),
        (
            "ssh root@h nvidia-smi",
            "it ends in a command for the box (`nvidia-smi`), and hfdown runs only its own agent there",
        ),
        (
            "ssh root@h -p 2 rm -rf /",
            "it ends in a command for the box (`rm -rf /`), and hfdown runs only its own agent there",
        ),
        (
            "root@h && reboot",
            "it ends in a command for the box (`&& reboot`), and hfdown runs only its own agent there",
        ),
        ("ssh -J j, h", "it names no host"),
        ("ssh -J 'a b' h", "`a b` is not a host name"),
        ("ssh -J -oProxyCommand=x h", "`-oProxyCommand=x` is not a host name"),
        ("ssh -J a,b,c,d,e,f,g,h,i h", "the jump hosts lead in a circle, or are more than 8"),
        (
            "ssh -o ProxyCommand='nc %h %p' h",
            "-o ProxyCommand is not supported: hfdown runs no commands on the way to a box",
        ),
        (
            "ssh -oproxycommand=x h",
            "-o proxycommand is not supported: hfdown runs no commands on the way to a box",
        ),
        (
            "ssh -o 'LocalCommand x' h",
            "-o LocalCommand is not supported: hfdown runs no commands from an SSH string",
        ),
        ("ssh -W h:1 j", "-W is not supported: hfdown opens no tunnels"),
        ("ssh -S /tmp/s h", "-S is not supported: it belongs to a shared connection of OpenSSH"),
        ("ssh -MN h", "-M is not supported: it belongs to a shared connection of OpenSSH"),
        ("ssh -G h", "-G is not supported: it asks ssh for something else than a connection"),
        ("ssh -Z h", "ssh has no option -Z"),
        ("ssh --port 22 h", "ssh has no option --port"),
        ("ssh -o StrictHostKeyChecking=maybe h", "-o StrictHostKeyChecking can't be `maybe`"),
        ("ssh -o ConnectTimeout=0 h", "-o ConnectTimeout can't be `0`"),
        ("ssh -o AddressFamily=ipx h", "-o AddressFamily can't be `ipx`"),
    ];
    for (pasted, reason) in table {
        let read = read(pasted);
        let fits = reason.split('|').any(|reason| read.starts_with(&format!("error: {reason}")));
        assert!(fits, "{pasted:?} gave {read:?}");
    }
}

proptest::proptest! {
    /// Whatever is pasted, what comes out can't be taken for an option or a command by anything later.
    #[test]
    fn hostile_strings_give_harmless_targets(pasted in r#"(ssh )?[-a-z0-9@:\[\]%./ '"$;=oOp\\]{0,60}"#) {
        if let Ok((target, _)) = SshTarget::parse(&pasted) {
            proptest::prop_assert!(!target.host.is_empty() && !target.host.starts_with('-'));
            proptest::prop_assert!(target.host.chars().all(|c| c.is_ascii_alphanumeric() || ".-_:%".contains(c)));
            proptest::prop_assert!(target.user.is_none_or(|user| !user.starts_with('-')));
            proptest::prop_assert!(target.port > 0);
        }
    }

    /// Options in any order, before the host and after it, glued to their values or not.
    #[test]
    fn reads_back_what_was_written_in_any_order(
        (user, host) in ("[a-z_][a-z0-9_-]{0,8}", "[a-z][a-z0-9.-]{0,12}[a-z0-9]"),
        port in 1_u16..,
        key in "[a-z0-9/~. -]{0,11}[a-z0-9]",
        options in proptest::sample::subsequence(vec!["port", "key", "-N", "-L 1:h:2", "-o X=y", "-vA", "-4"], 0..=7)
            .prop_shuffle(),
        before in 0_usize..8,
        glued in proptest::bool::ANY,
    ) {
        let space = if glued { "" } else { " " };
        let words: Vec<String> = options
            .iter()
            .map(|option| match *option {
                "port" => format!("-p{space}{port}"),
                "key" => format!("-i{space}{}", shell_words::quote(&key)),
                other => other.to_owned(),
            })
            .collect();
        let (front, back) = words.split_at(before.min(words.len()));
        let pasted = format!("ssh {} {user}@{host} {}", front.join(" "), back.join(" "));
        let (target, ignored) = SshTarget::parse(&pasted).unwrap();
        let expected_port = if options.contains(&"port") { port } else { DEFAULT_PORT };
        proptest::prop_assert_eq!((target.user, target.host, target.port), (Some(user), host, expected_port));
        let keys: Vec<PathBuf> = options.iter().filter(|option| **option == "key").map(|_| PathBuf::from(&key)).collect();
        proptest::prop_assert_eq!(target.identities, keys);
        let without_effect = |option: &&&str| matches!(**option, "-N" | "-L 1:h:2" | "-o X=y" | "-vA");
        let twice = options.iter().filter(|option| **option == "-vA").count();
        proptest::prop_assert_eq!(ignored.len(), options.iter().filter(without_effect).count() + twice);
    }

    #[test]
    fn no_string_makes_it_panic(pasted in ".*") {
        _ = SshTarget::parse(&pasted);
    }
}
