//! The hub cache of a box: it is where a login shell of its user has it, and what loads models there finds them without a
//! network.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use hfdown_tests::counterpart::Counterpart;
use hfdown_tests::hub::Content;
use hfdown_tests::sandbox::{DestinationKind, Ended, Sandbox, run};
use hfdown_tests::ssh_host::{HostOptions, SshHost};

use crate::places::HFDOWN;

const MODEL: &str = "acme/tiny";
const FOLDER: &str = "models--acme--tiny";
const SIZE: u64 = 3_000_000;

fn publish(sandbox: &Sandbox) {
    let draft = sandbox.hub.model(MODEL).file("config.json", "{\"model_type\": \"tiny\"}");
    let draft = draft.file("sub/tokenizer.json", "{}").file("sub/same.json", "{}");
    draft.lfs("model.safetensors", Content::random(5, SIZE)).commit();
}

fn host(sandbox: &Sandbox) -> &SshHost {
    sandbox.host.as_ref().unwrap()
}

/// Syncs the model into the box's cache.
async fn to_cache(sandbox: &Sandbox, more: &[&str]) -> Ended {
    let ssh = host(sandbox).command();
    let words = ["rsync-to-vast", MODEL, &ssh, "--cache"];
    run(sandbox.hfdown(words.iter().chain(more))).await
}

/// A sandbox whose box has this login shell, and this start-up file of it.
async fn with_profile(shell: PathBuf, file: &str, text: &str) -> Option<Sandbox> {
    let options = HostOptions { shell: Some(shell), ..HostOptions::default() };
    let sandbox = Sandbox::start_with(DestinationKind::Sshd, HFDOWN, options).await?;
    let file = host(&sandbox).home().join(file);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, text).unwrap();
    publish(&sandbox);
    Some(sandbox)
}

#[tokio::test]
async fn the_cache_is_where_a_login_shell_has_it() {
    const POSIX: &str = "echo a banner; HF_HOME=~/data; export HF_HOME\n";
    for (shell, file, profile) in [
        ("bash", ".bash_profile", POSIX),
        ("dash", ".profile", POSIX),
        ("mksh", ".profile", POSIX),
        ("zsh", ".zprofile", POSIX),
        ("tcsh", ".login", "echo a banner; setenv HF_HOME ~/data\n"),
        ("fish", ".config/fish/config.fish", "status is-login; and set -gx HF_HOME ~/data; echo a banner\n"),
    ] {
        let Some(program) = Counterpart::Tool(shell).require() else { continue };
        let Some(sandbox) = with_profile(program, file, profile).await else { return };
        let Ended { code, stderr, .. } = to_cache(&sandbox, &[]).await;
        assert_eq!(code, 0, "{shell}: {stderr}");
        let folder = host(&sandbox).home().join("data/hub").join(FOLDER);
        assert!(folder.join("refs/main").is_file(), "{shell}: {stderr}");
        assert!(!host(&sandbox).home().join(".cache/huggingface").exists(), "{shell}");
    }
}

async fn without_a_setting_the_cache_is_at_home(sandbox: Sandbox) {
    publish(&sandbox);
    let Ended { code, stderr, .. } = to_cache(&sandbox, &[]).await;
    assert_eq!(code, 0, "{stderr}");
    let cache = host(&sandbox).home().join(".cache/huggingface/hub");
    assert!(cache.join(FOLDER).join("refs/main").is_file(), "{stderr}");
    assert!(stderr.contains(&*cache.to_string_lossy()), "{stderr}");
}

/// As `/etc/environment`, a Dockerfile or a rc file for commands set it: no profile is needed.
#[tokio::test]
async fn what_a_command_sees_counts_as_well() {
    let bashrc = Some("export HF_HUB_CACHE=\"$HOME/with a space/ü\"".to_owned());
    let options = HostOptions { shell: Some("/bin/bash".into()), bashrc, ..HostOptions::default() };
    let Some(sandbox) = Sandbox::start_with(DestinationKind::Sshd, HFDOWN, options).await else { return };
    publish(&sandbox);
    let Ended { code, stderr, .. } = to_cache(&sandbox, &[]).await;
    assert_eq!(code, 0, "{stderr}");
    let cache = host(&sandbox).home().join("with a space/ü");
    assert!(cache.join(FOLDER).join("refs/main").is_file(), "{stderr}");
}

#[tokio::test]
async fn a_login_shell_that_tells_nothing_is_an_error_and_a_named_cache_needs_none() {
    let Some(sandbox) = with_profile("/bin/bash".into(), ".bash_profile", "exec true\n").await else {
        return;
    };
    let Ended { code, stderr, .. } = to_cache(&sandbox, &[]).await;
    assert_eq!(code, 1, "{stderr}");
    assert!(stderr.contains("/bin/bash does not tell: it printed no environment"), "{stderr}");
    assert!(stderr.contains("hint: name the cache with `--cache-dir`"), "{stderr}");
    let cache = host(&sandbox).home().join("elsewhere");
    let Ended { code, stderr, .. } = to_cache(&sandbox, &["--cache-dir", cache.to_str().unwrap()]).await;
    assert_eq!(code, 0, "{stderr}");
    assert!(cache.join(FOLDER).join("refs/main").is_file());
}

/// The box's own Python, with `huggingface_hub` in an environment of its own. What it runs has the variables of a login
/// shell, and no Hub.
struct BoxPython {
    program: PathBuf,
    home: PathBuf,
}

impl BoxPython {
    fn of(host: &SshHost) -> Option<Self> {
        let hf = Counterpart::Hf.require()?;
        let environment = hf.parent()?.parent()?;
        let program = host.home().join("venv/bin/python");
        let made = Command::new(environment.join("bin/python"))
            .args(["-m", "venv", "--without-pip"])
            .arg(host.home().join("venv"))
            .status();
        assert!(made.is_ok_and(|status| status.success()), "Python makes an environment");
        let packages = |environment: &Path| {
            let versions = fs::read_dir(environment.join("lib")).unwrap().map(|entry| entry.unwrap().path());
            let mut named = versions.filter(|path| path.join("site-packages").is_dir());
            named.next().unwrap().join("site-packages")
        };
        let own = packages(&host.home().join("venv"));
        fs::write(own.join("counterparts.pth"), packages(environment).display().to_string()).unwrap();
        Some(Self { program, home: host.home().to_owned() })
    }

    #[track_caller]
    fn run(&self, script: &str) -> Output {
        let output = Command::new("/bin/bash")
            .args(["-l", "-c", "exec \"$0\" -c \"$1\""])
            .arg(&self.program)
            .arg(script)
            .env_clear()
            .env("HOME", &self.home)
            .env("PATH", "/usr/bin:/bin")
            .env("HF_HUB_OFFLINE", "1")
            .env("HF_ENDPOINT", "http://127.0.0.1:1")
            .output()
            .expect("bash can be started");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{stderr}");
        output
    }
}

/// What `from_pretrained` asks for: a configuration, then the weights that it finds, all by name and without a network.
const LOAD: &str = r#"
import json, hashlib
from huggingface_hub import hf_hub_download, scan_cache_dir, snapshot_download, try_to_load_from_cache
config = json.load(open(hf_hub_download("acme/tiny", "config.json")))
assert config["model_type"] == "tiny", config
weights = try_to_load_from_cache("acme/tiny", "model.safetensors")
assert isinstance(weights, str), weights
folder = snapshot_download("acme/tiny", local_files_only=True)
assert open(folder + "/sub/tokenizer.json").read() == "{}"
scan = scan_cache_dir()
assert not scan.warnings, scan.warnings
(repo,) = scan.repos
# Files of equal content are one blob.
assert (repo.repo_id, repo.nb_files) == ("acme/tiny", 3), repo
assert "main" in repo.refs, repo.refs
print(hashlib.sha256(open(weights, "rb").read()).hexdigest())
"#;

#[tokio::test]
async fn a_model_that_was_pushed_to_a_box_is_loaded_there_without_a_network() {
    let profile = "export HF_HOME=\"$HOME/data\"\n";
    let Some(sandbox) = with_profile("/bin/bash".into(), ".bash_profile", profile).await else { return };
    let Some(python) = BoxPython::of(host(&sandbox)) else { return };
    let Ended { code, stderr, .. } = to_cache(&sandbox, &[]).await;
    assert_eq!(code, 0, "{stderr}");
    let digest = String::from_utf8(python.run(LOAD).stdout).unwrap();
    assert_eq!(digest.trim(), Content::random(5, SIZE).sha256());
    // And again: nothing is fetched, and it is found as before.
    let requests = sandbox.hub.requests().len();
    let Ended { code, stderr, .. } = to_cache(&sandbox, &[]).await;
    assert_eq!(code, 0, "{stderr}");
    let again: Vec<_> =
        sandbox.hub.requests()[requests..].iter().map(|request| request.path.clone()).collect();
    assert!(again.iter().all(|path| path.starts_with("/api/")), "{again:?}");
    python.run(LOAD);
}

on_boxes! {
    without_a_setting_the_cache_is_at_home,
}
