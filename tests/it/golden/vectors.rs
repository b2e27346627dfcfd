//! Trees hashed by git itself.

use ohmyartifacts::{Digest, Entry, Error, LinkPolicy, Node, Source};
use serde::Deserialize;

use super::{Item, assert_sound, data, lay};
use crate::support::{Env, STYLES};

#[derive(Deserialize)]
struct Vector {
    entries: Vec<Item>,
    tree_sha256: Digest,
}

/// Trees with a link that leads nowhere: they come in only if links are kept.
const NEED_KEEP: [usize; 0] = [];

#[test]
fn every_tree_has_the_id_that_git_gives_it() {
    let vectors: Vec<Vector> = serde_json::from_slice(&data("hash_vectors.json.gz")).unwrap();
    assert_eq!(vectors.len(), 60);
    for style in STYLES {
        let env = Env::with_style(style);
        let cache = env.open();
        for (number, vector) in vectors.iter().enumerate() {
            let source = env.path(format!("tree-{number}"));
            lay(&source, &vector.entries);
            let copy = Source::copy(&source);
            let tree = if NEED_KEEP.contains(&number) {
                let refused = cache.ingest(&copy).unwrap_err();
                assert!(matches!(refused, Error::Link { .. }), "{number}: {refused}");
                cache.ingest(&copy.links(LinkPolicy::Keep)).unwrap()
            } else {
                cache.ingest(&copy).unwrap_or_else(|error| panic!("{number}: {error}"))
            };
            assert_eq!(tree.artifact.hash, vector.tree_sha256, "tree {number}, {style:?}");
            assert_eq!(cache.entries(&tree.artifact).unwrap(), listed(vector), "tree {number}, {style:?}");
        }
        assert_sound(&cache, &format!("{style:?}"));
    }
}

/// What a listing must say, with git's ids of the files.
fn listed(vector: &Vector) -> Vec<Entry> {
    let mut entries: Vec<Entry> = vector
        .entries
        .iter()
        .map(|item| {
            let node = if item.is_file() {
                let hash = item.blob_sha256.expect("a file has an id");
                let executable = item.executable.expect("a file has the bit or not");
                Node::File { hash, executable, size: item.content().len() as u64 }
            } else if item.is_link() {
                Node::Link { target: item.target().to_owned() }
            } else {
                Node::Directory
            };
            Entry { path: item.path(), node }
        })
        .collect();
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    entries
}
