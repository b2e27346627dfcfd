//! The walk-through of the original's README, with the files it was made with.
//!
//! The files are other people's and not part of this repository: `OMA_SHARED` says where they are,
//! else a folder `shared` beside it. Without them the test says so and checks nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ohmyartifacts::{BindOptions, Source};

use super::assert_sound;
use crate::support::{Env, STYLES, bytes_on_disk, gc, shelves};

const TREE: &str = "83c1aca5f0e9d222dee51861b3def4e789e57b17b035099570c54b51182853d4";
const NAMES: &str = "38043f885d7c8cfb6d2cec61020b9bc6946c5856aadad493772ee212ef5ac891";

#[test]
fn the_original_walk_through_has_the_published_ids() {
    let Some(iris) = iris() else {
        eprintln!("skipped: the iris files are not there (OMA_SHARED/golden/iris)");
        return;
    };
    for style in STYLES {
        let env = Env::with_style(style);
        let cache = env.open();
        let source = env.path("iris");
        fs::create_dir(&source).unwrap();
        let files = [("bezdekIris.data", "bezdekIris.csv"), ("iris.data", "iris.csv"), ("iris.names", "iris.names")];
        for (from, to) in files {
            // Read and written: the permissions of somebody else's copy do not matter.
            fs::write(source.join(to), fs::read(iris.join(from)).unwrap()).unwrap();
        }
        let owner = cache.owner("00000000-0000-0000-0000-000000000000").unwrap();
        let tree = cache.ingest(&Source::copy(&source)).unwrap();
        assert_eq!(tree.artifact.hash.to_string(), TREE);
        owner.bind("iris", &tree, &BindOptions::new()).unwrap();
        let names = cache.ingest(&Source::copy(source.join("iris.names"))).unwrap();
        assert_eq!(names.artifact.hash.to_string(), NAMES);
        assert_eq!((names.new_files, names.new_bytes), (0, 0), "the tree has it already");
        owner.bind("iris.names", &names, &BindOptions::new()).unwrap();
        assert_eq!(bytes_on_disk(&env.root()), 4_551 + 4_551 + 2_998);

        owner.unbind(["iris"]).unwrap();
        let report = gc(&cache, Duration::ZERO);
        assert_eq!((report.deleted_artifacts, report.deleted_files), (3, 2), "the tree and the two tables");
        assert_eq!(report.freed_bytes, 9_102);
        assert_eq!(shelves(&env.root()), [format!("artifacts/{NAMES}")], "the shared file survives");
        let path = owner.path("iris.names").unwrap().unwrap();
        assert!(fs::read(path).unwrap() == fs::read(iris.join("iris.names")).unwrap());
        assert_sound(&cache, &format!("{style:?}"));
    }
}

fn iris() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let shared = std::env::var_os("OMA_SHARED").map_or_else(beside, PathBuf::from);
    let iris = shared.join("golden/iris");
    iris.join("iris.names").is_file().then_some(iris)
}
