//! Writes the picture and the pods' lines: on a terminal the picture stays below the lines and is redrawn;
//! elsewhere it is printed again only when it changed.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write};

use super::picture::{Light, Picture, Row};

/// How a picture is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// With colours.
    pub colours: bool,
    /// Columns there are; 0: as many as needed.
    pub width: usize,
    /// Lines there are; 0: as many as needed.
    pub height: usize,
}

/// The lines of a picture. Pure.
#[must_use]
pub fn lines(heading: &str, picture: &Picture, style: Style) -> Vec<String> {
    let mut lines = vec![heading.to_owned()];
    let rows = || picture.groups.iter().flat_map(|group| &group.rows);
    let widest = |of: fn(&Row) -> &str, least: usize| {
        rows().map(|row| of(row).chars().count()).max().unwrap_or(0).max(least)
    };
    let bases = picture.groups.iter().map(|group| group.base.chars().count()).max().unwrap_or(0);
    let widths =
        [widest(|row| &row.version, bases), widest(|row| &row.status, 6), widest(|row| &row.link, 4)];
    for group in &picture.groups {
        lines.push(String::new());
        let head = columns([&group.base, "STATUS", "LINK"], widths, "WHO GETS IT");
        lines.push(if style.colours { format!("\x1b[1m{head}\x1b[0m") } else { head });
        for row in &group.rows {
            let mut line = columns([&row.version, &row.status, &row.link], widths, &row.who);
            if style.colours {
                line = coloured(&line, row, widths[0] + 4);
            }
            lines.push(line);
        }
    }
    if picture.groups.is_empty() {
        lines.extend([
            String::new(),
            "  no version of anything yet: add a Deployment, and a DeploymentVersion of it".into(),
        ]);
    }
    if let Some(by_path) = &picture.by_path {
        lines.extend([
            String::new(),
            format!("  where *.localhost leads nowhere (Safari, some curl): {by_path}"),
        ]);
    }
    if !picture.notes.is_empty() {
        lines.push(String::new());
        lines.extend(picture.notes.iter().map(|note| format!("  ! {}", printable(note))));
    }
    cut(lines, style)
}

fn columns(cells: [&str; 3], widths: [usize; 3], last: &str) -> String {
    let mut line = String::from("  ");
    for (cell, width) in cells.into_iter().zip(widths) {
        let _ = write!(line, "{cell:width$}  ");
    }
    line.push_str(last);
    line
}

/// The status in its colour.
fn coloured(line: &str, row: &Row, at: usize) -> String {
    let code = match row.light {
        Light::Green => 32,
        Light::Yellow => 33,
        Light::Red => 31,
    };
    let start = line.char_indices().nth(at).map_or(line.len(), |(at, _)| at);
    let (before, rest) = line.split_at_checked(start).unwrap_or((line, ""));
    let behind = rest.strip_prefix(row.status.as_str()).unwrap_or(rest);
    format!("{before}\x1b[{code}m{}\x1b[0m{behind}", row.status)
}

/// Text of manifests and processes may hold anything; a terminal would obey it.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Cuts to what a terminal shows without wrapping or scrolling, or the redrawing would lose its place.
fn cut(mut lines: Vec<String>, style: Style) -> Vec<String> {
    if style.height > 0 && lines.len() >= style.height {
        let hidden = lines.len() + 2 - style.height;
        lines.truncate(style.height.saturating_sub(2));
        lines.push(format!("  … {hidden} more lines; make the window taller to see them"));
    }
    if style.width > 0 {
        for line in &mut lines {
            cut_line(line, style.width);
        }
    }
    lines
}

fn cut_line(line: &mut String, width: usize) {
    let (mut shown, mut in_code, mut end) = (0, false, None);
    for (at, c) in line.char_indices() {
        match (in_code, c) {
            (_, '\x1b') => in_code = true,
            (true, 'm') => in_code = false,
            (true, _) => {}
            (false, _) => shown += 1,
        }
        if shown == width && end.is_none() {
            end = Some(at);
        }
    }
    if let Some(end) = end.filter(|_| shown > width) {
        let has_codes = line.contains('\x1b');
        line.truncate(end);
        line.push('…');
        if has_codes {
            line.push_str("\x1b[0m");
        }
    }
}

/// Where it is written to.
pub struct Screen {
    terminal: bool,
    colours: bool,
    heading: String,
    picture: Picture,
    /// The lines of the picture that stand on the terminal.
    standing: usize,
    printed: Option<Picture>,
}

impl Screen {
    /// Standard output: a terminal or not.
    #[must_use]
    pub fn new(heading: String) -> Self {
        let terminal = std::io::stdout().is_terminal() && std::io::stderr().is_terminal();
        let colours = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let picture = Picture::default();
        Self { terminal, colours, heading, picture, standing: 0, printed: None }
    }

    /// Whether a change is to be shown at once; where it is printed once more each time, it may wait for the
    /// next.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.terminal
    }

    /// Shows the picture where it differs from what is shown.
    pub fn show(&mut self, picture: Picture) {
        if self.printed.as_ref() == Some(&picture) {
            return;
        }
        self.picture = picture;
        let mut out = self.erased();
        self.draw(&mut out);
        self.write(&out);
        self.printed = Some(self.picture.clone());
    }

    /// One line of a pod, above the picture.
    pub fn line(&mut self, label: &str, text: &str) {
        let text = text.replace(|c: char| c.is_control() && c != '\t' && c != '\x1b', "");
        if !self.terminal {
            // Nobody may be listening any more; then there is nobody to tell.
            let _ = writeln!(std::io::stderr(), "{label} | {text}");
            return;
        }
        let label = match self.colours {
            true => format!("\x1b[{}m{label} |\x1b[0m", 31 + label.bytes().map(u32::from).sum::<u32>() % 6),
            false => format!("{label} |"),
        };
        let mut out = self.erased();
        let _ = write!(out, "{label} {text}\x1b[0m\r\n");
        self.draw(&mut out);
        self.write(&out);
    }

    /// What takes the picture off the terminal.
    fn erased(&mut self) -> String {
        let standing = std::mem::take(&mut self.standing);
        if standing == 0 { String::new() } else { format!("\x1b[{standing}A\r\x1b[J") }
    }

    fn draw(&mut self, out: &mut String) {
        let (width, height) = if self.terminal { window() } else { (0, 0) };
        let style = Style { colours: self.colours, width, height };
        let lines = lines(&self.heading, &self.picture, style);
        self.standing = if self.terminal { lines.len() + 1 } else { 0 };
        out.push('\n');
        for line in lines {
            out.push_str(&line);
            out.push('\n');
        }
    }

    fn write(&self, text: &str) {
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(text.as_bytes());
        let _ = out.flush();
    }
}

/// Columns and rows of the terminal.
fn window() -> (usize, usize) {
    rustix::termios::tcgetwinsize(std::io::stdout())
        .map_or((0, 0), |size| (usize::from(size.ws_col), usize::from(size.ws_row)))
}

#[cfg(test)]
#[path = "screen_tests.rs"]
mod tests;
