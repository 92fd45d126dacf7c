//! Builds the agent and lays it beside the controller's sources, so that `cargo build` alone gives a tool that can put
//! an agent on a box.
//!
//! The agent is built by a nested cargo in a target folder of its own, `<target>/hfdown-agent`: cargo locks target
//! folders, so that the outer one can't be used, and every profile and lint run of the controller has its own
//! `OUT_DIR`, which would cost one agent build each. `HFDOWN_AGENT_X86_64` and `HFDOWN_AGENT_AARCH64` name finished
//! agents instead. On a system that can't build a Linux agent nothing is embedded, and hfdown says so when it meets a
//! box.

use std::env;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use data_encoding::HEXLOWER;
use flate2::Compression;
use flate2::read::GzEncoder;
use sha2::{Digest as _, Sha256};

/// The profile whose only aim is to be built soon. Its agent is built by the same.
const DEMO: &str = "demo";

/// The CPUs that there are agents for, as in `src/link/platform.rs`.
const CPUS: [&str; 2] = ["x86_64", "aarch64"];

fn main() {
    let workspace = variable_path("CARGO_MANIFEST_DIR").join("..");
    let out = variable_path("OUT_DIR");
    for cpu in CPUS {
        let image = given(cpu, &workspace).or_else(|| build(cpu, &workspace, &out));
        embed(cpu, image.as_deref(), &out);
    }
    println!("cargo::rerun-if-changed=build.rs");
}

fn variable_path(name: &str) -> PathBuf {
    env::var_os(name).map_or_else(|| panic!("cargo sets {name}"), PathBuf::from)
}

/// A finished agent that the environment names. A relative path is seen from the workspace.
fn given(cpu: &str, workspace: &Path) -> Option<PathBuf> {
    let variable = format!("HFDOWN_AGENT_{}", cpu.to_uppercase());
    println!("cargo::rerun-if-env-changed={variable}");
    let path = env::var_os(&variable).filter(|path| !path.is_empty())?;
    let path = workspace.join(path);
    println!("cargo::rerun-if-changed={}", path.display());
    assert!(path.is_file(), "{variable} names {}, which is no file", path.display());
    Some(path)
}

/// Builds an agent for the machine that builds, if that is a Linux with this CPU. Nothing is cross-compiled here.
fn build(cpu: &str, workspace: &Path, out: &Path) -> Option<PathBuf> {
    println!("cargo::rerun-if-env-changed=HFDOWN_NO_AGENT");
    let host = env::var("HOST").unwrap_or_default();
    let sources = workspace.join("agent");
    let skipped = env::var_os("HFDOWN_NO_AGENT").is_some() || env::var_os("DOCS_RS").is_some();
    // A packaged controller has no sources of the agent beside it.
    if skipped
        || !host.starts_with(&format!("{cpu}-unknown-linux-"))
        || !sources.join("src/main.rs").is_file()
    {
        return None;
    }
    for path in
        ["agent/src", "agent/Cargo.toml", "protocol/src", "protocol/Cargo.toml", "Cargo.toml", "Cargo.lock"]
    {
        println!("cargo::rerun-if-changed={}", workspace.join(path).display());
    }
    // Minutes of link-time optimisation belong into releases only; both profiles are in the workspace's Cargo.toml.
    let profile = match env::var("PROFILE").as_deref() {
        Ok("release") => "agent",
        _ if profile_folder(out).is_some_and(|folder| folder.ends_with(DEMO)) => DEMO,
        _ => "agent-quick",
    };
    let target = target_folder(out).join("hfdown-agent");
    let status = nested_cargo(workspace)
        .args(["build", "--package", "hfdown-agent", "--bin", "hfdown-agent", "--profile", profile])
        .args(["--target", &host, "--target-dir"])
        .arg(&target)
        .status();
    match status {
        Ok(status) if status.success() => Some(target.join(&host).join(profile).join("hfdown-agent")),
        _ => panic!(
            "the agent could not be built (see above). A static build needs the C library's libc.a (Debian: libc6-dev, \
             Fedora: glibc-static). HFDOWN_AGENT_{}=/path/to/hfdown-agent embeds a finished one instead",
            cpu.to_uppercase()
        ),
    }
}

/// A cargo that sees the user's settings, but nothing of the build that it runs in.
fn nested_cargo(workspace: &Path) -> Command {
    let mut cargo = Command::new(variable_path("CARGO"));
    cargo.current_dir(workspace);
    for (name, _) in env::vars_os() {
        let Some(name) = name.to_str() else { continue };
        // RUSTC_WORKSPACE_WRAPPER would let clippy compile the agent; RUSTFLAGS are those of the controller.
        let is_ours = ["CARGO_PKG_", "CARGO_CFG_", "CARGO_FEATURE_", "CARGO_MANIFEST_", "DEP_", "CLIPPY_"]
            .iter()
            .any(|prefix| name.starts_with(prefix))
            || [
                "RUSTC",
                "RUSTDOC",
                "RUSTFLAGS",
                "RUSTDOCFLAGS",
                "RUSTC_WORKSPACE_WRAPPER",
                "RUSTC_LINKER",
                "TARGET",
                "HOST",
                "PROFILE",
                "OPT_LEVEL",
                "DEBUG",
                "OUT_DIR",
                "NUM_JOBS",
                "CARGO_ENCODED_RUSTFLAGS",
                "CARGO_ENCODED_RUSTDOCFLAGS",
                "CARGO_BUILD_TARGET",
                "CARGO_TARGET_DIR",
                "CARGO_BUILD_TARGET_DIR",
                "CARGO_BUILD_BUILD_DIR",
                "CARGO_BUILD_RUSTFLAGS",
                "CARGO_PRIMARY_PACKAGE",
                "CARGO_CRATE_NAME",
            ]
            .contains(&name);
        if is_ours {
            cargo.env_remove(name);
        }
    }
    // The outer cargo has brought the lock file up to date; if there is none, so be it.
    if workspace.join("Cargo.lock").is_file() {
        cargo.arg("--locked");
    }
    cargo.env("CARGO_ENCODED_RUSTFLAGS", rust_flags(workspace).join("\u{1f}"));
    cargo
}

/// A static program that needs nothing of the box. The getrandom backend is named because its default looks for a
/// symbol that static programs don't have and then wants `/dev/urandom`. Paths of this machine stay out of the binary,
/// which also makes it the same wherever it is built.
fn rust_flags(workspace: &Path) -> Vec<String> {
    // Cargo forgets a profile's `strip` for a package that has an `opt-level` of its own.
    let mut flags = vec!["-Ctarget-feature=+crt-static".to_owned(), "-Cstrip=symbols".to_owned()];
    flags.extend(["--cfg".to_owned(), "getrandom_backend=\"linux_getrandom\"".to_owned()]);
    let workspace = workspace.canonicalize().ok();
    let cargo_home =
        env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| Some(env::home_dir()?.join(".cargo")));
    for (path, name) in [(workspace, "/hfdown"), (cargo_home, "/cargo")] {
        if let Some(path) = path {
            flags.push(format!("--remap-path-prefix={}={name}", path.display()));
        }
    }
    flags
}

/// `<target>/<profile>`, seen from `<target>/<profile>/build/<package>/out`. Cargo marks target folders by a
/// `CACHEDIR.TAG`, but only those that it made itself, so that this is no sign to go by.
fn profile_folder(out: &Path) -> Option<&Path> {
    out.ancestors().find(|folder| folder.file_name().is_some_and(|name| name == "build"))?.parent()
}

/// The outer target folder.
fn target_folder(out: &Path) -> PathBuf {
    profile_folder(out).and_then(Path::parent).unwrap_or(out).to_owned()
}

/// Puts the image, compressed by gzip, where `include_bytes!` finds it, and exports its digest. No image is an empty file
/// and an empty digest.
fn embed(cpu: &str, image: Option<&Path>, out: &Path) {
    let bytes =
        image.map(|image| fs::read(image).unwrap_or_else(|error| panic!("{}: {error}", image.display())));
    let digest = bytes.as_ref().map(|bytes| HEXLOWER.encode(&Sha256::digest(bytes))).unwrap_or_default();
    let packed = bytes.as_deref().map(pack).unwrap_or_default();
    let copy = out.join(format!("agent-{cpu}.gz"));
    fs::write(&copy, packed).unwrap_or_else(|error| panic!("{}: {error}", copy.display()));
    println!("cargo::rustc-env=HFDOWN_EMBEDDED_{}_SHA256={digest}", cpu.to_uppercase());
}

/// Compressed as well as gzip can where it is for users, which takes seconds without optimisation.
fn pack(bytes: &[u8]) -> Vec<u8> {
    let is_release = env::var("PROFILE").as_deref() == Ok("release");
    let level = if is_release { Compression::best() } else { Compression::new(3) };
    let mut packed = Vec::new();
    GzEncoder::new(bytes, level).read_to_end(&mut packed).expect("memory can be read");
    packed
}
