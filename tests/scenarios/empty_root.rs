//! The agent that boxes get, in a place that has nothing: no environment, no libraries, no `/etc`, no `/dev`.

use std::path::Path;
use std::process::Stdio;

use futures_util::{SinkExt, StreamExt};
use hfdown::link::{AgentImages, Cpu};
use hfdown_protocol::{
    Access, Address, Check, Digest, FileId, Job, Layout, Limits, Mode, Nonce, Order, RepoPath, Report,
    Source, Traces, VERSION, Wanted, await_greeting, inbox, outbox,
};
use hfdown_tests::counterpart;
use hfdown_tests::hub::{Content, TestHub};
use tokio::process::{Child, Command};

/// An empty root with the agent in it.
fn empty_root() -> tempfile::TempDir {
    let root = tempfile::TempDir::new().unwrap();
    let images = AgentImages::embedded();
    let image = images.get(Cpu::X86_64).expect("the agent is embedded");
    let path = root.path().join("agent");
    std::fs::write(&path, image.bytes()).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    root
}

fn start(root: &Path, arguments: &[&str]) -> Child {
    let mut command = Command::new("chroot");
    command.arg(root).arg("/agent").args(arguments).env_clear().kill_on_drop(true);
    command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("chroot starts")
}

#[tokio::test]
async fn the_agent_is_static_and_small() {
    let root = empty_root();
    let size = std::fs::metadata(root.path().join("agent")).unwrap().len();
    // The quick profile of debug builds is larger; what is released is measured in the release build.
    if !cfg!(debug_assertions) {
        assert!(size <= 5_000_000, "{size} bytes");
    }
    let header = std::fs::read(root.path().join("agent")).unwrap();
    assert!(header.starts_with(b"\x7fELF"));
    let interpreter = b"/lib64/ld-linux";
    assert!(!header.windows(interpreter.len()).any(|window| window == interpreter), "it needs no loader");
}

#[tokio::test]
async fn it_downloads_in_an_empty_root_without_an_environment() {
    if !counterpart::require_root() {
        return;
    }
    let hub = TestHub::start();
    let content = Content::random(5, 3_000_000);
    let commit = hub.model("acme/tiny").lfs("model.safetensors", content.clone()).commit();
    // The Hub redirects to `localhost`: a name to be resolved where there is no `/etc/hosts` and no `/etc/resolv.conf`.
    let address = format!("{}/acme/tiny/resolve/{commit}/model.safetensors", hub.endpoint());

    let root = empty_root();
    let nonce = Nonce(42);
    let mut agent = start(root.path(), &["serve", &nonce.to_string(), &Nonce(8).to_string()]);
    let (stdin, mut stdout) = (agent.stdin.take().unwrap(), agent.stdout.take().unwrap());
    let already_read = await_greeting(&mut stdout, nonce, std::time::Duration::from_secs(20)).await.unwrap();
    let mut orders = outbox::<_, Order>(stdin);
    let mut reports = inbox::<_, Report>(stdout, &already_read);

    let path = RepoPath::new("sub/model.safetensors").unwrap();
    let digest = Digest::sha256(&content.sha256()).unwrap();
    let wanted = Wanted { id: FileId(0), path, size: 3_000_000, digest };
    let source = Source::Public(Address::new(&address).unwrap());
    for order in [
        Order::Hello { version: VERSION.to_owned(), mode: Mode::Attached },
        Order::Open {
            root: Some("/models".to_owned()),
            access: Access::ReadWrite,
            layout: Layout::LocalDir { commit },
            traces: Traces::Keep,
            limits: Limits::default(),
        },
        Order::List { files: vec![wanted] },
        Order::Survey { check: Check::Records },
    ] {
        orders.send(order).await.unwrap();
    }
    let mut placed = 0;
    while let Some(report) = reports.next().await {
        match report.expect("frames make sense") {
            Report::Surveyed { .. } => {
                let jobs = vec![Job { file: FileId(0), replaces: None, source: source.clone(), xet: None }];
                orders.send(Order::Fetch { jobs }).await.unwrap();
                orders.send(Order::Begin).await.unwrap();
            }
            Report::Placed { .. } => placed += 1,
            Report::Finished { .. } => orders.send(Order::Bye).await.unwrap(),
            report @ (Report::Fatal { .. } | Report::Failed { .. }) => panic!("{report:?}"),
            _ => {}
        }
    }
    assert_eq!(placed, 1);
    assert!(agent.wait().await.unwrap().success());
    assert_eq!(std::fs::read(root.path().join("models/sub/model.safetensors")).unwrap(), content.to_vec());
}

#[tokio::test]
async fn it_tells_people_that_it_is_not_for_them() {
    let output = Command::new(env!("CARGO_BIN_EXE_hfdown-agent-tested")).output().await.unwrap();
    assert_eq!(output.status.code(), Some(64));
    assert!(String::from_utf8_lossy(&output.stderr).contains("usage: hfdown-agent serve NONCE"));
}
