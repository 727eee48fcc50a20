//! The watches of a process: begun together, and begun again where one ends. None is to end; one that does had
//! a fault of ours, and a kind that nobody follows any more would be served as it once was, for ever.

use std::collections::HashMap;
use std::time::Duration;

use kube::Client;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::task::{Id, JoinSet};

use super::kinds::{Roles, Watched};
use super::watch::{Follower, Heard, Patience};

/// Pieces of news that wait; beyond that the watches wait, and with them the API server.
const WAITING: usize = 1024;
/// Before one that ended is begun again: its fault may meet it at once.
const PAUSE: Duration = Duration::from_secs(1);

/// All watches of a process.
pub struct Followers {
    client: Client,
    roles: Roles,
    watches: Vec<(Watched, Option<String>)>,
    mouth: Sender<Heard>,
    running: JoinSet<()>,
    places: HashMap<Id, usize>,
}

impl Followers {
    /// Begins to follow. What they tell comes out of what is returned beside.
    #[must_use]
    pub fn begin(
        client: Client,
        roles: Roles,
        watches: Vec<(Watched, Option<String>)>,
    ) -> (Self, Receiver<Heard>) {
        let (mouth, heard) = mpsc::channel(WAITING);
        let count = watches.len();
        let (running, places) = (JoinSet::new(), HashMap::new());
        let mut followers = Self { client, roles, watches, mouth, running, places };
        for place in 0..count {
            followers.follow(place, Duration::ZERO);
        }
        (followers, heard)
    }

    fn follow(&mut self, place: usize, after: Duration) {
        let Some((watched, namespace)) = self.watches.get(place).cloned() else { return };
        let follower = Follower {
            client: self.client.clone(),
            place,
            watched,
            namespace,
            roles: self.roles,
            patience: Patience::default(),
            mouth: self.mouth.clone(),
        };
        let handle = self.running.spawn(async move {
            tokio::time::sleep(after).await;
            follower.follow().await;
        });
        self.places.insert(handle.id(), place);
    }

    /// Begins each again that ends; never returns. It may be dropped at any time without loss.
    pub async fn keep(&mut self) {
        loop {
            let (id, error) = match self.running.join_next_with_id().await {
                Some(Ok((id, ()))) => (id, None),
                Some(Err(error)) => (error.id(), Some(error)),
                None => return std::future::pending().await,
            };
            let Some(place) = self.places.remove(&id) else { continue };
            let watch = self.watches.get(place).map(|(watched, _)| watched.title());
            tracing::error!(
                ?watch,
                ?error,
                "a watch has ended, which is a fault of this program; it begins again"
            );
            self.follow(place, PAUSE);
        }
    }

    /// Ends them all.
    pub async fn end(mut self) {
        self.running.shutdown().await;
    }
}

#[cfg(test)]
mod tests {
    use super::super::kinds::watched;
    use super::*;

    #[tokio::test]
    async fn a_watch_that_ends_is_begun_again() {
        let service = tower::service_fn(|_: http::Request<kube::client::Body>| {
            std::future::pending::<Result<http::Response<kube::client::Body>, std::io::Error>>()
        });
        let roles = Roles { controller: false, edge: true };
        let watches: Vec<_> = watched(roles).into_iter().map(|watched| (watched, None)).collect();
        let (mut followers, _heard) = Followers::begin(Client::new(service, "n"), roles, watches);
        assert_eq!(followers.running.len(), 5);
        // As if it had panicked: somebody has to notice.
        followers.running.spawn(async { panic!("a fault") });
        let victim = followers.running.spawn(std::future::ready(())).id();
        followers.places.insert(victim, 2);
        let kept = tokio::time::timeout(Duration::from_millis(200), followers.keep()).await;
        assert!(kept.is_err(), "it goes on");
        assert_eq!((followers.running.len(), followers.places.len()), (6, 6));
        assert_eq!(followers.places.values().filter(|place| **place == 2).count(), 2);
        followers.end().await;
    }
}
