//! One model for many boxes: how often the Hub is asked, and for what.

use std::time::Duration;

use hfdown_tests::hub::{Bodies, Bucket, Content, Guarded, HubFault, HubOrigin, HubRequest, Mirror, When};
use hfdown_tests::sandbox::{Ended, Sandbox, run};
use hfdown_tests::ssh_host::{HostOptions, SshHost, SshServerKind};

const MODEL: &str = "acme/shared";
const TOKEN: &str = "hf_tokenThatStaysHere";
const BOXES: usize = 6;
/// Files of either kind: those that lie with the CDN, and those that the Hub sends itself.
const FILES: usize = 10;
/// In each home.
const FOLDER: &str = "model";

/// Boxes of one user, each with a home of its own.
struct SharedHub {
    sandbox: Sandbox,
    hosts: Vec<SshHost>,
}

impl SharedHub {
    async fn start(sandbox: Sandbox) -> Self {
        let mut hosts = Vec::new();
        for _ in 0..BOXES {
            hosts.extend(SshHost::start(SshServerKind::InProcess, HostOptions::default()).await);
        }
        Self { sandbox, hosts }
    }

    async fn sync(&self, more: &[&str]) -> Ended {
        self.run(&["rsync-to-vast", MODEL], more).await
    }

    /// Runs a verb for all boxes.
    async fn run(&self, verb: &[&str], more: &[&str]) -> Ended {
        let commands: Vec<String> = self.hosts.iter().map(SshHost::command).collect();
        let words = verb.iter().copied().chain(commands.iter().map(String::as_str));
        let mut command = self.sandbox.hfdown(words.chain([FOLDER]).chain(more.iter().copied()));
        command.env("HF_TOKEN", TOKEN).env("HF_ENDPOINT", self.sandbox.hub.endpoint());
        run(command).await
    }

    #[track_caller]
    fn assert_whole(&self, ended: &Ended) {
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        for host in &self.hosts {
            for number in 0..FILES {
                let read = |name: String| std::fs::read(host.home().join(FOLDER).join(name)).unwrap();
                assert_eq!(read(large(number)), content(number).to_vec());
                assert_eq!(read(small(number)), vec![b'x'; 1 + number]);
            }
        }
        let requests = self.sandbox.hub.requests();
        assert!(!requests.iter().any(|request| request.origin == HubOrigin::Cdn && request.authorized()));
    }

    /// Requests to `resolve` for a file.
    fn resolves(&self, file: &str) -> usize {
        let requests = self.sandbox.hub.requests_for(file);
        requests.iter().filter(|request| request.path.contains("/resolve/")).count()
    }
}

fn large(number: usize) -> String {
    format!("model-{number}.safetensors")
}

fn small(number: usize) -> String {
    format!("config/{number}.json")
}

fn content(number: usize) -> Content {
    Content::random(number as u64, 300_000)
}

/// Whether only the account of the token may read it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Readers {
    Everyone,
    AccountAlone,
}

fn publish(sandbox: &Sandbox, access: Readers) {
    let draft = (0..FILES).fold(sandbox.hub.model(MODEL), |draft, number| {
        draft.lfs(&large(number), content(number)).file(&small(number), vec![b'x'; 1 + number])
    });
    match access {
        Readers::Everyone => draft.commit(),
        Readers::AccountAlone => draft.private(TOKEN).commit(),
    };
    sandbox.hub.token(TOKEN);
}

fn is_listing(request: &HubRequest) -> bool {
    request.path.starts_with("/api/models/")
}

async fn asks_once(sandbox: Sandbox, access: Readers) {
    publish(&sandbox, access);
    // Where it is, and a small file's bytes: 30 of 40. Boxes that ask by themselves come to 120 and more.
    sandbox.hub.rate_limit(Bucket::Resolvers, 40, Duration::from_secs(300));
    let fleet = SharedHub::start(sandbox).await;
    let ended = fleet.sync(&["--json"]).await;
    fleet.assert_whole(&ended);
    for number in 0..FILES {
        assert_eq!(fleet.resolves(&large(number)), 1);
    }
    let requests = fleet.sandbox.hub.requests();
    assert!(!requests.iter().any(|request| request.status == 429));
    let listings = requests.iter().filter(|request| is_listing(request)).count();
    // Whether the account may read at all, or strangers may, is asked for once.
    let resolves = requests.iter().filter(|request| request.path.contains("/resolve/")).count();
    assert!(resolves <= 3 * FILES + 1, "{resolves}");
    // Again: nothing is missing.
    fleet.sandbox.hub.forget_requests();
    let ended = fleet.sync(&[]).await;
    fleet.assert_whole(&ended);
    let requests = fleet.sandbox.hub.requests();
    assert!(requests.len() <= listings + 1, "{requests:?}");
}

async fn a_public_model_is_resolved_once_for_all_boxes(sandbox: Sandbox) {
    asks_once(sandbox, Readers::Everyone).await;
}

async fn a_private_model_is_resolved_once_for_all_boxes(sandbox: Sandbox) {
    asks_once(sandbox, Readers::AccountAlone).await;
}

async fn addresses_that_turn_stale_are_renewed_for_all(sandbox: Sandbox) {
    publish(&sandbox, Readers::Everyone);
    let file = large(0);
    // Each box is refused about once, and some of them what was renewed for others.
    let refused = When::file(&file).at(HubOrigin::Cdn).first(BOXES);
    let fault = sandbox.hub.fault(HubFault::Expired, refused);
    let fleet = SharedHub::start(sandbox).await;
    let ended = fleet.sync(&[]).await;
    fleet.assert_whole(&ended);
    assert_eq!(fault.times_struck(), BOXES);
    // Each for itself would have asked twice.
    assert!((2..2 * BOXES).contains(&fleet.resolves(&file)), "{}", fleet.resolves(&file));
}

async fn boxes_that_are_left_alone_are_told_in_advance_and_find_by_themselves_what_turns_stale(
    sandbox: Sandbox,
) {
    publish(&sandbox, Readers::Everyone);
    let file = large(0);
    let refused = When::file(&file).at(HubOrigin::Cdn).first(BOXES);
    sandbox.hub.fault(HubFault::Expired, refused);
    let fleet = SharedHub::start(sandbox).await;
    let Ended { code, stderr, .. } = fleet.sync(&["--detach"]).await;
    assert_eq!(code, 0, "{stderr}");
    let ended = fleet.run(&["attach"], &[]).await;
    fleet.assert_whole(&ended);
    assert!((1..FILES).all(|number| fleet.resolves(&large(number)) == 1));
    // Each of them asks for itself where what it was told is of no use.
    let resolves = fleet.sandbox.hub.requests_for(&file);
    let by_boxes =
        resolves.iter().filter(|request| request.path.contains("/resolve/") && !request.authorized());
    assert!((1..=BOXES).contains(&by_boxes.count()), "{resolves:?}");
}

async fn a_refusal_is_asked_for_once_and_told_for_each_box_with_one_advice(sandbox: Sandbox) {
    publish(&sandbox, Readers::Everyone);
    let file = large(0);
    let refusal = HubFault::Answer(hfdown_tests::hub::CannedAnswer {
        status: 403,
        headers: vec![("x-error-code", "GatedRepo"), ("x-error-message", "not for you")],
        body: Vec::new(),
    });
    sandbox.hub.fault(refusal, When::file(&file).at(HubOrigin::Hub));
    let fleet = SharedHub::start(sandbox).await;
    let Ended { code, stderr, .. } = fleet.sync(&[]).await;
    assert_eq!(code, 3, "{stderr}");
    assert_eq!(fleet.resolves(&file), 1, "{stderr}");
    assert_eq!(stderr.matches("accept the conditions").count(), 1, "{stderr}");
    for host in &fleet.hosts {
        assert!(host.home().join(FOLDER).join(large(1)).exists());
    }
}

async fn a_mirror_that_sends_files_to_all_sends_them_to_the_boxes(sandbox: Sandbox) {
    publish(&sandbox, Readers::Everyone);
    sandbox.hub.mirror(Mirror { guards: Guarded::Nothing, bodies: Bodies::Own, ..Mirror::default() });
    let fleet = SharedHub::start(sandbox).await;
    let ended = fleet.sync(&[]).await;
    fleet.assert_whole(&ended);
    let requests = fleet.sandbox.hub.requests_for(&large(0));
    // One byte of one file is asked for to see whether strangers are let in.
    let sent = requests.iter().filter(|request| request.bytes_sent > 1);
    assert_eq!(sent.filter(|request| !request.authorized()).count(), BOXES, "{requests:?}");
}

async fn a_mirror_that_sends_files_to_the_account_alone_says_so_once(sandbox: Sandbox) {
    publish(&sandbox, Readers::Everyone);
    sandbox.hub.model(MODEL).lfs("large", Content::random(77, 33 << 20)).commit();
    sandbox.hub.mirror(Mirror { guards: Guarded::Files, bodies: Bodies::Own, ..Mirror::default() });
    let fleet = SharedHub::start(sandbox).await;
    let Ended { code, stderr, .. } = fleet.sync(&[]).await;
    assert_eq!(code, 3, "{stderr}");
    assert_eq!(stderr.matches("`--through-controller` sends").count(), 1, "{stderr}");
}

here! {
    a_public_model_is_resolved_once_for_all_boxes,
    a_private_model_is_resolved_once_for_all_boxes,
    addresses_that_turn_stale_are_renewed_for_all,
    boxes_that_are_left_alone_are_told_in_advance_and_find_by_themselves_what_turns_stale,
    a_refusal_is_asked_for_once_and_told_for_each_box_with_one_advice,
    a_mirror_that_sends_files_to_all_sends_them_to_the_boxes,
    a_mirror_that_sends_files_to_the_account_alone_says_so_once,
}
