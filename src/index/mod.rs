//! The rows of a store: objects, owners, bindings and what protects them.
//!
//! Why: the write transaction of this database is the one arbiter between processes; gc, usage and
//! every question are queries over it.
//! Guarantees: a write is `BEGIN IMMEDIATE` and durable when it returns; the schema's constraints,
//! not only this code, refuse to drop what is still referenced; time never runs backwards.
//! Must not know: where files lie. Nothing here hashes, copies or waits inside a transaction.

mod ask;
mod backup;
mod bindings;
mod budgets;
mod condemn;
mod connect;
mod contents;
mod declarations;
mod downloads;
mod events;
mod filtered;
mod history;
mod leases;
mod migrate;
mod mirror;
mod objects;
mod owners;
mod picture;
mod pins;
#[cfg(test)]
mod plans;
mod prefix;
mod probes;
mod rows;
mod runs;
mod samples;
mod select;
mod settings;
mod sources;
mod spaces;
mod trashed;
mod trees;
mod usage;
mod views;

use std::cell::RefCell;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, MAIN_DB};

use crate::error::{Error, Result};
use crate::fs::{Disk, Waiting};
use crate::model::{Durability, WriteToken};
use crate::time::Timestamp;

pub(crate) use bindings::{BindingNote, BindingRow};
pub(crate) use budgets::Budgets;
pub(crate) use condemn::Condemned;
pub(crate) use declarations::DeclarationRow;
pub(crate) use downloads::Downloaded;
pub(crate) use events::{Happening, What};
pub(crate) use filtered::BINDING_KEYS;
pub(crate) use history::{Collected, PastEvent};
pub use leases::Lease;
pub(crate) use leases::{Holder, LeaseRow};
pub(crate) use mirror::MirroredObject;
pub(crate) use objects::{Admission, ObjectRow, State};
pub(crate) use owners::OwnerRow;
pub(crate) use picture::LooseArtifact;
pub use pins::Pin;
pub(crate) use pins::PinRow;
pub(crate) use probes::{ProbeKind, ProbeRow, Probed};
pub(crate) use runs::{ItemNote, RunNote, RunRow};
pub(crate) use samples::{OwnerSample, StoreSample};
pub(crate) use select::{Doomed, Gone, Loosened, Orphan, Protection, Spared, Start, Totals, TrashRun, Use};
pub(crate) use settings::Settings;
pub use sources::Provenance;
pub(crate) use spaces::{SpaceBindingRow, SpaceRow};
pub(crate) use trashed::{Parted, Trashed};
pub(crate) use trees::EntryAt;
pub(crate) use usage::{ArtifactFacts, BoundObject, NamedOwner, StoredObject};
pub use views::{View, ViewColumn};

/// Names each query once and lists them all, so that one test can prepare every one of them.
macro_rules! queries {
    ($($(#[$doc:meta])* $name:ident = $sql:expr;)+) => {
        $($(#[$doc])* pub(super) const $name: &str = $sql;)+
        #[cfg(test)]
        pub(super) const ALL: &[(&str, &str)] = &[$((stringify!($name), $name)),+];
    };
}
use queries;

/// Gives a database error its action.
trait Attempt<T> {
    fn to(self, action: &'static str) -> Result<T>;
}

impl<T> Attempt<T> for rusqlite::Result<T> {
    fn to(self, action: &'static str) -> Result<T> {
        self.map_err(|source| Error::Database { action, source })
    }
}

/// The database of one store.
pub(crate) struct Index {
    connection: Mutex<Connection>,
    disk: Disk,
    waiting: Waiting,
    root: PathBuf,
    /// Where it lies; none if it is only in memory.
    path: Option<PathBuf>,
}

/// A consistent view of the rows.
pub(crate) struct ReadTx<'c> {
    connection: &'c Connection,
}

/// A running write transaction. Reads see what it has written.
pub(crate) struct WriteTx<'c> {
    read: ReadTx<'c>,
    now: Timestamp,
    /// What is to be said when all of this is true: after the commit.
    notices: RefCell<Vec<String>>,
}

impl<'c> Deref for WriteTx<'c> {
    type Target = ReadTx<'c>;

    fn deref(&self) -> &ReadTx<'c> {
        &self.read
    }
}

impl WriteTx<'_> {
    /// Returns the store's time: the wall clock, but never earlier than any writer has seen.
    pub(crate) fn now(&self) -> Timestamp {
        self.now
    }

    /// Says something once the change is made; nothing if it is not.
    pub(crate) fn tell_after(&self, sentence: String) {
        self.notices.borrow_mut().push(sentence);
    }

    /// Returns the proof that lets files enter and leave the store.
    pub(crate) fn token(&self) -> WriteToken<'_> {
        WriteToken::issue(self)
    }
}

impl Index {
    /// Tells whether this process may write at all.
    pub(crate) fn is_read_only(&self) -> bool {
        self.lock().is_readonly(MAIN_DB).unwrap_or(true)
    }

    /// Answers questions on one state of the rows.
    pub(crate) fn read<T>(&self, ask: impl FnOnce(&ReadTx<'_>) -> Result<T>) -> Result<T> {
        let connection = self.lock();
        connection.execute_batch("BEGIN").to("read")?;
        let answer = ask(&ReadTx { connection: &connection });
        // Ending a transaction that only read cannot lose anything.
        let _ = connection.execute_batch("ROLLBACK");
        answer
    }

    /// Changes rows, all or none. `wall` is what the clock says.
    pub(crate) fn write<T>(&self, wall: Timestamp, change: impl FnOnce(&WriteTx<'_>) -> Result<T>) -> Result<T> {
        self.write_and_tell(wall, change).map(|(result, _)| result)
    }

    /// As [`Index::write`], with what the change has to say.
    pub(crate) fn write_and_tell<T>(
        &self,
        wall: Timestamp,
        change: impl FnOnce(&WriteTx<'_>) -> Result<T>,
    ) -> Result<(T, Vec<String>)> {
        let connection = self.lock();
        if connection.is_readonly(MAIN_DB).unwrap_or(true) {
            return Err(Error::ReadOnly { path: self.root.clone() });
        }
        self.patiently(&connection, "BEGIN IMMEDIATE")?;
        let outcome = self.change_and_commit(&connection, wall, change);
        if outcome.is_err() {
            // A failed commit may leave the transaction open; a finished one makes this fail.
            let _ = connection.execute_batch("ROLLBACK");
        }
        outcome
    }

    /// Changes rows that are not worth waiting or flushing for: at once or not at all.
    pub(crate) fn write_if_idle(&self, wall: Timestamp, change: impl FnOnce(&WriteTx<'_>) -> Result<()>) -> Result<()> {
        let connection = self.lock();
        connection.busy_timeout(Duration::ZERO).to("set up")?;
        let outcome = Self::change_quickly(&connection, wall, change);
        if outcome.is_err() {
            let _ = connection.execute_batch("ROLLBACK");
        }
        connect::set_patience(&connection, &self.waiting)?;
        outcome
    }

    fn change_quickly(
        connection: &Connection,
        now: Timestamp,
        change: impl FnOnce(&WriteTx<'_>) -> Result<()>,
    ) -> Result<()> {
        let level: i64 = connection.pragma_query_value(None, "synchronous", |row| row.get(0)).to("set up")?;
        connection.execute_batch("PRAGMA synchronous = NORMAL; BEGIN IMMEDIATE").to("write")?;
        let tx = WriteTx { read: ReadTx { connection }, now, notices: RefCell::default() };
        let outcome = change(&tx).and_then(|()| tx.note_seen());
        let end = if outcome.is_ok() { "COMMIT" } else { "ROLLBACK" };
        let ended = connection.execute_batch(end).to("write");
        connection.pragma_update(None, "synchronous", level).to("set up")?;
        outcome.and(ended)
    }

    fn change_and_commit<T>(
        &self,
        connection: &Connection,
        wall: Timestamp,
        change: impl FnOnce(&WriteTx<'_>) -> Result<T>,
    ) -> Result<(T, Vec<String>)> {
        let read = ReadTx { connection };
        let now = wall.max(read.clock()?);
        let tx = WriteTx { read, now, notices: RefCell::default() };
        let result = change(&tx)?;
        tx.remember_clock()?;
        self.disk.fault_point(&self.root)?;
        self.patiently(connection, "COMMIT")?;
        self.disk.fault_point(&self.root)?;
        Ok((result, tx.notices.take()))
    }

    /// Runs a statement that may have to wait for another process.
    fn patiently(&self, connection: &Connection, statement: &'static str) -> Result<()> {
        let mut patience = self.waiting.patience();
        loop {
            match connection.execute_batch(statement) {
                Err(error) if is_busy(&error) => patience.wait("the index")?,
                other => return other.to("write"),
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        // A panic inside a transaction leaves it to be rolled back, nothing worse.
        let guard = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        if !guard.is_autocommit() {
            let _ = guard.execute_batch("ROLLBACK");
        }
        guard
    }

    /// Returns how many bytes the database takes on disk.
    pub(crate) fn bytes(path: &Path) -> u64 {
        let size = |suffix: &str| {
            let mut name = path.as_os_str().to_owned();
            name.push(suffix);
            std::fs::metadata(name).map_or(0, |found| found.len())
        };
        size("") + size("-wal")
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseBusy, DatabaseLocked};
    matches!(error.sqlite_error_code(), Some(DatabaseBusy | DatabaseLocked))
}

/// What a new index starts with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Birth {
    pub(crate) settings: Settings,
    pub(crate) now: Timestamp,
}

/// How much a commit waits for the disk.
fn synchronous(durability: Durability, write_ahead: bool) -> &'static str {
    match (durability, write_ahead) {
        (Durability::None, _) => "NORMAL",
        (_, true) => "FULL",
        // Without a write-ahead log the journal's removal must be durable too.
        (_, false) => "EXTRA",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_query_prepares() {
        let index = Index::empty(Timestamp::from_millis(0)).expect("an index in memory");
        let connection = index.lock();
        select::prepare_scratch(&connection).expect("scratch tables");
        let all = [
            &ask::all(),
            bindings::ALL,
            budgets::ALL,
            events::ALL,
            history::ALL,
            leases::ALL,
            mirror::ALL,
            objects::ALL,
            owners::ALL,
            picture::ALL,
            pins::ALL,
            prefix::ALL,
            probes::ALL,
            condemn::ALL,
            contents::ALL,
            declarations::ALL,
            downloads::ALL,
            runs::ALL,
            samples::ALL,
            &select::all(),
            settings::ALL,
            sources::ALL,
            spaces::ALL,
            trashed::ALL,
            trees::ALL,
            usage::ALL,
            views::ALL,
        ];
        for (name, sql) in all.concat() {
            connection.prepare(sql).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }
}
