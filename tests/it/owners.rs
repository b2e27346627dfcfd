//! Owners with a life: every way in which one comes to let go, what becomes unused by it, and when.
//!
//! Unless a test says otherwise the delays are the defaults: seven days of grace, then seven of collect
//! delay.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use ohmyartifacts::{
    BindOptions, BindingName, Cache, Digest, Error, GcPolicy, OwnerDetails, OwnerId, OwnerSpec, Source, Timestamp,
};

use crate::support::{DAY, Env, refused};

const WEEK: Duration = Duration::from_secs(7 * 24 * 60 * 60);
const YEARS: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

fn id(text: &str) -> OwnerId {
    text.parse().unwrap()
}

/// Binds a file that holds its own name.
fn bind(env: &Env, cache: &Cache, owner: &str, name: &str) -> Digest {
    let source = env.tree("files", &[(name, name)]);
    let owner = cache.owner(owner).unwrap();
    owner.ingest(name, &Source::copy(source.join(name)), &BindOptions::new()).unwrap().artifact.hash
}

/// Registers `o` so, with one file bound, `n`, and a file that another owner binds too.
fn owned(env: &Env, cache: &Cache, spec: &OwnerSpec) -> [Digest; 2] {
    cache.register_owner(&id("o"), spec).unwrap();
    let [own, shared] = ["n", "shared"].map(|name| bind(env, cache, "o", name));
    cache.owner("other").unwrap().bind("shared", shared, &BindOptions::new()).unwrap();
    [own, shared]
}

/// Runs gc with the default policy and returns what went.
fn gone(cache: &Cache) -> Vec<Digest> {
    let plan = cache.gc_plan(&GcPolicy::default()).unwrap();
    cache.gc_apply(&plan).unwrap().artifacts.into_iter().map(|item| item.hash).collect()
}

fn orphans(cache: &Cache) -> u64 {
    cache.stats().unwrap().orphans
}

fn details(cache: &Cache) -> OwnerDetails {
    cache.owner_details(&id("o")).unwrap()
}

/// The owner is gone as of now. It is noted by the first gc, its grace follows, then the delay; nothing but
/// what it alone had goes.
fn assert_goes_in_time(env: &Env, cache: &Cache, [own, shared]: [Digest; 2]) {
    let seen = details(cache);
    assert_eq!((seen.info.alive, seen.gone_since), (Some(false), None), "looking notes nothing: {seen:#?}");
    assert_eq!(gone(cache), []);
    let noted = env.clock.now();
    assert_eq!(details(cache).gone_since, Some(noted));
    assert_eq!(details(cache).bindings_stop_at, Some(noted.plus(WEEK)));
    for day in 1..14 {
        env.pass(DAY);
        assert_eq!(gone(cache), [], "day {day}");
    }
    env.pass(DAY);
    assert_eq!(gone(cache), [own]);
    let names: Vec<String> = cache.bindings(None).unwrap().into_iter().map(|binding| binding.name).collect();
    assert_eq!(names, ["shared", "shared"], "{shared} has somebody else");
}

/// Whatever time passes, nothing goes.
fn assert_stays(env: &Env, cache: &Cache) -> OwnerDetails {
    for _ in 0..4 {
        assert_eq!(gone(cache), []);
        env.pass(30 * DAY);
    }
    assert_eq!(gone(cache), []);
    details(cache)
}

#[test]
fn a_path_that_is_gone_lets_go_in_time() {
    let env = Env::new();
    let cache = env.open();
    let root = env.tree("root", &[]);
    let had = owned(&env, &cache, &OwnerSpec::new().root(&root));
    let seen = assert_stays(&env, &cache);
    assert_eq!((seen.info.kind, seen.info.alive), ("path", Some(true)));
    fs::remove_dir(&root).unwrap();
    assert_goes_in_time(&env, &cache, had);
}

#[test]
fn a_command_that_says_no_lets_go_in_time() {
    let env = Env::new();
    let cache = env.open();
    let flag = env.tree("flags", &[("flag", "")]).join("flag");
    let had = owned(&env, &cache, &OwnerSpec::new().command(&format!("test -e '{}'", flag.display())));
    let seen = assert_stays(&env, &cache);
    assert_eq!((seen.info.kind, seen.info.alive), ("command", Some(true)));
    fs::remove_file(&flag).unwrap();
    assert_goes_in_time(&env, &cache, had);
}

#[test]
fn an_end_that_is_reached_lets_go_in_time_whatever_else_is_there() {
    let env = Env::new();
    let cache = env.open();
    let root = env.tree("root", &[]);
    let end = env.clock.now().plus(400 * DAY);
    let had = owned(&env, &cache, &OwnerSpec::new().root(root).expires_at(Some(end)));
    let seen = assert_stays(&env, &cache);
    assert_eq!((seen.info.kind, seen.info.alive, seen.expires_at), ("path", Some(true), Some(end)));
    env.clock.set(end);
    assert_goes_in_time(&env, &cache, had);
}

#[test]
fn an_end_alone_keeps_an_owner_until_then() {
    let env = Env::new();
    let cache = env.open();
    let end = env.clock.now().plus(WEEK);
    let had = owned(&env, &cache, &OwnerSpec::new().expires_at(Some(end)));
    assert_eq!((details(&cache).info.kind, details(&cache).info.alive), ("expiry", Some(true)));
    env.clock.set(end);
    assert_goes_in_time(&env, &cache, had);
}

#[test]
fn what_cannot_be_told_keeps_everything() {
    let doubts = ["exit 126", "exit 127", "no-such-command-at-all", "kill -9 $$", "exit 137"];
    for line in doubts {
        let env = Env::new();
        let cache = env.open();
        owned(&env, &cache, &OwnerSpec::new().command(line));
        let seen = assert_stays(&env, &cache);
        assert_eq!((seen.info.alive, seen.gone_since), (None, None), "{line}");
        assert!(seen.evidence.unwrap().contains(line), "the evidence names it");
    }
}

#[test]
fn one_probe_that_finds_it_is_enough_and_one_doubt_leaves_it_open() {
    let env = Env::new();
    let cache = env.open();
    let [first, second] = ["first", "second"].map(|name| env.tree(name, &[]));
    let spec = OwnerSpec::new().root(&first).root(&second).command("false");
    let had = owned(&env, &cache, &spec);
    fs::remove_dir(&first).unwrap();
    let seen = assert_stays(&env, &cache);
    let found: Vec<_> = seen.probes.iter().map(|probe| (probe.kind, probe.alive)).collect();
    assert_eq!(found, [("path", Some(false)), ("path", Some(true)), ("command", Some(false))]);
    assert_eq!(seen.info.alive, Some(true));

    cache.register_owner(&id("o"), &OwnerSpec::new().command("exit 127")).unwrap();
    fs::remove_dir(&second).unwrap();
    assert_eq!(assert_stays(&env, &cache).info.alive, None);

    let only = OwnerSpec::new().clear(true).command("false");
    cache.register_owner(&id("o"), &only).unwrap();
    env.pass(DAY);
    assert_goes_in_time(&env, &cache, had);
}

#[test]
fn who_comes_back_in_time_keeps_all_and_gets_all_of_its_time_again() {
    let env = Env::new();
    let cache = env.open();
    let root = env.tree("root", &[]);
    let had = owned(&env, &cache, &OwnerSpec::new().root(&root));
    fs::remove_dir(&root).unwrap();
    assert_eq!(gone(&cache), []);
    env.pass(13 * DAY);
    env.tree("root", &[]);
    assert_eq!(gone(&cache), []);
    assert_eq!((details(&cache).gone_since, orphans(&cache)), (None, 0));
    env.pass(30 * DAY);
    fs::remove_dir(&root).unwrap();
    assert_goes_in_time(&env, &cache, had);
}

#[test]
fn a_disk_that_is_not_there_is_not_a_path_that_is_gone() {
    // The kernel's own filesystem is mounted elsewhere than what is above it.
    let Ok(found) = fs::metadata("/proc/self/status") else { return };
    assert!(found.is_file());
    let env = Env::new();
    let cache = env.open();
    owned(&env, &cache, &OwnerSpec::new().root("/proc/self/status"));
    assert_eq!(assert_stays(&env, &cache).info.alive, Some(true));
}

#[test]
fn a_clock_that_jumps_ahead_or_back_loses_nothing() {
    let env = Env::new();
    let cache = env.open();
    let root = env.tree("root", &[]);
    let start = env.clock.now();
    let [own, _] = owned(&env, &cache, &OwnerSpec::new().root(&root).expires_at(Some(start.plus(365 * DAY))));
    // Ahead: it looks as if the end were over. The first gc notes that and takes nothing.
    env.clock.set(start.plus(YEARS));
    assert_eq!(gone(&cache), []);
    assert_eq!(details(&cache).gone_since, Some(start.plus(YEARS)), "since we saw it, not since its end");
    // Set right again, it lives, and nothing was lost or has aged.
    for back in [start.plus(DAY), start.minus(YEARS), start.plus(2 * DAY)] {
        env.clock.set(back);
        assert_eq!(gone(&cache), [], "{back}");
        let seen = details(&cache);
        assert_eq!((seen.info.alive, seen.gone_since), (Some(true), None), "{back}");
    }
    assert!(cache.owner("o").unwrap().bindings().unwrap().iter().any(|binding| binding.artifact.hash == own));
    // A jump while it is gone: the time that was noted counts, not the one before.
    fs::remove_dir(&root).unwrap();
    cache.register_owner(&id("o"), &OwnerSpec::new().expires_at(None)).unwrap();
    env.clock.set(start.plus(2 * YEARS));
    assert_eq!(gone(&cache), [], "seen to be gone for the first time");
    env.clock.set(start);
    assert_eq!(gone(&cache), []);
    assert_eq!(orphans(&cache), 0);
}

#[test]
fn a_clock_that_jumps_shortens_no_grace() {
    let env = Env::new();
    let cache = env.open();
    let root = env.tree("root", &[]);
    let [own, _] = owned(&env, &cache, &OwnerSpec::new().root(&root));
    fs::remove_dir(&root).unwrap();
    assert_eq!(gone(&cache), [], "seen to be gone for the first time");
    env.pass(DAY);
    env.jump(YEARS);
    assert_eq!(gone(&cache), [], "of ten years that nobody saw pass seven days count");
    env.pass(5 * DAY);
    assert_eq!(gone(&cache), [], "the delay is not over");
    env.pass(DAY);
    assert_eq!(gone(&cache), [own], "seven days of grace, and seven of delay");
}

#[test]
fn a_registered_owner_is_not_forgotten_until_it_is_gone_and_its_time_is_over() {
    let env = Env::new();
    let cache = env.open();
    let root = env.tree("root", &[]);
    let end = env.clock.now().plus(1_000 * DAY);
    let specs = [
        ("titled", OwnerSpec::new().title("Titled")),
        ("rooted", OwnerSpec::new().root(&root)),
        ("asked", OwnerSpec::new().command("true")),
        ("ending", OwnerSpec::new().expires_at(Some(end))),
        ("soft", OwnerSpec::new().soft_budget(Some(1))),
        ("hard", OwnerSpec::new().hard_budget(Some(1))),
        ("nothing", OwnerSpec::new()),
    ];
    for (owner, spec) in &specs {
        cache.register_owner(&id(owner), spec).unwrap();
    }
    let known = || cache.owners().unwrap().into_iter().map(|info| info.owner).collect::<Vec<_>>();
    env.pass(30 * DAY);
    gone(&cache);
    assert_eq!(known(), ["asked", "ending", "hard", "rooted", "soft", "titled"]);
    fs::remove_dir(&root).unwrap();
    for _ in 0..2 {
        assert_eq!(known().len(), 6);
        gone(&cache);
        env.pass(7 * DAY);
    }
    gone(&cache);
    assert_eq!(known(), ["asked", "ending", "hard", "soft", "titled"]);
}

#[test]
fn registering_checks_what_it_is_told() {
    let env = Env::new();
    let cache = env.open();
    let now = env.clock.now();
    let (o, package) = (id("o"), id("aaaaaaaa-1111-4111-8111-111111111111"));
    let missing = OwnerSpec::new().root(env.path("nowhere"));
    assert!(matches!(refused(cache.register_owner(&o, &missing)), Error::NoSuchPath { .. }));
    let missing = OwnerSpec::new().julia_depot(env.path("nowhere"));
    assert!(matches!(refused(cache.register_owner(&package, &missing)), Error::NoSuchPath { .. }));
    let file = env.tree("files", &[("f", "")]).join("f");
    let bad = [
        (&o, OwnerSpec::new().expires_at(Some(now))),
        (&o, OwnerSpec::new().expires_at(Some(Timestamp::from_millis(0)))),
        (&o, OwnerSpec::new().julia_depot(env.path(""))),
        (&package, OwnerSpec::new().julia_depot(&file)),
        (&o, OwnerSpec::new().command(" \n")),
        (&o, OwnerSpec::new().command("a\0b")),
        (&o, OwnerSpec::new().command(&"x".repeat(70_000))),
        (&o, OwnerSpec::new().title("\u{202e}\0")),
        (&o, OwnerSpec::new().title(&"é\u{1b}".repeat(1_000))),
        (&o, OwnerSpec::new().soft_budget(Some(u64::MAX))),
        (&o, OwnerSpec::new().hard_budget(Some(1 << 63))),
    ];
    for (owner, spec) in &bad {
        let error = refused(cache.register_owner(owner, spec));
        assert!(matches!(error, Error::Invalid { .. }), "{spec:?}: {error}");
    }
    assert_eq!(cache.owners().unwrap().len(), 0, "nothing is known of whom nothing was accepted");
    // A path that is not UTF-8 cannot be written down.
    use std::os::unix::ffi::OsStrExt as _;
    let odd = env.path(Path::new(std::ffi::OsStr::from_bytes(b"odd\xff")));
    fs::create_dir(&odd).unwrap();
    assert!(matches!(refused(cache.register_owner(&o, &OwnerSpec::new().root(&odd))), Error::Invalid { .. }));
}

#[test]
fn what_was_not_said_stays_and_what_is_none_goes() {
    let env = Env::new();
    let cache = env.open();
    let end = env.clock.now().plus(DAY);
    let all = OwnerSpec::new().title("T").command("true").expires_at(Some(end));
    cache.register_owner(&id("o"), &all.soft_budget(Some(1)).hard_budget(Some(2))).unwrap();
    let told = |cache: &Cache| {
        let seen = details(cache);
        (seen.info.title, seen.probes.len(), seen.expires_at, seen.soft_budget, seen.hard_budget)
    };
    let before = (Some("T".to_owned()), 1, Some(end), Some(1), Some(2));
    assert_eq!(told(&cache), before);
    cache.register_owner(&id("o"), &OwnerSpec::new()).unwrap();
    assert_eq!(told(&cache), before);
    cache.register_owner(&id("o"), &OwnerSpec::new().command("true").command("false").soft_budget(None)).unwrap();
    assert_eq!(told(&cache), (Some("T".to_owned()), 2, Some(end), None, Some(2)));
    cache.register_owner(&id("o"), &OwnerSpec::new().title("").clear(true).hard_budget(None)).unwrap();
    assert_eq!(told(&cache), (None, 0, None, None, None));
    assert_eq!(details(&cache).info.kind, "manual");
}

/// What the store's people do: each lets go of exactly what it should, at once, and gc takes it after the
/// delay.
#[test]
fn what_people_do_makes_exactly_the_orphans_it_should() {
    let env = Env::new();
    let cache = env.open();
    let handle = |owner: &'static str| cache.owner(owner).unwrap();
    let [a, b, c, d] = ["a", "b", "c", "d"].map(|name| bind(&env, &cache, "o@1", name));
    let orphaned = || {
        let all = [a, b, c, d];
        let is_orphan = |hash: &Digest| {
            let text = hash.to_string();
            cache.details(&cache.find(ohmyartifacts::Reference::new(&text, None)).unwrap().artifact).unwrap().state
                == "orphan"
        };
        all.into_iter().filter(is_orphan).collect::<Vec<_>>()
    };
    // A rebind without force changes nothing, one by force lets go of what was there.
    refused(handle("o@1").bind("a", b, &BindOptions::new()));
    assert_eq!(orphaned(), []);
    handle("o@1").bind("a", b, &BindOptions::new().force(true)).unwrap();
    assert_eq!(orphaned(), [a]);
    // Handing over lets go of nothing; by force, of what the other one had.
    handle("o@2").bind("c", d, &BindOptions::new()).unwrap();
    let name = |text: &str| [BindingName::new(text).unwrap()];
    refused(cache.delegate(&id("o@1"), &id("o@2"), Some(&name("c")), false));
    refused(cache.delegate(&id("o@1"), &id("o@2"), None, false));
    assert_eq!((orphaned(), handle("o@2").bindings().unwrap().len()), (vec![a], 1));
    cache.delegate(&id("o@1"), &id("o@2"), Some(&name("b")), false).unwrap();
    assert_eq!(orphaned(), [a]);
    handle("o@1").unbind(["d"]).unwrap();
    assert_eq!(orphaned(), [a], "the other one has it too");
    let done = cache.delegate(&id("o@1"), &id("o@2"), Some(&name("c")), true).unwrap();
    assert_eq!((done.delegated.len(), done.replaced.len()), (1, 1));
    assert_eq!(orphaned(), [a, d]);
    // A version that is removed lets go of what no other version has: `a` of the first is `b`.
    let preview = cache.owner_removal(&[id("o@2")]).unwrap();
    let removal = cache.remove_owners(&[id("o@2")]).unwrap();
    assert_eq!(preview, removal);
    assert_eq!(removal.orphaned.iter().map(|orphan| orphan.hash).collect::<Vec<_>>(), [c]);
    assert_eq!(orphaned(), [a, c, d]);
    env.pass(6 * DAY);
    assert_eq!(gone(&cache), []);
    cache.remove_owners(&[id("o@1")]).unwrap();
    env.pass(DAY);
    let mut expected = [a, c, d];
    expected.sort();
    assert_eq!(gone(&cache), expected);
    env.pass(6 * DAY);
    assert_eq!(gone(&cache), [b], "its delay began when its owner was removed");
}

#[test]
fn when_the_other_owner_goes_what_was_bound_for_it_can_go() {
    let env = Env::new();
    let cache = env.open();
    let root = env.tree("root", &[]);
    cache.register_owner(&id("o"), &OwnerSpec::new().root(&root)).unwrap();
    let [own, shared] = ["n", "shared"].map(|name| bind(&env, &cache, "maker", name));
    bind(&env, &cache, "other", "shared");
    let meta = cache.owner("maker").unwrap().bindings().unwrap();
    env.pass(DAY);
    let done = cache.delegate(&id("maker"), &id("o"), None, false).unwrap();
    for (binding, before) in done.delegated.iter().zip(&meta) {
        assert_eq!((binding.bound_at, &binding.bound_by), (before.bound_at, &Some("maker".to_owned())));
    }
    assert_eq!(cache.owner("o").unwrap().bindings().unwrap(), done.delegated);
    let seen = details(&cache);
    assert_eq!((seen.bound_by[0].owner.as_str(), seen.bound_by[0].bindings), ("maker", 2));
    // Handed on, who bound it first stays noted.
    cache.delegate(&id("o"), &id("third"), None, false).unwrap();
    let back = cache.delegate(&id("third"), &id("o"), None, false).unwrap();
    assert!(back.delegated.iter().all(|binding| binding.bound_by.as_deref() == Some("maker")), "{back:?}");
    fs::remove_dir(&root).unwrap();
    assert_goes_in_time(&env, &cache, [own, shared]);
}

#[test]
fn a_removed_owner_lets_go_of_trees_and_files_that_only_it_had() {
    let env = Env::new();
    let cache = env.open();
    let owner = cache.owner("o").unwrap();
    let source = env.tree("s", &[("a", "a"), ("b", "b"), ("kept", "kept")]);
    let tree = owner.ingest("tree", &Source::copy(&source), &BindOptions::new()).unwrap();
    let file = owner.ingest("file", &Source::copy(source.join("a")), &BindOptions::new()).unwrap();
    let pinned = owner.ingest("pinned", &Source::copy(source.join("b")), &BindOptions::new()).unwrap();
    let other = cache.owner("other").unwrap();
    other.ingest("kept", &Source::copy(source.join("kept")), &BindOptions::new()).unwrap();
    cache.pin(&pinned.artifact, "stays", None).unwrap();
    let preview = cache.owner_removal(&[id("o")]).unwrap();
    assert_eq!(cache.owner("o").unwrap().bindings().unwrap().len(), 3, "a preview changes nothing");
    let removal = cache.remove_owners(&[id("o"), id("o")]).unwrap();
    assert_eq!(preview, removal);
    let mut expected = [tree.artifact.hash, file.artifact.hash];
    expected.sort();
    assert_eq!(removal.orphaned.iter().map(|orphan| orphan.hash).collect::<Vec<_>>(), expected);
    assert_eq!((removal.removed.len(), removal.removed[0].bindings), (1, 3));
    env.pass(WEEK);
    let mut taken = gone(&cache);
    taken.sort();
    assert_eq!(taken, expected);
    assert!(matches!(refused(cache.remove_owners(&[id("other"), id("o")])), Error::NoSuchOwner { .. }));
    assert_eq!(other.bindings().unwrap().len(), 1, "one is not known, so all stay");
}

#[test]
fn a_renamed_owner_keeps_everything_and_a_taken_name_changes_nothing() {
    let env = Env::new();
    let cache = env.open();
    let root = env.tree("root", &[]);
    owned(&env, &cache, &OwnerSpec::new().title("T").root(&root).hard_budget(Some(100)));
    cache.delegate(&id("o"), &id("downstream"), Some(&[BindingName::new("n").unwrap()]), false).unwrap();
    assert!(matches!(refused(cache.rename_owner(&id("o"), &id("other"))), Error::OwnerExists { .. }));
    assert!(matches!(refused(cache.rename_owner(&id("nobody"), &id("p"))), Error::NoSuchOwner { .. }));
    let before = details(&cache);
    assert_eq!(cache.rename_owner(&id("o"), &id("p@1")).unwrap(), 1);
    assert!(matches!(refused(cache.owner_details(&id("o"))), Error::NoSuchOwner { .. }));
    let after = cache.owner_details(&id("p@1")).unwrap();
    assert_eq!((after.info.title, after.hard_budget, after.probes), (before.info.title, Some(100), before.probes));
    assert_eq!((after.info.bindings, after.used_bytes), (1, before.used_bytes));
    assert_eq!(after.bound_for, before.bound_for, "who bound for others is called otherwise there too");
    assert_eq!(after.bound_for.len(), 1);
    assert_eq!(orphans(&cache), 0);
}

#[test]
fn nothing_is_handed_over_where_something_cannot_be() {
    let env = Env::new();
    let cache = env.open();
    for name in ["a", "b"] {
        bind(&env, &cache, "from", name);
    }
    let names = ["a", "nowhere"].map(|name| BindingName::new(name).unwrap());
    let error = refused(cache.delegate(&id("from"), &id("to"), Some(&names), true));
    assert!(matches!(error, Error::NoSuchBinding { .. }), "{error}");
    assert!(matches!(refused(cache.delegate(&id("nobody"), &id("to"), None, true)), Error::NoSuchOwner { .. }));
    assert!(matches!(refused(cache.delegate(&id("from"), &id("from"), None, true)), Error::Invalid { .. }));
    assert!(matches!(refused(cache.owner_details(&id("to"))), Error::NoSuchOwner { .. }));
    assert_eq!(cache.owner("from").unwrap().bindings().unwrap().len(), 2);
}

#[test]
fn a_root_that_cannot_be_looked_at_is_not_gone() {
    let env = Env::new();
    let cache = env.open();
    // A loop of links can be looked at by nobody, the superuser included.
    let root = env.tree("door", &[("root", "")]).join("root");
    owned(&env, &cache, &OwnerSpec::new().root(&root));
    fs::remove_file(&root).unwrap();
    std::os::unix::fs::symlink(&root, &root).unwrap();
    assert_eq!(assert_stays(&env, &cache).info.alive, None);
    // A directory without permissions stops all but the superuser.
    fs::remove_file(&root).unwrap();
    fs::set_permissions(env.path("door"), fs::Permissions::from_mode(0o000)).unwrap();
    if fs::metadata(&root).is_err_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied) {
        assert_eq!(assert_stays(&env, &cache).info.alive, None);
    }
    fs::set_permissions(env.path("door"), fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(details(&cache).info.alive, Some(false));
}
