//! Which answer a request gets: one match over the path.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde_json::{Map, Value, json};

use super::body::EchoBody;
use super::{Server, page, websocket};

/// The answer names its version here too: the edge's own header says whom it meant, this one who it was.
const ECHO_VERSION: HeaderName = HeaderName::from_static("x-echo-version");
/// `/request` shows no more of a body than this.
const SHOWN_BODY: usize = 64 * 1024;

/// The connection is to break without an answer.
#[derive(Debug, thiserror::Error)]
#[error("broken off as asked")]
pub(super) struct Break;

/// Answers one request.
pub(super) async fn answer(
    server: Arc<Server>,
    peer: SocketAddr,
    request: Request<Incoming>,
) -> Result<Response<EchoBody>, Break> {
    let mut response = if is_websocket(request.headers()) {
        upgrade(&server, request)
    } else {
        route(&server, peer, request).await?
    };
    if let Ok(version) = HeaderValue::from_str(&server.voice.version) {
        response.headers_mut().insert(ECHO_VERSION, version);
    }
    Ok(response)
}

async fn route(
    server: &Server,
    peer: SocketAddr,
    request: Request<Incoming>,
) -> Result<Response<EchoBody>, Break> {
    let path = request.uri().path();
    let (first, rest) = path.trim_start_matches('/').split_once('/').unwrap_or((path.trim_matches('/'), ""));
    let uri = request.uri().clone();
    Ok(match first {
        "bytes" => bytes(rest, &uri),
        "status" => status(rest),
        "events" => events(&uri),
        "redirect" => redirect(&uri),
        "cookie" => cookie(&uri),
        "request" => shown(server, peer, request).await,
        "slow" => {
            tokio::time::sleep(Duration::from_millis(number(&uri, "ms").unwrap_or(1000))).await;
            described(server, peer, &request)
        }
        "hang" => std::future::pending().await,
        "break" => return Err(Break),
        _ if has_body(request.method()) => mirror(request),
        _ => described(server, peer, &request),
    })
}

fn has_body(method: &Method) -> bool {
    [Method::POST, Method::PUT, Method::PATCH].contains(method)
}

/// `/bytes/N`: N bytes; `?chunked=1` without telling the length first.
fn bytes(count: &str, uri: &Uri) -> Response<EchoBody> {
    let Ok(left) = count.parse() else { return text(StatusCode::BAD_REQUEST, "write /bytes/N\n") };
    let sized = number(uri, "chunked").unwrap_or(0) == 0;
    let mut response = Response::new(EchoBody::Bytes { left, sized });
    content_type(&mut response, "application/octet-stream");
    response
}

/// `/status/NNN`: that status.
fn status(code: &str) -> Response<EchoBody> {
    // A 1xx is no last answer (RFC 9110 15.2).
    match code.parse().ok().filter(|code: &u16| (200..=999).contains(code)).map(StatusCode::from_u16) {
        Some(Ok(status)) => text(status, &format!("{status}\n")),
        Some(Err(_)) | None => text(StatusCode::BAD_REQUEST, "write /status/NNN, 200 to 999\n"),
    }
}

/// `/events?ms=1000&count=N`: server-sent events.
fn events(uri: &Uri) -> Response<EchoBody> {
    let every = Duration::from_millis(number(uri, "ms").unwrap_or(1000));
    let mut response = Response::new(EchoBody::events(every, number(uri, "count")));
    content_type(&mut response, "text/event-stream");
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// `/redirect?to=/there`: 302, as an application that knows no prefix would.
fn redirect(uri: &Uri) -> Response<EchoBody> {
    let to = parameter(uri, "to").unwrap_or_else(|| "/".to_owned());
    let mut response = text(StatusCode::FOUND, "");
    if let Ok(to) = HeaderValue::from_str(&to) {
        response.headers_mut().insert(header::LOCATION, to);
    }
    response
}

/// `/cookie?name=n&value=v&path=/`: sets a cookie.
fn cookie(uri: &Uri) -> Response<EchoBody> {
    let part = |name, default: &str| parameter(uri, name).unwrap_or_else(|| default.to_owned());
    let cookie = format!("{}={}; Path={}", part("name", "echo"), part("value", "1"), part("path", "/"));
    let mut response = text(StatusCode::OK, &format!("{cookie}\n"));
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

/// The request's body comes back as it comes in, with its type.
fn mirror(request: Request<Incoming>) -> Response<EchoBody> {
    let (parts, body) = request.into_parts();
    let mut response = Response::new(EchoBody::Mirror(body));
    if let Some(kind) = parts.headers.get(header::CONTENT_TYPE) {
        response.headers_mut().insert(header::CONTENT_TYPE, kind.clone());
    }
    response
}

/// A page for browsers, JSON for everybody else.
fn described<B>(server: &Server, peer: SocketAddr, request: &Request<B>) -> Response<EchoBody> {
    if wants_html(request.headers()) {
        let mut response = text(StatusCode::OK, &page::page(&server.voice, request));
        content_type(&mut response, "text/html; charset=utf-8");
        return response;
    }
    json_response(&Value::Object(description(server, peer, request)))
}

/// `/request`: the request as JSON, its body too.
async fn shown(server: &Server, peer: SocketAddr, request: Request<Incoming>) -> Response<EchoBody> {
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, SHOWN_BODY).collect().await.map(http_body_util::Collected::to_bytes);
    let mut description = description(server, peer, &Request::from_parts(parts, ()));
    match body {
        Ok(bytes) => {
            description.insert("bodyBytes".to_owned(), bytes.len().into());
            description.insert("body".to_owned(), String::from_utf8_lossy(&bytes).into());
        }
        Err(error) => {
            description.insert("bodyError".to_owned(), error.to_string().into());
        }
    }
    json_response(&Value::Object(description))
}

fn description<B>(server: &Server, peer: SocketAddr, request: &Request<B>) -> Map<String, Value> {
    let mut headers: Map<String, Value> = Map::new();
    for (name, value) in request.headers() {
        let value = Value::from(String::from_utf8_lossy(value.as_bytes()));
        match headers.get_mut(name.as_str()) {
            None => {
                headers.insert(name.as_str().to_owned(), value);
            }
            Some(Value::Array(values)) => values.push(value),
            Some(first) => *first = json!([first.take(), value]),
        }
    }
    let mut description = Map::new();
    description.insert("version".to_owned(), server.voice.version.clone().into());
    description.insert("method".to_owned(), request.method().as_str().into());
    description.insert("target".to_owned(), request.uri().to_string().into());
    description.insert("protocol".to_owned(), format!("{:?}", request.version()).into());
    description.insert("peer".to_owned(), peer.to_string().into());
    description.insert("headers".to_owned(), headers.into());
    description
}

fn is_websocket(headers: &HeaderMap) -> bool {
    headers.get(header::UPGRADE).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// RFC 6455 4.2.2.
fn upgrade(server: &Arc<Server>, request: Request<Incoming>) -> Response<EchoBody> {
    let Some(key) = request.headers().get(header::SEC_WEBSOCKET_KEY).and_then(|key| key.to_str().ok()) else {
        return text(StatusCode::BAD_REQUEST, "a WebSocket needs a Sec-WebSocket-Key\n");
    };
    let accept = websocket::accept(key);
    let stop = server.stop.clone();
    server.tunnels.spawn(async move {
        if let Ok(upgraded) = hyper::upgrade::on(request).await {
            websocket::echo(TokioIo::new(upgraded), stop).await;
        }
    });
    let mut response = text(StatusCode::SWITCHING_PROTOCOLS, "");
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_TYPE);
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    if let Ok(accept) = HeaderValue::from_str(&accept) {
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    }
    response
}

fn wants_html(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
}

fn number(uri: &Uri, name: &str) -> Option<u64> {
    parameter(uri, name)?.parse().ok()
}

/// The first query parameter of that name, percent-decoded.
fn parameter(uri: &Uri, name: &str) -> Option<String> {
    let pairs = uri.query()?.split('&');
    let value = pairs.filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name)?.1;
    Some(percent_encoding::percent_decode_str(value).decode_utf8_lossy().into_owned())
}

fn text(status: StatusCode, text: &str) -> Response<EchoBody> {
    let mut response = Response::new(EchoBody::Text(Bytes::copy_from_slice(text.as_bytes())));
    *response.status_mut() = status;
    content_type(&mut response, "text/plain; charset=utf-8");
    response
}

fn json_response(value: &Value) -> Response<EchoBody> {
    let mut response = text(StatusCode::OK, &format!("{value:#}\n"));
    content_type(&mut response, "application/json");
    response
}

fn content_type(response: &mut Response<EchoBody>, kind: &'static str) {
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
}
