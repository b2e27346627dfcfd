//! What trees consist of: the wide table of paths and the narrow one of blobs.

use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use rusqlite::{OptionalExtension as _, Row, named_params};

use crate::digest::Digest;
use crate::error::Result;
use crate::index::{Attempt as _, ObjectRow, ReadTx, WriteTx, queries};
use crate::model::{Entry, Node, ObjectKind};
use crate::time::Timestamp;

queries! {
    INSERT_MEMBER = "INSERT OR IGNORE INTO members (tree_id, blob_id) VALUES (:tree, :blob)";
    INSERT_ENTRY = "INSERT OR IGNORE INTO tree_entries (tree_id, path, mode, blob_id, target)
                    VALUES (:tree, :path, :mode, :blob, :target)";
    DROP_ENTRIES = "DELETE FROM tree_entries WHERE tree_id = :tree";
    /// Edges that no entry needs any more.
    DROP_SPARE_MEMBERS = "DELETE FROM members WHERE tree_id = :tree AND blob_id NOT IN (
                              SELECT blob_id FROM tree_entries WHERE tree_id = :tree AND blob_id IS NOT NULL)
                          RETURNING blob_id";
    DROP_DIRECTORIES = "DELETE FROM tree_entries WHERE tree_id = :tree AND mode = 16384";
    BLOB_OF = "SELECT id FROM objects WHERE hash = :hash AND kind = :kind";
    TREES_WITH = "SELECT t.id, t.hash, t.orphaned_at FROM members m JOIN objects t ON t.id = m.tree_id
                  WHERE m.blob_id = :blob AND t.state <> 2 ORDER BY t.hash";
    PATHS_OF = "SELECT path FROM tree_entries WHERE tree_id = :tree AND blob_id = :blob ORDER BY path";
    ENTRY_AT = "SELECT e.target, o.hash, o.kind FROM tree_entries e
                LEFT JOIN objects o ON o.id = e.blob_id WHERE e.tree_id = :tree AND e.path = :path";
    ENTRIES = "SELECT e.path, e.mode, e.target, o.hash, o.size
               FROM tree_entries e LEFT JOIN objects o ON o.id = e.blob_id
               WHERE e.tree_id = :tree";
}

/// What lies at a path of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum EntryAt {
    File(ObjectRow),
    /// A symbolic link, and where it points.
    Link(PathBuf),
    Directory,
}

/// A tree that needs a blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TreeWith {
    pub(crate) id: i64,
    pub(crate) hash: Digest,
    pub(crate) orphaned_at: Option<Timestamp>,
}

fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    let mode: u32 = row.get(1)?;
    let node = match mode {
        0o040_000 => Node::Directory,
        0o120_000 => Node::Link { target: path(row, 2)? },
        _ => Node::File { hash: row.get::<_, Digest>(3)?, executable: mode == 0o100_755, size: row.get(4)? },
    };
    Ok(Entry { path: path(row, 0)?, node })
}

fn path(row: &Row<'_>, column: usize) -> rusqlite::Result<PathBuf> {
    let bytes: Vec<u8> = row.get(column)?;
    Ok(std::ffi::OsString::from_vec(bytes).into())
}

impl ReadTx<'_> {
    /// Returns what lies at a path of a tree, if anything does.
    pub(crate) fn entry_at(&self, tree: i64, path: &Path) -> Result<Option<EntryAt>> {
        let mut statement = self.connection.prepare_cached(ENTRY_AT).to("read")?;
        let parameters = named_params! {":tree": tree, ":path": path.as_os_str().as_bytes()};
        let lying = |row: &Row<'_>| {
            let target = row.get::<_, Option<Vec<u8>>>(0)?.map(|bytes| std::ffi::OsString::from_vec(bytes).into());
            let file = match row.get::<_, Option<Digest>>(1)? {
                Some(hash) => Some((hash, row.get::<_, ObjectKind>(2)?)),
                None => None,
            };
            Ok((target, file))
        };
        match statement.query_row(parameters, lying).optional().to("read")? {
            None => Ok(None),
            Some((Some(target), _)) => Ok(Some(EntryAt::Link(target))),
            Some((None, None)) => Ok(Some(EntryAt::Directory)),
            Some((None, Some((hash, kind)))) => Ok(self.find_form(hash, kind)?.map(EntryAt::File)),
        }
    }

    /// Returns the trees that need a blob.
    pub(crate) fn trees_with(&self, blob: i64) -> Result<Vec<TreeWith>> {
        let mut statement = self.connection.prepare_cached(TREES_WITH).to("read")?;
        let rows = statement
            .query_map(named_params! {":blob": blob}, |row| {
                Ok(TreeWith { id: row.get(0)?, hash: row.get(1)?, orphaned_at: row.get(2)? })
            })
            .to("read")?;
        rows.collect::<rusqlite::Result<_>>().to("read")
    }

    /// Returns the paths at which a tree has a blob.
    pub(crate) fn paths_of(&self, tree: i64, blob: i64) -> Result<Vec<PathBuf>> {
        let mut statement = self.connection.prepare_cached(PATHS_OF).to("read")?;
        let rows = statement.query_map(named_params! {":tree": tree, ":blob": blob}, |row| path(row, 0)).to("read")?;
        rows.collect::<rusqlite::Result<_>>().to("read")
    }

    /// Returns a tree's entries, parents before children.
    pub(crate) fn entries(&self, tree: i64) -> Result<Vec<Entry>> {
        let mut statement = self.connection.prepare_cached(ENTRIES).to("read")?;
        let rows = statement.query_map(named_params! {":tree": tree}, entry).to("read")?;
        let mut entries = rows.collect::<rusqlite::Result<Vec<_>>>().to("read")?;
        entries.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        Ok(entries)
    }
}

impl WriteTx<'_> {
    /// Notes that a tree needs these blobs.
    pub(crate) fn add_members(&self, tree: i64, blobs: &[i64]) -> Result<()> {
        let mut statement = self.connection.prepare_cached(INSERT_MEMBER).to("write")?;
        blobs
            .iter()
            .try_for_each(|blob| statement.execute(named_params! {":tree": tree, ":blob": blob}).map(drop).to("write"))
    }

    /// Writes down paths of a tree. Those there already are the same, because the id covers them.
    pub(crate) fn add_entries<'e>(&self, tree: i64, entries: impl IntoIterator<Item = &'e Entry>) -> Result<()> {
        let mut insert = self.connection.prepare_cached(INSERT_ENTRY).to("write")?;
        for entry in entries {
            let blob = match entry.node {
                Node::File { hash, executable, .. } => Some(self.blob_id(hash, ObjectKind::file(executable))?),
                _ => None,
            };
            let target = match &entry.node {
                Node::Link { target } => Some(target.as_os_str().as_bytes()),
                _ => None,
            };
            let path = entry.path.as_os_str().as_bytes();
            insert
                .execute(named_params! {
                    ":tree": tree, ":path": path, ":mode": entry.node.mode(), ":blob": blob, ":target": target,
                })
                .to("write")?;
        }
        Ok(())
    }

    /// Forgets which directories a tree has. Empty ones are not part of the id, so two trees of one
    /// name may differ in them; what lies on disk counts.
    pub(crate) fn drop_directories(&self, tree: i64) -> Result<()> {
        self.connection.execute(DROP_DIRECTORIES, named_params! {":tree": tree}).map(drop).to("write")
    }

    /// Puts other entries in the place of a tree's own. Files that only the old ones needed are orphans.
    pub(crate) fn replace_entries(&self, tree: i64, entries: &[Entry]) -> Result<()> {
        self.connection.execute(DROP_ENTRIES, named_params! {":tree": tree}).to("write")?;
        self.add_entries(tree, entries)?;
        let mut statement = self.connection.prepare_cached(DROP_SPARE_MEMBERS).to("write")?;
        let rows = statement.query_map(named_params! {":tree": tree}, |row| row.get(0)).to("write")?;
        let spare = rows.collect::<rusqlite::Result<Vec<i64>>>().to("write")?;
        spare.into_iter().try_for_each(|blob| self.mark_if_orphan(blob))
    }

    fn blob_id(&self, hash: Digest, kind: ObjectKind) -> Result<i64> {
        let mut statement = self.connection.prepare_cached(BLOB_OF).to("read")?;
        statement.query_row(named_params! {":hash": hash, ":kind": kind}, |row| row.get(0)).to("read")
    }
}
