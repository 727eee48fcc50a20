//! The whole decision once more, straight from the words of the design, over the objects as JSON: slow,
//! obvious, and without a line of the code it judges.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde_json::Value;

use super::dice::Step;
use super::world::Ask;

/// The objects as they are, by kind, namespace and name.
pub type Objects = BTreeMap<(String, String, String), Value>;

/// The objects after some steps.
pub fn after(steps: &[Step]) -> Objects {
    let mut objects = Objects::new();
    for step in steps {
        match step {
            Step::Apply(value) => {
                let part = |pointer| text(value, pointer).to_owned();
                let key = (part("/kind"), part("/metadata/namespace"), part("/metadata/name"));
                objects.insert(key, value.clone());
            }
            Step::Remove(kind, namespace, name) => {
                objects.remove(&(kind.clone(), namespace.clone(), name.clone()));
            }
        }
    }
    objects
}

fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn list<'v>(value: &'v Value, pointer: &str) -> &'v [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn of_kind<'o>(objects: &'o Objects, kind: &'o str) -> impl Iterator<Item = &'o Value> {
    objects.iter().filter(move |(key, _)| key.0 == kind).map(|(_, value)| value)
}

fn get<'o>(objects: &'o Objects, kind: &str, namespace: &str, name: &str) -> Option<&'o Value> {
    objects.get(&(kind.to_owned(), namespace.to_owned(), name.to_owned()))
}

fn is_id(id: &str) -> bool {
    !id.is_empty()
        && id.len() <= 63
        && id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && !id.starts_with('-')
        && !id.ends_with('-')
}

fn namespace(value: &Value) -> &str {
    text(value, "/metadata/namespace")
}

fn name(value: &Value) -> &str {
    text(value, "/metadata/name")
}

// ---- versions ----

/// The versions of a base and the DeploymentVersion of each; the base itself always counts.
fn versions<'o>(objects: &'o Objects, ns: &str, base: &str) -> BTreeMap<String, &'o str> {
    let mut dpvs: Vec<&Value> =
        of_kind(objects, "DeploymentVersion").filter(|it| namespace(it) == ns).collect();
    // What no API server has made yet is the newest.
    dpvs.sort_by_key(|it| {
        (
            it.pointer("/metadata/creationTimestamp").is_none(),
            text(it, "/metadata/creationTimestamp"),
            name(it),
        )
    });
    let mut found = BTreeMap::new();
    for dpv in dpvs {
        let own = name(dpv);
        let written = text(dpv, "/spec/name");
        let its_base = if !written.is_empty() && written != own {
            get(objects, "Deployment", ns, written).map(|_| written)
        } else {
            let mut all: Vec<&str> =
                of_kind(objects, "Deployment").filter(|it| namespace(it) == ns).map(name).collect();
            all.sort_by_key(|it| Reverse(it.len()));
            all.into_iter().find(|it| own.len() > it.len() + 1 && own.starts_with(&format!("{it}-")))
        };
        if its_base != Some(base) {
            continue;
        }
        let id = match dpv.pointer("/spec/version").and_then(Value::as_str) {
            Some(id) => id,
            None => own.strip_prefix(&format!("{base}-")).unwrap_or(own),
        };
        if is_id(id) && id != "base" && !found.contains_key(id) {
            found.insert(id.to_owned(), own);
        }
    }
    found
}

fn offers(router: &Value, id: &str) -> bool {
    let patterns = list(router, "/spec/versions");
    let fits = |pattern: &str| {
        let expression: Vec<String> = pattern.split('*').map(regex::escape).collect();
        regex::Regex::new(&format!("^(?:{})$", expression.join(".*"))).unwrap().is_match(id)
    };
    id == "base" || patterns.is_empty() || patterns.iter().any(|it| fits(it.as_str().unwrap()))
}

// ---- endpoints ----

fn is_clone(service: &Value) -> bool {
    text(service, "/metadata/ownerReferences/0/kind") == "DeploymentVersion"
}

fn base_service(objects: &Objects, router: &Value) -> Option<String> {
    let (ns, base) = (namespace(router), text(router, "/spec/base"));
    let written = text(router, "/spec/service");
    if !written.is_empty() {
        let service = get(objects, "Service", ns, written).filter(|it| !is_clone(it))?;
        let labels = |base: &Value| text(base, "/spec/template/metadata/labels/app").to_owned();
        let of_base = match get(objects, "Deployment", ns, base) {
            None => true,
            Some(_) if text(service, "/spec/type") == "ExternalName" => true,
            Some(base) => text(service, "/spec/selector/app") == labels(base),
        };
        return of_base.then(|| written.to_owned());
    }
    let app = text(get(objects, "Deployment", ns, base)?, "/spec/template/metadata/labels/app");
    let services = of_kind(objects, "Service").filter(|it| namespace(it) == ns && !is_clone(it));
    // Kubernetes ignores what an ExternalName selects.
    let selects =
        |it: &&Value| text(it, "/spec/selector/app") == app && text(it, "/spec/type") != "ExternalName";
    let selecting: Vec<&Value> = services.filter(selects).collect();
    if selecting.len() == 1 { Some(name(selecting[0]).to_owned()) } else { None }
}

/// Whether a version has an endpoint that is sent to; `strictly`: one that takes new requests, allowed or not.
fn is_up(objects: &Objects, router: &Value, id: &str, strictly: bool) -> bool {
    let ns = namespace(router);
    let Some(base_service) = base_service(objects, router) else { return false };
    let service_name = if id == "base" { base_service } else { format!("{base_service}-{id}") };
    let Some(service) = get(objects, "Service", ns, &service_name) else { return false };
    let dpv = versions(objects, ns, text(router, "/spec/base")).get(id).copied();
    if id != "base" && !(is_clone(service) && dpv == Some(text(service, "/metadata/ownerReferences/0/name")))
    {
        return false;
    }
    if !strictly && text(service, "/spec/type") == "ExternalName" {
        return false;
    }
    let mut ports = list(service, "/spec/ports").iter().filter(|it| it["protocol"] != "UDP");
    let port = match router.pointer("/spec/port") {
        None => ports.next(),
        Some(wanted) => ports.find(|port| port["name"] == *wanted || port["port"] == *wanted),
    };
    let Some(port) = port else { return false };
    if !strictly && port.get("appProtocol").is_some() {
        return false;
    }
    let slices = of_kind(objects, "EndpointSlice").filter(|it| {
        namespace(it) == ns
            && text(it, "/metadata/labels/kubernetes.io~1service-name") == service_name
            && list(it, "/ports").iter().any(|it| it["name"] == port["name"])
    });
    slices.flat_map(|slice| list(slice, "/endpoints")).any(|endpoint| {
        let is = |condition: &str| endpoint["conditions"][condition] == Value::Bool(true);
        let address = endpoint["addresses"][0].as_str().unwrap();
        let allowed = !address.starts_with("127.")
            && !address.starts_with("169.254.")
            && endpoint.pointer("/targetRef/uid").is_some();
        let ready = is("ready") && !is("terminating");
        if strictly { ready } else { allowed && (ready || (is("serving") && is("terminating"))) }
    })
}

/// `spec.active` if it is ready or already was active; else what was; else the base.
fn active(objects: &Objects, router: &Value) -> String {
    let known = versions(objects, namespace(router), text(router, "/spec/base"));
    let there = |id: &&str| *id == "base" || known.contains_key(*id);
    let wanted = router.pointer("/spec/active").map_or("base", |it| it.as_str().unwrap());
    let was = text(router, "/status/active");
    let ready = |id: &str| is_up(objects, router, id, true);
    match (Some(wanted).filter(there), Some(was).filter(there)) {
        (Some(wanted), _) if wanted == was || ready(wanted) => wanted.to_owned(),
        (_, Some(was)) => was.to_owned(),
        (_, None) => "base".to_owned(),
    }
}

// ---- hosts ----

fn hosts(router: &Value) -> Vec<&str> {
    list(router, "/spec/hosts").iter().map(|it| it.as_str().unwrap()).filter(|it| *it != "bad host").collect()
}

/// `before` and `between` of the subdomain pattern.
fn subdomain(router: &Value) -> Option<(String, String)> {
    let pattern = router.pointer("/spec/subdomain").map_or("{version}.{host}", |it| it.as_str().unwrap());
    let (before, rest) = pattern.split_once("{version}")?;
    Some((before.to_owned(), rest.strip_suffix("{host}")?.to_owned()))
}

type Claim = (bool, String, String, String, String);

fn claim(router: &Value, host: &str) -> Claim {
    let recorded = list(router, "/status/hosts").iter().find(|it| it["host"] == host);
    (
        recorded.is_none(),
        recorded.map_or(String::new(), |it| it["since"].as_str().unwrap().to_owned()),
        text(router, "/metadata/creationTimestamp").to_owned(),
        namespace(router).to_owned(),
        name(router).to_owned(),
    )
}

fn first_claimant<'o>(objects: &'o Objects, host: &str) -> Option<&'o Value> {
    of_kind(objects, "Router").filter(|it| hosts(it).contains(&host)).min_by_key(|it| claim(it, host))
}

/// Whether a Router holds a host: it claimed it first, and it is no version's name under a host that another
/// namespace claimed before.
fn holds(objects: &Objects, router: &Value, host: &str) -> bool {
    if first_claimant(objects, host).is_none_or(|first| !std::ptr::eq(first, router)) {
        return false;
    }
    !of_kind(objects, "Router").any(|other| {
        namespace(other) != namespace(router)
            && hosts(other).iter().any(|theirs| {
                let Some((before, between)) = subdomain(other) else { return false };
                let first = first_claimant(objects, theirs).is_some_and(|first| std::ptr::eq(first, other));
                let reads = host.strip_suffix(theirs).and_then(|rest| rest.strip_suffix(&between));
                // A wildcard would take what comes after the first dot of a version's name.
                let sample = format!("{before}v{between}{theirs}");
                let covers = host.strip_prefix("*.").is_some_and(|suffix| {
                    !theirs.starts_with("*.")
                        && sample.split_once('.').is_some_and(|(_, rest)| rest == suffix)
                });
                first
                    && (covers || reads.is_some_and(|rest| rest.starts_with(&before)))
                    && claim(other, theirs) < claim(router, host)
            })
    })
}

/// The Router of a host, and the version that the host names.
fn router_of<'o>(objects: &'o Objects, host: &str) -> Option<(&'o Value, Option<String>)> {
    let held: Vec<(&Value, &str)> = of_kind(objects, "Router")
        .flat_map(|router| hosts(router).into_iter().map(move |host| (router, host)))
        .filter(|(router, host)| holds(objects, router, host))
        .collect();
    if let Some((router, _)) = held.iter().find(|(_, it)| *it == host) {
        return Some((router, None));
    }
    let wild =
        |it: &str| it.starts_with("*.") && host.split_once('.').is_some_and(|(_, rest)| rest == &it[2..]);
    if let Some((router, _)) = held.iter().find(|(_, it)| wild(it)) {
        return Some((router, None));
    }
    let readings = held.iter().filter(|(_, it)| !it.starts_with('*')).filter_map(|(router, held)| {
        let (before, between) = subdomain(router)?;
        let id = host.strip_suffix(held)?.strip_suffix(&between)?.strip_prefix(&before)?;
        is_id(id).then(|| (held.len(), *router, id.to_owned()))
    });
    readings.max_by_key(|it| it.0).map(|(_, router, id)| (router, Some(id)))
}

// ---- rules ----

fn value_fits(test: &Value, values: &[String]) -> bool {
    let get = |member: &str| test.get(member).and_then(Value::as_str);
    if let Some(exact) = get("exact") {
        return values.iter().any(|it| it == exact);
    }
    if let Some(prefix) = get("prefix") {
        return values.iter().any(|it| it.starts_with(prefix));
    }
    if let Some(expression) = get("regex") {
        let whole = regex::Regex::new(&format!("^(?:{expression})$")).unwrap();
        return values.iter().any(|it| whole.is_match(it));
    }
    values.is_empty() != (test["present"] == Value::Bool(true))
}

fn is_well_formed(rule: &Value, earlier: &[&Value]) -> bool {
    let tests = |entry: &Value| {
        ["/headers", "/cookies", "/query"].iter().flat_map(|it| list(entry, it).to_vec()).collect::<Vec<_>>()
    };
    let one_member = |test: &Value| test.as_object().unwrap().len() == 2;
    let bad = |entry: &Value| {
        entry.as_object().unwrap().is_empty()
            || tests(entry).iter().any(|it| !one_member(it) || it["regex"] == "((")
            || list(entry, "/paths").iter().any(|it| it["exact"] == "a")
            || list(entry, "/clientCidrs").iter().any(|it| it == "not a range")
    };
    !earlier.iter().any(|it| it["name"] == rule["name"]) && !list(rule, "/match").iter().any(bad)
}

fn url_fits(entry: &Value, ask: &Ask) -> bool {
    let path = |test: &Value| match (test.get("exact"), test.get("prefix"), test.get("regex")) {
        (Some(exact), _, _) => exact == ask.path.as_str(),
        (_, Some(prefix), _) => {
            let wanted: Vec<&str> = prefix.as_str().unwrap().split('/').filter(|it| !it.is_empty()).collect();
            let has: Vec<&str> = ask.path.split('/').skip(1).collect();
            has.len() >= wanted.len() && has[..wanted.len()] == wanted[..]
        }
        (_, _, Some(expression)) => {
            regex::Regex::new(&format!("^(?:{})$", expression.as_str().unwrap())).unwrap().is_match(&ask.path)
        }
        _ => unreachable!(),
    };
    let (methods, paths) = (list(entry, "/methods"), list(entry, "/paths"));
    (methods.is_empty() || methods.iter().any(|it| it == ask.method.as_str()))
        && (paths.is_empty() || paths.iter().any(path))
        && list(entry, "/query")
            .iter()
            .all(|test| value_fits(test, &parameters(ask, test["name"].as_str().unwrap())))
}

fn parameters(ask: &Ask, name: &str) -> Vec<String> {
    let decode = |text: &str| {
        let text = text.replace('+', "%20");
        percent_encoding::percent_decode_str(&text).decode_utf8_lossy().into_owned()
    };
    let pairs = ask.query.as_deref().unwrap_or_default().split('&').filter(|it| !it.is_empty());
    let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.filter(|(key, _)| decode(key) == name).map(|(_, value)| decode(value)).collect()
}

fn consumer_fits(entry: &Value, ask: &Ask) -> bool {
    let header = |name: &str| -> Vec<String> {
        ask.headers.get_all(name).iter().map(|it| it.to_str().unwrap().to_owned()).collect()
    };
    let cookie = |name: &str| -> Vec<String> {
        let lines = header("cookie").join(";");
        let pairs = lines.split(';').filter_map(|it| it.trim().split_once('='));
        pairs.filter(|(key, _)| *key == name).map(|(_, value)| value.to_owned()).collect()
    };
    let ranges = list(entry, "/clientCidrs");
    let client = ask.client.to_string();
    let in_range = |range: &Value| match range.as_str().unwrap() {
        "10.0.0.0/8" => client.starts_with("10."),
        address => client == address,
    };
    list(entry, "/headers").iter().all(|it| value_fits(it, &header(it["name"].as_str().unwrap())))
        && list(entry, "/cookies").iter().all(|it| value_fits(it, &cookie(it["name"].as_str().unwrap())))
        && (ranges.is_empty() || ranges.iter().any(in_range))
}

// ---- the decision ----

/// What becomes of a request, as the tests write it, without what caches are told.
pub fn expect(objects: &Objects, ask: &Ask) -> String {
    let Some((router, by_host)) = router_of(objects, &ask.host) else { return "no host".to_owned() };
    let known = versions(objects, namespace(router), text(router, "/spec/base"));
    let there = |id: &str| id == "base" || known.contains_key(id);
    let on_offer = |id: &str| there(id) && offers(router, id);
    let up = |id: &str| there(id) && is_up(objects, router, id, false);
    let served = |id: &str, reason: &str| {
        if up(id) { format!("{id} {reason}") } else { format!("unavailable {id} {reason}") }
    };
    let named = |id: &str, reason: &str| {
        if on_offer(id) { served(id, reason) } else { format!("no version {id} {reason}") }
    };
    // 1. The override header.
    if let Some(header) = router.pointer("/spec/override/header").and_then(Value::as_str)
        && let Some(id) = ask.headers.get(header).map(|it| it.to_str().unwrap()).filter(|it| !it.is_empty())
    {
        return named(id, "header");
    }
    // 3. The subdomain.
    if let Some(id) = by_host {
        return named(&id, "subdomain");
    }
    // 4. The path.
    let patterns = list(router, "/spec/versions");
    let begins = !patterns.is_empty() && patterns.iter().all(|it| !it.as_str().unwrap().starts_with('*'));
    let before = match text(router, "/spec/path") {
        "/{version}" if begins => Some("/"),
        "/v/{version}" if begins => Some("/v/"),
        _ => None,
    };
    if let Some(rest) = before.and_then(|before| ask.path.strip_prefix(before)) {
        let id = rest.split('/').next().unwrap();
        let prefix = ask.path.len() - rest.len() + id.len();
        if id != "base" && on_offer(id) {
            let slash = if ask.path.len() == prefix { "slash " } else { "" };
            let plain = if slash.is_empty() { served(id, "path") } else { format!("{id} path") };
            return format!("{slash}{plain} prefix {prefix}");
        }
        let was = |it: &Value| it["id"] == id && id != "base";
        if list(router, "/status/offered").iter().any(was) {
            return format!("no version {id} path");
        }
    }
    // 6. The rules.
    let active = active(objects, router);
    let mut earlier: Vec<&Value> = Vec::new();
    for rule in list(router, "/spec/rules") {
        let usable = is_well_formed(rule, &earlier);
        earlier.push(rule);
        if !usable || !list(rule, "/match").iter().any(|it| url_fits(it, ask) && consumer_fits(it, ask)) {
            continue;
        }
        let (wanted, reason) = (text(rule, "/send"), format!("rule:{}", text(rule, "/name")));
        let instead = match text(router, "/spec/onUnavailable/rules") {
            "active" => Some(active.as_str()),
            "base" => Some("base"),
            _ => None,
        };
        return match [Some(wanted), instead].into_iter().flatten().find(|id| up(id)) {
            Some(id) => format!("{id} {reason}"),
            None => format!("unavailable {wanted} {reason}"),
        };
    }
    // 8. The active version.
    served(&active, "active")
}
