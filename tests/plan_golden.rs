//! `synkronic render` of every folder in `tests/golden/plan`: `in.yaml` gives `out.yaml` and says `said.txt`.
//!
//! `SYNKRONIC_WRITE_GOLDEN=1 cargo test --test plan_golden` writes them anew; read the difference before it is
//! committed.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

use std::path::Path;
use std::process::{Command, Stdio};

#[test]
fn every_folder_renders_as_written() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/plan");
    let mut folders: Vec<_> = std::fs::read_dir(&root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    assert!(folders.len() >= 5, "the golden files are there");
    for folder in folders {
        let output = Command::new(env!("CARGO_BIN_EXE_synkronic"))
            .args(["render", "in.yaml"])
            .current_dir(&folder)
            .env_clear()
            .output()
            .unwrap();
        compare(&folder.join("out.yaml"), &String::from_utf8(output.stdout).unwrap());
        let code = output.status.code().unwrap();
        compare(
            &folder.join("said.txt"),
            &format!("{}exit {code}\n", String::from_utf8(output.stderr).unwrap()),
        );
    }
}

#[test]
fn folders_and_standard_input_render_alike() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/plan/sample");
    let wanted = std::fs::read_to_string(folder.join("out.yaml")).unwrap();
    let scratch = tempfile::tempdir().unwrap();
    std::fs::copy(folder.join("in.yaml"), scratch.path().join("all.yml")).unwrap();
    let render = |argument: &Path, input: Stdio| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_synkronic"));
        let output = command.arg("render").arg(argument).stdin(input).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(render(scratch.path(), Stdio::null()), wanted);
    let file = std::fs::File::open(folder.join("in.yaml")).unwrap();
    assert_eq!(render(Path::new("-"), file.into()), wanted);
}

#[test]
fn nothing_is_rendered_in_silence() {
    let scratch = tempfile::tempdir().unwrap();
    std::fs::write(scratch.path().join("broken.yaml"), "kind: [\n").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_synkronic"));
    let output = command.arg("render").arg(scratch.path()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("broken.yaml:") && said.contains("no DeploymentVersion"), "{said}");
    assert_eq!(
        Command::new(env!("CARGO_BIN_EXE_synkronic")).arg("render").output().unwrap().status.code(),
        Some(2)
    );
}

fn compare(path: &Path, found: &str) {
    if std::env::var_os("SYNKRONIC_WRITE_GOLDEN").is_some() {
        std::fs::write(path, found).unwrap();
    }
    let wanted = std::fs::read_to_string(path).unwrap_or_default();
    assert!(wanted == found, "{} differs; found:\n{found}", path.display());
}
