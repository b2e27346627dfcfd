//! How the trees on disk refer to their files, and how one is laid out anew in its place.
//!
//! A store may hold trees of several styles: while its style is changed, or after such a change was
//! interrupted. Each of them is whole, so nobody who reads it notices.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::digest::Digest;
use crate::error::{PathContext as _, Result};
use crate::fs::lstat;
use crate::model::{Blob, Entry, LinkStyle, Manifest, Node, ObjectKind, WriteToken, depth};
use crate::store::Store;
use crate::store::sweep::stray_name;

/// What stands for a file in a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reference {
    /// A link or name of this style.
    Of(LinkStyle),
    /// A file that may be a copy, made because the stored one had too many names.
    Copy,
    /// A link to somewhere else.
    Elsewhere,
    /// Something else.
    Other,
}

impl Store {
    /// Tells what stands for `blob` at `path`, which lies at `inside` in its tree.
    pub(super) fn reference(&self, blob: Blob, inside: &Path, path: &Path, found: &Metadata) -> Result<Reference> {
        if found.file_type().is_symlink() {
            let text = std::fs::read_link(path).at("read the link", path)?;
            let style = [LinkStyle::Absolute, LinkStyle::Relative]
                .into_iter()
                .find(|style| self.layout.link_text(*style, blob, depth(inside)) == text);
            return Ok(style.map_or(Reference::Elsewhere, Reference::Of));
        }
        if !found.is_file() {
            return Ok(Reference::Other);
        }
        let original = lstat(&self.layout.blob(blob))?;
        let shares = original.is_some_and(|original| (original.dev(), original.ino()) == (found.dev(), found.ino()));
        Ok(if shares { Reference::Of(LinkStyle::Hardlink) } else { Reference::Copy })
    }

    /// Tells whether every file of the tree at `top` is referred to in this store's style.
    pub(crate) fn is_laid(&self, manifest: &Manifest, top: &Path) -> Result<bool> {
        self.all_files(manifest, top, |reference| match reference {
            Reference::Of(style) => style == self.style,
            Reference::Copy => self.style == LinkStyle::Hardlink,
            Reference::Elsewhere | Reference::Other => false,
        })
    }

    /// Tells whether every file of the tree at `top` is referred to where it lies now, in whatever style.
    pub(crate) fn leads_home(&self, manifest: &Manifest, top: &Path) -> Result<bool> {
        self.all_files(manifest, top, |reference| !matches!(reference, Reference::Elsewhere | Reference::Other))
    }

    fn all_files(&self, manifest: &Manifest, top: &Path, good: impl Fn(Reference) -> bool) -> Result<bool> {
        for Entry { path: inside, node } in &manifest.entries {
            let Node::File { hash, executable, .. } = node else { continue };
            let (blob, path) = (Blob { digest: *hash, executable: *executable }, top.join(inside));
            let Some(found) = lstat(&path)? else { return Ok(false) };
            if !good(self.reference(blob, inside, &path, &found)?) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Puts a tree that was laid out in `fresh` in the place of the one that is there; that one lies in `fresh`
    /// then. Readers find the one or the other, whole and read-only.
    ///
    /// A directory that nobody may write to can change its name but not its folder, so the two change places
    /// beside each other, under a name that [`Store::discard_strays`] finds if this is cut off.
    pub(crate) fn replace_tree(&self, _: WriteToken<'_>, fresh: &Path, digest: Digest) -> Result<()> {
        let place = self.layout.object(ObjectKind::Tree, digest);
        let beside = place.with_file_name(stray_name()?);
        self.disk.rename(fresh, &beside)?;
        self.disk.set_mode(&beside, 0o555)?;
        self.disk.exchange(&beside, &place)?;
        self.disk.set_mode(&beside, 0o755)?;
        self.disk.rename(&beside, fresh)
    }

    /// As [`Store::replace_tree`], for a tree in the trash of a run, which may be written to.
    pub(crate) fn replace_trashed(&self, _: WriteToken<'_>, fresh: &Path, run: i64, digest: Digest) -> Result<()> {
        self.disk.exchange(fresh, &self.layout.trashed(run, ObjectKind::Tree, digest))
    }
}
