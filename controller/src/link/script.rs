//! The two commands that a box is sent. Each is one line, `exec /bin/sh -c '…'`, without a single quote, a double
//! backslash or a `!` in it: so it means the same to bash, dash, fish and tcsh as login shells. Nothing that came from a box is
//! ever put into one.
//!
//! Both look at the same folders, in this order: `~/.cache/hfdown`, `$XDG_RUNTIME_DIR/hfdown`, `/dev/shm/hfdown-$UID`,
//! `/tmp/hfdown-$UID`. A folder counts only if it belongs to this user and nobody else can write to it, since anyone
//! could have made the latter two.

use std::fmt::Write as _;

use hfdown_protocol::Nonce;

use super::image::{AgentImage, AgentImages};
use super::platform::Cpu;

/// Precedes the platform when the box begins to start the agent: `…LAUNCH <nonce>|Linux|x86_64|`.
pub(super) const LAUNCHING: &str = "HFDOWN-LAUNCH";
/// Precedes the platform when the box has no agent.
pub(super) const MISSING: &str = "HFDOWN-MISSING";
/// Precedes the stage at which an installation failed: `folder`, `write`, `size`, `digest`.
pub(super) const FAILED: &str = "HFDOWN-FAILED";

/// `sound FOLDER`: it is a folder, no link, this user's own, and no one else's to write to (`drwx?-??-?`).
const SOUND: &str =
    r#"sound(){ [ -d "$1" ]&&[ -O "$1" ]||return 1;case $(ls -ld "$1") in drwx?-??-*);;*)return 1;;esac;};"#;

/// The loop over the folders. `${X:+…}` leaves out what is not set; the root folder must not get a folder of ours.
const FOLDERS: &str = r#"for d in "${HOME:+$HOME/.cache/hfdown}" "${XDG_RUNTIME_DIR:+$XDG_RUNTIME_DIR/hfdown}" "/dev/shm/hfdown-$u" "/tmp/hfdown-$u";do [ -n "$d" ]||continue;"#;

/// Starts the cached agent, or says what the machine is. The file's age is its last use. `-x` is false on a `noexec`
/// mount, and the size catches a file that a crash of the box left behind.
pub(super) fn launch(nonce: Nonce, images: &AgentImages) -> String {
    let mut choice = String::new();
    for cpu in [Cpu::X86_64, Cpu::Aarch64] {
        if let Some(image) = images.get(cpu) {
            let names = if cpu == Cpu::X86_64 { "x86_64|amd64" } else { "aarch64|arm64" };
            for name in names.split('|') {
                // Writing to a string can't fail.
                _ = write!(choice, "Linux:{name})a={} b={};;", image.file_name(), image.bytes().len());
            }
        }
    }
    let script = format!(
        r#"u=$(id -u);s=$(uname -s);m=$(uname -m);a=;case $s:$m in {choice}esac;{SOUND}if [ -n "$a" ];then {FOLDERS}p=$d/$a;sound "$d"&&[ -O "$p" ]&&[ -x "$p" ]&&[ "$(wc -c <"$p")" -eq $b ]||continue;touch -c "$p";printf "\n{LAUNCHING} %s|%s|%s|\n" {nonce} "$s" "$m";exec "$p" serve {nonce};done;fi;printf "\n{MISSING} %s|%s|%s|\n" {nonce} "$s" "$m""#
    );
    for_login_shell(&script)
}

/// Takes the agent from standard input, puts it into the first folder that can hold and run a program, and starts it
/// from there with the same standard input. Agents that were not used for 14 days go. The program that `runs` tries has
/// no `#!`, as tcsh could take the `!` for history; a shell runs such files by itself, unless the mount is `noexec`.
pub(super) fn install(nonce: Nonce, image: &AgentImage, cpu: Cpu) -> String {
    let (name, size, digest, machine) =
        (image.file_name(), image.bytes().len(), image.sha256(), cpu.machine());
    let script = format!(
        r#"u=$(id -u);umask 077;fail(){{ printf "\n{FAILED} %s|%s|\n" {nonce} $1;exit 1;}};{SOUND}runs(){{ t=$1/.try.$$;printf "exit 0\n" >"$t"&&chmod 700 "$t"&&"$t";r=$?;rm -f "$t";return $r;}};f=;{FOLDERS}mkdir -p "$d"&&sound "$d"&&runs "$d"||continue;f=$d;break;done;[ -n "$f" ]||fail folder;t=$f/.new.$$;trap "rm -f \"\$t\"" EXIT;head -c {size} >"$t"||fail write;[ "$(wc -c <"$t")" -eq {size} ]||fail size;if command -v sha256sum >/dev/null;then case $(sha256sum <"$t") in {digest}*);;*)fail digest;;esac;fi;chmod 700 "$t"&&mv -f "$t" "$f/{name}"||fail write;find "$f" -type f \( -name "agent-*" -mtime +14 -o -name ".new.*" -mtime +1 -o -name ".try.*" -mtime +1 \) -exec rm -f {{}} + 2>/dev/null;printf "\n{LAUNCHING} %s|Linux|{machine}|\n" {nonce};exec "$f/{name}" serve {nonce}"#
    );
    for_login_shell(&script)
}

fn for_login_shell(script: &str) -> String {
    debug_assert!(!script.contains(['\'', '\n', '!']) && !script.contains("\\\\"));
    format!("exec /bin/sh -c '{script}'")
}
