//! Budgets: what is refused, what is let through, what is only said.

use std::fs;
use std::sync::{Arc, Mutex};

use ohmyartifacts::{
    BindOptions, BindingName, Cache, Error, Event, Ingested, Keep, Observer, OwnerId, OwnerSpec, Result, Source,
};

use crate::support::{Env, refused, shelves};

fn id(text: &str) -> OwnerId {
    text.parse().unwrap()
}

fn limit(cache: &Cache, bytes: u64) {
    cache.register_owner(&id("o"), &OwnerSpec::new().hard_budget(Some(bytes))).unwrap();
}

/// Binds a file of so many bytes.
fn bind(env: &Env, cache: &Cache, name: &str, bytes: usize) -> Result<Ingested> {
    let source = env.tree("files", &[(name, &name.repeat(bytes))]);
    cache.owner("o").unwrap().ingest(name, &Source::copy(source.join(name)), &BindOptions::new())
}

fn used(cache: &Cache) -> u64 {
    cache.owner_details(&id("o")).unwrap().used_bytes
}

fn over<T: std::fmt::Debug>(outcome: Result<T>) -> (u64, u64) {
    match refused(outcome) {
        Error::OverBudget { owner, budget, needed } => {
            assert_eq!(owner, "o");
            (budget, needed)
        }
        other => panic!("{other}"),
    }
}

#[test]
fn a_hard_budget_refuses_what_would_lift_it_and_nothing_else() {
    let env = Env::new();
    let cache = env.open();
    limit(&cache, 10);
    bind(&env, &cache, "a", 6).unwrap();
    assert_eq!(over(bind(&env, &cache, "b", 5)), (10, 11));
    bind(&env, &cache, "b", 4).unwrap();
    assert_eq!(used(&cache), 10, "to the byte");
    // What it reaches already costs nothing.
    let owner = cache.owner("o").unwrap();
    let a = owner.resolve("a").unwrap().unwrap().artifact;
    owner.bind("again", &a, &BindOptions::new()).unwrap();
    // What lies above a budget that came later may shrink, not grow.
    limit(&cache, 5);
    let small = cache.ingest(&Source::copy(env.tree("files", &[("s", "s")]).join("s"))).unwrap();
    let large = cache.ingest(&Source::copy(env.tree("files", &[("l", "longer")]).join("l"))).unwrap();
    assert_eq!(over(owner.bind("new", &small, &BindOptions::new())), (5, 11));
    assert_eq!(over(owner.bind("b", &large, &BindOptions::new().force(true))), (5, 12));
    owner.bind("b", &small, &BindOptions::new().force(true)).unwrap();
    assert_eq!(used(&cache), 7);
}

#[test]
fn a_forced_rebind_that_is_refused_keeps_what_was_bound() {
    let env = Env::new();
    let cache = env.open();
    limit(&cache, 10);
    let before = bind(&env, &cache, "a", 6).unwrap();
    let source = env.tree("files", &[("big", "0123456789abc")]).join("big");
    let owner = cache.owner("o").unwrap();
    let forced = BindOptions::new().force(true);
    assert_eq!(over(owner.ingest("a", &Source::copy(&source), &forced)), (10, 13));
    let big = cache.ingest(&Source::copy(&source)).unwrap();
    assert_eq!(over(owner.bind("a", &big, &forced)), (10, 13));
    assert_eq!(owner.resolve("a").unwrap().unwrap().artifact, before.artifact);
    assert_eq!(cache.details(&before.artifact).unwrap().state, "live");
    // A swap of the same size fits, though both together would not.
    let swap = env.tree("files", &[("swap", "987654")]).join("swap");
    owner.ingest("a", &Source::copy(swap), &forced).unwrap();
    assert_eq!(used(&cache), 6);
}

#[test]
fn a_tree_counts_each_of_its_files_once_and_is_refused_before_it_enters() {
    let env = Env::new();
    let cache = env.open();
    limit(&cache, 10_000);
    bind(&env, &cache, "a", 4_000).unwrap();
    let shelf = shelves(&env.root());
    let a = "a".repeat(4_000);
    let tree = env.tree("tree", &[("one", &a), ("two", &a), ("new", &"x".repeat(7_000))]);
    let owner = cache.owner("o").unwrap();
    assert_eq!(over(owner.ingest("tree", &Source::copy(&tree), &BindOptions::new())), (10_000, 11_000));
    assert_eq!(shelves(&env.root()), shelf, "nothing entered the store");
    fs::write(tree.join("new"), "x".repeat(3_000)).unwrap();
    owner.ingest("tree", &Source::copy(&tree), &BindOptions::new()).unwrap();
    let usage = cache.usage().unwrap();
    assert_eq!(used(&cache), usage.owners[0].total_bytes, "what it has used is what `usage` says");
}

#[test]
fn what_is_made_or_handed_over_is_within_the_budget_too() {
    let env = Env::new();
    let cache = env.open();
    limit(&cache, 10);
    let owner = cache.owner("o").unwrap();
    let make = |work: &std::path::Path| fs::write(work.join("f"), "0123456789abc").map(|()| Keep::from("f"));
    assert_eq!(over(owner.create("n", &BindOptions::new(), make)), (10, 13));
    assert_eq!(over(owner.get_or_create("n", &BindOptions::new(), make)), (10, 13));
    let maker = cache.owner("maker").unwrap();
    let made = maker.create("n", &BindOptions::new(), make).unwrap();
    let for_o = BindOptions::new().bound_by(id("maker"));
    assert_eq!(over(owner.bind("n", &made.artifact, &for_o)), (10, 13));
    assert_eq!(over(cache.delegate(&id("maker"), &id("o"), None, false)), (10, 13));
    assert_eq!((owner.bindings().unwrap().len(), maker.bindings().unwrap().len()), (0, 1));
    // By force the old one makes room.
    limit(&cache, 13);
    bind(&env, &cache, "n", 1).unwrap();
    let name = [BindingName::new("n").unwrap()];
    let done = cache.delegate(&id("maker"), &id("o"), Some(&name), true).unwrap();
    assert_eq!((used(&cache), done.replaced.len()), (13, 1));
}

/// Keeps what is said.
#[derive(Default)]
struct Heard(Mutex<Vec<String>>);

impl Observer for Heard {
    fn on(&self, event: &Event<'_>) {
        if let Event::Warning { message } = event {
            self.0.lock().unwrap().push((*message).to_owned());
        }
    }
}

#[test]
fn a_soft_budget_is_told_when_it_is_crossed_and_refuses_nothing() {
    let env = Env::new();
    let heard = Arc::new(Heard::default());
    let cache = Cache::open(env.options().observer(heard.clone())).unwrap();
    let spec = OwnerSpec::new().soft_budget(Some(10)).hard_budget(Some(20));
    cache.register_owner(&id("o"), &spec).unwrap();
    bind(&env, &cache, "a", 10).unwrap();
    assert_eq!(*heard.0.lock().unwrap(), Vec::<String>::new());
    bind(&env, &cache, "b", 1).unwrap();
    let told = ["o holds 11B now, more than its soft budget of 10B"];
    assert_eq!(*heard.0.lock().unwrap(), told);
    bind(&env, &cache, "c", 1).unwrap();
    over(bind(&env, &cache, "d", 9));
    assert_eq!(*heard.0.lock().unwrap(), told, "it is told once, and not of what was refused");
}
