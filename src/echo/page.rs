//! The page for browsers: which version answered, why, what it was asked, and the way to the others.

use std::fmt::Write;

use http::{HeaderMap, Request, header};

use super::Voice;

/// Where a request came in, without the version's own part of it: what links to siblings begin with.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    /// The host without the version's label; none where the request named none.
    host: Option<String>,
    /// The path prefix without the version's segment.
    prefix: String,
    /// Whether the version was named by the path.
    by_path: bool,
}

impl Place {
    fn of<B>(version: &str, request: &Request<B>) -> Self {
        let text = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
        let host = request.uri().authority().map(|authority| authority.as_str());
        let host = host.or_else(|| text(header::HOST.as_str())).map(|host| {
            let own = host.strip_prefix(version).and_then(|rest| rest.strip_prefix('.'));
            own.unwrap_or(host).to_owned()
        });
        let prefix = text("x-forwarded-prefix").unwrap_or_default().trim_end_matches('/');
        let above = prefix.strip_suffix(version).and_then(|above| above.strip_suffix('/'));
        Self { host, prefix: above.unwrap_or(prefix).to_owned(), by_path: above.is_some() }
    }

    fn path_of(&self, sibling: &str) -> String {
        match sibling {
            "base" => format!("{}/", self.prefix),
            sibling => format!("{}/{sibling}/", self.prefix),
        }
    }

    /// By the way the reader came: by path from a path, else by host. Without a scheme, so it stays.
    fn href_of(&self, sibling: &str) -> String {
        match &self.host {
            Some(host) if !self.by_path && sibling == "base" => format!("//{host}/"),
            Some(host) if !self.by_path => format!("//{sibling}.{host}/"),
            Some(_) | None => self.path_of(sibling),
        }
    }
}

/// The whole page.
pub(super) fn page<B>(voice: &Voice, request: &Request<B>) -> String {
    let version = escape(&voice.version);
    let place = Place::of(&voice.version, request);
    let mut links = String::new();
    for sibling in &voice.links {
        let here = if *sibling == voice.version { " aria-current=\"page\"" } else { "" };
        let (name, href) = (escape(sibling), escape(&place.href_of(sibling)));
        let (hue, chroma) = (hue(sibling), chroma(sibling));
        let _ = write!(links, "<a style=\"--hue:{hue};--chroma:{chroma}\" href=\"{href}\"{here}>{name}</a>");
    }
    let method = escape(request.method().as_str());
    let target = escape(&request.uri().to_string());
    TEMPLATE
        .replace("{hue}", &hue(&voice.version).to_string())
        .replace("{chroma}", chroma(&voice.version))
        .replace("{greeting}", &escape(&voice.greeting))
        .replace("{version}", &version)
        .replace("{request}", &format!("{method} {target}"))
        .replace("{links}", &links)
        .replace("{headers}", &rows(request.headers()))
}

fn rows(headers: &HeaderMap) -> String {
    let mut rows: Vec<(&str, String)> = headers
        .iter()
        .map(|(name, value)| (name.as_str(), escape(&String::from_utf8_lossy(value.as_bytes()))))
        .collect();
    rows.sort();
    rows.iter().fold(String::new(), |mut table, (name, value)| {
        let _ = write!(table, "<tr><th>{name}</th><td>{value}</td></tr>");
        table
    })
}

/// A colour for a name, always the same one; names that differ in their last digit lie far apart.
fn hue(name: &str) -> u32 {
    name.bytes().fold(40, |hue, byte| (hue * 31 + u32::from(byte) * 67) % 360)
}

/// The base is grey among its colourful versions.
fn chroma(name: &str) -> &'static str {
    if name == "base" { "0.02" } else { "0.13" }
}

/// For text and for attributes in double quotes. Braces too: `page` fills its template piece by piece.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '{' => out.push_str("&#123;"),
            other => out.push(other),
        }
    }
    out
}

/// The reason is a response header, so the page asks for its own address once more and reads it there.
const TEMPLATE: &str = r##"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{version}</title>
<style>
:root { --main: oklch(0.55 {chroma} {hue}); color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
body { margin: 0 }
header { background: var(--main); color: white; padding: 3rem 1.5rem }
header p { margin: 0; opacity: .85 }
h1 { margin: 0; font-size: clamp(2rem, 8vw, 4.5rem); line-height: 1.1; overflow-wrap: anywhere }
main, header > div { max-width: 56rem; margin: 0 auto }
main { padding: 1.5rem }
nav { display: flex; flex-wrap: wrap; gap: .5rem }
nav a { padding: .4rem 1rem; border-radius: 2rem; text-decoration: none; color: white; background: oklch(0.55 var(--chroma) var(--hue)) }
nav a:focus-visible { outline: 2px solid var(--main) }
nav a[aria-current] { outline: 3px solid currentcolor; outline-offset: 2px; outline-color: var(--main) }
h2 { font-size: 1rem; margin: 2rem 0 .5rem }
table { border-collapse: collapse; width: 100%; font: 14px/1.5 ui-monospace, monospace }
th, td { text-align: left; vertical-align: top; padding: .25rem .75rem .25rem 0; border-top: 1px solid #8884; overflow-wrap: anywhere }
th { font-weight: 600; white-space: nowrap }
</style>
<header><div>
<p>answered by</p>
<h1>{version}</h1>
<p id="why">&nbsp;</p>
<p>{greeting}</p>
</div></header>
<main>
<nav>{links}</nav>
<h2>{request}</h2>
<table>{headers}</table>
</main>
<script>
const why = document.getElementById("why");
const words = (reason) => reason ? "because of: " + reason : "asked directly, not through Synkronic";
fetch(location.href, { method: "HEAD", cache: "no-store" })
  .then((answer) => { why.textContent = words(answer.headers.get("x-synkronic-reason")); })
  .catch(() => {});
</script>
</html>
"##;

#[cfg(test)]
#[path = "page_tests.rs"]
mod tests;
