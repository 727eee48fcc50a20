//! `find` against the oracle, against itself (caches), and against its explanation.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::again::edits;
use super::dice::{Dice, cases};
use super::oracle::{self, Objects};
use super::world::{Ask, describe};
use crate::inventory::{Inventory, Settings};
use crate::routes::explain::Verdict;
use crate::routes::{Table, compile};

/// The objects after some steps, for the oracle and for the table.
fn world(numbers: &[u16]) -> (Objects, std::sync::Arc<Table>) {
    let steps = Dice::of(numbers).steps();
    let mut inventory = Inventory::default();
    let changes = inventory.update(edits(&steps));
    (oracle::after(&steps), compile(&inventory, &Settings::default(), None, &changes).table)
}

fn found(table: &Table, ask: &Ask) -> String {
    ask.with_facts(|facts| describe(&table.find(facts)))
}

/// The outcome without what caches are told.
fn without_caching(outcome: &str) -> &str {
    outcome.split(" vary ").next().unwrap().trim_end_matches(" private")
}

/// Each outcome and reason comes up: a judge of one kind of answer alone would judge nothing.
#[test]
fn the_dice_reach_every_outcome() {
    let mut seen = BTreeMap::<String, usize>::new();
    let mut runner = TestRunner::deterministic();
    for _ in 0..60 {
        let mut row = |length: usize| {
            prop::collection::vec(any::<u16>(), length).new_tree(&mut runner).unwrap().current()
        };
        let (_, table) = world(&row(900));
        for _ in 0..60 {
            let outcome = found(&table, &Dice::of(&row(32)).ask());
            let kind = match without_caching(&outcome).split(' ').collect::<Vec<_>>()[..] {
                ["no", "version", _, reason] => format!("no version {reason}"),
                ["no", ..] => "no host".to_owned(),
                ["slash", ..] => "slash".to_owned(),
                ["unavailable", _, reason, ..] => {
                    format!("unavailable {}", reason.split(':').next().unwrap())
                }
                [_, reason, ..] => format!("serve {}", reason.split(':').next().unwrap()),
                [..] => unreachable!("{outcome}"),
            };
            *seen.entry(kind).or_default() += 1;
        }
    }
    let kinds = ["serve", "unavailable"].into_iter().flat_map(|kind| {
        ["header", "subdomain", "path", "rule", "active"].map(|reason| format!("{kind} {reason}"))
    });
    let more = ["no host", "no version header", "no version subdomain", "no version path", "slash"];
    for kind in kinds.chain(more.map(ToOwned::to_owned)) {
        assert!(seen.get(&kind).copied().unwrap_or(0) >= 3, "{kind}: {seen:?}");
    }
}

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn find_says_what_the_oracle_says(
        numbers in prop::collection::vec(any::<u16>(), 300..900),
        requests in prop::collection::vec(prop::collection::vec(any::<u16>(), 32), 40)
    ) {
        let (objects, table) = world(&numbers);
        for numbers in &requests {
            let ask = Dice::of(numbers).ask();
            let outcome = found(&table, &ask);
            prop_assert_eq!(without_caching(&outcome), oracle::expect(&objects, &ask), "{:?}", ask);
        }
    }

    /// A cache keys by method and URL, and by what `Vary` names: two requests that agree on these, where
    /// the answer is not private, have to get the same answer.
    #[test]
    fn what_a_cache_may_hand_out_is_what_the_next_would_have_got(
        numbers in prop::collection::vec(any::<u16>(), 300..900),
        first in prop::collection::vec(any::<u16>(), 32),
        others in prop::collection::vec(prop::collection::vec(any::<u16>(), 32), 40)
    ) {
        let (_, table) = world(&numbers);
        let ask = Dice::of(&first).ask();
        let stored = found(&table, &ask);
        // Pages of our own are never stored.
        prop_assume!(!stored.ends_with(" private") && !stored.starts_with("no "));
        let vary: Vec<String> = stored.split_once(" vary ").map_or(Vec::new(), |(_, names)| {
            names.split(", ").map(ToOwned::to_owned).collect()
        });
        for numbers in &others {
            let mut other = Dice::of(numbers).ask();
            other.take_url_of(&ask);
            for name in &vary {
                other.take_header_of(&ask, name);
            }
            let outcome = found(&table, &other);
            prop_assert_eq!(without_caching(&outcome), without_caching(&stored), "{:?} / {:?}", ask, other);
        }
    }

    #[test]
    fn the_explanation_ends_where_find_ends(
        numbers in prop::collection::vec(any::<u16>(), 300..900),
        requests in prop::collection::vec(prop::collection::vec(any::<u16>(), 32), 20)
    ) {
        let (_, table) = world(&numbers);
        for numbers in &requests {
            let ask = Dice::of(numbers).ask();
            let explained = ask.with_facts(|facts| table.explain(facts));
            let decides: Vec<&str> = explained
                .steps.iter().filter(|it| it.verdict == Verdict::Decides).map(|it| &*it.step).collect();
            let reason = explained.outcome.reason.as_deref().unwrap_or_default();
            let expected = match reason {
                "" => vec![],
                "header" => vec!["override header"],
                "subdomain" => vec!["subdomain"],
                "path" => vec!["path"],
                "active" => vec!["active"],
                _ => vec!["rules"],
            };
            prop_assert_eq!(&decides, &expected, "{}", explained);
            if let Some(name) = reason.strip_prefix("rule:") {
                let rules = &explained.steps.iter().find(|it| it.step == "rules").unwrap().rules;
                let decides = rules.iter().find(|it| it.verdict == Verdict::Decides).unwrap();
                prop_assert_eq!(&decides.rule, name);
            }
            prop_assert!(!explained.to_string().is_empty());
        }
    }
}

/// Whatever the world and the request; a regular expression has its scratch memory after its first use.
#[test]
fn find_allocates_nothing() {
    let mut runner = TestRunner::deterministic();
    for _ in 0..30 {
        let mut row = |length: usize| {
            prop::collection::vec(any::<u16>(), length).new_tree(&mut runner).unwrap().current()
        };
        let (_, table) = world(&row(900));
        for _ in 0..40 {
            let ask = Dice::of(&row(32)).ask();
            ask.with_facts(|facts| {
                std::hint::black_box(table.find(facts));
                let counted = allocation_counter::measure(|| {
                    std::hint::black_box(table.find(std::hint::black_box(facts)));
                });
                assert_eq!(counted.count_total, 0, "{ask:?}");
            });
        }
    }
}
