//! The least of SFTP (version 3): an empty file made, a file removed. The server's own SFTP needs no shell, so it is a
//! way into boxes whose shell runs no commands; on all others it is not used.
//!
//! A library would bring pipelining, attributes and folders; what is needed here is four packets. Replies are bounded.

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// The longest packet that is read, in bytes. The longest expected one lists the server's extensions: half a KiB.
const LONGEST: u32 = 16 * 1024;

// Packets, flags and the one status that is no failure, as the protocol's draft numbers them.
const INIT: u8 = 1;
const VERSION: u8 = 2;
const OPEN: u8 = 3;
const CLOSE: u8 = 4;
const REMOVE: u8 = 13;
const STAT: u8 = 17;
const STATUS: u8 = 101;
const HANDLE: u8 = 102;
const ATTRIBUTES: u8 = 105;
const WRITE_NEW_ONLY: u32 = 0x02 | 0x08 | 0x20;
const OK: u32 = 0;

/// A conversation with an SFTP server. Relative paths begin at the user's home.
pub(super) struct SftpClient<R, W> {
    reader: R,
    writer: W,
    questions: u32,
}

/// Whether a file had to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileCreation {
    Created,
    Existed,
}

/// Why it did not work.
#[derive(Debug, thiserror::Error)]
pub(super) enum SftpError {
    /// There is no such subsystem, or the connection broke.
    #[error("it ended")]
    Ended,
    /// A login shell that prints something before the server does: `Received message too long`, as OpenSSH has it.
    #[error("what it says is no SFTP")]
    Nonsense,
    /// It can't be done, for this status.
    #[error("refused with status {0}")]
    Refused(u32),
}

impl From<std::io::Error> for SftpError {
    fn from(_: std::io::Error) -> Self {
        Self::Ended
    }
}

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin> SftpClient<R, W> {
    /// Agrees on the version.
    pub(super) async fn begin(reader: R, writer: W) -> Result<Self, SftpError> {
        let mut sftp = Self { reader, writer, questions: 0 };
        sftp.send(INIT, &3_u32.to_be_bytes()).await?;
        match sftp.receive().await? {
            (VERSION, _) => Ok(sftp),
            _ => Err(SftpError::Nonsense),
        }
    }

    /// Makes an empty file, if there is none.
    pub(super) async fn make(&mut self, path: &str) -> Result<FileCreation, SftpError> {
        if let (ATTRIBUTES, _) = self.ask(STAT, path, &[]).await? {
            return Ok(FileCreation::Existed);
        }
        let no_attributes = 0_u32;
        let how = [WRITE_NEW_ONLY.to_be_bytes(), no_attributes.to_be_bytes()].concat();
        match self.ask(OPEN, path, &how).await? {
            (HANDLE, handle) => {
                // It came with its length, and goes back with it.
                self.question(CLOSE, &handle).await?;
                Ok(FileCreation::Created)
            }
            (_, status) => Err(SftpError::Refused(number(&status)?)),
        }
    }

    /// Removes a file.
    pub(super) async fn remove(&mut self, path: &str) -> Result<(), SftpError> {
        let (_, status) = self.ask(REMOVE, path, &[]).await?;
        match number(&status)? {
            OK => Ok(()),
            status => Err(SftpError::Refused(status)),
        }
    }

    async fn ask(&mut self, kind: u8, path: &str, rest: &[u8]) -> Result<(u8, Vec<u8>), SftpError> {
        self.question(kind, &[&length(path.len())[..], path.as_bytes(), rest].concat()).await
    }

    /// One question and its answer: the kind, and what follows the question's number.
    async fn question(&mut self, kind: u8, body: &[u8]) -> Result<(u8, Vec<u8>), SftpError> {
        self.questions += 1;
        let id = self.questions;
        self.send(kind, &[&id.to_be_bytes()[..], body].concat()).await?;
        let (kind, mut answer) = self.receive().await?;
        if number(&answer)? != id || !matches!(kind, STATUS | HANDLE | ATTRIBUTES) {
            return Err(SftpError::Nonsense);
        }
        Ok((kind, answer.split_off(4)))
    }

    async fn send(&mut self, kind: u8, body: &[u8]) -> Result<(), SftpError> {
        let packet = [&length(1 + body.len())[..], &[kind], body].concat();
        self.writer.write_all(&packet).await?;
        Ok(self.writer.flush().await?)
    }

    async fn receive(&mut self) -> Result<(u8, Vec<u8>), SftpError> {
        let length = self.reader.read_u32().await?;
        if !(1..=LONGEST).contains(&length) {
            return Err(SftpError::Nonsense);
        }
        let kind = self.reader.read_u8().await?;
        let mut body = vec![0; length as usize - 1];
        self.reader.read_exact(&mut body).await?;
        Ok((kind, body))
    }
}

/// Of something of ours, which is short.
fn length(bytes: usize) -> [u8; 4] {
    u32::try_from(bytes).unwrap_or(u32::MAX).to_be_bytes()
}

fn number(body: &[u8]) -> Result<u32, SftpError> {
    body.first_chunk().map(|bytes| u32::from_be_bytes(*bytes)).ok_or(SftpError::Nonsense)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Stdio;

    async fn answered(bytes: &[u8]) -> Result<FileCreation, SftpError> {
        SftpClient::begin(bytes, tokio::io::sink()).await?.make("file").await
    }

    #[tokio::test]
    async fn what_is_no_sftp_is_nonsense_and_costs_no_memory() {
        let version = [0, 0, 0, 5, VERSION, 0, 0, 0, 3];
        let after_version = |rest: &[u8]| [&version, rest].concat();
        for bytes in [
            b"no sessions\n".to_vec(),
            vec![0, 0, 0, 0],
            vec![0, 0, 0, 5, STATUS, 0, 0, 0, 3],
            after_version(b"\xff\xff\xff\xff"),
            // Another question's answer, an answer of no kind, one that is too short.
            after_version(&[0, 0, 0, 9, STATUS, 0, 0, 0, 9, 0, 0, 0, 0]),
            after_version(&[0, 0, 0, 9, 77, 0, 0, 0, 1, 0, 0, 0, 0]),
            after_version(&[0, 0, 0, 2, STATUS, 0]),
        ] {
            let answered = answered(&bytes).await;
            assert!(matches!(answered, Err(SftpError::Nonsense)), "{bytes:?}: {answered:?}");
        }
        for bytes in [Vec::new(), vec![0, 0], after_version(&[0, 0, 0, 9, STATUS])] {
            assert!(matches!(answered(&bytes).await, Err(SftpError::Ended)), "{bytes:?}");
        }
    }

    #[tokio::test]
    async fn a_real_server_makes_a_file_once_and_removes_it() {
        let server = ["/usr/lib/openssh/sftp-server", "/usr/libexec/openssh/sftp-server"];
        // Without one here, the scenarios over SSH say so.
        let Some(server) = server.iter().find(|path| std::path::Path::new(path).exists()) else { return };
        let folder = tempfile::tempdir().unwrap();
        let mut command = tokio::process::Command::new(server);
        command.current_dir(folder.path()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut server = command.spawn().unwrap();
        let mut sftp =
            SftpClient::begin(server.stdout.take().unwrap(), server.stdin.take().unwrap()).await.unwrap();
        assert_eq!(sftp.make(".file").await.unwrap(), FileCreation::Created);
        assert_eq!(std::fs::read(folder.path().join(".file")).unwrap(), b"");
        assert_eq!(sftp.make(".file").await.unwrap(), FileCreation::Existed);
        sftp.remove(".file").await.unwrap();
        assert!(!folder.path().join(".file").exists());
        assert!(matches!(sftp.remove(".file").await, Err(SftpError::Refused(2))));
        assert!(matches!(sftp.make("no/such/folder").await, Err(SftpError::Refused(_))));
        drop(sftp);
        assert!(server.wait().await.unwrap().success());
    }
}
