//! Which owners are gone, and when what they have bound stops counting.
//!
//! Why: a package that was removed lets go of nothing by itself.
//! Guarantees: only an owner that is seen to be gone *now*, and was first seen so a grace period ago,
//! stops counting; one of whom nothing certain can be said counts on, however long. What was seen
//! is written down by real runs of gc only, never by a dry run or a listing (I6).
//! Must not know: how a package is looked for; that is the census's work.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::cache::Cache;
use crate::error::Result;
use crate::index::{Probed, ReadTx, WriteTx};
use crate::julia::Census;
use crate::model::{GcPolicy, Liveness, OwnerId, Verdict};
use crate::time::Timestamp;

/// What a look at the world found of the owners that can be looked for: a census for each depot.
#[derive(Debug, Default)]
pub(crate) struct Sightings {
    by_depot: HashMap<String, Census>,
}

impl Cache {
    /// How long the bindings of an owner count on after it was first seen to be gone.
    #[expect(clippy::unused_self, reason = "the store's configuration will say")]
    pub(crate) fn owner_grace(&self) -> Duration {
        GcPolicy::OWNER_GRACE
    }

    /// Looks for the owners that can be looked for; at nothing if there are none. Reads many files, so
    /// not inside a transaction.
    pub(crate) fn look_for_owners(&self) -> Result<Sightings> {
        let mut sightings = Sightings::default();
        for owner in self.read(|tx| tx.probed_owners())? {
            let depots = self.depots_with(&owner.depot);
            sightings.by_depot.entry(owner.depot).or_insert_with(|| Census::take(&depots, &[]));
        }
        Ok(sightings)
    }

    /// Looks for the owners and writes down who is gone and who is back. For what brings owners in or
    /// follows them; gc does it by itself.
    pub(crate) fn note_liveness(&self) -> Result<()> {
        let sightings = self.look_for_owners()?;
        if sightings.by_depot.is_empty() {
            return Ok(());
        }
        self.write(|tx| sightings.note(tx))
    }

    /// A package may stand in the manifests of another depot than the one its artifacts came from.
    fn depots_with(&self, depot: &str) -> Vec<PathBuf> {
        let mut depots: Vec<PathBuf> =
            Some(depot).filter(|depot| !depot.is_empty()).map(PathBuf::from).into_iter().collect();
        for other in &self.julia_depots {
            if !depots.contains(other) {
                depots.push(other.clone());
            }
        }
        depots
    }
}

impl Sightings {
    /// Tells whether an owner is there. Who was not looked for is unknown.
    pub(crate) fn verdict(&self, owner: &OwnerId, depot: &str) -> Verdict {
        match self.by_depot.get(depot) {
            Some(census) => census.verdict(owner.key()),
            None => Verdict::new(Liveness::Unknown, "it was not looked for"),
        }
    }

    /// Returns what a package is called.
    pub(crate) fn name_of(&self, owner: &OwnerId, depot: &str) -> Option<&str> {
        self.by_depot.get(depot)?.name_of(owner.key())
    }

    /// Writes down who is gone since now, and who is back. Of the others what is known stays.
    pub(crate) fn note(&self, tx: &WriteTx<'_>) -> Result<()> {
        for owner in tx.probed_owners()? {
            match (self.verdict(&owner.owner, &owner.depot).liveness, owner.gone_since) {
                (Liveness::Gone, None) => tx.set_gone(owner.id)?,
                (Liveness::Alive, Some(_)) => tx.set_back(owner.id)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Returns the owners that are gone, by their rows, and when what they have bound stops counting. Who
    /// is seen to be gone for the first time is gone since now, whether that is written down or not.
    pub(crate) fn lapsing(&self, tx: &ReadTx<'_>, now: Timestamp, grace: Duration) -> Result<Vec<(i64, Timestamp)>> {
        let mut lapsing = Vec::new();
        for owner in tx.probed_owners()? {
            if self.verdict(&owner.owner, &owner.depot).liveness == Liveness::Gone {
                lapsing.push((owner.id, stops_counting(owner.gone_since.unwrap_or(now), owner.last_seen_at, grace)));
            }
        }
        Ok(lapsing)
    }
}

/// What somebody binds for an owner that is gone already has a grace period of its own.
pub(crate) fn stops_counting(gone_since: Timestamp, last_seen_at: Timestamp, grace: Duration) -> Timestamp {
    gone_since.max(last_seen_at).plus(grace)
}

/// What is known of an owner that can be looked for.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct OwnerSight {
    /// Whether it exists; none if that cannot be told, and then nothing of it is ever collected.
    pub alive: Option<bool>,
    /// Why that is thought.
    pub evidence: String,
    /// Since when it is known to be gone; none too if gc has not seen it yet.
    pub gone_since: Option<Timestamp>,
    /// When what it has bound stops counting, unless it comes back.
    pub stops_counting_at: Option<Timestamp>,
}

impl Sightings {
    /// Puts together what is known of an owner.
    pub(crate) fn sight(&self, owner: &Probed, grace: Duration) -> OwnerSight {
        let Verdict { liveness, evidence } = self.verdict(&owner.owner, &owner.depot);
        let gone_since = owner.gone_since.filter(|_| liveness != Liveness::Alive);
        let counted_from = gone_since.filter(|_| liveness == Liveness::Gone);
        OwnerSight {
            alive: is_alive(liveness),
            evidence,
            gone_since,
            stops_counting_at: counted_from.map(|since| stops_counting(since, owner.last_seen_at, grace)),
        }
    }
}

/// Returns none for what cannot be told.
pub(crate) fn is_alive(liveness: Liveness) -> Option<bool> {
    match liveness {
        Liveness::Alive => Some(true),
        Liveness::Gone => Some(false),
        Liveness::Unknown => None,
    }
}
