//! Which names arrive, under whom, and what becomes of each.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::cache::bind::Link;
use crate::cache::travel::{Parcel, TravelName};
use crate::cache::{BindOptions, Cache};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::index::{BindingRow, ReadTx, WriteTx};
use crate::model::{Artifact, Metadata, OwnerId};

/// How arriving names are bound.
#[derive(Debug, Clone, Default)]
pub(crate) struct Naming {
    /// Whether they are bound at all.
    pub(crate) bind: bool,
    /// Whether names are taken from what they stand for here.
    pub(crate) force: bool,
    /// Who binds them, instead of those who did.
    pub(crate) owner: Option<OwnerId>,
}

/// What became of a name, or would become.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ArrivedName {
    /// Who binds it.
    pub owner: String,
    /// The owner's version.
    pub version: Option<String>,
    /// The name.
    pub name: String,
    /// `bound`, `rebound` if the name was taken from something else, `unchanged` if it was so before.
    pub status: &'static str,
}

impl Naming {
    /// Returns the names of a parcel as they are bound here.
    pub(super) fn of(&self, parcel: &Parcel) -> Vec<TravelName> {
        if !self.bind {
            return Vec::new();
        }
        let ours = |name: &TravelName| match &self.owner {
            Some(owner) => TravelName { owner: owner.clone(), bound_by: None, ..name.clone() },
            None => name.clone(),
        };
        let mut names: Vec<TravelName> = parcel.names.iter().map(ours).collect();
        // What two owners call the same is one name under a third.
        names.sort_by(|a, b| (&a.owner, &a.name).cmp(&(&b.owner, &b.name)));
        names.dedup();
        names
    }
}

impl Cache {
    /// Says what becomes of every name, parcel by parcel. A name that stands for something else, here or in
    /// what arrives, is an error.
    pub(super) fn judge_names(
        tx: &ReadTx<'_>,
        parcels: &[Parcel],
        naming: &Naming,
    ) -> Result<Vec<Vec<(TravelName, &'static str)>>> {
        let mut taken: BTreeMap<(OwnerId, String), (Digest, TravelName)> = BTreeMap::new();
        let mut judged = Vec::with_capacity(parcels.len());
        for parcel in parcels {
            let mut names = Vec::new();
            for name in naming.of(parcel) {
                let key = (name.owner.clone(), name.name.to_string());
                if let Some((existing, _)) = taken.get(&key) {
                    return Err(exists(&name, *existing));
                }
                taken.insert(key, (parcel.artifact.hash, name.clone()));
                let status = status(tx, &name, &parcel.artifact, naming.force)?;
                names.push((name, status));
            }
            judged.push(names);
        }
        Ok(judged)
    }

    /// Binds a name that was judged in the same transaction.
    pub(super) fn bind_arrived(
        &self,
        tx: &WriteTx<'_>,
        name: &TravelName,
        object: i64,
        artifact: &Artifact,
        status: &str,
    ) -> Result<()> {
        if status == UNCHANGED {
            return Ok(());
        }
        let options = BindOptions {
            force: status == REBOUND,
            meta: name.meta.clone(),
            extra: name.extra.clone(),
            bound_by: name.bound_by.clone(),
            ..BindOptions::new()
        };
        self.link(tx, &Link { owner: &name.owner, name: &name.name, object, artifact, options: &options }).map(drop)
    }
}

const BOUND: &str = "bound";
const REBOUND: &str = "rebound";
const UNCHANGED: &str = "unchanged";

fn status(tx: &ReadTx<'_>, name: &TravelName, artifact: &Artifact, force: bool) -> Result<&'static str> {
    let known = match tx.find_owner(&name.owner)? {
        Some(owner) => tx.find_binding(owner, &name.name)?,
        None => None,
    };
    match known {
        None => Ok(BOUND),
        Some(row) if is_same(&row, name, artifact) => Ok(UNCHANGED),
        Some(_) if force => Ok(REBOUND),
        Some(row) => Err(exists(name, row.artifact.hash)),
    }
}

fn is_same(row: &BindingRow, name: &TravelName, artifact: &Artifact) -> bool {
    let by = name.bound_by.as_ref().filter(|by| **by != name.owner).map(ToString::to_string);
    // As it is kept: a NaN is no other NaN.
    let kept = |meta: &Option<Metadata>| meta.as_ref().map(Metadata::to_stored);
    (row.artifact.hash, row.artifact.kind) == (artifact.hash, artifact.kind)
        && (kept(&row.meta), kept(&row.extra), &row.bound_by) == (kept(&name.meta), kept(&name.extra), &by)
}

fn exists(name: &TravelName, existing: Digest) -> Error {
    Error::BindingExists { owner: name.owner.to_string(), name: name.name.to_string(), existing }
}

impl ArrivedName {
    pub(super) fn new(name: &TravelName, status: &'static str) -> Self {
        Self {
            owner: name.owner.key().to_owned(),
            version: name.owner.version().map(str::to_owned),
            name: name.name.to_string(),
            status,
        }
    }
}
