//! Writes the picture and the pods' lines: on a terminal the picture stays below the lines and is redrawn;
//! elsewhere it is printed once, and after that a line for each thing that changed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{IsTerminal, Write};

use super::picture::{Group, Light, Picture, Row};
use super::pods::life::Line;

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
        lines.extend(picture.notes.iter().flat_map(|note| noted(note)));
    }
    cut(lines, style)
}

/// A note: what is wrong in the first line, an object to write down in those below it.
fn noted(note: &str) -> impl Iterator<Item = String> {
    let text = note.lines().enumerate();
    text.map(|(at, line)| format!("  {} {}", if at == 0 { '!' } else { ' ' }, printable(line)))
}

/// What differs between two pictures, a line each: `+` is new, `~` has changed, `-` is gone. Pure.
#[must_use]
pub fn changes(before: &Picture, now: &Picture) -> Vec<String> {
    let mut lines = Vec::new();
    let of = |picture: &Picture| -> BTreeMap<(String, String), Row> {
        let rows = |group: &Group| {
            group
                .rows
                .iter()
                .map(|row| ((group.base.clone(), row.version.clone()), row.clone()))
                .collect::<Vec<_>>()
        };
        picture.groups.iter().flat_map(rows).collect()
    };
    let (old, new) = (of(before), of(now));
    for group in &now.groups {
        for row in &group.rows {
            let known = old.get(&(group.base.clone(), row.version.clone()));
            if known != Some(row) {
                let sign = if known.is_some() { '~' } else { '+' };
                let name = format!("{} {}", group.base, row.version);
                lines.push(format!("{sign} {name}  {}  {}  {}", row.status, row.link, row.who));
            }
        }
    }
    let gone = old.keys().filter(|id| !new.contains_key(*id));
    lines.extend(gone.map(|(base, version)| format!("- {base} {version}")));
    let fresh = now.notes.iter().filter(|note| !before.notes.contains(note));
    lines.extend(fresh.flat_map(|note| noted(note).collect::<Vec<_>>()));
    let solved = before.notes.iter().filter(|note| !now.notes.contains(note));
    lines.extend(solved.filter_map(|note| Some(format!("- ! {}", printable(note.lines().next()?)))));
    lines
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

/// A line of a process without what would move the cursor or clear the screen; its colours stay
/// (ECMA-48 5.4: a control sequence is `ESC [`, parameters, one final byte; `m` ends one that is a colour).
fn tame(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\x1b') {
        out.extend(before.chars().filter(|c| !c.is_control() || *c == '\t'));
        let end = match after.as_bytes().first() {
            Some(b'[') => after.find(|c: char| ('\x40'..='\x7e').contains(&c) && c != '[').map(|end| end + 1),
            // A title and the like, up to BEL or ESC \\.
            Some(b']') => after.find(['\x07', '\x1b']).map(|end| end + 1),
            Some(_) => after.char_indices().nth(1).map(|(end, _)| end).or(Some(after.len())),
            None => None,
        };
        let (sequence, behind) = end.and_then(|end| after.split_at_checked(end)).unwrap_or((after, ""));
        if sequence.starts_with('[') && sequence.ends_with('m') {
            out.push('\x1b');
            out.push_str(sequence);
        }
        rest = behind;
    }
    out.extend(rest.chars().filter(|c| !c.is_control() || *c == '\t'));
    out
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

    /// Whether a change is to be shown at once; where each is a line more, it may wait for the next.
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
        match &self.printed {
            Some(before) if !self.terminal => {
                for line in changes(before, &self.picture) {
                    out.push_str(&line);
                    out.push('\n');
                }
            }
            Some(_) | None => self.draw(&mut out),
        }
        self.write(&out);
        self.printed = Some(self.picture.clone());
    }

    /// Lines of pods, above the picture.
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
        if self.terminal {
            self.draw(&mut out);
            self.write(&out);
        } else {
            // Nobody may be listening any more; then there is nobody to tell.
            let _ = std::io::stderr().lock().write_all(out.as_bytes());
        }
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
