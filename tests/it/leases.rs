//! What is leased or pinned stays, for exactly as long as it was said to.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use ohmyartifacts::{
    Artifact, BindOptions, Cache, Digest, Error, ErrorKind, GcPolicy, Ingested, LeaseInfo, Reference, Source,
};

use crate::support::oma::{Oma, Ran};
use crate::support::{DAY, Env, gc, refused, shelves};

const HOUR: Duration = Duration::from_secs(60 * 60);
/// A reason that would colour the line, break it and turn it around.
const HOSTILE: &str = "a\u{1b}[31m\nb\u{202e}c\\";

fn put(env: &Env, cache: &Cache, content: &str) -> Ingested {
    let source = env.tree("files", &[(content, content)]).join(content);
    cache.ingest(&Source::copy(source)).unwrap()
}

/// An artifact that nothing keeps.
fn unbound(env: &Env, cache: &Cache, content: &str) -> Artifact {
    let made = put(env, cache, content);
    cache.release_lease(made.lease_id().unwrap()).unwrap();
    made.artifact
}

fn holds(cache: &Cache, artifact: &Artifact) -> bool {
    cache.details(artifact).is_ok_and(|details| details.present)
}

fn ids(cache: &Cache) -> Vec<i64> {
    cache.leases().unwrap().into_iter().map(|lease| lease.id).collect()
}

#[test]
fn a_lease_keeps_what_nobody_has_bound_until_its_time() {
    let env = Env::new();
    let cache = env.open();
    let a = unbound(&env, &cache, "a");
    let lease = cache.lease(&a, DAY * 2, "a test").unwrap();
    assert_eq!((lease.hash, lease.kind, lease.size, lease.alive), (a.hash, a.kind, 1, None));
    assert_eq!((lease.created_at, lease.expires_at), (env.clock.now(), Some(env.clock.now().plus(DAY * 2))));
    assert_eq!(cache.details(&a).unwrap().state, "live", "it is no orphan any more");
    env.pass(DAY * 2 - Duration::from_millis(1));
    let report = gc(&cache, Duration::ZERO);
    assert_eq!((report.deleted_artifacts, report.kept.len(), report.kept[0].reason), (0, 1, "lease"));
    env.pass(Duration::from_millis(1));
    assert_eq!(gc(&cache, Duration::ZERO).deleted_artifacts, 1);
    assert!(!holds(&cache, &a) && cache.leases().unwrap().is_empty());
}

#[test]
fn what_waits_to_be_bound_can_be_made_to_wait_longer() {
    let env = Env::new();
    let cache = env.open();
    let a = put(&env, &cache, "a");
    let renewed = cache.renew_lease(a.lease_id().unwrap(), DAY * 10).unwrap();
    assert_eq!((renewed.holder, renewed.expires_at), (None, Some(env.clock.now().plus(DAY * 10))));
    env.pass(DAY * 10 - HOUR);
    assert_eq!(gc(&cache, Duration::ZERO).deleted_artifacts, 0);
    cache.owner("o").unwrap().bind("n", &a, &BindOptions::new()).unwrap();
    assert_eq!(ids(&cache), Vec::<i64>::new(), "the binding uses it up");
}

#[test]
fn renewing_never_shortens_and_a_lease_that_ran_out_can_be_renewed_until_gc_notes_it() {
    let env = Env::new();
    let cache = env.open();
    let a = unbound(&env, &cache, "a");
    let lease = cache.lease(&a, DAY * 3, "a test").unwrap();
    assert_eq!(cache.renew_lease(lease.id, HOUR).unwrap().expires_at, lease.expires_at);
    env.pass(DAY * 4);
    let again = cache.renew_lease(lease.id, DAY).unwrap();
    assert_eq!(again.expires_at, Some(env.clock.now().plus(DAY)), "from now on, not from its old end");
    assert_eq!(gc(&cache, Duration::ZERO).deleted_artifacts, 0);
    env.pass(DAY);
    gc(&cache, DAY);
    assert!(matches!(cache.renew_lease(lease.id, DAY), Err(Error::NoSuchLease { .. })), "gc has noted its end");
}

#[test]
fn a_released_lease_begins_the_delay_and_is_gone() {
    let env = Env::new();
    let cache = env.open();
    let a = unbound(&env, &cache, "a");
    let lease = cache.lease(&a, DAY, "a test").unwrap();
    env.pass(HOUR);
    cache.release_lease(lease.id).unwrap();
    assert_eq!(cache.details(&a).unwrap().orphaned_at, Some(env.clock.now()), "in the same step");
    for error in [refused(cache.release_lease(lease.id)), refused(cache.renew_lease(lease.id, DAY))] {
        assert!(matches!(error, Error::NoSuchLease { id } if id == lease.id));
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }
    env.pass(DAY - HOUR);
    assert_eq!(gc(&cache, DAY).deleted_artifacts, 0);
    env.pass(HOUR);
    assert_eq!(gc(&cache, DAY).deleted_artifacts, 1);
}

#[test]
fn a_binding_uses_up_no_lease_that_somebody_asked_for() {
    let env = Env::new();
    let cache = env.open();
    let owner = cache.owner("o").unwrap();
    let a = unbound(&env, &cache, "a");
    let lease = cache.lease(&a, DAY * 9, "a test").unwrap();
    owner.bind("n", a.hash, &BindOptions::new()).unwrap();
    owner.unbind(["n"]).unwrap();
    assert_eq!(ids(&cache), [lease.id]);
    assert_eq!(gc(&cache, Duration::ZERO).deleted_artifacts, 0);
}

#[test]
fn a_leased_file_outlives_the_directory_it_came_with() {
    let env = Env::new();
    let cache = env.open();
    let owner = cache.owner("o").unwrap();
    let source = env.tree("s", &[("a", "a"), ("b", "b")]);
    owner.ingest("tree", &Source::copy(&source), &BindOptions::new()).unwrap();
    let hash = Digest::of_blob(b"a").to_string();
    let a = cache.find(Reference::new(&hash, None)).unwrap().artifact;
    let lease = cache.lease(&a, DAY, "a test").unwrap();
    owner.unbind(["tree"]).unwrap();
    assert_eq!(gc(&cache, Duration::ZERO).deleted_artifacts, 2, "the directory and the other file");
    assert_eq!(fs::read_to_string(cache.path_of(&a)).unwrap(), "a");
    cache.release_lease(lease.id).unwrap();
    assert_eq!(gc(&cache, Duration::ZERO).deleted_artifacts, 1);
    assert_eq!(shelves(&env.root()), Vec::<String>::new());
}

#[test]
fn a_clock_that_jumps_ahead_loses_nothing_at_once() {
    let env = Env::new();
    let cache = env.open();
    let (a, b) = (unbound(&env, &cache, "a"), unbound(&env, &cache, "b"));
    cache.lease(&a, DAY, "a test").unwrap();
    cache.pin(&b, "a test", Some(env.clock.now().plus(DAY))).unwrap();
    env.pass(DAY * 3_650);
    assert_eq!(gc(&cache, DAY).deleted_artifacts, 0, "they are orphans of now");
    assert!(cache.leases().unwrap().is_empty() && cache.pins().unwrap().is_empty());
    for artifact in [&a, &b] {
        assert_eq!(cache.details(artifact).unwrap().orphaned_at, Some(env.clock.now()));
    }
    env.pass(DAY);
    assert_eq!(gc(&cache, DAY).deleted_artifacts, 2);
}

/// Every combination of a lease, a pin and a guard.
#[test]
fn gc_takes_exactly_what_nothing_protects() {
    let env = Env::new();
    let cache = env.open();
    let all: Vec<Artifact> = (0..8).map(|number| unbound(&env, &cache, &format!("{number}"))).collect();
    let mut guards = Vec::new();
    for (bits, artifact) in all.iter().enumerate() {
        if bits & 1 != 0 {
            cache.lease(artifact, HOUR, "a test").unwrap();
        }
        if bits & 2 != 0 {
            cache.pin(artifact, "a test", None).unwrap();
        }
        if bits & 4 != 0 {
            guards.push(cache.hold(artifact, "a test").unwrap());
        }
    }
    let left = || all.iter().map(|artifact| u8::from(holds(&cache, artifact))).collect::<Vec<_>>();
    gc(&cache, Duration::ZERO);
    assert_eq!(left(), [0, 1, 1, 1, 1, 1, 1, 1]);
    env.pass(HOUR);
    gc(&cache, Duration::ZERO);
    assert_eq!(left(), [0, 0, 1, 1, 1, 1, 1, 1]);
    assert!(guards.iter().all(|guard| guard.path().exists()));
    drop(guards);
    gc(&cache, Duration::ZERO);
    assert_eq!(left(), [0, 0, 1, 1, 0, 0, 1, 1]);
}

#[test]
fn a_guard_holds_against_other_processes_and_ends_with_its_own() {
    let env = Env::new();
    let (cache, other) = (env.open(), env.open());
    let a = unbound(&env, &cache, "a");
    let guard = cache.hold(&a, "a test").unwrap();
    let lease = other.leases().unwrap().remove(0);
    assert_eq!((lease.alive, lease.expires_at), (Some(true), None));
    assert!(lease.holder.unwrap().contains(&format!("(pid {} on ", std::process::id())));
    assert!(matches!(other.renew_lease(lease.id, DAY), Err(Error::Invalid { .. })), "it has no time");
    env.pass(DAY * 1_000);
    assert_eq!(gc(&other, Duration::ZERO).deleted_artifacts, 0);
    // As if the process died: nobody releases it, but its session is over.
    std::mem::forget(guard);
    drop(cache);
    assert_eq!(other.leases().unwrap()[0].alive, Some(false));
    assert_eq!(gc(&other, Duration::ZERO).deleted_artifacts, 1);
}

#[test]
fn a_lease_is_for_what_is_there_and_not_for_ever() {
    let env = Env::new();
    let cache = env.open();
    let a = unbound(&env, &cache, "a");
    assert!(matches!(cache.lease(&a, Duration::MAX, "a test"), Err(Error::Invalid { .. })));
    gc(&cache, Duration::ZERO);
    assert!(matches!(cache.lease(&a, DAY, "a test"), Err(Error::NoSuchObject { .. })));
    assert!(matches!(cache.hold(&a, "a test"), Err(Error::NoSuchObject { .. })));
    assert_eq!(ids(&cache), Vec::<i64>::new());
}

/// Returns what a session has leased, by hash.
fn of_session(cache: &Cache, session: &str) -> Vec<LeaseInfo> {
    let leases = cache.leases().unwrap().into_iter();
    leases.filter(|lease| lease.session.as_deref() == Some(session)).collect()
}

#[test]
fn a_job_has_a_lease_on_all_that_is_handed_out_inside_and_on_nothing_else() {
    let env = Env::new();
    let cache = env.open();
    let owner = cache.owner("o").unwrap();
    for name in ["resolved", "found", "got", "left"] {
        let source = env.tree("named", &[(name, name)]).join(name);
        owner.ingest(name, &Source::copy(source), &BindOptions::new()).unwrap();
    }
    let job = cache.begin_job().unwrap();
    let inside = Cache::open(env.options().lease_session(Some(job.session().to_owned()))).unwrap();
    let there = inside.owner("o").unwrap();
    let make = |dir: &std::path::Path| fs::write(dir.join("x"), "made");
    for _ in 0..2 {
        there.resolve("resolved").unwrap().unwrap();
        inside.find(Reference::new("o:found", None)).unwrap();
        there.get_or_create("got", &BindOptions::new(), make).unwrap();
        there.get_or_create("made", &BindOptions::new(), make).unwrap();
    }
    let added = put(&env, &inside, "added");
    there.bind("added", &added, &BindOptions::new()).unwrap();
    owner.unbind(["resolved", "found", "got", "left", "made", "added"]).unwrap();
    assert_eq!(of_session(&cache, job.session()).len(), 5, "once each");
    let report = gc(&cache, Duration::ZERO);
    assert_eq!((report.deleted_artifacts, report.kept.len()), (1, 5), "only what nobody asked for");
    drop(job);
    assert_eq!(ids(&cache), Vec::<i64>::new());
    assert_eq!(cache.stats().unwrap().orphans, 5, "from now on");
    there.resolve("resolved").unwrap();
    put(&env, &inside, "after");
    gc(&cache, Duration::ZERO);
    assert_eq!(shelves(&env.root()).len(), 1, "only what waits to be bound");
}

#[test]
fn a_job_that_is_over_or_never_was_grants_nothing_and_stops_nobody() {
    let env = Env::new();
    let cache = env.open();
    let source = env.tree("s", &[("a", "a")]);
    cache.owner("o").unwrap().ingest("n", &Source::copy(&source), &BindOptions::new()).unwrap();
    let over = cache.begin_job().unwrap().session().to_owned();
    for session in [&over, "0123456789abcdef", "", "../tmp", "/etc/passwd", "..", "\u{202e}\n", &"a".repeat(100_000)] {
        let inside = Cache::open(env.options().lease_session(Some(session.to_owned()))).unwrap();
        assert!(inside.owner("o").unwrap().resolve("n").unwrap().is_some());
        assert_eq!(ids(&cache), Vec::<i64>::new(), "{session:.20}");
    }
}

/// The program as a variable of a script.
fn script(oma: &Oma, words: &[&str], script: &str) -> Command {
    let words = [words, &["--", "sh", "-c", script]].concat();
    let mut command = oma.command(&words);
    command.env("OMA", env!("CARGO_BIN_EXE_oma"));
    command
}

fn with_label(oma: &Oma) -> String {
    oma.file("iris", "setosa\n");
    oma.line(&["-o", "zoo", "-q", "add", "iris", "--bind", "label"])
}

#[test]
fn a_job_ends_as_its_command_does_and_says_nothing_of_its_own() {
    let oma = Oma::new();
    with_label(&oma);
    for (does, code) in
        [("exit 0", 0), ("exit 7", 7), ("exit 255", 255), ("kill -TERM $$", 143), ("kill -KILL $$", 137)]
    {
        let ran = Ran::of(script(&oma, &["lease", "run", "zoo:label"], does), &[does]).expect(code);
        assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", ""), "{does}");
    }
    let mut command = script(&oma, &["lease", "run"], "cat; echo to people >&2");
    command.stdin(Stdio::from(fs::File::open(oma.path("iris")).unwrap()));
    let ran = Ran::of(command, &[]).expect(0);
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("setosa\n", "to people\n"));
    oma.fails(127, &["lease", "run", "--", "no-such-command"]);
    oma.fails(126, &["lease", "run", "--", "./iris"]);
    oma.fails(3, &["lease", "run", "zoo:nothing", "--", "touch", "ran"]);
    oma.fails(2, &["lease", "run", "--all", "--", "touch", "ran"]);
    oma.fails(2, &["lease", "run"]);
    assert!(!oma.path("ran").exists(), "what cannot be protected is not begun");
    assert_eq!(oma.json(&["lease", "list"]), serde_json::json!([]));
}

#[test]
fn a_command_keeps_what_it_uses_though_it_is_unbound_and_collected_meanwhile() {
    let oma = Oma::new();
    let label = with_label(&oma);
    oma.file("used", "used");
    let used = oma.line(&["-o", "zoo", "-q", "add", "used", "--bind", "used"]);
    let does = r#"$OMA -o zoo path used >/dev/null && $OMA -o zoo -q unbind used label &&
        $OMA gc --collect-delay 0 -y --json && test -e "$OMA_STORE/artifacts/"*/$0"#;
    let mut command = oma.command(&["-o", "zoo", "lease", "run", "zoo:label", "--", "sh", "-c", does, &used]);
    command.env("OMA", env!("CARGO_BIN_EXE_oma"));
    let report = Ran::of(command, &["lease run"]).expect(0).json();
    assert_eq!(report["deleted_artifacts"], 0);
    let mut kept: Vec<(String, String)> = report["kept"]
        .as_array()
        .unwrap()
        .iter()
        .map(|kept| (kept["hash"].as_str().unwrap().to_owned(), kept["reason"].as_str().unwrap().to_owned()))
        .collect();
    kept.sort();
    let mut expected = vec![(label, "lease".to_owned()), (used, "lease".to_owned())];
    expected.sort();
    assert_eq!(kept, expected);
    assert_eq!(oma.json(&["gc", "--collect-delay", "0", "-y"])["deleted_artifacts"], 2, "the job is over");
}

#[test]
fn all_that_an_owner_has_bound_is_protected_from_the_start() {
    let oma = Oma::new();
    with_label(&oma);
    oma.ok(&["-o", "other", "-q", "add", "iris", "--bind", "same"]);
    oma.file("more", "more");
    oma.ok(&["-o", "zoo", "-q", "add", "more", "--bind", "more"]);
    let ran = Ran::of(script(&oma, &["-o", "zoo", "lease", "run", "--all"], "$OMA lease list --json"), &[]).expect(0);
    let leases = ran.json();
    assert_eq!(leases.as_array().unwrap().len(), 2);
    assert!(
        leases
            .as_array()
            .unwrap()
            .iter()
            .all(|lease| lease["alive"] == true && lease["reason"] == "bound by the job's owner")
    );
}

/// A job that has begun, in a process group of its own.
fn begun(oma: &Oma) -> Child {
    let mut command = oma.command(&["lease", "run", "zoo:label", "--", "sleep", "60"]);
    let child = command.process_group(0).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let started = Instant::now();
    while oma.json(&["lease", "list"]).as_array().unwrap().is_empty() {
        assert!(started.elapsed() < Duration::from_secs(60), "it never began");
        sleep(Duration::from_millis(10));
    }
    child
}

fn signal(child: &Child, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

#[test]
fn a_job_that_is_killed_protects_to_its_last_moment_and_not_longer() {
    let oma = Oma::new();
    let label = with_label(&oma);
    let mut job = begun(&oma);
    let group = rustix::process::Pid::from_raw(i32::try_from(job.id()).unwrap()).unwrap();
    oma.ok(&["-o", "zoo", "unbind", "label"]);
    let report = oma.json(&["gc", "--collect-delay", "0", "-y"]);
    assert_eq!((&report["deleted_artifacts"], &report["kept"][0]["reason"]), (&0.into(), &"lease".into()));
    assert_eq!(report["kept"][0]["hash"], *label);
    signal(&job, rustix::process::Signal::KILL);
    assert_eq!(job.wait().unwrap().code(), None);
    // The command still runs: it is the lock of the job that counts, and no other process has that.
    let list = oma.ok(&["lease", "list"]).stdout;
    assert!(
        list.contains("its holder is dead") && list.ends_with("1 lease, 1 of a dead holder: the next gc ends it\n")
    );
    assert_eq!(oma.json(&["lease", "list"])[0]["alive"], false);
    assert_eq!(oma.json(&["gc", "--collect-delay", "0", "-y"])["deleted_artifacts"], 1);
    assert_eq!(oma.json(&["lease", "list"]), serde_json::json!([]));
    rustix::process::kill_process_group(group, rustix::process::Signal::KILL).unwrap();
}

#[test]
fn whoever_stops_the_job_stops_its_command_and_the_leases_end() {
    let oma = Oma::new();
    with_label(&oma);
    let mut job = begun(&oma);
    // The lease is there before the command is.
    sleep(Duration::from_millis(500));
    signal(&job, rustix::process::Signal::TERM);
    assert_eq!(job.wait().unwrap().code(), Some(143));
    assert_eq!(oma.json(&["lease", "list"]), serde_json::json!([]));
}

/// Returns a listing without what differs from run to run.
fn plain(oma: &Oma, words: &[&str]) -> String {
    let text = oma.redacted(&oma.ok(words).stdout);
    let mut lines = Vec::new();
    for line in text.lines() {
        let (before, rest) = line.split_once("(pid ").unwrap_or((line, ""));
        let after = rest.split_once(')').map_or("", |(_, after)| after);
        let line = if rest.is_empty() { before.to_owned() } else { format!("{before}(pid N on HOST){after}") };
        lines.push(line.split_whitespace().collect::<Vec<_>>().join(" "));
    }
    lines.join("\n")
}

#[test]
fn leases_are_listed_with_their_ends_and_holders() {
    let oma = Oma::new();
    let label = with_label(&oma);
    oma.file("new", "new");
    oma.ok(&["add", "new"]);
    oma.ok(&["lease", "add", "zoo:label", "--for", "7d", "--reason", HOSTILE]);
    oma.ok(&["lease", "list"]).assert_printable();
    insta::assert_snapshot!(plain(&oma, &["lease", "list"]), @r"
    ID HASH KIND SIZE ENDS HOLDER REASON
    1 63604f7f6a8a file 3 B in 24 hours - put in, not bound yet
    2 f1aaa14b1a0b file 7 B in 7 days oma (pid N on HOST) a\x1b[31m\nb\u{202e}c\\

    2 leases
    ");
    assert_eq!(oma.ok(&["lease", "list", "-q"]).stdout, "1\n2\n");
    let lease = &oma.json(&["lease", "list"])[1];
    assert_eq!(
        (&lease["hash"], &lease["reason"], &lease["names"][0]),
        (&(*label).into(), &HOSTILE.into(), &"zoo:label".into())
    );
    assert_eq!((&lease["alive"], &lease["session"]), (&serde_json::Value::Null, &serde_json::Value::Null));
    oma.ok(&["lease", "renew", "zoo:label", "--for", "2w"]);
    oma.ok(&["lease", "renew", "2", "--for", "1h"]);
    assert_eq!(oma.json(&["lease", "list"])[1]["expires_at"], "2026-01-15T00:00:00.000Z", "it is not shortened");
    oma.ok(&["lease", "release", &label]);
    for words in [["lease", "renew", "2"], ["lease", "release", "2"], ["lease", "release", "zoo:label"]] {
        assert_eq!(oma.fails(3, &[&words[..], &["--json"]].concat()).error_kind(), "not_found");
    }
    oma.fails(2, &["lease", "add", "zoo:label", "--for", "0"]);
    oma.fails(2, &["lease", "add", "zoo:label", "--for", "9999999w"]);
    oma.fails(3, &["lease", "release", "99999999999999999999"]);
    assert_eq!(oma.ok(&["lease", "list", "-q"]).stdout, "1\n");
}

#[test]
fn pins_are_listed_with_their_reasons() {
    let oma = Oma::new();
    let label = with_label(&oma);
    assert_eq!(oma.json(&["pin"]), serde_json::json!([]));
    oma.ok(&["pin", "zoo:label", "--reason", HOSTILE, "--until", "2027-01-31T12:00:00Z"]);
    oma.ok(&["pin"]).assert_printable();
    insta::assert_snapshot!(oma.ok(&["pin"]).stdout, @r"
    HASH          KIND  SIZE  PINNED  ENDS          NAMES      REASON
    f1aaa14b1a0b  file   7 B     now  in 13 months  zoo:label  a\x1b[31m\nb\u{202e}c\\

    1 pin
    ");
    assert_eq!(oma.line(&["pin", "-q"]), label);
    let pins = serde_json::json!([{
        "hash": label, "kind": "file", "size": 7, "reason": HOSTILE, "until": "2027-01-31T12:00:00.000Z",
        "created_at": "2026-01-01T00:00:00.000Z", "names": ["zoo:label"],
    }]);
    assert_eq!(oma.json(&["pin"]), pins);
    oma.fails(2, &["pin", "zoo:label"]);
    oma.fails(2, &["pin", "--reason", "of nothing"]);
    oma.ok(&["unpin", "zoo:label"]);
    assert_eq!(oma.json(&["pin"]), serde_json::json!([]));
}

#[test]
fn a_plan_says_of_what_is_leased_until_when_it_stays() {
    let env = Env::new();
    let cache = env.open();
    let a = unbound(&env, &cache, "a");
    let lease = cache.lease(&a, DAY * 3, "a test").unwrap();
    let plan = cache.gc_plan(&GcPolicy::default().collect_delay(Duration::ZERO)).unwrap();
    assert_eq!((plan.kept[0].hash, plan.kept[0].reason, plan.kept[0].until), (a.hash, "lease", lease.expires_at));
}
