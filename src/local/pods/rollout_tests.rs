use proptest::prelude::{Just, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
use proptest::strategy::Strategy as Generator;

use super::*;

fn pod(id: u64, template: &str, ready: bool) -> Standing<'_> {
    Standing { id, template, ready, ending: false }
}

fn wanted(replicas: usize, strategy: Strategy) -> Wanted<'static> {
    Wanted { replicas, template: "b", strategy }
}

const ONE_UP: Strategy = Strategy::Rolling { surge: 1, unavailable: 0 };

#[test]
fn from_nothing_and_to_nothing() {
    assert_eq!(decide(&wanted(2, ONE_UP), &[]), Steps { start: 2, end: vec![] });
    let both = [pod(1, "b", true), pod(2, "b", true)];
    assert_eq!(decide(&wanted(2, ONE_UP), &both), Steps::default());
    assert_eq!(decide(&wanted(0, ONE_UP), &both), Steps { start: 0, end: vec![1, 2] });
    assert_eq!(decide(&wanted(1, ONE_UP), &both), Steps { start: 0, end: vec![2] });
    let half = [pod(1, "b", false), pod(2, "b", true)];
    assert_eq!(decide(&wanted(1, ONE_UP), &half), Steps { start: 0, end: vec![1] });
}

#[test]
fn the_old_one_stays_until_the_new_one_serves() {
    let old = pod(1, "a", true);
    assert_eq!(decide(&wanted(1, ONE_UP), &[old]), Steps { start: 1, end: vec![] });
    assert_eq!(decide(&wanted(1, ONE_UP), &[old, pod(2, "b", false)]), Steps::default());
    assert_eq!(decide(&wanted(1, ONE_UP), &[old, pod(2, "b", true)]), Steps { start: 0, end: vec![1] });
    // One that never served is not missed.
    assert_eq!(decide(&wanted(1, ONE_UP), &[pod(1, "a", false)]), Steps { start: 1, end: vec![1] });
}

#[test]
fn recreate_waits_until_the_old_ones_are_gone() {
    let recreate = wanted(1, Strategy::Recreate);
    assert_eq!(decide(&recreate, &[pod(1, "a", true)]), Steps { start: 0, end: vec![1] });
    let ending = Standing { ending: true, ..pod(1, "a", true) };
    assert_eq!(decide(&recreate, &[ending]), Steps::default());
    assert_eq!(decide(&recreate, &[]), Steps { start: 1, end: vec![] });
}

#[test]
fn strategies_read_as_kubernetes_reads_them() {
    let of = |value: serde_json::Value, replicas| {
        Strategy::of(Some(&serde_json::from_value(value).unwrap()), replicas)
    };
    let rolling = |surge, unavailable| Strategy::Rolling { surge, unavailable };
    assert_eq!(Strategy::of(None, 1), rolling(1, 0));
    assert_eq!(Strategy::of(None, 10), rolling(3, 2));
    assert_eq!(of(serde_json::json!({"type": "Recreate"}), 1), Strategy::Recreate);
    assert_eq!(
        of(serde_json::json!({"rollingUpdate": {"maxSurge": "50%", "maxUnavailable": 2}}), 3),
        rolling(2, 2)
    );
    assert_eq!(
        of(serde_json::json!({"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}}), 3),
        rolling(0, 1)
    );
}

fn pods() -> impl Generator<Value = Vec<(bool, bool, bool)>> {
    proptest::collection::vec(any::<(bool, bool, bool)>(), 0..8)
}

fn strategies() -> impl Generator<Value = Strategy> {
    prop_oneof![
        Just(Strategy::Recreate),
        (0..3_usize, 0..3_usize)
            .prop_filter("a way", |(up, down)| up + down > 0)
            .prop_map(|(surge, unavailable)| Strategy::Rolling { surge, unavailable })
    ]
}

fn standings(pods: &[(bool, bool, bool)]) -> Vec<Standing<'static>> {
    let of = |(id, (new, ready, ending)): (usize, &(bool, bool, bool))| Standing {
        id: id as u64,
        template: if *new { "b" } else { "a" },
        ready: *ready,
        ending: *ending,
    };
    pods.iter().enumerate().map(of).collect()
}

proptest! {
    #[test]
    fn a_rolling_step_never_takes_what_is_needed(
        pods in pods(), replicas in 0..5_usize, surge in 0..3_usize, unavailable in 1..3_usize
    ) {
        let pods = standings(&pods);
        let steps = decide(&wanted(replicas, Strategy::Rolling { surge, unavailable }), &pods);
        let living = pods.iter().filter(|pod| !pod.ending);
        let ready = living.clone().filter(|pod| pod.ready).count();
        let after = living.clone().filter(|pod| pod.ready && !steps.end.contains(&pod.id)).count();
        prop_assert!(after >= ready.min(replicas.saturating_sub(unavailable)));
        let alive = living.count() - steps.end.len();
        prop_assert!(steps.start == 0 || alive + steps.start <= replicas + surge);
        prop_assert!(steps.end.iter().all(|id| pods.iter().any(|pod| pod.id == *id && !pod.ending)));
    }

    #[test]
    fn taken_again_and_again_the_steps_lead_there(
        pods in pods(), replicas in 0..5_usize, strategy in strategies()
    ) {
        let mut pods = standings(&pods);
        let mut next = 100;
        for _ in 0..60 {
            let steps = decide(&wanted(replicas, strategy), &pods);
            // The world moves: who ends is gone, who started serves.
            pods.retain(|pod| !pod.ending && !steps.end.contains(&pod.id));
            for pod in &mut pods {
                pod.ready |= pod.template == "b";
            }
            for _ in 0..steps.start {
                pods.push(Standing { id: next, template: "b", ready: false, ending: false });
                next += 1;
            }
        }
        prop_assert_eq!(pods.len(), replicas);
        prop_assert!(pods.iter().all(|pod| pod.template == "b" && pod.ready));
    }
}
