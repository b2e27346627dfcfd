//! A mirror of an attached space: an index of its own, in this store's schema, of what lies there.
//!
//! Each look compares the stamps of folders and files first and reads again only what has changed:
//! folders of artifacts by their listing, bindings files under their locks. The mirror can be thrown
//! away at any time; a store that cannot be written makes one in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::cache::Cache;
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::event::Event;
use crate::fs::lstat;
use crate::index::{Birth, Index, MirroredObject, ReadTx, Settings, SpaceBindingRow, SpaceRow, WriteTx};
use crate::julia::{
    Document, FileKey, LiveSpace, OrphanLog, SpaceBinding, SpaceFile, Stored, StoredNode, UsageLog, Zone,
};
use crate::model::{Durability, LinkStyle, Metadata, ObjectKind, OwnerId};
use crate::time::Timestamp;

/// The only space of a mirror.
const SELF: i64 = 1;
/// Stands for this store among the stamps.
const OURS: &str = "(this store)";
/// The stamp of a bindings file that could not be read.
const UNREADABLE: &str = "(unreadable)";

/// What packages bind, and the paths of files that could not be read.
type Read = (Vec<(OwnerId, Vec<SpaceBindingRow>)>, Vec<String>);

/// What an attached space holds, as rows.
pub(crate) struct Mirror {
    pub(crate) space: SpaceRow,
    index: Index,
}

/// What has changed since the last look.
struct Changes {
    stamps: BTreeMap<String, String>,
    shelves: BTreeSet<PathBuf>,
    files: Vec<SpaceFile>,
    gone_owners: Vec<OwnerId>,
    ours: bool,
}

impl Mirror {
    pub(crate) fn read<T>(&self, ask: impl FnOnce(&ReadTx<'_>) -> Result<T>) -> Result<T> {
        self.index.read(ask)
    }

    /// Throws a mirror away. What cannot be removed is overwritten by the next one.
    pub(super) fn remove(cache: &Cache, space: &SpaceRow) {
        let path = cache.store.layout.mirror(space.id);
        for suffix in ["", "-wal", "-shm"] {
            let mut name = path.clone().into_os_string();
            name.push(suffix);
            let _ = cache.store.disk.remove_file(Path::new(&name));
        }
    }
}

impl Cache {
    /// Returns the mirrors of all attached spaces, up to date. A space that cannot be read is said and
    /// left out.
    pub(crate) fn mirrors(&self) -> Result<Vec<Mirror>> {
        let mut mirrors = Vec::new();
        for space in self.read(|tx| tx.spaces())? {
            match self.mirror(&space) {
                Ok(mirror) => mirrors.push(mirror),
                Err(error @ (Error::Interrupted | Error::Busy { .. })) => return Err(error),
                Err(error) => {
                    let message = format!("an attached space is left out: {error}");
                    self.waiting.observer.on(&Event::Warning { message: &message });
                }
            }
        }
        Ok(mirrors)
    }

    /// Returns the mirror of a space, up to date.
    pub(crate) fn mirror(&self, space: &SpaceRow) -> Result<Mirror> {
        let mirror = Mirror { space: space.clone(), index: self.open_mirror(space)? };
        let live = match self.live_space(space) {
            // Moved, or not mounted: who was bound there may be so again.
            Err(error @ Error::NoSuchPath { .. }) => {
                let message = format!("{error}; what an attached space held before is shown");
                self.waiting.observer.on(&Event::Warning { message: &message });
                return Ok(mirror);
            }
            other => other?,
        };
        let changes = mirror.changes(self, &live)?;
        if let Some(changes) = changes {
            Refresh { cache: self, live: &live, mirror: &mirror }.run(&changes)?;
        }
        Ok(mirror)
    }

    fn open_mirror(&self, space: &SpaceRow) -> Result<Index> {
        let now = self.now();
        if self.is_read_only() {
            return Index::empty(now);
        }
        let path = self.store.layout.mirror(space.id);
        if let Some(folder) = path.parent() {
            self.store.disk.ensure_dir(folder)?;
        }
        let settings = Settings { link_style: LinkStyle::Absolute, durability: Durability::None };
        let open = || Index::open(&path, Some(Birth { settings, now }), &self.store.disk, &self.waiting);
        let index = match open() {
            // Nothing in it is worth a repair.
            Err(Error::Database { .. } | Error::NotAStore { .. } | Error::SchemaTooNew { .. }) => {
                Mirror::remove(self, space);
                open()
            }
            other => other,
        }?;
        let index = index.ok_or_else(|| Error::Internal("a new mirror is empty".to_owned()))?;
        let is_for = index.read(|tx| tx.spaces())?.first().map(|row| row.root.clone());
        if is_for.as_deref() != Some(&space.root) {
            // The number of a space that was detached may be given again.
            index.write(now, |tx| {
                tx.attach(&space.root.to_string_lossy(), None, false)?;
                tx.set_space_stamps(SELF, &BTreeMap::new())
            })?;
        }
        Ok(index)
    }
}

impl Mirror {
    fn changes(&self, cache: &Cache, live: &LiveSpace) -> Result<Option<Changes>> {
        let known = self.index.read(|tx| tx.space_stamps(SELF))?;
        let space = live.space();
        let mut stamps = BTreeMap::new();
        let mut shelves = BTreeSet::new();
        for shelf in space.shelves()? {
            if note(&mut stamps, &known, &shelf)? {
                shelves.insert(shelf);
            }
        }
        let mut files = Vec::new();
        for file in space.files()? {
            if note(&mut stamps, &known, &file.path)? {
                files.push(file);
            }
        }
        let usage = note(&mut stamps, &known, &space.usage_log())?;
        let orphans = note(&mut stamps, &known, &space.orphan_log())?;
        let (objects, gc) = cache.read(|tx| tx.object_changes())?;
        stamps.insert(OURS.to_owned(), format!("{objects} {gc}"));
        let ours = known.get(OURS) != stamps.get(OURS);
        let gone: Vec<&str> = known.keys().filter(|path| !stamps.contains_key(*path)).map(String::as_str).collect();
        shelves
            .extend(gone.iter().filter(|path| Path::new(path).parent() == Some(&space.artifacts())).map(PathBuf::from));
        let gone_owners = gone.iter().filter_map(|path| FileKey::of(Path::new(path)));
        let gone_owners = gone_owners.filter_map(|key| OwnerId::new(&key.uuid, key.version.as_deref()).ok()).collect();
        let logs = usage || orphans;
        let none = shelves.is_empty() && files.is_empty() && gone.is_empty() && !logs && !ours;
        Ok((!none).then_some(Changes { stamps, shelves, files, gone_owners, ours }))
    }
}

/// Takes a stamp; tells whether it is another than the one known.
fn note(stamps: &mut BTreeMap<String, String>, known: &BTreeMap<String, String>, path: &Path) -> Result<bool> {
    let Some(found) = lstat(path)? else { return Ok(false) };
    let stamp = format!(
        "{} {} {}.{:09} {}.{:09}",
        found.ino(),
        found.len(),
        found.mtime(),
        found.mtime_nsec(),
        found.ctime(),
        found.ctime_nsec()
    );
    let path = path.to_string_lossy().into_owned();
    let changed = known.get(&path) != Some(&stamp);
    stamps.insert(path, stamp);
    Ok(changed)
}

/// Reads again what has changed.
struct Refresh<'a> {
    cache: &'a Cache,
    live: &'a LiveSpace,
    mirror: &'a Mirror,
}

impl Refresh<'_> {
    fn run(&self, changes: &Changes) -> Result<()> {
        let now = self.cache.now();
        let known: BTreeMap<Digest, (i64, ObjectKind)> =
            self.mirror.read(|tx| tx.mirrored())?.into_iter().map(|(hash, id, kind)| (hash, (id, kind))).collect();
        let (new, gone) = self.objects(&changes.shelves, &known)?;
        let (bindings, unreadable) = self.bindings(&changes.files, now)?;
        let mut stamps = changes.stamps.clone();
        // No file has this stamp: it is read again, and said again, at the next look.
        stamps.extend(unreadable.into_iter().map(|path| (path, UNREADABLE.to_owned())));
        // The logs only tell times: without them everything is as old as its file.
        let orphaned = OrphanLog::read(self.live.space(), Zone::Local).map(|(log, _)| log).unwrap_or_default();
        self.mirror.index.write(now, |tx| {
            tx.clear_bindings()?;
            gone.iter().try_for_each(|id| tx.drop_mirrored(*id))?;
            self.add(tx, &new)?;
            for owner in &changes.gone_owners {
                tx.drop_space_owner(SELF, owner)?;
            }
            for (owner, rows) in &bindings {
                tx.drop_space_owner(SELF, owner)?;
                rows.iter().try_for_each(|row| tx.put_space_binding(SELF, row))?;
            }
            if changes.ours {
                self.tell_apart(tx)?;
            }
            tx.derive_bindings(orphaned.entries())?;
            tx.set_space_stamps(SELF, &stamps)
        })
    }

    /// Returns what came to the changed shelves, with the files each directory links to, and what went.
    #[expect(clippy::type_complexity, reason = "two lists of one walk")]
    fn objects(
        &self,
        shelves: &BTreeSet<PathBuf>,
        known: &BTreeMap<Digest, (i64, ObjectKind)>,
    ) -> Result<(Vec<(MirroredObject, Vec<Digest>)>, Vec<i64>)> {
        let mut new = Vec::new();
        let mut there = BTreeSet::new();
        for shelf in shelves {
            for id in self.live.space().ids_on(shelf)? {
                there.insert(id);
                if !known.contains_key(&id) {
                    new.extend(self.object(id)?);
                }
            }
        }
        let space = self.live.space();
        let on_changed = |id: &Digest| space.artifact(*id).parent().is_some_and(|shelf| shelves.contains(shelf));
        let gone = known.iter().filter(|(id, _)| on_changed(id) && !there.contains(id)).map(|(_, (id, _))| *id);
        Ok((new, gone.collect()))
    }

    fn object(&self, id: Digest) -> Result<Option<(MirroredObject, Vec<Digest>)>> {
        let space = self.live.space();
        let Some(found) = lstat(&space.artifact(id))? else { return Ok(None) };
        let changed_at = Timestamp::from_millis(found.mtime() * 1_000 + found.mtime_nsec() / 1_000_000);
        let (kind, size, files) = match space.stored(id)? {
            Stored::Missing | Stored::Foreign(_) => return Ok(None),
            Stored::File => {
                let kind = ObjectKind::file(found.mode() & 0o100 != 0);
                let own_bytes = if self.is_ours(kind, id, &found) { 0 } else { found.len() };
                let size = found.len();
                let object = MirroredObject { hash: id, kind, size, own_bytes, files: 1, changed_at };
                return Ok(Some((object, Vec::new())));
            }
            Stored::Tree(entries) => {
                let files = entries.iter().filter_map(|entry| match entry.node {
                    StoredNode::File(file) => Some(file),
                    _ => None,
                });
                let files: Vec<Digest> = files.collect();
                let size = |file: &Digest| lstat(&space.artifact(*file)).ok().flatten().map_or(0, |found| found.len());
                (ObjectKind::Tree, files.iter().map(size).sum(), files)
            }
        };
        let object = MirroredObject { hash: id, kind, size, own_bytes: 0, files: files.len() as u64, changed_at };
        Ok(Some((object, files)))
    }

    fn add(&self, tx: &WriteTx<'_>, new: &[(MirroredObject, Vec<Digest>)]) -> Result<()> {
        for (object, _) in new {
            tx.add_mirrored(object)?;
        }
        for (object, files) in new.iter().filter(|(_, files)| !files.is_empty()) {
            let Some(tree) = tx.mirrored_id(object.hash)? else { continue };
            let files = files.iter().map(|file| tx.mirrored_id(*file)).collect::<Result<Vec<_>>>()?;
            tx.add_members(tree, &files.into_iter().flatten().collect::<Vec<_>>())?;
        }
        Ok(())
    }

    /// A file that is one with this store's own takes no room there.
    fn tell_apart(&self, tx: &WriteTx<'_>) -> Result<()> {
        for (hash, id, kind) in tx.mirrored()? {
            if kind == ObjectKind::Tree {
                continue;
            }
            let Some(found) = lstat(&self.live.space().artifact(hash))? else { continue };
            let own_bytes = if self.is_ours(kind, hash, &found) { 0 } else { found.len() };
            tx.set_own_bytes(id, own_bytes)?;
        }
        Ok(())
    }

    fn is_ours(&self, kind: ObjectKind, id: Digest, found: &std::fs::Metadata) -> bool {
        if found.nlink() < 2 {
            return false;
        }
        let ours = lstat(&self.cache.store.layout.object(kind, id)).ok().flatten();
        ours.is_some_and(|ours| (ours.dev(), ours.ino()) == (found.dev(), found.ino()))
    }

    /// Reads bindings files under their locks; where a lock cannot be made, without.
    fn bindings(&self, files: &[SpaceFile], now: Timestamp) -> Result<Read> {
        let times = match files {
            [] => BTreeMap::new(),
            _ => self.bind_times(),
        };
        let (mut read, mut unreadable) = (Vec::new(), Vec::new());
        for file in files {
            let Ok(owner) = OwnerId::new(&file.uuid, file.version.as_deref()) else { continue };
            let document = match self.live.read_bindings(file, now) {
                Err(Error::Io { .. }) => Document::read(&file.path),
                other => other,
            };
            let document = match document {
                Ok(document) => document,
                Err(error @ Error::Toml { .. }) => {
                    let message = format!("{error}; what it bound before is shown");
                    self.cache.waiting.observer.on(&Event::Warning { message: &message });
                    unreadable.push(file.path.to_string_lossy().into_owned());
                    continue;
                }
                Err(error) => return Err(error),
            };
            let written = lstat(&file.path)?
                .map_or(now, |found| Timestamp::from_millis(found.mtime() * 1_000 + found.mtime_nsec() / 1_000_000));
            let rows = document.map(|document| rows(&owner, &document, &times, written)).unwrap_or_default();
            read.push((owner, rows));
        }
        Ok((read, unreadable))
    }

    fn bind_times(&self) -> BTreeMap<(Digest, FileKey, String), Timestamp> {
        let log = UsageLog::read(self.live.space(), Zone::Local).map(|(log, _)| log).unwrap_or_default();
        log.entries().map(|(id, file, name, at)| ((id, file.clone(), name.to_owned()), at)).collect()
    }
}

fn rows(
    owner: &OwnerId,
    document: &Document,
    times: &BTreeMap<(Digest, FileKey, String), Timestamp>,
    written: Timestamp,
) -> Vec<SpaceBindingRow> {
    let file = FileKey { uuid: owner.key().to_owned(), version: owner.version().map(str::to_owned) };
    let rows = document.table().iter().filter_map(|(name, value)| {
        let SpaceBinding { id, meta, .. } = SpaceBinding::read(value).ok()?;
        let bound_at = times.get(&(id, file.clone(), name.clone())).copied().unwrap_or(written);
        let meta = meta.map(Metadata::new);
        Some(SpaceBindingRow { owner: owner.clone(), name: name.clone(), hash: id, meta, bound_at })
    });
    rows.collect()
}
