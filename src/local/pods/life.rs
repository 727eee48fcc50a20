//! The life of one pod: start, ask whether it serves, start again after a growing pause, end.

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::probe::{Answer, Question};
use super::process::{Output, Process, read_lines};
use super::recipe::{Launch, Ports, Recipe};

/// A process that ran this long starts its pauses from the shortest again.
const PROVEN: Duration = Duration::from_secs(10);

/// The pause before a restart: a quarter of a second, doubled with each, at most half a minute.
#[must_use]
pub fn pause(restarts_in_a_row: u32) -> Duration {
    Duration::from_millis(250 << restarts_in_a_row.min(7)).min(Duration::from_secs(30))
}

/// What a pod is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// It runs and does not serve yet.
    Starting,
    /// It serves, here.
    Ready(IpAddr),
    /// It runs and does not serve, for this reason.
    Unready(String),
    /// Its process ended and will start again.
    Down(Exit),
    /// Nothing of it is left.
    Gone,
}

/// How a process ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exit {
    /// Its exit code; 128 and the signal where one ended it.
    pub code: i32,
    /// Its last words.
    pub message: String,
    /// How often it was started again before.
    pub restarts: u32,
}

/// A line of a pod's output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Whose: the version, or the Deployment's name.
    pub label: Arc<str>,
    /// The line.
    pub text: String,
}

/// One pod to be.
pub struct Pod {
    /// Its number.
    pub id: u64,
    /// Whose its output is called; none: its output is not shown.
    pub label: Option<Arc<str>>,
    /// How it runs.
    pub recipe: Arc<Recipe>,
    /// What it starts; none where it runs already.
    pub launch: Option<Launch>,
    /// Its ports.
    pub ports: Ports,
    /// The running binary.
    pub synkronic: PathBuf,
    /// Cancelled: it has to end.
    pub stop: CancellationToken,
    /// Cancelled: it has to end at once.
    pub kill: CancellationToken,
    /// Where it reports.
    pub reports: mpsc::Sender<(u64, Phase)>,
    /// Where its output goes.
    pub lines: mpsc::Sender<Line>,
}

impl Pod {
    /// Lives until it is stopped.
    pub async fn live(self) {
        match &self.launch {
            Some(launch) => self.run(launch).await,
            None => {
                tokio::select! {
                    () = self.watch(None) => {}
                    () = self.stop.cancelled() => {}
                }
            }
        }
        self.report(Phase::Gone).await;
    }

    async fn run(&self, launch: &Launch) {
        let (mut restarts, mut in_a_row) = (0, 0);
        while !self.stop.is_cancelled() {
            let begun = Instant::now();
            self.report(Phase::Starting).await;
            let (code, message) = match Process::start(&self.synkronic, launch) {
                Ok((process, output)) => match self.follow(process, output, launch).await {
                    Some(exit) => exit,
                    None => return,
                },
                Err(error) => (127, format!("cannot start: {error}")),
            };
            if begun.elapsed() >= PROVEN {
                in_a_row = 0;
            }
            self.report(Phase::Down(Exit { code, message, restarts })).await;
            tokio::select! {
                () = tokio::time::sleep(pause(in_a_row)) => {}
                () = self.stop.cancelled() => return,
            }
            restarts += 1;
            in_a_row += 1;
        }
    }

    /// Follows one process to its end; none where the end was ordered.
    async fn follow(&self, mut process: Process, output: Output, launch: &Launch) -> Option<(i32, String)> {
        let said = async {
            let (out, err) = tokio::join!(self.hand_on(output.out), self.hand_on(output.err));
            if err.is_empty() { out } else { err }
        };
        let ended = async {
            let ended = tokio::select! {
                ended = process.ended() => Some(ended),
                () = self.watch(Some(launch)) => None,
                () = self.stop.cancelled() => None,
            };
            match ended {
                Some(ended) => Some(ended),
                None => {
                    self.end(&mut process).await;
                    None
                }
            }
        };
        let (ended, said) = tokio::join!(ended, said);
        ended.map(|status| (code_of(status), said))
    }

    async fn end(&self, process: &mut Process) {
        process.stop().await;
        let ended = tokio::select! {
            _ = process.ended() => true,
            () = self.kill.cancelled() => false,
        };
        if !ended {
            process.kill().await;
            let _ = process.ended().await;
        }
    }

    async fn watch(&self, launch: Option<&Launch>) {
        let question = Question {
            readiness: &self.recipe.readiness,
            container: &self.recipe.container,
            ports: &self.ports,
            address: match self.recipe.way {
                super::recipe::Way::Endpoint(address) => Some(address.ip()),
                super::recipe::Way::Program { .. } | super::recipe::Way::Shell(_) => None,
            },
            launch,
            synkronic: &self.synkronic,
        };
        let tell = |answer| {
            self.report(match answer {
                Answer::Yes(address) => Phase::Ready(address),
                Answer::No(reason) => Phase::Unready(reason),
            })
        };
        question.ask(tell).await;
    }

    async fn hand_on(&self, from: impl tokio::io::AsyncRead + Unpin) -> String {
        let hand_on = |text: String| async move {
            if let Some(label) = &self.label {
                // Nobody reads any more: Synkronic is ending.
                let _ = self.lines.send(Line { label: label.clone(), text }).await;
            }
        };
        read_lines(from, hand_on).await.words()
    }

    async fn report(&self, phase: Phase) {
        let _ = self.reports.send((self.id, phase)).await;
    }
}

/// The supervisor hands on its pod's exit code; where it was ended itself, its signal counts.
fn code_of(status: std::io::Result<ExitStatus>) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    match status {
        Ok(status) => status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1),
        Err(_) => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end_growing() {
        let pauses: Vec<u128> = (0..10).map(|restarts| pause(restarts).as_millis()).collect();
        assert_eq!(pauses, [250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
        assert_eq!(pause(u32::MAX), Duration::from_secs(30));
    }
}
