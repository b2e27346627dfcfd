//! Dooms what nothing holds any more: directories first, then the files that only they had.

use rusqlite::named_params;

use crate::digest::Digest;
use crate::error::Result;
use crate::index::select::scratch::{in_a_tree, lease_lives, not_held, not_protected, prepare_scratch};
use crate::index::{Attempt as _, ReadTx, queries};
use crate::model::ObjectKind;
use crate::time::Timestamp;

/// That nothing holds an object `o` but bindings that are idle or let go.
macro_rules! goes_idle {
    () => {
        concat!(
            "NOT EXISTS (SELECT 1 FROM bindings b WHERE b.object_id = o.id
                         AND b.id NOT IN (SELECT id FROM temp.idle) AND b.id NOT IN (SELECT id FROM temp.let_go))
         AND ",
            not_protected!()
        )
    };
}

queries! {
    ADD_DEAD_SESSION = "INSERT OR IGNORE INTO temp.dead_sessions (name) VALUES (:name)";
    CLEAR_CLAIMED = "DELETE FROM temp.claimed";
    ADD_CLAIMED = "INSERT OR IGNORE INTO temp.claimed (id) SELECT id FROM objects WHERE hash = :hash";
    ADD_PLANNED = "INSERT OR IGNORE INTO temp.planned (id)
                   SELECT id FROM objects WHERE hash = :hash AND kind = :kind";
    ADD_LAPSED = "INSERT OR REPLACE INTO temp.lapsed (owner_id, since) VALUES (:owner, :since)";
    /// Orphans, what was bound and is let go, and what leases and pins that ran out have kept.
    DOOM_TREES = concat!(
        "INSERT OR IGNORE INTO temp.doomed SELECT o.id FROM objects o
         WHERE o.kind = 2 AND o.state = 0
           AND o.id IN (SELECT id FROM temp.due UNION SELECT id FROM temp.released
                        UNION SELECT b.object_id FROM temp.let_go g CROSS JOIN bindings b ON b.id = g.id)
           AND (o.orphaned_at IS NULL OR o.id IN (SELECT id FROM temp.due)) AND ", not_held!());
    /// A tree whose maker died is nobody's, whatever the delay.
    DOOM_PARTIAL = concat!(
        "INSERT OR IGNORE INTO temp.doomed SELECT o.id FROM objects o
         WHERE o.state = 1 AND o.state <> 0 AND o.trashed = 0
           AND NOT EXISTS (SELECT 1 FROM leases l WHERE l.object_id = o.id AND ", lease_lives!(), ")");
    /// A plan may be minutes old: only what it names may go, as far as it still may.
    KEEP_PLANNED = "DELETE FROM temp.doomed WHERE id NOT IN (SELECT id FROM temp.planned)";
    /// What an interrupted run had chosen already, unless somebody took it back. What was on its way into
    /// a trash that is kept still goes on there, and frees nothing.
    DOOM_CONDEMNED = "INSERT OR IGNORE INTO temp.doomed SELECT o.id FROM objects o
         WHERE o.state = 2 AND o.state <> 0 AND o.trashed = 0
           AND (o.trash_run IS NULL OR o.trash_run IN (SELECT run FROM temp.over))
           AND NOT EXISTS (SELECT 1 FROM members m JOIN objects t ON t.id = m.tree_id
                           WHERE m.blob_id = o.id AND t.state <> 2)";
    /// Blobs go with the last tree that needs them, or as orphans themselves.
    DOOM_BLOBS = concat!(
        "INSERT OR IGNORE INTO temp.doomed SELECT o.id FROM objects o
         WHERE o.kind <> 2 AND o.state = 0
           AND o.id IN (SELECT blob_id FROM members WHERE tree_id IN (SELECT id FROM temp.doomed)
                        UNION SELECT blob_id FROM members WHERE tree_id IN (SELECT id FROM temp.purge)
                        UNION SELECT id FROM temp.due WHERE :alone
                        UNION SELECT id FROM temp.released WHERE :alone
                        UNION SELECT b.object_id FROM temp.let_go g CROSS JOIN bindings b ON b.id = g.id
                              WHERE :alone
                        UNION SELECT id FROM temp.planned)
           AND o.id NOT IN (SELECT id FROM temp.doomed)
           AND (o.orphaned_at IS NULL OR o.id IN (SELECT id FROM temp.due))
           AND NOT ", in_a_tree!(), " AND ", not_held!());
    /// Directories of which every binding is idle: nobody has looked them up for long.
    LET_IDLE_TREES_GO = concat!(
        "INSERT OR IGNORE INTO temp.let_go SELECT i.id FROM temp.idle i
         CROSS JOIN bindings n ON n.id = i.id CROSS JOIN objects o ON o.id = n.object_id
         WHERE o.kind = 2 AND o.state = 0 AND ", goes_idle!());
    /// As before, of files, which no directory may need either.
    LET_IDLE_FILES_GO = concat!(
        "INSERT OR IGNORE INTO temp.let_go SELECT i.id FROM temp.idle i
         CROSS JOIN bindings n ON n.id = i.id CROSS JOIN objects o ON o.id = n.object_id
         WHERE o.kind <> 2 AND o.state = 0 AND NOT ", in_a_tree!(), " AND ", goes_idle!());
}

/// What a selection begins with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Start<'a> {
    pub(crate) dead_sessions: &'a [String],
    /// The owners that are gone, and when their bindings stop counting.
    pub(crate) lapsed: &'a [(i64, Timestamp)],
    /// Nothing else than these artifacts and their blobs.
    pub(crate) planned: Option<&'a [(Digest, ObjectKind)]>,
}

impl ReadTx<'_> {
    /// Notes what is in use outside of the index, until it is noted anew.
    pub(crate) fn set_claimed(&self, claimed: &[Digest]) -> Result<()> {
        prepare_scratch(self.connection)?;
        self.run(CLEAR_CLAIMED, &[])?;
        claimed.iter().try_for_each(|hash| self.run(ADD_CLAIMED, named_params! {":hash": hash}))
    }

    /// Begins a selection: what the last one chose is forgotten.
    pub(crate) fn begin_selection(&self, start: Start<'_>) -> Result<()> {
        prepare_scratch(self.connection)?;
        for name in start.dead_sessions {
            self.run(ADD_DEAD_SESSION, named_params! {":name": name})?;
        }
        for (owner, since) in start.lapsed {
            self.run(ADD_LAPSED, named_params! {":owner": owner, ":since": since})?;
        }
        let planned = start.planned.unwrap_or_default();
        planned.iter().try_for_each(|(hash, kind)| self.run(ADD_PLANNED, named_params! {":hash": hash, ":kind": kind}))
    }

    /// Dooms directories. What is due, let go, idle and released must be noted before.
    pub(crate) fn doom_trees(&self, now: Timestamp, planned: bool) -> Result<()> {
        self.run(LET_IDLE_TREES_GO, named_params! {":now": now})?;
        self.run(DOOM_TREES, named_params! {":now": now})?;
        self.run(DOOM_PARTIAL, named_params! {":now": now})?;
        if planned {
            self.run(KEEP_PLANNED, &[])?;
        }
        self.run(DOOM_CONDEMNED, &[])
    }

    /// Dooms files, when it is known which directories go and which leave the trash.
    pub(crate) fn doom_blobs(&self, now: Timestamp, planned: bool) -> Result<()> {
        self.run(LET_IDLE_FILES_GO, named_params! {":now": now})?;
        self.run(DOOM_BLOBS, named_params! {":now": now, ":alone": !planned})
    }

    /// Dooms the files that only what leaves the trash had, when more of it was selected.
    pub(crate) fn doom_purged_blobs(&self, now: Timestamp) -> Result<()> {
        self.run(DOOM_BLOBS, named_params! {":now": now, ":alone": true})
    }

    pub(in crate::index) fn run(&self, sql: &str, parameters: &[(&str, &dyn rusqlite::ToSql)]) -> Result<()> {
        let mut statement = self.connection.prepare_cached(sql).to("select")?;
        statement.execute(parameters).map(drop).to("select")
    }
}
