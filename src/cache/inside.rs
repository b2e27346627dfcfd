//! Finds what lies inside a directory: `REF:PATH`, or `REF/PATH`.

use std::path::{Component, Path, PathBuf};

use crate::cache::find::{Hit, Reference, lookup};
use crate::error::{Error, LinkProblem, Result};
use crate::index::{EntryAt, ObjectRow, ReadTx};
use crate::model::ObjectKind;

/// As many links as Linux follows in one path (`path_resolution(7)`).
const MOST_LINKS: usize = 40;

/// Something in a directory.
pub(super) struct Inside {
    pub(super) tree: ObjectRow,
    pub(super) path: PathBuf,
    /// The file that lies there; none of a link or a directory.
    pub(super) file: Option<ObjectRow>,
}

/// Finds what `REF:PATH` or `REF/PATH` means, a link not followed; none if there is no such REF.
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
        EntryAt::Link(_) | EntryAt::Directory => None,
    };
    Ok(Inside { path: path.into(), tree, file })
}

/// Finds what lies at a path of a directory, links followed inside it: nothing outside exists for them. The
/// empty path is the artifact itself.
pub(super) fn follow(tx: &ReadTx<'_>, artifact: ObjectRow, path: &str) -> Result<Inside> {
    let path = Path::new(path);
    if path.components().any(|step| step == Component::ParentDir) {
        let reason = "it leads down from the top only, without `..`";
        return Err(Error::invalid("path in an artifact", &path.to_string_lossy(), reason));
    }
    let mut walk = Walk { tx, tree: &artifact, links: MOST_LINKS };
    let end = walk.go(PathBuf::new(), path)?.ok_or_else(|| walk.missing(path))?;
    let file = match tx.entry_at(artifact.id, &end)? {
        Some(EntryAt::File(file)) => Some(file),
        None if artifact.kind != ObjectKind::Tree => Some(artifact.clone()),
        _ => None,
    };
    Ok(Inside { tree: artifact, path: end, file })
}

/// A walk down a directory as the index has it.
struct Walk<'a> {
    tx: &'a ReadTx<'a>,
    tree: &'a ObjectRow,
    links: usize,
}

impl Walk<'_> {
    /// Goes from the directory `at` along `path` and returns the end; none if that is outside.
    fn go(&mut self, mut at: PathBuf, path: &Path) -> Result<Option<PathBuf>> {
        for step in path.components() {
            match step {
                Component::CurDir => {}
                Component::Normal(name) => at = self.step(&at.join(name))?,
                Component::ParentDir if at.pop() => {}
                _ => return Ok(None),
            }
        }
        Ok(Some(at))
    }

    fn step(&mut self, path: &Path) -> Result<PathBuf> {
        let target = match self.tx.entry_at(self.tree.id, path)?.ok_or_else(|| self.missing(path))? {
            EntryAt::Link(target) => target,
            EntryAt::File(_) | EntryAt::Directory => return Ok(path.to_owned()),
        };
        let hash = self.tree.hash;
        let wrong = |problem| Error::StoredLink { hash, path: path.to_owned(), target: target.clone(), problem };
        self.links = self.links.checked_sub(1).ok_or_else(|| wrong(LinkProblem::Loops))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        match self.go(folder.to_owned(), &target) {
            Ok(end) => end.ok_or_else(|| wrong(LinkProblem::Leaves)),
            Err(Error::NoSuchEntry { .. }) => Err(wrong(LinkProblem::Dangles)),
            Err(other) => Err(other),
        }
    }

    fn missing(&self, path: &Path) -> Error {
        Error::NoSuchEntry { hash: self.tree.hash, path: path.to_string_lossy().into_owned() }
    }
}
