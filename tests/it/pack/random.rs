//! Any owners with any bindings: packed and taken in by an empty store, they are the same.

use proptest::prelude::*;

use super::{listing, owners, send};
use crate::support::story::{op, put_and_bind};
use crate::support::{Env, STYLES};

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn owners_arrive_as_they_left(ops in prop::collection::vec(op(), 1..12), style in 0..3_usize) {
        let env = Env::in_memory(STYLES[style]);
        let cache = env.open();
        put_and_bind(&env, &cache, &ops);
        prop_assert_eq!(listing(&cache).is_empty(), owners(&cache).is_empty());
        send(&cache, &Env::in_memory(STYLES[(style + 1) % 3]));
    }
}
