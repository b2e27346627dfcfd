//! What a query may ask for.
//!
//! Two judges look at it. The first reads it where the public views are all there is; the second watches it
//! where the views read tables.

use rusqlite::fallible_iterator::FallibleIterator as _;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::{Batch, Connection};

use crate::error::Result;
use crate::index::ask::{not_accepted, refused, restrict};
use crate::index::{Attempt as _, View, queries};

/// What reads from other places than the index, or writes a log.
const FORBIDDEN_FUNCTIONS: [&str; 3] = ["load_extension", "fts3_tokenizer", "sqlite_log"];
/// These take JSON apart, and read nothing else.
const JSON_TABLES: [&str; 2] = ["json_each", "json_tree"];

queries! {
    MODULES = "SELECT name FROM pragma_module_list";
}

/// Reads a query where the public views are all there is. What is fine here cannot name a table later: not
/// even by a common table expression that has the name of a view, for whom SQLite would take it then.
pub(super) fn check(query: &str, views: &[View]) -> Result<()> {
    let mut sandbox = Connection::open_in_memory().to("set up")?;
    for view in views {
        sandbox.execute_batch(&stand_in(view)).to("set up")?;
    }
    let modules = modules(&sandbox).to("set up")?;
    restrict(&sandbox)?;
    let names = names_of(views);
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

/// Lets a connection read nothing but the views, and what they read.
pub(super) fn guard(connection: &mut Connection, views: &[View]) -> Result<()> {
    let names = names_of(views);
    connection.authorizer(Some(move |asked: AuthContext<'_>| verdict(reads_views(&asked, &names)))).to("set up")
}

fn names_of(views: &[View]) -> Vec<String> {
    views.iter().map(|view| view.name.clone()).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

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
