//! Verdicts as text and as JSON.

use std::fmt::Write;

use serde_json::{Value, json};

use super::verdict::{Note, Verdict, Verdicts};
use crate::inventory::Severity;
use crate::local::manifests::Remark;

/// One line for each thing said, and for each object that nothing is said about; by file and line.
pub(super) fn text(verdicts: &Verdicts, quiet: bool) -> String {
    let mut lines: Vec<(&str, u32, String)> = Vec::new();
    for error in &verdicts.errors {
        lines.push((&error.source, error.line.unwrap_or(0), error.text.clone()));
    }
    for warning in &verdicts.warnings {
        lines.push((&warning.source, warning.line.unwrap_or(0), format!("warning: {}", warning.text)));
    }
    for verdict in &verdicts.objects {
        for note in &verdict.notes {
            lines.push((&verdict.source, note.line, sentence(verdict, note)));
        }
        if verdict.notes.is_empty() && !quiet {
            let word = if verdict.known { "ok" } else { "not judged, its kind is unknown here" };
            lines.push((&verdict.source, verdict.line, format!("{} {}: {word}", verdict.kind, verdict.name)));
        }
    }
    lines.sort();
    let mut text = String::new();
    for (source, line, sentence) in lines {
        // Writing to a String cannot fail.
        let _ = match line {
            0 => writeln!(text, "{source}: {sentence}"),
            line => writeln!(text, "{source}:{line}: {sentence}"),
        };
    }
    text
}

fn sentence(verdict: &Verdict, note: &Note) -> String {
    let severity = match note.severity {
        Severity::Rejected => "",
        Severity::Warning => "warning: ",
    };
    let field = if note.field.is_empty() { String::new() } else { format!("{}: ", note.field) };
    format!("{severity}{} {}: {field}{}", verdict.kind, verdict.name, note.message)
}

/// The same as one JSON document.
pub(super) fn json(verdicts: &Verdicts, quiet: bool) -> serde_json::Result<String> {
    let remark =
        |remark: &Remark| json!({"file": &*remark.source, "line": remark.line, "message": remark.text});
    let shown = |verdict: &&Verdict| !quiet || !verdict.notes.is_empty();
    let document = json!({
        "rejected": verdicts.is_rejected(),
        "errors": verdicts.errors.iter().map(remark).collect::<Vec<_>>(),
        "warnings": verdicts.warnings.iter().map(remark).collect::<Vec<_>>(),
        "objects": verdicts.objects.iter().filter(shown).map(object).collect::<Vec<_>>(),
    });
    Ok(serde_json::to_string_pretty(&document)? + "\n")
}

fn object(verdict: &Verdict) -> Value {
    let word = match verdict {
        verdict if verdict.is_rejected() => "rejected",
        verdict if !verdict.notes.is_empty() => "warning",
        verdict if verdict.known => "ok",
        _ => "unknown",
    };
    let note = |note: &Note| {
        json!({
            "line": note.line,
            "severity": match note.severity {
                Severity::Rejected => "rejected",
                Severity::Warning => "warning",
            },
            "field": note.field,
            "reason": note.reason,
            "message": note.message,
        })
    };
    json!({
        "file": &*verdict.source,
        "line": verdict.line,
        "kind": verdict.kind,
        "name": verdict.name,
        "verdict": word,
        "notes": verdict.notes.iter().map(note).collect::<Vec<_>>(),
    })
}

/// How many of each, in one sentence.
pub(super) fn summary(verdicts: &Verdicts) -> String {
    let all = verdicts.objects.len();
    let rejected = verdicts.objects.iter().filter(|verdict| verdict.is_rejected()).count();
    let warned = verdicts.objects.iter().filter(|v| !v.is_rejected() && !v.notes.is_empty()).count();
    let mut sentence = format!("{all} {}: {rejected} rejected", plural(all, "object"));
    if warned + verdicts.warnings.len() > 0 {
        let warned = warned + verdicts.warnings.len();
        let _ = write!(sentence, ", {warned} {}", plural(warned, "warning"));
    }
    let errors = verdicts.errors.len();
    if errors > 0 {
        let _ = write!(sentence, ", {errors} {} cannot be read", plural(errors, "document"));
    }
    sentence
}

fn plural(count: usize, word: &str) -> String {
    if count == 1 { word.to_owned() } else { format!("{word}s") }
}
