//! What happened to bindings and artifacts, kept when their rows are gone.

use rusqlite::named_params;

use crate::digest::Digest;
use crate::error::Result;
use crate::index::owners::version_text;
use crate::index::{Attempt as _, ReadTx, WriteTx, queries};
use crate::model::{ObjectKind, OwnerId};

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    Bind,
    Rebind,
    Unbind,
    Collect,
}

impl What {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Bind => "bind",
            Self::Rebind => "rebind",
            Self::Unbind => "unbind",
            Self::Collect => "collect",
        }
    }
}

/// One event about an object.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Happening<'a> {
    pub(crate) what: What,
    pub(crate) hash: Digest,
    pub(crate) kind: ObjectKind,
    pub(crate) binding: Option<(&'a OwnerId, &'a str)>,
    pub(crate) run: Option<i64>,
}

queries! {
    RECORD = "INSERT INTO events (at, what, hash, kind, owner, version, name, run_id)
              VALUES (:now, :what, :hash, :kind, :owner, :version, :name, :run)";
    /// The names an object had, latest first.
    NAMES = "SELECT owner, version, name FROM events
             WHERE hash = :hash AND kind = :kind AND owner IS NOT NULL
             GROUP BY owner, version, name ORDER BY max(id) DESC LIMIT 20";
}

impl ReadTx<'_> {
    /// Returns the names an object has or had, as `OWNER:NAME`, latest first.
    pub(crate) fn past_names(&self, hash: Digest, kind: ObjectKind) -> Result<Vec<String>> {
        let mut statement = self.connection.prepare_cached(NAMES).to("read")?;
        let rows = statement
            .query_map(named_params! {":hash": hash, ":kind": kind}, |row| {
                let owner = super::owners::owner_id(row, 0)?;
                let name: String = row.get(2)?;
                Ok(format!("{owner}:{name}"))
            })
            .to("read")?;
        rows.collect::<rusqlite::Result<_>>().to("read")
    }
}

impl WriteTx<'_> {
    pub(crate) fn record(&self, event: Happening<'_>) -> Result<()> {
        let mut statement = self.connection.prepare_cached(RECORD).to("write")?;
        let (owner, name) = event.binding.unzip();
        statement
            .execute(named_params! {
                ":now": self.now(), ":what": event.what.as_str(), ":hash": event.hash, ":kind": event.kind,
                ":owner": owner.map(OwnerId::key), ":version": owner.map(version_text), ":name": name,
                ":run": event.run,
            })
            .map(drop)
            .to("write")
    }
}
