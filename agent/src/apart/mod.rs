//! A transfer that outlives its link.
//!
//! The agent that SSH starts lives as long as its channel. Asked for a conversation [apart](hfdown_protocol::Conduct),
//! it starts another one with a session of its own and becomes a [relay](relay::relay) between that one and its
//! standard streams. The other one [holds](hold::hold) the conversation: an ordinary [`serve`](crate::serve) within the
//! process, and one controller at a time, which may leave once it has said `Detach`, and join again through a socket.
//!
//! The socket lies in the private folder that the agent was started from, and is named for the destination. Beside it
//! stands a [record](record::Record) of what the transfer has come to, for whoever asks after the end. Neither holds an
//! address: those are in the memory of the process that uses them, and nowhere else.

mod hold;
mod leave;
mod ledger;
mod place;
mod record;
mod relay;
mod supersede;
mod visitor;

pub(crate) use hold::hold;
pub(crate) use place::own_folder;
pub(crate) use relay::{HOLD, join, start};
pub(crate) use supersede::{Later, supersede};
