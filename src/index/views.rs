//! The public views, and what is said of them.
//!
//! The comments stand in the text of each view, so they are wherever the index is, and cannot be those of
//! another version.

use serde::Serialize;

use crate::error::Result;
use crate::index::{Attempt as _, ReadTx, queries};

/// A public view of the index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct View {
    /// What it is called.
    pub name: String,
    /// What a row of it is.
    pub comment: String,
    /// Its columns, in order.
    pub columns: Vec<ViewColumn>,
}

/// A column of a public view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ViewColumn {
    /// What it is called.
    pub name: String,
    /// What it holds.
    pub comment: String,
}

queries! {
    VIEWS = "SELECT name, sql FROM sqlite_schema WHERE type = 'view' AND name GLOB 'v1_*' ORDER BY name";
}

impl ReadTx<'_> {
    /// Returns the public views, by name.
    pub(crate) fn views(&self) -> Result<Vec<View>> {
        let mut statement = self.connection.prepare_cached(VIEWS).to("read")?;
        let rows = statement
            .query_map([], |row| {
                let sql: String = row.get(1)?;
                Ok(described(row.get(0)?, &sql))
            })
            .to("read")?;
        rows.collect::<rusqlite::Result<_>>().to("read")
    }
}

/// Reads what a view says of itself: its text opens with the list of its columns, a line each, and before
/// these stand the lines that say what a row is.
fn described(name: String, sql: &str) -> View {
    let mut comment: Vec<&str> = Vec::new();
    let mut columns = Vec::new();
    let list = sql.lines().skip(1).map(str::trim).take_while(|line| !line.starts_with(')'));
    for line in list {
        match line.split_once("--") {
            Some((before, said)) if before.trim().is_empty() => comment.push(said.trim()),
            Some((before, said)) => columns.push(column(before, said)),
            None if line.is_empty() => {}
            None => columns.push(column(line, "")),
        }
    }
    View { name, comment: comment.join(" "), columns }
}

fn column(name: &str, comment: &str) -> ViewColumn {
    ViewColumn { name: name.trim().trim_end_matches(',').to_owned(), comment: comment.trim().to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_says_what_it_is() {
        let sql = "CREATE VIEW v1_x (\n  -- A thing, and\n  -- another.\n  a,   -- one -- or two\n  bare,\n  b    -- NULL: none\n) AS\n-- inside\nSELECT 1, 2, 3";
        let view = described("v1_x".to_owned(), sql);
        assert_eq!(view.comment, "A thing, and another.");
        let columns: Vec<_> = view.columns.iter().map(|c| (c.name.as_str(), c.comment.as_str())).collect();
        assert_eq!(columns, [("a", "one -- or two"), ("bare", ""), ("b", "NULL: none")]);
    }
}
