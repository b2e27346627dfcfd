//! Reads again what of an attached space has changed, and brings its mirror up to date.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt as _;

use crate::cache::Cache;
use crate::cache::attached::Mirror;
use crate::cache::attached::mirror::SELF;
use crate::cache::attached::stamps::{Changes, LACKING};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::event::Event;
use crate::fs::lstat;
use crate::index::{MirroredObject, SpaceBindingRow, WriteTx};
use crate::julia::{
    Document, FileKey, LiveSpace, OrphanLog, ScratchSpace, SpaceBinding, SpaceFile, Stored, StoredNode, UsageLog, Zone,
};
use crate::model::{Metadata, ObjectKind, OwnerId};
use crate::time::Timestamp;

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
pub(super) struct Refresh<'a> {
    pub(super) cache: &'a Cache,
    pub(super) live: &'a LiveSpace,
    pub(super) mirror: &'a Mirror,
}

impl Refresh<'_> {
    pub(super) fn run(&self, changes: &Changes) -> Result<()> {
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
            add(tx, &new)?;
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
            wanted.extend(ScratchSpace::ids_on(shelf)?);
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
        let changed_at = Timestamp::from_system(found.mtime(), found.mtime_nsec());
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
                Err(error @ Error::Busy { .. }) => Self::read_unlocked(file, error),
                other => other,
            };
            let document = match document {
                Ok(document) => document,
                Err(error @ (Error::Toml { .. } | Error::Unsupported { .. } | Error::Busy { .. })) => {
                    let message = format!("{error}; what it bound before is shown");
                    self.cache.waiting.observer.on(&Event::Warning { message: &message });
                    stamps.insert(file.path.to_string_lossy().into_owned(), "torn".to_owned());
                    continue;
                }
                Err(error) => return Err(error),
            };
            let written =
                lstat(&file.path)?.map_or(now, |found| Timestamp::from_system(found.mtime(), found.mtime_nsec()));
            let rows = document.map(|document| rows(&owner, &document, &times, written)).unwrap_or_default();
            read.push((owner, rows));
        }
        Ok(read)
    }

    /// Reads a file whose lock nobody releases. One that looks as if it were being written is left for the
    /// next look.
    fn read_unlocked(file: &SpaceFile, busy: Error) -> Result<Option<Document>> {
        match Document::read(&file.path)? {
            Some(document) if document.table().is_empty() || document.is_cut() => Err(busy),
            read => Ok(read),
        }
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

fn add(tx: &WriteTx<'_>, new: &[(MirroredObject, Vec<Digest>)]) -> Result<()> {
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
