//! Real trees to work on.

use std::path::{Path, PathBuf};

/// How many files a tree has, and their bytes.
pub(crate) struct Size {
    pub(crate) files: u64,
    pub(crate) bytes: u64,
}

pub(crate) fn size_of(tree: &Path) -> Size {
    let files = walkdir::WalkDir::new(tree).into_iter().flatten().filter(|entry| entry.file_type().is_file());
    files.fold(Size { files: 0, bytes: 0 }, |sum, entry| Size {
        files: sum.files + 1,
        bytes: sum.bytes + entry.metadata().map_or(0, |found| found.len()),
    })
}

/// The tree to work on: `OMA_BENCH_TREE`, else the first usual one that is large enough.
pub(crate) fn real_tree() -> PathBuf {
    if let Some(tree) = std::env::var_os("OMA_BENCH_TREE") {
        return tree.into();
    }
    let usual = ["/usr/share", "/usr/lib", "/usr/include"];
    let found = usual.iter().map(PathBuf::from).find(|tree| size_of(tree).files >= 20_000);
    found.expect("no usual folder has 20,000 files: name one in OMA_BENCH_TREE")
}
