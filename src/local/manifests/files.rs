//! The thin part: which files there are, and their bytes. It reads and never writes.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{FILE_LIMIT, Reading, Remark, parse};

/// Folders within folders that are looked into; a loop of symbolic links ends there.
const DEPTH_LIMIT: usize = 16;

/// Reads every object of the given files and folders; `-` is standard input.
///
/// A path that cannot be read is an error of its own among the others.
#[must_use]
pub fn read(paths: &[PathBuf]) -> Reading {
    let mut reading = Reading::default();
    let mut seen = BTreeSet::new();
    for path in paths {
        if path == Path::new("-") {
            reading.append(something(read_from("-", std::io::stdin().lock())));
            continue;
        }
        match list(path) {
            Ok(listed) => {
                reading.errors.extend(listed.faults.iter().map(|(_, remark)| remark.clone()));
                if listed.files.is_empty() {
                    reading.errors.push(nothing_in(path));
                }
                for file in listed.files.into_iter().filter(|file| seen.insert(file.clone())) {
                    reading.append(read_file(&file));
                }
            }
            Err(remark) => reading.errors.push(remark),
        }
    }
    reading
}

/// What fails before a pipe writes nothing into it: that must not pass for manifests without a fault.
fn something(mut input: Reading) -> Reading {
    if input.manifests.is_empty() && input.errors.is_empty() {
        input.errors.push(remark(
            Path::new("-"),
            "standard input holds no object; did what writes it fail?".to_owned(),
        ));
    }
    input
}

/// What is at a path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listed {
    /// The manifests, sorted.
    pub files: Vec<PathBuf>,
    /// The folders that were looked into, sorted; none where the path is a file.
    pub folders: Vec<PathBuf>,
    /// Those of the manifests that are symbolic links.
    pub links: BTreeSet<PathBuf>,
    /// Folders below that cannot be listed.
    pub faults: Vec<(PathBuf, Remark)>,
}

/// The manifests at `path`: the file itself, or in a folder and those below it all that end in `.yaml`, `.yml` or
/// `.json`, but for hidden ones and `kustomization.yaml`, which is no object. Not looked into are hidden folders,
/// `node_modules`, and folders that are marked as caches (`CACHEDIR.TAG`: Cargo's `target`, tools' caches): they
/// hold thousands of files, and none that somebody wrote.
///
/// # Errors
/// Where there is no such file, or the folder cannot be listed; one below it takes no other with it.
pub fn list(path: &Path) -> Result<Listed, Remark> {
    let failed = |error: std::io::Error| remark(path, unreadable(&error));
    let mut listed = Listed::default();
    if !std::fs::metadata(path).map_err(failed)?.is_dir() {
        listed.files.push(path.to_owned());
        listed.links.extend(path.is_symlink().then(|| path.to_owned()));
        return Ok(listed);
    }
    walk(path, 0, &mut listed).map_err(failed)?;
    listed.files.sort();
    listed.folders.sort();
    Ok(listed)
}

/// What is said of a folder without manifests.
pub(in crate::local) fn nothing_in(path: &Path) -> Remark {
    remark(path, "no .yaml, .yml or .json file is in this folder".to_owned())
}

fn walk(folder: &Path, depth: usize, listed: &mut Listed) -> std::io::Result<()> {
    let entries = std::fs::read_dir(folder)?;
    listed.folders.push(folder.to_owned());
    for entry in entries {
        let entry = entry?;
        let path = entry.path();
        if is_hidden(&path) {
            continue;
        }
        // Follows symbolic links: the files of a mounted ConfigMap are some.
        let Ok(found) = std::fs::metadata(&path) else { continue };
        if found.is_dir() {
            if depth < DEPTH_LIMIT && !is_left_out(&path) {
                walk_below(path, depth + 1, listed);
            }
        } else if is_manifest(&path) {
            listed.links.extend(entry.file_type().is_ok_and(|it| it.is_symlink()).then(|| path.clone()));
            listed.files.push(path);
        }
    }
    Ok(())
}

fn walk_below(folder: PathBuf, depth: usize, listed: &mut Listed) {
    match walk(&folder, depth, listed) {
        // It went while it was looked at.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => {
            let remark = remark(&folder, unreadable(&error));
            listed.faults.push((folder, remark));
        }
        Ok(()) => {}
    }
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

fn is_left_out(folder: &Path) -> bool {
    folder.file_name() == Some(OsStr::new("node_modules")) || folder.join("CACHEDIR.TAG").is_file()
}

/// Whether a file of a folder is read, by its name.
pub(in crate::local) fn is_named_as_manifest(path: &Path) -> bool {
    is_manifest(path) && !is_hidden(path)
}

fn is_manifest(path: &Path) -> bool {
    let is_yaml = matches!(path.extension().and_then(OsStr::to_str), Some("yaml" | "yml" | "json"));
    is_yaml && path.file_stem() != Some(OsStr::new("kustomization"))
}

fn read_file(path: &Path) -> Reading {
    match std::fs::File::open(path) {
        Ok(file) => read_from(&path.display().to_string(), file),
        Err(error) => Reading { errors: vec![remark(path, unreadable(&error))], ..Reading::default() },
    }
}

fn read_from(source: &str, from: impl Read) -> Reading {
    let mut bytes = Vec::new();
    // One byte more than is allowed tells a file that is too large from one that just fits.
    match from.take(FILE_LIMIT as u64 + 1).read_to_end(&mut bytes) {
        Ok(_) => parse(source, &bytes),
        Err(error) => {
            let error = Remark { source: source.into(), line: None, text: unreadable(&error) };
            Reading { errors: vec![error], ..Reading::default() }
        }
    }
}

fn remark(path: &Path, text: String) -> Remark {
    Remark { source: Arc::from(path.display().to_string()), line: None, text }
}

fn unreadable(error: &std::io::Error) -> String {
    format!("this cannot be read: {error}")
}
