//! Puts on the disk what an index speaks of, so that `du` has something to walk.

use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use ohmyartifacts::{Artifact, Cache, CacheOptions, Digest, ObjectKind};
use rusqlite::Connection;

/// Makes all files, of a few bytes each, and all directories, of symbolic links as the store has them.
pub(crate) fn spread(root: &Path) {
    let cache = Cache::open(CacheOptions::new(root)).expect("a store");
    let index = Connection::open(root.join("index.sqlite")).expect("its index");
    let places = places(&cache, &index);
    let mut statement = index.prepare("SELECT tree_id, path, mode, blob_id FROM tree_entries").expect("a statement");
    let mut rows = statement.query([]).expect("rows");
    while let Some(row) = rows.next().expect("a row") {
        let (tree, mode): (i64, i64) = (row.get(0).expect("a tree"), row.get(2).expect("a mode"));
        let path: Vec<u8> = row.get(1).expect("a path");
        let path = places[&tree].join(std::ffi::OsStr::from_bytes(&path));
        if mode == 0o040_000 {
            std::fs::create_dir_all(path).expect("a directory");
            continue;
        }
        let blob: i64 = row.get(3).expect("a file");
        symlink(&places[&blob], path).expect("a link");
    }
}

/// Makes the files and the tops of the directories, and tells where each is.
fn places(cache: &Cache, index: &Connection) -> HashMap<i64, PathBuf> {
    let mut statement = index.prepare("SELECT id, hash, kind, size, files FROM objects").expect("a statement");
    let mut rows = statement.query([]).expect("rows");
    let mut places = HashMap::new();
    while let Some(row) = rows.next().expect("a row") {
        let kind =
            [ObjectKind::Blob, ObjectKind::Executable, ObjectKind::Tree][row.get::<_, usize>(2).expect("a kind")];
        let hash = Digest::from_bytes(row.get(1).expect("a hash"));
        let (size, files) = (row.get(3).expect("a size"), row.get(4).expect("a number"));
        let path = cache.path_of(&Artifact { hash, kind, size, files });
        if kind == ObjectKind::Tree {
            std::fs::create_dir_all(&path).expect("a directory");
        } else {
            std::fs::create_dir_all(path.parent().expect("a shelf")).expect("a shelf");
            std::fs::write(&path, b"bytes").expect("a file");
        }
        places.insert(row.get(0).expect("an id"), path);
    }
    places
}

/// Tells where the artifacts lie that a query names by hash and kind.
pub(crate) fn paths_of(root: &Path, sql: &str) -> Vec<PathBuf> {
    let index = Connection::open(root.join("index.sqlite")).expect("its index");
    let mut statement = index.prepare(sql).expect("a statement");
    let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?))).expect("rows");
    let shelf = |kind: i64| if kind == 1 { "executables" } else { "artifacts" };
    rows.map(|row| row.expect("a row")).map(|(hash, kind)| root.join(shelf(kind)).join(&hash[..2]).join(hash)).collect()
}
