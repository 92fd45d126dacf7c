//! The voice of hfdown: everything that touches the Hub's API, the user, and SSH.
//!
//! The controller never downloads; it talks to an agent that is here or there. [`main`] is the program: it reads what was
//! typed, and every transfer takes the path of [`commands`]: list, select, connect, survey, plan, execute.
//!
//! # As a library
//!
//! [`run`] carries out what could be typed, and tells a function what happens ([`event::Event`]): nothing below it prints or ends
//! the process. This brings the JSON files of a model into a folder, and says how far that is:
//!
//! ```no_run
//! # async fn sync() -> Result<(), Box<dyn std::error::Error>> {
//! use hfdown::event::Event;
//! use hfdown::{Arguments, CancellationToken};
//!
//! let typed = ["hfdown", "rsync-sync", "openai-community/gpt2", "./gpt2", "--include", "*.json"];
//! let arguments = Arguments::read(typed.map(Into::into))?;
//! let cancel = CancellationToken::new();
//! let told = |_: Option<&str>, event: &Event| {
//!     if let Event::Progress(progress) = event {
//!         eprintln!("{} of {} bytes", progress.done, progress.total);
//!     }
//! };
//! match hfdown::run(&arguments, &cancel, told).await {
//!     Ok(exit) => println!("it ends like the program with exit code {}", exit.code()),
//!     Err(problem) => println!("{}: {}", problem.attempted, problem.causes.join(": ")),
//! }
//! # Ok(()) }
//! ```
//!
//! `controller/examples/` has it as a program, and a push to a box. [`Arguments`], [`run`], [`event`] and [`problem`] are what such a
//! program needs; the other modules are public for the tests of this workspace.

mod board;
pub mod cache;
pub mod cli;
pub mod commands;
pub mod detached_records;
pub mod display;
pub mod event;
pub mod failure;
pub mod fleet;
pub mod hub;
mod interrupt;
mod library;
pub mod link;
pub mod output;
mod own_files;
pub mod plan;
pub mod problem;
mod report;
pub mod routes;
pub mod selection;
pub mod session;
mod system;
pub mod tally;
mod text;
pub mod verification;

pub use cli::Arguments;
pub use commands::main;
pub use library::run;
pub use tokio_util::sync::CancellationToken;
