//! Our strategic merge beside the API server's own: the same overlay as `application/strategic-merge-patch+json`
//! on the same object, as a dry run, and what `plan::merge` makes of it, written back as a dry run too.
//!
//! Both sides are defaulted and validated by the API server, so what is compared is the object that a cluster
//! would have, or the words with which it refuses. The departures that `plan::merge` declares are told apart by
//! name and counted; anything else is a failure that prints the base, the overlay and both results.
//!
//! `SYNKRONIC_MERGE_CASES` says how many overlays (default 2,000), `SYNKRONIC_SEED` which.

mod compare;
mod draw;

use std::collections::BTreeMap;

use futures_util::future::join_all;
use kube::{Client, Error};
use serde_json::{Map, Value, json};
use synkronic::plan::merge::{Root, merge};

use crate::number;
use crate::scene::Scene;
use compare::{Verdict, compare};
use draw::{Dice, Draw};

/// Overlays on one base.
const PER_BASE: u64 = 20;

/// What the API server made of a write: the object, or why not.
pub type Outcome = Result<Value, Vec<String>>;

struct Server {
    client: Client,
    namespace: String,
}

impl Server {
    async fn ask(&self, method: &str, url: &str, kind: &str, body: &Value) -> Outcome {
        let request = http::Request::builder()
            .method(method)
            .uri(url)
            .header("content-type", kind)
            .body(serde_json::to_vec(body).unwrap())
            .unwrap();
        match self.client.request::<Value>(request).await {
            Ok(object) => Ok(object),
            Err(Error::Api(status)) => {
                let causes = status.details.iter().flat_map(|details| &details.causes);
                let mut causes: Vec<String> =
                    causes.map(|cause| format!("{}: {}", cause.field, cause.message)).collect();
                if causes.is_empty() {
                    causes.push(status.message.clone());
                }
                Err(causes)
            }
            Err(error) => panic!("{method} {url}: {error}"),
        }
    }

    fn url(&self, root: Root) -> String {
        let namespace = &self.namespace;
        match root {
            Root::Deployment => format!("/apis/apps/v1/namespaces/{namespace}/deployments"),
            Root::Service => format!("/api/v1/namespaces/{namespace}/services"),
        }
    }

    /// A base as the API server keeps it; none where it refuses what was drawn.
    async fn base(&self, root: Root, name: &str, spec: Value) -> Outcome {
        let (version, kind) = match root {
            Root::Deployment => ("apps/v1", "Deployment"),
            Root::Service => ("v1", "Service"),
        };
        let object = json!({"apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": spec});
        self.ask("POST", &self.url(root), "application/json", &object).await
    }

    /// What its own merge makes of an overlay.
    async fn theirs(&self, root: Root, name: &str, overlay: &Map<String, Value>) -> Outcome {
        let url = format!("{}/{name}?dryRun=All", self.url(root));
        self.ask("PATCH", &url, "application/strategic-merge-patch+json", &json!({"spec": overlay})).await
    }

    /// What it makes of our merge's result.
    async fn ours(&self, root: Root, name: &str, base: &Value, overlay: &Map<String, Value>) -> Outcome {
        let merged = merge(root, base["spec"].clone(), overlay)
            .map_err(|faults| faults.iter().map(|fault| format!("merge: {fault}")).collect::<Vec<_>>())?;
        let mut object = base.clone();
        object["spec"] = merged.spec;
        // Status is written by others meanwhile; the spec is not.
        object["metadata"]["resourceVersion"].take();
        let url = format!("{}/{name}?dryRun=All", self.url(root));
        self.ask("PUT", &url, "application/json", &object).await
    }
}

/// How often each verdict was reached.
#[derive(Default)]
struct Tally {
    verdicts: BTreeMap<String, u64>,
    refusals: BTreeMap<String, u64>,
    wrong: u64,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the control plane; tests/run starts it"]
async fn overlays_come_to_what_the_api_server_makes_of_them() {
    let (cases, seed) = (number("SYNKRONIC_MERGE_CASES", 2_000), number("SYNKRONIC_SEED", 1));
    let scene = Scene::set("merge").await;
    let server = Server { client: scene.client.clone(), namespace: scene.namespace.clone() };
    let draw = Draw::new();
    let mut tally = Tally::default();
    let mut dice = Dice::new(seed);
    let (mut done, mut number) = (0, 0);
    while done < cases {
        number += 1;
        assert!(number < cases, "the API server refuses nearly every base");
        let root = if number % 5 == 0 { Root::Service } else { Root::Deployment };
        done += on_one_base(&server, &draw, root, number, &mut dice, &mut tally).await;
    }
    scene.end().await;
    print(&tally, done, seed);
    assert_eq!(tally.wrong, 0, "of {done} overlays (seed {seed}) so many came to something else; see above");
    let taken: u64 =
        [Verdict::Same, Verdict::AddedOrder].iter().filter_map(|v| tally.verdicts.get(v.name())).sum();
    assert!(taken * 2 > done, "only {taken} of {done} overlays made an object that the API server takes");
}

/// How many overlays were tried on a base that was drawn; none where the API server refuses that base.
async fn on_one_base(
    server: &Server,
    draw: &Draw,
    root: Root,
    number: u64,
    dice: &mut Dice,
    tally: &mut Tally,
) -> u64 {
    let name = format!("base-{number}");
    let (spec, of) = match root {
        Root::Deployment => (draw.deployment(dice), "apps.v1.DeploymentSpec"),
        Root::Service => (draw.service(dice), "core.v1.ServiceSpec"),
    };
    let base = match server.base(root, &name, spec).await {
        Ok(base) => base,
        Err(causes) => {
            count_causes(&mut tally.refusals, "base ", &causes);
            return 0;
        }
    };
    // Drawn one after the other, asked at once: what a seed means does not depend on who answers first.
    let overlays: Vec<_> = (0..PER_BASE).map(|_| draw.overlay(dice, of)).collect();
    let judged = overlays.iter().map(|overlay| judged(server, root, &name, &base, overlay));
    for (overlay, (theirs, ours, verdict)) in overlays.iter().zip(join_all(judged).await) {
        if let Err(causes) = &theirs {
            count_causes(&mut tally.refusals, "", causes);
        }
        if let Verdict::Different(how) = &verdict {
            tally.wrong += 1;
            println!("DIFFERENT: {how}\n  base    {}\n  overlay {}", base["spec"], json!(overlay));
            println!("  theirs  {}\n  ours    {}", compare::spec(&theirs), compare::spec(&ours));
        }
        *tally.verdicts.entry(verdict.name().to_owned()).or_default() += 1;
    }
    PER_BASE
}

/// What the API server makes of an overlay, what it takes of our merge's result, and how they compare.
async fn judged(
    server: &Server,
    root: Root,
    name: &str,
    base: &Value,
    overlay: &Map<String, Value>,
) -> (Outcome, Outcome, Verdict) {
    let (theirs, ours) =
        tokio::join!(server.theirs(root, name, overlay), server.ours(root, name, base, overlay));
    let mut verdict = compare(&base["spec"], &theirs, &ours);
    if let Verdict::Different(_) = verdict {
        let plain = compare::undirected(&json!(overlay), &base["spec"]);
        let theirs = server.theirs(root, name, plain.as_object().unwrap()).await;
        if !matches!(compare(&base["spec"], &theirs, &ours), Verdict::Different(_)) {
            verdict = Verdict::NothingToDirect;
        }
    }
    (theirs, ours, verdict)
}

fn count_causes(refusals: &mut BTreeMap<String, u64>, what: &str, causes: &[String]) {
    for cause in causes {
        let cut: String = cause.chars().filter(|c| !c.is_ascii_digit()).take(140).collect();
        *refusals.entry(format!("{what}{cut}")).or_default() += 1;
    }
}

fn print(tally: &Tally, done: u64, seed: u64) {
    println!("{done} overlays, seed {seed}");
    for (verdict, times) in &tally.verdicts {
        println!("{times:>6}  {verdict}");
    }
    if std::env::var_os("SYNKRONIC_MERGE_REFUSALS").is_some() {
        let mut refusals: Vec<_> = tally.refusals.iter().collect();
        refusals.sort_by_key(|(_, times)| std::cmp::Reverse(**times));
        for (cause, times) in refusals.iter().take(40) {
            println!("{times:>6}  refused: {cause}");
        }
    }
}
