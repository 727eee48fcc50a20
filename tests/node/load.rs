//! Clients of the edge: single requests, and loads that count what fails.

use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// An answer takes longer than this only if something hangs.
const PATIENCE: Duration = Duration::from_secs(10);

/// What came back.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    pub status: u16,
    pub headers: http::HeaderMap,
    pub body: String,
}

impl Answer {
    /// The version that a 200 says it is of.
    pub fn version(&self) -> Option<&str> {
        self.header("x-synkronic-version").filter(|_| self.status == 200)
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// A client with one connection at most, as a browser or a service has it.
pub struct Visitor {
    edge: SocketAddr,
    sender: Option<SendRequest<Empty<Bytes>>>,
}

impl Visitor {
    pub fn new(edge: SocketAddr) -> Self {
        Self { edge, sender: None }
    }

    /// One request; on the connection that is open, where one is.
    pub async fn get(
        &mut self,
        host: &str,
        target: &str,
        headers: &[(&str, &str)],
    ) -> Result<Answer, String> {
        let asked = tokio::time::timeout(PATIENCE, self.ask(host, target, headers));
        let answer = asked.await.unwrap_or_else(|_| Err(format!("no answer within {PATIENCE:?}")));
        if answer.is_err() {
            self.sender = None;
        }
        answer
    }

    async fn ask(&mut self, host: &str, target: &str, headers: &[(&str, &str)]) -> Result<Answer, String> {
        // A connection that was closed between two requests is no failure: every client opens another.
        if let Some(sender) = &mut self.sender
            && sender.ready().await.is_err()
        {
            self.sender = None;
        }
        let sender = match &mut self.sender {
            Some(sender) => sender,
            None => self.sender.insert(connect(self.edge).await?),
        };
        let mut request = http::Request::get(target).header("host", host);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = sender.send_request(request.body(Empty::new()).unwrap()).await.map_err(words)?;
        let (head, body) = response.into_parts();
        let body = body.collect().await.map_err(words)?.to_bytes();
        let body = String::from_utf8_lossy(&body).into_owned();
        Ok(Answer { status: head.status.as_u16(), headers: head.headers, body })
    }
}

async fn connect(edge: SocketAddr) -> Result<SendRequest<Empty<Bytes>>, String> {
    let stream = TcpStream::connect(edge).await.map_err(|error| format!("connecting: {error}"))?;
    let _ = stream.set_nodelay(true);
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(words)?;
    // It ends with its sender.
    tokio::spawn(connection);
    Ok(sender)
}

fn words(error: hyper::Error) -> String {
    let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
    format!("{error}{cause}")
}

/// One request on a connection of its own; status 0 where there was no answer, its words in the body.
pub async fn get(edge: SocketAddr, host: &str, target: &str, headers: &[(&str, &str)]) -> Answer {
    let answer = Visitor::new(edge).get(host, target, headers).await;
    answer.unwrap_or_else(|body| Answer { body, ..Answer::default() })
}

/// One request of a load.
#[derive(Debug)]
pub struct Sample {
    pub begun: Instant,
    pub took: Duration,
    /// The version that answered, or what went wrong.
    pub outcome: Result<String, String>,
}

/// Clients that ask without end, each on a connection that it keeps.
pub struct Load {
    stop: CancellationToken,
    visitors: JoinSet<Vec<Sample>>,
}

impl Load {
    /// So many clients for each host. Between two requests they wait: the machine has other work, too.
    pub fn on(edge: SocketAddr, hosts: &[&str], clients: usize) -> Self {
        let (stop, mut visitors) = (CancellationToken::new(), JoinSet::new());
        for host in hosts {
            for _ in 0..clients {
                visitors.spawn(visit(edge, (*host).to_owned(), stop.clone()));
            }
        }
        Self { stop, visitors }
    }

    /// Ends it; what was asked and answered, in the order of asking.
    pub async fn end(self) -> Tally {
        self.stop.cancel();
        let mut samples: Vec<Sample> = self.visitors.join_all().await.into_iter().flatten().collect();
        samples.sort_by_key(|sample| sample.begun);
        Tally { samples }
    }
}

async fn visit(edge: SocketAddr, host: String, stop: CancellationToken) -> Vec<Sample> {
    let (mut visitor, mut samples) = (Visitor::new(edge), Vec::new());
    while !stop.is_cancelled() {
        let begun = Instant::now();
        let answer = visitor.get(&host, "/", &[]).await;
        let outcome = match answer {
            Ok(answer) if answer.status == 200 => {
                Ok(answer.header("x-synkronic-version").unwrap_or_default().to_owned())
            }
            Ok(answer) => Err(format!("{} {}", answer.status, answer.body.replace('\n', " "))),
            Err(words) => Err(words),
        };
        samples.push(Sample { begun, took: begun.elapsed(), outcome });
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    samples
}

/// What became of a load.
#[derive(Default)]
pub struct Tally {
    pub samples: Vec<Sample>,
}

impl Tally {
    pub fn failures(&self) -> Vec<&Sample> {
        self.samples.iter().filter(|sample| sample.outcome.is_err()).collect()
    }

    /// # Panics
    /// Where a request failed, with the first few of them.
    pub fn none_failed(&self) {
        let failures = self.failures();
        assert!(!self.samples.is_empty(), "nothing was asked");
        let start = self.samples[0].begun;
        let some: Vec<String> = failures
            .iter()
            .take(8)
            .map(|it| format!("{:?} after the start, {:?}: {:?}", it.begun - start, it.took, it.outcome))
            .collect();
        assert!(some.is_empty(), "{} of {} failed:\n{}", failures.len(), self.samples.len(), some.join("\n"));
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let took = Times(self.samples.iter().map(|sample| sample.took).collect());
        write!(f, "{} failed of {}; an answer took {took}", self.failures().len(), self.samples.len())
    }
}

/// Durations, shown by their middle and their ends.
pub struct Times(pub Vec<Duration>);

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut sorted = self.0.clone();
        sorted.sort();
        let at = |share: f64| {
            let place = (sorted.len().saturating_sub(1)) as f64 * share;
            sorted.get(place.round() as usize).copied().unwrap_or_default().as_secs_f64() * 1e3
        };
        write!(f, "p50 {:.1} ms, p99 {:.1} ms, at most {:.1} ms", at(0.5), at(0.99), at(1.0))
    }
}
