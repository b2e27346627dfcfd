//! Finds what lies inside a directory: `REF:PATH`, or `REF/PATH`.

use std::path::{Path, PathBuf};

use crate::cache::find::{Hit, Reference, lookup};
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

/// Finds what `REF:PATH` or `REF/PATH` means; none if there is no such REF.
pub(super) fn lookup_inside(tx: &ReadTx<'_>, reference: Reference<'_>) -> Result<Option<Inside>> {
    match lookup_outer(tx, reference)? {
        Some(((tree, _), path)) => inside(tx, tree, path).map(Some),
        None => Ok(None),
    }
}

/// Finds the REF of `REF:PATH` or `REF/PATH`, and returns the PATH. REF and names may hold colons and slashes
/// too: the longest REF that there is counts. None if there is none.
pub(super) fn lookup_outer<'r>(tx: &ReadTx<'_>, reference: Reference<'r>) -> Result<Option<(Hit, &'r str)>> {
    let text = reference.text;
    let ends: Vec<usize> = text.match_indices(['/', ':']).map(|(at, _)| at).collect();
    for at in ends.into_iter().rev() {
        match lookup(tx, Reference { text: &text[..at], owner: reference.owner }) {
            Ok(hit) => return Ok(Some((hit, text[at + 1..].trim_matches('/')))),
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
