//! A process at work: a private folder that tells by a lock whether its owner still lives.
//!
//! Why: process ids lie across containers, a kernel lock does not.
//! Guarantees: the folder is removed when the session ends; if the process dies, the lock is free
//! and the next gc removes the folder and whatever the session had begun.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::error::{Error, PathContext as _, Result};
use crate::fs::{Disk, Existing, LockFile, Patience, lstat};
use crate::store::{Layout, Store};

const OWN_LOCK: &str = ".lock";

/// A living process that writes to the store.
#[derive(Debug)]
pub(crate) struct Session {
    name: String,
    dir: PathBuf,
    disk: Disk,
    next: AtomicU64,
    leave_behind: AtomicBool,
    _own: LockFile,
    _all: LockFile,
}

impl Session {
    /// Opens a session. The lock of births keeps recovery from taking a folder whose lock is about
    /// to be taken.
    pub(crate) fn begin(store: &Store, patience: &mut Patience<'_>) -> Result<Self> {
        store.ensure_folders()?;
        let layout = &store.layout;
        let birth = LockFile::shared(&layout.lock("births"), "the folder of sessions", patience)?;
        let all = LockFile::shared(&layout.lock("sessions"), "the list of sessions", patience)?;
        let name = random_name()?;
        let dir = layout.tmp().join(&name);
        store.disk.create_dir(&dir)?;
        let own = LockFile::exclusive(&dir.join(OWN_LOCK), "a new session", patience)?;
        drop(birth);
        Ok(Self {
            name,
            dir,
            disk: store.disk.clone(),
            next: AtomicU64::new(0),
            leave_behind: AtomicBool::new(false),
            _own: own,
            _all: all,
        })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Makes a folder of its own for one piece of work.
    pub(crate) fn stage_dir(&self) -> Result<StageDir> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let path = self.dir.join(number.to_string());
        self.disk.create_dir(&path)?;
        Ok(StageDir { path, disk: self.disk.clone() })
    }

    /// Something may have been left in the store without a row: keep the folder when the session
    /// ends, so that the next gc looks for it as after a crash.
    pub(crate) fn leave_behind(&self) {
        self.leave_behind.store(true, Ordering::Relaxed);
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if !self.leave_behind.load(Ordering::Relaxed) {
            // What cannot be removed now is removed by the next gc.
            let _ = self.disk.remove_all(&self.dir);
        }
    }
}

/// A folder inside the store's filesystem for one piece of work; removed when dropped.
#[derive(Debug)]
pub(crate) struct StageDir {
    path: PathBuf,
    disk: Disk,
}

impl StageDir {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for StageDir {
    fn drop(&mut self) {
        let _ = self.disk.remove_all(&self.path);
    }
}

/// The folder of a session whose process is gone. Holds its lock, so that nobody else cleans it.
#[derive(Debug)]
pub(crate) struct DeadSession {
    pub(crate) dir: PathBuf,
    _lock: Option<LockFile>,
}

/// Returns the sessions whose processes are gone; none while another process looks for them.
pub(crate) fn dead_sessions(layout: &Layout) -> Result<Vec<DeadSession>> {
    let Some(_births) = LockFile::try_exclusive(&layout.lock("births"))? else {
        return Ok(Vec::new());
    };
    let mut dead = Vec::new();
    for dir in session_dirs(layout)? {
        match LockFile::try_existing(&dir.join(OWN_LOCK))? {
            Existing::Held => {}
            Existing::Taken(lock) => dead.push(DeadSession { dir, _lock: Some(lock) }),
            // Nobody is being born while we hold the lock of births: its maker died at once.
            Existing::Absent => dead.push(DeadSession { dir, _lock: None }),
        }
    }
    Ok(dead)
}

/// Tells whether the session of this name may still be alive.
pub(crate) fn may_be_alive(layout: &Layout, name: &str) -> Result<bool> {
    let lock = layout.tmp().join(name).join(OWN_LOCK);
    Ok(matches!(LockFile::try_existing(&lock)?, Existing::Held))
}

fn session_dirs(layout: &Layout) -> Result<Vec<PathBuf>> {
    let tmp = layout.tmp();
    let mut dirs = Vec::new();
    for entry in std::fs::read_dir(&tmp).at("list", &tmp)? {
        let path = entry.at("list", &tmp)?.path();
        let is_dir = lstat(&path)?.is_some_and(|found| found.is_dir());
        if is_dir && has_random_name(&path) {
            dirs.push(path);
        }
    }
    Ok(dirs)
}

/// Tells whether a name is one of [`random_name`]: nothing else in our folders is ours to remove.
pub(super) fn has_random_name(path: &Path) -> bool {
    is_random_name(path.file_name().and_then(std::ffi::OsStr::to_str).unwrap_or_default())
}

/// Tells whether a text can be the name of a session: nothing else may become part of a path.
pub(crate) fn is_random_name(name: &str) -> bool {
    name.len() == 16 && name.bytes().all(|digit| digit.is_ascii_hexdigit())
}

/// Returns a name nobody else has.
pub(crate) fn random_name() -> Result<String> {
    let random = getrandom::u64().map_err(|error| Error::Internal(format!("no random numbers: {error}")))?;
    Ok(format!("{random:016x}"))
}
