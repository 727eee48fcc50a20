//! What `local` shows: which versions there are, where they stand, the link to open, who gets them. Pure.

use std::collections::BTreeMap;

use super::manifests::Remark;
use crate::api::{Rule, RuleMatch, ValueMatch, VersionId};
use crate::inventory::object::RouterFacts;
use crate::inventory::report::Reports;
use crate::inventory::versions::{Resolution, Version};
use crate::inventory::{Finding, Inventory, Key, Settings};

/// How good a status is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Light {
    /// It serves.
    Green,
    /// It may soon.
    Yellow,
    /// It will not before something is done.
    Red,
}

/// One version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its id.
    pub version: String,
    /// How good its status is.
    pub light: Light,
    /// Its status, one or two words.
    pub status: String,
    /// The link to open.
    pub link: String,
    /// Who gets it.
    pub who: String,
}

/// The versions of one base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The base.
    pub base: String,
    /// Its versions, the base first.
    pub rows: Vec<Row>,
}

/// Everything that is shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Picture {
    /// By base.
    pub groups: Vec<Group>,
    /// An address of the first version by path, for those to whom `*.localhost` leads nowhere.
    pub by_path: Option<String>,
    /// What to add to see something, where there is nothing.
    pub missing: Option<String>,
    /// What is wrong, or worth knowing, with the way out.
    pub notes: Vec<String>,
}

/// What the picture is drawn from.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'s> {
    /// The objects.
    pub inventory: &'s Inventory,
    /// How addresses are written.
    pub settings: &'s Settings,
    /// What the other rooms found.
    pub reports: &'s Reports,
    /// Why pods of a Deployment do not serve, or would not if they were started anew.
    pub troubles: &'s BTreeMap<Key, String>,
    /// What is wrong with the files.
    pub remarks: &'s [Remark],
    /// Routers that were added here, with what to write to have them in a cluster.
    pub added: &'s BTreeMap<Key, String>,
}

/// Draws it.
#[must_use]
pub fn picture(scene: &Scene<'_>) -> Picture {
    let inventory = scene.inventory;
    let mut picture = Picture::default();
    let namespaces =
        inventory.bases().map(|(key, _)| &key.namespace).collect::<std::collections::BTreeSet<_>>();
    for (base, versions) in inventory.bases() {
        let routers: Vec<&RouterFacts> = inventory.routers_of(base).collect();
        if routers.is_empty() && versions.values().all(|version| version.dpv.is_none()) {
            continue;
        }
        let mut versions: Vec<&Version> = versions.values().collect();
        versions.sort_by_key(|version| (!version.id.is_base(), natural(version.id.as_str())));
        let rows = versions.iter().map(|version| row(scene, base, version, &routers)).collect();
        let name = if namespaces.len() > 1 { base.to_string() } else { base.name.to_string() };
        picture.groups.push(Group { base: name, rows });
        if picture.by_path.is_none() {
            picture.by_path = by_path(scene, &routers, &versions);
        }
    }
    picture.missing = picture.groups.is_empty().then(|| missing(inventory));
    picture.notes = notes(scene);
    picture
}

fn missing(inventory: &Inventory) -> String {
    match inventory.deployments.iter().find(|deployment| !deployment.is_clone()) {
        Some(found) => {
            let name = &found.meta.key.name;
            format!(
                "no version of anything yet: add a DeploymentVersion of `{name}`, named `{name}-` and an id, or a \
                 Service that selects its pods"
            )
        }
        None => "no version of anything yet: add a Deployment, and a DeploymentVersion of it".to_owned(),
    }
}

/// `version-2` before `version-10`.
fn natural(id: &str) -> (String, u64, String) {
    let digits = id.len() - id.bytes().rev().take_while(u8::is_ascii_digit).count();
    let (text, number) = id.split_at_checked(digits).unwrap_or((id, ""));
    (text.to_owned(), number.parse().unwrap_or(0), id.to_owned())
}

fn row(scene: &Scene<'_>, base: &Key, version: &Version, routers: &[&RouterFacts]) -> Row {
    let (light, status) = status(scene, base, version);
    // The Router that `local` adds for `localhost` repeats another: one of the two is enough here.
    let own: Vec<&RouterFacts> = routers.iter().copied().filter(|it| !is_plain(it)).collect();
    let active = own.iter().find(|router| scene.inventory.effective_active(router) == version.id);
    let plain = active.and_then(|router| router.hosts().into_iter().next());
    let link = match plain {
        Some(host) => scene.settings.url(host.as_str()),
        None => {
            scene.inventory.urls_of(base, &version.id, scene.settings).into_iter().next().unwrap_or_default()
        }
    };
    let who = who(&own, &version.id, active.is_some(), !link.is_empty());
    Row { version: version.id.to_string(), light, status, link, who }
}

fn is_plain(router: &RouterFacts) -> bool {
    router.spec.hosts.iter().all(|host| super::defaults::PLAIN_HOSTS.contains(&host.as_str()))
}

fn who(routers: &[&RouterFacts], id: &VersionId, active: bool, linked: bool) -> String {
    let mut who: Vec<String> = routers
        .iter()
        .flat_map(|router| &router.spec.rules)
        .filter(|rule| rule.send == id.as_str())
        .map(rule_in_words)
        .collect();
    let other_rules = routers.iter().any(|router| !router.spec.rules.is_empty());
    match (active, linked) {
        (true, _) if other_rules => who.push("everyone else".to_owned()),
        (true, _) => who.push("everyone".to_owned()),
        (false, true) => who.push("who opens the link".to_owned()),
        (false, false) => who.push("nobody: no Router leads to it".to_owned()),
    }
    who.join(", ")
}

/// `qa-blue (X-QA-Team: blue)`.
fn rule_in_words(rule: &Rule) -> String {
    let any: Vec<String> = rule.match_.iter().map(match_in_words).collect();
    format!("{} ({})", rule.name, any.join(" or "))
}

fn match_in_words(entry: &RuleMatch) -> String {
    let mut all = Vec::new();
    let named = |kind: &str, name: &str, value: &ValueMatch| format!("{kind}{name}{}", value_in_words(value));
    all.extend(entry.headers.iter().map(|it| named("", &it.name, &it.value)));
    all.extend(entry.cookies.iter().map(|it| named("cookie ", &it.name, &it.value)));
    all.extend(entry.query.iter().map(|it| named("?", &it.name, &it.value)));
    all.extend(entry.methods.iter().cloned());
    all.extend(entry.client_cidrs.iter().map(|range| format!("from {range}")));
    let path = |it: &crate::api::PathMatch| {
        it.exact.clone().or_else(|| it.prefix.as_ref().map(|path| format!("{path}/…"))).or(it.regex.clone())
    };
    all.extend(entry.paths.iter().filter_map(path));
    if all.is_empty() { "everyone".to_owned() } else { all.join(" and ") }
}

fn value_in_words(value: &ValueMatch) -> String {
    match (&value.exact, &value.prefix, &value.regex) {
        (Some(exact), _, _) => format!(": {exact}"),
        (None, Some(prefix), _) => format!(": {prefix}…"),
        (None, None, Some(regex)) => format!(" ~ {regex}"),
        (None, None, None) if value.present == Some(false) => " absent".to_owned(),
        (None, None, None) => String::new(),
    }
}

/// All serve, and could not be started anew as the manifests are now.
fn not_again(scene: &Scene<'_>, deployment: &Key) -> String {
    format!("{} (old serves)", with_count("NotReady", scene, deployment))
}

fn status(scene: &Scene<'_>, base: &Key, version: &Version) -> (Light, String) {
    let key = base.sibling(&*version.deployment);
    if let Some(dpv) = version.dpv.as_ref().and_then(|key| scene.inventory.dpvs.get(key)) {
        let conditions = dpv.status.read().conditions;
        let of = |name: &str| conditions.iter().find(|condition| condition.type_ == name);
        let Some(ready) = of("Ready") else { return (Light::Yellow, "Pending".to_owned()) };
        if ready.status == "True" && scene.troubles.contains_key(&key) {
            return (Light::Red, not_again(scene, &key));
        }
        if ready.status == "True" {
            return (Light::Green, with_count("Ready", scene, &key));
        }
        let stalled = of("Stalled").is_some_and(|condition| condition.status == "True");
        let light = if stalled { Light::Red } else { Light::Yellow };
        let refused = of("Cloned").is_some_and(|condition| condition.status == "False");
        let old = old_serves(scene, &key, refused);
        return (light, format!("{}{old}", with_count(&ready.reason, scene, &key)));
    }
    let (ready, wanted) = counts(scene, &key);
    let old = old_serves(scene, &key, false);
    if !old.is_empty() {
        let troubled = scene.troubles.contains_key(&key);
        let (light, word) = if troubled { (Light::Red, "NotReady") } else { (Light::Yellow, "RollingOut") };
        return (light, format!("{}{old}", with_count(word, scene, &key)));
    }
    match (ready, wanted) {
        (0, 0) => (Light::Yellow, "ScaledToZero".to_owned()),
        (ready, wanted) if ready >= wanted && scene.troubles.contains_key(&key) => {
            (Light::Red, not_again(scene, &key))
        }
        (ready, wanted) if ready >= wanted => (Light::Green, with_count("Ready", scene, &key)),
        _ if scene.troubles.contains_key(&key) => (Light::Red, with_count("NotReady", scene, &key)),
        _ => (Light::Yellow, with_count("Starting", scene, &key)),
    }
}

/// The count says something only where there are several.
fn with_count(word: &str, scene: &Scene<'_>, deployment: &Key) -> String {
    match counts(scene, deployment) {
        (_, 0 | 1) => word.to_owned(),
        (ready, wanted) => format!("{word} {ready}/{wanted}"),
    }
}

/// Said where what answers is not what the manifests say: pods of an earlier template, or, where the clone was
/// refused, the clone as it was before.
fn old_serves(scene: &Scene<'_>, deployment: &Key, refused: bool) -> &'static str {
    let Some(found) = scene.inventory.deployments.get(deployment) else { return "" };
    let state = &found.state;
    if state.ready > 0 && (state.total > state.updated || refused) { " (old serves)" } else { "" }
}

fn counts(scene: &Scene<'_>, deployment: &Key) -> (i32, i32) {
    scene
        .inventory
        .deployments
        .get(deployment)
        .map_or((0, 0), |found| (found.state.ready, found.state.wanted))
}

/// The first version's address by path, where some Router here answers at `localhost`.
fn by_path(scene: &Scene<'_>, routers: &[&RouterFacts], versions: &[&Version]) -> Option<String> {
    let plain = routers.iter().find(|router| is_plain(router))?;
    let version = versions.iter().find(|version| version.dpv.is_some() && plain.offers(&version.id))?;
    scene.inventory.urls_through(plain, &version.id, scene.settings).into_iter().next()
}

fn notes(scene: &Scene<'_>) -> Vec<String> {
    let mut notes: Vec<String> = scene.remarks.iter().map(ToString::to_string).collect();
    let mut told: std::collections::BTreeSet<Key> = std::collections::BTreeSet::new();
    for dpv in scene.inventory.dpvs.iter() {
        let key = &dpv.meta.key;
        let clone = match scene.inventory.resolution(key) {
            Some(Resolution::Resolved(resolved)) => Some(key.sibling(&*resolved.deployment)),
            Some(Resolution::Refused(_)) | None => None,
        };
        let trouble = clone.as_ref().and_then(|clone| scene.troubles.get(clone));
        told.extend(clone.clone());
        let conditions = dpv.status.read().conditions;
        let refused = conditions.iter().find(|it| it.type_ == "Ready" && it.status == "False");
        let waits = ["RollingOut", "Creating", "NotCreated", "NotResolved"];
        let refused = refused.filter(|condition| !waits.contains(&condition.reason.as_str()));
        match (trouble, refused) {
            (Some(trouble), _) => notes.push(format!("{}: {trouble}", key.name)),
            (None, Some(condition)) => notes.push(format!("{}: {}", key.name, condition.message)),
            (None, None) => {}
        }
    }
    let strangers = scene.troubles.iter().filter(|(key, _)| !told.contains(*key));
    notes.extend(strangers.map(|(key, trouble)| format!("{}: {trouble}", key.name)));
    let of_clones = scene.reports.clones.values().flat_map(|report| &report.findings);
    notes.extend(of_clones.filter(|finding| !finding.is_rejection()).map(in_words));
    let of_routers = scene.reports.routers.iter().filter(|(key, _)| !scene.added.contains_key(*key));
    notes.extend(of_routers.flat_map(|(_, report)| &report.findings).map(in_words));
    notes.extend(scene.added.values().filter(|text| !text.is_empty()).cloned());
    notes
}

fn in_words(finding: &Finding) -> String {
    let field = if finding.field.is_empty() { String::new() } else { format!(" {}", finding.field) };
    format!("{} {}{field}: {}", finding.object.kind, finding.object.key.name, finding.message)
}

#[cfg(test)]
#[path = "picture_tests.rs"]
mod tests;
