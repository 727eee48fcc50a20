//! Rules: each kind of condition, their order, and what happens where their version is away.

use serde_json::{Value, json};

use super::world::*;

/// A shop with one rule of these matches, to version-3.
fn with_match(matches: Value) -> World {
    World::shop(json!({"rules": [{"name": "r", "match": matches, "send": "version-3"}]}))
}

fn goes(world: &World, ask: &Ask) -> bool {
    let got = world.get(ask);
    assert!(got.starts_with("version-3 rule:r") || got.starts_with("base active"), "{got}");
    got.starts_with("version-3")
}

fn header(value: Value) -> World {
    let mut condition = value;
    condition["name"] = json!("X-QA-Team");
    with_match(json!([{"headers": [condition]}]))
}

#[test]
fn headers_by_value() {
    let ask = |value: &str| Ask::get("shop.example.com/").header("x-qa-team", value);
    for (condition, yes, no) in [
        (json!({"exact": "blue"}), vec!["blue"], vec!["Blue", "blue ", "blueish", "", "red"]),
        (json!({"prefix": "bl"}), vec!["blue", "bl"], vec!["b", "Blue", "a-blue"]),
        (json!({"prefix": ""}), vec!["", "x"], vec![]),
        (json!({"regex": "bl(ue|ack)"}), vec!["blue", "black"], vec!["blues", "a blue", "bl"]),
        (json!({"regex": "a|ab"}), vec!["a", "ab"], vec!["abc"]),
        (json!({"regex": "(?i)blue"}), vec!["BLUE"], vec!["BLUES"]),
        (json!({"regex": ""}), vec![""], vec!["x"]),
        (json!({"present": true}), vec!["blue", ""], vec![]),
        (json!({"present": false}), vec![], vec!["blue", ""]),
    ] {
        let world = header(condition.clone());
        // hyper strips the spaces around a value; one inside the tests' quotes is one that came through.
        for value in yes {
            assert!(goes(&world, &ask(value)), "{condition} {value:?}");
        }
        for value in no {
            assert!(!goes(&world, &ask(value)), "{condition} {value:?}");
        }
    }
    assert!(!goes(&header(json!({"exact": ""})), &Ask::get("shop.example.com/")));
    assert!(goes(&header(json!({"present": false})), &Ask::get("shop.example.com/")));
}

#[test]
fn what_a_peer_says_of_others_counts_if_it_is_believed() {
    for name in [
        "Forwarded",
        "X-Real-IP",
        "X-Forwarded-For",
        "X-Forwarded-Anything",
        "X-Original-URL",
        "X-Rewrite-URL",
    ] {
        let ask = Ask::get("shop.example.com/").header(name, "blue");
        let world = with_match(json!([{"headers": [{"name": name, "exact": "blue"}]}]));
        assert!(!goes(&world, &ask) && goes(&world, &ask.clone().trusted()), "{name}");
        let world = with_match(json!([{"headers": [{"name": name, "present": false}]}]));
        assert!(goes(&world, &ask) && !goes(&world, &ask.trusted()), "{name}");
    }
}

#[test]
fn header_names_know_no_case() {
    let world = with_match(json!([{"headers": [{"name": "x-Qa-TEAM", "exact": "blue"}]}]));
    assert!(goes(&world, &Ask::get("shop.example.com/").header("X-QA-Team", "blue")));
}

#[test]
fn any_line_of_a_header_counts() {
    let ask = Ask::get("shop.example.com/").header("x-qa-team", "red").header("x-qa-team", "blue");
    assert!(goes(&header(json!({"exact": "blue"})), &ask));
    assert!(goes(&header(json!({"exact": "red"})), &ask));
    assert!(!goes(&header(json!({"exact": "red, blue"})), &ask));
    assert!(!goes(&header(json!({"present": false})), &ask));
}

#[test]
fn bytes_that_are_no_text_match_what_they_are() {
    let ask = |value: &[u8]| Ask::get("shop.example.com/").header_bytes("x-qa-team", value);
    assert!(goes(&header(json!({"exact": "blü"})), &ask("blü".as_bytes())));
    assert!(goes(&header(json!({"present": true})), &ask(&[0xff, 0xfe])));
    assert!(!goes(&header(json!({"regex": ".*"})), &ask(&[0xff, 0xfe])));
}

#[test]
fn cookies_of_every_line() {
    let exact = with_match(json!([{"cookies": [{"name": "qa", "exact": "blue"}]}]));
    let ask = |lines: &[&str]| {
        lines.iter().fold(Ask::get("shop.example.com/"), |ask, line| ask.header("cookie", line))
    };
    for lines in [
        &["qa=blue"][..],
        &["a=b; qa=blue"],
        &["qa=blue; a=b"],
        &["a=b", "qa=blue"],
        &["qa=red; qa=blue"],
        &["a=b;qa=blue;c=d"],
        &["; ; qa=blue;"],
        &[" qa = blue "],
    ] {
        assert!(goes(&exact, &ask(lines)), "{lines:?}");
    }
    for lines in [
        &[][..],
        &["qa"],
        &["qa=Blue"],
        &["QA=blue"],
        &["xqa=blue"],
        &["qa=\"blue\""],
        &["qa=blue=2"],
        &["a=qa=blue"],
        &["qa=blu"],
        &["a=b, qa=blue"],
    ] {
        assert!(!goes(&exact, &ask(lines)), "{lines:?}");
    }
    let present = with_match(json!([{"cookies": [{"name": "qa", "present": true}]}]));
    assert!(goes(&present, &ask(&["qa="])));
    assert!(!goes(&present, &ask(&["q=a"])));
}

#[test]
fn query_parameters_are_decoded() {
    let by = |condition: Value| {
        let mut condition = condition;
        condition["name"] = json!("be ta");
        with_match(json!([{"query": [condition]}]))
    };
    let ask = |query: &str| Ask::get(&format!("shop.example.com/?{query}"));
    let exact = by(json!({"exact": "a b+c"}));
    assert!(goes(&exact, &ask("be%20ta=a%20b%2Bc")));
    assert!(goes(&exact, &ask("x=1&be+ta=a+b%2bc&y=2")));
    assert!(goes(&exact, &ask("be+ta=no&be+ta=a+b%2bc")));
    assert!(!goes(&exact, &ask("be+ta=a+b+c")));
    assert!(!goes(&exact, &ask("BE+ta=a+b%2Bc")));
    assert!(!goes(&exact, &Ask::get("shop.example.com/")));
    let prefix = by(json!({"prefix": "a "}));
    assert!(goes(&prefix, &ask("be+ta=a+x")) && goes(&prefix, &ask("be+ta=a%20")));
    assert!(!goes(&prefix, &ask("be+ta=a")));
    let regex = by(json!({"regex": "[0-9]+( x)?"}));
    assert!(
        goes(&regex, &ask("be+ta=12")) && goes(&regex, &ask("be+ta=12+x")) && goes(&regex, &ask("be+ta=%31"))
    );
    assert!(!goes(&regex, &ask("be+ta=12+")) && !goes(&regex, &ask("be+ta=a12")));
    let present = by(json!({"present": true}));
    assert!(goes(&present, &ask("be+ta")) && goes(&present, &ask("&&be+ta=")));
    assert!(!goes(&present, &ask("be+ta2=1")) && !goes(&present, &ask("")));
    assert!(goes(&by(json!({"exact": "100%"})), &ask("be+ta=100%")));
    assert!(goes(&by(json!({"exact": "%zz"})), &ask("be+ta=%zz")));
}

#[test]
fn a_decoded_value_longer_than_any_target_matches_no_expression() {
    let world = with_match(json!([{"query": [{"name": "q", "regex": "(?s).*"}]}]));
    let fits = format!("shop.example.com/?q=%20{}", "x".repeat(8 * 1024 - 1));
    assert!(goes(&world, &Ask::get(&fits)));
    assert!(!goes(&world, &Ask::get(&format!("{fits}x"))));
}

#[test]
fn client_addresses() {
    let world = with_match(json!([{"clientCidrs": ["10.0.0.0/8", "2001:db8::/32", "192.0.2.7"]}]));
    let ask = |client: &str| Ask::get("shop.example.com/").client(client);
    for inside in ["10.1.2.3", "10.0.0.0", "10.255.255.255", "2001:db8::1", "192.0.2.7", "::ffff:10.9.9.9"] {
        assert!(goes(&world, &ask(inside)), "{inside}");
    }
    for outside in ["11.0.0.0", "9.255.255.255", "2001:db9::1", "192.0.2.8", "::ffff:11.0.0.1", "::1"] {
        assert!(!goes(&world, &ask(outside)), "{outside}");
    }
}

#[test]
fn methods_by_case() {
    let world = with_match(json!([{"methods": ["GET", "PROPFIND"]}]));
    let ask = |method: &str| Ask::get("shop.example.com/").method(method);
    assert!(goes(&world, &ask("GET")) && goes(&world, &ask("PROPFIND")));
    assert!(!goes(&world, &ask("POST")) && !goes(&world, &ask("get")));
}

#[test]
fn paths_by_whole_segments() {
    let by = |condition: Value| with_match(json!([{"paths": [condition]}]));
    let ask = |path: &str| Ask::get(&format!("shop.example.com{path}"));
    for (condition, yes, no) in [
        (
            json!({"prefix": "/checkout"}),
            vec!["/checkout", "/checkout/", "/checkout/a"],
            vec!["/checkouts", "/Checkout", "/"],
        ),
        (json!({"prefix": "/checkout/"}), vec!["/checkout", "/checkout/a"], vec!["/checkouts"]),
        (json!({"prefix": "/"}), vec!["/", "/a", "//"], vec![]),
        (json!({"prefix": "/version-1"}), vec!["/version-1/x"], vec!["/version-10", "/version-10/x"]),
        (json!({"exact": "/a"}), vec!["/a"], vec!["/a/", "/A", "/ab", "/%61"]),
        (json!({"regex": "/[a-c]+/?"}), vec!["/abc", "/a/"], vec!["/abcd", "/a//", "/"]),
    ] {
        let world = by(condition.clone());
        for path in yes {
            assert!(goes(&world, &ask(path)), "{condition} {path}");
        }
        for path in no {
            assert!(!goes(&world, &ask(path)), "{condition} {path}");
        }
    }
    let either = with_match(json!([{"paths": [{"exact": "/a"}, {"prefix": "/b"}]}]));
    assert!(goes(&either, &ask("/a")) && goes(&either, &ask("/b/c")) && !goes(&either, &ask("/a/c")));
}

#[test]
fn the_asterisk_is_under_no_path() {
    let world = with_match(json!([{"paths": [{"prefix": "/"}]}]));
    assert!(!goes(&world, &Ask::get("shop.example.com/").method("OPTIONS").path("*")));
}

#[test]
fn any_of_the_entries_and_all_of_one() {
    let world = with_match(json!([
        {"headers": [{"name": "a", "exact": "1"}, {"name": "b", "exact": "2"}], "methods": ["GET"]},
        {"cookies": [{"name": "c", "present": true}], "paths": [{"prefix": "/p"}]},
    ]));
    let ask = || Ask::get("shop.example.com/");
    assert!(!goes(&world, &ask().header("a", "1")));
    assert!(goes(&world, &ask().header("a", "1").header("b", "2")));
    assert!(!goes(&world, &ask().header("a", "1").header("b", "2").method("POST")));
    assert!(goes(&world, &Ask::get("shop.example.com/p/x").header("cookie", "c=")));
    assert!(!goes(&world, &ask().header("cookie", "c=")));
}

#[test]
fn the_first_rule_that_matches_decides() {
    let world = World::shop(json!({"rules": [
        {"name": "one", "match": [{"headers": [{"name": "a", "exact": "1"}]}], "send": "version-1"},
        {"name": "two", "match": [{"headers": [{"name": "a", "present": true}]}], "send": "version-2"},
    ]}));
    let ask = |value: &str| Ask::get("shop.example.com/").header("a", value);
    assert_eq!(world.get(&ask("1")), "version-1 rule:one vary a");
    assert_eq!(world.get(&ask("2")), "version-2 rule:two vary a");
    assert_eq!(world.get(&Ask::get("shop.example.com/")), "base active vary a");
}

/// Version 3 is there without a ready pod; `fallback` is `onUnavailable.rules`.
fn down(fallback: Option<&str>, active: &str) -> World {
    let rules = json!([{"name": "r", "match": [{"paths": [{"prefix": "/"}]}], "send": "version-3"}]);
    let mut spec = json!({"rules": rules, "active": active});
    if let Some(fallback) = fallback {
        spec["onUnavailable"] = json!({"rules": fallback});
    }
    let mut world = World::shop(spec);
    world.apply([slice("shop-version-3", &["!10.0.1.3"])]);
    world
}

#[test]
fn a_rule_to_a_version_that_is_down() {
    let ask = Ask::get("shop.example.com/");
    assert_eq!(down(None, "version-1").get(&ask), "unavailable version-3 rule:r");
    assert_eq!(down(Some("fail"), "version-1").get(&ask), "unavailable version-3 rule:r");
    assert_eq!(down(Some("active"), "version-1").get(&ask), "version-1 rule:r");
    assert_eq!(down(Some("base"), "version-1").get(&ask), "base rule:r");
    let mut both = down(Some("base"), "version-1");
    both.apply([slice("shop", &[])]);
    assert_eq!(both.get(&ask), "unavailable version-3 rule:r");
}

#[test]
fn a_rule_to_no_version_at_all() {
    let rules = json!([{"name": "r", "match": [{"paths": [{"prefix": "/"}]}], "send": "version-9"}]);
    let world = World::shop(json!({"rules": rules}));
    assert_eq!(world.get(&Ask::get("shop.example.com/")), "unavailable version-9 rule:r");
    assert_eq!(world.get(&Ask::get("version-9.shop.example.com/")), "no version version-9 subdomain");
    assert_eq!(world.findings("shop"), ["VersionNotFound spec.rules[r].send"]);
    let mut world = World::shop(json!({"rules": rules, "onUnavailable": {"rules": "active"}}));
    assert_eq!(world.get(&Ask::get("shop.example.com/")), "base rule:r");
    world.apply(version(9));
    assert_eq!(world.get(&Ask::get("shop.example.com/")), "version-9 rule:r");
    assert!(world.findings("shop").is_empty());
}

#[test]
fn a_rule_may_send_where_the_offer_does_not_reach() {
    let rules = json!([{"name": "r", "match": [{"paths": [{"prefix": "/x"}]}], "send": "version-3"}]);
    let world = World::shop(json!({"rules": rules, "versions": ["version-1"]}));
    assert_eq!(world.get(&Ask::get("shop.example.com/x")), "version-3 rule:r");
    assert_eq!(world.get(&Ask::get("version-3.shop.example.com/")), "no version version-3 subdomain");
    assert_eq!(world.findings("shop"), ["VersionNotOffered spec.rules[r].send"]);
}
