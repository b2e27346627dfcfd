//! Brings the bytes of files over from another store, in the cheapest way that is safe.
//!
//! A file that both stores are to share gets its further name in the private folder of the one it goes to,
//! and is hashed then: so what was hashed is what goes in, whatever becomes of the name it had.

use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::cache::Cache;
use crate::cache::copy::{CopiedBy, damaged};
use crate::error::{Error, PathContext as _, Result};
use crate::event::{Event, Phase};
use crate::fs::{Copied, Copier, clone_bytes, hash_file, lstat, open_source, same_filesystem};
use crate::model::Blob;
use crate::store::{Origin, StageDir, StagedBlob, mode_of, random_name, staged_path};
use crate::text::printable_path;

/// So many files are noted in one transaction.
const BATCH: usize = 1_000;

/// Files at the door of the other store.
pub(super) struct Carried {
    /// Each content once.
    pub(super) blobs: Vec<StagedBlob>,
    /// How those came which were not there.
    pub(super) by: BTreeMap<Blob, CopiedBy>,
}

/// One journey between two stores.
pub(super) struct Carrier<'a> {
    from: &'a Cache,
    to: &'a Cache,
    dir: &'a StageDir,
}

impl<'a> Carrier<'a> {
    pub(super) fn new(from: &'a Cache, to: &'a Cache, dir: &'a StageDir) -> Self {
        Self { from, to, dir }
    }

    /// Brings what the other store has not, or cannot believe.
    pub(super) fn all(&self, needed: Vec<(Blob, u64)>) -> Result<Carried> {
        let observer = &*self.to.waiting.observer;
        observer.on(&Event::Begin { phase: Phase::Copy, files: Some(needed.len() as u64) });
        let carried = self.carry(needed);
        observer.on(&Event::End { phase: Phase::Copy });
        carried
    }

    fn carry(&self, needed: Vec<(Blob, u64)>) -> Result<Carried> {
        let believed = needed.par_iter().map(|(blob, size)| self.is_there(*blob, *size)).collect::<Result<Vec<_>>>()?;
        let (there, missing): (Vec<_>, Vec<_>) = needed.into_iter().zip(believed).partition(|(_, believed)| *believed);
        let missing: Vec<(Blob, u64)> = missing.into_iter().map(|(file, _)| file).collect();
        let way = self.choose(&missing)?;
        if way == CopiedBy::Hardlink {
            self.note_links(&missing)?;
        }
        let brought: Vec<(StagedBlob, CopiedBy)> =
            missing.par_iter().map(|(blob, size)| self.bring(*blob, *size, way)).collect::<Result<_>>()?;
        let by = brought.iter().map(|(staged, by)| (staged.blob, *by)).collect();
        let stored = there.into_iter().map(|((blob, size), _)| self.staged(blob, size, Origin::Stored));
        Ok(Carried { blobs: stored.chain(brought.into_iter().map(|(staged, _)| staged)).collect(), by })
    }

    fn is_there(&self, blob: Blob, size: u64) -> Result<bool> {
        self.to.waiting.interrupt.check()?;
        let there = self.to.store.is_believable(blob, size)?;
        if there {
            self.advance(1, 0);
        }
        Ok(there)
    }

    /// Chooses the way for all files; one that cannot go it is copied.
    fn choose(&self, missing: &[(Blob, u64)]) -> Result<CopiedBy> {
        let Some((sample, _)) = missing.first() else { return Ok(CopiedBy::Copy) };
        if self.can_clone(*sample)? {
            return Ok(CopiedBy::Reflink);
        }
        // Who cannot write down that a file is shared must not share it: a gc there would tell wrong figures.
        if !self.from.is_read_only() && same_filesystem(self.from.root(), self.to.root())? {
            return Ok(CopiedBy::Hardlink);
        }
        let needed = missing.iter().map(|(_, size)| size).sum();
        let free = self.to.disk_room()?.free;
        if needed <= free {
            return Ok(CopiedBy::Copy);
        }
        let what = printable_path(self.from.root());
        Err(Error::NoRoom { what, path: self.to.root().to_owned(), needed, free })
    }

    fn can_clone(&self, sample: Blob) -> Result<bool> {
        let Ok((original, _)) = open_source(&self.from.store.layout.blob(sample)) else { return Ok(false) };
        let path = self.dir.path().join(random_name()?);
        let target = self.to.store.disk.create_file(&path, 0o600)?;
        let cloned = clone_bytes(&original, &target).at("clone", &path);
        self.to.store.disk.remove_file(&path)?;
        cloned
    }

    /// Writes down in the store they come from that files may have a name elsewhere, before they do.
    fn note_links(&self, missing: &[(Blob, u64)]) -> Result<()> {
        missing.chunks(BATCH).try_for_each(|batch| {
            self.from.write(|tx| {
                for (blob, _) in batch {
                    if let Some(known) = tx.known(blob.digest, blob.kind())? {
                        tx.set_linked(known.id)?;
                    }
                }
                Ok(())
            })
        })
    }

    fn bring(&self, blob: Blob, size: u64, way: CopiedBy) -> Result<(StagedBlob, CopiedBy)> {
        self.to.waiting.interrupt.check()?;
        let source = self.from.store.layout.blob(blob);
        let (mut original, found) = open_stored(blob, &source)?;
        let staged = staged_path(self.dir, blob);
        let linked = way == CopiedBy::Hardlink && self.link(&found, &source, &staged)?;
        let advance = |bytes| self.pass(bytes);
        let (copied, by) = if linked {
            (hash_file(&mut original, &advance), CopiedBy::Hardlink)
        } else {
            let mut target = self.to.store.disk.create_file(&staged, mode_of(blob.executable))?;
            if way == CopiedBy::Reflink && clone_bytes(&original, &target).at("clone", &staged)? {
                (hash_file(&mut target, &advance), CopiedBy::Reflink)
            } else {
                (Copier::new(&mut original, &found, &advance).copy_to(&mut target), CopiedBy::Copy)
            }
        };
        self.to.waiting.interrupt.check()?;
        let copied: Copied = copied.at("copy", &source)?;
        if (copied.digest, copied.size) != (blob.digest, size) {
            let detail = format!("its content is {} of {} bytes", copied.digest, copied.size);
            return Err(damaged(blob, &source, detail));
        }
        self.advance(1, 0);
        let origin = if linked { Origin::Linked } else { Origin::Staged };
        Ok((self.staged(blob, size, origin), by))
    }

    /// Gives a file that was opened a further name; false if that cannot be.
    fn link(&self, found: &Metadata, source: &Path, staged: &Path) -> Result<bool> {
        if !is_ours(found) {
            return Ok(false);
        }
        match self.to.store.disk.hard_link(source, staged) {
            Err(Error::Io { source, .. }) if cannot_link(&source) => return Ok(false),
            other => other?,
        }
        let same = lstat(staged)?.is_some_and(|linked| (linked.dev(), linked.ino()) == (found.dev(), found.ino()));
        if !same {
            // Another file of the same name took its place meanwhile.
            self.to.store.disk.remove_file(staged)?;
        }
        Ok(same)
    }

    fn staged(&self, blob: Blob, size: u64, origin: Origin) -> StagedBlob {
        let source: PathBuf = self.from.store.layout.blob(blob);
        StagedBlob { blob, size, origin, source }
    }

    fn pass(&self, bytes: u64) -> io::Result<()> {
        self.advance(0, bytes);
        if self.to.waiting.interrupt.requested() { Err(io::ErrorKind::Interrupted.into()) } else { Ok(()) }
    }

    fn advance(&self, files: u64, bytes: u64) {
        self.to.waiting.observer.on(&Event::Advance { phase: Phase::Copy, files, bytes });
    }
}

fn open_stored(blob: Blob, path: &Path) -> Result<(File, Metadata)> {
    open_source(path).map_err(|error| match error {
        error if error.is_io(io::ErrorKind::NotFound) => damaged(blob, path, "its file is gone".to_owned()),
        other => other,
    })
}

/// Only a file that nobody else owns, and that nobody may write to, can be shared.
fn is_ours(found: &Metadata) -> bool {
    found.uid() == rustix::process::geteuid().as_raw() && found.mode() & 0o222 == 0
}

fn cannot_link(error: &io::Error) -> bool {
    use io::ErrorKind::{CrossesDevices, NotFound, PermissionDenied, TooManyLinks, Unsupported};
    matches!(error.kind(), CrossesDevices | NotFound | PermissionDenied | TooManyLinks | Unsupported)
}
