//! Several handles and threads on one store at once.

use std::fs;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use ohmyartifacts::{BindOptions, Cache, Error, Event, GcPolicy, Interrupt, Observer, Phase, Source, VerifyOptions};

use crate::support::{Env, STYLES, gc, leftovers, shelves};

#[test]
fn of_many_who_ask_for_a_name_one_makes_it() {
    let env = Env::new();
    env.open();
    let runs = AtomicUsize::new(0);
    let start = Barrier::new(8);
    let ask = || {
        let cache = env.open();
        start.wait();
        let owner = cache.owner("crowd").unwrap();
        let got = owner.get_or_create("data", &BindOptions::new(), |workdir| {
            runs.fetch_add(1, Ordering::SeqCst);
            // Long enough for all others to arrive.
            thread::sleep(Duration::from_millis(100));
            fs::write(workdir.join("answer"), "42")
        });
        got.unwrap()
    };
    let gots: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(runs.into_inner(), 1, "the closure ran once");
    assert_eq!(gots.iter().filter(|got| got.created).count(), 1);
    assert!(gots.iter().all(|got| got.path == gots[0].path && got.binding.artifact == gots[0].binding.artifact));
    assert_eq!(fs::read_to_string(gots[0].path.join("answer")).unwrap(), "42");
    assert_eq!(leftovers(&env.root()), Vec::<String>::new());
}

/// The files of a creator's n-th tree: some are in everybody's trees, some in this one only.
fn files_of(creator: usize, round: usize) -> Vec<(String, String)> {
    let shared = (0..6).map(|i| (format!("shared/{i}"), format!("shared {}", (i + round) % 9)));
    let own = (0..2).map(|i| (format!("own-{i}"), format!("{creator} {i} {}", round % 5)));
    shared.chain(own).collect()
}

/// Makes trees, binds most of them and lets some go again; returns what is bound at the end.
fn create_and_bind(env: &Env, creator: usize, until: Instant) -> Vec<(String, usize)> {
    let cache = env.open();
    let owner = cache.owner(&format!("creator-{creator}")).unwrap();
    let force = BindOptions::new().force(true);
    let mut bound: Vec<(String, usize)> = Vec::new();
    for round in 0.. {
        if Instant::now() >= until {
            break;
        }
        let name = format!("tree-{}", round % 7);
        let make = |workdir: &std::path::Path| {
            for (path, content) in files_of(creator, round) {
                fs::create_dir_all(workdir.join("shared"))?;
                fs::write(workdir.join(path), content)?;
            }
            Ok::<_, io::Error>(())
        };
        match round % 3 {
            0 => drop(owner.create(&name, &force, make).unwrap()),
            1 => {
                let made = cache.create(make).unwrap();
                thread::yield_now();
                owner.bind(&name, &made, &force).unwrap();
            }
            _ => {
                let made = cache.create(make).unwrap();
                owner.bind(&name, made.artifact.hash, &force).unwrap();
            }
        }
        bound.retain(|(known, _)| *known != name);
        bound.push((name, round));
        if round % 4 == 3 {
            let (gone, _) = bound.remove(0);
            assert_eq!(owner.unbind([&gone]).unwrap().len(), 1);
        }
    }
    bound
}

#[test]
fn nothing_bound_is_lost_beside_a_collector_without_delay() {
    for style in STYLES {
        let env = Env::with_style(style);
        env.open();
        let until = Instant::now() + Duration::from_secs(1);
        let done = AtomicBool::new(false);
        let (bound, collected) = thread::scope(|scope| {
            let collector = scope.spawn(|| {
                let cache = env.open();
                let mut collected = 0;
                while !done.load(Ordering::SeqCst) {
                    let plan = cache.gc_plan(&GcPolicy::default().collect_delay(Duration::ZERO)).unwrap();
                    let report = cache.gc_apply(&plan).unwrap();
                    assert_eq!(report.failed, []);
                    collected += report.deleted_artifacts;
                }
                collected
            });
            let env = &env;
            let creators: Vec<_> =
                (0..4).map(|creator| scope.spawn(move || create_and_bind(env, creator, until))).collect();
            let bound: Vec<_> = creators.into_iter().map(|creator| creator.join()).collect();
            done.store(true, Ordering::SeqCst);
            (bound.into_iter().collect::<Result<Vec<_>, _>>(), collector.join())
        });
        let (bound, collected) = (bound.expect("no creator fails"), collected.expect("the collector does not fail"));
        assert!(collected > 0, "there was something to collect");
        let cache = env.open();
        for (creator, names) in bound.into_iter().enumerate() {
            let owner = cache.owner(&format!("creator-{creator}")).unwrap();
            assert!(!names.is_empty());
            for (name, round) in names {
                let top = owner.path(&name).unwrap().expect("it is bound");
                for (path, content) in files_of(creator, round) {
                    assert_eq!(fs::read_to_string(top.join(path)).unwrap(), content);
                }
            }
        }
        assert_eq!(cache.verify(&VerifyOptions::new()).unwrap().problems, []);
    }
}

#[test]
fn a_closure_that_fails_adds_nothing() {
    let env = Env::new();
    let cache = env.open();
    let owner = cache.owner("o").unwrap();
    let fail = |workdir: &std::path::Path| {
        fs::write(workdir.join("half"), "done").unwrap();
        Err::<(), _>(io::Error::other("no more"))
    };
    assert!(matches!(cache.create(fail), Err(Error::Create { .. })));
    assert!(matches!(owner.create("n", &BindOptions::new(), fail), Err(Error::Create { .. })));
    assert!(matches!(owner.get_or_create("n", &BindOptions::new(), fail), Err(Error::Create { .. })));
    assert_eq!(owner.bindings().unwrap(), []);
    assert_eq!(shelves(&env.root()), Vec::<String>::new());
    drop(cache);
    assert_eq!(leftovers(&env.root()), Vec::<String>::new());
}

#[test]
fn a_closure_that_panics_leaves_a_usable_store() {
    let env = Env::new();
    let cache = env.open();
    let owner = cache.owner("o").unwrap();
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        owner.get_or_create("n", &BindOptions::new(), |workdir| -> Result<(), io::Error> {
            fs::write(workdir.join("half"), "done")?;
            panic!("on purpose")
        })
    }));
    assert!(outcome.is_err());
    let got = owner.get_or_create("n", &BindOptions::new(), |workdir| fs::write(workdir.join("whole"), "done"));
    assert!(got.unwrap().created, "the lock was let go");
    drop(cache);
    assert_eq!(leftovers(&env.root()), Vec::<String>::new());
}

/// Asks to stop as soon as a phase has begun or gone on.
struct StopIn {
    phase: Phase,
    interrupt: Interrupt,
}

impl Observer for StopIn {
    fn on(&self, event: &Event<'_>) {
        if matches!(event, Event::Begin { phase, .. } | Event::Advance { phase, .. } if *phase == self.phase) {
            self.interrupt.request();
        }
    }
}

#[test]
fn an_interrupted_ingest_leaves_the_store_as_it_was() {
    for phase in [Phase::Scan, Phase::Hash, Phase::Store] {
        let env = Env::new();
        let owner_before = |cache: &Cache| cache.owner("o").unwrap().bindings().unwrap();
        let source = env.tree("s", &[("a", "a"), ("b/c", "c")]);
        fs::write(source.join("large"), vec![7; 3_000_000]).unwrap();
        {
            let cache = env.open();
            cache.owner("o").unwrap().ingest("n", &Source::copy(source.join("a")), &BindOptions::new()).unwrap();
        }
        let before = shelves(&env.root());
        let interrupt = Interrupt::default();
        let observer = StopIn { phase, interrupt: interrupt.clone() };
        let cache = Cache::open(env.options().observer(Arc::new(observer)).interrupt(interrupt)).unwrap();
        let outcome = cache.ingest(&Source::copy(&source));
        assert!(matches!(outcome, Err(Error::Interrupted)), "{phase:?}: {outcome:?}");
        drop(cache);
        let cache = env.open();
        assert_eq!(owner_before(&cache).len(), 1);
        assert_eq!(cache.verify(&VerifyOptions::new()).unwrap().problems, []);
        // What was entered before the request is garbage at once, whatever the delay.
        gc(&cache, Duration::from_secs(1_000_000));
        assert_eq!(shelves(&env.root()), before, "{phase:?}");
        drop(cache);
        assert_eq!(leftovers(&env.root()), Vec::<String>::new(), "{phase:?}");
    }
}

#[test]
fn a_collector_beside_a_long_creation_takes_nothing_of_it() {
    for style in STYLES {
        let env = Env::with_style(style);
        let (begun, has_begun) = mpsc::channel();
        let (collected, has_collected) = mpsc::channel();
        let env = &env;
        thread::scope(|scope| {
            let creator = scope.spawn(move || {
                let cache = env.open();
                let owner = cache.owner("o").unwrap();
                owner.create("n", &BindOptions::new(), |workdir| {
                    fs::write(workdir.join("early"), "early")?;
                    begun.send(()).expect("the collector waits");
                    has_collected.recv().expect("the collector works");
                    fs::write(workdir.join("late"), "late")
                })
            });
            has_begun.recv().unwrap();
            let cache = env.open();
            env.pass(Duration::from_secs(3 * 24 * 60 * 60));
            gc(&cache, Duration::ZERO);
            collected.send(()).unwrap();
            let made = creator.join().unwrap().unwrap();
            assert_eq!(fs::read_to_string(made.path.join("early")).unwrap(), "early");
            assert_eq!(fs::read_to_string(made.path.join("late")).unwrap(), "late");
            gc(&cache, Duration::ZERO);
            assert!(made.path.exists(), "it is bound");
            assert_eq!(cache.verify(&VerifyOptions::new()).unwrap().problems, []);
        });
    }
}

/// Runs a gc without delay, by another handle, as soon as files are being entered.
struct CollectIn {
    phase: Phase,
    env: ohmyartifacts::CacheOptions,
}

impl Observer for CollectIn {
    fn on(&self, event: &Event<'_>) {
        if matches!(event, Event::Begin { phase, .. } if *phase == self.phase) {
            let cache = Cache::open(self.env.clone()).unwrap();
            gc(&cache, Duration::ZERO);
        }
    }
}

#[test]
fn a_collector_in_the_middle_of_an_ingest_takes_nothing_of_it() {
    for style in STYLES {
        for phase in [Phase::Scan, Phase::Hash, Phase::Store, Phase::Link] {
            let env = Env::with_style(style);
            let source = env.tree("s", &[("a", "a"), ("d/b", "b")]);
            let first = env.open();
            first.owner("o").unwrap().ingest("n", &Source::copy(&source), &BindOptions::new()).unwrap();
            // All of it is an orphan when it comes in again.
            first.owner("o").unwrap().unbind(["n"]).unwrap();
            let observer = Arc::new(CollectIn { phase, env: env.options() });
            let cache = Cache::open(env.options().observer(observer)).unwrap();
            fs::write(source.join("d/c"), "c").unwrap();
            let made = cache.owner("o").unwrap().ingest("n", &Source::copy(&source), &BindOptions::new()).unwrap();
            for (path, content) in [("a", "a"), ("d/b", "b"), ("d/c", "c")] {
                assert_eq!(fs::read_to_string(made.path.join(path)).unwrap(), content, "{phase:?}");
            }
            assert_eq!(cache.verify(&VerifyOptions::new()).unwrap().problems, [], "{phase:?}");
        }
    }
}
