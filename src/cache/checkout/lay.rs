//! Lays files out beside the place where they go, and puts them there all at once.

use std::fs::File;
use std::io::{Read as _, Write};
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::cache::Cache;
use crate::cache::checkout::Part;
use crate::cache::checkout::settle::is_free;
use crate::digest::{Digest, ObjectHasher};
use crate::error::{Error, PathContext as _, Result};
use crate::event::{Event, Interrupt, Phase};
use crate::fs::{Copier, clone_bytes, lstat, room};
use crate::model::{Blob, CheckoutMode, Entry, Node, ObjectKind};
use crate::store::random_name;

/// Bytes move in pieces of this size.
const CHUNK: usize = 256 * 1024;

/// What is being laid out.
pub(super) struct Layer<'a> {
    cache: &'a Cache,
    /// A folder of its own, beside the place where its content goes.
    folder: PathBuf,
    mode: CheckoutMode,
    writable: bool,
}

impl<'a> Layer<'a> {
    pub(super) fn begin(cache: &'a Cache, dest: &Path, mode: CheckoutMode, writable: bool) -> Result<Self> {
        let folder = dest.with_file_name(format!(".oma-checkout-{}", random_name()?));
        cache.store.disk.create_dir(&folder)?;
        Ok(Self { cache, folder, mode, writable })
    }

    /// Says how files came out.
    pub(super) fn mode(&self) -> CheckoutMode {
        self.mode
    }

    /// Lays out all of it.
    pub(super) fn lay(&mut self, part: &Part, entries: &[Entry]) -> Result<()> {
        self.choose(part, entries)?;
        let top = self.top();
        if part.kind != ObjectKind::Tree {
            self.lay_file(part.blob(), part.size, &top)?;
            return self.flush(&[top]);
        }
        let disk = &self.cache.store.disk;
        disk.create_dir(&top)?;
        let (folders, leaves): (Vec<&Entry>, Vec<&Entry>) =
            entries.iter().partition(|entry| entry.node == Node::Directory);
        folders.iter().try_for_each(|entry| disk.create_dir(&top.join(&entry.path)))?;
        leaves.par_iter().with_min_len(16).try_for_each(|entry| self.lay_leaf(entry, &top))?;
        let folders = folders.iter().map(|entry| top.join(&entry.path)).chain([top.clone()]);
        self.flush(&folders.collect::<Vec<_>>())
    }

    /// Puts what was laid out in its place.
    pub(super) fn put_in_place(&self, dest: &Path, force: bool) -> Result<()> {
        let (disk, top) = (&self.cache.store.disk, self.top());
        match disk.rename_new(&top, dest) {
            Err(error) if error.is_io(std::io::ErrorKind::AlreadyExists) => {}
            other => return other,
        }
        if is_free(dest)? {
            // An empty folder gives way; nobody can have put anything in while this looks.
            disk.remove_dir(dest)?;
            return disk.rename_new(&top, dest);
        }
        if !force {
            return Err(Error::InTheWay { path: dest.to_owned() });
        }
        // What was there goes with the folder.
        disk.exchange(&top, dest)
    }

    fn top(&self) -> PathBuf {
        self.folder.join("top")
    }

    /// Decides between reflinks and copies, and whether there is room for the latter.
    fn choose(&mut self, part: &Part, entries: &[Entry]) -> Result<()> {
        let sample = match part.kind {
            ObjectKind::Tree => entries.iter().find_map(|entry| entry.node.blob()),
            _ => Some(part.blob()),
        };
        if self.mode == CheckoutMode::Auto {
            let clones = sample.map_or(Ok(false), |blob| self.can_clone(blob))?;
            self.mode = if clones { CheckoutMode::Reflink } else { CheckoutMode::Copy };
        }
        if self.mode != CheckoutMode::Copy {
            return Ok(());
        }
        let free =
            self.cache.given_room.map_or_else(|| room(&self.folder).map(|room| room.free), |(free, _)| Ok(free))?;
        if part.size <= free {
            return Ok(());
        }
        let path = self.folder.parent().unwrap_or(&self.folder).to_owned();
        Err(Error::NoRoom { what: part.hash.to_string(), path, needed: part.size, free })
    }

    fn can_clone(&self, blob: Blob) -> Result<bool> {
        let (source, path) = (self.cache.store.layout.blob(blob), self.folder.join("probe"));
        let Some(_) = lstat(&source)? else { return Ok(false) };
        let original = File::open(&source).at("open", &source)?;
        let target = self.cache.store.disk.create_file(&path, 0o600)?;
        let cloned = clone_bytes(&original, &target).at("clone", &path);
        self.cache.store.disk.remove_file(&path)?;
        cloned
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
        let source = store.layout.blob(blob);
        match self.mode {
            CheckoutMode::Symlink => store.disk.symlink(&source, path)?,
            CheckoutMode::Hardlink => store.disk.hard_link(&source, path).map_err(|error| self.explain(error, path))?,
            _ => self.copy(blob, size, &source, path)?,
        }
        self.cache.waiting.observer.on(&Event::Advance { phase: Phase::Checkout, files: 1, bytes: size });
        Ok(())
    }

    fn copy(&self, blob: Blob, size: u64, source: &Path, path: &Path) -> Result<()> {
        let damaged = |detail: String| Error::Damaged { hash: blob.digest, path: source.to_owned(), detail };
        let mut original = match File::open(source) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(damaged("its file is gone".to_owned()));
            }
            Err(error) => return Err(Error::io("open", source, error)),
        };
        let mut target = self.cache.store.disk.create_file(path, self.mode_of(blob.executable))?;
        if self.mode == CheckoutMode::Reflink {
            if clone_bytes(&original, &target).at("clone", path)? {
                return Ok(());
            }
            let reason = "only files of one filesystem that has reflinks can be";
            return Err(self.cannot_share(path, "reflink", reason));
        }
        let metadata = original.metadata().at("read", source)?;
        let interrupt = &self.cache.waiting.interrupt;
        let go_on = |_| if interrupt.requested() { Err(std::io::ErrorKind::Interrupted.into()) } else { Ok(()) };
        let copied = Copier::new(&mut original, &metadata, &go_on).copy_to(&mut target);
        interrupt.check()?;
        let copied = copied.at("copy to", path)?;
        if copied.digest == blob.digest && copied.size == size {
            return Ok(());
        }
        Err(damaged(format!("its content is {}", copied.digest)))
    }

    /// The mode of a file; the user's mask takes its part of it.
    fn mode_of(&self, executable: bool) -> u32 {
        let read = if executable { 0o555 } else { 0o444 };
        if self.writable { read | 0o200 } else { read }
    }

    fn explain(&self, error: Error, path: &Path) -> Error {
        use std::io::ErrorKind as K;

        if error.is_io(K::CrossesDevices) {
            return self.cannot_share(path, "hard link", "they lie on two filesystems");
        }
        if error.is_io(K::PermissionDenied) {
            return self.cannot_share(path, "hard link", "the stored file belongs to somebody else");
        }
        if error.is_io(K::TooManyLinks) {
            return self.cannot_share(path, "hard link", "the stored file has too many names already");
        }
        error
    }

    fn cannot_share(&self, path: &Path, mode: &'static str, reason: &'static str) -> Error {
        let inside = path.strip_prefix(self.top()).unwrap_or(path);
        let shown = if inside.as_os_str().is_empty() { Path::new(".") } else { inside };
        Error::CannotShare { path: shown.to_owned(), store: self.cache.root().to_owned(), mode, reason }
    }

    fn flush(&self, paths: &[PathBuf]) -> Result<()> {
        match self.cache.store.durability {
            crate::model::Durability::None => Ok(()),
            // The files of a copy are many, and lie on a filesystem that need not be the store's.
            _ => self.cache.store.disk.flush_filesystem(paths.last().unwrap_or(&self.folder)),
        }
    }
}

impl Drop for Layer<'_> {
    /// What was replaced goes too.
    fn drop(&mut self) {
        drop(self.cache.store.disk.remove_all(&self.folder));
    }
}

/// Moves a file's bytes to `out` and hashes them on the way.
pub(super) fn pour(
    file: &mut File,
    part: &Part,
    out: &mut (dyn Write + Send),
    interrupt: &Interrupt,
    path: &Path,
) -> Result<Digest> {
    let mut hasher = ObjectHasher::blob(part.size);
    let mut buffer = vec![0; CHUNK];
    loop {
        interrupt.check()?;
        let count = file.read(&mut buffer).at("read", path)?;
        if count == 0 {
            return Ok(hasher.finish());
        }
        hasher.update(&buffer[..count]);
        out.write_all(&buffer[..count]).map_err(|error| Error::io("write what is in", path, error))?;
    }
}
