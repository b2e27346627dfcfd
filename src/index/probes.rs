//! Rows of probes: how it is known whether an owner still exists, and since when it is known to be gone.

use rusqlite::{Row, named_params};

use crate::error::Result;
use crate::index::owners::owner_id;
use crate::index::{Attempt as _, ReadTx, WriteTx, queries};
use crate::model::OwnerId;
use crate::time::Timestamp;

/// What a probe looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProbeKind {
    /// A path that exists as long as the owner does.
    Path,
    /// A depot in which a package of Julia is looked for.
    Julia,
    /// A command that succeeds as long as the owner exists.
    Command,
}

impl ProbeKind {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Julia => "julia",
            Self::Command => "command",
        }
    }

    fn from_text(text: &str) -> Self {
        match text {
            "path" => Self::Path,
            "julia" => Self::Julia,
            _ => Self::Command,
        }
    }
}

/// One reason to think that an owner exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProbeRow {
    pub(crate) kind: ProbeKind,
    /// The path, the depot (empty if none was noted), the command line.
    pub(crate) target: String,
    /// Of a path: where the filesystem it lay on was mounted.
    pub(crate) mount: Option<String>,
    /// Of a command: who registered it, and alone runs it.
    pub(crate) user: Option<u32>,
}

/// An owner of whom it can be told whether it still exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Probed {
    pub(crate) id: i64,
    pub(crate) owner: OwnerId,
    /// Since when it is known to be gone.
    pub(crate) gone_since: Option<Timestamp>,
    /// When it last bound something or was registered.
    pub(crate) last_seen_at: Timestamp,
    /// The end of its life, whatever its probes say.
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) probes: Vec<ProbeRow>,
}

impl Probed {
    /// Tells whether what was found out about one is true of the other.
    pub(crate) fn is_looked_for_as(&self, other: &Self) -> bool {
        (&self.owner, self.expires_at, &self.probes) == (&other.owner, other.expires_at, &other.probes)
    }
}

queries! {
    PROBED = "SELECT w.id, w.key, w.version, w.gone_since, w.last_seen_at, w.expires_at,
                     p.kind, p.target, p.mount, p.user_id
              FROM owners w LEFT JOIN probes p ON p.owner_id = w.id
              WHERE w.id IN (SELECT owner_id FROM probes
                             UNION SELECT id FROM owners INDEXED BY owners_ending WHERE expires_at IS NOT NULL)
              ORDER BY w.key, w.version, p.id";
    ADD_PROBE = "INSERT INTO probes (owner_id, kind, target, mount, user_id)
                 VALUES (:owner, :kind, :target, :mount, :user)
                 ON CONFLICT (owner_id, kind, target) DO UPDATE SET mount = :mount, user_id = :user";
    CLEAR_PROBES = "DELETE FROM probes WHERE owner_id = :owner";
    DROP_DEPOTS = "DELETE FROM probes WHERE owner_id = :owner AND kind = 'julia' AND target <> :depot";
    SET_EXPIRY = "UPDATE owners SET expires_at = :at WHERE id = :id";
    SET_GONE = "UPDATE owners SET gone_since = :since WHERE id = :id";
    /// What was let go while it was gone.
    HOLD_AGAIN = "UPDATE objects SET orphaned_at = NULL WHERE orphaned_at IS NOT NULL
                  AND id IN (SELECT object_id FROM bindings WHERE owner_id = :id)";
}

fn probed(row: &Row<'_>) -> rusqlite::Result<Probed> {
    Ok(Probed {
        id: row.get(0)?,
        owner: owner_id(row, 1)?,
        gone_since: row.get(3)?,
        last_seen_at: row.get(4)?,
        expires_at: row.get(5)?,
        probes: Vec::new(),
    })
}

/// An owner with an end but without probes has no such columns.
fn probe(row: &Row<'_>) -> rusqlite::Result<Option<ProbeRow>> {
    let Some(kind) = row.get::<_, Option<String>>(6)? else { return Ok(None) };
    let kind = ProbeKind::from_text(&kind);
    Ok(Some(ProbeRow { kind, target: row.get(7)?, mount: row.get(8)?, user: row.get(9)? }))
}

impl ReadTx<'_> {
    /// Returns the owners of whom it can be told whether they exist, by key and version.
    pub(crate) fn probed_owners(&self) -> Result<Vec<Probed>> {
        let mut statement = self.connection.prepare_cached(PROBED).to("read")?;
        let rows = statement.query_map([], |row| Ok((probed(row)?, probe(row)?))).to("read")?;
        let mut owners: Vec<Probed> = Vec::new();
        for row in rows {
            let (owner, probe) = row.to("read")?;
            if owners.last().is_none_or(|last| last.id != owner.id) {
                owners.push(owner);
            }
            if let Some(owner) = owners.last_mut() {
                owner.probes.extend(probe);
            }
        }
        Ok(owners)
    }
}

impl WriteTx<'_> {
    /// Notes how it is known that an owner exists, beside what is noted already.
    pub(crate) fn add_probe(&self, owner: i64, probe: &ProbeRow) -> Result<()> {
        let ProbeRow { kind, target, mount, user } = probe;
        let kind = kind.as_str();
        let row = named_params! {":owner": owner, ":kind": kind, ":target": target, ":mount": mount, ":user": user};
        self.run(ADD_PROBE, row)
    }

    /// Forgets how it is known that an owner exists.
    pub(crate) fn clear_probes(&self, owner: i64) -> Result<()> {
        self.run(CLEAR_PROBES, named_params! {":owner": owner})
    }

    /// Notes that an owner is a package of Julia, and in which one depot to look for it.
    pub(crate) fn set_depot(&self, owner: i64, depot: &str) -> Result<()> {
        self.run(DROP_DEPOTS, named_params! {":owner": owner, ":depot": depot})?;
        let target = depot.to_owned();
        self.add_probe(owner, &ProbeRow { kind: ProbeKind::Julia, target, mount: None, user: None })
    }

    /// Notes when an owner's life ends.
    pub(crate) fn set_expiry(&self, id: i64, at: Option<Timestamp>) -> Result<()> {
        self.run(SET_EXPIRY, named_params! {":id": id, ":at": at})
    }

    /// Notes that an owner is gone, as far as is known since now.
    pub(crate) fn set_gone(&self, id: i64) -> Result<()> {
        self.run(SET_GONE, named_params! {":id": id, ":since": self.now()})
    }

    /// Notes that an owner is there again, and holds again what it has bound.
    pub(crate) fn set_back(&self, id: i64) -> Result<()> {
        self.run(SET_GONE, named_params! {":id": id, ":since": None::<Timestamp>})?;
        self.run(HOLD_AGAIN, named_params! {":id": id})
    }
}
