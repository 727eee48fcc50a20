//! What each path answers. Pure but for reading the counters and the table at this instant.

use std::fmt::Write as _;

use http::{Method, StatusCode};

use super::{Sources, explain};
use crate::routes::explain::Described;

/// An answer: status, content type, body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) content_type: &'static str,
    pub(super) body: String,
}

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";
/// Prometheus' text format.
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The paths, and what they are for.
const PATHS: [(&str, &str); 5] = [
    ("/livez", "the process answers"),
    ("/readyz", "requests are welcome; names what is missing where they are not"),
    ("/metrics", "the counters, for Prometheus"),
    ("/table", "the routing table in service, as JSON"),
    (
        "/explain?method=GET&url=http://host/path&header=name:value",
        "which version a request would get, and why",
    ),
];

impl Answer {
    fn new(status: StatusCode, content_type: &'static str, body: impl Into<String>) -> Self {
        Self { status, content_type, body: body.into() }
    }
}

/// Answers a request.
pub(super) fn answer(sources: &Sources, method: &Method, path: &str, query: Option<&str>) -> Answer {
    if method != Method::GET && method != Method::HEAD {
        return Answer::new(StatusCode::METHOD_NOT_ALLOWED, TEXT, "Nothing can be changed here: use GET.\n");
    }
    match path {
        "/livez" => Answer::new(StatusCode::OK, TEXT, "ok\n"),
        "/readyz" => ready(&sources.readiness.list(), &sources.readiness.notes()),
        "/metrics" => Answer::new(StatusCode::OK, METRICS, sources.meter.scrape()),
        "/table" => json(&sources.table.load().describe()),
        "/explain" => match Described::from_query(query.unwrap_or_default()) {
            Ok(described) => json(&explain(&sources.table.load(), &described)),
            Err(error) => Answer::new(StatusCode::BAD_REQUEST, TEXT, format!("{error}\n")),
        },
        _ => Answer::new(StatusCode::NOT_FOUND, TEXT, list()),
    }
}

fn ready(missing: &[String], notes: &[String]) -> Answer {
    let list =
        |head: &str, of: &[String]| of.iter().fold(head.to_owned(), |body, what| body + "- " + what + "\n");
    match (missing, notes) {
        ([], []) => Answer::new(StatusCode::OK, TEXT, "ok\n"),
        ([], notes) => Answer::new(StatusCode::OK, TEXT, list("ok; but:\n", notes)),
        (missing, _) => {
            Answer::new(StatusCode::SERVICE_UNAVAILABLE, TEXT, list("not ready; missing:\n", missing))
        }
    }
}

fn json(value: &impl serde::Serialize) -> Answer {
    match serde_json::to_string_pretty(value) {
        Ok(body) => Answer::new(StatusCode::OK, JSON, body + "\n"),
        Err(error) => Answer::new(StatusCode::INTERNAL_SERVER_ERROR, TEXT, format!("{error}\n")),
    }
}

fn list() -> String {
    let mut body = "There is no such path here. There are:\n".to_owned();
    for (path, what) in PATHS {
        // Writing to a `String` cannot fail.
        let _ = writeln!(body, "{path}  {what}");
    }
    body
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arc_swap::ArcSwap;

    use super::*;
    use crate::admin::Readiness;
    use crate::meter::Meter;
    use crate::routes::{Route, Table};

    fn sources() -> Sources {
        let route = Arc::new(Route::trial("shop", "shop", "version-2", vec![]));
        Sources {
            meter: Arc::new(Meter::new().unwrap()),
            table: Arc::new(ArcSwap::from_pointee(Table::of_hosts(7, [("shop.test".into(), route)]))),
            readiness: Readiness::new(),
        }
    }

    fn get(sources: &Sources, path: &str, query: Option<&str>) -> (u16, String) {
        let answer = answer(sources, &Method::GET, path, query);
        (answer.status.as_u16(), answer.body)
    }

    #[test]
    fn readiness_names_what_is_missing() {
        let sources = sources();
        assert_eq!(get(&sources, "/readyz", None).0, 200);
        sources.readiness.note(vec!["stale: of yesterday".to_owned()]);
        assert_eq!(get(&sources, "/readyz", None), (200, "ok; but:\n- stale: of yesterday\n".into()));
        let _missing = sources.readiness.missing("the first table");
        assert_eq!(get(&sources, "/readyz", None), (503, "not ready; missing:\n- the first table\n".into()));
        assert_eq!(get(&sources, "/livez", None).0, 200);
    }

    #[test]
    fn the_table_and_what_a_request_gets() {
        let sources = sources();
        let (status, body) = get(&sources, "/table", None);
        let table: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(
            (status, &table["generation"], &table["hosts"]["shop.test"]),
            (200, &7.into(), &"shop/shop".into())
        );
        let (status, body) = get(&sources, "/explain", Some("url=http://shop.test/"));
        let told: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!((status, &told["outcome"]["version"]), (200, &"version-2".into()));
        assert_eq!(get(&sources, "/explain", Some("url=/")).0, 400);
        assert!(get(&sources, "/metrics", None).1.contains("synkronic_table_generation"));
    }

    #[test]
    fn nothing_else_and_nothing_to_change() {
        let (status, body) = get(&sources(), "/debug/pprof", None);
        assert_eq!(status, 404);
        assert!(body.contains("/readyz"));
        assert_eq!(answer(&sources(), &Method::POST, "/table", None).status, 405);
    }
}
