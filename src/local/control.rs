//! The loop itself: waits for files, pods and time, and lets [`Core`] draw the conclusions. What there is to show
//! is shown meanwhile; nobody waits for that.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::core::Core;
use super::manifests::{self, Reading};
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
    Input(Input),
    /// Files and folders, watched.
    Paths(Watch),
}

/// Standard input, which may be open for long before it ends: a thread of its own waits for that.
pub struct Input {
    coming: mpsc::Receiver<Reading>,
    read: Option<Reading>,
}

impl Input {
    fn new() -> Result<Self, String> {
        let (sender, coming) = mpsc::channel(1);
        let read = move || {
            // Nobody waits for it any more.
            let _ = sender.blocking_send(manifests::read(&[PathBuf::from("-")]));
        };
        let thread = std::thread::Builder::new().name("standard input".into()).spawn(read);
        thread.map_err(|error| format!("standard input cannot be read: {error}"))?;
        Ok(Self { coming, read: None })
    }

    async fn changed(&mut self) {
        if self.read.is_none() {
            self.read = self.coming.recv().await;
        }
        if self.read.is_none() {
            std::future::pending().await
        }
    }
}

impl Source {
    /// `-` alone is standard input.
    ///
    /// # Errors
    /// A sentence where a path is not there or cannot be watched.
    pub fn new(paths: Vec<PathBuf>) -> Result<Self, String> {
        if paths.iter().any(|path| path.as_os_str() == "-") {
            return match paths.len() {
                1 => Input::new().map(Self::Input),
                _ => Err("standard input (`-`) stands alone, without other paths".to_owned()),
            };
        }
        Watch::new(paths).map(Self::Paths)
    }

    /// Hands on what differs; tells since when.
    fn look(&mut self, core: &mut Core) -> Option<Instant> {
        match self {
            Self::Input(input) => {
                input.read.take().into_iter().for_each(|reading| core.read("-", reading));
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

    /// Waits until there is something to look at; at first there is. May be dropped and called again.
    async fn changed(&mut self) {
        match self {
            Self::Input(input) => input.changed().await,
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
    screen: Screen,
    meter: &Meter,
    ends: &Ends,
) -> (Core, Mouth, Screen) {
    let (mut unready, mut view, mut again) = (Some(unready), View::new(screen), None);
    loop {
        let since = tokio::select! {
            biased;
            () = ends.stop.cancelled() => return (core, mouth, view.screen),
            Some((id, phase)) = mouth.reports.recv() => {
                let since = Instant::now();
                core.hear(id, phase);
                while let Ok((id, phase)) = mouth.reports.try_recv() {
                    core.hear(id, phase);
                }
                Some(since)
            }
            () = source.changed() => source.look(&mut core),
            () = until(again) => None,
            () = view.step(&core, &mut mouth.lines, &ends.leaving) => continue,
        };
        let before = core.generation();
        again = core.settle(Timestamp::now(), Instant::now());
        if let Some(since) = since.filter(|_| core.generation() != before) {
            meter.propagated(since.elapsed());
        }
        drop(unready.take());
        view.changed();
    }
}

/// Ends the pods, and shows what they say until then.
pub async fn end(core: Core, mouth: Mouth, screen: Screen, impatient: CancellationToken) {
    let (mut reports, mut lines, mut view) = (mouth.reports, mouth.lines, View::new(screen));
    let ended = core.into_herd().end(&mut reports, impatient);
    let shown = async {
        loop {
            view.say(&mut lines).await;
        }
    };
    tokio::select! {
        () = ended => {}
        () = shown => {}
    }
    while !lines.is_empty() && tokio::time::timeout(QUIET, view.say(&mut lines)).await.is_ok() {}
}

/// What is to be shown, and when.
struct View {
    screen: Screen,
    /// When the picture is due.
    due: Option<Instant>,
    /// And by when at the latest, however often it changes.
    latest: Option<Instant>,
    /// Whether it was said that the end has begun.
    has_taken_leave: bool,
}

impl View {
    fn new(screen: Screen) -> Self {
        Self { screen, due: None, latest: None, has_taken_leave: false }
    }

    /// The picture may be another now.
    fn changed(&mut self) {
        let now = Instant::now();
        let latest = *self.latest.get_or_insert(now + LATEST);
        let pause = if self.screen.is_live() { Duration::ZERO } else { QUIET };
        self.due = Some((now + pause).min(latest));
    }

    /// Shows one thing, once there is one and room for it. May be dropped and called again.
    async fn step(&mut self, core: &Core, lines: &mut mpsc::Receiver<Line>, leaving: &CancellationToken) {
        let (due, has_taken_leave) = (self.due, self.has_taken_leave);
        let picture = async {
            until(due).await;
            self.screen.room_for_picture().await;
        };
        let leave = async {
            leaving.cancelled().await;
            self.screen.room_for_lines().await;
        };
        tokio::select! {
            biased;
            () = leave, if !has_taken_leave => {
                self.has_taken_leave = true;
                let text = "ending when requests in flight have ended; Ctrl-C again ends at once".to_owned();
                self.screen.lines(&[Line { label: "synkronic".into(), text }]);
            }
            () = picture => {
                (self.due, self.latest) = (None, None);
                self.screen.show(core.picture());
            }
            first = next_line(&self.screen, lines) => self.show_lines(first, lines),
        }
    }

    /// Shows what pods say, once they do and there is room for it. May be dropped and called again.
    async fn say(&mut self, lines: &mut mpsc::Receiver<Line>) {
        let first = next_line(&self.screen, lines).await;
        self.show_lines(first, lines);
    }

    fn show_lines(&mut self, first: Line, lines: &mut mpsc::Receiver<Line>) {
        let mut all = vec![first];
        while let (true, Ok(line)) = (all.len() < AT_ONCE, lines.try_recv()) {
            all.push(line);
        }
        self.screen.lines(&all);
    }
}

/// The next line, once there is room for it; who writes faster than it is shown waits.
async fn next_line(screen: &Screen, lines: &mut mpsc::Receiver<Line>) -> Line {
    screen.room_for_lines().await;
    match lines.recv().await {
        Some(line) => line,
        // Nobody is left who could say something.
        None => std::future::pending().await,
    }
}
