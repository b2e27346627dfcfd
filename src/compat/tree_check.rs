//! Checks that a folder is the tree that a declaration means.

use std::path::Path;

use crate::error::{Error, Result};
use crate::event::Interrupt;
use crate::julia::{GitTreeSha1, TreeRule, git_tree_sha1};
use crate::text::printable_path;

/// Checks that a folder is the tree its declaration means, as git or as Pkg computes its name.
pub(super) fn check_tree_sha1(folder: &Path, expected: GitTreeSha1, interrupt: &Interrupt) -> Result<()> {
    let mut found = None;
    for rule in [TreeRule::Git, TreeRule::Pkg] {
        let sha1 = GitTreeSha1::from_bytes(git_tree_sha1(folder, rule, interrupt)?);
        if sha1 == expected {
            return Ok(());
        }
        found.get_or_insert(sha1);
    }
    Err(Error::WrongHash {
        what: printable_path(folder),
        algorithm: "git-tree-sha1",
        found: found.map_or_else(String::new, |found| found.to_string()),
        expected: expected.to_string(),
    })
}
