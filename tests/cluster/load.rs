//! People who ask all the time, and count what fails.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::program::Caller;

/// Between two requests of one client: the machine has other work too.
const PAUSE: Duration = Duration::from_millis(5);

/// In place of a version: whichever the edge chooses, as long as that one answers.
pub const ANY: &str = "*";

/// A load on some hosts; each host's answers must come from one version.
pub struct Load {
    stop: CancellationToken,
    clients: JoinSet<()>,
    report: Arc<Mutex<Report>>,
}

/// What became of the requests.
#[derive(Debug, Default, Clone)]
pub struct Report {
    pub asked: u64,
    /// When, and why; the first hundred.
    pub failed: Vec<(Duration, String)>,
}

impl Report {
    fn note(&mut self, failure: Option<(Duration, String)>) {
        self.asked += 1;
        self.failed.extend(failure.filter(|_| self.failed.len() < 100));
    }
}

impl Load {
    /// One client for each pair of host and version, on connections that are kept.
    pub fn start(edge: SocketAddr, hosts: &[(String, String)]) -> Self {
        let stop = CancellationToken::new();
        let report = Arc::new(Mutex::new(Report::default()));
        let begun = Instant::now();
        let mut clients = JoinSet::new();
        for (host, version) in hosts {
            let (host, version) = (host.clone(), version.clone());
            let (stop, report) = (stop.clone(), report.clone());
            clients.spawn(async move {
                let mut caller = Caller::new(edge, &host);
                while !stop.is_cancelled() {
                    let answer = caller.get("/").await;
                    let failure = match answer {
                        Ok(answer) if answer.status != 200 => {
                            Some(format!("{}: {}", answer.status, answer.body))
                        }
                        Ok(answer) => wrong(&answer.body, answer.version.as_deref(), &version),
                        Err(error) => Some(error),
                    };
                    report
                        .lock()
                        .unwrap()
                        .note(failure.map(|why| (begun.elapsed(), format!("{host}: {why}"))));
                    tokio::time::sleep(PAUSE).await;
                }
            });
        }
        Self { stop, clients, report }
    }

    /// Ends it.
    pub async fn finish(mut self) -> Report {
        self.stop.cancel();
        while self.clients.join_next().await.is_some() {}
        self.report.lock().unwrap().clone()
    }
}

/// Whether an answer comes from another version than it should, by the edge's word or the pod's own.
fn wrong(body: &str, chosen: Option<&str>, version: &str) -> Option<String> {
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    let pod = body["version"].as_str();
    let version = if version == ANY { chosen.unwrap_or_default() } else { version };
    (chosen != Some(version) || pod != Some(version))
        .then(|| format!("the edge chose {chosen:?}, {pod:?} answered"))
}
