//! `synkronic local` as a process of its own, for tests of the whole program. It refuses to know what is tested.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running `synkronic local`; ended, with all it started, when dropped.
pub struct Program {
    process: Child,
    /// Where it serves.
    pub port: u16,
    /// Where it tells of itself.
    pub admin: u16,
}

impl Program {
    /// Starts it on a folder of manifests and waits until `host` is served.
    ///
    /// It may find a port taken that was free a moment ago: others on this machine ask the kernel for ports too.
    /// Then it ends at once, and is started again on others.
    pub fn local(folder: &Path, host: &str) -> Self {
        for _ in 0..5 {
            let mut program = Self::start(folder);
            if program.serves(host) {
                return program;
            }
        }
        panic!("`synkronic local` ended each time it was started; what it said is above");
    }

    fn start(folder: &Path) -> Self {
        let [port, admin] = free_ports();
        let process = Command::new(env!("CARGO_BIN_EXE_synkronic"))
            .arg("local")
            .arg(folder)
            .args(["--listen", &format!("127.0.0.1:{port}"), "--admin", &format!("127.0.0.1:{admin}")])
            .stdin(Stdio::null())
            .spawn()
            .expect("the binary under test starts");
        Self { process, port, admin }
    }

    /// Whether a host is served before the program ends; fails where neither comes.
    pub fn serves(&mut self, host: &str) -> bool {
        let end = Instant::now() + Duration::from_secs(60);
        while !get(self.port, host, "/").is_some_and(|answer| answer.starts_with("HTTP/1.1 200")) {
            if !matches!(self.process.try_wait(), Ok(None)) {
                return false;
            }
            assert!(Instant::now() < end, "{host} is not served within 60 s");
            std::thread::sleep(Duration::from_millis(20));
        }
        true
    }

    /// The number of a metric without labels, 0 where it isn't there.
    #[allow(dead_code, reason = "each test takes what it needs")]
    pub fn metric(&self, name: &str) -> u64 {
        let text = get(self.admin, "localhost", "/metrics").unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|value| value.trim().parse().ok()).unwrap_or(0)
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

/// Ports that nobody holds now, each another: they are held together before they are let go.
fn free_ports<const N: usize>() -> [u16; N] {
    let held = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").expect("loopback has ports"));
    held.map(|one| one.local_addr().expect("a bound socket has an address").port())
}

/// One whole answer as text, on a connection of its own; nothing where there is none.
pub fn get(port: u16, host: &str, path: &str) -> Option<String> {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).ok()?;
    socket.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    write!(socket, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).ok()?;
    Some(String::from_utf8_lossy(&answer).into_owned())
}
