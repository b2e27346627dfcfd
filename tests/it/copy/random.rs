//! Any owners with any bindings: copied to an empty store they are the same, and each store goes its own way.

use std::time::Duration;

use ohmyartifacts::Cache;
use proptest::prelude::*;

use super::{assert_same, assert_sound, beside, bytes_of, copy_all};
use crate::support::story::{op, put_and_bind};
use crate::support::{DAY, Env, STYLES, gc};

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn stores_that_share_files_know_nothing_of_each_other(
        ops in prop::collection::vec(op(), 1..12),
        styles in (0..3_usize, 0..3_usize),
        gone in prop::collection::vec(any::<(bool, bool)>(), 6),
    ) {
        let env = Env::in_memory(STYLES[styles.0]);
        let cache = env.open();
        put_and_bind(&env, &cache, &ops);
        let to = beside(&env, STYLES[styles.1]);
        copy_all(&cache, &to).unwrap();
        let there = Cache::open(to).unwrap();
        assert_same(&cache, &there);
        // Either lets go what it will: what is freed is what leaves the disk.
        for (number, binding) in cache.bindings(None).unwrap().into_iter().enumerate() {
            for (store, goes) in [(&cache, gone[number % 6].0), (&there, gone[number % 6].1)] {
                if goes {
                    store.owner_by_id(binding.owner.clone()).unbind([&binding.name]).unwrap();
                }
            }
        }
        env.pass(DAY * 2);
        let both = [env.root(), env.path("beside")];
        for store in [&there, &cache] {
            let before = bytes_of(&both);
            prop_assert_eq!(gc(store, Duration::ZERO).freed_bytes, before - bytes_of(&both));
            assert_sound(&cache);
            assert_sound(&there);
        }
    }
}
