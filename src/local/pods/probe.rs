//! Asks a pod whether it serves.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Container;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::family::Supervisors;
use super::process::Process;
use super::readiness::{Check, Readiness};
use super::recipe::{Launch, Ports};

/// The first pause between two questions; they grow until the pod serves.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
/// The longest pause before the pod serves.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// Who just started does not serve yet; why is worth saying only after this.
const WORTH_SAYING: Duration = Duration::from_secs(3);
/// The pause between looks at an address that somebody else's process serves.
const GLANCE: Duration = Duration::from_secs(1);

/// What is asked, and where.
pub(super) struct Question<'q> {
    pub(super) readiness: &'q Readiness,
    pub(super) container: &'q Container,
    pub(super) ports: &'q Ports,
    /// The one address of an endpoint that runs already and names it; else both loopback addresses are tried, since a
    /// server that listens on `localhost` may have taken either.
    pub(super) address: Option<IpAddr>,
    /// What a command is run like.
    pub(super) launch: Option<&'q Launch>,
    pub(super) synkronic: &'q Path,
    pub(super) supervisors: &'q Supervisors,
}

/// What a pod answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// It serves, here.
    Yes(IpAddr),
    /// It does not, for this reason.
    No(String),
}

impl Question<'_> {
    /// Asks again and again, and tells every change of mind; never ends but with its listener.
    pub(super) async fn ask<F>(&self, mut tell: impl FnMut(Answer) -> F)
    where
        F: Future<Output = ()>,
    {
        let (mut pause, begun) = (FIRST_PAUSE, Instant::now());
        let (mut row, mut last_was_yes, mut told) = (0, None, None);
        loop {
            let answer = self.ask_once().await;
            let yes = matches!(answer, Answer::Yes(_));
            row = if last_was_yes == Some(yes) { row + 1 } else { 1 };
            last_was_yes = Some(yes);
            let counts = match (yes, &told) {
                (true, _) => row >= self.readiness.successes,
                (false, Some(_)) => row >= self.readiness.failures,
                (false, None) => begun.elapsed() >= WORTH_SAYING,
            };
            if counts && told.as_ref() != Some(&answer) {
                tell(answer.clone()).await;
                told = Some(answer);
            }
            let serves = matches!(told, Some(Answer::Yes(_)));
            if serves && self.once_is_enough() {
                return std::future::pending().await;
            }
            if serves {
                pause = if self.launch.is_some() { self.readiness.period } else { GLANCE };
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 3 / 2).min(LONGEST_PAUSE).min(self.readiness.period);
        }
    }

    /// Where only the port accepting is asked, the process running says the rest.
    fn once_is_enough(&self) -> bool {
        self.readiness.check == Check::Accepts && self.launch.is_some()
    }

    async fn ask_once(&self) -> Answer {
        match &self.readiness.check {
            Check::Accepts => self.accepts(Some(self.ports.main())).await,
            Check::Tcp(port) => self.accepts(self.ports.target(self.container, port)).await,
            Check::Http { port, path, fields } => self.get(port, path, fields).await,
            Check::Exec(command) => self.run(command).await,
        }
    }

    async fn accepts(&self, port: Option<u16>) -> Answer {
        match self.connect(port).await {
            Ok((stream, address)) => {
                drop(stream);
                Answer::Yes(address)
            }
            Err(reason) => Answer::No(reason),
        }
    }

    async fn connect(&self, port: Option<u16>) -> Result<(TcpStream, IpAddr), String> {
        let Some(port) = port else { return Err("the probe names a port that no container port has".into()) };
        let both = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        let one = self.address.map(|address| [address]);
        for address in one.as_ref().map_or(&both[..], |one| &one[..]) {
            let connecting = TcpStream::connect(SocketAddr::new(*address, port));
            if let Ok(Ok(stream)) = timeout(self.readiness.timeout, connecting).await {
                return Ok((stream, *address));
            }
        }
        Err(match self.launch {
            Some(_) => format!("nothing listens on port {port} yet; the process has to listen on $PORT"),
            None => format!("nothing listens on port {port}; start it, or correct the annotation"),
        })
    }

    async fn get(&self, port: &str, path: &str, fields: &[(String, String)]) -> Answer {
        let (mut stream, address) = match self.connect(self.ports.target(self.container, port)).await {
            Ok(connected) => connected,
            Err(reason) => return Answer::No(reason),
        };
        let status = timeout(self.readiness.timeout, status_of(&mut stream, path, fields)).await;
        match status {
            Ok(Some(200..=399)) => Answer::Yes(address),
            Ok(Some(status)) => Answer::No(format!("its readiness probe {path} answers {status}")),
            Ok(None) => Answer::No(format!("its readiness probe {path} answers no HTTP")),
            Err(_) => Answer::No(format!("its readiness probe {path} does not answer in time")),
        }
    }

    async fn run(&self, command: &[String]) -> Answer {
        let address = self.address.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let (Some(like), Some((program, arguments))) = (self.launch, command.split_first()) else {
            return Answer::Yes(address);
        };
        // Through env(1), which finds a program as a shell does.
        let mut words = vec![program.clone()];
        words.extend(arguments.iter().cloned());
        let launch = Launch {
            program: "/usr/bin/env".into(),
            arguments: words,
            grace: Duration::ZERO,
            ..like.clone()
        };
        let Ok(mut process) = Process::start_silent(self.synkronic, self.supervisors, &launch) else {
            return Answer::No(format!("its readiness probe `{program}` cannot be started"));
        };
        match timeout(self.readiness.timeout, process.ended()).await {
            Ok(Ok(status)) if status.success() => Answer::Yes(address),
            Ok(_) => Answer::No(format!("its readiness probe `{program}` says no")),
            Err(_) => Answer::No(format!("its readiness probe `{program}` does not end in time")),
        }
    }
}

/// The status of one GET; none where what comes back is no HTTP.
async fn status_of(stream: &mut TcpStream, path: &str, fields: &[(String, String)]) -> Option<u16> {
    let mut head = format!("GET {path} HTTP/1.1\r\nUser-Agent: kube-probe/synkronic\r\nAccept: */*\r\n");
    if !fields.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        head.push_str("Host: localhost\r\n");
    }
    for (name, value) in fields {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("Connection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await.ok()?;
    let mut line = [0; 12];
    stream.read_exact(&mut line).await.ok()?;
    let line = std::str::from_utf8(&line).ok()?;
    line.strip_prefix("HTTP/1.")?.get(2..)?.trim().parse().ok()
}
