//! A mirror of an attached space: an index of its own, in this store's schema, of what lies there.
//!
//! Each look compares the stamps of folders and files first and reads again only what has changed:
//! folders of artifacts by their listing, bindings files under their locks. A stamp taken while its
//! file could still change within one tick of the clock is not trusted at the next look. The mirror can
//! be thrown away at any time; a store that cannot be written makes one in memory.

use std::path::Path;

use crate::cache::Cache;
use crate::cache::attached::refresh::Refresh;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::index::{Birth, Index, ReadTx, Settings, SpaceRow};
use crate::julia::LiveSpace;
use crate::model::{Durability, LinkStyle};
use crate::time::Timestamp;

/// The only space of a mirror.
pub(super) const SELF: i64 = 1;

/// What an attached space holds, as rows.
pub(crate) struct Mirror {
    pub(crate) space: SpaceRow,
    pub(super) index: Index,
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
        let live = self.live_space_to_look(space)?;
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
