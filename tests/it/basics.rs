//! The whole story once, in each link style.

use std::fs;
use std::time::Duration;

use ohmyartifacts::{BindOptions, Error, ErrorKind, Reference, Source, VerifyOptions};

use crate::support::{DAY, Env, STYLES, bytes_on_disk, gc, make_executable, shelves};

#[test]
fn a_shared_file_survives_the_end_of_one_tree() {
    for style in STYLES {
        let env = Env::with_style(style);
        let cache = env.open();
        let source = env.tree("flowers", &[("a.csv", "1,2\n"), ("b.csv", "3,4,5\n"), ("names", "iris")]);
        let owner = cache.owner("walk-through").unwrap();
        let tree = cache.ingest(&Source::copy(&source)).unwrap();
        owner.bind("all", &tree, &BindOptions::new()).unwrap();
        let names = cache.ingest(&Source::copy(source.join("names"))).unwrap();
        assert_eq!((names.new_files, names.new_bytes), (0, 0), "equal files are stored once");
        owner.bind("names", &names, &BindOptions::new()).unwrap();

        owner.unbind(["all"]).unwrap();
        assert_eq!(gc(&cache, DAY).deleted_artifacts, 0, "an orphan stays for the delay");
        env.pass(DAY);
        let report = gc(&cache, DAY);
        assert_eq!((report.deleted_artifacts, report.deleted_files, report.freed_bytes), (3, 2, 10));
        assert_eq!(report.artifacts.len(), 1);
        assert_eq!(report.artifacts[0].names, ["walk-through:all"]);
        assert_eq!(fs::read_to_string(owner.path("names").unwrap().unwrap()).unwrap(), "iris");
        assert_eq!(bytes_on_disk(&env.root()), 4);
        assert!(cache.verify(&VerifyOptions::new()).unwrap().problems.is_empty());

        owner.unbind(["names"]).unwrap();
        gc(&cache, Duration::ZERO);
        assert_eq!(shelves(&env.root()), Vec::<String>::new(), "nothing is left");
    }
}

#[test]
fn the_execute_bit_belongs_to_the_entry() {
    for style in STYLES {
        let env = Env::with_style(style);
        let cache = env.open();
        let source = env.tree("tools", &[("plain", "#!/bin/sh\n"), ("run", "#!/bin/sh\n")]);
        make_executable(&source.join("run"));
        let tree = cache.ingest(&Source::copy(&source)).unwrap();
        let mode = |name: &str| {
            use std::os::unix::fs::PermissionsExt as _;
            fs::metadata(tree.path.join(name)).unwrap().permissions().mode() & 0o777
        };
        assert_eq!((mode("plain"), mode("run")), (0o444, 0o555));
        assert_eq!(cache.usage().unwrap().stored_bytes, bytes_on_disk(&env.root()));
        assert!(cache.verify(&VerifyOptions::new()).unwrap().problems.is_empty());
    }
}

#[test]
fn a_taken_name_is_an_error_unless_forced() {
    let env = Env::new();
    let cache = env.open();
    let owner = cache.owner("o@1.0").unwrap();
    let source = env.tree("s", &[("a", "a"), ("b", "b")]);
    let a = cache.ingest(&Source::copy(source.join("a"))).unwrap();
    let b = cache.ingest(&Source::copy(source.join("b"))).unwrap();
    owner.bind("n", &a, &BindOptions::new()).unwrap();
    let error = owner.bind("n", &a, &BindOptions::new()).unwrap_err();
    assert!(matches!(error, Error::BindingExists { .. }));
    assert_eq!(error.kind(), ErrorKind::Conflict);
    owner.bind("n", &b, &BindOptions::new().force(true)).unwrap();
    assert_eq!(owner.resolve("n").unwrap().unwrap().artifact, b.artifact);
    assert!(cache.owner("o").unwrap().resolve("n").unwrap().is_none(), "versions have names of their own");
    let report = gc(&cache, Duration::ZERO);
    assert_eq!(report.artifacts.iter().map(|item| item.hash).collect::<Vec<_>>(), [a.artifact.hash]);
    assert!(cache.find(Reference::new(&a.artifact.hash.to_string(), None)).is_err());
}
