//! Where to go, as users paste it: `ssh -p 20544 root@1.2.3.4 -L 8080:localhost:8080`, `ssh://root@box:22`,
//! `root@box:22`.
//!
//! A pasted command is read, never run: no shell sees it, and what can't be honoured is either ignored with a word
//! about it or refused (the table is in [`option_rules`]). What the words mean together with configuration files is in
//! [`super::resolve`].

mod auth_methods;
mod destination;
mod error;
pub(super) mod option_rules;
mod ssh_options;
mod ssh_target;

pub use auth_methods::{AuthMethod, AuthMethods};
pub use error::TargetError;
pub use ssh_target::{
    AddressFamily, BatchMode, IdentitiesOnly, IgnoredOption, SshTarget, StrictHostKeyChecking,
};

pub(super) use destination::{Destination, check_host, check_user, is_ssh};
pub(super) use error::MOST_JUMPS;
pub(super) use ssh_options::{ProxyRoute, SshOptions};
pub(super) use ssh_target::DEFAULT_PORT;
