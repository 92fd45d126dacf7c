//! The user before the screen, who knows passphrases, passwords and codes.

use std::pin::Pin;

use super::prompt;
use crate::display::Events;
use crate::link::{Askpass, Echo, UserAnswer, UserPrompt};

/// Asks on the terminal, or by the program that is set for that.
pub(super) struct Prompter {
    askpass: Option<Askpass>,
    events: Events,
}

impl Prompter {
    pub(super) fn new(askpass: Option<Askpass>, events: Events) -> Self {
        Self { askpass, events }
    }

    async fn on_terminal(&self, prompt: &str, echo: Echo) -> UserAnswer {
        // What moves on the screen would overwrite the question.
        let _pause = self.events.pause().await;
        prompt::on_terminal(prompt.to_owned(), echo).await
    }
}

impl UserPrompt for Prompter {
    fn ask(&self, prompt: String, echo: Echo) -> Pin<Box<dyn Future<Output = UserAnswer> + Send + '_>> {
        Box::pin(async move {
            match &self.askpass {
                Some(askpass) if askpass.comes_first => prompt::by_program(&askpass.program, &prompt).await,
                Some(askpass) => match self.on_terminal(&prompt, echo).await {
                    UserAnswer::NoPrompt => prompt::by_program(&askpass.program, &prompt).await,
                    asked => asked,
                },
                None => self.on_terminal(&prompt, echo).await,
            }
        })
    }
}
