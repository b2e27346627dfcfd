//! What of all there is has had its time: orphans, bindings of owners that are gone, what nobody uses.

use std::collections::HashMap;
use std::time::Duration;

use crate::cache::gc::GcSpared;
use crate::cache::gc::select::{OWNER_GONE, Planned};
use crate::error::Result;
use crate::index::{Orphan, Protection, ReadTx, Use};
use crate::model::{GcPolicy, GcRule};
use crate::time::Timestamp;

/// Why an artifact goes that a rule took.
#[derive(Debug, Clone)]
pub(super) struct Ground {
    pub(super) reason: &'static str,
    pub(super) rule: String,
    /// Whether it takes the artifact, not only a name of it.
    pub(super) whole: bool,
}

/// A policy at a time.
pub(super) struct Ages<'a> {
    pub(super) policy: &'a GcPolicy,
    pub(super) now: Timestamp,
    gaps: Vec<(Timestamp, Duration)>,
}

impl<'a> Ages<'a> {
    pub(super) fn new(tx: &ReadTx<'_>, policy: &'a GcPolicy, now: Timestamp) -> Result<Self> {
        Ok(Self { policy, now, gaps: tx.clock_gaps(now)? })
    }

    /// Returns the time that lies `span` back, of the time that somebody saw pass: what is bound must not
    /// become old because a clock jumped.
    pub(super) fn witnessed(&self, span: Duration) -> Timestamp {
        let (mut until, mut left) = (self.now, span);
        for (at, skipped) in &self.gaps {
            let seen = until.since(*at);
            if *at <= until && left <= seen {
                break;
            }
            left -= seen;
            // A gap that ends later than now was noted by a clock that had jumped.
            until = until.min(at.minus(*skipped));
        }
        until.minus(left)
    }

    /// Returns since when at the latest nobody may have used what a rule takes for idle.
    fn idle_since(&self, rule: &GcRule) -> Option<Timestamp> {
        Some(self.witnessed(rule.unused_for?).min(self.young_since(rule)))
    }

    /// Returns since when things are too young for a rule.
    pub(super) fn young_since(&self, rule: &GcRule) -> Timestamp {
        self.witnessed(self.policy.min_age_of(rule))
    }

    fn has_been_dead_enough(&self, orphan: &Orphan) -> bool {
        let owner = orphan.owner.as_ref();
        let since = orphan.orphaned_at.unwrap_or(self.now);
        self.policy.is_open_to(owner) && since.plus(self.policy.dead_for(owner, orphan.class).0) <= self.now
    }

    /// Notes the orphans that are due, and what leases and pins that ran out do not hold any more.
    pub(super) fn note_orphans(&self, tx: &ReadTx<'_>) -> Result<()> {
        if let Some(delay) = self.policy.common_delay() {
            tx.all_due(self.now.minus(delay))?;
            return if delay.is_zero() { tx.release_all() } else { Ok(()) };
        }
        for orphan in tx.orphans()?.iter().filter(|orphan| self.has_been_dead_enough(orphan)) {
            tx.set_due(orphan.id)?;
        }
        let run_out = tx.run_out(self.now)?;
        run_out.iter().filter(|held| self.has_been_dead_enough(held)).try_for_each(|held| tx.set_released(held.id))
    }

    /// Lets go what owners have bound that are gone for long enough.
    pub(super) fn note_lapsed(&self, tx: &ReadTx<'_>) -> Result<()> {
        if let Some(delay) = self.policy.common_delay() {
            return tx.let_all_lapsed_go(self.now.minus(delay));
        }
        let over = |lapsed: &Use| {
            let owner = Some(&lapsed.owner);
            let since = lapsed.lapsed_at.unwrap_or(self.now);
            self.policy.is_open_to(owner) && since.plus(self.policy.dead_for(owner, lapsed.class).0) <= self.now
        };
        tx.lapsed_uses()?.iter().filter(|lapsed| over(lapsed)).try_for_each(|lapsed| tx.set_let_go(lapsed.binding))
    }

    /// Returns the bindings that a rule takes for idle, each with the rule.
    pub(super) fn idle(&self, tx: &ReadTx<'_>) -> Result<Vec<(Use, &GcRule)>> {
        let Some(latest) = self.policy.rules.iter().filter_map(|rule| self.idle_since(rule)).max() else {
            return Ok(Vec::new());
        };
        let ruled = |unused: Use| {
            let rule = self.policy.unused_for(&unused.owner, unused.class)?;
            let since = self.idle_since(rule)?;
            (unused.used_at <= since && self.policy.is_open_to(Some(&unused.owner))).then_some((unused, rule))
        };
        Ok(tx.unused_since(latest)?.into_iter().filter_map(ruled).collect())
    }
}

/// What nobody has used for long, until it is known whether it can go.
#[derive(Default)]
pub(super) struct Idle {
    bindings: Vec<(Use, Ground)>,
    /// What is idle and protected.
    pub(super) kept: Vec<GcSpared>,
}

impl Idle {
    /// Notes what rules take for idle.
    pub(super) fn by_rules(tx: &ReadTx<'_>, ages: &Ages<'_>) -> Result<Self> {
        let mut idle = Self::default();
        for (unused, rule) in ages.idle(tx)? {
            match tx.protection(unused.object, ages.now)? {
                None => {
                    tx.set_idle(unused.binding)?;
                    idle.bindings.push((unused, Ground { reason: "idle", rule: rule.to_string(), whole: true }));
                }
                Some(protection) => idle.kept.push(spared(&unused, protection)),
            }
        }
        Ok(idle)
    }

    /// Notes what a plan lets go, as far as nobody has used it since and nothing protects it.
    pub(super) fn by_plan(tx: &ReadTx<'_>, planned: &Planned, ages: &Ages<'_>) -> Result<(Self, Vec<(Use, Ground)>)> {
        let now = ages.now;
        let (mut idle, mut alone) = (Self::default(), Vec::new());
        for (unused, _) in ages.idle(tx)? {
            idle.kept.extend(tx.protection(unused.object, now)?.map(|protection| spared(&unused, protection)));
        }
        // Who is gone is found out anew.
        for unbound in planned.unbound.iter().filter(|unbound| unbound.reason != OWNER_GONE) {
            let Some(found) = Planned::find(tx, unbound)? else { continue };
            if tx.protection(found.object, now)?.is_some() {
                continue;
            }
            let ground = Ground { reason: unbound.reason, rule: unbound.rule.clone(), whole: unbound.whole };
            if unbound.whole {
                tx.set_idle(found.binding)?;
                idle.bindings.push((found, ground));
            } else {
                tx.set_let_go(found.binding)?;
                alone.push((found, ground));
            }
        }
        Ok((idle, alone))
    }

    /// Returns what is let go of it, by owner and name.
    pub(super) fn let_go(mut self, tx: &ReadTx<'_>) -> Result<Vec<(Use, Ground)>> {
        self.bindings.sort_by(|(a, _), (b, _)| (&a.owner, &a.name).cmp(&(&b.owner, &b.name)));
        let mut gone = Vec::new();
        for (unused, ground) in self.bindings {
            if tx.is_let_go(unused.binding)? {
                gone.push((unused, ground));
            }
        }
        Ok(gone)
    }
}

fn spared(unused: &Use, protection: Protection) -> GcSpared {
    let reason = match protection {
        Protection::Pin => "pin",
        Protection::Lease => "lease",
        Protection::Claim => "in use",
        Protection::Trash => "trash",
    };
    let artifact = &unused.artifact;
    GcSpared { hash: artifact.hash, kind: artifact.kind, size: artifact.size, reason, until: None }
}

/// What artifacts go for that a rule took, by their rows.
pub(super) type Grounds = HashMap<i64, Ground>;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(days: i64) -> Timestamp {
        Timestamp::from_millis(days * 86_400_000)
    }

    fn days(days: u64) -> Duration {
        Duration::from_secs(days * 86_400)
    }

    #[test]
    fn time_that_nobody_saw_pass_makes_nothing_old() {
        let policy = GcPolicy::default();
        // The clock went from day 20 to day 120, of which 7 count; and from 125 to 132, which all count.
        let ages = Ages { policy: &policy, now: at(132), gaps: vec![(at(120), days(93))] };
        assert_eq!(ages.witnessed(days(0)), at(132));
        assert_eq!(ages.witnessed(days(12)), at(120));
        assert_eq!(ages.witnessed(days(13)), at(26));
        assert_eq!(ages.witnessed(days(19)), at(20));
        assert_eq!(ages.witnessed(days(30)), at(9));
        // Somebody looked something up while the clock was ahead: from day 20 to 1020.
        let jumped = vec![(at(1_020), days(993))];
        let ages = Ages { policy: &policy, now: at(22), gaps: jumped.clone() };
        assert_eq!(ages.witnessed(days(5)), at(17));
        let ages = Ages { policy: &policy, now: at(500), gaps: jumped };
        assert_eq!(ages.witnessed(days(5)), at(22));
    }
}
