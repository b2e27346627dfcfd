//! Lays out a tree on disk: real directories, and every file a link to its blob.

use std::io;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::error::{Error, PathContext as _, Result};
use crate::event::{Event, Observer, Phase};
use crate::fs::Copier;
use crate::model::{Blob, Entry, LinkStyle, Manifest, Node};
use crate::store::Store;
use crate::store::stage::mode_of;

/// A laid out tree.
#[derive(Debug)]
pub(crate) struct Shadow {
    /// Its top directory.
    pub(crate) path: PathBuf,
    /// Bytes of files that could not share their blob's inode (too many links, `EMLINK`).
    pub(crate) own_bytes: u64,
}

impl Store {
    /// Lays out `manifest` at `top`, which must not exist. All its blobs must be in the store.
    pub(crate) fn lay_out(&self, manifest: &Manifest, top: &Path, observer: &dyn Observer) -> Result<Shadow> {
        self.disk.create_dir(top)?;
        let (directories, leaves): (Vec<&Entry>, Vec<&Entry>) =
            manifest.entries.iter().partition(|entry| entry.node == Node::Directory);
        observer.on(&Event::Begin { phase: Phase::Link, files: Some(leaves.len() as u64) });
        for directory in &directories {
            self.disk.create_dir(&top.join(&directory.path))?;
        }
        let own_bytes = leaves
            .par_iter()
            .with_min_len(16)
            .map(|entry| self.lay_leaf(entry, &top.join(&entry.path), observer))
            .try_reduce(|| 0, |a, b| Ok(a + b))?;
        for directory in directories.iter().rev() {
            self.disk.set_mode(&top.join(&directory.path), 0o555)?;
        }
        let folders: Vec<PathBuf> =
            directories.iter().map(|entry| top.join(&entry.path)).chain([top.to_owned()]).collect();
        self.flush(&folders)?;
        observer.on(&Event::End { phase: Phase::Link });
        Ok(Shadow { path: top.to_owned(), own_bytes })
    }

    fn lay_leaf(&self, entry: &Entry, path: &Path, observer: &dyn Observer) -> Result<u64> {
        let own_bytes = match &entry.node {
            Node::Directory => 0,
            Node::Link { target } => {
                self.disk.symlink(target, path)?;
                0
            }
            Node::File { hash, executable, size } => {
                let blob = Blob { digest: *hash, executable: *executable };
                self.lay_file(blob, *size, entry, path)?
            }
        };
        observer.on(&Event::Advance { phase: Phase::Link, files: 1, bytes: 0 });
        Ok(own_bytes)
    }

    fn lay_file(&self, blob: Blob, size: u64, entry: &Entry, path: &Path) -> Result<u64> {
        if self.style != LinkStyle::Hardlink {
            let depth = crate::model::depth(&entry.path);
            self.disk.symlink(&self.layout.link_text(self.style, blob, depth), path)?;
            return Ok(0);
        }
        match self.disk.hard_link(&self.layout.blob(blob), path) {
            Ok(()) => Ok(0),
            Err(error) if cannot_share(&error) => {
                self.copy_blob(blob, path)?;
                Ok(size)
            }
            Err(error) => Err(error),
        }
    }

    fn copy_blob(&self, blob: Blob, path: &Path) -> Result<()> {
        let source = self.layout.blob(blob);
        let mut original = std::fs::File::open(&source).at("open", &source)?;
        let metadata = original.metadata().at("read", &source)?;
        let mut copy = self.disk.create_file(path, mode_of(blob.executable))?;
        let copied = Copier::new(&mut original, &metadata, &|_| Ok(())).copy_to(&mut copy).at("copy", path)?;
        if copied.digest == blob.digest {
            return Ok(());
        }
        let detail = format!("its content is {}", copied.digest);
        Err(Error::Damaged { hash: blob.digest, path: source, detail })
    }
}

/// Too many links to one file, or a kernel that lets nobody link files of another user.
fn cannot_share(error: &Error) -> bool {
    error.is_io(io::ErrorKind::TooManyLinks) || error.is_io(io::ErrorKind::PermissionDenied)
}
