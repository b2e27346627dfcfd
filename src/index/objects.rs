//! Rows of objects: admitting, finding, listing.

use rusqlite::{OptionalExtension as _, Row, named_params};

use crate::digest::{Digest, DigestPrefix};
use crate::error::Result;
use crate::index::{Attempt as _, ReadTx, WriteTx, queries};
use crate::model::{Artifact, IdRule, ObjectKind};
use crate::time::Timestamp;

/// Where an object is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Whole and usable.
    Live,
    /// A tree whose files are still coming in.
    Partial,
    /// Chosen by gc.
    Condemned,
}

impl State {
    pub(super) fn from_number(number: i64) -> Self {
        match number {
            0 => Self::Live,
            1 => Self::Partial,
            _ => Self::Condemned,
        }
    }
}

/// An object's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ObjectRow {
    pub(crate) id: i64,
    pub(crate) hash: Digest,
    pub(crate) kind: ObjectKind,
    pub(crate) state: State,
    pub(crate) size: u64,
    pub(crate) files: u64,
    pub(crate) created_at: Timestamp,
    pub(crate) orphaned_at: Option<Timestamp>,
    pub(crate) verified_at: Option<Timestamp>,
    pub(crate) rule: IdRule,
}

impl ObjectRow {
    pub(crate) fn artifact(&self) -> Artifact {
        Artifact { hash: self.hash, kind: self.kind, size: self.size, files: self.files }
    }
}

/// What admitting an object found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Admission {
    pub(crate) id: i64,
    /// The state it had before; none if it is new.
    pub(crate) before: Option<State>,
    /// Whether its name was taken over and says nothing about what is stored.
    pub(crate) doubtful: bool,
    /// The run in whose trash it lies, if it does.
    pub(crate) trash_run: Option<i64>,
}

impl Admission {
    /// Tells whether the object was whole before.
    pub(crate) fn was_live(self) -> bool {
        self.before == Some(State::Live)
    }
}

queries! {
    FIND = "SELECT id, hash, kind, state, size, files, created_at, orphaned_at, verified_at,
                   rule, recorded, doubt
            FROM objects WHERE hash = :hash AND kind = :kind";
    STATE_OF = "SELECT id, state, rule = 2, iif(trashed, trash_run, NULL) FROM objects WHERE hash = :hash AND kind = :kind";
    SET_RULE = "UPDATE objects SET rule = :rule, recorded = :recorded, doubt = :doubt WHERE id = :id";
    SET_OWN_BYTES = "UPDATE objects SET own_bytes = :own_bytes WHERE id = :id";
    SET_LINKED = "UPDATE objects SET linked = 1 WHERE id = :id";
    SET_SIZE = "UPDATE objects SET size = :size, files = :files WHERE id = :id";
    /// Of a file's two forms the one somebody just put in (it has the younger lease) is meant.
    FIND_LIVE = "SELECT id, hash, kind, state, size, files, created_at, orphaned_at, verified_at,
                   rule, recorded, doubt
                 FROM objects WHERE hash = :hash AND state = 0
                 ORDER BY (SELECT max(id) FROM leases WHERE object_id = objects.id) DESC, kind LIMIT 1";
    BY_PREFIX = "SELECT DISTINCT hash FROM objects
                 WHERE hash BETWEEN :low AND :high AND state = 0 ORDER BY hash LIMIT 20";
    INSERT = "INSERT INTO objects (hash, kind, state, size, own_bytes, files, created_at)
              VALUES (:hash, :kind, 0, :size, :size, 1, :now)";
    INSERT_TREE = "INSERT INTO objects (hash, kind, state, size, own_bytes, files, created_at)
                   VALUES (:hash, 2, 1, :size, 0, :files, :now)";
    REVIVE = "UPDATE objects SET state = 0, orphaned_at = iif(state = 2, NULL, orphaned_at),
                                 trash_run = NULL, trashed = 0 WHERE id = :id";
    REOPEN = "UPDATE objects SET state = 1, orphaned_at = NULL, trash_run = NULL, trashed = 0 WHERE id = :id";
    COMPLETE = "UPDATE objects SET state = 0, own_bytes = :own_bytes, orphaned_at = NULL WHERE id = :id";
    KEEP_MEMBERS = "UPDATE objects SET orphaned_at = NULL WHERE orphaned_at IS NOT NULL
                    AND id IN (SELECT blob_id FROM members WHERE tree_id = :id)";
    MAY_HOLD_SIZE = "SELECT 1 FROM objects WHERE size = :size AND size > 262144 AND kind <> 2";
    /// Least recently verified first, so that a limited run goes on where the last one stopped.
    TO_VERIFY = "SELECT id, hash, kind, state, size, files, created_at, orphaned_at, verified_at,
                   rule, recorded, doubt
                 FROM objects WHERE state = 0 ORDER BY verified_at, kind, hash";
    /// An orphan's mark may be older than a tree that somebody bound again: the edges decide.
    IN_LIVE_TREE = "SELECT 1 FROM members m JOIN objects t ON t.id = m.tree_id
                    WHERE m.blob_id = :id AND t.state = 0 AND t.orphaned_at IS NULL";
    TREES = "SELECT id, hash, kind, state, size, files, created_at, orphaned_at, verified_at,
                    rule, recorded, doubt, trash_run
             FROM objects WHERE kind = 2 AND (state = 0 OR trashed = 1) ORDER BY hash";
    ORPHANS = "SELECT id, hash, kind, state, size, files, created_at, orphaned_at, verified_at,
                   rule, recorded, doubt
               FROM objects WHERE orphaned_at IS NOT NULL AND state = 0 ORDER BY hash, kind";
    SET_VERIFIED = "UPDATE objects SET verified_at = :now WHERE id = :id AND state = 0";
}

/// Reads the columns `rule`, `recorded` and `doubt`.
fn rule(row: &Row<'_>, column: usize) -> rusqlite::Result<IdRule> {
    Ok(match row.get::<_, i64>(column)? {
        0 => IdRule::Git,
        1 => IdRule::Julia,
        _ => IdRule::Recorded {
            content: row.get(column + 1)?,
            doubt: row.get::<_, Option<String>>(column + 2)?.unwrap_or_default(),
        },
    })
}

fn object_row(row: &Row<'_>) -> rusqlite::Result<ObjectRow> {
    Ok(ObjectRow {
        id: row.get(0)?,
        hash: row.get(1)?,
        kind: row.get(2)?,
        state: State::from_number(row.get(3)?),
        size: row.get(4)?,
        files: row.get(5)?,
        created_at: row.get(6)?,
        orphaned_at: row.get(7)?,
        verified_at: row.get(8)?,
        rule: rule(row, 9)?,
    })
}

impl ReadTx<'_> {
    /// Returns the live object with this hash, if any.
    pub(crate) fn find_object(&self, hash: Digest) -> Result<Option<ObjectRow>> {
        let mut statement = self.connection.prepare_cached(FIND_LIVE).to("read")?;
        statement.query_row(named_params! {":hash": hash}, object_row).optional().to("read")
    }

    /// Returns the row of this very object, in whatever state.
    pub(crate) fn find_form(&self, hash: Digest, kind: ObjectKind) -> Result<Option<ObjectRow>> {
        let mut statement = self.connection.prepare_cached(FIND).to("read")?;
        statement.query_row(named_params! {":hash": hash, ":kind": kind}, object_row).optional().to("read")
    }

    /// Returns the hashes of live objects that start so, twenty at most.
    pub(crate) fn find_by_prefix(&self, prefix: &DigestPrefix) -> Result<Vec<Digest>> {
        let (low, high) = prefix.range();
        let mut statement = self.connection.prepare_cached(BY_PREFIX).to("read")?;
        let rows = statement.query_map(named_params! {":low": low, ":high": high}, |row| row.get(0)).to("read")?;
        rows.collect::<rusqlite::Result<_>>().to("read")
    }

    /// Tells whether a tree that something keeps needs this file.
    pub(crate) fn is_in_live_tree(&self, id: i64) -> Result<bool> {
        let mut statement = self.connection.prepare_cached(IN_LIVE_TREE).to("read")?;
        statement.exists(named_params! {":id": id}).to("read")
    }

    /// Tells whether a large file of this length is there.
    pub(crate) fn may_hold_size(&self, size: u64) -> Result<bool> {
        let mut statement = self.connection.prepare_cached(MAY_HOLD_SIZE).to("read")?;
        statement.exists(named_params! {":size": size}).to("read")
    }

    /// Returns all live objects, those first that were verified longest ago.
    pub(crate) fn objects_to_verify(&self) -> Result<Vec<ObjectRow>> {
        let mut statement = self.connection.prepare_cached(TO_VERIFY).to("read")?;
        let rows = statement.query_map([], object_row).to("read")?;
        rows.collect::<rusqlite::Result<_>>().to("read")
    }

    /// Returns all trees that lie somewhere, and the run in whose trash each does, if it does.
    pub(crate) fn trees(&self) -> Result<Vec<(ObjectRow, Option<i64>)>> {
        let mut statement = self.connection.prepare_cached(TREES).to("read")?;
        let rows = statement.query_map([], |row| Ok((object_row(row)?, row.get(12)?))).to("read")?;
        rows.collect::<rusqlite::Result<_>>().to("read")
    }

    /// Returns what is marked as used by nobody. A file may be marked and yet be part of a tree in use.
    pub(crate) fn marked_orphans(&self) -> Result<Vec<ObjectRow>> {
        let mut statement = self.connection.prepare_cached(ORPHANS).to("read")?;
        let rows = statement.query_map([], object_row).to("read")?;
        rows.collect::<rusqlite::Result<_>>().to("read")
    }

    /// Returns what is known of an object, in whatever state.
    pub(crate) fn known(&self, hash: Digest, kind: ObjectKind) -> Result<Option<Admission>> {
        let mut statement = self.connection.prepare_cached(STATE_OF).to("read")?;
        statement
            .query_row(named_params! {":hash": hash, ":kind": kind}, |row| {
                let before = Some(State::from_number(row.get(1)?));
                Ok(Admission { id: row.get(0)?, before, doubtful: row.get(2)?, trash_run: row.get(3)? })
            })
            .optional()
            .to("read")
    }
}

impl WriteTx<'_> {
    /// Makes sure there is a live row for a blob. A condemned one is taken back.
    pub(crate) fn admit_blob(
        &self,
        known: Option<Admission>,
        (hash, kind): (Digest, ObjectKind),
        size: u64,
    ) -> Result<i64> {
        if let Some(known) = known {
            self.set_state(REVIVE, known.id)?;
            return Ok(known.id);
        }
        let mut statement = self.connection.prepare_cached(INSERT).to("write")?;
        statement
            .execute(named_params! {":hash": hash, ":kind": kind, ":size": size, ":now": self.now()})
            .to("write")?;
        Ok(self.connection.last_insert_rowid())
    }

    /// Makes sure there is a row for a tree: a live one stays, else it is partial until completed.
    pub(crate) fn admit_tree(&self, hash: Digest, size: u64, files: u64) -> Result<Admission> {
        if let Some(known) = self.known(hash, ObjectKind::Tree)? {
            self.set_state(if known.was_live() { REVIVE } else { REOPEN }, known.id)?;
            return Ok(known);
        }
        let mut statement = self.connection.prepare_cached(INSERT_TREE).to("write")?;
        statement
            .execute(named_params! {":hash": hash, ":size": size, ":files": files, ":now": self.now()})
            .to("write")?;
        Ok(Admission { id: self.connection.last_insert_rowid(), before: None, doubtful: false, trash_run: None })
    }

    /// A tree's directory lies in the store: it is live from now on.
    pub(crate) fn complete_tree(&self, id: i64, own_bytes: u64) -> Result<()> {
        let parameters = named_params! {":id": id, ":own_bytes": own_bytes};
        self.connection.execute(COMPLETE, parameters).to("write")?;
        self.set_state(KEEP_MEMBERS, id)
    }

    /// Notes by which rule a tree's name follows from its entries.
    pub(crate) fn set_rule(&self, id: i64, rule: &IdRule) -> Result<()> {
        let (number, recorded, doubt) = match rule {
            IdRule::Git => (0, None, None),
            IdRule::Julia => (1, None, None),
            IdRule::Recorded { content, doubt } => (2, Some(*content), Some(doubt.as_str())),
        };
        let parameters = named_params! {":id": id, ":rule": number, ":recorded": recorded, ":doubt": doubt};
        self.connection.execute(SET_RULE, parameters).map(drop).to("write")
    }

    /// Notes that a file came in by a hard link.
    /// Notes what a tree holds on disk itself.
    pub(crate) fn weigh_tree(&self, id: i64, own_bytes: u64) -> Result<()> {
        self.run(SET_OWN_BYTES, named_params! {":id": id, ":own_bytes": own_bytes})
    }

    pub(crate) fn set_linked(&self, id: i64) -> Result<()> {
        self.set_state(SET_LINKED, id)
    }

    /// Corrects what a tree weighs: another one took its place under the same name.
    pub(crate) fn set_size(&self, id: i64, size: u64, files: u64) -> Result<()> {
        let parameters = named_params! {":id": id, ":size": size, ":files": files};
        self.connection.execute(SET_SIZE, parameters).map(drop).to("write")
    }

    pub(crate) fn set_verified(&self, ids: &[i64]) -> Result<()> {
        let mut statement = self.connection.prepare_cached(SET_VERIFIED).to("write")?;
        ids.iter()
            .try_for_each(|id| statement.execute(named_params! {":id": id, ":now": self.now()}).map(drop).to("write"))
    }

    fn set_state(&self, sql: &str, id: i64) -> Result<()> {
        let mut statement = self.connection.prepare_cached(sql).to("write")?;
        statement.execute(named_params! {":id": id}).map(drop).to("write")
    }
}
