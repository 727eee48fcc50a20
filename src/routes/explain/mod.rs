//! Which version a request gets, and why: step by step, rule by rule.
//!
//! The decision itself is [`Table::find`]'s; this asks the same parts the same questions and writes the
//! answers down. It allocates, and is never on a request's way.

mod described;
mod text;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

pub use described::{Described, DescribedError};

use super::find::path_slot;
use super::hosts::Reading;
use super::router::{Offer, RouterTable};
use super::rules::{Depends, Entry, Rule};
use super::table::{Caching, Choice, Facts, Outcome, Reason, Table};

/// What a request gets, and the way there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// The request, in one line.
    pub request: String,
    /// The Router that the host leads to, as `namespace/name`; absent where none does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub router: Option<String>,
    /// The steps, in order of precedence.
    pub steps: Vec<Step>,
    /// What becomes of it.
    pub outcome: Decided,
}

/// One step of the order of precedence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// What is asked, as `override header`.
    pub step: Cow<'static, str>,
    /// Whether it decides.
    pub verdict: Verdict,
    /// Why.
    pub why: String,
    /// The rules, where this is their step.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<RuleStep>,
}

/// What a step or a rule comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It decides.
    Decides,
    /// It was asked and does not apply.
    DoesNotApply,
    /// Something before it decided.
    NotAsked,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RuleStep {
    /// Its name.
    pub rule: String,
    /// The version it sends to.
    pub send: String,
    /// What it comes to.
    pub verdict: Verdict,
    /// Its matches: any of them is enough.
    pub matches: Vec<MatchStep>,
}

/// One match of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MatchStep {
    /// Whether all its conditions hold.
    pub holds: bool,
    /// Its conditions.
    pub conditions: Vec<ConditionStep>,
}

/// One condition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConditionStep {
    /// What it asks, as ``header `x-qa-team` is `blue` ``.
    pub condition: String,
    /// Whether the request meets it.
    pub holds: bool,
}

/// What becomes of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Decided {
    /// `serve`, `add-slash`, `no-host`, `no-version` or `unavailable`; `answered` where it does not come as far as
    /// the table.
    pub result: Cow<'static, str>,
    /// The status that the edge answers itself; absent where a version answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The version, as chosen or as named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The value of `x-synkronic-reason`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The path that the version sees, where it is another than the request's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream_path: Option<String>,
    /// The addresses it may be sent to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<String>,
    /// What shared caches are told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caching: Option<String>,
    /// One sentence.
    pub sentence: String,
}

impl Explanation {
    /// Of a request that the edge answers itself before it asks the table.
    #[must_use]
    pub fn answered(described: &Described, status: u16, sentence: &str) -> Self {
        let guard = Step {
            step: "guard".into(),
            verdict: Verdict::Decides,
            why: "the edge answers by itself, before it asks for a version".to_owned(),
            rules: Vec::new(),
        };
        let outcome = Decided {
            result: "answered".into(),
            status: Some(status),
            sentence: format!("{status}: {sentence}"),
            ..Decided::default()
        };
        Self { request: described.line(), router: None, steps: vec![guard], outcome }
    }
}

impl Table {
    /// Which version a request gets, and why.
    #[must_use]
    pub fn explain(&self, facts: &Facts<'_>) -> Explanation {
        let outcome = self.find(facts);
        let reading = self.hosts.read(facts.host);
        Explanation {
            request: request_line(facts),
            router: reading.map(|it| format!("{}/{}", it.router.plan.namespace, it.router.plan.name)),
            steps: reading.map(|reading| steps(&reading, facts)).unwrap_or_default(),
            outcome: decided(&outcome, facts),
        }
    }
}

fn request_line(facts: &Facts<'_>) -> String {
    let query = facts.query.map(|query| format!("?{query}")).unwrap_or_default();
    format!("{} http://{}{}{query} from {}", facts.method, facts.host, facts.path, facts.client)
}

/// The steps; the first that applies decides, and none behind it is asked.
fn steps(reading: &Reading<'_>, facts: &Facts<'_>) -> Vec<Step> {
    let router = reading.router;
    let rules = rule_steps(router, facts);
    let ruled = rules.iter().find(|rule| rule.verdict == Verdict::Decides).map(|rule| rule.rule.clone());
    // The override query, the pin, the page cookie and the split come with their own issues.
    let asked = [
        ("override header", by_header(router, facts), Vec::new()),
        ("subdomain", by_subdomain(reading, facts), Vec::new()),
        ("path", by_path(router, facts), Vec::new()),
        ("rules", by_rules(&rules, ruled), rules),
        ("active", (true, format!("`{}` is the active version", router.active.version)), Vec::new()),
    ];
    let mut decided = false;
    let mut steps = Vec::with_capacity(asked.len());
    for (step, (applies, why), rules) in asked {
        let verdict = match (decided, applies) {
            (true, _) => Verdict::NotAsked,
            (false, true) => Verdict::Decides,
            (false, false) => Verdict::DoesNotApply,
        };
        let (why, rules) = match verdict {
            Verdict::NotAsked => ("something before it decided".to_owned(), Vec::new()),
            Verdict::Decides | Verdict::DoesNotApply => (why, rules),
        };
        decided = decided || applies;
        steps.push(Step { step: step.into(), verdict, why, rules });
    }
    steps
}

fn by_header(router: &RouterTable, facts: &Facts<'_>) -> (bool, String) {
    let Some(name) = &router.plan.header else {
        return (false, "the Router has no `override.header`".to_owned());
    };
    match router.plan.version_of_header(facts.headers) {
        Some(named) => (true, format!("the header `{name}` names `{named}`{}", known(router, named))),
        None => (false, format!("the request has no header `{name}`")),
    }
}

fn by_subdomain(reading: &Reading<'_>, facts: &Facts<'_>) -> (bool, String) {
    match reading.version {
        Some(named) => {
            (true, format!("the host `{}` names `{named}`{}", facts.host, known(reading.router, named)))
        }
        None if reading.router.plan.subdomain.is_none() => {
            (false, "the Router has subdomains turned off".to_owned())
        }
        None => (false, format!("`{}` is a host of the Router itself", facts.host)),
    }
}

fn known(router: &RouterTable, named: &str) -> &'static str {
    match router.versions.get(named).map(|slot| slot.offer) {
        Some(Offer::Open { .. }) => "",
        Some(Offer::Unlisted) => ", which is not on offer",
        Some(Offer::Gone) => ", which is not on offer any more",
        None => ", which is no version here",
    }
}

fn by_path(router: &RouterTable, facts: &Facts<'_>) -> (bool, String) {
    let Some(pattern) = &router.plan.path else { return (false, "the Router has no `path`".to_owned()) };
    let Some(reading) = pattern.read(facts.path) else {
        return (false, format!("the path does not begin as `{}`", pattern.as_str()));
    };
    let segment = reading.segment;
    match path_slot(router, facts.path) {
        Some(_) => (true, format!("the path names `{segment}`{}", known(router, segment))),
        None => (false, format!("`{segment}` is no version on offer by path: it is the application's")),
    }
}

fn by_rules(rules: &[RuleStep], decides: Option<String>) -> (bool, String) {
    match decides {
        Some(name) => (true, format!("the rule `{name}` matches")),
        None if rules.is_empty() => (false, "the Router has no rules".to_owned()),
        None => (false, "no rule matches".to_owned()),
    }
}

fn rule_steps(router: &RouterTable, facts: &Facts<'_>) -> Vec<RuleStep> {
    let mut decided = false;
    let step = |rule: &Rule| {
        let matches: Vec<MatchStep> = rule.entries.iter().map(|entry| match_step(entry, facts)).collect();
        let applies = matches.iter().any(|it| it.holds);
        let verdict = match (decided, applies) {
            (true, _) => Verdict::NotAsked,
            (false, true) => Verdict::Decides,
            (false, false) => Verdict::DoesNotApply,
        };
        decided = decided || applies;
        RuleStep { rule: rule.name.clone(), send: rule.send.clone(), verdict, matches }
    };
    router.plan.rules.0.iter().map(step).collect()
}

fn match_step(entry: &Entry, facts: &Facts<'_>) -> MatchStep {
    let conditions = entry.url.iter().chain(&entry.consumer);
    let conditions = conditions
        .map(|condition| ConditionStep { condition: condition.to_string(), holds: condition.holds(facts) });
    MatchStep { holds: entry.matches(facts, &mut Depends::default()), conditions: conditions.collect() }
}

fn decided(outcome: &Outcome<'_>, facts: &Facts<'_>) -> Decided {
    let nothing = Decided {
        result: "no-host".into(),
        status: Some(404),
        sentence: format!("404: no Router here holds the host `{}`", facts.host),
        ..Decided::default()
    };
    match outcome {
        Outcome::NoHost => nothing,
        Outcome::NoVersion { named, reason } => Decided {
            result: "no-version".into(),
            version: Some((*named).to_owned()),
            reason: Some(reason_text(reason)),
            sentence: format!("404: there is no version `{named}` on offer here"),
            ..nothing
        },
        Outcome::Serve(choice) => {
            let sentence = format!("the version `{}` answers", choice.route.version);
            Decided { result: "serve".into(), status: None, sentence, ..chosen(choice, facts) }
        }
        Outcome::AddSlash(choice) => {
            let sentence =
                format!("a redirect to `{}/`, where `{}` answers", facts.path, choice.route.version);
            let chosen = Decided { upstream_path: None, endpoints: Vec::new(), ..chosen(choice, facts) };
            // 307: the same path may be the application's once the version is gone.
            Decided { result: "add-slash".into(), status: Some(307), sentence, ..chosen }
        }
        Outcome::Unavailable(choice) => {
            let sentence = format!("503: the version `{}` {}", choice.route.version, choice.route.why());
            Decided { result: "unavailable".into(), status: Some(503), sentence, ..chosen(choice, facts) }
        }
    }
}

fn chosen(choice: &Choice<'_>, facts: &Facts<'_>) -> Decided {
    let stripped = facts.path.get(choice.prefix..).filter(|_| choice.prefix > 0);
    let upstream_path = stripped.map(|path| if path.is_empty() { "/".to_owned() } else { path.to_owned() });
    let caching = match choice.caching {
        Caching::ByUrl => "the URL alone decides".to_owned(),
        Caching::Vary(names) => format!("Vary: {}", names.to_str().unwrap_or_default()),
        Caching::Private => "Cache-Control: private".to_owned(),
    };
    Decided {
        result: "serve".into(),
        status: None,
        version: Some(choice.route.version.to_string()),
        reason: Some(reason_text(&choice.reason)),
        upstream_path,
        endpoints: choice.route.endpoints.iter().map(|endpoint| endpoint.address.to_string()).collect(),
        caching: Some(caching),
        sentence: String::new(),
    }
}

fn reason_text(reason: &Reason<'_>) -> String {
    reason.value().to_str().unwrap_or_default().to_owned()
}
