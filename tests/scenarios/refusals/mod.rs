//! Bad input, by the real program: each with its exit code, with words that say what to do next, and with nothing
//! written where nothing should be.

mod bookkeeping;
mod folders;
mod foreign;
mod hub;
mod listings;
mod names;
mod pasted;
mod paths;
mod space;
mod ssh;
mod streams;
mod typed;
pub(crate) mod words;

pub(crate) use pasted::shell_words;
