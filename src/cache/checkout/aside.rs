//! The folder in which things are laid out, beside the place they go to.
//!
//! It is ours alone, hidden, and locked for as long as this process lives: the next checkout into the same
//! folder removes what dead ones left.

use std::fs::DirEntry;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::cache::Cache;
use crate::cache::checkout::settle::{There, look};
use crate::error::{Error, Result};
use crate::event::{Event, Observer};
use crate::fs::{Disk, Existing, LockFile};
use crate::store::{is_random_name, random_name};

const PREFIX: &str = ".oma-checkout-";
const LOCK: &str = "lock";
/// Another process may take a folder that is not locked yet for one that was left behind.
const ATTEMPTS: usize = 8;

pub(super) struct Aside<'a> {
    disk: &'a Disk,
    observer: &'a dyn Observer,
    dest: &'a Path,
    folder: PathBuf,
    _lock: LockFile,
}

impl<'a> Aside<'a> {
    pub(super) fn begin(cache: &'a Cache, dest: &'a Path) -> Result<Self> {
        let disk = &cache.store.disk;
        if let Some(parent) = dest.parent() {
            sweep(disk, parent);
        }
        for _ in 0..ATTEMPTS {
            let folder = dest.with_file_name(format!("{PREFIX}{}", random_name()?));
            disk.create_dir(&folder)?;
            if let Some(lock) = take(disk, &folder)? {
                return Ok(Self { disk, observer: &*cache.waiting.observer, dest, folder, _lock: lock });
            }
        }
        Err(Error::Busy { what: "a folder to lay things out in".to_owned(), waited: std::time::Duration::ZERO })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns where what goes to the destination is laid out.
    pub(super) fn top(&self) -> PathBuf {
        self.folder.join("top")
    }

    /// Returns where something that is laid out will lie.
    pub(super) fn bound_for(&self, path: &Path) -> PathBuf {
        match path.strip_prefix(self.top()) {
            Ok(inside) if !inside.as_os_str().is_empty() => self.dest.join(inside),
            _ => self.dest.to_owned(),
        }
    }

    /// Puts what was laid out in its place, all at once.
    pub(super) fn put_in_place(&self, is_tree: bool, force: bool) -> Result<()> {
        let (top, dest) = (self.top(), self.dest);
        match self.disk.rename_new(&top, dest) {
            Err(error) if error.is_io(ErrorKind::AlreadyExists) => {}
            other => return other,
        }
        match look(dest)? {
            There::EmptyFolder(mode) if is_tree => {
                // Who made it private wants what is in it to be private.
                self.disk.set_mode(&top, mode | 0o700)?;
                // The system lets a folder take the place of an empty one only.
                self.disk.rename(&top, dest)
            }
            // What was there goes with the folder.
            _ if force => self.disk.exchange(&top, dest),
            _ => Err(Error::InTheWay { path: dest.to_owned() }),
        }
    }
}

impl Drop for Aside<'_> {
    fn drop(&mut self) {
        // The lock goes last, so that what is left by a kill can be told from what is in use.
        let outcome = self.disk.remove_all(&self.top()).and_then(|()| self.disk.remove_all(&self.folder));
        if let Err(error) = outcome {
            let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
            self.observer.on(&Event::Warning { message: &format!("{error}{cause}") });
        }
    }
}

/// Makes a new folder this process's own; none if another process was quicker.
fn take(disk: &Disk, folder: &Path) -> Result<Option<LockFile>> {
    let taken = disk.set_mode(folder, 0o700).and_then(|()| LockFile::try_exclusive(&folder.join(LOCK)));
    match taken {
        Err(error) if error.is_io(ErrorKind::NotFound) => Ok(None),
        Err(error) => {
            let _ = disk.remove_all(folder);
            Err(error)
        }
        other => other,
    }
}

/// Removes what processes that died left in a folder. What cannot be removed is the next one's to try.
fn sweep(disk: &Disk, parent: &Path) {
    for entry in std::fs::read_dir(parent).into_iter().flatten().flatten().filter(is_ours) {
        let folder = entry.path();
        let _ = match LockFile::try_existing(&folder.join(LOCK)) {
            Ok(Existing::Taken(_lock)) => disk.remove_all(&folder.join("top")).and_then(|()| disk.remove_all(&folder)),
            // Its process died at the first step, or is about to lock it; it is empty.
            Ok(Existing::Absent) => disk.remove_dir(&folder),
            _ => continue,
        };
    }
}

/// In a folder of somebody else's, links could lead anywhere by the time they are looked at.
fn is_ours(entry: &DirEntry) -> bool {
    let name = entry.file_name();
    let random = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
    let own = rustix::process::geteuid().as_raw();
    random.is_some_and(is_random_name) && entry.metadata().is_ok_and(|found| found.is_dir() && found.uid() == own)
}
