use serde_json::json;

use super::*;

fn flaws(object: Value) -> Vec<String> {
    static JUDGE: std::sync::LazyLock<Judge> = std::sync::LazyLock::new(Judge::new);
    let flaws = JUDGE.judge(&object).unwrap();
    flaws.into_iter().map(|flaw| format!("{}: {}", flaw.field, flaw.message)).collect()
}

fn router(spec: Value) -> Vec<String> {
    flaws(json!({"apiVersion": "kyaninus.com/v1", "kind": "Router", "metadata": {"name": "a"}, "spec": spec}))
}

fn version(spec: Value) -> Vec<String> {
    flaws(json!({
        "apiVersion": "kyaninus.com/v1", "kind": "DeploymentVersion", "metadata": {"name": "a"}, "spec": spec
    }))
}

#[test]
fn the_contracts_samples_have_no_flaw() {
    assert_eq!(
        version(json!({
            "name": "my-app-deploy-version-1", "namespace": "my-app-namespace",
            "deploymentSpec": {"replicas": 1, "template": {"spec": {"containers": [{"name": "manager"}]}}},
        })),
        Vec::<String>::new()
    );
    assert_eq!(
        router(json!({
            "base": "shop", "service": "shop", "port": "http", "hosts": ["shop.example.com", "*.shop.example.com"],
            "versions": ["version-*", "pr-*"], "subdomain": "{version}.{host}", "path": "/{version}",
            "active": "version-2",
            "rules": [
                {"name": "qa-blue", "send": "version-3", "match": [
                    {"headers": [{"name": "X-QA-Team", "exact": "blue"}]},
                    {"cookies": [{"name": "qa", "exact": "blue"}]}]},
                {"name": "office", "send": "version-3", "match": [
                    {"clientCidrs": ["10.0.0.0/8", "2001:db8::/32"], "methods": ["GET"],
                     "paths": [{"prefix": "/checkout"}], "query": [{"name": "beta", "present": true}]}]},
            ],
            "onUnavailable": {"rules": "fail"}, "override": {"header": "X-Synkronic-Version"},
            "listVersions": false, "timeouts": {"connect": "1s", "response": "1m30s", "idle": "300s"},
            "retries": {"attempts": 1},
        })),
        Vec::<String>::new()
    );
    assert_eq!(Judge::new().judge(&json!({"apiVersion": "apps/v1", "kind": "Deployment"})), None);
}

#[test]
fn a_group_alone_is_ours_and_no_version() {
    let router = json!({"apiVersion": "kyaninus.com", "kind": "Router", "metadata": {"name": "a"},
        "spec": {"base": "a", "hosts": ["a.b"]}});
    assert_eq!(flaws(router), ["apiVersion: `kyaninus.com` names no version; write `kyaninus.com/v1`"]);
    assert_eq!(Judge::new().judge(&json!({"apiVersion": "v1", "kind": "Router"})), None);
}

#[test]
fn flaws_name_field_and_way_out() {
    let with = |key: &str, value: Value| {
        let mut spec = json!({"base": "shop", "hosts": ["shop.example.com"]});
        spec[key] = value;
        router(spec)
    };
    let rule = |entry: Value| with("rules", json!([{"name": "a", "send": "b", "match": [entry]}]));
    let cases = [
        (with("host", json!("a")), "spec.host: there is no field `host`; did you mean `hosts`?"),
        (
            with("hosts", json!("a.b")),
            "spec.hosts: a list belongs here, not the text `a.b`; write it as an entry of a list, as [a, b]",
        ),
        (with("hosts", json!([])), "spec.hosts: 0 entries are too few; write at least 1"),
        (with("hosts", json!(["a.b", "a.b"])), "spec.hosts[1]: `a.b` is listed twice; keep one"),
        (
            with("hosts", json!(["https://a.b/c"])),
            "spec.hosts[0]: `https://a.b/c` does not fit: write a host name without scheme, port and path, as `shop.example.com` or `*.example.com`",
        ),
        (
            with("hosts", (0..17).map(|n| format!("h{n}.example.com")).collect()),
            "spec.hosts: 17 entries are more than the 16 that are taken",
        ),
        (with("active", json!(2)), "spec.active: text belongs here, not the number 2; put quotes around it"),
        (
            with("listVersions", json!("yes")),
            "spec.listVersions: true or false belongs here, not the text `yes`; leave the quotes out",
        ),
        (with("port", json!(70000)), "spec.port: 70000 is out of range; write a number from 1 to 65535"),
        (
            with("port", json!("HTTP")),
            "spec.port: `HTTP` does not fit: use lower-case letters, digits and inner dashes, as in `version-2`",
        ),
        (with("port", json!([1])), "spec.port: a number or text belongs here, not a list"),
        (
            with("subdomain", json!("{version}")),
            "spec.subdomain: must contain {version} and {host}, as \"{version}.{host}\" or \"{version}-{host}\"; \"\" turns subdomains off",
        ),
        (
            with("path", json!("/{version}")),
            "spec.path: with `path`, `versions` must name the ids on offer by patterns with a literal beginning, as [\"version-*\"], so that no version can take the application's own paths",
        ),
        (
            with("path", json!("/v{version}")),
            "spec.path: write \"/{version}\", or the same behind literal segments, as \"/preview/{version}\"; leave it out to turn paths off",
        ),
        (
            with("timeouts", json!({"idle": "1 minute"})),
            "spec.timeouts.idle: `1 minute` does not fit: write a duration, as `500ms`, `1s` or `1m30s`",
        ),
        (
            with("onUnavailable", json!({"rules": "base2"})),
            "spec.onUnavailable.rules: `base2` is none of `fail`, `active` and `base`",
        ),
        (
            with("retries", json!({"attempts": 9})),
            "spec.retries.attempts: 9 is out of range; write a number from 0 to 3",
        ),
        (
            rule(json!({})),
            "spec.rules[0].match[0]: an entry without a condition would take every request; write one, or set `active` instead",
        ),
        (
            rule(json!({"headers": [{"name": "a", "exact": "b", "regex": "c"}]})),
            "spec.rules[0].match[0].headers[0]: write exactly one of `exact`, `prefix`, `regex` and `present`",
        ),
        (
            rule(json!({"headers": [{"name": "x_y", "exact": "b"}]})),
            "spec.rules[0].match[0].headers[0].name: `x_y` does not fit: use letters, digits and dashes, as in `X-QA-Team`",
        ),
        (
            rule(json!({"paths": [{"prefix": "checkout"}]})),
            "spec.rules[0].match[0].paths[0].prefix: `checkout` does not fit: begin it with `/`",
        ),
        (
            rule(json!({"clientCidrs": ["office"]})),
            "spec.rules[0].match[0].clientCidrs[0]: `office` does not fit: write an address range, as `10.0.0.0/8` or `2001:db8::/32`",
        ),
        (
            with("rules", json!([{"name": "a", "match": [{"methods": ["GET"]}]}])),
            "spec.rules[0]: `send` is missing: the version id to send them to",
        ),
        (
            router(json!({"hosts": ["a.b"]})),
            "spec: `base` is missing: the Deployment whose versions are routed",
        ),
        (
            version(json!({"version": "base"})),
            "spec.version: the version id `base` is the base's own; choose another",
        ),
        (
            version(json!({"version": ""})),
            "spec.version: an empty text says nothing; write one or leave the field out",
        ),
        (version(json!({"suspend": 1})), "spec.suspend: true or false belongs here, not the number 1"),
    ];
    for (found, expected) in cases {
        assert_eq!(found, [expected]);
    }
}

#[test]
fn null_is_absent_as_it_is_for_an_api_server() {
    let nulls = json!({"name": null, "services": null, "remove": null, "suspend": null});
    assert_eq!(version(nulls.clone()), Vec::<String>::new());
    let read: crate::api::DeploymentVersionSpec = serde_json::from_value(nulls).unwrap();
    assert_eq!(read, crate::api::DeploymentVersionSpec::default());
    assert_eq!(router(json!({"base": null, "hosts": ["a.b"]})).len(), 1);
    assert_eq!(router(json!({"base": "a", "hosts": [null]})).len(), 1);
}

#[test]
fn a_spec_without_required_fields_may_be_left_out() {
    let bare = |kind: &str| json!({"apiVersion": "kyaninus.com/v1", "kind": kind, "metadata": {"name": "a"}});
    assert_eq!(flaws(bare("DeploymentVersion")), Vec::<String>::new());
    assert_eq!(flaws(bare("Router")).len(), 1);
}

#[test]
fn overlays_are_left_to_who_knows_the_base() {
    assert_eq!(version(json!({"deploymentSpec": {"replcas": [null]}})), Vec::<String>::new());
    assert_eq!(
        version(json!({"deploymentSpec": []})),
        ["spec.deploymentSpec: an object belongs here, not a list"]
    );
}

#[test]
fn metadata_and_kind_are_judged_too() {
    let object = |kind: &str, version: &str, metadata: Value| {
        flaws(
            json!({"apiVersion": format!("kyaninus.com/{version}"), "kind": kind, "metadata": metadata, "spec": {}}),
        )
    };
    let named = json!({"name": "a"});
    assert_eq!(
        object("Route", "v1", named.clone()),
        ["kind: `kyaninus.com` has no kind `Route`; it has `DeploymentVersion` and `Router`"]
    );
    assert_eq!(
        object("DeploymentVersion", "v1alpha1", named),
        ["apiVersion: `kyaninus.com` has no version `v1alpha1`; write `kyaninus.com/v1`"]
    );
    assert_eq!(
        object("DeploymentVersion", "v1", json!({"name": "A_b", "annotations": {"kyaninus.com/build": 17}})),
        [
            "metadata.name: `A_b` does not fit: use lower-case letters, digits, inner dashes and dots, as in `shop`",
            "metadata.annotations[kyaninus.com/build]: text belongs here, not the number 17; put quotes around it",
        ]
    );
    assert_eq!(object("DeploymentVersion", "v1", json!(null)).len(), 1);
}

proptest::proptest! {
    /// Rules are asked of any value that has the right type, so none may trip over it.
    #[test]
    fn no_spec_makes_it_panic(key in "[a-z]{0,8}", text in ".{0,20}", number in proptest::prelude::any::<i64>()) {
        let mut spec = json!({"base": text, "hosts": [text, number], "rules": [{"name": text, "match": [{}]}]});
        spec[&key] = json!([{ &text: number }]);
        let _ = router(spec.clone());
        let _ = version(spec);
    }
}
