//! Finds what lies inside a directory: `REF/PATH`.

use std::path::{Path, PathBuf};

use crate::cache::find::{Reference, lookup};
use crate::error::{Error, Result};
use crate::index::{EntryAt, ObjectRow, ReadTx};
use crate::model::ObjectKind;

/// Something in a directory.
pub(super) struct Inside {
    pub(super) tree: ObjectRow,
    pub(super) path: PathBuf,
    /// The file that lies there; none of a link or a directory.
    pub(super) file: Option<ObjectRow>,
}

/// Reads `REF/PATH`, where REF and names may hold slashes too: the longest REF that there is counts. None if
/// there is none.
pub(super) fn lookup_inside(tx: &ReadTx<'_>, reference: Reference<'_>) -> Result<Option<Inside>> {
    let slashes: Vec<usize> = reference.text.match_indices('/').map(|(at, _)| at).collect();
    for at in slashes.into_iter().rev() {
        let (outer, path) = (&reference.text[..at], reference.text[at + 1..].trim_end_matches('/'));
        let outer = Reference { text: outer, owner: reference.owner };
        match lookup(tx, outer) {
            Ok((tree, _)) => return inside(tx, tree, path).map(Some),
            Err(Error::UnknownReference { .. } | Error::NoSuchBinding { .. }) => {}
            Err(other) => return Err(other),
        }
    }
    Ok(None)
}

fn inside(tx: &ReadTx<'_>, tree: ObjectRow, path: &str) -> Result<Inside> {
    let missing = || Error::NoSuchEntry { hash: tree.hash, path: path.to_owned() };
    if tree.kind != ObjectKind::Tree {
        return Err(missing());
    }
    let file = match tx.entry_at(tree.id, Path::new(path))?.ok_or_else(missing)? {
        EntryAt::File(object) => Some(object),
        EntryAt::Other => None,
    };
    Ok(Inside { path: path.into(), tree, file })
}
