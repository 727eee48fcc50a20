//! Who is whose child. What a supervisor that was killed leaves behind comes to Synkronic itself, as the nearest
//! that adopts (`PR_SET_CHILD_SUBREAPER`), and is ended: a family without its supervisor would hold its port, and
//! nobody would know. Only Linux has that; elsewhere what such a family leaves lives on.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions};

/// How soon is looked again for what the ended have left in their turn.
const PAUSE: Duration = Duration::from_millis(5);
/// So often; who is not gone by then hangs in the kernel.
const LOOKS: u32 = 400;

/// Takes in, from now on, what descendants leave behind.
pub(super) fn adopt() -> std::io::Result<()> {
    #[cfg(target_os = "linux")]
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    Ok(())
}

/// The children of this process, adopted ones too. Where there is no `/proc`: none.
pub(super) fn children() -> Vec<Pid> {
    let own = rustix::process::getpid();
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| parent_of(*pid) == Some(own.as_raw_nonzero().get())).filter_map(Pid::from_raw).collect()
}

/// The fourth field of `/proc/PID/stat` (proc_pid_stat(5)); the second, the name, may hold anything.
fn parent_of(pid: i32) -> Option<i32> {
    let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    let stat = String::from_utf8_lossy(&stat).into_owned();
    let (_, behind_name) = stat.rsplit_once(')')?;
    behind_name.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// The children of this process that are nobody's orphans: the living supervisors, and who was there before them.
#[derive(Debug, Clone)]
pub(super) struct Supervisors(Arc<Mutex<HashSet<Pid>>>);

impl Supervisors {
    /// None yet; from now on this process adopts.
    pub(super) fn none() -> Self {
        // Where it cannot, what a killed supervisor leaves is somebody else's.
        let _ = adopt();
        Self(Arc::new(Mutex::new(children().into_iter().collect())))
    }

    fn known(&self) -> MutexGuard<'_, HashSet<Pid>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One has begun. To be called before anything else may ask for orphans.
    pub(super) fn begun(&self, pid: Option<Pid>) {
        self.known().extend(pid);
    }

    /// One has ended and is waited for: its number may be another's.
    pub(super) fn ended(&self, pid: Option<Pid>) {
        self.known().retain(|known| Some(*known) != pid);
    }

    /// Ends what was left to this process, and what that leaves.
    pub(super) async fn end_orphans(&self) {
        for _ in 0..LOOKS {
            let orphans = self.orphans();
            if orphans.is_empty() {
                return;
            }
            for orphan in orphans {
                let _ = rustix::process::kill_process(orphan, Signal::KILL);
                let _ = rustix::process::waitpid(Some(orphan), WaitOptions::NOHANG);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn orphans(&self) -> Vec<Pid> {
        let children = children();
        let mut known = self.known();
        // One that nobody waited for has gone some time.
        known.retain(|pid| children.contains(pid));
        children.into_iter().filter(|pid| !known.contains(pid)).collect()
    }
}
