//! A pause that a test begins by waiting for it and ends by saying so. No clock is involved.

use std::sync::Arc;

use tokio::sync::watch;

/// A handle on answers that stop in the middle. Clones are the same handle.
#[derive(Clone, Debug)]
pub struct StallHandle(Arc<StallState>);

#[derive(Debug)]
struct StallState {
    after: u64,
    reached: watch::Sender<usize>,
    released: watch::Sender<bool>,
}

impl StallHandle {
    /// A stall after that many bytes of body have reached the socket; with none, only the head has.
    pub fn after(bytes: u64) -> Self {
        let (reached, released) = (watch::Sender::new(0), watch::Sender::new(false));
        Self(Arc::new(StallState { after: bytes, reached, released }))
    }

    /// Waits until an answer stands still.
    pub async fn reached(&self) {
        self.reached_by(1).await;
    }

    /// Waits until that many answers have come to stand still.
    pub async fn reached_by(&self, answers: usize) {
        let mut reached = self.0.reached.subscribe();
        // The sender lives in this very handle, so it is never gone.
        let _ = reached.wait_for(|count| *count >= answers).await;
    }

    /// Lets all of them go on, and those still to come.
    pub fn release(&self) {
        self.0.released.send_replace(true);
    }

    pub(super) fn bytes(&self) -> u64 {
        self.0.after
    }

    pub(super) async fn hold(&self) {
        self.0.reached.send_modify(|count| *count += 1);
        let mut released = self.0.released.subscribe();
        let _ = released.wait_for(|released| *released).await;
    }
}
