//! Reads, hashes and copies files into a private folder, all cores at work.
//!
//! Guarantees: nothing of it is visible to anybody else; every staged file bears its own hash as
//! its name, is read-only and has lost setuid, setgid and sticky bits; equal files are staged once.

use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::digest::Digest;
use crate::error::{Error, PathContext as _, Result};
use crate::event::{Event, Interrupt, Observer, Phase};
use crate::fs::{Copied, Copier, Stamp, hash_file, open_source};
use crate::model::{Blob, Entry, Manifest, Node};
use crate::store::seen::{Seen, SeenEntry};
use crate::store::{StageDir, Store};

/// What happens to the source's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Intake {
    /// They stay, the store gets copies.
    Copy,
    /// They are linked into the store; the caller removes the source when all is safe.
    Link,
    /// They are nobody else's and are renamed into the store.
    Take,
    /// They are another store's, as read-only as here: both stores share them.
    Share,
}

/// Where a blob's bytes are, on their way into the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// In the stage folder, under the blob's name.
    Staged,
    /// There too, and it is a further name of another store's file.
    Linked,
    /// In the source's own file, see [`Intake`], as long as that is the file that was hashed.
    InPlace(Stamp),
    /// In the store already, when this was looked at.
    Stored,
}

/// A blob on its way into the store, and one source file that has its content.
#[derive(Debug, Clone)]
pub(crate) struct StagedBlob {
    pub(crate) blob: Blob,
    pub(crate) size: u64,
    pub(crate) origin: Origin,
    pub(crate) source: PathBuf,
}

/// Everything of one source, hashed.
#[derive(Debug)]
pub(crate) struct Staged {
    /// Each content once, sorted by name.
    pub(crate) blobs: Vec<StagedBlob>,
    /// The tree they make; none for a single file.
    pub(crate) manifest: Option<Manifest>,
}

/// One piece of staging work.
pub(crate) struct Stager<'a> {
    pub(crate) store: &'a Store,
    pub(crate) dir: &'a StageDir,
    pub(crate) intake: Intake,
    pub(crate) observer: &'a dyn Observer,
    pub(crate) interrupt: &'a Interrupt,
    /// Tells whether the store has a file of this length, so that a large one may be there already.
    pub(crate) known_size: &'a (dyn Fn(u64) -> bool + Sync),
}

impl Stager<'_> {
    /// Stages one file.
    pub(crate) fn file(&self, path: &Path) -> Result<Staged> {
        self.begin(1);
        let staged = self.stage(path)?;
        self.observer.on(&Event::End { phase: Phase::Hash });
        Ok(Staged { blobs: vec![staged], manifest: None })
    }

    /// Stages a directory.
    pub(crate) fn directory(&self, root: &Path, entries: Vec<SeenEntry>) -> Result<Staged> {
        let files: Vec<&SeenEntry> = entries.iter().filter(|entry| entry.seen == Seen::File).collect();
        self.begin(files.len() as u64);
        let staged: Vec<StagedBlob> =
            files.par_iter().map(|entry| self.stage(&root.join(&entry.path))).collect::<Result<_>>()?;
        self.observer.on(&Event::End { phase: Phase::Hash });
        let mut found = staged.iter();
        let nodes = entries.into_iter().map(|entry| {
            let node = match entry.seen {
                Seen::Directory => Node::Directory,
                Seen::Link(target) => Node::Link { target },
                Seen::File => file_node(found.next().expect("every file was staged")),
            };
            Entry { path: entry.path, node }
        });
        let manifest = Manifest::new(nodes.collect());
        Ok(Staged { blobs: unique(staged), manifest: Some(manifest) })
    }

    /// Brings the bytes of a blob that was thought to be stored, but is not any more.
    pub(crate) fn again(&self, blob: &StagedBlob) -> Result<StagedBlob> {
        let (mut file, metadata) = open_source(&blob.source)?;
        let staged = self.copy_in(&mut file, &metadata, &blob.source, false)?;
        if staged.blob.digest != blob.blob.digest {
            let detail = "it was changed while it was put in".to_owned();
            return Err(Error::Damaged { hash: blob.blob.digest, path: blob.source.clone(), detail });
        }
        Ok(StagedBlob { blob: blob.blob, ..staged })
    }

    /// Takes over a file of ours whose name is known already.
    pub(crate) fn adopt(&self, path: &Path, blob: Blob, size: u64) -> Result<StagedBlob> {
        let staged = self.path_of(blob);
        self.store.disk.rename(path, &staged)?;
        self.store.disk.set_mode(&staged, mode_of(blob.executable))?;
        Ok(StagedBlob { blob, size, origin: Origin::Staged, source: staged })
    }

    fn begin(&self, files: u64) {
        self.observer.on(&Event::Begin { phase: Phase::Hash, files: Some(files) });
    }

    fn advance(&self, files: u64, bytes: u64) {
        self.observer.on(&Event::Advance { phase: Phase::Hash, files, bytes });
    }

    fn stage(&self, path: &Path) -> Result<StagedBlob> {
        self.interrupt.check()?;
        let (mut file, metadata) = open_source(path)?;
        let staged = if self.may_take(&metadata) {
            self.hash_in_place(&mut file, &metadata, path)
        } else {
            self.copy_in(&mut file, &metadata, path, true)
        }?;
        self.advance(1, 0);
        Ok(staged)
    }

    /// A file that somebody else can reach by another name must not become part of the store.
    fn may_take(&self, metadata: &Metadata) -> bool {
        self.intake != Intake::Copy && metadata.nlink() == 1
    }

    fn hash_in_place(&self, file: &mut File, metadata: &Metadata, path: &Path) -> Result<StagedBlob> {
        let advance = |bytes| self.progress(bytes);
        let mut copier = Copier::new(file, metadata, &advance);
        let small = self.interruptible(copier.read_small(), path)?;
        let copied = match small {
            Some(bytes) => Copied { digest: Digest::of_blob(&bytes), size: bytes.len() as u64 },
            None => self.interruptible(copier.hash(), path)?,
        };
        let blob = Blob { digest: copied.digest, executable: is_executable(metadata) };
        let origin =
            if self.is_stored(blob, copied.size)? { Origin::Stored } else { Origin::InPlace(Stamp::from(metadata)) };
        Ok(StagedBlob { blob, size: copied.size, origin, source: path.to_owned() })
    }

    fn copy_in(&self, file: &mut File, metadata: &Metadata, path: &Path, look: bool) -> Result<StagedBlob> {
        let executable = is_executable(metadata);
        let advance = |bytes| self.progress(bytes);
        let mut copier = Copier::new(file, metadata, &advance);
        let done = |blob, size, origin| StagedBlob { blob, size, origin, source: path.to_owned() };
        if let Some(bytes) = self.interruptible(copier.read_small(), path)? {
            let blob = Blob { digest: Digest::of_blob(&bytes), executable };
            let size = bytes.len() as u64;
            if look && self.is_stored(blob, size)? {
                return Ok(done(blob, size, Origin::Stored));
            }
            self.write_small(blob, &bytes)?;
            return Ok(done(blob, size, Origin::Staged));
        }
        if look && (self.known_size)(metadata.len()) {
            let copied = self.interruptible(copier.hash(), path)?;
            let blob = Blob { digest: copied.digest, executable };
            if self.is_stored(blob, copied.size)? {
                return Ok(done(blob, copied.size, Origin::Stored));
            }
            io::Seek::rewind(file).at("read", path)?;
            copier = Copier::new(file, metadata, &advance);
        }
        let (blob, size) = self.write_large(&mut copier, executable, path)?;
        Ok(done(blob, size, Origin::Staged))
    }

    fn write_small(&self, blob: Blob, bytes: &[u8]) -> Result<()> {
        let target = self.path_of(blob);
        match self.store.disk.create_file(&target, mode_of(blob.executable)) {
            Ok(mut file) => file.write_all(bytes).at("write", &target),
            // Another thread has the same content and writes it.
            Err(error) if error.is_io(io::ErrorKind::AlreadyExists) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The name is known only when all is written.
    fn write_large(&self, copier: &mut Copier<'_>, executable: bool, path: &Path) -> Result<(Blob, u64)> {
        let unnamed = self.dir.path().join(crate::store::session::random_name()?);
        let mut target = self.store.disk.create_file(&unnamed, mode_of(executable))?;
        let copied = self.interruptible(copier.copy_to(&mut target), path)?;
        let blob = Blob { digest: copied.digest, executable };
        self.store.disk.rename(&unnamed, &self.path_of(blob))?;
        Ok((blob, copied.size))
    }

    /// Returns where a staged blob lies.
    pub(crate) fn path_of(&self, blob: Blob) -> PathBuf {
        staged_path(self.dir, blob)
    }

    fn is_stored(&self, blob: Blob, size: u64) -> Result<bool> {
        self.store.is_believable(blob, size)
    }

    fn progress(&self, bytes: u64) -> io::Result<()> {
        self.advance(0, bytes);
        if self.interrupt.requested() { Err(io::ErrorKind::Interrupted.into()) } else { Ok(()) }
    }

    fn interruptible<T>(&self, outcome: io::Result<T>, path: &Path) -> Result<T> {
        self.interrupt.check()?;
        outcome.at("copy", path)
    }
}

/// Reads a file without copying it: its name, its length, and what it was when it was read.
pub(crate) fn hash_source(
    path: &Path,
    observer: &dyn Observer,
    interrupt: &Interrupt,
) -> Result<(StagedBlob, Metadata)> {
    let (mut file, metadata) = open_source(path)?;
    let advance = |bytes| {
        observer.on(&Event::Advance { phase: Phase::Hash, files: 0, bytes });
        if interrupt.requested() { Err(io::ErrorKind::Interrupted.into()) } else { Ok(()) }
    };
    let hashed = hash_file(&mut file, &advance);
    interrupt.check()?;
    let Copied { digest, size } = hashed.at("read", path)?;
    let blob = Blob { digest, executable: is_executable(&metadata) };
    let origin = Origin::InPlace(Stamp::from(&metadata));
    Ok((StagedBlob { blob, size, origin, source: path.to_owned() }, metadata))
}

/// Returns where a staged blob lies in its stage folder.
pub(crate) fn staged_path(dir: &StageDir, blob: Blob) -> PathBuf {
    let suffix = if blob.executable { "-x" } else { "" };
    dir.path().join(format!("{}{suffix}", blob.digest))
}

/// The mode of a stored file: nobody may write it.
pub(crate) const fn mode_of(executable: bool) -> u32 {
    if executable { 0o555 } else { 0o444 }
}

/// git's rule: the owner's execute bit decides.
fn is_executable(metadata: &Metadata) -> bool {
    metadata.permissions().mode() & 0o100 != 0
}

fn file_node(staged: &StagedBlob) -> Node {
    Node::File { hash: staged.blob.digest, executable: staged.blob.executable, size: staged.size }
}

/// Keeps each content once. One that is not stored yet wins, so that its bytes are not forgotten.
fn unique(staged: Vec<StagedBlob>) -> Vec<StagedBlob> {
    let mut by_name: HashMap<Blob, StagedBlob> = HashMap::with_capacity(staged.len());
    for candidate in staged {
        by_name
            .entry(candidate.blob)
            .and_modify(|known| {
                if known.origin == Origin::Stored {
                    known.clone_from(&candidate);
                }
            })
            .or_insert(candidate);
    }
    let mut blobs: Vec<_> = by_name.into_values().collect();
    blobs.sort_unstable_by_key(|blob| blob.blob);
    blobs
}
