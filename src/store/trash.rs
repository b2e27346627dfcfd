//! The renames by which objects enter and leave the trash of a run. Only inside a write transaction.

use std::path::{Path, PathBuf};

use crate::digest::Digest;
use crate::error::Result;
use crate::fs::lstat;
use crate::model::{ObjectKind, WriteToken};
use crate::store::session::random_name;
use crate::store::{Store, with_parent};

impl Store {
    /// Puts an object into the trash of a run; tells whether it lies there then. It does if a run that was
    /// interrupted had put it there.
    pub(crate) fn put_in_trash(&self, _: WriteToken<'_>, run: i64, kind: ObjectKind, digest: Digest) -> Result<bool> {
        let (shelf, trash) = (self.layout.object(kind, digest), self.layout.trashed(run, kind, digest));
        if lstat(&shelf)?.is_none() {
            return Ok(lstat(&trash)?.is_some());
        }
        if lstat(&trash)?.is_some() {
            // Something took the content back meanwhile, and it goes again.
            self.disk.rename(&trash, &self.layout.trash().join(random_name()?))?;
        }
        self.rename_object(kind, &shelf, &trash)?;
        Ok(true)
    }

    /// Tells whether a file of this length lies in the trash of a run.
    pub(crate) fn holds_in_trash(&self, run: i64, kind: ObjectKind, digest: Digest, size: u64) -> Result<bool> {
        let found = lstat(&self.layout.trashed(run, kind, digest))?;
        Ok(found.is_some_and(|found| found.is_file() && found.len() == size))
    }

    /// Puts an object from the trash of a run back into its place; tells whether it lies there then.
    pub(crate) fn bring_back(&self, _: WriteToken<'_>, run: i64, kind: ObjectKind, digest: Digest) -> Result<bool> {
        let (shelf, trash) = (self.layout.object(kind, digest), self.layout.trashed(run, kind, digest));
        let is_there = lstat(&shelf)?.is_some();
        // What lies in its place alone was put there by an undo that died.
        if lstat(&trash)?.is_some() {
            if is_there {
                // Nobody can say whether a file without a row is whole.
                self.discard_path(kind, &shelf)?;
            }
            self.rename_object(kind, &trash, &shelf)?;
        } else if !is_there {
            return Ok(false);
        }
        if kind == ObjectKind::Tree {
            self.disk.set_mode(&shelf, 0o555)?;
        }
        Ok(true)
    }

    /// Takes an object out of the trash of a run for good; returns where it waits to be deleted, none if
    /// it was gone.
    pub(crate) fn take_from_trash(
        &self,
        _: WriteToken<'_>,
        run: i64,
        kind: ObjectKind,
        digest: Digest,
    ) -> Result<Option<PathBuf>> {
        let path = self.layout.trashed(run, kind, digest);
        if lstat(&path)?.is_none() {
            return Ok(None);
        }
        let away = self.layout.trash().join(random_name()?);
        self.rename_object(kind, &path, &away)?;
        Ok(Some(away))
    }

    fn discard_path(&self, kind: ObjectKind, path: &Path) -> Result<()> {
        let away = self.layout.trash().join(random_name()?);
        self.rename_object(kind, path, &away)
    }

    /// A directory that nobody may write to cannot be renamed into another folder.
    fn rename_object(&self, kind: ObjectKind, from: &Path, to: &Path) -> Result<()> {
        if kind == ObjectKind::Tree {
            self.disk.set_mode(from, 0o755)?;
        }
        with_parent(&self.disk, to, || self.disk.rename(from, to))
    }
}
