//! Puts files and directories into a scratch space as OhMyArtifacts.jl stores them.
//!
//! A file is shared with the store by a hard link where that can be, else copied. A directory is one of
//! absolute links to the space's own files. One content has one place, whether executable or not.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::cache::Cache;
use crate::compat::export::ExportReport;
use crate::compat::export::snapshot::Snapshot;
use crate::digest::Digest;
use crate::error::{Error, PathContext as _, Result};
use crate::event::Event;
use crate::fs::{Copier, Disk, hash_file, lstat, open_source};
use crate::julia::{ScratchSpace, Stored, StoredEntry, StoredNode};
use crate::model::{Blob, Entry, Node};
use crate::text::printable_path;

/// What is to be put where.
pub(super) struct Placing<'a> {
    cache: &'a Cache,
    space: &'a ScratchSpace,
    files: Vec<Blob>,
    trees: Vec<(Digest, &'a [Entry])>,
    kept: u64,
}

impl<'a> Placing<'a> {
    /// Finds out what is missing.
    ///
    /// # Errors
    /// [`Error::Invalid`] if something else lies in the place of an artifact, and for an absolute link,
    /// which Julia takes for one to a file.
    pub(super) fn plan(cache: &'a Cache, space: &'a ScratchSpace, snapshot: &'a Snapshot) -> Result<Self> {
        let mut placing = Self { cache, space, files: Vec::new(), trees: Vec::new(), kept: 0 };
        for (digest, executable) in placing.one_form_each(snapshot) {
            cache.waiting.interrupt.check()?;
            let blob = Blob { digest, executable };
            if placing.has_file(blob)? { placing.kept += 1 } else { placing.files.push(blob) }
        }
        for (id, entries) in &snapshot.trees {
            entries.iter().try_for_each(|entry| check_link(*id, entry))?;
            if placing.has_tree(*id, entries)? { placing.kept += 1 } else { placing.trees.push((*id, entries)) }
        }
        Ok(placing)
    }

    /// Julia cannot keep the two forms of a content apart: a program that cannot be run is the worse loss.
    fn one_form_each(&self, snapshot: &Snapshot) -> BTreeMap<Digest, bool> {
        let mut forms: BTreeMap<Digest, BTreeSet<bool>> = BTreeMap::new();
        for blob in snapshot.blobs() {
            forms.entry(blob.digest).or_default().insert(blob.executable);
        }
        for (id, _) in forms.iter().filter(|(_, forms)| forms.len() > 1) {
            let message = format!("{id} is kept with and without its execute bit; Julia gets it with the bit");
            self.cache.waiting.observer.on(&Event::Warning { message: &message });
        }
        forms.into_iter().map(|(id, forms)| (id, forms.contains(&true))).collect()
    }

    fn has_file(&self, blob: Blob) -> Result<bool> {
        let path = self.space.artifact(blob.digest);
        let Some(found) = lstat(&path)? else { return Ok(false) };
        let ours = lstat(&self.source(blob))?;
        if found.is_file() && ours.is_some_and(|ours| (ours.dev(), ours.ino()) == (found.dev(), found.ino())) {
            return Ok(true);
        }
        let sound = found.is_file() && {
            let (mut file, _) = open_source(&path)?;
            hash_file(&mut file, &|_| Ok(())).at("read", &path)?.digest == blob.digest
        };
        if sound { Ok(true) } else { Err(self.in_its_place(blob.digest)) }
    }

    fn has_tree(&self, id: Digest, entries: &[Entry]) -> Result<bool> {
        let mut wanted: Vec<StoredEntry> = entries.iter().map(stored).collect();
        match self.space.stored(id)? {
            Stored::Missing => Ok(false),
            Stored::Tree(mut found) => {
                found.sort_unstable_by(|a, b| a.path.cmp(&b.path));
                wanted.sort_unstable_by(|a, b| a.path.cmp(&b.path));
                if found == wanted { Ok(true) } else { Err(self.in_its_place(id)) }
            }
            _ => Err(self.in_its_place(id)),
        }
    }

    fn in_its_place(&self, id: Digest) -> Error {
        let reason = format!("something else lies in the place of {id}");
        Error::invalid("folder for an export", &self.space.root().to_string_lossy(), reason)
    }

    fn source(&self, blob: Blob) -> PathBuf {
        self.cache.store.layout.blob(blob)
    }

    /// Puts everything there: files first, so that no directory leads to nothing.
    pub(super) fn carry_out(&self, report: &mut ExportReport) -> Result<()> {
        report.kept_artifacts = self.kept;
        if self.files.is_empty() && self.trees.is_empty() {
            return Ok(());
        }
        let disk = &self.cache.store.disk;
        let ours = self.space.root().join(".oma");
        let work = ours.join(format!("export-{}", std::process::id()));
        disk.remove_all(&work)?;
        disk.create_dir_all(&work)?;
        let outcome = self.fill(&work.join("draft"), report);
        drop(disk.remove_all(&work));
        // Others may be at work there.
        drop(disk.remove_dir(&ours));
        outcome
    }

    fn fill(&self, draft: &Path, report: &mut ExportReport) -> Result<()> {
        for blob in &self.files {
            self.cache.waiting.interrupt.check()?;
            report.copied_bytes += self.place_file(*blob, draft)?;
            report.new_artifacts += 1;
        }
        for (id, entries) in &self.trees {
            self.cache.waiting.interrupt.check()?;
            self.place_tree(*id, entries, draft)?;
            report.new_artifacts += 1;
        }
        Ok(())
    }

    /// Returns how many bytes were copied.
    fn place_file(&self, blob: Blob, draft: &Path) -> Result<u64> {
        let disk = &self.cache.store.disk;
        let (source, target) = (self.source(blob), self.shelf(blob.digest)?);
        if disk.hard_link(&source, &target).is_ok() {
            return Ok(0);
        }
        let size = copy(disk, &source, draft, blob)?;
        disk.rename(draft, &target)?;
        Ok(size)
    }

    fn place_tree(&self, id: Digest, entries: &[Entry], draft: &Path) -> Result<()> {
        let disk = &self.cache.store.disk;
        disk.create_dir(draft)?;
        for entry in entries {
            let path = draft.join(&entry.path);
            match &entry.node {
                Node::Directory => disk.create_dir(&path)?,
                Node::Link { target } => disk.symlink(target, &path)?,
                Node::File { hash, .. } => disk.symlink(&self.space.artifact(*hash), &path)?,
            }
        }
        let target = self.shelf(id)?;
        disk.rename(draft, &target)?;
        // Only now: a read-only directory cannot be moved into another folder.
        disk.set_mode(&target, 0o555)
    }

    /// Returns where an artifact goes; its folder is there.
    fn shelf(&self, id: Digest) -> Result<PathBuf> {
        let path = self.space.artifact(id);
        let folder = path.parent().ok_or_else(|| Error::Internal("an artifact has no folder".to_owned()))?;
        self.cache.store.disk.create_dir_all(folder)?;
        Ok(path)
    }
}

fn copy(disk: &Disk, source: &Path, target: &Path, blob: Blob) -> Result<u64> {
    let mode = if blob.executable { 0o555 } else { 0o444 };
    let (mut from, metadata) = open_source(source)?;
    let mut to = disk.create_file(target, mode)?;
    let copied = Copier::new(&mut from, &metadata, &|_| Ok(())).copy_to(&mut to).at("copy", source)?;
    if copied.digest != blob.digest {
        let detail = format!("its content is {}", copied.digest);
        return Err(Error::Damaged { hash: blob.digest, path: source.to_owned(), detail });
    }
    // What the mask took away at creation.
    disk.set_mode(target, mode)?;
    Ok(copied.size)
}

fn check_link(id: Digest, entry: &Entry) -> Result<()> {
    match &entry.node {
        Node::Link { target } if target.is_absolute() => {
            let path = Path::new(&id.short()).join(&entry.path);
            let reason = format!("it leads to `{}`, and Julia fails at absolute links", printable_path(target));
            Err(Error::invalid("link of a scratch space", &path.to_string_lossy(), reason))
        }
        _ => Ok(()),
    }
}

fn stored(entry: &Entry) -> StoredEntry {
    let node = match &entry.node {
        Node::Directory => StoredNode::Directory,
        Node::Link { target } => StoredNode::Link(target.clone()),
        Node::File { hash, .. } => StoredNode::File(*hash),
    };
    StoredEntry { path: entry.path.clone(), node }
}
