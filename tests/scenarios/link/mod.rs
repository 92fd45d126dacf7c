//! From a pasted SSH string to an agent that greets, on both kinds of hosts.
//!
//! The agent is mostly a shell script that greets and then repeats what it is told: what is shown here is the way to
//! it.

mod agents;
mod algorithms;
mod boxes;
mod distrust;
mod echo;
mod hijacked;
mod idle_shells;
mod installed;
mod jumps;
mod key_formats;
mod keys;
mod life;
mod logins;
mod many;
mod no_shells;
mod own_files;
mod servers;
mod shells;
mod trust;
mod uploads;
