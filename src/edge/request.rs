//! The life of a request, from its head to its answer: one function a phase, in the order of their running.
//!
//! guard → facts → find → the upstream head → an endpoint, a connection, the exchange, again where that is
//! safe → the answer, whose body relays the rest (`relay`) and is recorded with its last byte (`record`).
//! Where the sending goes, and how often, is in
//! `attempts`; what faults lead to, in `error` and `retry`.

use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use bytes::{Buf, Bytes};
use http::header::{ACCEPT, HOST, USER_AGENT};
use http::request::Parts;
use http::{HeaderMap, Method, Request, Response, Version};
use http_body::Body as _;
use hyper::body::Incoming;

use super::answer::{self, Telling};
use super::attempts;
use super::cookies::confine;
use super::decide::{Decision, Verdict, decide};
use super::error::Fault;
use super::ids::RequestId;
use super::log::{Entry, text};
use super::record::Record;
use super::relay::{Body, Broken, Relay};
use super::retry::idempotent;
use super::tunnel::Tunnel;
use super::upstream::{Exchange, Patience};
use super::watch::Watch;
use super::worker::Worker;
use crate::routes::{Facts, Protocol};
use crate::wire::body::Reader;
use crate::wire::forward::{self, Peer};
use crate::wire::framing::{RequestBody, ResponseBody};
use crate::wire::guard::{Admission, Admitted, examine};
use crate::wire::prefix::{Origin, Prefix};
use crate::wire::request::Head as UpstreamHead;
use crate::wire::response::{Asked, Head};

/// Serves one request. An error closes the client's connection without an answer.
pub(crate) async fn serve(
    worker: Rc<Worker>,
    watch: Rc<Watch>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Broken> {
    // Its answer was under way already when the request before turned out to be the last one.
    if watch.spent() {
        return Err(Broken(Fault::ClientBody));
    }
    let record = Record::begin(&worker, &watch);
    let (mut parts, body) = request.into_parts();
    watch.set_unread(!body.is_end_stream());
    let (mut record, plan) = match prepare(&worker, &watch, &parts, record) {
        Prepared::Send(record, plan) => (record, plan),
        Prepared::Answer(response) => return Ok(answer::in_version(response?, parts.version)),
    };
    // The upstream's fields take the place of these, those of an answer that is then refused as well.
    let accept = parts.headers.get(ACCEPT).cloned();
    let result = attempts::exchange(&worker, &watch, &mut record, &plan, &mut parts, body).await;
    worker.buffers.give_head(plan.head);
    let response = match result {
        Ok((head, exchange)) => {
            // hyper knows no other way to end such a body for HTTP/1.0.
            let unknown = matches!(head.body, ResponseBody::Chunked | ResponseBody::UntilClose);
            if parts.version == Version::HTTP_10 && unknown {
                watch.ends_by_close();
                watch.spend();
            }
            respond(record, head, exchange, parts.headers, &plan.rest)
        }
        Err(failure) => {
            let asked = HeaderMap::from_iter(accept.map(|accept| (ACCEPT, accept)));
            let telling = Telling {
                headers: &asked,
                request_id: Some(plan.rest.request_id.as_str()),
                decision: Some(&plan.rest.decision),
                reason: None,
                page: None,
            };
            refuse(record, failure.fault, telling)?
        }
    };
    Ok(answer::in_version(response, parts.version))
}

/// What the phases before the sending come to.
enum Prepared {
    Send(Box<Record>, Plan),
    Answer(Result<Response<Body>, Broken>),
}

/// All that sending takes: nothing of it borrows the request, whose field map becomes the response's.
pub(crate) struct Plan {
    /// The upstream request head, as bytes; the same for every attempt.
    pub(crate) head: Vec<u8>,
    pub(crate) body: RequestBody,
    /// Whether the request may be sent twice.
    pub(crate) repeatable: bool,
    pub(crate) asked: Asked,
    pub(crate) rest: Rest,
}

/// What the answer asks for.
pub(crate) struct Rest {
    pub(crate) decision: Decision,
    request_id: RequestId<'static>,
    /// In path mode: what the client calls this place.
    mount: Option<Box<Mount>>,
    /// Where cookies stay with their host: that host.
    cookie_host: Option<Box<str>>,
    pub(crate) patience: Patience,
}

struct Mount {
    prefix: String,
    host: String,
    port: Option<u16>,
}

/// Guard, facts, find, and the upstream head.
fn prepare(worker: &Worker, watch: &Watch, parts: &Parts, mut record: Box<Record>) -> Prepared {
    let telling =
        Telling { headers: &parts.headers, request_id: None, decision: None, reason: None, page: None };
    let admitted = match examine(parts, &worker.shared.terms) {
        Ok(Admission::Route(admitted)) => admitted,
        Ok(Admission::OurOptions) => {
            note_ours(worker, watch, &mut record, parts);
            return Prepared::Answer(Ok(answer::our_options(record)));
        }
        Err(refusal) => {
            note_ours(worker, watch, &mut record, parts);
            return Prepared::Answer(refuse(record, Fault::Refused(refusal), telling));
        }
    };
    let id = RequestId::of(&admitted, &worker.chance);
    note(worker, &mut record, parts, &admitted, &id);
    let client = client(worker, watch, parts);
    if let Some(entry) = &mut record.entry {
        entry.client = Some(client);
    }
    let (mut reason, mut page) = (None, None);
    let (fault, decision) = match find(worker, watch.trusted, client, parts, &admitted) {
        Verdict::AddSlash(decision) => {
            record.found(&decision.route, &decision.reason);
            let response = answer::add_slash(record, &decision, &admitted.path, admitted.query);
            return Prepared::Answer(Ok(response));
        }
        Verdict::NoVersion(named_by, said) => {
            record.named(&named_by);
            (reason, page) = (Some(named_by), Some(said));
            (Fault::NoVersion, None)
        }
        Verdict::Refuse(fault, decision, said) => {
            page = Some(said);
            if let Some(decision) = &decision {
                record.found(&decision.route, &decision.reason);
            }
            (fault, decision)
        }
        Verdict::Serve(decision) => {
            let in_flight = record.found(&decision.route, &decision.reason);
            match hindrance(worker, &decision, in_flight) {
                None => {
                    let plan = plan(worker, watch, parts, &admitted, &id, record.ours(), decision);
                    return Prepared::Send(record, plan);
                }
                Some(fault) => (fault, Some(decision)),
            }
        }
    };
    let (request_id, decision, reason) = (Some(id.as_str()), decision.as_ref(), reason.as_ref());
    let telling = Telling { request_id, decision, reason, page, ..telling };
    Prepared::Answer(refuse(record, fault, telling))
}

/// What keeps a version from serving a request although it has endpoints; `in_flight`: those before this one.
fn hindrance(worker: &Worker, decision: &Decision, in_flight: u32) -> Option<Fault> {
    if decision.route.protocol == Protocol::H2c {
        return Some(Fault::Protocol);
    }
    // A version that hangs must not hold every connection there is.
    (in_flight >= worker.limits().in_flight).then_some(Fault::Overloaded)
}

/// The client's address: the peer's, or, behind trusted proxies, as they tell it.
fn client(worker: &Worker, watch: &Watch, parts: &Parts) -> IpAddr {
    let peer = watch.peer.ip().to_canonical();
    if watch.trusted {
        forward::client(&parts.headers, peer, |address| worker.shared.trusts(address))
    } else {
        peer
    }
}

/// Which version, by the table that is in service at this instant.
fn find(worker: &Worker, trusted: bool, client: IpAddr, parts: &Parts, admitted: &Admitted<'_>) -> Verdict {
    let facts = Facts {
        method: &parts.method,
        host: &admitted.host,
        path: &admitted.path,
        query: admitted.query,
        headers: &parts.headers,
        client,
        trusted,
    };
    worker.with_table(|table| decide(table, &facts))
}

/// The upstream request, written once.
fn plan(
    worker: &Worker,
    watch: &Watch,
    parts: &Parts,
    admitted: &Admitted<'_>,
    id: &RequestId<'_>,
    ours: &[u8],
    decision: Decision,
) -> Plan {
    let split = Prefix::split(&admitted.path, decision.prefix);
    let mut head = worker.buffers.take_head();
    UpstreamHead {
        parts,
        admitted,
        path: split.map_or(&*admitted.path, |(_, path)| path),
        query: admitted.query,
        prefix: split.map(|(prefix, _)| prefix),
        peer: Peer { address: &watch.peer_text, trusted: watch.trusted, scheme: worker.shared.terms.scheme },
        request_id: id.as_bytes(),
        pseudonym: &worker.shared.terms.pseudonym,
        version: &decision.route.version,
        ours,
    }
    .write(&mut head);
    let mount = split.map(|(prefix, _)| {
        Box::new(Mount {
            prefix: prefix.as_str().to_owned(),
            host: admitted.host.clone().into_owned(),
            port: admitted.port,
        })
    });
    let limits = &decision.route.limits;
    let patience = Patience {
        response: limits.response.unwrap_or(worker.limits().response),
        idle: limits.idle.unwrap_or(worker.limits().stream_idle),
    };
    Plan {
        head,
        body: admitted.body,
        repeatable: admitted.body.is_empty() && idempotent(&parts.method),
        asked: Asked { head: parts.method == Method::HEAD, websocket: admitted.websocket },
        rest: Rest {
            decision,
            request_id: id.owned(),
            mount,
            cookie_host: worker.shared.confine_cookies.then(|| (*admitted.host).into()),
            patience,
        },
    }
}

/// The upstream's response, edited; its body as far as it is here, else relayed.
fn respond(
    mut record: Box<Record>,
    head: Head,
    mut exchange: Exchange,
    mut fields: HeaderMap,
    rest: &Rest,
) -> Response<Body> {
    record.answered(head.status.as_u16());
    exchange.upstream.load.slot().worked();
    if let Some(mount) = &rest.mount
        && let Some(prefix) = Prefix::parse(&mount.prefix)
    {
        let scheme = record.worker.shared.terms.scheme;
        prefix.give_back(&mut fields, &Origin { scheme, host: &mount.host, port: mount.port });
    }
    if let Some(host) = &rest.cookie_host {
        confine(&mut fields, host);
    }
    answer::mark(&mut fields, &rest.decision);
    answer::leave_unread(&record.watch);
    answer::sign(&mut fields, &record.worker, &record.watch);
    exchange.buffer.advance(head.length);
    let body = body(record, &head, exchange, rest.patience.idle);
    let mut response = Response::new(body);
    *response.status_mut() = head.status;
    *response.version_mut() = Version::HTTP_11;
    *response.headers_mut() = fields;
    response
}

fn body(mut record: Box<Record>, head: &Head, mut exchange: Exchange, idle: Duration) -> Body {
    let keep_alive = head.idle_seconds.map(|seconds| Duration::from_secs(seconds.into()));
    let whole = match head.body {
        ResponseBody::Tunnel => return tunnel(record, exchange, idle),
        ResponseBody::None => Some(0),
        ResponseBody::Length(length) => usize::try_from(length).ok().filter(|n| *n <= exchange.buffer.len()),
        ResponseBody::Chunked | ResponseBody::UntilClose => None,
    };
    match whole {
        // An upload that goes on beside the answer needs somebody to move it.
        Some(length) if exchange.upload.is_none() => {
            let data = exchange.buffer.split_to(length).freeze();
            record.received = exchange.uploaded();
            exchange.end(&record.worker, head.reusable, keep_alive);
            Body::whole(data, record)
        }
        Some(_) | None => {
            let reader = Reader::new(head.body);
            Body::Relay(Box::new(Relay::new(exchange, reader, record, head.reusable, keep_alive, idle)))
        }
    }
}

/// The upstream has switched protocols: its half waits until hyper has written the 101.
fn tunnel(mut record: Box<Record>, exchange: Exchange, idle: Duration) -> Body {
    if let Some(entry) = &mut record.entry {
        entry.tunnel = true;
    }
    let watch = Rc::clone(&record.watch);
    let Exchange { upstream, buffer, .. } = exchange;
    let lead = Bytes::copy_from_slice(&buffer);
    record.worker.buffers.give(buffer);
    let tunnel = Tunnel { upstream, lead, record, idle };
    watch.tunnel.replace(Some(Box::new(tunnel)));
    Body::Nothing
}

/// The page that tells what went wrong; none where nobody would hear it.
fn refuse(record: Box<Record>, fault: Fault, telling: Telling<'_>) -> Result<Response<Body>, Broken> {
    answer::failed(record, fault, telling).map_err(|mut record| {
        record.finish();
        Broken(fault)
    })
}

/// What only the access log asks for, if there is one.
fn note(worker: &Worker, record: &mut Record, parts: &Parts, admitted: &Admitted<'_>, id: &RequestId<'_>) {
    if worker.shared.log.is_none() {
        return;
    }
    let target = match admitted.query {
        Some(query) => text(&[admitted.path.as_bytes(), b"?", query.as_bytes()]),
        None => text(&[admitted.path.as_bytes()]),
    };
    record.entry = Some(Box::new(Entry {
        method: parts.method.to_string(),
        host: admitted.host.to_string(),
        target,
        request_id: id.as_str().to_owned(),
        agent: parts.headers.get(USER_AGENT).map_or_else(String::new, |agent| text(&[agent.as_bytes()])),
        ..Entry::default()
    }));
}

/// The same of a request that the guard lets no further: as it came, since nothing of it has been judged.
fn note_ours(worker: &Worker, watch: &Watch, record: &mut Record, parts: &Parts) {
    if worker.shared.log.is_none() {
        return;
    }
    let field = |name| parts.headers.get(name).map_or_else(String::new, |value| text(&[value.as_bytes()]));
    record.entry = Some(Box::new(Entry {
        method: text(&[parts.method.as_str().as_bytes()]),
        host: field(HOST),
        target: parts
            .uri
            .path_and_query()
            .map_or_else(String::new, |target| text(&[target.as_str().as_bytes()])),
        client: Some(watch.peer.ip().to_canonical()),
        agent: field(USER_AGENT),
        ..Entry::default()
    }));
}
