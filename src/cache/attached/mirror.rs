//! A mirror of an attached space: an index of its own, in this store's schema, of what lies there.
//!
//! Each look compares the stamps of folders and files first and reads again only what has changed:
//! folders of artifacts by their listing, bindings files under their locks. A stamp taken while its
//! file could still change within one tick of the clock is not trusted at the next look. The mirror can
//! be thrown away at any time; a store that cannot be written makes one in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cache::Cache;
use crate::digest::Digest;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::fs::lstat;
use crate::index::{Birth, Index, MirroredObject, ReadTx, Settings, SpaceBindingRow, SpaceRow, WriteTx};
use crate::julia::{
    Document, FileKey, LiveSpace, OrphanLog, ScratchSpace, SpaceBinding, SpaceFile, Stored, StoredNode, UsageLog, Zone,
};
use crate::model::{Durability, LinkStyle, Metadata, ObjectKind, OwnerId};
use crate::time::Timestamp;

/// The only space of a mirror.
const SELF: i64 = 1;
/// Stands for this store among the stamps.
const OURS: &str = "(this store)";
/// Stands, before its hash, for a directory some of whose files are not there; the stamp names them.
const LACKING: &str = "(lacking) ";
/// Put behind a stamp that is too fresh to be trusted.
const FRESH: &str = " fresh";
/// A file that was changed so lately may be changed again without another stamp.
const TICK: Duration = Duration::from_secs(2);

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
    /// Directories whose files have come since.
    lacking: BTreeSet<Digest>,
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
    ///
    /// # Errors
    /// [`Error::NoSuchPath`] if the space is not there: perhaps its disk is not.
    pub(crate) fn mirror(&self, space: &SpaceRow) -> Result<Mirror> {
        let live = self.live_space(space)?;
        live.space().require()?;
        match self.look(space, &live) {
            // Damage may show only when the damaged part is read.
            Err(error @ Error::Database { .. }) if error.kind() != ErrorKind::Busy && !self.is_read_only() => {
                Mirror::remove(self, space);
                self.look(space, &live)
            }
            other => other,
        }
    }

    fn look(&self, space: &SpaceRow, live: &LiveSpace) -> Result<Mirror> {
        let mirror = self.last_mirror(space)?;
        if let Some(changes) = mirror.changes(self, live)? {
            Refresh { cache: self, live, mirror: &mirror }.run(&changes)?;
        }
        Ok(mirror)
    }

    /// Returns the mirror of a space as the last look left it.
    pub(super) fn last_mirror(&self, space: &SpaceRow) -> Result<Mirror> {
        Ok(Mirror { space: space.clone(), index: self.open_mirror(space)? })
    }

    fn open_mirror(&self, space: &SpaceRow) -> Result<Index> {
        let now = self.now();
        if self.is_read_only() {
            let index = Index::empty(now)?;
            index.write(now, |tx| tx.attach(&space.root.to_string_lossy(), None, false).map(drop))?;
            return Ok(index);
        }
        let mut index = self.open_mirror_file(space, now)?;
        let is_for = |index: &Index| index.read(|tx| Ok(tx.spaces()?.into_iter().next().map(|row| row.root)));
        let known = is_for(&index)?;
        if known.as_ref().is_some_and(|root| *root != space.root) {
            // The number of a space that was detached may be given again.
            drop(index);
            Mirror::remove(self, space);
            index = self.open_mirror_file(space, now)?;
        }
        if is_for(&index)?.is_none() {
            index.write(now, |tx| tx.attach(&space.root.to_string_lossy(), None, false).map(drop))?;
        }
        Ok(index)
    }

    fn open_mirror_file(&self, space: &SpaceRow, now: Timestamp) -> Result<Index> {
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
        index.ok_or_else(|| Error::Internal("a new mirror is empty".to_owned()))
    }
}

impl Mirror {
    fn changes(&self, cache: &Cache, live: &LiveSpace) -> Result<Option<Changes>> {
        let known = self.index.read(|tx| tx.space_stamps(SELF))?;
        let space = live.space();
        let mut stamps = Stamps { known: &known, taken: BTreeMap::new(), now: cache.now() };
        let mut shelves = BTreeSet::new();
        for shelf in space.shelves()? {
            if stamps.take(&shelf)? {
                shelves.insert(shelf);
            }
        }
        let mut files = Vec::new();
        for file in space.files()? {
            if stamps.take(&file.path)? {
                files.push(file);
            }
        }
        let usage = stamps.take(&space.usage_log())?;
        let orphans = stamps.take(&space.orphan_log())?;
        let mut stamps = stamps.taken;
        let (objects, gc) = cache.read(|tx| tx.object_changes())?;
        stamps.insert(OURS.to_owned(), format!("{objects} {gc}"));
        let ours = known.get(OURS) != stamps.get(OURS);
        let lacking = keep_lacking(space, &known, &mut stamps)?;
        let gone: Vec<&str> = known.keys().filter(|path| !stamps.contains_key(*path)).map(String::as_str).collect();
        shelves
            .extend(gone.iter().filter(|path| Path::new(path).parent() == Some(&space.artifacts())).map(PathBuf::from));
        let gone_owners = gone.iter().filter_map(|path| FileKey::of(Path::new(path)));
        let gone_owners = gone_owners.filter_map(|key| OwnerId::new(&key.uuid, key.version.as_deref()).ok()).collect();
        let logs = usage || orphans;
        let none = shelves.is_empty() && files.is_empty() && gone.is_empty() && !logs && !ours;
        Ok((!none).then_some(Changes { stamps, shelves, files, gone_owners, lacking, ours }))
    }
}

/// What files and folders are like, beside what they were like.
struct Stamps<'a> {
    known: &'a BTreeMap<String, String>,
    taken: BTreeMap<String, String>,
    now: Timestamp,
}

impl Stamps<'_> {
    /// Takes a stamp; tells whether it is another than the one known, or cannot be told from it.
    fn take(&mut self, path: &Path) -> Result<bool> {
        let Some(found) = lstat(path)? else { return Ok(false) };
        let mut stamp = format!(
            "{} {} {}.{:09} {}.{:09}",
            found.ino(),
            found.len(),
            found.mtime(),
            found.mtime_nsec(),
            found.ctime(),
            found.ctime_nsec()
        );
        let path = path.to_string_lossy().into_owned();
        let changed = self.known.get(&path) != Some(&stamp);
        // A folder or file with a time in the future is read each time.
        if self.now.since(changed_at(&found)) < TICK {
            stamp.push_str(FRESH);
        }
        self.taken.insert(path, stamp);
        Ok(changed)
    }
}

fn changed_at(found: &std::fs::Metadata) -> Timestamp {
    Timestamp::from_millis(found.ctime().saturating_mul(1_000).saturating_add(found.ctime_nsec() / 1_000_000))
}

/// Carries over what is known of directories that lack files; returns those that may lack fewer now.
fn keep_lacking(
    space: &ScratchSpace,
    known: &BTreeMap<String, String>,
    stamps: &mut BTreeMap<String, String>,
) -> Result<BTreeSet<Digest>> {
    let mut fuller = BTreeSet::new();
    for (key, files) in known.iter().filter(|(key, _)| key.starts_with(LACKING)) {
        let Some(tree) = key.strip_prefix(LACKING).and_then(|hash| hash.parse().ok()) else { continue };
        let mut still = lstat(&space.artifact(tree))?.is_some();
        for file in files.split(' ').filter_map(|hash| hash.parse().ok()) {
            if lstat(&space.artifact(file))?.is_some() {
                fuller.insert(tree);
                still = false;
            }
        }
        if still {
            stamps.insert(key.clone(), files.clone());
        }
    }
    Ok(fuller)
}

/// What came and what went.
#[derive(Default)]
struct Found {
    /// With the files each directory links to.
    new: Vec<(MirroredObject, Vec<Digest>)>,
    gone: Vec<i64>,
    /// Stamps of directories that lack files.
    lacking: BTreeMap<String, String>,
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
        let Found { new, gone, lacking } = self.objects(changes, &known)?;
        let mut stamps = changes.stamps.clone();
        stamps.extend(lacking);
        let bindings = self.bindings(&changes.files, now, &mut stamps)?;
        // The logs only tell times: without them everything is as old as its file.
        let orphaned = self.unused_since(now);
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
            tx.derive_bindings(orphaned)?;
            tx.set_space_stamps(SELF, &stamps)
        })
    }

    /// Returns since when what is unused is so. What was never bound is as old as its file, and is not
    /// listed; what was bound ages from when Julia's gc notes that it is so no more.
    fn unused_since(&self, now: Timestamp) -> Vec<(Digest, Timestamp)> {
        let space = self.live.space();
        // The logs only tell times: without them everything is as old as its file.
        let orphans = OrphanLog::read(space, Zone::Local).map(|(log, _)| log).unwrap_or_default();
        let usage = UsageLog::read(space, Zone::Local).map(|(log, _)| log).unwrap_or_default();
        usage.ids().map(|id| (id, now)).chain(orphans.entries()).collect()
    }

    /// Returns what came to the changed shelves, and what went.
    fn objects(&self, changes: &Changes, known: &BTreeMap<Digest, (i64, ObjectKind)>) -> Result<Found> {
        let space = self.live.space();
        let mut wanted = BTreeSet::new();
        for shelf in &changes.shelves {
            wanted.extend(space.ids_on(shelf)?);
        }
        let on_changed =
            |id: &Digest| space.artifact(*id).parent().is_some_and(|shelf| changes.shelves.contains(shelf));
        let mut gone: BTreeMap<Digest, i64> = known
            .iter()
            .filter(|(id, _)| changes.lacking.contains(id) || (on_changed(id) && !wanted.contains(id)))
            .map(|(id, (row, _))| (*id, *row))
            .collect();
        // A directory that loses a file is read again: it may be full once more at the next look.
        let shrunk: Vec<Digest> = self.mirror.read(|tx| {
            let trees = gone.values().map(|blob| tx.trees_with(*blob)).collect::<Result<Vec<_>>>()?;
            Ok(trees.into_iter().flatten().map(|tree| tree.hash).collect())
        })?;
        gone.extend(shrunk.iter().filter_map(|tree| Some((*tree, known.get(tree)?.0))));
        wanted.extend(shrunk.into_iter().chain(changes.lacking.iter().copied()));
        let mut found = Found { gone: gone.values().copied().collect(), ..Found::default() };
        let is_known = |id: &Digest| known.contains_key(id) && !gone.contains_key(id);
        for id in wanted.iter().filter(|id| !is_known(id)) {
            found.new.extend(self.object(*id)?);
        }
        self.complete(&mut found, &is_known)?;
        Ok(found)
    }

    /// Adds the files of new directories that came after their shelf was looked at, and notes which are
    /// not there at all.
    fn complete(&self, found: &mut Found, is_known: &dyn Fn(&Digest) -> bool) -> Result<()> {
        let mut there: BTreeSet<Digest> = found.new.iter().map(|(object, _)| object.hash).collect();
        let mut late = Vec::new();
        for (tree, files) in &found.new {
            let mut lacking = BTreeSet::new();
            for file in files.iter().filter(|file| !is_known(file)) {
                if there.contains(file) {
                    continue;
                }
                match self.object(*file)? {
                    Some(object) => {
                        there.insert(*file);
                        late.push(object);
                    }
                    None => {
                        lacking.insert(file.to_string());
                    }
                }
            }
            if !lacking.is_empty() {
                let lacking: Vec<String> = lacking.into_iter().collect();
                found.lacking.insert(format!("{LACKING}{}", tree.hash), lacking.join(" "));
            }
        }
        found.new.extend(late);
        Ok(())
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

    /// Reads bindings files under their locks; where a lock cannot be made, without. A torn one is told
    /// again at each look.
    fn bindings(
        &self,
        files: &[SpaceFile],
        now: Timestamp,
        stamps: &mut BTreeMap<String, String>,
    ) -> Result<Vec<(OwnerId, Vec<SpaceBindingRow>)>> {
        let times = match files {
            [] => BTreeMap::new(),
            _ => self.bind_times(),
        };
        let mut read = Vec::new();
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
                    stamps.insert(file.path.to_string_lossy().into_owned(), "torn".to_owned());
                    continue;
                }
                Err(error) => return Err(error),
            };
            let written = lstat(&file.path)?
                .map_or(now, |found| Timestamp::from_millis(found.mtime() * 1_000 + found.mtime_nsec() / 1_000_000));
            let rows = document.map(|document| rows(&owner, &document, &times, written)).unwrap_or_default();
            read.push((owner, rows));
        }
        Ok(read)
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
