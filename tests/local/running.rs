//! A running `synkronic local`, asked over HTTP and read as a person would.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::processes::{mark, marked, wait_until};

pub struct Running {
    child: Child,
    /// Marks every process that it starts.
    pub mark: String,
    /// Where it serves.
    pub port: u16,
    said: Arc<Mutex<Vec<String>>>,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

impl Answer {
    /// Who answered, by his own word.
    pub fn echo(&self) -> &str {
        self.headers.get("x-echo-version").map_or("nobody", String::as_str)
    }

    /// Whom the edge meant, and why.
    pub fn edge(&self) -> (&str, &str) {
        let header = |name: &str| self.headers.get(name).map_or("", String::as_str);
        (header("x-synkronic-version"), header("x-synkronic-reason"))
    }
}

impl Running {
    pub fn start(test: &str, folder: &Path) -> Self {
        Self::start_with(test, &[folder.to_str().unwrap()], None)
    }

    /// Starts it and waits until it says where it serves.
    pub fn start_with(test: &str, arguments: &[&str], input: Option<&str>) -> Self {
        let mark = mark(test);
        let mut child = Command::new(env!("CARGO_BIN_EXE_synkronic"))
            .arg("local")
            .args(arguments)
            .env("SYNKRONIC_LISTEN", "127.0.0.1:0")
            .env("TEST_MARK", &mark)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut pipe = child.stdin.take().unwrap();
        pipe.write_all(input.unwrap_or_default().as_bytes()).unwrap();
        drop(pipe);
        let said = Arc::new(Mutex::new(Vec::new()));
        collect(child.stdout.take().unwrap(), said.clone());
        collect(child.stderr.take().unwrap(), said.clone());
        let mut running = Self { child, mark, port: 0, said };
        wait_until("it says where it serves", || {
            let said = running.said();
            let at = said.split("serves at http://127.0.0.1:").nth(1).and_then(|rest| rest.split(';').next());
            running.port = at.and_then(|port| port.parse().ok()).unwrap_or(0);
            running.port != 0
        });
        running
    }

    /// Everything it has said so far.
    pub fn said(&self) -> String {
        self.said.lock().unwrap().join("\n")
    }

    /// Waits until it has said this.
    pub fn wait_for_words(&self, words: &str) {
        wait_until(&format!("`{words}` in what it says"), || self.said().contains(words));
    }

    /// What GET gives; none where the connection breaks.
    pub fn try_get(&self, host: &str, path: &str, headers: &str) -> Option<Answer> {
        let mut socket = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        socket.set_read_timeout(Some(Duration::from_secs(30))).ok()?;
        write!(socket, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n").ok()?;
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).ok()?;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n")?;
        let mut lines = head.lines();
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let headers = lines.filter_map(|line| line.split_once(": "));
        let headers = headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
        Some(Answer { status, headers, body: body.to_owned() })
    }

    pub fn get(&self, host: &str, path: &str) -> Answer {
        self.try_get(host, path, "").expect("an answer")
    }

    /// Waits until this host is answered by this one.
    pub fn wait_for(&self, host: &str, path: &str, who: &str) {
        wait_until(&format!("{who} answers at {host}{path}\n{}", self.said()), || {
            self.try_get(host, path, "").is_some_and(|answer| answer.echo() == who)
        });
    }

    /// Its processes, without itself.
    pub fn processes(&self) -> usize {
        marked(&self.mark).iter().filter(|pid| **pid != self.pid().as_raw_nonzero().get()).count()
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// Waits for its end; its exit code.
    pub fn ended(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = kill_process(self.pid(), Signal::TERM);
            let _ = self.child.wait();
        }
    }
}

/// Reads lines in a thread of its own, which ends with the pipe.
fn collect(from: impl Read + Send + 'static, into: Arc<Mutex<Vec<String>>>) {
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            into.lock().unwrap().push(line);
        }
    });
}
