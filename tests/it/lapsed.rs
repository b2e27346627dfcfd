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

/// The file is an artifact of its own and a part of the other; which came first must not matter.
#[test]
fn a_dry_run_lists_what_the_run_lists_when_a_file_and_its_tree_lapse_together() {
    for tree_first in [false, true] {
        let env = Env::new();
        let cache = env.open();
        let source = env.tree("s", &[("a", "a"), ("b", "b")]);
        let mut sources = [Source::copy(source.join("a")), Source::copy(&source)];
        if tree_first {
            sources.reverse();
        }
        for source in &sources {
            cache.ingest(source).unwrap();
        }
        env.pass(2 * DAY);
        let report = gc(&cache, Duration::ZERO);
        assert_eq!((report.deleted_artifacts, report.deleted_files, report.freed_bytes), (3, 2, 2));
        let freed: u64 = report.artifacts.iter().map(|item| item.freed_bytes).sum();
        assert_eq!(freed, report.freed_bytes, "the items add up, tree first: {tree_first}");
        assert_eq!(shelves(&env.root()), Vec::<String>::new());
    }
}
