//! `synkronic run --snapshot` where no API server answers: it serves what it last knew, and says so.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

#[path = "program/listening.rs"]
mod listening;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use listening::listening;
use serde_json::json;
use socket2::{Domain, Socket, Type};
use synkronic::inventory::{Edit, Inventory, Object, snapshot};

const HANGS: Duration = Duration::from_secs(30);
const ANY: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 0);

/// A running program, ended with the test.
struct Program {
    child: Child,
    edge: SocketAddr,
    admin: SocketAddr,
    /// Bound for as long as the program runs, and never listened on.
    _nobody: Socket,
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Program {
    /// With a kubeconfig that leads to a port on which nobody listens. The kernel chooses the ports, and the
    /// program tells which.
    fn run(folder: &Path) -> Self {
        let kubeconfig = folder.join("kubeconfig");
        let nobody = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        nobody.bind(&SocketAddr::from(ANY).into()).unwrap();
        let server = nobody.local_addr().unwrap().as_socket().unwrap();
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: x\n\
             clusters: [{{name: x, cluster: {{server: 'http://{server}'}}}}]\n\
             contexts: [{{name: x, context: {{cluster: x, user: x}}}}]\nusers: [{{name: x, user: {{}}}}]\n"
        );
        std::fs::write(&kubeconfig, text).unwrap();
        let log = std::fs::File::create(folder.join("log")).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_synkronic"))
            .args(["run", "--role", "edge", "--workers", "1", "--drain-timeout", "1s"])
            .args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"])
            .arg("--kubeconfig")
            .arg(&kubeconfig)
            .arg("--snapshot")
            .arg(folder.join("snapshot"))
            .stdin(Stdio::null())
            .stderr(log)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let end = Instant::now() + HANGS;
        let (edge, admin) = loop {
            let log = std::fs::read_to_string(folder.join("log")).unwrap();
            if let Some(both) = listening(&log) {
                break both;
            }
            assert!(child.try_wait().unwrap().is_none() && Instant::now() < end, "{log}");
            std::thread::sleep(Duration::from_millis(20));
        };
        Self { child, edge, admin, _nobody: nobody }
    }

    /// Waits until `/readyz` answers with a status and with all of the words.
    fn tells(&self, status: &str, words: &[&str]) {
        let end = Instant::now() + HANGS;
        loop {
            let told = ask(self.admin, "x", "/readyz");
            if told.starts_with(status) && words.iter().all(|word| told.contains(word)) {
                return;
            }
            assert!(Instant::now() < end, "{words:?}: {told}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn ask(address: SocketAddr, host: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(HANGS)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// A base whose pods have not come yet: a host that is held, and a version that is known.
fn known() -> Vec<u8> {
    let meta = json!({"namespace": "n", "name": "shop"});
    let objects = [
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": {
            "selector": {"matchLabels": {"app": "shop"}}, "template": {"metadata": {"labels": {"app": "shop"}}}}}),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": meta,
            "spec": {"selector": {"app": "shop"}, "ports": [{"port": 80}]}}),
        json!({"apiVersion": "kyaninus.com/v1", "kind": "Router", "metadata": meta,
            "spec": {"base": "shop", "hosts": ["shop.test"]}}),
    ];
    let mut inventory = Inventory::default();
    inventory.update(objects.map(|value| Edit::Apply(Box::new(Object::read(value).unwrap().unwrap()))));
    snapshot::encode(&inventory, "2026-11-23T16:00:00Z".parse::<Timestamp>().unwrap())
}

#[test]
fn what_was_last_known_is_served_and_said_to_be_stale() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("snapshot"), known()).unwrap();
    let program = Program::run(folder.path());
    let end = Instant::now() + HANGS;
    let answer = loop {
        let answer = ask(program.edge, "shop.test", "/");
        if answer.starts_with("HTTP/1.1 503") || Instant::now() > end {
            break answer;
        }
    };
    assert!(answer.contains("x-synkronic-version: base"), "{answer}");
    let stale = "stale: what is served was known at 2026-11-23T16:00:00Z";
    program.tells("HTTP/1.1 200", &[stale, "the list of Routers"]);
    assert_eq!(
        std::fs::read(folder.path().join("snapshot")).unwrap(),
        known(),
        "what is stale is not written anew"
    );
}

#[test]
fn what_cannot_be_used_is_refused_with_a_sentence_and_the_start_goes_on() {
    let good = known();
    let mut damaged = good.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    let cases: [(&str, Option<Vec<u8>>, &str); 5] = [
        ("missing", None, "there is no snapshot yet"),
        ("damaged", Some(damaged), "its checksum does not match"),
        ("cut off", Some(good[..good.len() - 10].to_vec()), "it is cut off"),
        (
            "of another version",
            Some(b"{\"synkronic\":\"snapshot\",\"format\":99}\n".to_vec()),
            "it has format 99",
        ),
        ("foreign", Some(b"apiVersion: v1\nkind: Secret\n".to_vec()), "it is no snapshot of Synkronic"),
    ];
    for (name, bytes, sentence) in cases {
        let folder = tempfile::tempdir().unwrap();
        if let Some(bytes) = bytes {
            std::fs::write(folder.path().join("snapshot"), bytes).unwrap();
        }
        let program = Program::run(folder.path());
        assert!(ask(program.edge, "shop.test", "/").starts_with("HTTP/1.1 404"), "{name}");
        program.tells("HTTP/1.1 503", &["the list of Routers"]);
        // Ports are bound before anything is read.
        let log = || std::fs::read_to_string(folder.path().join("log")).unwrap();
        let end = Instant::now() + HANGS;
        while !log().contains(sentence) {
            assert!(Instant::now() < end, "{name}: {}", log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
