//! News in, effects out.

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
    let mut book = book(Kind::Router);
    assert!(!book.complete && !book.is_settled());
    book.hear(News::Began);
    book.hear(News::Unreadable(key("a"), "no".into()));
    // It broke off; what it named counts no longer.
    book.hear(News::Failing(Failure::new(Trouble::Unreachable, "gone")));
    book.hear(News::Began);
    book.hear(News::Unreadable(key("b"), "no".into()));
    let Effect::Sweep(listed) = book.hear(News::Complete) else { panic!("no sweep") };
    assert_eq!(listed, [key("b")].into());
    assert!(book.complete && book.is_settled());
    assert_eq!(book.unreadable(), 1, "a is not there any more");
}

#[test]
fn an_unreadable_object_is_told_of_once() {
    let mut book = book(Kind::Router);
    assert!(matches!(book.hear(News::Unreadable(key("a"), "no".into())), Effect::Unreadable(..)));
    assert!(matches!(book.hear(News::Unreadable(key("a"), "no".into())), Effect::Nothing));
    assert!(matches!(book.hear(News::Unreadable(key("a"), "never".into())), Effect::Unreadable(..)));
    book.hear(News::Gone(key("a")));
    assert_eq!(book.unreadable(), 0);
}

#[test]
fn trouble_is_told_of_when_it_changes() {
    let mut book = book(Kind::PodDisruptionBudget);
    let failing = |trouble| News::Failing(Failure::new(trouble, "words"));
    assert!(matches!(book.hear(failing(Trouble::Outdated)), Effect::Nothing), "the way of things");
    assert!(matches!(book.hear(failing(Trouble::Forbidden)), Effect::State));
    assert!(matches!(book.hear(failing(Trouble::Forbidden)), Effect::Nothing));
    // Nobody waits for what may not be read, unless it cannot be done without.
    assert!(book.is_settled());
    let trouble = book.trouble().unwrap();
    assert!(trouble.contains("PodDisruptionBudgets: Forbidden: words; let this account"), "{trouble}");
    assert!(matches!(book.hear(failing(Trouble::Faulty)), Effect::State));
    assert!(!book.is_settled(), "a fault passes");
    assert!(matches!(book.hear(News::Answering), Effect::State));
    assert!(matches!(book.hear(News::Answering), Effect::Nothing));
    assert!(book.trouble().is_none());
}
