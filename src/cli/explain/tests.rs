//! The example's manifests, asked without running them.

use std::path::PathBuf;

use super::simulate::simulate;
use crate::local::manifests;
use crate::routes::Described;
use crate::routes::explain::{Explanation, Verdict};

fn shop() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/manifests/examples/shop"))
}

fn explain(url: &str, headers: &[&str]) -> Explanation {
    let described = Described::parse("GET", url, headers, None).unwrap();
    simulate(&manifests::read(&[shop()])).explain(&described)
}

#[test]
fn the_example_without_running_it() {
    for (url, headers, version, reason) in [
        ("http://shop.localhost:8080/", &[][..], "base", "active"),
        ("version-2.shop.localhost/", &[], "version-2", "subdomain"),
        ("shop.localhost/version-1/", &[], "version-1", "path"),
        ("shop.localhost/", &["X-QA-Team: blue"], "version-3", "rule:qa-blue"),
    ] {
        let outcome = explain(url, headers).outcome;
        assert_eq!(outcome.result, "serve", "{url}: {}", outcome.sentence);
        assert_eq!(
            (outcome.version.as_deref(), outcome.reason.as_deref()),
            (Some(version), Some(reason)),
            "{url}"
        );
    }
    assert_eq!(explain("nobody.localhost/", &[]).outcome.result, "no-host");
    assert_eq!(explain("version-9.shop.localhost/", &[]).outcome.status, Some(404));
}

#[test]
fn each_step_says_why() {
    let explanation = explain("shop.localhost/", &["X-QA-Team: red"]);
    let rules = explanation.steps.iter().find(|step| step.step == "rules").unwrap();
    assert_eq!(rules.verdict, Verdict::DoesNotApply);
    let text = explanation.to_string();
    for part in
        ["Router ", "no   header `x-qa-team` is `blue`", "the version `base` answers (reason: active)"]
    {
        assert!(text.contains(part), "{part} in\n{text}");
    }
    let json = serde_json::to_string(&explanation).unwrap();
    assert_eq!(serde_json::from_str::<Explanation>(&json).unwrap(), explanation);
}
