//! Reads what happened to artifacts, gone ones too.
//!
//! Guarantees: a question about one artifact or one name is answered by index, however long the history
//! is. Must not know: what is still on the disk.

use rusqlite::{Row, named_params};

use crate::digest::{Digest, DigestPrefix};
use crate::error::Result;
use crate::index::owners::version_text;
use crate::index::{Attempt as _, ReadTx, queries};
use crate::model::{BindingName, ObjectKind, OwnerId};
use crate::time::Timestamp;

/// The columns of a [`PastEvent`], in the order [`past_event`] reads them. What a run of gc took it wrote
/// down beside the event.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT e.at, e.what, e.hash, e.kind, e.owner, nullif(e.version, ''), e.name, e.run_id, e.detail,
                    i.reason, i.rule, i.freed_bytes, i.sources
             FROM events e LEFT JOIN gc_items i
               ON e.what = 'collect' AND i.run_id = e.run_id AND i.hash = e.hash AND i.kind = e.kind ",
            $rest
        )
    };
}

queries! {
    /// The newest first, so that a limit leaves out the oldest.
    LATEST = select!("ORDER BY e.id DESC LIMIT :limit");
    OF_HASH = select!("WHERE e.hash = :hash ORDER BY e.id");
    OF_NAME = select!("WHERE e.name = :name AND e.owner = :owner AND e.version = :version ORDER BY e.id");
    /// Everything ever known by these digits.
    PAST_PREFIX = "SELECT hash FROM objects WHERE hash BETWEEN :low AND :high
                   UNION SELECT hash FROM events WHERE hash BETWEEN :low AND :high
                   UNION SELECT hash FROM gc_items WHERE hash BETWEEN :low AND :high
                   ORDER BY hash LIMIT 20";
    /// How often an artifact went.
    COLLECTED = "SELECT i.run_id, i.kind, i.size, i.files, i.created_at, i.reason, i.rule, i.sources, r.started_at,
                        iif(r.keep_until > :now AND r.undone_at IS NULL AND r.emptied_at IS NULL, r.keep_until, NULL)
                 FROM gc_items i JOIN gc_runs r ON r.id = i.run_id WHERE i.hash = :hash ORDER BY i.run_id";
}

/// Something that happened, with what gc wrote down beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PastEvent {
    pub(crate) at: Timestamp,
    pub(crate) what: String,
    pub(crate) hash: Digest,
    pub(crate) kind: ObjectKind,
    pub(crate) owner: Option<String>,
    pub(crate) version: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) run: Option<i64>,
    pub(crate) detail: Option<String>,
    pub(crate) reason: Option<String>,
    pub(crate) rule: Option<String>,
    pub(crate) freed_bytes: Option<u64>,
    /// JSON: a list of objects with `kind` and `location`.
    pub(crate) sources: Option<String>,
}

fn past_event(row: &Row<'_>) -> rusqlite::Result<PastEvent> {
    Ok(PastEvent {
        at: row.get(0)?,
        what: row.get(1)?,
        hash: row.get(2)?,
        kind: row.get(3)?,
        owner: row.get(4)?,
        version: row.get(5)?,
        name: row.get(6)?,
        run: row.get(7)?,
        detail: row.get(8)?,
        reason: row.get(9)?,
        rule: row.get(10)?,
        freed_bytes: row.get(11)?,
        sources: row.get(12)?,
    })
}

/// An artifact as a run of gc took it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Collected {
    pub(crate) run: i64,
    pub(crate) kind: ObjectKind,
    pub(crate) size: u64,
    pub(crate) files: Option<u64>,
    pub(crate) created_at: Option<Timestamp>,
    pub(crate) reason: String,
    pub(crate) rule: Option<String>,
    pub(crate) sources: Option<String>,
    pub(crate) at: Timestamp,
    /// Until when it can be had back from the run's trash; none if it cannot.
    pub(crate) kept_until: Option<Timestamp>,
}

fn collected(row: &Row<'_>) -> rusqlite::Result<Collected> {
    Ok(Collected {
        run: row.get(0)?,
        kind: row.get(1)?,
        size: row.get(2)?,
        files: row.get(3)?,
        created_at: row.get(4)?,
        reason: row.get(5)?,
        rule: row.get(6)?,
        sources: row.get(7)?,
        at: row.get(8)?,
        kept_until: row.get(9)?,
    })
}

impl ReadTx<'_> {
    /// Returns the latest events, the newest first.
    pub(crate) fn latest_events(&self, limit: usize) -> Result<Vec<PastEvent>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.past_events(LATEST, named_params! {":limit": limit})
    }

    /// Returns all that happened to the objects of a hash, oldest first.
    pub(crate) fn events_of_hash(&self, hash: Digest) -> Result<Vec<PastEvent>> {
        self.past_events(OF_HASH, named_params! {":hash": hash})
    }

    /// Returns all that happened to a name, oldest first.
    pub(crate) fn events_of_name(&self, owner: &OwnerId, name: &BindingName) -> Result<Vec<PastEvent>> {
        self.past_events(
            OF_NAME,
            named_params! {":name": name.as_str(), ":owner": owner.key(), ":version": version_text(owner)},
        )
    }

    fn past_events(&self, sql: &str, parameters: &[(&str, &dyn rusqlite::ToSql)]) -> Result<Vec<PastEvent>> {
        let mut statement = self.connection.prepare_cached(sql).to("read")?;
        let rows = statement.query_map(parameters, past_event).to("read")?;
        rows.collect::<rusqlite::Result<_>>().to("read")
    }

    /// Returns the hashes that start so, of what is here and of what is gone; twenty at most.
    pub(crate) fn past_hashes(&self, prefix: &DigestPrefix) -> Result<Vec<Digest>> {
        let (low, high) = prefix.range();
        let mut statement = self.connection.prepare_cached(PAST_PREFIX).to("read")?;
        let rows = statement.query_map(named_params! {":low": low, ":high": high}, |row| row.get(0)).to("read")?;
        rows.collect::<rusqlite::Result<_>>().to("read")
    }

    /// Returns the runs of gc that took an artifact of this hash, oldest first.
    pub(crate) fn collections_of(&self, hash: Digest, now: Timestamp) -> Result<Vec<Collected>> {
        let mut statement = self.connection.prepare_cached(COLLECTED).to("read")?;
        let rows = statement.query_map(named_params! {":hash": hash, ":now": now}, collected).to("read")?;
        rows.collect::<rusqlite::Result<_>>().to("read")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::Index;

    /// The history grows for ever; only the latest events are read in the order of their table, up to a
    /// limit.
    #[test]
    fn no_question_walks_the_whole_history() {
        let index = Index::empty(Timestamp::from_millis(0)).expect("an index in memory");
        let connection = index.lock();
        for (name, sql) in ALL {
            let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).expect(name);
            let steps = statement.raw_query().mapped(|row| row.get::<_, String>(3));
            let steps: Vec<String> = steps.map(|step| step.expect(name)).collect();
            let scans: Vec<&String> = steps.iter().filter(|step| step.starts_with("SCAN ")).collect();
            if *name == "LATEST" {
                assert_eq!(scans, ["SCAN e"], "{name}: {steps:?}");
                assert!(!steps.iter().any(|step| step.contains("TEMP B-TREE")), "{name}: {steps:?}");
            } else {
                assert!(scans.is_empty(), "{name}: {steps:?}");
            }
        }
    }

    const RUNS: &str = "
        INSERT INTO gc_runs (id, started_at, collect_delay_ms, objects, bytes, keep_until, undone_at, emptied_at) VALUES
          (1, 10, 0, 1, 1, 100, NULL, NULL), (2, 20, 0, 1, 1, 100, 30, NULL), (3, 30, 0, 1, 1, 100, NULL, 40),
          (4, 40, 0, 1, 1, NULL, NULL, NULL);
        INSERT INTO gc_items (run_id, hash, kind, size, freed_bytes, reason, names, rule, sources, files, created_at)
          SELECT id, zeroblob(32), 2, 7, 5, 'unused', '[]', 'dead_for=7d',
                 '[{\"kind\":\"url\",\"location\":\"https://example.org/a\"}]', 3, 1 FROM gc_runs;
        INSERT INTO events (at, what, hash, kind, run_id) SELECT started_at, 'collect', zeroblob(32), 2, id FROM gc_runs;
        INSERT INTO events (at, what, hash, kind, run_id) VALUES (50, 'restore', zeroblob(32), 2, 2);";

    #[test]
    fn only_a_trash_that_is_kept_brings_something_back() {
        let index = Index::empty(Timestamp::from_millis(0)).expect("an index in memory");
        index.lock().execute_batch(RUNS).expect("rows as gc writes them");
        let kept = |now| -> Vec<(i64, Option<Timestamp>)> {
            let runs = index.read(|tx| tx.collections_of(Digest::from_bytes([0; 32]), Timestamp::from_millis(now)));
            runs.expect("an answer").into_iter().map(|gone| (gone.run, gone.kept_until)).collect()
        };
        let until = Some(Timestamp::from_millis(100));
        assert_eq!(kept(99), [(1, until), (2, None), (3, None), (4, None)]);
        assert_eq!(kept(100), [(1, None), (2, None), (3, None), (4, None)]);
    }

    #[test]
    fn what_gc_wrote_down_stands_beside_the_collection_only() {
        let index = Index::empty(Timestamp::from_millis(0)).expect("an index in memory");
        index.lock().execute_batch(RUNS).expect("rows as gc writes them");
        let events = index.read(|tx| tx.events_of_hash(Digest::from_bytes([0; 32]))).expect("an answer");
        let (last, collections) = events.split_last().expect("five events");
        assert!(collections.iter().all(|event| event.rule.as_deref() == Some("dead_for=7d")));
        assert!(collections.iter().all(|event| event.sources.is_some() && event.freed_bytes == Some(5)));
        assert_eq!((last.what.as_str(), &last.rule, &last.sources), ("restore", &None, &None));
        let latest = index.read(|tx| tx.latest_events(2)).expect("an answer");
        assert_eq!(latest.iter().map(|event| event.at.as_millis()).collect::<Vec<_>>(), [50, 40]);
    }
}
