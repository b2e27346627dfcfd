//! Random trees, and each directory and file in them, come out as they went in.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use ohmyartifacts::{CheckoutMode, CheckoutOptions, LinkPolicy, LinkStyle, Reference, Source, VerifyOptions};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::shape;
use crate::git_oracle::random::{lay, tree};
use crate::support::Env;

const MODES: [CheckoutMode; 3] = [CheckoutMode::Auto, CheckoutMode::Hardlink, CheckoutMode::Copy];
const STYLES: [LinkStyle; 2] = [LinkStyle::Relative, LinkStyle::Hardlink];

#[test]
fn random_trees_come_out_as_they_went_in() {
    let config = ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() };
    let which = (0..MODES.len(), 0..STYLES.len(), any::<bool>());
    let outcome = TestRunner::new(config).run(&(tree(), which), |(tree, (mode, style, writable))| {
        let env = Env::in_memory(STYLES[style]);
        let cache = env.open();
        let (source, out) = (env.path("source"), env.path("out"));
        lay(&source, &tree);
        let hash = cache.ingest(&Source::copy(&source).links(LinkPolicy::Keep)).unwrap().artifact.hash.to_string();
        let writable = writable && MODES[mode] != CheckoutMode::Hardlink;
        let options = CheckoutOptions::new().mode(MODES[mode]).writable(writable);
        let done = cache.checkout(Reference::new(&hash, None), &out, &options).unwrap();
        let expected = shape(&source);
        prop_assert_eq!(&expected, &shape(&out));
        let files = expected.values().filter(|(kind, _)| ['f', 'x'].contains(kind));
        prop_assert_eq!(done.part.files, files.clone().count() as u64);
        prop_assert_eq!(done.part.size, files.map(|(_, content)| content.len() as u64).sum::<u64>());
        // What comes out is what the store would call it.
        let again = cache.ingest(&Source::copy(&out).links(LinkPolicy::Keep)).unwrap();
        prop_assert_eq!(again.artifact.hash.to_string(), hash.clone());

        for (number, (path, (kind, content))) in expected.iter().enumerate() {
            let Some(path) = path.to_str().filter(|_| *kind != 'l') else { continue };
            let part = env.path(format!("part-{number}"));
            let reference = format!("{hash}:{path}");
            let done = cache.checkout(Reference::new(&reference, None), &part, &options).unwrap();
            prop_assert_eq!(&done.part.inside, Path::new(path));
            if *kind == 'd' {
                prop_assert_eq!(shape(&source.join(path)), shape(&part));
            } else {
                prop_assert_eq!(&std::fs::read(&part).unwrap(), content);
                prop_assert_eq!(part.metadata().unwrap().mode() & 0o100 != 0, *kind == 'x');
                let mut bytes = Vec::new();
                cache.cat(Reference::new(&reference, None), &mut bytes).unwrap();
                prop_assert_eq!(&bytes, content);
            }
            let own = cache.ingest(&Source::copy(&part).links(LinkPolicy::Keep)).unwrap();
            prop_assert_eq!(own.artifact.hash, done.part.hash);
        }
        prop_assert_eq!(cache.verify(&VerifyOptions::new()).unwrap().problems, []);
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}
