//! Large in both ways: one file beyond four GiB, and a hundred thousand small ones.

use std::fs;
use std::time::Duration;

use ohmyartifacts::{BindOptions, LinkStyle, ObjectHasher, Source, VerifyOptions};

use crate::support::{Env, bytes_on_disk, gc, shelves};

const GIB: u64 = 1 << 30;

#[test]
fn a_file_beyond_four_gib_has_its_id_and_its_size() {
    let env = Env::new();
    let cache = env.open();
    // Sparse, and moved in, so that it takes no room on the disk.
    let size = 4 * GIB + 12_345;
    let source = env.path("large");
    fs::File::create(&source).unwrap().set_len(size).unwrap();
    let mut hasher = ObjectHasher::blob(size);
    let zeros = vec![0; 1 << 20];
    let mut left = size;
    while left > 0 {
        let piece = left.min(zeros.len() as u64);
        hasher.update(&zeros[..usize::try_from(piece).unwrap()]);
        left -= piece;
    }
    let large = cache.ingest(&Source::consume(&source)).unwrap();
    assert_eq!(large.artifact.hash, hasher.finish());
    assert_eq!((large.artifact.size, large.new_bytes), (size, size));
    assert!(!source.exists());
    assert_eq!(cache.usage().unwrap().orphan_bytes, size, "a lease holds it, no owner does");
}

#[test]
fn a_hundred_thousand_files_go_in_and_out() {
    for style in [LinkStyle::Absolute, LinkStyle::Hardlink] {
        let env = Env::in_memory(style);
        let cache = env.open();
        let top = env.path("many");
        for directory in 0..100 {
            let directory = top.join(format!("d{directory}"));
            fs::create_dir_all(&directory).unwrap();
            for file in 0..1_000 {
                // Every tenth content occurs in each directory.
                let shared = if file % 10 == 0 { "shared".into() } else { directory.to_string_lossy() };
                fs::write(directory.join(format!("f{file}")), format!("{shared} {file}")).unwrap();
            }
        }
        let owner = cache.owner("o").unwrap();
        let tree = owner.ingest("many", &Source::copy(&top), &BindOptions::new()).unwrap();
        assert_eq!((tree.artifact.files, tree.new_files), (100_000, 90_100));
        assert_eq!(cache.entries(&tree.artifact).unwrap().len(), 100_100);
        assert_eq!(tree.new_bytes, bytes_on_disk(&env.root()));
        assert_eq!(cache.usage().unwrap().stored_bytes, bytes_on_disk(&env.root()));
        let again = cache.ingest(&Source::copy(&top)).unwrap();
        assert_eq!((again.artifact.hash, again.new_files), (tree.artifact.hash, 0));
        assert_eq!(cache.verify(&VerifyOptions::new().quick(true)).unwrap().problems, []);
        owner.unbind(["many"]).unwrap();
        env.pass(2 * crate::support::DAY);
        assert_eq!(gc(&cache, Duration::ZERO).deleted_artifacts, 90_101);
        assert_eq!(shelves(&env.root()), Vec::<String>::new());
    }
}
