//! The API server's part in what takes time: when it tells somebody else who watches.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use kube::api::Api;
use kube::runtime::{WatchStreamExt, watcher};
use serde::de::DeserializeOwned;

/// When somebody else who watches was first told of what has a name.
#[derive(Clone, Default)]
pub struct Heard(Arc<Mutex<BTreeMap<String, Instant>>>);

impl Heard {
    /// Watches from now on, for as long as the test runs.
    pub fn of<K>(api: Api<K>, named: impl Fn(&K) -> Option<String> + Send + 'static) -> Self
    where
        K: kube::Resource + Clone + DeserializeOwned + std::fmt::Debug + Send + 'static,
        K::DynamicType: Default,
    {
        let heard = Self::default();
        let times = heard.clone();
        tokio::spawn(async move {
            let mut seen = watcher(api, watcher::Config::default()).applied_objects().boxed();
            while let Some(object) = seen.next().await {
                if let Some(name) = object.ok().as_ref().and_then(&named) {
                    times.0.lock().unwrap().entry(name).or_insert_with(Instant::now);
                }
            }
        });
        heard
    }

    /// When it was told of what has this name; waits where it has not been yet.
    pub async fn at(&self, name: &str) -> Instant {
        let end = Instant::now() + Duration::from_secs(30);
        loop {
            if let Some(at) = self.0.lock().unwrap().get(name) {
                return *at;
            }
            assert!(Instant::now() < end, "nothing is heard of {name}");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}
