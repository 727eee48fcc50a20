//! One GET to an admin port, over a connection of its own. Nothing but plain HTTP/1 to a known program.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use anyhow::{Context, bail};

/// How long the admin port may take for each step.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest answer that is read: an explanation of 64 rules of 16 matches is far shorter.
const LONGEST: u64 = 4 * 1024 * 1024;

/// The body of the answer to a GET.
///
/// # Errors
/// One sentence, where nobody answers there, or not with 200.
pub(super) fn get(admin: &str, target: &str) -> anyhow::Result<String> {
    let authority = admin.strip_prefix("http://").unwrap_or(admin).trim_end_matches('/');
    if authority.contains("://") || authority.contains('/') {
        bail!("`{admin}` is no admin port: write it as `http://127.0.0.1:9090`");
    }
    let address = if authority.contains(':') { authority.to_owned() } else { format!("{authority}:80") };
    let mut addresses = address.to_socket_addrs().with_context(|| format!("`{admin}` cannot be resolved"))?;
    let address = addresses.next().with_context(|| format!("`{admin}` has no address"))?;
    let nobody = || format!("no Synkronic answers at {admin}: is it running, with `--admin {address}`?");
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).with_context(nobody)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let request = format!(
        "GET {target} HTTP/1.1\r\nHost: {authority}\r\nAccept: application/json\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).with_context(nobody)?;
    let mut answer = Vec::new();
    stream.take(LONGEST).read_to_end(&mut answer).with_context(nobody)?;
    body(&answer).with_context(|| format!("{admin} is no admin port of Synkronic"))
}

/// The body of a response that came whole, until the connection's end.
fn body(answer: &[u8]) -> anyhow::Result<String> {
    let mut fields = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut fields);
    let httparse::Status::Complete(head) = response.parse(answer)? else { bail!("the answer broke off") };
    let chunked = response.headers.iter().any(|field| field.name.eq_ignore_ascii_case("transfer-encoding"));
    if chunked {
        bail!("the answer came in chunks");
    }
    let body = String::from_utf8_lossy(answer.get(head..).unwrap_or_default()).into_owned();
    match response.code {
        Some(200) => Ok(body),
        Some(code) => bail!("it answered {code}: {}", body.trim()),
        None => bail!("it answered without a status"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_and_what_are_none() {
        assert_eq!(body(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").unwrap(), "{}");
        let refused = body(b"HTTP/1.1 400 Bad Request\r\n\r\nno URL\n").unwrap_err();
        assert_eq!(refused.to_string(), "it answered 400: no URL");
        for bad in [&b"HTTP/1.1 200 OK\r\n"[..], b"", b"SSH-2.0\r\n\r\n"] {
            assert!(body(bad).is_err());
        }
        assert!(get("https://127.0.0.1:1/", "/").unwrap_err().to_string().contains("is no admin port"));
    }
}
