//! The hub cache of `huggingface_hub`, as both halves know it: where it is.

mod location;
#[cfg(target_os = "linux")]
mod login_shell;

pub use location::CacheVariables;
#[cfg(target_os = "linux")]
pub use login_shell::hub_cache_of_login;

/// The hub cache of this agent's user: boxes run Linux, where a login shell is asked.
#[cfg(not(target_os = "linux"))]
pub fn hub_cache_of_login() -> Result<std::path::PathBuf, hfdown_protocol::Failure> {
    let variable = |name: &str| std::env::var(name).ok();
    CacheVariables { variable: &variable, home: "HOME" }.hub_cache().ok_or_else(|| {
        let kind = hfdown_protocol::FailureKind::NoCache;
        hfdown_protocol::Failure::new(kind, "no variable tells where it is")
    })
}
