//! What is said where no version answers: as text, JSON (RFC 9457) or HTML, by `Accept`.
//!
//! A [`Page`] is made while the table is at hand and rendered later. No page names a version that the
//! request did not name or get, unless its Router says `listVersions`. Nothing here is sent anywhere.

mod form;
mod render;

use http::StatusCode;

pub use form::Form;
pub use render::Rendered;

use super::table::{Facts, Outcome, Table};

/// Seconds after which a 503 may be tried again: about what a pod takes to become ready.
const RETRY_AFTER: u32 = 5;
/// The most versions that a page names.
const NAMED_AT_MOST: usize = 50;
/// The most versions among which the nearest spelling is looked for.
const COMPARED_AT_MOST: usize = 1_000;
/// The most characters of what the request named that a page repeats.
const REPEATED_AT_MOST: usize = 80;

/// What a page says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The status.
    pub status: StatusCode,
    /// One word for machines, as `no_version`.
    pub label: &'static str,
    /// A few words.
    pub title: String,
    /// One sentence or two, with the way out.
    pub detail: String,
    /// The version that was named or chosen.
    pub version: Option<String>,
    /// The versions on offer, where the Router lists them: at most 50.
    pub offered: Vec<String>,
    /// How many more are on offer.
    pub unnamed: usize,
    /// The version on offer that is spelled most like the one named.
    pub nearest: Option<String>,
    /// Seconds until it is worth trying again.
    pub retry_after: Option<u32>,
}

impl Page {
    /// A page of one sentence, for a failure that the table knows nothing of.
    #[must_use]
    pub fn of_failure(status: StatusCode, label: &'static str, sentence: &str) -> Self {
        let unavailable = status == StatusCode::SERVICE_UNAVAILABLE;
        Self {
            status,
            label,
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            detail: sentence.to_owned(),
            version: None,
            offered: Vec::new(),
            unnamed: 0,
            nearest: None,
            retry_after: unavailable.then_some(RETRY_AFTER),
        }
    }

    /// The page for an outcome that serves nothing; `None` where a version serves the request.
    #[must_use]
    pub fn of_outcome(table: &Table, facts: &Facts<'_>, outcome: &Outcome<'_>) -> Option<Self> {
        match outcome {
            Outcome::Serve(_) | Outcome::AddSlash(_) => None,
            Outcome::NoHost => Some(Self {
                title: "No such host".to_owned(),
                ..Self::of_failure(
                    StatusCode::NOT_FOUND,
                    "no_host",
                    &format!("No Router here holds the host `{}`.", repeated(facts.host)),
                )
            }),
            Outcome::NoVersion { named, .. } => Some(Self::no_version(table, facts, named)),
            Outcome::Unavailable(choice) => {
                let route = choice.route;
                // What somebody has to change does not pass in a few seconds.
                let passes = route.absence.is_none_or(super::Absence::passes);
                let again = if passes { " Try again in a few seconds." } else { "" };
                let detail = format!("The version `{}` {}.{again}", route.version, route.why());
                let failed = Self::of_failure(StatusCode::SERVICE_UNAVAILABLE, "unavailable", &detail);
                Some(Self {
                    title: "This version is not up".to_owned(),
                    version: Some(route.version.to_string()),
                    ..failed
                })
            }
        }
    }

    fn no_version(table: &Table, facts: &Facts<'_>, named: &str) -> Self {
        let named = repeated(named);
        let detail = format!("There is no version `{named}` here: it is gone, or the name is misspelled.");
        let mut page = Self {
            title: "No such version".to_owned(),
            version: Some(named.clone()),
            ..Self::of_failure(StatusCode::NOT_FOUND, "no_version", &detail)
        };
        let Some(router) = table.router_at(facts.host).filter(|router| router.plan.list_versions) else {
            return page;
        };
        let offered = router.offered();
        if offered.len() <= COMPARED_AT_MOST {
            page.nearest = crate::api::nearest(&named, offered.iter().map(|id| &**id)).map(ToOwned::to_owned);
        }
        page.unnamed = offered.len().saturating_sub(NAMED_AT_MOST);
        page.offered = offered.iter().take(NAMED_AT_MOST).map(ToString::to_string).collect();
        page
    }
}

/// What a request said, fit to be repeated: cut, and without control characters.
fn repeated(text: &str) -> String {
    let shown = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    let mut cut: String = text.chars().take(REPEATED_AT_MOST).map(shown).collect();
    if text.chars().nth(REPEATED_AT_MOST).is_some() {
        cut.push('…');
    }
    cut
}

#[cfg(test)]
mod tests;
