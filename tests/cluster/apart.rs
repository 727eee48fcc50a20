//! Who watches that the base's Service never leads to a version's pod.

use std::sync::{Arc, Mutex};

use futures_util::StreamExt;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::Client;
use kube::api::Api;
use kube::runtime::{WatchStreamExt, watcher};
use tokio::task::JoinHandle;

use crate::hands;

/// A watch on the endpoints of one Service.
pub struct Apart {
    watching: JoinHandle<()>,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Debug, Default)]
struct Seen {
    events: u64,
    foreign: Vec<String>,
}

impl Apart {
    /// Watches from now on.
    pub fn watch(client: Client, namespace: &str, service: &str) -> Self {
        let slices: Api<EndpointSlice> = Api::namespaced(client, namespace);
        let config = watcher::Config::default().labels(&format!("kubernetes.io/service-name={service}"));
        let seen = Arc::new(Mutex::new(Seen::default()));
        let kept = seen.clone();
        let watching = tokio::spawn(async move {
            let mut events = watcher(slices, config).default_backoff().applied_objects().boxed();
            while let Some(event) = events.next().await {
                let Ok(slice) = event else { continue };
                let mut seen = kept.lock().unwrap();
                seen.events += 1;
                let addresses = slice.endpoints.iter().flatten().flat_map(|endpoint| &endpoint.addresses);
                for address in addresses {
                    if let Some(version) = address.parse().ok().and_then(hands::version_at) {
                        seen.foreign.push(format!("{address} of {version}"));
                    }
                }
            }
        });
        Self { watching, seen }
    }

    /// Ends the watch.
    ///
    /// # Panics
    /// Where a version's pod was ever among the endpoints, or where nothing was ever seen.
    pub fn was(self) {
        self.watching.abort();
        let seen = self.seen.lock().unwrap();
        assert!(seen.events > 0, "the base's Service had endpoints to watch");
        assert!(seen.foreign.is_empty(), "the base's Service led to a version's pods: {:?}", seen.foreign);
    }
}
