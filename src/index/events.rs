//! What happened to bindings and artifacts, kept when their rows are gone.

use rusqlite::{Row, named_params};

use crate::digest::Digest;
use crate::error::Result;
use crate::index::owners::{owner_id, version_text};
use crate::index::{Attempt as _, ReadTx, WriteTx, queries};
use crate::model::{Artifact, ObjectKind, OwnerId};
use crate::time::Timestamp;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    Bind,
    Rebind,
    Unbind,
    /// The owner is gone, and what it had bound goes.
    Lapse,
    /// A rule of clean-up let it go.
    Evict,
    /// Its owner was removed on purpose.
    Remove,
    /// It was handed to another owner.
    Delegate,
    /// Its owner is called otherwise now.
    Rename,
    Collect,
    /// It came back from the trash.
    Restore,
}

impl What {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Bind => "bind",
            Self::Rebind => "rebind",
            Self::Unbind => "unbind",
            Self::Lapse => "lapse",
            Self::Evict => "evict",
            Self::Remove => "remove",
            Self::Delegate => "delegate",
            Self::Rename => "rename",
            Self::Collect => "collect",
            Self::Restore => "restore",
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
    /// To whom it was handed, by which rule it went.
    pub(crate) detail: Option<&'a str>,
    /// A binding that was let go, as it was: what `undo` brings back.
    pub(crate) was: Option<&'a str>,
}

impl<'a> Happening<'a> {
    /// Something that happened to an object; the rest is said where it is known.
    pub(crate) fn new(what: What, hash: Digest, kind: ObjectKind) -> Self {
        Self { what, hash, kind, binding: None, run: None, detail: None, was: None }
    }

    /// Something that happened to a name of an object.
    pub(crate) fn to_name(what: What, artifact: &Artifact, owner: &'a OwnerId, name: &'a str) -> Self {
        Self { binding: Some((owner, name)), ..Self::new(what, artifact.hash, artifact.kind) }
    }
}

queries! {
    RECORD = "INSERT INTO events (at, what, hash, kind, owner, version, name, run_id, detail, was)
              VALUES (:now, :what, :hash, :kind, :owner, :version, :name, :run, :detail, :was)";
    /// The names an object had, latest first.
    NAMES = "SELECT owner, version, name FROM events
             WHERE hash = :hash AND kind = :kind AND owner IS NOT NULL
             GROUP BY owner, version, name ORDER BY max(id) DESC LIMIT 20";
    /// Who let an object go last. A name that was given to something else let go of what it was before.
    LET_GO = "SELECT e.at, e.what, e.owner, e.version, e.name FROM events e
              WHERE e.hash = :hash AND e.kind = :kind
                AND e.what IN ('unbind', 'rebind', 'lapse', 'evict', 'remove', 'delegate')
              ORDER BY e.id DESC LIMIT 1";
    NAMES_OF_HASH = "SELECT owner, version, name FROM events
                     WHERE hash = :hash AND owner IS NOT NULL
                     GROUP BY owner, version, name ORDER BY max(id) DESC LIMIT 20";
}

/// The last time somebody let an object go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parting {
    pub(crate) at: Timestamp,
    pub(crate) what: String,
    pub(crate) owner: OwnerId,
    pub(crate) name: String,
}

fn full_name(row: &Row<'_>) -> rusqlite::Result<String> {
    let owner = owner_id(row, 0)?;
    let name: String = row.get(2)?;
    Ok(format!("{owner}:{name}"))
}

impl ReadTx<'_> {
    /// Returns the names an object of this hash, whatever its kind, has or had, latest first.
    pub(crate) fn names_of_hash(&self, hash: Digest) -> Result<Vec<String>> {
        let mut statement = self.connection.prepare_cached(NAMES_OF_HASH).to("read")?;
        let rows = statement.query_map(named_params! {":hash": hash}, full_name).to("read")?;
        rows.collect::<rusqlite::Result<_>>().to("read")
    }

    /// Returns who let an object go last, if anybody ever did.
    pub(crate) fn let_go_by(&self, hash: Digest, kind: ObjectKind) -> Result<Option<Parting>> {
        let read = |row: &Row<'_>| {
            Ok(Parting { at: row.get(0)?, what: row.get(1)?, owner: owner_id(row, 2)?, name: row.get(4)? })
        };
        Ok(self.list(LET_GO, named_params! {":hash": hash, ":kind": kind}, read)?.pop())
    }

    /// Returns the names an object has or had, as `OWNER:NAME`, latest first.
    pub(crate) fn past_names(&self, hash: Digest, kind: ObjectKind) -> Result<Vec<String>> {
        let mut statement = self.connection.prepare_cached(NAMES).to("read")?;
        let rows = statement.query_map(named_params! {":hash": hash, ":kind": kind}, full_name).to("read")?;
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
                ":run": event.run, ":detail": event.detail, ":was": event.was,
            })
            .map(drop)
            .to("write")
    }
}
