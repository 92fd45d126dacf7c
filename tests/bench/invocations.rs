//! The command lines: each program with its fastest settings, and a home that nothing is left in from before.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::tool::Tool;
use crate::workspace::{MODEL, ServedFile, Site, cpus};

/// Resolves and fetches as `huggingface_hub` did.
const HF_TRANSFER: &str = include_str!("hf_transfer.py");

/// Fetches `$1` to `$2`. What curl failed at shows in the digest.
const PIPE: &str = "digest=$(curl -q -f -s -S -L \"$1\" | tee \"$2\" | openssl dgst -sha256 -r); \
    echo \"${digest%% *} *$2\" > digests.$$";

/// A program and what it is told.
pub(crate) struct Invocation {
    program: PathBuf,
    arguments: Vec<OsString>,
    environment: Vec<(&'static str, OsString)>,
    home: PathBuf,
}

/// A program's invocations.
pub(crate) struct Invocations {
    pub(crate) fetch: Invocation,
    /// Proves what the first does not.
    pub(crate) prove: Option<Invocation>,
}

impl Invocation {
    fn new(program: &Path, home: &Path) -> Self {
        Self {
            program: program.to_owned(),
            arguments: Vec::new(),
            environment: Vec::new(),
            home: home.to_owned(),
        }
    }

    fn with<T: Into<OsString>>(mut self, words: impl IntoIterator<Item = T>) -> Self {
        self.arguments.extend(words.into_iter().map(Into::into));
        self
    }

    fn knowing(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.environment.push((name, value.into()));
        self
    }

    /// As it is, or behind words that come first.
    pub(crate) fn command(&self, before: &[OsString]) -> io::Result<Command> {
        let mut words =
            before.iter().chain([self.program.as_os_str().to_owned()].iter()).cloned().collect::<Vec<_>>();
        words.extend(self.arguments.iter().cloned());
        let mut command = Command::new(&words[0]);
        let log = fs::File::create(self.log())?;
        command
            .args(&words[1..])
            // From nothing, so that no proxy, token or setting of the user who runs this has a say.
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", &self.home)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.home)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        Ok(command)
    }

    /// What it said.
    pub(crate) fn log(&self) -> PathBuf {
        self.home.join("log")
    }

    /// Where it runs.
    pub(crate) fn home(&self) -> &Path {
        &self.home
    }
}

impl Invocations {
    /// What a program does to have all files in `model` of its folder.
    pub(crate) fn of(tool: Tool, site: &Site<'_>) -> io::Result<Self> {
        let (home, model) = (site.folder.join("home"), site.folder.join("model"));
        fs::create_dir_all(&home)?;
        let mut invocation = Invocation::new(&site.program, &home);
        if let Some(certificate) = site.servers.certificate() {
            // The first is OpenSSL's and ours, the second Python's.
            for name in ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"] {
                invocation = invocation.knowing(name, certificate);
            }
        }
        let (fetch, prove) = match tool {
            Tool::Hfdown | Tool::Beside => {
                let invocation = invocation
                    .with(["rsync-sync", MODEL])
                    .with([&model])
                    .with(
                        site.connections
                            .iter()
                            .flat_map(|number| ["--connections".to_owned(), number.to_string()]),
                    )
                    .with(chosen(site))
                    .knowing("HF_ENDPOINT", site.servers.hub.endpoint());
                (invocation, None)
            }
            Tool::Hf => {
                let mut invocation =
                    invocation.with(["download", MODEL, "--local-dir"]).with([&model]).with(chosen(site));
                invocation = invocation
                    .knowing("HF_ENDPOINT", site.servers.hub.endpoint())
                    .knowing("HF_HOME", home.join("hf"));
                for switch in [
                    "HF_HUB_DISABLE_TELEMETRY",
                    "HF_HUB_DISABLE_UPDATE_CHECK",
                    "HF_HUB_DISABLE_XET",
                    "HF_HUB_DISABLE_PROGRESS_BARS",
                ] {
                    invocation = invocation.knowing(switch, "1");
                }
                (invocation, None)
            }
            Tool::Aria2c => {
                let list = home.join("list");
                fs::write(&list, lines(site, |url, path| format!("{url}\n  out={path}\n")))?;
                let words = "--no-conf -q -x16 -s16 -k1M -c --file-allocation=none --auto-file-renaming=false \
                    --auto-save-interval=1 --summary-interval=0";
                let at_once = if site.files.len() > 100 { "-j16" } else { "-j5" };
                let invocation =
                    invocation.with(words.split_whitespace()).with(trusting(site, "--ca-certificate"));
                let invocation = invocation.with([at_once, "-d"]).with([&model]);
                (invocation.with(["-i"]).with([&list]), Some(proof(&home, &model, site.files, "sha256sum")?))
            }
            Tool::Curl => {
                let list = home.join("list");
                let output = |url: &str, path: &str| format!("url = \"{url}\"\noutput = \"{path}\"\n");
                fs::write(&list, lines(site, |url, path| output(url, &model.join(path).to_string_lossy())))?;
                let words = "-q -Z --parallel-max 16 -L -f -s -S --create-dirs -C - -K";
                let invocation = invocation.with(words.split_whitespace()).with([&list]);
                let invocation = invocation.with(trusting(site, "--cacert"));
                (invocation, Some(proof(&home, &model, site.files, "openssl dgst -sha256 -r")?))
            }
            Tool::CurlPiped => {
                let list = home.join("list");
                fs::write(
                    &list,
                    lines(site, |url, path| format!("{url}\0{}\0", model.join(path).display())),
                )?;
                fs::create_dir_all(&model)?;
                let invocation = invocation.with(["-0", "-P8", "-n2", "-a"]).with([&list]);
                let invocation = invocation.with(["sh", "-c", PIPE, "sh"]);
                (invocation, None)
            }
            Tool::HfTransfer => {
                let (script, list) = (home.join("fetch.py"), home.join("list"));
                fs::write(&script, HF_TRANSFER)?;
                fs::write(
                    &list,
                    lines(site, |url, path| format!("{url}\t{}\n", model.join(path).display())),
                )?;
                fs::create_dir_all(&model)?;
                (invocation.with([&script, &list]), None)
            }
        };
        Ok(Self { fetch, prove })
    }

    pub(crate) fn each(&self) -> impl Iterator<Item = &Invocation> {
        [&self.fetch].into_iter().chain(&self.prove)
    }
}

/// What a dry run for some of the files is told.
fn chosen(site: &Site<'_>) -> impl Iterator<Item = &'static str> {
    site.choice.into_iter().flat_map(|pattern| ["--include", pattern, "--dry-run"])
}

/// An option that names the authority, where there is one. Not in one word: curl knows no `=`, and aria2c both.
fn trusting(site: &Site<'_>, option: &str) -> Vec<OsString> {
    site.servers.certificate().map_or(Vec::new(), |file| vec![option.into(), file.into()])
}

/// A text for each file's address and path.
fn lines(site: &Site<'_>, line: impl Fn(&str, &str) -> String) -> String {
    let endpoint = site.servers.hub.endpoint();
    site.files.iter().fold(String::new(), |mut text, file| {
        let _ =
            write!(text, "{}", line(&format!("{endpoint}/{MODEL}/resolve/main/{}", file.path), &file.path));
        text
    })
}

/// Digests of all files, on all processors, in files `digests.*` of the program's home.
fn proof(home: &Path, model: &Path, files: &[ServedFile], command: &str) -> io::Result<Invocation> {
    let names = home.join("names");
    let text = files.iter().fold(String::new(), |mut text, file| {
        let _ = write!(text, "{}\0", model.join(&file.path).display());
        text
    });
    fs::write(&names, text)?;
    let share = files.len().div_ceil(4 * cpus()).to_string();
    let invocation = Invocation::new(Path::new("xargs"), home).with(["-0", "-a"]).with([&names]);
    let script = format!("{command} \"$@\" > digests.$$");
    Ok(invocation.with(["-P", &cpus().to_string(), "-n", &share, "sh", "-c", &script, "sh"]))
}
