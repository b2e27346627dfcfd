//! Looks at owners: whether they exist, how that is known, what they hold. Changes nothing.

use std::collections::HashMap;

use serde::Serialize;

use crate::cache::Cache;
use crate::cache::liveness::{ProbeSight, Sightings};
use crate::error::{Error, Result};
use crate::index::{OwnerRow, ProbeKind, Probed};
use crate::model::OwnerId;
use crate::time::Timestamp;

/// An owner in a listing.
#[derive(Debug, Clone, Serialize)]
pub struct OwnerInfo {
    /// Its key.
    pub owner: String,
    /// Its version, if it has one.
    pub version: Option<String>,
    /// What it is called, for people.
    pub title: Option<String>,
    /// How it is known whether it still exists: `julia` for a package of Julia, `path`, `command`, `expiry`
    /// if it only has an end, or `manual` if only people know. Of several the first of these.
    pub kind: &'static str,
    /// The first path that exists as long as the owner does; the depot of a package of Julia.
    pub root: Option<String>,
    /// Whether it exists; none if nobody can tell.
    pub alive: Option<bool>,
    /// How many names it has bound.
    pub bindings: u64,
    /// When it was first seen.
    pub created_at: Timestamp,
    /// When it last bound something, or was registered.
    pub last_seen_at: Timestamp,
}

/// Names bound on somebody's behalf.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OnBehalf {
    /// The other owner, as `KEY` or `KEY@VERSION`.
    pub owner: String,
    /// How many names.
    pub bindings: u64,
}

/// All that is known of one owner.
#[derive(Debug, Clone, Serialize)]
pub struct OwnerDetails {
    /// As in a listing.
    #[serde(flatten)]
    pub info: OwnerInfo,
    /// Why it is thought to exist or not; none if only people know.
    pub evidence: Option<String>,
    /// Every way in which that is known, and what it found.
    pub probes: Vec<ProbeSight>,
    /// The end of its life.
    pub expires_at: Option<Timestamp>,
    /// Since when it is known to be gone; none too if gc has not seen it yet.
    pub gone_since: Option<Timestamp>,
    /// When what it has bound stops counting, unless it comes back.
    pub bindings_stop_at: Option<Timestamp>,
    /// Above so many bytes it is warned, and goes first.
    pub soft_budget: Option<u64>,
    /// Above so many bytes nothing more is bound.
    pub hard_budget: Option<u64>,
    /// The bytes its bindings reach, each object once.
    pub used_bytes: u64,
    /// Who bound names on its behalf.
    pub bound_by: Vec<OnBehalf>,
    /// On whose behalf it has bound names.
    pub bound_for: Vec<OnBehalf>,
}

impl OwnerInfo {
    fn new(row: OwnerRow, probed: Option<&Probed>, sightings: &Sightings, alive: Option<bool>) -> Self {
        let name = probed.and_then(|probed| sightings.name_of(probed)).map(str::to_owned);
        let (kind, root) = probed.map_or(("manual", None), kind_and_root);
        Self {
            owner: row.owner.key().to_owned(),
            version: row.owner.version().map(str::to_owned),
            title: row.title.or(name),
            kind,
            root: root.map(str::to_owned),
            alive,
            bindings: row.bindings,
            created_at: row.created_at,
            last_seen_at: row.last_seen_at,
        }
    }
}

fn kind_and_root(probed: &Probed) -> (&'static str, Option<&str>) {
    let first = |kind| probed.probes.iter().find(|probe| probe.kind == kind);
    for kind in [ProbeKind::Julia, ProbeKind::Path] {
        if let Some(probe) = first(kind) {
            return (kind.as_str(), Some(probe.target.as_str()).filter(|target| !target.is_empty()));
        }
    }
    let command = first(ProbeKind::Command).map(|probe| probe.kind.as_str());
    (command.unwrap_or("expiry"), None)
}

impl Cache {
    /// Returns all owners, by key and version.
    ///
    /// # Errors
    /// What the index says.
    pub fn owners(&self) -> Result<Vec<OwnerInfo>> {
        let sightings = self.look_for_owners()?;
        let grace = self.owner_grace()?;
        self.read(|tx| {
            let probed: HashMap<i64, Probed> =
                tx.probed_owners()?.into_iter().map(|probed| (probed.id, probed)).collect();
            let infos = tx.owners()?.into_iter().map(|row| {
                let probed = probed.get(&row.id);
                let alive = probed.and_then(|probed| sightings.sight(probed, grace).alive);
                OwnerInfo::new(row, probed, &sightings, alive)
            });
            Ok(infos.collect())
        })
    }

    /// Returns what is known of one owner.
    ///
    /// # Errors
    /// [`Error::NoSuchOwner`] if it is not known, and what the index says.
    pub fn owner_details(&self, owner: &OwnerId) -> Result<OwnerDetails> {
        let mut probed = self.read(|tx| tx.probed_owners())?;
        probed.retain(|probed| probed.owner == *owner);
        let sightings = self.look_for(probed)?;
        let grace = self.owner_grace()?;
        self.read(|tx| {
            let row = tx.owners()?.into_iter().find(|row| row.owner == *owner);
            let row = row.ok_or_else(|| Error::NoSuchOwner { owner: owner.to_string() })?;
            let probed = tx.probed_owners()?.into_iter().find(|probed| probed.id == row.id);
            let sight = probed.as_ref().map(|probed| sightings.sight(probed, grace));
            let on_behalf = |(owner, bindings)| OnBehalf { owner, bindings };
            Ok(OwnerDetails {
                evidence: sight.as_ref().map(|sight| sight.evidence.clone()),
                probes: probed.as_ref().map(|probed| sightings.probes(probed)).unwrap_or_default(),
                expires_at: probed.as_ref().and_then(|probed| probed.expires_at),
                gone_since: sight.as_ref().and_then(|sight| sight.gone_since),
                bindings_stop_at: sight.as_ref().and_then(|sight| sight.stops_counting_at),
                soft_budget: row.budgets.soft,
                hard_budget: row.budgets.hard,
                used_bytes: tx.reached_bytes(row.id)?,
                bound_by: tx.bound_by(row.id)?.into_iter().map(on_behalf).collect(),
                bound_for: tx
                    .bound_for(owner)?
                    .into_iter()
                    .map(|(owner, bindings)| on_behalf((owner.to_string(), bindings)))
                    .collect(),
                info: OwnerInfo::new(row, probed.as_ref(), &sightings, sight.and_then(|sight| sight.alive)),
            })
        })
    }

    /// Returns the owners of a key: it itself and its versions, as far as they are known.
    ///
    /// # Errors
    /// What the index says.
    pub fn owner_versions(&self, key: &str) -> Result<Vec<OwnerId>> {
        self.read(|tx| tx.versions_of(key))
    }
}
