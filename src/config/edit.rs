//! Changes one key of a file and leaves everything else as somebody wrote it.
//!
//! Comments above a key that goes, without an empty line between, are about it and go with it.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use toml_edit::{Array, ArrayOfTables, DocumentMut, InlineTable, Item, Table, TableLike, Value, value};

use crate::config::key::{Key, RULES};
use crate::config::read::{self, Layer, Place};
use crate::config::{complaint, unknown};
use crate::error::{Error, Result};
use crate::fs::{Disk, lstat};
use crate::model::GcRule;

/// What is to change, known to be right.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    /// A key gets this value.
    Span(Key, String),
    /// These are the rules.
    Rules(Vec<GcRule>),
    /// The key goes.
    Unset(&'static str),
}

impl Change {
    /// Gives a key what was written on a command line: one value, or any number of rules.
    pub(crate) fn set(key: &str, values: &[&str]) -> Result<Self> {
        if key == RULES {
            return values.iter().map(|text| text.parse()).collect::<Result<_>>().map(Self::Rules);
        }
        let known = Key::find(key).ok_or_else(|| unknown(key))?;
        match values {
            [text] => known.read(text).map(|span| Self::Span(known, span.text)),
            _ => Err(Error::invalid("list of values", &values.join(" "), format!("`{key}` has one"))),
        }
    }

    /// Takes a key out.
    pub(crate) fn unset(key: &str) -> Result<Self> {
        match Key::find(key) {
            Some(known) => Ok(Self::Unset(known.name())),
            None if key == RULES => Ok(Self::Unset(RULES)),
            None => Err(unknown(key)),
        }
    }

    fn is_done(&self, layer: &Layer) -> bool {
        match self {
            Self::Span(key, text) => layer.spans.get(key).is_some_and(|span| span.text == *text),
            Self::Rules(rules) => layer.rules == *rules,
            Self::Unset(RULES) => layer.rules.is_empty(),
            Self::Unset(name) => Key::find(name).is_none_or(|key| !layer.spans.contains_key(&key)),
        }
    }
}

/// Changes a file through `temp`, on the same filesystem; false if there is nothing to change. What
/// would come out is read before it is written. The caller sees to it that nobody else does so at once.
pub(crate) fn change(place: &Place, temp: &Path, disk: &Disk, change: &Change) -> Result<bool> {
    let before = place.text()?.unwrap_or_default();
    let after = edited(&place.path, &before, change)?;
    if !change.is_done(&read::parse(place.clone(), &after)?) {
        return Err(Error::Internal("an edit of the configuration did not take".to_owned()));
    }
    if before == after {
        return Ok(false);
    }
    replace(&place.behind_link()?, temp, &after, disk).map(|()| true)
}

fn replace(path: &Path, temp: &Path, text: &str, disk: &Disk) -> Result<()> {
    let outcome = write_whole(path, temp, text, disk);
    if outcome.is_err() {
        let _ = disk.remove_file(temp);
    }
    outcome
}

fn write_whole(path: &Path, temp: &Path, text: &str, disk: &Disk) -> Result<()> {
    disk.write_new(temp, text.as_bytes(), 0o644)?;
    if let Some(found) = lstat(path)? {
        disk.set_mode(temp, found.mode() & 0o777)?;
    }
    disk.flush(temp)?;
    disk.rename(temp, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    disk.flush(folder.unwrap_or(Path::new(".")))
}

fn edited(path: &Path, text: &str, change: &Change) -> Result<String> {
    let mut document: DocumentMut = text.parse().map_err(|error| read::broken(path, text, &error))?;
    if !document.is_empty() {
        apply(path, &mut document, change)?;
        return Ok(document.to_string());
    }
    // What stands in a file without keys is about the file, and goes before them.
    let mut keys = DocumentMut::new();
    apply(path, &mut keys, change)?;
    Ok(match (text.trim_end(), keys.to_string()) {
        (_, keys) if keys.is_empty() => text.to_owned(),
        ("", keys) => keys,
        (head, keys) => format!("{head}\n\n{keys}"),
    })
}

fn apply(path: &Path, document: &mut DocumentMut, change: &Change) -> Result<()> {
    match change {
        Change::Span(key, text) => section(path, document, key.name())?.set(last(key.name()), text),
        Change::Rules(rules) if rules.is_empty() => unset(document, RULES),
        Change::Rules(rules) => section(path, document, RULES)?.set_rules(rules),
        Change::Unset(name) => unset(document, name),
    }
    Ok(())
}

fn first(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}

fn last(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// Returns the table a key belongs into; where there is none it is made.
fn section<'d>(path: &Path, document: &'d mut DocumentMut, name: &str) -> Result<Section<'d>> {
    let mut new = Table::new();
    // Its header is written only if it has keys of its own.
    new.set_implicit(true);
    match document.entry(first(name)).or_insert(Item::Table(new)) {
        Item::Table(table) => Ok(Section::Block(table)),
        Item::Value(Value::InlineTable(table)) => Ok(Section::InLine(table)),
        _ => Err(complaint(path, 1, format!("`{}` must be a table", first(name)))),
    }
}

/// A table, and how it is written.
enum Section<'d> {
    Block(&'d mut Table),
    InLine(&'d mut InlineTable),
}

impl Section<'_> {
    fn table(&mut self) -> &mut dyn TableLike {
        match self {
            Self::Block(table) => *table,
            Self::InLine(table) => *table,
        }
    }

    fn set(mut self, key: &str, text: &str) {
        let table = self.table();
        if let Some(Item::Value(old)) = table.get_mut(key) {
            let mut new = Value::from(text);
            *new.decor_mut() = old.decor().clone();
            *old = new;
        } else {
            table.insert(key, value(text));
        }
    }

    /// A table of its own for each rule, where TOML allows it.
    fn set_rules(mut self, rules: &[GcRule]) {
        let key = last(RULES);
        let in_line = self.table().get(key).is_some_and(Item::is_value) || self.is_in_line();
        if in_line {
            let list: Array = rules.iter().map(|rule| rule.fields().into_iter().collect::<InlineTable>()).collect();
            self.table().insert(key, value(list));
            return;
        }
        let tables = self.table().entry(key).or_insert(Item::ArrayOfTables(ArrayOfTables::new()));
        if let Some(tables) = tables.as_array_of_tables_mut() {
            fill(tables, rules);
        }
    }

    /// `gc.auto = "7d"` opens no table that could be gone on with further down.
    fn is_in_line(&self) -> bool {
        match self {
            Self::Block(table) => table.is_dotted(),
            Self::InLine(_) => true,
        }
    }
}

/// Keeps the tables there are, with the comments above them.
fn fill(tables: &mut ArrayOfTables, rules: &[GcRule]) {
    while tables.len() > rules.len() {
        tables.remove(tables.len() - 1);
    }
    while tables.len() < rules.len() {
        tables.push(Table::new());
    }
    for (table, rule) in tables.iter_mut().zip(rules) {
        table.clear();
        for (key, text) in rule.fields() {
            table.insert(key, value(text));
        }
    }
}

fn unset(document: &mut DocumentMut, name: &str) {
    let Some(table) = document.get_mut(first(name)).and_then(Item::as_table_like_mut) else { return };
    let above = comment_above(table, last(name));
    if table.remove(last(name)).is_none() {
        return;
    }
    // A comment about the file as a whole stands above its first key.
    let rest = document.trailing().as_str().unwrap_or_default();
    if let Some((kept, _)) = above.rsplit_once("\n\n") {
        let kept = format!("{kept}\n{rest}");
        document.set_trailing(kept);
    }
}

fn comment_above(table: &dyn TableLike, key: &str) -> String {
    let decor = match table.get(key) {
        Some(Item::ArrayOfTables(tables)) => tables.get(0).map(Table::decor),
        _ => table.key(key).map(toml_edit::Key::leaf_decor),
    };
    let prefix = decor.and_then(|decor| decor.prefix()).and_then(|prefix| prefix.as_str());
    prefix.filter(|prefix| prefix.contains('#')).unwrap_or_default().to_owned()
}
