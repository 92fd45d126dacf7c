//! The agent on a box: started where it is cached, uploaded where it is not, and swept away where nothing may stay.

mod agent_link;
mod dismissal;
mod greeting;
mod image;
mod install;
mod launch;
mod script;
mod sftp;
mod shell_answer;
mod start;
mod sweep;
mod tmux;
mod traces;

pub use agent_link::{AgentExit, AgentLink, AgentOrigin, BadAgent, LinkGuard};
pub use dismissal::Dismissal;
pub use image::{AgentImage, AgentImages, ImageError};
pub use traces::{Leftovers, TmuxOptOut};

pub(super) use dismissal::dismissal;
pub(super) use start::start_agent;
pub(super) use sweep::{Sweep, sweep_up};
