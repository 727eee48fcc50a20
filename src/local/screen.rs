//! Writes the picture and the pods' lines: on a terminal the picture stays below the lines and is redrawn;
//! elsewhere, and where others write to the same terminal, it is printed once, and after that a line for each thing
//! that changed.

mod page;
mod writer;

use std::fmt::Write as _;
use std::io::IsTerminal;

use page::{Style, changes, lines, tame};
use writer::Writer;

use super::picture::Picture;
use super::pods::life::Line;

/// Where it is written to.
pub struct Screen {
    /// The picture is redrawn where it stands.
    redraws: bool,
    colours: bool,
    heading: String,
    picture: Picture,
    /// The lines of the picture that stand on the terminal.
    standing: usize,
    printed: Option<Picture>,
    out: Writer,
    err: Writer,
}

impl Screen {
    /// Standard output: a terminal or not. `is_alone`: nobody else writes there, so that what stands on a terminal
    /// can be redrawn.
    #[must_use]
    pub fn new(heading: String, is_alone: bool) -> Self {
        let terminal = std::io::stdout().is_terminal() && std::io::stderr().is_terminal();
        Self {
            redraws: terminal && is_alone,
            colours: terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
            heading,
            picture: Picture::default(),
            standing: 0,
            printed: None,
            out: Writer::new(std::io::stdout()),
            err: Writer::new(std::io::stderr()),
        }
    }

    /// Whether a change is to be shown at once; where each is a line more, it may wait for the next.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.redraws
    }

    /// Waits until a picture can be shown. May be dropped and called again.
    pub async fn room_for_picture(&self) {
        self.out.room().await;
    }

    /// Waits until lines can be shown. May be dropped and called again.
    pub async fn room_for_lines(&self) {
        if self.redraws { self.out.room().await } else { self.err.room().await }
    }

    /// Shows the picture where it differs from what is shown. There must be [`Screen::room_for_picture`].
    pub fn show(&mut self, picture: Picture) {
        if self.printed.as_ref() == Some(&picture) {
            return;
        }
        self.picture = picture;
        let mut out = self.erased();
        match &self.printed {
            Some(before) if !self.redraws => {
                for line in changes(before, &self.picture) {
                    out.push_str(&line);
                    out.push('\n');
                }
            }
            Some(_) | None => self.draw(&mut out),
        }
        self.out.write(out);
        self.printed = Some(self.picture.clone());
    }

    /// Lines of pods, above the picture. There must be [`Screen::room_for_lines`].
    pub fn lines(&mut self, lines: &[Line]) {
        let mut out = self.erased();
        for Line { label, text } in lines {
            let text = tame(text);
            if self.colours {
                let hue = 31 + label.bytes().map(u32::from).sum::<u32>() % 6;
                let _ = writeln!(out, "\x1b[{hue}m{label} |\x1b[0m {text}\x1b[0m");
            } else {
                let _ = writeln!(out, "{label} | {text}");
            }
        }
        if self.redraws {
            self.draw(&mut out);
            self.out.write(out);
        } else {
            self.err.write(out);
        }
    }

    /// What takes the picture off the terminal.
    fn erased(&mut self) -> String {
        let standing = std::mem::take(&mut self.standing);
        if standing == 0 { String::new() } else { format!("\x1b[{standing}A\r\x1b[J") }
    }

    fn draw(&mut self, out: &mut String) {
        let (width, height) = if self.redraws { window() } else { (0, 0) };
        let style = Style { colours: self.colours, width, height };
        let lines = lines(&self.heading, &self.picture, style);
        self.standing = if self.redraws { lines.len() + 1 } else { 0 };
        out.push('\n');
        for line in lines {
            out.push_str(&line);
            out.push('\n');
        }
    }
}

/// Columns and rows of the terminal.
fn window() -> (usize, usize) {
    rustix::termios::tcgetwinsize(std::io::stdout())
        .map_or((0, 0), |size| (usize::from(size.ws_col), usize::from(size.ws_row)))
}
