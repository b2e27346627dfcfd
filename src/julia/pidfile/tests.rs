#![expect(clippy::disallowed_methods, reason = "a test sets the scene as other programs would")]

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
