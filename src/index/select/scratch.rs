//! The scratch tables in which a selection runs, and what holds an object in its eyes.
//!
//! They belong to the connection, so a plan changes nothing and works on a read-only store.

use rusqlite::Connection;

use crate::error::Result;
use crate::index::Attempt as _;

const SCRATCH: &str = "
-- What goes, and what of it an earlier plan names.
CREATE TEMP TABLE IF NOT EXISTS doomed (id INTEGER PRIMARY KEY);
CREATE TEMP TABLE IF NOT EXISTS planned (id INTEGER PRIMARY KEY);
-- What could not be removed in this run.
CREATE TEMP TABLE IF NOT EXISTS failed (id INTEGER PRIMARY KEY);
CREATE TEMP TABLE IF NOT EXISTS dead_sessions (name TEXT PRIMARY KEY);
-- What is in use outside of the index.
CREATE TEMP TABLE IF NOT EXISTS claimed (id INTEGER PRIMARY KEY);
-- Owners that are gone, and when their bindings stop counting, which may lie ahead.
CREATE TEMP TABLE IF NOT EXISTS lapsed (owner_id INTEGER PRIMARY KEY, since INTEGER NOT NULL);
-- Orphans whose time is over, bindings that stop counting, and objects that leases and pins which have
-- run out do not hold any longer.
CREATE TEMP TABLE IF NOT EXISTS due (id INTEGER PRIMARY KEY);
CREATE TEMP TABLE IF NOT EXISTS let_go (id INTEGER PRIMARY KEY);
CREATE TEMP TABLE IF NOT EXISTS released (id INTEGER PRIMARY KEY);
-- Bindings that nobody has used for long, until it is known whether they may go.
CREATE TEMP TABLE IF NOT EXISTS idle (id INTEGER PRIMARY KEY);
-- Runs whose trash is over, and what leaves it for good.
CREATE TEMP TABLE IF NOT EXISTS over (run INTEGER PRIMARY KEY);
CREATE TEMP TABLE IF NOT EXISTS purge (id INTEGER PRIMARY KEY);
-- What goes whatever else is let go.
CREATE TEMP TABLE IF NOT EXISTS anyway (id INTEGER PRIMARY KEY);
-- Files that stay on the disk under another name.
CREATE TEMP TABLE IF NOT EXISTS shared (id INTEGER PRIMARY KEY);
DELETE FROM temp.doomed; DELETE FROM temp.planned; DELETE FROM temp.failed; DELETE FROM temp.dead_sessions;
DELETE FROM temp.lapsed; DELETE FROM temp.due; DELETE FROM temp.let_go; DELETE FROM temp.released;
DELETE FROM temp.idle; DELETE FROM temp.over; DELETE FROM temp.purge; DELETE FROM temp.shared;
DELETE FROM temp.anyway;
";

/// Makes the scratch tables of a connection, empty but for what is claimed.
pub(in crate::index) fn prepare_scratch(connection: &Connection) -> Result<()> {
    connection.execute_batch(SCRATCH).to("prepare")
}

/// A lease `l` that has not run out. A session that nobody called dead may have begun just now.
macro_rules! lease_lives {
    () => {
        "(l.expires_at > :now
          OR (l.session IS NOT NULL AND l.session NOT IN (SELECT name FROM temp.dead_sessions)))"
    };
}
pub(super) use lease_lives;

/// A pin `p` that has not run out.
macro_rules! pin_lives {
    () => {
        "(p.until IS NULL OR p.until > :now)"
    };
}
pub(super) use pin_lives;

/// That nothing holds an object `o` directly. A lease or pin that has just run out still holds what is
/// not released: it makes an orphan of *now*, and its delay begins.
macro_rules! not_held {
    () => {
        concat!(
            "NOT EXISTS (SELECT 1 FROM bindings b WHERE b.object_id = o.id
                         AND b.id NOT IN (SELECT id FROM temp.let_go))
         AND ",
            $crate::index::select::scratch::not_protected!()
        )
    };
}
pub(super) use not_held;

/// That a run which can still be undone took an object `o`. Its content came again meanwhile: were it to go
/// now, the undo would find it nowhere.
macro_rules! promised {
    () => {
        "EXISTS (SELECT 1 FROM gc_items i JOIN gc_runs r ON r.id = i.run_id
                 WHERE i.hash = o.hash AND i.kind = o.kind AND r.keep_until > :now
                   AND r.undone_at IS NULL AND r.emptied_at IS NULL
                   AND r.id NOT IN (SELECT run FROM temp.over))"
    };
}
pub(super) use promised;

/// That neither a lease nor a pin nor another program nor an undo to come holds an object `o`.
macro_rules! not_protected {
    () => {
        concat!(
            "o.id NOT IN (SELECT id FROM temp.claimed) AND NOT ",
            $crate::index::select::scratch::promised!(),
            "
         AND NOT EXISTS (SELECT 1 FROM pins p WHERE p.object_id = o.id
                         AND (o.id NOT IN (SELECT id FROM temp.released) OR ",
            $crate::index::select::scratch::pin_lives!(),
            "))
         AND NOT EXISTS (SELECT 1 FROM leases l WHERE l.object_id = o.id
                         AND (o.id NOT IN (SELECT id FROM temp.released) OR ",
            $crate::index::select::scratch::lease_lives!(),
            "))"
        )
    };
}
pub(super) use not_protected;

/// That a directory which stays needs a file `o`. What lies in the trash may be brought back, so it
/// needs its files too.
macro_rules! in_a_tree {
    () => {
        "EXISTS (SELECT 1 FROM members m JOIN objects t ON t.id = m.tree_id
                 WHERE m.blob_id = o.id AND m.tree_id NOT IN (SELECT id FROM temp.doomed)
                   AND (t.state <> 2
                        OR (t.trash_run IS NOT NULL AND t.id NOT IN (SELECT id FROM temp.purge))))"
    };
}
pub(super) use in_a_tree;

/// By which class an object `o` can be had again, as a number.
macro_rules! class {
    () => {
        "ifnull((SELECT min(CASE s.kind WHEN 'url' THEN 0 WHEN 'path' THEN 2 ELSE 1 END)
                 FROM sources s WHERE s.object_id = o.id), 2)"
    };
}
pub(in crate::index) use class;
