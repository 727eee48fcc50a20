//! A Router's spec to a plan: what does not hang on any other object.

use std::collections::BTreeSet;
use std::time::Duration;

use http::HeaderValue;
use http::header::HeaderName;

use super::findings::Findings;
use super::rule;
use crate::api::{RouterSpec, VersionId};
use crate::inventory::Finding;
use crate::inventory::object::RouterFacts;
use crate::inventory::offer::SubdomainPattern;
use crate::routes::condition::Condition;
use crate::routes::path::PathPattern;
use crate::routes::route::RouteLimits;
use crate::routes::router::Plan;
use crate::routes::rules::Rules;

/// What a spec comes to.
pub(super) struct Judged {
    pub plan: Plan,
    pub limits: RouteLimits,
    pub findings: Vec<Finding>,
}

/// Judges a spec; each part that is refused is left out, and the rest stands.
pub(super) fn judge(router: &RouterFacts) -> Judged {
    let mut findings = Findings::on(router.reference());
    let spec = &router.spec;
    let header = override_header(spec, &mut findings);
    let rules = rule::rules(&spec.rules, &mut findings);
    let plan = Plan {
        namespace: router.meta.key.namespace.clone(),
        name: router.meta.key.name.clone(),
        header_vary: header.as_ref().and_then(|name| HeaderValue::from_str(name.as_str()).ok()),
        rules_vary: rules_vary(header.as_ref(), &rules),
        header,
        subdomain: subdomain(spec, &mut findings),
        path: path(spec, &mut findings),
        rules,
        rules_fallback: spec.on_unavailable.as_ref().and_then(|on| on.rules),
        list_versions: spec.list_versions,
    };
    if let Some(Err(error)) = spec.active.as_deref().map(VersionId::parse) {
        findings.reject("InvalidVersion", "spec.active", format!("{error}; the base is active meanwhile"));
    }
    let limits = limits(spec, &mut findings);
    Judged { plan, limits, findings: findings.into_vec() }
}

fn override_header(spec: &RouterSpec, findings: &mut Findings) -> Option<HeaderName> {
    let text = spec.override_.as_ref()?.header.as_deref()?;
    match rule::header_text(text) {
        Ok(name) if name == http::header::HOST || name == http::header::COOKIE => {
            let message = format!("`{text}` has a meaning of its own; use one as `X-Synkronic-Version`");
            findings.reject("InvalidHeader", "spec.override.header", message);
            None
        }
        Ok(name) => Some(name),
        Err(message) => {
            findings.reject("InvalidHeader", "spec.override.header", message);
            None
        }
    }
}

fn subdomain(spec: &RouterSpec, findings: &mut Findings) -> Option<SubdomainPattern> {
    let text = spec.subdomain.as_deref().unwrap_or(SubdomainPattern::DEFAULT);
    SubdomainPattern::parse(text).unwrap_or_else(|message| {
        findings.reject(
            "InvalidSubdomain",
            "spec.subdomain",
            format!("{message}; subdomains are off meanwhile"),
        );
        None
    })
}

fn path(spec: &RouterSpec, findings: &mut Findings) -> Option<PathPattern> {
    let text = spec.path.as_deref().filter(|text| !text.is_empty())?;
    let pattern = match PathPattern::parse(text) {
        Ok(pattern) => pattern,
        Err(message) => {
            findings.reject("InvalidPath", "spec.path", format!("{message}; paths are off meanwhile"));
            return None;
        }
    };
    let open = spec.versions.iter().position(|pattern| pattern.is_empty() || pattern.starts_with('*'));
    let field = match open {
        Some(place) => format!("spec.versions[{place}]"),
        None if spec.versions.is_empty() => "spec.path".to_owned(),
        None => return Some(pattern),
    };
    let message = "with `spec.path`, every pattern of `spec.versions` has to begin with literal text, as \
                   `version-*`: else a version called `login` would take the application's /login; paths are \
                   off meanwhile";
    findings.reject("PathNeedsPatterns", field, message);
    None
}

/// All header names that the override and the rules ask for, as the value of `Vary`, in order.
fn rules_vary(header: Option<&HeaderName>, rules: &Rules) -> Option<HeaderValue> {
    let entries = rules.0.iter().flat_map(|rule| &rule.entries);
    let asked = entries.flat_map(|entry| &entry.consumer).filter_map(|condition| match condition {
        Condition::Header(name, _) | Condition::Forwarding(name, _) => Some(name.as_str()),
        Condition::Cookie(..) => Some(http::header::COOKIE.as_str()),
        Condition::Method(_) | Condition::Path(_) | Condition::Query(..) | Condition::Client(_) => None,
    });
    let names: BTreeSet<&str> = asked.chain(header.map(HeaderName::as_str)).collect();
    let names: Vec<&str> = names.into_iter().collect();
    if names.is_empty() { None } else { HeaderValue::from_str(&names.join(", ")).ok() }
}

fn limits(spec: &RouterSpec, findings: &mut Findings) -> RouteLimits {
    let times = spec.timeouts.clone().unwrap_or_default();
    let mut time = |field: &str, text: Option<String>| {
        let text = text?;
        match duration(&text) {
            Some(time) if !time.is_zero() => Some(time),
            Some(_) | None => {
                let message = format!(
                    "`{text}` is no time limit, as `500ms`, `30s` or `1m30s` is one; the edge's own stands \
                     meanwhile"
                );
                findings.reject("InvalidDuration", format!("spec.timeouts.{field}"), message);
                None
            }
        }
    };
    let connect = time("connect", times.connect);
    let response = time("response", times.response);
    let idle = time("idle", times.idle);
    let retries = spec.retries.as_ref().and_then(|retries| retries.attempts).filter(|attempts| {
        if *attempts > 3 {
            let message = format!("{attempts} is too many: 0 to 3 further attempts; 1 stands meanwhile");
            findings.reject("InvalidRetries", "spec.retries.attempts", message);
        }
        *attempts <= 3
    });
    RouteLimits { connect, response, idle, retries }
}

/// A duration as Kubernetes' Gateway API writes it: 1 to 4 numbers of at most 5 digits, each with its unit.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut sum = Duration::ZERO;
    for _ in 0..4 {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, behind) = rest.split_at_checked(digits).filter(|_| (1..=5).contains(&digits))?;
        let number: u64 = number.parse().ok()?;
        let units = [("ms", 1), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)];
        let (after, scale) =
            units.iter().find_map(|(unit, scale)| Some((behind.strip_prefix(unit)?, scale)))?;
        sum += Duration::from_millis(number * scale);
        rest = after;
        if rest.is_empty() {
            return Some(sum);
        }
    }
    None
}
