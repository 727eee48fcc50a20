//! Standard output, to its end or until nobody reads any more.

use std::io::{self, Write};

/// Prints a text.
///
/// # Errors
/// Where it cannot be written, as on a full disk; not where a reader has gone: `synkronic render … | head` has
/// what it wants.
pub(super) fn print(text: &str) -> io::Result<()> {
    write(io::stdout().lock(), text)
}

fn write(mut to: impl Write, text: &str) -> io::Result<()> {
    match to.write_all(text.as_bytes()).and_then(|()| to.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_went_is_no_failure_and_a_full_disk_is() {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        assert!(write(writer, "text").is_ok());
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        assert!(write(full, "text").is_err());
    }
}
