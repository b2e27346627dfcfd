//! Advisory locks that the kernel drops when a process dies.
//!
//! They tell who is alive and spare double work; nothing is lost where a filesystem ignores them,
//! because the index's write transaction decides everything that matters.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::fs::OFlags;

use crate::error::{Error, PathContext as _, Result};
use crate::event::{Event, Interrupt, Observer};

/// After this long a wait is announced, and again each time it has doubled.
const ANNOUNCE_AFTER: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// How this process waits for others.
#[derive(Clone)]
pub(crate) struct Waiting {
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) interrupt: Interrupt,
    /// Without a limit it waits for ever.
    pub(crate) limit: Option<Duration>,
}

impl Waiting {
    /// Starts to wait.
    pub(crate) fn patience(&self) -> Patience<'_> {
        Patience::new(&*self.observer, &self.interrupt, self.limit)
    }
}

/// Waits for other processes: says so after two seconds, gives up after `limit`.
pub(crate) struct Patience<'a> {
    observer: &'a dyn Observer,
    interrupt: &'a Interrupt,
    limit: Option<Duration>,
    started: Option<Instant>,
    announce_at: Duration,
    pause: Duration,
}

impl<'a> Patience<'a> {
    fn new(observer: &'a dyn Observer, interrupt: &'a Interrupt, limit: Option<Duration>) -> Self {
        let pause = Duration::from_millis(1);
        Self { observer, interrupt, limit, started: None, announce_at: ANNOUNCE_AFTER, pause }
    }

    /// Waits a moment for `what`, or says that it took too long.
    pub(crate) fn wait(&mut self, what: &str) -> Result<()> {
        self.interrupt.check()?;
        let waited = self.started.get_or_insert_with(Instant::now).elapsed();
        if self.limit.is_some_and(|limit| waited >= limit) {
            return Err(Error::Busy { what: what.to_owned(), waited });
        }
        if waited >= self.announce_at {
            self.observer.on(&Event::Waiting { what, waited });
            self.announce_at *= 2;
        }
        sleep(self.pause.min(self.limit.map_or(LONGEST_PAUSE, |limit| limit.saturating_sub(waited))));
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        Ok(())
    }
}

/// What became of a lock whose file may be there or not.
#[derive(Debug)]
pub(crate) enum Existing {
    /// There is no such file.
    Absent,
    /// Somebody holds it.
    Held,
    /// Nobody held it.
    Taken(LockFile),
}

/// A lock on a file of its own; released when dropped or when the process dies.
#[derive(Debug)]
pub(crate) struct LockFile {
    file: File,
    path: PathBuf,
}

impl LockFile {
    /// Takes the lock for itself; none if another process has it.
    pub(crate) fn try_exclusive(path: &Path) -> Result<Option<Self>> {
        Self::attempt(path, |file| file.try_lock())
    }

    /// Takes the lock for itself if its file is there, which is never made.
    pub(crate) fn try_existing(path: &Path) -> Result<Existing> {
        let file = match OpenOptions::new().read(true).custom_flags(OFlags::NOFOLLOW.bits().cast_signed()).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Existing::Absent),
            Err(error) => return Err(Error::io("open the lock", path, error)),
        };
        match file.try_lock() {
            Ok(()) if is_at(&file, path) => Ok(Existing::Taken(Self { file, path: path.to_owned() })),
            Ok(()) => Ok(Existing::Absent),
            Err(TryLockError::WouldBlock) => Ok(Existing::Held),
            Err(TryLockError::Error(error)) => Err(Error::io("lock", path, error)),
        }
    }

    /// Shares the lock; none if another process has it for itself.
    pub(crate) fn try_shared(path: &Path) -> Result<Option<Self>> {
        Self::attempt(path, |file| file.try_lock_shared())
    }

    /// Takes the lock for itself, waiting for other processes.
    pub(crate) fn exclusive(path: &Path, what: &str, patience: &mut Patience<'_>) -> Result<Self> {
        loop {
            match Self::try_exclusive(path)? {
                Some(lock) => return Ok(lock),
                None => patience.wait(what)?,
            }
        }
    }

    /// Shares the lock, waiting for other processes.
    pub(crate) fn shared(path: &Path, what: &str, patience: &mut Patience<'_>) -> Result<Self> {
        loop {
            match Self::try_shared(path)? {
                Some(lock) => return Ok(lock),
                None => patience.wait(what)?,
            }
        }
    }

    fn attempt(path: &Path, lock: impl Fn(&File) -> Result<(), TryLockError>) -> Result<Option<Self>> {
        loop {
            let file = open(path)?;
            match lock(&file) {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                // A filesystem without locks: the index still decides.
                Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {}
                Err(TryLockError::Error(error)) => return Err(Error::io("lock", path, error)),
            }
            // The file may have been removed between opening and locking; then the lock is void.
            if is_at(&file, path) {
                return Ok(Some(Self { file, path: path.to_owned() }));
            }
        }
    }

    /// Releases the lock and removes its file. Only for an exclusive lock.
    pub(crate) fn remove(self) {
        #[expect(clippy::disallowed_methods, reason = "a lock file holds nothing that could be lost")]
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Drop for LockFile {
    fn drop(&mut self) {
        let _ = self.file.unlock();
    }
}

fn open(path: &Path) -> Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o644)
        .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
        .open(path)
        .at("open the lock", path)
}

fn is_at(file: &File, path: &Path) -> bool {
    let here = file.metadata();
    let there = std::fs::symlink_metadata(path);
    matches!((here, there), (Ok(here), Ok(there)) if here.ino() == there.ino() && here.dev() == there.dev())
}
