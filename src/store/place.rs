//! The renames by which objects enter and leave the store. Only inside a write transaction.

use std::io;
use std::path::{Path, PathBuf};

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::fs::{Stamp, lstat};
use crate::model::{ObjectKind, WriteToken};
use crate::store::session::random_name;
use crate::store::stage::{mode_of, staged_path};
use crate::store::{Intake, Origin, StageDir, StagedBlob, Store, with_parent};

/// What became of an object that was to enter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Placed {
    /// Its file was moved in.
    New,
    /// A good one was there.
    Kept,
    /// It was thought to be there and is not; its bytes must be brought again.
    Missing,
}

impl Store {
    /// Enters a blob. `known` tells whether the index has a row for it: without one, a file in its
    /// place is left over from a crash, and nobody can say whether it was written whole.
    pub(crate) fn place_blob(
        &self,
        _: WriteToken<'_>,
        staged: &StagedBlob,
        dir: &StageDir,
        intake: Intake,
        known: bool,
    ) -> Result<Placed> {
        let target = self.layout.blob(staged.blob);
        if known && self.is_good(staged)? {
            return Ok(Placed::Kept);
        }
        match &staged.origin {
            Origin::Stored => Ok(Placed::Missing),
            Origin::Staged | Origin::Linked => self.move_in(&staged_path(dir, staged.blob), &target),
            Origin::InPlace(stamp) => {
                let source = &staged.source;
                if lstat(source)?.is_none_or(|found| Stamp::from(&found) != *stamp) {
                    return Ok(Placed::Missing);
                }
                if intake == Intake::Share {
                    return self.share(source, &target);
                }
                self.disk.set_mode(source, mode_of(staged.blob.executable))?;
                match intake {
                    Intake::Link => self.link_in(source, &target),
                    _ => self.move_in(source, &target),
                }
            }
        }
    }

    /// Tells whether the file that is there can stay. What was believed when it was staged is believed
    /// still; a file that is the source's own needs no second link.
    fn is_good(&self, staged: &StagedBlob) -> Result<bool> {
        match &staged.origin {
            Origin::Stored => self.holds(staged.blob.kind(), staged.blob.digest, staged.size),
            Origin::InPlace(stamp) => {
                let found = lstat(&self.layout.blob(staged.blob))?;
                let same = found.is_some_and(|found| Stamp::from(&found) == *stamp);
                Ok(same || self.is_sound(staged.blob, staged.size)?)
            }
            Origin::Staged | Origin::Linked => self.is_sound(staged.blob, staged.size),
        }
    }

    /// Gives a file of another program's store a second name here. Where that cannot be (other people's
    /// files, too many names), its bytes must be brought.
    fn share(&self, source: &Path, target: &Path) -> Result<Placed> {
        match self.link_in(source, target) {
            Err(Error::Io { source, .. }) if cannot_link(&source) => Ok(Placed::Missing),
            other => other,
        }
    }

    /// Enters a tree that was laid out in `staged`.
    pub(crate) fn place_tree(&self, _: WriteToken<'_>, staged: &Path, digest: Digest, live: bool) -> Result<Placed> {
        let target = self.layout.object(ObjectKind::Tree, digest);
        let found = lstat(&target)?;
        if live && found.as_ref().is_some_and(std::fs::Metadata::is_dir) {
            return Ok(Placed::Kept);
        }
        if found.is_some() {
            self.clear(&target)?;
        }
        with_parent(&self.disk, &target, || self.disk.rename(staged, &target))?;
        // Only now: a read-only directory cannot be renamed into another folder.
        self.disk.set_mode(&target, 0o555)?;
        Ok(Placed::New)
    }

    /// Takes an object out of the store; returns where it lies in the trash, none if it was gone.
    pub(crate) fn discard(&self, _: WriteToken<'_>, kind: ObjectKind, digest: Digest) -> Result<Option<PathBuf>> {
        let path = self.layout.object(kind, digest);
        if lstat(&path)?.is_none() {
            return Ok(None);
        }
        self.clear(&path).map(Some)
    }

    /// Moves whatever lies at `path` into the trash.
    fn clear(&self, path: &Path) -> Result<PathBuf> {
        let trash = self.layout.trash().join(random_name()?);
        if lstat(path)?.is_some_and(|found| found.is_dir()) {
            self.disk.set_mode(path, 0o755)?;
        }
        self.disk.rename(path, &trash)?;
        Ok(trash)
    }

    fn move_in(&self, source: &Path, target: &Path) -> Result<Placed> {
        self.enter(target, &|| self.disk.rename(source, target))
    }

    fn link_in(&self, source: &Path, target: &Path) -> Result<Placed> {
        self.enter(target, &|| self.disk.hard_link(source, target))
    }

    /// Brings a file to `target`; what is in its way was judged and is replaced.
    fn enter(&self, target: &Path, bring: &dyn Fn() -> Result<()>) -> Result<Placed> {
        match with_parent(&self.disk, target, bring) {
            Err(error) if is_in_the_way(&error) => {
                self.clear(target)?;
                bring()?;
            }
            other => other?,
        }
        Ok(Placed::New)
    }
}

fn cannot_link(error: &io::Error) -> bool {
    use io::ErrorKind::{CrossesDevices, NotFound, PermissionDenied, TooManyLinks, Unsupported};
    matches!(error.kind(), CrossesDevices | NotFound | PermissionDenied | TooManyLinks | Unsupported)
}

fn is_in_the_way(error: &Error) -> bool {
    error.is_io(io::ErrorKind::AlreadyExists) || error.is_io(io::ErrorKind::IsADirectory)
}
