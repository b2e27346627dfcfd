//! What gc keeps for a while, and brings back.

use std::fs;
use std::path::Path;

use ohmyartifacts::{
    BindOptions, Cache, Error, GcPolicy, GcReport, Ingested, LinkStyle, Metadata, Source, VerifyOptions,
};

use crate::support::{DAY, Env, STYLES, bytes_on_disk, picture, shelves};

fn made(cache: &Cache, owner: &str, name: &str, files: &[(&str, &str)]) -> Ingested {
    let make = |workdir: &Path| -> std::io::Result<()> {
        files.iter().try_for_each(|(path, content)| fs::write(workdir.join(path), content))
    };
    let meta = Metadata::from_pairs(vec![("lang".to_owned(), name.to_owned())]);
    cache.owner(owner).unwrap().create_by_command(name, &BindOptions::new().meta(meta), "make", make).unwrap()
}

fn collect(cache: &Cache, policy: &GcPolicy) -> GcReport {
    let report = cache.gc_apply(&cache.gc_plan(policy).unwrap()).unwrap();
    assert!(report.failed.is_empty(), "{report:#?}");
    report
}

/// Takes every orphan and keeps it for so many days.
fn trash(days: u32) -> GcPolicy {
    GcPolicy::default().collect_delay(std::time::Duration::ZERO).trash(Some(DAY * days))
}

fn is_whole(cache: &Cache) {
    assert_eq!(cache.verify(&VerifyOptions::new()).unwrap().problems, []);
}

/// Files in the trash of runs.
fn in_trash(env: &Env) -> usize {
    let runs = fs::read_dir(env.root().join("trash")).unwrap();
    runs.map(|run| fs::read_dir(run.unwrap().path()).unwrap().count()).sum()
}

#[test]
fn an_undo_restores_files_rows_and_names() {
    for style in STYLES {
        let env = Env::with_style(style);
        let cache = env.open();
        let put = made(&cache, "o@1", "n", &[("a", "aaa"), ("b", "bbb")]);
        made(&cache, "o@1", "stays", &[("b", "bbb")]);
        let before = (picture(&put.path), shelves(&env.root()), bytes_on_disk(&env.root()));
        let binding = cache.owner("o@1").unwrap().bindings().unwrap()[0].clone();
        env.pass(DAY);
        cache.owner("o@1").unwrap().unbind(["n"]).unwrap();
        let report = collect(&cache, &trash(7));
        assert_eq!((report.freed_bytes, report.deleted_artifacts), (0, 2), "{style}");
        assert_eq!(report.trashed_bytes, before.2 - bytes_on_disk(&env.root()));
        assert_eq!(report.trash_until, Some(env.clock.now().plus(DAY * 7)));
        assert!(!put.path.exists() && in_trash(&env) == 2);
        let stats = cache.stats().unwrap();
        assert_eq!((stats.stored_bytes, stats.trashed_bytes), (bytes_on_disk(&env.root()), report.trashed_bytes));
        assert!(cache.details(&put.artifact).is_err(), "it is gone for everybody");
        is_whole(&cache);
        env.pass(DAY * 6);
        assert_eq!(collect(&cache, &GcPolicy::default()).freed_bytes, 0, "it is kept for seven days");
        let undone = cache.gc_undo(None).unwrap();
        assert_eq!((undone.run, undone.restored.len(), undone.restored_objects), (report.run.unwrap(), 1, 2));
        assert_eq!((undone.bindings.len(), undone.bindings[0].status), (1, "restored"));
        assert_eq!((picture(&put.path), shelves(&env.root()), bytes_on_disk(&env.root())), before, "{style}");
        let back = cache.owner("o@1").unwrap().bindings().unwrap()[0].clone();
        assert_eq!((back.name, back.meta, back.bound_at), (binding.name, binding.meta, binding.bound_at));
        is_whole(&cache);
        assert_eq!(in_trash(&env), 0);
        assert!(matches!(cache.gc_undo(Some(undone.run)), Err(Error::CannotUndo { .. })), "once only");
        env.pass(DAY * 30);
        assert!(collect(&cache, &GcPolicy::default()).artifacts.is_empty(), "it is bound");
    }
}

#[test]
fn the_trash_is_emptied_when_its_time_is_over() {
    let env = Env::new();
    let cache = env.open();
    made(&cache, "o", "n", &[("a", "aaa")]);
    cache.owner("o").unwrap().unbind(["n"]).unwrap();
    let run = collect(&cache, &trash(7)).run;
    env.pass(DAY * 7);
    let plan = cache.gc_plan(&GcPolicy::default()).unwrap();
    assert_eq!((plan.freed_bytes, plan.purged_bytes, plan.deleted_artifacts), (3, 3, 0));
    let report = cache.gc_apply(&plan).unwrap();
    assert_eq!((report.freed_bytes, report.purged_bytes), (3, 3));
    assert_eq!(fs::read_dir(env.root().join("trash")).unwrap().count(), 0);
    assert!(matches!(cache.gc_undo(run), Err(Error::CannotUndo { .. })));
    assert!(matches!(cache.gc_undo(None), Err(Error::CannotUndo { .. })));
    assert_eq!(cache.stats().unwrap().stored_bytes, 0);
}

#[test]
fn the_same_content_again_takes_nothing_from_the_trash() {
    let env = Env::new();
    let cache = env.open();
    let first = made(&cache, "o", "n", &[("a", "aaa"), ("b", "bbb")]);
    cache.owner("o").unwrap().unbind(["n"]).unwrap();
    let run = collect(&cache, &trash(7)).run.unwrap();
    let again = made(&cache, "o", "n", &[("a", "aaa"), ("b", "bbb")]);
    assert_eq!((again.artifact.hash, again.new_bytes), (first.artifact.hash, 6));
    is_whole(&cache);
    let undone = cache.gc_undo(Some(run)).unwrap();
    assert_eq!((undone.restored.len(), undone.missing.len()), (0, 0), "all of it is there");
    is_whole(&cache);
    env.pass(DAY * 30);
    collect(&cache, &GcPolicy::default());
    is_whole(&cache);
    assert_eq!(fs::read_dir(env.root().join("trash")).unwrap().count(), 0);
    assert!(again.path.join("a").exists());
}

#[test]
fn what_the_trash_needs_stays_as_long_as_it_does() {
    let env = Env::new();
    let cache = env.open();
    let first = made(&cache, "o", "first", &[("a", "shared"), ("b", "1")]);
    made(&cache, "o", "second", &[("a", "shared"), ("c", "22")]);
    cache.owner("o").unwrap().unbind(["first"]).unwrap();
    let run = collect(&cache, &trash(30)).run;
    cache.owner("o").unwrap().unbind(["second"]).unwrap();
    let report = collect(&cache, &GcPolicy::default().collect_delay(std::time::Duration::ZERO));
    assert_eq!(report.freed_bytes, 2, "the shared file can still be brought back");
    env.pass(DAY);
    cache.gc_undo(run).unwrap();
    assert_eq!(fs::read_to_string(first.path.join("a")).unwrap(), "shared");
    is_whole(&cache);
    // And when it is emptied instead, all of it goes.
    cache.owner("o").unwrap().unbind(["first"]).unwrap();
    made(&cache, "o", "third", &[("a", "shared")]);
    collect(&cache, &trash(7));
    cache.owner("o").unwrap().unbind(["third"]).unwrap();
    collect(&cache, &GcPolicy::default().collect_delay(std::time::Duration::ZERO));
    env.pass(DAY * 7);
    let report = collect(&cache, &GcPolicy::default().collect_delay(std::time::Duration::ZERO));
    assert_eq!(report.freed_bytes, 7, "{report:#?}");
    assert_eq!((shelves(&env.root()).len(), cache.stats().unwrap().files), (0, 0));
}

#[test]
fn a_name_that_is_taken_meanwhile_stays_with_who_took_it() {
    let env = Env::new();
    let cache = env.open();
    let old = made(&cache, "o", "n", &[("a", "old")]);
    cache.owner("o").unwrap().unbind(["n"]).unwrap();
    collect(&cache, &trash(7));
    let new = made(&cache, "o", "n", &[("a", "new")]);
    let undone = cache.gc_undo(None).unwrap();
    assert_eq!((undone.bindings.len(), undone.bindings[0].status), (1, "taken"));
    let bound = cache.owner("o").unwrap().resolve("n").unwrap().unwrap();
    assert_eq!(bound.artifact.hash, new.artifact.hash);
    let details = cache.details(&old.artifact).unwrap();
    assert_eq!((details.state, details.orphaned_at), ("orphan", Some(env.clock.now())), "its time begins anew");
}

#[test]
fn what_a_rule_took_comes_back_and_is_not_taken_at_once() {
    let env = Env::new();
    let cache = env.open();
    made(&cache, "o", "n", &[("a", "aaaa")]);
    env.pass(DAY);
    let cap = GcPolicy::default().rule("max_size=0".parse().unwrap()).trash(Some(DAY * 7));
    assert_eq!(collect(&cache, &cap).unbound.len(), 1);
    assert_eq!(cache.owner("o").unwrap().bindings().unwrap(), []);
    cache.gc_undo(None).unwrap();
    assert_eq!(cache.owner("o").unwrap().bindings().unwrap().len(), 1);
    let plan = cache.gc_plan(&cap).unwrap();
    assert_eq!((plan.artifacts.len(), plan.limits[0].held_back.young), (0, 1), "it was used just now");
}

#[test]
fn files_that_somebody_deleted_are_missing_and_nothing_half_comes_back() {
    let env = Env::new();
    let cache = env.open();
    made(&cache, "o", "n", &[("a", "aaa"), ("b", "bbb")]);
    let source = env.tree("s", &[("c", "ccc")]).join("c");
    cache.owner("o").unwrap().ingest("c", &Source::copy(source), &BindOptions::new()).unwrap();
    cache.owner("o").unwrap().unbind(["n", "c"]).unwrap();
    let run = collect(&cache, &trash(7)).run.unwrap();
    let folder = env.root().join("trash").join(run.to_string());
    let lost = ohmyartifacts::Digest::of_blob(b"aaa");
    fs::remove_file(folder.join(format!("file-{lost}"))).unwrap();
    let undone = cache.gc_undo(None).unwrap();
    assert_eq!(undone.missing.len(), 2, "the file, and the directory that needs it: {undone:#?}");
    assert_eq!((undone.restored.len(), undone.bindings.len()), (1, 1), "{undone:#?}");
    is_whole(&cache);
}

#[test]
fn a_disk_that_is_too_full_keeps_no_trash() {
    let env = Env::with_style(LinkStyle::Hardlink);
    let cache = Cache::open(env.options().disk_room(1_000, 10_000)).unwrap();
    for name in ["a", "b"] {
        made(&cache, "o", name, &[("f", &name.repeat(400))]);
        cache.owner("o").unwrap().unbind([name]).unwrap();
        collect(&cache, &trash(30));
    }
    made(&cache, "o", "c", &[("f", &"c".repeat(400))]);
    cache.owner("o").unwrap().unbind(["c"]).unwrap();
    let plan = cache.gc_plan(&trash(30).rule("min_free=18%".parse().unwrap())).unwrap();
    assert_eq!((plan.trashed_bytes, plan.freed_bytes, plan.purged_bytes), (0, 800, 400), "the oldest trash first");
    let report = cache.gc_apply(&plan).unwrap();
    assert_eq!((report.freed_bytes, report.purged_bytes), (800, 400));
    assert_eq!(in_trash(&env), 2, "the second run's is enough left");
    is_whole(&cache);
}

/// One file, bound and let go; returns its hash.
fn let_go(cache: &Cache, owner: &str, name: &str, content: &str) -> ohmyartifacts::Artifact {
    let make = |workdir: &Path| fs::write(workdir.join("f"), content).map(|()| "f");
    let put = cache.owner(owner).unwrap().create(name, &BindOptions::new(), make).unwrap();
    cache.owner(owner).unwrap().unbind([name]).unwrap();
    put.artifact
}

/// Takes every orphan, for good.
fn for_good() -> GcPolicy {
    GcPolicy::default().collect_delay(std::time::Duration::ZERO)
}

#[test]
fn content_that_came_again_and_went_again_is_still_there_for_the_undo() {
    for style in STYLES {
        let env = Env::with_style(style);
        let cache = env.open();
        let file = let_go(&cache, "a", "f", "once more");
        let run = collect(&cache, &trash(30)).run.unwrap();
        env.pass(DAY);
        let_go(&cache, "b", "g", "once more");
        let report = collect(&cache, &for_good());
        assert_eq!((report.artifacts.len(), report.freed_bytes), (0, 0), "{style}: it is promised");
        assert_eq!(report.kept.iter().map(|kept| kept.reason).collect::<Vec<_>>(), ["trash"]);
        assert_eq!(collect(&cache, &trash(7)).artifacts.len(), 0);
        let why = cache.why(ohmyartifacts::Reference::new(&file.hash.to_string(), None), &for_good()).unwrap();
        assert_eq!(why.collect_after, Some(env.clock.now().plus(DAY * 29)));
        assert_eq!(cache.stats().unwrap().trashed_bytes, 0, "its file is back on the shelf");
        let undone = cache.gc_undo(Some(run)).unwrap();
        assert_eq!(undone.bindings.iter().map(|binding| binding.status).collect::<Vec<_>>(), ["restored"]);
        assert_eq!(fs::read_to_string(cache.owner("a").unwrap().path("f").unwrap().unwrap()).unwrap(), "once more");
        is_whole(&cache);
        cache.owner("a").unwrap().unbind(["f"]).unwrap();
        assert_eq!(collect(&cache, &for_good()).freed_bytes, 9, "nobody can undo the run any more");
    }
}

#[test]
fn a_promise_ends_with_its_time() {
    let env = Env::new();
    let cache = env.open();
    let_go(&cache, "a", "f", "once more");
    collect(&cache, &trash(7));
    let_go(&cache, "b", "g", "once more");
    env.pass(DAY * 7);
    assert_eq!(collect(&cache, &for_good()).freed_bytes, 9);
    assert_eq!(shelves(&env.root()), [""; 0]);
    assert_eq!(fs::read_dir(env.root().join("trash")).unwrap().count(), 0);
}

#[test]
fn a_file_that_came_again_is_no_copy_when_its_directory_comes_back() {
    for style in STYLES {
        let env = Env::with_style(style);
        let cache = env.open();
        made(&cache, "a", "t", &[("f", "shared by both"), ("g", "own")]);
        cache.owner("a").unwrap().unbind(["t"]).unwrap();
        collect(&cache, &trash(7));
        let source = env.tree("s", &[("f", "shared by both")]).join("f");
        let put = cache.owner("b").unwrap().ingest("f", &Source::copy(source), &BindOptions::new()).unwrap();
        assert_eq!(put.new_bytes, 14);
        cache.gc_undo(None).unwrap();
        is_whole(&cache);
        assert_eq!(cache.stats().unwrap().stored_bytes, bytes_on_disk(&env.root()), "{style}");
    }
}

#[test]
fn a_budget_that_is_too_small_leaves_the_run_open() {
    let env = Env::new();
    let cache = env.open();
    let_go(&cache, "o", "n", "more than the budget");
    let run = collect(&cache, &trash(7)).run;
    let id: ohmyartifacts::OwnerId = "o".parse().unwrap();
    let budget = |bytes| ohmyartifacts::OwnerSpec::new().hard_budget(bytes);
    cache.register_owner(&id, &budget(Some(1))).unwrap();
    let undone = cache.gc_undo(run).unwrap();
    assert_eq!((undone.restored.len(), undone.bindings[0].status), (1, "failed"), "{undone:#?}");
    cache.register_owner(&id, &budget(None)).unwrap();
    assert_eq!(cache.gc_undo(run).unwrap().bindings[0].status, "restored");
    assert_eq!(cache.owner("o").unwrap().bindings().unwrap().len(), 1);
}

#[test]
fn an_owner_whose_things_may_come_back_is_not_forgotten() {
    let env = Env::new();
    let cache = env.open();
    let root = env.tree("root", &[]);
    let id: ohmyartifacts::OwnerId = "o".parse().unwrap();
    cache.register_owner(&id, &ohmyartifacts::OwnerSpec::new().title("Mine").root(&root)).unwrap();
    made(&cache, "o", "n", &[("a", "aaa")]);
    fs::remove_dir(&root).unwrap();
    collect(&cache, &GcPolicy::default());
    env.pass(DAY * 14);
    let report = collect(&cache, &GcPolicy::default().trash(Some(DAY * 30)));
    assert_eq!((report.unbound.len(), report.owners_removed.len()), (1, 0), "{report:#?}");
    env.pass(DAY * 20);
    assert_eq!(collect(&cache, &GcPolicy::default()).owners_removed, [""; 0]);
    fs::create_dir(&root).unwrap();
    cache.gc_undo(None).unwrap();
    let details = cache.owner_details(&id).unwrap();
    assert_eq!((details.info.title.as_deref(), details.info.alive), (Some("Mine"), Some(true)));
    assert_eq!(details.info.bindings, 1);
}
