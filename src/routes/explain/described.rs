//! A request that somebody describes instead of sending it.

use std::net::{IpAddr, Ipv4Addr};

use http::header::HOST;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// A described request, as its head would reach the edge: a path for a target, and a `Host`.
#[derive(Debug, Clone)]
pub struct Described {
    /// The head.
    pub parts: Parts,
    /// The client's address.
    pub client: IpAddr,
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
        if !fields.contains_key(HOST) {
            let authority = uri.authority().map_or(authority, |it| without_userinfo(it.as_str()));
            fields.insert(HOST, HeaderValue::from_str(authority).map_err(|_| refused())?);
        }
        let client = match client {
            Some(text) => text.parse().map_err(|_| DescribedError::Client(text.to_owned()))?,
            None => IpAddr::V4(Ipv4Addr::LOCALHOST),
        };
        let mut request = Request::new(());
        *request.method_mut() =
            Method::from_bytes(method.as_bytes()).map_err(|_| DescribedError::Method(method.to_owned()))?;
        *request.uri_mut() = target(&uri).ok_or_else(refused)?;
        *request.headers_mut() = fields;
        Ok(Self { parts: request.into_parts().0, client })
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

    /// The request in one line.
    pub(super) fn line(&self) -> String {
        let host = self.parts.headers.get(HOST).map(|host| String::from_utf8_lossy(host.as_bytes()));
        let host = host.unwrap_or_default();
        format!("{} http://{host}{} from {}", self.parts.method, self.parts.uri, self.client)
    }
}

/// What a client makes a target of: path and query, which begin with a slash.
fn target(uri: &Uri) -> Option<Uri> {
    let text = uri.path_and_query().map_or("/", |it| it.as_str());
    if text.starts_with('/') { text.parse().ok() } else { format!("/{text}").parse().ok() }
}

/// Clients make a field of it, or nothing; they do not send it in `Host`.
fn without_userinfo(authority: &str) -> &str {
    authority.rsplit_once('@').map_or(authority, |(_, host)| host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_in_words() {
        let headers = ["X-QA-Team: blue", "Cookie:a=b"];
        let query = Described::query("POST", "Shop.Example.com.:8080/a?b=c&d", &headers, Some("::1"));
        let described = Described::from_query(&query).unwrap();
        let again =
            Described::parse("POST", "http://Shop.Example.com.:8080/a?b=c&d#e", &headers, Some("::1"))
                .unwrap();
        assert_eq!(described.line(), again.line());
        assert_eq!(described.line(), "POST http://Shop.Example.com.:8080/a?b=c&d from ::1");
        assert_eq!(described.parts.headers["x-qa-team"], "blue");
        let none: [&str; 0] = [];
        for (url, target, host) in [
            ("shop.localhost", "/", "shop.localhost"),
            ("shop.localhost?a", "/?a", "shop.localhost"),
            ("http://somebody:secret@shop.localhost:80/", "/", "shop.localhost:80"),
            ("http://[::1]:80/", "/", "[::1]:80"),
        ] {
            let parts = Described::parse("GET", url, &none, None).unwrap().parts;
            assert_eq!(
                (parts.uri.to_string().as_str(), &parts.headers[HOST]),
                (target, &host.parse().unwrap())
            );
        }
        let host = Described::parse("GET", "127.0.0.1:8080/", &["Host: Shop.localhost:80"], None).unwrap();
        assert_eq!(host.parts.headers.get_all(HOST).iter().collect::<Vec<_>>(), ["Shop.localhost:80"]);
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
