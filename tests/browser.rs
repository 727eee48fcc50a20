//! The example in a browser: what its pages show, by host and by path, and two versions side by side.
//!
//! Needs a Chromium (`SYNKRONIC_CHROMIUM`, default `chromium`), so `tests/run` runs it. The screenshot stays in
//! the target folder as `two-versions.png`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod program;

use std::path::{Path, PathBuf};
use std::process::Command;

use program::Program;

/// The example, with all its versions served.
fn example() -> Program {
    let folder: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests/examples/shop");
    let mut program = Program::local(&folder, "shop.localhost");
    for version in ["version-1", "version-2", "version-3"] {
        assert!(program.serves(&format!("{version}.shop.localhost")), "the program ended");
    }
    program
}

/// Chromium without a screen, with a profile of its own; what it printed.
fn chromium(arguments: &[&str], url: &str) -> String {
    let profile = tempfile::tempdir().unwrap();
    let program = std::env::var("SYNKRONIC_CHROMIUM").unwrap_or_else(|_| "chromium".to_owned());
    let output = Command::new("timeout")
        .args([
            "60",
            &program,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
        ])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .args(["--disable-dev-shm-usage", "--virtual-time-budget=5000"])
        // Frames of other hosts in processes of their own would be painted later than the screenshot is taken.
        .args(["--disable-site-isolation-trials", "--disable-features=IsolateOrigins,site-per-process"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .args(arguments)
        .arg(url)
        .output()
        .unwrap_or_else(|error| panic!("{program} cannot be started, run tests/run: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} ended with {}: {said}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The text between the first `<tag …>` and its end.
fn element<'d>(dom: &'d str, tag: &str) -> &'d str {
    let inside = dom.split_once(&format!("<{tag}")).and_then(|(_, rest)| rest.split_once('>'));
    let text = inside.and_then(|(_, rest)| rest.split_once(&format!("</{tag}>")));
    text.unwrap_or_else(|| panic!("no <{tag}> in {dom}")).0
}

#[test]
#[ignore = "needs a Chromium: tests/run sets one up"]
fn pages_show_which_version_answered_and_link_to_each_other() {
    let program = example();
    let port = program.port;
    for (url, version, reason) in [
        (format!("http://shop.localhost:{port}/"), "base", "active"),
        (format!("http://version-1.shop.localhost:{port}/"), "version-1", "subdomain"),
        (format!("http://version-3.shop.localhost:{port}/"), "version-3", "subdomain"),
        (format!("http://shop.localhost:{port}/version-2/"), "version-2", "path"),
        (format!("http://localhost:{port}/version-2/"), "version-2", "path"),
    ] {
        let dom = chromium(&["--dump-dom"], &url);
        assert_eq!(element(&dom, "h1"), version, "{url}: {dom}");
        let header = element(&dom, "header");
        assert!(header.contains(reason), "{url} must say that `{reason}` chose it: {header}");
        let links = element(&dom, "nav");
        for sibling in ["version-1", "version-2", "version-3"] {
            assert!(links.contains(sibling), "{url} links to {sibling}: {links}");
        }
    }
}

#[test]
#[ignore = "needs a Chromium: tests/run sets one up"]
fn two_versions_side_by_side() {
    let program = example();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let frame = |version: &str| {
        let url = format!("http://{version}.shop.localhost:{}/", program.port);
        format!("<iframe src=\"{url}\" width=620 height=640 style=\"border:0\"></iframe>")
    };
    let shot = |name: &str, body: &str| {
        let (page, picture) = (folder.join(format!("{name}.html")), folder.join(format!("{name}.png")));
        std::fs::write(&page, format!("<!doctype html><body style=\"margin:0\">{body}")).unwrap();
        let _ = std::fs::remove_file(&picture);
        let screenshot = format!("--screenshot={}", picture.display());
        chromium(&[&screenshot, "--window-size=1260,640"], &format!("file://{}", page.display()));
        std::fs::read(&picture).expect("Chromium wrote the screenshot")
    };
    let blank = shot("blank", "");
    let shows = |picture: &[u8]| picture.starts_with(b"\x89PNG") && picture.len() > 3 * blank.len();
    // On a machine with too much to do the screenshot may still come before the frames' first paint.
    let painted = |name: &str, body: &str| {
        let picture = (0..5).map(|_| shot(name, body)).find(|picture| shows(picture));
        picture.unwrap_or_else(|| panic!("{name}: five screenshots show nothing"))
    };
    let both = painted("two-versions", &format!("{}{}", frame("version-1"), frame("version-2")));
    let twice = painted("one-version-twice", &format!("{}{}", frame("version-1"), frame("version-1")));
    assert!(both != twice, "the two versions differ on sight");
}
