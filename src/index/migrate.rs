//! Brings the schema up to date.
//!
//! Rules: a migration is never changed or removed once released; `user_version` counts how many ran;
//! those that are missing run in one transaction that sets the version last, behind a copy of the index.

use std::path::Path;

use rusqlite::Connection;

use crate::error::{Error, Result};
use crate::index::{Attempt as _, Birth, Index, ReadTx, backup};

/// "OMA1": tells other programs whose file this is (<https://sqlite.org/pragma.html#pragma_application_id>).
const APPLICATION_ID: i32 = 0x4f4d_4131;

const MIGRATIONS: [&str; 7] = [
    include_str!("../../migrations/0001_store.sql"),
    include_str!("../../migrations/0002_julia.sql"),
    include_str!("../../migrations/0003_policy.sql"),
    include_str!("../../migrations/0004_views.sql"),
    include_str!("../../migrations/0005_samples.sql"),
    include_str!("../../migrations/0006_downloads.sql"),
    include_str!("../../migrations/0007_place.sql"),
];

/// Applies what is missing. An empty database is filled only with `birth`; of one at `precious` a copy
/// is kept first.
pub(super) fn apply(index: &Index, birth: Option<Birth>, precious: Option<&Path>) -> Result<()> {
    let found = check(&index.lock(), &index.root, birth.is_some())?;
    if found == MIGRATIONS.len() {
        return Ok(());
    }
    if index.is_read_only() {
        return Err(Error::ReadOnly { path: index.root.clone() });
    }
    let connection = index.lock();
    index.patiently(&connection, "BEGIN IMMEDIATE")?;
    let outcome = upgrade(index, &connection, birth, precious)
        .and_then(|()| index.disk.fault_point(&index.root))
        .and_then(|()| index.patiently(&connection, "COMMIT"));
    if outcome.is_err() {
        let _ = connection.execute_batch("ROLLBACK");
    }
    outcome
}

/// Runs inside the write transaction: another process may have been faster. The copy is made here too,
/// because a slower process would else keep a copy of what is new already.
fn upgrade(index: &Index, connection: &Connection, birth: Option<Birth>, precious: Option<&Path>) -> Result<()> {
    let found = check(connection, &index.root, birth.is_some())?;
    if let Some(path) = precious.filter(|_| found < MIGRATIONS.len()) {
        backup::keep(path, &index.disk)?;
    }
    for (number, sql) in MIGRATIONS.iter().enumerate().skip(found) {
        connection.execute_batch(sql).to("upgrade")?;
        connection.pragma_update(None, "user_version", number + 1).to("upgrade")?;
    }
    connection.pragma_update(None, "application_id", APPLICATION_ID).to("upgrade")?;
    let read = ReadTx { connection };
    if let Some(birth) = birth {
        read.be_born(birth)?;
    }
    // An older program did not write it down: it was where it is.
    read.settle_root(&index.root)?;
    Ok(())
}

/// Tells whether nothing was ever written into this database.
pub(super) fn is_blank(connection: &Connection) -> Result<bool> {
    connection
        .query_row(
            "SELECT (SELECT count(*) FROM sqlite_schema) = 0 AND user_version = 0 FROM pragma_user_version",
            [],
            |row| row.get(0),
        )
        .to("open")
}

/// Returns how many migrations ran, or says why this is no index of ours.
fn check(connection: &Connection, root: &Path, may_be_empty: bool) -> Result<usize> {
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).to("open");
    let (application, version) = (pragma("application_id")?, pragma("user_version")?);
    let not_ours = |reason: &str| Error::NotAStore { path: root.to_owned(), reason: reason.to_owned() };
    if is_blank(connection)? {
        return if may_be_empty { Ok(0) } else { Err(not_ours("its index is empty")) };
    }
    if application != i64::from(APPLICATION_ID) {
        return Err(not_ours("`index.sqlite` belongs to another program"));
    }
    let supported = MIGRATIONS.len();
    match usize::try_from(version) {
        Ok(found) if (1..=supported).contains(&found) => Ok(found),
        _ => {
            let supported = i64::try_from(supported).unwrap_or(i64::MAX);
            Err(Error::SchemaTooNew { path: root.to_owned(), found: version, supported })
        }
    }
}
