//! Spare memory of one worker: buffers that responses are read into and heads are written to, and one
//! scratch for bytes that stay for no longer than a call.
//!
//! A buffer comes back when its response is over, though slices of it may still be on their way to the
//! client; what is then still in use is replaced when it is next taken. Large ones are not kept.

use std::cell::RefCell;

use bytes::BytesMut;

/// A buffer as it is handed out: the head and a small body in one read.
pub(crate) const SMALL: usize = 8 << 10;
/// The largest that is kept.
const KEPT: usize = 16 << 10;
/// How many of each are kept: as many as a busy worker has requests in flight at once.
const SPARE: usize = 256;
/// The scratch: what one read of a tunnel, or of a client that is to be drained, may take.
const SCRATCH: usize = 64 << 10;

/// A worker's spare buffers.
#[derive(Debug, Default)]
pub(crate) struct Buffers {
    reads: RefCell<Vec<BytesMut>>,
    heads: RefCell<Vec<Vec<u8>>>,
    scratch: RefCell<Box<[u8]>>,
}

impl Buffers {
    /// An empty buffer with room for at least [`SMALL`] bytes.
    pub(crate) fn take(&self) -> BytesMut {
        let mut buffer = self.reads.borrow_mut().pop().unwrap_or_default();
        buffer.reserve(SMALL);
        buffer
    }

    /// Takes a buffer back.
    pub(crate) fn give(&self, mut buffer: BytesMut) {
        let mut reads = self.reads.borrow_mut();
        if reads.len() < SPARE && buffer.capacity() <= KEPT {
            buffer.clear();
            reads.push(buffer);
        }
    }

    /// An empty buffer for a request's head.
    pub(crate) fn take_head(&self) -> Vec<u8> {
        self.heads.borrow_mut().pop().unwrap_or_default()
    }

    /// Takes a head's buffer back.
    pub(crate) fn give_head(&self, mut head: Vec<u8>) {
        let mut heads = self.heads.borrow_mut();
        if heads.len() < SPARE && head.capacity() <= KEPT {
            head.clear();
            heads.push(head);
        }
    }

    /// Lends the scratch, whose content is undefined; not across an await.
    pub(crate) fn with_scratch<T>(&self, work: impl FnOnce(&mut [u8]) -> T) -> T {
        let mut scratch = self.scratch.borrow_mut();
        if scratch.is_empty() {
            *scratch = vec![0; SCRATCH].into_boxed_slice();
        }
        work(&mut scratch)
    }

    /// Gives back what a burst has left: an eighth of each goes with every sweep.
    pub(crate) fn sweep(&self) {
        fn thin<T>(spare: &mut Vec<T>) {
            let gone = spare.len().div_ceil(8);
            spare.truncate(spare.len() - gone);
        }
        thin(&mut self.reads.borrow_mut());
        thin(&mut self.heads.borrow_mut());
    }
}
