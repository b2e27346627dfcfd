//! Finds out what is bound in a live scratch space.
//!
//! Why: before anything is taken away, everybody who may use it is asked.
//! Guarantees: each bindings file is read under its own lock, so none is seen half written; an entry
//! that is not understood keeps whatever it names; what a file outside of the space binds is kept as
//! long as that file is there, and that file is not opened.
//! Must not know: what is to be collected.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io;
use std::path::Path;

use toml::Value;

use crate::digest::Digest;
use crate::error::{Error, PathContext as _, Result};
use crate::fs::lstat;
use crate::julia::live::LiveSpace;
use crate::julia::space::linked_from;
use crate::julia::{FileKey, ScratchSpace, UsageLog};
use crate::time::Timestamp;

/// Who is bound.
#[derive(Debug, Default)]
pub(super) struct Census {
    /// What a name stands for, or may stand for.
    pub(super) bound: HashSet<Digest>,
    /// Why the list may be incomplete.
    pub(super) unreadable: Vec<Error>,
}

impl LiveSpace {
    /// Reads all bindings. The lock of the logs must be held.
    pub(super) fn census(&self, log: &UsageLog, now: Timestamp) -> Result<Census> {
        let mut census = Census::default();
        let mut lost = BTreeSet::new();
        for file in self.space.files()? {
            let key = FileKey { uuid: file.uuid.clone(), version: file.version.clone() };
            match self.read_bindings(&file, now) {
                Ok(None) => {}
                Ok(Some(document)) => {
                    for (name, entry) in document.table() {
                        self.count(&key, name, entry, &mut census, &mut lost)?;
                    }
                }
                Err(error @ (Error::Busy { .. } | Error::Interrupted)) => return Err(error),
                Err(error) => census.unreadable.push(error),
            }
        }
        // Of a directory that was deleted by hand only the log knows which files it had.
        let of_lost = log.entries().filter(|(_, file, name, _)| lost.contains(&((*file).clone(), (*name).to_owned())));
        census.bound.extend(of_lost.map(|(id, ..)| id));
        let mut seen = HashMap::new();
        for (id, path) in log.elsewhere() {
            if *seen.entry(path).or_insert_with(|| may_be_there(path)) {
                census.bound.insert(id);
            }
        }
        Ok(census)
    }

    fn count(
        &self,
        file: &FileKey,
        name: &str,
        entry: &Value,
        census: &mut Census,
        lost: &mut BTreeSet<(FileKey, String)>,
    ) -> Result<()> {
        let id: Option<Digest> = entry.get("sha256").and_then(Value::as_str).and_then(|hex| hex.parse().ok());
        let Some(id) = id else {
            gather(entry, &mut census.bound);
            return Ok(());
        };
        census.bound.insert(id);
        if lstat(&self.space.artifact(id))?.is_none() {
            lost.insert((file.clone(), name.to_owned()));
        }
        Ok(())
    }
}

/// Keeps whatever an entry names that is not understood.
fn gather(value: &Value, ids: &mut HashSet<Digest>) {
    match value {
        Value::String(text) => ids.extend(text.parse::<Digest>().ok()),
        Value::Array(items) => items.iter().for_each(|item| gather(item, ids)),
        Value::Table(table) => table.values().for_each(|value| gather(value, ids)),
        _ => {}
    }
}

/// Tells whether a bindings file may be there; a relative path depends on where Julia runs.
fn may_be_there(path: &str) -> bool {
    let path = Path::new(path);
    let absent = |error: io::Error| matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory);
    path.is_relative() || !std::fs::metadata(path).is_err_and(absent)
}

/// What lies in the artifacts of a space.
#[derive(Debug, Default)]
pub(super) struct Stock {
    pub(super) files: BTreeSet<Digest>,
    /// Each directory with the files it links to.
    pub(super) directories: HashMap<Digest, BTreeSet<Digest>>,
    /// What a running create of Julia's links to.
    pub(super) in_the_making: BTreeSet<Digest>,
}

impl Stock {
    /// Lists the artifacts of a space.
    pub(super) fn take(space: &ScratchSpace) -> Result<Self> {
        let mut stock = Self { in_the_making: in_the_making(space)?, ..Self::default() };
        for folder in children(&space.artifacts())?.into_iter().filter(|folder| folder.len() == 2) {
            let path = space.artifacts().join(&folder);
            for child in children(&path)? {
                let id: Option<Digest> = child.parse().ok();
                let Some(id) = id.filter(|id| space.artifact(*id) == path.join(&child)) else { continue };
                match lstat(&path.join(&child))? {
                    Some(found) if found.is_dir() => {
                        stock.directories.insert(id, space.blobs_of(id)?);
                    }
                    Some(_) => {
                        stock.files.insert(id);
                    }
                    None => {}
                }
            }
        }
        Ok(stock)
    }

    pub(super) fn has(&self, id: Digest) -> bool {
        self.files.contains(&id) || self.directories.contains_key(&id)
    }
}

/// Returns what running creates of Julia's link to.
pub(super) fn in_the_making(space: &ScratchSpace) -> Result<BTreeSet<Digest>> {
    let others = children(&space.artifacts())?.into_iter().filter(|folder| folder.len() != 2);
    let shadows = others.map(|folder| space.artifacts().join(folder).join("shadow"));
    Ok(shadows.flat_map(|shadow| linked_from(&shadow).unwrap_or_default()).collect())
}

/// Returns the names in a folder that are text; nothing if there is no such folder.
pub(super) fn children(folder: &Path) -> Result<Vec<String>> {
    let listing = match std::fs::read_dir(folder) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        other => other.at("list", folder)?,
    };
    let mut names = Vec::new();
    for entry in listing {
        names.extend(entry.at("list", folder)?.file_name().into_string().ok());
    }
    Ok(names)
}
