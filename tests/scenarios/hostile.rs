//! Boxes whose owner means no good: each lie, flood and silence is one clear error and a few MiB.

use std::fs;
use std::time::Duration;

use futures_util::SinkExt as _;
use hfdown_protocol::{
    AskedFor, Failure, FailureKind, FileId, Folding, Found, MachineInfo, Report, Summary, Ticked, VERSION,
    outbox,
};
use hfdown_tests::processes::Process;
use hfdown_tests::sandbox::{DestinationKind, Ended, Sandbox, ended};
use tokio::io::AsyncReadExt as _;

use crate::places::HFDOWN;

pub(crate) const MODEL: &str = "acme/small";
/// What the controller may have resident, whatever a box sends.
const ALLOWED: u64 = 64 << 20;
/// What a flood has: more than that.
const FLOOD: u64 = 150_000_000;

/// Reports as an agent would send them.
pub(crate) async fn frames(reports: &[Report]) -> Vec<u8> {
    let (near, mut far) = tokio::io::duplex(1 << 20);
    let mut sender = outbox::<_, Report>(near);
    for report in reports {
        sender.send(report.clone()).await.unwrap();
    }
    drop(sender);
    let mut bytes = Vec::new();
    far.read_to_end(&mut bytes).await.unwrap();
    bytes
}

/// Runs a sync against a box whose agent greets, says this, and then does what the script says. The most that the
/// controller had resident comes with it.
pub(crate) async fn against(sandbox: &Sandbox, said: &[u8], then: &str, more: &[&str]) -> (Ended, u64) {
    let (agent, words) = (sandbox.scratch().join("agent"), sandbox.scratch().join("words"));
    fs::write(&words, said).unwrap();
    let greeting = "printf '\\nHFDOWN-AGENT %s\\n' \"$2\"";
    // It speaks when it is spoken to, as agents do.
    let spoken_to = "head -c 1 >/dev/null";
    let script = format!("#!/bin/sh\n{greeting}\n{spoken_to}\ncat '{}'\n{then}\n", words.display());
    fs::write(&agent, script).unwrap();
    let mut command = sandbox.syncing(MODEL, more);
    command.env("HFDOWN_AGENT_X86_64", &agent).env("HFDOWN_AGENT_AARCH64", &agent);
    let child = command.spawn().unwrap();
    let controller = Process { pid: child.id().unwrap() };
    let mut end = std::pin::pin!(ended(child));
    let mut peak = 0;
    let patience = tokio::time::sleep(Duration::from_secs(120));
    let mut patience = std::pin::pin!(patience);
    loop {
        // The kernel keeps the peak, so that looking now and then is enough.
        tokio::select! {
            ended = &mut end => return (ended, peak),
            () = &mut patience => panic!("it never ends: {then}"),
            () = tokio::time::sleep(Duration::from_millis(10)) => {}
        }
        peak = peak.max(controller.peak_memory());
    }
}

async fn sandbox(place: DestinationKind) -> Option<Sandbox> {
    let sandbox = Sandbox::start(place, HFDOWN).await?;
    sandbox.hub.model(MODEL).file("config.json", "{}").commit();
    Some(sandbox)
}

pub(crate) fn hello() -> Report {
    let machine = MachineInfo { os: "linux".into(), arch: "x86_64".into(), cpus: 1, pid: 1 };
    Report::Hello { version: VERSION.to_owned(), machine }
}

/// What an honest agent says before a transfer of the one file.
fn honest() -> Vec<Report> {
    let opened = Report::Opened { root: "/models".into(), free: 1 << 40, lacks_tree: false };
    let found = Report::Found { files: vec![(FileId(0), Found::Absent { partial: 0 })] };
    vec![hello(), opened, found, Report::Surveyed { folding: Folding::Nothing }]
}

fn after(honest: Vec<Report>, lies: impl IntoIterator<Item = Report>) -> Vec<Report> {
    honest.into_iter().chain(lies).collect()
}

#[tokio::test]
async fn lies_are_named_and_end_the_conversation() {
    let (file, other) = (FileId(0), FileId(9));
    let started = || Report::Started { file, resumed: 0 };
    let opened = |reports: &[Report]| after(honest()[..2].to_vec(), reports.to_vec());
    let retrying = |file| {
        let failure = Failure::new(FailureKind::Unreachable, "try as I may");
        Report::Retrying { file, attempt: 1, failure, wait_ms: 0 }
    };
    let placed = |file| Report::Placed { file, fetched: 2, written: 2 };
    let lies = [
        (vec![Report::Opened { root: "/".into(), free: 1, lacks_tree: false }], "it does not say what it is"),
        (vec![hello(), hello()], "`Hello` is out of order"),
        (opened(&[Report::Surveyed { folding: Folding::Nothing }]), "it did not look at every file"),
        (opened(&[placed(file)]), "`Placed` is out of order"),
        (
            opened(&[Report::Found { files: vec![(other, Found::Absent { partial: 0 })] }]),
            "it found a file that was not asked for",
        ),
        (after(honest(), [placed(other)]), "it speaks of a file that it was not to fetch"),
        (after(honest(), [Report::Started { file, resumed: 3 }]), "it has more of a file than there is"),
        (
            after(honest(), [started(), Report::Tick { files: vec![Ticked { file, done: u64::MAX }] }]),
            "it has more of a file than there is",
        ),
        (after(honest(), [placed(file), placed(file)]), "it goes on about a file that it was done with"),
        (after(honest(), [Report::Removed { index: 0 }]), "it speaks of a file that it was not to remove"),
        (
            after(honest(), [Report::Finished { summary: Summary::default() }]),
            "it says that it has finished and has not",
        ),
        (after(honest(), vec![Report::NeedSource { file, asked: AskedFor::Plain }; 1001]), "it asks"),
        (after(honest(), vec![started(); 11]), "it begins one file without end"),
        (after(honest(), vec![Report::Verified { file }; 11]), "it verifies one file without end"),
        (after(honest(), vec![retrying(file); 1001]), "it tries one file without end"),
        (
            opened(&vec![Report::Found { files: vec![(file, Found::Absent { partial: 0 })] }; 2]),
            "it found a file that was not asked for",
        ),
        (
            vec![Report::Waiting { holder: "\u{1b}[2Jsomebody".into(), file: None }; 101],
            "it waits for one holder after the other",
        ),
    ];
    // Side by side: each agent is given seconds to go, and does not.
    let told = lies.map(|(reports, why)| async move {
        let Some(sandbox) = sandbox(DestinationKind::InProcess).await else { return };
        let (ended, _) = against(&sandbox, &frames(&reports).await, "cat >/dev/null", &[]).await;
        assert_eq!(ended.code, 1, "{why}: {}", ended.stderr);
        assert!(ended.stderr.contains(why), "{why}: {}", ended.stderr);
        assert!(
            !ended.stderr.contains("reconnecting") && !ended.stderr.contains('\u{1b}'),
            "{}",
            ended.stderr
        );
        assert_eq!(sandbox.files(), [""; 0]);
    });
    futures_util::future::join_all(told).await;
}

#[tokio::test]
async fn no_text_of_a_box_reaches_a_terminal_as_it_is() {
    let Some(sandbox) = sandbox(DestinationKind::InProcess).await else { return };
    let hostile = "\u{1b}]0;title\u{7}\u{9b}2J\u{202e}gpj\r\n";
    let machine = MachineInfo { os: hostile.into(), arch: hostile.into(), cpus: 1, pid: 1 };
    let opened = Report::Opened { root: hostile.into(), free: 1, lacks_tree: false };
    let failure = Failure::new(FailureKind::Disk, hostile);
    let failed = Report::Failed { file: FileId(0), failure: failure.clone(), fetched: 0, written: 0 };
    let reports = [
        Report::Waiting { holder: hostile.into(), file: None },
        Report::Hello { version: VERSION.to_owned(), machine },
        opened,
        Report::Found { files: vec![(FileId(0), Found::Absent { partial: 0 })] },
        Report::Surveyed { folding: Folding::Nothing },
        Report::Started { file: FileId(0), resumed: 0 },
        Report::Retrying { file: FileId(0), attempt: 1, failure: failure.clone(), wait_ms: 1 },
        failed,
        Report::Fatal { failure },
    ];
    let last_words = "printf '\\033[31mlast\\a words' >&2; exit 1";
    for style in ["--verbose", "--json"] {
        let (ended, _) = against(&sandbox, &frames(&reports).await, last_words, &[style]).await;
        assert_ne!(ended.code, 0);
        let everything = format!("{}{}", ended.stdout, ended.stderr);
        assert!(everything.contains("]0;title2Jgpj"), "{everything}");
        let obeyed = |character: char| {
            (character.is_control() && character != '\n') || matches!(character, '\u{202a}'..='\u{202e}')
        };
        assert_eq!(everything.chars().find(|character| obeyed(*character)), None, "{everything:?}");
        assert!(!everything.contains("\\u001b"), "{everything}");
    }
}

#[tokio::test]
async fn floods_cost_one_error_and_a_few_mib() {
    let Some(sandbox) = sandbox(DestinationKind::Sshd).await else { return };
    let pongs = frames(&vec![Report::Pong; 10_000]).await;
    let ticks = frames(&vec![Report::Tick { files: Vec::new() }; 10_000]).await;
    let ready = frames(&honest()).await;
    let words = sandbox.scratch().join("more");
    let endless = format!("while cat '{}'; do :; done", words.display());
    let zeros = format!("head -c {FLOOD} /dev/zero");
    let cases = [
        // Garbage: a frame of no bytes, and one of more than any has.
        (Vec::new(), Vec::new(), zeros.clone(), 1, "the agent broke the protocol"),
        (Vec::new(), Vec::new(), format!("{zeros} | tr '\\0' '\\377'"), 1, "the agent broke the protocol"),
        // Words without end.
        (Vec::new(), pongs, endless.clone(), 1, "it talks without end and says nothing"),
        (ready.clone(), ticks, endless, 1, "it talks without end and says nothing"),
        // What is said in passing is let pass, and then there is nothing more.
        (ready.clone(), Vec::new(), format!("{zeros} >&2; sleep 60"), 6, "the agent was silent for 2 s"),
        (ready, Vec::new(), "sleep 60".to_owned(), 6, "the agent was silent for 2 s"),
    ];
    for (said, more, then, code, why) in cases {
        fs::write(&words, more).unwrap();
        let options = ["--link-silence", "2", "--retries", "0"];
        let (ended, peak) = against(&sandbox, &said, &then, &options).await;
        assert_eq!(ended.code, code, "{then}: {}", ended.stderr);
        assert!(ended.stderr.contains(why), "{then}: {}", ended.stderr);
        assert!(ended.stderr.len() < 4_000, "{then}: one error");
        assert!(peak > 0 && peak < ALLOWED, "{then}: {peak} bytes were resident");
    }
}

/// Before an agent has greeted, a shell may make some noise.
#[tokio::test]
async fn a_shell_that_never_stops_talking_is_given_up() {
    let bashrc = format!("head -c {FLOOD} /dev/zero | tr '\\0' 'x'");
    let options = hfdown_tests::ssh_host::HostOptions { bashrc: Some(bashrc), ..Default::default() };
    let Some(sandbox) = Sandbox::start_with(DestinationKind::Sshd, HFDOWN, options).await else { return };
    sandbox.hub.model(MODEL).file("config.json", "{}").commit();
    let (ended, peak) = against(&sandbox, &[], "exit", &[]).await;
    assert_eq!(ended.code, 1, "{}", ended.stderr);
    assert!(ended.stderr.contains("printed more than can be noise: xxx"), "{}", ended.stderr);
    assert!(peak > 0 && peak < ALLOWED, "{peak} bytes were resident");
}

/// Frames that come with the greeting, in one write, are no less heard than those that come later.
#[tokio::test]
async fn a_word_that_comes_with_the_greeting_is_heard_though_nothing_follows() {
    for place in [DestinationKind::InProcess, DestinationKind::Sshd] {
        let Some(sandbox) = sandbox(place).await else { continue };
        let failure = Failure::new(FailureKind::Disk, "there is nothing here for you");
        let (agent, words) = (sandbox.scratch().join("agent"), sandbox.scratch().join("words"));
        fs::write(&words, frames(&[Report::Fatal { failure }]).await).unwrap();
        let (words, all) = (words.display(), sandbox.scratch().join("all"));
        let script = format!(
            "#!/bin/sh\n{{ printf '\\nHFDOWN-AGENT %s\\n' \"$2\"; cat '{words}'; }} >'{0}'\ncat '{0}'\nexec cat >/dev/null\n",
            all.display()
        );
        fs::write(&agent, script).unwrap();
        let mut command = sandbox.syncing(MODEL, &["--link-silence", "5", "--retries", "0"]);
        command.env("HFDOWN_AGENT_X86_64", &agent).env("HFDOWN_AGENT_AARCH64", &agent);
        let Ended { code, stderr, .. } = ended(command.spawn().unwrap()).await;
        assert_eq!(code, 1, "{stderr}");
        assert!(stderr.contains("there is nothing here for you"), "{stderr}");
    }
}
