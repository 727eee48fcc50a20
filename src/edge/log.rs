//! The access log: one JSON line a request, through a queue that drops and counts rather than wait.
//!
//! A thread of its own writes the lines out, so that no worker ever waits for a disk or a terminal. What
//! clients wrote is escaped as JSON escapes it: a line stays a line.

use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::error::Fault;
use super::watch::Watch;

/// Lines that may wait for the writer.
const QUEUE: usize = 8192;
/// So many bytes of each thing that a client wrote are told, lest such a queue hold the half of a gigabyte.
const LONGEST: usize = 1 << 10;
/// What stands for the rest.
const CUT: char = '\u{2026}';
/// What the writer has for the rest of the queue at the end: a pipe that nobody reads takes none of it.
const FAREWELL: Duration = Duration::from_secs(1);
/// How often the end of a full queue is tried meanwhile.
const TRY: Duration = Duration::from_millis(10);

/// Where the access log goes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum AccessLog {
    /// Nowhere.
    #[default]
    Off,
    /// To standard output.
    Stdout,
    /// To standard error.
    Stderr,
    /// To the end of a file.
    File(PathBuf),
}

impl std::str::FromStr for AccessLog {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "off" => Self::Off,
            "stdout" | "-" => Self::Stdout,
            "stderr" => Self::Stderr,
            path => Self::File(path.into()),
        })
    }
}

/// The queue's end that workers hold.
#[derive(Debug)]
pub(crate) struct Log {
    queue: SyncSender<Option<String>>,
    /// Hangs up when the writer has ended.
    writer: Mutex<Option<Receiver<()>>>,
}

impl Log {
    /// Opens the log and starts its writer; `None` where it is off.
    pub(crate) fn open(to: &AccessLog) -> io::Result<Option<Self>> {
        let out: Box<dyn Write + Send> = match to {
            AccessLog::Off => return Ok(None),
            AccessLog::Stdout => Box::new(io::stdout()),
            AccessLog::Stderr => Box::new(io::stderr()),
            AccessLog::File(path) => Box::new(OpenOptions::new().create(true).append(true).open(path)?),
        };
        let (queue, lines) = sync_channel(QUEUE);
        let (ending, writer) = sync_channel(0);
        // Nobody joins it: where it hangs in a write nothing but the process's end will end it.
        std::thread::Builder::new().name("access-log".into()).spawn(move || {
            write(&lines, out);
            drop::<SyncSender<()>>(ending);
        })?;
        Ok(Some(Self { queue, writer: Mutex::new(Some(writer)) }))
    }

    /// Queues a line; false where there was no room.
    pub(crate) fn tell(&self, line: &Line<'_>) -> bool {
        // Plain fields of text and numbers: this cannot fail.
        serde_json::to_string(line).is_ok_and(|line| self.queue.try_send(Some(tame(line))).is_ok())
    }

    /// Ends the log and waits until what was queued is written, unless that is not taken.
    pub(crate) fn close(&self) {
        let Some(writer) = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
        let end = Instant::now() + FAREWELL;
        while let Err(TrySendError::Full(_)) = self.queue.try_send(None)
            && Instant::now() < end
        {
            std::thread::sleep(TRY);
        }
        let left = end.saturating_duration_since(Instant::now());
        if let Err(RecvTimeoutError::Timeout) = writer.recv_timeout(left) {
            tracing::warn!("the access log is not taken: its last lines are lost");
        }
    }
}

/// What a client wrote, in pieces, as text: what is no UTF-8 replaced, and no more than [`LONGEST`] bytes.
pub(crate) fn text(pieces: &[&[u8]]) -> String {
    let whole = pieces.iter().map(|piece| piece.len()).sum::<usize>();
    let mut text = String::with_capacity(whole.min(LONGEST + CUT.len_utf8()));
    for piece in pieces {
        // Nobody looks at what is cut off anyway; the longest character has four bytes.
        let piece = piece.get(..LONGEST + 4).unwrap_or(piece);
        for chunk in piece.utf8_chunks() {
            let odd = if chunk.invalid().is_empty() { "" } else { "\u{fffd}" };
            for part in [chunk.valid(), odd] {
                let room = LONGEST - text.len();
                if part.len() > room {
                    text.push_str(part.get(..part.floor_char_boundary(room)).unwrap_or_default());
                    text.push(CUT);
                    return text;
                }
                text.push_str(part);
            }
        }
    }
    text
}

/// JSON lets DEL and the C1 controls stand as they are, terminals act on them (RUSTSEC-2025-0055).
fn tame(line: String) -> String {
    let wild = |c: char| matches!(c, '\u{7f}'..='\u{9f}');
    // In UTF-8 they are the one byte 7f, or begin with c2.
    if !line.bytes().any(|b| matches!(b, 0x7f | 0xc2)) {
        return line;
    }
    let mut tamed = String::with_capacity(line.len() + 16);
    for c in line.chars() {
        if wild(c) {
            tamed.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            tamed.push(c);
        }
    }
    tamed
}

/// Writes lines until the queue ends; flushes whenever none waits.
fn write(lines: &Receiver<Option<String>>, out: Box<dyn Write + Send>) {
    let mut out = BufWriter::with_capacity(64 << 10, out);
    loop {
        let next = lines.try_recv().or_else(|_| {
            let _ = out.flush();
            lines.recv()
        });
        let Ok(Some(line)) = next else { break };
        // A log that cannot be written must not end the service; there is nobody to tell.
        let _ = out.write_all(line.as_bytes()).and_then(|()| out.write_all(b"\n"));
    }
    let _ = out.flush();
}

/// What only the access log asks of a request.
#[derive(Debug, Default)]
pub(crate) struct Entry {
    pub(crate) method: String,
    pub(crate) host: String,
    pub(crate) target: String,
    pub(crate) request_id: String,
    /// Behind trusted proxies: as they tell it.
    pub(crate) client: Option<IpAddr>,
    pub(crate) agent: String,
    pub(crate) router: String,
    pub(crate) version: String,
    pub(crate) reason: String,
    pub(crate) endpoint: Option<SocketAddr>,
    pub(crate) reused: bool,
    pub(crate) attempts: u32,
    /// From the request's head to the response's.
    pub(crate) response: Option<Duration>,
    pub(crate) tunnel: bool,
}

/// A line of the access log.
#[derive(Debug, Serialize)]
pub(crate) struct Line<'e> {
    time: String,
    request_id: &'e str,
    client: Option<IpAddr>,
    peer: &'e str,
    method: &'e str,
    host: &'e str,
    target: &'e str,
    status: u16,
    router: &'e str,
    version: &'e str,
    reason: &'e str,
    endpoint: Option<String>,
    received: u64,
    sent: u64,
    seconds: f64,
    response_seconds: Option<f64>,
    attempts: u32,
    reused: bool,
    tunnel: bool,
    fault: Option<&'static str>,
    side: Option<&'static str>,
    agent: &'e str,
}

impl Entry {
    /// The line of a request that is over.
    pub(crate) fn line<'e>(
        &'e self,
        status: u16,
        took: Duration,
        sent: u64,
        received: u64,
        fault: Option<Fault>,
        watch: &'e Watch,
    ) -> Line<'e> {
        let row = fault.map(Fault::row);
        Line {
            time: jiff::Timestamp::now().to_string(),
            request_id: &self.request_id,
            client: self.client,
            peer: &watch.peer_text,
            method: &self.method,
            host: &self.host,
            target: &self.target,
            status,
            router: &self.router,
            version: &self.version,
            reason: &self.reason,
            endpoint: self.endpoint.map(|address| address.to_string()),
            received,
            sent,
            seconds: took.as_secs_f64(),
            response_seconds: self.response.map(|took| took.as_secs_f64()),
            attempts: self.attempts,
            reused: self.reused,
            tunnel: self.tunnel,
            fault: row.map(|row| row.label),
            side: row.map(|row| row.side.name()),
            agent: &self.agent,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_long_is_cut_at_a_character_and_shows_it() {
        assert_eq!(text(&[b"/a", b"?", b"\xffb"]), "/a?\u{fffd}b");
        for length in LONGEST - 4..LONGEST + 8 {
            for (tail, odd) in [
                (&b"b"[..], "b"),
                ("\u{e9}".as_bytes(), "\u{e9}"),
                (b"\xff", "\u{fffd}"),
                (b"\xf0\x9f", "\u{fffd}"),
            ] {
                let whole = [&b"a".repeat(length), tail].concat();
                let wanted = "a".repeat(length) + odd;
                let cut = text(&[&whole]);
                assert_eq!(cut == wanted, wanted.len() <= LONGEST, "{length} {odd}");
                assert!(cut == wanted || cut.len() <= LONGEST + 3 && cut.ends_with(CUT), "{length} {odd}");
            }
        }
        for many in [b"\xff".repeat(31_000), "\u{e9}".repeat(15_000).into_bytes(), b"a".repeat(31_000)] {
            let cut = text(&[&many, b"?", &many]);
            assert!((LONGEST - 3..LONGEST + 4).contains(&cut.len()) && cut.ends_with(CUT), "{cut}");
            assert!(cut.capacity() < 2 * LONGEST);
        }
    }
}
