//! Every change to the disk goes wrong once: the store must be as before or as after.

mod in_process {
    use std::collections::BTreeMap;
    use std::fs;
    use std::path::PathBuf;
    use std::time::Duration;

    use ohmyartifacts::{
        BindOptions, Cache, Digest, Durability, Error, Fault, GcPolicy, LinkStyle, Source, VerifyOptions,
    };

    use crate::support::{DAY, Env, bytes_on_disk, gc, leftovers, make_executable, shelves};

    const FILES: [(&str, &str); 5] =
        [("a", "a"), ("run", "#!/bin/sh\n"), ("d/a", "a"), ("d/b", "only here"), ("d/shared", "also in the old tree")];

    /// A store with something bound, an orphan, and a source that is not in yet.
    struct Scene {
        env: Env,
        source: PathBuf,
        /// The names bound, and what they stand for.
        bound: BTreeMap<String, Digest>,
        lone: Digest,
    }

    impl Scene {
        fn new(style: LinkStyle) -> Self {
            let env = Env::with_style(style);
            let source = env.tree("new", &FILES);
            make_executable(&source.join("run"));
            let old = env.tree("old", &[("x", "x"), ("shared", "also in the old tree"), ("empty", "")]);
            let gone = env.tree("gone", &[("y", "y"), ("d/shared", "also in the old tree"), ("z", "z")]);
            let cache = Cache::open(env.options().durability(Durability::Full)).unwrap();
            let owner = cache.owner("o").unwrap();
            let options = BindOptions::new();
            owner.ingest("old", &Source::copy(&old), &options).unwrap();
            owner.ingest("file", &Source::copy(old.join("x")), &options).unwrap();
            owner.ingest("gone", &Source::copy(&gone), &options).unwrap();
            owner.unbind(["gone"]).unwrap();
            let lone = cache.ingest(&Source::copy(gone.join("y"))).unwrap().artifact.hash;
            drop(cache);
            let bound = bindings(&env);
            assert_eq!(bound.len(), 2);
            Self { env, source, bound, lone }
        }

        fn with(&self, fault: &Fault) -> Result<Cache, Error> {
            Cache::open(self.env.options().durability(Durability::Full).fault(fault.clone()))
        }
    }

    fn bindings(env: &Env) -> BTreeMap<String, Digest> {
        let all = env.open().bindings(None).unwrap();
        all.into_iter().map(|binding| (binding.name, binding.artifact.hash)).collect()
    }

    /// Every name leads to files that can be read.
    fn assert_whole(env: &Env) {
        let cache = env.open();
        let report = cache.verify(&VerifyOptions::new()).unwrap();
        assert_eq!(report.problems, []);
        for binding in cache.bindings(None).unwrap() {
            let top = cache.path_of(&binding.artifact);
            let files = walkdir::WalkDir::new(&top).follow_links(true).into_iter().map(|entry| entry.unwrap());
            let read: u64 = files
                .filter(|entry| entry.file_type().is_file())
                .map(|entry| fs::read(entry.path()).unwrap().len() as u64)
                .sum();
            assert_eq!(read, binding.artifact.size, "{}", binding.name);
        }
    }

    /// Lets everything go: then nothing may be left.
    fn assert_nothing_leaks(env: &Env) {
        let cache = env.open();
        let owner = cache.owner("o").unwrap();
        let names: Vec<String> = owner.bindings().unwrap().into_iter().map(|binding| binding.name).collect();
        owner.unbind(&names).unwrap();
        env.pass(DAY * 2);
        gc(&cache, Duration::ZERO);
        assert_eq!(shelves(&env.root()), Vec::<String>::new(), "something leaked");
        drop(cache);
        assert_eq!(leftovers(&env.root()), Vec::<String>::new(), "something leaked");
        assert_eq!(bytes_on_disk(&env.root()), 0);
    }

    type Operation = fn(&Cache, &Scene) -> Result<(), Error>;
    /// What is bound when it is done, given what was bound before.
    type Outcome = fn(&Scene) -> BTreeMap<String, Digest>;

    /// Lets the operation fail at its first, second, third change … until it runs through; returns
    /// at how many it failed.
    fn fail_everywhere(style: LinkStyle, from_then_on: bool, operation: Operation, after: Outcome) -> u64 {
        let mut failures = 0;
        let after = after(&Scene::new(style));
        for at in 1.. {
            let scene = Scene::new(style);
            let spelling = if from_then_on { format!("fail@{at}+") } else { format!("fail@{at}") };
            let fault: Fault = spelling.parse().unwrap();
            let outcome = scene.with(&fault).and_then(|cache| operation(&cache, &scene));
            // What happens when the handle is dropped counts too, so this is the end.
            let hit = fault.count() >= at;
            assert!(hit || outcome.is_ok(), "{spelling}: {outcome:?}");
            let found = bindings(&scene.env);
            assert!(found == scene.bound || found == after, "{spelling}: neither before nor after: {found:?}");
            if outcome.is_ok() {
                assert_eq!(found, after, "{spelling}: it said that it was done");
            }
            assert_whole(&scene.env);
            if !hit {
                assert_nothing_leaks(&scene.env);
                return failures;
            }
            failures += u64::from(outcome.is_err());
            if at % 2 == 0 {
                // Once more, now that all is well: it must come to the same end.
                if found != after {
                    operation(&scene.env.open(), &scene)
                        .unwrap_or_else(|error| panic!("{spelling}, retried: {error:?}"));
                }
                assert_eq!(bindings(&scene.env), after, "{spelling}, retried");
                assert_whole(&scene.env);
            }
            assert_nothing_leaks(&scene.env);
        }
        unreachable!("an operation has an end")
    }

    /// A link style, and whether the fault lasts.
    type Case = (LinkStyle, bool);
    const ALL: &[Case] = &[(LinkStyle::Absolute, false), (LinkStyle::Relative, true), (LinkStyle::Hardlink, false)];
    const ONE: &[Case] = &[(LinkStyle::Absolute, false)];

    fn everywhere(cases: &[Case], least: u64, operation: Operation, after: Outcome) {
        for (style, from_then_on) in cases {
            let failures = fail_everywhere(*style, *from_then_on, operation, after);
            assert!(failures >= least, "only {failures} points, {style}");
        }
    }

    fn with_new(scene: &Scene) -> BTreeMap<String, Digest> {
        let reference = Env::new();
        let source = reference.tree("new", &FILES);
        make_executable(&source.join("run"));
        let put = reference.open().ingest(&Source::copy(&source)).unwrap();
        let mut bound = scene.bound.clone();
        bound.insert("new".to_owned(), put.artifact.hash);
        bound
    }

    fn unchanged(scene: &Scene) -> BTreeMap<String, Digest> {
        scene.bound.clone()
    }

    #[test]
    fn putting_a_tree_in() {
        everywhere(ONE, 25, |cache, scene| cache.ingest(&Source::copy(&scene.source)).map(drop), unchanged);
    }

    #[test]
    fn putting_a_tree_in_and_binding_it() {
        let put = |cache: &Cache, scene: &Scene| {
            cache.owner("o")?.ingest("new", &Source::copy(&scene.source), &BindOptions::new()).map(drop)
        };
        everywhere(ALL, 25, put, with_new);
    }

    #[test]
    fn making_a_tree() {
        let make = |cache: &Cache, _: &Scene| {
            let made = cache.owner("o")?.get_or_create("new", &BindOptions::new(), |workdir| {
                fs::create_dir(workdir.join("d"))?;
                FILES.iter().try_for_each(|(path, content)| fs::write(workdir.join(path), content))?;
                make_executable(&workdir.join("run"));
                Ok::<_, std::io::Error>(())
            });
            made.map(drop)
        };
        everywhere(ONE, 25, make, with_new);
    }

    #[test]
    fn binding_by_hash() {
        let bind =
            |cache: &Cache, scene: &Scene| cache.owner("o")?.bind("lone", scene.lone, &BindOptions::new()).map(drop);
        let after = |scene: &Scene| {
            let mut bound = scene.bound.clone();
            bound.insert("lone".to_owned(), scene.lone);
            bound
        };
        everywhere(ALL, 2, bind, after);
    }

    #[test]
    fn binding_anew() {
        let rebind = |cache: &Cache, scene: &Scene| {
            cache.owner("o")?.bind("old", scene.lone, &BindOptions::new().force(true)).map(drop)
        };
        let after = |scene: &Scene| {
            let mut bound = scene.bound.clone();
            bound.insert("old".to_owned(), scene.lone);
            bound
        };
        everywhere(ALL, 2, rebind, after);
    }

    #[test]
    fn unbinding() {
        let after = |scene: &Scene| {
            let mut bound = scene.bound.clone();
            bound.remove("old");
            bound
        };
        everywhere(ALL, 2, |cache, _| cache.owner("o")?.unbind(["old"]).map(drop), after);
    }

    #[test]
    fn collecting() {
        let collect = |cache: &Cache, _: &Scene| {
            let plan = cache.gc_plan(&GcPolicy::default().collect_delay(Duration::ZERO))?;
            cache.gc_apply(&plan).map(drop)
        };
        everywhere(ALL, 5, collect, unchanged);
    }

    fn to_trash(cache: &Cache) -> Result<(), Error> {
        let policy = GcPolicy::default().collect_delay(Duration::ZERO).trash(Some(DAY));
        cache.gc_apply(&cache.gc_plan(&policy)?).map(drop)
    }

    #[test]
    fn collecting_into_a_trash() {
        everywhere(ALL, 5, |cache, _| to_trash(cache), unchanged);
    }

    #[test]
    fn undoing() {
        let undo = |cache: &Cache, scene: &Scene| {
            let trash = fs::read_dir(scene.env.root().join("trash")).unwrap();
            let kept = trash.flatten().any(|entry| entry.file_name().to_string_lossy().parse::<i64>().is_ok());
            if !kept {
                to_trash(&scene.env.open())?;
            }
            let report = cache.gc_undo(None)?;
            assert_eq!(report.missing, []);
            assert!(report.bindings.iter().all(|binding| binding.status == "restored"), "{report:#?}");
            Ok(())
        };
        let with_gone = |scene: &Scene| {
            let cache = scene.env.open();
            to_trash(&cache).unwrap();
            cache.gc_undo(None).unwrap();
            bindings(&scene.env)
        };
        everywhere(ALL, 5, undo, with_gone);
    }

    /// What is looked at after a consume failed.
    type Afterwards = fn(&Scene, spelling: &str);

    fn consume_everywhere(afterwards: Afterwards) {
        for (style, from_then_on) in [(LinkStyle::Absolute, ""), (LinkStyle::Relative, "+"), (LinkStyle::Hardlink, "")]
        {
            let spellings = (1..).map(|at| (at, format!("fail@{at}{from_then_on}")));
            let hits = spellings.take_while(|(at, spelling)| consume(style, spelling, *at, afterwards)).count();
            assert!(hits >= 25, "only {hits} points, {style}");
        }
    }

    /// Lets a consume fail; tells whether the fault was met.
    fn consume(style: LinkStyle, spelling: &str, at: u64, afterwards: Afterwards) -> bool {
        let scene = Scene::new(style);
        let fault: Fault = spelling.parse().unwrap();
        let outcome = scene.with(&fault).and_then(|cache| cache.ingest(&Source::consume(&scene.source)));
        let hit = fault.count() >= at;
        assert!(hit || outcome.is_ok(), "{spelling}: {outcome:?}");
        assert_eq!(bindings(&scene.env), scene.bound, "{spelling}");
        assert_whole(&scene.env);
        match outcome {
            Ok(put) => {
                for (path, content) in FILES {
                    assert_eq!(fs::read_to_string(put.path.join(path)).unwrap(), content, "{spelling}");
                }
            }
            Err(_) => afterwards(&scene, spelling),
        }
        assert_nothing_leaks(&scene.env);
        hit
    }

    #[test]
    fn consuming_a_tree() {
        // Who gets an error has no hash, so the files must be where they were.
        consume_everywhere(|scene, spelling| {
            for (path, content) in FILES {
                let found = fs::read_to_string(scene.source.join(path));
                assert_eq!(found.ok().as_deref(), Some(content), "{spelling}: neither file nor hash is left of {path}");
            }
            let put = scene.env.open().ingest(&Source::consume(&scene.source));
            let put = put.unwrap_or_else(|error| panic!("{spelling}, retried: {error:?}"));
            assert!(!scene.source.exists(), "{spelling}, retried");
            assert_eq!(fs::read_to_string(put.path.join("d/b")).unwrap(), "only here", "{spelling}, retried");
        });
    }

    #[test]
    fn a_failed_consume_shares_nothing_with_the_store() {
        consume_everywhere(|scene, spelling| {
            let mine = scene.source.join("d/b");
            if !mine.exists() {
                return; // That is the other test's affair.
            }
            // It is the caller's to change, and of the same length, so that no quick look tells.
            make_executable(&mine);
            fs::write(&mine, "CHANGED!!").unwrap();
            fs::write(scene.env.path("again"), "only here").unwrap();
            let cache = scene.env.open();
            let again = cache.ingest(&Source::copy(scene.env.path("again"))).unwrap();
            assert_eq!(fs::read_to_string(&again.path).unwrap(), "only here", "{spelling}");
            assert_eq!(cache.verify(&VerifyOptions::new()).unwrap().problems, [], "{spelling}");
        });
    }
}
