//! A cluster's news in, tables out.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::cluster::books::{self, LASTING};
use crate::cluster::kinds::{self, watched};
use crate::cluster::reached::Reached;
use crate::cluster::trouble::{Failure, Trouble};
use crate::cluster::watch::{Heard, News};
use crate::inventory::report::Programmed;
use crate::inventory::{Object, snapshot};

/// A core, and the tables it published.
struct World {
    core: Core,
    watches: Vec<(Watched, Option<String>)>,
    tables: Rc<RefCell<Vec<Arc<Table>>>>,
    now: Instant,
}

impl World {
    fn new(roles: Roles) -> Self {
        let mut watches: Vec<_> = watched(roles).into_iter().map(|watched| (watched, None)).collect();
        if roles.controller {
            watches.push((kinds::EDGES, Some("synkronic".to_owned())));
        }
        let tables = Rc::new(RefCell::new(Vec::new()));
        let published = tables.clone();
        let publish: Publish = Box::new(move |table| published.borrow_mut().push(table.clone()));
        let core = Core::new(roles, Settings::default(), &watches, publish);
        Self { core, watches, tables, now: Instant::now() }
    }

    fn edge() -> Self {
        Self::new(Roles { controller: false, edge: true })
    }

    fn controller() -> Self {
        Self::new(Roles { controller: true, edge: false })
    }

    fn place(&self, subject: Subject) -> usize {
        self.watches.iter().position(|(watched, _)| watched.subject == subject).unwrap()
    }

    fn tell(&mut self, subject: Subject, news: impl IntoIterator<Item = News>) -> Vec<Remark> {
        let (watch, at) = (self.place(subject), self.now);
        self.core.take(news.into_iter().map(|news| Heard { watch, at, news }))
    }

    /// The objects of a kind, listed whole.
    fn list(&mut self, kind: Kind, values: &[Value]) {
        let news: Vec<News> = values.iter().map(|value| self.seen(Subject::Objects(kind), value)).collect();
        let news = std::iter::once(News::Began).chain(news).chain([News::Complete]);
        self.tell(Subject::Objects(kind), news.collect::<Vec<_>>());
    }

    fn seen(&self, subject: Subject, value: &Value) -> News {
        let (watched, _) = &self.watches[self.place(subject)];
        match kinds::read(watched, self.core.roles, value.clone()) {
            Ok(read) => News::Seen(read),
            Err((key, words)) => News::Unreadable(key, words),
        }
    }

    fn refuse(&mut self, subjects: &[Subject], trouble: Trouble) {
        for subject in subjects {
            self.tell(*subject, [News::Failing(Failure::new(trouble, "no"))]);
        }
    }

    fn apply(&mut self, kind: Kind, value: &Value) {
        let news = self.seen(Subject::Objects(kind), value);
        self.tell(Subject::Objects(kind), [news]);
    }

    fn settle(&mut self) -> Settled {
        self.core.settle(Timestamp::UNIX_EPOCH, self.now)
    }

    /// The first lists: a base with its Service, its endpoints and its Router.
    fn listed(mut self) -> Self {
        self.list(Kind::Deployment, &[base()]);
        self.list(Kind::Service, &[service()]);
        self.list(Kind::EndpointSlice, &[slice("10.0.0.1")]);
        self.list(Kind::DeploymentVersion, &[]);
        self.list(Kind::Router, &[router("shop", 10, 1)]);
        self
    }

    fn served(&self) -> Vec<String> {
        let tables = self.tables.borrow();
        tables.last().map(|table| hosts(table)).unwrap_or_default()
    }

    fn programmed(&self) -> (bool, usize) {
        let Programmed { running, behind } = self.core.reports.programmed.clone().unwrap();
        (running, behind.len())
    }

    fn report(&mut self, routers: u64) {
        let lease = json!({"metadata": {"namespace": "synkronic", "name": "synkronic-edge-a",
            "annotations": {"kyaninus.com/routers": routers.to_string()}},
            "spec": {"holderIdentity": "a", "leaseDurationSeconds": 40}});
        let news = self.seen(Subject::Edges, &lease);
        self.tell(Subject::Edges, [news]);
    }
}

fn hosts(table: &Table) -> Vec<String> {
    let described = serde_json::to_value(table.describe()).unwrap();
    described["hosts"].as_object().unwrap().keys().cloned().collect()
}

fn base() -> Value {
    json!({"metadata": {"namespace": "n", "name": "shop"}, "spec": {"selector": {"matchLabels": {"app": "shop"}},
        "template": {"metadata": {"labels": {"app": "shop"}}, "spec": {"containers": [{"name": "web"}]}}}})
}

fn service() -> Value {
    json!({"metadata": {"namespace": "n", "name": "shop"},
        "spec": {"selector": {"app": "shop"}, "ports": [{"port": 80}]}})
}

fn slice(address: &str) -> Value {
    json!({"metadata": {"namespace": "n", "name": "shop-a", "labels": {"kubernetes.io/service-name": "shop"}},
        "ports": [{"port": 8080}], "endpoints": [{"addresses": [address], "conditions": {"ready": true},
            "targetRef": {"kind": "Pod", "uid": address}}]})
}

fn router(name: &str, version: u64, generation: i64) -> Value {
    json!({"metadata": {"namespace": "n", "name": name, "generation": generation,
            "resourceVersion": version.to_string()},
        "spec": {"base": "shop", "hosts": [format!("{name}.example.com")]}})
}

#[test]
fn nothing_is_served_before_every_list_is_complete() {
    let mut world = World::edge();
    assert_eq!(world.core.missing().len(), 5);
    world.list(Kind::Deployment, &[base()]);
    world.list(Kind::Service, &[service()]);
    world.list(Kind::EndpointSlice, &[slice("10.0.0.1")]);
    world.list(Kind::DeploymentVersion, &[]);
    let half = [News::Began, world.seen(Subject::Objects(Kind::Router), &router("shop", 10, 1))];
    world.tell(Subject::Objects(Kind::Router), half);
    world.settle();
    assert!(world.tables.borrow().is_empty());
    assert_eq!(world.core.missing(), ["the list of Routers"]);
    assert_eq!(world.core.served().routers, None);
    let failure = Failure::new(Trouble::Forbidden, "no");
    let remarks = world.tell(Subject::Objects(Kind::Router), [News::Failing(failure)]);
    assert_eq!(remarks.len(), 1);
    assert!(world.core.missing()[0].contains("Routers: Forbidden: no"), "{:?}", world.core.missing());
    world.list(Kind::Router, &[router("shop", 10, 1)]);
    world.settle();
    assert_eq!(world.served(), ["shop.example.com"]);
    assert!(world.core.missing().is_empty());
    assert_eq!(world.core.served().routers, Some(Reached::All(10)));
}

#[test]
fn what_was_known_before_the_start_is_served_until_the_lists_are_complete() {
    let mut before = World::edge().listed();
    before.apply(Kind::Router, &router("gone", 11, 1));
    before.settle();
    let written = snapshot::encode(before.core.inventory(), Timestamp::UNIX_EPOCH);
    let mut world = World::edge();
    // Nobody here watches another namespace, so nobody would ever take such an object out.
    for (_, namespace) in &mut world.watches {
        *namespace = Some("n".to_owned());
    }
    let published = world.tables.clone();
    let publish: Publish = Box::new(move |table| published.borrow_mut().push(table.clone()));
    world.core = Core::new(world.core.roles, Settings::default(), &world.watches, publish);
    let mut edits = snapshot::decode(&written).unwrap().edits;
    for value in [base(), service(), router("elsewhere", 12, 1)] {
        let mut foreign = value;
        foreign["metadata"]["namespace"] = json!("m");
        let (kind, version) = match foreign["spec"].get("hosts") {
            Some(_) => ("Router", "kyaninus.com/v1"),
            None if foreign["spec"].get("ports").is_some() => ("Service", "v1"),
            None => ("Deployment", "apps/v1"),
        };
        (foreign["kind"], foreign["apiVersion"]) = (json!(kind), json!(version));
        edits.push(Edit::Apply(Box::new(Object::read(foreign).unwrap().unwrap())));
    }
    world.core.remember(edits);
    assert_eq!(world.served(), ["gone.example.com", "shop.example.com"]);
    assert_eq!(world.core.missing().len(), 5, "not one list is there");
    world.list(Kind::Router, &[router("shop", 13, 2)]);
    world.settle();
    assert_eq!(world.tables.borrow().len(), 1, "no table of halves");
    let mut world = world.listed();
    world.settle();
    assert_eq!(world.served(), ["shop.example.com"]);
}

#[test]
fn what_vanished_during_a_gap_goes_when_the_new_list_is_complete() {
    let mut world = World::edge().listed();
    world.apply(Kind::Router, &router("second", 11, 1));
    world.settle();
    assert_eq!(world.served(), ["second.example.com", "shop.example.com"]);
    let third = world.seen(Subject::Objects(Kind::Router), &router("third", 15, 1));
    world.tell(Subject::Objects(Kind::Router), [News::Began, third]);
    world.settle();
    assert_eq!(world.served().len(), 3, "nothing goes before the list is complete");
    // What comes in the same breath as the end of the list is known before it is swept.
    let shop = world.seen(Subject::Objects(Kind::Router), &router("shop", 10, 1));
    world.tell(Subject::Objects(Kind::Router), [shop, News::Complete]);
    world.settle();
    assert_eq!(world.served(), ["shop.example.com", "third.example.com"]);
}

#[test]
fn an_unreadable_object_keeps_its_last_good_form_and_harms_no_other() {
    let mut world = World::edge().listed();
    world.settle();
    let mut broken = router("shop", 12, 2);
    broken["spec"]["base"] = json!(7);
    let news = world.seen(Subject::Objects(Kind::Router), &broken);
    let remarks = world.tell(Subject::Objects(Kind::Router), [news]);
    assert!(matches!(&remarks[..], [Remark::Unreadable(words)] if words.starts_with("Router n/shop: ")));
    world.apply(Kind::Router, &router("second", 13, 1));
    world.settle();
    assert_eq!(world.served(), ["second.example.com", "shop.example.com"]);
    assert_eq!(world.core.watches()["Router"], (true, 1));
    world.tell(Subject::Objects(Kind::Router), [News::Gone(Key::new("n", "shop"))]);
    world.settle();
    assert_eq!(world.served(), ["second.example.com"]);
    assert_eq!(world.core.watches()["Router"], (true, 0));
}

#[test]
fn a_table_is_published_where_it_differs_and_its_age_is_known() {
    let mut world = World::edge().listed();
    let heard = world.now;
    assert_eq!(world.settle().published, Some(heard));
    world.now += Duration::from_secs(1);
    assert_eq!(world.settle(), Settled::default());
    world.apply(Kind::Router, &router("shop", 20, 1));
    assert_eq!(world.settle().published, None, "only its version differs");
    assert_eq!(world.core.served().routers, Some(Reached::All(20)));
    world.apply(Kind::EndpointSlice, &slice("10.0.0.2"));
    assert_eq!(world.settle().published, Some(heard + Duration::from_secs(1)));
    assert_eq!(world.tables.borrow().len(), 2);
}

#[test]
fn the_api_servers_own_addresses_are_refused() {
    let mut world = World::edge();
    let server = json!({"metadata": {"namespace": "default", "name": "kubernetes",
            "labels": {"kubernetes.io/service-name": "kubernetes"}},
        "ports": [{"name": "https", "port": 6443}], "endpoints": [{"addresses": ["10.9.9.9"]}]});
    let endpoints = |world: &World| {
        let table = world.tables.borrow().last().cloned().unwrap();
        let described = serde_json::to_value(table.describe()).unwrap();
        described["routers"]["n/shop"]["versions"]["base"]["endpoints"].as_array().unwrap().len()
    };
    let mut evil = slice("10.9.9.9");
    evil["ports"][0]["port"] = json!(6443);
    world = world.listed();
    world.apply(Kind::EndpointSlice, &evil);
    world.settle();
    assert_eq!(endpoints(&world), 1);
    world.apply(Kind::EndpointSlice, &server);
    world.settle();
    assert_eq!(endpoints(&world), 0);
    let mut moved = server;
    moved["endpoints"][0]["addresses"] = json!(["10.9.9.8"]);
    world.apply(Kind::EndpointSlice, &moved);
    world.settle();
    assert_eq!(endpoints(&world), 1);
}

#[test]
fn a_controller_writes_once_it_leads_and_has_seen_or_may_not_see_everything() {
    let mut world = World::controller().listed();
    world.core.lead(true);
    world.settle();
    assert!(!world.core.may_write(), "what may catch a clone's pods has not been seen");
    for kind in [Kind::Pod, Kind::HorizontalPodAutoscaler, Kind::NetworkPolicy] {
        world.list(kind, &[]);
    }
    world.refuse(&[Subject::Edges], Trouble::Forbidden);
    let budgets = Subject::Objects(Kind::PodDisruptionBudget);
    world.refuse(&[budgets], Trouble::Faulty);
    assert!(!world.core.may_write(), "a fault passes");
    world.refuse(&[budgets], Trouble::Forbidden);
    assert!(!world.core.may_write(), "a server that starts allows it a moment later");
    world.now += LASTING;
    world.refuse(&[budgets, Subject::Edges], Trouble::Forbidden);
    assert!(world.core.may_write());
    assert!(world.core.reports.programmed.is_none(), "who may not ask the edges asks itself");
    world.core.lead(false);
    assert!(!world.core.may_write());
}

#[test]
fn what_was_refused_before_the_first_lists_counts_for_nothing() {
    let mut world = World::controller();
    world.core.lead(true);
    let objects = [Kind::Pod, Kind::HorizontalPodAutoscaler, Kind::NetworkPolicy, Kind::PodDisruptionBudget];
    let optional: Vec<Subject> = objects.map(Subject::Objects).into_iter().chain([Subject::Edges]).collect();
    for _ in 0..4 {
        world.refuse(&optional, Trouble::Forbidden);
        world.now += LASTING;
    }
    let mut world = world.listed();
    world.settle();
    world.refuse(&optional, Trouble::Forbidden);
    assert!(!world.core.may_write());
    world.now += LASTING;
    world.refuse(&optional, Trouble::Forbidden);
    assert!(world.core.may_write());
}

#[test]
fn a_kind_that_may_not_be_read_is_told_of_every_version_until_it_may() {
    let mut world = World::controller().listed();
    let dpv = json!({"metadata": {"namespace": "n", "name": "shop-v1"}, "spec": {}});
    world.apply(Kind::DeploymentVersion, &dpv);
    world.settle();
    let unread = |world: &mut World| {
        world.settle();
        world.core.reports.unread.iter().map(|it| it.kind).collect::<Vec<_>>()
    };
    assert_eq!(unread(&mut world), []);
    let refused = |trouble| News::Failing(Failure::new(trouble, "no"));
    for (trouble, told) in [(Trouble::NotServed, false), (Trouble::Silent, false), (Trouble::Forbidden, true)]
    {
        world.tell(Subject::Objects(Kind::NetworkPolicy), [refused(trouble)]);
        assert_eq!(!world.core.affected.dpvs.is_empty(), told, "{trouble:?}");
        assert_eq!(!unread(&mut world).is_empty(), told, "{trouble:?}");
    }
    world.tell(Subject::Objects(Kind::NetworkPolicy), [News::Answering]);
    assert!(!world.core.affected.dpvs.is_empty());
    assert_eq!(unread(&mut world), []);
}

#[test]
fn that_there_is_no_edge_is_heard_though_none_is_seen() {
    let mut world = World::controller().listed();
    world.tell(Subject::Edges, [News::Failing(Failure::new(Trouble::Forbidden, "no"))]);
    world.settle();
    assert!(world.core.reports.programmed.is_none());
    // The right was given meanwhile; the list that comes is empty.
    world.tell(Subject::Edges, [News::Answering, News::Began, News::Complete]);
    world.settle();
    assert_eq!(world.programmed(), (false, 1));
}

#[test]
fn a_router_is_programmed_when_the_edges_say_so() {
    let mut world = World::controller().listed();
    world.tell(Subject::Edges, [News::Began, News::Complete]);
    let condition = |world: &World| {
        let status = &world.core.statuses().routers[&Key::new("n", "shop")];
        let programmed = status.conditions.iter().find(|it| it.type_ == "Programmed").unwrap();
        (programmed.status.clone(), programmed.reason.clone())
    };
    world.settle();
    assert_eq!(world.programmed(), (false, 1));
    assert_eq!(condition(&world), ("False".into(), "NoEdge".into()));
    world.report(9);
    world.settle();
    assert_eq!(condition(&world), ("False".into(), "OnItsWay".into()));
    world.report(10);
    let again = world.settle().again;
    assert_eq!(condition(&world), ("True".into(), "Programmed".into()));
    // It reports no more: nobody knows what it serves.
    world.now = again.unwrap();
    world.settle();
    assert_eq!(condition(&world), ("False".into(), "NoEdge".into()));
}

#[test]
fn what_is_served_of_several_namespaces_is_told_of_each() {
    let mut world = World::edge();
    let of =
        |name: &'static str| world.watches.iter().map(move |(watched, _)| (*watched, Some(name.to_owned())));
    let watches: Vec<_> = of("n").chain(of("m")).collect();
    world.core = Core::new(world.core.roles, Settings::default(), &watches, Box::new(|_| {}));
    world.watches = watches;
    let mut world = world.listed();
    // The namespace `m`, in which there is nothing.
    let (first, at) = (world.watches.len() / 2, world.now);
    for watch in first..world.watches.len() {
        world.core.take([News::Began, News::Complete].map(|news| Heard { watch, at, news }));
    }
    world.settle();
    let expected = Reached::by([(Some("m".to_owned()), 0), (Some("n".to_owned()), 10)]);
    assert_eq!(world.core.served().routers, Some(expected));
}

#[test]
fn every_kind_can_be_swept() {
    let inventory = Inventory::default();
    let empty: BTreeSet<Key> =
        Kind::ALL.into_iter().flat_map(|kind| books::keys(&inventory, kind, None)).collect();
    assert!(empty.is_empty());
}
