//! An SSH connection that is logged in: over TCP or through jump hosts, to a host whose key is trusted.

mod cancellable_stream;
mod client_connection;
mod command_echo;
mod dial;
mod gateways;
mod handshake;
mod identification;
mod identity;
mod login;
mod public_key;
mod questions;
mod remote_command;
mod reply_clock;
mod transport;

pub use remote_command::{ChannelReader, ChannelWriter};

pub(super) use client_connection::{ChannelRequest, ClientConnection};
pub(super) use gateways::Gateways;
pub(super) use remote_command::{CommandStatus, RemoteCommand};
