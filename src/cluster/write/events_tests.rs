//! Pairs of statuses and the events between them.

use serde_json::json;

use super::*;
use crate::inventory::{Key, Object};

fn about() -> (ObjectReference, Object) {
    let value = json!({"apiVersion": "kyaninus.com/v1", "kind": "Router", "spec": {"base": "b", "hosts": []},
        "metadata": {"name": "r", "namespace": "n", "uid": "u"}});
    let reference = ObjectReference { kind: Kind::Router, key: Key::new("n", "r") };
    (reference, Object::read(value).unwrap().unwrap())
}

fn status(ready: &str, reason: &str, active: &str) -> Value {
    json!({"active": active, "conditions": [{"type": "Ready", "status": ready, "reason": reason, "message": "words"}]})
}

fn told(memory: &mut EventMemory, before: &Value, after: &Value, seconds: i64) -> Vec<(String, String)> {
    let (about, object) = about();
    let now = Timestamp::from_second(1_800_000_000 + seconds).unwrap();
    let now = Now { steady: now, wall: now };
    let events = tell(&about, Some(object.meta()), before, after, now, memory);
    events
        .into_iter()
        .map(|write| match write.act {
            Act::Event { object } => {
                let text = |field: &str| object[field].as_str().unwrap().to_owned();
                assert_eq!(object["regarding"]["uid"], "u");
                (text("type"), text("reason"))
            }
            other => panic!("{other:?}"),
        })
        .collect()
}

#[test]
fn a_change_of_reason_is_told_once() {
    let mut memory = EventMemory::default();
    let (up, down) = (status("True", "Ready", "base"), status("False", "CrashLooping", "base"));
    let warning = ("Warning".to_owned(), "CrashLooping".to_owned());
    let normal = ("Normal".to_owned(), "Ready".to_owned());
    assert_eq!(told(&mut memory, &up, &up, 0), []);
    assert_eq!(told(&mut memory, &up, &down, 1), std::slice::from_ref(&warning));
    assert_eq!(told(&mut memory, &down, &up, 2), [normal]);
    assert_eq!(told(&mut memory, &up, &down, 3), [], "known already");
    assert_eq!(told(&mut memory, &up, &down, 400), [warning], "news again");
}

#[test]
fn an_activation_is_told_and_the_first_is_none() {
    let mut memory = EventMemory::default();
    let (first, second) = (status("True", "Ready", "base"), status("True", "Ready", "v2"));
    assert_eq!(told(&mut memory, &json!({}), &first, 0), [("Normal".to_owned(), "Ready".to_owned())]);
    assert_eq!(told(&mut memory, &first, &second, 1), [("Normal".to_owned(), "Activated".to_owned())]);
}

#[test]
fn long_words_are_cut_where_a_character_ends() {
    assert_eq!(cut("abc", 5), "abc");
    assert_eq!(cut("abcdef", 5), "abcde");
    assert_eq!(cut("abcdé", 5), "abcd");
}

#[test]
fn an_event_that_is_refused_leaves_nothing_behind() {
    use crate::cluster::write::memory::Memory;
    use crate::cluster::write::outcome::Outcome;
    let (about, object) = about();
    let now = Timestamp::from_second(1_800_000_000).unwrap();
    let (up, down) = (status("True", "Ready", "base"), status("False", "CrashLooping", "base"));
    let events = tell(
        &about,
        Some(object.meta()),
        &up,
        &down,
        Now { steady: now, wall: now },
        &mut EventMemory::default(),
    );
    let mut memory = Memory::default();
    memory.learned(&events[0], Outcome::Refused("Forbidden", "no events here".to_owned()), now);
    assert_eq!(format!("{memory:?}"), format!("{:?}", Memory::default()));
}
