//! One question put to one state of the index.

use std::collections::HashMap;
use std::time::Duration;

use crate::cache::liveness::Sightings;
use crate::cache::why::{BindingKeeper, Keeper, LetGo, TreeKeeper, Why};
use crate::digest::Digest;
use crate::error::Result;
use crate::index::{ObjectRow, Probed, ReadTx};
use crate::model::{Class, GcPolicy, ObjectKind, OwnerId};
use crate::text::path_text;
use crate::time::Timestamp;

/// A question put to one state of the index.
pub(super) struct Asking<'a> {
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
    let_go: Option<LetGo>,
}

impl<'a> Asking<'a> {
    pub(super) fn new(tx: &'a ReadTx<'a>, sightings: &'a Sightings, now: Timestamp, policy: &GcPolicy) -> Result<Self> {
        let probed = tx.probed_owners()?.into_iter().map(|owner| (owner.owner.clone(), owner)).collect();
        Ok(Self { tx, sightings, probed, now, grace: policy.owner_grace })
    }

    pub(super) fn why(&self, object: &ObjectRow, policy: &GcPolicy) -> Result<Why> {
        let mut holds = self.direct(object.id, object.orphaned_at)?;
        holds.let_go = self.let_go(object.hash, object.kind)?;
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
            let_go: holds.let_go.filter(|_| !holds.lives),
            collected: None,
            within: None,
            artifact: Some(object.artifact()),
        })
    }

    /// Bindings, leases and pins of one object.
    fn direct(&self, object: i64, orphaned_at: Option<Timestamp>) -> Result<Holds> {
        let mut holds = Holds { keepers: Vec::new(), lives: false, unused_since: orphaned_at, let_go: None };
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
            if !above.lives {
                // Who let a directory go let go of what only it has.
                let parting = self.let_go(tree.hash, ObjectKind::Tree)?;
                holds.let_go = holds.let_go.take().into_iter().chain(parting).max_by_key(|parting| parting.at);
            }
            let paths = self.tx.paths_of(tree.id, blob)?;
            holds.keepers.push(Keeper::Tree(TreeKeeper {
                hash: tree.hash,
                paths: paths.iter().map(|path| path_text(path)).collect(),
                kept_by: above.keepers,
            }));
        }
        Ok(())
    }

    fn let_go(&self, hash: Digest, kind: ObjectKind) -> Result<Option<LetGo>> {
        let parting = self.tx.let_go_by(hash, kind)?;
        Ok(parting.map(|parting| LetGo {
            at: parting.at,
            event: parting.what,
            owner: parting.owner.key().to_owned(),
            version: parting.owner.version().map(str::to_owned),
            name: parting.name,
        }))
    }
}
