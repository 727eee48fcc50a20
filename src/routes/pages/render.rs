//! A page in each of its three forms.

use std::fmt::Write as _;

use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::{Map, Value, json};

use super::Page;
use super::form::Form;

/// A page, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The status.
    pub status: StatusCode,
    /// Its fields: type, `no-store`, `Retry-After`; no length.
    pub headers: HeaderMap,
    /// The body, UTF-8.
    pub body: String,
}

impl Page {
    /// Renders the page; the request id helps to find it in the log.
    #[must_use]
    pub fn render(&self, form: Form, request_id: Option<&str>) -> Rendered {
        let (content_type, body) = match form {
            Form::Text => ("text/plain; charset=utf-8", self.text(request_id)),
            Form::Html => ("text/html; charset=utf-8", self.html(request_id)),
            Form::Json => ("application/problem+json", self.json(request_id)),
        };
        let mut headers = HeaderMap::with_capacity(5);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        // A version that comes up must not be hidden by a page that a cache kept.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if form == Form::Html {
            let policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";
            headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        Rendered { status: self.status, headers, body }
    }

    fn text(&self, request_id: Option<&str>) -> String {
        let mut text = format!("{} {}\n{}\n", self.status.as_u16(), self.title, self.detail);
        if let Some(nearest) = &self.nearest {
            let _ = writeln!(text, "Did you mean `{nearest}`?");
        }
        if !self.offered.is_empty() {
            let _ = writeln!(text, "On offer: {}{}", self.offered.join(", "), self.more());
        }
        if let Some(id) = request_id {
            let _ = writeln!(text, "Request: {id}");
        }
        text
    }

    fn json(&self, request_id: Option<&str>) -> String {
        let mut fields = Map::new();
        let mut put = |name: &str, value: Value| {
            fields.insert(name.to_owned(), value);
        };
        // RFC 9457 3.1.1: `about:blank`, the default, says that the status tells all; the label is ours.
        put("type", json!("about:blank"));
        put("title", json!(self.title));
        put("status", json!(self.status.as_u16()));
        put("detail", json!(self.detail));
        put("code", json!(self.label));
        if let Some(version) = &self.version {
            put("version", json!(version));
        }
        if let Some(nearest) = &self.nearest {
            put("nearest", json!(nearest));
        }
        if !self.offered.is_empty() {
            put("offered", json!(self.offered));
            put("offeredMore", json!(self.unnamed));
        }
        if let Some(id) = request_id {
            put("requestId", json!(id));
        }
        let mut text = Value::Object(fields).to_string();
        text.push('\n');
        text
    }

    fn html(&self, request_id: Option<&str>) -> String {
        let (status, title) = (self.status.as_u16(), Escaped(&self.title));
        let mut html = format!(
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"robots\" content=\"noindex\">\n<title>{status} {title}</title>\n\
             <style>\n{}</style>\n<main>\n<section>\n<p class=\"status\">{status}</p>\n<h1>{title}</h1>\n<p>{}</p>\n",
            include_str!("page.css"),
            with_code(&self.detail)
        );
        if let Some(nearest) = &self.nearest {
            let _ = writeln!(html, "<p>Did you mean <code>{}</code>?</p>", Escaped(nearest));
        }
        if !self.offered.is_empty() {
            let items = self.offered.iter().map(|id| format!("<li><code>{}</code></li>", Escaped(id)));
            let items: String = items.collect();
            let _ = writeln!(html, "<p>On offer{}:</p>\n<ul>{items}</ul>", self.more());
        }
        let _ = writeln!(html, "</section>");
        if let Some(id) = request_id {
            let _ = writeln!(html, "<footer>Request {}</footer>", Escaped(id));
        }
        html.push_str("</main>\n</html>\n");
        html
    }

    fn more(&self) -> String {
        if self.unnamed == 0 { String::new() } else { format!(" and {} more", self.unnamed) }
    }
}

/// A sentence whose words between backticks are code.
fn with_code(sentence: &str) -> String {
    let mut html = String::new();
    // What a request named may hold a backtick itself: then they do not pair, and all is plain.
    let pairs = sentence.matches('`').count() == 2;
    for (place, part) in sentence.split('`').enumerate() {
        let _ = match (pairs, place) {
            (true, 1) => write!(html, "<code>{}</code>", Escaped(part)),
            (true, _) | (false, 0) => write!(html, "{}", Escaped(part)),
            (false, _) => write!(html, "`{}", Escaped(part)),
        };
    }
    html
}

/// Text as HTML, in content and in quoted attributes.
struct Escaped<'t>(&'t str);

impl std::fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                plain => f.write_char(plain)?,
            }
        }
        Ok(())
    }
}
