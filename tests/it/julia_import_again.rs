//! An import repeated, tried dry, killed half-way, in the way of names that are taken.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use ohmyartifacts::LinkStyle;

use crate::crash_kill::{FAR_TOO_MANY, assert_nothing_leaks};
use crate::support::julia::{
    ALPHA, BETA, Imported, Name, Row, assert_sound, assert_untouched, bindings, blob_id, full_name, hashes, ids_at,
    ids_in, import, make_space, set_mode, standing,
};
use crate::support::oma::{Oma, index_rows, tell};
use crate::support::{leftovers, make_executable};

/// The store's files, but for the index, whose pages say when it was looked at.
fn shelves_of(oma: &Oma) -> BTreeMap<PathBuf, String> {
    let standing = ["artifacts", "executables"].into_iter().flat_map(|shelf| standing(&oma.root().join(shelf)));
    standing.map(|(path, found)| (path, format!("{found:?}"))).collect()
}

/// Every table of the index whose rows say what is stored and bound.
fn rows_of(oma: &Oma) -> Vec<String> {
    let queries = [
        "SELECT hash, kind, state, size, created_at, orphaned_at, rule, recorded, doubt FROM objects ORDER BY hash, kind",
        "SELECT owner_id, name, object_id, meta, extra, bound_at FROM bindings ORDER BY owner_id, name",
        "SELECT id, key, version, gone_since, created_at FROM owners ORDER BY id",
        "SELECT id, owner_id, kind, target FROM probes ORDER BY id",
        "SELECT owner_id, name, artifact, platform, tree_sha1, lazy, downloads, whole, created_at FROM declarations ORDER BY owner_id, name",
        "SELECT tree_id, path, mode, blob_id, target FROM tree_entries ORDER BY tree_id, path",
        "SELECT object_id, kind, location FROM sources ORDER BY object_id, kind, location",
        "SELECT at, what, hex(hash), owner, version, name FROM events ORDER BY id",
        "SELECT * FROM leases",
    ];
    queries.iter().flat_map(|query| index_rows(&oma.root(), query).unwrap_or_default()).collect()
}

fn statuses(rows: &[Row]) -> BTreeMap<&str, usize> {
    let mut statuses = BTreeMap::new();
    for row in rows {
        *statuses.entry(&*row.status).or_default() += 1;
    }
    statuses
}

#[test]
fn the_same_again_changes_nothing() {
    let imported = Imported::fresh();
    let first = imported.import(8);
    let (files, rows) = (shelves_of(&imported.oma), rows_of(&imported.oma));
    imported.oma.pass(crate::support::DAY);
    let second = imported.import(8);
    assert_eq!(shelves_of(&imported.oma), files, "files");
    assert_eq!(rows_of(&imported.oma), rows, "the index");
    assert_eq!(statuses(&second), BTreeMap::from([("missing", 2), ("unchanged", 178)]));
    assert_eq!(first.len(), second.len());
    for (first, second) in first.iter().zip(&second) {
        assert_eq!((first.full_name(), &first.hash), (second.full_name(), &second.hash), "the order is the same");
    }
    assert_sound(&imported.oma, "twice");
}

#[test]
fn a_path_given_twice_is_imported_once() {
    let id = blob_id(b"content").to_string();
    let file = format!("[a]\nisdir = false\nsha256 = \"{id}\"\n");
    let oma = Oma::new();
    make_space(&oma.path("depot"), &[b"content"], &[(&format!("{ALPHA}/Artifacts.toml"), &file)]);
    let paths = [&*oma.at("depot"), &oma.at("depot")];
    let dry = import(&oma, 0, &[&["--dry-run"][..], &paths].concat());
    let rows = import(&oma, 0, &paths);
    assert_eq!(dry, rows);
    assert_eq!(rows.iter().map(|row| &*row.status).collect::<Vec<_>>(), ["imported", "unchanged"]);
    assert_eq!(hashes(&oma), BTreeMap::from([(full_name(ALPHA, None, "a"), id)]));
}

#[test]
fn a_dry_run_says_the_same_and_writes_nothing() {
    let imported = Imported::fresh();
    let oma = &imported.oma;
    let dry_words = ["--dry-run", &*imported.depot()];
    let (before, store) = (standing(&oma.path("depot")), standing_of_store(oma));
    let dry = import(oma, 8, &dry_words);
    assert_untouched(&before, &oma.path("depot"), "dry run");
    assert_eq!(standing_of_store(oma), store, "a dry run wrote to the store");
    assert_eq!(hashes(oma), BTreeMap::new());
    // Half of it first: dry and real must agree on what is left to do, too.
    let file = imported.space.join(ALPHA).join("Artifacts.toml");
    import(oma, 0, &[file.to_str().expect("text")]);
    let half_dry = import(oma, 8, &dry_words);
    let rows = rows_of(oma);
    assert_eq!(import(oma, 8, &dry_words), half_dry);
    assert_eq!(rows_of(oma), rows, "a dry run wrote to the index");
    let half_real = imported.import(8);
    assert_eq!(half_dry, half_real);
    assert_eq!(half_dry.iter().filter(|row| row.status == "unchanged" && row.name.is_some()).count(), 74);
    assert_eq!(Imported::fresh().import(8), dry, "the dry run on nothing, and a real run on nothing");
}

/// Everything in the store but the files SQLite makes for readers.
fn standing_of_store(oma: &Oma) -> BTreeMap<PathBuf, String> {
    let found = standing(&oma.root()).into_iter();
    let ours = found.filter(|(path, _)| !path.to_string_lossy().contains("index.sqlite") && *path != oma.root());
    ours.map(|(path, found)| (path, format!("{found:?}"))).collect()
}

#[test]
fn a_dry_run_makes_no_store() {
    let imported = Imported::fresh();
    let oma = Oma::new();
    let rows = import(&oma, 8, &["--dry-run", &imported.depot()]);
    assert_eq!(rows.len(), 180);
    assert!(!oma.root().exists(), "a dry run made a store");
}

// ---- killed half-way ----

/// A small space with everything in it: files, directories, a shared file, an execute bit, metadata, an
/// orphan, two packages, an installed artifact of a package.
fn variety(oma: &Oma) {
    let [a, b, c] = [b"content a".as_slice(), b"content b", b"content c"].map(|content| blob_id(content).to_string());
    let tree = oma.tree("tree", &[("a", "content a"), ("d/b", "content b")]);
    make_executable(&tree.join("d/b"));
    let tree_id = crate::support::julia::git_tree(&tree, "sha256");
    let alpha = format!(
        "[a]\nisdir = false\nsha256 = \"{a}\"\n\n[tree]\nisdir = true\nsha256 = \"{tree_id}\"\n\n    [tree.meta]\n    k = 2022-01-01\n\n[bad]\nisdir = 1\nsha256 = \"{a}\"\n"
    );
    let beta = format!("[b]\nisdir = false\nmeta = \"m\"\nsha256 = \"{b}\"\n");
    let blobs: [&[u8]; 3] = [b"content a", b"content b", b"content c"];
    let files = [
        (format!("{ALPHA}/Artifacts.toml"), alpha),
        (format!("{BETA}/Artifacts_v1.2.toml"), beta),
        (
            "logs/my_artifact_orphanages.toml".to_owned(),
            format!("\"/x/artifacts/{}/{c}\" = 2025-12-31T00:00:00.000Z\n", &c[..2]),
        ),
    ];
    let files: Vec<(&str, &str)> = files.iter().map(|(path, content)| (path.as_str(), content.as_str())).collect();
    let space = make_space(&oma.path("src"), &blobs, &files);
    let shelf = space.join("artifacts");
    set_mode(&shelf.join(&b[..2]).join(&b), 0o555);
    let top = shelf.join(&tree_id[..2]).join(&tree_id);
    fs::create_dir_all(top.join("d")).expect("a new directory");
    for (name, id) in [("a", &a), ("d/b", &b)] {
        std::os::unix::fs::symlink(format!("/old/artifacts/{}/{id}", &id[..2]), top.join(name)).expect("a new link");
    }
}

fn copy(from: &Path, to: &Path) {
    let script = "rm -rf \"$2\"; [ ! -e \"$1\" ] || cp -a \"$1\" \"$2\"";
    let done = Command::new("sh").args(["-c", script, "sh"]).args([from, to]).status().expect("`sh`");
    assert!(done.success(), "copying {}", from.display());
}

#[test]
fn killed_anywhere_it_can_be_run_again() {
    for style in [LinkStyle::Absolute, LinkStyle::Hardlink] {
        let oma = Oma::in_memory(style);
        oma.ok(&["init", "--link-style", &style.to_string()]);
        variety(&oma);
        oma.ok(&["-o", "o", "add", &oma.file("own", "content a"), "--bind", "own"]);
        let (base, wreck, store) = (oma.path("base"), oma.path("wreck"), oma.root());
        copy(&store, &base);
        let source = standing(&oma.path("src"));
        let words = ["--json", "import", &*oma.at("src")];
        import(&oma, 8, &[&oma.at("src")]);
        let (wanted, ids) = (meant(&oma), ids_in(&oma));
        assert_eq!(wanted.len(), 4, "{wanted:?}");
        let mut points = 0;
        for number in 1..FAR_TOO_MANY {
            copy(&base, &store);
            let mut command = oma.command(&words);
            let output =
                command.env("OMA_FAULT", format!("abort@{number}")).env("TZ", "UTC").output().expect("it starts");
            if output.status.code() == Some(8) {
                points = number - 1;
                break;
            }
            let when = format!("{style}, killed at change {number}");
            assert_eq!(output.status.signal(), Some(6), "{when}: {output:?}");
            assert_untouched(&source, &oma.path("src"), &when);
            assert_sound(&oma, &when);
            let half = meant(&oma);
            assert!(half.iter().all(|(name, what)| wanted.get(name) == Some(what)), "{when}: {half:?}");
            copy(&store, &wreck);
            // In another moment: what a killed import held must not stand in the way.
            let words = ["--json", "import", &*oma.at("src")];
            oma.fails(8, &words);
            assert_eq!(meant(&oma), wanted, "{when}, then run again");
            assert_eq!(ids_in(&oma), ids, "{when}, then run again");
            assert_sound(&oma, &format!("{when}, then run again"));
            // The next gc takes the dead session's leases; nothing of it may be left.
            oma.ok(&["gc", "-y"]);
            assert_eq!(leftovers(&oma.root()), Vec::<String>::new(), "{when}, then run again");
            if let Some(leases) = index_rows(&oma.root(), "SELECT count(*) FROM leases") {
                assert_eq!(leases, ["0"], "{when}, then run again");
            }
            oma.ok(&["gc", "-y", "--collect-delay", "0"]);
            let kept: BTreeSet<String> =
                ids.iter().filter(|id| **id != blob_id(b"content c").to_string()).cloned().collect();
            assert_eq!(ids_in(&oma), kept, "{when}, run again, collected");
            copy(&wreck, &store);
            assert_nothing_leaks(&oma, &when);
        }
        tell(&format!("`oma import` with {style}: {points} points"));
        assert!(points >= 10, "{points} points only");
    }
}

/// Name → id, metadata and time.
fn meant(oma: &Oma) -> BTreeMap<Name, String> {
    let found = bindings(oma).into_iter();
    found.map(|(name, b)| (name, format!("{} {:?} {}", b.artifact.hash, b.meta, b.bound_at))).collect()
}

/// The big one, killed at a few points only.
#[test]
fn the_whole_depot_killed_half_way_comes_over_all_the_same() {
    let whole = Imported::of(Oma::in_memory(LinkStyle::Absolute), LinkStyle::Absolute);
    whole.import(8);
    let wanted = meant(&whole.oma);
    for number in [1, 20, 300, 700, 900] {
        let imported = Imported::of(Oma::in_memory(LinkStyle::Absolute), LinkStyle::Absolute);
        let words = ["--json", "import", &*imported.depot()];
        let mut command = imported.oma.command(&words);
        let output = command.env("OMA_FAULT", format!("abort@{number}")).env("TZ", "UTC").output().expect("it starts");
        let when = format!("killed at change {number}: {:?}", output.status);
        assert!(output.status.signal() == Some(6) || number >= 700, "{when}");
        assert_sound(&imported.oma, &when);
        imported.oma.ok(&["gc", "-y"]);
        imported.import(8);
        assert_eq!(meant(&imported.oma), wanted, "{when}");
        assert_eq!(ids_in(&imported.oma), ids_at("before_gc"), "{when}");
        imported.oma.ok(&["gc", "-y", "--collect-delay", "0"]);
        assert_eq!(ids_in(&imported.oma), ids_at("after_gc_hour0"), "{when}");
        assert_sound(&imported.oma, &when);
    }
}

// ---- names that are taken ----

#[test]
fn a_taken_name_stays_unless_forced() {
    let imported = Imported::fresh();
    let oma = &imported.oma;
    let other = oma.line(&["add", &oma.file("other", "something else")]);
    let same = crate::support::julia::expected()[&full_name(BETA, None, "meta-int")].hash.clone();
    oma.ok(&["-o", BETA, "bind", "UPPER", &other]);
    // Bound to the same artifact, but with other metadata: it would be lost.
    let file = imported.blob(&same);
    oma.ok(&["-o", BETA, "add", file.to_str().expect("text"), "--bind", "meta-int"]);
    let dry = import(oma, 8, &["--dry-run", &imported.depot()]);
    let rows = imported.import(8);
    assert_eq!(dry, rows);
    let of = |rows: &[Row], name: &str| -> Row {
        let name = full_name(BETA, None, name);
        rows.iter().find(|row| row.full_name().as_ref() == Some(&name)).expect("a row").clone()
    };
    assert_eq!(statuses(&rows)["conflict"], 2, "{:?}", statuses(&rows));
    let conflict = of(&rows, "UPPER");
    assert_eq!(conflict.status, "conflict");
    assert!(conflict.detail().contains("another artifact") && conflict.detail().contains(&other[..8]), "{conflict:?}");
    let conflict = of(&rows, "meta-int");
    assert_eq!(conflict.status, "conflict");
    assert!(conflict.detail().contains("the same with other metadata"), "{conflict:?}");
    let bound = bindings(oma);
    assert_eq!(bound[&full_name(BETA, None, "UPPER")].artifact.hash.to_string(), other);
    assert_eq!(bound[&full_name(BETA, None, "meta-int")].meta, None);
    assert_eq!(bound.len(), 167);
    let dry = import(oma, 8, &["--dry-run", "--force", &imported.depot()]);
    let forced = import(oma, 8, &["--force", &imported.depot()]);
    assert_eq!(dry, forced);
    assert_eq!((&*of(&forced, "UPPER").status, &*of(&forced, "meta-int").status), ("imported", "imported"));
    let fresh = Imported::fresh();
    fresh.import(8);
    assert_eq!(hashes(oma), hashes(&fresh.oma));
    assert_eq!(meant(oma), meant(&fresh.oma), "metadata and times too");
    assert_sound(oma, "forced");
}

/// Two files that give one name two meanings: the first wins, and the dry run knows.
#[test]
fn two_sources_that_disagree_are_a_conflict() {
    let oma = Oma::new();
    let [a, b] = [b"content a".as_slice(), b"content b"].map(|content| blob_id(content).to_string());
    for (depot, content, id) in [("one", b"content a".as_slice(), &a), ("two", b"content b", &b)] {
        let file = format!("[x]\nisdir = false\nsha256 = \"{id}\"\n");
        make_space(&oma.path(depot), &[content], &[(&format!("{ALPHA}/Artifacts.toml"), &file)]);
    }
    let paths = [&*oma.at("one"), &oma.at("two")];
    let dry = import(&oma, 8, &[&["--dry-run"][..], &paths].concat());
    let rows = import(&oma, 8, &paths);
    let found: Vec<&str> = rows.iter().map(|row| &*row.status).collect();
    assert_eq!(found, ["imported", "conflict"]);
    assert_eq!(hashes(&oma)[&full_name(ALPHA, None, "x")], a);
    assert_eq!(ids_in(&oma), BTreeSet::from([a.clone()]), "what no name came to be bound to stays away");
    let dry: Vec<&str> = dry.iter().map(|row| &*row.status).collect();
    assert_eq!(dry, found, "the dry run says otherwise");
    assert_sound(&oma, "two sources");
}

// ---- what cannot be written ----

/// Drops root's right to write anywhere; false if this test runs as somebody else already.
fn as_nobody(command: &Command) -> Option<Command> {
    let words: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
    let mut wrapped = Command::new("setpriv");
    wrapped
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(command.get_program())
        .args(words)
        .env_clear();
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            wrapped.env(name, value);
        }
    }
    wrapped.current_dir("/");
    Command::new("setpriv").arg("--version").output().ok().map(|_| wrapped)
}

#[test]
fn a_source_that_cannot_be_written_is_imported_and_a_store_that_cannot_is_an_error() {
    let oma = Oma::new();
    let id = blob_id(b"content").to_string();
    let file = format!("[x]\nisdir = false\nsha256 = \"{id}\"\n");
    make_space(&oma.path("depot"), &[b"content"], &[(&format!("{ALPHA}/Artifacts.toml"), &file)]);
    let is_root = fs::metadata("/proc/self").is_ok_and(|found| std::os::unix::fs::MetadataExt::uid(&found) == 0);
    if !is_root {
        tell("SKIPPED: only root can hand a store to somebody else");
        return;
    }
    // A program that somebody else may run, and a store and a temporary directory that are theirs.
    let program = oma.path("oma");
    fs::copy(env!("CARGO_BIN_EXE_oma"), &program).expect("a copy");
    set_mode(&oma.path(""), 0o755);
    fs::create_dir(oma.root()).expect("a new directory");
    std::os::unix::fs::chown(oma.root(), Some(65534), Some(65534)).expect("root may");
    std::os::unix::fs::chown(oma.path("home"), Some(65534), Some(65534)).expect("root may");
    let depot = oma.at("depot");
    let words = ["--json", "import", &*depot];
    let run = || {
        let mut command = as_nobody(&oma.command_of(&program, &words))?;
        Some(command.output().expect("setpriv starts"))
    };
    let before = standing(&oma.path("depot"));
    let Some(output) = run() else {
        tell("SKIPPED: there is no `setpriv`");
        return;
    };
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_untouched(&before, &oma.path("depot"), "somebody else's depot");
    assert_eq!(hashes(&oma)[&full_name(ALPHA, None, "x")], id);
    assert_sound(&oma, "somebody else's depot");
    // Now the store is root's: nothing can come in, and that is said.
    fs::remove_dir_all(oma.root()).expect("ours");
    oma.ok(&["init"]);
    let output = run().expect("it was there before");
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code().is_some_and(|code| code != 0 && code != 8), "{output:?}");
    assert!(text.contains(oma.root().to_str().expect("text")), "the store is not named in {text}");
    assert!(!text.contains("panicked"), "{text}");
    assert_eq!(hashes(&oma), BTreeMap::new());
}
