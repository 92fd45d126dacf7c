//! The conversation with one agent from the controller's side.
//!
//! [`connect`] finds the agent, here or on a box, and gives it the folder; [`Session::survey`] asks what is there;
//! [`Session::execute`] has a plan carried out and turns what the agent reports into events; an
//! [`Execution::Detached`] is left once it has begun, and [`join()`] comes back to it, and [`inquire()`]
//! asks how far it is. Whatever an agent says is
//! checked against what it was asked: an id that was not handed out, a second final report for one file, or progress
//! past a file's end ends the conversation.

mod answer_ways;
mod answers;
mod carryover;
mod connect;
mod delta_sources;
mod detach;
mod error;
mod execute;
mod hub_words;
mod inquire;
mod join;
mod lull;
mod monitor;
mod prompt;
mod prompter;
mod public_files;
mod rate_meter;
mod recall;
mod relay;
mod repetition;
#[expect(clippy::module_inception, reason = "the room is called what it is about")]
mod session;
mod shared_answers;
mod source_findings;
mod sources;
mod startup;
mod survey;
mod twins;
mod xet_in_advance;
mod xet_sources;

pub use carryover::Carryover;
pub use connect::{ConnectAttempt, FolderRequest, Machine, Timeouts, connect, left_running};
pub use detach::DetachOptions;
pub use error::SessionError;
pub use execute::{Execution, Listened};
pub use inquire::inquire;
pub use join::{Joined, Purpose, join};
pub(crate) use prompt::on_terminal as ask_on_terminal;
pub use public_files::PublicFiles;
pub use recall::FolderRecord;
pub use session::Session;
pub use shared_answers::SharedAnswers;
pub use source_findings::SelfServed;
pub use sources::{Relaying, Sources};
pub use xet_sources::XetSources;
