//! Starting and ending one supervised process, and reading what it says.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitStatus, Stdio};

use rustix::process::Pid;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

use super::family::Supervisors;
use super::recipe::Launch;
use super::supervise;

/// The longest line of output that stays one line.
const LONGEST_LINE: usize = 16 * 1024;

/// A supervised process. Dropping it ends it, by the end of its pipe.
pub(super) struct Process {
    child: Child,
    pid: Option<Pid>,
    orders: Option<ChildStdin>,
    supervisors: Supervisors,
}

/// What a process says.
pub(super) struct Output {
    pub(super) out: ChildStdout,
    pub(super) err: ChildStderr,
}

impl Process {
    /// Starts it.
    pub(super) fn start(
        synkronic: &Path,
        supervisors: &Supervisors,
        launch: &Launch,
    ) -> std::io::Result<(Self, Output)> {
        let mut process = Self::spawn(synkronic, supervisors, launch, Stdio::piped)?;
        let missing = || std::io::Error::other("a pipe is missing");
        let output = Output {
            out: process.child.stdout.take().ok_or_else(missing)?,
            err: process.child.stderr.take().ok_or_else(missing)?,
        };
        Ok((process, output))
    }

    /// Starts it, and lets nobody hear what it says.
    pub(super) fn start_silent(
        synkronic: &Path,
        supervisors: &Supervisors,
        launch: &Launch,
    ) -> std::io::Result<Self> {
        Self::spawn(synkronic, supervisors, launch, Stdio::null)
    }

    fn spawn(
        synkronic: &Path,
        supervisors: &Supervisors,
        launch: &Launch,
        to: fn() -> Stdio,
    ) -> std::io::Result<Self> {
        let mut child = command(synkronic, launch).stdout(to()).stderr(to()).spawn()?;
        let pid = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        supervisors.begun(pid);
        Ok(Self { orders: child.stdin.take(), child, pid, supervisors: supervisors.clone() })
    }

    /// Orders it to end; [`Process::ended`] tells when it has.
    pub(super) async fn stop(&mut self) {
        if let Some(orders) = &mut self.orders {
            // Nobody listens any more: it has ended.
            let _ = orders.write_all(&[supervise::STOP]).await;
        }
    }

    /// Orders it to end at once.
    pub(super) async fn kill(&mut self) {
        if let Some(orders) = &mut self.orders {
            let _ = orders.write_all(&[supervise::KILL]).await;
        }
    }

    /// Waits until nothing of it is left. May be dropped and called again.
    pub(super) async fn ended(&mut self) -> std::io::Result<ExitStatus> {
        // `Child::wait` would close the pipe, and with it the process.
        let orders = self.orders.take().or_else(|| self.child.stdin.take());
        let mut kept = Kept { orders, home: &mut self.orders };
        let status = self.child.wait().await;
        kept.orders = None;
        drop(kept);
        self.supervisors.ended(self.pid);
        // It never ends by a signal of its own accord: somebody killed it, and it could not tidy up.
        if status.as_ref().is_ok_and(|status| status.signal().is_some()) {
            self.supervisors.end_orphans().await;
        }
        status
    }
}

/// Gives the pipe back where the waiting is dropped half way.
struct Kept<'p> {
    orders: Option<ChildStdin>,
    home: &'p mut Option<ChildStdin>,
}

impl Drop for Kept<'_> {
    fn drop(&mut self) {
        *self.home = self.orders.take();
    }
}

fn command(synkronic: &Path, launch: &Launch) -> Command {
    let mut command = Command::new(synkronic);
    command.arg("local-pod").arg("--grace-ms").arg(launch.grace.as_millis().to_string()).arg("--");
    command.arg(&launch.program).args(&launch.arguments).current_dir(&launch.folder);
    // What configures this Synkronic must not configure one that a pod runs.
    let own = std::env::vars_os().map(|(name, _)| name);
    for name in own.filter(|name| name.to_string_lossy().starts_with("SYNKRONIC_")) {
        command.env_remove(name);
    }
    command.envs(launch.environment.iter().map(|(name, value)| (name, value)));
    // A group of its own: Ctrl-C is for Synkronic, which then ends the pods in order.
    command.stdin(Stdio::piped()).process_group(0);
    command
}

/// Hands on every line until the end, and remembers the last words.
pub(super) async fn read_lines<F>(
    from: impl AsyncRead + Unpin,
    last: &mut Last,
    mut hand_on: impl FnMut(String) -> F,
) where
    F: Future<Output = ()>,
{
    let mut from = BufReader::new(from);
    let mut line = Vec::new();
    loop {
        let piece = match from.fill_buf().await {
            Ok(piece) if !piece.is_empty() => piece,
            Ok(_) | Err(_) => break,
        };
        let end = piece.iter().position(|byte| *byte == b'\n');
        let taken = end.map_or(piece.len(), |end| end + 1);
        line.extend_from_slice(piece.get(..taken).unwrap_or_default());
        from.consume(taken);
        if end.is_some() || line.len() >= LONGEST_LINE {
            let text = text(&line);
            line.clear();
            last.push(&text);
            hand_on(text).await;
        }
    }
    if !line.is_empty() {
        let text = text(&line);
        last.push(&text);
        hand_on(text).await;
    }
}

fn text(line: &[u8]) -> String {
    String::from_utf8_lossy(line).trim_end_matches(['\n', '\r']).to_owned()
}

/// The last words of a process.
#[derive(Default)]
pub(super) struct Last(std::collections::VecDeque<String>);

impl Last {
    /// Where a stack trace ends its life, the reason stands some lines above.
    const LINES: usize = 30;

    fn push(&mut self, line: &str) {
        if line.trim().is_empty() {
            return;
        }
        if self.0.len() == Self::LINES {
            self.0.pop_front();
        }
        self.0.push_back(line.trim().chars().filter(|c| !c.is_control()).take(300).collect());
    }

    /// The line that most likely says why it ended: the last that speaks of an error, else the last.
    pub(super) fn words(&self) -> String {
        let tells = |line: &&String| {
            let line = line.to_lowercase();
            ["error", "panic", "fatal", "exception", "cannot", "failed"]
                .iter()
                .any(|word| line.contains(word))
        };
        self.0.iter().rev().find(tells).or_else(|| self.0.back()).cloned().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(bytes: &[u8]) -> (Vec<String>, String) {
        let lines = std::cell::RefCell::new(Vec::new());
        let mut last = Last::default();
        read_lines(bytes, &mut last, |line| {
            lines.borrow_mut().push(line);
            std::future::ready(())
        })
        .await;
        (lines.into_inner(), last.words())
    }

    #[tokio::test]
    async fn lines_come_whole_and_the_reason_is_found() {
        let (lines, words) = read(b"one\r\n\ntwo").await;
        assert_eq!(lines, ["one", "", "two"]);
        assert_eq!(words, "two");
        let (_, words) = read(b"up\nError: DATABASE_URL is not set\n    at main.js:1\n\nNode.js v24\n").await;
        assert_eq!(words, "Error: DATABASE_URL is not set");
        let (lines, words) = read(&[b'x'; LONGEST_LINE * 2 + 1]).await;
        assert_eq!((lines.len(), words.as_str()), (3, "x"));
        assert_eq!(read(b"").await, (vec![], String::new()));
    }
}
