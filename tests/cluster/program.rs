//! `synkronic run` as a process of its own, and who asks it. It refuses to know what is tested.

use std::fs::File;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::listening::listening;
use crate::plane::{Plane, until};

/// A request that takes longer than this has failed.
const PATIENCE: Duration = Duration::from_secs(10);

static STARTED: AtomicU32 = AtomicU32::new(0);

/// A running `synkronic run`; told to leave, and waited for, when dropped.
pub struct Program {
    process: Child,
    /// Where it serves.
    pub edge: SocketAddr,
    admin: SocketAddr,
    log: PathBuf,
}

impl Program {
    /// Starts it as the user `synkronic`, who may do everything, and waits until it is ready.
    pub async fn start(plane: &Plane, arguments: &[&str]) -> Self {
        Self::start_as(plane, "synkronic", arguments).await
    }

    /// Starts it as a user of the plane, and waits until it is ready.
    pub async fn start_as(plane: &Plane, user: &str, arguments: &[&str]) -> Self {
        let log = plane.folder().join(format!("synkronic-{}.log", STARTED.fetch_add(1, Ordering::Relaxed)));
        // Another build of it can be tried, as the one that is shipped.
        let binary =
            std::env::var_os("SYNKRONIC_BINARY").unwrap_or_else(|| env!("CARGO_BIN_EXE_synkronic").into());
        let mut process = Command::new(binary)
            .arg("run")
            .arg("--kubeconfig")
            .arg(plane.kubeconfig(user))
            .args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"])
            .args(arguments)
            .stdin(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .expect("the binary under test starts");
        let end = Instant::now() + Duration::from_secs(60);
        let (edge, admin) = loop {
            let said = std::fs::read_to_string(&log).unwrap();
            if let Some(both) = listening(&said) {
                break both;
            }
            assert!(
                process.try_wait().unwrap().is_none() && Instant::now() < end,
                "it does not start: {said}"
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        let program = Self { process, edge, admin, log };
        until(60, &format!("synkronic run is not ready; see {}", program.log.display()), async || {
            get(program.admin, "localhost", "/readyz").await.is_ok_and(|answer| answer.status == 200)
        })
        .await;
        program
    }

    /// Ends it as a power cut would.
    pub fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// One request through its edge.
    pub async fn get(&self, host: &str, path: &str) -> Result<Answer, String> {
        get(self.edge, host, path).await
    }

    /// A page through its edge, as a browser asks for it: a pod's says its image.
    pub async fn page(&self, host: &str) -> Result<Answer, String> {
        let mut caller = Caller { accept: "text/html", ..Caller::new(self.edge, host) };
        caller.get("/").await
    }

    /// Until a host is answered by a version.
    pub async fn serves(&self, host: &str, version: &str) {
        let mut last = String::new();
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            match self.get(host, "/").await {
                Ok(answer) if answer.status == 200 && answer.version.as_deref() == Some(version) => return,
                Ok(answer) => last = format!("{} by {:?}: {}", answer.status, answer.version, answer.body),
                Err(error) => last.clone_from(&error),
            }
            assert!(
                Instant::now() < end,
                "{host} is not served by {version}: {last}\nsee {}",
                self.log.display()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The table in service, as its admin port tells it.
    pub async fn table(&self) -> String {
        get(self.admin, "localhost", "/table").await.map(|answer| answer.body).unwrap_or_default()
    }

    /// What it logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.process);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let end = Instant::now() + Duration::from_secs(10);
        while let Ok(None) = self.process.try_wait() {
            if Instant::now() > end {
                let _ = self.process.kill();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// An answer, whole.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    /// The version that the edge says it chose.
    pub version: Option<String>,
    /// When it asks to be asked again.
    pub retry_after: Option<String>,
    pub body: String,
}

/// A client with one connection that it keeps.
pub struct Caller {
    to: SocketAddr,
    host: String,
    accept: &'static str,
    sender: Option<SendRequest<Empty<Bytes>>>,
}

impl Caller {
    pub fn new(to: SocketAddr, host: &str) -> Self {
        Self { to, host: host.to_owned(), accept: "application/json", sender: None }
    }

    /// One request; a connection that broke is the request's failure, and the next one makes another.
    pub async fn get(&mut self, path: &str) -> Result<Answer, String> {
        let answer = tokio::time::timeout(PATIENCE, self.ask(path)).await;
        let answer = answer.unwrap_or_else(|_| Err(format!("no answer within {PATIENCE:?}")));
        if answer.is_err() {
            self.sender = None;
        }
        answer
    }

    async fn ask(&mut self, path: &str) -> Result<Answer, String> {
        let text = |what: &str, error: &dyn std::fmt::Display| format!("{what}: {error}");
        let mut sender = match self.sender.take().filter(|sender| !sender.is_closed()) {
            Some(sender) => sender,
            None => {
                let stream = TcpStream::connect(self.to).await.map_err(|error| text("connect", &error))?;
                let handshake = http1::handshake(TokioIo::new(stream)).await;
                let (sender, connection) = handshake.map_err(|error| text("handshake", &error))?;
                tokio::spawn(connection);
                sender
            }
        };
        sender.ready().await.map_err(|error| text("ready", &error))?;
        let request = http::Request::get(path)
            .header("host", &self.host)
            .header("accept", self.accept)
            .body(Empty::new())
            .map_err(|error| text("request", &error))?;
        let response = sender.send_request(request).await.map_err(|error| text("request", &error))?;
        let status = response.status().as_u16();
        let field = |name| response.headers().get(name)?.to_str().ok().map(str::to_owned);
        let (version, retry_after) = (field("x-synkronic-version"), field("retry-after"));
        let body = response.into_body().collect().await.map_err(|error| text("body", &error))?.to_bytes();
        self.sender = Some(sender);
        Ok(Answer { status, version, retry_after, body: String::from_utf8_lossy(&body).into_owned() })
    }
}

/// One request on a connection of its own.
pub async fn get(to: SocketAddr, host: &str, path: &str) -> Result<Answer, String> {
    Caller::new(to, host).get(path).await
}
