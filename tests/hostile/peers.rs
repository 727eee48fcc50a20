//! Independent readers of HTTP/1: h11 and llhttp as processes that are fed messages, Node, nginx and HAProxy as servers.
//!
//! nginx and HAProxy stand before an upstream of ours that tells each request back in `x-echo`; so does Node by itself.
//! All of them live in one folder, on Unix sockets, and end with the value that started them.

use std::io::{BufReader, Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

use sha1::{Digest as _, Sha1};

use super::reading::{self, Read, Request};
use super::rig::HANGS;
use super::scene::until;

/// A request as a peer read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    pub method: String,
    pub host: String,
    /// SHA-1 of the target.
    pub target: String,
    /// SHA-1 of the body.
    pub body: String,
}

impl Told {
    pub fn of(request: &Request) -> Self {
        let target: Vec<u8> = request.target.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
        Self {
            method: request.method.clone(),
            host: request.one("host").unwrap_or("-").to_owned(),
            target: sha1(&target),
            body: sha1(&request.body),
        }
    }

    fn echoed(text: &str) -> Option<Self> {
        let [method, host, target, body] = text.split(' ').collect::<Vec<_>>()[..] else { return None };
        let [method, host, target, body] = [method, host, target, body].map(str::to_owned);
        Some(Self { method, host, target, body })
    }
}

fn sha1(bytes: &[u8]) -> String {
    Sha1::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What a peer read of a connection's bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readings {
    pub requests: Vec<Told>,
    /// Why it read no further; nothing where it read all.
    pub refused: Option<String>,
}

/// Ends a process with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A process that reads messages.
pub struct Reader {
    process: Running,
}

impl Reader {
    /// `h11` or `llhttp`; both are Python packages.
    pub fn start(which: &str) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hostile/peers/read.py");
        let process = Command::new("python3")
            .arg(script)
            .arg(which)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 is there: tests/hostile/run sets it up");
        Self { process: Running(process) }
    }

    /// Has it read each message.
    pub fn read(&mut self, messages: &[Vec<u8>]) -> Vec<Readings> {
        let (mut into, out) = (self.process.0.stdin.take().unwrap(), self.process.0.stdout.take().unwrap());
        let mut out = BufReader::new(out);
        let readings = thread::scope(|scope| {
            let into = &mut into;
            scope.spawn(move || {
                for message in messages {
                    into.write_all(&u32::try_from(message.len()).unwrap().to_be_bytes()).unwrap();
                    into.write_all(message).unwrap();
                }
                into.flush().unwrap();
            });
            messages.iter().map(|_| line(&mut out)).collect()
        });
        self.process.0.stdin = Some(into);
        // Nothing is left in it: a line is asked for by each message.
        assert!(out.buffer().is_empty());
        self.process.0.stdout = Some(out.into_inner());
        readings
    }
}

fn line(out: &mut impl std::io::BufRead) -> Readings {
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    let read: serde_json::Value = serde_json::from_str(&line).expect("the reader ended; its error is above");
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let requests = read["requests"].as_array().unwrap().iter().map(|request| {
        let target: Vec<u8> =
            text(&request[1]).chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
        let host = match text(&request[2]) {
            host if host.is_empty() => "-".to_owned(),
            host => host,
        };
        Told { method: text(&request[0]), host, target: sha1(&target), body: text(&request[3]) }
    });
    let end = text(&read["end"]);
    Readings { requests: requests.collect(), refused: (end != "done").then_some(end) }
}

/// A server on a Unix socket.
pub struct Server {
    pub name: &'static str,
    socket: PathBuf,
    _process: Running,
}

/// Node, nginx and HAProxy, with their sockets in this folder.
pub fn servers(folder: &Path) -> Vec<Server> {
    let echo = UnixListener::bind(folder.join("echo.sock")).unwrap();
    thread::spawn(move || {
        for stream in echo.incoming() {
            let stream = stream.unwrap();
            thread::spawn(move || tell_back(stream));
        }
    });
    let peers = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hostile/peers");
    let configured = |name: &str| {
        let text = std::fs::read_to_string(peers.join(name)).unwrap();
        let path = folder.join(name);
        std::fs::write(&path, text.replace("DIR", folder.to_str().unwrap())).unwrap();
        path
    };
    let mut nginx = Command::new("nginx");
    nginx
        .arg("-p")
        .arg(folder)
        .arg("-c")
        .arg(configured("nginx.conf"))
        .arg("-e")
        .arg(folder.join("nginx.log"));
    let mut haproxy = Command::new("haproxy");
    haproxy.args(["-db", "-q", "-f"]).arg(configured("haproxy.cfg"));
    let mut node = Command::new("node");
    node.arg(peers.join("serve.js")).arg(folder.join("node.sock"));
    [("nginx", nginx), ("haproxy", haproxy), ("node", node)]
        .into_iter()
        .map(|(name, mut command)| {
            let process = command.stdin(Stdio::null()).spawn();
            let process =
                process.unwrap_or_else(|error| panic!("{name}: {error}: tests/hostile/run sets it up"));
            let socket = folder.join(format!("{name}.sock"));
            until(&format!("{name} does not listen"), || UnixStream::connect(&socket).is_ok());
            Server { name, socket, _process: Running(process) }
        })
        .collect()
}

/// The upstream behind nginx and HAProxy.
fn tell_back(mut stream: UnixStream) {
    let mut bytes = Vec::new();
    let mut piece = vec![0; 64 << 10];
    loop {
        match reading::any_request(&bytes) {
            Read::Whole(request, length) => {
                bytes.drain(..length);
                let Told { method, host, target, body } = Told::of(&request);
                let answer = format!(
                    "HTTP/1.1 200 OK\r\nx-echo: {method} {host} {target} {body}\r\ncontent-length: 0\r\n\r\n"
                );
                if stream.write_all(answer.as_bytes()).is_err() {
                    return;
                }
            }
            Read::Malformed(why) => {
                let _ = stream.write_all(
                    format!("HTTP/1.1 400 {why}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
                        .as_bytes(),
                );
                return;
            }
            Read::Partial(_) => match stream.read(&mut piece) {
                Ok(count @ 1..) => bytes.extend_from_slice(&piece[..count]),
                Ok(0) | Err(_) => return,
            },
        }
    }
}

impl Server {
    /// Sends each message on a connection of its own. Its last request must end the connection.
    pub fn read(&self, messages: &[Vec<u8>]) -> Vec<Readings> {
        messages.iter().map(|message| self.read_one(message)).collect()
    }

    fn read_one(&self, message: &[u8]) -> Readings {
        let mut stream = UnixStream::connect(&self.socket).unwrap();
        stream.set_read_timeout(Some(HANGS)).unwrap();
        // It may close before it has read all.
        let _ = stream.write_all(message);
        let mut bytes = Vec::new();
        let mut refused = None;
        if let Err(error) = stream.read_to_end(&mut bytes) {
            refused = Some(format!("{error}"));
        }
        let _ = stream.shutdown(Shutdown::Both);
        let mut requests = Vec::new();
        while !bytes.is_empty() && refused.is_none() {
            // Answers that tell have no body, whatever was asked; others end it.
            match reading::response(&bytes, "GET") {
                Read::Whole(answer, _) if answer.status == 100 => {
                    let end = bytes.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
                    bytes.drain(..end);
                }
                Read::Whole(answer, length) => {
                    bytes.drain(..length);
                    match answer.one("x-echo").and_then(Told::echoed) {
                        Some(told) if answer.status == 200 => requests.push(told),
                        Some(_) | None => refused = Some(answer.status.to_string()),
                    }
                }
                // Behind `HEAD` an answer of its own tells of a body that does not come.
                Read::Partial(_) => {
                    refused =
                        Some(String::from_utf8_lossy(&bytes).lines().next().unwrap_or_default().to_owned())
                }
                Read::Malformed(why) => panic!("{} answers {why}", self.name),
            }
        }
        Readings { requests, refused }
    }
}
