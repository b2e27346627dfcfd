//! Compares both sides with what they last agreed on.

use std::collections::{BTreeMap, BTreeSet};

use crate::cache::Cache;
use crate::cache::attached::is_package;
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::index::{SpaceBindingRow, SpaceRow};
use crate::julia::{Document, LiveSpace, SpaceBinding, SpaceFile};
use crate::model::{Metadata, OwnerId};
use crate::time::Timestamp;

/// What a name stands for on one side.
#[derive(Debug, Clone)]
pub(super) struct Meaning {
    pub(super) hash: Digest,
    pub(super) meta: Option<Metadata>,
    pub(super) bound_at: Timestamp,
}

/// NaN differs from itself, so metadata is compared in its stored form.
impl PartialEq for Meaning {
    fn eq(&self, other: &Self) -> bool {
        let stored = |meaning: &Self| meaning.meta.as_ref().map(Metadata::to_stored);
        self.hash == other.hash && stored(self) == stored(other)
    }
}

impl Meaning {
    pub(super) fn to_row(&self, owner: &OwnerId, name: &str) -> SpaceBindingRow {
        let Self { hash, meta, bound_at } = self.clone();
        SpaceBindingRow { owner: owner.clone(), name: name.to_owned(), hash, meta, bound_at }
    }
}

type Names = BTreeMap<(OwnerId, String), Meaning>;

/// Both sides, and what they last agreed on.
pub(super) struct Sides {
    pub(super) base: Names,
    pub(super) ours: Names,
    pub(super) theirs: Names,
    /// Files that are empty or broken though names of them were agreed on.
    pub(super) torn: BTreeMap<OwnerId, (SpaceFile, String)>,
}

/// What is to be done about a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// Take over what the space binds; `over` tells whether another meaning gives way here.
    Pull {
        over: bool,
    },
    /// Give the space what this store binds; `over` tells whether another meaning gives way there.
    Push {
        over: bool,
    },
    RemoveHere,
    RemoveThere,
    Conflict,
}

/// A name that is not the same on both sides.
pub(super) struct Difference<'a> {
    pub(super) owner: &'a OwnerId,
    pub(super) name: &'a str,
    pub(super) hash: Option<Digest>,
    pub(super) change: Change,
}

impl Sides {
    pub(super) fn read(cache: &Cache, space: &SpaceRow, live: &LiveSpace) -> Result<Self> {
        let base: Names = cache
            .read(|tx| tx.space_bindings(space.id))?
            .into_iter()
            .map(|row| ((row.owner, row.name), Meaning { hash: row.hash, meta: row.meta, bound_at: row.bound_at }))
            .collect();
        let mut sides = Self { base, ours: ours(cache)?, theirs: Names::new(), torn: BTreeMap::new() };
        for file in live.space().files()? {
            sides.read_file(cache, live, file)?;
        }
        Ok(sides)
    }

    fn read_file(&mut self, cache: &Cache, live: &LiveSpace, file: SpaceFile) -> Result<()> {
        let Ok(owner) = OwnerId::new(&file.uuid, file.version.as_deref()) else { return Ok(()) };
        // A folder that is only named somewhat like a package is none of ours.
        if !is_package(&owner) {
            return Ok(());
        }
        let now = cache.now();
        let document = match live.read_bindings(&file, now) {
            // Where no lock can be made, nobody writes either.
            Err(Error::Io { .. }) => Document::read(&file.path),
            other => other,
        };
        let document = match document {
            Ok(document) => document,
            Err(error @ (Error::Toml { .. } | Error::Unsupported { .. } | Error::Io { .. })) => {
                self.torn.insert(owner, (file, error.to_string()));
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let Some(document) = document else { return Ok(()) };
        let agreed = self.base.keys().filter(|(key, _)| *key == owner).count();
        // The last name that is unbound leaves an empty file; several at once are no unbinding.
        if document.table().is_empty() && agreed > 1 {
            let reason = format!("it is empty, and {agreed} names of it were known");
            self.torn.insert(owner, (file, reason));
            return Ok(());
        }
        if let Some(name) = document.table().iter().find(|entry| self.is_cut(&owner, entry)).map(|(name, _)| name) {
            let reason = format!("`{name}` is there by half");
            self.torn.insert(owner, (file, reason));
            return Ok(());
        }
        for (name, value) in document.table() {
            let Ok(SpaceBinding { id, meta, .. }) = SpaceBinding::read(value) else { continue };
            let meaning = Meaning { hash: id, meta: meta.map(Metadata::new), bound_at: now };
            self.theirs.insert((owner.clone(), name.clone()), meaning);
        }
        Ok(())
    }

    /// Tells whether a name that was agreed on has lost a key that every binding is written with: no
    /// program unbinds it so.
    fn is_cut(&self, owner: &OwnerId, (name, value): &(&String, &toml::Value)) -> bool {
        let known = self.base.contains_key(&(owner.clone(), (*name).clone()));
        known && ["sha256", "isdir"].iter().any(|key| value.get(key).is_none())
    }

    /// Returns what is not the same on both sides, and which side goes ahead.
    pub(super) fn differences(&self) -> Vec<Difference<'_>> {
        let names: BTreeSet<&(OwnerId, String)> =
            self.base.keys().chain(self.ours.keys()).chain(self.theirs.keys()).collect();
        let differences = names.into_iter().filter(|(owner, _)| !self.torn.contains_key(owner)).filter_map(|key| {
            let (base, ours, theirs) = (self.base.get(key), self.ours.get(key), self.theirs.get(key));
            let change = change(base, ours, theirs)?;
            let meaning = match change {
                Change::Push { .. } | Change::RemoveHere => ours,
                _ => theirs.or(ours),
            };
            Some(Difference { owner: &key.0, name: &key.1, hash: meaning.map(|meaning| meaning.hash), change })
        });
        differences.collect()
    }

    /// Returns what both sides had agreed on and have both let go.
    pub(super) fn bygone(&self) -> impl Iterator<Item = (&OwnerId, &str)> {
        let gone = |key: &(OwnerId, String)| !self.ours.contains_key(key) && !self.theirs.contains_key(key);
        let names = self.base.keys().filter(move |key| gone(key) && !self.torn.contains_key(&key.0));
        names.map(|(owner, name)| (owner, name.as_str()))
    }

    /// Returns what is the same on both sides.
    pub(super) fn agreed(&self) -> impl Iterator<Item = (&OwnerId, &str, &Meaning)> {
        let same = self.ours.iter().filter(|(key, meaning)| self.theirs.get(*key) == Some(*meaning));
        same.map(|((owner, name), meaning)| (owner, name.as_str(), meaning))
    }
}

fn change(base: Option<&Meaning>, ours: Option<&Meaning>, theirs: Option<&Meaning>) -> Option<Change> {
    if ours == theirs {
        return None;
    }
    let (ours_changed, theirs_changed) = (ours != base, theirs != base);
    Some(match (ours_changed, theirs_changed, ours, theirs) {
        (false, _, _, Some(_)) => Change::Pull { over: ours.is_some() },
        (false, _, _, None) => Change::RemoveHere,
        (true, false, Some(_), _) => Change::Push { over: theirs.is_some() },
        (true, false, None, _) => Change::RemoveThere,
        // One side let go what the other changed: what is still bound wins.
        (true, true, None, Some(_)) => Change::Pull { over: false },
        (true, true, Some(_), None) => Change::Push { over: false },
        (true, true, ..) => Change::Conflict,
    })
}

/// What packages of Julia bind here. Built-in artifacts are none of OhMyArtifacts.jl's.
fn ours(cache: &Cache) -> Result<Names> {
    let declared: BTreeSet<(OwnerId, String)> =
        cache.read(|tx| tx.declarations())?.into_iter().map(|row| (row.owner, row.name)).collect();
    let bindings = cache.bindings(None)?.into_iter().filter(|binding| is_package(&binding.owner));
    let names = bindings.map(|binding| {
        let meaning = Meaning { hash: binding.artifact.hash, meta: binding.meta, bound_at: binding.bound_at };
        ((binding.owner, binding.name), meaning)
    });
    Ok(names.filter(|(key, _)| !declared.contains(key)).collect())
}
