//! The documents of one text, from the parser's events: values and lines side by side.
//!
//! A document with a fault is dropped whole; the next one is read as if nothing had been.

use std::collections::{BTreeMap, HashMap};

use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, ScanError, Span, StrInput, Tag};
use serde_json::{Map, Value};

use super::lines::Lines;
use super::scalar::{self, Meaning};
use super::{DOCUMENT_LIMIT, FILE_LIMIT};

/// Nesting that no Kubernetes object comes near; it bounds the recursion below.
const DEPTH_LIMIT: usize = 128;

/// The most faults of one text: each costs a look over all of it.
const FAULT_LIMIT: usize = 100;

/// What a text holds.
#[derive(Default)]
pub(super) struct Stream {
    /// The documents that can be read and are not empty.
    pub documents: Vec<(Value, Lines)>,
    /// The line and reason of each that cannot.
    pub faults: Vec<(u32, String)>,
    /// Scalars that kubectl reads otherwise.
    pub doubts: Vec<(u32, String)>,
}

/// A line and a sentence.
type Fault = (u32, String);

/// Reads every document of `text`.
pub(super) fn stream(text: &str) -> Stream {
    let options = granit_parser::options! { emit_comments: false };
    let parser = Parser::new_from_str_with_options(text, options);
    let mut reader = Reader { parser, text, anchors: HashMap::new(), anchored: 0, doubts: Vec::new() };
    let mut stream = Stream::default();
    loop {
        match reader.next_document() {
            Ok(Some(document)) => {
                stream.doubts.append(&mut reader.doubts);
                if document.0 != Value::Null {
                    stream.documents.push(document);
                }
            }
            Ok(None) => return stream,
            Err(fault) => {
                reader.doubts.clear();
                let line = fault.0;
                stream.faults.push(fault);
                if stream.faults.len() == FAULT_LIMIT {
                    stream.faults.push((line, "so much is wrong here that the rest is not read".to_owned()));
                    return stream;
                }
                if !matches!(reader.parser.proceed_next_document(), Ok(true)) {
                    return stream;
                }
            }
        }
    }
}

/// A node with what its aliases cost: depth, and size, which is never above that of its own text.
#[derive(Clone)]
struct Node {
    value: Value,
    lines: Lines,
    size: usize,
    depth: usize,
}

struct Reader<'text> {
    parser: Parser<'text, StrInput<'text>>,
    text: &'text str,
    /// Finished nodes that bear an anchor, by its number.
    anchors: HashMap<usize, Node>,
    /// The size of all of them.
    anchored: usize,
    doubts: Vec<Fault>,
}

impl<'text> Reader<'text> {
    fn next(&mut self) -> Result<Option<(Event<'text>, Span)>, Fault> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(Some(event)),
            Some(Err(error)) => Err(self.describe(&error)),
            None => Ok(None),
        }
    }

    /// The next document; `None` at the end of the text.
    fn next_document(&mut self) -> Result<Option<(Value, Lines)>, Fault> {
        self.anchors.clear();
        self.anchored = 0;
        let mut begin = 0;
        let mut root = None;
        while let Some((event, span)) = self.next()? {
            match event {
                Event::DocumentStart(..) => begin = span.start.byte_offset().unwrap_or(0),
                Event::DocumentEnd => {
                    let size = span.start.byte_offset().unwrap_or(FILE_LIMIT).saturating_sub(begin);
                    let node: Node = root.unwrap_or_else(|| leaf(Value::Null, line(&span)));
                    return match size.max(node.size) > DOCUMENT_LIMIT {
                        true => Err(too_large(node.lines.line())),
                        false => Ok(Some((node.value, node.lines))),
                    };
                }
                Event::StreamStart | Event::Comment(..) | Event::Anchor(..) => {}
                Event::StreamEnd => return Ok(None),
                other => root = Some(self.node(other, &span, 0)?),
            }
        }
        Ok(None)
    }

    fn node(&mut self, event: Event<'text>, span: &Span, depth: usize) -> Result<Node, Fault> {
        let at = line(span);
        if depth > DEPTH_LIMIT {
            return Err((at, format!("this is nested deeper than {DEPTH_LIMIT} levels")));
        }
        let (anchor, node) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                (anchor, self.scalar(&text, style, tag.as_deref(), at)?)
            }
            Event::SequenceStart(_, anchor, tag) => {
                allow_tag(tag.as_deref(), "seq", at)?;
                (anchor, self.sequence(at, depth)?)
            }
            Event::MappingStart(_, anchor, tag) => {
                allow_tag(tag.as_deref(), "map", at)?;
                (anchor, self.mapping(at, depth)?)
            }
            Event::Alias(anchor) => (0, self.alias(anchor, at, depth)?),
            other => return Err((at, format!("this is no YAML value ({other:?})"))),
        };
        if anchor != 0 {
            // Kept besides, so anchors within anchors cost memory each time.
            self.anchored = self.anchored.saturating_add(node.size);
            if self.anchored > 2 * DOCUMENT_LIMIT {
                return Err(too_large(at));
            }
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn alias(&self, anchor: usize, at: u32, depth: usize) -> Result<Node, Fault> {
        let Some(node) = self.anchors.get(&anchor) else {
            return Err((at, "this alias lies within its own anchor; write the value out".to_owned()));
        };
        if depth + node.depth > DEPTH_LIMIT {
            return Err((at, format!("this is nested deeper than {DEPTH_LIMIT} levels")));
        }
        Ok(node.clone())
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, tag: Option<&Tag>, at: u32) -> Result<Node, Fault> {
        let refuse = |what: &str| Err((at, format!("`{text}` is {what}; put quotes around it")));
        let value = match (tag.map(tag_name), style) {
            (Some(Ok("str")), _) | (None, ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted) => {
                text.into()
            }
            (None, ScalarStyle::Literal | ScalarStyle::Folded) => text.into(),
            (None, ScalarStyle::Plain) => match scalar::plain(text) {
                Meaning::Plain(value) => value,
                Meaning::TextOrBoolean(value) => {
                    self.doubt(text, at);
                    value
                }
                Meaning::NoJson => return refuse("a number that JSON does not have"),
            },
            (Some(Ok("int" | "float")), _) => match scalar::number(text) {
                Some(number) => number,
                None => return refuse("no number, as its tag says"),
            },
            (Some(Ok("bool")), _) => match scalar::plain(text) {
                Meaning::Plain(value @ Value::Bool(_)) => value,
                _ => return refuse("no boolean, as its tag says: write true or false"),
            },
            (Some(Ok("null")), _) => Value::Null,
            (Some(Ok(name) | Err(name)), _) => return Err((at, unknown_tag(name))),
        };
        Ok(leaf(value, at))
    }

    fn doubt(&mut self, text: &str, at: u32) {
        let sentence =
            format!("`{text}` is text here, but kubectl reads a boolean; write \"{text}\" or true/false");
        self.doubts.push((at, sentence));
    }

    fn sequence(&mut self, at: u32, depth: usize) -> Result<Node, Fault> {
        let (mut values, mut lines) = (Vec::new(), Vec::new());
        let (mut size, mut below) = (2, 0);
        while let Some((event, span)) = self.next()? {
            if matches!(event, Event::SequenceEnd) {
                break;
            }
            let item = self.node(event, &span, depth + 1)?;
            size = grown(size, item.size, at)?;
            below = below.max(item.depth);
            values.push(item.value);
            lines.push(item.lines);
        }
        Ok(Node { value: Value::Array(values), lines: Lines::items(at, lines), size, depth: below + 1 })
    }

    fn mapping(&mut self, at: u32, depth: usize) -> Result<Node, Fault> {
        let mut entries = Entries::default();
        let mut merged = Vec::new();
        while let Some((event, span)) = self.next()? {
            if matches!(event, Event::MappingEnd) {
                break;
            }
            let key_line = line(&span);
            let key = self.key(event, key_line)?;
            let Some((event, span)) = self.next()? else { break };
            let node = self.node(event, &span, depth + 1)?;
            match key {
                Key::Merge => merged.push((key_line, node)),
                Key::Name(name) => entries.add(name, node, key_line)?,
            }
        }
        for (key_line, node) in merged {
            entries.merge(node, key_line)?;
        }
        Ok(entries.finish(at))
    }

    fn key(&mut self, event: Event<'text>, at: u32) -> Result<Key, Fault> {
        match event {
            Event::Scalar(text, ScalarStyle::Plain, _, None) => match scalar::plain(&text) {
                _ if text == "<<" => Ok(Key::Merge),
                Meaning::Plain(Value::Null) => Err((at, "a key is missing before this colon".to_owned())),
                Meaning::TextOrBoolean(_) => {
                    self.doubt(&text, at);
                    Ok(Key::Name(text.into_owned()))
                }
                Meaning::Plain(_) | Meaning::NoJson => Ok(Key::Name(text.into_owned())),
            },
            Event::Scalar(text, ..) => Ok(Key::Name(text.into_owned())),
            Event::Alias(anchor) => match self.alias(anchor, at, 0)?.value {
                Value::String(text) => Ok(Key::Name(text)),
                _ => Err((at, "a key must be text".to_owned())),
            },
            _ => Err((
                at,
                "a key must be text; where this is a template (`{{ … }}`), render it first".to_owned(),
            )),
        }
    }

    /// The parser's error in words that say what to do.
    fn describe(&self, error: &ScanError) -> Fault {
        let at = error.marker().line().max(1);
        let text = self.text.lines().nth(at - 1).unwrap_or_default();
        let before = self.text.lines().nth(at.saturating_sub(2)).unwrap_or_default();
        let indented_by_tab = |line: &str| {
            let indent = line.len() - line.trim_start().len();
            line.get(..indent).is_some_and(|indent| indent.contains('\t'))
        };
        let sentence = if indented_by_tab(text) || indented_by_tab(before) {
            "a tab indents this line; YAML is indented with spaces".to_owned()
        } else if text.contains("{{") || before.contains("{{") {
            "this is a template, no YAML yet; render it first, as `helm template … | synkronic check -`"
                .to_owned()
        } else if matches!(error.kind(), ErrorKind::UnknownAnchor) {
            "this alias names no anchor (`&…`) above it".to_owned()
        } else {
            format!("this is no YAML: {}", error.info())
        };
        (u32::try_from(at).unwrap_or(u32::MAX), sentence)
    }
}

enum Key {
    Name(String),
    Merge,
}

/// The entries of a mapping, in the making.
#[derive(Default)]
struct Entries {
    values: Map<String, Value>,
    lines: BTreeMap<String, Lines>,
    size: usize,
    depth: usize,
}

impl Entries {
    fn add(&mut self, key: String, node: Node, key_line: u32) -> Result<(), Fault> {
        if let Some(first) = self.lines.get(&key) {
            let sentence = format!("the key `{key}` stands here and on line {}; keep one", first.line());
            return Err((key_line, sentence));
        }
        self.size = grown(self.size, node.size + key.len(), key_line)?;
        self.depth = self.depth.max(node.depth);
        self.lines.insert(key.clone(), node.lines.on_line(key_line));
        self.values.insert(key, node.value);
        Ok(())
    }

    /// `<<`: what stands in the mapping itself goes before what is merged into it.
    fn merge(&mut self, node: Node, at: u32) -> Result<(), Fault> {
        let size = node.size;
        match node.value {
            Value::Object(fields) => {
                self.size = grown(self.size, size, at)?;
                self.depth = self.depth.max(node.depth);
                for (key, value) in fields {
                    let Some(lines) = node.lines.field(&key) else { continue };
                    self.lines.entry(key.clone()).or_insert_with(|| lines.clone());
                    self.values.entry(key).or_insert(value);
                }
                Ok(())
            }
            Value::Array(items) => {
                for (item, lines) in items.into_iter().zip(node.lines.into_list()) {
                    self.merge(Node { value: item, lines, size, depth: node.depth }, at)?;
                }
                Ok(())
            }
            _ => Err((at, "`<<` takes a mapping, as `<<: *name`".to_owned())),
        }
    }

    fn finish(self, at: u32) -> Node {
        let lines = Lines::fields(at, self.lines);
        Node { value: Value::Object(self.values), lines, size: self.size + 2, depth: self.depth + 1 }
    }
}

fn leaf(value: Value, at: u32) -> Node {
    let size = 1 + value.as_str().map_or(0, str::len);
    Node { value, lines: Lines::scalar(at), size, depth: 1 }
}

fn grown(size: usize, by: usize, at: u32) -> Result<usize, Fault> {
    let sum = size.saturating_add(by);
    if sum > DOCUMENT_LIMIT { Err(too_large(at)) } else { Ok(sum) }
}

fn too_large(at: u32) -> Fault {
    let sentence = format!(
        "this document is larger than {} MiB, its aliases written out; no API server takes such an object: split it",
        DOCUMENT_LIMIT / (1024 * 1024)
    );
    (at, sentence)
}

fn line(span: &Span) -> u32 {
    u32::try_from(span.start.line()).unwrap_or(u32::MAX)
}

/// The name of a tag of the core schema; in `Err`, of any other.
fn tag_name(tag: &Tag) -> Result<&str, &str> {
    match tag.core_suffix() {
        Some(suffix) => Ok(suffix),
        // `!` alone: text, whatever it looks like (YAML 1.2, 6.9.1).
        None if tag.suffix() == "!" || (tag.suffix().is_empty() && tag.handle() == "!") => Ok("str"),
        None => Err(tag.suffix()),
    }
}

fn allow_tag(tag: Option<&Tag>, allowed: &str, at: u32) -> Result<(), Fault> {
    match tag.map(tag_name) {
        None => Ok(()),
        Some(Ok(name)) if name == allowed || name == "str" => Ok(()),
        Some(Ok(name) | Err(name)) => Err((at, unknown_tag(name))),
    }
}

fn unknown_tag(name: &str) -> String {
    format!("the tag `!{name}` means nothing to Kubernetes; leave it out")
}
