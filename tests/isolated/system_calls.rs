//! What a GB over TLS costs in system calls, in bytes that are read back from the disk, and in handshakes. No clock has a say, so
//! a slower program fails here on a fast machine and on a slow one alike.

use std::path::Path;

use hfdown_tests::counterpart::Counterpart;
use hfdown_tests::hub::{Authority, Content, Draft, Front, HubFault, HubOrigin, TestHub, When};
use hfdown_tests::sandbox::{DestinationKind, Ended, Sandbox, run};
use hfdown_tests::system_calls::{self, CallCount, SystemCalls};
use tokio::process::Command;

use crate::HFDOWN;

const MODEL: &str = "acme/counted";
const FILE: &str = "model.safetensors";
/// Large enough that what happens once does not show: 1 % is 2.5 MB, or 160 records of TLS.
const SIZE: u64 = 256_000_000;

/// Reads of sockets for each GB: 8,050 were counted. A record of TLS has 16 KiB at most, so a read for each would be 61,000.
const SOCKET_READS_PER_GB: u64 = 12_000;
/// What is read back from the page cache to be hashed where one connection brings everything in order, in percent of the
/// bytes. Each is a copy by the kernel.
const READ_BACK_PERCENT: u64 = 10;
/// Calls that read back, for each GB, where several connections bring a file: 3,332 were counted.
const READS_BACK_PER_GB: u64 = 5_000;
/// Writes of files for each GB, the journal's included: 7,600 would be one of either for each 256 KiB.
const WRITES_PER_GB: u64 = 8_500;
/// Full handshakes with a host: each costs both sides a key exchange. The Hub has one of the controller, and one of the agent.
const FULL_HANDSHAKES_PER_HOST: usize = 2;
/// Small files, each of which is asked for by itself.
const SMALL_FILES: u64 = 200;
/// Connections that break: few enough that a range is not given up.
const CUTS: usize = 6;

const SOCKET_READS: [&str; 4] = ["read", "readv", "recvfrom", "recvmsg"];
const FILE_READS: [&str; 2] = ["pread64", "preadv"];
const FILE_WRITES: [&str; 4] = ["write", "writev", "pwrite64", "pwritev"];

/// A sandbox whose Hub and CDN are behind TLS.
struct EncryptedSandbox {
    sandbox: Sandbox,
    hub: Front,
    cdn: Front,
}

impl EncryptedSandbox {
    async fn start() -> Self {
        let authority = Authority::new();
        let (hub, cdn) = (Front::open(&authority).await, Front::open(&authority).await);
        let mut sandbox = Sandbox::start(DestinationKind::Here, HFDOWN).await.unwrap();
        sandbox.hub = TestHub::start_behind(Some(&hub), Some(&cdn));
        std::fs::write(sandbox.scratch().join("authority.pem"), authority.pem()).unwrap();
        Self { sandbox, hub, cdn }
    }

    fn syncing(&self) -> Command {
        let mut command = self.sandbox.syncing(MODEL, &["--quiet"]);
        command.env("SSL_CERT_FILE", self.sandbox.scratch().join("authority.pem"));
        command
    }

    fn assert_few_handshakes(&self) {
        for (name, front) in [("the Hub", &self.hub), ("the CDN", &self.cdn)] {
            let (connections, full) = (front.connections(), front.full_handshakes());
            eprintln!("{name}: {connections} connections, {full} full handshakes");
            assert!(connections >= 1 && full >= 1, "{name} was asked over TLS");
            assert!(full <= connections, "{full} handshakes for {connections} connections to {name}");
            assert!(full <= FULL_HANDSHAKES_PER_HOST, "{full} full handshakes with {name}");
        }
    }
}

/// Bytes that are ready: to make them costs a test's own, unoptimised program more than to send them.
fn ready(seed: u64, size: u64) -> Content {
    Content::bytes(Content::random(seed, size).to_vec())
}

fn assert_done(ended: &Ended) {
    assert_eq!(ended.code, 0, "{}", ended.stderr);
}

/// Bytes and calls of one download of [`SIZE`] bytes, with more words after the verb's.
struct Costs {
    received: CallCount,
    read_back: CallCount,
    written: CallCount,
}

impl Costs {
    async fn of(encrypted: &EncryptedSandbox, strace: &Path, more: &[&str]) -> Self {
        encrypted.sandbox.hub.model(MODEL).lfs(FILE, ready(1, SIZE)).commit();
        let log = encrypted.sandbox.scratch().join("calls");
        let mut command = encrypted.syncing();
        command.args(more);
        let ended = run(traced(strace, &log, &command)).await;
        assert_done(&ended);
        assert!(encrypted.sandbox.read(FILE).is_some_and(|bytes| bytes.len() as u64 == SIZE));
        let calls = SystemCalls::read(&log).unwrap();
        let received = calls.of_sockets(&SOCKET_READS);
        let (read_back, written) = (calls.of_files(&FILE_READS), calls.of_files(&FILE_WRITES));
        eprintln!(
            "per GB: {} reads of sockets, {} reads back of {} % of the bytes, {} writes, {} wake-ups",
            per_gb(received.calls),
            per_gb(read_back.calls),
            percent(read_back.bytes),
            per_gb(written.calls),
            per_gb(calls.wake_ups())
        );
        assert!(received.bytes > SIZE && written.bytes >= SIZE, "the calls were seen: {calls:?}");
        Self { received, read_back, written }
    }
}

fn per_gb(calls: u64) -> u64 {
    calls * 1_000_000_000 / SIZE
}

fn percent(bytes: u64) -> u64 {
    bytes * 100 / SIZE
}

#[tokio::test]
async fn a_gb_over_tls_costs_few_system_calls() {
    let Some(strace) = Counterpart::Tool("strace").require() else { return };
    let encrypted = EncryptedSandbox::start().await;
    let Costs { received, read_back, written } = Costs::of(&encrypted, &strace, &[]).await;
    assert!(written.bytes < SIZE + SIZE / 100, "{} bytes were written", written.bytes);
    assert!(per_gb(received.calls) <= SOCKET_READS_PER_GB, "{received:?}");
    assert!(per_gb(read_back.calls) <= READS_BACK_PER_GB, "{read_back:?}");
    assert!(per_gb(written.calls) <= WRITES_PER_GB, "{written:?}");
    encrypted.assert_few_handshakes();
}

#[tokio::test]
async fn what_arrives_in_order_is_hardly_read_back() {
    let Some(strace) = Counterpart::Tool("strace").require() else { return };
    let encrypted = EncryptedSandbox::start().await;
    let Costs { read_back, .. } = Costs::of(&encrypted, &strace, &["--connections", "1"]).await;
    assert!(percent(read_back.bytes) <= READ_BACK_PERCENT, "{read_back:?}");
}

#[tokio::test]
async fn many_small_files_over_tls_cost_few_handshakes() {
    let encrypted = EncryptedSandbox::start().await;
    let small =
        |draft: Draft, number: u64| draft.lfs(&format!("{number}.bin"), Content::random(number, 20_000));
    (0..SMALL_FILES).fold(encrypted.sandbox.hub.model(MODEL), small).commit();
    assert_done(&run(encrypted.syncing()).await);
    encrypted.assert_few_handshakes();
}

/// Connections that break one after the other: each next one takes up the session that there is.
#[tokio::test]
async fn a_reconnect_over_tls_costs_no_full_handshake() {
    let encrypted = EncryptedSandbox::start().await;
    encrypted.sandbox.hub.model(MODEL).lfs(FILE, ready(2, 64_000_000)).commit();
    let cut = When::always().at(HubOrigin::Cdn).first(CUTS);
    let fault = encrypted.sandbox.hub.fault(HubFault::CutAfter(1_000_000), cut);
    assert_done(&run(encrypted.syncing()).await);
    assert_eq!(fault.times_struck(), CUTS);
    assert!(encrypted.cdn.connections() > CUTS, "each cut costs a connection");
    encrypted.assert_few_handshakes();
}

/// A command behind the tracer's words.
fn traced(strace: &Path, log: &Path, command: &Command) -> Command {
    let command = command.as_std();
    let mut traced = Command::new(strace);
    // The first of the words is the tracer's own name.
    traced
        .args(system_calls::tracer(log).into_iter().skip(1))
        .arg(command.get_program())
        .args(command.get_args());
    traced.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    traced.current_dir(command.get_current_dir().unwrap()).kill_on_drop(true);
    traced.stdin(std::process::Stdio::null());
    traced.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    traced
}
