//! What usage was at earlier times.

use rusqlite::{OptionalExtension as _, Row, named_params};

use crate::error::Result;
use crate::index::owners::version_text;
use crate::index::{Attempt as _, ReadTx, WriteTx, queries};
use crate::model::OwnerId;
use crate::time::Timestamp;

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
/// Samples are kept for each day so long, and for each week after that.
const DAILY_MS: i64 = 92 * DAY_MS;

/// What the store held at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StoreSample {
    pub(crate) at: Timestamp,
    pub(crate) stored_bytes: u64,
    pub(crate) logical_bytes: u64,
    pub(crate) orphan_bytes: u64,
}

/// What an owner held at that time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OwnerSample {
    pub(crate) owner: OwnerId,
    pub(crate) total_bytes: u64,
    pub(crate) exclusive_bytes: u64,
    pub(crate) fair_bytes: u64,
}

queries! {
    LATEST = "SELECT at, stored_bytes, logical_bytes, orphan_bytes FROM store_samples ORDER BY at DESC LIMIT 1";
    LATEST_UNTIL = "SELECT at, stored_bytes, logical_bytes, orphan_bytes FROM store_samples WHERE at <= :at
                    ORDER BY at DESC LIMIT 1";
    EARLIEST = "SELECT at, stored_bytes, logical_bytes, orphan_bytes FROM store_samples ORDER BY at LIMIT 1";
    OWNERS_AT = "SELECT owner, version, total_bytes, exclusive_bytes, fair_bytes FROM usage_samples WHERE at = :at
                 ORDER BY owner, version";
    /// A day has one sample, its last.
    DROP_OWNERS_OF_DAY = "DELETE FROM usage_samples WHERE at >= :day";
    DROP_STORE_OF_DAY = "DELETE FROM store_samples WHERE at >= :day";
    ADD_STORE = "INSERT INTO store_samples (at, stored_bytes, logical_bytes, orphan_bytes)
                 VALUES (:at, :stored, :logical, :orphans)";
    ADD_OWNER = "INSERT INTO usage_samples (at, owner, version, total_bytes, exclusive_bytes, fair_bytes)
                 VALUES (:at, :owner, :version, :total, :exclusive, :fair)";
    THIN_STORE = "DELETE FROM store_samples WHERE at < :daily
                  AND at NOT IN (SELECT min(at) FROM store_samples GROUP BY at / (7 * 86400000))";
    THIN_OWNERS = "DELETE FROM usage_samples WHERE at < :daily AND at NOT IN (SELECT at FROM store_samples)";
    /// Near enough to tell a large store from a small one.
    LARGEST_ID = "SELECT ifnull(max(id), 0) FROM objects";
}

fn store_sample(row: &Row<'_>) -> rusqlite::Result<StoreSample> {
    Ok(StoreSample {
        at: row.get(0)?,
        stored_bytes: row.get(1)?,
        logical_bytes: row.get(2)?,
        orphan_bytes: row.get(3)?,
    })
}

fn owner_sample(row: &Row<'_>) -> rusqlite::Result<OwnerSample> {
    Ok(OwnerSample {
        owner: super::owners::owner_id(row, 0)?,
        total_bytes: row.get(2)?,
        exclusive_bytes: row.get(3)?,
        fair_bytes: row.get(4)?,
    })
}

impl ReadTx<'_> {
    /// Returns when usage was noted last.
    pub(crate) fn last_sample(&self) -> Result<Option<Timestamp>> {
        Ok(self.sample(LATEST, &[])?.map(|sample| sample.at))
    }

    /// Returns the last sample until a time, or the first one after it if there is none before.
    pub(crate) fn sample_near(&self, at: Timestamp) -> Result<Option<StoreSample>> {
        match self.sample(LATEST_UNTIL, named_params! {":at": at})? {
            Some(sample) => Ok(Some(sample)),
            None => self.sample(EARLIEST, &[]),
        }
    }

    /// Returns what each owner held when a sample was taken.
    pub(crate) fn owners_at(&self, at: Timestamp) -> Result<Vec<OwnerSample>> {
        self.list(OWNERS_AT, named_params! {":at": at}, owner_sample)
    }

    /// Returns about how many objects there are; never fewer than there are.
    pub(crate) fn objects_at_most(&self) -> Result<u64> {
        self.connection.query_row(LARGEST_ID, [], |row| row.get(0)).to("read")
    }

    fn sample(&self, sql: &str, parameters: &[(&str, &dyn rusqlite::ToSql)]) -> Result<Option<StoreSample>> {
        let mut statement = self.connection.prepare_cached(sql).to("read")?;
        statement.query_row(parameters, store_sample).optional().to("read")
    }
}

impl WriteTx<'_> {
    /// Notes a sample in the place of others of its day (UTC), and thins out what is old.
    pub(crate) fn put_sample(&self, store: StoreSample, owners: &[OwnerSample]) -> Result<()> {
        let day = store.at.as_millis().div_euclid(DAY_MS) * DAY_MS;
        self.run(DROP_OWNERS_OF_DAY, named_params! {":day": day})?;
        self.run(DROP_STORE_OF_DAY, named_params! {":day": day})?;
        self.run(
            ADD_STORE,
            named_params! {
                ":at": store.at, ":stored": store.stored_bytes, ":logical": store.logical_bytes,
                ":orphans": store.orphan_bytes,
            },
        )?;
        for sample in owners {
            self.run(
                ADD_OWNER,
                named_params! {
                    ":at": store.at, ":owner": sample.owner.key(), ":version": version_text(&sample.owner),
                    ":total": sample.total_bytes, ":exclusive": sample.exclusive_bytes, ":fair": sample.fair_bytes,
                },
            )?;
        }
        let daily = store.at.as_millis().saturating_sub(DAILY_MS);
        self.run(THIN_STORE, named_params! {":daily": daily})?;
        self.run(THIN_OWNERS, named_params! {":daily": daily})
    }
}
