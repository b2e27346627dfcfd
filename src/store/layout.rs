//! The one place that turns a hash into a path.

use std::path::{Path, PathBuf};

use crate::digest::Digest;
use crate::model::{Blob, LinkStyle, ObjectKind};

/// Where everything of a store lies.
///
/// ```text
/// <root>/CACHEDIR.TAG
/// <root>/config.toml                     how this store is run, if anybody said so
/// <root>/index.sqlite
/// <root>/index.sqlite.bak                the index before its last upgrade
/// <root>/bindings.journal
/// <root>/artifacts/<2 hex>/<64 hex>      plain files and directories
/// <root>/executables/<2 hex>/<64 hex>    files with the execute bit
/// <root>/tmp/<session>/                  work in progress
/// <root>/tmp/locks/                      locks, empty files
/// <root>/tmp/partial/                    downloads that are not whole yet
/// <root>/attached/<number>.sqlite        mirrors of other programs' stores, disposable
/// <root>/trash/                          collected, about to be deleted
/// <root>/trash/<run>/                    collected, kept so that it can be brought back
/// <root>/reserve                         room that gc may give up on a full disk
/// ```
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    root: PathBuf,
}

/// The folders that hold objects, each split by the first two digits.
pub(crate) const SHELVES: [&str; 2] = ["artifacts", "executables"];

impl Layout {
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn index(&self) -> PathBuf {
        self.root.join("index.sqlite")
    }

    pub(crate) fn cache_tag(&self) -> PathBuf {
        self.root.join("CACHEDIR.TAG")
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.root.join("config.toml")
    }

    pub(crate) fn journal(&self) -> PathBuf {
        self.root.join("bindings.journal")
    }

    pub(crate) fn reserve(&self) -> PathBuf {
        self.root.join("reserve")
    }

    pub(crate) fn tmp(&self) -> PathBuf {
        self.root.join("tmp")
    }

    pub(crate) fn trash(&self) -> PathBuf {
        self.root.join("trash")
    }

    /// Returns the folder in which a run of gc keeps what it took.
    pub(crate) fn trash_of(&self, run: i64) -> PathBuf {
        self.trash().join(run.to_string())
    }

    /// Returns where an object lies in the trash of a run.
    pub(crate) fn trashed(&self, run: i64, kind: ObjectKind, digest: Digest) -> PathBuf {
        self.trash_of(run).join(format!("{}-{digest}", kind.form()))
    }

    /// Returns where the mirror of an attached space lies.
    pub(crate) fn mirror(&self, space: i64) -> PathBuf {
        self.root.join("attached").join(format!("{space}.sqlite"))
    }

    pub(crate) fn partials(&self) -> PathBuf {
        self.tmp().join("partial")
    }

    pub(crate) fn locks(&self) -> PathBuf {
        self.tmp().join("locks")
    }

    pub(crate) fn lock(&self, name: &str) -> PathBuf {
        self.locks().join(format!("{name}.lock"))
    }

    /// Returns the folder that holds all objects of a sort.
    pub(crate) fn shelf(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Returns where an object lies.
    pub(crate) fn object(&self, kind: ObjectKind, digest: Digest) -> PathBuf {
        let hex = digest.to_string();
        self.root.join(shelf_of(kind)).join(&hex[..2]).join(hex)
    }

    pub(crate) fn blob(&self, blob: Blob) -> PathBuf {
        self.object(blob.kind(), blob.digest)
    }

    /// Returns the text of the symbolic link that stands for a blob in a stored tree, `depth` steps
    /// below the tree's top. Its last part is always the bare hash, which OhMyArtifacts.jl parses.
    pub(crate) fn link_text(&self, style: LinkStyle, blob: Blob, depth: usize) -> PathBuf {
        if style == LinkStyle::Absolute {
            return self.blob(blob);
        }
        let hex = blob.digest.to_string();
        // From `artifacts/xx/<tree>/` two steps lead to `artifacts/`, three to the root.
        let mut text: PathBuf = std::iter::repeat_n("..", depth + 1).collect();
        if blob.executable {
            text.push("..");
            text.push(shelf_of(blob.kind()));
        }
        text.push(&hex[..2]);
        text.push(hex);
        text
    }
}

fn shelf_of(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::Blob | ObjectKind::Tree => SHELVES[0],
        ObjectKind::Executable => SHELVES[1],
    }
}

/// Returns the kind of the object a shelf's entry may be, judged by what lies there.
pub(crate) fn kind_on_shelf(shelf: &str, is_dir: bool) -> ObjectKind {
    match (shelf == SHELVES[1], is_dir) {
        (true, _) => ObjectKind::Executable,
        (false, true) => ObjectKind::Tree,
        (false, false) => ObjectKind::Blob,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_links_lead_from_the_tree_to_the_blob() {
        let layout = Layout::new("/s".into());
        let digest = Digest::of_blob(b"");
        let hex = digest.to_string();
        let plain = Blob { digest, executable: false };
        assert_eq!(
            layout.link_text(LinkStyle::Relative, plain, 1),
            PathBuf::from(format!("../../{}/{hex}", &hex[..2]))
        );
        let executable = Blob { digest, executable: true };
        assert_eq!(
            layout.link_text(LinkStyle::Relative, executable, 2),
            PathBuf::from(format!("../../../../executables/{}/{hex}", &hex[..2]))
        );
        assert_eq!(layout.link_text(LinkStyle::Absolute, executable, 2), layout.blob(executable));
    }
}
