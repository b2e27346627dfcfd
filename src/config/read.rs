//! Reads one file: every key must be known, every value what it should be.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml_edit::{Document, Item, TableLike, TomlError};

use crate::config::key::{Key, RULES, Span};
use crate::config::{ConfigFile, complaint, known};
use crate::error::{Error, PathContext as _, Result};
use crate::fs::{lstat, open_source};
use crate::model::GcRule;
use crate::text::printable;

/// A larger file was not written by anybody who meant this.
const LARGEST: u64 = 1024 * 1024;

/// Which file, and where it lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) file: ConfigFile,
    pub(crate) path: PathBuf,
}

impl Place {
    /// Reads the file; one that is missing says nothing.
    pub(crate) fn read(self) -> Result<Layer> {
        let text = self.text()?.unwrap_or_default();
        parse(self, &text)
    }

    /// Returns the path of the file itself. Many keep their own files elsewhere, behind a link; a store
    /// may be somebody else's, and a link in it lead anywhere.
    pub(crate) fn behind_link(&self) -> Result<PathBuf> {
        let is_link = lstat(&self.path)?.is_some_and(|found| found.is_symlink());
        if is_link && self.file == ConfigFile::User {
            return std::fs::canonicalize(&self.path).at("follow the link", &self.path);
        }
        Ok(self.path.clone())
    }

    /// Returns the text; none without a file.
    pub(super) fn text(&self) -> Result<Option<String>> {
        let path = self.behind_link()?;
        let Some(found) = lstat(&path)? else { return Ok(None) };
        let whole = |reason: String| complaint(&self.path, 1, reason);
        if found.is_symlink() {
            return Err(whole("it is a link, and a store's own must be a file".to_owned()));
        }
        let (file, found) = open_source(&path).map_err(|error| match error {
            Error::Unsupported { what, .. } => whole(format!("it is a {what}, not a file")),
            other => other,
        })?;
        let mut bytes = Vec::new();
        file.take(LARGEST + 1).read_to_end(&mut bytes).at("read", &path)?;
        if bytes.len() as u64 > LARGEST {
            return Err(whole(format!("it has {} bytes, more than the {LARGEST} that are read", found.len())));
        }
        String::from_utf8(bytes).map(Some).map_err(|error| {
            let line = line_at(error.as_bytes(), error.utf8_error().valid_up_to());
            complaint(&self.path, line, "it is not UTF-8")
        })
    }
}

/// What one file says.
#[derive(Debug, Clone)]
pub(crate) struct Layer {
    pub(super) place: Place,
    pub(super) spans: BTreeMap<Key, Span>,
    pub(super) rules: Vec<GcRule>,
}

/// Says where TOML itself is broken.
pub(super) fn broken(path: &Path, text: &str, error: &TomlError) -> Error {
    complaint(path, line_of(text, error.span()), printable(error.message().as_bytes()))
}

/// Reads a text that is, or is to be, the file's.
pub(super) fn parse(place: Place, text: &str) -> Result<Layer> {
    let document = Document::parse(text).map_err(|error| broken(&place.path, text, &error))?;
    let layer = Layer { place, spans: BTreeMap::new(), rules: Vec::new() };
    let mut reader = Reader { text, layer };
    for (key, item) in document.iter() {
        reader.section(document.as_table(), key, item)?;
    }
    Ok(reader.layer)
}

struct Reader<'t> {
    text: &'t str,
    layer: Layer,
}

impl Reader<'_> {
    fn section(&mut self, root: &dyn TableLike, name: &str, item: &Item) -> Result<()> {
        let at = key_span(root, name);
        if !Key::ALL.iter().any(|key| key.name().split('.').next() == Some(name)) {
            return Err(self.unknown(at, name));
        }
        let table = item.as_table_like().ok_or_else(|| self.wrong(at, name, "a table", item))?;
        table.iter().try_for_each(|(key, item)| self.entry(table, &format!("{name}.{key}"), key, item))
    }

    fn entry(&mut self, table: &dyn TableLike, name: &str, key: &str, item: &Item) -> Result<()> {
        let at = key_span(table, key);
        if name == RULES {
            return self.rules(at, item);
        }
        let Some(known) = Key::find(name) else { return Err(self.unknown(at, name)) };
        let text = item.as_str().ok_or_else(|| self.wrong(at.clone(), name, "text such as \"7d\"", item))?;
        let span = known.read(text).map_err(|error| self.complain(at, format!("`{name}`: {error}")))?;
        self.layer.spans.insert(known, span);
        Ok(())
    }

    /// A list of tables can be written in two ways.
    fn rules(&mut self, at: Option<Range<usize>>, item: &Item) -> Result<()> {
        if let Some(tables) = item.as_array_of_tables() {
            return tables.iter().try_for_each(|table| self.rule(table.span().or(at.clone()), table));
        }
        let list = item.as_array().ok_or_else(|| self.wrong(at.clone(), RULES, "a list of tables", item))?;
        for value in list {
            let at = value.span().or(at.clone());
            let found = value.type_name();
            let table = value.as_inline_table().ok_or_else(|| {
                self.complain(
                    at.clone(),
                    format!("`{RULES}` must be a list of tables, but holds {}", with_article(found)),
                )
            })?;
            self.rule(at, table)?;
        }
        Ok(())
    }

    fn rule(&mut self, at: Option<Range<usize>>, table: &dyn TableLike) -> Result<()> {
        let mut rule = GcRule::default();
        for (key, item) in table.iter() {
            let at = key_span(table, key);
            let unset = GcRule::KEYS.contains(&key) && item.as_str().is_none();
            if unset {
                return Err(self.wrong(at, key, "text such as \"30d\"", item));
            }
            rule.set(key, item.as_str().unwrap_or_default()).map_err(|error| self.complain(at, error.to_string()))?;
        }
        rule.check().map_err(|error| self.complain(at, error.to_string()))?;
        self.layer.rules.push(rule);
        Ok(())
    }

    fn unknown(&self, at: Option<Range<usize>>, name: &str) -> Error {
        self.complain(at, format!("`{}` is not a key: {}", printable(name.as_bytes()), known()))
    }

    fn wrong(&self, at: Option<Range<usize>>, name: &str, wanted: &str, found: &Item) -> Error {
        self.complain(at, format!("`{name}` must be {wanted}, not {}", with_article(found.type_name())))
    }

    fn complain(&self, at: Option<Range<usize>>, reason: String) -> Error {
        complaint(&self.layer.place.path, line_of(self.text, at), reason)
    }
}

fn key_span(table: &dyn TableLike, key: &str) -> Option<Range<usize>> {
    let (key, item) = table.get_key_value(key)?;
    key.span().or_else(|| item.span())
}

fn with_article(kind: &str) -> String {
    let article = if kind.starts_with(['a', 'i']) { "an" } else { "a" };
    format!("{article} {kind}")
}

fn line_of(text: &str, at: Option<Range<usize>>) -> usize {
    line_at(text.as_bytes(), at.map_or(0, |at| at.start))
}

fn line_at(text: &[u8], offset: usize) -> usize {
    text[..offset.min(text.len())].split(|byte| *byte == b'\n').count()
}
