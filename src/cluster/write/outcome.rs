//! What an answer of the API server means for a write.

use std::time::Duration;

use http::StatusCode;
use serde_json::Value;

use super::{Act, Write};
use crate::api::names;

/// What came of a write.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It was made; the object as it is now, or null where the server did not send it.
    Done(Value),
    /// The object was there already, and it is our own: an earlier answer was lost, or the cache is old.
    Ours(Value),
    /// An object of that name is there and not ours.
    Taken,
    /// The object that is meant is gone, or another of its name has taken its place.
    Gone,
    /// The object has changed since it was read.
    Conflict,
    /// Somebody has to do something: the reason, and the server's own words.
    Refused(&'static str, String),
    /// Nothing new comes into the namespace, because it is being deleted.
    Ending,
    /// It may work later; how long the server wants to be left alone, and its words.
    Later(Option<Duration>, String),
    /// An earlier write of the same lane failed, so this one was not tried.
    Skipped,
}

/// What an answer means before anything else is asked.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// This.
    Plain(Outcome),
    /// Whose the object is has to be looked up.
    Whose,
}

/// What an answer to a write means. `words` is the body, `Value::Null` where it was no JSON.
#[must_use]
pub fn classify(write: &Write, status: StatusCode, after: Option<Duration>, body: Value) -> Answer {
    if status.is_success() {
        return Answer::Plain(Outcome::Done(body));
    }
    let creates = matches!(write.act, Act::Create { .. });
    let plain = match status.as_u16() {
        409 if creates => return Answer::Whose,
        // An event of that name: it was told already.
        409 if matches!(write.act, Act::Event { .. }) => Outcome::Done(Value::Null),
        409 if is_about_uid(&body) => Outcome::Gone,
        409 => Outcome::Conflict,
        404 | 410 if creates => Outcome::Refused("NotFound", words(status, &body)),
        404 | 410 => Outcome::Gone,
        422 if is_about_uid(&body) => Outcome::Gone,
        422 => Outcome::Refused("Invalid", words(status, &body)),
        500 if is_unfit(&body) => Outcome::Refused("Invalid", words(status, &body)),
        // Too many requests; with it comes `Retry-After`.
        429 => Outcome::Later(after, words(status, &body)),
        401 | 408 | 500..=599 => Outcome::Later(after, words(status, &body)),
        403 if is_ending(&body) => Outcome::Ending,
        403 => {
            let words = words(status, &body);
            Outcome::Refused(forbidden(&words), words)
        }
        _ => {
            let words = words(status, &body);
            let reason = if is_admission(&words) { "AdmissionDenied" } else { "Refused" };
            Outcome::Refused(reason, words)
        }
    };
    Answer::Plain(plain)
}

/// Who is kept from what by a 403.
fn forbidden(words: &str) -> &'static str {
    if words.contains("exceeded quota") {
        "QuotaExceeded"
    } else if is_admission(words) {
        "AdmissionDenied"
    } else {
        "Forbidden"
    }
}

/// Whether an answer says that the namespace is being deleted (`NamespaceTerminatingCause` of the API).
fn is_ending(body: &Value) -> bool {
    let causes = body.pointer("/details/causes").and_then(Value::as_array);
    let is_it = |cause: &Value| cause.get("reason").and_then(Value::as_str) == Some("NamespaceTerminating");
    causes.is_some_and(|causes| causes.iter().any(is_it))
}

/// Whether an answer says that what was applied is no such object: a field that the server does not know, an element
/// twice. It has no status of its own, and only an edit helps.
fn is_unfit(body: &Value) -> bool {
    let message = body.get("message").and_then(Value::as_str).unwrap_or_default();
    message.starts_with("failed to create typed patch object")
}

fn is_admission(words: &str) -> bool {
    ["admission webhook", "ValidatingAdmissionPolicy", "violates PodSecurity", "MutatingAdmissionPolicy"]
        .iter()
        .any(|sign| words.contains(sign))
}

/// Whether an answer says that the object is not the one of that uid.
fn is_about_uid(body: &Value) -> bool {
    let causes = body.pointer("/details/causes").and_then(Value::as_array);
    let field = |cause: &Value| cause.get("field").and_then(Value::as_str) == Some("metadata.uid");
    let message = body.get("message").and_then(Value::as_str).unwrap_or_default();
    causes.is_some_and(|causes| causes.iter().any(field))
        || message.contains("uid mismatch")
        || message.contains("the UID in the precondition")
}

/// The server's own words.
fn words(status: StatusCode, body: &Value) -> String {
    match body.get("message").and_then(Value::as_str).map(str::trim).filter(|words| !words.is_empty()) {
        Some(words) => words.to_owned(),
        None => format!("it answered {status}"),
    }
}

/// What it means that an object of the name is there, by a second look.
#[must_use]
pub fn whose(write: &Write, status: StatusCode, body: Value) -> Outcome {
    let Act::Create { owner, .. } = &write.act else { return Outcome::Conflict };
    if status == StatusCode::NOT_FOUND {
        // It went between the two.
        return Outcome::Conflict;
    }
    if !status.is_success() {
        return Outcome::Later(None, words(status, &body));
    }
    let owners = body.pointer("/metadata/ownerReferences").and_then(Value::as_array);
    let ours = owners.into_iter().flatten().any(|reference| {
        let text = |field: &str| reference.get(field).and_then(Value::as_str);
        reference.get("controller").and_then(Value::as_bool) == Some(true)
            && text("kind") == Some("DeploymentVersion")
            && text("apiVersion").is_some_and(|version| version.starts_with(names::GROUP))
            && text("uid") == Some(owner)
    });
    if ours { Outcome::Ours(body) } else { Outcome::Taken }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cluster::write::Because;
    use crate::inventory::{Key, Kind, ObjectReference};

    fn write(act: Act) -> Write {
        let target = ObjectReference { kind: Kind::Service, key: Key::new("n", "s") };
        Write { cause: target.clone(), target, act }
    }

    fn create() -> Write {
        write(Act::Create { object: json!({}), owner: "o".into() })
    }

    fn update() -> Write {
        write(Act::Update { object: json!({}), uid: "u".into(), because: Because::Wanted })
    }

    fn status(code: u16, message: &str, field: Option<&str>) -> (StatusCode, Value) {
        let causes = field.map(|field| json!([{"field": field}]));
        let body = json!({"kind": "Status", "message": message, "details": {"causes": causes}});
        (StatusCode::from_u16(code).unwrap(), body)
    }

    /// The answers of Kubernetes 1.37, as they came.
    #[test]
    fn each_answer_has_its_meaning() {
        let gone = Answer::Plain(Outcome::Gone);
        let conflict = Answer::Plain(Outcome::Conflict);
        let refused = |reason, words: &str| Answer::Plain(Outcome::Refused(reason, words.to_owned()));
        let mismatch = "uid mismatch: the provided object specified uid 1, and no existing object was found";
        let quota = r#"services "s" is forbidden: exceeded quota: q, requested: services=1"#;
        let webhook = r#"admission webhook "x.example.com" denied the request: no"#;
        let policy = r#"services "s" is forbidden: ValidatingAdmissionPolicy 'p' denied request: no"#;
        let rights = r#"services "s" is forbidden: User "x" cannot patch resource "services""#;
        let twice = "failed to create typed patch object (n/s; apps/v1, Kind=Deployment): .spec.template.spec.\
                     containers[name=\"web\"].env: duplicate entries for key [name=\"A\"]";
        let ending = json!({"kind": "Status", "reason": "Forbidden", "code": 403,
            "message": "unable to create new content in namespace n because it is being terminated",
            "details": {"causes": [{"reason": "NamespaceTerminating",
                "message": "namespace n is being terminated", "field": "metadata.namespace"}]}});
        let ending = (StatusCode::FORBIDDEN, ending);
        for (write, (code, body), wanted) in [
            (create(), status(409, "the object has been modified", None), Answer::Whose),
            (update(), status(409, mismatch, None), gone.clone()),
            (update(), status(409, "the object has been modified", None), conflict),
            (update(), status(422, "is invalid", Some("metadata.uid")), gone.clone()),
            (update(), status(422, "is invalid", Some("spec.ports")), refused("Invalid", "is invalid")),
            (update(), status(404, "not found", None), gone),
            (
                create(),
                status(404, "namespaces \"n\" not found", None),
                refused("NotFound", "namespaces \"n\" not found"),
            ),
            (create(), status(403, quota, None), refused("QuotaExceeded", quota)),
            (create(), status(403, webhook, None), refused("AdmissionDenied", webhook)),
            (create(), status(400, webhook, None), refused("AdmissionDenied", webhook)),
            (create(), status(403, policy, None), refused("AdmissionDenied", policy)),
            (create(), status(403, rights, None), refused("Forbidden", rights)),
            (create(), ending, Answer::Plain(Outcome::Ending)),
            (create(), status(500, twice, None), refused("Invalid", twice)),
            (create(), status(413, "too large", None), refused("Refused", "too large")),
        ] {
            assert_eq!(classify(&write, code, None, body.clone()), wanted, "{code} {body}");
        }
        let after = Some(Duration::from_secs(3));
        for code in [429, 500, 502, 503, 504, 401] {
            let (code, _) = status(code, "", None);
            let Answer::Plain(Outcome::Later(told, words)) = classify(&update(), code, after, Value::Null)
            else {
                panic!("{code}")
            };
            assert_eq!((told, words.contains(code.as_str())), (after, true));
        }
        assert_eq!(
            classify(&update(), StatusCode::OK, None, json!({"a": 1})),
            Answer::Plain(Outcome::Done(json!({"a": 1})))
        );
    }

    #[test]
    fn an_object_of_the_name_is_ours_only_by_its_controllers_uid() {
        let owned = |kind: &str, uid: &str, controller: bool| {
            json!({"metadata": {"ownerReferences": [
                {"apiVersion": "kyaninus.com/v1", "kind": kind, "uid": uid, "controller": controller}]}})
        };
        for (body, ours) in [
            (owned("DeploymentVersion", "o", true), true),
            (owned("DeploymentVersion", "p", true), false),
            (owned("DeploymentVersion", "o", false), false),
            (owned("ReplicaSet", "o", true), false),
            (json!({"metadata": {"labels": {"kyaninus.com/dpv": "x"}}}), false),
        ] {
            let outcome = whose(&create(), StatusCode::OK, body.clone());
            assert_eq!(outcome, if ours { Outcome::Ours(body) } else { Outcome::Taken });
        }
        assert_eq!(whose(&create(), StatusCode::NOT_FOUND, Value::Null), Outcome::Conflict);
    }
}
