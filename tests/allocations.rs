//! `find` allocates nothing, whatever the reason and however many versions there are.

#![allow(missing_docs, clippy::expect_used, clippy::indexing_slicing)]

#[path = "../bench/micro/world.rs"]
mod world;

use world::{Ask, Pods, REASONS, World};

#[test]
fn find_allocates_nothing() {
    for versions in [100, 2_000] {
        let mut world = World::of(1, versions, Pods::Nowhere);
        // What is served is a recompiled table, not the first.
        let changes = world.move_endpoint();
        world.compile(&changes);
        let table = &world.compiled().table;
        for reason in REASONS {
            for number in [0, 7, versions - 1] {
                let counted = Ask::by(reason, number).with_facts(|facts| {
                    allocation_counter::measure(|| {
                        std::hint::black_box(table.find(std::hint::black_box(facts)));
                    })
                });
                assert_eq!(counted.count_total, 0, "{reason}, version-{number} of {versions}");
            }
        }
    }
}

/// What is counted is what is asked: each request is decided by the reason it is named for.
#[test]
fn each_request_has_its_reason() {
    let world = World::of(1, 10, Pods::Nowhere);
    for reason in REASONS {
        let outcome =
            Ask::by(reason, 5).with_facts(|facts| format!("{:?}", world.compiled().table.find(facts)));
        let expected = match reason {
            "header" => "reason: Header",
            "subdomain" => "reason: Subdomain",
            "path" => "reason: Path",
            "rule" => "reason: Rule(\"rule:qa\")",
            "no host" => "NoHost",
            "no version" => "NoVersion",
            _ => "reason: Active",
        };
        assert!(outcome.contains(expected), "{reason}: {outcome}");
    }
}
