//! Files of bindings, what is noted in them, and where a store lies.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use ohmyartifacts::{BindOptions, LinkStyle, Metadata, Source};

use crate::julia_failures::{Pair, contents, ends};
use crate::support::julia::{ALPHA, BETA, blob_id, hashes, import, set_mode};
use crate::support::oma::{Oma, Ran};
use crate::support::{DAY, Env, STYLES, shelves};

/// What Julia's printer or reader stumbles over.
const UNREADABLE_THERE: [&str; 7] = [
    "1979-05-27T07:32:00+01:30",
    "1979-05-27T07:32:00-23:59",
    "1979-05-27T07:32:00.123456Z",
    "0001-01-01",
    "07:32:00.0001",
    "[[1, {deep = [1979-05-27T07:32:00+00:30]}]]",
    "{a = {b = {c = 0999-01-01T00:00:00}}}",
];

/// What else TOML has.
const READABLE_THERE: [&str; 20] = [
    "nan",
    "-nan",
    "inf",
    "-inf",
    "-0.0",
    "1e308",
    "5e-324",
    "9223372036854775807",
    "-9223372036854775808",
    "1979-05-27T07:32:00Z",
    "1979-05-27T07:32:00.5",
    "1979-05-27",
    "07:32:00",
    "true",
    "[]",
    "{}",
    "[1, 'two', 3.0, [4, {five = 5}], []]",
    "\"\\u0000\\u001b\\u007f\\r\\n\\t\\\"\\\\ \\U0001F600\"",
    "[{a = 1}, {b = {}}, {}]",
    "{'' = 1, 'a.b' = 2, \"\\n\" = {\"\\u0000\" = 3}}",
];

fn as_text(metadata: &Metadata) -> String {
    format!("{metadata:?}")
}

/// The original: "Metadata TOML cannot print → bind throws half-way, later bindings are lost."
#[test]
fn failure_02_metadata_that_cannot_be_printed_loses_later_bindings() {
    let env = Env::new();
    let cache = env.open();
    let owner = cache.owner("o").unwrap();
    fs::write(env.path("f"), "f").unwrap();
    let made = cache.ingest(&Source::copy(env.path("f"))).unwrap().artifact;
    let values = UNREADABLE_THERE.iter().chain(&READABLE_THERE);
    let documents: Vec<String> = values.map(|value| format!("value = {value}\n'' = [{value}]\n")).collect();
    for (number, document) in documents.iter().enumerate() {
        let meta = Metadata::from_document(document).unwrap();
        owner.bind(&format!("n{number:02}"), &made, &BindOptions::new().meta(meta)).unwrap();
        // What comes later is not lost.
        owner.bind(&format!("later-{number:02}"), &made, &BindOptions::new()).unwrap();
    }
    let bindings = env.open().bindings(None).unwrap();
    let bound = |name: String| bindings.iter().find(|binding| binding.name == name);
    for (number, document) in documents.iter().enumerate() {
        let binding = bound(format!("n{number:02}")).expect("it was bound");
        let wanted = Metadata::from_document(document).unwrap();
        assert_eq!(as_text(binding.meta.as_ref().unwrap()), as_text(&wanted), "{document}");
        assert!(bound(format!("later-{number:02}")).is_some(), "after {document}");
    }
}

/// The same where names go to Julia: what it cannot read is refused by name, and nothing is written.
#[test]
fn failure_02_what_julia_cannot_read_is_refused_before_anything_is_written() {
    let pair = Pair::writing();
    pair.fill();
    let id = pair.oma.line(&["hash", &format!("{ALPHA}:our-file")]);
    for value in UNREADABLE_THERE {
        let before = (fs::read(pair.bindings_file()).unwrap(), fs::read(pair.usage_log()).unwrap());
        let meta = pair.oma.file("meta.toml", format!("fine = 1\n\n[under.'the key']\nodd = {value}\n"));
        let ran = pair.oma.run(&["-o", ALPHA, "bind", "bad", &id, "--meta-file", &meta]).expect(1);
        assert!(ran.stderr.contains("the key") && ran.stderr.contains("odd"), "{value}: not named: {ran:#?}");
        let now = (fs::read(pair.bindings_file()).unwrap(), fs::read(pair.usage_log()).unwrap());
        assert!(now == before, "{value}: refused, and yet something was written");
        pair.oma.fails(3, &["hash", &format!("{ALPHA}:bad")]);
        pair.oma.ok(&["-o", ALPHA, "bind", "later", &id]);
        assert_eq!(pair.julia("lookup", &[ALPHA, "later"]), id, "{value}");
        pair.oma.ok(&["-o", ALPHA, "unbind", "later"]);
        // A name of this store alone may have it; what is exported has to be readable.
        pair.oma.ok(&["-o", BETA, "bind", "good", &id]).expect(0);
        pair.oma.ok(&["-o", "own", "bind", "bad", &id, "--meta-file", &meta]);
        let ran = pair.oma.fails(1, &["-o", "own", "export"]);
        assert!(ran.stdout.is_empty() && ran.stderr.contains("odd"), "{value}: {ran:#?}");
        pair.oma.ok(&["-o", "own", "unbind", "bad"]);
        pair.oma.ok(&["-o", BETA, "unbind", "good"]);
    }
    for (number, value) in READABLE_THERE.iter().enumerate() {
        let text = format!("value = {value}\n");
        let meta = pair.oma.file("meta.toml", &text);
        let name = format!("n{number}");
        pair.oma.ok(&["-o", ALPHA, "bind", &name, &id, "--meta-file", &meta]);
        let wanted: toml::Table = text.parse().unwrap();
        let (found, wanted) = (pair.bindings()[&name]["meta"]["value"].to_string(), wanted["value"].to_string());
        assert_eq!(plain(&found), plain(&wanted));
        assert_eq!(pair.julia("lookup", &[ALPHA, &name]), id, "{value}");
    }
    pair.collect();
    pair.assert_whole("after all");
}

/// A time of day of half a second is one however it is written; so is no number.
fn plain(value: &str) -> String {
    value.replace("-nan", "nan").replace(".500", ".5")
}

/// Store and scratch space, reached by all the ways there are.
fn by_all_ways(oma: &Oma, words: &[&str]) -> Vec<Ran> {
    ["store", "link", "link/../it", "./real/../link", "real/it"]
        .into_iter()
        .map(|store| oma.run(&[&["--store", store], words].concat()))
        .collect()
}

/// The original: "Store reached by a symlink, moved, or a relative toml path → bound data deleted."
#[test]
fn failure_07_a_store_reached_by_another_path_is_emptied() {
    for style in STYLES {
        let oma = Oma::new();
        fs::create_dir(oma.path("real")).unwrap();
        symlink("real/it", oma.path("link")).unwrap();
        symlink("link", oma.path("store")).unwrap();
        oma.ok(&["--store", "real/it", "init", "--link-style", style.as_str()]);
        let tree = oma.tree("tree", &[("a", "a"), ("d/b", "b")]);
        let wanted = contents(&tree);
        for (number, ran) in by_all_ways(&oma, &["-o", "o", "add", "tree"]).into_iter().enumerate() {
            let hash = ran.expect(0).stdout;
            oma.ok(&["--store", "link", "-o", "o", "bind", &format!("n{number}"), hash.trim_end()]);
        }
        oma.pass(30 * DAY);
        for ran in by_all_ways(&oma, &["--json", "gc", "-y", "--collect-delay", "0"]) {
            assert_eq!(ran.expect(0).json()["deleted_artifacts"], 0, "{style}");
        }
        for ran in by_all_ways(&oma, &["path", "o:n0"]) {
            let path = oma.path(ran.expect(0).stdout.trim_end());
            assert_eq!(contents(&path), wanted, "{style}");
        }
        // Moved away, and then somebody else's folder where it lay.
        let before = shelves(&oma.path("real/it"));
        fs::rename(oma.path("real"), oma.path("moved")).unwrap();
        let gc = ["--json", "--store", "moved/it", "gc", "-y", "--collect-delay", "0"];
        assert_eq!(oma.ok(&gc).json()["deleted_artifacts"], 0, "{style}, moved");
        assert_eq!(shelves(&oma.path("moved/it")), before, "{style}, moved");
        assert_eq!(shelves(&oma.path("moved/it")).len(), 3, "{style}, moved");
        let path = oma.path(oma.line(&["--store", "moved/it", "path", "o:n0"]));
        if style == LinkStyle::Absolute {
            let lost = oma.run(&["--store", "moved/it", "verify"]);
            assert_eq!(lost.code, Some(4), "links that lead nowhere are said: {lost:#?}");
        } else {
            assert_eq!(contents(&path), wanted, "{style}, moved");
            oma.ok(&["--store", "moved/it", "verify"]);
        }
        fs::rename(oma.path("moved"), oma.path("real")).unwrap();
        oma.ok(&["--store", "store", "verify"]);
    }
}

/// The same for a scratch space.
#[test]
fn failure_07_a_scratch_space_reached_by_another_path_is_emptied() {
    for attached_by_link in [true, false] {
        let mut pair = Pair::apart();
        symlink("depot", pair.oma.path("link")).unwrap();
        let real = pair.space.clone();
        let below = real.strip_prefix(pair.oma.path("depot")).unwrap().to_owned();
        let linked = pair.oma.path("link").join(below);
        let depot = pair.oma.at(if attached_by_link { "link" } else { "depot" });
        pair.oma.ok(&["attach", "julia", "--depot", &depot, "--write"]);
        // The other program spells the path the other way.
        pair.space = if attached_by_link { real.clone() } else { linked.clone() };
        pair.fill();
        let relative = pair.julia("create", &["bound by a relative path"]);
        let key =
            format!("[\"{}\".\"Artifacts.toml\"]\nn = 2026-01-01T00:00:00.000Z\n", pair.artifact(&relative).display());
        let log = fs::read_to_string(pair.usage_log()).unwrap();
        fs::write(pair.usage_log(), format!("{log}\n{key}")).unwrap();
        pair.oma.ok(&["sync"]);
        pair.collect();
        pair.assert_whole("by a link");
        assert!(pair.artifact(&relative).is_file(), "what a relative path binds is gone");
        // Moved: what is absolute in it leads nowhere, and yet everything is bound.
        pair.space = real.clone();
        let before = artifacts(&pair);
        fs::rename(pair.oma.path("depot"), pair.oma.path("moved")).unwrap();
        let moved = pair.oma.at("moved");
        let other = Oma::new();
        other.clock.set(pair.oma.clock.now());
        import(&other, 0, &[&moved]);
        let theirs: Vec<_> = hashes(&pair.oma).into_iter().collect();
        assert_eq!(hashes(&other).into_iter().collect::<Vec<_>>(), theirs);
        other.ok(&["verify"]);
        other.ok(&["attach", "julia", "--depot", &moved, "--write"]);
        other.pass(30 * DAY);
        other.ok(&["gc", "-y", "--collect-delay", "0"]);
        // Whoever is attached to where it lay finds nothing there, which says nothing of what is bound.
        let names = hashes(&pair.oma);
        for words in [&["sync"][..], &["ls"], &["gc", "-y", "--collect-delay", "0"]] {
            let ran = ends(&pair.oma, words).expect(0);
            assert!(ran.stderr.contains("no path exists"), "nobody is told: {words:?}: {ran:#?}");
            assert!(!pair.oma.path("depot").exists(), "{words:?} makes an empty one");
        }
        pair.collect();
        assert_eq!(hashes(&pair.oma), names, "names went with it");
        other.ok(&["gc", "-y", "--collect-delay", "0"]);
        fs::rename(pair.oma.path("moved"), pair.oma.path("depot")).unwrap();
        let now = artifacts(&pair);
        let lost: Vec<_> = before.iter().filter(|path| !now.contains(path)).collect();
        assert!(lost.is_empty(), "{lost:?} went while it was moved");
        pair.assert_whole("moved and moved back");
    }
}

/// Every file and directory below the artifacts of a space.
fn artifacts(pair: &Pair) -> Vec<std::path::PathBuf> {
    let walk = walkdir::WalkDir::new(pair.at("artifacts")).min_depth(2).max_depth(2);
    walk.into_iter().map(|entry| entry.unwrap().into_path()).collect()
}

/// The original: "One corrupt Artifacts.toml stops everybody's gc; later calls use stale data."
#[test]
fn failure_08_one_corrupt_bindings_file_stops_everybody() {
    for broken in ["[torn\nsha256 = ", "\u{0}\u{0}\u{0}", "n = \u{1}", "<html>"] {
        let pair = Pair::writing();
        pair.fill();
        let theirs = pair.julia("create", &["beta's"]);
        pair.julia("bind", &[BETA, "n", &theirs]);
        pair.oma.ok(&["sync"]);
        let file = pair.at(BETA).join("Artifacts.toml");
        fs::write(&file, broken).unwrap();
        // Our own store is collected as ever.
        let rubbish = pair.oma.line(&["-o", "own", "add", &pair.oma.file("rubbish", "rubbish"), "--bind", "r"]);
        pair.oma.ok(&["-o", "own", "unbind", "r"]);
        let ran = pair.collect();
        assert_eq!(ran.json()["deleted_artifacts"], 1, "{ran:#?}");
        assert_eq!(pair.oma.run(&["exists", &rubbish]).code, Some(3));
        // There, where nobody knows what the file binds, nothing is; and it is said.
        assert!(pair.artifact(&theirs).is_file(), "it may be bound");
        assert!(ran.stderr.contains(BETA), "the file is not named: {ran:#?}");
        pair.assert_whole(broken);
        // Others go on: their names come over, and ours go there.
        let new = pair.julia("create", &["new"]);
        pair.julia("bind", &[ALPHA, "new", &new]);
        let ran = ends(&pair.oma, &["sync"]).expect(8);
        assert!((ran.stdout.clone() + &ran.stderr).contains(BETA), "{ran:#?}");
        assert_eq!(pair.oma.line(&["hash", &format!("{ALPHA}:new")]), new);
        pair.oma.ok(&["-o", ALPHA, "bind", "newer", &new]);
        assert_eq!(pair.julia("lookup", &[ALPHA, "newer"]), new);
        let to = Oma::new();
        let rows = import(&to, 8, &[&pair.oma.at("depot")]);
        assert!(rows.iter().any(|row| row.is_failure() && row.detail().contains("Artifacts.toml")), "{rows:#?}");
        assert_eq!(hashes(&to)[&format!("{ALPHA}:newer")], new);
        // Whole again, it is read again, whatever was known of it.
        let other = pair.julia("create", &["another"]);
        fs::write(&file, format!("[n]\nsha256 = \"{other}\"\nisdir = false\n")).unwrap();
        ends(&pair.oma, &["sync"]);
        assert_eq!(pair.oma.line(&["hash", &format!("{BETA}:n")]), other, "stale");
        assert_eq!(fs::read(pair.oma.line(&["path", &format!("{BETA}:n")])).unwrap(), b"another");
    }
}

/// The other half: what is shown of a file that cannot be read is said to be old, each time.
#[test]
fn failure_08_stale_names_are_not_shown_as_true() {
    let pair = Pair::following();
    let theirs = pair.julia("create", &["beta's"]);
    pair.julia("bind", &[BETA, "n", &theirs]);
    assert!(pair.oma.ok(&["ls"]).stdout.contains('n'));
    fs::write(pair.at(BETA).join("Artifacts.toml"), "[torn").unwrap();
    for look in ["first", "second"] {
        for words in [&["ls"][..], &["usage"]] {
            let ran = pair.oma.ok(words);
            assert!(ran.stderr.contains(BETA), "{look} look, {words:?}: nobody is told: {ran:#?}");
        }
    }
    // What others do meanwhile is seen.
    pair.julia("bind", &[ALPHA, "seen", &theirs]);
    assert!(pair.oma.ok(&["ls"]).stdout.contains("seen"));
    fs::remove_file(pair.at(BETA).join("Artifacts.toml")).unwrap();
    let ran = pair.oma.json(&["-o", BETA, "ls"]);
    assert_eq!(ran, serde_json::json!([]), "gone, it binds nothing");
}

/// The original: "A bound directory deleted by hand makes gc delete its blobs."
#[test]
fn failure_14_a_directory_deleted_by_hand_takes_its_files_along() {
    for style in STYLES {
        let oma = Oma::with_style(style);
        oma.ok(&["init", "--link-style", style.as_str()]);
        let both = oma.tree("one", &[("shared", "shared"), ("own", "own")]);
        let other = oma.tree("two", &[("shared", "shared"), ("else", "else")]);
        let hash = oma.line(&["-o", "o", "add", both.to_str().unwrap(), "--bind", "one"]);
        oma.ok(&["-o", "o", "add", other.to_str().unwrap(), "--bind", "two"]);
        let path = oma.line(&["path", "o:one"]);
        remove_by_hand(Path::new(&path));
        oma.pass(30 * DAY);
        let report = oma.json(&["gc", "-y", "--collect-delay", "0"]);
        assert_eq!(report["deleted_artifacts"], 0, "{style}: {report:#}");
        for text in ["shared", "own", "else"] {
            let id = blob_id(text.as_bytes()).to_string();
            let file = oma.root().join("artifacts").join(&id[..2]).join(&id);
            assert_eq!(fs::read_to_string(file).unwrap(), text, "{style}: still bound, through a directory");
        }
        assert_eq!(contents(Path::new(&oma.line(&["path", "o:two"]))), contents(&other), "{style}");
        let ran = oma.fails(4, &["verify"]);
        assert!(ran.stdout.contains(&hash[..10]), "{style}: the loss is not named: {ran:#?}");
        // Put in again it is whole, and its files are those that stayed.
        let again = oma.json(&["-o", "o", "add", both.to_str().unwrap(), "--bind", "one", "--force"]);
        assert_eq!((&again["hash"], &again["new_bytes"]), (&hash.clone().into(), &0.into()), "{style}");
        assert_eq!(contents(Path::new(&path)), contents(&both), "{style}");
        oma.ok(&["verify"]);
    }
}

fn remove_by_hand(directory: &Path) {
    for entry in walkdir::WalkDir::new(directory).into_iter().flatten().filter(|entry| entry.file_type().is_dir()) {
        fs::set_permissions(entry.path(), fs::Permissions::from_mode(0o755)).unwrap();
    }
    fs::remove_dir_all(directory).unwrap();
}

/// The same in a scratch space: only the log knows which files it had.
#[test]
fn failure_14_a_directory_deleted_there_by_hand_keeps_its_files_there() {
    let pair = Pair::writing();
    pair.fill();
    for name in ["their-tree", "our-tree"] {
        let id = pair.oma.line(&["hash", &format!("{ALPHA}:{name}")]);
        let links = walkdir::WalkDir::new(pair.artifact(&id)).into_iter().flatten();
        let files: Vec<_> = links.filter_map(|entry| fs::read_link(entry.path()).ok()).collect();
        assert!(files.len() > 1, "{name}");
        remove_by_hand(&pair.artifact(&id));
        pair.collect();
        pair.oma.ok(&["sync"]);
        pair.collect();
        for file in &files {
            assert!(file.is_file(), "{name}: {} is gone", file.display());
        }
        let here = pair.oma.line(&["path", &format!("{ALPHA}:{name}")]);
        assert!(contents(Path::new(&here)).len() > 1, "{name}: here it is whole");
    }
    let ours = pair.oma.path("tree");
    set_mode(&ours, 0o755);
    pair.oma.ok(&["-o", ALPHA, "add", ours.to_str().unwrap(), "--bind", "our-tree", "--force"]);
    let id = pair.oma.line(&["hash", &format!("{ALPHA}:our-tree")]);
    assert_eq!(contents(&pair.artifact(&id)), contents(&ours), "put in again, it is whole there too");
    pair.oma.ok(&["verify"]);
}
