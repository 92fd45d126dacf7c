//! Disks of a certain kind for a test: small ones, read-only ones, ones that run no programs, ones that fold names, ones
//! that do not answer.
//!
//! Only root can mount. A developer's run without that right says which tests it left out; under `CI=true` root's
//! inability is a failure.

#![expect(clippy::missing_panics_doc, reason = "what can't be set up fails its test")]

use std::env;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// What a disk takes for the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Twins {
    /// `a` and `A`.
    Case,
    /// `é` as one character, and as two.
    Normalisation,
}

impl Twins {
    fn names(self) -> [&'static str; 2] {
        match self {
            Self::Case => ["a", "A"],
            Self::Normalisation => ["\u{e9}", "e\u{301}"],
        }
    }
}

/// A mounted disk, until it is dropped.
#[derive(Debug)]
pub struct Mount {
    at: PathBuf,
    /// What keeps it alive.
    server: Option<Child>,
}

impl Mount {
    /// Mounts an empty disk in memory on a folder, which is made. `options` are `mount`'s: `size=8m,ro`. `None` where
    /// this machine can't; what is left out has then been said.
    ///
    /// # Panics
    /// When root can't mount under `CI=true`.
    pub fn memory(at: &Path, options: &str) -> Option<Self> {
        std::fs::create_dir_all(at).expect("the temporary folder can be written");
        if mount(&["-t", "tmpfs", "-o", options, "tmpfs"], at) {
            return Some(Self { at: at.to_owned(), server: None });
        }
        let must = env::var("CI").as_deref() == Ok("true") && is_root();
        assert!(!must, "root can't mount a tmpfs");
        left_out("a tmpfs can't be mounted");
        None
    }

    /// Mounts a disk whose clock ticks once a second on a folder, which is made. `image` is a file that may be made for
    /// it. `None` where this machine can't; what is left out has then been said.
    ///
    /// # Panics
    /// When root can't make such a disk under `CI=true`. Whether it can be mounted is up to the kernel, and its loop
    /// devices.
    pub fn counting_seconds(at: &Path, image: &Path) -> Option<Self> {
        // Inodes of 128 bytes have no room for fractions of seconds.
        Self::ext4(at, image, &["-I", "128"])
    }

    /// Mounts a disk that can hold about so many files on a folder, which is made. `image` is a file that may be made for
    /// it. `None` where this machine can't; what is left out has then been said.
    ///
    /// # Panics
    /// As with [`Self::counting_seconds`].
    pub fn of_few_files(at: &Path, image: &Path, inodes: u32) -> Option<Self> {
        Self::ext4(at, image, &["-N", &inodes.to_string()])
    }

    fn ext4(at: &Path, image: &Path, options: &[&str]) -> Option<Self> {
        std::fs::create_dir_all(at).expect("the temporary folder can be written");
        let image_name = image.display().to_string();
        let is_made = quietly("mkfs.ext4", &[&["-q"], options, &[&image_name, "64M"]].concat());
        let must = env::var("CI").as_deref() == Ok("true") && is_root();
        assert!(is_made || !must, "root can't make an ext4");
        let is_mounted = is_made && mount(&["-o", "loop", &image_name], at);
        // Its absence is fine.
        _ = std::fs::remove_file(image);
        if is_mounted {
            return Some(Self { at: at.to_owned(), server: None });
        }
        left_out("an ext4 can't be made and mounted");
        None
    }

    /// Mounts a file or a folder on another one, which both are there. `None` where this machine can't; what is left out
    /// has then been said.
    pub fn bound(what: &Path, at: &Path) -> Option<Self> {
        if mount(&["--bind", &what.display().to_string()], at) {
            return Some(Self { at: at.to_owned(), server: None });
        }
        left_out("nothing can be bound");
        None
    }

    /// Mounts a disk that takes such twins for the same name on a folder, which is made: of whatever kind this machine
    /// knows. `image` is a file that may be made for it. `None` where it knows none, which is so on many.
    pub fn folding(twins: Twins, at: &Path, image: &Path) -> Option<Self> {
        std::fs::create_dir_all(at).expect("the temporary folder can be written");
        let image_name = image.display().to_string();
        let makers: [&[&str]; 4] = [
            &["mkfs.vfat", "-C", &image_name, "65536"],
            &["mkfs.ext4", "-q", "-O", "casefold", "-E", "encoding=utf8", &image_name, "64M"],
            &["mkfs.xfs", "-q", "-n", "version=ci", "-d", "file=1,size=320m", &image_name],
            &[],
        ];
        for maker in makers {
            let is_mounted = match maker {
                [] => mount(&["-t", "tmpfs", "-o", "casefold,size=64m", "tmpfs"], at),
                [program, arguments @ ..] => {
                    quietly(program, arguments) && mount(&["-o", "loop", &image_name], at)
                }
            };
            // Its absence is fine.
            _ = std::fs::remove_file(image);
            if !is_mounted {
                continue;
            }
            let mount = Self { at: at.to_owned(), server: None };
            // ext4 and tmpfs fold names in folders that are marked so, which new ones inherit.
            let folder = at.join("Probe");
            let made = std::fs::create_dir(&folder).is_ok();
            quietly("chattr", &["+F", &folder.display().to_string()]);
            let [name, twin] = twins.names().map(|name| folder.join(name));
            if made && std::fs::write(&name, "").is_ok() && twin.exists() {
                _ = std::fs::remove_file(name);
                return Some(mount);
            }
        }
        left_out(match twins {
            Twins::Case => "no filesystem that folds case can be made (tried vfat, ext4, xfs and tmpfs)",
            Twins::Normalisation => {
                "no filesystem that folds é can be made (tried vfat, ext4, xfs and tmpfs)"
            }
        });
        None
    }

    /// Mounts a disk that never answers on a folder, which is made: what looks at it waits until it is killed, as with a
    /// network disk whose server is gone. `None` where this machine can't; what is left out has then been said.
    pub fn silent(at: &Path) -> Option<Self> {
        std::fs::create_dir_all(at).expect("the temporary folder can be written");
        // The server of a FUSE says hello first, and until then everything waits. This one never does.
        let script = "exec 3<>/dev/fuse && mount -i -t fuse -o fd=3,rootmode=40000,user_id=0,group_id=0 silent \"$0\" \
             && echo mounted && read -r end";
        let mut command = Command::new("sh");
        command
            .args(["-c", script])
            .arg(at)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut server = command.spawn().expect("a shell starts");
        let mut said = String::new();
        let heard = BufReader::new(server.stdout.take().expect("a pipe")).read_line(&mut said);
        if heard.is_ok() && said == "mounted\n" {
            return Some(Self { at: at.to_owned(), server: Some(server) });
        }
        _ = server.wait();
        left_out("a FUSE can't be mounted");
        None
    }

    /// Where it folds names: below this.
    pub fn folding_folder(&self) -> PathBuf {
        self.at.join("Probe")
    }

    /// Changes its options: `remount,ro`.
    pub fn remount(&self, options: &str) {
        assert!(mount(&["-o", options, "none"], &self.at), "what was mounted can be remounted");
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        if let Some(server) = &mut self.server {
            // What still waits for it hears that it is gone.
            _ = server.kill();
            _ = server.wait();
        }
        // Lazily: a process that still has a file open there keeps it, and the folder is free.
        quietly("umount", &["-l", &self.at.display().to_string()]);
    }
}

/// A file or a folder that not even root may change (`chattr`), until it is dropped.
#[derive(Debug)]
pub struct Protected {
    path: PathBuf,
    attribute: char,
}

impl Protected {
    /// Protects it: `i` from every change, `a` from all but growing. `None` where this machine can't; what is left out has
    /// then been said.
    pub fn new(path: &Path, attribute: char) -> Option<Self> {
        if quietly("chattr", &[&format!("+{attribute}"), &path.display().to_string()]) {
            return Some(Self { path: path.to_owned(), attribute });
        }
        left_out("nothing can be made immutable (chattr)");
        None
    }
}

impl Drop for Protected {
    fn drop(&mut self) {
        quietly("chattr", &[&format!("-{}", self.attribute), &self.path.display().to_string()]);
    }
}

/// Whether the tests run as root.
pub fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output();
    output.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

/// Says that a test is left out, and why.
pub fn left_out(why: &str) {
    let thread = std::thread::current();
    // Past the test harness, which keeps back what passing tests print with `eprintln!`.
    _ = writeln!(std::io::stderr(), "{why}: left out {}", thread.name().unwrap_or("a test"));
}

fn mount(arguments: &[&str], at: &Path) -> bool {
    quietly("mount", &[arguments, &[&at.display().to_string()]].concat())
}

fn quietly(program: &str, arguments: &[&str]) -> bool {
    // Those who make filesystems are on few people's search path.
    let path = format!("{}:/usr/sbin:/sbin", env::var("PATH").unwrap_or_default());
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env("PATH", path)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
