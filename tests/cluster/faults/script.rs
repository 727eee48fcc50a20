//! Which calls of a controller go wrong, and how: by a seed. It decides; [`super::spoiled`] does.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

use super::Dice;

/// What goes wrong with one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It never arrives.
    Before,
    /// It is made, and the answer is lost.
    Lost,
    /// It is not made, and this is answered.
    Code(u16),
    /// It is made, and this is answered all the same.
    MadeBut(u16),
    /// The process ends before it.
    KilledBefore,
    /// The process ends after it.
    KilledAfter,
    /// Somebody else takes the Lease.
    Deposed,
    /// It is made, and no answer ever comes.
    Silent,
}

/// What becomes of the next piece of an answer that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece {
    /// It comes so much later.
    Late(Duration),
    /// It never comes: the connection breaks.
    Broken,
}

/// By a seed: which of a controller's calls go wrong, and how late its watches are.
pub struct Script {
    /// Faults in a hundred calls; none in a calm run.
    harm: u64,
    writes: Mutex<Dice>,
    leases: Mutex<Dice>,
    reads: Mutex<Dice>,
    late: u64,
    good: AtomicBool,
    silent: AtomicBool,
    deposed: AtomicBool,
    written: AtomicU64,
    last: Mutex<VecDeque<String>>,
    /// The process is to be ended.
    pub killed: Notify,
}

impl Script {
    pub fn new(seed: Option<u64>) -> Self {
        let mut dice = Dice(seed.unwrap_or(0));
        let harm = seed.map_or(0, |_| 5 + dice.below(45));
        let late = seed.map_or(0, |_| [0, 20, 150, 600][usize::try_from(dice.below(4)).unwrap()]);
        // Each its own: how often a Lease is renewed must not decide what becomes of the writes.
        let [leases, reads] = [1, 2].map(|salt| Mutex::new(Dice(seed.unwrap_or(0) ^ (salt << 32))));
        Self {
            harm,
            // A write whose answer never comes costs twelve seconds: one run in sixteen has one.
            silent: AtomicBool::new(seed.is_some_and(|seed| seed % 16 == 7)),
            writes: Mutex::new(dice),
            leases,
            reads,
            late,
            good: AtomicBool::new(seed.is_none()),
            deposed: AtomicBool::new(false),
            written: AtomicU64::new(0),
            last: Mutex::default(),
            killed: Notify::new(),
        }
    }

    /// From now on all goes well.
    pub fn be_good(&self) {
        self.good.store(true, Ordering::Relaxed);
    }

    /// The Lease is to be taken away.
    pub fn depose(&self) {
        self.deposed.store(true, Ordering::Relaxed);
    }

    pub fn was_deposed(&self) -> bool {
        self.deposed.swap(false, Ordering::Relaxed)
    }

    /// How many writes reached the client, Leases apart.
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    pub fn last(&self) -> Vec<String> {
        self.last.lock().unwrap().iter().cloned().collect()
    }

    /// What goes wrong with a write.
    pub fn of_write(&self, what: String) -> Option<Fault> {
        self.written.fetch_add(1, Ordering::Relaxed);
        let mut last = self.last.lock().unwrap();
        last.push_back(what);
        if last.len() > 12 {
            last.pop_front();
        }
        let kind = self.strikes(&self.writes, self.harm, 10)?;
        if self.silent.swap(false, Ordering::Relaxed) {
            return Some(Fault::Silent);
        }
        Some(match kind {
            0 => Fault::Before,
            1 | 2 => Fault::Lost,
            3 => Fault::Code(409),
            4 => Fault::Code(429),
            5 => Fault::Code(500),
            6 => Fault::MadeBut(500),
            7 => Fault::KilledBefore,
            8 => Fault::KilledAfter,
            _ => Fault::Deposed,
        })
    }

    /// What goes wrong with a write of the Lease. Two in a row, and this controller leads no longer.
    pub fn of_lease(&self) -> Option<Fault> {
        Some(match self.strikes(&self.leases, self.harm, 8)? {
            0 => Fault::Before,
            1 | 2 => Fault::Lost,
            3 => Fault::Code(409),
            4 => Fault::Code(500),
            5 => Fault::MadeBut(500),
            6 => Fault::KilledAfter,
            _ => Fault::Silent,
        })
    }

    /// What goes wrong with a list, a watch, or a look at one object.
    pub fn of_read(&self) -> Option<Fault> {
        Some(match self.strikes(&self.reads, self.harm, 20)? {
            0..=4 => Fault::Before,
            5..=9 => Fault::Code(500),
            10..=13 => Fault::Code(410),
            14 | 15 => Fault::Code(429),
            16 | 17 => Fault::Code(504),
            18 => Fault::KilledAfter,
            // A right that is missing for a moment: it is asked for again after seconds only.
            _ => Fault::Code(403),
        })
    }

    /// What becomes of the next piece of what is read.
    pub fn of_piece(&self) -> Piece {
        if self.strikes(&self.reads, self.harm / 8, 1).is_some() {
            return Piece::Broken;
        }
        let late = if self.good.load(Ordering::Relaxed) || self.late == 0 {
            0
        } else {
            self.reads.lock().unwrap().below(self.late)
        };
        Piece::Late(Duration::from_millis(late))
    }

    /// Whether something goes wrong, by so many in a hundred, and which of so many things.
    fn strikes(&self, dice: &Mutex<Dice>, harm: u64, kinds: u64) -> Option<u64> {
        if self.good.load(Ordering::Relaxed) {
            return None;
        }
        let mut dice = dice.lock().unwrap();
        (dice.below(100) < harm).then(|| dice.below(kinds))
    }

    pub async fn die(&self) -> ! {
        self.killed.notify_one();
        std::future::pending().await
    }
}
