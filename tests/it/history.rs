//! What became of artifacts and names, long after.

use std::time::Duration;

use ohmyartifacts::{
    BindOptions, Cache, Error, ErrorKind, History, HistoryQuery, HistoryState, Ingested, OwnerId, Reference, Source,
};

use crate::support::oma::Oma;
use crate::support::{DAY, Env, gc, refused};

fn put_as(env: &Env, cache: &Cache, name: &str, content: &str) -> Ingested {
    let source = env.tree("files", &[(content, content)]).join(content);
    let options = BindOptions::new().force(true);
    cache.owner("zoo").unwrap().ingest(name, &Source::copy(source), &options).unwrap()
}

fn about(cache: &Cache, reference: &str) -> History {
    cache.history(&HistoryQuery::new().about(Reference::new(reference, None))).unwrap()
}

/// The events as `event name hash`, hashes by the order in which the artifacts are given.
fn told(history: &History, artifacts: &[&Ingested]) -> Vec<String> {
    let number = |hash| artifacts.iter().position(|made| made.artifact.hash == hash).expect("one of ours");
    let line = |event: &ohmyartifacts::HistoryEvent| {
        let name = event.name.as_deref().unwrap_or("-");
        format!("{} {name} {}", event.event, number(event.hash))
    };
    history.events.iter().map(line).collect()
}

#[test]
fn a_name_tells_of_everything_it_ever_stood_for() {
    let env = Env::new();
    let cache = env.open();
    let first = put_as(&env, &cache, "model", "first");
    env.pass(DAY);
    put_as(&env, &cache, "also", "first");
    env.pass(DAY);
    let second = put_as(&env, &cache, "model", "second");
    cache.owner("zoo").unwrap().unbind(["model", "also"]).unwrap();
    env.pass(DAY);
    gc(&cache, Duration::ZERO);
    env.pass(DAY * 300);
    let all = [&first, &second];
    let of_name = about(&cache, "zoo:model");
    let names: Vec<String> = told(&of_name, &all).into_iter().filter(|line| !line.starts_with("add")).collect();
    let mut collected = names.clone();
    let rest = collected.split_off(4);
    assert_eq!(collected, ["bind model 0", "rebind model 0", "bind model 1", "unbind model 1"]);
    assert_eq!(rest.len(), 2, "both went: {rest:?}");
    assert!(rest.iter().all(|line| line.starts_with("collect -")));
    assert_eq!(of_name.artifact, None, "it is about two");
    let owner: OwnerId = "zoo".parse().unwrap();
    let given = cache.history(&HistoryQuery::new().about(Reference::new("model", Some(&owner)))).unwrap();
    assert_eq!(given, of_name);
}

#[test]
fn a_hash_and_the_digits_it_begins_with_tell_the_whole_story_when_it_is_gone() {
    let env = Env::new();
    let cache = env.open();
    let made = put_as(&env, &cache, "model", "first");
    put_as(&env, &cache, "also", "first");
    let here = about(&cache, &made.artifact.hash.to_string());
    assert_eq!(told(&here, &[&made]), ["add - 0", "bind model 0", "bind also 0"]);
    assert_eq!(here.artifact.as_ref().unwrap().state, HistoryState::Live);
    let source = here.events[0].sources.as_ref().unwrap();
    assert_eq!((source[0].kind.as_str(), source[0].location.ends_with("files/first")), ("path", true));
    cache.owner("zoo").unwrap().unbind(["model", "also"]).unwrap();
    let let_go = about(&cache, "zoo:also").artifact.unwrap();
    assert_eq!(let_go.state, HistoryState::Unused(env.clock.now()));
    env.pass(DAY);
    gc(&cache, Duration::ZERO);
    let collected_at = env.clock.now();
    env.pass(DAY * 300);
    let text = made.artifact.hash.to_string();
    let whole = about(&cache, &text);
    let story = told(&whole, &[&made]);
    let story: Vec<&String> = story.iter().filter(|line| !line.starts_with("add")).collect();
    assert_eq!(story, ["bind model 0", "bind also 0", "unbind model 0", "unbind also 0", "collect - 0"]);
    let gone = whole.artifact.clone().unwrap();
    assert_eq!((gone.hash, gone.size), (made.artifact.hash, Some(5)));
    assert!(matches!(gone.state, HistoryState::Collected { at, kept_until: None, .. } if at == collected_at));
    let last = whole.events.last().unwrap();
    assert_eq!((last.at, last.freed_bytes, last.run.is_some()), (collected_at, Some(5), true));
    assert_eq!(about(&cache, &text[..8]), whole);
    assert_eq!(about(&cache, &text[..8].to_uppercase()), whole);
}

#[test]
fn what_was_never_known_is_not_found() {
    let env = Env::new();
    let cache = env.open();
    put_as(&env, &cache, "model", "first");
    let owner: OwnerId = "zoo".parse().unwrap();
    let zeros = "0".repeat(64);
    for reference in ["zoo:mode", "other:model", "zoo", "", "000000", &zeros, "zoo:\u{202e}\u{1b}[31m"] {
        for owner in [None, Some(&owner)] {
            let error = refused(cache.history(&HistoryQuery::new().about(Reference::new(reference, owner))));
            assert_eq!(error.kind(), ErrorKind::NotFound, "{reference:?}");
        }
    }
    let error = refused(cache.history(&HistoryQuery::new().about(Reference::new(&zeros, None))));
    assert!(matches!(error, Error::NoSuchObject { .. }));
}

#[test]
fn a_limit_leaves_out_the_oldest() {
    let env = Env::new();
    let cache = env.open();
    for name in ["a", "b", "c"] {
        env.pass(DAY);
        put_as(&env, &cache, name, "same");
    }
    let latest = cache.history(&HistoryQuery::new().limit(2)).unwrap();
    let names: Vec<_> = latest.events.iter().map(|event| event.name.as_deref().unwrap()).collect();
    assert_eq!((names, latest.left_out), (vec!["b", "c"], None));
    let hash = latest.events[0].hash.to_string();
    let query = HistoryQuery::new().about(Reference::new(&hash, None)).limit(1);
    let last = cache.history(&query).unwrap();
    assert_eq!((last.events.len(), last.events[0].name.as_deref(), last.left_out), (1, Some("c"), Some(3)));
    assert!(last.artifact.is_some(), "what it is does not depend on how much is told");
}

#[test]
fn looking_back_changes_nothing() {
    let env = Env::new();
    let cache = env.open();
    put_as(&env, &cache, "model", "first");
    env.pass(DAY);
    about(&cache, "zoo:model");
    drop(cache);
    let binding = env.open().bindings(None).unwrap().remove(0);
    assert_eq!(binding.last_used_at, None);
}

#[test]
fn the_program_tells_it_in_a_table() {
    let oma = Oma::new();
    let tree = oma.tree("model", &[("weights", "0.5\n"), ("labels", "setosa\n")]);
    let tree = tree.to_str().unwrap();
    let hash = oma.line(&["-o", "zoo@1.0", "-q", "add", tree, "--bind", "model"]);
    insta::assert_snapshot!(oma.redacted(&oma.ok(&["history", "zoo@1.0:model"]).stdout), @r"
    hash      08f50c2d05ae0254f1e32662a6d0065e33a9f9c41320782c2752e5450314cf4b
    content   tree of 2 files, 11 B
    state     live
    source    path [TMP]/model

    WHEN (UTC)        EVENT  HASH          KIND  NAME           WHY
    2026-01-01 00:00  add    08f50c2d05ae  tree  -              path [TMP]/model
    2026-01-01 00:00  bind   08f50c2d05ae  tree  zoo@1.0:model  -

    2 events, the newest last
    ");
    oma.pass(DAY);
    oma.ok(&["-o", "zoo@1.0", "unbind", "model"]);
    oma.pass(DAY);
    oma.ok(&["gc", "--collect-delay", "0", "-y"]);
    oma.pass(DAY * 100);
    let row = oma.json(&["history"]);
    let last = row.as_array().unwrap().last().unwrap();
    let mut keys: Vec<&str> = last.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(
        keys,
        [
            "at",
            "detail",
            "event",
            "freed_bytes",
            "hash",
            "kind",
            "name",
            "owner",
            "reason",
            "rule",
            "run",
            "sources",
            "version",
        ]
    );
    assert_eq!(
        (&last["event"], &last["hash"], &last["name"]),
        (&"collect".into(), &hash.clone().into(), &serde_json::Value::Null)
    );
    assert_eq!(row[0]["version"], "1.0");
    assert_eq!(oma.line(&["history", "-q", &hash[..6]]), hash);
    let newest_first = oma.json(&["history", "--sort", "at"]);
    assert_eq!(newest_first[0]["event"], "collect");
    assert_eq!(oma.json(&["history", "--limit", "1"]).as_array().unwrap().len(), 1);
    let text = oma.ok(&["history", &hash]).stdout;
    assert!(text.contains("collected 3 months ago by gc run 1: "), "{text}");
    assert!(text.contains("2026-01-02 00:00  unbind"), "{text}");
    oma.fails(3, &["history", "zoo:model"]);
    oma.fails(2, &["history", "--sort", "nothing"]);
}

#[test]
fn hostile_names_come_out_escaped() {
    let oma = Oma::new();
    oma.file("f", "f");
    let name = "n\u{1b}[31m\n\u{202e}x";
    let owner = "o\u{2066}\r";
    let hash = oma.line(&["-o", owner, "-q", "add", "f", "--bind", name]);
    for words in [vec!["history"], vec!["history", &hash], vec!["-o", owner, "history", name]] {
        let ran = oma.ok(&words);
        ran.assert_printable();
        assert!(ran.stdout.contains("\\x1b[31m\\n\\u{202e}x"), "{}", ran.stdout);
    }
    assert_eq!(oma.json(&["-o", owner, "history", name])[1]["name"], name);
    oma.fails(3, &["history", &format!("{owner}:{name}!")]).assert_printable();
}
