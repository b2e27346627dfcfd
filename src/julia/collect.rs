//! Takes out of a live scratch space what nobody uses any more.
//!
//! Why: Julia knows no lease between create and bind, so what looks unused may be about to be bound.
//! Guarantees: nothing is taken while one bindings file cannot be read; what is bound, linked to by
//! a directory that stays, or younger than a minute stays; what is taken goes into the trash first,
//! then all bindings are read again and what got bound meanwhile is put back.
//! Must not know: why something is no longer needed.

use std::collections::{BTreeSet, HashSet};

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::fs::lstat;
use crate::julia::census::{Census, Stock, in_the_making};
use crate::julia::live::{LiveSpace, random_name};
use crate::julia::pidfile::Pidfile;
use crate::julia::trash::{changed, move_to_trash};
use crate::julia::{OrphanLog, UsageLog, Zone, print};
use crate::time::Timestamp;

/// What is younger stays: it may have been created and not bound yet.
const YOUNG: std::time::Duration = std::time::Duration::from_secs(60);

/// What a collection did.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    /// What lies in the trash now, or was gone before.
    pub(crate) taken: Vec<Digest>,
    /// What stays, and why.
    #[cfg_attr(not(test), expect(dead_code, reason = "only tests ask why"))]
    pub(crate) spared: Vec<(Digest, Spared)>,
    /// Bindings files that could not be read: because of them nothing was taken.
    pub(crate) unreadable: Vec<Error>,
}

/// Why something stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spared {
    /// A name stands for it, or for a directory that links to it, or may do so.
    Bound,
    /// A directory that stays links to it, or one that is being made.
    Linked,
    /// It is younger than a minute.
    Young,
    /// Another process is putting it in.
    Busy,
    /// A bindings file cannot be read, so nobody knows.
    Unknown,
}

impl LiveSpace {
    /// Moves those of `victims` that nobody uses into the trash.
    ///
    /// # Errors
    /// Whatever keeps the space from being read; then nothing was taken for good.
    pub(crate) fn collect(&self, victims: &[Digest], now: Timestamp) -> Result<Collected> {
        let logs = self.lock_logs(now)?;
        let (mut log, _) = UsageLog::read(&self.space, Zone::Local)?;
        let census = self.census(&log, now)?;
        if !census.unreadable.is_empty() {
            return Ok(spare_all(victims, census.unreadable));
        }
        let stock = Stock::take(&self.space)?;
        let mut run = Run::new(self, &stock, &census, now)?;
        let moved = run.take(victims);
        let back = moved.and_then(|()| self.put_back_with(&log, now));
        if !back.as_ref().is_ok_and(|back| back.unreadable.is_empty()) {
            self.put_back_run(&run.name, now)?;
            return back.map(|back| spare_all(victims, back.unreadable));
        }
        let (mut taken, mut spared) = (Vec::new(), run.spared);
        for id in run.taken {
            // Put back just now, or made anew by somebody.
            let is_there = lstat(&self.space.artifact(id))?.is_some();
            if is_there { spared.push((id, Spared::Bound)) } else { taken.push(id) }
        }
        self.update_logs(&mut log, &taken, &stock, &census, now)?;
        logs.release()?;
        Ok(Collected { taken, spared, unreadable: Vec::new() })
    }

    /// Returns which of `victims` a collection would spare for their age, and what would stay with them: the
    /// files of young directories, and of those that Julia is making.
    pub(crate) fn too_young(&self, victims: &[Digest], now: Timestamp) -> Result<BTreeSet<Digest>> {
        let mut stays = BTreeSet::new();
        for id in victims {
            let Some(found) = lstat(&self.space.artifact(*id))?.filter(|found| is_young(found, now)) else { continue };
            stays.insert(*id);
            if found.is_dir() {
                stays.extend(self.space.blobs_of(*id)?);
            }
        }
        stays.extend(in_the_making(&self.space)?);
        Ok(stays)
    }

    /// Returns what was bound and of which nobody has noted yet that it is not any more. What of the logs
    /// cannot be read names nothing.
    pub(crate) fn not_noted(&self) -> BTreeSet<Digest> {
        let usage = UsageLog::read(&self.space, Zone::Local).map(|(log, _)| log).unwrap_or_default();
        let orphans = OrphanLog::read(&self.space, Zone::Local).map(|(log, _)| log).unwrap_or_default();
        usage.ids().filter(|id| orphans.since(*id).is_none()).collect()
    }

    /// Notes what is gone, and what was bound and is not any more. The lock of the logs must be held.
    fn update_logs(
        &self,
        log: &mut UsageLog,
        taken: &[Digest],
        stock: &Stock,
        census: &Census,
        now: Timestamp,
    ) -> Result<()> {
        let before = log.clone();
        for id in taken {
            log.forget_id(*id);
        }
        if *log != before {
            self.replace(&self.space.usage_log(), &print(&log.to_toml(&self.space, Zone::Local)?)?)?;
        }
        let used = used(stock, census);
        let taken: HashSet<Digest> = taken.iter().copied().collect();
        let unused = |id: &Digest| stock.has(*id) && !used.contains(id) && !taken.contains(id);
        self.edit_orphans(&mut |orphans| {
            for id in used.iter().chain(&taken) {
                orphans.forget(*id);
            }
            for id in log.ids().filter(unused) {
                orphans.note(id, now);
            }
        })
    }
}

/// Returns what is bound, and what is linked to by a directory that is.
fn used(stock: &Stock, census: &Census) -> HashSet<Digest> {
    let linked = census.bound.iter().filter_map(|id| stock.directories.get(id)).flatten();
    linked.chain(&census.bound).copied().collect()
}

fn spare_all(victims: &[Digest], unreadable: Vec<Error>) -> Collected {
    let spared = victims.iter().map(|id| (*id, Spared::Unknown)).collect();
    Collected { taken: Vec::new(), spared, unreadable }
}

/// One pass over what is to be collected.
struct Run<'a> {
    live: &'a LiveSpace,
    stock: &'a Stock,
    used: HashSet<Digest>,
    /// The folder in the trash.
    name: String,
    now: Timestamp,
    taken: Vec<Digest>,
    spared: Vec<(Digest, Spared)>,
}

impl<'a> Run<'a> {
    fn new(live: &'a LiveSpace, stock: &'a Stock, census: &Census, now: Timestamp) -> Result<Self> {
        let (taken, spared) = (Vec::new(), Vec::new());
        Ok(Self { live, stock, used: used(stock, census), name: random_name()?, now, taken, spared })
    }

    /// Takes directories first: what only they link to is free then.
    fn take(&mut self, victims: &[Digest]) -> Result<()> {
        let victims: BTreeSet<Digest> = victims.iter().copied().collect();
        let (directories, files): (Vec<_>, Vec<_>) =
            victims.into_iter().partition(|id| self.stock.directories.contains_key(id));
        for id in directories {
            self.take_one(id, &HashSet::new())?;
        }
        let gone: HashSet<Digest> = self.taken.iter().copied().collect();
        let staying = self.stock.directories.iter().filter(|(id, _)| !gone.contains(id));
        let linked = staying.flat_map(|(_, links)| links).chain(&self.stock.in_the_making).copied().collect();
        files.into_iter().try_for_each(|id| self.take_one(id, &linked))
    }

    fn take_one(&mut self, id: Digest, linked: &HashSet<Digest>) -> Result<()> {
        self.live.waiting.interrupt.check()?;
        match self.reason_to_spare(id, linked)? {
            Some(reason) => self.spared.push((id, reason)),
            None => match Pidfile::try_acquire(&self.live.disk, &self.live.artifact_lock(id), self.now)? {
                None => self.spared.push((id, Spared::Busy)),
                Some(lock) => {
                    move_to_trash(self.live, id, &self.name)?;
                    self.taken.push(id);
                    lock.release()?;
                }
            },
        }
        Ok(())
    }

    fn reason_to_spare(&self, id: Digest, linked: &HashSet<Digest>) -> Result<Option<Spared>> {
        if self.used.contains(&id) {
            return Ok(Some(Spared::Bound));
        }
        if linked.contains(&id) {
            return Ok(Some(Spared::Linked));
        }
        let found = lstat(&self.live.space.artifact(id))?;
        Ok(found.is_some_and(|found| is_young(&found, self.now)).then_some(Spared::Young))
    }
}

fn is_young(found: &std::fs::Metadata, now: Timestamp) -> bool {
    now.since(changed(found)) < YOUNG
}

#[cfg(test)]
mod tests;
