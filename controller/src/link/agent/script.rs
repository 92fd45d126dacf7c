//! The commands that a box is sent: two that start an agent, one that ends it, one that takes it away again. Each is one line,
//! `exec /bin/sh -c '…'`, without a single quote, a double backslash or a `!` in it: so it means the same to bash,
//! dash, zsh, fish and tcsh as login shells. Nothing that came from a box is ever put into one.
//!
//! All look at the same folders, in this order: `~/.cache/hfdown`, `$XDG_RUNTIME_DIR/hfdown`, `/dev/shm/hfdown-$UID`,
//! `/tmp/hfdown-$UID`. A folder counts only if it belongs to this user, no other user can write to it, and none can put
//! another one in its place: each user could have made the latter two. An agent counts only if it is this user's own
//! file, and has the digest that its name promises.

use std::fmt::Write as _;

use hfdown_protocol::Nonce;

use super::image::{AgentImage, AgentImages};
use super::traces::{CacheFolder, TmuxOptOut};
use crate::link::platform::Cpu;

/// In what form an agent is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UploadForm {
    /// As it is.
    Plain,
    /// Compressed, where the box can undo that.
    PackedWherePossible,
}

/// What every line of ours begins with.
pub(super) const MARK: &str = "HFDOWN-";
/// Precedes the platform when the box begins to start the agent: `…LAUNCH <nonce>|Linux|x86_64|`.
pub(super) const LAUNCHING: &str = "HFDOWN-LAUNCH";
/// Precedes [`GZIP`] where the box unpacks that: what is sent after it is the agent's file, compressed there.
pub(super) const READY: &str = "HFDOWN-READY";
/// Precedes the platform when the box has no agent.
pub(super) const MISSING: &str = "HFDOWN-MISSING";
/// What follows the platform where `~/.cache` was made for the agent: `…LAUNCH <nonce>|Linux|x86_64|.cache|`.
pub(super) const MADE_CACHE: &str = ".cache";
/// What follows the platform where there was an agent that must not run: it is no program of this user alone.
pub(super) const NOT_OURS: &str = "not-ours";
/// The same where its bytes are not those that were put there.
pub(super) const DAMAGED: &str = "damaged";
/// What follows the mark where the agent may come compressed: `…READY <nonce>|gzip|`.
pub(super) const GZIP: &str = "gzip";
/// Precedes the stage at which an installation failed: `folder`, `write`, `size`, `unpack`, `digest`; and the folder's
/// number.
pub(super) const FAILED: &str = "HFDOWN-FAILED";

/// The exit status of an agent that was to end others and could not.
const LEFT: u8 = 75;

/// How many folders there are to look at.
pub(super) const FOLDERS: u8 = 4;

/// `sound FOLDER`: it is a folder, no link, this user's own, and writable by no other user; and no other user can replace
/// it or a folder above it. `$d` becomes its path without links, whose parents are those that were looked at.
///
/// A parent is this user's, root's, or of the owner of `/`, who can replace everything. So can all who may write to `/`,
/// the shell that runs this included: a look at its mode would gain nothing, and some containers have an open one.
/// Others may write to a parent only where the sticky bit keeps them from renaming what is not theirs. A group may if it
/// is root's, or this user's own as Debian and Fedora give each user one. `ls` follows what `cd` has followed already; a
/// line too many, of a name with a line break, is no folder's.
const SOUND: &str = r#"
    sound() {
        [ -d "$1" ] && [ -O "$1" ] || return 1;
        case $(ls -ld "$1") in drwx?-??-*) ;; *) return 1;; esac;
        d=$(cd "$1" && pwd -P) || return 1;
        e=$d; set --;
        while e=${e%/*}; [ -n "$e" ]; do set -- "$@" "$e"; done;
        ls -ldn / "$@" | (
            read -r m l z g e || exit 1;
            while read -r m l o g e; do
                case $o in 0|$u|$z) ;; *) exit 1;; esac;
                case $m in
                    d????????[tT]*|d????-??-*) ;;
                    d???????-*) [ $g = 0 ] || { [ $g = $(id -g) ] && [ "$(id -gn)" = "$(id -un)" ]; } || exit 1;;
                    *) exit 1;;
                esac;
            done
        );
    };
"#;

/// `proved FILE DIGEST`: the file has it, as far as this machine can tell. `$y` becomes what the agent has to prove itself
/// when it starts: nothing, or the digest where no program here could.
const PROVED: &str = r#"
    proved() {
        y=$(
            if command -v sha256sum >/dev/null; then sha256sum;
            elif command -v shasum >/dev/null; then shasum -a 256;
            elif command -v openssl >/dev/null; then openssl dgst -sha256;
            fi <"$1" 2>/dev/null
        );
        case $y in "") y=$2;; *"$2"*) y=;; *) return 1;; esac;
    };
"#;

/// `$z` becomes `gzip` where that makes an `a` again of one that was compressed.
const UNPACKS: &str = r#"
    [ "$(printf "\037\213\010\000\000\000\000\000\002\003\113\004\000\103\276\267\350\001\000\000\000"
        | gzip -dc 2>/dev/null)" = a ] && z=gzip;
"#;

/// `ours FILE`: it is a file, no link, this user's own program, and writable by no other user. What it is comes before any
/// look into it, since one into a FIFO would not end; `-x` is false on a `noexec` mount.
const OURS: &str = r#"
    ours() {
        [ -f "$1" ] && [ -O "$1" ] && [ -x "$1" ] || return 1;
        case $(ls -ld "$1") in -rwx?-??-*) ;; *) return 1;; esac;
    };
"#;

/// The head of a loop over the folders, which it numbers from 1. `${X:+…}` leaves out what is not set: the root folder
/// must not get one of ours.
const EACH_FOLDER: &str = r#"
    i=0;
    for d in "${HOME:+$HOME/.cache/hfdown}" "${XDG_RUNTIME_DIR:+$XDG_RUNTIME_DIR/hfdown}"
        "/dev/shm/hfdown-$u" "/tmp/hfdown-$u"; do
        i=$((i + 1));
        [ -n "$d" ] || continue;
"#;

/// Starts the cached agent, or says what the machine is, and what is wrong with the agent that is there. The file's age is
/// its last use.
pub(super) fn launch(nonce: Nonce, run: Nonce, images: &AgentImages) -> String {
    let mut choice = String::new();
    for (cpu, names) in [(Cpu::X86_64, ["x86_64", "amd64"]), (Cpu::Aarch64, ["aarch64", "arm64"])] {
        let Some(image) = images.get(cpu) else { continue };
        for name in names {
            let (file, size, digest) = (image.file_name(), image.size(), image.sha256());
            // Writing to a string can't fail.
            _ = write!(choice, "Linux:{name}) a={file} b={size} h={digest};; ");
        }
    }
    for_login_shell(&format!(
        r#"
        u=$(id -u); s=$(uname -s); m=$(uname -m); a=; w=;
        case $s:$m in {choice} esac;
        {SOUND}
        {PROVED}
        {OURS}
        if [ -n "$a" ]; then
            {EACH_FOLDER}
                sound "$d" || continue;
                p=$d/$a;
                [ -e "$p" ] || [ -h "$p" ] || continue;
                ours "$p" || {{ w={NOT_OURS}; continue; }};
                [ "$(wc -c <"$p")" -eq $b ] && proved "$p" $h || {{ w={DAMAGED}; continue; }};
                touch -c "$p";
                printf "\n{LAUNCHING} %s|%s|%s|\n" {nonce} "$s" "$m";
                exec "$p" serve {nonce} {run} $y;
            done;
        fi;
        printf "\n{MISSING} %s|%s|%s|%s|\n" {nonce} "$s" "$m" "$w"
        "#
    ))
}

/// Ends whatever agents of this run are there, by the agent that is cached: it exits with 0 when none is left. Where it
/// is not there any more, or nothing proves it, `grep` finds them by the run's word; here, one digit of it is in brackets,
/// so that neither this command nor `grep` itself matches.
pub(super) fn dismiss(nonce: Nonce, run: Nonce, images: &AgentImages) -> String {
    let word = run.to_string();
    let (first, rest) = word.split_at(1);
    let images = [Cpu::X86_64, Cpu::Aarch64].into_iter().filter_map(|cpu| images.get(cpu));
    let agents: Vec<String> =
        images.map(|image| format!("{}:{}", image.file_name(), image.sha256())).collect();
    let agents = agents.join(" ");
    for_login_shell(&format!(
        r#"
        u=$(id -u); w={first};
        {SOUND}
        {PROVED}
        {OURS}
        {EACH_FOLDER}
            sound "$d" || continue;
            for a in {agents}; do
                p=$d/${{a%:*}};
                ours "$p" && proved "$p" "${{a#*:}}" && [ -z "$y" ] || continue;
                "$p" end {nonce} "${{w}}{rest}"; r=$?;
                [ $r -eq 0 ] || [ $r -eq {LEFT} ] && exit $r;
            done;
        done;
        for c in $(grep -ls "[{first}]{rest}" /proc/[0-9]*/cmdline 2>/dev/null); do
            c=${{c#/proc/}}; kill -9 "${{c%/cmdline}}" 2>/dev/null;
        done
        "#
    ))
}

/// Says that it is there, takes the agent from standard input, puts it into the first folder that can hold and run a program, and starts it
/// from there with the same standard input. A folder that is no good is not left behind, nor is one for an agent that
/// did not arrive. Agents that were not used for 14 days go. A `head` that knows no `-c` is replaced by a slow `dd`,
/// which reads not a byte too many either. `\041` is a `!`.
///
/// Another conversation may take an empty folder away at any moment. So the file that shows that programs run here
/// stays until the agent has its place, and a folder is tried twice: from that file on it is not empty. Its name can't
/// be foreseen, and it is made where there is none (`set -C`). What has the agent's name and is no file would take the
/// agent in, or lead it elsewhere: it goes, or the folder is no good.
///
/// Only what is made here is for this user alone: the agent gets the umask that the user has. The first `skip` folders
/// are passed over: an earlier try found them full.
///
/// Whether the box has a `gzip` that works is seen by an `a` that it is to unpack. What is compressed comes whole into a
/// file of its own first: what did not arrive is then told from what can't be unpacked.
pub(super) fn install(
    nonce: Nonce,
    run: Nonce,
    image: &AgentImage,
    cpu: Cpu,
    skip: u8,
    form: UploadForm,
) -> String {
    let (name, size, digest) = (image.file_name(), image.size(), image.sha256());
    let (unpacks, packed) = match form {
        UploadForm::Plain => ("", 0),
        UploadForm::PackedWherePossible => (UNPACKS, image.packed().len()),
    };
    let machine = cpu.machine();
    for_login_shell(&format!(
        r##"
        u=$(id -u); n=$(umask); umask 077;
        fail() {{
            printf "\n{FAILED} %s|%s|%s|\n" {nonce} $1 $i;
            [ -z "$f" ] || {{ rm -f "$t" "$q"; rmdir "$f" ${{k:+"$k"}} 2>/dev/null; }};
            exit 1;
        }};
        {SOUND}
        {PROVED}
        runs() {{
            t=;
            mkdir -p "$1" && sound "$1" || return 1;
            p=$d/{name};
            if [ -h "$p" ]; then rm -f "$p"; elif [ -d "$p" ]; then rmdir "$p"; fi || return 1;
            t=$d/.new.{nonce};
            (set -C; printf "#\041/bin/sh\nexit 0\n" >"$t") && chmod 700 "$t" && "$t"
                || {{ rm -f "$t"; return 1; }};
        }};
        f=; t=; q=; z=; c={size};
        {unpacks}
        trap "rm -f \"\$t\" \"\$q\"" EXIT;
        {EACH_FOLDER}
            [ $i -gt {skip} ] || continue;
            k=; [ -d "${{d%/*}}" ] || k=${{d%/*}};
            runs "$d" 2>/dev/null || runs "$d"
                || {{ rmdir "$d" ${{k:+"$k"}} 2>/dev/null; continue; }};
            f=$d; break;
        done;
        [ -n "$f" ] || fail folder;
        q=$t;
        [ -z "$z" ] || {{ q=$t.gz; c={packed}; }};
        printf "\n{READY} %s|%s|\n" {nonce} "$z";
        if printf ab | head -c 1 >/dev/null 2>&1; then
            head -c $c >"$q" || fail write;
        else
            dd bs=1 count=$c >"$q" 2>/dev/null || fail write;
        fi;
        [ "$(wc -c <"$q")" -eq $c ] || fail size;
        if [ -n "$z" ]; then
            gzip -dc <"$q" >"$t" && [ "$(wc -c <"$t")" -eq {size} ] || fail unpack;
            rm -f "$q";
        fi;
        proved "$t" {digest} || fail digest;
        chmod 700 "$t" && mv -f "$t" "$f/{name}" || fail write;
        find "$f" -type f
            \( -name "agent-*" -mtime +14 -o -name ".new.*" -mtime +1 -o -name "detached-*" -mtime +14 \)
            -exec rm -f {{}} + 2>/dev/null;
        printf "\n{LAUNCHING} %s|Linux|{machine}|%s|\n" {nonce} "${{k#$HOME/}}";
        umask $n;
        exec "$f/{name}" serve {nonce} {run} $y
        "##
    ))
}

/// Removes this program's agents from wherever they were put, the folders that this empties, and what had to be
/// placed. What runs goes on: Linux keeps a program that has no name any more. Fails where something stays.
pub(super) fn sweep(images: &AgentImages, cache: CacheFolder, tmux_opt_out: Option<TmuxOptOut>) -> String {
    let mut names = String::new();
    for image in [Cpu::X86_64, Cpu::Aarch64].into_iter().filter_map(|cpu| images.get(cpu)) {
        // Writing to a string can't fail.
        _ = write!(names, " \"$d/{}\"", image.file_name());
    }
    let cache = match cache {
        CacheFolder::Existed => "",
        CacheFolder::Created => r#"rmdir "$HOME/.cache" 2>/dev/null;"#,
    };
    let opt_out = match tmux_opt_out {
        None => "",
        Some(TmuxOptOut::BySftp | TmuxOptOut::ByTerminal) => r#"rm -f "$HOME/.no_auto_tmux" || r=1;"#,
    };
    for_login_shell(&format!(
        r#"
        u=$(id -u); r=0;
        {SOUND}
        {EACH_FOLDER}
            sound "$d" || continue;
            rm -f {names} || r=1;
            rmdir "$d" 2>/dev/null;
        done;
        {cache}
        {opt_out}
        exit $r
        "#
    ))
}

/// Makes it one line and hands it to a POSIX shell. No quoted text in it may span lines.
fn for_login_shell(script: &str) -> String {
    let line = script.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ");
    debug_assert!(!line.contains(['\'', '!']) && !line.contains("\\\\"));
    format!("exec /bin/sh -c '{line}'")
}

#[cfg(test)]
#[path = "script_tests.rs"]
mod tests;
