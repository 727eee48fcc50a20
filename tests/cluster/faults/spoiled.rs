//! A client that spoils calls: between kube and the server, as a script says.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt;
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, BodyStream, Full, StreamBody};
use kube::Client;
use kube::client::Body;
use serde_json::json;

use super::script::{Fault, Piece, Script};

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Answer = Response<UnsyncBoxBody<Bytes, BoxError>>;

/// A client through which a script goes.
pub fn client(inner: Client, namespace: &str, script: Arc<Script>) -> Client {
    let service = tower::service_fn(move |request: Request<Body>| {
        let (inner, script) = (inner.clone(), script.clone());
        async move { pass(&inner, request, script).await }
    });
    Client::new(service, namespace)
}

async fn pass(inner: &Client, request: Request<Body>, script: Arc<Script>) -> Result<Answer, BoxError> {
    let reads = request.method() == Method::GET;
    let fault = match request.uri().path() {
        _ if reads => script.of_read(),
        path if path.contains("/leases") => script.of_lease(),
        path => script.of_write(format!("{} {path}", request.method())),
    };
    match fault {
        Some(Fault::Before) => return Err("spoiled: it never arrived".into()),
        Some(Fault::Code(code)) => return Ok(refusal(code)),
        Some(Fault::KilledBefore) => script.die().await,
        Some(Fault::Lost | Fault::MadeBut(_) | Fault::KilledAfter | Fault::Deposed | Fault::Silent)
        | None => {}
    }
    let answer = inner.send(request).await?;
    match fault {
        Some(Fault::MadeBut(code)) => Ok(refusal(code)),
        Some(Fault::KilledAfter) => script.die().await,
        Some(Fault::Silent) => std::future::pending().await,
        Some(Fault::Lost) => Err("spoiled: the answer was lost".into()),
        Some(Fault::Deposed) => {
            script.depose();
            Ok(whole(answer))
        }
        Some(Fault::Before | Fault::Code(_) | Fault::KilledBefore) => unreachable!("it was not sent"),
        None if reads => Ok(in_pieces(answer, script)),
        None => Ok(whole(answer)),
    }
}

fn whole(answer: Response<Body>) -> Answer {
    answer.map(|body| body.map_err(BoxError::from).boxed_unsync())
}

/// Each piece a little later than it came, until the connection breaks.
fn in_pieces(answer: Response<Body>, script: Arc<Script>) -> Answer {
    answer.map(|body| {
        let pieces = BodyStream::new(body).then(move |piece| {
            let becomes = script.of_piece();
            async move {
                match becomes {
                    Piece::Late(lateness) => tokio::time::sleep(lateness).await,
                    Piece::Broken => return Err("spoiled: the connection broke".into()),
                }
                piece.map_err(BoxError::from)
            }
        });
        StreamBody::new(pieces).boxed_unsync()
    })
}

fn refusal(code: u16) -> Answer {
    let body = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code,
        "reason": "Spoiled", "message": "spoiled"});
    let mut answer =
        Response::new(Full::from(body.to_string()).map_err(|never| match never {}).boxed_unsync());
    *answer.status_mut() = StatusCode::from_u16(code).unwrap();
    if code == 429 {
        answer.headers_mut().insert("retry-after", "1".parse().unwrap());
    }
    answer
}
