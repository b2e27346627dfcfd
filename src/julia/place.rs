//! Adds files and directories to a live scratch space.
//!
//! Why: a Julia program must find what this program binds for it, as if it had made it itself.
//! Guarantees: nothing is visible before it is whole; a directory comes after its files; bytes are
//! copied and links made outside of any lock; nothing that is there already is replaced.
//! Must not know: who binds it.
//!
//! OhMyArtifacts.jl has one place for a content, whether executable or not: the first one stays.

use std::path::{Component, Path, PathBuf};

use crate::digest::Digest;
use crate::error::{Error, LinkProblem, PathContext as _, Result};
use crate::fs::{Copier, lstat, open_source};
use crate::julia::live::{Draft, LiveSpace};
use crate::model::{Blob, Entry, Node};
use crate::time::Timestamp;

/// What became of an artifact that was to enter a space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Placed {
    /// It was put there.
    New,
    /// It was there.
    Kept,
}

impl LiveSpace {
    /// Adds a file, whose bytes lie in the read-only file `source`; that file gets a further link
    /// and a new time of change where both filesystems are one.
    ///
    /// # Errors
    /// [`Error::Damaged`] if a copied source has another id, or what lies there is no regular file.
    pub(crate) fn place_blob(&self, blob: Blob, source: &Path, now: Timestamp) -> Result<Placed> {
        self.waiting.interrupt.check()?;
        let id = blob.digest;
        if self.keeps_file(id)? {
            return Ok(Placed::Kept);
        }
        let draft = Draft::inside(&self.disk, &self.tmp())?;
        if self.link(source, &draft.path).is_err() {
            self.disk.remove_all(&draft.path)?;
            self.copy(source, &draft.path, blob)?;
        }
        self.disk.create_dir_all(&self.space.artifacts())?;
        let lock = self.lock_artifact(id, now)?;
        if self.keeps_file(id)? {
            return Ok(Placed::Kept);
        }
        self.move_in(&draft.path, &self.space.artifact(id))?;
        lock.release()?;
        Ok(Placed::New)
    }

    /// Adds a directory: first its files, whose bytes lie where `source` says, then their links.
    ///
    /// # Errors
    /// As [`LiveSpace::place_blob`]; [`Error::Link`] for an absolute link, at which Julia fails.
    pub(crate) fn place_tree(
        &self,
        id: Digest,
        entries: &[Entry],
        source: &dyn Fn(Blob) -> PathBuf,
        now: Timestamp,
    ) -> Result<Placed> {
        entries.iter().try_for_each(check)?;
        for blob in entries.iter().filter_map(|entry| entry.node.blob()) {
            self.place_blob(blob, &source(blob), now)?;
        }
        if self.keeps_directory(id)? {
            return Ok(Placed::Kept);
        }
        let draft = Draft::inside(&self.disk, &self.tmp())?;
        self.lay_out(entries, &draft.path)?;
        let lock = self.lock_artifact(id, now)?;
        if self.keeps_directory(id)? {
            return Ok(Placed::Kept);
        }
        let target = self.space.artifact(id);
        self.touch(&draft.path)?;
        self.move_in(&draft.path, &target)?;
        // Only now: a read-only directory cannot be renamed into another folder.
        self.disk.set_mode(&target, 0o555)?;
        lock.release()?;
        Ok(Placed::New)
    }

    /// Tells whether the file is there, and makes it young again: nobody may have bound it, and then
    /// Julia counts its age from its time of change.
    fn keeps_file(&self, id: Digest) -> Result<bool> {
        self.keeps(id, std::fs::Metadata::is_file)
    }

    fn keeps_directory(&self, id: Digest) -> Result<bool> {
        self.keeps(id, std::fs::Metadata::is_dir)
    }

    fn keeps(&self, id: Digest, is_right: fn(&std::fs::Metadata) -> bool) -> Result<bool> {
        let path = self.space.artifact(id);
        let Some(found) = lstat(&path)? else { return Ok(false) };
        if !is_right(&found) {
            let detail = "something of another kind lies in its place".to_owned();
            return Err(Error::Damaged { hash: id, path, detail });
        }
        // Another user's file cannot be touched, and one that vanishes just now is put there anew.
        let touched = self.touch(&path);
        Ok(!touched.is_err_and(|error| error.is_io(std::io::ErrorKind::NotFound)))
    }

    fn link(&self, source: &Path, target: &Path) -> Result<()> {
        self.disk.hard_link(source, target)?;
        self.touch(target)
    }

    fn copy(&self, source: &Path, target: &Path, blob: Blob) -> Result<()> {
        let mode = if blob.executable { 0o555 } else { 0o444 };
        let (mut from, metadata) = open_source(source)?;
        let mut to = self.disk.create_file(target, mode)?;
        let copied = Copier::new(&mut from, &metadata, &|_| Ok(())).copy_to(&mut to).at("copy", source)?;
        if copied.digest != blob.digest {
            let detail = format!("its content is {}", copied.digest);
            return Err(Error::Damaged { hash: blob.digest, path: source.to_owned(), detail });
        }
        // What the mask took away at creation.
        self.disk.set_mode(target, mode)
    }

    /// Builds the directory as Julia stores it: each file an absolute link to where its content lies.
    fn lay_out(&self, entries: &[Entry], top: &Path) -> Result<()> {
        self.disk.create_dir(top)?;
        for entry in entries {
            let path = top.join(&entry.path);
            match &entry.node {
                Node::Directory => self.disk.create_dir(&path)?,
                Node::Link { target } => self.disk.symlink(target, &path)?,
                Node::File { hash, .. } => self.disk.symlink(&self.space.artifact(*hash), &path)?,
            }
        }
        Ok(())
    }
}

/// Refuses what must not be written below a folder, and what Julia takes for a link to a file.
fn check(entry: &Entry) -> Result<()> {
    let inside = entry.path.components().all(|component| matches!(component, Component::Normal(_)));
    if !inside || entry.path.as_os_str().is_empty() {
        return Err(Error::Internal(format!("a tree holds the path {}", entry.path.display())));
    }
    match &entry.node {
        Node::Link { target } if target.is_absolute() => {
            let (path, target) = (entry.path.clone(), target.clone());
            Err(Error::Link { path, target, problem: LinkProblem::Leaves })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
