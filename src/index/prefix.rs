//! What begins so: owners, names and hashes for somebody who is still typing.
//!
//! Each is a range of an index, so that asking costs what is shown, not what is stored. Where there is
//! more than is shown, the last one is shown too: in sorted text, what the first and the last have in common
//! all have, and that is what a shell fills in by itself.

use rusqlite::{OptionalExtension as _, Params, Row, ToSql, named_params, types::ToSqlOutput};

use crate::digest::Digest;
use crate::error::Result;
use crate::index::owners::owner_id;
use crate::index::{Attempt as _, ReadTx, queries};
use crate::model::{Artifact, OwnerId};

queries! {
    NAMES = "SELECT b.name, o.hash, o.kind, o.size, o.files
             FROM bindings b JOIN objects o ON o.id = b.object_id
             WHERE b.owner_id = :owner AND b.name >= :low AND b.name < :high ORDER BY b.name LIMIT :limit";
    LAST_NAME = "SELECT b.name, o.hash, o.kind, o.size, o.files
                 FROM bindings b JOIN objects o ON o.id = b.object_id
                 WHERE b.owner_id = :owner AND b.name >= :low AND b.name < :high ORDER BY b.name DESC LIMIT 1";
    KEYS = "SELECT key, version, title, (SELECT count(*) FROM bindings WHERE owner_id = owners.id)
            FROM owners WHERE key >= :low AND key < :high ORDER BY key, version LIMIT :limit";
    LAST_KEY = "SELECT key, version, title, (SELECT count(*) FROM bindings WHERE owner_id = owners.id)
                FROM owners WHERE key >= :low AND key < :high ORDER BY key DESC, version DESC LIMIT 1";
    VERSIONS = "SELECT key, version, title, (SELECT count(*) FROM bindings WHERE owner_id = owners.id)
                FROM owners WHERE key = :key AND version >= :low AND version < :high AND version <> ''
                ORDER BY version LIMIT :limit";
    HASHES = "SELECT hash, kind, size, files FROM objects
              WHERE hash BETWEEN :low AND :high AND state = 0 ORDER BY hash, kind LIMIT :limit";
    LAST_HASH = "SELECT hash, kind, size, files FROM objects
                 WHERE hash BETWEEN :low AND :high AND state = 0 ORDER BY hash DESC, kind DESC LIMIT 1";
}

/// An owner, what it is called for people, and how many names it has.
pub(crate) type OwnerHint = (OwnerId, Option<String>, u64);

/// The least text that is greater than all that begin so.
enum Beyond {
    Text(String),
    /// There is none; to SQLite any bytes are greater than any text.
    Everything,
}

impl Beyond {
    /// UTF-8 sorts as its characters do, so the last one that has a successor gives way to it.
    fn of(prefix: &str) -> Self {
        let mut text = prefix.to_owned();
        while let Some(last) = text.pop() {
            let next = if last == '\u{d7ff}' { Some('\u{e000}') } else { char::from_u32(u32::from(last) + 1) };
            if let Some(next) = next {
                text.push(next);
                return Self::Text(text);
            }
        }
        Self::Everything
    }
}

impl ToSql for Beyond {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        match self {
            Self::Text(text) => text.to_sql(),
            Self::Everything => Ok(ToSqlOutput::Borrowed(rusqlite::types::ValueRef::Blob(&[]))),
        }
    }
}

fn artifact(row: &Row<'_>, column: usize) -> rusqlite::Result<Artifact> {
    Ok(Artifact {
        hash: row.get(column)?,
        kind: row.get(column + 1)?,
        size: row.get(column + 2)?,
        files: row.get(column + 3)?,
    })
}

fn name_hint(row: &Row<'_>) -> rusqlite::Result<(String, Artifact)> {
    Ok((row.get(0)?, artifact(row, 1)?))
}

fn owner_hint(row: &Row<'_>) -> rusqlite::Result<OwnerHint> {
    Ok((owner_id(row, 0)?, row.get(2)?, row.get(3)?))
}

impl ReadTx<'_> {
    /// Returns names of an owner that begin so.
    pub(crate) fn names_like(&self, owner: i64, prefix: &str, limit: usize) -> Result<Vec<(String, Artifact)>> {
        let high = Beyond::of(prefix);
        let mut found = self.hints(
            NAMES,
            named_params! {":owner": owner, ":low": prefix, ":high": high, ":limit": limit},
            name_hint,
        )?;
        if found.len() == limit {
            let last = named_params! {":owner": owner, ":low": prefix, ":high": high};
            replace_last(&mut found, self.hint(LAST_NAME, last, name_hint)?);
        }
        Ok(found)
    }

    /// Returns owners that, as `KEY` or `KEY@VERSION`, begin so. A key may hold an `@` too.
    pub(crate) fn owners_like(&self, prefix: &str, limit: usize) -> Result<Vec<OwnerHint>> {
        let high = Beyond::of(prefix);
        let within = named_params! {":low": prefix, ":high": high, ":limit": limit};
        let mut found = self.hints(KEYS, within, owner_hint)?;
        if found.len() == limit {
            let last = named_params! {":low": prefix, ":high": high};
            replace_last(&mut found, self.hint(LAST_KEY, last, owner_hint)?);
        }
        for (at, _) in prefix.match_indices('@') {
            let (key, version) = (&prefix[..at], &prefix[at + 1..]);
            let high = Beyond::of(version);
            let within = named_params! {":key": key, ":low": version, ":high": high, ":limit": limit};
            found.extend(self.hints(VERSIONS, within, owner_hint)?);
        }
        Ok(found)
    }

    /// Returns live objects with a hash between these.
    pub(crate) fn hashes_like(&self, (low, high): (Digest, Digest), limit: usize) -> Result<Vec<Artifact>> {
        let within = named_params! {":low": low, ":high": high, ":limit": limit};
        let mut found = self.hints(HASHES, within, |row| artifact(row, 0))?;
        if found.len() == limit {
            let last = named_params! {":low": low, ":high": high};
            replace_last(&mut found, self.hint(LAST_HASH, last, |row| artifact(row, 0))?);
        }
        Ok(found)
    }

    fn hints<T>(
        &self,
        sql: &str,
        parameters: impl Params,
        read: fn(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        let mut statement = self.connection.prepare_cached(sql).to("read")?;
        let rows = statement.query_map(parameters, read).to("read")?;
        rows.collect::<rusqlite::Result<_>>().to("read")
    }

    fn hint<T>(
        &self,
        sql: &str,
        parameters: impl Params,
        read: fn(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>> {
        let mut statement = self.connection.prepare_cached(sql).to("read")?;
        statement.query_row(parameters, read).optional().to("read")
    }
}

fn replace_last<T>(found: &mut Vec<T>, last: Option<T>) {
    if found.pop().is_some() {
        found.extend(last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_begins_so_lies_beyond() {
        let beyond = |prefix: &str| match Beyond::of(prefix) {
            Beyond::Text(text) => Some(text),
            Beyond::Everything => None,
        };
        assert_eq!(beyond("ab").as_deref(), Some("ac"));
        assert_eq!(beyond("a\u{10ffff}").as_deref(), Some("b"));
        assert_eq!(beyond("\u{d7ff}").as_deref(), Some("\u{e000}"));
        assert_eq!(beyond("%_").as_deref(), Some("%`"));
        assert_eq!((beyond(""), beyond("\u{10ffff}")), (None, None));
    }
}
