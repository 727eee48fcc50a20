//! What can go wrong between a watch and the API server, and what follows: one table. Pure.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use http::StatusCode;
use kube::core::Status;

/// The first pause after a failure; each further one is twice as long …
const FIRST: Duration = Duration::from_millis(50);
/// … up to this: when the API server is back, everything is known again within ten seconds.
const LONGEST: Duration = Duration::from_secs(5);
/// The longest that an API server that has too much to do may ask us to stay away.
const LONGEST_ASKED: Duration = Duration::from_secs(30);
/// The longest that one may that is just starting: it asks for five seconds, and is there after one.
const LONGEST_WHILE_STARTING: Duration = Duration::from_secs(1);

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Trouble {
    /// 401: it does not know who we are.
    Unknown,
    /// 403: we may not read this kind.
    Forbidden,
    /// 404: it does not serve this kind; its definition is not installed.
    NotServed,
    /// 400 or 422: it does not understand how we ask.
    Misunderstood,
    /// 410: what we know is too old to go on from.
    Outdated,
    /// What we know is newer than what it knows: its storage was set back.
    SetBack,
    /// 429: it has too much to do.
    Busy,
    /// 5xx.
    Faulty,
    /// It does not answer in time.
    Silent,
    /// No connection, or one that broke.
    Unreachable,
    /// What it says is not what it should be.
    Garbled,
}

/// How to go on after a pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// From where it was.
    Resume,
    /// With a new list.
    Anew,
    /// With a new list, in pages: the server does not stream lists.
    AnewInPages,
}

/// One occurrence, with the server's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What is wrong.
    pub trouble: Trouble,
    /// The words.
    pub words: String,
    /// How long the API server wants us to stay away.
    pub asked: Option<Duration>,
}

impl Trouble {
    /// One word for machines.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "Unauthorized",
            Self::Forbidden => "Forbidden",
            Self::NotServed => "NotServed",
            Self::Misunderstood => "Misunderstood",
            Self::Outdated => "Expired",
            Self::SetBack => "SetBack",
            Self::Busy => "TooManyRequests",
            Self::Faulty => "ServerError",
            Self::Silent => "Timeout",
            Self::Unreachable => "Unreachable",
            Self::Garbled => "Garbled",
        }
    }

    /// How to go on, where the list so far was complete (`listed`) or not.
    #[must_use]
    pub fn then(self, listed: bool) -> Then {
        match self {
            Self::Outdated | Self::SetBack => Then::Anew,
            Self::Misunderstood if !listed => Then::AnewInPages,
            Self::Misunderstood => Then::Anew,
            Self::Unknown
            | Self::Forbidden
            | Self::NotServed
            | Self::Busy
            | Self::Faulty
            | Self::Silent
            | Self::Unreachable
            | Self::Garbled => Then::Resume,
        }
    }

    /// Whether it is the way of things and nobody's fault: not worth a word in the log.
    #[must_use]
    pub fn is_ordinary(self) -> bool {
        self == Self::Outdated
    }

    /// Whether it can be for good: a right that nobody means to give, a kind that is not there. Who we are, an API
    /// server will know again.
    #[must_use]
    pub fn may_stay(self) -> bool {
        matches!(self, Self::Forbidden | Self::NotServed)
    }

    /// Whether only somebody's deed ends it: a right given, a definition installed.
    #[must_use]
    pub fn is_refusal(self) -> bool {
        matches!(self, Self::Unknown | Self::Forbidden | Self::NotServed)
    }

    fn of_status(status: &Status) -> Self {
        let set_back = status.details.as_ref().is_some_and(|details| {
            details.causes.iter().any(|cause| cause.reason == "ResourceVersionTooLarge")
        });
        match status.code {
            _ if set_back => Self::SetBack,
            401 => Self::Unknown,
            403 => Self::Forbidden,
            404 | 405 => Self::NotServed,
            408 | 504 => Self::Silent,
            410 => Self::Outdated,
            429 => Self::Busy,
            400..=499 => Self::Misunderstood,
            _ => Self::Faulty,
        }
    }
}

impl Failure {
    /// A failure in our own words.
    #[must_use]
    pub fn new(trouble: Trouble, words: impl Into<String>) -> Self {
        Self { trouble, words: words.into(), asked: None }
    }

    /// What the API server said.
    #[must_use]
    pub fn of_status(status: &Status) -> Self {
        let code = StatusCode::from_u16(status.code).ok().and_then(|code| code.canonical_reason());
        let words = match (status.message.is_empty(), code) {
            (false, _) => status.message.clone(),
            (true, Some(reason)) => format!("{} {reason}", status.code),
            (true, None) => format!("status {}", status.code),
        };
        let asked = status.details.as_ref().map_or(0, |details| details.retry_after_seconds);
        let trouble = Trouble::of_status(status);
        let longest = if trouble == Trouble::Busy { LONGEST_ASKED } else { LONGEST_WHILE_STARTING };
        let asked = (asked > 0).then(|| Duration::from_secs(asked.into()).min(longest));
        Self { trouble, words, asked }
    }

    /// What became of a request.
    #[must_use]
    pub fn of(error: &kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => Self::of_status(status),
            kube::Error::SerdeError(error) => Self::new(Trouble::Garbled, error.to_string()),
            kube::Error::FromUtf8(error) => Self::new(Trouble::Garbled, error.to_string()),
            other => Self::new(Trouble::Unreachable, chain(other)),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.trouble.as_str(), self.words)
    }
}

/// An error with its causes: hyper's own words are only `client error`.
fn chain(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !words.contains(&more) {
            words.push_str(": ");
            words.push_str(&more);
        }
        cause = error.source();
    }
    words
}

/// How long to wait after a failure: longer each time, until something went well, or at least as never since: a
/// server that comes back refuses connections, then lacks paths, then has storage to fill, each for a moment.
#[derive(Debug, Clone, Default)]
pub struct Pause {
    failures: u32,
    /// What went wrong since something last went well; two that take turns are no news.
    known: BTreeSet<Option<Trouble>>,
}

impl Pause {
    /// Something went well.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// The next pause. `dice`, any number, spreads those who lost the same server over half of it.
    pub fn next(&mut self, failure: Option<&Failure>, dice: u64) -> Duration {
        let trouble = failure.map(|failure| failure.trouble);
        if self.known.insert(trouble) {
            self.failures = 0;
        }
        let refused = trouble.is_some_and(Trouble::is_refusal);
        let grown = FIRST.saturating_mul(1 << self.failures.min(10)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        let full = if refused { LONGEST } else { grown };
        let spread = full / 2 + full.mul_f64((dice % 1024) as f64 / 2048.0);
        spread.max(failure.and_then(|failure| failure.asked).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: u16) -> Status {
        Status { code, ..Status::default() }
    }

    #[test]
    fn each_answer_has_its_name_and_what_follows() {
        let of = |code| {
            let trouble = Failure::of_status(&status(code)).trouble;
            (trouble, trouble.then(true))
        };
        assert_eq!(of(401), (Trouble::Unknown, Then::Resume));
        assert_eq!(of(403), (Trouble::Forbidden, Then::Resume));
        assert_eq!(of(404), (Trouble::NotServed, Then::Resume));
        assert_eq!(of(410), (Trouble::Outdated, Then::Anew));
        assert_eq!(of(422), (Trouble::Misunderstood, Then::Anew));
        assert_eq!(of(429), (Trouble::Busy, Then::Resume));
        assert_eq!(of(500), (Trouble::Faulty, Then::Resume));
        assert_eq!(of(504), (Trouble::Silent, Then::Resume));
        // A server that knows no streamed lists says so before the first object.
        assert_eq!(Trouble::Misunderstood.then(false), Then::AnewInPages);
    }

    #[test]
    fn a_storage_set_back_is_listed_anew() {
        let json = serde_json::json!({"kind": "Status", "status": "Failure", "reason": "Timeout", "code": 504,
            "message": "Timeout: Too large resource version: 90, current: 7",
            "details": {"causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
                "retryAfterSeconds": 1}});
        let failure = Failure::of_status(&serde_json::from_value(json).unwrap());
        assert_eq!((failure.trouble, failure.trouble.then(true)), (Trouble::SetBack, Then::Anew));
        assert_eq!(failure.asked, Some(Duration::from_secs(1)));
    }

    #[test]
    fn pauses_grow_to_five_seconds_and_begin_anew() {
        let mut pause = Pause::default();
        let pauses: Vec<_> = (0..9).map(|_| pause.next(None, 1023)).collect();
        assert!(pauses[0] < Duration::from_millis(50) && pauses[0] >= Duration::from_millis(25));
        assert!(pauses.windows(2).all(|pair| pair[0] <= pair[1]));
        assert!(pauses[8] <= LONGEST && pauses[8] > LONGEST / 2);
        pause.reset();
        assert!(pause.next(None, 0) <= FIRST);
        // Other trouble than before is news.
        let gone = Failure::new(Trouble::Unreachable, "gone");
        assert!((0..9).map(|_| pause.next(Some(&gone), 0)).last() > Some(LONGEST / 4));
        assert!(pause.next(Some(&Failure::new(Trouble::Busy, "later")), 0) <= FIRST);
        // What takes turns with what was known before is none.
        let mut pause = Pause::default();
        let busy = Failure::new(Trouble::Busy, "later");
        let pauses = (0..18).map(|turn| pause.next(Some(if turn % 2 == 0 { &gone } else { &busy }), 0));
        assert!(pauses.last() > Some(LONGEST / 4));
        // Rights do not come by asking often; and who asks to be left alone is.
        let refused = Failure::new(Trouble::Forbidden, "no");
        assert!(Pause::default().next(Some(&refused), 0) >= LONGEST / 2);
        let asked = Failure { asked: Some(Duration::from_secs(20)), ..Failure::new(Trouble::Busy, "later") };
        assert_eq!(Pause::default().next(Some(&asked), 5), Duration::from_secs(20));
    }
}
