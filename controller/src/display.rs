//! Between what happens and what is drawn: a channel, and a thread that draws.
//!
//! A terminal may be frozen and a pipe may be slow; the transfer must not notice. So drawing has a thread of its own,
//! lifecycle events wait in a queue with much room, and samples are dropped when there is none.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::{mpsc, oneshot};

use crate::event::Event;
use crate::output::{Output, Unwritable};

/// Events that may wait to be drawn: every file of a model with thousands, while a terminal is held with Ctrl-S.
const QUEUE: usize = 16 * 1024;

/// For so long events gather where rows of many boxes move: nothing faster is seen.
const FRAME: Duration = Duration::from_millis(50);

/// What the thread that draws is told.
#[derive(Debug)]
enum DisplayMessage {
    /// What happened, in this process or on the box of this name.
    Event(Option<Arc<str>>, Event),
    /// Draw nothing, as long as the other end of `until` is held.
    Pause { begun: oneshot::Sender<()>, until: oneshot::Receiver<Infallible> },
}

/// Where events are sent.
#[derive(Debug, Clone)]
pub struct Events {
    queue: mpsc::Sender<DisplayMessage>,
    name: Option<Arc<str>>,
}

/// The same for a holder that outlives the run: the thread that draws does not wait for it.
#[derive(Debug, Clone)]
pub struct WeakEvents {
    queue: mpsc::WeakSender<DisplayMessage>,
}

/// What is left when everything has been drawn.
#[derive(Debug)]
pub struct Drawn {
    /// Where the rest is told.
    pub output: Output,
    /// Whether data could not be written, though its reader is still there: the first failure.
    pub incomplete: Option<Unwritable>,
}

/// The thread that draws.
#[derive(Debug)]
pub struct Display {
    queue: mpsc::Sender<DisplayMessage>,
    drawing: JoinHandle<Option<Drawn>>,
}

impl Display {
    /// Begins to draw. Gives back where to say it where the system grants no thread for that.
    pub fn begin(output: Output) -> Result<Self, (Output, io::Error)> {
        let (queue, mut events) = mpsc::channel::<DisplayMessage>(QUEUE);
        // The thread is there before it is given what a refusal would take along.
        let (giving, given) = std::sync::mpsc::sync_channel::<Output>(1);
        let drawing = std::thread::Builder::new().spawn(move || {
            let mut output = given.recv().ok()?;
            let mut incomplete = None;
            while let Some(message) = next(&mut events, &mut output) {
                let (name, event) = match message {
                    DisplayMessage::Event(name, event) => (name, event),
                    DisplayMessage::Pause { begun, until } => {
                        output.step_aside();
                        // Both ends may be gone already; then there is nothing to wait for.
                        let _ = begun.send(());
                        let _ = until.blocking_recv();
                        continue;
                    }
                };
                match output.event(name.as_deref(), &event) {
                    // Without a reader the transfer goes on unseen: its exit code still tells the truth.
                    Ok(()) | Err(Unwritable::Closed) => {}
                    Err(error) => drop(incomplete.get_or_insert(error)),
                }
            }
            Some(Drawn { output, incomplete })
        });
        match drawing {
            Ok(drawing) => {
                // There is room for one.
                let _ = giving.send(output);
                Ok(Self { queue, drawing })
            }
            Err(error) => Err((output, error)),
        }
    }

    /// Draws nothing, but tells a function what happens, and on which box.
    pub fn telling(mut told: impl FnMut(Option<&str>, &Event) + Send + 'static) -> io::Result<Self> {
        let (queue, mut events) = mpsc::channel::<DisplayMessage>(QUEUE);
        let drawing = std::thread::Builder::new().spawn(move || {
            while let Some(message) = events.blocking_recv() {
                match message {
                    DisplayMessage::Event(name, event) => told(name.as_deref(), &event),
                    DisplayMessage::Pause { begun, until } => {
                        // Both ends may be gone already; then there is nothing to wait for.
                        let _ = begun.send(());
                        let _ = until.blocking_recv();
                    }
                }
            }
            None
        })?;
        Ok(Self { queue, drawing })
    }

    /// Where the events of a run in this process, or on the box of this name, are sent.
    pub fn events(&self, name: Option<&str>) -> Events {
        Events { queue: self.queue.clone(), name: name.map(Arc::from) }
    }

    /// What outlives the run.
    pub fn weak_events(&self) -> WeakEvents {
        WeakEvents { queue: self.queue.downgrade() }
    }

    /// Draws what is still waiting and hands back what is left. Every [`Events`] must be gone. None if drawing
    /// panicked.
    pub fn end(self) -> Option<Drawn> {
        drop(self.queue);
        self.drawing.join().ok().flatten()
    }
}

/// The next message. What moves is not left as it was a moment before the last one: boxes may have nothing to say for long.
fn next(events: &mut mpsc::Receiver<DisplayMessage>, output: &mut Output) -> Option<DisplayMessage> {
    loop {
        match events.try_recv() {
            Ok(message) => return Some(message),
            Err(TryRecvError::Disconnected) => return None,
            Err(TryRecvError::Empty) if output.is_behind() => {
                std::thread::sleep(FRAME);
                output.catch_up();
            }
            Err(TryRecvError::Empty) => return events.blocking_recv(),
        }
    }
}

/// A time in which nothing is drawn.
#[derive(Debug)]
pub struct Pause {
    _hold: oneshot::Sender<Infallible>,
}

impl Events {
    /// Says something that must not be lost.
    pub async fn send(&self, event: Event) {
        // The thread ends only when all senders have.
        let _ = self.queue.send(DisplayMessage::Event(self.name.clone(), event)).await;
    }

    /// Has everything drawn that was said so far, and nothing more until what is returned is dropped: the terminal
    /// belongs to the holder of that. Events wait in the queue meanwhile.
    pub async fn pause(&self) -> Pause {
        let ((begun, beginning), (hold, until)) = (oneshot::channel(), oneshot::channel());
        // Without a thread that draws, nothing is drawn.
        let _ = self.queue.send(DisplayMessage::Pause { begun, until }).await;
        let _ = beginning.await;
        Pause { _hold: hold }
    }

    /// Says something where waiting is impossible; what does not fit is lost.
    pub fn sample(&self, event: Event) {
        let _ = self.queue.try_send(DisplayMessage::Event(self.name.clone(), event));
    }
}

impl WeakEvents {
    /// [`Events::pause`], if anything is drawn at all any more.
    pub async fn pause(&self) -> Option<Pause> {
        let events = Events { queue: self.queue.upgrade()?, name: None };
        Some(events.pause().await)
    }
}
