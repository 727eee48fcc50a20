//! An API server of a few lines, and what a watch tells of it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::stream;
use http::Response;
use http_body_util::StreamBody;
use hyper::body::Frame;
use kube::client::Body;
use serde_json::{Value, json};
use tokio::sync::mpsc::{self, Receiver};

use super::*;
use crate::cluster::kinds::Subject;
use crate::inventory::Kind;

/// One answer: a status, and lines; whether it hangs after them.
struct Answer {
    status: u16,
    lines: Vec<String>,
    hangs: bool,
}

fn lines(values: &[Value]) -> Answer {
    Answer { status: 200, lines: values.iter().map(|value| format!("{value}\n")).collect(), hangs: false }
}

fn hanging(values: &[Value]) -> Answer {
    Answer { hangs: true, ..lines(values) }
}

fn refusing(code: u16) -> Answer {
    let status =
        json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": "no"});
    Answer { status: code, ..lines(&[status]) }
}

type Asked = Arc<Mutex<Vec<String>>>;

/// Gives the answers in order, then hangs; notes what it was asked.
fn server(answers: Vec<Answer>) -> (Client, Asked) {
    let answers = Arc::new(Mutex::new(VecDeque::from(answers)));
    let asked = Asked::default();
    let noted = asked.clone();
    let service = tower::service_fn(move |request: Request<Body>| {
        noted.lock().unwrap().push(request.uri().to_string());
        let answer = answers.lock().unwrap().pop_front();
        async move {
            let Some(Answer { status, lines, hangs }) = answer else { return std::future::pending().await };
            let frames = lines.into_iter().map(|line| Ok(Frame::data(Bytes::from(line))));
            let end = stream::once(async move {
                if hangs {
                    std::future::pending::<()>().await;
                }
                Ok::<_, std::io::Error>(Frame::data(Bytes::new()))
            });
            let body = StreamBody::new(stream::iter(frames).chain(end));
            Ok::<_, std::io::Error>(Response::builder().status(status).body(body).unwrap())
        }
    });
    (Client::new(service, "n"), asked)
}

fn router(name: &str, version: u64) -> Value {
    json!({"apiVersion": "kyaninus.com/v1", "kind": "Router",
        "metadata": {"namespace": "n", "name": name, "resourceVersion": version.to_string()},
        "spec": {"base": "shop", "hosts": ["shop.example.com"]}})
}

fn event(kind: &str, object: Value) -> Value {
    json!({"type": kind, "object": object})
}

fn bookmark(version: u64, ends_list: bool) -> Value {
    let annotations = if ends_list { json!({END_OF_LIST: "true"}) } else { json!({}) };
    event(
        "BOOKMARK",
        json!({"apiVersion": "kyaninus.com/v1", "kind": "Router",
            "metadata": {"resourceVersion": version.to_string(), "annotations": annotations}}),
    )
}

fn error(code: u16) -> Value {
    event(
        "ERROR",
        json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": "no"}),
    )
}

/// A streamed list of one Router, which ends at version 7.
fn list() -> Vec<Value> {
    vec![event("ADDED", router("shop", 5)), bookmark(7, true)]
}

/// What a follower tells of a server, until `count` pieces of news; in words, and what the server was asked.
async fn follow(answers: Vec<Answer>, count: usize) -> (Vec<String>, Vec<String>) {
    let (client, asked) = server(answers);
    let (mouth, mut heard) = mpsc::channel(4);
    let roles = Roles { controller: false, edge: true };
    let watched = kinds::watched(roles).into_iter().find(|it| it.subject == Subject::Objects(Kind::Router));
    let patience = Patience {
        list_silence: Duration::from_millis(100),
        answer: Duration::from_secs(2),
        short: Duration::ZERO,
        ..Patience::default()
    };
    let namespace = Some("n".to_owned());
    let follower =
        Follower { client, place: 3, watched: watched.unwrap(), namespace, roles, patience, mouth };
    let following = tokio::spawn(follower.follow());
    let told = timeout(Duration::from_secs(10), tell(&mut heard, count)).await.expect("it tells so much");
    // Who is no longer listened to ends by itself, or at its next word.
    drop(heard);
    following.abort();
    let asked = asked.lock().unwrap().clone();
    (told, asked)
}

async fn tell(heard: &mut Receiver<Heard>, count: usize) -> Vec<String> {
    let mut told = Vec::new();
    while told.len() < count {
        let Heard { watch, news, .. } = heard.recv().await.expect("the follower lives");
        assert_eq!(watch, 3);
        told.push(match news {
            News::Began => "began".to_owned(),
            News::Seen(read) => format!("seen {}", read.key().name),
            News::Unreadable(key, _) => format!("unreadable {}", key.name),
            News::Gone(key) => format!("gone {}", key.name),
            News::Complete => "complete".to_owned(),
            News::Answering => "answering".to_owned(),
            News::Failing(failure) => format!("failing {}", failure.trouble.as_str()),
        });
    }
    told
}

#[tokio::test]
async fn a_streamed_list_then_changes_then_on_from_where_it_was() {
    let mut first = list();
    first.extend([
        event("MODIFIED", router("shop", 8)),
        event("DELETED", router("shop", 9)),
        bookmark(12, false),
    ]);
    let (told, asked) = follow(vec![lines(&first), hanging(&[event("ADDED", router("new", 13))])], 8).await;
    let expected =
        ["began", "seen shop", "answering", "complete", "seen shop", "gone shop", "answering", "seen new"];
    assert_eq!(told, expected);
    assert!(asked[0].starts_with("/apis/kyaninus.com/v1/namespaces/n/routers?&watch=true"), "{asked:?}");
    assert!(
        asked[0].contains("sendInitialEvents=true") && asked[0].ends_with("resourceVersion="),
        "{asked:?}"
    );
    // A bookmark moves it on too; and no list is asked for again.
    assert!(asked[1].ends_with("resourceVersion=12") && !asked[1].contains("sendInitialEvents"), "{asked:?}");
}

#[tokio::test]
async fn a_server_that_streams_no_lists_is_asked_for_pages() {
    let page = |names: &[&str], next: &str| {
        let items: Vec<Value> = names.iter().map(|name| router(name, 5)).collect();
        lines(&[json!({"metadata": {"resourceVersion": "30", "continue": next}, "items": items})])
    };
    let answers =
        || vec![page(&["a", "b"], "more"), page(&["c"], ""), hanging(&[event("ADDED", router("d", 31))])];
    let listed = ["began", "seen a", "seen b", "seen c", "answering", "complete", "answering", "seen d"];
    let refused: Vec<Answer> = std::iter::once(refusing(422)).chain(answers()).collect();
    let (told, asked) = follow(refused, 9).await;
    assert_eq!(told[0], "failing Misunderstood");
    assert_eq!(told[1..], listed);
    assert!(asked[1].contains("limit=250") && asked[2].contains("continue=more"), "{asked:?}");
    assert!(asked[3].ends_with("resourceVersion=30"), "{asked:?}");
    // An old one ignores the question: it sends all there is, and never an end.
    let silent: Vec<Answer> =
        std::iter::once(hanging(&[event("ADDED", router("a", 5))])).chain(answers()).collect();
    let (told, _) = follow(silent, 11).await;
    assert_eq!(told[..3], ["began", "seen a", "failing Timeout"]);
    assert_eq!(told[3..], listed);
}

#[tokio::test]
async fn what_is_too_old_is_listed_anew() {
    // As the answer's status, and as an event within it.
    for outdated in [refusing(410), lines(&[error(410)])] {
        let within = outdated.status == 200;
        let (told, asked) = follow(vec![lines(&list()), outdated, hanging(&list())], 9).await;
        let told: Vec<_> = told[4..].iter().filter(|it| !(within && *it == "answering")).cloned().collect();
        assert_eq!(told[..3], ["failing Expired", "began", "seen shop"]);
        assert!(
            asked[1].ends_with("resourceVersion=7") && asked[2].contains("sendInitialEvents"),
            "{asked:?}"
        );
    }
}

#[tokio::test]
async fn refusals_and_faults_are_named_and_tried_again() {
    let answers = vec![
        refusing(429),
        refusing(500),
        lines(&[error(504)]),
        // A list that breaks off is no list.
        lines(&list()[..1]),
        hanging(&list()),
    ];
    let (told, asked) = follow(answers, 11).await;
    let expected = [
        "failing TooManyRequests",
        "failing ServerError",
        "began",
        "failing Timeout",
        "began",
        "seen shop",
        "failing Unreachable",
        "began",
        "seen shop",
        "answering",
        "complete",
    ];
    assert_eq!(told, expected);
    assert_eq!(asked.len(), 5);
    let (told, _) = follow(vec![refusing(403)], 1).await;
    assert_eq!(told, ["failing Forbidden"]);
    let (told, _) = follow(vec![refusing(404)], 1).await;
    assert_eq!(told, ["failing NotServed"]);
}

#[tokio::test]
async fn one_unreadable_object_harms_no_other() {
    let mut odd = router("odd", 5);
    odd["spec"]["base"] = json!({"not": "a name"});
    let (told, _) =
        follow(vec![hanging(&[event("ADDED", odd), list()[0].clone(), list()[1].clone()])], 5).await;
    assert_eq!(told, ["began", "unreadable odd", "seen shop", "answering", "complete"]);
}
