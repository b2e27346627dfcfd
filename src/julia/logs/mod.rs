//! The two logs of OhMyArtifacts.jl: who bound what when, and what was found unused when.
//!
//! Why: its gc deletes what these files do not protect, and recursively deletes any path they name.
//! So they are read as hostile, and written so that nothing Julia wrote gets lost.
//! Guarantees: a bad entry is skipped with a complaint that names its line, and written back as it
//! was unless a good one takes its place; only ids inside `artifacts/` are ever added; paths are
//! spelt as the space's root is.
//! Must not know: locks, the store, or whether what a log names is there.

mod orphans;
mod usage;

use std::path::Path;

use toml::Table;

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::julia::document::Document;
use crate::text::{printable, printable_path};

pub(crate) use orphans::OrphanLog;
pub(crate) use usage::{FileKey, UsageLog};

/// More complaints about one file than anybody reads; the rest are counted.
const MOST_COMPLAINTS: usize = 100;
/// How much of a key is shown in a complaint, in characters.
const SHOWN: usize = 200;

/// Takes a path in a log apart: the root of its space as it was spelt, and the artifact's id.
///
/// None unless it reads `/…/artifacts/<2 hex>/<64 hex>`, in lower case, as the program spells it.
fn artifact_of(path: &str) -> Option<(&str, Digest)> {
    let (rest, name) = path.rsplit_once('/')?;
    let (rest, folder) = rest.rsplit_once('/')?;
    let root = rest.strip_suffix("/artifacts")?;
    let id: Digest = name.parse().ok()?;
    let as_spelt = id.to_string() == name && name.starts_with(folder) && folder.len() == 2;
    (as_spelt && is_root(root)).then_some((root, id))
}

/// Tells whether a text is an absolute path without its trailing slash.
fn is_root(text: &str) -> bool {
    text.is_empty() || text.starts_with('/')
}

/// Returns a path as the key of a log.
fn log_key(path: &Path) -> Result<String> {
    let refuse = |reason: &str| Error::Unwritable { key: printable_path(path), reason: reason.to_owned() };
    let text = path.to_str().ok_or_else(|| refuse("Julia's logs hold paths that are UTF-8 only"))?;
    if !path.is_absolute() {
        return Err(refuse("Julia's logs hold absolute paths only"));
    }
    Ok(text.to_owned())
}

/// Returns the table under a key, putting an empty one there if there is none.
fn table_at(table: &mut Table, key: String) -> &mut Table {
    let value = table.entry(key).or_insert_with(|| Table::new().into());
    if !value.is_table() {
        *value = Table::new().into();
    }
    value.as_table_mut().expect("a table was just put there")
}

/// What is wrong with the entries of a log, up to a number.
struct Complaints<'a> {
    document: &'a Document,
    errors: Vec<Error>,
    untold: usize,
    last_key: &'a str,
}

impl<'a> Complaints<'a> {
    fn new(document: &'a Document) -> Self {
        Self { document, errors: Vec::new(), untold: 0, last_key: "" }
    }

    /// Notes that something under a topmost key is skipped; `problem` fits after the `entry`.
    fn skip(&mut self, key: &'a str, entry: &str, problem: &str) {
        self.last_key = key;
        if self.errors.len() == MOST_COMPLAINTS {
            self.untold += 1;
            return;
        }
        let reason = format!("skipped: `{}` {problem}", shown(entry));
        self.errors.push(self.document.complaint(key, reason));
    }

    fn finish(mut self) -> Vec<Error> {
        if self.untold > 0 {
            let reason = format!("skipped: {} more entries that are not as they should be", self.untold);
            self.errors.push(self.document.complaint(self.last_key, reason));
        }
        self.errors
    }
}

fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", printable(&text.as_bytes()[..end])),
        None => printable(text.as_bytes()),
    }
}

#[cfg(test)]
mod tests;
