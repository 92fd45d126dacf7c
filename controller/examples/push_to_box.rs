//! A model, pushed to a box over SSH by a program of one's own, which gives it so many seconds:
//!
//! ```text
//! cargo run --example push_to_box -- openai-community/gpt2 'ssh -p 20544 root@142.214.185.187' /workspace/gpt2 600
//! ```

#![expect(clippy::print_stdout, reason = "this program has its own way to show things")]

use std::process::ExitCode;
use std::time::Duration;

use hfdown::event::Event;
use hfdown::{Arguments, CancellationToken};

#[tokio::main]
async fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [model, ssh, folder, seconds] = &words[..] else {
        println!("usage: push_to_box MODEL SSH DIR SECONDS");
        return ExitCode::from(2);
    };
    let longest = Duration::from_secs(seconds.parse().unwrap_or(600));
    let arguments = match Arguments::read(["hfdown", "push", model, ssh, folder].map(Into::into)) {
        Ok(arguments) => arguments,
        Err(error) => {
            println!("{error}");
            return ExitCode::from(2);
        }
    };
    let cancel = CancellationToken::new();
    let mut pushing = std::pin::pin!(hfdown::run(&arguments, &cancel, show));
    let ended = tokio::select! {
        ended = &mut pushing => ended,
        () = tokio::time::sleep(longest) => {
            // It comes to an end by itself, and the next push goes on from there.
            cancel.cancel();
            pushing.await
        }
    };
    match ended {
        Ok(exit) => exit.into(),
        Err(problem) => {
            println!("{}: {}", problem.attempted, problem.causes.join(": "));
            if let Some(hint) = &problem.hint {
                println!("hint: {hint}");
            }
            problem.exit.into()
        }
    }
}

fn show(name: Option<&str>, event: &Event) {
    let name = name.unwrap_or("here");
    match event {
        Event::Opened { root, .. } => println!("{name}: an agent has {root}"),
        Event::Finished(tally) => println!("{name}: {} files fetched", tally.placed),
        _ => {}
    }
}
