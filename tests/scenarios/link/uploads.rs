//! How many bytes the agent costs on the way to a box: compressed where the box unpacks, as it is elsewhere.

use std::fs;

use hfdown::link::{AgentImage, AgentImages, AgentOrigin, Cpu};
use hfdown_tests::proxy::Proxy;
use hfdown_tests::ssh_host::{HostOptions, Programs, SshHost, SshServerKind};

use super::echo::{ECHO, go_with, images, talk};

/// What a login and the commands cost beside the agent, in bytes.
const BESIDE: u64 = 40_000;

/// An agent that echoes, with so much behind its end that it gains by being compressed.
fn large() -> AgentImages {
    images(&format!("{ECHO}{}", "# never read\n".repeat(20_000)))
}

fn image(images: &AgentImages) -> AgentImage {
    images.get(Cpu::X86_64).or(images.get(Cpu::Aarch64)).expect("there is one").clone()
}

/// Uploads it by way of a wire that counts. What was said of it, and what went up the wire.
async fn uploaded(host: &SshHost, images: &AgentImages) -> (u64, u64) {
    let wire = Proxy::to(host.port()).await;
    let mut link = go_with(&host.command_via(wire.port()), &host.settings(), images).await.unwrap();
    talk(&mut link).await;
    let AgentOrigin::Uploaded { bytes, .. } = link.origin else { panic!("{:?}", link.origin) };
    drop(link);
    let folder = host.home().join(".cache/hfdown");
    let left: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, [image(images).file_name().as_str()], "what it was unpacked from is gone");
    assert_eq!(&fs::read(folder.join(&left[0])).unwrap(), image(images).bytes());
    (bytes, wire.bytes_up())
}

async fn an_agent_goes_over_the_link_compressed(kind: SshServerKind) {
    let Some(host) = SshHost::start(kind, HostOptions::default()).await else { return };
    let images = large();
    let (plain, packed) = (image(&images).size() as u64, image(&images).packed().len() as u64);
    let (said, counted) = uploaded(&host, &images).await;
    assert_eq!(said, packed);
    assert!(counted < packed + BESIDE && counted < plain / 2, "{counted} bytes for {packed} of {plain}");
}

async fn without_gzip_it_goes_as_it_is(kind: SshServerKind) {
    const WITHOUT_GZIP: &[&str] = &[
        "cat",
        "chmod",
        "find",
        "head",
        "id",
        "ls",
        "mkdir",
        "mv",
        "rm",
        "rmdir",
        "sha256sum",
        "touch",
        "uname",
        "wc",
    ];
    let options = HostOptions { programs: Programs::Only(WITHOUT_GZIP), ..HostOptions::default() };
    let Some(host) = SshHost::start(kind, options).await else { return };
    let images = large();
    let plain = image(&images).size() as u64;
    let (said, counted) = uploaded(&host, &images).await;
    assert_eq!(said, plain);
    assert!(counted > plain, "{counted} bytes for {plain}");
}

/// One that says nothing, one that fails at the real thing, and one that makes something else of it.
async fn a_gzip_that_fails_costs_a_second_upload_and_no_more(kind: SshServerKind) {
    let images = large();
    let plain = image(&images).size() as u64;
    let first_only = "if [ -e ~/.unpacked ]; then";
    let rest = "; else : >~/.unpacked; printf a; fi";
    for gzip in [
        "exit 0".to_owned(),
        format!("{first_only} exit 1{rest}"),
        format!("{first_only} /usr/bin/head -c 100{rest}"),
        format!("{first_only} echo gzip: write error >&2; cat >/dev/null; exit 1{rest}"),
    ] {
        let Some(host) = SshHost::start(kind, HostOptions::default()).await else { return };
        host.put_program("gzip", &gzip);
        let (said, _) = uploaded(&host, &images).await;
        assert_eq!(said, plain, "{gzip}");
    }
}

/// The agent that this build embeds, if it embeds one.
async fn the_real_agent_costs_half_of_its_size(kind: SshServerKind) {
    let embedded = AgentImages::embedded();
    let Some(image) = embedded.get(Cpu::X86_64).or(embedded.get(Cpu::Aarch64)) else { return };
    let Some(host) = SshHost::start(kind, HostOptions::default()).await else { return };
    let wire = Proxy::to(host.port()).await;
    let link = go_with(&host.command_via(wire.port()), &host.settings(), &embedded).await.unwrap();
    let expected = AgentOrigin::Uploaded { bytes: image.packed().len() as u64, replaces: None };
    assert_eq!(link.origin, expected);
    let (counted, half) = (wire.bytes_up(), image.size() as u64 / 2);
    // Those for users become 48 % of what they are (x86_64), and 56 % (aarch64).
    assert!(counted < half + BESIDE, "{counted} bytes for half of {half}");
}

on_boxes! {
    an_agent_goes_over_the_link_compressed,
    without_gzip_it_goes_as_it_is,
    a_gzip_that_fails_costs_a_second_upload_and_no_more,
    the_real_agent_costs_half_of_its_size,
}
