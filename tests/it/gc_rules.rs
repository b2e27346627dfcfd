//! Clean-up by rules: by age, by idleness, by size; and what no rule may take.

use std::fs;
use std::time::Duration;

use ohmyartifacts::{
    Artifact, BindOptions, Cache, CacheOptions, GcPlan, GcPolicy, GcReport, Ingested, OwnerId, Source,
};

use crate::support::{DAY, Env, bytes_on_disk, shelves};

const HOUR: Duration = Duration::from_secs(60 * 60);

/// Puts in what a command would make: it can be built again.
fn made(cache: &Cache, owner: &str, name: &str, files: &[(&str, &str)]) -> Ingested {
    let make = |workdir: &std::path::Path| -> std::io::Result<()> {
        files.iter().try_for_each(|(path, content)| fs::write(workdir.join(path), content))
    };
    cache.owner(owner).unwrap().create_by_command(name, &BindOptions::new(), "make", make).unwrap()
}

/// Puts in what nobody knows how to get back.
fn added(env: &Env, cache: &Cache, owner: &str, name: &str, content: &str) -> Ingested {
    let source = env.tree("sources", &[(name, content)]).join(name);
    cache.owner(owner).unwrap().ingest(name, &Source::copy(source), &BindOptions::new()).unwrap()
}

fn rules(texts: &[&str]) -> GcPolicy {
    texts.iter().fold(GcPolicy::default(), |policy, text| policy.rule(text.parse().unwrap()))
}

/// Plans and carries out, and holds the two against each other and against the disk.
fn gc(env: &Env, cache: &Cache, policy: &GcPolicy) -> GcReport {
    let before = bytes_on_disk(&env.root());
    let plan = cache.gc_plan(policy).unwrap();
    let report = cache.gc_apply(&plan).unwrap();
    let preview = plan.preview();
    assert_eq!(preview.artifacts, report.artifacts);
    assert_eq!(preview.unbound, report.unbound);
    assert_eq!(preview.limits, report.limits);
    assert_eq!((preview.freed_bytes, preview.trashed_bytes), (report.freed_bytes, report.trashed_bytes));
    assert_eq!(preview.deleted_artifacts, report.deleted_artifacts);
    let left = before - bytes_on_disk(&env.root());
    assert_eq!(report.freed_bytes - report.purged_bytes + report.trashed_bytes, left, "what left the shelves");
    assert_eq!((report.failed.len(), report.skipped.len()), (0, 0), "{report:?}");
    report
}

fn names(report: &GcReport) -> Vec<&str> {
    let mut names: Vec<&str> = report.unbound.iter().map(|unbound| unbound.name.as_str()).collect();
    names.sort_unstable();
    names
}

fn is_bound(cache: &Cache, owner: &str, name: &str) -> bool {
    cache.owner(owner).unwrap().bindings().unwrap().iter().any(|binding| binding.name == name)
}

#[test]
fn of_rules_about_age_the_first_that_is_about_it_counts() {
    let env = Env::new();
    let cache = env.open();
    for (owner, name) in [("model-zoo@1", "a"), ("model-zoo@2", "b"), ("other", "c")] {
        made(&cache, owner, name, &[("f", name)]);
        cache.owner(owner).unwrap().unbind([name]).unwrap();
    }
    let policy = rules(&["owner=model-zoo@1 dead_for=30d", "owner=model-* dead_for=2d", "dead_for=10d"]);
    let gone = |days: u32| {
        env.clock.set("2026-01-01T00:00:00Z".parse::<ohmyartifacts::Timestamp>().unwrap().plus(DAY * days));
        gc(&env, &cache, &policy).artifacts.iter().flat_map(|item| item.names.clone()).collect::<Vec<_>>()
    };
    assert_eq!(gone(1), [""; 0]);
    assert_eq!(gone(2), ["model-zoo@2:b"]);
    assert_eq!(gone(9), [""; 0]);
    assert_eq!(gone(10), ["other:c"]);
    assert_eq!(gone(29), [""; 0]);
    assert_eq!(gone(30), ["model-zoo@1:a"]);
}

#[test]
fn what_nobody_looks_up_goes_with_its_names() {
    let env = Env::new();
    let cache = env.open();
    let shared = made(&cache, "a", "tree", &[("f", "shared"), ("g", "alone")]);
    cache.owner("b").unwrap().bind("also", &shared.artifact, &BindOptions::new()).unwrap();
    made(&cache, "b", "used", &[("f", "shared")]);
    for _ in 0..6 {
        env.pass(DAY * 5);
        assert!(cache.owner("b").unwrap().path("used").unwrap().is_some());
        cache.flush_uses();
    }
    let policy = rules(&["owner=a unused_for=20d"]);
    assert!(cache.gc_plan(&policy).unwrap().is_empty(), "another owner still has it");
    let report = gc(&env, &cache, &rules(&["unused_for=20d"]));
    assert_eq!(names(&report), ["also", "tree"]);
    assert_eq!(report.artifacts[0].reason, "idle");
    assert_eq!(report.artifacts[0].rule.as_deref(), Some("unused_for=20d"));
    assert_eq!(report.freed_bytes, 5, "the shared file stays");
    assert!(is_bound(&cache, "b", "used") && !is_bound(&cache, "a", "tree"));
}

#[test]
fn a_clock_that_jumps_makes_nothing_idle() {
    let env = Env::new();
    let cache = env.open();
    made(&cache, "o", "n", &[("f", "x")]);
    let policy = rules(&["unused_for=30d"]);
    env.jump(DAY * 3_650);
    assert!(gc(&env, &cache, &policy).artifacts.is_empty(), "ten years that nobody saw pass");
    assert!(gc(&env, &cache, &policy).artifacts.is_empty(), "nor the second time");
    for _ in 0..3 {
        env.pass(DAY * 7);
        assert!(gc(&env, &cache, &policy).artifacts.is_empty());
    }
    env.pass(DAY * 3);
    assert_eq!(names(&gc(&env, &cache, &policy)), ["n"], "7 days of the gap and 24 since");
}

#[test]
fn a_cap_takes_what_can_be_had_again_and_what_is_used_least() {
    let env = Env::new();
    let cache = env.open();
    let kilo = "k".repeat(1_000);
    for (day, name) in ["old", "middle", "new"].iter().enumerate() {
        made(&cache, "o", name, &[("f", &format!("{name}{kilo}"))]);
        let _ = day;
        env.pass(DAY);
    }
    added(&env, &cache, "o", "mine", &"m".repeat(5_000));
    env.pass(DAY);
    let report = gc(&env, &cache, &rules(&["max_size=7.1KB"]));
    assert_eq!(names(&report), ["old"], "{report:#?}");
    assert_eq!(report.limits.len(), 1);
    assert!(report.limits[0].reached && report.limits[0].after_bytes <= 7_100);
    assert_eq!(report.limits[0].before_bytes - report.limits[0].after_bytes, report.freed_bytes);
    let report = gc(&env, &cache, &rules(&["max_size=1KB"]));
    assert_eq!(names(&report), ["middle", "new"]);
    let limit = &report.limits[0];
    assert!(!limit.reached && limit.held_back.irreplaceable == 1, "{limit:?}");
    assert!(is_bound(&cache, "o", "mine"), "nobody knows how to get it back");
}

#[test]
fn a_cap_leaves_what_is_pinned_leased_or_young_and_says_so() {
    let env = Env::new();
    let cache = env.open();
    let pinned = made(&cache, "o", "pinned", &[("f", "1111")]);
    let leased = made(&cache, "o", "leased", &[("f", "2222")]);
    made(&cache, "o", "plain", &[("f", "3333")]);
    cache.pin(&pinned.artifact, "for good", None).unwrap();
    env.pass(HOUR * 2);
    cache.create(|workdir| fs::write(workdir.join("f"), "2222")).unwrap();
    assert!(!cache.details(&leased.artifact).unwrap().leases.is_empty());
    env.pass(HOUR / 2);
    made(&cache, "o", "young", &[("f", "4444")]);
    let report = gc(&env, &cache, &rules(&["max_size=0"]));
    assert_eq!(names(&report), ["plain"]);
    let held = report.limits[0].held_back;
    assert_eq!((held.pinned, held.leased, held.young), (1, 1, 1), "{held:?}");
    let report = gc(&env, &cache, &rules(&["max_size=0 min_age=0"]));
    assert_eq!(names(&report), ["young"]);
    env.pass(DAY);
    gc(&env, &cache, &GcPolicy::default());
    let report = gc(&env, &cache, &rules(&["max_size=0"]));
    assert_eq!(names(&report), ["leased"], "the lease is over: {report:#?}");
    assert!(is_bound(&cache, "o", "pinned"));
}

#[test]
fn orphans_go_before_what_is_bound_when_room_is_needed() {
    let env = Env::new();
    let cache = env.open();
    made(&cache, "o", "bound", &[("f", "1111")]);
    made(&cache, "o", "orphan", &[("f", "2222")]);
    cache.owner("o").unwrap().unbind(["orphan"]).unwrap();
    env.pass(HOUR * 2);
    let report = gc(&env, &cache, &rules(&["max_size=4B"]));
    assert_eq!(report.artifacts.len(), 1);
    assert_eq!((report.artifacts[0].reason, names(&report).len()), ("max size", 0));
    assert!(is_bound(&cache, "o", "bound"));
}

#[test]
fn the_cap_of_an_owner_lets_its_names_go_though_others_keep_the_files() {
    let env = Env::new();
    let cache = env.open();
    let shared = made(&cache, "a", "shared", &[("f", "11111111")]);
    env.pass(DAY);
    cache.owner("b").unwrap().bind("shared", &shared.artifact, &BindOptions::new()).unwrap();
    made(&cache, "a", "own", &[("f", "2222")]);
    env.pass(DAY);
    let report = gc(&env, &cache, &rules(&["owner=a max_size=5B"]));
    assert_eq!(names(&report), ["shared"]);
    assert_eq!((report.artifacts.len(), report.freed_bytes), (0, 0), "b has it still");
    assert_eq!((report.limits[0].before_bytes, report.limits[0].after_bytes), (12, 4));
    assert!(is_bound(&cache, "b", "shared") && is_bound(&cache, "a", "own"));
}

#[test]
fn room_on_the_disk_is_made_as_far_as_needed() {
    let env = Env::new();
    let cache = Cache::open(env.options().disk_room(1_000, 10_000)).unwrap();
    for name in ["a", "b", "c"] {
        made(&cache, "o", name, &[("f", &name.repeat(400))]);
        env.pass(DAY);
    }
    assert!(cache.gc_plan(&rules(&["min_free=10%"])).unwrap().is_empty());
    let report = gc(&env, &cache, &rules(&["min_free=15%"]));
    assert_eq!(names(&report), ["a", "b"], "500 bytes are needed, each has 400");
    assert_eq!((report.limits[0].limit_bytes, report.limits[0].after_bytes), (1_500, 1_800));
}

#[test]
fn for_one_owner_nothing_of_others_goes() {
    let env = Env::new();
    let cache = env.open();
    for owner in ["a", "b"] {
        made(&cache, owner, "idle", &[("f", owner)]);
        made(&cache, owner, "dead", &[("f", &format!("{owner} dead"))]);
        cache.owner(owner).unwrap().unbind(["dead"]).unwrap();
    }
    for _ in 0..5 {
        env.pass(DAY * 7);
        cache.gc_apply(&cache.gc_plan(&GcPolicy::default().collect_delay(DAY * 1_000)).unwrap()).unwrap();
    }
    let only = rules(&["unused_for=10d"]).only("a".parse::<OwnerId>().unwrap());
    let report = gc(&env, &cache, &only);
    let gone: Vec<&String> = report.artifacts.iter().flat_map(|item| &item.names).collect();
    assert_eq!(gone.len(), 2, "{gone:?}");
    assert!(gone.iter().all(|name| name.starts_with("a:")), "{gone:?}");
    assert!(is_bound(&cache, "b", "idle"));
}

#[test]
fn what_goes_tells_where_it_came_from() {
    let env = Env::new();
    let cache = env.open();
    made(&cache, "o", "n", &[("f", "x")]);
    cache.owner("o").unwrap().unbind(["n"]).unwrap();
    env.pass(DAY * 7);
    let plan = cache.gc_plan(&GcPolicy::default()).unwrap();
    let item = &plan.artifacts[0];
    assert_eq!(item.rule.as_deref(), Some("dead_for=1w"));
    assert_eq!((item.sources[0].kind.as_str(), item.sources[0].location.as_str()), ("command", "make"));
}

/// A plan and the store's state for tests of what happens in between.
fn idle_plan(env: &Env, cache: &Cache) -> (GcPlan, Artifact) {
    let put = made(cache, "o", "n", &[("f", "x")]);
    made(cache, "o", "other", &[("f", "y")]);
    for _ in 0..5 {
        env.pass(DAY * 7);
        cache.gc_apply(&cache.gc_plan(&GcPolicy::default()).unwrap()).unwrap();
    }
    let plan = cache.gc_plan(&rules(&["unused_for=10d"])).unwrap();
    assert_eq!(plan.artifacts.len(), 2);
    (plan, put.artifact)
}

#[test]
fn what_became_live_since_the_plan_is_skipped_and_said() {
    for change in ["use", "pin", "bind", "unbind"] {
        let env = Env::new();
        let cache = env.open();
        let (plan, artifact) = idle_plan(&env, &cache);
        env.pass(HOUR);
        match change {
            "use" => {
                cache.owner("o").unwrap().resolve("n").unwrap();
                cache.flush_uses();
            }
            "pin" => cache.pin(&artifact, "needed", None).unwrap(),
            "bind" => drop(cache.owner("p").unwrap().bind("q", &artifact, &BindOptions::new()).unwrap()),
            _ => drop(cache.owner("o").unwrap().unbind(["n"]).unwrap()),
        }
        let report = cache.gc_apply(&plan).unwrap();
        assert_eq!(report.artifacts.len(), 1, "{change}: {report:#?}");
        let reason = if change == "pin" { "pin" } else { "in use" };
        let skipped: Vec<_> = report.skipped.iter().map(|skipped| (skipped.hash, skipped.reason)).collect();
        assert_eq!(skipped, [(artifact.hash, reason)], "{change}");
        assert!(cache.details(&artifact).unwrap().present, "{change}");
        assert_eq!(is_bound(&cache, "o", "n"), change != "unbind", "{change}");
    }
}

#[test]
fn a_plan_on_paper_is_the_plan() {
    let env = Env::new();
    let cache = env.open();
    let (plan, artifact) = idle_plan(&env, &cache);
    let text = cache.gc_plan_document(&plan).unwrap();
    let read = cache.gc_plan_from(&text).unwrap();
    assert_eq!(read.artifacts, plan.artifacts);
    assert_eq!(read.unbound, plan.unbound);
    assert_eq!(read.freed_bytes, plan.freed_bytes);
    cache.pin(&artifact, "needed", None).unwrap();
    let read = cache.gc_plan_from(&text).unwrap();
    assert_eq!((read.artifacts.len(), read.skipped.len()), (1, 1));
    assert_eq!(cache.gc_apply(&read).unwrap().skipped.len(), 1);
    let read = cache.gc_plan_from(&text).unwrap();
    assert_eq!(read.skipped.iter().map(|skipped| skipped.reason).collect::<Vec<_>>().len(), 2);
    let other = Cache::open(CacheOptions::new(env.path("elsewhere"))).unwrap();
    assert_eq!(other.gc_plan_from(&text).unwrap_err().kind(), ohmyartifacts::ErrorKind::Conflict);
    for bad in ["", "{}", &text.replace("\"version\": 1", "\"version\": 2"), &text.replace("\"idle\"", "\"because\"")] {
        assert_eq!(cache.gc_plan_from(bad).unwrap_err().kind(), ohmyartifacts::ErrorKind::Usage, "{bad}");
    }
}

#[test]
fn what_a_person_keeps_is_taken_out_and_the_rest_weighed_anew() {
    let env = Env::new();
    let cache = env.open();
    let (plan, artifact) = idle_plan(&env, &cache);
    let smaller = cache.gc_keep(&plan, |item| item.hash == artifact.hash).unwrap();
    assert_eq!((smaller.artifacts.len(), smaller.freed_bytes, smaller.unbound.len()), (1, 1, 1));
    let report = cache.gc_apply(&smaller).unwrap();
    assert_eq!(report.freed_bytes, 1);
    assert!(is_bound(&cache, "o", "n") && !is_bound(&cache, "o", "other"));
    assert_eq!(shelves(&env.root()).len(), 2);
}
