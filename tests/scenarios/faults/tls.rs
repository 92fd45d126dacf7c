//! Encrypted connections: a certificate without a trusted authority is not believed, and nothing leads
//! from https to http.

use hfdown_tests::counterpart::Counterpart;
use hfdown_tests::hub::{Authority, Content, Front, HubOrigin, TestHub};
use hfdown_tests::sandbox::{DestinationKind, Ended, Sandbox, run};
use hfdown_tests::ssh_host::HostOptions;
use tempfile::TempDir;

use super::faulty::{FILE, MODEL, SIZE};
use crate::places::HFDOWN;

/// Attempts at a server that is not trusted, by each of the four connections at most.
const FEW: usize = 3 * 4;

/// An authority, a front for the Hub and one for the CDN, and a folder with its certificate.
struct Encrypted {
    hub: Front,
    cdn: Front,
    folder: TempDir,
}

impl Encrypted {
    async fn new() -> Self {
        let authority = Authority::new();
        let folder = TempDir::new().expect("a temporary folder");
        std::fs::write(folder.path().join("authority.pem"), authority.pem()).expect("it can be written");
        Self { hub: Front::open(&authority).await, cdn: Front::open(&authority).await, folder }
    }

    fn certificate(&self) -> String {
        self.folder.path().join("authority.pem").display().to_string()
    }

    /// A sandbox with a model of one file, where the authority is not known.
    async fn strangers(place: DestinationKind, hub: Option<&Front>, cdn: Option<&Front>) -> Sandbox {
        Self::sandbox(place, hub, cdn, HostOptions::default()).await
    }

    /// The same where the box, if there is one, has been told of it.
    async fn friends(&self, place: DestinationKind, hub: Option<&Front>, cdn: Option<&Front>) -> Sandbox {
        let bashrc = Some(format!("export SSL_CERT_FILE='{}'", self.certificate()));
        Self::sandbox(place, hub, cdn, HostOptions { bashrc, ..HostOptions::default() }).await
    }

    async fn sandbox(
        place: DestinationKind,
        hub: Option<&Front>,
        cdn: Option<&Front>,
        options: HostOptions,
    ) -> Sandbox {
        let mut sandbox =
            Sandbox::start_with(place, HFDOWN, options).await.expect("neither place needs anything");
        sandbox.hub = TestHub::start_behind(hub, cdn);
        sandbox.hub.model(MODEL).lfs(FILE, Content::random(11, SIZE)).commit();
        sandbox
    }

    /// Syncs where this machine has been told of the authority.
    async fn sync(&self, sandbox: &Sandbox) -> Ended {
        let mut command = sandbox.syncing(MODEL, &["--verbose"]);
        command.env("SSL_CERT_FILE", self.certificate());
        run(command).await
    }
}

fn assert_whole(sandbox: &Sandbox, ended: &Ended) {
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(sandbox.read(FILE).is_some_and(|bytes| bytes == Content::random(11, SIZE).to_vec()));
}

/// It ended with this code and these words, and nothing has its final name.
fn assert_refused(sandbox: &Sandbox, ended: &Ended, code: i32, words: &[&str]) {
    assert_eq!(ended.code, code, "{}", ended.stderr);
    for words in words {
        assert!(ended.stderr.contains(words), "{words}: {}", ended.stderr);
    }
    assert_eq!(sandbox.files(), [""; 0], "{}", ended.stderr);
}

async fn a_hub_without_a_trusted_certificate(place: DestinationKind) {
    let encrypted = Encrypted::new().await;
    let sandbox = Encrypted::strangers(place, Some(&encrypted.hub), None).await;
    let ended = sandbox.sync(MODEL, &["--verbose"]).await;
    let host = sandbox.hub.endpoint();
    let words = ["certificate", "unknown issuer", "cannot be trusted", &host, "SSL_CERT_FILE"];
    assert_refused(&sandbox, &ended, 6, &words);
    assert_eq!(encrypted.hub.connections(), 1, "a certificate does not become valid by asking again");
    assert!(sandbox.hub.requests().is_empty());
}

async fn a_cdn_without_a_trusted_certificate(place: DestinationKind) {
    let encrypted = Encrypted::new().await;
    let sandbox = Encrypted::strangers(place, None, Some(&encrypted.cdn)).await;
    let ended = sandbox.sync(MODEL, &["--verbose"]).await;
    let host = sandbox.hub.cdn_origin().replace("https://", "cannot trust ");
    assert_refused(&sandbox, &ended, 6, &[FILE, "certificate", "unknown issuer", &host]);
    let connections = encrypted.cdn.connections();
    assert!((1..=FEW).contains(&connections), "{connections} connections were needed to see it");
    assert_eq!(sandbox.hub.bytes_sent(HubOrigin::Cdn), 0);
}

async fn an_authority_that_is_named(place: DestinationKind) {
    let encrypted = Encrypted::new().await;
    let sandbox = encrypted.friends(place, Some(&encrypted.hub), Some(&encrypted.cdn)).await;
    let ended = encrypted.sync(&sandbox).await;
    assert_whole(&sandbox, &ended);
    assert!(encrypted.hub.connections() >= 1 && encrypted.cdn.connections() >= 1);
}

/// The box has never heard of it, and is told: what is trusted here is trusted there.
async fn an_authority_that_only_this_machine_names(place: DestinationKind) {
    let encrypted = Encrypted::new().await;
    let sandbox = Encrypted::strangers(place, Some(&encrypted.hub), Some(&encrypted.cdn)).await;
    let ended = encrypted.sync(&sandbox).await;
    assert_whole(&sandbox, &ended);
    assert!(encrypted.cdn.connections() >= 1);
}

/// A company has a few authorities; a whole system's are known on the box.
#[tokio::test]
async fn more_certificates_than_can_be_handed_down_are_refused() {
    let encrypted = Encrypted::new().await;
    let sandbox =
        Encrypted::strangers(DestinationKind::InProcess, Some(&encrypted.hub), Some(&encrypted.cdn)).await;
    let certificate = std::fs::read_to_string(encrypted.certificate()).expect("it was written");
    std::fs::write(encrypted.certificate(), certificate.repeat(2_000)).expect("it can be written");
    let words =
        ["cannot hand the certificates of", "more than 256 KiB", "let SSL_CERT_FILE name a file that"];
    assert_refused(&sandbox, &encrypted.sync(&sandbox).await, 2, &words);
}

#[tokio::test]
async fn a_box_behind_sshd_is_told_of_an_authority_that_only_this_machine_names() {
    if Counterpart::Sshd.require().is_some() {
        an_authority_that_only_this_machine_names(DestinationKind::Sshd).await;
    }
}

async fn a_way_from_https_to_http(place: DestinationKind) {
    let encrypted = Encrypted::new().await;
    let sandbox = encrypted.friends(place, Some(&encrypted.hub), None).await;
    let ended = encrypted.sync(&sandbox).await;
    let host = sandbox.hub.endpoint().replace("https://", "");
    let words = format!("{host} redirects to an address that is http, although https was asked");
    assert_refused(&sandbox, &ended, 1, &[FILE, &words]);
    assert!(
        sandbox.hub.requests().iter().all(|request| request.origin == HubOrigin::Hub),
        "no request went there"
    );
    let asked = sandbox.hub.requests_for(FILE).len();
    assert!((1..=FEW).contains(&asked), "{asked} requests were needed to see it");
}

async fn handshakes_that_are_cut(place: DestinationKind) {
    let encrypted = Encrypted::new().await;
    let sandbox = encrypted.friends(place, Some(&encrypted.hub), Some(&encrypted.cdn)).await;
    encrypted.hub.cut_handshakes(1);
    encrypted.cdn.cut_handshakes(2);
    let ended = encrypted.sync(&sandbox).await;
    assert_whole(&sandbox, &ended);
    assert_eq!((encrypted.hub.still_to_cut(), encrypted.cdn.still_to_cut()), (0, 0));
    assert!(ended.stderr.contains("(attempt 1 failed)"), "attempts are visible: {}", ended.stderr);
}

here_and_on_a_box! {
    a_hub_without_a_trusted_certificate,
    a_cdn_without_a_trusted_certificate,
    an_authority_that_is_named,
    an_authority_that_only_this_machine_names,
    a_way_from_https_to_http,
    handshakes_that_are_cut,
}
