//! A copy of the index as it was before a newer program changed its format.
//!
//! Why: a migration is the one write that no older program can read afterwards.
//! Guarantees: the copy is made while nobody else can write, is whole and on the disk before it gets
//! its name, and takes the place of an older one at once.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use crate::error::{Error, Result};
use crate::fs::{Disk, lstat, room};
use crate::index::Attempt as _;

/// Copies the index at `path` to `index.sqlite.bak` beside it. The caller holds the write transaction
/// and has not written yet.
pub(super) fn keep(path: &Path, disk: &Disk) -> Result<()> {
    let (new, folder) = (with_suffix(path, ".bak.new"), path.parent().unwrap_or(path));
    let source = open(path)?;
    check_room(path, needed(&source)?, room(folder)?.free)?;
    discard(&new, disk)?;
    let outcome = copy(&source, &new, disk).and_then(|()| put_in_place(path, &new, folder, disk));
    if outcome.is_err() {
        let _ = discard(&new, disk);
    }
    outcome
}

/// Opens the index once more: a connection that holds the write transaction cannot be copied from.
fn open(path: &Path) -> Result<Connection> {
    Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX).to("copy")
}

fn needed(source: &Connection) -> Result<u64> {
    let pragma = |name| source.pragma_query_value(None, name, |row| row.get::<_, u64>(0)).to("copy");
    Ok(pragma("page_count")?.saturating_mul(pragma("page_size")?))
}

fn check_room(path: &Path, needed: u64, free: u64) -> Result<()> {
    if free >= needed { Ok(()) } else { Err(Error::NoRoomToUpgrade { path: path.to_owned(), needed, free }) }
}

fn copy(source: &Connection, new: &Path, disk: &Disk) -> Result<()> {
    disk.fault_point(new)?;
    let mut target = Connection::open(new).to("copy")?;
    // It has no name that anybody would open yet, and is flushed as a whole.
    target.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF").to("copy")?;
    let all_pages = -1;
    match Backup::new(source, &mut target).and_then(|backup| backup.step(all_pages)).to("copy")? {
        StepResult::Done => Ok(()),
        _ => Err(Error::Busy { what: "the index".to_owned(), waited: std::time::Duration::ZERO }),
    }
}

fn put_in_place(path: &Path, new: &Path, folder: &Path, disk: &Disk) -> Result<()> {
    if let Some(found) = lstat(path)? {
        disk.set_mode(new, found.mode() & 0o777)?;
    }
    disk.flush(new)?;
    disk.rename(new, &with_suffix(path, ".bak"))?;
    disk.flush(folder)
}

/// Removes what a process left that died on the way.
fn discard(new: &Path, disk: &Disk) -> Result<()> {
    for suffix in ["", "-journal", "-wal", "-shm"] {
        let path = with_suffix(new, suffix);
        if lstat(&path)?.is_some() {
            disk.remove_file(&path)?;
        }
    }
    Ok(())
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::error::ErrorKind;
    use crate::event::Interrupt;
    use crate::fs::Waiting;
    use crate::index::{Birth, Index, Settings};
    use crate::time::Timestamp;

    /// A mirror of another program's store can be made again.
    #[test]
    fn what_is_made_where_it_is_missing_gets_no_copy() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("1.sqlite");
        let old = Connection::open(&path).expect("a database");
        old.execute_batch(include_str!("../../migrations/0001_store.sql")).expect("the first schema");
        old.execute_batch("PRAGMA user_version = 1; PRAGMA application_id = 0x4f4d4131").expect("its version");
        let waiting = Waiting { observer: Arc::new(()), interrupt: Interrupt::default(), limit: Some(Duration::ZERO) };
        let birth = Birth { settings: Settings::default(), now: Timestamp::from_millis(0) };
        let index = Index::open(&path, Some(birth), &Disk::default(), &waiting).expect("it opens");
        assert!(index.is_some());
        let version =
            |path: &Path| open(path).expect("it opens").pragma_query_value(None, "user_version", |row| row.get(0));
        assert_ne!(version(&path), Ok(1_i64), "it was upgraded");
        assert!(!with_suffix(&path, ".bak").exists());
    }

    #[test]
    fn a_copy_that_would_not_fit_is_not_begun() {
        let path = Path::new("/s/index.sqlite");
        assert!(check_room(path, 4_096, 4_096).is_ok());
        let error = check_room(path, 4_096, 4_095).expect_err("one byte is missing");
        assert_eq!(error.kind(), ErrorKind::OutOfSpace);
        assert_eq!(
            error.to_string(),
            "a copy of `/s/index.sqlite` before its upgrade needs 4096 bytes beside it, and 4095 are free"
        );
    }
}
