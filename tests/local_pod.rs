//! `synkronic local-pod`: nothing of a pod outlives it, however it ends.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

#[path = "local/processes.rs"]
mod processes;

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};

use processes::{mark, marked, wait_until};
use rustix::process::{Pid, Signal, kill_process};

/// Children in the background, one of them in a session of its own, and one whose parent is gone.
const FAMILY: &str = "sleep 1000 & setsid sleep 1000 & (setsid sh -c 'sleep 1000 & sleep 1000' &) ; wait";

fn start(mark: &str, grace_ms: u32, script: &str) -> Child {
    Command::new(env!("CARGO_BIN_EXE_synkronic"))
        .args(["local-pod", "--grace-ms", &grace_ms.to_string(), "--", "/bin/sh", "-c", script])
        .env("TEST_MARK", mark)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Its exit code. `Child::wait` would close the pipe first.
fn ended(mut child: Child) -> Option<i32> {
    let pipe = child.stdin.take();
    let code = child.wait().unwrap().code();
    drop(pipe);
    code
}

fn wait_for_family(mark: &str) {
    // The supervisor, the shell, its three sleeps, the shell in between and its two sleeps.
    wait_until("the family runs", || marked(mark).len() >= 7);
}

#[test]
fn the_end_of_the_pipe_is_the_end_of_all() {
    let mark = mark("pipe");
    let mut child = start(&mark, 60_000, FAMILY);
    wait_for_family(&mark);
    drop(child.stdin.take());
    wait_until("all are gone", || marked(&mark).is_empty() || child.try_wait().unwrap().is_some());
    child.wait().unwrap();
    assert_eq!(marked(&mark), []);
}

#[test]
fn an_order_ends_all_and_gives_time() {
    let mark = mark("order");
    let mut child = start(&mark, 60_000, &format!("trap 'sleep 0.2; exit 7' TERM; {FAMILY}"));
    wait_for_family(&mark);
    child.stdin.as_mut().unwrap().write_all(b"T").unwrap();
    assert_eq!(ended(child), Some(7));
    assert_eq!(marked(&mark), []);
}

#[test]
fn who_does_not_listen_is_killed() {
    let mark = mark("deaf");
    let mut child = start(&mark, 50, "trap '' TERM; while :; do sleep 1; done");
    wait_until("it runs", || marked(&mark).len() >= 3);
    child.stdin.as_mut().unwrap().write_all(b"T").unwrap();
    assert_eq!(ended(child), Some(128 + 9));
    assert_eq!(marked(&mark), []);
    let mut child = start(&mark, 60_000, "trap '' TERM; while :; do sleep 1; done");
    wait_until("it runs", || marked(&mark).len() >= 3);
    child.stdin.as_mut().unwrap().write_all(b"TK").unwrap();
    assert_eq!(ended(child), Some(128 + 9));
    assert_eq!(marked(&mark), []);
}

#[test]
fn a_signal_is_an_order() {
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let mark = mark("signal");
        let child = start(&mark, 60_000, &format!("trap 'exit 7' TERM; {FAMILY}"));
        wait_for_family(&mark);
        kill_process(Pid::from_child(&child), signal).unwrap();
        assert_eq!(ended(child), Some(7));
        assert_eq!(marked(&mark), []);
    }
}

#[test]
fn when_the_process_ends_so_does_what_it_left() {
    let mark = mark("left");
    let child = start(&mark, 60_000, "setsid sleep 1000 & exit 3");
    assert_eq!(ended(child), Some(3));
    assert_eq!(marked(&mark), []);
}

#[test]
fn a_killed_supervisor_takes_the_process_with_it() {
    let mark = mark("supervisor");
    let mut child = start(&mark, 60_000, "exec sleep 1000");
    let sleeps =
        |pid: &i32| std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default().starts_with(b"sleep\0");
    wait_until("it runs", || marked(&mark).iter().any(sleeps));
    child.kill().unwrap();
    child.wait().unwrap();
    wait_until("all are gone", || marked(&mark).is_empty());
}

#[test]
fn what_cannot_be_started_says_so() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_synkronic"));
    command.args(["local-pod", "--", "/nowhere/program"]).stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(said.contains("cannot start `/nowhere/program`"), "{said}");
    assert_eq!(ended(child), Some(127));
}
