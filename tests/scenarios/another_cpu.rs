//! A box with a 64-bit ARM: the agent that is put there and runs there is built for that CPU, and QEMU is the CPU.

use std::path::PathBuf;

use hfdown::link::{AgentImages, Cpu};
use hfdown_tests::counterpart::Counterpart;
use hfdown_tests::hub::{Content, HubOrigin};
use hfdown_tests::sandbox::{DestinationKind, Ended, Sandbox, run};

use crate::places::HFDOWN;

const MODEL: &str = "acme/tiny";
const SIZE: u64 = 5_000_001;
/// `e_machine` of 64-bit ARM, by the ELF specification.
const EM_AARCH64: [u8; 2] = [183, 0];

/// A box that says it has another CPU, and can run that CPU's programs.
async fn arm_box(place: DestinationKind) -> Option<(Sandbox, PathBuf)> {
    Counterpart::Qemu.require()?;
    let agent = Counterpart::Aarch64Agent.require()?;
    let sandbox = Sandbox::start(place, HFDOWN).await?;
    sandbox.host.as_ref().unwrap().put_program("uname", "[ $1 = -s ] && echo Linux || echo aarch64");
    sandbox
        .hub
        .model(MODEL)
        .file("config.json", "{\"layers\": 2}")
        .lfs("model.safetensors", Content::random(3, SIZE))
        .commit();
    Some((sandbox, agent))
}

/// Syncs with an agent for the other CPU at hand; the event `opened` tells which agent answered.
async fn sync(sandbox: &Sandbox, agent: &PathBuf) -> (Ended, serde_json::Value) {
    let mut command = sandbox.syncing(MODEL, &["--json"]);
    command.env("HFDOWN_AGENT_AARCH64", agent);
    let ended = run(command).await;
    assert_eq!(ended.code, 0, "{}{}", ended.stdout, ended.stderr);
    let mut events = ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap());
    let opened = events.find(|event: &serde_json::Value| event["type"] == "opened").unwrap();
    (ended, opened)
}

async fn a_model_arrives_on_a_box_with_another_cpu(place: DestinationKind) {
    let Some((sandbox, agent)) = arm_box(place).await else { return };
    let (_, opened) = sync(&sandbox, &agent).await;
    // The agent says itself what it was built for.
    assert_eq!((&opened["arch"], &opened["agent"]), (&"aarch64".into(), &"uploaded".into()), "{opened}");
    assert_eq!(sandbox.files(), ["config.json", "model.safetensors"]);
    assert!(sandbox.read("model.safetensors").unwrap() == Content::random(3, SIZE).to_vec());
    let home = sandbox.host.as_ref().unwrap().home().join(".cache/hfdown");
    let put = std::fs::read_dir(home).unwrap().next().unwrap().unwrap().path();
    let put = std::fs::read(put).unwrap();
    assert_eq!(put[18..20], EM_AARCH64);
    assert!(put == std::fs::read(&agent).unwrap());
    assert!(put.len() <= 5_000_000, "{} bytes", put.len());

    // What is there is read and compared by the same agent, and found right.
    let sent = sandbox.hub.bytes_sent(HubOrigin::Cdn);
    std::fs::remove_file(sandbox.root().join(".cache/hfdown/records")).unwrap();
    let (_, opened) = sync(&sandbox, &agent).await;
    assert_eq!((&opened["arch"], &opened["agent"]), (&"aarch64".into(), &"cached".into()), "{opened}");
    assert_eq!(sandbox.hub.bytes_sent(HubOrigin::Cdn), sent);
}

async fn without_an_agent_for_it_the_box_is_named_with_the_way_out(place: DestinationKind) {
    let Some(sandbox) = Sandbox::start(place, HFDOWN).await else { return };
    sandbox.hub.model(MODEL).file("config.json", "{}").commit();
    // A build that was told to embeds one for ARM as well.
    let embedded = AgentImages::embedded().get(Cpu::Aarch64).is_some();
    for (system, machine, words) in [
        (
            "Linux",
            "aarch64",
            ["is Linux aarch64, and this hfdown carries no agent for it", "HFDOWN_AGENT_AARCH64=FILE"],
        ),
        (
            "Linux",
            "riscv64",
            [
                "is Linux riscv64, and the agent runs only on Linux with",
                "take a box with Linux on such a CPU",
            ],
        ),
    ]
    .into_iter()
    .skip(usize::from(embedded))
    {
        let uname = format!("[ $1 = -s ] && echo {system} || echo {machine}");
        sandbox.host.as_ref().unwrap().put_program("uname", &uname);
        let ended = sandbox.sync(MODEL, &[]).await;
        assert_eq!(ended.code, 1, "{}", ended.stderr);
        for words in words {
            assert!(ended.stderr.contains(words), "{words}: {}", ended.stderr);
        }
        assert_eq!(sandbox.files(), [""; 0]);
    }
}

on_boxes! {
    a_model_arrives_on_a_box_with_another_cpu,
    without_an_agent_for_it_the_box_is_named_with_the_way_out,
}
