//! What the store itself remembers: its settings, its clock, its last gc.

use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{OptionalExtension as _, named_params};

use crate::error::Result;
use crate::index::{Attempt as _, Birth, ReadTx, WriteTx, queries};
use crate::model::{Durability, LinkStyle};
use crate::time::Timestamp;

/// Seven days: of a longer stretch without any use nobody can say whether it passed or the clock jumped.
const LONGEST_GAP_MS: i64 = 7 * 24 * 60 * 60 * 1_000;

/// The settings chosen when the store was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Settings {
    pub(crate) link_style: LinkStyle,
    pub(crate) durability: Durability,
}

queries! {
    BE_BORN = "INSERT OR IGNORE INTO store (id, link_style, durability, created_at, clock)
               VALUES (1, :link_style, :durability, :now, :now)";
    BE_USED = "INSERT OR IGNORE INTO last_use (id, at) VALUES (1, :now)";
    SETTLE_ROOT = "UPDATE store SET root = :root WHERE root IS NULL";
    SET_ROOT = "UPDATE store SET root = :root";
    ROOT = "SELECT root FROM store";
    SET_LINK_STYLE = "UPDATE store SET link_style = :link_style";
    SETTINGS = "SELECT link_style, durability FROM store";
    CLOCK = "SELECT clock FROM store";
    /// A stretch in which nobody used the store counts as no more than the longest one.
    NOTE_GAP = "INSERT OR REPLACE INTO clock_gaps (at, skipped_ms)
                SELECT :now, :now - at - :longest FROM last_use WHERE :now - at > :longest";
    SET_SEEN = "UPDATE last_use SET at = :now WHERE at < :now";
    SEEN = "SELECT at FROM last_use";
    GAPS = "SELECT at, skipped_ms FROM clock_gaps ORDER BY at DESC";
    SET_CLOCK = "UPDATE store SET clock = :now WHERE clock < :now";
    NEXT_SEQ = "UPDATE store SET journal_seq = journal_seq + 1 RETURNING journal_seq";
    CREATED_AT = "SELECT created_at FROM store";
    LAST_GC = "SELECT last_gc_at FROM store";
    SET_LAST_GC = "UPDATE store SET last_gc_at = :now";
}

impl ReadTx<'_> {
    /// Fills the one row of a new store; where another process was faster, its row stays.
    pub(super) fn be_born(&self, birth: Birth) -> Result<()> {
        let settings = birth.settings;
        self.connection.execute(BE_USED, named_params! {":now": birth.now}).to("fill")?;
        self.connection
            .execute(
                BE_BORN,
                named_params! {
                    ":link_style": settings.link_style.as_str(),
                    ":durability": settings.durability.as_str(),
                    ":now": birth.now,
                },
            )
            .map(drop)
            .to("fill")
    }

    /// Notes where the store lies, if nobody has.
    pub(super) fn settle_root(&self, root: &Path) -> Result<()> {
        let root = root.as_os_str().as_bytes();
        self.connection.execute(SETTLE_ROOT, named_params! {":root": root}).map(drop).to("fill")
    }

    /// Returns the place for which the links of trees were written.
    pub(crate) fn noted_root(&self) -> Result<Option<PathBuf>> {
        let bytes: Option<Vec<u8>> = self.connection.query_row(ROOT, [], |row| row.get(0)).to("read")?;
        Ok(bytes.map(|bytes| std::ffi::OsString::from_vec(bytes).into()))
    }

    pub(crate) fn settings(&self) -> Result<Settings> {
        let texts: (String, String) =
            self.connection.query_row(SETTINGS, [], |row| Ok((row.get(0)?, row.get(1)?))).to("read")?;
        Ok(Settings { link_style: texts.0.parse()?, durability: texts.1.parse()? })
    }

    pub(super) fn clock(&self) -> Result<Timestamp> {
        self.connection.query_row(CLOCK, [], |row| row.get(0)).to("read")
    }

    pub(crate) fn created_at(&self) -> Result<Timestamp> {
        self.connection.query_row(CREATED_AT, [], |row| row.get(0)).to("read")
    }

    /// Returns the store's time for an operation that only reads.
    pub(crate) fn store_time(&self, wall: Timestamp) -> Result<Timestamp> {
        Ok(wall.max(self.clock()?))
    }

    /// Returns when stretches without any use ended, and how much of each does not count, latest first.
    /// The one that goes on until now is among them.
    pub(crate) fn clock_gaps(&self, now: Timestamp) -> Result<Vec<(Timestamp, Duration)>> {
        let seen: Timestamp = self.connection.query_row(SEEN, [], |row| row.get(0)).to("read")?;
        let idle = now.as_millis().saturating_sub(seen.as_millis()).saturating_sub(LONGEST_GAP_MS);
        let mut statement = self.connection.prepare_cached(GAPS).to("read")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).to("read")?;
        let known = rows.collect::<rusqlite::Result<Vec<(Timestamp, i64)>>>().to("read")?;
        let current = (idle > 0).then_some((now, idle));
        let all = current.into_iter().chain(known);
        Ok(all.map(|(at, skipped)| (at, Duration::from_millis(u64::try_from(skipped).unwrap_or(0)))).collect())
    }

    pub(crate) fn last_gc(&self) -> Result<Option<Timestamp>> {
        self.connection.query_row(LAST_GC, [], |row| row.get(0)).optional().map(Option::flatten).to("read")
    }
}

impl WriteTx<'_> {
    pub(super) fn remember_clock(&self) -> Result<()> {
        self.note_seen()?;
        self.connection.execute(SET_CLOCK, named_params! {":now": self.now()}).map(drop).to("write")
    }

    /// Notes where the store lies from now on.
    pub(crate) fn set_root(&self, root: &Path) -> Result<()> {
        self.run(SET_ROOT, named_params! {":root": root.as_os_str().as_bytes()})
    }

    /// Notes how trees refer to their files from now on.
    pub(crate) fn set_link_style(&self, style: LinkStyle) -> Result<()> {
        self.run(SET_LINK_STYLE, named_params! {":link_style": style.as_str()})
    }

    pub(crate) fn set_last_gc(&self) -> Result<()> {
        self.connection.execute(SET_LAST_GC, named_params! {":now": self.now()}).map(drop).to("write")
    }

    /// Notes that somebody uses the store now.
    pub(super) fn note_seen(&self) -> Result<()> {
        self.run(NOTE_GAP, named_params! {":now": self.now(), ":longest": LONGEST_GAP_MS})?;
        self.run(SET_SEEN, named_params! {":now": self.now()})
    }

    /// Returns the number of the next record in the binding journal.
    pub(crate) fn next_seq(&self) -> Result<i64> {
        self.connection.query_row(NEXT_SEQ, [], |row| row.get(0)).to("write")
    }
}
