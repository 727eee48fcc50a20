//! What is said, in which form, and what is not said.

use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue};
use serde_json::{Value, json};

use super::{Form, Page};
use crate::routes::tests::world::*;

fn form(accept: &[&str]) -> Form {
    let mut headers = HeaderMap::new();
    for line in accept {
        headers.append(ACCEPT, HeaderValue::from_str(line).unwrap());
    }
    Form::preferred(&headers)
}

#[test]
fn the_form_by_accept() {
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8";
    for (accept, expected) in [
        (vec![], Form::Text),
        (vec!["*/*"], Form::Text),
        (vec![browser], Form::Html),
        (vec!["application/json"], Form::Json),
        (vec!["application/problem+json, text/html;q=0.9"], Form::Json),
        (vec!["application/json, text/plain, */*"], Form::Json),
        (vec!["text/html;q=0.2", "application/json;q=0.3"], Form::Json),
        (vec!["text/*"], Form::Text),
        (vec!["text/plain;q=0, */*"], Form::Html),
        (vec!["TEXT/HTML; Q=0.5, text/plain;q=0.4"], Form::Html),
        (vec!["image/png"], Form::Text),
        (vec!["text/html;q=0"], Form::Text),
        (vec!["text/html;q=x"], Form::Html),
        (vec![",;,;q=1,"], Form::Text),
        (vec!["application/*, text/html;q=0.5"], Form::Json),
    ] {
        assert_eq!(form(&accept), expected, "{accept:?}");
    }
}

fn page(world: &World, url: &str) -> Page {
    let table = &world.compiled().table;
    Ask::get(url).with_facts(|facts| Page::of_outcome(table, facts, &table.find(facts)).unwrap())
}

#[test]
fn versions_are_named_only_where_the_router_lists_them() {
    let shut = page(&World::shop(json!({})), "verison-2.shop.example.com/");
    assert_eq!((shut.status.as_u16(), shut.label), (404, "no_version"));
    assert!(shut.offered.is_empty() && shut.nearest.is_none());
    let text = shut.render(Form::Text, Some("r-1")).body;
    assert!(text.contains("verison-2") && !text.contains("version-"), "{text}");

    let open = page(&World::shop(json!({"listVersions": true})), "verison-2.shop.example.com/");
    assert_eq!(open.offered, ["base", "version-1", "version-2", "version-3"]);
    assert_eq!(open.nearest.as_deref(), Some("version-2"));
    for form in [Form::Text, Form::Html, Form::Json] {
        let body = open.render(form, Some("r-1")).body;
        for part in ["verison-2", "version-3", "r-1"] {
            assert!(body.contains(part), "{form:?}: {body}");
        }
    }
}

#[test]
fn at_most_fifty_are_named() {
    let mut objects = shop_objects();
    objects.extend((4..=90).flat_map(version));
    objects.push(router("shop", json!({"listVersions": true})));
    let page = page(&World::of(objects), "x.shop.example.com/");
    assert_eq!((page.offered.len(), page.unnamed), (50, 41));
    assert!(page.render(Form::Text, None).body.contains("and 41 more"));
}

/// What a page costs where many versions are on offer: `cargo test --release --lib cost_of_a_404 -- --ignored
/// --nocapture`.
#[test]
#[ignore = "a measurement"]
fn cost_of_a_404_beside_a_thousand_versions() {
    let mut objects = shop_objects();
    objects.extend((0..990).map(|number| dpv(&format!("shop-feature-{number}-of-a-long-name"))));
    objects.push(router("shop", json!({"listVersions": true})));
    let world = World::of(objects);
    let began = std::time::Instant::now();
    for _ in 0..200 {
        let page = page(&world, "faeture-77-fo-a-logn-name.shop.example.com/");
        assert!(page.nearest.is_some());
    }
    println!("{:?} a page", began.elapsed() / 200);
}

#[test]
fn a_version_that_is_down_says_why_and_when_to_come_back() {
    let mut objects = shop_objects();
    objects.push(slice("shop-version-2", &["!10.0.1.2"]));
    objects.push(router("shop", json!({})));
    let page = page(&World::of(objects), "version-2.shop.example.com/");
    let rendered = page.render(Form::Json, Some("r-7"));
    assert_eq!(rendered.status, 503);
    assert_eq!(rendered.headers[RETRY_AFTER], "5");
    assert_eq!(rendered.headers[CACHE_CONTROL], "no-store");
    assert_eq!(rendered.headers[CONTENT_TYPE], "application/problem+json");
    let body: Value = serde_json::from_str(&rendered.body).unwrap();
    assert_eq!((&body["status"], &body["version"]), (&json!(503), &json!("version-2")));
    assert_eq!(
        body["detail"],
        "The version `version-2` has no pod that is ready. Try again in a few seconds."
    );
}

#[test]
fn html_holds_nothing_that_a_request_could_put_there() {
    let world = World::shop(json!({"override": {"header": "X-V"}, "listVersions": true}));
    let table = &world.compiled().table;
    for evil in ["<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "`<b>`<i>`", "' & <"] {
        let ask = Ask::get("shop.example.com/").header("x-v", evil);
        let page = ask.with_facts(|facts| Page::of_outcome(table, facts, &table.find(facts)).unwrap());
        let html = page.render(Form::Html, Some("<id>")).body;
        for tag in ["<script", "<img", "<b>", "<i>", "<id>"] {
            assert!(!html.contains(tag), "{evil}: {html}");
        }
    }
    let long = Ask::get("shop.example.com/").header("x-v", &"x".repeat(5_000));
    let page = long.with_facts(|facts| Page::of_outcome(table, facts, &table.find(facts)).unwrap());
    assert!(page.detail.len() < 200);
}

#[test]
fn a_failure_of_the_edge_reads_like_the_others() {
    let page = Page::of_failure(http::StatusCode::BAD_GATEWAY, "reset", "The process closed the connection.");
    let text = page.render(Form::Text, None);
    assert_eq!(text.body, "502 Bad Gateway\nThe process closed the connection.\n");
    assert!(!text.headers.contains_key(RETRY_AFTER));
    assert!(page.render(Form::Html, None).body.contains("<title>502 Bad Gateway</title>"));
}
