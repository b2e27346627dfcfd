//! The trash of a live scratch space: the way in, the way back and the end.
//!
//! Why: a Julia program may have looked at an artifact just before it was taken, and bind it now.
//! Guarantees: what lies in the trash stays there for an hour at least, counted from when it came;
//! whatever is found bound is put back, files before the directories that link to them; nothing is
//! deleted while one bindings file cannot be read.
//! Must not know: why something was taken.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::fs::lstat;
use crate::julia::census::children;
use crate::julia::live::{LiveSpace, is_draft, is_random};
use crate::julia::space::linked_from;
use crate::julia::{UsageLog, Zone};
use crate::time::Timestamp;

/// What was collected stays in the trash for so long.
const KEPT: Duration = Duration::from_secs(3_600);
/// No artifact is built for longer than this.
const LONGEST_WORK: Duration = Duration::from_secs(86_400);

/// What was put back into a space.
#[derive(Debug, Default)]
pub(crate) struct PutBack {
    pub(crate) ids: Vec<Digest>,
    /// Bindings files that could not be read: because of them it is not known what else is bound.
    pub(crate) unreadable: Vec<Error>,
}

/// What became of the trash.
#[derive(Debug, Default)]
pub(crate) struct Emptied {
    /// How many artifacts were deleted for good.
    #[cfg_attr(not(test), expect(dead_code, reason = "only tests count"))]
    pub(crate) deleted: u64,
    pub(crate) put_back: PutBack,
}

impl LiveSpace {
    /// Puts back what is bound and lies in the trash.
    pub(crate) fn put_back_bound(&self, now: Timestamp) -> Result<PutBack> {
        if self.in_trash()?.is_empty() {
            return Ok(PutBack::default());
        }
        let logs = self.lock_logs(now)?;
        let (log, _) = UsageLog::read(&self.space, Zone::Local)?;
        let back = self.put_back_with(&log, now)?;
        logs.release()?;
        Ok(back)
    }

    /// Deletes for good what has been in the trash for an hour, after putting back what is bound,
    /// and what this program left behind when it was killed.
    pub(crate) fn empty_trash(&self, now: Timestamp) -> Result<Emptied> {
        let put_back = self.put_back_bound(now)?;
        self.remove_remains(now)?;
        if !put_back.unreadable.is_empty() {
            return Ok(Emptied { deleted: 0, put_back });
        }
        let mut deleted = 0;
        for run in self.runs()? {
            for child in children(&run)? {
                self.waiting.interrupt.check()?;
                deleted += u64::from(self.remove_if_older(&run.join(child), KEPT, now)?);
            }
            // Fails while something lies in it.
            let _ = self.disk.remove_dir(&run);
        }
        Ok(Emptied { deleted, put_back })
    }

    /// As [`LiveSpace::put_back_bound`], with the lock of the logs held.
    pub(super) fn put_back_with(&self, log: &UsageLog, now: Timestamp) -> Result<PutBack> {
        let trash = self.in_trash()?;
        if trash.is_empty() {
            return Ok(PutBack::default());
        }
        let census = self.census(log, now)?;
        let mut wanted = census.bound.clone();
        for id in &census.bound {
            let place = self.space.artifact(*id);
            let place = if lstat(&place)?.is_some() { Some(&place) } else { trash.get(id) };
            if let Some(place) = place {
                wanted.extend(links_of(place)?);
            }
        }
        let ids = self.put_back(trash, &wanted, now)?;
        Ok(PutBack { ids, unreadable: census.unreadable })
    }

    /// Puts back all that one run took. The lock of the logs must be held.
    pub(super) fn put_back_run(&self, run: &str, now: Timestamp) -> Result<()> {
        let mut trash = self.in_trash()?;
        trash.retain(|_, path| path.parent() == Some(&self.trash().join(run)));
        let all = trash.keys().copied().collect();
        self.put_back(trash, &all, now).map(drop)
    }

    fn put_back(
        &self,
        trash: BTreeMap<Digest, PathBuf>,
        wanted: &HashSet<Digest>,
        now: Timestamp,
    ) -> Result<Vec<Digest>> {
        let mut ways = Vec::new();
        for (id, path) in trash.into_iter().filter(|(id, _)| wanted.contains(id)) {
            ways.push((lstat(&path)?.is_some_and(|found| found.is_dir()), id, path));
        }
        // Files first.
        ways.sort_unstable();
        let mut ids = Vec::new();
        for (is_dir, id, path) in ways {
            let target = self.space.artifact(id);
            let lock = self.lock_artifact(id, now)?;
            if lstat(&target)?.is_none() {
                self.move_in(&path, &target)?;
                if is_dir {
                    self.disk.set_mode(&target, 0o555)?;
                }
                ids.push(id);
            }
            lock.release()?;
        }
        Ok(ids)
    }

    /// Returns what lies in the trash, and where.
    pub(super) fn in_trash(&self) -> Result<BTreeMap<Digest, PathBuf>> {
        let mut found = BTreeMap::new();
        for run in self.runs()? {
            let names = children(&run)?.into_iter();
            found.extend(names.filter_map(|name| Some((name.parse().ok()?, run.join(name)))));
        }
        Ok(found)
    }

    fn runs(&self) -> Result<Vec<PathBuf>> {
        let names = children(&self.trash())?.into_iter().filter(|name| is_random(name));
        Ok(names.map(|name| self.trash().join(name)).collect())
    }

    /// Removes drafts of processes that were killed.
    fn remove_remains(&self, now: Timestamp) -> Result<()> {
        for name in children(&self.tmp())?.into_iter().filter(|name| is_random(name)) {
            self.remove_if_older(&self.tmp().join(name), LONGEST_WORK, now)?;
        }
        let mut folders: HashSet<PathBuf> = HashSet::from([self.space.logs()]);
        folders.extend(self.space.files()?.into_iter().filter_map(|file| Some(file.path.parent()?.to_owned())));
        for folder in folders {
            for name in children(&folder)?.into_iter().filter(|name| is_draft(name)) {
                self.remove_if_older(&folder.join(name), KEPT, now)?;
            }
        }
        Ok(())
    }

    fn remove_if_older(&self, path: &Path, age: Duration, now: Timestamp) -> Result<bool> {
        let old = lstat(path)?.is_some_and(|found| now.since(changed(&found)) >= age);
        if old {
            self.disk.remove_all(path)?;
        }
        Ok(old)
    }
}

/// Moves an artifact into the trash; one that is gone is fine.
pub(super) fn move_to_trash(live: &LiveSpace, id: Digest, run: &str) -> Result<()> {
    let path = live.space.artifact(id);
    let Some(found) = lstat(&path)? else { return Ok(()) };
    if found.is_dir() {
        // A read-only directory cannot be renamed into another folder.
        live.disk.set_mode(&path, 0o755)?;
    }
    match live.move_in(&path, &live.trash().join(run).join(id.to_string())) {
        Err(_) if lstat(&path)?.is_none() => Ok(()),
        other => other,
    }
}

/// When a file last changed in any way: a rename counts, and nobody can set it.
pub(super) fn changed(found: &Metadata) -> Timestamp {
    Timestamp::from_system(found.ctime(), found.ctime_nsec())
}

fn links_of(place: &Path) -> Result<BTreeSet<Digest>> {
    match lstat(place)? {
        Some(found) if found.is_dir() => linked_from(place),
        _ => Ok(BTreeSet::new()),
    }
}
