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

use crate::error::{PathContext as _, Result};
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

    fn create(disk: &Disk, path: &Path) -> Result<Self> {
        let file = disk.create_file(path, 0o444)?;
        let mut lock = Self { file, path: path.to_owned(), disk: disk.clone() };
        let name = format!("{} {}", rustix::process::getpid().as_raw_nonzero(), Us::look().host);
        lock.file.write_all(name.as_bytes()).at("write", path)?;
        // For our own kind, which sees across containers that this lock is in use.
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
#[expect(clippy::disallowed_methods, reason = "a test sets the scene as other programs would")]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use filetime::{FileTime, set_file_mtime};

    use super::*;
    use crate::error::{Error, ErrorKind};
    use crate::event::Interrupt;
    use crate::fs::Waiting;
    use crate::time::Clock;

    fn waiting(limit: Option<Duration>) -> Waiting {
        Waiting { observer: Arc::new(()), interrupt: Interrupt::default(), limit }
    }

    fn take(path: &Path) -> Result<Pidfile> {
        let waiting = waiting(Some(Duration::from_millis(30)));
        Pidfile::acquire(&Disk::default(), path, Clock::System.now(), &mut waiting.patience())
    }

    /// A lock as another process left it, `age` seconds ago.
    fn leave(path: &Path, content: &str, age: i64) {
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.write(true).create_new(true).open(path).expect("new");
        file.write_all(content.as_bytes()).expect("written");
        let written = Clock::System.now().as_millis() / 1_000 - age;
        set_file_mtime(path, FileTime::from_unix_time(written, 0)).expect("set");
    }

    fn dead_process() -> u32 {
        let mut child = std::process::Command::new("true").spawn().expect("runs");
        child.wait().expect("ends");
        child.id()
    }

    fn host() -> String {
        std::fs::read_to_string("/proc/sys/kernel/hostname").expect("readable").trim_end().to_owned()
    }

    #[test]
    fn a_lock_looks_as_pidfile_jl_makes_it() {
        let dir = tempfile::tempdir().expect("made");
        let path = dir.path().join("artifact_lock");
        let lock = take(&path).expect("free");
        let text = std::fs::read_to_string(&path).expect("readable");
        assert_eq!(text, format!("{} {}", std::process::id(), host()));
        assert_eq!(std::fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o444);
        let refused = take(&path).expect_err("taken");
        assert_eq!(refused.kind(), ErrorKind::Busy);
        assert!(refused.to_string().contains(&std::process::id().to_string()), "{refused}");
        lock.release().expect("released");
        assert!(!path.exists());
        drop(take(&path).expect("free again"));
        assert!(!path.exists(), "dropping releases");
    }

    #[test]
    fn only_our_own_lock_is_removed_at_the_end() {
        let dir = tempfile::tempdir().expect("made");
        let path = dir.path().join("lock");
        let lock = take(&path).expect("free");
        std::fs::rename(&path, dir.path().join("elsewhere")).expect("moved");
        leave(&path, "1 other", 0);
        lock.release().expect("nothing to do");
        assert_eq!(std::fs::read_to_string(&path).expect("there"), "1 other");
    }

    #[test]
    fn the_lock_of_a_dead_process_is_broken_after_a_minute() {
        let dir = tempfile::tempdir().expect("made");
        let path = dir.path().join("lock");
        leave(&path, &format!("{} {}", dead_process(), host()), 90);
        drop(take(&path).expect("broken"));
    }

    #[test]
    fn a_lock_that_may_be_in_use_is_never_broken() {
        let dead = dead_process();
        let (host, week) = (host(), 7 * 86_400);
        let kept = [
            ("young", format!("{dead} {host}"), 30),
            ("of another host", format!("{dead} not-{host}"), week),
            ("without a host", format!("{dead}"), week),
            ("of a living process", format!("1 {host}"), week),
            ("of ourselves", format!("{} {host}", std::process::id()), week),
            ("of no process", format!("0 {host}"), week),
            ("of a negative process", format!("-7 {host}"), week),
            ("of a process beyond all", format!("4294967295 {host}"), week),
            ("with a line end", format!("{dead} {host}\n"), week),
            ("of a program that is not Julia", "locked".to_owned(), week),
            ("empty and young", String::new(), 1_800),
        ];
        for (what, content, age) in kept {
            let dir = tempfile::tempdir().expect("made");
            let path = dir.path().join("lock");
            leave(&path, &content, age);
            assert_eq!(take(&path).expect_err(what).kind(), ErrorKind::Busy, "{what}");
            assert_eq!(std::fs::read_to_string(&path).expect("there"), content, "{what}");
        }
    }

    #[test]
    fn a_lock_whose_process_died_before_it_wrote_its_name_is_broken_after_an_hour() {
        let dir = tempfile::tempdir().expect("made");
        let path = dir.path().join("lock");
        leave(&path, "", 3_700);
        drop(take(&path).expect("broken"));
    }

    #[test]
    fn a_lock_that_one_of_us_holds_open_elsewhere_is_not_broken() {
        let dir = tempfile::tempdir().expect("made");
        let path = dir.path().join("lock");
        leave(&path, &format!("{} {}", dead_process(), host()), 90);
        let elsewhere = File::open(&path).expect("there");
        elsewhere.lock().expect("free");
        assert_eq!(take(&path).expect_err("held").kind(), ErrorKind::Busy);
        drop(elsewhere);
        drop(take(&path).expect("broken"));
    }

    #[test]
    fn a_name_shared_with_the_host_proves_nothing() {
        let old = Duration::from_secs(3_600);
        let state = |in_doubt| {
            let us = Us { host: "here".to_owned(), in_doubt };
            judge_content(b"77 here", old, &us, |_| false)
        };
        assert!(matches!(state(false), State::Dead));
        assert!(matches!(state(true), State::Held(_)));
    }

    #[test]
    fn something_else_in_the_lock_s_place_is_named() {
        let dir = tempfile::tempdir().expect("made");
        let error = take(dir.path()).expect_err("a directory");
        assert!(matches!(error, Error::Unsupported { .. }), "{error}");
        assert!(take(&dir.path().join("no/lock")).expect_err("no folder").is_io(io::ErrorKind::NotFound));
    }

    #[test]
    fn many_break_one_dead_lock_and_one_at_a_time_has_it() {
        let dead = dead_process();
        for _ in 0..20 {
            let dir = tempfile::tempdir().expect("made");
            let path = &dir.path().join("lock");
            leave(path, &format!("{dead} {}", host()), 90);
            let inside = &AtomicUsize::new(0);
            std::thread::scope(|scope| {
                for _ in 0..8 {
                    scope.spawn(|| {
                        let waiting = waiting(None);
                        let now = Clock::System.now();
                        let lock = Pidfile::acquire(&Disk::default(), path, now, &mut waiting.patience());
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "two have the lock");
                        std::thread::sleep(Duration::from_micros(200));
                        inside.fetch_sub(1, Ordering::SeqCst);
                        lock.expect("taken").release().expect("released");
                    });
                }
            });
            assert!(!path.exists());
        }
    }
}
