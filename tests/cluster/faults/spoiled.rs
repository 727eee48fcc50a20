//! A client that spoils calls: between kube and the server, by a seed.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, BodyStream, Full, StreamBody};
use kube::Client;
use kube::client::Body;
use serde_json::json;
use std::sync::Arc;
use tokio::sync::Notify;

use super::Dice;

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Answer = Response<UnsyncBoxBody<Bytes, BoxError>>;

/// What goes wrong with one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// It never arrives.
    Before,
    /// It is made, and the answer is lost.
    Lost,
    /// It is not made, and this is answered.
    Code(u16),
    /// It is made, and this is answered all the same.
    MadeBut(u16),
    /// The process ends before it.
    KilledBefore,
    /// The process ends after it.
    KilledAfter,
    /// Somebody else takes the Lease.
    Deposed,
    /// It is made, and no answer ever comes.
    Silent,
}

/// By a seed: which of a controller's writes go wrong, and how late its watches are.
pub struct Script {
    /// Faults in a hundred calls; none in a calm run.
    harm: u64,
    dice: Mutex<Dice>,
    late: u64,
    good: AtomicBool,
    silent: AtomicBool,
    deposed: AtomicBool,
    writes: AtomicU64,
    last: Mutex<VecDeque<String>>,
    /// The process is to be ended.
    pub killed: Notify,
}

impl Script {
    pub fn new(seed: Option<u64>) -> Self {
        let mut dice = Dice(seed.unwrap_or(0));
        let harm = seed.map_or(0, |_| 5 + dice.below(45));
        let late = seed.map_or(0, |_| [0, 20, 150, 600][usize::try_from(dice.below(4)).unwrap()]);
        Self {
            harm,
            // A write whose answer never comes costs twelve seconds: one run in sixteen has one.
            silent: AtomicBool::new(seed.is_some_and(|seed| seed % 16 == 7)),
            dice: Mutex::new(dice),
            late,
            good: AtomicBool::new(seed.is_none()),
            deposed: AtomicBool::new(false),
            writes: AtomicU64::new(0),
            last: Mutex::default(),
            killed: Notify::new(),
        }
    }

    /// From now on all goes well.
    pub fn be_good(&self) {
        self.good.store(true, Ordering::Relaxed);
    }

    pub fn was_deposed(&self) -> bool {
        self.deposed.swap(false, Ordering::Relaxed)
    }

    /// How many writes reached the client, Leases apart.
    pub fn writes(&self) -> u64 {
        self.writes.load(Ordering::Relaxed)
    }

    pub fn last(&self) -> Vec<String> {
        self.last.lock().unwrap().iter().cloned().collect()
    }

    fn fault(&self, what: String) -> Option<Fault> {
        self.writes.fetch_add(1, Ordering::Relaxed);
        let mut last = self.last.lock().unwrap();
        last.push_back(what);
        if last.len() > 12 {
            last.pop_front();
        }
        if self.good.load(Ordering::Relaxed) {
            return None;
        }
        let mut dice = self.dice.lock().unwrap();
        if dice.below(100) >= self.harm {
            return None;
        }
        if self.silent.swap(false, Ordering::Relaxed) {
            return Some(Fault::Silent);
        }
        Some(match dice.below(10) {
            0 => Fault::Before,
            1 | 2 => Fault::Lost,
            3 => Fault::Code(409),
            4 => Fault::Code(429),
            5 => Fault::Code(500),
            6 => Fault::MadeBut(500),
            7 => Fault::KilledBefore,
            8 => Fault::KilledAfter,
            _ => Fault::Deposed,
        })
    }

    /// How late the next piece of a watch is.
    fn lateness(&self) -> Duration {
        let late = if self.good.load(Ordering::Relaxed) || self.late == 0 {
            0
        } else {
            self.dice.lock().unwrap().below(self.late)
        };
        Duration::from_millis(late)
    }

    async fn die(&self) -> ! {
        self.killed.notify_one();
        std::future::pending().await
    }
}

/// A client through which a script goes.
pub fn client(inner: Client, namespace: &str, script: Arc<Script>) -> Client {
    let service = tower::service_fn(move |request: Request<Body>| {
        let (inner, script) = (inner.clone(), script.clone());
        async move { pass(&inner, request, script).await }
    });
    Client::new(service, namespace)
}

async fn pass(inner: &Client, request: Request<Body>, script: Arc<Script>) -> Result<Answer, BoxError> {
    if request.uri().path().contains("/leases") && request.method() != Method::GET {
        return Ok(whole(inner.send(request).await?));
    }
    if request.method() == Method::GET {
        return Ok(late(inner.send(request).await?, script));
    }
    let what = format!("{} {}", request.method(), request.uri().path());
    match script.fault(what) {
        None => Ok(whole(inner.send(request).await?)),
        Some(Fault::Before) => Err("spoiled: it never arrived".into()),
        Some(Fault::Code(code)) => Ok(refusal(code)),
        Some(Fault::KilledBefore) => script.die().await,
        Some(fault) => {
            let answer = inner.send(request).await?;
            match fault {
                Fault::MadeBut(code) => Ok(refusal(code)),
                Fault::KilledAfter => script.die().await,
                Fault::Silent => std::future::pending().await,
                Fault::Deposed => {
                    script.deposed.store(true, Ordering::Relaxed);
                    Ok(whole(answer))
                }
                Fault::Before | Fault::Lost | Fault::Code(_) | Fault::KilledBefore => {
                    Err("spoiled: the answer was lost".into())
                }
            }
        }
    }
}

fn whole(answer: Response<Body>) -> Answer {
    answer.map(|body| body.map_err(BoxError::from).boxed_unsync())
}

/// Each piece a little later than it came.
fn late(answer: Response<Body>, script: Arc<Script>) -> Answer {
    answer.map(|body| {
        let pieces = BodyStream::new(body).then(move |piece| {
            let lateness = script.lateness();
            async move {
                tokio::time::sleep(lateness).await;
                piece.map_err(BoxError::from)
            }
        });
        StreamBody::new(pieces).boxed_unsync()
    })
}

fn refusal(code: u16) -> Answer {
    let body = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code,
        "reason": "Spoiled", "message": "spoiled"});
    let mut answer =
        Response::new(Full::from(body.to_string()).map_err(|never| match never {}).boxed_unsync());
    *answer.status_mut() = StatusCode::from_u16(code).unwrap();
    if code == 429 {
        answer.headers_mut().insert("retry-after", "1".parse().unwrap());
    }
    answer
}
