//! `synkronic check` and `synkronic crds` as a CI runs them: arguments in, lines and exit code out.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const BINARY: &str = env!("CARGO_BIN_EXE_synkronic");

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/check").join(name)
}

fn run(arguments: &[&str], input: &[u8]) -> (Option<i32>, String, String) {
    let mut child = Command::new(BINARY)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that reads no input may have closed it already.
    let _ = child.stdin.take().unwrap().write_all(input);
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

#[test]
fn good_manifests_are_accepted_and_each_is_named() {
    let file = golden("good.yaml");
    let (code, out, err) = run(&["check", file.to_str().unwrap()], b"");
    assert_eq!((code, err.as_str()), (Some(0), "4 objects: 0 rejected\n"));
    assert_eq!(out.lines().count(), 4);
    assert!(out.lines().all(|line| line.ends_with(": ok")), "{out}");
    let (code, out, _) = run(&["check", "--quiet", file.to_str().unwrap()], b"");
    assert_eq!((code, out.as_str()), (Some(0), ""));
}

#[test]
fn one_bad_among_several_fails_and_names_its_line() {
    let (good, bad) = (golden("good.yaml"), golden("router-unknown-field.yaml"));
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(&good, folder.path().join("a.yaml")).unwrap();
    std::fs::copy(&bad, folder.path().join("b.yaml")).unwrap();
    let (code, out, err) = run(&["check", "-q", folder.path().to_str().unwrap()], b"");
    assert_eq!(code, Some(1));
    let b = folder.path().join("b.yaml");
    let expected = format!("{}:29: Router shop/shop: spec.activ: there is no field", b.display());
    assert!(out.lines().any(|line| line.starts_with(&expected)), "{out}");
    assert!(err.contains("rejected"), "{err}");
}

#[test]
fn standard_input_is_a_dash_and_json_is_json() {
    let bad = std::fs::read(golden("tab.yaml")).unwrap();
    let (code, out, err) = run(&["check", "-o", "json", "-"], &bad);
    assert_eq!((code, err.as_str()), (Some(1), ""));
    let document: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(document["rejected"], true);
    assert_eq!(document["errors"][0]["file"], "-");
    assert_eq!(document["errors"][0]["line"], 29);
}

#[test]
fn an_empty_input_is_no_success() {
    for input in ["", "# nothing\n---\n"] {
        let (code, out, _) = run(&["check", "-"], input.as_bytes());
        assert_eq!(
            (code, out.as_str()),
            (Some(1), "-: standard input holds no object; did what writes it fail?\n")
        );
    }
}

#[test]
fn whoever_reads_no_further_is_no_failure() {
    let mut child =
        Command::new(BINARY).arg("crds").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let Output { status, stderr, .. } = child.wait_with_output().unwrap();
    assert_eq!((status.code(), String::from_utf8(stderr).unwrap()), (Some(0), String::new()));
}

#[test]
fn a_flag_in_the_environment_counts_as_typed() {
    let file = golden("good.yaml");
    for (value, lines) in [("1", 0), ("on", 0), ("", 4), ("false", 4)] {
        let output =
            Command::new(BINARY).arg("check").arg(&file).env("SYNKRONIC_QUIET", value).output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), lines, "{value}");
    }
}

#[test]
fn what_is_not_there_fails_with_a_sentence() {
    let (code, out, _) = run(&["check", "/nowhere/at/all.yaml"], b"");
    assert_eq!(code, Some(1));
    assert!(out.starts_with("/nowhere/at/all.yaml: this cannot be read: "), "{out}");
    let (code, _, err) = run(&["check"], b"");
    assert_eq!(code, Some(2), "{err}");
}

#[test]
fn crds_prints_what_the_folder_holds() {
    let (code, out, _) = run(&["crds"], b"");
    assert_eq!(code, Some(0));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
    let text = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    assert_eq!(out, format!("---\n{}---\n{}", text("deploymentversions.yaml"), text("routers.yaml")));
}
