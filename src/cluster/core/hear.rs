//! What the watches tell, into what is known. It draws no conclusions: those wait for [`Core::settle`].

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Instant;

use super::{API_SERVER, Core, Remark};
use crate::cluster::books::{self, Book, Effect};
use crate::cluster::kinds::{Read, Subject};
use crate::cluster::watch::Heard;
use crate::inventory::object::RouterFacts;
use crate::inventory::{Edit, Key, Kind, Object};
use crate::standing::Affected;

impl Core {
    /// Takes in what the watches tell; returns what is worth a line in the log.
    pub fn take(&mut self, heard: impl IntoIterator<Item = Heard>) -> Vec<Remark> {
        let (mut edits, mut remarks) = (Vec::new(), Vec::new());
        let began = self.is_complete();
        for Heard { watch, at, news } in heard {
            let Some(book) = self.books.get_mut(watch) else { continue };
            let (subject, effect) = (book.watched.subject, book.hear(news, at));
            match effect {
                Effect::Seen(read) => edits.extend(self.see(read, at)),
                Effect::Gone(key) => edits.extend(self.lose(subject, key, at)),
                Effect::Sweep(listed) => {
                    // What is known has to be complete before what is missing can be told.
                    self.update(std::mem::take(&mut edits));
                    for key in self.vanished(watch, &listed) {
                        edits.extend(self.lose(subject, key, at));
                    }
                    // An empty list is news as well: there is no edge.
                    if subject == Subject::Edges {
                        self.edges_due = Some(at);
                    }
                }
                Effect::State => {
                    let (title, trouble) = (book.title(), book.trouble());
                    remarks.push(Remark::Watch { title, trouble });
                }
                Effect::Unreadable(key, words) => {
                    remarks.push(Remark::Unreadable(format!("{} {key}: {words}", subject.as_str())));
                }
                Effect::Nothing => {}
            }
        }
        self.update(edits);
        if !began && self.is_complete() {
            self.books.iter_mut().for_each(Book::wait_anew);
        }
        self.note_unread();
        remarks
    }

    /// What may not be read is told of every version: it might have had copies.
    fn note_unread(&mut self) {
        let unread = self.books.iter().filter_map(Book::unread).collect();
        if self.reports.unread != unread {
            self.reports.unread = unread;
            self.affected.dpvs.extend(self.inventory.dpvs.iter().map(|dpv| dpv.meta.key.clone()));
        }
    }

    fn see(&mut self, read: Read, at: Instant) -> Option<Edit> {
        match read {
            Read::Object(object, version) => {
                if let Object::Router(router) = &*object {
                    self.see_router(router, version);
                }
                self.since.get_or_insert(at);
                Some(Edit::Apply(object))
            }
            Read::Edge(edge, report) => {
                self.edges.hear(edge, report, at);
                self.edges_due = Some(at);
                None
            }
        }
    }

    fn see_router(&mut self, router: &RouterFacts, version: u64) {
        let generation = router.meta.generation;
        let programmed = router.status.conditions.iter().any(|condition| {
            condition.type_ == "Programmed"
                && condition.status == "True"
                && condition.observed_generation == generation
        });
        if self.edges.router(&router.meta.key, generation, version, programmed) {
            self.specifications += 1;
        }
    }

    fn lose(&mut self, subject: Subject, key: Key, at: Instant) -> Option<Edit> {
        match subject {
            Subject::Objects(kind) => {
                if kind == Kind::Router {
                    self.edges.forget_router(&key);
                }
                self.since.get_or_insert(at);
                Some(Edit::Remove(kind, key))
            }
            Subject::Edges => {
                self.edges.forget(&key);
                self.edges_due = Some(at);
                None
            }
        }
    }

    /// What a watch knew of and its complete list does not name.
    fn vanished(&self, watch: usize, listed: &BTreeSet<Key>) -> Vec<Key> {
        let Some(book) = self.books.get(watch) else { return Vec::new() };
        let known = match book.watched.subject {
            Subject::Objects(kind) => books::keys(&self.inventory, kind, book.namespace.as_deref()),
            Subject::Edges => self.edges.names().cloned().collect(),
        };
        known.into_iter().filter(|key| !listed.contains(key)).collect()
    }

    pub(super) fn update(&mut self, edits: Vec<Edit>) {
        let changes = self.inventory.update(edits);
        let server = (Kind::EndpointSlice, Key::new(API_SERVER.0, API_SERVER.1));
        if changes.objects.contains(&server) {
            self.refuse(&server.1);
        }
        self.changes.extend(changes);
    }

    /// Where the API server is, nothing else may claim to be.
    fn refuse(&mut self, server: &Key) {
        let addresses = self.inventory.slices.get(server).into_iter().flat_map(|slice| {
            let of_port = |port: u16| slice.endpoints.iter().map(move |it| SocketAddr::new(it.address, port));
            slice.ports.iter().flat_map(move |port| of_port(port.port))
        });
        self.settings.refused = self.configured.iter().copied().chain(addresses).collect();
        self.affected = Affected::all(&self.inventory);
    }
}
