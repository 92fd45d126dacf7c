//! A selection of a model's files, brought up to date in a folder here, with progress of one's own:
//!
//! ```text
//! cargo run --example sync_selection -- openai-community/gpt2 ./gpt2 '*.json'
//! ```

#![expect(clippy::print_stdout, reason = "this program has its own way to show things")]

use std::process::ExitCode;

use hfdown::event::Event;
use hfdown::{Arguments, CancellationToken};

#[tokio::main]
async fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [model, folder, pattern] = &words[..] else {
        println!("usage: sync_selection MODEL DIR PATTERN");
        return ExitCode::from(2);
    };
    // As they would be typed; what makes no sense is an error here already.
    let typed = ["hfdown", "rsync-sync", model, folder, "--include", pattern];
    let arguments = match Arguments::read(typed.map(Into::into)) {
        Ok(arguments) => arguments,
        Err(error) => {
            println!("{error}");
            return ExitCode::from(2);
        }
    };
    let cancel = CancellationToken::new();
    match hfdown::run(&arguments, &cancel, |_, event| show(event)).await {
        Ok(exit) => exit.into(),
        Err(problem) => {
            println!("{}: {}", problem.attempted, problem.causes.join(": "));
            problem.exit.into()
        }
    }
}

fn show(event: &Event) {
    match event {
        Event::Progress(progress) => println!("{} of {} bytes", progress.done, progress.total),
        Event::Finished(tally) => println!("{} files fetched", tally.placed),
        _ => {}
    }
}
