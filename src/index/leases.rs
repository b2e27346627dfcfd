//! Leases: protection until a time, or for as long as a session lives.

use rusqlite::{OptionalExtension as _, Row, named_params};

use crate::digest::Digest;
use crate::error::Result;
use crate::index::{Attempt as _, ReadTx, WriteTx, queries};
use crate::model::ObjectKind;
use crate::time::Timestamp;

/// The columns of a [`LeaseRow`], in the order [`lease_row`] reads them.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT l.id, l.object_id, o.hash, o.kind, o.size, l.reason, l.holder, l.session, l.expires_at, l.created_at
             FROM leases l CROSS JOIN objects o ON o.id = l.object_id ",
            $rest
        )
    };
}

queries! {
    GRANT = "INSERT INTO leases (object_id, session, expires_at, reason, holder, created_at)
             VALUES (:object, :session, :expires_at, :reason, :holder, :now)";
    LIST = select!("ORDER BY l.id");
    BY_ID = select!("WHERE l.id = :id");
    RENEW = "UPDATE leases SET expires_at = max(expires_at, :until) WHERE id = :id AND expires_at IS NOT NULL";
    RELEASE = "DELETE FROM leases WHERE id = :id";
    END_ONE = "DELETE FROM leases WHERE id = :id RETURNING object_id";
    /// Each creation is followed by one bind at most, so a bind uses up one lease: the oldest. One that
    /// somebody holds was asked for, and is not for a bind to use up.
    OLDEST = "SELECT id FROM leases WHERE object_id = :object AND session IS NULL AND holder IS NULL
              ORDER BY id LIMIT 1";
    IS_LENT = "SELECT 1 FROM leases WHERE object_id = :object AND session = :session";
    OF_OBJECT = "SELECT reason, session, expires_at, holder FROM leases WHERE object_id = :object ORDER BY id";
    SESSIONS = "SELECT DISTINCT session FROM leases WHERE session IS NOT NULL";
    END_SESSION = "DELETE FROM leases WHERE session = :session RETURNING object_id";
    END_EXPIRED = "DELETE FROM leases WHERE expires_at <= :now RETURNING object_id";
}

/// A lease, for people.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Lease {
    /// What it was granted for.
    pub reason: String,
    /// The session it ends with, if it has no time limit.
    pub session: Option<String>,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// Who holds it, for people; none if it waits for whoever put the artifact in to bind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holder: Option<String>,
}

/// A lease and what it protects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LeaseRow {
    pub(crate) id: i64,
    pub(crate) object: i64,
    pub(crate) hash: Digest,
    pub(crate) kind: ObjectKind,
    pub(crate) size: u64,
    pub(crate) reason: String,
    pub(crate) holder: Option<String>,
    pub(crate) session: Option<String>,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) created_at: Timestamp,
}

fn lease_row(row: &Row<'_>) -> rusqlite::Result<LeaseRow> {
    Ok(LeaseRow {
        id: row.get(0)?,
        object: row.get(1)?,
        hash: row.get(2)?,
        kind: row.get(3)?,
        size: row.get(4)?,
        reason: row.get(5)?,
        holder: row.get(6)?,
        session: row.get(7)?,
        expires_at: row.get(8)?,
        created_at: row.get(9)?,
    })
}

/// A session that holds leases, and who it is for people.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Holder<'a> {
    pub(crate) session: &'a str,
    pub(crate) text: &'a str,
}

impl ReadTx<'_> {
    /// Returns all leases, oldest first.
    pub(crate) fn leases(&self) -> Result<Vec<LeaseRow>> {
        let mut statement = self.connection.prepare_cached(LIST).to("read")?;
        let rows = statement.query_map([], lease_row).to("read")?;
        rows.collect::<rusqlite::Result<_>>().to("read")
    }

    pub(crate) fn lease(&self, id: i64) -> Result<Option<LeaseRow>> {
        let mut statement = self.connection.prepare_cached(BY_ID).to("read")?;
        statement.query_row(named_params! {":id": id}, lease_row).optional().to("read")
    }

    /// Tells whether a session has a lease on an object already.
    pub(crate) fn is_lent(&self, object: i64, session: &str) -> Result<bool> {
        let mut statement = self.connection.prepare_cached(IS_LENT).to("read")?;
        statement.exists(named_params! {":object": object, ":session": session}).to("read")
    }

    pub(crate) fn leases_of(&self, object: i64) -> Result<Vec<Lease>> {
        let mut statement = self.connection.prepare_cached(OF_OBJECT).to("read")?;
        let rows = statement
            .query_map(named_params! {":object": object}, |row| {
                Ok(Lease { reason: row.get(0)?, session: row.get(1)?, expires_at: row.get(2)?, holder: row.get(3)? })
            })
            .to("read")?;
        rows.collect::<rusqlite::Result<_>>().to("read")
    }

    /// Returns the sessions that hold leases; whether they live is for the files to say.
    pub(crate) fn leasing_sessions(&self) -> Result<Vec<String>> {
        let mut statement = self.connection.prepare_cached(SESSIONS).to("read")?;
        let rows = statement.query_map([], |row| row.get(0)).to("read")?;
        rows.collect::<rusqlite::Result<_>>().to("read")
    }
}

impl WriteTx<'_> {
    /// Protects a new object until a time, or until somebody binds it. Nobody holds such a lease.
    pub(crate) fn lease_until(&self, object: i64, until: Timestamp, reason: &str) -> Result<i64> {
        self.grant(object, None, Some(until), (reason, None))
    }

    /// Protects an object until a time, because somebody asked for it.
    pub(crate) fn lease_held(&self, object: i64, until: Timestamp, reason: &str, holder: &str) -> Result<i64> {
        self.grant(object, None, Some(until), (reason, Some(holder)))
    }

    /// Protects an object for as long as a session lives.
    pub(crate) fn lease_for_session(&self, object: i64, session: &str, reason: &str) -> Result<i64> {
        self.grant(object, Some(session), None, (reason, None))
    }

    /// As [`WriteTx::lease_for_session`], for a session whose holder people may ask for.
    pub(crate) fn lease_for(&self, object: i64, holder: Holder<'_>, reason: &str) -> Result<i64> {
        self.grant(object, Some(holder.session), None, (reason, Some(holder.text)))
    }

    fn grant(
        &self,
        object: i64,
        session: Option<&str>,
        until: Option<Timestamp>,
        (reason, holder): (&str, Option<&str>),
    ) -> Result<i64> {
        let parameters = named_params! {
            ":object": object, ":session": session, ":expires_at": until, ":reason": reason,
            ":holder": holder, ":now": self.now(),
        };
        let mut statement = self.connection.prepare_cached(GRANT).to("write")?;
        statement.execute(parameters).to("write")?;
        Ok(self.connection.last_insert_rowid())
    }

    /// Lets a lease last until a time at least.
    pub(crate) fn renew_lease(&self, id: i64, until: Timestamp) -> Result<()> {
        self.connection.execute(RENEW, named_params! {":id": id, ":until": until}).map(drop).to("write")
    }

    /// Ends a lease; returns what it protected, or none if there was no such lease.
    pub(crate) fn end_lease(&self, id: i64) -> Result<Option<i64>> {
        let mut statement = self.connection.prepare_cached(END_ONE).to("write")?;
        statement.query_row(named_params! {":id": id}, |row| row.get(0)).optional().to("write")
    }

    pub(crate) fn release_lease(&self, id: i64) -> Result<()> {
        self.connection.execute(RELEASE, named_params! {":id": id}).map(drop).to("write")
    }

    /// Uses up the oldest lease that protects an object between create and bind.
    pub(crate) fn release_oldest_lease(&self, object: i64) -> Result<()> {
        let parameters = named_params! {":object": object};
        let oldest: Option<i64> =
            self.connection.query_row(OLDEST, parameters, |row| row.get(0)).optional().to("read")?;
        oldest.map_or(Ok(()), |id| self.release_lease(id))
    }

    /// Ends the leases of a session; returns what they protected.
    pub(crate) fn end_session_leases(&self, session: &str) -> Result<Vec<i64>> {
        let mut statement = self.connection.prepare_cached(END_SESSION).to("write")?;
        let rows = statement.query_map(named_params! {":session": session}, |row| row.get(0)).to("write")?;
        rows.collect::<rusqlite::Result<_>>().to("write")
    }

    /// Ends the leases whose time is over; returns what they protected.
    pub(crate) fn end_expired_leases(&self) -> Result<Vec<i64>> {
        let mut statement = self.connection.prepare_cached(END_EXPIRED).to("write")?;
        let rows = statement.query_map(named_params! {":now": self.now()}, |row| row.get(0)).to("write")?;
        rows.collect::<rusqlite::Result<_>>().to("write")
    }
}
