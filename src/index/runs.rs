//! What each run of gc did: what went, why, and how to get it back.

use rusqlite::{OptionalExtension as _, Row, named_params};

use crate::error::Result;
use crate::index::select::{Doomed, Totals};
use crate::index::sources::Provenance;
use crate::index::{Attempt as _, ReadTx, WriteTx, queries};
use crate::time::Timestamp;

queries! {
    RECORD = "INSERT INTO gc_runs (started_at, collect_delay_ms, objects, bytes, trashed_bytes, keep_until)
              VALUES (:now, :delay, :objects, :bytes, :trashed, :keep_until)";
    RECORD_ITEM = "INSERT INTO gc_items (run_id, hash, kind, size, files, freed_bytes, orphaned_at, created_at,
                                         reason, rule, names, sources)
                   VALUES (:run, :hash, :kind, :size, :files, :freed, :orphaned_at, :created_at,
                           :reason, :rule, :names, :sources)";
    FIND = "SELECT id, started_at, keep_until, undone_at, emptied_at FROM gc_runs WHERE id = :id";
    /// The last one that can be undone.
    LATEST = "SELECT id, started_at, keep_until, undone_at, emptied_at FROM gc_runs
              WHERE keep_until IS NOT NULL AND undone_at IS NULL AND emptied_at IS NULL ORDER BY id DESC LIMIT 1";
    SET_UNDONE = "UPDATE gc_runs SET undone_at = :now WHERE id = :id";
    SET_EMPTIED = "UPDATE gc_runs SET emptied_at = :now
                   WHERE id = :id AND emptied_at IS NULL AND keep_until IS NOT NULL
                     AND NOT EXISTS (SELECT 1 FROM objects WHERE trash_run = :id)";
}

/// A run of gc.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RunRow {
    pub(crate) id: i64,
    pub(crate) started_at: Timestamp,
    /// Until when its trash is kept; none if it had none.
    pub(crate) keep_until: Option<Timestamp>,
    pub(crate) undone_at: Option<Timestamp>,
    pub(crate) emptied_at: Option<Timestamp>,
}

/// What a run is about to do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RunNote {
    pub(crate) collect_delay_ms: i64,
    pub(crate) totals: Totals,
    /// Until when what goes is kept in the trash.
    pub(crate) keep_until: Option<Timestamp>,
}

/// Why an artifact goes, and what is known of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ItemNote<'a> {
    pub(crate) reason: &'a str,
    pub(crate) rule: Option<&'a str>,
    pub(crate) names: &'a [String],
    pub(crate) sources: &'a [Provenance],
}

fn run_row(row: &Row<'_>) -> rusqlite::Result<RunRow> {
    Ok(RunRow {
        id: row.get(0)?,
        started_at: row.get(1)?,
        keep_until: row.get(2)?,
        undone_at: row.get(3)?,
        emptied_at: row.get(4)?,
    })
}

impl ReadTx<'_> {
    pub(crate) fn find_run(&self, id: i64) -> Result<Option<RunRow>> {
        let mut statement = self.connection.prepare_cached(FIND).to("read")?;
        statement.query_row(named_params! {":id": id}, run_row).optional().to("read")
    }

    /// Returns the last run that can be undone.
    pub(crate) fn latest_undoable_run(&self) -> Result<Option<RunRow>> {
        let mut statement = self.connection.prepare_cached(LATEST).to("read")?;
        statement.query_row([], run_row).optional().to("read")
    }
}

impl WriteTx<'_> {
    pub(crate) fn record_run(&self, note: RunNote) -> Result<i64> {
        let bytes = note.totals.bytes;
        let (freed, trashed) = if note.keep_until.is_some() { (0, bytes) } else { (bytes, 0) };
        self.run(
            RECORD,
            named_params! {
                ":now": self.now(), ":delay": note.collect_delay_ms, ":objects": note.totals.objects,
                ":bytes": freed, ":trashed": trashed, ":keep_until": note.keep_until,
            },
        )?;
        Ok(self.connection.last_insert_rowid())
    }

    pub(crate) fn record_item(&self, run: i64, item: &Doomed, note: ItemNote<'_>) -> Result<()> {
        let names = serde_json::Value::from(note.names.to_vec()).to_string();
        let sources: Vec<_> = note
            .sources
            .iter()
            .map(|source| serde_json::json!({"kind": source.kind, "location": source.location}))
            .collect();
        self.run(
            RECORD_ITEM,
            named_params! {
                ":run": run, ":hash": item.hash, ":kind": item.kind, ":size": item.size, ":files": item.files,
                ":freed": item.freed_bytes, ":orphaned_at": item.orphaned_at, ":created_at": item.created_at,
                ":reason": note.reason, ":rule": note.rule, ":names": names,
                ":sources": serde_json::Value::from(sources).to_string(),
            },
        )
    }

    pub(crate) fn set_undone(&self, run: i64) -> Result<()> {
        self.run(SET_UNDONE, named_params! {":id": run, ":now": self.now()})
    }

    /// Notes that nothing of a run lies in the trash any more; tells whether that is so.
    pub(crate) fn set_emptied(&self, run: i64) -> Result<bool> {
        let changed = self.connection.execute(SET_EMPTIED, named_params! {":id": run, ":now": self.now()});
        changed.map(|rows| rows > 0).to("write")
    }
}
