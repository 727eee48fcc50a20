//! One kind, followed for ever: listed whole, then change by change.
//!
//! kube-runtime's watcher does the same, but keeps to itself what is asked here: whether a quiet watch is in
//! order again after an outage, which version has been reached, and a 410 that comes as the answer's own
//! status. So this is its own loop, over kube's requests. It decides nothing about objects: it reads them and
//! hands them on through one bounded channel, and waits when nobody takes them.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use http::Request;
use kube::Client;
use kube::api::{ListParams, WatchEvent, WatchParams};
use kube::core::Request as Ask;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::mpsc::Sender;
use tokio::time::timeout;

use super::kinds::{self, Read, Roles, Watched};
use super::trouble::{Failure, Pause, Then, Trouble};
use crate::inventory::Key;

/// Objects of a page.
const PAGE: u32 = 250;

/// How long a watch waits for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// The server ends a watch after so long, and another begins: so it learns who is still there.
    pub lasting: Duration,
    /// Silence beyond that by so much means that nobody is there.
    pub margin: Duration,
    /// An answer must begin after this long; a page of a list must be whole.
    pub answer: Duration,
    /// Between two objects of a streamed list. A server that streams none sends all and then nothing.
    pub list_silence: Duration,
    /// A watch that ended sooner is as good as one that failed: no hot loop.
    pub short: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            lasting: Duration::from_secs(290),
            margin: Duration::from_secs(10),
            answer: Duration::from_secs(30),
            list_silence: Duration::from_secs(15),
            short: Duration::from_secs(1),
        }
    }
}

/// The mark of the bookmark that ends a streamed list.
const END_OF_LIST: &str = "k8s.io/initial-events-end";

/// What a watch tells.
#[derive(Debug)]
pub struct Heard {
    /// Which watch, by its place among all.
    pub watch: usize,
    /// When it was heard.
    pub at: Instant,
    /// What it is.
    pub news: News,
}

/// One thing that a watch tells.
#[derive(Debug)]
pub enum News {
    /// A complete list begins.
    Began,
    /// The object is there.
    Seen(Read),
    /// An object of this key is there, and cannot be read.
    Unreadable(Key, String),
    /// The object is gone.
    Gone(Key),
    /// The list is complete: what it did not name is not there.
    Complete,
    /// The server answers.
    Answering,
    /// It does not.
    Failing(Failure),
}

/// A kind to follow.
pub struct Follower {
    /// The API server.
    pub client: Client,
    /// Its place among all.
    pub place: usize,
    /// The kind.
    pub watched: Watched,
    /// In one namespace, or in all.
    pub namespace: Option<String>,
    /// What is kept of objects.
    pub roles: Roles,
    /// How long it waits for what.
    pub patience: Patience,
    /// Who listens.
    pub mouth: Sender<Heard>,
}

/// How far a follower has come.
#[derive(Debug, Default)]
struct Position {
    /// The version reached; none means that a list is due.
    version: Option<String>,
    /// Whether lists come in pages because the server streams none.
    pages: bool,
}

/// Why a request has come to its end.
enum End {
    /// The server ended it, as it does now and then.
    Over,
    /// It failed.
    Failed(Failure),
    /// Nobody listens any more.
    Deaf,
}

impl From<Failure> for End {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl Follower {
    /// Follows until nobody listens any more.
    pub async fn follow(self) {
        let (mut position, mut pause) = (Position::default(), Pause::default());
        loop {
            let begun = Instant::now();
            let wait = match self.once(&mut position, &mut pause).await {
                End::Deaf => return,
                End::Over if begun.elapsed() >= self.patience.short => {
                    pause.reset();
                    continue;
                }
                End::Over => pause.next(None, dice()),
                End::Failed(failure) => {
                    match failure.trouble.then(position.version.is_some()) {
                        Then::Resume => {}
                        Then::Anew => position.version = None,
                        Then::AnewInPages => (position.version, position.pages) = (None, true),
                    }
                    let wait = pause.next(Some(&failure), dice());
                    if self.tell(News::Failing(failure)).await.is_err() {
                        return;
                    }
                    wait
                }
            };
            tokio::time::sleep(wait).await;
        }
    }

    /// One request, or all pages of one list; says why it has ended.
    async fn once(&self, position: &mut Position, pause: &mut Pause) -> End {
        let outcome = match (&position.version, position.pages) {
            (None, true) => self.list(position).await,
            (Some(_), _) | (None, false) => self.watch(position, pause).await,
        };
        match outcome {
            Ok(()) => End::Over,
            Err(end) => end,
        }
    }

    fn ask(&self) -> Ask {
        Ask::new(self.watched.path(self.namespace.as_deref()))
    }

    fn labels(&self) -> Option<String> {
        (!self.watched.labels.is_empty()).then(|| self.watched.labels.to_owned())
    }

    /// Lists in pages.
    async fn list(&self, position: &mut Position) -> Result<(), End> {
        let mut parameters =
            ListParams { label_selector: self.labels(), limit: Some(PAGE), ..ListParams::default() };
        self.tell(News::Began).await?;
        loop {
            let request = self.ask().list(&parameters).map_err(built)?;
            let page: Page = self.in_time(self.client.request(request)).await?;
            for value in page.items {
                self.read(value).await?;
            }
            match page.metadata.next.filter(|next| !next.is_empty()) {
                Some(next) => parameters.continue_token = Some(next),
                None => {
                    position.version = page.metadata.resource_version;
                    self.tell(News::Answering).await?;
                    return self.tell(News::Complete).await;
                }
            }
        }
    }

    /// Watches, from the version reached or from a streamed list on.
    async fn watch(&self, position: &mut Position, pause: &mut Pause) -> Result<(), End> {
        let mut listing = position.version.is_none();
        let parameters = WatchParams {
            label_selector: self.labels(),
            timeout: u32::try_from(self.patience.lasting.as_secs()).ok(),
            bookmarks: true,
            send_initial_events: listing,
            ..WatchParams::default()
        };
        // Without a version the list is the newest there is: never older than what was known before.
        let version = position.version.as_deref().unwrap_or_default();
        let request: Request<Vec<u8>> = self.ask().watch(&parameters, version).map_err(built)?;
        let events = self.in_time(self.client.request_events::<Value>(request)).await?;
        let mut events = std::pin::pin!(events);
        self.tell(if listing { News::Began } else { News::Answering }).await?;
        loop {
            let Patience { lasting, margin, list_silence, .. } = self.patience;
            let limit = if listing { list_silence } else { lasting + margin };
            let event = match timeout(limit, events.next()).await {
                Ok(Some(event)) => event.map_err(|error| Failure::of(&error))?,
                Ok(None) if listing => {
                    return Err(Failure::new(Trouble::Unreachable, "the list broke off").into());
                }
                Ok(None) => return Ok(()),
                Err(_) if listing => {
                    position.pages = true;
                    return Err(
                        Failure::new(Trouble::Silent, "the list has no end; pages are asked for").into()
                    );
                }
                Err(_) => return Err(Failure::new(Trouble::Silent, "the watch went silent").into()),
            };
            match event {
                WatchEvent::Added(value) | WatchEvent::Modified(value) => {
                    self.reach(position, kinds::version_of(&value), listing);
                    self.read(value).await?;
                }
                WatchEvent::Deleted(value) => {
                    self.reach(position, kinds::version_of(&value), listing);
                    self.tell(News::Gone(kinds::key_of(&value))).await?;
                }
                WatchEvent::Bookmark(bookmark) => {
                    let whole = bookmark.metadata.annotations.contains_key(END_OF_LIST);
                    self.reach(position, Some(&bookmark.metadata.resource_version), listing && !whole);
                    if whole && std::mem::take(&mut listing) {
                        pause.reset();
                        self.tell(News::Answering).await?;
                        self.tell(News::Complete).await?;
                    }
                }
                WatchEvent::Error(status) => return Err(Failure::of_status(&status).into()),
            }
        }
    }

    /// Notes the version reached; half a list is no place to go on from.
    fn reach(&self, position: &mut Position, version: Option<&str>, listing: bool) {
        if !listing && let Some(version) = version.filter(|version| !version.is_empty()) {
            position.version = Some(version.to_owned());
        }
    }

    async fn read(&self, value: Value) -> Result<(), End> {
        self.tell(match kinds::read(&self.watched, self.roles, value) {
            Ok(read) => News::Seen(read),
            Err((key, words)) => News::Unreadable(key, words),
        })
        .await
    }

    /// An answer, if it comes in time.
    async fn in_time<T>(&self, answer: impl Future<Output = Result<T, kube::Error>>) -> Result<T, End> {
        match timeout(self.patience.answer, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(Failure::of(&error).into()),
            Err(_) => {
                let seconds = self.patience.answer.as_secs();
                Err(Failure::new(Trouble::Silent, format!("no answer within {seconds} s")).into())
            }
        }
    }

    async fn tell(&self, news: News) -> Result<(), End> {
        let heard = Heard { watch: self.place, at: Instant::now(), news };
        self.mouth.send(heard).await.map_err(|_| End::Deaf)
    }
}

/// A page of a list.
#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    metadata: PageMeta,
    #[serde(default)]
    items: Vec<Value>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PageMeta {
    resource_version: Option<String>,
    #[serde(rename = "continue")]
    next: Option<String>,
}

fn built(error: kube::core::request::Error) -> End {
    Failure::new(Trouble::Misunderstood, error.to_string()).into()
}

/// Any number: who lost the same server at the same instant comes back at different ones.
fn dice() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(0)
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
