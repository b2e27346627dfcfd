//! What keeps an artifact in attached spaces.

use std::path::Path;

use crate::cache::Cache;
use crate::cache::attached::Mirror;
use crate::cache::find::{Reference, lookup};
use crate::cache::liveness::Sightings;
use crate::cache::why::asking::Asking;
use crate::cache::why::{Keeper, Why};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::model::GcPolicy;
use crate::time::Timestamp;

impl Cache {
    /// Adds what keeps it in attached spaces.
    pub(super) fn with_spaces(&self, here: Why, policy: &GcPolicy, mirrors: &[Mirror]) -> Result<Why> {
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
    pub(super) fn hash_of(&self, reference: Reference<'_>) -> Result<Option<Digest>> {
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
