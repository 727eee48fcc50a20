//! What the commands with an edge share: the signals that end them, how an edge leaves, who puts tables in
//! service.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use arc_swap::ArcSwap;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;
use tokio::time::sleep;

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

/// How often to look whether anybody still holds a table that was replaced: workers let go within a sweep.
const LOOK: Duration = Duration::from_millis(250);

/// Puts tables in service, and counts that; a table that was replaced is freed on the caller's runtime.
pub(super) fn publisher(served: Arc<ArcSwap<Table>>, meter: Arc<Meter>) -> Publish {
    let mut replaced = JoinSet::new();
    Box::new(move |table| {
        let begun = Instant::now();
        let old = served.swap(table.clone());
        meter.swapped(table.generation, begun.elapsed());
        while replaced.try_join_next().is_some() {}
        replaced.spawn(outlive(old));
    })
}

/// Keeps a table until nobody else does. Else the last worker to let go would free it, with requests waiting: of
/// thousands of versions that takes milliseconds.
async fn outlive(table: Arc<Table>) {
    while Arc::strong_count(&table) > 1 {
        sleep(LOOK).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_replaced_table_is_freed_here_once_nobody_holds_it() {
        let first = Arc::new(Table::default());
        let freed = Arc::downgrade(&first);
        let served = Arc::new(ArcSwap::new(first));
        let mut publish = publisher(Arc::clone(&served), Arc::new(Meter::new().unwrap()));
        let worker = served.load_full();
        publish(&Arc::default());
        drop(worker);
        assert_eq!(freed.strong_count(), 1, "a worker that lets go frees nothing");
        while freed.strong_count() > 0 {
            sleep(LOOK).await;
        }
    }
}
