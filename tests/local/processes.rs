//! Which processes of a test are there, told by a mark in their environment.

use std::time::{Duration, Instant};

/// A mark that no other test's processes bear.
pub fn mark(test: &str) -> String {
    format!("{test}-{}", std::process::id())
}

/// The processes whose environment holds `SYNKRONIC_TEST_MARK=<mark>`, or `TEST_MARK=<mark>`.
pub fn marked(mark: &str) -> Vec<i32> {
    let wanted = format!("TEST_MARK={mark}");
    let entries = std::fs::read_dir("/proc").expect("these tests need /proc").flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let bears = |pid: &i32| {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == wanted.as_bytes())
    };
    pids.filter(bears).collect()
}

/// Waits until `done` says so; how long that takes decides nothing, that it never happens does.
pub fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !done() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
