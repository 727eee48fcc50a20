//! Each folder or file of `tests/golden/check` beside the `.txt` that says what is found in it.
//!
//! `BLESS=1 cargo test --lib golden` writes the expected texts anew; read them before they are committed.

use std::path::{Path, PathBuf};

use super::*;

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/check")
}

/// The verdicts on one golden manifest, with paths as seen from its folder.
fn verdicts_of(path: &Path) -> verdict::Verdicts {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap();
    verdict::judge(manifests::parse(name, &std::fs::read(path).unwrap()), &Settings::default())
}

fn cases() -> Vec<PathBuf> {
    let mut files = manifests::list(&golden()).unwrap().files;
    files.retain(|file| !is_good(file));
    files
}

fn is_good(file: &Path) -> bool {
    file.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with("good"))
}

#[test]
fn golden_each_broken_manifest_is_named_with_its_line_and_the_way_out() {
    let bless = std::env::var_os("BLESS").is_some();
    let mut wrong = String::new();
    for file in cases() {
        let verdicts = verdicts_of(&file);
        let found = print::text(&verdicts, true);
        let expected = file.with_extension("txt");
        if bless {
            std::fs::write(&expected, &found).unwrap();
        } else if std::fs::read_to_string(&expected).unwrap_or_default() != found {
            wrong.push_str(&format!("{}:\n{found}\n", file.display()));
        }
    }
    assert_eq!(wrong, "", "verdicts differ from their .txt");
}

#[test]
fn golden_there_are_at_least_twenty_and_each_file_says_which_word_it_expects() {
    let mut rejected = 0;
    for file in cases() {
        let verdicts = verdicts_of(&file);
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        // The first line of each: `# expect: <line> <words of the verdict>`, written before the output was.
        let Some(expectation) = text.lines().next().and_then(|line| line.strip_prefix("# expect: ")) else {
            continue;
        };
        let (line, words) = expectation.split_once(' ').unwrap();
        let name = file.file_name().unwrap().to_str().unwrap();
        let found = print::text(&verdicts, true);
        let hit =
            found.lines().any(|said| said.starts_with(&format!("{name}:{line}: ")) && said.contains(words));
        assert!(hit, "{name} should say `{words}` of line {line}, but says:\n{found}");
        rejected += usize::from(verdicts.is_rejected());
    }
    assert!(rejected >= 20, "only {rejected} broken manifests are rejected");
}

#[test]
fn golden_the_good_ones_are_good() {
    let good: Vec<PathBuf> =
        manifests::list(&golden()).unwrap().files.into_iter().filter(|it| is_good(it)).collect();
    assert!(good.len() >= 2);
    for file in good {
        let verdicts = verdicts_of(&file);
        assert!(!verdicts.is_rejected() && !verdicts.objects.is_empty());
        // Where there are warnings, they are these.
        let expected = std::fs::read_to_string(file.with_extension("txt")).unwrap_or_default();
        assert_eq!(print::text(&verdicts, true), expected, "{}", file.display());
    }
}

#[test]
fn what_the_administrator_allows_is_allowed() {
    let settings = Settings { allowed_overlays: [OverlayRight::Privileged].into(), ..Settings::default() };
    let reading = manifests::parse("a", &std::fs::read(golden().join("privileged.yaml")).unwrap());
    assert!(!verdict::judge(reading, &settings).is_rejected());
}

#[test]
fn json_says_the_same() {
    let reading = manifests::parse(
        "a.yaml",
        b"apiVersion: kyaninus.com/v1\nkind: Router\nmetadata: {name: a}\nspec:\n  base: b\n  hosts: [a.b]\n  actve: c\n",
    );
    let verdicts = verdict::judge(reading, &Settings::default());
    let document: serde_json::Value = serde_json::from_str(&print::json(&verdicts, true).unwrap()).unwrap();
    assert_eq!(document["rejected"], true);
    assert_eq!(document["objects"][0]["verdict"], "rejected");
    assert_eq!(document["objects"][0]["notes"][0]["line"], 7);
    assert_eq!(document["objects"][0]["notes"][0]["field"], "spec.actve");
    assert_eq!(document["objects"][0]["notes"][0]["reason"], "UnknownField");
    assert_eq!(print::summary(&verdicts), "1 object: 1 rejected");
}
