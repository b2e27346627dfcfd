//! Holds the answers of `oma` against those of plain SQL before anything is timed.

use std::path::Path;
use std::process::Command;

use rusqlite::Connection;
use serde_json::Value;

use crate::ask::{Subject, USAGE, what_if};

/// Panics if an answer differs.
pub(crate) fn answers(root: &Path, subject: &Subject, oma: impl Fn(&[&str]) -> Command) {
    let index = Connection::open(root.join("index.sqlite")).expect("its index");
    let usage = asked(oma(&["usage", "--json"]));
    let owners = usage["owners"].as_array().expect("owners");
    let told: Vec<Vec<Value>> = owners.iter().map(row).collect();
    assert_eq!(told, plain_usage(&index), "usage of all");
    let one = asked(oma(&["usage", "--json", "-o", &subject.owner]));
    let mine: Vec<Vec<Value>> = one["owners"].as_array().expect("owners").iter().map(row).collect();
    assert!(mine.len() == 1 && told.contains(&mine[0]), "usage of one owner");
    let freed: i64 = index.query_row(&what_if(subject), [], |row| row.get(0)).expect("a sum");
    let report = asked(oma(&["what-if", "--json", "--remove-owner", &subject.owner]));
    assert_eq!(report["freed_bytes"], freed, "what-if");
    println!("the answers are those of plain SQL: {} owners, {freed} bytes freed by one of them", told.len());
}

const FIELDS: [&str; 8] =
    ["owner", "version", "bindings", "files", "total_bytes", "exclusive_bytes", "shared_bytes", "fair_bytes"];

fn row(owner: &Value) -> Vec<Value> {
    FIELDS.iter().map(|field| owner[*field].clone()).collect()
}

fn plain_usage(index: &Connection) -> Vec<Vec<Value>> {
    let mut statement = index.prepare(USAGE).expect("a statement");
    let rows = statement.query_map([], |row| {
        let version: String = row.get(1)?;
        let mut values = vec![row.get::<_, String>(0)?.into(), Some(version).filter(|text| !text.is_empty()).into()];
        for column in 2..FIELDS.len() {
            values.push(row.get::<_, u64>(column)?.into());
        }
        Ok(values)
    });
    rows.expect("rows").map(|row| row.expect("a row")).collect()
}

fn asked(mut command: Command) -> Value {
    let output = command.output().expect("it runs");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("a document")
}
