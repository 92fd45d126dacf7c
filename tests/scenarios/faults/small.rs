//! The same faults in small files, which are fetched whole and proved in memory: each file of a model meets another
//! one.

use hfdown_tests::hub::{Armed, Content, Fault, Form, Origin, When};
use hfdown_tests::stage::{Place, run};

use crate::{MODEL, stage};

const SIZE: u64 = 600_000;

fn content(number: usize) -> Content {
    Content::random(100 + number as u64, SIZE)
}

async fn small_files_with_a_fault_each(place: Place) {
    let stage = stage(place).await;
    let faults = [
        ("cut", Fault::CutAfter(300_000)),
        ("reset", Fault::ResetAfter(300_000)),
        ("trouble", Fault::Status(500)),
        ("limited", Fault::RateLimited { seconds: 0 }),
        ("later", Fault::RetryAfter { status: 503, seconds: 0, form: Form::Date }),
        ("short", Fault::ShortBody(1)),
        ("long", Fault::LongBody(1)),
        ("compressed", Fault::Gzipped),
        ("wrong", Fault::WrongBytes { at: SIZE - 1 }),
        ("expired", Fault::Expired),
        ("lost", Fault::RedirectTo("http://no-such-host.invalid/file".to_owned())),
    ];
    let mut model = stage.hub.model(MODEL);
    for (number, (name, _)) in faults.iter().enumerate() {
        model = model.lfs(name, content(number));
    }
    model = model.lfs("silent", content(faults.len()));
    model.commit();
    let arm = |(name, fault): &(&str, Fault)| {
        // This one leads astray before the CDN is asked.
        let origin = if *name == "lost" { Origin::Hub } else { Origin::Cdn };
        stage.hub.fault(fault.clone(), When::file(name).at(origin).first(1))
    };
    let armed: Vec<Armed> = faults.iter().map(arm).collect();
    let stall = stage.hub.stall(300_000, When::file("silent").at(Origin::Cdn).first(1));
    let mut command = stage.syncing(MODEL, &["--verbose"]);
    command.env("HF_HUB_DOWNLOAD_TIMEOUT", "1");
    let ended = run(command).await;
    stall.release();
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let names = faults.iter().map(|(name, _)| *name).chain(["silent"]);
    for (number, name) in names.enumerate() {
        assert!(stage.read(name).is_some_and(|bytes| bytes == content(number).to_vec()), "{name}");
        assert!(armed.get(number).is_none_or(|armed| armed.times_struck() == 1), "{name} struck");
        assert!(
            ended.stderr.contains(&format!("retrying {name} in ")),
            "{name} is told of: {}",
            ended.stderr
        );
    }
}

in_both_places! {
    small_files_with_a_fault_each,
}
