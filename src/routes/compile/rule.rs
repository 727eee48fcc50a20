//! A Router's rules as written to rules as used; a bad one is left out and named.

use std::collections::BTreeSet;

use http::header::{HeaderName, HeaderValue};
use http::{Method, header};
use ipnet::IpNet;

use super::findings::Findings;
use crate::api::{self, PathMatch, RuleMatch, ValueMatch, VersionId};
use crate::routes::condition::{Condition, is_forwarding};
use crate::routes::network::network;
use crate::routes::rules::{Depends, Entry, Rule, Rules};
use crate::routes::value::{PathTest, ValueTest, WholeRegex};

/// What goes wrong in a rule: the reason, the field below the rule, and the sentence.
struct Fault(&'static str, String, String);

/// What becomes of those whom a rule that is left out was for.
const LEFT_OUT: &str = "the rule is left out: the rules after it, or the active version, serve its consumers";

/// The rules that are well written, in order.
pub(super) fn rules(written: &[api::Rule], findings: &mut Findings) -> Rules {
    let mut names = BTreeSet::new();
    let mut rules = Vec::with_capacity(written.len());
    for (place, rule) in written.iter().enumerate() {
        let duplicate = !names.insert(&rule.name);
        let field = format!("spec.rules[{}]", label(rule, place, duplicate));
        match one(rule, duplicate, &field, findings) {
            Ok(rule) => rules.push(rule),
            Err(Fault(reason, below, message)) => {
                findings.reject(reason, format!("{field}{below}"), format!("{message}; {LEFT_OUT}"));
            }
        }
    }
    Rules(rules)
}

/// How a field path names a rule: by its name where that tells it apart, else by its place.
pub(super) fn label(rule: &api::Rule, place: usize, duplicate: bool) -> String {
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"[].".contains(&byte);
    let telling = !duplicate && !rule.name.is_empty() && rule.name.bytes().all(plain);
    if telling && rule.name.parse::<usize>().is_err() { rule.name.clone() } else { place.to_string() }
}

fn one(rule: &api::Rule, duplicate: bool, field: &str, findings: &mut Findings) -> Result<Rule, Fault> {
    let reason = HeaderValue::from_str(&format!("rule:{}", rule.name)).ok();
    let named = (1..=63).contains(&rule.name.len()) && rule.name.is_ascii() && rule.name.trim() == rule.name;
    let Some(reason) = reason.filter(|_| named) else {
        let text = format!(
            "`{}` is no name for a rule: use 1 to 63 printable ASCII characters, it is shown in a response header",
            rule.name.escape_default()
        );
        return Err(Fault("InvalidRule", ".name".to_owned(), text));
    };
    if duplicate {
        let text = format!("another rule is called `{}` already; give each its own name", rule.name);
        return Err(Fault("RuleNameTaken", ".name".to_owned(), text));
    }
    let send = VersionId::parse(&rule.send)
        .map_err(|error| Fault("InvalidVersion", ".send".to_owned(), error.to_string()))?;
    if rule.match_.is_empty() {
        let text = "it has no match, so it never applies: say whom it is for under `match`";
        findings.warn("RuleNeverMatches", format!("{field}.match"), text);
    }
    let mut entries = Vec::with_capacity(rule.match_.len());
    for (place, written) in rule.match_.iter().enumerate() {
        let below = format!(".match[{place}]");
        let entry = entry(written, field, &below, findings);
        entries.push(entry.map_err(|Fault(reason, deeper, text)| Fault(reason, below + &deeper, text))?);
    }
    Ok(Rule { name: rule.name.clone(), reason, send: send.as_str().to_owned(), entries })
}

fn entry(written: &RuleMatch, field: &str, below: &str, findings: &mut Findings) -> Result<Entry, Fault> {
    let mut url = Vec::new();
    let mut consumer = Vec::new();
    if !written.methods.is_empty() {
        url.push(Condition::Method(each(&written.methods, "methods", |text| method(text))?));
        for (place, text) in
            written.methods.iter().enumerate().filter(|(_, text)| text.to_uppercase() != **text)
        {
            let message = format!("methods are told apart by case: did you mean `{}`?", text.to_uppercase());
            findings.warn("MethodCase", format!("{field}{below}.methods[{place}]"), message);
        }
    }
    if !written.paths.is_empty() {
        url.push(Condition::Path(each(&written.paths, "paths", path)?));
    }
    let query = each(&written.query, "query", |it| Ok(Condition::Query(name(&it.name)?, value(&it.value)?)))?;
    url.extend(query);
    consumer.extend(each(&written.headers, "headers", |it| {
        let (name, value) = (header_name(&it.name)?, value(&it.value)?);
        let forwarding = is_forwarding(&name);
        Ok(if forwarding { Condition::Forwarding(name, value) } else { Condition::Header(name, value) })
    })?);
    for (place, condition) in consumer.iter().enumerate() {
        if let Condition::Forwarding(name, _) = condition {
            let message = format!("`{name}` is there only in requests of `--trusted-proxies`");
            findings.warn("HeaderOfProxies", format!("{field}{below}.headers[{place}].name"), message);
        }
    }
    consumer.extend(each(&written.cookies, "cookies", |it| {
        Ok(Condition::Cookie(name(&it.name)?, value(&it.value)?))
    })?);
    let headers = !consumer.is_empty();
    if !written.client_cidrs.is_empty() {
        consumer.push(Condition::Client(each(&written.client_cidrs, "clientCidrs", |text| range(text))?));
    }
    if url.is_empty() && consumer.is_empty() {
        let text = "an empty match would take everybody: name a condition, or `paths: [{prefix: /}]` for all";
        return Err(Fault("EmptyMatch", String::new(), text.to_owned()));
    }
    let depends = Depends { headers, client: !written.client_cidrs.is_empty() };
    Ok(Entry { url, consumer, depends })
}

/// Parses each item of a list; a fault names the item's place.
fn each<T, O>(items: &[T], list: &str, parse: impl Fn(&T) -> Result<O, Fault>) -> Result<Vec<O>, Fault> {
    let parsed = items.iter().enumerate().map(|(place, item)| {
        parse(item)
            .map_err(|Fault(reason, deeper, text)| Fault(reason, format!(".{list}[{place}]{deeper}"), text))
    });
    parsed.collect()
}

fn method(text: &str) -> Result<Method, Fault> {
    Method::from_bytes(text.as_bytes())
        .map_err(|_| Fault("InvalidMethod", String::new(), format!("`{text}` is no method, as `GET` is one")))
}

fn range(text: &str) -> Result<IpNet, Fault> {
    network(text).ok_or_else(|| {
        Fault("InvalidCidr", String::new(), format!("`{text}` is no address range, as `10.0.0.0/8` is one"))
    })
}

fn name(text: &str) -> Result<String, Fault> {
    if text.is_empty() {
        return Err(Fault("InvalidMatch", ".name".to_owned(), "the name is empty: write one".to_owned()));
    }
    Ok(text.to_owned())
}

/// A header name that a request can have: the guard refuses names with `_`, and a cookie's own condition is
/// the one to use for cookies.
pub(super) fn header_text(text: &str) -> Result<HeaderName, String> {
    let name = HeaderName::from_bytes(text.as_bytes())
        .map_err(|_| format!("`{text}` is no header name, as `X-QA-Team` is one"))?;
    if text.contains('_') {
        return Err(format!(
            "`{text}` never comes through: requests with `_` in a header name are refused; use `-`"
        ));
    }
    Ok(name)
}

fn header_name(text: &str) -> Result<HeaderName, Fault> {
    let name = header_text(text).map_err(|text| Fault("InvalidHeader", ".name".to_owned(), text))?;
    if name == header::HOST {
        let text = "the host is matched by `spec.hosts`; leave the condition out".to_owned();
        return Err(Fault("InvalidHeader", ".name".to_owned(), text));
    }
    Ok(name)
}

fn value(written: &ValueMatch) -> Result<ValueTest, Fault> {
    let ValueMatch { exact, prefix, regex, present } = written;
    match (exact, prefix, regex, present) {
        (Some(text), None, None, None) => Ok(ValueTest::Exact(text.clone())),
        (None, Some(text), None, None) => Ok(ValueTest::Prefix(text.clone())),
        (None, None, Some(text), None) => expression(text).map(ValueTest::Regex),
        (None, None, None, Some(true)) => Ok(ValueTest::Present),
        (None, None, None, Some(false)) => Ok(ValueTest::Absent),
        _ => {
            let text = "say exactly one of `exact`, `prefix`, `regex` and `present`".to_owned();
            Err(Fault("InvalidMatch", String::new(), text))
        }
    }
}

fn path(written: &PathMatch) -> Result<PathTest, Fault> {
    let rooted = |text: &String, below: &str| {
        if text.starts_with('/') {
            return Ok(text.clone());
        }
        let message = format!("`{text}` is no path: begin it with `/`");
        Err(Fault("InvalidPath", below.to_owned(), message))
    };
    let PathMatch { exact, prefix, regex } = written;
    match (exact, prefix, regex) {
        (Some(text), None, None) => Ok(PathTest::Exact(rooted(text, ".exact")?)),
        (None, Some(text), None) => {
            Ok(PathTest::Prefix(rooted(text, ".prefix")?.trim_end_matches('/').to_owned()))
        }
        (None, None, Some(text)) => expression(text).map(PathTest::Regex),
        _ => {
            let text = "say exactly one of `exact`, `prefix` and `regex`".to_owned();
            Err(Fault("InvalidMatch", String::new(), text))
        }
    }
}

fn expression(text: &str) -> Result<WholeRegex, Fault> {
    WholeRegex::parse(text).map_err(|error| {
        Fault(
            "InvalidRegex",
            ".regex".to_owned(),
            format!("`{text}` is no regular expression (RE2 syntax): {error}"),
        )
    })
}
