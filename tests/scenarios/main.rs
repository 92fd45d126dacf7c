//! The scenarios: what users, boxes, servers and disks do, and what hfdown makes of it.
//!
//! `cargo test -p hfdown-tests --test scenarios sync::lost` runs those of one file; a name ends with its place: `here`,
//! `in_process` (a box behind russh, in this process), `sshd` (a box behind the real OpenSSH).

#![expect(clippy::unwrap_used, reason = "a step that fails is a scenario that fails")]

#[macro_use]
mod places;

mod another_cpu;
mod box_cache;
mod cache;
mod cache_verbs;
mod conventions;
mod disks;
mod empty_root;
mod faults;
mod fleet;
mod fleet_floods;
mod fleet_output;
mod fleet_sources;
mod fleet_targets;
mod hostile;
mod hostile_hub;
mod hub_client;
mod hub_is_faithful;
mod installed_program;
mod interceptions;
mod library;
mod limits;
mod link;
mod mirror;
mod olah;
mod other_programs;
mod proxies;
mod recipes;
mod refusals;
mod selection;
mod stranger;
mod sync;
mod terminal;
mod verification;
mod xet;
