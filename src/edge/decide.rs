//! What the table says of a request, in a form that outlives the table.
//!
//! The table is read once a request and never kept: a request holds its route, so that a table that was
//! replaced is freed however long its last requests take.

use std::sync::Arc;

use http::{HeaderValue, StatusCode};

use super::error::Fault;
use crate::routes::pages::Page;
use crate::routes::{Caching, Choice, Facts, Outcome, Route, Table};

/// A version chosen for a request.
#[derive(Debug, Clone)]
pub(crate) struct Decision {
    pub(crate) route: Arc<Route>,
    /// The value of `x-synkronic-reason`.
    pub(crate) reason: HeaderValue,
    /// Whether the request named the version itself.
    pub(crate) named: bool,
    /// How many bytes of the path are the version's prefix.
    pub(crate) prefix: usize,
    pub(crate) cache: Cache,
}

/// What caches must be told.
#[derive(Debug, Clone)]
pub(crate) enum Cache {
    ByUrl,
    Vary(HeaderValue),
    Private,
}

/// What becomes of a request.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// The version serves it.
    Serve(Decision),
    /// Its path lacks a slash at its end.
    AddSlash(Decision),
    /// It names a version that is not on offer, in the way that the value of `x-synkronic-reason` tells.
    NoVersion(HeaderValue, Box<Page>),
    /// Nobody serves it; the page tells why.
    Refuse(Fault, Option<Decision>, Box<Page>),
}

impl From<Choice<'_>> for Decision {
    fn from(choice: Choice<'_>) -> Self {
        Self {
            route: Arc::clone(choice.route),
            reason: choice.reason.value(),
            named: choice.reason.named_by_request(),
            prefix: choice.prefix,
            cache: match choice.caching {
                Caching::ByUrl => Cache::ByUrl,
                Caching::Vary(names) => Cache::Vary(names.clone()),
                Caching::Private => Cache::Private,
            },
        }
    }
}

/// Asks the table.
pub(crate) fn decide(table: &Table, facts: &Facts<'_>) -> Verdict {
    let outcome = table.find(facts);
    // Made while the table is at hand: it knows what is on offer.
    let page = || {
        let page = Page::of_outcome(table, facts, &outcome);
        Box::new(page.unwrap_or_else(|| page_of(Fault::Unavailable)))
    };
    match &outcome {
        Outcome::Serve(choice) => Verdict::Serve((*choice).into()),
        Outcome::AddSlash(choice) => Verdict::AddSlash((*choice).into()),
        Outcome::NoHost => Verdict::Refuse(Fault::NoHost, None, page()),
        Outcome::NoVersion { reason, .. } => Verdict::NoVersion(reason.value(), page()),
        Outcome::Unavailable(choice) => Verdict::Refuse(Fault::Unavailable, Some((*choice).into()), page()),
    }
}

/// The page for a fault that the table knows nothing of.
pub(crate) fn page_of(fault: Fault) -> Page {
    let row = fault.row();
    Page::of_failure(row.status.unwrap_or(StatusCode::BAD_GATEWAY), row.label, row.sentence)
}
