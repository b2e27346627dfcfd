//! The query plans of the hot questions, written down: a lost index, or one that the planner no longer takes,
//! is seen as a change of this snapshot.

use std::fmt::Write as _;

use rusqlite::Connection;

use crate::index::{Index, bindings, contents, events, objects, prefix, samples, select, trees, usage};
use crate::time::Timestamp;

/// A module, its queries by name, and which of them are shown.
type Shown = (&'static str, &'static [(&'static str, &'static str)], &'static [&'static str]);

/// Which queries answer questions; those that write are not among them.
const ASKING: [Shown; 9] = [
    ("bindings", bindings::ALL, &["FIND", "OF_OWNER", "ALL_BINDINGS", "IN_ANY_ORDER", "OF_OBJECT"]),
    ("contents", contents::ALL, &["ALL_PATHS", "PATHS_OF_TREE", "WHOLE"]),
    ("events", events::ALL, &["NAMES", "LET_GO", "NAMES_OF_HASH"]),
    ("objects", objects::ALL, &["FIND", "FIND_LIVE", "BY_PREFIX", "IN_LIVE_TREE"]),
    ("prefix", prefix::ALL, &["NAMES", "LAST_NAME", "KEYS", "LAST_KEY", "VERSIONS", "HASHES", "LAST_HASH"]),
    ("samples", samples::ALL, &["LATEST", "LATEST_UNTIL", "EARLIEST", "OWNERS_AT", "LARGEST_ID"]),
    ("select", &[], &["DOOM_TREES", "DOOM_BLOBS", "LOOSENED", "BYTES_BEYOND", "UNUSED"]),
    ("trees", trees::ALL, &["TREES_WITH", "PATHS_OF", "ENTRY_AT", "ENTRIES"]),
    (
        "usage",
        usage::ALL,
        &[
            "OWNERS_BY_KEY",
            "BOUND",
            "STORED_OBJECTS",
            "EDGES",
            "BOUND_ARTIFACTS",
            "NAMES_OF_BOUND",
            "HELD_BY_OWNER",
            "UNOWNED",
            "LOGICAL",
            "STORED",
        ],
    ),
];

/// Returns the steps of a plan, each under the one it belongs to.
fn plan(connection: &Connection, sql: &str) -> String {
    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).expect("a query");
    let mut rows = statement.raw_query();
    let mut depths = std::collections::HashMap::new();
    let mut text = String::new();
    while let Some(row) = rows.next().expect("a step") {
        let (id, parent): (i64, i64) = (row.get(0).expect("an id"), row.get(1).expect("a parent"));
        let depth = depths.get(&parent).map_or(1, |depth| depth + 1);
        depths.insert(id, depth);
        let step: String = row.get(3).expect("a text");
        let _ = writeln!(text, "{}{step}", "  ".repeat(depth));
    }
    text
}

#[test]
fn hot_queries_keep_their_plans() {
    let index = Index::empty(Timestamp::from_millis(0)).expect("an index in memory");
    let connection = index.lock();
    select::prepare_scratch(&connection).expect("scratch tables");
    let selecting = select::all();
    let mut text = String::new();
    for (module, queries, names) in ASKING {
        let queries = if module == "select" { &selecting } else { queries };
        for name in names {
            let (_, sql) =
                queries.iter().find(|(known, _)| known == name).unwrap_or_else(|| panic!("{module}::{name}"));
            let _ = write!(text, "{module}::{name}\n{}", plan(&connection, sql));
        }
    }
    insta::assert_snapshot!(text);
}
