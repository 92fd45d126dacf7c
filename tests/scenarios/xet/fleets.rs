//! Many boxes: what the store says of a file is asked for once.

use hfdown_tests::hub::{HubFault, When};
use hfdown_tests::sandbox::{Ended, Sandbox, run};
use hfdown_tests::ssh_host::{HostOptions, SshHost, SshServerKind};

use super::{FILE, MODEL, SIZE, XORBS, objects, publish, questions, sent};

here! { boxes_share_what_the_store_says, addresses_that_expire_amid_a_fleet_are_asked_for_once_more, }

const BOXES: usize = 3;
/// In each home.
const FOLDER: &str = "model";

async fn hosts() -> Vec<SshHost> {
    let mut hosts = Vec::new();
    for _ in 0..BOXES {
        hosts.extend(SshHost::start(SshServerKind::InProcess, HostOptions::default()).await);
    }
    hosts
}

async fn sync(sandbox: &Sandbox, hosts: &[SshHost], bytes: &[u8]) -> Ended {
    let commands: Vec<String> = hosts.iter().map(SshHost::command).collect();
    let words = ["rsync-to-vast", MODEL].into_iter().chain(commands.iter().map(String::as_str));
    let ended = run(sandbox.hfdown(words.chain([FOLDER, "--json", "--first-wait", "1"]))).await;
    assert_eq!(ended.code, 0, "{}\n{}", ended.stdout, ended.stderr);
    for host in hosts {
        assert!(std::fs::read(host.home().join(FOLDER).join(FILE)).is_ok_and(|read| read == bytes));
    }
    assert!(objects(&ended, "fell_back").is_empty(), "{}", ended.stdout);
    ended
}

fn tokens(sandbox: &Sandbox) -> usize {
    sandbox.hub.requests().iter().filter(|request| request.path.contains("xet-read-token")).count()
}

async fn boxes_share_what_the_store_says(sandbox: Sandbox) {
    let bytes = publish(&sandbox);
    let hosts = hosts().await;
    sync(&sandbox, &hosts, &bytes).await;
    assert_eq!((questions(&sandbox), tokens(&sandbox)), (1, 1));
    let (xorbs, plain) = sent(&sandbox);
    let all = (BOXES * SIZE) as u64;
    assert!(plain == 0 && xorbs > all / 2 && xorbs < all * 9 / 10, "{xorbs} {plain}");
}

async fn addresses_that_expire_amid_a_fleet_are_asked_for_once_more(sandbox: Sandbox) {
    let bytes = publish(&sandbox);
    let hosts = hosts().await;
    // Every connection of every box begins its share, and is refused the next one.
    sandbox.hub.fault(HubFault::Expired, When::path(XORBS).after(2 * BOXES).first(BOXES));
    sync(&sandbox, &hosts, &bytes).await;
    // A box that is refused has a share of the file by then: each asks for its own rest.
    assert!((2..=1 + 3 * BOXES).contains(&questions(&sandbox)), "{}", questions(&sandbox));
    assert_eq!((tokens(&sandbox), sent(&sandbox).1), (1, 0));
}
