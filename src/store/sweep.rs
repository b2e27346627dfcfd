//! Finds and removes what dead processes left behind.

use std::io;
use std::path::PathBuf;

use crate::digest::Digest;
use crate::error::{PathContext as _, Result};
use crate::fs::{Disk, lstat};
use crate::model::{ObjectKind, WriteToken};
use crate::store::Store;
use crate::store::layout::{SHELVES, kind_on_shelf};
use crate::store::session::{DeadSession, dead_sessions, has_random_name, is_random_name, may_be_alive, random_name};

/// The folders of sessions whose processes are gone, under lock until they are removed.
#[derive(Debug)]
pub(crate) struct Leftovers {
    sessions: Vec<DeadSession>,
    disk: Disk,
    trash: PathBuf,
}

impl Leftovers {
    /// Tells whether a process died at work, so that files without rows may lie in the store.
    pub(crate) fn any(&self) -> bool {
        !self.sessions.is_empty()
    }

    /// Moves the folders into the trash: at once, however much they hold, and for good.
    pub(crate) fn discard(self) -> Result<()> {
        for session in &self.sessions {
            match self.disk.rename(&session.dir, &self.trash.join(random_name()?)) {
                // Another process was faster.
                Err(error) if error.is_io(io::ErrorKind::NotFound) => {}
                other => other?,
            }
        }
        Ok(())
    }
}

/// An object's file as it was found on a shelf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) kind: ObjectKind,
    pub(crate) digest: Digest,
}

/// Returns a name for what lies among objects and is none.
pub(super) fn stray_name() -> Result<String> {
    Ok(format!(".{}", random_name()?))
}

impl Store {
    pub(crate) fn leftovers(&self) -> Result<Leftovers> {
        Ok(Leftovers { sessions: dead_sessions(&self.layout)?, disk: self.disk.clone(), trash: self.layout.trash() })
    }

    /// Tells whether the session of this name may still be alive.
    pub(crate) fn session_may_live(&self, name: &str) -> Result<bool> {
        may_be_alive(&self.layout, name)
    }

    /// As [`Store::session_may_live`], for a name that came from outside and may be anything.
    pub(crate) fn is_live_session(&self, name: &str) -> Result<bool> {
        Ok(is_random_name(name) && self.session_may_live(name)?)
    }

    /// Returns all folders that hold objects, for a walk in short steps.
    pub(crate) fn drawers(&self) -> Result<Vec<(&'static str, PathBuf)>> {
        let mut drawers = Vec::new();
        for shelf in SHELVES {
            let path = self.layout.shelf(shelf);
            for entry in std::fs::read_dir(&path).at("list", &path)? {
                let drawer = entry.at("list", &path)?.path();
                if lstat(&drawer)?.is_some_and(|found| found.is_dir()) {
                    drawers.push((shelf, drawer));
                }
            }
        }
        Ok(drawers)
    }

    /// Lists the objects in one folder. What bears no hash as its name is not ours and is left alone.
    pub(crate) fn objects_in(&self, (shelf, drawer): &(&'static str, PathBuf)) -> Result<Vec<Found>> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(drawer).at("list", drawer)? {
            let entry = entry.at("list", drawer)?;
            let digest = entry.file_name().to_str().and_then(|name| name.parse::<Digest>().ok());
            let Some(digest) = digest else { continue };
            let kind = kind_on_shelf(shelf, entry.file_type().at("read", &entry.path())?.is_dir());
            if self.layout.object(kind, digest) == entry.path() {
                found.push(Found { kind, digest });
            }
        }
        Ok(found)
    }

    /// Moves what a process left beside objects, on its way in or out, into the trash: no row speaks of it.
    pub(crate) fn discard_strays(&self, _: WriteToken<'_>, (_, drawer): &(&'static str, PathBuf)) -> Result<()> {
        for entry in std::fs::read_dir(drawer).at("list", drawer)? {
            let entry = entry.at("list", drawer)?;
            if entry.file_name().to_str().and_then(|name| name.strip_prefix('.')).is_some_and(is_random_name) {
                self.disk.set_mode(&entry.path(), 0o755)?;
                self.disk.rename(&entry.path(), &self.layout.trash().join(random_name()?))?;
            }
        }
        Ok(())
    }

    /// Returns everything in the trash: nobody needs any of it.
    pub(crate) fn trash(&self) -> Result<Vec<PathBuf>> {
        let trash = self.layout.trash();
        let entries = std::fs::read_dir(&trash).at("list", &trash)?;
        let paths = entries.map(|entry| Ok(entry.at("list", &trash)?.path()));
        paths.filter(|path| path.as_ref().map_or(true, |path| has_random_name(path))).collect()
    }
}
