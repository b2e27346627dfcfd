//! An index of an older program, opened by this one: nothing is lost, and a copy of it stays.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::thread;

use ohmyartifacts::Cache;
use rusqlite::{Connection, OpenFlags};

use crate::support::{Env, mode_of};

const MIGRATIONS: [&str; 3] = [
    include_str!("../../migrations/0001_store.sql"),
    include_str!("../../migrations/0002_julia.sql"),
    include_str!("../../migrations/0003_policy.sql"),
];

/// "OMA1", as in `src/index/migrate.rs`.
const APPLICATION_ID: i64 = 0x4f4d_4131;

/// What every version can hold.
const ROWS: &str = "
INSERT INTO store VALUES (1, 'absolute', 'none', 1000, 2000, 7, 1500);
INSERT INTO objects (id, hash, kind, state, size, own_bytes, files, created_at, orphaned_at, verified_at) VALUES
  (1, randomblob(32), 2, 0, 5, 0, 2, 1100, NULL, 1200), (2, randomblob(32), 0, 0, 3, 3, 1, 1100, NULL, NULL),
  (3, randomblob(32), 1, 0, 2, 2, 1, 1101, 1900, NULL), (4, randomblob(32), 0, 2, 9, 9, 1, 1102, 1901, NULL);
INSERT INTO members VALUES (1, 2), (1, 3);
INSERT INTO tree_entries VALUES
  (1, CAST('a' AS BLOB), 33188, 2, NULL), (1, CAST('b' AS BLOB), 33261, 3, NULL), (1, CAST('l' AS BLOB), 40960, NULL, CAST('a' AS BLOB));
INSERT INTO owners (id, key, version, title, root, created_at, last_seen_at) VALUES
  (1, 'model-zoo', '1.2', 'Models', '/srv/models', 1000, 1800), (2, 'plain', '', NULL, NULL, 1001, 1801);
INSERT INTO bindings (id, owner_id, name, object_id, meta, bound_at, last_used_at) VALUES
  (1, 1, 'weights', 1, '{\"a\":1}', 1200, NULL), (2, 2, 'weights', 1, NULL, 1201, 1700), (3, 2, 'file', 2, NULL, 1202, NULL);
INSERT INTO leases (id, object_id, session, expires_at, reason, created_at) VALUES
  (5, 3, NULL, 9000, 'create', 1300), (6, 2, '0123456789abcdef', NULL, 'work', 1301);
INSERT INTO pins VALUES (1, 'for good', NULL, 1400), (2, 'a while', 9000, 1401);
INSERT INTO sources VALUES (1, 2, 'url', 'https://example.org/f', 1100);
INSERT INTO events (id, at, what, hash, kind, owner, version, name, run_id)
  SELECT 1, 1200, 'bind', hash, kind, 'model-zoo', '1.2', 'weights', NULL FROM objects WHERE id = 1;
INSERT INTO events (id, at, what, hash, kind, owner, version, name, run_id)
  SELECT 2, 1500, 'collect', hash, kind, NULL, NULL, NULL, 1 FROM objects WHERE id = 4;
INSERT INTO gc_runs (id, started_at, collect_delay_ms, objects, bytes) VALUES (1, 1500, 0, 1, 9);
INSERT INTO gc_items (run_id, hash, kind, size, freed_bytes, orphaned_at, reason, names)
  SELECT 1, hash, kind, 9, 9, 1400, 'unbound', '[\"o:n\"]' FROM objects WHERE id = 4;
INSERT INTO usage_samples VALUES (1500, 'model-zoo', '1.2', 5, 5, 5);
";

/// What came with the second.
const ROWS_OF_2: &str = "
INSERT INTO owners (id, key, version, root, created_at, last_seen_at, probe, target, gone_since) VALUES
  (3, 'uuid-3', '', NULL, 1, 2, 'julia', '/depot', NULL), (4, 'uuid-4', '', NULL, 1, 2, 'julia', NULL, 1850),
  (5, 'uuid-5', '', '/both', 1, 2, 'julia', '/depot2', NULL);
UPDATE objects SET rule = 2, recorded = randomblob(32), linked = 1, doubt = 'large' WHERE id = 2;
UPDATE bindings SET extra = '{\"x\":2}' WHERE id = 2;
INSERT INTO events (id, at, what, hash, kind, owner, version, name)
  SELECT 3, 1600, 'lapse', hash, kind, 'uuid-4', '', 'n' FROM objects WHERE id = 3;
INSERT INTO declarations VALUES (1, 3, 'n', 'n', NULL, NULL, 0, '[]', '{}', 1700);
INSERT INTO spaces VALUES (1, '/space', '/depot', 0, 1700, 1800);
INSERT INTO space_bindings SELECT 1, 'uuid-3', '', 'n', hash, NULL, 1700 FROM objects WHERE id = 1;
INSERT INTO space_files VALUES (1, 'a.toml', 'stamp');
";

/// Everything that must read the same before and after, whatever the format.
const KEPT: [&str; 13] = [
    "SELECT id, link_style, durability, created_at, clock, journal_seq, last_gc_at FROM store",
    "SELECT id, hash, kind, state, size, own_bytes, files, created_at, orphaned_at, verified_at FROM objects",
    "SELECT * FROM members",
    "SELECT * FROM tree_entries",
    "SELECT id, key, version, title, created_at, last_seen_at FROM owners",
    "SELECT id, owner_id, name, object_id, meta, bound_at, last_used_at FROM bindings",
    "SELECT id, object_id, session, expires_at, reason, created_at FROM leases",
    "SELECT * FROM pins",
    "SELECT * FROM sources",
    "SELECT id, at, what, hash, kind, owner, version, name, run_id FROM events",
    "SELECT id, started_at, collect_delay_ms, objects, bytes FROM gc_runs",
    "SELECT run_id, hash, kind, size, freed_bytes, orphaned_at, reason, names FROM gc_items",
    "SELECT * FROM usage_samples",
];

const KEPT_OF_2: [&str; 7] = [
    "SELECT id, rule, recorded, linked, doubt FROM objects",
    "SELECT id, gone_since FROM owners",
    "SELECT id, extra FROM bindings",
    "SELECT * FROM declarations",
    "SELECT * FROM spaces",
    "SELECT * FROM space_bindings",
    "SELECT * FROM space_files",
];

/// Makes the index that a program of this version left. The third moved rows of the second, which is why
/// they are written first.
fn old_index(env: &Env, version: usize) {
    fs::create_dir(env.root()).unwrap();
    let connection = Connection::open(env.root().join("index.sqlite")).unwrap();
    connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA foreign_keys = ON").unwrap();
    let (first, later) = MIGRATIONS[..version].split_at(version.min(2));
    for sql in first {
        connection.execute_batch(sql).unwrap();
    }
    connection.execute_batch(ROWS).unwrap();
    if version > 1 {
        connection.execute_batch(ROWS_OF_2).unwrap();
    }
    for sql in later {
        connection.execute_batch(sql).unwrap();
    }
    connection.pragma_update(None, "user_version", version).unwrap();
    connection.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
}

fn look(path: &Path) -> Connection {
    Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap()
}

/// Every row as text, in order.
fn rows(connection: &Connection, query: &str) -> Vec<String> {
    let mut statement = connection.prepare(query).unwrap_or_else(|error| panic!("{query}: {error}"));
    let columns = statement.column_count();
    let mut found: Vec<String> = statement
        .query_map([], |row| {
            let values = (0..columns).map(|column| row.get::<_, rusqlite::types::Value>(column).unwrap());
            Ok(format!("{:?}", values.collect::<Vec<_>>()))
        })
        .unwrap()
        .map(Result::unwrap)
        .collect();
    found.sort();
    found
}

fn kept(path: &Path, version: usize) -> Vec<Vec<String>> {
    let connection = look(path);
    let more = if version > 1 { &KEPT_OF_2[..] } else { &[] };
    KEPT.iter().chain(more).map(|query| rows(&connection, query)).collect()
}

fn version(path: &Path) -> i64 {
    look(path).pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
}

/// The schema, whatever the order in which it came to be and however it is spaced.
fn schema(path: &Path) -> Vec<String> {
    let found = rows(&look(path), "SELECT type, name, tbl_name, sql FROM sqlite_schema");
    found.into_iter().map(|row| row.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn an_old_index_keeps_its_rows_and_gets_the_schema_of_a_new_one() {
    let fresh = Env::new();
    drop(fresh.open());
    for old in [1, 2, 3] {
        let env = Env::new();
        old_index(&env, old);
        let index = env.root().join("index.sqlite");
        let before = kept(&index, old);
        assert!(before.iter().all(|rows| !rows.is_empty()), "a fixture without rows shows nothing");
        drop(env.open());
        assert_eq!(kept(&index, old), before, "version {old}");
        assert_eq!(schema(&index), schema(&fresh.root().join("index.sqlite")), "version {old}");
        assert_eq!(version(&index), version(&fresh.root().join("index.sqlite")));
        assert_eq!(rows(&look(&index), "PRAGMA foreign_key_check"), Vec::<String>::new());
        assert_eq!(rows(&look(&index), "PRAGMA integrity_check"), [r#"[Text("ok")]"#]);
    }
}

#[test]
fn probes_move_to_a_table_of_their_own() {
    let env = Env::new();
    old_index(&env, 2);
    let cache = env.open();
    let query = "SELECT owner_id || ' ' || kind || ' ' || target FROM probes WHERE mount IS NULL AND user_id IS NULL";
    let probes = rows(&look(&env.root().join("index.sqlite")), query);
    let expected = ["1 path /srv/models", "3 julia /depot", "4 julia ", "5 julia /depot2", "5 path /both"];
    assert_eq!(probes, expected.map(|probe| format!("[Text({probe:?})]")));
    assert_eq!(cache.owners().unwrap().len(), 5);
}

#[test]
fn a_copy_of_the_old_index_stays_beside_it() {
    for old in [1, 2, 3] {
        let env = Env::new();
        old_index(&env, old);
        let (index, copy) = (env.root().join("index.sqlite"), env.root().join("index.sqlite.bak"));
        fs::set_permissions(&index, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&copy, "of an upgrade long ago").unwrap();
        fs::write(env.root().join("index.sqlite.bak.new"), "of a process that died").unwrap();
        let before = kept(&index, old);
        let old_schema = schema(&index);
        drop(env.open());
        assert_eq!((version(&copy), schema(&copy)), (i64::try_from(old).unwrap(), old_schema));
        assert_eq!(kept(&copy, old), before);
        assert_eq!(mode_of(&copy), 0o600, "it holds what the index holds");
        assert!(!env.root().join("index.sqlite.bak.new").exists());
        let upgraded = fs::metadata(&copy).unwrap().modified().unwrap();
        drop(env.open());
        assert_eq!(fs::metadata(&copy).unwrap().modified().unwrap(), upgraded, "one upgrade, one copy");
    }
}

#[test]
fn a_new_store_has_no_copy() {
    let env = Env::new();
    drop(env.open());
    assert!(!env.root().join("index.sqlite.bak").exists());
}

/// The slower ones must not copy what is new already.
#[test]
fn many_that_come_at_once_upgrade_it_once() {
    let env = Env::new();
    old_index(&env, 2);
    let before = kept(&env.root().join("index.sqlite"), 2);
    thread::scope(|scope| {
        let all: Vec<_> = (0..8).map(|_| scope.spawn(|| drop(env.open()))).collect();
        for one in all {
            one.join().expect("it opens");
        }
    });
    assert_eq!(version(&env.root().join("index.sqlite.bak")), 2);
    assert_eq!(kept(&env.root().join("index.sqlite"), 2), before);
}

#[cfg(feature = "failpoints")]
#[test]
fn an_upgrade_that_fails_leaves_the_old_index() {
    let mut failures = 0;
    loop {
        let env = Env::new();
        old_index(&env, 2);
        let index = env.root().join("index.sqlite");
        let before = kept(&index, 2);
        let fault = format!("full@{}", failures + 1).parse().unwrap();
        let outcome = Cache::open(env.options().fault(fault));
        if outcome.is_ok() {
            break;
        }
        failures += 1;
        assert_eq!(outcome.unwrap_err().kind(), ohmyartifacts::ErrorKind::OutOfSpace);
        assert_eq!((version(&index), kept(&index, 2)), (2, before.clone()), "failure {failures}");
        assert!(!env.root().join("index.sqlite.bak.new").exists(), "failure {failures}");
        drop(env.open());
        assert_eq!(version(&env.root().join("index.sqlite.bak")), 2);
        assert_eq!(kept(&index, 2), before);
    }
    assert!(failures >= 5, "only {failures} points");
}
