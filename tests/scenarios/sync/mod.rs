//! The main job, by the real program: here, on a box behind russh, on a box behind the real `sshd`.

mod basics;
pub(crate) mod detached;
mod interrupted;
mod killed;
mod lost;
mod records;
mod secrets;
mod stopped;
mod traces;
mod visits;

pub(crate) use lost::until_it_says;
