//! Leases: protection until a time, or for as long as a session lives.

use rusqlite::{OptionalExtension as _, named_params};

use crate::error::Result;
use crate::index::{Attempt as _, ReadTx, WriteTx, queries};
use crate::time::Timestamp;

queries! {
    GRANT = "INSERT INTO leases (object_id, session, expires_at, reason, created_at)
             VALUES (:object, :session, :expires_at, :reason, :now)";
    RELEASE = "DELETE FROM leases WHERE id = :id";
    /// Each creation is followed by one bind at most, so a bind uses up one lease: the oldest.
    OLDEST = "SELECT id FROM leases WHERE object_id = :object AND session IS NULL ORDER BY id LIMIT 1";
    OF_OBJECT = "SELECT reason, session, expires_at FROM leases WHERE object_id = :object ORDER BY id";
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
}

impl ReadTx<'_> {
    pub(crate) fn leases_of(&self, object: i64) -> Result<Vec<Lease>> {
        let mut statement = self.connection.prepare_cached(OF_OBJECT).to("read")?;
        let rows = statement
            .query_map(named_params! {":object": object}, |row| {
                Ok(Lease { reason: row.get(0)?, session: row.get(1)?, expires_at: row.get(2)? })
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
    /// Protects an object until a time.
    pub(crate) fn lease_until(&self, object: i64, until: Timestamp, reason: &str) -> Result<i64> {
        self.grant(object, None, Some(until), reason)
    }

    /// Protects an object for as long as a session lives.
    pub(crate) fn lease_for_session(&self, object: i64, session: &str, reason: &str) -> Result<i64> {
        self.grant(object, Some(session), None, reason)
    }

    fn grant(&self, object: i64, session: Option<&str>, until: Option<Timestamp>, reason: &str) -> Result<i64> {
        let parameters = named_params! {
            ":object": object, ":session": session, ":expires_at": until, ":reason": reason, ":now": self.now(),
        };
        self.connection.execute(GRANT, parameters).to("write")?;
        Ok(self.connection.last_insert_rowid())
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
