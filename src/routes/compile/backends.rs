//! The endpoints of all Services that some version is served through, each known by its identity.
//!
//! An endpoint keeps its id for as long as it stays in the table and nothing of its identity changes. Two
//! Routers of one base share its endpoints, and so their connections.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::inventory::Key;
use crate::routes::route::{Endpoint, Protocol};

/// All backends.
#[derive(Debug, Default)]
pub(super) struct Backends {
    services: BTreeMap<Key, Backend>,
    /// The id that the next endpoint gets.
    next_endpoint: u64,
    /// Services whose users or pools changed in this compilation.
    touched: BTreeSet<Key>,
    retired: Vec<Arc<Endpoint>>,
}

/// One Service, whether it is there or not.
#[derive(Debug, Default)]
struct Backend {
    users: Vec<User>,
    pools: Vec<Pool>,
}

/// A version of a Router that is served through the Service.
#[derive(Debug)]
struct User {
    router: Key,
    version: Arc<str>,
    pool: Option<(Arc<str>, Protocol)>,
}

#[derive(Debug)]
struct Pool {
    port: Arc<str>,
    protocol: Protocol,
    endpoints: Arc<[Arc<Endpoint>]>,
}

/// An endpoint to send to: its address, and its pod's uid.
pub(super) type Wanted<'i> = (SocketAddr, &'i str);

impl Backends {
    /// The versions served through a Service.
    pub(super) fn users_of(&self, service: &Key) -> impl Iterator<Item = (&Key, &Arc<str>)> {
        let users = self.services.get(service).into_iter().flat_map(|backend| &backend.users);
        users.map(|user| (&user.router, &user.version))
    }

    /// Notes that a version is served through a Service (that may not be there), without any endpoint.
    pub(super) fn watch(&mut self, service: &Key, router: &Key, version: &Arc<str>) {
        self.record(service, router, version, None);
    }

    /// Notes that a version is served through a port of a Service, which has these endpoints, sorted.
    pub(super) fn attach(
        &mut self,
        service: &Key,
        router: &Key,
        version: &Arc<str>,
        port: &str,
        protocol: Protocol,
        wanted: &[Wanted<'_>],
    ) -> Arc<[Arc<Endpoint>]> {
        let port: Arc<str> = port.into();
        self.record(service, router, version, Some((port.clone(), protocol)));
        let backend = self.services.entry(service.clone()).or_default();
        let pool = match backend.pools.iter_mut().find(|pool| pool.port == port && pool.protocol == protocol)
        {
            Some(pool) => pool,
            None => {
                backend.pools.push(Pool { port, protocol, endpoints: Arc::new([]) });
                match backend.pools.last_mut() {
                    Some(pool) => pool,
                    None => return Arc::new([]),
                }
            }
        };
        let is =
            |endpoint: &Endpoint, it: &Wanted<'_>| endpoint.address == it.0 && &*endpoint.pod_uid == it.1;
        let same = pool.endpoints.len() == wanted.len();
        if same && pool.endpoints.iter().zip(wanted).all(|(endpoint, it)| is(endpoint, it)) {
            return pool.endpoints.clone();
        }
        let next = &mut self.next_endpoint;
        let endpoints = wanted.iter().map(|it| {
            pool.endpoints.iter().find(|endpoint| is(endpoint, it)).cloned().unwrap_or_else(|| {
                *next += 1;
                Arc::new(Endpoint {
                    id: *next,
                    namespace: service.namespace.clone(),
                    service: service.name.clone(),
                    pod_uid: it.1.into(),
                    address: it.0,
                    protocol,
                    retired: AtomicBool::new(false),
                })
            })
        });
        let endpoints: Arc<[Arc<Endpoint>]> = endpoints.collect();
        let gone = pool.endpoints.iter().filter(|old| !endpoints.iter().any(|new| Arc::ptr_eq(old, new)));
        self.retired.extend(gone.cloned());
        pool.endpoints = endpoints.clone();
        endpoints
    }

    /// Forgets that a version is served through a Service.
    pub(super) fn detach(&mut self, service: &Key, router: &Key, version: &str) {
        let Some(backend) = self.services.get_mut(service) else { return };
        backend.users.retain(|user| user.router != *router || &*user.version != version);
        self.touched.insert(service.clone());
    }

    fn record(
        &mut self,
        service: &Key,
        router: &Key,
        version: &Arc<str>,
        pool: Option<(Arc<str>, Protocol)>,
    ) {
        let users = match self.services.get_mut(service) {
            Some(backend) => &mut backend.users,
            None => &mut self.services.entry(service.clone()).or_default().users,
        };
        match users.iter_mut().find(|user| user.router == *router && user.version == *version) {
            Some(user) if user.pool == pool => {}
            Some(user) => {
                user.pool = pool;
                self.touched.insert(service.clone());
            }
            None => {
                users.reserve_exact(1);
                users.push(User { router: router.clone(), version: version.clone(), pool });
            }
        }
    }

    /// Drops what has no user any more, and gives out the endpoints that left the table.
    pub(super) fn settle(&mut self) -> Vec<Arc<Endpoint>> {
        for service in std::mem::take(&mut self.touched) {
            let Some(backend) = self.services.get_mut(&service) else { continue };
            let Backend { users, pools } = backend;
            pools.retain(|pool| {
                let is_this = |(port, protocol): &(Arc<str>, Protocol)| {
                    *port == pool.port && *protocol == pool.protocol
                };
                let used = users.iter().any(|user| user.pool.as_ref().is_some_and(is_this));
                if !used {
                    self.retired.extend(pool.endpoints.iter().cloned());
                }
                used
            });
            if users.is_empty() {
                self.services.remove(&service);
            }
        }
        let mut retired = std::mem::take(&mut self.retired);
        retired.sort_by_key(|endpoint| endpoint.id);
        retired
    }
}
