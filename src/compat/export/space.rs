//! Writes the text files of a scratch space: the owners' bindings and the two logs.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use toml::Table;

use crate::cache::Cache;
use crate::compat::export::artifacts::Placing;
use crate::compat::export::snapshot::Snapshot;
use crate::compat::export::{ExportOptions, ExportReport, ExportedFile};
use crate::error::{Error, PathContext as _, Result};
use crate::fs::{Disk, lstat, open_source};
use crate::julia::{OrphanLog, ScratchSpace, UsageLog, Zone, print};
use crate::model::OwnerId;
use crate::text::{printable, printable_path};

/// The longest name of a file, in bytes.
const LONGEST_FILE_NAME: usize = 255;

/// A file as it is to be.
struct Draft {
    path: PathBuf,
    owner: Option<OwnerId>,
    text: String,
    entries: u64,
    there: bool,
}

/// Checks everything, then writes everything: what names stand for comes before the names.
pub(super) fn write(
    cache: &Cache,
    dir: &Path,
    snapshot: &Snapshot,
    tables: BTreeMap<OwnerId, Table>,
    options: &ExportOptions,
) -> Result<ExportReport> {
    let dir = std::path::absolute(dir).at("resolve", dir)?;
    let space = ScratchSpace::new(&dir);
    let drafts = drafts(&space, snapshot, tables)?;
    let drafts = settle(&space, drafts, options.force)?;
    let placing = options.artifacts.then(|| Placing::plan(cache, &space, snapshot)).transpose()?;
    let disk = &cache.store.disk;
    for folder in [space.root().to_owned(), space.artifacts(), space.logs()] {
        disk.create_dir_all(&folder)?;
    }
    let mut report = ExportReport::default();
    if let Some(placing) = placing {
        placing.carry_out(&mut report)?;
    }
    for draft in drafts {
        cache.waiting.interrupt.check()?;
        if !draft.there {
            replace(disk, &draft.path, draft.text.as_bytes())?;
        }
        report.files.push(ExportedFile {
            written: !draft.there,
            path: draft.path,
            owner: draft.owner.as_ref().map(|owner| owner.key().to_owned()),
            version: draft.owner.as_ref().and_then(OwnerId::version).map(str::to_owned),
            entries: draft.entries,
        });
    }
    Ok(report)
}

fn drafts(space: &ScratchSpace, snapshot: &Snapshot, tables: BTreeMap<OwnerId, Table>) -> Result<Vec<Draft>> {
    let mut drafts = Vec::new();
    for (owner, table) in tables {
        check_owner(&owner)?;
        let path = space.bindings_file(owner.key(), owner.version());
        let text = print(&table).map_err(|error| named_after(error, &owner))?;
        drafts.push(Draft { path, owner: Some(owner), text, entries: table.len() as u64, there: false });
    }
    let logs = [(space.usage_log(), uses(space, snapshot)?), (space.orphan_log(), orphans(space, snapshot)?)];
    for (path, table) in logs {
        let text = print(&table)?;
        drafts.push(Draft { path, owner: None, text, entries: table.len() as u64, there: false });
    }
    Ok(drafts)
}

/// Each artifact and each file of a directory counts as used, as OhMyArtifacts.jl writes it.
fn uses(space: &ScratchSpace, snapshot: &Snapshot) -> Result<Table> {
    let mut log = UsageLog::default();
    for row in snapshot.own_bindings() {
        let (uuid, version) = (row.owner.key(), row.owner.version());
        let entries = snapshot.trees.get(&row.artifact.hash).into_iter().flatten();
        let files = entries.filter_map(|entry| entry.node.blob()).map(|blob| blob.digest);
        for id in files.chain([row.artifact.hash]) {
            log.note(id, uuid, version, &row.name, row.bound_at);
        }
    }
    log.to_toml(space, Zone::Local)
}

fn orphans(space: &ScratchSpace, snapshot: &Snapshot) -> Result<Table> {
    let mut log = OrphanLog::default();
    snapshot.orphans.iter().for_each(|(id, since)| log.note(*id, *since));
    log.to_toml(space, Zone::Local)
}

/// Refuses owners after whom no folder can be named in which Julia would look.
fn check_owner(owner: &OwnerId) -> Result<()> {
    let is_uuid = owner.key().len() == 36
        && owner.key().bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        });
    if !is_uuid {
        let reason = "a scratch space has folders named by UUIDs in lower case, such as \
                      `6ba7b810-9dad-11d1-80b4-00c04fd430c8`";
        return Err(Error::invalid("owner of a scratch space", &owner.to_string(), reason));
    }
    let version = owner.version().unwrap_or_default();
    let fits = "Artifacts_v.toml".len() + version.len() <= LONGEST_FILE_NAME;
    if !fits || version.contains('/') || version.chars().any(char::is_control) {
        let reason = "its version cannot be part of a file's name";
        return Err(Error::invalid("owner of a scratch space", &owner.to_string(), reason));
    }
    Ok(())
}

/// Says in whose file a value stands.
fn named_after(error: Error, owner: &OwnerId) -> Error {
    match error {
        Error::Unwritable { key, reason } => {
            let reason = format!("{reason}; it is one of {}", printable(owner.to_string().as_bytes()));
            Error::Unwritable { key, reason }
        }
        other => other,
    }
}

/// Finds out what of it is there, and refuses to write over what says something else.
fn settle(space: &ScratchSpace, drafts: Vec<Draft>, force: bool) -> Result<Vec<Draft>> {
    let refuse = |reason: String| Err(Error::invalid("folder for an export", &space.root().to_string_lossy(), reason));
    if std::fs::metadata(space.root()).is_ok_and(|found| !found.is_dir()) {
        return refuse("it is no folder".to_owned());
    }
    if is_empty(space.root())? {
        return Ok(drafts);
    }
    if !ScratchSpace::is_one(space.root())? {
        return refuse("it is neither empty nor a scratch space".to_owned());
    }
    // The logs speak of all files: one that is not exported would lose what protects its artifacts.
    let others = space.files()?.into_iter().find(|file| drafts.iter().all(|draft| draft.path != file.path));
    if let Some(other) = others {
        let path = printable_path(other.path.strip_prefix(space.root()).unwrap_or(&other.path));
        return refuse(format!("its `{path}` is not part of this export"));
    }
    let mut settled = Vec::with_capacity(drafts.len());
    for mut draft in drafts {
        draft.there = is_same(&draft.path, draft.text.as_bytes())?;
        let differs = !draft.there && lstat(&draft.path)?.is_some();
        let path = printable_path(draft.path.strip_prefix(space.root()).unwrap_or(&draft.path));
        if !draft.there && space.depot().is_some() {
            return refuse(format!("a Julia program may be using it, and its `{path}` would change"));
        }
        if differs && !force {
            return refuse(format!("its `{path}` says something else; `--force` writes over it"));
        }
        settled.push(draft);
    }
    Ok(settled)
}

fn is_empty(folder: &Path) -> Result<bool> {
    match std::fs::read_dir(folder) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(Error::io("list", folder, error)),
    }
}

/// Tells whether a file is there with this very content.
fn is_same(path: &Path, content: &[u8]) -> Result<bool> {
    if lstat(path)?.is_none_or(|found| !found.is_file() || found.len() != content.len() as u64) {
        return Ok(false);
    }
    let (file, _) = open_source(path)?;
    let mut found = Vec::with_capacity(content.len());
    file.take(content.len() as u64 + 1).read_to_end(&mut found).at("read", path)?;
    Ok(found == content)
}

/// Writes a file whole or not at all.
fn replace(disk: &Disk, path: &Path, content: &[u8]) -> Result<()> {
    let folder = path.parent().ok_or_else(|| Error::Internal("a file of a space has no folder".to_owned()))?;
    disk.create_dir_all(folder)?;
    let draft = folder.join(format!(".oma-{}.tmp", std::process::id()));
    disk.remove_all(&draft)?;
    let written = disk
        .write_new(&draft, content, 0o644)
        .and_then(|()| disk.flush(&draft))
        .and_then(|()| disk.rename(&draft, path));
    if written.is_err() {
        // The first error says more than a second one, about the clearing up, could.
        drop(disk.remove_all(&draft));
    }
    written
}
