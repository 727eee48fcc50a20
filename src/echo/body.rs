//! The bodies an echo answers with; nothing is ever held whole but what is small.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{Interval, MissedTickBehavior};

/// One piece of a `/bytes/N` body.
static PIECE: [u8; 64 * 1024] = [b'x'; 64 * 1024];

/// A response body.
pub(super) enum EchoBody {
    /// A small text.
    Text(Bytes),
    /// So many bytes more, in pieces; with or without telling the length first.
    Bytes { left: u64, sized: bool },
    /// The request's own body, as it comes.
    Mirror(Incoming),
    /// Server-sent events, one a tick; `left` of `None` is for ever.
    Events { tick: Interval, next: u64, left: Option<u64> },
}

impl EchoBody {
    /// Events numbered from 1, one each `every` (at least 1 ms).
    pub(super) fn events(every: Duration, count: Option<u64>) -> Self {
        let mut tick = tokio::time::interval(every.max(Duration::from_millis(1)));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self::Events { tick, next: 1, left: count }
    }
}

/// Why a body broke off: only the request's own can.
#[derive(Debug, thiserror::Error)]
#[error("the request body broke off: {0}")]
pub(super) struct Broken(#[from] hyper::Error);

impl From<Infallible> for Broken {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl Body for EchoBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match self.get_mut() {
            Self::Text(text) => {
                let text = std::mem::take(text);
                Poll::Ready((!text.is_empty()).then(|| Ok(Frame::data(text))))
            }
            Self::Bytes { left, .. } => {
                let size = (PIECE.len() as u64).min(*left);
                *left -= size;
                let piece = PIECE.get(..size as usize).filter(|piece| !piece.is_empty());
                Poll::Ready(piece.map(|piece| Ok(Frame::data(Bytes::from_static(piece)))))
            }
            Self::Mirror(body) => Pin::new(body).poll_frame(context).map_err(Broken::from),
            Self::Events { left: Some(0), .. } => Poll::Ready(None),
            Self::Events { tick, next, left } => {
                ready!(tick.poll_tick(context));
                let event = format!("id: {next}\ndata: {{\"event\":{next}}}\n\n");
                *next += 1;
                if let Some(left) = left {
                    *left -= 1;
                }
                Poll::Ready(Some(Ok(Frame::data(Bytes::from(event)))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Text(text) => text.is_empty(),
            Self::Bytes { left, .. } => *left == 0,
            Self::Mirror(body) => body.is_end_stream(),
            Self::Events { left, .. } => *left == Some(0),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Text(text) => SizeHint::with_exact(text.len() as u64),
            Self::Bytes { left, sized: true } => SizeHint::with_exact(*left),
            Self::Mirror(body) => body.size_hint(),
            Self::Bytes { sized: false, .. } | Self::Events { .. } => SizeHint::default(),
        }
    }
}
