//! The process between Synkronic and a pod's process, so that nothing outlives either: what runs as
//! `synkronic local-pod`.
//!
//! Its standard input is a pipe that Synkronic holds open. An order through it ends the pod, as a signal to end
//! does; its end, which the kernel brings about however Synkronic dies, ends the pod too. On Linux it adopts what its
//! descendants leave behind (`PR_SET_CHILD_SUBREAPER`), so that a grandchild in a session of its own is
//! found as well, and the pod's process dies with it (`PR_SET_PDEATHSIG`, which outlives `exec`: hence the
//! second stage). Elsewhere it ends the pod's process group.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, WaitOptions};
use tokio::signal::unix::{SignalKind, signal};

use super::family::{adopt, children};

/// The order to end: SIGTERM, and SIGKILL once its grace is over.
pub(super) const STOP: u8 = b'T';
/// The order to end at once.
pub(super) const KILL: u8 = b'K';
/// How long a pod may take to end where nobody is left to wait for it.
const ORPHAN_GRACE: Duration = Duration::from_secs(2);
/// How often the dead among the adopted are buried.
const BURIAL: Duration = Duration::from_secs(60);
/// What a shell ends with where a program cannot be started.
const NOT_STARTED: u8 = 127;

enum Event {
    Stop,
    Kill,
    /// Synkronic is gone.
    Orphaned,
    /// The pod's process has ended; it is not yet reaped, so that its process group keeps its number.
    Ended,
}

/// Runs `program` until it ends or an order comes; nothing of it is left when this returns its exit code.
///
/// # Errors
/// Where the second stage cannot be started.
pub fn supervise(grace: Duration, program: &Path, arguments: &[String]) -> std::io::Result<ExitCode> {
    adopt()?;
    let (events, order) = sync_channel(4);
    // Before the pod is there: one that ended this process alone would leave the pod without it.
    hear_signals(events.clone())?;
    let own = std::env::current_exe()?;
    let mut command = Command::new(own);
    command.args(["local-pod", "--exec", "--"]).arg(program).args(arguments);
    let child = command.stdin(Stdio::null()).process_group(0).spawn()?;
    let pod = Pid::from_child(&child);
    let ended = events.clone();
    std::thread::Builder::new().stack_size(64 * 1024).spawn(move || read_orders(&events))?;
    std::thread::Builder::new().stack_size(64 * 1024).spawn(move || {
        // Interrupted or no child any more: both mean there is nothing left to wait for.
        while rustix::process::waitid(WaitId::Pid(pod), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)
            .is_err_and(|error| error == rustix::io::Errno::INTR)
        {}
        let _ = ended.send(Event::Ended);
    })?;
    wait_for_end(pod, grace, &order);
    Ok(ExitCode::from(sweep(pod)))
}

/// The second stage: becomes the pod's process. Returns only where that fails.
#[must_use]
pub fn become_pod(program: &Path, arguments: &[String]) -> ExitCode {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
    let error = Command::new(program).args(arguments).exec();
    eprintln!("synkronic: cannot start `{}`: {error}", program.display());
    ExitCode::from(NOT_STARTED)
}

fn read_orders(events: &SyncSender<Event>) {
    let mut byte = [0];
    let mut input = std::io::stdin().lock();
    loop {
        let event = match input.read(&mut byte) {
            Ok(0) => Event::Orphaned,
            Ok(_) if byte == [KILL] => Event::Kill,
            Ok(_) => Event::Stop,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(_) => Event::Orphaned,
        };
        let last = matches!(event, Event::Orphaned);
        if events.send(event).is_err() || last {
            return;
        }
    }
}

/// A signal to end is an order to end: `killall synkronic` means this process too.
fn hear_signals(events: SyncSender<Event>) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let inside = runtime.enter();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    drop(inside);
    std::thread::Builder::new().stack_size(256 * 1024).spawn(move || {
        runtime.block_on(async {
            loop {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                    _ = hangup.recv() => {}
                }
                if events.send(Event::Stop).is_err() {
                    return;
                }
            }
        });
    })?;
    Ok(())
}

fn wait_for_end(pod: Pid, grace: Duration, order: &Receiver<Event>) {
    let mut deadline: Option<Instant> = None;
    loop {
        let left = deadline.map_or(BURIAL, |deadline| deadline.saturating_duration_since(Instant::now()));
        let grace = match order.recv_timeout(left.min(BURIAL)) {
            Ok(Event::Stop) => grace,
            Ok(Event::Orphaned) => grace.min(ORPHAN_GRACE),
            Ok(Event::Kill) => Duration::ZERO,
            Ok(Event::Ended) | Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => {
                if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                    let _ = rustix::process::kill_process_group(pod, Signal::KILL);
                    let _ = rustix::process::kill_process(pod, Signal::KILL);
                }
                bury(pod);
                continue;
            }
        };
        let _ = rustix::process::kill_process_group(pod, Signal::TERM);
        let by = Instant::now() + grace;
        deadline = Some(deadline.map_or(by, |deadline| deadline.min(by)));
    }
}

/// Ends what the pod's process has left, and gives its exit code: 128 and the signal where one ended it.
fn sweep(pod: Pid) -> u8 {
    let _ = rustix::process::kill_process_group(pod, Signal::KILL);
    let mut code = 0;
    loop {
        for child in children() {
            let _ = rustix::process::kill_process(child, Signal::KILL);
        }
        match rustix::process::wait(WaitOptions::empty()) {
            Ok(Some((ended, status))) if ended == pod => {
                let signalled = status.terminating_signal().map(|signal| 128 + signal);
                code = u8::try_from(status.exit_status().or(signalled).unwrap_or(1)).unwrap_or(1);
            }
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            // No child is left.
            Err(_) => return code,
        }
    }
}

/// Reaps adopted children that have ended; the pod's own process stays for [`sweep`].
fn bury(pod: Pid) {
    for child in children().into_iter().filter(|child| *child != pod) {
        let _ = rustix::process::waitpid(Some(child), WaitOptions::NOHANG);
    }
}
