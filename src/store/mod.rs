//! The files of a store: where they lie and how they get there.
//!
//! Why: one store is shared by many programs at once, each of which may die at any moment.
//! Guarantees: an object appears whole, read-only and under its own hash, by one rename or link; it
//! leaves by one rename into the trash; both only with the token of a running write transaction.
//! Must not know: the index, owners, bindings.

mod check;
mod journal;
mod layout;
mod links;
mod partials;
mod place;
mod relay;
mod reserve;
mod scan;
mod seen;
mod session;
mod shadow;
mod stage;
mod sweep;
mod trash;

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::digest::Digest;
use crate::error::{Error, PathContext as _, Result};
use crate::fs::{Disk, hash_file, lstat, open_source};
use crate::model::{Blob, Durability, LinkStyle, ObjectKind};
use crate::text::printable_path;

pub(crate) use check::Problem;
pub use check::ProblemKind;
pub(crate) use journal::Record;
pub(crate) use layout::Layout;
pub(crate) use links::Links;
pub(crate) use partials::Reserved;
pub(crate) use place::Placed;
pub(crate) use scan::{Scanned, scan};
pub(crate) use seen::{Seen, SeenEntry};
pub(crate) use session::{Session, StageDir, is_random_name, random_name};
pub(crate) use stage::{Intake, Origin, Staged, StagedBlob, Stager, hash_source, mode_of, staged_path};

/// See <https://bford.info/cachedir/>: backup programs leave such a folder out.
const CACHE_TAG: &str = "Signature: 8a477f597d28d172789f06886806bc55\n\
# This is an artifact store of ohmyartifacts (oma). Everything in it can be made again.\n";

/// Up to so many files or directories are flushed one by one, above that the whole filesystem is.
const FLUSH_EACH: usize = 16;

/// The files of one store.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    pub(crate) layout: Layout,
    pub(crate) disk: Disk,
    pub(crate) style: LinkStyle,
    pub(crate) durability: Durability,
}

impl Store {
    /// Makes the folders of a store; those that exist stay.
    pub(crate) fn create(layout: &Layout, disk: &Disk) -> Result<()> {
        ensure_folders(layout, disk)?;
        write_tag(&layout.cache_tag(), disk)?;
        reserve::make(layout, disk);
        Ok(())
    }

    /// Makes sure that every folder is there, and is a folder: what a link leads to is not ours to
    /// clean.
    pub(crate) fn ensure_folders(&self) -> Result<()> {
        ensure_folders(&self.layout, &self.disk)
    }

    /// Tells whether anything was ever put in here.
    pub(crate) fn was_used(layout: &Layout) -> Result<bool> {
        if lstat(&layout.journal())?.is_some_and(|found| found.len() > 0) {
            return Ok(true);
        }
        for shelf in layout::SHELVES.map(|shelf| layout.shelf(shelf)) {
            if lstat(&shelf)?.is_some_and(|found| found.is_dir()) && holds_files(&shelf)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Tells whether an object of this kind lies where it should; files must have this length.
    pub(crate) fn holds(&self, kind: ObjectKind, digest: Digest, size: u64) -> Result<bool> {
        let found = lstat(&self.layout.object(kind, digest))?;
        Ok(found.is_some_and(|found| match kind {
            ObjectKind::Tree => found.is_dir(),
            _ => found.is_file() && found.len() == size,
        }))
    }

    /// Opens a stored file to read it. One that is not there, or is none, is damaged.
    pub(crate) fn open_blob(&self, blob: Blob) -> Result<(File, Metadata)> {
        let path = self.layout.blob(blob);
        let error = match open_source(&path) {
            Ok(opened) => return Ok(opened),
            Err(error) => error,
        };
        let detail = match lstat(&path)? {
            None => "its file is gone".to_owned(),
            Some(found) if !found.is_file() => "it is not a regular file".to_owned(),
            Some(_) => return Err(error),
        };
        Err(Error::Damaged { hash: blob.digest, path, detail })
    }

    /// Returns how many names a stored file has; none if it is gone.
    pub(crate) fn names_of(&self, kind: ObjectKind, digest: Digest) -> Result<u64> {
        Ok(lstat(&self.layout.object(kind, digest))?.map_or(0, |found| found.nlink()))
    }

    /// Tells whether a stored file may be believed without reading it. One that somebody can reach by
    /// another name may be changed behind the store's back: such a file is left when a source that was
    /// to be moved in could not be, and is replaced by the next one of its content.
    pub(crate) fn is_sound(&self, blob: Blob, size: u64) -> Result<bool> {
        let may_share = self.style == LinkStyle::Hardlink;
        let found = lstat(&self.layout.blob(blob))?;
        Ok(found.is_some_and(|found| found.is_file() && found.len() == size && (may_share || found.nlink() == 1)))
    }

    /// As [`Store::is_sound`], but reads a stored file that has another name before it is refused: files
    /// shared with another program's store have two.
    pub(crate) fn is_believable(&self, blob: Blob, size: u64) -> Result<bool> {
        if self.is_sound(blob, size)? {
            return Ok(true);
        }
        if !self.holds(blob.kind(), blob.digest, size)? {
            return Ok(false);
        }
        let path = self.layout.blob(blob);
        let (mut file, _) = open_source(&path)?;
        Ok(hash_file(&mut file, &|_| Ok(())).at("read", &path)?.digest == blob.digest)
    }

    /// Makes these files or directories survive a power cut, as the store's setting wants.
    pub(crate) fn flush(&self, paths: &[PathBuf]) -> Result<()> {
        match self.durability {
            Durability::None => Ok(()),
            Durability::Batch if paths.len() > FLUSH_EACH => self.disk.flush_filesystem(self.layout.root()),
            _ => paths.iter().try_for_each(|path| self.disk.flush(path)),
        }
    }
}

fn ensure_folders(layout: &Layout, disk: &Disk) -> Result<()> {
    let shelves = layout::SHELVES.map(|shelf| layout.shelf(shelf));
    for folder in [layout.tmp(), layout.locks(), layout.trash()].into_iter().chain(shelves) {
        match lstat(&folder)? {
            Some(found) if found.is_dir() => {}
            None => disk.ensure_dir(&folder)?,
            Some(_) => {
                let reason = format!("`{}` is not a folder", printable_path(&folder));
                return Err(Error::NotAStore { path: layout.root().to_owned(), reason });
            }
        }
    }
    Ok(())
}

/// Tells whether anything lies two levels below a shelf: empty folders do not count.
fn holds_files(shelf: &Path) -> Result<bool> {
    for drawer in std::fs::read_dir(shelf).at("list", shelf)? {
        let drawer = drawer.at("list", shelf)?.path();
        let mut entries = std::fs::read_dir(&drawer).into_iter().flatten();
        if entries.next().is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A process that died in between may have left the tag empty.
fn write_tag(tag: &Path, disk: &Disk) -> Result<()> {
    match lstat(tag)? {
        Some(found) if found.len() > 0 => return Ok(()),
        Some(_) => disk.remove_file(tag)?,
        None => {}
    }
    match disk.write_new(tag, CACHE_TAG.as_bytes(), 0o644) {
        // Another process makes the same store.
        Err(error) if error.is_io(io::ErrorKind::AlreadyExists) => Ok(()),
        other => other,
    }
}

/// Runs `action`, creating the parent directory and trying once more if it is missing.
fn with_parent(disk: &Disk, path: &Path, action: impl Fn() -> Result<()>) -> Result<()> {
    match action() {
        Err(error) if error.is_io(io::ErrorKind::NotFound) => {
            let parent = path.parent().ok_or_else(|| Error::Internal("an object has no folder".to_owned()))?;
            disk.ensure_dir(parent)?;
            action()
        }
        other => other,
    }
}
