//! What time has let go: orphans, bindings of owners that are gone, bindings that nobody uses, leases
//! and pins that ran out.
//!
//! Where one delay is for everything, a single statement notes what is due. Where rules differ by owner
//! or class, each candidate is told to the caller, who decides. Either way only garbage is looked at,
//! and of what is bound what nobody used for long.

use rusqlite::{Row, named_params};

use crate::error::Result;
use crate::index::owners::owner_id;
use crate::index::select::scratch::{class, lease_lives, pin_lives, promised};
use crate::index::{Attempt as _, ReadTx, queries};
use crate::model::{Artifact, BindingName, Class, ObjectKind, OwnerId};
use crate::time::Timestamp;

/// An artifact that nothing keeps, or that only a lease or pin keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Orphan {
    pub(crate) id: i64,
    pub(crate) kind: ObjectKind,
    /// None: something held it until just now.
    pub(crate) orphaned_at: Option<Timestamp>,
    pub(crate) class: Class,
    /// Who let it go last.
    pub(crate) owner: Option<OwnerId>,
}

/// A binding, and since when nobody has used it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Use {
    pub(crate) binding: i64,
    pub(crate) object: i64,
    pub(crate) artifact: Artifact,
    pub(crate) class: Class,
    pub(crate) owner_row: i64,
    pub(crate) owner: OwnerId,
    pub(crate) name: String,
    /// When it was last looked up, bound, or brought into the store, whichever came last.
    pub(crate) used_at: Timestamp,
    /// Since when it counts no longer, because its owner is gone; may lie ahead.
    pub(crate) lapsed_at: Option<Timestamp>,
}

/// The columns of an [`Orphan`]. Who let it go last stands in the last event with a name.
macro_rules! orphans {
    ($rest:expr) => {
        concat!(
            "SELECT o.id, o.kind, o.orphaned_at, ",
            class!(),
            ", e.owner, e.version FROM objects o
             LEFT JOIN events e ON e.id = (SELECT max(n.id) FROM events n
                                           WHERE n.hash = o.hash AND n.kind = o.kind AND n.owner IS NOT NULL)
             WHERE ",
            $rest
        )
    };
}

/// The columns of a [`Use`].
macro_rules! uses {
    ($from:expr, $rest:expr) => {
        concat!(
            "SELECT b.id, o.id, o.hash, o.kind, o.size, o.files, ",
            class!(),
            ", w.id, w.key, w.version, b.name, max(ifnull(b.last_used_at, b.bound_at), b.bound_at, o.created_at),
               (SELECT since FROM temp.lapsed WHERE owner_id = w.id)
             FROM ",
            $from,
            " CROSS JOIN owners w ON w.id = b.owner_id CROSS JOIN objects o ON o.id = b.object_id ",
            $rest
        )
    };
}
pub(super) use uses;

queries! {
    DUE = "INSERT OR IGNORE INTO temp.due SELECT id FROM objects INDEXED BY objects_orphaned
           WHERE orphaned_at <= :cutoff AND state = 0";
    LET_LAPSED_GO = "INSERT OR IGNORE INTO temp.let_go SELECT b.id FROM temp.lapsed l
                     CROSS JOIN bindings b ON b.owner_id = l.owner_id WHERE l.since <= :cutoff";
    RELEASE = "INSERT OR IGNORE INTO temp.released SELECT object_id FROM leases UNION SELECT object_id FROM pins";
    ONE = orphans!("o.id = :id");
    ORPHANS = orphans!("o.orphaned_at IS NOT NULL AND o.state = 0");
    /// What leases and pins hold that have all run out.
    RUN_OUT = orphans!(concat!(
        "o.id IN (SELECT object_id FROM leases UNION SELECT object_id FROM pins) AND o.state = 0
         AND NOT EXISTS (SELECT 1 FROM pins p WHERE p.object_id = o.id AND ", pin_lives!(), ")
         AND NOT EXISTS (SELECT 1 FROM leases l WHERE l.object_id = o.id AND ", lease_lives!(), ")"));
    LAPSED = uses!("temp.lapsed l CROSS JOIN bindings b ON b.owner_id = l.owner_id", "");
    UNUSED = uses!("bindings b INDEXED BY bindings_used",
                   "WHERE ifnull(b.last_used_at, b.bound_at) <= :cutoff AND o.state = 0");
    ONE_USE = uses!("bindings b", "WHERE b.owner_id = :owner AND b.name = :name AND o.state = 0");
    IS_DUE = "SELECT 1 FROM temp.due WHERE id = :id";
    DROP_DUE = "DELETE FROM temp.due WHERE id = :id";
    ADD_DUE = "INSERT OR IGNORE INTO temp.due (id) VALUES (:id)";
    ADD_RELEASED = "INSERT OR IGNORE INTO temp.released (id) VALUES (:id)";
    ADD_LET_GO = "INSERT OR IGNORE INTO temp.let_go (id) VALUES (:id)";
    DROP_LET_GO = "DELETE FROM temp.let_go WHERE id = :id";
    ADD_IDLE = "INSERT OR IGNORE INTO temp.idle (id) VALUES (:id)";
    WENT_IDLE = "SELECT 1 FROM temp.let_go WHERE id = :id";
    /// What protects an artifact from rules about what is bound.
    PINNED = concat!("SELECT 1 FROM pins p WHERE p.object_id = :object
                      AND (:object NOT IN (SELECT id FROM temp.released) OR ", pin_lives!(), ")");
    LEASED = concat!("SELECT 1 FROM leases l WHERE l.object_id = :object
                      AND (:object NOT IN (SELECT id FROM temp.released) OR ", lease_lives!(), ")");
    PROMISED = concat!("SELECT 1 FROM objects o WHERE o.id = :object AND ", promised!());
    CLAIMED = "SELECT 1 FROM temp.claimed WHERE id = :object";
}

/// What protects an artifact, whatever is bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protection {
    Pin,
    Lease,
    /// Another program's space has it bound.
    Claim,
    /// An undo may still want it.
    Trash,
}

fn orphan(row: &Row<'_>) -> rusqlite::Result<Orphan> {
    let named = row.get::<_, Option<String>>(4)?.is_some();
    Ok(Orphan {
        id: row.get(0)?,
        kind: row.get(1)?,
        orphaned_at: row.get(2)?,
        class: row.get(3)?,
        owner: if named { Some(owner_id(row, 4)?) } else { None },
    })
}

pub(super) fn usage(row: &Row<'_>) -> rusqlite::Result<Use> {
    Ok(Use {
        binding: row.get(0)?,
        object: row.get(1)?,
        artifact: Artifact { hash: row.get(2)?, kind: row.get(3)?, size: row.get(4)?, files: row.get(5)? },
        class: row.get(6)?,
        owner_row: row.get(7)?,
        owner: owner_id(row, 8)?,
        name: row.get(10)?,
        used_at: row.get(11)?,
        lapsed_at: row.get(12)?,
    })
}

impl ReadTx<'_> {
    /// Notes orphans since `cutoff` and earlier as due.
    pub(crate) fn all_due(&self, cutoff: Timestamp) -> Result<()> {
        self.run(DUE, named_params! {":cutoff": cutoff})
    }

    /// Lets bindings go whose owners count no longer since `cutoff`.
    pub(crate) fn let_all_lapsed_go(&self, cutoff: Timestamp) -> Result<()> {
        self.run(LET_LAPSED_GO, named_params! {":cutoff": cutoff})
    }

    /// Leases and pins that ran out hold nothing any more.
    pub(crate) fn release_all(&self) -> Result<()> {
        self.run(RELEASE, &[])
    }

    /// Returns what is known of an object as an orphan, whether it is one or not.
    pub(crate) fn orphan(&self, object: i64) -> Result<Option<Orphan>> {
        Ok(self.list(ONE, named_params! {":id": object}, orphan)?.pop())
    }

    /// Returns all orphans.
    pub(crate) fn orphans(&self) -> Result<Vec<Orphan>> {
        self.list(ORPHANS, &[], orphan)
    }

    /// Returns what leases and pins hold that have all run out.
    pub(crate) fn run_out(&self, now: Timestamp) -> Result<Vec<Orphan>> {
        self.list(RUN_OUT, named_params! {":now": now}, orphan)
    }

    /// Returns the bindings of owners that are gone.
    pub(crate) fn lapsed_uses(&self) -> Result<Vec<Use>> {
        self.list(LAPSED, &[], usage)
    }

    /// Returns the bindings that nobody has used since `cutoff`.
    pub(crate) fn unused_since(&self, cutoff: Timestamp) -> Result<Vec<Use>> {
        let mut unused = self.list(UNUSED, named_params! {":cutoff": cutoff}, usage)?;
        unused.retain(|unused| unused.used_at <= cutoff);
        Ok(unused)
    }

    /// Returns what is known of the use of a name.
    pub(crate) fn use_of(&self, owner: i64, name: &BindingName) -> Result<Option<Use>> {
        Ok(self.list(ONE_USE, named_params! {":owner": owner, ":name": name.as_str()}, usage)?.pop())
    }

    /// Tells whether an orphan's time is over.
    pub(crate) fn is_due(&self, object: i64) -> Result<bool> {
        self.holds(IS_DUE, named_params! {":id": object})
    }

    /// An orphan stays after all.
    pub(crate) fn set_not_due(&self, object: i64) -> Result<()> {
        self.run(DROP_DUE, named_params! {":id": object})
    }

    pub(crate) fn set_due(&self, object: i64) -> Result<()> {
        self.run(ADD_DUE, named_params! {":id": object})
    }

    pub(crate) fn set_released(&self, object: i64) -> Result<()> {
        self.run(ADD_RELEASED, named_params! {":id": object})
    }

    pub(crate) fn set_let_go(&self, binding: i64) -> Result<()> {
        self.run(ADD_LET_GO, named_params! {":id": binding})
    }

    /// A binding counts after all.
    pub(crate) fn set_kept(&self, binding: i64) -> Result<()> {
        self.run(DROP_LET_GO, named_params! {":id": binding})
    }

    pub(crate) fn set_idle(&self, binding: i64) -> Result<()> {
        self.run(ADD_IDLE, named_params! {":id": binding})
    }

    /// Tells whether a binding has been let go.
    pub(crate) fn is_let_go(&self, binding: i64) -> Result<bool> {
        self.holds(WENT_IDLE, named_params! {":id": binding})
    }

    /// Returns what protects an object beside bindings and directories.
    pub(crate) fn protection(&self, object: i64, now: Timestamp) -> Result<Option<Protection>> {
        let parameters = named_params! {":object": object, ":now": now};
        Ok(if self.holds(PINNED, parameters)? {
            Some(Protection::Pin)
        } else if self.holds(LEASED, parameters)? {
            Some(Protection::Lease)
        } else if self.holds(CLAIMED, named_params! {":object": object})? {
            Some(Protection::Claim)
        } else if self.holds(PROMISED, parameters)? {
            Some(Protection::Trash)
        } else {
            None
        })
    }

    fn holds(&self, sql: &str, parameters: &[(&str, &dyn rusqlite::ToSql)]) -> Result<bool> {
        self.connection.prepare_cached(sql).to("read")?.exists(parameters).to("read")
    }

    pub(in crate::index) fn list<T>(
        &self,
        sql: &str,
        parameters: &[(&str, &dyn rusqlite::ToSql)],
        read: fn(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        let mut statement = self.connection.prepare_cached(sql).to("read")?;
        let rows = statement.query_map(parameters, read).to("read")?;
        rows.collect::<rusqlite::Result<_>>().to("read")
    }
}
