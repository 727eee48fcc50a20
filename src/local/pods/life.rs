//! The life of one pod: start, ask whether it serves, start again after a growing pause, end.

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use super::family::Supervisors;
use super::probe::{Answer, Question};
use super::process::{Last, Output, Process, read_lines};
use super::recipe::{Launch, Ports, Recipe};

/// A process that ran this long starts its pauses from the shortest again.
const PROVEN: Duration = Duration::from_secs(10);
/// How long the words of one that has ended are waited for: what escaped its end may hold its pipes for ever.
const LAST_WORDS: Duration = Duration::from_secs(1);

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
    /// Who runs processes here.
    pub(super) supervisors: Supervisors,
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
            let (code, message) = match Process::start(&self.synkronic, &self.supervisors, launch) {
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
        let (mut out, mut err, over) = (Last::default(), Last::default(), Notify::new());
        let said = async {
            tokio::join!(self.hand_on(output.out, &mut out), self.hand_on(output.err, &mut err));
        };
        let late = async {
            over.notified().await;
            tokio::time::sleep(LAST_WORDS).await;
        };
        let heard = async {
            tokio::select! {
                () = said => {}
                () = late => {}
            }
        };
        let ended = async {
            let ended = tokio::select! {
                ended = process.ended() => Some(ended),
                () = self.watch(Some(launch)) => None,
                () = self.stop.cancelled() => None,
            };
            if ended.is_none() {
                self.end(&mut process).await;
            }
            over.notify_one();
            ended
        };
        let (ended, ()) = tokio::join!(ended, heard);
        let words = Some(err.words()).filter(|words| !words.is_empty()).unwrap_or_else(|| out.words());
        ended.map(|status| (code_of(status), words))
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
                super::recipe::Way::Endpoint { address, .. } => address,
                super::recipe::Way::Program { .. } | super::recipe::Way::Shell(_) => None,
            },
            launch,
            synkronic: &self.synkronic,
            supervisors: &self.supervisors,
        };
        let tell = |answer| {
            self.report(match answer {
                Answer::Yes(address) => Phase::Ready(address),
                Answer::No(reason) => Phase::Unready(reason),
            })
        };
        question.ask(tell).await;
    }

    async fn hand_on(&self, from: impl tokio::io::AsyncRead + Unpin, last: &mut Last) {
        let hand_on = |text: String| async move {
            if let Some(label) = &self.label {
                // Nobody reads any more: Synkronic is ending.
                let _ = self.lines.send(Line { label: label.clone(), text }).await;
            }
        };
        read_lines(from, last, hand_on).await;
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
