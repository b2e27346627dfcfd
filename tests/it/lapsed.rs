//! What a lease has just let go: the first gc behind its end is the first to notice.

use std::time::Duration;

use ohmyartifacts::Source;

use crate::support::{DAY, Env, gc, shelves};

/// `gc` compares the plan with the report, item by item.
#[test]
fn a_dry_run_says_of_a_lapsed_lease_what_the_run_then_does() {
    let env = Env::new();
    let cache = env.open();
    let source = env.tree("s", &[("a", "a"), ("b", "b")]);
    cache.ingest(&Source::copy(source.join("a"))).unwrap();
    env.pass(2 * DAY);
    let report = gc(&cache, Duration::ZERO);
    assert_eq!((report.artifacts.len(), report.freed_bytes), (1, 1));
    assert_eq!(shelves(&env.root()), Vec::<String>::new());
}

/// The file is an artifact of its own and a part of the other.
#[test]
fn a_dry_run_lists_a_lapsed_file_beside_the_tree_that_has_it() {
    let env = Env::new();
    let cache = env.open();
    let source = env.tree("s", &[("a", "a"), ("b", "b")]);
    cache.ingest(&Source::copy(source.join("a"))).unwrap();
    cache.ingest(&Source::copy(&source)).unwrap();
    env.pass(2 * DAY);
    let report = gc(&cache, Duration::ZERO);
    assert_eq!((report.artifacts.len(), report.deleted_artifacts, report.freed_bytes), (2, 3, 2));
    assert_eq!(shelves(&env.root()), Vec::<String>::new());
}
