//! A picture as text: its lines, and what differs between two. Pure.
//!
//! On a terminal it is redrawn in place, so no line may wrap and the window may not scroll. Rows of the table are
//! cut for that; what is said above and below it is folded instead, since the way out stands at its end.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::super::picture::{Group, Light, Picture, Row};

/// Rows of the table that stay, where the window has no room for them and for what is said below.
const LEAST_ROWS: usize = 5;

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

/// The lines of a picture.
#[must_use]
pub fn lines(heading: &str, picture: &Picture, style: Style) -> Vec<String> {
    let above = folded(heading, "  ", style.width);
    let table = table(picture, style);
    let below: Vec<String> =
        below(picture).iter().flat_map(|line| folded(line, "    ", style.width)).collect();
    if style.height == 0 {
        return [above, table, below].concat();
    }
    // A line before it and the cursor's own behind it.
    let room = style.height.saturating_sub(2).max(1);
    let for_table = room.saturating_sub(above.len() + below.len()).max(LEAST_ROWS);
    shortened([above, shortened(table, for_table, style), below].concat(), room, style)
}

fn table(picture: &Picture, style: Style) -> Vec<String> {
    let rows = || picture.groups.iter().flat_map(|group| &group.rows);
    let widest = |of: fn(&Row) -> &str, least: usize| {
        rows().map(|row| of(row).chars().count()).max().unwrap_or(0).max(least)
    };
    let bases = picture.groups.iter().map(|group| group.base.chars().count()).max().unwrap_or(0);
    let widths =
        [widest(|row| &row.version, bases), widest(|row| &row.status, 6), widest(|row| &row.link, 4)];
    let mut lines = Vec::new();
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
    if style.width > 0 {
        lines.iter_mut().for_each(|line| cut_line(line, style.width));
    }
    lines
}

/// What is said below the table.
fn below(picture: &Picture) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(missing) = &picture.missing {
        lines.extend([String::new(), format!("  {missing}")]);
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
    lines
}

/// A note: what is wrong in the first line, an object to write down in those below it.
fn noted(note: &str) -> impl Iterator<Item = String> {
    let text = note.lines().enumerate();
    text.map(|(at, line)| format!("  {} {}", if at == 0 { '!' } else { ' ' }, printable(line)))
}

/// What differs between two pictures, a line each: `+` is new, `~` has changed, `-` is gone.
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
pub(super) fn tame(text: &str) -> String {
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

/// So many of the lines, and how many more there are.
fn shortened(mut lines: Vec<String>, room: usize, style: Style) -> Vec<String> {
    if lines.len() > room {
        let hidden = lines.len() + 1 - room;
        lines.truncate(room.saturating_sub(1));
        let mut more = format!("  … {hidden} more lines; make the window taller to see them");
        if style.width > 0 {
            cut_line(&mut more, style.width);
        }
        lines.push(more);
    }
    lines
}

/// A line in pieces of at most `width`, those after the first behind `indent`; 0 is wide enough for any.
fn folded(line: &str, indent: &str, width: usize) -> Vec<String> {
    let mut rest: Vec<char> = line.chars().collect();
    let indent = if indent.len() * 2 < width { indent } else { "" };
    let mut pieces = Vec::new();
    while width > 0 && rest.len() > width {
        // Between words, unless that leaves next to nothing.
        let space = rest.iter().take(width + 1).rposition(|c| *c == ' ').filter(|at| *at > width / 2);
        let behind = rest.split_off(space.unwrap_or(width));
        pieces.push(rest.into_iter().collect());
        rest = indent.chars().chain(behind.into_iter().skip_while(|c| *c == ' ')).collect();
    }
    pieces.push(rest.into_iter().collect());
    pieces
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

#[cfg(test)]
#[path = "page_tests.rs"]
mod tests;
