//! Clean-up by policy against a brute force over plain maps: random stores that share files, random
//! rules; what goes, what it frees, what stays and why must be the same.

mod judge;
mod policy;
mod room;
mod story;
mod world;

use std::collections::BTreeSet;
use std::time::Duration;

use ohmyartifacts::{Cache, GcPlan, GcReport, LinkStyle, VerifyOptions};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use self::judge::Judge;
use self::policy::{Policy, policy};
use self::room::Limit;
use self::story::{Step, Story, act, change, story};
use self::world::{Key, World};
use crate::support::{Env, bytes_on_disk, shelves};

/// Owner, version, name, and what it stands for.
type Named = (String, String, String, Key);

/// Runs as many random cases, `OMA_PROOF_TIMES` times as many if that is set; one that fails is made
/// smaller and shown.
fn proof<T: std::fmt::Debug>(cases: u32, case: &(impl Strategy<Value = T> + 'static), check: impl Fn(T)) {
    let times: u32 = std::env::var("OMA_PROOF_TIMES").ok().and_then(|times| times.parse().ok()).unwrap_or(1);
    let config = Config { cases: cases * times, failure_persistence: None, max_shrink_iters: 400, ..Config::default() };
    // Always the same cases, unless more are asked for: then new ones.
    let mut runner = if times == 1 {
        TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
    } else {
        TestRunner::new(config)
    };
    let outcome = runner.run(case, |case| {
        check(case);
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

fn names_of(world: &World, bindings: impl IntoIterator<Item = i64>) -> BTreeSet<Named> {
    let named = |id| {
        let binding: &world::Binding = &world.bindings[&id];
        let (key, version) = binding.owner.clone();
        (key, version, binding.name.clone(), world.objects[&binding.object].key)
    };
    bindings.into_iter().map(named).collect()
}

fn is_whole(cache: &Cache) {
    assert_eq!(cache.verify(&VerifyOptions::new()).unwrap().problems, []);
}

/// The plan says what the model says.
fn compare(plan: &GcPlan, judge: &Judge<'_>, limits: &[Limit]) {
    let world = judge.world;
    let found: Vec<Limit> = plan.limits.iter().map(Limit::of).collect();
    // Of a limit that is not reached the counts must be the model's too: if all are zero, nothing is left.
    assert_eq!(found, limits, "what the rules about size come to, and why not more");
    let keys = |ids: BTreeSet<i64>| ids.into_iter().map(|id| world.objects[&id].key).collect::<BTreeSet<Key>>();
    let artifacts: BTreeSet<Key> = plan.artifacts.iter().map(|item| (item.hash, item.kind)).collect();
    assert_eq!(artifacts, keys(judge.artifacts()), "the artifacts that go");
    assert_eq!(artifacts.len(), plan.artifacts.len(), "each once");
    let unbound = plan.unbound.iter().map(|name| {
        let version = name.version.clone().unwrap_or_default();
        (name.owner.clone(), version, name.name.clone(), (name.hash, name.kind))
    });
    assert_eq!(unbound.collect::<BTreeSet<Named>>(), names_of(world, judge.let_go.iter().copied()), "the names let go");
    let files = judge.gone.iter().filter(|id| !world.objects[id].is_tree()).count();
    assert_eq!((plan.deleted_artifacts, plan.deleted_files), (judge.gone.len() as u64, files as u64));
    let (left, purged) = (world.bytes(&judge.gone), world.bytes(&judge.purged));
    let (freed, trashed) = if judge.trash { (0, left) } else { (left, 0) };
    assert_eq!((plan.freed_bytes, plan.trashed_bytes, plan.purged_bytes), (freed + purged, trashed, purged));
    assert_eq!(plan.artifacts.iter().map(|item| item.freed_bytes).sum::<u64>(), left, "item by item");
    assert_eq!(plan.trash().is_some(), judge.trash);
}

/// The run does what the plan says, on the disk too.
fn carry_out(env: &Env, cache: &Cache, plan: &GcPlan) -> GcReport {
    let before = bytes_on_disk(&env.root());
    let report = cache.gc_apply(plan).unwrap();
    let preview = plan.preview();
    assert_eq!(preview.artifacts, report.artifacts);
    assert_eq!(preview.unbound, report.unbound);
    assert_eq!(preview.limits, report.limits);
    assert_eq!(preview.kept, report.kept);
    assert_eq!(preview.owners_removed, report.owners_removed);
    let numbers = |report: &GcReport| {
        (report.freed_bytes, report.trashed_bytes, report.purged_bytes, report.deleted_artifacts, report.deleted_files)
    };
    assert_eq!(numbers(&preview), numbers(&report));
    assert_eq!((report.failed.len(), report.skipped.len()), (0, 0), "{report:#?}");
    let left = before - bytes_on_disk(&env.root());
    assert_eq!(report.freed_bytes - report.purged_bytes + report.trashed_bytes, left, "what left the shelves");
    is_whole(cache);
    report
}

/// A plan on paper is the plan.
fn read_again(cache: &Cache, plan: &GcPlan) {
    let read = cache.gc_plan_from(&cache.gc_plan_document(plan).unwrap()).unwrap();
    let (read_back, made) = (read.preview(), plan.preview());
    assert_eq!((&read_back.artifacts, &read_back.unbound), (&made.artifacts, &made.unbound));
    assert_eq!(read_back, made);
    assert_eq!(read.trash(), plan.trash());
}

/// Brings back what the run took: shelves and names are what they were before it.
fn undo(env: &Env, cache: &Cache, report: &GcReport, before: &World) {
    let undone = cache.gc_undo(report.run).unwrap();
    assert_eq!((undone.missing.len(), undone.restored.len()), (0, report.artifacts.len()));
    assert_eq!((undone.restored_objects, undone.restored_bytes), (report.deleted_artifacts, report.trashed_bytes));
    assert!(undone.bindings.iter().all(|binding| binding.status == "restored"), "{undone:#?}");
    let after = World::read(&env.root(), before.now);
    assert_eq!(names_of(&after, after.bindings.keys().copied()), names_of(before, before.bindings.keys().copied()));
    assert_eq!(shelves(&env.root()), before.shelves(&BTreeSet::new()));
    is_whole(cache);
}

fn one_policy(style: LinkStyle, story: &Story, policy: &Policy) {
    let told = story.tell(style);
    let (env, cache) = (&told.env, &told.cache);
    let world = World::read(&env.root(), env.clock.now().as_millis());
    assert_eq!(shelves(&env.root()), world.shelves(&BTreeSet::new()));
    let mut judge = Judge::of_ages(&world, policy);
    let limits = judge.make_room();
    let plan = cache.gc_plan(&policy.build()).unwrap();
    compare(&plan, &judge, &limits);
    read_again(cache, &plan);
    let report = carry_out(env, cache, &plan);
    assert_eq!(shelves(&env.root()), world.shelves(&judge.gone), "what stays on the shelves");
    let after = World::read(&env.root(), world.now);
    let mut names = names_of(&world, world.bindings.keys().copied());
    names.retain(|name| !names_of(&world, judge.let_go.iter().copied()).contains(name));
    assert_eq!(names_of(&after, after.bindings.keys().copied()), names, "the names that stay");
    if report.run.is_some() {
        undo(env, cache, &report, &world);
    }
}

/// A plan of yesterday takes nothing that somebody has come to need, and says so.
fn one_stale_plan(style: LinkStyle, story: &Story, policy: &Policy, changes: &[Step]) {
    let told = story.tell(style);
    let (env, cache) = (&told.env, &told.cache);
    let plan = cache.gc_plan(&policy.build()).unwrap();
    env.pass(Duration::from_secs(60));
    for step in changes {
        act(env, cache, &told.artifacts, step);
    }
    let before = World::read(&env.root(), env.clock.now().as_millis());
    let report = cache.gc_apply(&plan).unwrap();
    is_whole(cache);
    let after = World::read(&env.root(), before.now);
    let planned: BTreeSet<(String, String, String)> = plan
        .unbound
        .iter()
        .map(|name| (name.owner.clone(), name.version.clone().unwrap_or_default(), name.name.clone()))
        .collect();
    let names = |world: &World| names_of(world, world.bindings.keys().copied());
    for name in names(&before).difference(&names(&after)) {
        assert!(planned.contains(&(name.0.clone(), name.1.clone(), name.2.clone())), "{name:?} was not in the plan");
    }
    let taken: BTreeSet<Key> = report.artifacts.iter().map(|item| (item.hash, item.kind)).collect();
    let named: BTreeSet<Key> = plan.artifacts.iter().map(|item| (item.hash, item.kind)).collect();
    // A file of a directory in the plan may have become an artifact of its own, and nobody's, meanwhile.
    let objects = before.objects.iter().filter(|(_, object)| named.contains(&object.key));
    let reached: BTreeSet<Key> =
        objects.flat_map(|(id, _)| before.reach(*id)).map(|id| before.objects[&id].key).collect();
    assert!(taken.is_subset(&reached), "nothing that the plan does not name");
    let skipped: BTreeSet<Key> = report.skipped.iter().map(|skipped| (skipped.hash, skipped.kind)).collect();
    assert_eq!(skipped, named.difference(&taken).copied().collect(), "what stays is said");
    for changed in changes {
        let (Step::Pin(which) | Step::Lease(which) | Step::Bind(which, _)) = changed else { continue };
        let artifact = which.get(&told.artifacts);
        let key = (artifact.hash, artifact.kind);
        let still = match changed {
            Step::Bind(_, (owner, name)) => {
                let (owner, version) = owner.split_once('@').unwrap_or((owner, ""));
                names(&before).contains(&(owner.to_owned(), version.to_owned(), (*name).to_owned(), key))
            }
            _ => true,
        };
        let was_here = before.objects.values().any(|object| object.key == key && object.trash.is_none());
        assert!(!still || !was_here || !taken.contains(&key), "{key:?} is needed again");
    }
}

#[test]
fn random_changes_between_a_plan_and_the_run() {
    let changes = prop::collection::vec(change(), 1..6);
    proof(96, &(story(), policy(), changes), |(story, policy, changes)| {
        one_stale_plan(LinkStyle::Relative, &story, &policy, &changes);
    });
}

#[test]
fn random_policies_with_absolute_links() {
    proof(128, &(story(), policy()), |(story, policy)| one_policy(LinkStyle::Absolute, &story, &policy));
}

#[test]
fn random_policies_with_hard_links() {
    proof(128, &(story(), policy()), |(story, policy)| one_policy(LinkStyle::Hardlink, &story, &policy));
}
