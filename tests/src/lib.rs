//! The world in miniature: a test Hub, SSH hosts, faults, scenarios and the demo.

pub mod cached;
pub mod cas_server;
pub mod counterpart;
pub mod crowd;
pub mod fleet;
pub mod hf;
pub mod hub;
pub mod lacking;
pub mod mount;
pub mod nginx;
pub mod odd_file;
pub mod olah;
pub mod processes;
pub mod proxy;
pub mod sandbox;
pub mod slurm;
pub mod ssh_host;
pub mod system_calls;
pub mod terminal;
pub mod web_proxy;
