//! Where in an overlay something is: a chain of borrowed steps, written out only when there is a fault.

use std::fmt;

/// A place, as `template.spec.containers[web].image`.
#[derive(Clone, Copy)]
pub(super) struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Root,
    Field(&'a str),
    Element(&'a str),
    Index(usize),
}

impl<'a> Path<'a> {
    /// The whole.
    pub fn root() -> Self {
        Self { parent: None, step: Step::Root }
    }

    /// A field or a key of the map here.
    pub fn field(&'a self, name: &'a str) -> Self {
        Self { parent: Some(self), step: Step::Field(name) }
    }

    /// The element of the list here that bears this key.
    pub fn element(&'a self, key: &'a str) -> Self {
        Self { parent: Some(self), step: Step::Element(key) }
    }

    /// The element of the list here at this place, counted from 0.
    pub fn index(&'a self, index: usize) -> Self {
        Self { parent: Some(self), step: Step::Index(index) }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = match self.parent {
            Some(parent) => {
                parent.fmt(f)?;
                matches!(parent.step, Step::Root)
            }
            None => true,
        };
        match self.step {
            Step::Root => Ok(()),
            Step::Field(name) if is_plain(name) => write!(f, "{}{name}", if first { "" } else { "." }),
            Step::Field(name) => write!(f, "[{name:?}]"),
            Step::Element(key) => write!(f, "[{key}]"),
            Step::Index(index) => write!(f, "[{index}]"),
        }
    }
}

/// Whether a key needs no quotes in a path.
pub(super) fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'$'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_read_as_they_are_written_in_remove() {
        let root = Path::root();
        let metadata = root.field("metadata");
        let annotations = metadata.field("annotations");
        assert_eq!(annotations.field("a.b/c").to_string(), r#"metadata.annotations["a.b/c"]"#);
        let containers = root.field("containers");
        let web = containers.element("web");
        let args = web.field("args");
        assert_eq!(args.index(1).to_string(), "containers[web].args[1]");
        assert_eq!(root.to_string(), "");
    }
}
