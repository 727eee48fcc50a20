//! How long an overlay takes to be read and laid onto a base.
//!
//! `cargo bench --bench merge`
#![allow(missing_docs, clippy::indexing_slicing, clippy::expect_used)]

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use serde_json::{Value, json};
use synkronic::plan::merge::{Overlay, Root};

/// A Deployment's spec as teams have them: so many containers, each with ports, probes, mounts and 20 variables.
fn base(containers: usize) -> Value {
    let variables: Vec<Value> =
        (0..20).map(|number| json!({"name": format!("VARIABLE_{number}"), "value": "a value"})).collect();
    let containers: Vec<Value> = (0..containers)
        .map(|number| {
            json!({"name": format!("container-{number}"), "image": "shop:1.0.0", "env": variables,
                "ports": [{"name": "http", "containerPort": 8080}, {"name": "metrics", "containerPort": 9090}],
                "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}},
                "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}},
                "volumeMounts": [{"name": "config", "mountPath": "/etc/shop"}]})
        })
        .collect();
    json!({"replicas": 3, "selector": {"matchLabels": {"app": "shop"}},
        "template": {"metadata": {"labels": {"app": "shop"}},
            "spec": {"containers": containers, "volumes": [{"name": "config", "configMap": {"name": "shop"}}]}}})
}

fn merging(criterion: &mut Criterion) {
    let overlay = json!({"replicas": 1, "template": {"spec": {"containers": [
        {"name": "container-0", "image": "shop:2.0.0-rc1", "env": [{"name": "VARIABLE_7", "value": "another"},
            {"name": "NEW", "value": "one"}]}]}}});
    let overlay = overlay.as_object().expect("an overlay is an object");
    let read = |overlay| Overlay::parse(Root::Deployment, overlay).expect("the overlay fits a Deployment");
    let mut group = criterion.benchmark_group("merge");
    group.bench_function("read an overlay", |bencher| bencher.iter(|| read(black_box(overlay))));
    for containers in [1, 8] {
        let (base, overlay) = (base(containers), read(overlay));
        group.bench_function(format!("onto a Deployment of {containers} containers"), |bencher| {
            bencher.iter_batched(|| base.clone(), |base| overlay.apply(base), BatchSize::SmallInput);
        });
    }
    group.finish();
}

criterion_group!(benches, merging);
criterion_main!(benches);
