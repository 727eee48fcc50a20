//! Manifests: YAML and JSON text to objects that know the line each of their fields stands on.
//!
//! [`parse`] is pure; [`read`] alone touches files. A document that cannot be read is named with its line
//! and takes nothing else with it: neither the other documents of its file nor the other files. It does
//! not judge what an object says.
//!
//! YAML is read as kubectl's users mean it: version 1.2 (`no` and `on` are text, with a warning, because
//! kubectl's own reader takes them for booleans), and `0644` is octal as it is there. Refused are
//! duplicate keys, tags of programming languages, and aliases that unfold to more than [`DOCUMENT_LIMIT`].

mod document;
mod files;
mod lines;
mod scalar;
#[cfg(test)]
mod tests;
mod yaml;

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

pub use files::{Listed, list, read};
pub(super) use files::{is_named_as_manifest, nothing_in};
pub use lines::Lines;
pub use yaml::{document, stream};

/// The most bytes of one document, and the most that its aliases may unfold to. The API server takes
/// no larger object either.
pub const DOCUMENT_LIMIT: usize = 1024 * 1024;
/// The most bytes of one file, or of standard input.
pub const FILE_LIMIT: usize = 16 * DOCUMENT_LIMIT;

/// One object of a manifest.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// The object as JSON; always an object with `apiVersion` and `kind`.
    pub value: Value,
    /// The file it stands in, as it was given; `-` is standard input.
    pub source: Arc<str>,
    /// Where each of its fields stands.
    pub lines: Lines,
}

impl Manifest {
    /// The text at `path` (`kind`, `metadata.name`), where there is a non-empty one.
    #[must_use]
    pub fn text(&self, path: &[&str]) -> Option<&str> {
        let found = path.iter().try_fold(&self.value, |value, key| value.get(key))?;
        found.as_str().filter(|text| !text.is_empty())
    }

    /// Its `kind`.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.text(&["kind"]).unwrap_or_default()
    }

    /// Its `apiVersion`.
    #[must_use]
    pub fn api_version(&self) -> &str {
        self.text(&["apiVersion"]).unwrap_or_default()
    }

    /// Its name, where it has one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.text(&["metadata", "name"])
    }

    /// Its namespace, where it names one.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        self.text(&["metadata", "namespace"])
    }

    /// The line of the field at `path`, as `spec.rules[0].send` or
    /// `spec.deploymentSpec.template.spec.containers[web].image`; of its nearest known parent where the
    /// field itself is not there.
    #[must_use]
    pub fn line_of(&self, path: &str) -> u32 {
        self.lines.at(&self.value, path)
    }
}

/// A sentence on a place in a manifest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Remark {
    /// The file, as it was given; `-` is standard input.
    pub source: Arc<str>,
    /// The line, from 1; none where it concerns the file as a whole.
    pub line: Option<u32>,
    /// What is wrong there, and the way out.
    pub text: String,
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.source, self.text),
            None => write!(f, "{}: {}", self.source, self.text),
        }
    }
}

/// What manifests hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reading {
    /// The objects, in the order in which they stand.
    pub manifests: Vec<Manifest>,
    /// What could not be read.
    pub errors: Vec<Remark>,
    /// What could be read, but is read otherwise by kubectl.
    pub warnings: Vec<Remark>,
}

impl Reading {
    /// Adds what another reading holds.
    pub fn append(&mut self, mut other: Self) {
        self.manifests.append(&mut other.manifests);
        self.errors.append(&mut other.errors);
        self.warnings.append(&mut other.warnings);
    }
}

/// Reads every object of one text; `source` is the name it is shown under.
#[must_use]
pub fn parse(source: &str, bytes: &[u8]) -> Reading {
    let source: Arc<str> = source.into();
    let mut reading = Reading::default();
    let remark = |(line, text)| Remark { source: source.clone(), line, text };
    let text = match text_of(bytes) {
        Ok(text) => text,
        Err(error) => {
            reading.errors.push(remark(error));
            return reading;
        }
    };
    let stream = document::stream(text);
    reading.warnings = stream.doubts.into_iter().map(|(line, text)| remark((Some(line), text))).collect();
    reading.errors = stream.faults.into_iter().map(|(line, text)| remark((Some(line), text))).collect();
    for (value, lines) in stream.documents {
        unroll(&source, value, lines, &mut reading);
    }
    reading.errors.sort();
    reading
}

/// UTF-8 text of at most [`FILE_LIMIT`] bytes, or where and why not.
fn text_of(bytes: &[u8]) -> Result<&str, (Option<u32>, String)> {
    if bytes.len() > FILE_LIMIT {
        let text = format!(
            "{} bytes are more than the {FILE_LIMIT} that are read; split it into several files",
            bytes.len()
        );
        return Err((None, text));
    }
    if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
        return Err((Some(1), "this is UTF-16; save it as UTF-8".to_owned()));
    }
    std::str::from_utf8(bytes).map_err(|error| {
        let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        (u32::try_from(line).ok(), "a byte here is not UTF-8; save the file as UTF-8".to_owned())
    })
}

/// Takes a `List` apart and keeps what is an object.
fn unroll(source: &Arc<str>, value: Value, lines: Lines, reading: &mut Reading) {
    let line = lines.line();
    let mut refuse = |line, text: &str| {
        let text = text.to_owned();
        reading.errors.push(Remark { source: source.clone(), line: Some(line), text });
    };
    let Value::Object(mut fields) = value else {
        return refuse(line, "this is no Kubernetes object: it has neither `apiVersion` nor `kind`");
    };
    let has = |key: &str| fields.get(key).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
    if !has("kind") {
        return refuse(line, "this is no Kubernetes object: `kind` is missing");
    }
    if !has("apiVersion") {
        return refuse(line, "this is no Kubernetes object: `apiVersion` is missing");
    }
    let is_list = fields.get("kind").and_then(Value::as_str).is_some_and(|kind| kind.ends_with("List"));
    if !is_list || !matches!(fields.get("items"), Some(Value::Array(_) | Value::Null)) {
        let value = Value::Object(fields);
        return reading.manifests.push(Manifest { value, source: source.clone(), lines });
    }
    let Some(Value::Array(items)) = fields.remove("items") else { return };
    for (item, lines) in items.into_iter().zip(lines.into_items("items")) {
        unroll(source, item, lines, reading);
    }
}
