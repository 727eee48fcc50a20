//! News in, effects out.

use std::time::Instant;

use super::*;
use crate::cluster::kinds::{Roles, Subject, watched};

fn book(kind: Kind) -> Book {
    let roles = Roles { controller: true, edge: true };
    let of_kind = watched(roles).into_iter().find(|it| it.subject == Subject::Objects(kind));
    Book::new(of_kind.unwrap(), None)
}

fn key(name: &str) -> Key {
    Key::new("n", name)
}

#[test]
fn a_list_names_what_is_there() {
    let now = Instant::now();
    let mut book = book(Kind::Router);
    assert!(!book.complete && !book.is_settled());
    book.hear(News::Began, now);
    book.hear(News::Unreadable(key("a"), "no".into()), now);
    // It broke off; what it named counts no longer.
    book.hear(News::Failing(Failure::new(Trouble::Unreachable, "gone")), now);
    book.hear(News::Began, now);
    book.hear(News::Unreadable(key("b"), "no".into()), now);
    let Effect::Sweep(listed) = book.hear(News::Complete, now) else { panic!("no sweep") };
    assert_eq!(listed, [key("b")].into());
    assert!(book.complete && book.is_settled());
    assert_eq!(book.unreadable(), 1, "a is not there any more");
}

#[test]
fn an_unreadable_object_is_told_of_once() {
    let now = Instant::now();
    let mut book = book(Kind::Router);
    assert!(matches!(book.hear(News::Unreadable(key("a"), "no".into()), now), Effect::Unreadable(..)));
    assert!(matches!(book.hear(News::Unreadable(key("a"), "no".into()), now), Effect::Nothing));
    assert!(matches!(book.hear(News::Unreadable(key("a"), "never".into()), now), Effect::Unreadable(..)));
    book.hear(News::Gone(key("a")), now);
    assert_eq!(book.unreadable(), 0);
}

#[test]
fn trouble_is_told_of_when_it_changes() {
    let now = Instant::now();
    let mut book = book(Kind::PodDisruptionBudget);
    let failing = |trouble| News::Failing(Failure::new(trouble, "words"));
    assert!(matches!(book.hear(failing(Trouble::Outdated), now), Effect::Nothing), "the way of things");
    assert!(matches!(book.hear(failing(Trouble::Forbidden), now), Effect::State));
    assert!(matches!(book.hear(failing(Trouble::Forbidden), now), Effect::Nothing));
    // Nobody waits for what may not be read, once that has lasted.
    assert!(!book.is_settled());
    let trouble = book.trouble().unwrap();
    assert!(trouble.contains("PodDisruptionBudgets: Forbidden: words; let this account"), "{trouble}");
    assert!(matches!(book.hear(failing(Trouble::Faulty), now), Effect::State));
    assert!(matches!(book.hear(News::Answering, now), Effect::State));
    assert!(matches!(book.hear(News::Answering, now), Effect::Nothing));
    assert!(book.trouble().is_none());
}

#[test]
fn what_is_refused_for_long_is_done_without() {
    let refused = |trouble| News::Failing(Failure::new(trouble, "words"));
    let now = Instant::now();
    let (mut budgets, mut routers) = (book(Kind::PodDisruptionBudget), book(Kind::Router));
    let hear = |book: &mut Book, trouble, seconds| {
        book.hear(refused(trouble), now + Duration::from_secs(seconds));
        book.is_settled()
    };
    assert!(!hear(&mut budgets, Trouble::Forbidden, 0));
    assert!(!hear(&mut budgets, Trouble::NotServed, 29));
    // Something else between: it begins anew.
    assert!(!hear(&mut budgets, Trouble::Faulty, 30));
    assert!(!hear(&mut budgets, Trouble::Forbidden, 31));
    // Nobody says for good that they do not know us.
    assert!(!hear(&mut budgets, Trouble::Unknown, 62));
    assert!(!hear(&mut budgets, Trouble::Forbidden, 63));
    assert!(hear(&mut budgets, Trouble::Forbidden, 93));
    assert!(hear(&mut budgets, Trouble::Faulty, 94), "it is known by now");
    // What cannot be done without is waited for.
    assert!(!hear(&mut routers, Trouble::Forbidden, 0) && !hear(&mut routers, Trouble::Forbidden, 99));
}
