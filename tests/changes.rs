//! A thousand changes of the table under load: no answer fails, and none comes from another version.
//!
//! Needs `wrk`, so `tests/run` runs it. The versions are `synkronic echo` servers in this process, each of which
//! says who it is; `bench/changes.lua` compares that with the host it asked and with the edge's own header.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod program;

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use program::{Program, get};
use synkronic::echo::{Bound, Voice};
use tokio_util::sync::CancellationToken;

/// Versions with a host that the load asks for; one more comes and goes.
const VERSIONS: usize = 8;
const CHANGES: usize = 1_000;
const PAUSE: Duration = Duration::from_millis(10);

/// Servers that say they are version-0, version-1, ….
fn echoes(runtime: &tokio::runtime::Runtime, stop: &CancellationToken) -> Vec<SocketAddr> {
    let bind = |number| {
        let voice = Voice { version: format!("version-{number}"), links: Vec::new(), ..Voice::default() };
        let bound = runtime.block_on(Bound::bind(([127, 0, 0, 1], 0).into(), voice)).unwrap();
        let address = bound.address().unwrap();
        runtime.spawn(bound.serve(stop.clone(), Duration::ZERO));
        address
    };
    (0..VERSIONS + 2).map(bind).collect()
}

fn base(address: SocketAddr) -> String {
    format!(
        r#"apiVersion: apps/v1
kind: Deployment
metadata: {{name: shop, namespace: shop}}
spec:
  selector: {{matchLabels: {{app: shop}}}}
  template:
    metadata:
      labels: {{app: shop}}
      annotations: {{kyaninus.com/local-endpoint: "{address}"}}
    spec:
      containers: [{{name: web, image: shop, ports: [{{name: http, containerPort: 8080}}]}}]
---
apiVersion: v1
kind: Service
metadata: {{name: shop, namespace: shop}}
spec:
  selector: {{app: shop}}
  ports: [{{name: http, port: 80, targetPort: http}}]
"#
    )
}

fn version(number: usize, address: SocketAddr) -> String {
    format!(
        r#"apiVersion: kyaninus.com/v1
kind: DeploymentVersion
metadata: {{name: shop-version-{number}, namespace: shop}}
spec:
  deploymentSpec: {{template: {{metadata: {{annotations: {{kyaninus.com/local-endpoint: "{address}"}}}}}}}}
---
"#
    )
}

fn router(active: &str, rules: &str) -> String {
    format!(
        r"apiVersion: kyaninus.com/v1
kind: Router
metadata: {{name: shop, namespace: shop}}
spec: {{base: shop, hosts: [shop.example.com], active: {active}{rules}}}
"
    )
}

/// As editors do it: a new file takes the old one's place.
fn write(folder: &Path, name: &str, text: &str) {
    let new = folder.join(format!(".{name}.new"));
    std::fs::write(&new, text).unwrap();
    std::fs::rename(new, folder.join(name)).unwrap();
}

/// The active version moves, a version comes and goes, a rule comes and goes: in turn.
fn change(folder: &Path, number: usize, addresses: &[SocketAddr]) {
    let rule = ", rules: [{name: qa, match: [{headers: [{name: X-QA-Team, exact: blue}]}], send: version-3}]";
    match number % 4 {
        0 => write(folder, "router.yaml", &router("version-2", "")),
        1 => write(folder, "extra.yaml", &version(VERSIONS + 1, addresses[VERSIONS + 1])),
        2 => write(folder, "router.yaml", &router("version-1", rule)),
        _ => std::fs::remove_file(folder.join("extra.yaml")).unwrap(),
    }
}

#[test]
#[ignore = "needs wrk: tests/run sets it up"]
fn a_thousand_changes_fail_nothing_and_misroute_nothing() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let stop = CancellationToken::new();
    let addresses = echoes(&runtime, &stop);
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, "base.yaml", &base(addresses[0]));
    write(folder, "router.yaml", &router("version-1", ""));
    let versions = (0..=VERSIONS).fold(String::new(), |mut all, number| {
        let _ = write!(all, "{}", version(number, addresses[number]));
        all
    });
    write(folder, "versions.yaml", &versions);
    let program = Program::local(folder, "version-8.shop.example.com");
    let before = program.metric("synkronic_table_generation");

    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("bench/changes.lua");
    let seconds = (PAUSE * u32::try_from(CHANGES).unwrap()).as_secs() + 5;
    let load = Command::new("wrk")
        .args(["-t1", "-c32", &format!("-d{seconds}s"), "--timeout", "10s", "-s"])
        .arg(script)
        .args([&format!("http://127.0.0.1:{}", program.port), "--", &VERSIONS.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .expect("wrk is installed, else run tests/run");
    for number in 0..CHANGES {
        change(folder, number, &addresses);
        std::thread::sleep(PAUSE);
    }
    let output = load.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);

    let summary = said.lines().find(|line| line.starts_with("checked=")).unwrap_or_else(|| panic!("{said}"));
    println!("{summary}");
    assert!(summary.contains(" failed=0 misrouted=0 broken=0 "), "{summary}");
    let checked = summary.split(['=', ' ']).nth(1).and_then(|count| count.parse().ok()).unwrap_or(0);
    assert!(checked > 1_000, "the load ran: {summary}");
    let tables = program.metric("synkronic_table_generation") - before;
    assert!(tables >= 100, "the table followed the files: {tables} tables for {CHANGES} changes");
    // What the files say last is what is served last; a file may be away for a moment before that counts.
    let last = || get(program.port, "version-9.shop.example.com", "/").unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while !last().starts_with("HTTP/1.1 404") {
        assert!(Instant::now() < deadline, "the version that was deleted is gone: {}", last());
        std::thread::sleep(PAUSE);
    }
    stop.cancel();
}
