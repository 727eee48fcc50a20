//! The life of the edge in four stages, and who tells it to go on.
//!
//! Serving; leaving (still accepting, so that whoever sends here can learn of it); closing (every answer is
//! the last on its connection, the listeners close once nobody waits, idle connections end); over. It says
//! when, and closes nothing itself.

use std::sync::Arc;

use tokio::sync::watch;

/// Where in its life the edge is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// Until told to leave.
    Serving,
    /// Told to leave: the drain delay runs.
    Leaving,
    /// Answers close their connections; the drain timeout runs.
    Closing,
    /// Everything ends now.
    Over,
}

/// Waits until the edge is at a stage, or beyond.
pub(crate) async fn reached(stage: &mut watch::Receiver<Stage>, wanted: Stage) {
    // Without a handle nobody can tell any more: as good as over. The guard goes before anybody waits again.
    drop(stage.wait_for(|stage| *stage >= wanted).await);
}

/// Tells the edge to leave; may be cloned and sent anywhere.
#[derive(Debug, Clone)]
pub struct Handle {
    stage: Arc<watch::Sender<Stage>>,
}

impl Handle {
    pub(crate) fn new() -> Self {
        Self { stage: Arc::new(watch::Sender::new(Stage::Serving)) }
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<Stage> {
        self.stage.subscribe()
    }

    /// Goes on to a stage; never back.
    pub(crate) fn advance(&self, to: Stage) {
        self.stage.send_if_modified(|stage| {
            let further = *stage < to;
            if further {
                *stage = to;
            }
            further
        });
    }

    /// Begins to leave: the drain delay, then the drain timeout, then the end. Returns at once;
    /// [`super::Bound::join`] waits for the end.
    pub fn drain(&self) {
        self.advance(Stage::Leaving);
    }

    /// Ends everything now, requests in flight included.
    pub fn stop(&self) {
        self.advance(Stage::Over);
    }

    /// Whether the edge has been told to leave: it is not ready any more.
    #[must_use]
    pub fn is_leaving(&self) -> bool {
        *self.stage.borrow() != Stage::Serving
    }
}
