//! Answers questions that people write in SQL: one query over the public views, and nothing else.
//!
//! Why: people ask what nobody has foreseen; and what they ask must neither change the store, nor stop
//! other work, nor come to rely on tables that the next release may change.
//! Guarantees: a connection of its own that cannot write; a query is read first against an index that holds
//! the public views alone, so that there is nothing else it could name; time, and the size of values, rows
//! and queries, have limits. Must not know: how an answer is shown.

mod judge;

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, Row};

use crate::error::{Error, Result};
use crate::event::Interrupt;
use crate::index::{Attempt as _, Index, connect};
use crate::model::{SqlPart, SqlValue};
use crate::text::printable;

/// Every query of the judges.
#[cfg(test)]
pub(super) fn all() -> Vec<(&'static str, &'static str)> {
    judge::ALL.to_vec()
}

/// A value: metadata of a binding may be 16 MiB, and a list of everything in one value a little more.
const LONGEST_VALUE: i32 = 32 * 1024 * 1024;
/// All values of a row together.
const LARGEST_ROW: usize = 64 * 1024 * 1024;
const MOST_COLUMNS: i32 = 200;
/// What a pattern of LIKE may hold: matching a long one takes long, and cannot be stopped on the way.
const LONGEST_PATTERN: i32 = 256;
/// After so many steps of its program a query looks at the clock: well under a millisecond.
const STEPS: i32 = 10_000;

impl Index {
    /// Runs a query over the public views and tells `each` its columns and rows, as long as that wants more.
    pub(crate) fn ask(
        &self,
        query: &str,
        limit: Duration,
        mut each: impl FnMut(SqlPart) -> ControlFlow<()>,
    ) -> Result<()> {
        let end = End::new(limit, self.waiting.interrupt.clone());
        let views = self.read(|tx| tx.views())?;
        judge::check(query, &views)?;
        let mut connection = connect::open_to_ask(self)?;
        restrict(&connection)?;
        let watch = end.clone();
        connection.progress_handler(STEPS, Some(move || watch.is_here())).to("set up")?;
        judge::guard(&mut connection, &views)?;
        run(&connection, query, &end, &mut each).map_err(|error| end.explain(error))
    }
}

/// When a query must stop.
#[derive(Debug, Clone)]
struct End {
    limit: Duration,
    /// None: so far ahead that there is no such time.
    at: Option<Instant>,
    interrupt: Interrupt,
}

impl End {
    fn new(limit: Duration, interrupt: Interrupt) -> Self {
        Self { limit, at: Instant::now().checked_add(limit), interrupt }
    }

    fn is_here(&self) -> bool {
        self.interrupt.requested() || self.at.is_some_and(|at| Instant::now() >= at)
    }

    fn check(&self) -> Result<()> {
        self.interrupt.check()?;
        if self.is_here() { Err(Error::QueryTimeout { limit: self.limit }) } else { Ok(()) }
    }

    /// Says why a query ended: SQLite only knows that it was told to stop.
    fn explain(&self, error: Error) -> Error {
        let Error::Database { source, .. } = &error else { return error };
        match source.sqlite_error_code() {
            Some(ErrorCode::OperationInterrupted) => self.check().err().unwrap_or(error),
            // What the query itself is to blame for: bad JSON, a sum or a value that is too large.
            Some(
                ErrorCode::Unknown
                | ErrorCode::TooBig
                | ErrorCode::TypeMismatch
                | ErrorCode::AuthorizationForStatementDenied,
            ) => refused(source),
            _ => error,
        }
    }
}

/// Sets the limits, and takes `"word"` for a column only: a misspelt one is no text.
fn restrict(connection: &Connection) -> Result<()> {
    let limits = [
        (Limit::SQLITE_LIMIT_LENGTH, LONGEST_VALUE),
        (Limit::SQLITE_LIMIT_COLUMN, MOST_COLUMNS),
        (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, LONGEST_PATTERN),
        (Limit::SQLITE_LIMIT_ATTACHED, 0),
    ];
    for (limit, value) in limits {
        connection.set_limit(limit, value).to("set up")?;
    }
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false).to("set up")?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true).to("set up").map(drop)
}

fn run(
    connection: &Connection,
    query: &str,
    end: &End,
    each: &mut impl FnMut(SqlPart) -> ControlFlow<()>,
) -> Result<()> {
    let mut statement = connection.prepare(query).to("read")?;
    let columns = unique(statement.column_names().map(|name| printable_text(name.as_bytes())));
    let width = columns.len();
    if each(SqlPart::Columns(columns)).is_break() {
        return Ok(());
    }
    let mut rows = statement.query([]).to("read")?;
    while let Some(row) = rows.next().to("read")? {
        end.check()?;
        if each(SqlPart::Row(values(row, width)?)).is_break() {
            break;
        }
    }
    Ok(())
}

fn values(row: &Row<'_>, width: usize) -> Result<Vec<SqlValue>> {
    let mut bytes = 0;
    let mut values = Vec::with_capacity(width);
    for column in 0..width {
        let value = match row.get_ref(column).to("read")? {
            ValueRef::Null => SqlValue::Null,
            ValueRef::Integer(number) => SqlValue::Integer(number),
            ValueRef::Real(number) => SqlValue::Real(number),
            ValueRef::Text(text) => {
                bytes += text.len();
                SqlValue::Text(printable_text(text))
            }
            ValueRef::Blob(blob) => {
                bytes += blob.len();
                SqlValue::Blob(blob.to_owned())
            }
        };
        if bytes > LARGEST_ROW {
            return Err(not_accepted("a row of its answer is too large"));
        }
        values.push(value);
    }
    Ok(values)
}

/// Text as it is; what is no text is escaped.
fn printable_text(bytes: &[u8]) -> String {
    std::str::from_utf8(bytes).map_or_else(|_| printable(bytes), str::to_owned)
}

/// Gives each column a name of its own.
fn unique(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut unique: Vec<String> = Vec::new();
    for name in names {
        let numbered = (2u64..).map(|number| format!("{name}:{number}"));
        let free = std::iter::once(name.clone()).chain(numbered).find(|name| !unique.contains(name));
        unique.extend(free);
    }
    unique
}

fn not_accepted(reason: &str) -> Error {
    Error::Query { reason: reason.to_owned() }
}

/// What SQLite says, without the query that it repeats.
fn refused(error: &rusqlite::Error) -> Error {
    match error {
        rusqlite::Error::SqlInputError { msg, .. } | rusqlite::Error::SqliteFailure(_, Some(msg)) => not_accepted(msg),
        other => not_accepted(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_of_one_name_are_told_apart() {
        let names = ["a", "b", "a", "a:2", "a"].map(str::to_owned);
        assert_eq!(unique(names.into_iter()), ["a", "b", "a:2", "a:2:2", "a:3"]);
    }
}
