//! Servers that answer a range in ways of their own. Where the place of an answer can't be known, the file is asked for as a
//! whole, once, and its digest tells; where it can, nothing is asked for twice.

use hfdown_tests::hub::{Content, HubFault, HubOrigin, HubRequest, OddRange, When};
use hfdown_tests::sandbox::{DestinationKind, Ended, Sandbox, ended};

use super::faulty::{FILE, MODEL, SIZE, cdn, sandbox};

const TOKEN: &str = "hf_tokenOfThisTest";
/// What may be lost with one connection: what was on its way when it was given up.
const ON_THE_WAY: u64 = 5_000_000;
const CONNECTIONS: u64 = 4;
const FEW: [&str; 3] = ["--verbose", "--connections", "4"];

fn assert_whole(sandbox: &Sandbox, ended: &Ended) {
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(sandbox.read(FILE).is_some_and(|bytes| bytes == Content::random(11, SIZE).to_vec()));
}

/// The requests for the bytes of a file, with a range and without.
fn asked(sandbox: &Sandbox, file: &str) -> (Vec<HubRequest>, Vec<HubRequest>) {
    let requests = sandbox.hub.requests_for(file).into_iter();
    requests.filter(|request| request.origin == HubOrigin::Cdn).partition(|request| request.range().is_some())
}

/// Meets such a server, which knows no other way, and gives what it was asked: with a range and without.
async fn meeting(place: DestinationKind, odd: &[HubFault]) -> (Sandbox, Vec<HubRequest>, Vec<HubRequest>) {
    let sandbox = sandbox(place).await;
    let armed: Vec<_> = odd.iter().map(|odd| sandbox.hub.fault(odd.clone(), cdn())).collect();
    let ended = sandbox.sync(MODEL, &FEW).await;
    assert_whole(&sandbox, &ended);
    assert!(armed.iter().all(|armed| armed.times_struck() > 0), "{odd:?} struck");
    let (ranged, whole) = asked(&sandbox, FILE);
    (sandbox, ranged, whole)
}

async fn fetched_whole(place: DestinationKind, odd: &[HubFault]) {
    let (sandbox, ranged, whole) = meeting(place, odd).await;
    assert_eq!(whole.len(), 1, "the whole file is asked for once");
    assert_eq!(whole[0].bytes_sent, SIZE);
    assert!(
        ranged.len() as u64 <= CONNECTIONS,
        "each connection finds it out at most once: {}",
        ranged.len()
    );
    let sent = sandbox.hub.bytes_sent(HubOrigin::Cdn);
    assert!(sent <= SIZE + CONNECTIONS * ON_THE_WAY, "{sent} bytes were sent for {SIZE}");
}

async fn a_part_without_its_place(place: DestinationKind) {
    for odd in [OddRange::Unplaced, OddRange::Unreadable, OddRange::PartAsTotal] {
        fetched_whole(place, &[HubFault::OddRange(odd)]).await;
    }
    fetched_whole(place, &[HubFault::WrongContentRange]).await;
}

async fn a_part_in_an_envelope(place: DestinationKind) {
    fetched_whole(place, &[HubFault::OddRange(OddRange::Multipart)]).await;
}

async fn a_range_of_a_body_made_as_it_is_sent(place: DestinationKind) {
    fetched_whole(place, &[HubFault::OddRange(OddRange::Chunked)]).await;
}

async fn a_range_that_is_said_to_be_past_the_end(place: DestinationKind) {
    fetched_whole(place, &[HubFault::OddRange(OddRange::NotSatisfiable)]).await;
}

async fn a_part_is_said_to_come_whatever_is_asked(place: DestinationKind) {
    let odd = [OddRange::Unplaced, OddRange::WholeAsPart].map(HubFault::OddRange);
    fetched_whole(place, &odd).await;
}

async fn a_size_that_is_not_said(place: DestinationKind) {
    let (sandbox, ranged, whole) = meeting(place, &[HubFault::OddRange(OddRange::UnknownTotal)]).await;
    assert!(ranged.len() > 1 && whole.is_empty(), "ranges are as good as ever");
    assert_eq!(sandbox.hub.bytes_sent(HubOrigin::Cdn), SIZE);
}

/// Small files and empty ones beside it, and a model whose addresses are signed for the one who asks.
async fn a_private_model_of_files_of_every_size(place: DestinationKind) {
    let sandbox = sandbox(place).await;
    let small = Content::random(12, 700_000);
    let draft = sandbox.hub.model(MODEL).lfs("small.bin", small.clone()).lfs("empty.bin", "");
    draft.file("empty.txt", "").private(TOKEN).commit();
    for odd in [OddRange::Unplaced, OddRange::WholeAsPart] {
        sandbox.hub.fault(HubFault::OddRange(odd), When::always().at(HubOrigin::Cdn));
    }
    let mut command = sandbox.syncing(MODEL, &FEW);
    command.env("HF_TOKEN", TOKEN);
    let ended = ended(command.spawn().unwrap()).await;
    assert_whole(&sandbox, &ended);
    assert_eq!(sandbox.read("small.bin").unwrap(), small.to_vec());
    assert_eq!((sandbox.read("empty.bin").unwrap(), sandbox.read("empty.txt").unwrap()), (vec![], vec![]));
    assert_eq!(asked(&sandbox, "small.bin").1.len(), 1);
    assert_eq!(asked(&sandbox, FILE).1.len(), 1);
}

/// One server among many: what is on disk by then is not asked for again.
async fn only_now_and_then(place: DestinationKind) {
    let sandbox = sandbox(place).await;
    let odd = HubFault::OddRange(OddRange::Unplaced);
    let armed = sandbox.hub.fault(odd, cdn().ranged().after(2).first(1));
    let ended = sandbox.sync(MODEL, &FEW).await;
    assert_whole(&sandbox, &ended);
    assert_eq!(armed.times_struck(), 1);
    assert_eq!(asked(&sandbox, FILE).1.len(), 0, "ranges have worked");
}

/// The whole of it, over what an earlier run left, and from its beginning each time that it breaks.
async fn in_a_run_that_goes_on_from_an_earlier_one(place: DestinationKind) {
    let sandbox = sandbox(place).await;
    let stall = sandbox.hub.stall(3_000_000, cdn());
    let mut child = sandbox.syncing(MODEL, &FEW).spawn().unwrap();
    stall.reached().await;
    // Until something is in the journal.
    while sandbox.claimed() == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    child.kill().await.unwrap();
    stall.release();
    let kept = sandbox.claimed();
    assert!(kept > 0);

    sandbox.hub.forget_requests();
    sandbox.hub.fault(HubFault::OddRange(OddRange::Unplaced), cdn().ranged());
    let whole = |request: &HubRequest| request.range().is_none();
    let armed = [
        sandbox.hub.fault(HubFault::ResetAfter(9_000_000), cdn().unranged().first(1)),
        sandbox.hub.fault(HubFault::CutAfter(14_000_000), cdn().unranged().after(1).first(1)),
    ];
    let ended = sandbox.sync(MODEL, &[&FEW[..], &["--first-wait", "10"]].concat()).await;
    assert_whole(&sandbox, &ended);
    assert!(armed.iter().all(|armed| armed.times_struck() == 1));
    let requests = sandbox.hub.requests_for(FILE);
    let times = requests.iter().filter(|request| request.origin == HubOrigin::Cdn && whole(request)).count();
    assert_eq!(times, 3, "once, and once more for each time that it broke");
}

/// What is said to be past the end is, and the whole shows why.
async fn a_file_that_is_shorter_than_listed(place: DestinationKind) {
    let sandbox = sandbox(place).await;
    sandbox.hub.fault(HubFault::OddRange(OddRange::NotSatisfiable), cdn());
    sandbox.hub.fault(HubFault::ShortBody(23_000_000), cdn().unranged());
    let ended = sandbox.sync(MODEL, &FEW).await;
    assert_eq!(ended.code, 3, "{}", ended.stderr);
    let words = "sends 1000000 bytes where the Hub lists 24000000";
    assert!(ended.stderr.contains(words), "{}", ended.stderr);
    assert_eq!(sandbox.files(), ["config.json"]);
}

here_and_on_a_box! {
    a_part_without_its_place,
    a_part_in_an_envelope,
    a_range_of_a_body_made_as_it_is_sent,
    a_range_that_is_said_to_be_past_the_end,
    a_part_is_said_to_come_whatever_is_asked,
    a_size_that_is_not_said,
    a_private_model_of_files_of_every_size,
    only_now_and_then,
    in_a_run_that_goes_on_from_an_earlier_one,
    a_file_that_is_shorter_than_listed,
}
