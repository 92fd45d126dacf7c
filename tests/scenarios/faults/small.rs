//! The same faults in small files, which are fetched whole and proved in memory: each file of a model meets another
//! one.

use hfdown_tests::hub::{Armed, Content, HubFault, HubOrigin, RetryAfterForm, When};
use hfdown_tests::sandbox::{DestinationKind, run};

use super::faulty::{MODEL, sandbox};

const SIZE: u64 = 600_000;

fn content(number: usize) -> Content {
    Content::random(100 + number as u64, SIZE)
}

async fn small_files_with_a_fault_each(place: DestinationKind) {
    let sandbox = sandbox(place).await;
    let faults = [
        ("cut", HubFault::CutAfter(300_000)),
        ("reset", HubFault::ResetAfter(300_000)),
        ("trouble", HubFault::Status(500)),
        ("limited", HubFault::RateLimited { seconds: 0 }),
        ("later", HubFault::RetryAfter { status: 503, seconds: 0, form: RetryAfterForm::Date }),
        ("short", HubFault::ShortBody(1)),
        ("long", HubFault::LongBody(1)),
        ("compressed", HubFault::Gzipped),
        ("wrong", HubFault::WrongBytes { at: SIZE - 1 }),
        ("expired", HubFault::Expired),
        ("lost", HubFault::RedirectTo("http://no-such-host.invalid/file".to_owned())),
    ];
    let mut model = sandbox.hub.model(MODEL);
    for (number, (name, _)) in faults.iter().enumerate() {
        model = model.lfs(name, content(number));
    }
    model = model.lfs("silent", content(faults.len()));
    model.commit();
    let arm = |(name, fault): &(&str, HubFault)| {
        // This one leads astray before the CDN is asked.
        let origin = if *name == "lost" { HubOrigin::Hub } else { HubOrigin::Cdn };
        sandbox.hub.fault(fault.clone(), When::file(name).at(origin).first(1))
    };
    let armed: Vec<Armed> = faults.iter().map(arm).collect();
    let stall = sandbox.hub.stall(300_000, When::file("silent").at(HubOrigin::Cdn).first(1));
    let mut command = sandbox.syncing(MODEL, &["--verbose"]);
    command.env("HF_HUB_DOWNLOAD_TIMEOUT", "1");
    let ended = run(command).await;
    stall.release();
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let names = faults.iter().map(|(name, _)| *name).chain(["silent"]);
    for (number, name) in names.enumerate() {
        assert!(sandbox.read(name).is_some_and(|bytes| bytes == content(number).to_vec()), "{name}");
        assert!(armed.get(number).is_none_or(|armed| armed.times_struck() == 1), "{name} struck");
        assert!(
            ended.stderr.contains(&format!("retrying {name} in ")),
            "{name} is told of: {}",
            ended.stderr
        );
    }
}

here_and_on_a_box! {
    small_files_with_a_fault_each,
}
