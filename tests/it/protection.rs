//! What keeps an artifact, for how long, and what does not.

use std::fs;
use std::time::Duration;

use ohmyartifacts::{
    Artifact, BindOptions, Cache, Clock, Error, Fault, GcPolicy, Ingested, LinkPolicy, Source, VerifyOptions,
};

use crate::support::{DAY, Env, STYLES, gc, make_executable, shelves};

fn put(env: &Env, cache: &Cache, content: &str) -> Ingested {
    let source = env.tree("files", &[(content, content)]).join(content);
    cache.ingest(&Source::copy(source)).unwrap()
}

fn holds(cache: &Cache, artifact: &Artifact) -> bool {
    cache.details(artifact).is_ok_and(|details| details.present)
}

#[test]
fn a_lease_ends_with_the_first_gc_after_its_time() {
    let env = Env::new();
    let cache = env.open();
    let a = put(&env, &cache, "a");
    env.pass(DAY - Duration::from_secs(1));
    assert_eq!(gc(&cache, Duration::ZERO).deleted_artifacts, 0, "it protects for a day");
    env.pass(DAY * 30);
    assert_eq!(gc(&cache, DAY).deleted_artifacts, 0, "the delay begins when gc notices");
    env.pass(DAY - Duration::from_secs(1));
    assert_eq!(gc(&cache, DAY).deleted_artifacts, 0);
    env.pass(Duration::from_secs(1));
    assert_eq!(gc(&cache, DAY).deleted_artifacts, 1);
    assert!(!holds(&cache, &a.artifact));
}

#[test]
fn a_dry_run_tells_of_released_leases_what_the_real_run_does() {
    let env = Env::new();
    let cache = env.open();
    let source = env.tree("s", &[("a", "a"), ("b", "b")]);
    cache.ingest(&Source::copy(&source)).unwrap();
    // A file of the tree with a lease of its own, and a pin that has an end.
    let a = cache.ingest(&Source::copy(source.join("a"))).unwrap();
    let c = put(&env, &cache, "c");
    cache.pin(&c.artifact, "for a while", Some(env.clock.now().plus(DAY))).unwrap();
    env.pass(DAY * 2);
    let plan = cache.gc_plan(&GcPolicy::default().collect_delay(Duration::ZERO)).unwrap();
    let report = cache.gc_apply(&plan).unwrap();
    assert_eq!(report.deleted_artifacts, 4);
    assert_eq!(plan.preview().artifacts, report.artifacts);
    assert!(!holds(&cache, &a.artifact));
}

#[test]
fn a_used_lease_does_not_take_another_ones_place() {
    let env = Env::new();
    let cache = env.open();
    let owner = cache.owner("o").unwrap();
    let a = put(&env, &cache, "a");
    owner.bind("one", &a, &BindOptions::new()).unwrap();
    let b = put(&env, &cache, "b");
    // The same handle once more: its own lease is used up, b's is none of its business.
    owner.bind("two", &a, &BindOptions::new()).unwrap();
    assert_eq!(cache.details(&b.artifact).unwrap().leases.len(), 1, "b is still protected");
    env.pass(DAY * 2);
    gc(&cache, Duration::ZERO);
    assert!(!holds(&cache, &b.artifact), "b does not stay for ever either");
    assert!(holds(&cache, &a.artifact));
}

#[test]
fn a_lease_that_ran_out_does_not_take_another_ones_place() {
    let env = Env::new();
    let cache = env.open();
    let owner = cache.owner("o").unwrap();
    let source = env.tree("s", &[("a", "a"), ("b", "b")]);
    let tree = owner.ingest("tree", &Source::copy(&source), &BindOptions::new()).unwrap();
    let late = put(&env, &cache, "late");
    env.pass(DAY * 2);
    gc(&cache, DAY);
    let b = cache.ingest(&Source::copy(source.join("b"))).unwrap();
    owner.bind("late", &late, &BindOptions::new()).unwrap();
    owner.unbind(["tree"]).unwrap();
    gc(&cache, Duration::ZERO);
    assert!(!holds(&cache, &tree.artifact));
    assert!(holds(&cache, &b.artifact), "b has been put in just now and has a lease for a day");
}

#[test]
fn of_two_forms_a_hash_means_the_one_just_put_in() {
    for executable_first in [false, true] {
        let env = Env::new();
        let cache = env.open();
        let source = env.tree("s", &[("plain", "same"), ("run", "same")]);
        make_executable(&source.join("run"));
        let order = if executable_first { ["run", "plain"] } else { ["plain", "run"] };
        let [_, last] = order.map(|name| cache.ingest(&Source::copy(source.join(name))).unwrap());
        let owner = cache.owner("o").unwrap();
        let bound = owner.bind("n", last.artifact.hash, &BindOptions::new()).unwrap();
        assert_eq!(bound.artifact, last.artifact, "{order:?}");
    }
}

#[test]
fn letting_go_what_is_not_pinned_changes_nothing() {
    let env = Env::new();
    let cache = env.open();
    let owner = cache.owner("o").unwrap();
    let source = env.tree("s", &[("a", "a")]);
    owner.ingest("tree", &Source::copy(&source), &BindOptions::new()).unwrap();
    let a = put(&env, &cache, "a");
    owner.bind("a", &a, &BindOptions::new()).unwrap();
    owner.unbind(["a", "tree"]).unwrap();
    env.pass(DAY);
    assert!(!cache.unpin(&a.artifact).unwrap());
    let report = gc(&cache, DAY);
    assert_eq!(report.deleted_artifacts, 2, "the file's delay did not begin anew");
    assert_eq!(shelves(&env.root()), Vec::<String>::new());
}

#[test]
fn a_file_that_a_bound_tree_needs_is_no_orphan() {
    let env = Env::new();
    let cache = env.open();
    let owner = cache.owner("o").unwrap();
    let source = env.tree("s", &[("a", "a")]);
    let tree = owner.ingest("tree", &Source::copy(&source), &BindOptions::new()).unwrap();
    let a = put(&env, &cache, "a");
    owner.bind("a", &a, &BindOptions::new()).unwrap();
    owner.unbind(["tree"]).unwrap();
    owner.unbind(["a"]).unwrap();
    owner.bind("again", &tree.artifact, &BindOptions::new()).unwrap();
    let details = cache.details(&a.artifact).unwrap();
    assert_eq!((details.state, details.orphaned_at), ("live", None));
    assert_eq!(cache.stats().unwrap().orphans, 0);
}

#[test]
fn a_failed_ingest_does_not_shorten_the_delay_of_what_was_there() {
    // At each point at which putting in a tree with the same file may fail.
    for at in 1..60 {
        let env = Env::new();
        let cache = env.open();
        let owner = cache.owner("o").unwrap();
        let a = put(&env, &cache, "a");
        owner.bind("a", &a, &BindOptions::new()).unwrap();
        owner.unbind(["a"]).unwrap();
        drop(cache);
        let source = env.tree("s", &[("a", "a"), ("b", "b")]);
        let fault: Fault = format!("fail@{at}").parse().unwrap();
        let outcome = Cache::open(env.options().fault(fault)).and_then(|cache| cache.ingest(&Source::copy(&source)));
        let cache = env.open();
        gc(&cache, DAY * 7);
        assert!(holds(&cache, &a.artifact), "fail@{at}: unbound just now, and the delay is a week");
        assert!(fs::read_to_string(&a.path).is_ok());
        if outcome.is_ok() {
            return;
        }
    }
    panic!("it never ran through");
}

#[test]
fn an_object_taken_by_gc_cannot_be_bound_nor_pinned() {
    let env = Env::new();
    let cache = env.open();
    let owner = cache.owner("o").unwrap();
    let a = put(&env, &cache, "a");
    env.pass(DAY);
    gc(&cache, Duration::ZERO);
    assert!(matches!(owner.bind("n", &a, &BindOptions::new()), Err(Error::NoSuchObject { .. })));
    assert!(matches!(owner.bind("n", a.artifact.hash, &BindOptions::new()), Err(Error::NoSuchObject { .. })));
    assert!(matches!(cache.pin(&a.artifact, "late", None), Err(Error::NoSuchObject { .. })));
    assert!(matches!(cache.unpin(&a.artifact), Err(Error::NoSuchObject { .. })));
    let again = cache.ingest(&Source::copy(env.path("files/a")).links(LinkPolicy::Skip)).unwrap();
    assert_eq!((again.artifact, again.new_files), (a.artifact, 1));
}

#[test]
fn a_plan_that_grew_old_takes_only_what_is_still_lost() {
    for style in STYLES {
        let env = Env::with_style(style);
        let (cache, other) = (env.open(), env.open());
        let owner = cache.owner("o").unwrap();
        let source = env.tree("s", &[("kept/a", "a"), ("kept/b", "b"), ("gone/a", "a"), ("gone/c", "c")]);
        for name in ["kept", "gone"] {
            owner.ingest(name, &Source::copy(source.join(name)), &BindOptions::new()).unwrap();
        }
        owner.unbind(["kept", "gone"]).unwrap();
        let plan = cache.gc_plan(&GcPolicy::default().collect_delay(Duration::ZERO)).unwrap();
        assert_eq!(plan.deleted_artifacts, 5);
        let again = other.owner("o").unwrap();
        let kept = again.ingest("kept", &Source::copy(source.join("kept")), &BindOptions::new()).unwrap();
        let report = cache.gc_apply(&plan).unwrap();
        assert_eq!((report.deleted_artifacts, report.freed_bytes), (2, 1), "the tree and the file only it had");
        assert_eq!(fs::read_to_string(kept.path.join("a")).unwrap(), "a");
        assert_eq!(cache.verify(&VerifyOptions::new()).unwrap().problems, []);
    }
}

#[test]
fn a_clock_set_back_makes_nothing_older() {
    let env = Env::new();
    let cache = env.open();
    let owner = cache.owner("o").unwrap();
    let source = env.tree("s", &[("a", "a")]);
    owner.ingest("n", &Source::copy(&source), &BindOptions::new()).unwrap();
    env.pass(Duration::from_secs(30 * 24 * 60 * 60));
    owner.unbind(["n"]).unwrap();
    let back = env.clock.now().minus(Duration::from_secs(20 * 24 * 60 * 60));
    let elsewhere = Cache::open(env.options().clock(Clock::fixed(back))).unwrap();
    assert_eq!(gc(&elsewhere, Duration::from_secs(60)).deleted_artifacts, 0);
    assert_eq!(gc(&cache, Duration::from_secs(60)).deleted_artifacts, 0);
    env.pass(Duration::from_secs(60));
    assert_eq!(gc(&elsewhere, Duration::from_secs(60)).deleted_artifacts, 0, "its own clock stands still");
    assert_eq!(gc(&cache, Duration::from_secs(60)).deleted_artifacts, 2);
}
