//! A request that somebody describes instead of sending it.

use std::net::{IpAddr, Ipv4Addr};

use http::header::HOST;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::api::Host;
use crate::routes::table::Facts;

/// A described request.
#[derive(Debug, Clone, PartialEq)]
pub struct Described {
    method: Method,
    host: String,
    path: String,
    query: Option<String>,
    headers: HeaderMap,
    client: IpAddr,
}

/// Why a text describes no request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DescribedError {
    /// The method.
    #[error("`{0}` is no method, as `GET` is one")]
    Method(String),
    /// The URL.
    #[error("`{0}` is no URL with a host, as `http://shop.localhost:8080/cart` is one")]
    Url(String),
    /// The host.
    #[error("`{0}` is no host name, and the edge answers 400 to it")]
    Host(String),
    /// A header.
    #[error("`{0}` is no header: write `name: value`")]
    Header(String),
    /// The client's address.
    #[error("`{0}` is no IP address, as `192.0.2.1` is one")]
    Client(String),
    /// A parameter of a query.
    #[error("`{0}` is no parameter here: use `method`, `url`, `header` (repeated) and `client`")]
    Parameter(String),
}

/// What stays as it is in a query's value.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

impl Described {
    /// A request of a method, a URL (its scheme may be left out), headers as `name: value`, and the client's
    /// address (default: this machine's own).
    ///
    /// # Errors
    /// One sentence that names the part which is wrong.
    pub fn parse<S: AsRef<str>>(
        method: &str,
        url: &str,
        headers: &[S],
        client: Option<&str>,
    ) -> Result<Self, DescribedError> {
        let refused = || DescribedError::Url(url.to_owned());
        let whole = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
        let whole = whole.split('#').next().unwrap_or_default();
        let uri: Uri = whole.parse().map_err(|_| refused())?;
        let authority = uri.host().filter(|host| !host.is_empty()).ok_or_else(refused)?;
        let mut fields = HeaderMap::new();
        for header in headers {
            let header = header.as_ref();
            let refused = || DescribedError::Header(header.to_owned());
            let (name, value) = header.split_once(':').ok_or_else(refused)?;
            let name = HeaderName::from_bytes(name.trim().as_bytes()).map_err(|_| refused())?;
            let value = HeaderValue::from_bytes(value.trim().as_bytes()).map_err(|_| refused())?;
            fields.append(name, value);
        }
        // As with curl: a Host header says more than the URL, which then only tells where to connect.
        let host = fields.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or(authority);
        let host = comparable(host);
        if !host.starts_with('[') && (host.starts_with('*') || Host::parse(&host).is_err()) {
            return Err(DescribedError::Host(host));
        }
        let client = match client {
            Some(text) => text.parse().map_err(|_| DescribedError::Client(text.to_owned()))?,
            None => IpAddr::V4(Ipv4Addr::LOCALHOST),
        };
        Ok(Self {
            method: Method::from_bytes(method.as_bytes())
                .map_err(|_| DescribedError::Method(method.to_owned()))?,
            host,
            path: if uri.path().is_empty() { "/".to_owned() } else { uri.path().to_owned() },
            query: uri.query().map(ToOwned::to_owned),
            headers: fields,
            client,
        })
    }

    /// The same from a query: `method=GET&url=…&header=name:value&header=…&client=192.0.2.1`, each value
    /// percent-encoded; the method is GET unless written.
    ///
    /// # Errors
    /// As [`parse`](Self::parse), and for parameters of another name.
    pub fn from_query(query: &str) -> Result<Self, DescribedError> {
        let (mut method, mut url, mut client, mut headers) =
            ("GET".to_owned(), String::new(), None, Vec::new());
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = value.replace('+', " ");
            let value = percent_decode_str(&value).decode_utf8_lossy().into_owned();
            match name {
                "method" => method = value,
                "url" => url = value,
                "client" => client = Some(value),
                "header" => headers.push(value),
                other => return Err(DescribedError::Parameter(other.to_owned())),
            }
        }
        Self::parse(&method, &url, &headers, client.as_deref())
    }

    /// The query that [`from_query`](Self::from_query) reads these parts from.
    #[must_use]
    pub fn query<S: AsRef<str>>(method: &str, url: &str, headers: &[S], client: Option<&str>) -> String {
        let encoded = |text: &str| utf8_percent_encode(text, PLAIN).to_string();
        let mut query = format!("method={}&url={}", encoded(method), encoded(url));
        for header in headers {
            query += &format!("&header={}", encoded(header.as_ref()));
        }
        if let Some(client) = client {
            query += &format!("&client={}", encoded(client));
        }
        query
    }

    /// The request as the table asks for it.
    #[must_use]
    pub fn facts(&self) -> Facts<'_> {
        Facts {
            method: &self.method,
            host: &self.host,
            path: &self.path,
            query: self.query.as_deref(),
            headers: &self.headers,
            client: self.client,
        }
    }
}

/// A host as routes compare it: lower-case, without port and trailing dot.
fn comparable(host: &str) -> String {
    let without_port = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !name.ends_with(':') => name,
        Some(_) | None => host,
    };
    without_port.strip_suffix('.').unwrap_or(without_port).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_in_words() {
        let headers = ["X-QA-Team: blue", "Cookie:a=b"];
        let query = Described::query("POST", "Shop.Example.com.:8080/a?b=c&d", &headers, Some("::1"));
        let described = Described::from_query(&query).unwrap();
        assert_eq!(
            described,
            Described::parse("POST", "http://shop.example.com/a?b=c&d#e", &headers, Some("::1")).unwrap()
        );
        let facts = described.facts();
        assert_eq!((facts.host, facts.path, facts.query), ("shop.example.com", "/a", Some("b=c&d")));
        assert_eq!(facts.headers["x-qa-team"], "blue");
        let none: [&str; 0] = [];
        assert_eq!(Described::parse("GET", "shop.localhost", &none, None).unwrap().facts().path, "/");
        // What the edge takes for no host is none here.
        let long = format!("{}-shop.example.com", "a".repeat(63));
        for bad in [long.as_str(), "v2.-x.example.com", "*.example.com"] {
            let refused = Described::parse("GET", bad, &none, None);
            assert!(matches!(refused, Err(DescribedError::Host(_) | DescribedError::Url(_))), "{bad}");
        }
        assert!(Described::parse("GET", "http://[::1]:80/", &none, None).is_ok());
        let host = Described::parse("GET", "127.0.0.1:8080/", &["Host: Shop.localhost:80"], None).unwrap();
        assert_eq!(host.facts().host, "shop.localhost");
    }

    #[test]
    fn what_is_no_request() {
        let none: [&str; 0] = [];
        for (method, url, headers, client) in [
            ("G T", "a.b/", &none[..], None),
            ("GET", "/only/a/path", &none, None),
            ("GET", "", &none, None),
            ("GET", "a.b/", &["no colon"], None),
            ("GET", "a.b/", &["na me: x"], None),
            ("GET", "a.b/", &none, Some("nobody")),
        ] {
            assert!(Described::parse(method, url, headers, client).is_err(), "{method} {url} {headers:?}");
        }
        assert!(Described::from_query("url=a.b&verb=GET").is_err());
    }
}
