//! Sends one write and says what came of it. It decides nothing, and it never fails: whatever happens is an
//! [`Outcome`].

use std::time::Duration;

use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use kube::Client;
use kube::client::Body;
use serde_json::Value;

use super::outcome::{Answer, classify, whose};
use super::request::{SERVER_TIMEOUT, read, request};
use super::{Outcome, Write};

/// After this long an answer is not waited for any more; the server gave up before.
const LONGEST: Duration = Duration::from_secs(SERVER_TIMEOUT + 2);
/// The most bytes of an answer that are read: an object has at most 1.5 MiB (etcd's limit), its managed
/// fields included; JSON needs some more.
const LARGEST: usize = 8 * 1024 * 1024;
/// The longest pause that a server can ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// Sends a write.
pub async fn perform(client: &Client, write: &Write) -> Outcome {
    match tokio::time::timeout(LONGEST, converse(client, write)).await {
        Ok(outcome) => outcome,
        Err(_) => Outcome::Later(None, format!("there was no answer within {} s", LONGEST.as_secs())),
    }
}

async fn converse(client: &Client, write: &Write) -> Outcome {
    let asked = match request(write) {
        Ok(asked) => asked,
        Err(error) => return Outcome::Refused("Refused", format!("its name makes no address: {error}")),
    };
    let (status, after, body) = match send(client, asked).await {
        Ok(answer) => answer,
        Err(words) => return Outcome::Later(None, words),
    };
    match classify(write, status, after, body) {
        Answer::Plain(outcome) => outcome,
        Answer::Whose => match read(write) {
            Ok(asked) => match send(client, asked).await {
                Ok((status, _, body)) => whose(write, status, body),
                Err(words) => Outcome::Later(None, words),
            },
            Err(error) => Outcome::Refused("Refused", format!("its name makes no address: {error}")),
        },
    }
}

async fn send(
    client: &Client,
    request: Request<Vec<u8>>,
) -> Result<(StatusCode, Option<Duration>, Value), String> {
    let unreachable = |error: &dyn std::fmt::Display| format!("the API server cannot be reached: {error}");
    let response = client.send(request.map(Body::from)).await.map_err(|error| unreachable(&error))?;
    let (status, after) = (response.status(), retry_after(&response));
    let limited = Limited::new(response.into_body(), LARGEST);
    let bytes = limited.collect().await.map_err(|error| unreachable(&error))?.to_bytes();
    Ok((status, after, serde_json::from_slice(&bytes).unwrap_or(Value::Null)))
}

/// The pause that the server asks for, in seconds (RFC 9110 10.2.3; an API server writes no dates).
fn retry_after<B>(response: &Response<B>) -> Option<Duration> {
    let text = response.headers().get(http::header::RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse().ok().map(|seconds| Duration::from_secs(seconds).min(LONGEST_PAUSE))
}
