//! Binds and unbinds names in a live scratch space.
//!
//! Why: what is bound here must be bound for Julia's programs too, and nothing they wrote may be lost.
//! Guarantees: a file is read again under its lock before it is changed, and what is not meant is
//! left as it is, understood or not; a file that cannot be parsed is never overwritten; nothing is
//! written at all unless everything can be read by Julia; after a crash an artifact may be logged
//! and not bound, never bound and not logged, which Julia's gc would delete.
//! Must not know: where the bindings come from.
//!
//! OhMyArtifacts.jl writes the binding first and the log later. Here the log's lock is held around
//! both, the order its gc takes the two locks in, so that no gc can come between them.

use std::collections::BTreeSet;
use std::path::PathBuf;

use toml::{Table, Value};

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::event::Event;
use crate::fs::lstat;
use crate::julia::live::{LiveSpace, random_name};
use crate::julia::{Document, OrphanLog, SpaceFile, UsageLog, Zone, print};
use crate::time::Timestamp;

/// A name that is to stand for an artifact.
#[derive(Debug, Clone)]
pub(crate) struct NewBinding<'a> {
    /// Any text, the empty one too.
    pub(crate) name: &'a str,
    pub(crate) id: Digest,
    pub(crate) is_dir: bool,
    /// The whole of the key `meta`.
    pub(crate) meta: Option<&'a Value>,
    /// Whether a name that is taken changes its meaning.
    pub(crate) force: bool,
}

/// What a name stood for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Held {
    pub(crate) name: String,
    /// None if the entry names no artifact of this kind.
    pub(crate) id: Option<Digest>,
    /// The whole entry.
    pub(crate) entry: Value,
}

impl Held {
    fn new(name: &str, entry: Value) -> Self {
        let id = entry.get("sha256").and_then(Value::as_str).and_then(|hex| hex.parse().ok());
        Self { name: name.to_owned(), id, entry }
    }
}

/// What became of a name that was to be bound.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Bind {
    Made,
    /// It stood for something else, or for the same with other metadata.
    Replaced(Held),
    /// It is taken and was not to be replaced: nothing was changed.
    Taken(Held),
}

/// A name and what it uses.
type Use<'a> = (&'a str, &'a BTreeSet<Digest>);

impl LiveSpace {
    /// Returns the bindings file of a package, whether it is there or not.
    ///
    /// # Errors
    /// [`Error::Invalid`] for what is no UUID, or a version that is no part of a file's name.
    pub(crate) fn file(&self, uuid: &str, version: Option<&str>) -> Result<SpaceFile> {
        if !is_uuid(uuid) {
            return Err(Error::invalid("package UUID", uuid, "it has 8-4-4-4-12 lower-case hex digits"));
        }
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b".-+_".contains(&byte);
        if let Some(version) = version.filter(|version| version.is_empty() || !version.bytes().all(fits)) {
            return Err(Error::invalid("package version", version, "it is written like `1.2.3-rc1+build.5`"));
        }
        let path = self.space.bindings_file(uuid, version);
        Ok(SpaceFile { uuid: uuid.to_owned(), version: version.map(str::to_owned), path })
    }

    /// Reads a bindings file under its lock; none if there is none.
    pub(crate) fn read_bindings(&self, file: &SpaceFile, now: Timestamp) -> Result<Option<Document>> {
        if lstat(&file.path)?.is_none() {
            return Ok(None);
        }
        let lock = self.lock_bindings(&file.path, now)?;
        let document = Document::read(&file.path)?;
        lock.release()?;
        Ok(document)
    }

    /// Binds names of one package, all in one pass; returns what became of each.
    ///
    /// # Errors
    /// [`Error::NoSuchObject`] if an artifact is not in the space, [`Error::Unwritable`] for what
    /// Julia cannot read, [`Error::Toml`] for a broken file; then nothing was changed.
    pub(crate) fn bind(&self, file: &SpaceFile, new: &[NewBinding<'_>], now: Timestamp) -> Result<Vec<Bind>> {
        let logs = self.lock_logs(now)?;
        // Under the lock: Julia's gc takes directories apart file by file.
        let uses = new.iter().map(|binding| self.uses(binding)).collect::<Result<Vec<_>>>()?;
        self.disk.create_dir_all(file.path.parent().unwrap_or(&file.path))?;
        let log_path = self.space.usage_log();
        let (mut log, _) = UsageLog::read(&self.space, Zone::Local)?;
        let bindings = self.lock_bindings(&file.path, now)?;
        let mut table = Document::read(&file.path)?.map(|found| found.table().clone()).unwrap_or_default();
        let outcomes: Vec<Bind> = new.iter().map(|binding| enter(&mut table, binding)).collect();
        let bound = |(outcome, uses): (&Bind, _)| (!matches!(outcome, Bind::Taken(_))).then_some(uses);
        let bound: Vec<Use<'_>> =
            outcomes.iter().zip(new.iter().map(|new| new.name).zip(&uses)).filter_map(bound).collect();
        if !bound.is_empty() {
            let text = print(&table)?;
            let log = self.log_uses(&mut log, file, &bound, now)?;
            self.replace(&log_path, &log)?;
            self.replace(&file.path, &text)?;
        }
        bindings.release()?;
        self.forget_orphans(&bound);
        logs.release()?;
        Ok(outcomes)
    }

    /// Tells what has all these names, if none of them can be bound.
    ///
    /// # Errors
    /// [`Error::Unwritable`] for what Julia cannot read, [`Error::Toml`] for a broken file.
    pub(super) fn all_taken(
        &self,
        file: &SpaceFile,
        new: &[NewBinding<'_>],
        now: Timestamp,
    ) -> Result<Option<Vec<Bind>>> {
        let mut table = self.read_bindings(file, now)?.map(|found| found.table().clone()).unwrap_or_default();
        let outcomes: Vec<Bind> = new.iter().map(|binding| enter(&mut table, binding)).collect();
        if outcomes.iter().all(|outcome| matches!(outcome, Bind::Taken(_))) {
            return Ok(Some(outcomes));
        }
        print(&table).map(|_| None)
    }

    /// Writes a bindings file anew that is empty or broken, and notes what its names use; returns where
    /// what was there lies now.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the file is not there or has been mended meanwhile, [`Error::NoSuchObject`] if
    /// an artifact is not in the space, [`Error::Unwritable`] for what Julia cannot read; then nothing was
    /// changed.
    pub(crate) fn restore(&self, file: &SpaceFile, table: &Table, now: Timestamp) -> Result<PathBuf> {
        let text = print(table)?;
        let logs = self.lock_logs(now)?;
        let uses = table.iter().map(|(name, entry)| Ok((name.as_str(), self.entry_uses(entry)?)));
        let uses: Vec<(&str, BTreeSet<Digest>)> = uses.collect::<Result<_>>()?;
        let uses: Vec<Use<'_>> = uses.iter().map(|(name, uses)| (*name, uses)).collect();
        let (mut log, _) = UsageLog::read(&self.space, Zone::Local)?;
        let lock = self.lock_bindings(&file.path, now)?;
        if Document::read(&file.path).is_ok_and(|found| found.is_none_or(|found| is_whole(found.table()))) {
            let reason = "it was written anew by another program";
            return Err(Error::invalid("torn file", &file.path.to_string_lossy(), reason));
        }
        let aside = self.keep_aside(file, now)?;
        let log = self.log_uses(&mut log, file, &uses, now)?;
        self.replace(&self.space.usage_log(), &log)?;
        self.replace(&file.path, &text)?;
        lock.release()?;
        self.forget_orphans(&uses);
        logs.release()?;
        Ok(aside)
    }

    /// Keeps a torn file for a person to look at.
    fn keep_aside(&self, file: &SpaceFile, now: Timestamp) -> Result<PathBuf> {
        let folder = self.space.root().join(".oma/torn");
        self.disk.create_dir_all(&folder)?;
        let name = file.path.file_name().unwrap_or_default().to_string_lossy();
        let aside = folder.join(format!("{}-{name}-{}-{}", file.uuid, now.as_millis(), random_name()?));
        self.disk.hard_link(&file.path, &aside)?;
        Ok(aside)
    }

    /// Unbinds names of one package; returns what they stood for. One that is not bound is fine.
    pub(crate) fn unbind(&self, file: &SpaceFile, names: &[&str], now: Timestamp) -> Result<Vec<Held>> {
        self.unbind_if(file, names, &|_| true, now)
    }

    /// Unbinds a name if it still stands for this; false if it stands for something else.
    pub(crate) fn unbind_same(&self, file: &SpaceFile, name: &str, id: Option<Digest>, now: Timestamp) -> Result<bool> {
        let held = self.unbind_if(file, &[name], &|held| held.id == id, now)?;
        Ok(!held.is_empty())
    }

    fn unbind_if(
        &self,
        file: &SpaceFile,
        names: &[&str],
        is_meant: &dyn Fn(&Held) -> bool,
        now: Timestamp,
    ) -> Result<Vec<Held>> {
        if lstat(&file.path)?.is_none() {
            return Ok(Vec::new());
        }
        let lock = self.lock_bindings(&file.path, now)?;
        let mut table = Document::read(&file.path)?.map(|found| found.table().clone()).unwrap_or_default();
        let held = names.iter().filter_map(|name| table.get(*name).map(|entry| Held::new(name, entry.clone())));
        let mut held: Vec<Held> = held.filter(is_meant).collect();
        held.retain(|held| table.remove(&held.name).is_some());
        if !held.is_empty() {
            self.replace(&file.path, &print(&table)?)?;
        }
        lock.release()?;
        Ok(held)
    }

    fn entry_uses(&self, entry: &Value) -> Result<BTreeSet<Digest>> {
        let Some(id) = Held::new("", entry.clone()).id else { return Ok(BTreeSet::new()) };
        let is_dir = entry.get("isdir").and_then(Value::as_bool).unwrap_or_default();
        self.uses(&NewBinding { name: "", id, is_dir, meta: None, force: false })
    }

    /// Returns what a binding uses: the artifact, and each file of a directory.
    fn uses(&self, binding: &NewBinding<'_>) -> Result<BTreeSet<Digest>> {
        let found = lstat(&self.space.artifact(binding.id))?;
        let is_there = found.is_some_and(|found| if binding.is_dir { found.is_dir() } else { found.is_file() });
        if !is_there {
            return Err(Error::NoSuchObject { hash: binding.id });
        }
        let mut uses = if binding.is_dir { self.space.blobs_of(binding.id)? } else { BTreeSet::new() };
        uses.insert(binding.id);
        Ok(uses)
    }

    /// Notes these uses; returns the log as text.
    fn log_uses(&self, log: &mut UsageLog, file: &SpaceFile, bound: &[Use<'_>], now: Timestamp) -> Result<String> {
        for (name, uses) in bound {
            for id in *uses {
                log.note(*id, &file.uuid, file.version.as_deref(), name, now);
            }
        }
        print(&log.to_toml(&self.space, Zone::Local)?)
    }

    /// What is bound again is no orphan any more; the time it was found unused at is void. The lock
    /// of the logs must be held.
    fn forget_orphans(&self, bound: &[Use<'_>]) {
        let outcome = self.edit_orphans(&mut |orphans| {
            for id in bound.iter().flat_map(|(_, uses)| *uses) {
                orphans.forget(*id);
            }
        });
        if let Err(error) = outcome {
            let message = format!("an artifact may be collected too early: {error}");
            self.waiting.observer.on(&Event::Warning { message: &message });
        }
    }

    /// Changes the log of orphans. The lock of the logs must be held.
    pub(super) fn edit_orphans(&self, edit: &mut dyn FnMut(&mut OrphanLog)) -> Result<()> {
        let (old, _) = OrphanLog::read(&self.space, Zone::Local)?;
        let mut new = old.clone();
        edit(&mut new);
        if new == old {
            return Ok(());
        }
        self.replace_quietly(&self.space.orphan_log(), &print(&new.to_toml(&self.space, Zone::Local)?)?)
    }
}

/// Tells whether a bindings file holds something, and all of each binding.
fn is_whole(table: &Table) -> bool {
    let whole = |entry: &Value| entry.get("sha256").is_some() && entry.get("isdir").is_some();
    !table.is_empty() && table.values().all(whole)
}

/// Binds a name in the content of a bindings file.
fn enter(table: &mut Table, new: &NewBinding<'_>) -> Bind {
    if let Some(held) = table.get(new.name).filter(|_| !new.force) {
        return Bind::Taken(Held::new(new.name, held.clone()));
    }
    let mut entry = Table::new();
    entry.insert("sha256".to_owned(), Value::String(new.id.to_string()));
    entry.insert("isdir".to_owned(), Value::Boolean(new.is_dir));
    if let Some(meta) = new.meta {
        entry.insert("meta".to_owned(), meta.clone());
    }
    match table.insert(new.name.to_owned(), Value::Table(entry)) {
        Some(held) => Bind::Replaced(Held::new(new.name, held)),
        None => Bind::Made,
    }
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        })
}

#[cfg(test)]
mod tests;
