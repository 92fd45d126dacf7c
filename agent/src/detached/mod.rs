//! A transfer that outlives its link.
//!
//! The agent that SSH starts lives as long as its channel. Asked for a [detached](hfdown_protocol::Mode)
//! conversation, it starts another one with a session of its own and becomes a [relay](relay::relay) between that one
//! and its standard streams. The other one [hosts](host::host) the conversation: an ordinary [`serve`](crate::serve) within the
//! process, and one client at a time: a controller that may leave once it has ordered `Detach`, and join again through
//! a socket.
//!
//! The socket lies in the private folder that the agent was started from, and is named for the destination. Beside it
//! stands a [record](transfer_record::TransferRecord) of what the transfer has come to, for clients that ask after the
//! end. Neither holds an address: those are in the memory of the process that uses them, and nowhere else.

mod client;
mod control_files;
mod host;
mod idle_timeout;
mod newcomers;
mod relay;
mod source_requests;
mod supersede;
mod transfer_record;
mod transfer_state;

pub(crate) use control_files::own_folder;
pub(crate) use host::host;
pub(crate) use relay::{HOST, join, start};
pub(crate) use supersede::{NextRun, supersede};
