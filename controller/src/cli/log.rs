//! `HFDOWN_LOG=debug`: the words of the conversation with an agent, for developers who look for a defect. Never
//! contents, addresses or tokens.

use tracing::level_filters::LevelFilter;

use crate::output::{Output, OutputEnvironment};

/// Begins to log where the environment asks for it.
pub fn begin_log(output: &Output, environment: &OutputEnvironment) {
    let level = environment.log.as_ref().and_then(|level| level.parse::<LevelFilter>().ok());
    if let Some(level) = level {
        tracing_subscriber::fmt().with_max_level(level).with_ansi(false).with_writer(output.log()).init();
    }
}
