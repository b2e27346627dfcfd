//! Random small trees, against git and against what is read back.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use ohmyartifacts::{LinkPolicy, LinkStyle, Source, VerifyOptions};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestRunner;

use super::{Git, is_gits_own};
use crate::support::{Env, bytes_on_disk};

type Name = Vec<u8>;

#[derive(Debug, Clone)]
pub(crate) enum Tree {
    File { content: Vec<u8>, executable: bool },
    Link(Vec<u8>),
    Folder(BTreeMap<Name, Tree>),
}

/// Few letters, so that names share beginnings; all that sorts or quotes oddly among them.
const LETTERS: &[u8] = b"ab.-0_ \"'\\\n\x01~A\xc3\xa9\xff";

fn name() -> impl Strategy<Value = Name> {
    prop::collection::vec(select(LETTERS), 1..5)
        .prop_filter("a name of its own", |name| name != b"." && name != b".." && !is_gits_own(name))
}

fn leaf() -> impl Strategy<Value = Tree> {
    let target = prop::collection::vec(select(&b"ab.-0/\n\xff"[..]), 1..9);
    // Few contents, so that files share them; some with and some without the execute bit.
    let content = prop_oneof![
        Just(Vec::new()),
        "[xy]{1,2}".prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 0..300)
    ];
    prop_oneof![
        6 => (content, any::<bool>()).prop_map(|(content, executable)| Tree::File { content, executable }),
        1 => target.prop_map(Tree::Link),
        1 => Just(Tree::Folder(BTreeMap::new())),
    ]
}

fn folder(inside: impl Strategy<Value = Tree>) -> impl Strategy<Value = Tree> {
    prop::collection::btree_map(name(), inside, 0..6).prop_map(Tree::Folder)
}

pub(crate) fn tree() -> impl Strategy<Value = Tree> {
    folder(leaf().prop_recursive(4, 24, 5, folder))
}

pub(crate) fn lay(at: &Path, tree: &Tree) {
    match tree {
        Tree::File { content, executable } => {
            fs::write(at, content).unwrap();
            let mode = if *executable { 0o755 } else { 0o644 };
            fs::set_permissions(at, fs::Permissions::from_mode(mode)).unwrap();
        }
        Tree::Link(target) => symlink(OsString::from_vec(target.clone()), at).unwrap(),
        Tree::Folder(entries) => {
            fs::create_dir(at).unwrap();
            for (name, inside) in entries {
                lay(&at.join(OsString::from_vec(name.clone())), inside);
            }
        }
    }
}

/// All trees go into one store, so that they share files with each other too.
#[test]
fn random_trees_have_the_ids_that_git_gives_them() {
    let Some(git) = Git::new() else { return };
    let env = Env::with_style(LinkStyle::Hardlink);
    let cache = env.open();
    let number = Cell::new(0);
    let config = ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() };
    let outcome = TestRunner::new(config).run(&tree(), |tree| {
        number.set(number.get() + 1);
        let top = env.path(format!("tree-{}", number.get()));
        lay(&top, &tree);
        let stored = cache.ingest(&Source::copy(&top).links(LinkPolicy::Keep)).unwrap();
        prop_assert_eq!(stored.artifact.hash, git.id_of(&top), "git disagrees about the source");
        prop_assert_eq!(stored.artifact.hash, git.id_of(&stored.path), "git disagrees about what is stored");
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
    assert!(cache.verify(&VerifyOptions::new()).unwrap().problems.is_empty());
    assert_eq!(cache.usage().unwrap().stored_bytes, bytes_on_disk(&env.root()));
}
