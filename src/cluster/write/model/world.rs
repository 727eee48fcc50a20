//! A controller, the server it writes to, and the time between them.

use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::server::{Server, id};
use crate::cluster::books::LASTING;
use crate::cluster::clock::Now;
use crate::cluster::core::Core;
use crate::cluster::kinds::{self, Roles, Subject, Watched};
use crate::cluster::trouble::{Failure, Trouble};
use crate::cluster::watch::{Heard, News};
use crate::cluster::write::outcome::{Answer, classify, whose};
use crate::cluster::write::{Act, Outcome, Write};
use crate::inventory::{Kind, Settings};

const ROLES: Roles = Roles { controller: true, edge: false };

/// What goes wrong with one write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It never arrives.
    Before,
    /// It is made, and the answer is lost.
    Lost,
    /// The server says that something changed meanwhile.
    Conflict,
    /// Too many requests.
    Busy,
    /// The server has a fault of its own.
    Broken,
    /// The process ends before the write.
    KilledBefore,
    /// The process ends after the write.
    KilledAfter,
    /// Another process held the Lease for a moment.
    Deposed,
}

impl Fault {
    pub const ALL: [Self; 8] = [
        Self::Before,
        Self::Lost,
        Self::Conflict,
        Self::Busy,
        Self::Broken,
        Self::KilledBefore,
        Self::KilledAfter,
        Self::Deposed,
    ];
}

pub struct World {
    pub server: Server,
    pub core: Core,
    pub now: Timestamp,
    /// By so much the controller's wall clock is wrong.
    pub wrong: SignedDuration,
    started: Instant,
    pub max_rolling: usize,
    /// How much of the server's log the controller has heard.
    heard: usize,
    watched: Vec<Watched>,
    /// Kinds whose watches hang: what happens to their objects is not heard. To a process that begins they are
    /// refused.
    pub deaf: BTreeSet<Kind>,
    /// Faults of the next writes, in order; `None`: it goes well.
    pub faults: VecDeque<Option<Fault>>,
}

impl World {
    pub fn new(objects: impl IntoIterator<Item = (Kind, Value)>) -> Self {
        let now: Timestamp = "2026-01-01T12:00:00Z".parse().unwrap();
        let mut server = Server::default();
        for (kind, object) in objects {
            server.put(kind, object, now);
        }
        let mut world = Self {
            server,
            core: Self::born(5),
            now,
            wrong: SignedDuration::ZERO,
            started: Instant::now(),
            max_rolling: 5,
            heard: 0,
            watched: kinds::watched(ROLES),
            deaf: BTreeSet::new(),
            faults: VecDeque::new(),
        };
        world.begin();
        world
    }

    /// The shop: a base with its Service, a Router, and these versions.
    pub fn shop(versions: &[&str]) -> Self {
        let mut objects = vec![
            (Kind::Deployment, base("shop:1")),
            (Kind::Service, service("shop", json!({"app": "shop"}))),
            (Kind::Router, router("base", &[])),
        ];
        objects.extend(versions.iter().map(|name| (Kind::DeploymentVersion, version(name, json!({})))));
        Self::new(objects)
    }

    fn born(max_rolling: usize) -> Core {
        let watches: Vec<_> = kinds::watched(ROLES).into_iter().map(|watched| (watched, None)).collect();
        let mut core =
            Core::new(ROLES, Settings::default(), &watches, Box::new(|_| {})).with_max_rolling(max_rolling);
        core.lead(true);
        core
    }

    /// A new process: it knows nothing, and lists everything.
    pub fn begin(&mut self) {
        self.core = Self::born(self.max_rolling);
        self.heard = self.server.log.len();
        let mut news = Vec::new();
        for (at, watched) in self.watched.iter().enumerate() {
            if matches!(watched.subject, Subject::Objects(kind) if self.deaf.contains(&kind)) {
                continue;
            }
            news.push(heard(at, News::Began));
            for ((kind, _), object) in &self.server.objects {
                if watched.subject == Subject::Objects(*kind) {
                    news.push(heard(at, seen(watched, object)));
                }
            }
            news.push(heard(at, News::Complete));
        }
        self.core.take(news);
        for kind in self.deaf.clone() {
            self.refuse(kind);
        }
    }

    /// The server refuses to tell of a kind, until nobody waits for that any more.
    fn refuse(&mut self, kind: Kind) {
        let Some(watch) = self.place(kind) else { return };
        for waited in [Duration::ZERO, LASTING] {
            let news = News::Failing(Failure::new(Trouble::Forbidden, "no"));
            self.core.take([Heard { watch, at: self.started + waited, news }]);
        }
    }

    /// Lets the controller hear so many of the changes that it has not heard yet.
    pub fn hear(&mut self, count: usize) {
        let until = self.server.log.len().min(self.heard.saturating_add(count));
        let mut news = Vec::new();
        for (kind, key, object) in &self.server.log[self.heard..until] {
            let Some(at) = self.place(*kind).filter(|_| !self.deaf.contains(kind)) else { continue };
            news.push(heard(
                at,
                match object {
                    Some(object) => seen(&self.watched[at], object),
                    None => News::Gone(key.clone()),
                },
            ));
        }
        self.heard = until;
        self.core.take(news);
    }

    fn place(&self, kind: Kind) -> Option<usize> {
        self.watched.iter().position(|watched| watched.subject == Subject::Objects(kind))
    }

    /// The watch of a kind says so.
    pub fn tell(&mut self, kind: Kind, news: News) {
        let at = self.place(kind).unwrap();
        self.core.take([heard(at, news)]);
    }

    /// Lets so many seconds pass, four turns a second, of which each begins with a deed.
    pub fn live(&mut self, seconds: i64, mut deed: impl FnMut(&mut Self)) {
        for _ in 0..seconds * 4 {
            deed(self);
            self.server.tick(self.now);
            self.hear(usize::MAX);
            self.turn();
            self.pass(250);
        }
    }

    /// One turn of the controller's loop; returns what it wrote.
    pub fn turn(&mut self) -> usize {
        let wall = self.now.checked_add(self.wrong).unwrap();
        self.core.settle(wall, self.started);
        let writes = self.core.writes(Now { steady: self.now, wall });
        let count = writes.len();
        let mut done = Vec::new();
        let mut broken = None;
        for write in writes {
            let lane = write.lane();
            if broken.as_ref() == Some(&lane) {
                done.push((write, Outcome::Skipped));
                continue;
            }
            match self.perform(&write) {
                Some(outcome) => {
                    if !matches!(outcome, Outcome::Done(_) | Outcome::Ours(_)) {
                        broken = Some(lane);
                    }
                    done.push((write, outcome));
                }
                // The process is another one now.
                None => return count,
            }
        }
        self.core.learned(done, self.now);
        count
    }

    /// `None` where the process did not live to hear of it.
    fn perform(&mut self, write: &Write) -> Option<Outcome> {
        let later = |words: &str| Some(Outcome::Later(None, words.to_owned()));
        let fault = self.faults.pop_front().flatten();
        match fault {
            Some(Fault::Before) => return later("connection refused"),
            Some(Fault::Conflict) if !matches!(write.act, Act::Create { .. }) => {
                return Some(Outcome::Conflict);
            }
            Some(Fault::Busy) => {
                return Some(Outcome::Later(Some(std::time::Duration::from_secs(1)), "busy".into()));
            }
            Some(Fault::Broken) => return later("internal error"),
            Some(Fault::KilledBefore) => {
                self.begin();
                return None;
            }
            _ => {}
        }
        let (status, body) = self.server.answer(write, self.now);
        match fault {
            Some(Fault::Lost) => return later("connection reset"),
            Some(Fault::KilledAfter) => {
                self.begin();
                return None;
            }
            Some(Fault::Deposed) => {
                self.core.lead(false);
                self.core.settle(self.now, self.started);
                self.core.lead(true);
                return None;
            }
            _ => {}
        }
        Some(match classify(write, status, None, body) {
            Answer::Plain(outcome) => outcome,
            Answer::Whose => {
                let found = self.server.objects.get(&(write.target.kind, write.target.key.clone()));
                match found {
                    Some(found) => whose(write, http::StatusCode::OK, found.clone()),
                    None => whose(write, http::StatusCode::NOT_FOUND, Value::Null),
                }
            }
        })
    }

    /// Lets everything come to rest; returns how many writes that took.
    pub fn rest(&mut self) -> usize {
        self.faults.clear();
        let (mut writes, mut quiet) = (0, 0);
        for _ in 0..600 {
            let log = self.server.log.len();
            self.server.tick(self.now);
            self.hear(usize::MAX);
            let wrote = self.turn();
            writes += wrote;
            let again = self.core.again();
            quiet = if wrote == 0 && self.server.log.len() == log { quiet + 1 } else { 0 };
            match again.filter(|again| *again > self.now) {
                Some(again) if quiet > 0 => (self.now, quiet) = (again, 0),
                None if quiet > 3 => return writes,
                _ => self.pass(100),
            }
        }
        panic!("it does not come to rest; the last writes: {:?}", self.last_writes());
    }

    fn last_writes(&self) -> Vec<&String> {
        self.server.writes.iter().rev().take(20).collect()
    }

    pub fn pass(&mut self, millis: i64) {
        self.now = self.now.checked_add(SignedDuration::from_millis(millis)).unwrap();
    }

    pub fn get(&self, kind: Kind, name: &str) -> Option<&Value> {
        self.server.objects.get(&id(kind, name))
    }

    pub fn has(&self, kind: Kind, name: &str) -> bool {
        self.get(kind, name).is_some()
    }

    pub fn put(&mut self, kind: Kind, object: Value) {
        self.server.put(kind, object, self.now);
    }

    pub fn edit(&mut self, kind: Kind, name: &str, edit: impl FnOnce(&mut Value)) {
        self.server.edit(&id(kind, name), edit);
    }

    pub fn delete(&mut self, kind: Kind, name: &str) {
        self.server.delete(&id(kind, name), self.now);
    }

    /// The status, reason and message of a DeploymentVersion's condition.
    pub fn condition(&self, name: &str, type_: &str) -> (String, String, String) {
        let dpv = self.get(Kind::DeploymentVersion, name).unwrap();
        let found = dpv["status"]["conditions"].as_array().unwrap();
        let found = found.iter().find(|condition| condition["type"] == type_).unwrap();
        let text = |field: &str| found[field].as_str().unwrap().to_owned();
        (text("status"), text("reason"), text("message"))
    }

    /// The writes since there were so many, without statuses and events.
    pub fn writes_since(&self, count: usize) -> Vec<&str> {
        let of_clones = |write: &&str| !write.starts_with("status") && !write.starts_with("event");
        self.server.writes[count..].iter().map(String::as_str).filter(of_clones).collect()
    }
}

fn heard(watch: usize, news: News) -> Heard {
    Heard { watch, at: Instant::now(), news }
}

fn seen(watched: &Watched, object: &Value) -> News {
    match kinds::read(watched, ROLES, object.clone()) {
        Ok(object) => News::Seen(object),
        Err((key, words)) => News::Unreadable(key, words),
    }
}

pub fn base(image: &str) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "shop", "labels": {"app": "shop"}},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "shop"}},
            "template": {"metadata": {"labels": {"app": "shop"}}, "spec": {"containers": [
                {"name": "web", "image": image, "ports": [{"containerPort": 8080, "name": "http"}],
                 "resources": {"requests": {"cpu": "500m"}}}]}}}})
}

pub fn service(name: &str, selector: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
        "spec": {"selector": selector, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]}})
}

pub fn version(name: &str, overlay: Value) -> Value {
    json!({"apiVersion": "kyaninus.com/v1", "kind": "DeploymentVersion", "metadata": {"name": format!("shop-{name}")},
        "spec": {"deploymentSpec": overlay}})
}

pub fn router(active: &str, rules: &[&str]) -> Value {
    let rules: Vec<Value> = rules
        .iter()
        .map(|send| json!({"name": send, "match": [{"headers": [{"name": "x-team", "exact": send}]}], "send": send}))
        .collect();
    json!({"apiVersion": "kyaninus.com/v1", "kind": "Router", "metadata": {"name": "shop"},
        "spec": {"base": "shop", "hosts": ["shop.example.com"], "active": active, "rules": rules}})
}

/// The overlay that asks for an image.
pub fn image(image: &str) -> Value {
    json!({"template": {"spec": {"containers": [{"name": "web", "image": image}]}}})
}

/// The image of a Deployment.
pub fn image_of(world: &World, name: &str) -> String {
    let deployment = world.get(Kind::Deployment, name).unwrap();
    deployment["spec"]["template"]["spec"]["containers"][0]["image"].as_str().unwrap().to_owned()
}

/// Somebody gives a Deployment another image.
pub fn set_image(world: &mut World, name: &str, image: &str) {
    world.edit(Kind::Deployment, name, |it| {
        it["spec"]["template"]["spec"]["containers"][0]["image"] = json!(image)
    });
}
