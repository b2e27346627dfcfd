//! Any owners with any bindings: packed and taken in by an empty store, they are the same.

use ohmyartifacts::{BindOptions, Metadata, Source};
use proptest::prelude::*;

use super::{listing, owners, send};
use crate::support::story::{Op, op, write};
use crate::support::{Env, STYLES};

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn owners_arrive_as_they_left(ops in prop::collection::vec(op(), 1..12), style in 0..3_usize) {
        let env = Env::in_memory(STYLES[style]);
        let cache = env.open();
        for (number, op) in ops.iter().enumerate() {
            let Op::Put { what, bind: Some(((owner, name), _)), .. } = op else { continue };
            let source = env.path(number.to_string());
            write(&source, what).unwrap();
            let meta = Metadata::from_pairs([("n".to_owned(), number.to_string())]);
            let options = BindOptions::new().force(true).meta(meta);
            cache.owner(owner).unwrap().ingest(name, &Source::copy(&source), &options).unwrap();
        }
        prop_assert_eq!(listing(&cache).is_empty(), owners(&cache).is_empty());
        send(&cache, &Env::in_memory(STYLES[(style + 1) % 3]));
    }
}
