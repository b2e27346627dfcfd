//! Which owners are gone, and when what they have bound stops counting.
//!
//! Why: a package that was removed lets go of nothing by itself.
//! Guarantees: only an owner that is seen to be gone *now*, and was first seen so a grace period ago,
//! stops counting; one of whom nothing certain can be said counts on, however long. What was seen
//! is written down by real runs of gc only, never by a dry run or a listing (I6).
//! Must not know: how a package is looked for; that is the census's work.

mod command;
mod path;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rayon::prelude::*;
use serde::Serialize;

use crate::cache::Cache;
use crate::error::Result;
use crate::index::{ProbeKind, ProbeRow, Probed, ReadTx, WriteTx};
use crate::julia::Census;
use crate::model::{Liveness, Verdict};
use crate::time::Timestamp;

pub(super) use command::current_user;
pub(super) use path::mount_of;

/// What a look at the world found of the owners that can be looked for, by their rows.
#[derive(Debug, Default)]
pub(crate) struct Sightings {
    by_owner: HashMap<i64, Sighting>,
    /// When stretches ended in which nobody used the store, and how much of each does not count.
    gaps: Vec<(Timestamp, Duration)>,
}

/// What a look found of one owner.
#[derive(Debug)]
struct Sighting {
    /// What was known when it was looked for: of anything else nothing was found out.
    looked_for: Probed,
    verdict: Verdict,
    /// What its probes found, in their order.
    findings: Vec<Verdict>,
    /// What it is called, if it is a package.
    name: Option<String>,
}

impl Cache {
    /// How long the bindings of an owner count on after it was first seen to be gone.
    pub(crate) fn owner_grace(&self) -> Result<Duration> {
        Ok(self.config()?.gc_policy().owner_grace)
    }

    /// Looks for the owners that can be looked for; at nothing if there are none. Reads many files and
    /// runs commands, so not inside a transaction.
    pub(crate) fn look_for_owners(&self) -> Result<Sightings> {
        let owners = self.read(|tx| tx.probed_owners())?;
        self.look_for(owners)
    }

    /// As [`Cache::look_for_owners`], for some of them.
    pub(crate) fn look_for(&self, owners: Vec<Probed>) -> Result<Sightings> {
        let looking = Looking { cache: self, censuses: self.censuses(&owners), now: self.now() };
        // Commands may take seconds each.
        let seen: Vec<Sighting> = owners.into_par_iter().map(|owner| looking.at(owner)).collect();
        self.waiting.interrupt.check()?;
        let by_owner = seen.into_iter().map(|sighting| (sighting.looked_for.id, sighting)).collect();
        let gaps = self.read(|tx| tx.clock_gaps(tx.store_time(self.now())?))?;
        Ok(Sightings { by_owner, gaps })
    }

    /// Looks for the owners and writes down who is gone and who is back. For what brings owners in or
    /// follows them; gc does it by itself.
    pub(crate) fn note_liveness(&self) -> Result<()> {
        let sightings = self.look_for_owners()?;
        if sightings.by_owner.is_empty() {
            return Ok(());
        }
        self.write(|tx| sightings.note(tx))
    }

    /// Reads each depot once, whoever is looked for there.
    fn censuses(&self, owners: &[Probed]) -> HashMap<String, Census> {
        let mut censuses = HashMap::new();
        let probes = owners.iter().flat_map(|owner| &owner.probes);
        for depot in probes.filter(|probe| probe.kind == ProbeKind::Julia).map(|probe| &probe.target) {
            let read = || Census::take(&self.depots_with(depot), &[]);
            censuses.entry(depot.clone()).or_insert_with(read);
        }
        censuses
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

/// One look at the world.
struct Looking<'a> {
    cache: &'a Cache,
    censuses: HashMap<String, Census>,
    /// What the clock says: the end of an owner's life is a date, not an age, so a clock that was ahead
    /// and is set right makes it alive again.
    now: Timestamp,
}

impl Looking<'_> {
    fn at(&self, owner: Probed) -> Sighting {
        let findings: Vec<Verdict> = owner.probes.iter().map(|probe| self.probe(&owner, probe)).collect();
        let name = owner.probes.iter().find_map(|probe| self.census(probe)?.name_of(owner.owner.key()));
        let verdict = judge(owner.expires_at, self.now, &findings);
        Sighting { verdict, findings, name: name.map(str::to_owned), looked_for: owner }
    }

    fn probe(&self, owner: &Probed, probe: &ProbeRow) -> Verdict {
        match probe.kind {
            ProbeKind::Path => path::look(Path::new(&probe.target), probe.mount.as_deref().map(Path::new)),
            ProbeKind::Command => {
                command::look(&probe.target, probe.user, self.cache.probe_limit, &self.cache.waiting.interrupt)
            }
            ProbeKind::Julia => match self.census(probe) {
                Some(census) => census.verdict(owner.owner.key()),
                None => not_looked_for(),
            },
        }
    }

    fn census(&self, probe: &ProbeRow) -> Option<&Census> {
        self.censuses.get(&probe.target).filter(|_| probe.kind == ProbeKind::Julia)
    }
}

/// Puts together what is known of one owner: one finding that it is there decides, else one that could not
/// be made. The end of its life decides before all.
fn judge(expires_at: Option<Timestamp>, now: Timestamp, findings: &[Verdict]) -> Verdict {
    if let Some(end) = expires_at.filter(|end| *end <= now) {
        return Verdict::new(Liveness::Gone, format!("its time was over at {end}"));
    }
    for liveness in [Liveness::Alive, Liveness::Unknown, Liveness::Gone] {
        let clauses: Vec<&str> =
            findings.iter().filter(|found| found.liveness == liveness).map(|found| found.evidence.as_str()).collect();
        if !clauses.is_empty() {
            return Verdict::new(liveness, clauses.join("; "));
        }
    }
    match expires_at {
        Some(end) => Verdict::new(Liveness::Alive, format!("its time ends at {end}")),
        None => not_looked_for(),
    }
}

fn not_looked_for() -> Verdict {
    Verdict::new(Liveness::Unknown, "it was not looked for")
}

/// What one probe of an owner's found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProbeSight {
    /// `path`, `julia` or `command`.
    pub kind: &'static str,
    /// The path, the depot, the command line.
    pub target: String,
    /// Whether it says that the owner exists; none if it cannot tell.
    pub alive: Option<bool>,
    /// Why that is thought, as one printable line.
    pub evidence: String,
}

/// What is known of an owner that can be looked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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
    /// Writes down who is gone since now, and who is back. Of the others what is known stays.
    pub(crate) fn note(&self, tx: &WriteTx<'_>) -> Result<()> {
        for owner in tx.probed_owners()? {
            match (self.verdict(&owner).liveness, owner.gone_since) {
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
            if self.verdict(&owner).liveness == Liveness::Gone {
                let since = owner.gone_since.unwrap_or(now);
                lapsing.push((owner.id, self.stops_counting(since, owner.last_seen_at, grace)));
            }
        }
        Ok(lapsing)
    }

    /// Puts together what is known of an owner.
    pub(crate) fn sight(&self, owner: &Probed, grace: Duration) -> OwnerSight {
        let Verdict { liveness, evidence } = self.verdict(owner);
        let gone_since = owner.gone_since.filter(|_| liveness != Liveness::Alive);
        let counted_from = gone_since.filter(|_| liveness == Liveness::Gone);
        OwnerSight {
            alive: is_alive(liveness),
            evidence,
            gone_since,
            stops_counting_at: counted_from.map(|since| self.stops_counting(since, owner.last_seen_at, grace)),
        }
    }

    /// Returns what each probe of an owner's found.
    pub(crate) fn probes(&self, owner: &Probed) -> Vec<ProbeSight> {
        let findings = self.of(owner).map(|sighting| sighting.findings.as_slice()).unwrap_or_default();
        let found = |at: usize| findings.get(at).cloned().unwrap_or_else(not_looked_for);
        let sights = owner.probes.iter().enumerate().map(|(at, probe)| {
            let Verdict { liveness, evidence } = found(at);
            let (kind, target) = (probe.kind.as_str(), probe.target.clone());
            ProbeSight { kind, target, alive: is_alive(liveness), evidence }
        });
        sights.collect()
    }

    /// Returns what a package is called.
    pub(crate) fn name_of(&self, owner: &Probed) -> Option<&str> {
        self.of(owner)?.name.as_deref()
    }

    /// What somebody binds for an owner that is gone already has a grace period of its own. A clock that
    /// jumps does not shorten it.
    fn stops_counting(&self, gone_since: Timestamp, last_seen_at: Timestamp, grace: Duration) -> Timestamp {
        over(gone_since.max(last_seen_at), grace, &self.gaps)
    }

    /// Tells whether an owner is there. Who was not looked for is unknown.
    fn verdict(&self, owner: &Probed) -> Verdict {
        self.of(owner).map_or_else(not_looked_for, |sighting| sighting.verdict.clone())
    }

    /// Returns what was found of an owner, if it was looked for as it is to be looked for now.
    fn of(&self, owner: &Probed) -> Option<&Sighting> {
        self.by_owner.get(&owner.id).filter(|sighting| sighting.looked_for.is_looked_for_as(owner))
    }
}

/// Returns when `grace` is over from a time on, of the time that somebody saw pass.
fn over(from: Timestamp, grace: Duration, gaps: &[(Timestamp, Duration)]) -> Timestamp {
    let skipped = |(at, skipped): &(Timestamp, Duration)| (*skipped).min(at.since(from));
    gaps.iter().fold(from.plus(grace), |over, gap| over.plus(skipped(gap)))
}

/// Returns none for what cannot be told.
fn is_alive(liveness: Liveness) -> Option<bool> {
    match liveness {
        Liveness::Alive => Some(true),
        Liveness::Gone => Some(false),
        Liveness::Unknown => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_jumps_shortens_no_grace() {
        let day = Duration::from_secs(86_400);
        let at = |days: i64| Timestamp::from_millis(days * 86_400_000);
        assert_eq!(over(at(10), day * 7, &[]), at(17));
        // From day 12 to day 100 nobody was there: 7 of the 88 days count.
        assert_eq!(over(at(10), day * 7, &[(at(100), day * 81)]), at(98));
        assert_eq!(over(at(100), day * 7, &[(at(100), day * 81)]), at(107), "it was over when it began");
    }

    fn found(liveness: Liveness) -> Verdict {
        Verdict::new(liveness, liveness.as_str())
    }

    #[test]
    fn one_yes_decides_and_one_doubt_leaves_it_open() {
        use Liveness::{Alive, Gone, Unknown};
        let now = Timestamp::from_millis(1_000);
        let judged = |expires_at, found_so: &[Liveness]| {
            let findings: Vec<Verdict> = found_so.iter().map(|liveness| found(*liveness)).collect();
            judge(expires_at, now, &findings).liveness
        };
        assert_eq!(judged(None, &[Gone, Unknown, Alive]), Alive);
        assert_eq!(judged(None, &[Gone, Unknown, Gone]), Unknown);
        assert_eq!(judged(None, &[Gone, Gone]), Gone);
        assert_eq!(judged(None, &[]), Unknown);
        let (over, ahead) = (Some(now), Some(now.plus(Duration::from_millis(1))));
        assert_eq!(judged(over, &[Alive, Unknown]), Gone);
        assert_eq!(judged(ahead, &[]), Alive);
        assert_eq!(judged(ahead, &[Gone]), Gone);
        assert_eq!(judge(None, now, &[found(Gone), found(Gone)]).evidence, "gone; gone");
    }
}
