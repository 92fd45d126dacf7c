//! What makes no sense as it was typed.

use hfdown_tests::sandbox::{Sandbox, run};

use super::words::{assert_untouched, refusal, refused};

async fn what_makes_no_sense_is_a_matter_of_usage(sandbox: Sandbox) {
    // What clap refuses, in its own words.
    let clap: [(&[&str], &str); 25] = [
        (&[], "Usage:"),
        (&["fetch", "gpt2"], "unrecognized subcommand 'fetch'"),
        (&["info"], "<MODEL>"),
        (&["rsync-sync", "gpt2"], "<DIR>"),
        (&["rsync-to-vast", "gpt2", "ssh root@h"], "<DIR>"),
        (
            &["rsync-sync", "gpt2", "models", "--checksum", "--no-checksum"],
            "cannot be used with '--no-checksum'",
        ),
        (&["rsync-sync", "gpt2", "models", "--quiet", "--verbose"], "cannot be used with"),
        (&["download", "gpt2", "--delete"], "unexpected argument '--delete'"),
        (&["info", "gpt2", "--token"], "a value is required for '--token <TOKEN>'"),
        (&["download", "gpt2", ""], "a value is required for '[DIR]'"),
        (
            &["push", "gpt2", "ssh", "root@h", "/workspace"],
            "hint: an SSH command is one word: put it in quotes",
        ),
        (&["attach", "root@h", "/w", "--host-key", "SHA256:abc"], "it is `SHA256:` and 43 characters"),
        (
            &["verify", "gpt2", "models", "--dry-run"],
            "tip: leave it out: nothing is changed without --repair\n",
        ),
        (&["verify", "gpt2", "models", "--checksum"], "tip: leave it out: every file is read in any case\n"),
        (
            &["file", "gpt2", "config.json", "--cache"],
            "fill a cache: hfdown download gpt2 --include config.json --cache\n",
        ),
        (&["cache", "rm", "gpt2", "--force"], "tip: it is called --yes here\n"),
        (
            &["download", "gpt2", "--cache", "models"],
            "tip: --cache stands in the place of DIR; another cache is --cache-dir DIR\n",
        ),
        (&["verify", "gpt2"], "DIR is missing"),
        // As other programs have it.
        (
            &["download", "gpt2", "--local-dir", "x"],
            "tip: the folder is a word of its own: hfdown download gpt2 x\n",
        ),
        (
            &["download", "gpt2", "config.json", "--local-dir=x"],
            "tip: the folder is a word of its own: hfdown file gpt2 config.json x/\n",
        ),
        (
            &["download", "gpt2", "a.json", "b.json"],
            "tip: DIR is one folder; one file is fetched by hfdown file gpt2 a.json, several by hfdown download gpt2 \
             --include a.json --include b.json\n",
        ),
        (&["download", "gpt2", "--repo-type", "dataset"], "tip: the kind stands before the name: datasets/"),
        (
            &["file", "gpt2", "x", "--include", "*.gguf"],
            "tip: files are chosen where several are fetched: hfdown download gpt2 --include '*.gguf'\n",
        ),
        (
            &["info", "gpt2", "--cache-dir", "x"],
            "it is for the verbs that fill a cache: hfdown download gpt2 --cache-dir x\n",
        ),
        (&["push", "gpt2", "root@h", "/w", "--max-workers", "4"], "it is called --connections 4 here\n"),
    ];
    for (words, expected) in clap {
        let ended = run(sandbox.hfdown(words)).await;
        let said = refusal(&sandbox, &ended, 2);
        assert!(said.contains(expected), "{words:?}: {said}");
        assert_eq!(ended.stdout, "", "a complaint is no data");
    }
    // What has the right form and no meaning.
    let typed: [(&[&str], &str); 6] = [
        (
            &["info", "a/b/c"],
            "error: `a/b/c` names no repository\ncaused by: it has more parts than `organisation/name`",
        ),
        (&["info", ""], "error: `` names no repository\ncaused by: the name is empty"),
        (
            &["rsync-sync", "gpt2", "models", "--revision", "a..b"],
            "error: `a..b` is no revision\ncaused by: not a branch, tag, commit or `refs/pr/N`",
        ),
        (
            &["verify", "gpt2", "./models", "--cache"],
            "error: `./models` is a folder, and --cache stands in the place of DIR\n",
        ),
        (&["info", "https://example.com/gpt2"], "error: `https://example.com/gpt2` names no repository\n"),
        (&["file", "gpt2", "config.json", "models/.."], "error: cannot place a file as `..`\n"),
    ];
    for (words, expected) in typed {
        let said = refused(&sandbox, words, &[], 2).await;
        assert!(said.starts_with(expected), "{words:?}: {said}");
        assert!(said.contains("\n\nhint: "), "{words:?}: {said}");
    }
    let said = refused(&sandbox, &["info", "gpt2", "--token", ""], &[], 4).await;
    assert!(
        said.starts_with("error: cannot use the token\ncaused by: the token of --token is empty"),
        "{said}"
    );
    assert_eq!(sandbox.hub.requests().len(), 0);
    assert_untouched(&sandbox);
}

async fn a_command_for_ssh_that_does_not_parse_asks_no_server(sandbox: Sandbox) {
    for (ssh, reason) in [
        ("", "it names no host"),
        ("ssh -p 22", "it names no host"),
        ("ssh -p x root@h", "`x` is not a port"),
        ("ssh 'root@h", "a quote is not closed"),
        (
            "ssh -o ProxyCommand=nc root@h",
            "-o ProxyCommand is not supported: hfdown runs no commands on the way to a box; ProxyJump (-J) does what most of them are for",
        ),
        ("ssh -J a,,b root@h", "it names no host"),
        ("root@h;reboot", "`h;reboot` is not a host name"),
        (
            "ssh root@h nvidia-smi",
            "it ends in a command for the box (`nvidia-smi`), and hfdown runs only its own agent there",
        ),
    ] {
        assert_eq!(
            refused(&sandbox, &["rsync-to-vast", "gpt2", ssh, "/workspace"], &[], 2).await,
            format!(
                "error: cannot read the SSH command `{ssh}`\ncaused by: {reason}\n\n\
                 hint: paste it as the box's console shows it, in quotes: 'ssh -p PORT USER@HOST'"
            )
        );
    }
    assert_eq!(sandbox.hub.requests().len(), 0);
    assert_untouched(&sandbox);
}

here! {
    what_makes_no_sense_is_a_matter_of_usage,
    a_command_for_ssh_that_does_not_parse_asks_no_server,
}
