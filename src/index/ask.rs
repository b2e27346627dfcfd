//! Answers questions that people write in SQL: one query over the public views, and nothing else.
//!
//! Why: people ask what nobody has foreseen; and what they ask must neither change the store, nor stop
//! other work, nor come to rely on tables that the next release may change.
//! Guarantees: a connection of its own that cannot write; a query is read first against an index that holds
//! the public views alone, so that there is nothing else it could name; time, and the size of values, rows
//! and queries, have limits. Must not know: how an answer is shown.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::fallible_iterator::FallibleIterator as _;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::types::ValueRef;
use rusqlite::{Batch, Connection, ErrorCode, Row};

use crate::error::{Error, Result};
use crate::event::Interrupt;
use crate::index::{Attempt as _, Index, View, connect, queries};
use crate::model::{SqlPart, SqlValue};
use crate::text::printable;

/// A value: metadata of a binding may be 16 MiB, and a list of everything in one value a little more.
const LONGEST_VALUE: i32 = 32 * 1024 * 1024;
/// All values of a row together.
const LARGEST_ROW: usize = 64 * 1024 * 1024;
const MOST_COLUMNS: i32 = 200;
/// What a pattern of LIKE may hold: matching a long one takes long, and cannot be stopped on the way.
const LONGEST_PATTERN: i32 = 256;
/// After so many steps of its program a query looks at the clock: well under a millisecond.
const STEPS: i32 = 10_000;

/// What reads from other places than the index, or writes a log.
const FORBIDDEN_FUNCTIONS: [&str; 3] = ["load_extension", "fts3_tokenizer", "sqlite_log"];
/// These take JSON apart, and read nothing else.
const JSON_TABLES: [&str; 2] = ["json_each", "json_tree"];

queries! {
    MODULES = "SELECT name FROM pragma_module_list";
}

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
        check(query, &views)?;
        let mut connection = connect::open_to_ask(self)?;
        restrict(&connection)?;
        let watch = end.clone();
        connection.progress_handler(STEPS, Some(move || watch.is_here())).to("set up")?;
        let names: Vec<String> = views.into_iter().map(|view| view.name).collect();
        connection.authorizer(Some(move |asked: AuthContext<'_>| verdict(reads_views(&asked, &names)))).to("set up")?;
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

/// Reads a query where the public views are all there is. What is fine here cannot name a table later: not
/// even by a common table expression that has the name of a view, for whom SQLite would take it then.
fn check(query: &str, views: &[View]) -> Result<()> {
    let mut sandbox = Connection::open_in_memory().to("set up")?;
    for view in views {
        sandbox.execute_batch(&stand_in(view)).to("set up")?;
    }
    let modules = modules(&sandbox).to("set up")?;
    restrict(&sandbox)?;
    let names: Vec<String> = views.iter().map(|view| view.name.clone()).collect();
    let judge = move |asked: AuthContext<'_>| verdict(names_views(&asked, &names, &modules));
    sandbox.authorizer(Some(judge)).to("set up")?;
    let mut statements = Batch::new(&sandbox, query);
    let first = statements.next().map_err(|error| refused(&error))?;
    let first = first.ok_or_else(|| not_accepted("it is empty"))?;
    // A second one need not be right to be one too many.
    if !matches!(statements.next(), Ok(None)) {
        return Err(not_accepted("it is more than one statement"));
    }
    if !first.readonly() || first.column_count() == 0 || first.is_explain() != 0 {
        return Err(not_accepted("it is not one that reads rows"));
    }
    if first.parameter_count() > 0 {
        return Err(not_accepted("it has parameters, and nothing gives them values"));
    }
    Ok(())
}

/// Tables that come with SQLite.
fn modules(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare(MODULES)?;
    let modules = statement.query_map([], |row| row.get(0))?;
    modules.collect()
}

/// A view of the same name and columns that holds nothing.
fn stand_in(view: &View) -> String {
    let columns: Vec<&str> = view.columns.iter().map(|column| column.name.as_str()).collect();
    let nulls = vec!["NULL"; columns.len()].join(", ");
    format!("CREATE VIEW {} ({}) AS VALUES ({nulls})", view.name, columns.join(", "))
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

fn verdict(allowed: bool) -> Authorization {
    if allowed { Authorization::Allow } else { Authorization::Deny }
}

/// Tells whether something asked for is a question, whatever it is about; none if it is about a table.
fn is_question(asked: &AuthContext<'_>) -> Option<bool> {
    match asked.action {
        AuthAction::Select | AuthAction::Recursive => Some(true),
        AuthAction::Function { function_name } => {
            Some(!FORBIDDEN_FUNCTIONS.iter().any(|forbidden| function_name.eq_ignore_ascii_case(forbidden)))
        }
        AuthAction::Read { .. } => None,
        _ => Some(false),
    }
}

fn is_public(table: &str, views: &[String]) -> bool {
    let is = |name: &str| table.eq_ignore_ascii_case(name);
    views.iter().any(|view| is(view)) || JSON_TABLES.iter().any(|name| is(name))
}

/// Judges a query where there are only the public views.
fn names_views(asked: &AuthContext<'_>, views: &[String], modules: &[String]) -> bool {
    let AuthAction::Read { table_name: table, column_name: column } = asked.action else {
        return is_question(asked) == Some(true);
    };
    // One of which no column is asked for may also be a common table expression, by any other name.
    let built_in = || {
        let lower = table.to_ascii_lowercase();
        lower.starts_with("sqlite_") || lower.starts_with("pragma_") || modules.contains(&lower)
    };
    is_public(table, views) || (column.is_empty() && !built_in())
}

/// Judges the same query where the views read tables. SQLite names the view, or the part of it, that reads;
/// what reads a table by itself is a function.
fn reads_views(asked: &AuthContext<'_>, views: &[String]) -> bool {
    let AuthAction::Read { table_name: table, column_name: column } = asked.action else {
        return is_question(asked) == Some(true);
    };
    let inside = asked.accessor.is_some() || column.is_empty();
    is_public(table, views) || (inside && !table.to_ascii_lowercase().starts_with("sqlite_"))
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

    /// The first check must not be the only one.
    #[test]
    fn tables_are_out_of_reach_of_functions_too() {
        let views = ["v1_usage".to_owned()];
        let read = |accessor| AuthContext {
            action: AuthAction::Read { table_name: "objects", column_name: "id" },
            database_name: Some("main"),
            accessor,
        };
        assert!(reads_views(&read(Some("held")), &views), "a part of a view");
        assert!(!reads_views(&read(None), &views));
        assert!(!names_views(&read(Some("v1_usage")), &views, &[]), "there are no tables to be read");
    }
}
