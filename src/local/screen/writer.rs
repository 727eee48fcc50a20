//! Writes text in a thread of its own: whoever reads it may stop reading, and nobody here waits for him.

use std::io::Write;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use tokio::sync::mpsc;

/// Texts that may wait to be written; each holds many lines.
const QUEUE: usize = 8;
/// How long the last texts may take.
const LAST: Duration = Duration::from_millis(500);

/// A queue of texts and who writes them. Dropped, it lets the last be written, for [`LAST`] at most.
pub(super) struct Writer {
    texts: Option<mpsc::Sender<String>>,
    /// Ends when all is written.
    done: Receiver<()>,
}

impl Writer {
    pub(super) fn new(mut out: impl Write + Send + 'static) -> Self {
        let (texts, mut waiting) = mpsc::channel::<String>(QUEUE);
        let (is_done, done) = sync_channel(0);
        // Without a thread there is nobody who writes, and nobody to tell.
        let _ = std::thread::Builder::new().name("screen".into()).spawn(move || {
            let _is_done = is_done;
            while let Some(text) = waiting.blocking_recv() {
                // Nobody may be listening any more.
                let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
            }
        });
        Self { texts: Some(texts), done }
    }

    /// Waits until there is room for one more. May be dropped and called again.
    pub(super) async fn room(&self) {
        if let Some(texts) = &self.texts {
            let _ = texts.reserve().await;
        }
    }

    /// Has a text written; it is lost where there is no [`Writer::room`].
    pub(super) fn write(&self, text: String) {
        let _ = self.texts.as_ref().map(|texts| texts.try_send(text));
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.texts = None;
        let _ = self.done.recv_timeout(LAST);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// Takes nothing until the gate opens.
    struct Gate(Receiver<()>, Arc<Mutex<String>>);

    impl Write for Gate {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let _ = self.0.recv();
            self.1.lock().unwrap().push_str(&String::from_utf8_lossy(bytes));
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn nobody_waits_for_a_reader_that_does_not_read() {
        let (gate, closed) = sync_channel::<()>(0);
        let read = Arc::new(Mutex::new(String::new()));
        let writer = Writer::new(Gate(closed, read.clone()));
        let mut told = String::new();
        while tokio::time::timeout(Duration::from_millis(200), writer.room()).await.is_ok() {
            writer.write("x".to_owned());
            told.push('x');
        }
        assert!(told.len() >= QUEUE);
        drop(gate);
        writer.room().await;
        drop(writer);
        assert_eq!(*read.lock().unwrap(), told);
    }
}
