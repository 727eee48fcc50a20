//! When a Lease is taken, and by whom: decided alone, then against an API server of a few lines.

use std::sync::{Arc, Mutex};

use http::{Method, Request, Response};
use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};

use super::*;

const DURATION: Duration = Duration::from_secs(15);

fn view(holder: &str, since: Instant) -> View {
    View { holder: holder.to_owned(), duration: DURATION, since }
}

#[test]
fn who_takes_it_when() {
    let now = Instant::now();
    assert_eq!(decide(None, "a", now), Act::Create);
    assert_eq!(decide(Some(&view("a", now)), "a", now + DURATION * 9), Act::Renew);
    assert_eq!(decide(Some(&view("", now)), "a", now), Act::Take);
    assert_eq!(decide(Some(&view("b", now)), "a", now), Act::Wait(LOOK));
    let late = now + DURATION - Duration::from_millis(10);
    assert_eq!(decide(Some(&view("b", now)), "a", late), Act::Wait(Duration::from_millis(10)));
    assert_eq!(decide(Some(&view("b", now)), "a", now + DURATION), Act::Take);
}

#[test]
fn the_holder_gives_up_before_others_may_take_it() {
    let terms = Terms { duration: DURATION };
    assert!(terms.renewal() * 2 <= terms.deadline());
    assert!(terms.deadline() < terms.duration);
    let now = Instant::now();
    assert!(leads(Some(now + terms.deadline()), now));
    assert!(!leads(Some(now), now));
    assert!(!leads(None, now));
}

#[test]
fn a_lease_ages_while_it_does_not_change_before_our_eyes() {
    let lease = |version: &str| {
        Some(Lease {
            metadata: ObjectMeta { resource_version: Some(version.into()), ..ObjectMeta::default() },
            spec: Some(LeaseSpec {
                holder_identity: Some("b".into()),
                lease_duration_seconds: Some(15),
                // Whatever the holder's clock says: it is not asked.
                renew_time: Some(MicroTime(Timestamp::MAX)),
                ..LeaseSpec::default()
            }),
        })
    };
    let (mut known, now) = (Known::default(), Instant::now());
    known.see(lease("1"), now);
    known.see(lease("1"), now + Duration::from_secs(14));
    assert_eq!(decide(known.view.as_ref(), "a", now + DURATION), Act::Take);
    known.see(lease("2"), now + Duration::from_secs(14));
    assert!(matches!(decide(known.view.as_ref(), "a", now + DURATION), Act::Wait(_)));
    known.see(None, now);
    assert_eq!(decide(known.view.as_ref(), "a", now), Act::Create);
}

/// An API server that has one Lease; and one that does not answer while it is away.
#[derive(Clone, Default)]
struct Server {
    lease: Arc<Mutex<Option<Value>>>,
    away: Arc<Mutex<bool>>,
    /// Whether there is no such namespace.
    nowhere: Arc<Mutex<bool>>,
    /// Whether every write meets a change that somebody else was faster with.
    contested: Arc<Mutex<bool>>,
    asked: Arc<Mutex<u32>>,
}

impl Server {
    fn client(&self) -> Client {
        let server = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let server = server.clone();
            async move {
                if *server.away.lock().unwrap() {
                    return Err(std::io::Error::other("no route to host"));
                }
                let (parts, body) = request.into_parts();
                let body = body.collect().await.map_err(std::io::Error::other)?.to_bytes();
                let (code, value) = server.answer(&parts.method, &body);
                Ok(Response::builder().status(code).body(Body::from(value.to_string().into_bytes())).unwrap())
            }
        });
        Client::new(service, "n")
    }

    fn answer(&self, method: &Method, body: &[u8]) -> (u16, Value) {
        let mut stored = self.lease.lock().unwrap();
        let refused = |code: u16| (code, json!({"kind": "Status", "status": "Failure", "code": code}));
        *self.asked.lock().unwrap() += 1;
        if *self.nowhere.lock().unwrap() {
            return refused(404);
        }
        if *method != Method::GET && *self.contested.lock().unwrap() {
            return refused(409);
        }
        if *method == Method::GET {
            return stored.clone().map_or_else(|| refused(404), |lease| (200, lease));
        }
        let mut sent: Value = serde_json::from_slice(body).unwrap();
        let known = stored.as_ref().map(|lease| lease["metadata"]["resourceVersion"].clone());
        match (&known, *method == Method::POST) {
            (Some(_), true) => return refused(409),
            (None, false) => return refused(404),
            (Some(known), false) if *known != sent["metadata"]["resourceVersion"] => return refused(409),
            (Some(_), false) | (None, true) => {}
        }
        let version: u64 = known.and_then(|known| known.as_str()?.parse().ok()).unwrap_or(0);
        sent["metadata"]["resourceVersion"] = json!((version + 1).to_string());
        *stored = Some(sent.clone());
        (200, sent)
    }

    fn holder(&self) -> String {
        let lease = self.lease.lock().unwrap();
        lease
            .as_ref()
            .and_then(|lease| lease["spec"]["holderIdentity"].as_str())
            .unwrap_or_default()
            .to_owned()
    }
}

struct Candidate {
    lead: watch::Receiver<Lead>,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

fn stand(server: &Server, me: &str, terms: Terms) -> Candidate {
    let (sender, lead) = watch::channel(None);
    let stop = CancellationToken::new();
    let api = Api::namespaced(server.client(), "n");
    let election = Election { api, name: "lease".into(), me: me.into(), terms, lead: sender };
    Candidate { lead, stop: stop.clone(), task: tokio::spawn(election.run(stop)) }
}

impl Candidate {
    async fn leads(&mut self, wanted: bool) {
        let changed = self.lead.wait_for(|lead| leads(*lead, Instant::now()) == wanted);
        let in_time = timeout(Duration::from_secs(10), changed).await;
        let _ = in_time.expect("it comes to lead, or no longer does").expect("the candidate lives");
    }

    fn leads_now(&self) -> bool {
        leads(*self.lead.borrow(), Instant::now())
    }
}

#[tokio::test]
async fn of_two_one_leads_and_the_other_goes_on_at_once_when_it_leaves() {
    let server = Server::default();
    let terms = Terms { duration: DURATION };
    let mut first = stand(&server, "a", terms);
    first.leads(true).await;
    let mut second = stand(&server, "b", terms);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!second.leads_now());
    assert_eq!(server.holder(), "a");
    first.stop.cancel();
    first.task.await.unwrap();
    assert_eq!(server.holder(), "", "it is given back");
    // Long before it would have run out.
    let begun = Instant::now();
    second.leads(true).await;
    assert!(begun.elapsed() < Duration::from_secs(3));
    assert_eq!(server.holder(), "b");
    assert_eq!(server.lease.lock().unwrap().as_ref().unwrap()["spec"]["leaseTransitions"], 1);
}

#[tokio::test]
async fn who_cannot_renew_stops_in_time_and_leads_again_later() {
    let server = Server::default();
    let mut one = stand(&server, "a", Terms { duration: Duration::from_secs(3) });
    one.leads(true).await;
    *server.away.lock().unwrap() = true;
    let begun = Instant::now();
    one.leads(false).await;
    assert!(begun.elapsed() < Duration::from_secs(3), "before another may take it");
    *server.away.lock().unwrap() = false;
    one.leads(true).await;
}

#[tokio::test]
async fn who_was_overtaken_stops() {
    let server = Server::default();
    let mut one = stand(&server, "a", Terms { duration: Duration::from_secs(3) });
    one.leads(true).await;
    {
        let mut lease = server.lease.lock().unwrap();
        let lease = lease.as_mut().unwrap();
        lease["spec"]["holderIdentity"] = json!("b");
        lease["metadata"]["resourceVersion"] = json!("40");
    }
    one.leads(false).await;
    assert_eq!(server.holder(), "b");
    // Nobody renews it: after its duration it is free.
    one.leads(true).await;
    assert_eq!(server.holder(), "a");
}

#[tokio::test]
async fn who_cannot_have_it_asks_about_once_a_second() {
    for contested in [false, true] {
        let server = Server::default();
        *(if contested { &server.contested } else { &server.nowhere }).lock().unwrap() = true;
        let mut one = stand(&server, "a", Terms { duration: DURATION });
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        let asked = *server.asked.lock().unwrap();
        assert!((2..=8).contains(&asked), "{asked} requests in 1.5 s, contested: {contested}");
        assert!(!one.leads_now());
        (*server.nowhere.lock().unwrap(), *server.contested.lock().unwrap()) = (false, false);
        one.leads(true).await;
    }
}
