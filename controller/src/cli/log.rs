//! `HFDOWN_LOG=debug`: the words of the conversation with an agent, for developers who look for a defect. Never
//! contents, addresses or tokens.

use tracing::level_filters::LevelFilter;

use crate::output::Output;

/// Begins to log where the environment asks for it.
pub fn begin_log(output: &Output) {
    let level = std::env::var("HFDOWN_LOG").ok().and_then(|level| level.parse::<LevelFilter>().ok());
    if let Some(level) = level {
        tracing_subscriber::fmt().with_max_level(level).with_ansi(false).with_writer(output.log()).init();
    }
}
