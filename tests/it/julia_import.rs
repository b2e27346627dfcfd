//! The whole depot that the original program left, imported: everything it says of itself must hold
//! here, and nothing of it may have changed.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ohmyartifacts::{LinkStyle, Metadata, Timestamp};
use serde_json::Value;
use toml::Value as Toml;

use crate::support::julia::{
    self, ALPHA, BETA, Expected, GAMMA, Imported, Name, Row, assert_sound, assert_untouched, bindings, expected,
    full_name, hashes, ids_at, ids_in, import, import_in_zone, named_hash, orphan_times, set_mode, standing,
    usage_times,
};
use crate::support::oma::{Oma, index_rows, tell};
use crate::support::{DAY, STYLES, mode_of};

const REWRITTEN: &str = "its id covers links as they were given, and they are stored rewritten";
const NOT_STORED: &str = "its id covers links or execute bits that are not stored";

/// Every directory whose id nothing stored explains, all of them FixAlpha's.
const UNVERIFIABLE: [(&str, &str); 10] = [
    ("dir-link-chain", REWRITTEN),
    ("dir-link-dangling", NOT_STORED),
    ("dir-link-dangling-in-own-dir", NOT_STORED),
    ("dir-link-dir-trailing-slash", REWRITTEN),
    ("dir-link-out-absolute", NOT_STORED),
    ("dir-link-out-relative-sibling", NOT_STORED),
    ("dir-link-through-link-dir", REWRITTEN),
    ("dir-link-unnormalised", REWRITTEN),
    ("dir-same-content-exec-first", NOT_STORED),
    ("dir-same-content-exec-last", NOT_STORED),
];

/// Directories whose id only the original's own rule explains.
const BY_THE_ORIGINALS_RULE: [&str; 2] = ["dir-link-unicode-target", "dir-git-only-in-sub"];

/// What was deleted by hand, all of it FixGamma's.
const MISSING: [&str; 2] = ["hand-deleted-dir", "hand-deleted-file"];

/// Where gc leaves something else than the original's: the setting, the name, why.
const OTHERWISE_COLLECTED: [(&str, &str, &str); 0] = [];

#[test]
fn the_whole_depot_comes_over_in_every_link_style() {
    for style in STYLES {
        let imported = Imported::new(style);
        let before = standing(&imported.oma.path("depot"));
        let rows = imported.import(8);
        assert_untouched(&before, &imported.oma.path("depot"), &style.to_string());
        assert_rows(&rows);
        assert_bindings(&imported.oma);
        assert_times(&imported, Duration::ZERO, Duration::ZERO);
        assert_eq!(ids_in(&imported.oma), ids_at("before_gc"), "{style}: what is stored");
        assert_sound(&imported.oma, &style.to_string());
        imported.oma.ok(&["verify"]);
        assert_quirks(&imported.oma);
        assert_stored_trees(&imported);
    }
}

fn assert_rows(rows: &[Row]) {
    let of = |status: &str| -> BTreeMap<Name, &str> {
        let rows = rows.iter().filter(|row| row.status == status);
        rows.filter_map(|row| Some((row.full_name()?, row.detail()))).collect()
    };
    let unverifiable = UNVERIFIABLE.map(|(name, reason)| (full_name(ALPHA, None, name), reason));
    assert_eq!(of("unverifiable"), BTreeMap::from(unverifiable));
    let version = Some("2.0.0-rc.1+build.5");
    let missing = MISSING.map(|name| (full_name(GAMMA, version, name), "its artifact is not there"));
    assert_eq!(of("missing"), BTreeMap::from(missing));
    let imported = of("imported");
    assert_eq!(imported.len(), 169 - UNVERIFIABLE.len() - MISSING.len());
    assert!(imported.values().all(|detail| detail.is_empty()), "{imported:?}");
    for (name, Expected { hash, .. }) in expected() {
        let row = rows.iter().find(|row| row.full_name().as_ref() == Some(&name));
        assert_eq!(row.and_then(|row| row.hash.as_ref()), Some(&hash), "{name}");
    }
    let orphans: BTreeSet<String> =
        rows.iter().filter(|row| row.name.is_none()).map(|row| row.hash.clone().expect("an id")).collect();
    let named = [
        "orphan-1",
        "orphan-dir",
        "never-bound-1",
        "never-bound-2",
        "unbound-1",
        "unbound-dir",
        "forced-1",
        "forced-dir-1",
        "gone",
    ];
    for name in named {
        assert!(orphans.contains(&named_hash(name)), "{name} is no orphan");
    }
    assert_eq!(orphans.len(), 11, "{orphans:?}");
    for revived in ["revived", "own2", "forced-2", "forced-dir-2"] {
        assert!(!orphans.contains(&named_hash(revived)), "{revived} is in use");
    }
    assert_eq!(rows.len(), 169 + 11);
}

fn assert_bindings(oma: &Oma) {
    let mut expected = expected();
    expected.retain(|_, binding| binding.exists);
    let found = bindings(oma);
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (name, Expected { hash, is_dir, meta, .. }) in &expected {
        let binding = &found[name];
        assert_eq!(&binding.artifact.hash.to_string(), hash, "{name:?}");
        assert_eq!(binding.artifact.kind.is_file(), !is_dir, "{name:?}");
        let meta = meta.as_ref().map(|(value, julia)| (value, &**julia));
        assert_meta(name, binding.meta.as_ref().map(Metadata::as_toml), meta);
    }
    assert!(found.contains_key(&full_name(BETA, None, "")), "the empty name");
    assert!(found.contains_key(&full_name(BETA, None, &"n".repeat(300))), "the long name");
    let precomposed = full_name(BETA, None, "\u{e9}");
    let decomposed = full_name(BETA, None, "e\u{301}");
    assert_ne!(found[&precomposed].artifact.hash, found[&decomposed].artifact.hash, "two names, not one");
}

/// Compares metadata by value and by type, which JSON alone does not tell.
fn assert_meta(name: &str, found: Option<&Toml>, expected: Option<(&Value, &str)>) {
    let (found, (value, julia)) = match (found, expected) {
        (None, None) => return,
        (Some(found), Some(expected)) => (found, expected),
        (found, expected) => panic!("{name:?}: {found:?} instead of {expected:?}"),
    };
    let kind = match julia {
        "Int64" => "integer",
        "Float64" => "float",
        "Bool" => "boolean",
        "String" => "string",
        "Date" | "DateTime" | "Time" => "datetime",
        "Dict{String,Any}" => "table",
        array if array.starts_with("Array{") => "array",
        other => panic!("{other}: no such type in the fixture"),
    };
    assert_eq!(found.type_str(), kind, "{name:?}: {found}");
    match (julia, found) {
        ("Float64", Toml::Float(found)) => match value.as_str() {
            Some("nan") => assert!(found.is_nan(), "{name:?}: {found}"),
            Some("+inf") => assert_eq!(*found, f64::INFINITY, "{name:?}"),
            Some("-inf") => assert_eq!(*found, f64::NEG_INFINITY, "{name:?}"),
            _ => assert_eq!(found.to_bits(), value.as_f64().expect("a number").to_bits(), "{name:?}"),
        },
        ("Date" | "DateTime" | "Time", Toml::Datetime(time)) => {
            assert_eq!(time.date.is_some(), julia != "Time", "{name:?}: {time}");
            assert_eq!(time.time.is_some(), julia != "Date", "{name:?}: {time}");
            let text = time.to_string();
            let text = text.strip_suffix('Z').unwrap_or(&text);
            // Of a whole second Julia prints no fraction.
            let zeros = text.rsplit_once('.').is_some_and(|(_, digits)| digits.bytes().all(|digit| digit == b'0'));
            let text = if zeros { text.rsplit_once('.').map_or(text, |(whole, _)| whole) } else { text };
            assert_eq!(text, value.as_str().expect("text"), "{name:?}");
        }
        _ => assert_eq!(&Metadata::new(found.clone()).to_plain_json(), value, "{name:?}"),
    }
}

/// Times of bindings and orphans are the logs', moved by a zone's distance from UTC: those that were
/// east of it are earlier.
fn assert_times(imported: &Imported, east: Duration, west: Duration) {
    let Imported { oma, space, .. } = imported;
    let moved = |time: Timestamp| time.minus(east).plus(west);
    let times = usage_times(space);
    let mut checked = 0;
    for (name, binding) in bindings(oma) {
        let key = (binding.artifact.hash.to_string(), name);
        let time = times.get(&key).unwrap_or_else(|| panic!("{key:?} is in no log"));
        assert_eq!(binding.bound_at, moved(*time), "{key:?}");
        checked += 1;
    }
    assert_eq!(checked, 167);
    let query = "SELECT lower(hex(hash)) || ' ' || orphaned_at FROM objects WHERE orphaned_at IS NOT NULL";
    let Some(rows) = index_rows(&oma.root(), query) else { return };
    let found: BTreeMap<String, i64> = rows
        .iter()
        .map(|row| row.split_once(' ').expect("two columns"))
        .map(|(id, at)| (id.to_owned(), at.parse().expect("milliseconds")))
        .collect();
    assert_eq!(found.len(), 11, "{found:?}");
    let logged = orphan_times(space);
    let now = oma.clock.now();
    for (id, at) in &found {
        let expected = logged.get(id).map_or(now, |time| moved(*time));
        assert_eq!(millis(expected), *at, "{id}: unused since {expected}");
    }
    assert_eq!(found.keys().filter(|id| logged.contains_key(*id)).count(), 4, "the fifth is a directory's file");
}

fn millis(time: Timestamp) -> i64 {
    let epoch: Timestamp = "1970-01-01T00:00:00Z".parse().expect("a time");
    i64::try_from(time.since(epoch).as_millis()).expect("not that long")
}

/// The odd ids are right by the rule each is marked with.
fn assert_quirks(oma: &Oma) {
    let found = bindings(oma);
    for name in BY_THE_ORIGINALS_RULE.into_iter().chain(UNVERIFIABLE.map(|(name, _)| name)) {
        oma.ok(&["verify", &found[&full_name(ALPHA, None, name)].artifact.hash.to_string()]);
    }
    let Some(odd) = index_rows(&oma.root(), "SELECT lower(hex(hash)) || ' ' || rule FROM objects WHERE rule <> 0")
    else {
        return;
    };
    let id = |name: &str| found[&full_name(ALPHA, None, name)].artifact.hash;
    let quirks = BY_THE_ORIGINALS_RULE.iter().map(|name| format!("{} 1", id(name)));
    let recorded = UNVERIFIABLE.iter().map(|(name, _)| format!("{} 2", id(name)));
    let mut wanted: Vec<String> = quirks.chain(recorded).collect();
    wanted.sort_unstable();
    let mut odd = odd;
    odd.sort_unstable();
    assert_eq!(odd, wanted, "ids that are not git's");
}

/// Every directory reads here as it reads there.
fn assert_stored_trees(imported: &Imported) {
    let Imported { oma, .. } = imported;
    let trees: BTreeMap<Name, Expected> = expected().into_iter().filter(|(_, one)| one.exists && one.is_dir).collect();
    let mut seen = BTreeSet::new();
    for Expected { hash, .. } in trees.values() {
        if !seen.insert(hash.clone()) {
            continue;
        }
        let path = PathBuf::from(oma.line(&["path", hash]));
        assert_eq!(reading(&path, &imported.space), reading(&imported.blob(hash), &imported.space), "{hash}");
    }
    assert!(seen.len() > 40, "{} directories", seen.len());
}

/// Path, and what is read there. The links of a moved depot lead nowhere, so their ends are looked up.
fn reading(top: &Path, space: &Path) -> BTreeMap<PathBuf, String> {
    let content = |path: &Path| julia::blob_id(&std::fs::read(path).expect("a file")).to_string();
    let mut reading = BTreeMap::new();
    for entry in walkdir::WalkDir::new(top).min_depth(1) {
        let entry = entry.expect("readable");
        let target = std::fs::read_link(entry.path()).ok();
        let id = target.as_ref().and_then(|target| target.file_name()?.to_str()).filter(|name| name.len() == 64);
        let what = match (&target, id) {
            (None, _) if entry.file_type().is_dir() => "folder".to_owned(),
            (None, _) => content(entry.path()),
            (Some(target), Some(id)) if target.starts_with("/home/user") => {
                content(&space.join("artifacts").join(&id[..2]).join(id))
            }
            (Some(_), Some(_)) => content(entry.path()),
            (Some(target), None) => format!("link to {}", target.display()),
        };
        reading.insert(entry.path().strip_prefix(top).expect("below").to_owned(), what);
    }
    reading
}

#[test]
fn times_are_those_of_the_zone_the_import_runs_in() {
    let hours = |hours: f64| Duration::from_secs_f64(hours * 3600.0);
    let none = Duration::ZERO;
    // India is 5:30 ahead of UTC, Newfoundland 3:30 behind in winter.
    for (zone, east, west) in [("Asia/Kolkata", hours(5.5), none), ("America/St_Johns", none, hours(3.5))] {
        if !Path::new("/usr/share/zoneinfo").join(zone).exists() {
            tell(&format!("SKIPPED: this system does not know {zone}"));
            continue;
        }
        let imported = Imported::fresh();
        // West of UTC the log's times are still to come by this clock, were it not moved on.
        imported.oma.pass(DAY);
        import_in_zone(&imported.oma, zone, 8, &[&imported.depot()]);
        assert_times(&imported, east, west);
    }
}

#[test]
fn gc_leaves_what_the_originals_gc_left() {
    for style in STYLES {
        for (setting, words) in [
            ("after_gc_default", &["--json", "gc", "-y"][..]),
            ("after_gc_hour0", &["--json", "gc", "-y", "--collect-delay", "0"][..]),
        ] {
            let imported = Imported::new(style);
            imported.import(8);
            let bound = hashes(&imported.oma);
            imported.oma.ok(words);
            let (found, wanted) = (ids_in(&imported.oma), ids_at(setting));
            let odd: BTreeSet<&str> =
                OTHERWISE_COLLECTED.iter().filter(|(when, ..)| *when == setting).map(|(_, id, _)| *id).collect();
            let differs: BTreeSet<&str> = found.symmetric_difference(&wanted).map(|id| &**id).collect();
            assert_eq!(differs, odd, "{style}, {setting}: left by one of the two only");
            assert_eq!(hashes(&imported.oma), bound, "{style}, {setting}: bindings");
            assert_sound(&imported.oma, setting);
        }
    }
}

/// The same setting, and what is unused since the import is not as old as what was recorded.
#[test]
fn the_age_of_an_orphan_comes_over() {
    let imported = Imported::fresh();
    imported.import(8);
    let before = ids_in(&imported.oma);
    // Recorded orphans are 1:49:24 old at the import, the others are new.
    imported.oma.ok(&["gc", "-y", "--collect-delay", "1h"]);
    let gone: BTreeSet<String> = before.difference(&ids_in(&imported.oma)).cloned().collect();
    let recorded: BTreeSet<String> = orphan_times(&imported.space).into_keys().collect();
    assert_eq!(gone, recorded);
}

#[test]
fn files_are_shared_with_the_source_not_copied() {
    for style in STYLES {
        let imported = Imported::new(style);
        let source = room(&imported.space);
        imported.import(8);
        let both = room_of(&[
            &imported.space,
            &imported.oma.root().join("artifacts"),
            &imported.oma.root().join("executables"),
        ]);
        // One file has setuid and setgid, which must not reach the store: it is the only copy.
        let special = expected()[&full_name(ALPHA, None, "file-6755")].hash.clone();
        let copied = imported.blob(&special).facts().len();
        assert_eq!(both, source + copied, "{style}: bytes of files, each inode once");
        let mut shared = 0;
        for id in ids_at("before_gc") {
            let there = imported.blob(&id).facts();
            if !there.is_file() || id == special {
                continue;
            }
            let shelf = if there.mode() & 0o100 != 0 { "executables" } else { "artifacts" };
            let here = imported.oma.root().join(shelf).join(&id[..2]).join(&id).facts();
            assert_eq!((here.dev(), here.ino()), (there.dev(), there.ino()), "{style}: {id}");
            shared += 1;
        }
        assert_eq!(shared, 455 - 51 - 1, "{style}: all but the directories and that one");
        assert_eq!(mode_of(&imported.blob(&special)), 0o6555, "the source keeps its mode");
    }
}

/// A file's own facts, links not followed.
trait Facts {
    fn facts(&self) -> std::fs::Metadata;
}

impl Facts for PathBuf {
    fn facts(&self) -> std::fs::Metadata {
        self.symlink_metadata().unwrap_or_else(|error| panic!("{}: {error}", self.display()))
    }
}

fn room(top: &Path) -> u64 {
    room_of(&[top])
}

/// Bytes of all regular files, each inode once.
fn room_of(tops: &[&Path]) -> u64 {
    let files = tops.iter().flat_map(walkdir::WalkDir::new).map(|entry| entry.expect("readable"));
    let files = files.filter(|entry| entry.file_type().is_file()).map(|entry| entry.metadata().expect("it is there"));
    files.map(|found| ((found.dev(), found.ino()), found.len())).collect::<BTreeMap<_, _>>().values().sum()
}

#[test]
fn a_store_on_another_filesystem_gets_copies() {
    let (Ok(here), Ok(memory)) = (tempfile::tempdir(), tempfile::tempdir_in("/dev/shm")) else {
        tell("SKIPPED: there is no /dev/shm");
        return;
    };
    let device = |path: &Path| path.metadata().expect("it is there").dev();
    if device(here.path()) == device(memory.path()) {
        tell("SKIPPED: /dev/shm and the temporary directory are one filesystem");
        return;
    }
    let imported = Imported::fresh();
    let depot = memory.path().join("depot");
    let space = julia::unpack(&depot);
    let before = standing(&depot);
    import(&imported.oma, 8, &[depot.to_str().expect("text")]);
    assert_untouched(&before, &depot, "on another filesystem");
    assert_eq!(ids_in(&imported.oma), ids_at("before_gc"));
    assert_sound(&imported.oma, "copied");
    for entry in walkdir::WalkDir::new(&space) {
        let entry = entry.expect("readable");
        let found = entry.path().symlink_metadata().expect("it is there");
        assert!(!found.is_file() || found.nlink() == 1, "{}", entry.path().display());
    }
}

/// What others may still write to must not lie in the store under the same inode.
#[test]
fn a_file_that_can_be_written_is_copied_and_its_mode_left() {
    for mode in [0o644, 0o664, 0o464, 0o446, 0o4444, 0o2444, 0o1444, 0o4755, 0o777] {
        let oma = Oma::new();
        let content = format!("mode {mode:o}");
        let id = julia::blob_id(content.as_bytes()).to_string();
        let bindings_file = format!("[x]\nisdir = false\nsha256 = \"{id}\"\n");
        let space = julia::make_space(
            &oma.path("depot"),
            &[content.as_bytes()],
            &[(&format!("{ALPHA}/Artifacts.toml"), &bindings_file)],
        );
        let blob = space.join("artifacts").join(&id[..2]).join(&id);
        set_mode(&blob, mode);
        let before = standing(&space);
        import(&oma, 0, &[&oma.at("depot")]);
        assert_untouched(&before, &space, &format!("{mode:o}"));
        let here = PathBuf::from(oma.line(&["path", &full_name(ALPHA, None, "x")]));
        let (here_facts, there) = (here.facts(), blob.facts());
        assert_ne!(here_facts.ino(), there.ino(), "{mode:o}: one inode");
        assert_eq!(mode_of(&here) & 0o7222, 0, "{mode:o}: the stored file's mode");
        assert_eq!(mode_of(&here) & 0o100, mode & 0o100, "{mode:o}: the stored file's mode");
        assert_sound(&oma, &format!("{mode:o}"));
        // The writer changes what it has; what is stored stays.
        set_mode(&blob, 0o644);
        std::fs::write(&blob, "changed!").expect("a file of ours");
        assert_eq!(std::fs::read_to_string(&here).expect("a stored file"), content, "{mode:o}");
    }
}

/// The depot was not made here, so every test imports a moved one. Here it is also found by odd paths.
#[test]
fn a_space_may_lie_anywhere_and_be_reached_by_any_path() {
    let direct = Imported::fresh();
    let wanted = comparable(direct.import(8));
    let bound = hashes(&direct.oma);
    let space_below = direct.space.strip_prefix(direct.oma.path("depot")).expect("below").to_owned();
    let ways: [(&str, &dyn Fn(&Oma) -> String); 7] = [
        ("relative", &|_| "depot".to_owned()),
        ("relative with dots", &|_| "./home/../depot/".to_owned()),
        ("a link to the depot", &|oma| {
            std::os::unix::fs::symlink(oma.path("depot"), oma.path("l")).expect("a new link");
            oma.at("l")
        }),
        ("a link on the way", &|oma| {
            std::os::unix::fs::symlink(".", oma.path("here")).expect("a new link");
            "here/depot".to_owned()
        }),
        ("the space alone", &|oma| oma.path("depot").join(&space_below).to_str().expect("text").to_owned()),
        ("a link to the space", &|oma| {
            std::os::unix::fs::symlink(oma.path("depot").join(&space_below), oma.path("s")).expect("a new link");
            "s".to_owned()
        }),
        ("moved aside, odd name", &|oma| {
            std::fs::rename(oma.path("depot"), oma.path("de po\u{fc}t\n")).expect("a new name");
            oma.at("de po\u{fc}t\n")
        }),
    ];
    for (what, way) in ways {
        let imported = Imported::fresh();
        let path = way(&imported.oma);
        let rows = import(&imported.oma, 8, &[&path]);
        assert_eq!(comparable(rows), wanted, "{what}");
        assert_eq!(hashes(&imported.oma), bound, "{what}");
        assert_sound(&imported.oma, what);
    }
}

fn comparable(mut rows: Vec<Row>) -> Vec<Row> {
    rows.sort_unstable();
    rows
}

/// A single bindings file of a space brings its own names and no orphans.
#[test]
fn one_bindings_file_of_a_space_brings_its_own_names() {
    let imported = Imported::fresh();
    let file = imported.space.join(GAMMA).join("Artifacts_v2.0.0-rc.1+build.5.toml");
    let rows = import(&imported.oma, 8, &[file.to_str().expect("text")]);
    assert_eq!(rows.len(), 11, "{rows:#?}");
    let names: BTreeSet<Name> = rows.iter().filter(|row| !row.is_failure()).filter_map(Row::full_name).collect();
    assert_eq!(hashes(&imported.oma).into_keys().collect::<BTreeSet<_>>(), names);
    assert_eq!(names.len(), 9);
    assert_sound(&imported.oma, "one file");
    let times = usage_times(&imported.space);
    for (name, binding) in bindings(&imported.oma) {
        assert_eq!(binding.bound_at, times[&(binding.artifact.hash.to_string(), name)]);
    }
    // The rest comes later, and what is there already stays.
    let rows = imported.import(8);
    assert_eq!(rows.iter().filter(|row| row.name.is_some() && row.status == "unchanged").count(), 9);
    assert_bindings(&imported.oma);
}

#[test]
fn hard_links_do_not_depend_on_the_source() {
    let imported = Imported::new(LinkStyle::Hardlink);
    imported.import(8);
    std::fs::remove_dir_all(imported.oma.path("depot")).expect("a source that may go");
    assert_sound(&imported.oma, "the source is gone");
    assert_bindings(&imported.oma);
}
