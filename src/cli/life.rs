//! What the commands with an edge share: the signals that end them, how an edge leaves, who puts tables in
//! service.

use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use arc_swap::ArcSwap;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::edge::Bound;
use crate::meter::Meter;
use crate::routes::Table;

/// The signals that end this program.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    /// Listens from now on: a signal that comes early must find somebody.
    pub(super) fn new() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }

    /// Waits for the next one.
    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}

/// Lets the edge leave: it drains; at a further signal it ends at once, and `impatient` is called.
pub(super) async fn leave(signals: &mut Signals, edge: Bound, impatient: impl FnOnce()) {
    let handle = edge.handle();
    handle.drain();
    let mut left = tokio::task::spawn_blocking(move || edge.join());
    tokio::select! {
        _ = &mut left => {}
        () = signals.next() => {
            handle.stop();
            impatient();
            let _ = left.await;
        }
    }
}

/// Puts a table in service.
pub(super) type Publish = Box<dyn FnMut(&Arc<Table>)>;

/// Puts tables in service, and counts that.
pub(super) fn publisher(served: Arc<ArcSwap<Table>>, meter: Arc<Meter>) -> Publish {
    Box::new(move |table| {
        let begun = Instant::now();
        served.store(table.clone());
        meter.swapped(table.generation, begun.elapsed());
    })
}
