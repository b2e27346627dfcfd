//! The locks that OhMyArtifacts.jl takes: files that name the process that made them (Pidfile.jl).
//!
//! Why: a scratch space is shared with a running Julia program, which knows no other lock.
//! Guarantees: a lock is made with `O_EXCL`, so one process has it; it is removed only by the
//! process that made it, or when that process is known to be dead; of several processes that remove
//! one dead lock, none removes the fresh lock of another; waiting is announced and ends.
//! Must not know: what a lock protects.
//!
//! Pidfile.jl as OhMyArtifacts.jl calls it never removes another's lock. This module does when
//! * the lock names this host and a process that does not exist, and is over a minute old, or
//! * it is empty, over an hour old and on a local filesystem: its process died between making it
//!   and writing its name, two system calls that no living process leaves an hour apart.
//!
//! Anything else that names no process was not written by Pidfile.jl and is left to a person. So is
//! every lock where the host's name does not say which process ids are meant: in a container that
//! bears its host's name.

use std::fs::{File, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::Pid;

use crate::error::{Error, PathContext as _, Result};
use crate::fs::{Disk, Patience, is_network, lstat, open_source};
use crate::text::{printable, printable_path};
use crate::time::Timestamp;

/// A lock of a dead process is removed when it is older than this.
const DEAD_AFTER: Duration = Duration::from_secs(60);
/// A lock without content is removed when it is older than this.
const EMPTY_AFTER: Duration = Duration::from_secs(3_600);
/// No process id and host name are longer (`HOST_NAME_MAX` is 64).
const LONGEST: u64 = 512;
/// The namespaces a machine boots with (`include/linux/proc_ns.h`).
const FIRST_PIDS: &str = "pid:[4026531836]";
const FIRST_NAMES: &str = "uts:[4026531838]";

/// A lock of this process; released when dropped.
#[derive(Debug)]
pub(crate) struct Pidfile {
    file: File,
    path: PathBuf,
    disk: Disk,
}

impl Pidfile {
    /// Takes the lock, waiting for other processes. `now` is the time at the call.
    pub(crate) fn acquire(disk: &Disk, path: &Path, now: Timestamp, patience: &mut Patience<'_>) -> Result<Self> {
        let started = Instant::now();
        loop {
            match Self::attempt(disk, path, now.plus(started.elapsed()))? {
                Attempt::Taken(lock) => return Ok(lock),
                Attempt::Held(what) => patience.wait(&what)?,
                Attempt::Again => {}
            }
        }
    }

    /// Takes the lock; none if a process has it that may be alive.
    pub(crate) fn try_acquire(disk: &Disk, path: &Path, now: Timestamp) -> Result<Option<Self>> {
        loop {
            match Self::attempt(disk, path, now)? {
                Attempt::Taken(lock) => return Ok(Some(lock)),
                Attempt::Held(_) => return Ok(None),
                Attempt::Again => {}
            }
        }
    }

    /// Releases the lock; says so if its file could not be removed.
    pub(crate) fn release(self) -> Result<()> {
        // If this fails, dropping tries once more.
        self.remove()
    }

    fn attempt(disk: &Disk, path: &Path, now: Timestamp) -> Result<Attempt> {
        match Self::create(disk, path) {
            Err(error) if error.is_io(io::ErrorKind::AlreadyExists) => clear_the_way(disk, path, now),
            other => other.map(Attempt::Taken),
        }
    }

    /// The lock appears with its name in it, by one link: an empty one, left by a process that was killed in
    /// between, would keep the Julia program waiting for ever.
    fn create(disk: &Disk, path: &Path) -> Result<Self> {
        if lstat(path)?.is_some() {
            return Err(Error::io("create", path, io::ErrorKind::AlreadyExists.into()));
        }
        let name = format!("{} {}", rustix::process::getpid().as_raw_nonzero(), Us::look().host);
        let draft = draft_beside(path)?;
        let mut file = disk.create_file(&draft, 0o444)?;
        let written = file.write_all(name.as_bytes()).at("write", &draft);
        // For our own kind, which sees across containers that this lock is in use.
        let _ = file.try_lock();
        let linked = written.and_then(|()| disk.hard_link(&draft, path));
        let removed = disk.remove_file(&draft);
        if removed.is_err() {
            // One that stays is removed with what killed processes leave.
            let _ = disk.remove_file(&draft);
        }
        let lock = Self { file, path: path.to_owned(), disk: disk.clone() };
        match linked {
            Ok(()) => removed.map(|()| lock),
            Err(error) if knows_no_links(&error) => Self::create_in_place(disk, path, &name),
            Err(error) => Err(error),
        }
    }

    fn create_in_place(disk: &Disk, path: &Path, name: &str) -> Result<Self> {
        let file = disk.create_file(path, 0o444)?;
        let mut lock = Self { file, path: path.to_owned(), disk: disk.clone() };
        lock.file.write_all(name.as_bytes()).at("write", path)?;
        let _ = lock.file.try_lock();
        Ok(lock)
    }

    fn remove(&self) -> Result<()> {
        if is_at(&self.file, &self.path)? { self.disk.remove_file(&self.path) } else { Ok(()) }
    }
}

impl Drop for Pidfile {
    fn drop(&mut self) {
        let _ = self.remove();
    }
}

/// Tells whether a filesystem has no hard links.
fn knows_no_links(error: &Error) -> bool {
    [io::ErrorKind::Unsupported, io::ErrorKind::PermissionDenied].into_iter().any(|kind| error.is_io(kind))
}

/// Returns a new path beside a lock, named as what this program leaves behind when it is killed.
fn draft_beside(path: &Path) -> Result<PathBuf> {
    Ok(path.with_file_name(format!(".oma-{}.tmp", crate::julia::live::random_name()?)))
}

enum Attempt {
    Taken(Pidfile),
    /// By whom, for people.
    Held(String),
    /// What was in the way is gone.
    Again,
}

/// Removes the lock in the way if its process is dead; else says whose it is.
fn clear_the_way(disk: &Disk, path: &Path, now: Timestamp) -> Result<Attempt> {
    let lock = format!("the lock `{}`", printable_path(path));
    let mut file = match open_source(path) {
        Ok((file, _)) => file,
        Err(error) if error.is_io(io::ErrorKind::NotFound) => return Ok(Attempt::Again),
        Err(error) if error.is_io(io::ErrorKind::PermissionDenied) => return Ok(Attempt::Held(lock)),
        Err(error) => return Err(error),
    };
    if let State::Held(whose) = judge(&mut file, path, now)? {
        return Ok(Attempt::Held(lock + &whose));
    }
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(Attempt::Held(lock)),
        // A filesystem on which nobody can tell who else is about to remove it.
        Err(TryLockError::Error(_)) => return Ok(Attempt::Held(lock + ", which has to be removed by hand")),
    }
    // Only who has this file locked may remove it, so the path cannot come to mean another meanwhile.
    let still = is_at(&file, path)? && matches!(judge(&mut file, path, now)?, State::Dead);
    if still {
        disk.remove_file(path)?;
    }
    Ok(Attempt::Again)
}

enum State {
    /// A process has it, or may have; the text goes on after the lock's name.
    Held(String),
    /// Nobody can have it any more.
    Dead,
}

fn judge(file: &mut File, path: &Path, now: Timestamp) -> Result<State> {
    let found = file.metadata().at("read", path)?;
    let written = Timestamp::from_millis(found.mtime().saturating_mul(1_000));
    let age = now.since(written);
    let mut content = Vec::new();
    io::Seek::rewind(file).at("read", path)?;
    io::Read::by_ref(file).take(LONGEST).read_to_end(&mut content).at("read", path)?;
    if content.is_empty() {
        let gone = age > EMPTY_AFTER && !is_network(path.parent().unwrap_or(path))?;
        return Ok(if gone { State::Dead } else { State::Held(", which names no process yet".to_owned()) });
    }
    Ok(judge_content(&content, age, &Us::look(), exists))
}

/// Judges a lock by what it says.
fn judge_content(content: &[u8], age: Duration, us: &Us, exists: impl Fn(Pid) -> bool) -> State {
    let Some((pid, host)) = parse(content) else {
        return State::Held(", which names no process and has to be removed by hand".to_owned());
    };
    let of_the_dead = host == us.host && !us.in_doubt && age > DEAD_AFTER && !exists(pid);
    if of_the_dead {
        return State::Dead;
    }
    State::Held(format!(" (process {} on `{}`)", pid.as_raw_nonzero(), printable(host.as_bytes())))
}

/// Reads `<pid> <hostname>`, to the byte.
fn parse(content: &[u8]) -> Option<(Pid, &str)> {
    let (pid, host) = std::str::from_utf8(content).ok()?.split_once(' ')?;
    let digits = !pid.is_empty() && pid.bytes().all(|digit| digit.is_ascii_digit());
    let pid = digits.then(|| pid.parse().ok()).flatten()?;
    (!host.is_empty()).then_some((Pid::from_raw(pid)?, host))
}

/// Only "no such process" is a proof; not being allowed to ask says that there is one.
fn exists(pid: Pid) -> bool {
    rustix::process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH)
}

/// What this process can know about others.
struct Us {
    host: String,
    /// The host's name does not tell whose process ids are meant.
    in_doubt: bool,
}

impl Us {
    fn look() -> Self {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let is = |link: &str, first: &str| std::fs::read_link(link).is_ok_and(|found| found == Path::new(first));
        let in_doubt = !is("/proc/self/ns/pid", FIRST_PIDS) && is("/proc/self/ns/uts", FIRST_NAMES);
        Self { host, in_doubt }
    }
}

/// Tells whether a path still leads to the open file.
fn is_at(file: &File, path: &Path) -> Result<bool> {
    let here = file.metadata().at("read", path)?;
    Ok(lstat(path)?.is_some_and(|there| here.ino() == there.ino() && here.dev() == there.dev()))
}

#[cfg(test)]
mod tests;
