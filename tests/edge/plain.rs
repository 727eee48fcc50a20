//! Requests and answers where nothing goes wrong.

use super::rig::{Rig, Upstream, get};

#[test]
fn a_request_reaches_its_version_and_says_so() {
    let upstream = Upstream::echo();
    let rig = Rig::on(&[upstream.address]);
    let response = rig.ask(get("/a?b=c"));
    assert_eq!(response.status, 200);
    assert_eq!(response.text(), "GET /a?b=c HTTP/1.1\n");
    assert_eq!(response.field("x-synkronic-version").as_deref(), Some("base"));
    assert_eq!(response.field("x-synkronic-reason").as_deref(), Some("active"));
    assert_eq!(response.field("via"), None, "a gateway need not tell its clients");
    rig.await_metric(r#"synkronic_edge_requests_total{router="shop/shop",version="base",code="200"}"#, |n| {
        n == 1.0
    });
}

#[test]
fn connections_are_kept_on_both_sides() {
    let upstream = Upstream::echo();
    let rig = Rig::on(&[upstream.address]);
    let mut client = rig.client();
    for turn in 0..20 {
        client.send(get(&format!("/{turn}")));
        assert_eq!(client.response().text(), format!("GET /{turn} HTTP/1.1\n"));
    }
    assert_eq!(upstream.connections(), 1);
}

#[test]
fn a_pipeline_is_answered_in_order() {
    let upstream = Upstream::echo();
    let rig = Rig::on(&[upstream.address]);
    let mut client = rig.client();
    client.send((0..50).map(|turn| get(&format!("/{turn}"))).collect::<String>());
    for turn in 0..50 {
        assert_eq!(client.response().text(), format!("GET /{turn} HTTP/1.1\n"));
    }
}

#[test]
fn bodies_go_up_in_either_framing() {
    let upstream = Upstream::echo();
    let rig = Rig::on(&[upstream.address]);
    let mut client = rig.client();
    client.send("POST / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 5\r\n\r\nhello");
    assert_eq!(client.response().text(), "POST / HTTP/1.1\nhello");
    client.send("POST / HTTP/1.1\r\nHost: shop.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n");
    assert_eq!(client.response().text(), "POST / HTTP/1.1\nhello!");
    assert_eq!(upstream.connections(), 1);
}

#[test]
fn who_is_not_served_gets_a_page_in_the_form_asked_for() {
    let upstream = Upstream::echo();
    let rig = Rig::on(&[upstream.address]);
    let mut client = rig.client();
    client.send("GET / HTTP/1.1\r\nHost: other.test\r\nAccept: application/json\r\n\r\n");
    let response = client.response();
    assert_eq!(response.status, 404);
    assert!(response.text().contains("other.test"), "{}", response.text());
    assert_eq!(response.field("content-type").as_deref(), Some("application/problem+json"));
    client.send("GET / HTTP/1.1\r\nHost: other.test\r\nAccept: text/html\r\n\r\n");
    assert!(client.response().text().contains("<html"));
    // The connection is as good as before.
    client.send(get("/"));
    assert_eq!(client.response().status, 200);
    rig.await_metric(r#"synkronic_edge_requests_total{router="",version="",code="404"}"#, |n| n == 2.0);
    rig.await_metric(r#"synkronic_edge_faults_total{side="client",fault="no_host"}"#, |n| n == 2.0);
}
