//! What others ask of the core: whether it knows enough, what is wrong, and what it has come to. Nothing here
//! changes it.

use std::collections::BTreeMap;

use super::Core;
use crate::cluster::books::Book;
use crate::cluster::edges::Served;
use crate::cluster::kinds::Subject;
use crate::cluster::reached::Reached;
use crate::cluster::write::Sight;
use crate::inventory::{Inventory, Kind};
use crate::standing::Statuses;

impl Core {
    /// Whether every kind that cannot be done without has been listed.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.books.iter().all(|book| book.complete || !book.watched.required)
    }

    /// Whether this process writes: it holds the Lease, and nothing more is to be waited for, since all that
    /// a clone may be caught by has been seen, or may not be seen.
    #[must_use]
    pub fn may_write(&self) -> bool {
        self.leads && self.books.iter().all(Book::is_settled)
    }

    /// What is missing before requests are welcome, with what is wrong.
    #[must_use]
    pub fn missing(&self) -> Vec<String> {
        let missing = self.books.iter().filter(|book| !book.complete && book.watched.required);
        missing
            .map(|book| match book.trouble() {
                Some(trouble) => format!("the list of {trouble}"),
                None => format!("the list of {}", book.title()),
            })
            .collect()
    }

    /// What the API server does not answer now.
    #[must_use]
    pub fn failing(&self) -> Vec<String> {
        self.books.iter().filter_map(Book::trouble).collect()
    }

    /// How far what is known can be believed.
    pub(super) fn sight(&self) -> Sight {
        let mut sight = Sight::default();
        for book in &self.books {
            let Subject::Objects(kind) = book.watched.subject else { continue };
            let place = || (kind, book.namespace.clone());
            sight.unlisted.extend((!book.complete).then(place));
            sight.failing.extend(book.failure.is_some().then(place));
        }
        sight
    }

    /// The generation of the table in service.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.compiled.as_ref().map_or(0, |compiled| compiled.table.generation)
    }

    /// The objects known.
    #[must_use]
    pub fn inventory(&self) -> &Inventory {
        &self.inventory
    }

    /// The statuses that differ from what is written; empty where this is no controller.
    #[must_use]
    pub fn statuses(&self) -> &Statuses {
        &self.statuses
    }

    /// By kind, whether the API server answers its watches, and how many of its objects cannot be read.
    #[must_use]
    pub fn watches(&self) -> BTreeMap<&'static str, (bool, usize)> {
        let mut watches = BTreeMap::new();
        for book in &self.books {
            let known = watches.entry(book.watched.subject.as_str()).or_insert((true, 0));
            known.0 &= book.failure.is_none() && book.complete;
            known.1 += book.unreadable();
        }
        watches
    }

    /// What the table in service holds.
    #[must_use]
    pub fn served(&self) -> Served {
        self.served.clone()
    }

    /// Up to which version the Routers have been heard of.
    pub(super) fn reached(&self) -> Reached {
        let of_routers = |book: &&Book| book.watched.subject == Subject::Objects(Kind::Router);
        let books = self.books.iter().filter(of_routers);
        Reached::by(books.map(|book| (book.namespace.clone(), book.reached)))
    }
}
