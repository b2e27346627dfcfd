//! Pins: protection for good, with a reason, or until a time.

use rusqlite::{OptionalExtension as _, named_params};

use crate::digest::Digest;
use crate::error::Result;
use crate::index::{Attempt as _, ReadTx, WriteTx, queries};
use crate::model::ObjectKind;
use crate::time::Timestamp;

queries! {
    PUT = "INSERT INTO pins (object_id, reason, until, created_at) VALUES (:object, :reason, :until, :now)
           ON CONFLICT (object_id) DO UPDATE SET reason = :reason, until = :until";
    REMOVE = "DELETE FROM pins WHERE object_id = :object";
    LIST = "SELECT p.object_id, o.hash, o.kind, o.size, p.reason, p.until, p.created_at
            FROM pins p CROSS JOIN objects o ON o.id = p.object_id ORDER BY p.created_at, p.object_id";
    OF_OBJECT = "SELECT reason, until, created_at FROM pins WHERE object_id = :object";
    END_EXPIRED = "DELETE FROM pins WHERE until <= :now RETURNING object_id";
}

/// A pin, for people.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Pin {
    /// Why the artifact is to stay.
    pub reason: String,
    /// When the pin ends by itself.
    pub until: Option<Timestamp>,
    /// When it was set.
    pub created_at: Timestamp,
}

/// A pin and what it protects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PinRow {
    pub(crate) object: i64,
    pub(crate) hash: Digest,
    pub(crate) kind: ObjectKind,
    pub(crate) size: u64,
    pub(crate) pin: Pin,
}

impl ReadTx<'_> {
    /// Returns all pins, oldest first.
    pub(crate) fn pins(&self) -> Result<Vec<PinRow>> {
        let mut statement = self.connection.prepare_cached(LIST).to("read")?;
        let rows = statement
            .query_map([], |row| {
                Ok(PinRow {
                    object: row.get(0)?,
                    hash: row.get(1)?,
                    kind: row.get(2)?,
                    size: row.get(3)?,
                    pin: Pin { reason: row.get(4)?, until: row.get(5)?, created_at: row.get(6)? },
                })
            })
            .to("read")?;
        rows.collect::<rusqlite::Result<_>>().to("read")
    }

    pub(crate) fn pin_of(&self, object: i64) -> Result<Option<Pin>> {
        let mut statement = self.connection.prepare_cached(OF_OBJECT).to("read")?;
        statement
            .query_row(named_params! {":object": object}, |row| {
                Ok(Pin { reason: row.get(0)?, until: row.get(1)?, created_at: row.get(2)? })
            })
            .optional()
            .to("read")
    }
}

impl WriteTx<'_> {
    pub(crate) fn put_pin(&self, object: i64, reason: &str, until: Option<Timestamp>) -> Result<()> {
        let parameters = named_params! {":object": object, ":reason": reason, ":until": until, ":now": self.now()};
        self.connection.execute(PUT, parameters).map(drop).to("write")
    }

    /// Removes a pin; tells whether there was one.
    pub(crate) fn remove_pin(&self, object: i64) -> Result<bool> {
        let removed = self.connection.execute(REMOVE, named_params! {":object": object}).to("write")?;
        Ok(removed > 0)
    }

    /// Removes the pins whose time is over; returns what they protected.
    pub(crate) fn end_expired_pins(&self) -> Result<Vec<i64>> {
        let mut statement = self.connection.prepare_cached(END_EXPIRED).to("write")?;
        let rows = statement.query_map(named_params! {":now": self.now()}, |row| row.get(0)).to("write")?;
        rows.collect::<rusqlite::Result<_>>().to("write")
    }
}
