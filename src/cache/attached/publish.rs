//! Gives names and artifacts to the spaces that are written to, before this store has them.

use std::path::PathBuf;

use crate::cache::{ArtifactRef, BindOptions, Cache, Ingested};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::event::Event;
use crate::fs::lstat;
use crate::index::{ObjectRow, SpaceBindingRow, SpaceRow, WriteTx};
use crate::julia::{Bind, Content, LiveSpace, NewBinding, Offer, SpaceBinding, SpaceFile};
use crate::model::{Artifact, BindingName, Blob, Entry, Metadata, ObjectKind, OwnerId};
use crate::time::Timestamp;

impl Cache {
    /// Binds in the spaces that are written to. They come first: if this process dies in between, the next
    /// `sync` takes the name over from there.
    ///
    /// Returns the spaces that have it, so that the caller notes in its own transaction what both sides
    /// agree on. What is not there, such as an unplugged disk, gets it by `sync`.
    pub(crate) fn publish_binding(
        &self,
        owner: &OwnerId,
        name: &BindingName,
        what: ArtifactRef,
        options: &BindOptions,
    ) -> Result<Vec<SpaceRow>> {
        let spaces = self.written_spaces(owner)?;
        if spaces.is_empty() {
            return Ok(spaces);
        }
        let object = self.read(|tx| self.live_object(tx, what))?;
        let taken = self.find_binding(owner, name)?.filter(|_| !options.force);
        if let Some(taken) = taken {
            return Err(exists(owner, name, taken.artifact.hash));
        }
        let mut reached = Vec::new();
        for space in spaces {
            if self.is_out_of_reach(&space)? {
                continue;
            }
            self.refuse_torn(&space, owner)?;
            let options = (options.meta.as_ref(), options.force);
            self.publish_to(&space, owner, name, &object, options)?;
            reached.push(space);
        }
        Ok(reached)
    }

    /// A file that lost its names must not become whole by one more: `sync` would take the rest for unbound.
    fn refuse_torn(&self, space: &SpaceRow, owner: &OwnerId) -> Result<()> {
        let live = self.live_space(space)?;
        let file = live.file(owner.key(), owner.version())?;
        let is_empty = lstat(&file.path)?.is_some_and(|found| found.len() == 0);
        // The other program may be about to fill it, under its lock.
        if !is_empty || live.read_bindings(&file, self.now())?.is_some_and(|found| !found.table().is_empty()) {
            return Ok(());
        }
        let path = file.path;
        let agreed = self.read(|tx| tx.space_bindings(space.id))?.iter().filter(|row| row.owner == *owner).count();
        if agreed < 2 {
            return Ok(());
        }
        let reason = format!("it is empty, and {agreed} names of it were known: `oma sync --restore` puts them back");
        Err(Error::Toml { path, line: 1, reason })
    }

    /// Puts an artifact into one space and binds it there.
    pub(crate) fn publish_to(
        &self,
        space: &SpaceRow,
        owner: &OwnerId,
        name: &BindingName,
        object: &ObjectRow,
        (meta, force): (Option<&Metadata>, bool),
    ) -> Result<()> {
        let live = self.live_space(space)?;
        let file = live.file(owner.key(), owner.version())?;
        let entries = self.entries_of(object)?;
        let content = content(object.kind, &entries);
        let is_dir = !object.kind.is_file();
        let meta = meta.map(Metadata::as_toml);
        let binding = NewBinding { name: name.as_str(), id: object.hash, is_dir, meta, force };
        let outcomes = live.publish(&file, &[Offer { binding, content }], &|blob| self.source_of(blob), self.now())?;
        match outcomes.into_iter().next() {
            Some(Bind::Taken(held)) => Err(match held.id {
                Some(id) => exists(owner, name, id),
                None => {
                    Error::Toml { path: file.path, line: 1, reason: format!("`{name}` is there and is no binding") }
                }
            }),
            _ => Ok(()),
        }
    }

    /// Lets names go in the spaces that are written to.
    pub(crate) fn retract_bindings(&self, owner: &OwnerId, names: &[BindingName]) -> Result<Vec<SpaceRow>> {
        let mut reached = Vec::new();
        for space in self.written_spaces(owner)? {
            if self.is_out_of_reach(&space)? {
                continue;
            }
            let live = self.live_space(&space)?;
            let file = live.file(owner.key(), owner.version())?;
            for name in names {
                self.retract(&live, &file, owner, name)?;
            }
            reached.push(space);
        }
        Ok(reached)
    }

    /// Lets one name go there, if it still stands for what it stands for here: what the Julia program has
    /// bound since is not ours to let go.
    fn retract(&self, live: &LiveSpace, file: &SpaceFile, owner: &OwnerId, name: &BindingName) -> Result<()> {
        let Some(bound) = self.find_binding(owner, name)? else {
            return live.unbind(file, &[name.as_str()], self.now()).map(drop);
        };
        if live.unbind_same(file, name.as_str(), Some(bound.artifact.hash), self.now())? {
            return Ok(());
        }
        match meaning_there(live, file, name, self.now())? {
            Some(other) => Err(exists(owner, name, other)),
            None => Ok(()),
        }
    }

    /// Says so if a space is not there.
    fn is_out_of_reach(&self, space: &SpaceRow) -> Result<bool> {
        match self.live_space(space)?.space().require() {
            Ok(()) => Ok(false),
            Err(error @ Error::NoSuchPath { .. }) => {
                let message = format!("an attached space is left out: {error}; `oma sync` makes up for it");
                self.waiting.observer.on(&Event::Warning { message: &message });
                Ok(true)
            }
            Err(error) => Err(error),
        }
    }

    /// Puts what nobody has bound yet into the spaces that are written to, so that a package can bind it
    /// there. It is safe here already, so what fails is only said.
    pub(crate) fn publish_unbound(&self, ingested: &Ingested) {
        if let Err(error) = self.place_unbound(&ingested.artifact) {
            let message = format!("it is not in the attached space yet: {error}");
            self.waiting.observer.on(&Event::Warning { message: &message });
        }
    }

    fn place_unbound(&self, artifact: &Artifact) -> Result<()> {
        let spaces = self.read(|tx| tx.spaces())?;
        let mut spaces = spaces.into_iter().filter(|space| space.writes).peekable();
        if spaces.peek().is_none() {
            return Ok(());
        }
        let object = self.read(|tx| tx.find_form(artifact.hash, artifact.kind))?;
        let Some(object) = object else { return Ok(()) };
        for space in spaces {
            if !self.is_out_of_reach(&space)? {
                self.place_object(&space, &object)?;
            }
        }
        Ok(())
    }

    /// Puts an artifact of this store into a space.
    ///
    /// # Errors
    /// [`Error::NoSuchObject`] if this store does not hold it.
    pub(crate) fn place_in(&self, space: &SpaceRow, hash: Digest) -> Result<()> {
        let object = self.read(|tx| self.live_object(tx, hash.into()))?;
        self.place_object(space, &object)
    }

    fn place_object(&self, space: &SpaceRow, object: &ObjectRow) -> Result<()> {
        let live = self.live_space(space)?;
        let entries = self.entries_of(object)?;
        let now = self.now();
        match content(object.kind, &entries) {
            Content::File { executable } => {
                let blob = Blob { digest: object.hash, executable };
                live.place_blob(blob, &self.source_of(blob), now)?;
            }
            Content::Directory(entries) => {
                live.place_tree(object.hash, entries, &|blob| self.source_of(blob), now)?;
            }
        }
        Ok(())
    }

    fn entries_of(&self, object: &ObjectRow) -> Result<Vec<Entry>> {
        if object.kind.is_file() { Ok(Vec::new()) } else { self.read(|tx| tx.entries(object.id)) }
    }

    fn source_of(&self, blob: Blob) -> PathBuf {
        self.store.layout.blob(blob)
    }
}

/// Notes in the transaction that binds here what both sides agree on.
pub(crate) fn note_agreed(
    tx: &WriteTx<'_>,
    spaces: &[SpaceRow],
    owner: &OwnerId,
    name: &BindingName,
    (hash, meta, bound_at): (Digest, Option<&Metadata>, Timestamp),
) -> Result<()> {
    let row = SpaceBindingRow { owner: owner.clone(), name: name.to_string(), hash, meta: meta.cloned(), bound_at };
    spaces.iter().try_for_each(|space| tx.put_space_binding(space.id, &row))
}

fn content(kind: ObjectKind, entries: &[Entry]) -> Content<'_> {
    match kind {
        ObjectKind::Tree => Content::Directory(entries),
        file => Content::File { executable: file == ObjectKind::Executable },
    }
}

/// Returns what a name stands for in a space now.
pub(crate) fn meaning_there(
    live: &LiveSpace,
    file: &SpaceFile,
    name: &BindingName,
    now: Timestamp,
) -> Result<Option<Digest>> {
    let document = live.read_bindings(file, now)?;
    let value = document.as_ref().and_then(|document| document.table().get(name.as_str()));
    Ok(value.and_then(|value| SpaceBinding::read(value).ok()).map(|binding| binding.id))
}

fn exists(owner: &OwnerId, name: &BindingName, existing: Digest) -> Error {
    Error::BindingExists { owner: owner.to_string(), name: name.to_string(), existing }
}
