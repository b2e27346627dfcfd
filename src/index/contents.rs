//! Reads through all entries of all trees, for questions that no edge answers.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rusqlite::{OptionalExtension as _, Row, named_params};

use crate::error::Result;
use crate::index::{Attempt as _, ReadTx, queries};
use crate::model::Artifact;

/// One path of one tree. What it points into is the row that is being read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TreePath<'r> {
    pub(crate) tree: i64,
    pub(crate) path: &'r Path,
    /// The file that lies there; none of a link.
    pub(crate) blob: Option<i64>,
    /// A link's text.
    pub(crate) target: Option<&'r Path>,
}

queries! {
    /// Trees come one after the other, each with its paths in order.
    ALL_PATHS = "SELECT tree_id, path, blob_id, target FROM tree_entries WHERE mode <> 16384";
    PATHS_OF_TREE = "SELECT tree_id, path, blob_id, target FROM tree_entries
                     WHERE tree_id = :tree AND mode <> 16384";
    WHOLE = "SELECT hash, kind, size, files FROM objects WHERE id = :id AND state = 0";
}

fn path<'r>(row: &'r Row<'_>, column: usize) -> rusqlite::Result<Option<&'r Path>> {
    Ok(row.get_ref(column)?.as_blob_or_null()?.map(|bytes| Path::new(OsStr::from_bytes(bytes))))
}

impl ReadTx<'_> {
    /// Tells `each` of every file and link in every tree, or in one.
    pub(crate) fn each_path(&self, tree: Option<i64>, mut each: impl FnMut(TreePath<'_>)) -> Result<()> {
        let sql = if tree.is_some() { PATHS_OF_TREE } else { ALL_PATHS };
        let mut statement = self.connection.prepare_cached(sql).to("read")?;
        let mut rows = match tree {
            Some(tree) => statement.query(named_params! {":tree": tree}),
            None => statement.query([]),
        }
        .to("read")?;
        while let Some(row) = rows.next().to("read")? {
            let read = || {
                Ok(TreePath {
                    tree: row.get(0)?,
                    path: path(row, 1)?.unwrap_or(Path::new("")),
                    blob: row.get(2)?,
                    target: path(row, 3)?,
                })
            };
            each(read().to("read")?);
        }
        Ok(())
    }

    /// Returns an object that is whole, by its row.
    pub(crate) fn whole(&self, id: i64) -> Result<Option<Artifact>> {
        let mut statement = self.connection.prepare_cached(WHOLE).to("read")?;
        let read = |row: &Row<'_>| {
            Ok(Artifact { hash: row.get(0)?, kind: row.get(1)?, size: row.get(2)?, files: row.get(3)? })
        };
        statement.query_row(named_params! {":id": id}, read).optional().to("read")
    }
}
