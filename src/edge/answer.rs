//! What is said to the client: an upstream's response edited, a redirect, or a page of our own.
//!
//! Every answer of a version says which one it was and why, and tells caches and crawlers what they must
//! know. It sends nothing: the body that it builds is relayed as hyper asks for it.

use std::rc::Rc;

use bytes::Bytes;
use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue, Response, StatusCode, Version};

use super::decide::{Cache, Decision, page_of};
use super::error::Fault;
use super::record::Record;
use super::relay::Body;
use super::watch::Watch;
use super::worker::Worker;
use crate::routes::pages::{Form, Page};
use crate::wire::refusal::ALLOW;

static VERSION: HeaderName = HeaderName::from_static("x-synkronic-version");
static REASON: HeaderName = HeaderName::from_static("x-synkronic-reason");
static ROBOTS: HeaderName = HeaderName::from_static("x-robots-tag");
static CDN_CACHE_CONTROL: HeaderName = HeaderName::from_static("cdn-cache-control");
static SURROGATE_CONTROL: HeaderName = HeaderName::from_static("surrogate-control");

const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const NO_INDEX: HeaderValue = HeaderValue::from_static("noindex, nofollow");
const PRIVATE: HeaderValue = HeaderValue::from_static("private");
const CLOSE: HeaderValue = HeaderValue::from_static("close");

/// What a version's answer bears, whoever wrote it.
pub(crate) fn mark(fields: &mut HeaderMap, decision: &Decision) {
    fields.insert(VERSION.clone(), decision.route.version_value.clone());
    fields.insert(REASON.clone(), decision.reason.clone());
    if decision.named {
        fields.insert(ROBOTS.clone(), NO_INDEX);
    }
    match &decision.cache {
        Cache::ByUrl => {}
        Cache::Vary(names) => {
            fields.append(header::VARY, names.clone());
        }
        Cache::Private => keep_private(fields),
    }
}

/// What every answer bears where the process leaves, or this connection is spent: that it is the last one.
///
/// No `Via`: that is for requests, whose loops it cuts. To clients a gateway need not tell it (RFC 9110 7.6.3), and
/// this process's name is not theirs to know.
pub(crate) fn sign(fields: &mut HeaderMap, worker: &Worker, watch: &Watch) {
    // A 101 says what its connection is for from now on.
    if (worker.closing() || watch.spent()) && !fields.contains_key(header::UPGRADE) {
        fields.insert(header::CONNECTION, CLOSE);
    }
}

/// The answer as it is told to a client that speaks this version.
///
/// To `Connection: close` for a client of HTTP/1.0 that would keep its connection hyper adds `keep-alive`, unless the
/// answer says that it is of HTTP/1.0, too.
pub(crate) fn in_version(mut response: Response<Body>, version: Version) -> Response<Body> {
    if version == Version::HTTP_10 && response.headers().contains_key(header::CONNECTION) {
        *response.version_mut() = Version::HTTP_10;
    }
    response
}

/// A body that is answered before it has been read is hyper's to read away, or to close over, once the answer is whole:
/// nobody sees where it ends, so that the answer is the last. Whether the answer outlasts the body cannot be known when
/// its head goes out; where it does, a connection is lost that could have been kept.
pub(crate) fn leave_unread(watch: &Watch) {
    if watch.unread() {
        watch.spend();
    }
}

/// `Cache-Control: private` in place of a shared one: no cache between here and the client keeps the answer.
fn keep_private(fields: &mut HeaderMap) {
    fields.remove(&CDN_CACHE_CONTROL);
    fields.remove(&SURROGATE_CONTROL);
    let told = fields.get_all(header::CACHE_CONTROL).iter();
    let directives: Vec<&str> = told
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .map(str::trim)
        .filter(|directive| !directive.is_empty())
        .collect();
    let names = |directive: &str, name: &str| {
        let said = directive.split('=').next().unwrap_or_default().trim();
        said.eq_ignore_ascii_case(name)
    };
    if directives.iter().any(|directive| names(directive, "no-store")) {
        return;
    }
    // `private="field"` keeps only that field from shared caches; ours is the whole answer.
    let shared = ["public", "s-maxage", "proxy-revalidate", "private"];
    let kept = directives.iter().filter(|directive| !shared.iter().any(|name| names(directive, name)));
    let text = kept.fold("private".to_owned(), |text, directive| text + ", " + directive);
    fields.insert(header::CACHE_CONTROL, HeaderValue::try_from(text).unwrap_or(PRIVATE));
}

/// What a page is made from besides the fault.
pub(crate) struct Telling<'r> {
    /// The request's fields, for the form that the client wants.
    pub(crate) headers: &'r HeaderMap,
    /// Helps to find the request in the log.
    pub(crate) request_id: Option<&'r str>,
    /// The version that was chosen.
    pub(crate) decision: Option<&'r Decision>,
    /// How a version was named that is not on offer.
    pub(crate) reason: Option<&'r HeaderValue>,
    /// What the table had to say; else the fault's own sentence is the page.
    pub(crate) page: Option<Box<Page>>,
}

/// The answer to a request that went wrong; the record comes back where none can be said any more.
pub(crate) fn failed(
    mut record: Box<Record>,
    fault: Fault,
    telling: Telling<'_>,
) -> Result<Response<Body>, Box<Record>> {
    record.went_wrong(fault);
    let row = fault.row();
    if row.status.is_none() {
        return Err(record);
    }
    let (worker, watch) = (Rc::clone(&record.worker), Rc::clone(&record.watch));
    let page = telling.page.map_or_else(|| page_of(fault), |page| *page);
    let rendered = page.render(Form::preferred(telling.headers), telling.request_id);
    record.answered(rendered.status.as_u16());
    let mut response = Response::new(Body::whole(Bytes::from(rendered.body), record));
    *response.status_mut() = rendered.status;
    *response.headers_mut() = rendered.headers;
    let fields = response.headers_mut();
    if let Some(decision) = telling.decision {
        mark(fields, decision);
        // `mark` may have asked for a private cache; nobody keeps a page.
        fields.insert(header::CACHE_CONTROL, NO_STORE);
    }
    if let Some(reason) = telling.reason {
        fields.insert(REASON.clone(), reason.clone());
    }
    if rendered.status == StatusCode::METHOD_NOT_ALLOWED {
        fields.insert(header::ALLOW, HeaderValue::from_static(ALLOW));
    }
    leave_unread(&watch);
    sign(fields, &worker, &watch);
    if row.close {
        fields.insert(header::CONNECTION, CLOSE);
    }
    Ok(response)
}

/// An answer without a body.
fn bare(mut record: Box<Record>, status: StatusCode) -> Response<Body> {
    record.answered(status.as_u16());
    let (worker, watch) = (Rc::clone(&record.worker), Rc::clone(&record.watch));
    let mut response = Response::new(Body::whole(Bytes::new(), record));
    *response.status_mut() = status;
    leave_unread(&watch);
    sign(response.headers_mut(), &worker, &watch);
    response
}

/// `/version-2` is the page `/version-2/`.
pub(crate) fn add_slash(
    record: Box<Record>,
    decision: &Decision,
    path: &str,
    query: Option<&str>,
) -> Response<Body> {
    let mut response = bare(record, StatusCode::TEMPORARY_REDIRECT);
    let fields = response.headers_mut();
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    // The guard lets no path begin with two slashes, so that this stays a path. A query may hold bytes that
    // no field value has; then it is left out.
    let location = HeaderValue::try_from(format!("{path}/{query}"))
        .or_else(|_| HeaderValue::try_from(format!("{path}/")));
    if let Ok(location) = location {
        fields.insert(header::LOCATION, location);
    }
    fields.insert(header::CACHE_CONTROL, NO_STORE);
    mark(fields, decision);
    response
}

/// `OPTIONS *`: what we can do ourselves.
pub(crate) fn our_options(record: Box<Record>) -> Response<Body> {
    let mut response = bare(record, StatusCode::NO_CONTENT);
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(ALLOW));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn privately(told: &[&'static str]) -> String {
        let mut fields = HeaderMap::new();
        for line in told {
            fields.append(header::CACHE_CONTROL, HeaderValue::from_static(line));
        }
        fields.insert(SURROGATE_CONTROL.clone(), HeaderValue::from_static("max-age=60"));
        keep_private(&mut fields);
        assert!(!fields.contains_key(&SURROGATE_CONTROL));
        let lines: Vec<_> =
            fields.get_all(header::CACHE_CONTROL).iter().map(|v| v.to_str().unwrap()).collect();
        lines.join(" / ")
    }

    #[test]
    fn no_shared_cache_keeps_what_no_header_decided() {
        assert_eq!(privately(&[]), "private");
        assert_eq!(privately(&["public, max-age=60", "S-MaxAge=9"]), "private, max-age=60");
        assert_eq!(privately(&["no-store"]), "no-store");
        assert_eq!(privately(&["private=\"set-cookie\", max-age=1"]), "private, max-age=1");
    }
}
