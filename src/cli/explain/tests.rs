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
    simulate(manifests::read(&[shop()])).explain(&described)
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

#[test]
fn what_is_refused_is_not_served_and_what_was_is_not_known() {
    let text = "
{apiVersion: apps/v1, kind: Deployment, metadata: {name: shop}, spec: {selector: {matchLabels: {app: shop}},
  template: {metadata: {labels: {app: shop}}, spec: {containers: [{name: web, image: 'shop:1'}]}}}}
---
{apiVersion: v1, kind: Service, metadata: {name: shop}, spec: {selector: {app: shop}, ports: [{port: 80}]}}
---
{apiVersion: kyaninus.com/v1, kind: DeploymentVersion, metadata: {name: shop-version-2}, spec: {}}
---
";
    let router = |spec: &str| {
        let kind = "{apiVersion: kyaninus.com/v1, kind: Router, metadata: {name: shop}";
        let router = format!(
            "{kind}, status: {{active: version-2}}, spec: {{base: shop, hosts: [shop.test]{spec}}}}}"
        );
        manifests::parse("shop.yaml", format!("{text}{router}").as_bytes())
    };
    let described = Described::parse("GET", "shop.test/", &[] as &[&str], None).unwrap();
    let sound = simulate(router(""));
    assert_eq!(sound.remarks, [].into());
    assert_eq!(sound.explain(&described).outcome.version.as_deref(), Some("base"));
    let typo = simulate(router(", pathh: '/{version}'"));
    let lines: Vec<_> = typo.remarks.iter().map(|(_, _, line)| line.as_str()).collect();
    assert!(
        lines.iter().any(|line| line.contains("shop.yaml:9: Router default/shop: spec.pathh: ")),
        "{lines:?}"
    );
    assert_eq!(typo.explain(&described).outcome.result, "no-host");
}
