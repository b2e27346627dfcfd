//! Finds artifacts by what people call them.

use std::path::PathBuf;

use crate::cache::{Binding, Cache};
use crate::digest::{Digest, DigestPrefix};
use crate::error::{Error, Result};
use crate::index::{BindingRow, ObjectRow, ReadTx};
use crate::model::{Artifact, BindingName, Entry, Filter, ObjectKind, OwnerId};
use crate::time::Timestamp;

/// What somebody calls an artifact: a hash, a unique prefix of one, `OWNER:NAME`, or a name.
#[derive(Debug, Clone, Copy)]
pub struct Reference<'a> {
    pub(super) text: &'a str,
    pub(super) owner: Option<&'a OwnerId>,
}

impl<'a> Reference<'a> {
    /// Takes the words as typed; with an owner, a bare name is one of its names.
    #[must_use]
    pub const fn new(text: &'a str, owner: Option<&'a OwnerId>) -> Self {
        Self { text, owner }
    }

    /// Returns the words as typed.
    #[must_use]
    pub const fn text(self) -> &'a str {
        self.text
    }
}

/// What a reference led to.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The artifact.
    pub artifact: Artifact,
    /// The binding, if it was found by name.
    pub binding: Option<Binding>,
}

impl Cache {
    /// Finds an artifact. A full hash is a hash; else a name of the given owner wins over a prefix,
    /// and a prefix over `OWNER:NAME`. Notes the use of a binding.
    ///
    /// # Errors
    /// [`Error::UnknownReference`] or [`Error::NoSuchBinding`] if nothing goes by it,
    /// [`Error::AmbiguousPrefix`] if several do.
    pub fn find(&self, reference: Reference<'_>) -> Result<Found> {
        let (object, binding) = self.lent(|tx| lookup(tx, reference), |(object, _)| Some(object.id))?;
        if let Some(binding) = &binding {
            self.note_use(binding);
        }
        Ok(Found { artifact: object.artifact(), binding: binding.map(Binding::from) })
    }

    /// As [`Cache::find`], for somebody who only looks: nothing is noted as used.
    ///
    /// # Errors
    /// As [`Cache::find`].
    pub fn look_at(&self, reference: Reference<'_>) -> Result<Found> {
        let (object, binding) = self.read(|tx| lookup(tx, reference))?;
        Ok(Found { artifact: object.artifact(), binding: binding.map(Binding::from) })
    }

    /// Returns where an artifact lies. A path to read from, never to write to.
    #[must_use]
    pub fn path_of(&self, artifact: &Artifact) -> PathBuf {
        self.store.layout.object(artifact.kind, artifact.hash)
    }

    /// Tells whether an artifact's file or directory is where it should be.
    ///
    /// # Errors
    /// What the system says.
    pub fn is_present(&self, artifact: &Artifact) -> Result<bool> {
        self.store.holds(artifact.kind, artifact.hash, artifact.size)
    }

    /// Returns a directory's entries, parents before children; none for a file.
    ///
    /// # Errors
    /// [`Error::NoSuchObject`] if the store does not hold it.
    pub fn entries(&self, artifact: &Artifact) -> Result<Vec<Entry>> {
        if artifact.kind != ObjectKind::Tree {
            return Ok(Vec::new());
        }
        self.read(|tx| {
            let tree = live_form(tx, artifact)?;
            tx.entries(tree.id)
        })
    }

    /// Returns bindings, by owner and name: one owner's, or all.
    ///
    /// # Errors
    /// What the index says.
    pub fn bindings(&self, owner: Option<&OwnerId>) -> Result<Vec<Binding>> {
        let rows = self.read(|tx| tx.bindings_of(owner))?;
        Ok(rows.into_iter().map(Binding::from).collect())
    }

    /// Returns the bindings that meet every condition, by owner and name: of one owner's, or of all.
    ///
    /// ```no_run
    /// # use ohmyartifacts::{Binding, Cache, CacheOptions, Filter};
    /// let cache = Cache::open(CacheOptions::new("/var/cache/flowers"))?;
    /// let large = Filter::parse("size>100MB", Binding::filter_keys())?;
    /// let idle = Filter::parse("used>30d", Binding::filter_keys())?;
    /// let bindings = cache.bindings_where(None, &[large, idle])?;
    /// # Ok::<(), ohmyartifacts::Error>(())
    /// ```
    ///
    /// # Errors
    /// What the index says.
    pub fn bindings_where(&self, owner: Option<&OwnerId>, filters: &[Filter]) -> Result<Vec<Binding>> {
        let rows = self.read(|tx| bindings_where(tx, owner, filters, tx.store_time(self.now())?))?;
        Ok(rows.into_iter().map(Binding::from).collect())
    }
}

impl Cache {
    /// Looks a name up for somebody who is going to use what it stands for.
    pub(super) fn look_up(&self, owner: &OwnerId, name: &BindingName) -> Result<Option<BindingRow>> {
        let ask = |tx: &ReadTx<'_>| match tx.find_owner(owner)? {
            Some(owner) => tx.find_binding(owner, name),
            None => Ok(None),
        };
        self.lent(ask, |found| found.as_ref().map(|binding| binding.object_id))
    }
}

/// Returns the bindings that meet every condition; none of an owner that is not known.
pub(in crate::cache) fn bindings_where(
    tx: &ReadTx<'_>,
    owner: Option<&OwnerId>,
    filters: &[Filter],
    now: Timestamp,
) -> Result<Vec<BindingRow>> {
    match owner.map(|owner| tx.find_owner(owner)).transpose()? {
        Some(None) => Ok(Vec::new()),
        owner => tx.bindings_where(owner.flatten(), filters, now),
    }
}

/// Returns the live row of this very artifact.
pub(super) fn live_form(tx: &ReadTx<'_>, artifact: &Artifact) -> Result<ObjectRow> {
    tx.find_form(artifact.hash, artifact.kind)?
        .filter(|row| row.state == crate::index::State::Live)
        .ok_or(Error::NoSuchObject { hash: artifact.hash })
}

/// An object, and the binding it was found by.
pub(super) type Hit = (ObjectRow, Option<BindingRow>);

pub(super) fn lookup(tx: &ReadTx<'_>, reference: Reference<'_>) -> Result<Hit> {
    let Reference { text, owner } = reference;
    if let Ok(hash) = text.parse::<Digest>() {
        return by_hash(tx, hash);
    }
    if let Some(hit) = owner.map(|owner| by_name(tx, owner, text)).transpose()?.flatten() {
        return Ok(hit);
    }
    if let Some(hit) = by_prefix(tx, text)? {
        return Ok(hit);
    }
    if let Some(hit) = by_owner_and_name(tx, text)? {
        return Ok(hit);
    }
    Err(match owner {
        Some(owner) => Error::NoSuchBinding { owner: owner.to_string(), name: text.to_owned() },
        None => Error::UnknownReference { reference: text.to_owned() },
    })
}

fn by_hash(tx: &ReadTx<'_>, hash: Digest) -> Result<Hit> {
    tx.find_object(hash)?.map(|object| (object, None)).ok_or(Error::NoSuchObject { hash })
}

fn by_name(tx: &ReadTx<'_>, owner: &OwnerId, name: &str) -> Result<Option<Hit>> {
    let Ok(name) = BindingName::new(name) else { return Ok(None) };
    let Some(owner) = tx.find_owner(owner)? else { return Ok(None) };
    let Some(binding) = tx.find_binding(owner, &name)? else { return Ok(None) };
    let object = live_form(tx, &binding.artifact)?;
    Ok(Some((object, Some(binding))))
}

fn by_prefix(tx: &ReadTx<'_>, text: &str) -> Result<Option<Hit>> {
    let Ok(prefix) = text.parse::<DigestPrefix>() else { return Ok(None) };
    let candidates = tx.find_by_prefix(&prefix)?;
    match candidates.as_slice() {
        [] => Ok(None),
        [hash] => by_hash(tx, *hash).map(Some),
        _ => Err(Error::AmbiguousPrefix { prefix: prefix.as_str().to_owned(), candidates }),
    }
}

/// Owners and names may both hold colons, so every colon is tried.
fn by_owner_and_name(tx: &ReadTx<'_>, text: &str) -> Result<Option<Hit>> {
    for (colon, _) in text.match_indices(':') {
        let Ok(owner) = text[..colon].parse::<OwnerId>() else { continue };
        if let Some(hit) = by_name(tx, &owner, &text[colon + 1..])? {
            return Ok(Some(hit));
        }
    }
    Ok(None)
}
