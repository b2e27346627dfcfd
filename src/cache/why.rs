//! Why something is kept: all that holds an artifact, or that it is nobody's, or gone.
//!
//! Changes nothing, not even the time of last use.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use crate::cache::Cache;
use crate::cache::attached::Mirror;
use crate::cache::find::{Reference, lookup};
use crate::cache::liveness::{OwnerSight, Sightings};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::index::{Lease, ObjectRow, Pin, Probed, ReadTx};
use crate::model::{Artifact, Class, GcPolicy, ObjectKind, OwnerId};
use crate::text::printable_path;
use crate::time::Timestamp;

/// What keeps an artifact.
#[derive(Debug, Clone, Serialize)]
pub struct Why {
    /// The hash asked for.
    pub hash: Digest,
    /// `live` if something keeps it, `orphan` if nothing does, `absent` if the store does not hold it.
    pub state: &'static str,
    /// Everything that has a hold on it. A binding whose owner is gone stands here until it goes.
    pub kept_by: Vec<Keeper>,
    /// Since when nothing keeps it.
    pub orphaned_at: Option<Timestamp>,
    /// When gc may take it.
    pub collect_after: Option<Timestamp>,
    /// The rule by which it goes then, as it is written; or which undo it is kept for until then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The names it has or had, latest first.
    pub last_names: Vec<String>,
    /// The artifact; none if it is absent.
    #[serde(skip)]
    pub artifact: Option<Artifact>,
}

/// Something that has a hold on an artifact.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Keeper {
    /// A name somebody gave it.
    Binding(BindingKeeper),
    /// A lease. One that ran out holds until gc notes that.
    Lease(Lease),
    /// A pin. One that ran out holds until gc notes that.
    Pin(Pin),
    /// A directory that needs this file.
    Tree(TreeKeeper),
}

/// A binding that has a hold on an artifact.
#[derive(Debug, Clone, Serialize)]
pub struct BindingKeeper {
    /// Who gave the name.
    pub owner: String,
    /// The owner's version.
    pub version: Option<String>,
    /// The name.
    pub name: String,
    /// When it was bound.
    pub bound_at: Timestamp,
    /// The attached space it is bound in; none: this store.
    #[serde(serialize_with = "crate::text::serialize_optional_path", skip_serializing_if = "Option::is_none")]
    pub space: Option<PathBuf>,
    /// Who bound it on behalf of the owner, as `KEY` or `KEY@VERSION`; none: the owner itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bound_by: Option<String>,
    /// What is known of the owner, if it can be looked for.
    #[serde(flatten)]
    pub sight: Option<OwnerSight>,
}

/// A directory that needs a file.
#[derive(Debug, Clone, Serialize)]
pub struct TreeKeeper {
    /// The directory.
    pub hash: Digest,
    /// Where the file lies in it; a path that is not UTF-8 as one printable line.
    pub paths: Vec<String>,
    /// What keeps the directory.
    pub kept_by: Vec<Keeper>,
}

impl Cache {
    /// Tells what keeps an artifact, and when gc of this policy may take it if nothing does. A full hash
    /// that the store does not hold is an answer, not an error.
    ///
    /// # Errors
    /// [`Error::UnknownReference`], [`Error::NoSuchBinding`] or [`Error::AmbiguousPrefix`] if it is not
    /// clear what is meant.
    pub fn why(&self, reference: Reference<'_>, policy: &GcPolicy) -> Result<Why> {
        let here = self.why_here(reference, policy);
        let mirrors = self.mirrors()?;
        if let Err(Error::UnknownReference { .. } | Error::NoSuchBinding { .. }) = &here {
            for mirror in &mirrors {
                if let Some(hash) = mirror.hash_of(reference)? {
                    return self.why_anywhere(hash, policy, &mirrors);
                }
            }
        }
        self.with_spaces(here?, policy, &mirrors)
    }

    fn why_here(&self, reference: Reference<'_>, policy: &GcPolicy) -> Result<Why> {
        let sightings = self.look_for_owners()?;
        self.read(|tx| {
            let now = tx.store_time(self.now())?;
            match lookup(tx, reference) {
                Ok((object, _)) => Asking::new(tx, &sightings, now, policy)?.why(&object, policy),
                Err(Error::NoSuchObject { hash }) => absent(tx, hash),
                Err(other) => Err(other),
            }
        })
    }

    fn why_anywhere(&self, hash: Digest, policy: &GcPolicy, mirrors: &[Mirror]) -> Result<Why> {
        let text = hash.to_string();
        self.with_spaces(self.why_here(Reference::new(&text, None), policy)?, policy, mirrors)
    }

    /// Adds what keeps it in attached spaces.
    fn with_spaces(&self, here: Why, policy: &GcPolicy, mirrors: &[Mirror]) -> Result<Why> {
        let mut why = here;
        for mirror in mirrors {
            let Some(there) = mirror.why(why.hash, policy, self.now())? else { continue };
            if why.state == "absent" {
                let last_names = why.last_names;
                why = Why { last_names, ..there };
                continue;
            }
            // What both sides bind in step is one thing.
            let known = std::mem::take(&mut why.kept_by);
            let new = there.kept_by.into_iter().filter(|keeper| !known.iter().any(|ours| is_same(ours, keeper)));
            let new: Vec<Keeper> = new.collect();
            // What is bound where this store writes is in use to its gc; what it only follows is not its business.
            if mirror.space.writes && there.state == "live" {
                (why.state, why.orphaned_at, why.collect_after, why.rule) = ("live", None, None, None);
            }
            why.kept_by = known.into_iter().chain(new).collect();
        }
        Ok(why)
    }
}

impl Mirror {
    fn hash_of(&self, reference: Reference<'_>) -> Result<Option<Digest>> {
        match self.read(|tx| lookup(tx, reference)) {
            Ok((object, _)) => Ok(Some(object.hash)),
            Err(Error::UnknownReference { .. } | Error::NoSuchBinding { .. } | Error::NoSuchObject { .. }) => Ok(None),
            Err(other) => Err(other),
        }
    }

    /// Tells what keeps an artifact there; none if it is not there.
    fn why(&self, hash: Digest, policy: &GcPolicy, now: Timestamp) -> Result<Option<Why>> {
        let why = self.read(|tx| match tx.find_object(hash)? {
            Some(object) => Asking::new(tx, &Sightings::default(), now, policy)?.why(&object, policy).map(Some),
            None => Ok(None),
        })?;
        Ok(why.map(|mut why| {
            place(&mut why.kept_by, &self.space.root);
            why
        }))
    }
}

/// Says of bindings which space they are in.
fn place(keepers: &mut [Keeper], space: &Path) {
    for keeper in keepers {
        match keeper {
            Keeper::Binding(binding) => binding.space = Some(space.to_owned()),
            Keeper::Tree(tree) => place(&mut tree.kept_by, space),
            _ => {}
        }
    }
}

/// Tells whether both are the same name, or directories kept by the same names.
fn is_same(ours: &Keeper, theirs: &Keeper) -> bool {
    match (ours, theirs) {
        (Keeper::Binding(ours), Keeper::Binding(theirs)) => {
            (&ours.owner, &ours.version, &ours.name) == (&theirs.owner, &theirs.version, &theirs.name)
        }
        (Keeper::Tree(ours), Keeper::Tree(theirs)) => {
            let known = |keeper: &Keeper| ours.kept_by.iter().any(|known| is_same(known, keeper));
            ours.hash == theirs.hash && theirs.kept_by.iter().all(known)
        }
        _ => false,
    }
}

fn absent(tx: &ReadTx<'_>, hash: Digest) -> Result<Why> {
    Ok(Why {
        hash,
        state: "absent",
        kept_by: Vec::new(),
        orphaned_at: None,
        collect_after: None,
        rule: None,
        last_names: tx.names_of_hash(hash)?,
        artifact: None,
    })
}

/// A question put to one state of the index.
struct Asking<'a> {
    tx: &'a ReadTx<'a>,
    sightings: &'a Sightings,
    probed: HashMap<OwnerId, Probed>,
    now: Timestamp,
    grace: Duration,
}

/// What has a hold on an object, and since when none of it counts.
struct Holds {
    keepers: Vec<Keeper>,
    lives: bool,
    unused_since: Option<Timestamp>,
}

impl<'a> Asking<'a> {
    fn new(tx: &'a ReadTx<'a>, sightings: &'a Sightings, now: Timestamp, policy: &GcPolicy) -> Result<Self> {
        let probed = tx.probed_owners()?.into_iter().map(|owner| (owner.owner.clone(), owner)).collect();
        Ok(Self { tx, sightings, probed, now, grace: policy.owner_grace })
    }

    fn why(&self, object: &ObjectRow, policy: &GcPolicy) -> Result<Why> {
        let mut holds = self.direct(object.id, object.orphaned_at)?;
        if object.kind != ObjectKind::Tree {
            self.add_trees(object.id, &mut holds)?;
        }
        let orphaned_at = holds.unused_since.filter(|_| !holds.lives);
        let orphan = self.tx.orphan(object.id)?;
        let (owner, class) = orphan.map_or((None, Class::Irreplaceable), |orphan| (orphan.owner, orphan.class));
        let (dead_for, rule) = policy.dead_for(owner.as_ref(), class);
        let mut rule = rule.map_or_else(|| policy.default_rule(), ToString::to_string);
        let mut collect_after = orphaned_at.map(|since| since.plus(dead_for));
        if let Some((run, until)) = self.tx.wanted_by(object.id, self.now)?.filter(|_| orphaned_at.is_some()) {
            // An undo may still want it.
            if Some(until) > collect_after {
                (collect_after, rule) = (Some(until), format!("kept for `oma gc undo {run}`"));
            }
        }
        Ok(Why {
            hash: object.hash,
            state: if holds.lives { "live" } else { "orphan" },
            kept_by: holds.keepers,
            orphaned_at,
            collect_after,
            rule: orphaned_at.map(|_| rule),
            last_names: self.tx.names_of_hash(object.hash)?,
            artifact: Some(object.artifact()),
        })
    }

    /// Bindings, leases and pins of one object.
    fn direct(&self, object: i64, orphaned_at: Option<Timestamp>) -> Result<Holds> {
        let mut holds = Holds { keepers: Vec::new(), lives: false, unused_since: orphaned_at };
        for binding in self.tx.bindings_of_object(object)? {
            let sight = self.probed.get(&binding.owner).map(|owner| self.sightings.sight(owner, self.grace));
            let lapsed_at = sight.as_ref().and_then(|sight| sight.stops_counting_at).filter(|at| *at <= self.now);
            holds.lives |= lapsed_at.is_none();
            holds.unused_since = holds.unused_since.max(lapsed_at);
            holds.keepers.push(Keeper::Binding(BindingKeeper {
                owner: binding.owner.key().to_owned(),
                version: binding.owner.version().map(str::to_owned),
                name: binding.name,
                bound_at: binding.bound_at,
                space: None,
                bound_by: binding.bound_by,
                sight,
            }));
        }
        let leases = self.tx.leases_of(object)?.into_iter().map(Keeper::Lease);
        let others: Vec<Keeper> = leases.chain(self.tx.pin_of(object)?.map(Keeper::Pin)).collect();
        holds.lives |= !others.is_empty();
        holds.keepers.extend(others);
        Ok(holds)
    }

    /// The directories that need a file, each with what keeps it.
    fn add_trees(&self, blob: i64, holds: &mut Holds) -> Result<()> {
        for tree in self.tx.trees_with(blob)? {
            let above = self.direct(tree.id, tree.orphaned_at)?;
            holds.lives |= above.lives;
            holds.unused_since = holds.unused_since.max(above.unused_since);
            let paths = self.tx.paths_of(tree.id, blob)?;
            holds.keepers.push(Keeper::Tree(TreeKeeper {
                hash: tree.hash,
                paths: paths.iter().map(|path| path_text(path)).collect(),
                kept_by: above.keepers,
            }));
        }
        Ok(())
    }
}

/// As it is if it is UTF-8, else as one printable line.
fn path_text(path: &Path) -> String {
    path.to_str().map_or_else(|| printable_path(path), str::to_owned)
}
