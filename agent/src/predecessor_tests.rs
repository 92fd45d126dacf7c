use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, Stdio};

use super::*;

/// A process with these words at the end of its command line, which waits for the end of its input.
fn waiting(words: [&str; 4]) -> Child {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "read line; exit"]).args(words).stdin(Stdio::piped()).spawn().expect("sh starts")
}

fn send(child: &Child, signal: &str) {
    let status = Command::new("kill").args([signal, &child.id().to_string()]).status().expect("kill runs");
    assert!(status.success());
}

#[tokio::test]
async fn agents_of_the_same_run_are_ended_also_stopped_ones_and_no_others() {
    let identity = AgentIdentity { nonce: Nonce(rand::random()), run: Nonce(rand::random()) };
    let (nonce, run) = (identity.nonce.to_string(), identity.run.to_string());
    let earlier = Nonce(rand::random()).to_string();
    let agent = "/home/.cache/hfdown/agent-0";
    let mut ours = [waiting([agent, "serve", &earlier, &run]), waiting([agent, "host", &earlier, &run])];
    let longer = format!("{run}0");
    let mut others = [
        ("its own relay", waiting([agent, "serve", &nonce, &run])),
        ("another run's", waiting([agent, "serve", &earlier, &earlier])),
        ("a word that is longer", waiting([agent, "serve", &earlier, &longer])),
        ("another program", waiting(["/usr/bin/less", "serve", &earlier, &run])),
        ("another verb", waiting([agent, "end", &earlier, &run])),
    ];
    send(&ours[0], "-STOP");
    // Until it has stopped, another signal would come first.
    let stat = format!("/proc/{}/stat", ours[0].id());
    while !std::fs::read_to_string(&stat).unwrap().contains(") T ") {
        std::thread::yield_now();
    }
    // It is waited for, so that it is gone when it has ended.
    let reaped = std::thread::spawn(move || ours.each_mut().map(|child| child.wait().unwrap().signal()));
    assert_eq!(identity.end_predecessors().await, []);
    assert_eq!(reaped.join().unwrap(), [Some(9), Some(15)]);
    for (what, child) in &mut others {
        assert!(child.try_wait().unwrap().is_none(), "{what} was ended");
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

#[tokio::test]
async fn another_users_process_is_left_alone() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let identity = AgentIdentity { nonce: Nonce(rand::random()), run: Nonce(rand::random()) };
    let words = ["/tmp/agent-0", "serve", &Nonce(1).to_string(), &identity.run.to_string()];
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "read line; exit"]).args(words).stdin(Stdio::piped()).uid(65534);
    let mut child = command.spawn().unwrap();
    assert_eq!(identity.end_predecessors().await, []);
    assert!(child.try_wait().unwrap().is_none());
    child.kill().unwrap();
    child.wait().unwrap();
}
