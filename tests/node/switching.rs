//! The active version switched to and fro, under load.

use std::time::Duration;

use serde_json::{Value, json};

use crate::heard::Heard;
use crate::load::{Load, Times};
use crate::world::World;

const TIMES: usize = 20;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a node: tests/run"]
async fn active_moves_to_and_fro_and_no_request_fails() {
    let world = World::installed().await;
    let scene = world.namespace("switch").await;
    scene.base(2, &Value::Null);
    scene.version("version-2", &json!({"replicas": 2}));
    scene.router("switch.test");
    scene.ready("version-2");
    world.served("switch.test", "base").await;
    world.served("version-2.switch.test", "version-2").await;

    // The Router's first generation is its creation's; each switch makes another.
    let heard = Heard::of(scene.routers(), |router| Some(format!("{:?}", router.metadata.generation)));
    let load = Load::on(world.edge, &["switch.test"], 8);
    let mut switches = Vec::new();
    for n in 0..TIMES {
        tokio::time::sleep(Duration::from_millis(250)).await;
        let old = if n % 2 == 0 { "base" } else { "version-2" };
        let new = if n % 2 == 0 { "version-2" } else { "base" };
        switches.push((scene.activate(new).await, old));
        world.served("switch.test", new).await;
    }
    tokio::time::sleep(Duration::from_millis(250)).await;
    let tally = load.end().await;

    // Until when the old one answered, of what was asked before the next switch.
    let mut last = Vec::new();
    for (n, (at, old)) in switches.iter().enumerate() {
        let next = switches.get(n + 1).map(|(next, _)| *next);
        let here =
            tally.samples.iter().filter(|it| it.begun >= *at && next.is_none_or(|next| it.begun < next));
        let of_old = here.filter(|sample| sample.outcome.as_deref() == Ok(*old));
        last.push(of_old.map(|it| it.begun + it.took - *at).max().unwrap_or_default());
    }
    println!("active switched {TIMES} times: {tally}");
    let mut told = Vec::new();
    for (n, (at, _)) in (2_i64..).zip(&switches) {
        told.push(heard.at(&format!("{:?}", Some(n))).await.saturating_duration_since(*at));
    }
    println!("written -> last answer of the old: {}", Times(last.clone()));
    println!("written -> the API server tells another that watches: {}", Times(told));
    tally.none_failed();
    assert!(last.iter().all(|late| *late < Duration::from_secs(2)), "the old version answered too long");
    world.remove_namespace("switch").await;
}
