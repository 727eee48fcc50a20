//! The loop itself: waits for files, pods and time, lets [`Core`] draw the conclusions, shows them.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::core::Core;
use super::manifests;
use super::pods::herd::Mouth;
use super::pods::life::Line;
use super::screen::Screen;
use super::watch::{Watch, until};
use crate::meter::Meter;

/// Where the picture is printed anew each time, it waits until things are quiet for so long.
const QUIET: Duration = Duration::from_millis(200);
/// But no longer than this after it changed.
const LATEST: Duration = Duration::from_secs(2);
/// So many lines of pods are written at once.
const AT_ONCE: usize = 512;

/// Where the manifests are.
pub enum Source {
    /// Standard input, read once.
    Input,
    /// Files and folders, watched.
    Paths(Watch),
}

impl Source {
    /// `-` alone is standard input.
    ///
    /// # Errors
    /// A sentence where a path is not there or cannot be watched.
    pub fn new(paths: Vec<PathBuf>) -> Result<Self, String> {
        if paths.iter().any(|path| path.as_os_str() == "-") {
            return match paths.len() {
                1 => Ok(Self::Input),
                _ => Err("standard input (`-`) stands alone, without other paths".to_owned()),
            };
        }
        Watch::new(paths).map(Self::Paths)
    }

    /// Hands on what differs; tells since when.
    fn look(&mut self, core: &mut Core) -> Option<Instant> {
        match self {
            Self::Input => {
                let input = [PathBuf::from("-")];
                core.read("-", manifests::read(&input));
                None
            }
            Self::Paths(watch) => {
                let look = watch.look();
                for source in look.gone {
                    core.forget(&source);
                }
                for (source, reading) in look.read {
                    core.read(&source, reading);
                }
                look.since
            }
        }
    }

    async fn changed(&self) {
        match self {
            Self::Input => std::future::pending().await,
            Self::Paths(watch) => watch.changed().await,
        }
    }
}

/// The stages of the end.
#[derive(Debug, Clone, Default)]
pub struct Ends {
    /// Requests in flight are waited for.
    pub leaving: CancellationToken,
    /// Nobody needs the pods any more.
    pub stop: CancellationToken,
    /// Nor waits for them to end by themselves.
    pub impatient: CancellationToken,
}

/// Runs until `ends.stop`; the pods live on then, in what is returned. `unready` is dropped with the first table.
pub async fn run<U>(
    unready: U,
    mut core: Core,
    mut mouth: Mouth,
    mut source: Source,
    mut screen: Screen,
    meter: &Meter,
    ends: &Ends,
) -> (Core, Mouth, Screen) {
    let mut since = source.look(&mut core);
    let (mut shown, mut unready, mut told) = (Shown::default(), Some(unready), false);
    loop {
        let before = core.generation();
        let again = core.settle(Timestamp::now(), Instant::now());
        if let Some(since) = since.take().filter(|_| core.generation() != before) {
            meter.propagated(since.elapsed());
        }
        drop(unready.take());
        if screen.is_live() {
            screen.show(core.picture());
        } else {
            shown.changed();
        }
        // Lines and quiet hours change nothing: they are dealt with until something does.
        loop {
            tokio::select! {
                biased;
                () = ends.stop.cancelled() => return (core, mouth, screen),
                () = ends.leaving.cancelled(), if !told => {
                    told = true;
                    let text = "ending when requests in flight have ended; Ctrl-C again ends at once".to_owned();
                    screen.lines(&[Line { label: "synkronic".into(), text }]);
                }
                Some((id, phase)) = mouth.reports.recv() => {
                    since = Some(Instant::now());
                    core.hear(id, phase);
                    while let Ok((id, phase)) = mouth.reports.try_recv() {
                        core.hear(id, phase);
                    }
                    break;
                }
                () = source.changed() => {
                    since = source.look(&mut core);
                    break;
                }
                () = until(again) => break,
                () = until(shown.due) => {
                    shown = Shown::default();
                    screen.show(core.picture());
                }
                Some(line) = mouth.lines.recv() => {
                    let mut lines = vec![line];
                    while let (true, Ok(line)) = (lines.len() < AT_ONCE, mouth.lines.try_recv()) {
                        lines.push(line);
                    }
                    screen.lines(&lines);
                }
            }
        }
    }
}

/// When a printed picture is due.
#[derive(Default)]
struct Shown {
    due: Option<Instant>,
    latest: Option<Instant>,
}

impl Shown {
    fn changed(&mut self) {
        let now = Instant::now();
        let latest = *self.latest.get_or_insert(now + LATEST);
        self.due = Some((now + QUIET).min(latest));
    }
}
