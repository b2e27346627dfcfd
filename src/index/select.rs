//! Which objects nobody needs: the choice of gc.
//!
//! The work grows with the garbage: it starts at the partial index over `orphaned_at`, and a blob is
//! looked at only through the edges of trees that go, or if it is an orphan itself. Selection runs
//! in scratch tables of the connection, so a plan changes nothing and works on a read-only store.

use std::collections::HashMap;

use rusqlite::{Connection, Row, named_params};

use crate::digest::Digest;
use crate::error::Result;
use crate::index::objects::State;
use crate::index::{Attempt as _, ReadTx, queries};
use crate::model::ObjectKind;
use crate::time::Timestamp;

/// The time it is, and the time before which an orphan may go.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Horizon {
    pub(crate) now: Timestamp,
    pub(crate) cutoff: Timestamp,
}

/// An artifact that gc takes, with what leaves the disk on its account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Doomed {
    pub(crate) id: i64,
    pub(crate) hash: Digest,
    pub(crate) kind: ObjectKind,
    pub(crate) size: u64,
    pub(crate) files: u64,
    /// Its own bytes and those of the blobs that go with it; a blob of several is counted once.
    pub(crate) freed_bytes: u64,
    pub(crate) orphaned_at: Option<Timestamp>,
    pub(crate) state: State,
    /// When the last of its bindings stopped counting, because its owner is gone; none if it has none.
    pub(crate) lapsed_at: Option<Timestamp>,
}

/// An artifact that no binding of an owner that may be there reaches, and that gc leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spared {
    pub(crate) hash: Digest,
    pub(crate) kind: ObjectKind,
    pub(crate) size: u64,
    pub(crate) orphaned_at: Option<Timestamp>,
    pub(crate) pinned: bool,
    pub(crate) leased: bool,
    pub(crate) lease_until: Option<Timestamp>,
    /// When the last of its bindings stops counting, because its owner is gone; none if it has none.
    pub(crate) lapses_at: Option<Timestamp>,
}

/// What goes altogether.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Totals {
    pub(crate) objects: u64,
    pub(crate) files: u64,
    pub(crate) bytes: u64,
}

const SCRATCH: &str = "
CREATE TEMP TABLE IF NOT EXISTS doomed (id INTEGER PRIMARY KEY);
CREATE TEMP TABLE IF NOT EXISTS planned (id INTEGER PRIMARY KEY);
CREATE TEMP TABLE IF NOT EXISTS failed (id INTEGER PRIMARY KEY);
CREATE TEMP TABLE IF NOT EXISTS dead_sessions (name TEXT PRIMARY KEY);
CREATE TEMP TABLE IF NOT EXISTS claimed (id INTEGER PRIMARY KEY);
-- Owners that are gone, and when their bindings stop counting, which may lie ahead.
CREATE TEMP TABLE IF NOT EXISTS lapsed (owner_id INTEGER PRIMARY KEY, since INTEGER NOT NULL);
DELETE FROM temp.doomed; DELETE FROM temp.planned; DELETE FROM temp.failed; DELETE FROM temp.dead_sessions;
CREATE TEMP TABLE IF NOT EXISTS shared (id INTEGER PRIMARY KEY);
DELETE FROM temp.lapsed; DELETE FROM temp.shared;
";

/// A lease `l` that has not run out. A session that nobody called dead may have begun just now.
macro_rules! lease_lives {
    () => {
        "(l.expires_at > :now
          OR (l.session IS NOT NULL AND l.session NOT IN (SELECT name FROM temp.dead_sessions)))"
    };
}

/// What holds an object `o` directly. A lease or pin that has just run out still holds unless there
/// is no collect delay: it makes an orphan of *now*, and its delay begins. A binding whose owner is
/// gone holds until its delay is over too.
macro_rules! not_held {
    () => {
        concat!(
            "NOT EXISTS (SELECT 1 FROM bindings b WHERE b.object_id = o.id
                         AND b.owner_id NOT IN (SELECT owner_id FROM temp.lapsed WHERE since <= :cutoff))
         AND o.id NOT IN (SELECT id FROM temp.claimed)
         AND NOT EXISTS (SELECT 1 FROM pins p WHERE p.object_id = o.id
                         AND (p.until IS NULL OR p.until > :now OR :cutoff < :now))
         AND NOT EXISTS (SELECT 1 FROM leases l WHERE l.object_id = o.id
                         AND (:cutoff < :now OR ",
            lease_lives!(),
            "))"
        )
    };
}

queries! {
    ADD_DEAD_SESSION = "INSERT OR IGNORE INTO temp.dead_sessions (name) VALUES (:name)";
    CLEAR_CLAIMED = "DELETE FROM temp.claimed";
    ADD_CLAIMED = "INSERT OR IGNORE INTO temp.claimed (id) SELECT id FROM objects WHERE hash = :hash";
    DOOMED_HASHES = "SELECT o.hash FROM temp.doomed d CROSS JOIN objects o ON o.id = d.id";
    /// Only what came in by a hard link may have a name outside of the store.
    DOOMED_LINKED = "SELECT o.id, o.hash, o.kind FROM temp.doomed d CROSS JOIN objects o ON o.id = d.id
                     WHERE o.linked = 1";
    /// How often directories that go have each file.
    DOOMED_LINKS = "SELECT e.blob_id, count(*) FROM temp.doomed d CROSS JOIN tree_entries e ON e.tree_id = d.id
                    WHERE e.blob_id IS NOT NULL GROUP BY e.blob_id";
    ADD_SHARED = "INSERT OR IGNORE INTO temp.shared (id) VALUES (:id)";
    ADD_PLANNED = "INSERT OR IGNORE INTO temp.planned (id)
                   SELECT id FROM objects WHERE hash = :hash AND kind = :kind";
    DOOM_TREES = concat!(
        "INSERT INTO temp.doomed SELECT o.id FROM objects o
         WHERE o.orphaned_at <= :cutoff AND o.kind = 2 AND o.state = 0 AND ", not_held!());
    ADD_LAPSED = "INSERT OR REPLACE INTO temp.lapsed (owner_id, since) VALUES (:owner, :since)";
    /// What only owners that are gone have bound.
    DOOM_LAPSED = concat!(
        "INSERT OR IGNORE INTO temp.doomed SELECT o.id FROM objects o
         WHERE o.id IN (SELECT b.object_id FROM temp.lapsed l CROSS JOIN bindings b ON b.owner_id = l.owner_id
                        WHERE l.since <= :cutoff)
           AND o.kind = 2 AND o.state = 0
           AND (o.orphaned_at IS NULL OR o.orphaned_at <= :cutoff) AND ", not_held!());
    /// A tree whose maker died is nobody's, whatever the delay.
    DOOM_PARTIAL = concat!(
        "INSERT OR IGNORE INTO temp.doomed SELECT o.id FROM objects o
         WHERE o.state = 1 AND o.state <> 0 AND o.trashed = 0
           AND NOT EXISTS (SELECT 1 FROM leases l WHERE l.object_id = o.id AND ", lease_lives!(), ")");
    /// What a lease or pin has just let go, where there is no delay.
    DOOM_RELEASED = concat!(
        "INSERT OR IGNORE INTO temp.doomed SELECT o.id FROM objects o
         WHERE :cutoff >= :now AND o.kind = 2 AND o.state = 0
           AND o.id IN (SELECT object_id FROM leases UNION SELECT object_id FROM pins) AND ", not_held!());
    /// A plan may be minutes old: only what it names may go, as far as it still may.
    KEEP_PLANNED = "DELETE FROM temp.doomed WHERE id NOT IN (SELECT id FROM temp.planned)";
    /// What an interrupted run had chosen already, unless somebody took it back.
    DOOM_CONDEMNED = "INSERT OR IGNORE INTO temp.doomed SELECT o.id FROM objects o
         WHERE o.state = 2 AND o.state <> 0 AND o.trashed = 0
           AND NOT EXISTS (SELECT 1 FROM members m JOIN objects t ON t.id = m.tree_id
                           WHERE m.blob_id = o.id AND t.state <> 2)";
    /// Blobs go with the last tree that needs them, or as orphans themselves. The index is named, because
    /// the planner would rather walk all objects in the order in which it merges.
    DOOM_BLOBS = concat!(
        "INSERT OR IGNORE INTO temp.doomed SELECT o.id FROM objects o
         WHERE o.kind <> 2 AND o.state = 0
           AND o.id IN (SELECT blob_id FROM members WHERE tree_id IN (SELECT id FROM temp.doomed)
                        UNION SELECT id FROM objects INDEXED BY objects_orphaned
                              WHERE orphaned_at <= :cutoff AND :alone
                        UNION SELECT object_id FROM leases WHERE :cutoff >= :now AND :alone
                        UNION SELECT object_id FROM pins WHERE :cutoff >= :now AND :alone
                        UNION SELECT b.object_id FROM temp.lapsed l CROSS JOIN bindings b ON b.owner_id = l.owner_id
                              WHERE l.since <= :cutoff AND :alone
                        UNION SELECT id FROM temp.planned)
           AND (o.orphaned_at IS NULL OR o.orphaned_at <= :cutoff)
           AND NOT EXISTS (SELECT 1 FROM members m JOIN objects t ON t.id = m.tree_id
                           WHERE m.blob_id = o.id AND t.state <> 2
                             AND m.tree_id NOT IN (SELECT id FROM temp.doomed))
           AND ", not_held!());
    /// Joined crosswise, because the planner takes the table of all objects for the smaller one.
    /// A blob that is no artifact of its own goes on the account of the first tree that had it.
    ITEMS = "SELECT o.id, o.hash, o.kind, o.size, o.files, o.orphaned_at, o.state,
                iif(o.id IN (SELECT id FROM temp.shared), 0, o.own_bytes) + ifnull((
                    SELECT sum(b.own_bytes) FROM members m
                    JOIN temp.doomed d ON d.id = m.blob_id JOIN objects b ON b.id = m.blob_id
                    WHERE m.tree_id = o.id AND b.orphaned_at IS NULL AND b.id NOT IN (SELECT id FROM temp.shared)
                      AND NOT EXISTS (SELECT 1 FROM bindings n WHERE n.object_id = b.id)
                      AND NOT EXISTS (SELECT 1 FROM members n JOIN temp.doomed e ON e.id = n.tree_id
                                      JOIN objects t ON t.id = n.tree_id
                                      WHERE n.blob_id = b.id AND t.hash < o.hash)), 0),
                (SELECT max(l.since) FROM bindings b JOIN temp.lapsed l ON l.owner_id = b.owner_id
                 WHERE b.object_id = o.id)
             FROM temp.doomed d CROSS JOIN objects o ON o.id = d.id
             WHERE o.kind = 2 OR o.orphaned_at IS NOT NULL
                OR EXISTS (SELECT 1 FROM bindings b WHERE b.object_id = o.id)
                OR NOT EXISTS (SELECT 1 FROM members m JOIN temp.doomed t ON t.id = m.tree_id WHERE m.blob_id = o.id)
             ORDER BY o.kind = 2 DESC, o.hash, o.kind";
    TOTALS = "SELECT count(*), ifnull(sum(o.kind <> 2), 0),
                     ifnull(sum(iif(o.id IN (SELECT id FROM temp.shared), 0, o.own_bytes)), 0)
              FROM temp.doomed d CROSS JOIN objects o ON o.id = d.id";
    SPARED = concat!(
        "SELECT o.hash, o.kind, o.size, o.orphaned_at,
                 EXISTS (SELECT 1 FROM pins p WHERE p.object_id = o.id AND (p.until IS NULL OR p.until > :now)),
                 EXISTS (SELECT 1 FROM leases l WHERE l.object_id = o.id
                         AND ", lease_lives!(), "),
                 (SELECT max(l.expires_at) FROM leases l WHERE l.object_id = o.id),
                 (SELECT max(l.since) FROM bindings b JOIN temp.lapsed l ON l.owner_id = b.owner_id
                  WHERE b.object_id = o.id)
              FROM objects o
              WHERE o.id IN (SELECT id FROM objects INDEXED BY objects_orphaned WHERE orphaned_at IS NOT NULL
                             UNION SELECT object_id FROM leases UNION SELECT object_id FROM pins
                             UNION SELECT b.object_id
                                   FROM temp.lapsed l CROSS JOIN bindings b ON b.owner_id = l.owner_id)
                AND o.state <> 2 AND o.id NOT IN (SELECT id FROM temp.doomed)
                AND NOT EXISTS (SELECT 1 FROM bindings b WHERE b.object_id = o.id
                                AND b.owner_id NOT IN (SELECT owner_id FROM temp.lapsed))
                AND NOT EXISTS (SELECT 1 FROM members m JOIN objects t ON t.id = m.tree_id
                                WHERE m.blob_id = o.id AND t.state = 0 AND t.orphaned_at IS NULL)
              ORDER BY o.hash, o.kind");
}

/// Makes the scratch tables of a connection, empty.
pub(super) fn prepare_scratch(connection: &Connection) -> Result<()> {
    connection.execute_batch(SCRATCH).to("prepare")
}

fn doomed(row: &Row<'_>) -> rusqlite::Result<Doomed> {
    let (orphaned_at, lapsed_at): (Option<Timestamp>, _) = (row.get(5)?, row.get(8)?);
    Ok(Doomed {
        id: row.get(0)?,
        hash: row.get(1)?,
        kind: row.get(2)?,
        size: row.get(3)?,
        files: row.get(4)?,
        orphaned_at: orphaned_at.max(lapsed_at),
        state: State::from_number(row.get(6)?),
        freed_bytes: row.get(7)?,
        lapsed_at,
    })
}

fn spared(row: &Row<'_>) -> rusqlite::Result<Spared> {
    Ok(Spared {
        hash: row.get(0)?,
        kind: row.get(1)?,
        size: row.get(2)?,
        orphaned_at: row.get(3)?,
        pinned: row.get(4)?,
        leased: row.get(5)?,
        lease_until: row.get(6)?,
        lapses_at: row.get(7)?,
    })
}

impl ReadTx<'_> {
    /// Notes what is in use outside of the index, until it is noted anew.
    pub(crate) fn set_claimed(&self, claimed: &[Digest]) -> Result<()> {
        prepare_scratch(self.connection)?;
        self.run(CLEAR_CLAIMED, &[])?;
        claimed.iter().try_for_each(|hash| self.run(ADD_CLAIMED, named_params! {":hash": hash}))
    }

    /// Returns the hashes of everything selected, files of directories too.
    pub(crate) fn doomed_hashes(&self) -> Result<Vec<Digest>> {
        let mut statement = self.connection.prepare_cached(DOOMED_HASHES).to("read")?;
        let rows = statement.query_map([], |row| row.get(0)).to("read")?;
        rows.collect::<rusqlite::Result<_>>().to("read")
    }

    /// Selects what may go. With `planned`, nothing else than these artifacts and their blobs. `lapsed`
    /// are the owners that are gone, and when their bindings stop counting.
    pub(crate) fn doom(
        &self,
        horizon: Horizon,
        dead_sessions: &[String],
        lapsed: &[(i64, Timestamp)],
        planned: Option<&[(Digest, ObjectKind)]>,
    ) -> Result<()> {
        prepare_scratch(self.connection)?;
        for name in dead_sessions {
            self.run(ADD_DEAD_SESSION, named_params! {":name": name})?;
        }
        for (owner, since) in lapsed {
            self.run(ADD_LAPSED, named_params! {":owner": owner, ":since": since})?;
        }
        for (hash, kind) in planned.unwrap_or_default() {
            self.run(ADD_PLANNED, named_params! {":hash": hash, ":kind": kind})?;
        }
        let (now, cutoff) = (horizon.now, horizon.cutoff);
        self.run(DOOM_TREES, named_params! {":now": now, ":cutoff": cutoff})?;
        self.run(DOOM_LAPSED, named_params! {":now": now, ":cutoff": cutoff})?;
        self.run(DOOM_PARTIAL, named_params! {":now": now})?;
        self.run(DOOM_RELEASED, named_params! {":now": now, ":cutoff": cutoff})?;
        if planned.is_some() {
            self.run(KEEP_PLANNED, &[])?;
        }
        self.run(DOOM_CONDEMNED, &[])?;
        self.run(DOOM_BLOBS, named_params! {":now": now, ":cutoff": cutoff, ":alone": planned.is_none()})
    }

    /// Returns the files selected that came in by a hard link.
    pub(crate) fn doomed_linked(&self) -> Result<Vec<(i64, Digest, ObjectKind)>> {
        let mut statement = self.connection.prepare_cached(DOOMED_LINKED).to("read")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).to("read")?;
        rows.collect::<rusqlite::Result<_>>().to("read")
    }

    /// Returns how often the directories selected have each file.
    pub(crate) fn doomed_links(&self) -> Result<HashMap<i64, u64>> {
        let mut statement = self.connection.prepare_cached(DOOMED_LINKS).to("read")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).to("read")?;
        rows.collect::<rusqlite::Result<_>>().to("read")
    }

    /// Notes which of the files selected stay on the disk under another name, so that nothing comes free.
    pub(crate) fn set_shared(&self, shared: &[i64]) -> Result<()> {
        shared.iter().try_for_each(|id| self.run(ADD_SHARED, named_params! {":id": id}))
    }

    /// Returns the artifacts selected, trees first.
    pub(crate) fn doomed(&self) -> Result<Vec<Doomed>> {
        let mut statement = self.connection.prepare_cached(ITEMS).to("read")?;
        let rows = statement.query_map([], doomed).to("read")?;
        rows.collect::<rusqlite::Result<_>>().to("read")
    }

    /// Returns what was selected altogether.
    pub(crate) fn doomed_totals(&self) -> Result<Totals> {
        let mut statement = self.connection.prepare_cached(TOTALS).to("read")?;
        statement
            .query_row([], |row| Ok(Totals { objects: row.get(0)?, files: row.get(1)?, bytes: row.get(2)? }))
            .to("read")
    }

    /// Returns what no binding reaches, but perhaps of owners that are gone, and was not selected.
    pub(crate) fn spared(&self, now: Timestamp) -> Result<Vec<Spared>> {
        let mut statement = self.connection.prepare_cached(SPARED).to("read")?;
        let rows = statement.query_map(named_params! {":now": now}, spared).to("read")?;
        rows.collect::<rusqlite::Result<_>>().to("read")
    }

    pub(super) fn run(&self, sql: &str, parameters: &[(&str, &dyn rusqlite::ToSql)]) -> Result<()> {
        let mut statement = self.connection.prepare_cached(sql).to("select")?;
        statement.execute(parameters).map(drop).to("select")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::Index;

    /// The work must grow with the garbage: no query may walk all objects, bindings or edges.
    #[test]
    fn no_query_walks_what_is_kept() {
        let index = Index::empty(Timestamp::from_millis(0)).expect("an index in memory");
        let connection = index.lock();
        prepare_scratch(&connection).expect("scratch tables");
        for (name, sql) in ALL {
            let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).expect(name);
            let steps = statement.raw_query().mapped(|row| row.get::<_, String>(3));
            for step in steps.map(|step| step.expect(name)) {
                let Some(table) = step.strip_prefix("SCAN ").and_then(|rest| rest.split(' ').next()) else { continue };
                let kept = ["o", "objects", "b", "bindings", "m", "members", "t", "n"].contains(&table);
                // These hold only what nobody keeps, and what is on its way in or out.
                let partial = step.contains("objects_orphaned") || step.contains("objects_unsettled");
                assert!(!kept || partial, "{name}: {step}");
            }
        }
    }
}
