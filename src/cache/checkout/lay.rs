//! Lays files out, each in the way that was asked for.

use std::fs::{File, Metadata};
use std::io::{ErrorKind, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;

use crate::cache::Cache;
use crate::cache::checkout::Part;
use crate::cache::checkout::aside::Aside;
use crate::digest::Digest;
use crate::error::{Error, PathContext as _, Result};
use crate::event::{Event, Phase};
use crate::fs::{Copied, Copier, clone_bytes, room};
use crate::model::{Blob, CheckoutMode, Durability, Entry, Node};

/// So many rows are marked in one transaction.
const BATCH: usize = 10_000;

/// Puts files into a folder of our own.
pub(super) struct Layer<'a> {
    cache: &'a Cache,
    aside: &'a Aside<'a>,
    mode: CheckoutMode,
    writable: bool,
    /// Whether what cannot be cloned is copied.
    lenient: bool,
    copied: AtomicBool,
}

impl<'a> Layer<'a> {
    /// Decides how files come out, and whether there is room for them.
    pub(super) fn new(
        cache: &'a Cache,
        aside: &'a Aside<'a>,
        (mode, writable): (CheckoutMode, bool),
        part: &Part,
        entries: &[Entry],
    ) -> Result<Self> {
        let lenient = mode == CheckoutMode::Auto;
        let mut layer = Self { cache, aside, mode, writable, lenient, copied: AtomicBool::new(false) };
        if lenient {
            let sample = part.blob().or_else(|| entries.iter().find_map(|entry| entry.node.blob()));
            let clones = sample.map_or(Ok(false), |blob| layer.can_clone(blob))?;
            layer.mode = if clones { CheckoutMode::Reflink } else { CheckoutMode::Copy };
        }
        match layer.mode {
            CheckoutMode::Copy => layer.check_room(part)?,
            CheckoutMode::Hardlink => layer.note_links(part, entries)?,
            _ => {}
        }
        Ok(layer)
    }

    /// Returns how files came out: `auto` if some were cloned and some copied.
    pub(super) fn mode(&self) -> CheckoutMode {
        match self.mode {
            CheckoutMode::Reflink if self.copied.load(Ordering::Relaxed) => CheckoutMode::Auto,
            mode => mode,
        }
    }

    /// Lays out all of it.
    pub(super) fn lay(&self, part: &Part, entries: &[Entry]) -> Result<()> {
        let (disk, top) = (&self.cache.store.disk, self.aside.top());
        if let Some(blob) = part.blob() {
            return self.lay_file(blob, part.size, &top);
        }
        disk.create_dir(&top)?;
        let (folders, leaves): (Vec<&Entry>, Vec<&Entry>) =
            entries.iter().partition(|entry| entry.node == Node::Directory);
        folders.iter().try_for_each(|entry| disk.create_dir(&top.join(&entry.path)))?;
        leaves.par_iter().with_min_len(16).try_for_each(|entry| self.lay_leaf(entry, &top))
    }

    /// Makes all of it survive a power cut, as the store's setting wants.
    pub(super) fn flush(&self, part: &Part) -> Result<()> {
        let disk = &self.cache.store.disk;
        match (self.cache.store.durability, part.blob()) {
            (Durability::None, _) => Ok(()),
            (_, Some(_)) if self.mode != CheckoutMode::Symlink => disk.flush(&self.aside.top()),
            // The files are many, and lie on a filesystem that need not be the store's.
            _ => disk.flush_filesystem(self.aside.folder()),
        }
    }

    fn check_room(&self, part: &Part) -> Result<()> {
        let folder = self.aside.folder();
        let free = match self.cache.given_room {
            Some((free, _)) => free,
            None => room(folder)?.free,
        };
        if part.size <= free {
            return Ok(());
        }
        let path = folder.parent().unwrap_or(folder).to_owned();
        Err(Error::NoRoom { what: part.hash.to_string(), path, needed: part.size, free })
    }

    fn can_clone(&self, blob: Blob) -> Result<bool> {
        // A file that is not there is told of when it is its turn.
        let Ok((original, _)) = self.cache.store.open_blob(blob) else { return Ok(false) };
        let (disk, path) = (&self.cache.store.disk, self.aside.folder().join("probe"));
        let target = disk.create_file(&path, 0o600)?;
        let cloned = clone_bytes(&original, &target).at("clone to", &path)?;
        disk.remove_file(&path)?;
        Ok(cloned)
    }

    /// Notes that stored files get names outside of the store: what gc takes of them does not leave the disk.
    fn note_links(&self, part: &Part, entries: &[Entry]) -> Result<()> {
        if self.cache.is_read_only() {
            return Ok(());
        }
        let mut blobs: Vec<Blob> = entries.iter().filter_map(|entry| entry.node.blob()).chain(part.blob()).collect();
        blobs.sort_unstable();
        blobs.dedup();
        blobs.chunks(BATCH).try_for_each(|batch| {
            self.cache.write(|tx| {
                for blob in batch {
                    if let Some(object) = tx.find_form(blob.digest, blob.kind())? {
                        tx.set_linked(object.id)?;
                    }
                }
                Ok(())
            })
        })
    }

    fn lay_leaf(&self, entry: &Entry, top: &Path) -> Result<()> {
        self.cache.waiting.interrupt.check()?;
        let path = top.join(&entry.path);
        match &entry.node {
            Node::Directory => Ok(()),
            Node::Link { target } => self.cache.store.disk.symlink(target, &path),
            Node::File { hash, executable, size } => {
                self.lay_file(Blob { digest: *hash, executable: *executable }, *size, &path)
            }
        }
    }

    fn lay_file(&self, blob: Blob, size: u64, path: &Path) -> Result<()> {
        let store = &self.cache.store;
        let stored = store.layout.blob(blob);
        match self.mode {
            CheckoutMode::Symlink | CheckoutMode::Hardlink if !store.holds(blob.kind(), blob.digest, size)? => {
                return Err(self.damaged(blob, "its file is gone, or not as long as it was".to_owned()));
            }
            CheckoutMode::Symlink => store.disk.symlink(&stored, path)?,
            CheckoutMode::Hardlink => store.disk.hard_link(&stored, path).map_err(|error| self.explain(error, path))?,
            CheckoutMode::Auto | CheckoutMode::Reflink | CheckoutMode::Copy => self.bring(blob, size, path)?,
        }
        self.cache.waiting.observer.on(&Event::Advance { phase: Phase::Checkout, files: 1, bytes: size });
        Ok(())
    }

    /// Makes a file of its own.
    fn bring(&self, blob: Blob, size: u64, path: &Path) -> Result<()> {
        let (mut original, metadata) = self.cache.store.open_blob(blob)?;
        if metadata.len() != size {
            return Err(self.damaged(blob, format!("it has {} bytes instead of {size}", metadata.len())));
        }
        let mut target = self.cache.store.disk.create_file(path, self.mode_of(blob.executable))?;
        if self.clone_file(&original, &target, path)? {
            return Ok(());
        }
        self.copy_file(blob, (&mut original, &metadata), (&mut target, path))
    }

    /// Clones a file; false if it is to be copied.
    fn clone_file(&self, original: &File, target: &File, path: &Path) -> Result<bool> {
        if self.mode == CheckoutMode::Copy {
            return Ok(false);
        }
        if clone_bytes(original, target).at("clone to", path)? {
            return Ok(true);
        }
        if !self.lenient {
            return Err(self.cannot_share(path, "reflink", "only files of one filesystem that has reflinks can be"));
        }
        self.copied.store(true, Ordering::Relaxed);
        Ok(false)
    }

    /// Copies a file; the bytes written must be what its name says.
    fn copy_file(
        &self,
        blob: Blob,
        (original, metadata): (&mut File, &Metadata),
        (target, path): (&mut File, &Path),
    ) -> Result<()> {
        let interrupt = &self.cache.waiting.interrupt;
        let go_on = |_| if interrupt.requested() { Err(ErrorKind::Interrupted.into()) } else { Ok(()) };
        let mut copier = Copier::new(original, metadata, &go_on);
        let copied = match copier.read_small() {
            Ok(Some(bytes)) => target.write_all(&bytes).map(|()| Digest::of_blob(&bytes)),
            Ok(None) => copier.copy_to(target).map(|Copied { digest, .. }| digest),
            Err(error) => Err(error),
        };
        interrupt.check()?;
        let found = copied.at("copy to", path)?;
        if found == blob.digest {
            return Ok(());
        }
        Err(self.damaged(blob, format!("its content is {found}")))
    }

    fn damaged(&self, blob: Blob, detail: String) -> Error {
        Error::Damaged { hash: blob.digest, path: self.cache.store.layout.blob(blob), detail }
    }

    /// The mode of a file; the user's mask takes its part of it.
    fn mode_of(&self, executable: bool) -> u32 {
        let read = if executable { 0o555 } else { 0o444 };
        if self.writable { read | 0o200 } else { read }
    }

    fn explain(&self, error: Error, path: &Path) -> Error {
        if error.is_io(ErrorKind::CrossesDevices) {
            return self.cannot_share(path, "hard link", "they lie on two filesystems");
        }
        if error.is_io(ErrorKind::PermissionDenied) {
            return self.cannot_share(path, "hard link", "the stored file belongs to somebody else");
        }
        if error.is_io(ErrorKind::TooManyLinks) {
            return self.cannot_share(path, "hard link", "the stored file has too many names already");
        }
        error
    }

    fn cannot_share(&self, path: &Path, mode: &'static str, reason: &'static str) -> Error {
        let path = self.aside.bound_for(path);
        Error::CannotShare { path, store: self.cache.root().to_owned(), mode, reason }
    }
}
