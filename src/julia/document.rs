//! A TOML file from outside, with the lines its tables start at.

use std::collections::HashMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::error::{Error, PathContext as _, Result};
use crate::fs::{lstat, open_source};

/// Larger files are not bindings or manifests that any program wrote.
const LARGEST: u64 = 16 * 1024 * 1024;
/// The log of uses has some 320 bytes for every file of every bound directory.
const LARGEST_LOG: u64 = 256 * 1024 * 1024;

/// A TOML file, read whole.
#[derive(Debug, Clone)]
pub(crate) struct Document {
    path: PathBuf,
    table: toml::Table,
    lines: HashMap<String, usize>,
    /// Whether the text stops in the middle of a line, which no program of Julia leaves so.
    is_cut: bool,
}

impl Document {
    /// Reads a file; none if there is none.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>> {
        Self::read_up_to(path, LARGEST)
    }

    /// Reads a log, which may be larger; none if there is none.
    pub(crate) fn read_log(path: &Path) -> Result<Option<Self>> {
        Self::read_up_to(path, LARGEST_LOG)
    }

    fn read_up_to(path: &Path, most: u64) -> Result<Option<Self>> {
        // A link is followed, as Julia does; what it leads to must be a regular file.
        if lstat(path)?.is_none() {
            return Ok(None);
        }
        let path = &std::fs::canonicalize(path).at("open", path)?;
        let (file, found) = open_source(path)?;
        if found.len() > most {
            let reason = format!("it has {} bytes, more than the {most} that are read", found.len());
            return Err(Error::Toml { path: path.clone(), line: 1, reason });
        }
        let mut bytes = Vec::new();
        file.take(most).read_to_end(&mut bytes).at("read", path)?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let line = line_at(error.as_bytes(), error.utf8_error().valid_up_to());
            Error::Toml { path: path.clone(), line, reason: "it is not UTF-8".to_owned() }
        })?;
        Self::parse(path, &text).map(Some)
    }

    /// Reads a text that stands for the file at `path`.
    pub(crate) fn parse(path: &Path, text: &str) -> Result<Self> {
        let broken = |error: &toml::de::Error| Error::Toml {
            path: path.to_owned(),
            line: error.span().map_or(1, |span| line_at(text.as_bytes(), span.start)),
            reason: error.message().to_owned(),
        };
        let spanned = toml::de::DeTable::parse(text).map_err(|error| broken(&error))?;
        let ends: Vec<usize> = text.match_indices('\n').map(|(at, _)| at).collect();
        let line_of = |at: usize| 1 + ends.partition_point(|end| *end < at);
        let keys = spanned.get_ref().keys();
        let lines = keys.map(|key| (key.get_ref().to_string(), line_of(key.span().start))).collect();
        let table = toml::from_str(text).map_err(|error| broken(&error))?;
        let is_cut = !text.is_empty() && !text.ends_with('\n');
        Ok(Self { path: path.to_owned(), table, lines, is_cut })
    }

    /// Returns the file's path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the content.
    pub(crate) fn table(&self) -> &toml::Table {
        &self.table
    }

    /// Tells whether the text stops in the middle of a line: its writing may not be over.
    pub(crate) fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Returns the line at which a key of the topmost table stands, counted from 1.
    pub(crate) fn line_of(&self, key: &str) -> usize {
        self.lines.get(key).copied().unwrap_or(1)
    }

    /// Says what is wrong with a key of the topmost table.
    pub(crate) fn complaint(&self, key: &str, reason: impl Into<String>) -> Error {
        Error::Toml { path: self.path.clone(), line: self.line_of(key), reason: reason.into() }
    }
}

fn line_at(text: &[u8], offset: usize) -> usize {
    1 + text[..offset.min(text.len())].split(|byte| *byte == b'\n').count().saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_large_is_not_read() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("large.toml");
        let file = std::fs::File::create(&path).expect("a file");
        file.set_len(LARGEST + 1).expect("a length");
        let error = Document::read(&path).expect_err("too large");
        assert!(error.to_string().contains("16777217 bytes"), "{error}");
        file.set_len(LARGEST_LOG + 1).expect("a length");
        assert!(Document::read_log(&path).is_err());
    }

    #[test]
    fn lines_are_counted_from_one() {
        let document = Document::parse(Path::new("x"), "\n[a]\nb = 1\n\n['c d'.e]\nf = 2\n").expect("valid");
        assert_eq!((document.line_of("a"), document.line_of("c d")), (2, 5));
        let error = Document::parse(Path::new("x"), "a = 1\nb =\n").expect_err("broken");
        assert!(error.to_string().starts_with("`x`, line 2: "), "{error}");
    }
}
