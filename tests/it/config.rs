//! The configuration: which file counts, what is refused and by which line, what an edit leaves alone.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use insta::assert_snapshot;
use ohmyartifacts::{Cache, CacheOptions, Config, ConfigFile, Error, ErrorKind, GcPolicy, GcRule, Origin};
use serde_json::json;

use crate::non_root::Unprivileged;
use crate::support::oma::{Oma, fields};
use crate::support::{DAY, Env, mode_of, refused};

const BOTH: [ConfigFile; 2] = [ConfigFile::Store, ConfigFile::User];

fn options(env: &Env) -> CacheOptions {
    env.options().user_config(Some(env.path("user.toml")))
}

fn open(env: &Env) -> Cache {
    Cache::open(options(env)).expect("the store opens")
}

fn path_of(env: &Env, file: ConfigFile) -> PathBuf {
    match file {
        ConfigFile::Store => env.root().join("config.toml"),
        ConfigFile::User => env.path("user.toml"),
    }
}

fn rule(text: &str) -> GcRule {
    text.parse().expect("a rule")
}

fn value(config: &Config, key: &str) -> (String, Origin) {
    let found = config.get(key).expect("a known key").into_iter().next().expect("it has a value");
    (found.value, found.origin)
}

// ---- what counts ----

#[test]
fn without_files_the_defaults_count() {
    let config = open(&Env::new()).config().unwrap();
    assert_eq!(config.gc_policy(), GcPolicy::default());
    assert_eq!((config.auto_gc(), config.lease_duration()), (Some(7 * DAY), DAY));
}

#[test]
fn the_store_counts_before_the_user_key_by_key() {
    let env = Env::new();
    let cache = open(&env);
    fs::write(path_of(&env, ConfigFile::Store), "[gc]\nauto = \"never\"\ntrash = \"2d\"\n").unwrap();
    fs::write(path_of(&env, ConfigFile::User), "[gc]\nauto = \"1d\"\ncollect_delay = \"3d\"\n").unwrap();
    let config = cache.config().unwrap();
    assert_eq!(value(&config, "gc.auto"), ("never".to_owned(), Origin::Store));
    assert_eq!(value(&config, "gc.collect_delay"), ("3d".to_owned(), Origin::User));
    assert_eq!(value(&config, "gc.min_age"), ("1h".to_owned(), Origin::Default));
    assert_eq!(config.auto_gc(), None);
    assert_eq!(config.gc_policy(), GcPolicy::default().trash(Some(2 * DAY)).collect_delay(3 * DAY));
    let files: Vec<_> = config.settings().into_iter().map(|setting| setting.file).collect();
    assert_eq!(files[0], Some(env.root().join("config.toml")));
    assert_eq!(files[1], Some(env.path("user.toml")));
    assert_eq!(files[2], None);
}

#[test]
fn every_key_reaches_the_policy() {
    let env = Env::new();
    let cache = open(&env);
    let text = "lease.duration = \"2h\"\n[gc]\nauto = \"1w\"\ncollect_delay = \"1d\"\nowner_grace = \"2d\"\n\
                min_age = \"3d\"\ntrash = \"4d\"\n";
    fs::write(path_of(&env, ConfigFile::Store), text).unwrap();
    let config = cache.config().unwrap();
    let expected = GcPolicy::default().collect_delay(DAY).owner_grace(2 * DAY).min_age(3 * DAY).trash(Some(4 * DAY));
    assert_eq!(config.gc_policy(), expected);
    assert_eq!(config.auto_gc(), Some(7 * DAY));
    assert_eq!(config.lease_duration(), Duration::from_secs(7_200));
}

#[test]
fn the_stores_rules_come_first() {
    let env = Env::new();
    let cache = open(&env);
    fs::write(
        path_of(&env, ConfigFile::Store),
        "[[gc.rules]]\nmax_size = \"1GiB\"\n\n[[gc.rules]]\ndead_for = \"1d\"\n",
    )
    .unwrap();
    fs::write(path_of(&env, ConfigFile::User), "gc.rules = [{ owner = \"a b\", unused_for = \"30d\" }]\n").unwrap();
    let config = cache.config().unwrap();
    let mut last = GcRule { unused_for: Some(30 * DAY), ..GcRule::default() };
    last.owner = Some("a b".parse().unwrap());
    let expected = GcPolicy::default().rule(rule("max_size=1GiB")).rule(rule("dead_for=1d")).rule(last);
    assert_eq!(config.gc_policy(), expected);
    let rows: Vec<_> = config.get("gc.rules").unwrap().into_iter().map(|row| (row.key, row.origin)).collect();
    let row = |number: usize, origin| (format!("gc.rules[{number}]"), origin);
    assert_eq!(rows, [row(0, Origin::Store), row(1, Origin::Store), row(2, Origin::User)]);
}

#[test]
fn files_are_read_anew_each_time() {
    let env = Env::new();
    let cache = open(&env);
    assert_eq!(cache.config().unwrap().auto_gc(), Some(7 * DAY));
    fs::write(path_of(&env, ConfigFile::Store), "gc.auto = \"2d\"\n").unwrap();
    assert_eq!(cache.config().unwrap().auto_gc(), Some(2 * DAY));
}

#[test]
fn a_folder_that_is_no_store_has_no_configuration() {
    let env = Env::new();
    fs::create_dir(env.root()).unwrap();
    fs::write(path_of(&env, ConfigFile::Store), "[package]\nname = \"x\"\n").unwrap();
    let cache = Cache::open(options(&env).create(false)).unwrap();
    assert_eq!(cache.config().unwrap().gc_policy(), GcPolicy::default());
    assert!(!cache.unset_config(ConfigFile::Store, "gc.auto").unwrap());
    assert!(matches!(refused(cache.set_config(ConfigFile::Store, "gc.auto", &["1d"])), Error::NotAStore { .. }));
    assert_eq!(fs::read_dir(env.root()).unwrap().count(), 1, "nothing was made");
}

/// Somebody may put it there before the store is made.
#[test]
fn a_store_can_be_made_around_its_configuration() {
    let env = Env::new();
    fs::create_dir(env.root()).unwrap();
    fs::write(path_of(&env, ConfigFile::Store), "gc.auto = \"2d\"\n").unwrap();
    assert_eq!(open(&env).config().unwrap().auto_gc(), Some(2 * DAY));
}

// ---- what is refused ----

/// Text, line, and what the complaint must say.
const WRONG: [(&str, usize, &str); 27] = [
    ("\n\nspeed = 1\n", 3, "`speed` is not a key: the keys are `gc.auto`, "),
    ("gc.auto = \"1d\"\ngc.speed = \"1d\"\n", 2, "`gc.speed` is not a key: the keys are `gc.auto`, "),
    ("[lease]\n\nlength = \"1d\"\n", 3, "`lease.length` is not a key"),
    ("[gc.auto]\nx = 1\n", 1, "`gc.auto` must be text such as \"7d\", not a table"),
    ("gc = 3\n", 1, "`gc` must be a table, not an integer"),
    ("[[gc]]\nauto = \"1d\"\n", 1, "`gc` must be a table, not an array of tables"),
    ("[gc]\nauto = 7\n", 2, "`gc.auto` must be text such as \"7d\", not an integer"),
    ("[gc]\ncollect_delay = 1.5\n", 2, "not a float"),
    ("[gc]\nowner_grace = true\n", 2, "not a boolean"),
    ("[gc]\nmin_age = [\"1d\"]\n", 2, "not an array"),
    ("[gc]\ntrash = 2026-01-01\n", 2, "not a datetime"),
    ("[lease]\nduration = { d = 1 }\n", 2, "not an inline table"),
    ("[gc]\nauto = \"soon\"\n", 2, "`gc.auto`: `soon` is not a valid duration: "),
    ("[gc]\ntrash = \"never\"\n", 2, "`never` is not a valid duration"),
    ("[gc]\nmin_age = \"\"\n", 2, "`` is not a valid duration"),
    ("[lease]\nduration = \"0\"\n", 2, "protects nothing"),
    ("[gc]\nrules = \"all\"\n", 2, "`gc.rules` must be a list of tables, not a string"),
    ("[gc]\nrules = [\n  { dead_for = \"1d\" },\n  \"dead_for=1d\",\n]\n", 4, "but holds a string"),
    ("[gc.rules]\ndead_for = \"1d\"\n", 1, "`gc.rules` must be a list of tables, not a table"),
    ("[[gc.rules]]\ndead_for = \"1d\"\n\n[[gc.rules]]\nolder = \"1d\"\n", 5, "a rule knows `owner`, `class`, "),
    ("[[gc.rules]]\ndead_for = 1\n", 2, "`dead_for` must be text such as \"30d\", not an integer"),
    ("[[gc.rules]]\nclass = \"dear\"\nmax_size = \"1\"\n", 2, "`dear` is not a valid class"),
    ("\n[[gc.rules]]\nowner = \"a\"\n", 2, "it needs at least one of `dead_for`, "),
    ("[gc]\nauto = \"1d\"\nauto = \"2d\"\n", 3, "duplicate key"),
    ("[gc]\nauto = \"1d\"\n[gc]\n", 3, "duplicate key"),
    ("[gc]\nauto = \"1d\n", 2, ""),
    ("[gc]\nauto\n", 2, ""),
];

#[test]
fn what_is_not_understood_is_refused_by_file_and_line() {
    let env = Env::new();
    let cache = open(&env);
    for file in BOTH {
        let path = path_of(&env, file);
        for (text, line, reason) in WRONG {
            fs::write(&path, text).unwrap();
            let error = refused(cache.config());
            let start = format!("`{}`, line {line}: ", path.display());
            let shown = error.to_string();
            assert!(shown.starts_with(&start) && shown.contains(reason), "{text:?}: {shown}");
            assert_eq!(error.kind(), ErrorKind::Usage);
        }
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn only_a_small_text_file_is_read() {
    let env = Env::new();
    let cache = open(&env);
    let path = path_of(&env, ConfigFile::Store);
    let refusal = |cache: &Cache| refused(cache.config()).to_string();

    fs::File::create(&path).unwrap().set_len(1024 * 1024 + 1).unwrap();
    assert!(refusal(&cache).contains("line 1: it has 1048577 bytes, more than the 1048576 that are read"));
    fs::write(&path, b"# a\n# \xff\n").unwrap();
    assert!(refusal(&cache).ends_with("line 2: it is not UTF-8"));
    fs::remove_file(&path).unwrap();
    make_fifo(&path);
    assert!(refusal(&cache).ends_with("line 1: it is a named pipe, not a file"));
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(refusal(&cache).contains("line 1: it is a directory"));
    fs::remove_dir(&path).unwrap();
    let elsewhere = env.path("elsewhere.toml");
    fs::write(&elsewhere, "").unwrap();
    symlink(&elsewhere, &path).unwrap();
    assert!(refusal(&cache).contains("line 1: it is a link"), "a store may be somebody else's");
    refused(cache.set_config(ConfigFile::Store, "gc.auto", &["1d"]));
    assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "");
}

fn make_fifo(path: &std::path::Path) {
    let made = std::process::Command::new("mkfifo").arg(path).status().expect("mkfifo starts");
    assert!(made.success());
}

#[test]
fn wrong_values_change_nothing() {
    let env = Env::new();
    let cache = open(&env);
    let wrong: [(&str, &[&str]); 9] = [
        ("gc.speed", &["1d"]),
        ("gc", &["1d"]),
        ("gc.rules[0]", &["dead_for=1d"]),
        ("gc.auto", &["soon"]),
        ("gc.auto", &["1d", "2d"]),
        ("gc.auto", &[]),
        ("lease.duration", &["0"]),
        ("gc.rules", &["dead_for=1d", "owner=a"]),
        ("gc.rules", &[""]),
    ];
    for file in BOTH {
        for (key, values) in wrong {
            let error = refused(cache.set_config(file, key, values));
            assert!(matches!(error, Error::Invalid { .. }), "{key}: {error}");
        }
        assert!(!path_of(&env, file).exists());
    }
    refused(cache.unset_config(ConfigFile::Store, "gc.speed"));
}

#[test]
fn a_file_that_is_wrong_elsewhere_is_not_edited() {
    let env = Env::new();
    let cache = open(&env);
    let text = "[gc]\nauto = 7\nspeed = 1\n";
    fs::write(path_of(&env, ConfigFile::Store), text).unwrap();
    let error = refused(cache.set_config(ConfigFile::Store, "gc.auto", &["7d"]));
    assert!(matches!(error, Error::Config { line: 3, .. }), "{error}");
    assert_eq!(fs::read_to_string(path_of(&env, ConfigFile::Store)).unwrap(), text);
    // What is wrong can be put right, though.
    fs::write(path_of(&env, ConfigFile::Store), "[gc]\nauto = 7\n").unwrap();
    cache.set_config(ConfigFile::Store, "gc.auto", &["7d"]).unwrap();
    assert_eq!(cache.config().unwrap().auto_gc(), Some(7 * DAY));
}

// ---- edits ----

const COMMENTED: &str = "\
# The team's store.

# How often.
[gc] # here
auto = \"7d\" # weekly
# Not for long.
trash = '1d'

# The first.
[[gc.rules]]
max_size = \"1GiB\" # much

# The second.
[[gc.rules]]
dead_for = \"2d\"

[lease]
duration = \"3d\"
# The end.
";

#[test]
fn an_edit_keeps_comments_and_other_keys() {
    let env = Env::new();
    let cache = open(&env);
    let path = path_of(&env, ConfigFile::Store);
    fs::write(&path, COMMENTED).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let set = |key, values: &[&str]| cache.set_config(ConfigFile::Store, key, values).unwrap();
    let text = || fs::read_to_string(&path).unwrap();

    set("gc.auto", &["never"]);
    assert_eq!(text(), COMMENTED.replace("\"7d\"", "\"never\""));
    set("gc.auto", &["7d"]);
    assert_eq!(text(), COMMENTED);
    set("gc.min_age", &["2h"]);
    let more = COMMENTED.replace("trash = '1d'\n", "trash = '1d'\nmin_age = \"2h\"\n");
    assert_eq!(text(), more);
    assert!(cache.unset_config(ConfigFile::Store, "gc.min_age").unwrap());
    assert_eq!(text(), COMMENTED);
    set("gc.rules", &["min_free=10%"]);
    // What was said about the first rule still stands above it; the second went with what was said about it.
    let (start, end) = (COMMENTED.find("max_size").unwrap(), COMMENTED.find("\n[lease]").unwrap());
    let expected = format!("{}min_free = \"10%\"\n{}", &COMMENTED[..start], &COMMENTED[end..]);
    assert_eq!(text(), expected);
    assert_eq!(mode_of(&path), 0o640);
}

#[test]
fn every_way_to_write_it_can_be_edited() {
    let starts = [
        "",
        "# only a comment",
        "gc.auto = \"1d\"\n",
        "gc = { auto = \"1d\" } # x\n",
        "[gc]\nrules = []\n",
        "gc.rules = [{ dead_for = \"9d\" }]\n",
        "[[gc.rules]]\ndead_for = \"9d\"\n",
        "[lease]\nduration = \"1d\"\n",
        "[gc]\r\nauto = \"1d\"\r\n",
        COMMENTED,
    ];
    for start in starts {
        let env = Env::new();
        let cache = open(&env);
        for file in BOTH {
            fs::write(path_of(&env, file), start).unwrap();
            let rules = ["owner=a-* unused_for=30d", "max_size=10GiB"];
            cache.set_config(file, "gc.rules", &rules).unwrap();
            cache.set_config(file, "gc.trash", &["5d"]).unwrap();
            cache.set_config(file, "lease.duration", &["6d"]).unwrap();
            let text = fs::read_to_string(path_of(&env, file)).unwrap();
            assert_eq!(text.contains('#'), start.contains('#'), "{text}");
        }
        let config = cache.config().unwrap();
        let rules: Vec<_> = config.get("gc.rules").unwrap().into_iter().map(|row| row.value).collect();
        assert_eq!(rules[..2], ["owner=a-* unused_for=30d", "max_size=10GiB"], "{start:?}");
        assert_eq!((rules.len(), config.lease_duration()), (4, 6 * DAY), "{start:?}");
        for file in BOTH {
            for key in ["gc.rules", "gc.trash", "lease.duration"] {
                assert!(cache.unset_config(file, key).unwrap(), "{start:?}: {key}");
                assert!(!cache.unset_config(file, key).unwrap(), "{start:?}: {key}");
            }
        }
        let config = cache.config().unwrap();
        assert_eq!(config.gc_policy(), GcPolicy::default(), "{start:?}");
    }
}

#[test]
fn a_comment_about_the_file_outlives_its_first_key() {
    let env = Env::new();
    let cache = open(&env);
    let path = path_of(&env, ConfigFile::User);
    fs::write(&path, "# Mine.\n\n# Twice a week.\ngc.auto = \"3d\"\n").unwrap();
    cache.unset_config(ConfigFile::User, "gc.auto").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "# Mine.\n");
}

/// Many keep such files in one place and link to them.
#[test]
fn a_users_link_stays_one() {
    let env = Env::new();
    let cache = open(&env);
    let real = env.path("dotfiles.toml");
    fs::write(&real, "# mine\n").unwrap();
    symlink("dotfiles.toml", env.path("user.toml")).unwrap();
    cache.set_config(ConfigFile::User, "gc.auto", &["2d"]).unwrap();
    assert!(env.path("user.toml").is_symlink());
    assert_eq!(cache.config().unwrap().auto_gc(), Some(2 * DAY));
    assert_eq!(fs::read_to_string(&real).unwrap(), "# mine\n\n[gc]\nauto = \"2d\"\n");
}

#[test]
fn edits_at_once_lose_nothing_and_no_reader_sees_half_a_file() {
    let env = Env::new();
    let keys = ["gc.auto", "gc.collect_delay", "gc.owner_grace", "gc.min_age", "gc.trash", "lease.duration"];
    let cache = open(&env);
    let is_over = AtomicBool::new(false);
    for file in BOTH {
        is_over.store(false, Ordering::SeqCst);
        thread::scope(|scope| {
            let reader = scope.spawn(|| {
                while !is_over.load(Ordering::SeqCst) {
                    cache.config().expect("the file is whole");
                }
            });
            let writers = keys.map(|key| {
                let cache = open(&env);
                scope.spawn(move || {
                    for days in 1..=12 {
                        cache.set_config(file, key, &[&format!("{days}d")]).expect("it is set");
                    }
                })
            });
            for writer in writers {
                writer.join().expect("a writer");
            }
            is_over.store(true, Ordering::SeqCst);
            reader.join().expect("the reader");
        });
        let config = cache.config().unwrap();
        for key in keys {
            assert_eq!(value(&config, key).0, "12d", "{key} was lost");
        }
    }
    let left: Vec<_> = fs::read_dir(env.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "beside the store and the user's file: {left:?}");
}

#[cfg(feature = "failpoints")]
#[test]
fn an_edit_that_fails_on_the_way_leaves_the_file_as_it_was() {
    for file in BOTH {
        let mut failures = 0;
        loop {
            let env = Env::new();
            drop(open(&env));
            fs::write(path_of(&env, file), COMMENTED).unwrap();
            let fault = format!("fail@{}", failures + 1).parse().unwrap();
            let outcome =
                Cache::open(options(&env).fault(fault)).and_then(|cache| cache.set_config(file, "gc.auto", &["never"]));
            let text = fs::read_to_string(path_of(&env, file)).unwrap();
            let after = COMMENTED.replace("\"7d\"", "\"never\"");
            assert!(text == COMMENTED || text == after, "{text}");
            if outcome.is_ok() {
                assert_eq!(text, after);
                break;
            }
            failures += 1;
            open(&env).set_config(file, "gc.auto", &["never"]).expect("the next one works");
        }
        assert!(failures >= 4, "only {failures} points");
    }
}

// ---- the program ----

#[test]
fn the_program_lists_gets_sets_and_unsets() {
    let oma = Oma::new();
    let shown = |ran: crate::support::oma::Ran| oma.redacted(&format!("{}{}", ran.stdout, ran.stderr));
    oma.ok(&["config", "set", "gc.auto", "30d"]);
    let rules = ["class=refetchable unused_for=30d", "max_size=10GiB"];
    assert_snapshot!(
        shown(oma.ok(&["config", "set", "gc.rules", rules[0], rules[1]])),
        @"gc.rules is class=refetchable unused_for=30d, max_size=10GiB in [TMP]/store/config.toml"
    );
    oma.ok(&["config", "set", "--user", "gc.rules", "owner=model-* dead_for=1d"]);
    assert_snapshot!(shown(oma.ok(&["config", "set", "--user", "gc.auto", "never"])), @r"
    gc.auto is never in [TMP]/home/.config/ohmyartifacts/config.toml
    here 30d counts, by the store: [TMP]/store/config.toml
    ");
    assert_snapshot!(shown(oma.ok(&["config", "list"])), @r"
    KEY               VALUE                             ORIGIN
    gc.auto           30d                               store: [TMP]/store/config.toml
    gc.collect_delay  7d                                default
    gc.owner_grace    7d                                default
    gc.min_age        1h                                default
    gc.trash          0                                 default
    gc.rules[0]       class=refetchable unused_for=30d  store: [TMP]/store/config.toml
    gc.rules[1]       max_size=10GiB                    store: [TMP]/store/config.toml
    gc.rules[2]       owner=model-* dead_for=1d         user: [TMP]/home/.config/ohmyartifacts/config.toml
    lease.duration    1d                                default

    9 values, 4 of them set in a file
    ");
    assert_snapshot!(shown(oma.ok(&["config", "get", "gc.rules"])), @r"
    class=refetchable unused_for=30d
    max_size=10GiB
    owner=model-* dead_for=1d
    ");
    assert_eq!(oma.line(&["config", "get", "gc.auto"]), "30d");
    assert_eq!(oma.line(&["config", "get", "gc.rules[1]"]), "max_size=10GiB");
    assert_snapshot!(
        shown(oma.ok(&["config", "unset", "gc.auto"])),
        @"gc.auto is no longer set in [TMP]/store/config.toml"
    );
    assert_eq!(oma.line(&["config", "get", "gc.auto"]), "never");
    assert_snapshot!(
        shown(oma.ok(&["config", "unset", "gc.auto"])),
        @"gc.auto was not set in [TMP]/store/config.toml"
    );
    assert_eq!(oma.ok(&["-q", "config", "list"]).stdout.lines().last(), Some("lease.duration"));
}

#[test]
fn scripts_get_values_with_their_origin() {
    let oma = Oma::new();
    oma.ok(&["config", "set", "gc.trash", "2d"]);
    let rows = oma.json(&["config", "list"]);
    for row in rows.as_array().unwrap() {
        assert_eq!(fields(row), ["file", "key", "origin", "value"]);
    }
    let file = oma.at("store/config.toml");
    let trash = json!({"key": "gc.trash", "value": "2d", "origin": "store", "file": file});
    assert!(rows.as_array().unwrap().contains(&trash), "{rows}");
    assert_eq!(oma.json(&["config", "get", "gc.trash"]), trash);
    assert_eq!(oma.json(&["config", "get", "gc.rules"]), json!([]));
    let set = oma.json(&["config", "set", "--user", "gc.rules", "dead_for=1d"]);
    let user = oma.at("home/.config/ohmyartifacts/config.toml");
    assert_eq!(set, json!({"key": "gc.rules", "values": ["dead_for=1d"], "file": user}));
    let unset = oma.json(&["config", "unset", "gc.auto"]);
    assert_eq!(unset, json!({"key": "gc.auto", "was_set": false, "file": file}));
}

#[test]
fn mistakes_are_usage_and_make_no_store() {
    let oma = Oma::new();
    let wrong: [&[&str]; 6] = [
        &["config", "get", "gc.speed"],
        &["config", "set", "gc.speed", "1d"],
        &["config", "set", "gc.auto", "soon"],
        &["config", "set", "gc.auto"],
        &["config", "unset", "gc.speed"],
        &["config", "set", "gc.rules", "older=3d"],
    ];
    for words in wrong {
        let ran = oma.fails(2, words);
        assert!(ran.stdout.is_empty() && !oma.root().exists(), "{ran:?}");
    }
    assert!(oma.fails(2, &["config", "get", "gc.speed"]).stderr.contains("`gc.collect_delay`"));
    oma.ok(&["config", "list"]);
    oma.ok(&["config", "unset", "gc.auto"]);
    oma.ok(&["config", "set", "--user", "gc.auto", "1d"]);
    assert!(!oma.root().exists(), "the user's file needs no store");
}

#[test]
fn a_wrong_file_is_named_with_its_line_and_a_hint_that_shows_it() {
    let oma = Oma::new();
    oma.ok(&["init"]);
    fs::write(oma.root().join("config.toml"), "[gc]\nauto = 7\n").unwrap();
    let ran = oma.fails(2, &["config", "list"]);
    assert_snapshot!(oma.redacted(&ran.stderr), @r#"
    error: `[TMP]/store/config.toml`, line 2: `gc.auto` must be text such as "7d", not an integer
    hint: `sed -n 2p [TMP]/store/config.toml` shows the line
    "#);
    assert_eq!(oma.fails(2, &["--json", "config", "list"]).error_kind(), "usage");
}

#[test]
fn the_users_file_lies_where_xdg_says() {
    let oma = Oma::new();
    let mut command = oma.command(&["config", "set", "--user", "gc.auto", "1d"]);
    assert!(command.env("XDG_CONFIG_HOME", oma.path("xdg")).output().unwrap().status.success());
    assert!(oma.path("xdg/ohmyartifacts/config.toml").exists());
    assert_eq!(oma.line(&["config", "get", "gc.auto"]), "7d");
    let output = oma.command(&["config", "set", "--user", "gc.auto", "1d"]).env_remove("HOME").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("nobody said where the user's configuration is"));
}

#[test]
fn hostile_text_reaches_no_terminal() {
    let oma = Oma::new();
    oma.ok(&["init"]);
    let file = oma.root().join("config.toml");
    let texts = [
        "\"sp\\u001b[31m\\u202eed\" = 1\n",
        "[gc]\n\"a\\nb\" = \"1d\"\n",
        "[gc]\nauto = \"1\\u001b[2Jd\"\n",
        "[[gc.rules]]\n\"x\\u001b\" = \"1d\"\n",
        "[[gc.rules]]\nclass = \"\\u202e\"\ndead_for = \"1d\"\n",
        "\u{1b}[31m = 1\n",
        "[gc]\n\"\u{202e}\" = 1\n\"\u{202e}\" = 1\n",
    ];
    for text in texts {
        fs::write(&file, text).unwrap();
        oma.fails(2, &["config", "list"]).assert_printable();
        oma.fails(2, &["config", "set", "lease.duration", "2d"]).assert_printable();
    }
    fs::write(&file, "[[gc.rules]]\nowner = \"\\u001b(31m\\u202e*\"\ndead_for = \"1d\"\n").unwrap();
    for words in [["config", "list", "-v"], ["config", "get", "gc.rules"], ["config", "get", "gc.rules[0]"]] {
        let ran = oma.ok(&words);
        ran.assert_printable();
        assert!(ran.stdout.contains("\\x1b(31m\\u{202e}*"), "{ran:?}");
    }
    oma.fails(2, &["config", "get", "\u{1b}[31m"]).assert_printable();
    oma.fails(2, &["config", "set", "gc.auto", "\u{1b}[31m\n"]).assert_printable();
    oma.ok(&["config", "set", "gc.rules", "owner=\u{202e}\u{1b} dead_for=1d"]).assert_printable();
}

#[test]
fn a_store_that_cannot_be_written_says_so() {
    let user = Unprivileged::new(ohmyartifacts::LinkStyle::default());
    user.oma.ok(&["init"]);
    fs::write(user.oma.root().join("config.toml"), "gc.auto = \"2d\"\n").unwrap();
    user.give(&user.oma.path("home"));
    for folder in ["", "tmp", "tmp/locks"] {
        fs::set_permissions(user.oma.root().join(folder), fs::Permissions::from_mode(0o555)).unwrap();
    }
    let ran = user.run(&["config", "set", "gc.auto", "1d"]).expect(1);
    assert!(ran.stderr.contains("cannot be written"), "{ran:?}");
    assert_eq!(user.run(&["config", "get", "gc.auto"]).expect(0).stdout, "2d\n");
    let ran = user.run(&["config", "set", "--user", "gc.auto", "1d"]).expect(0);
    assert!(ran.stderr.contains("here 2d counts"), "{ran:?}");
    for folder in ["", "tmp", "tmp/locks"] {
        fs::set_permissions(user.oma.root().join(folder), fs::Permissions::from_mode(0o755)).unwrap();
    }
}
