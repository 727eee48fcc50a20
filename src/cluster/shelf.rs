//! The snapshot's file: read once at the start, written now and then while the process serves.
//!
//! It is replaced as a whole (a file beside it, made durable, then renamed), so that a crash leaves the old one
//! or the new one. It is written on a thread of its own, at most every few seconds, and only where the table
//! differs from the one it holds. What is in it is `inventory::snapshot`'s matter.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::task::JoinHandle;

use crate::inventory::Inventory;
use crate::inventory::snapshot::{Snapshot, decode, encode};

/// The time between two writes at least: pods come and go by the second, and a disk need not.
const PAUSE: Duration = Duration::from_secs(5);
/// A file larger than this is none of ours: ten thousand versions take some ten megabytes.
const LARGEST: u64 = 1 << 30;

/// The file of a snapshot, and how far it is behind.
#[derive(Debug)]
pub struct Shelf {
    path: PathBuf,
    /// The generation of the table that it holds; none before the first write.
    held: Option<u64>,
    /// The generation of the table in service, where that is another.
    wanted: Option<u64>,
    /// Not before this.
    next: Instant,
    writing: Option<JoinHandle<io::Result<()>>>,
    /// Whether the last write failed: that is said once.
    failing: bool,
}

impl Shelf {
    /// A shelf on which nothing has been put.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path, held: None, wanted: None, next: Instant::now(), writing: None, failing: false }
    }

    /// What is there. A file that is missing, or cannot be used, is no reason not to start: it is said, and that
    /// is all.
    #[must_use]
    pub fn take(&self) -> Option<Snapshot> {
        let path = self.path.display();
        match read(&self.path) {
            Ok(Some(snapshot)) => {
                tracing::info!(%path, written = %snapshot.written, objects = snapshot.edits.len(),
                    "serving what was last known, until the API server's lists are complete");
                Some(snapshot)
            }
            Ok(None) => {
                tracing::info!(%path, "there is no snapshot yet");
                None
            }
            Err(why) => {
                tracing::warn!(%path, "the snapshot is not used: {why}; it will be written anew");
                None
            }
        }
    }

    /// The table in service is of this generation.
    pub fn serves(&mut self, generation: u64) {
        self.wanted = Some(generation).filter(|generation| self.held != Some(*generation));
    }

    /// Waits until it is time to write; for ever where there is nothing to. Cancel-safe.
    pub async fn due(&mut self) {
        if let Some(writing) = &mut self.writing {
            let written = writing.await.unwrap_or_else(|error| Err(io::Error::other(error)));
            self.writing = None;
            self.judge(written);
        }
        match self.wanted {
            Some(_) => tokio::time::sleep_until(self.next.into()).await,
            None => std::future::pending().await,
        }
    }

    /// Writes on a thread of its own.
    pub fn write(&mut self, inventory: &Inventory) {
        let Some(generation) = self.wanted.take() else { return };
        self.held = Some(generation);
        self.next = Instant::now() + PAUSE;
        let (path, bytes) = (self.path.clone(), encode(inventory, Timestamp::now()));
        self.writing = Some(tokio::task::spawn_blocking(move || replace(&path, &bytes)));
    }

    /// Writes what is still to be written, and waits for it: the process ends.
    pub async fn close(&mut self, inventory: &Inventory) {
        if let Some(writing) = self.writing.take() {
            let written = writing.await.unwrap_or_else(|error| Err(io::Error::other(error)));
            self.judge(written);
        }
        if self.wanted.take().is_some() {
            let written = replace(&self.path, &encode(inventory, Timestamp::now()));
            self.judge(written);
        }
    }

    fn judge(&mut self, written: io::Result<()>) {
        let path = self.path.display();
        match written {
            Ok(()) if self.failing => tracing::info!(%path, "the snapshot is written again"),
            Ok(()) => {}
            Err(error) => {
                if !self.failing {
                    tracing::warn!(%path, %error, "the snapshot cannot be written; it is tried again");
                }
                // Again with the next table, or as soon as the pause is over.
                self.wanted = self.wanted.or(self.held);
                self.held = None;
                self.failing = true;
                return;
            }
        }
        self.failing = false;
    }
}

fn read(path: &Path) -> Result<Option<Snapshot>, String> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    let mut bytes = Vec::new();
    // One more than may be, so that a larger file is told from one that just fits.
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() as u64 > LARGEST {
        return Err("it is larger than 1 GiB".to_owned());
    }
    decode(&bytes).map(Some).map_err(|error| error.to_string())
}

/// Replaces the file as a whole: whoever looks, whenever the machine stops, finds the old one or the new one.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut name = path.file_name().unwrap_or_default().to_owned();
    // Two processes on one file would be a mistake; half a file of each would be worse.
    name.push(format!(".{}.new", std::process::id()));
    let beside = folder.join(name);
    let written = File::create(&beside)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::rename(&beside, path));
    if written.is_err() {
        let _ = std::fs::remove_file(&beside);
        return written;
    }
    // So that the name, too, outlives the machine; not every file system has folders that can be synchronised.
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_and_one_that_is_no_snapshot_are_no_reason_to_stop() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("snapshot");
        assert!(read(&path).unwrap().is_none());
        for foreign in ["", "hello", "{}", "{\"synkronic\":\"snapshot\"}", "kind: Router\n"] {
            std::fs::write(&path, foreign).unwrap();
            assert_eq!(read(&path).unwrap_err(), "it is no snapshot of Synkronic", "{foreign}");
            assert!(Shelf::new(path.clone()).take().is_none());
        }
        assert!(read(folder.path()).is_err(), "a folder is no file");
        replace(&path, &encode(&Inventory::default(), Timestamp::UNIX_EPOCH)).unwrap();
        assert_eq!(read(&path).unwrap().unwrap().written, Timestamp::UNIX_EPOCH);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[tokio::test]
    async fn it_is_written_once_a_table_and_again_where_that_failed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("there/snapshot");
        let inventory = Inventory::default();
        let mut shelf = Shelf::new(path.clone());
        shelf.serves(1);
        shelf.due().await;
        shelf.write(&inventory);
        // The folder is not there: it is told, and stays wanted.
        assert!(futures_util::future::poll_immediate(shelf.due()).await.is_none());
        while shelf.writing.is_some() {
            let _ = futures_util::future::poll_immediate(shelf.due()).await;
            tokio::task::yield_now().await;
        }
        assert_eq!((shelf.wanted, shelf.failing), (Some(1), true));
        std::fs::create_dir(path.parent().unwrap()).unwrap();
        shelf.close(&inventory).await;
        assert!(path.exists() && !shelf.failing);
        std::fs::remove_file(&path).unwrap();
        shelf.held = Some(1);
        shelf.serves(1);
        shelf.close(&inventory).await;
        assert!(!path.exists(), "the same table is not written twice");
    }
}
