//! Julia's built-in `Artifacts.toml`, imported: real files of public packages, and depots made by hand.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::julia::{
    ALPHA, Row, assert_sound, assert_untouched, blob_id, corpus, git_tree, hashes, import, make_space, standing,
};
use crate::support::oma::{Oma, index_rows, tell};
use crate::support::{bytes_on_disk, make_executable, shelves};

const CORPUS: &str = "corpus";

/// Name → tree, as the index has it.
fn declared(oma: &Oma) -> Option<BTreeMap<String, String>> {
    let query = "SELECT name || char(9) || tree_sha1 FROM declarations";
    let rows = index_rows(&oma.root(), query)?;
    Some(rows.iter().map(|row| row.split_once('\t').expect("two columns")).map(own).collect())
}

fn own((a, b): (&str, &str)) -> (String, String) {
    (a.to_owned(), b.to_owned())
}

/// Hosts in `GOLDEN.json` are a triplet and a Julia; each runs an official one.
fn triplet(host: &str) -> String {
    let (triplet, julia) = host.split_once(" julia").expect("a triplet and a version");
    let strings = if triplet.contains("darwin") { "" } else { "-cxx11" };
    format!("{triplet}-libgfortran5{strings}-julia_version+{julia}.0")
}

fn golden(folder: &Path) -> BTreeMap<String, BTreeMap<String, Value>> {
    serde_json::from_slice(&fs::read(folder.join("GOLDEN.json")).expect("readable")).expect("JSON")
}

fn at(folder: &Path, file: &str) -> String {
    folder.join(file).to_str().expect("text").to_owned()
}

/// What an answer says of a name on a host.
#[derive(Debug)]
enum Answer {
    Declared(String),
    Nothing,
    Error,
}

fn answer(answers: &Value, host: &str) -> Answer {
    if answers.get("error").is_some() {
        return Answer::Error;
    }
    if let Some(any) = answers.get("any") {
        return match any.as_str() {
            Some(tree) if tree.len() == 40 => Answer::Declared(tree.to_owned()),
            _ => Answer::Error,
        };
    }
    match answers.get(host).unwrap_or_else(|| panic!("no answer for {host}: {answers}")) {
        Value::Null => Answer::Nothing,
        chosen => Answer::Declared(chosen["git-tree-sha1"].as_str().expect("a tree").to_owned()),
    }
}

#[test]
fn real_packages_are_declared_as_julia_chooses_on_five_hosts() {
    let Some(folder) = corpus() else { return };
    let golden = golden(&folder);
    let hosts: BTreeSet<&String> = golden
        .values()
        .flat_map(BTreeMap::values)
        .flat_map(|answers| answers.as_object().expect("answers").keys())
        .filter(|host| host.contains(" julia"))
        .collect();
    assert_eq!(hosts.len(), 5);
    let mut checked = 0;
    for host in hosts {
        // Files share names, so each gets an owner of its own; one store holds them all.
        let oma = Oma::new();
        for (file, names) in &golden {
            let wanted: BTreeMap<&String, Answer> =
                names.iter().map(|(name, answers)| (name, answer(answers, host))).collect();
            let fails = wanted.values().any(|answer| matches!(answer, Answer::Error));
            let words = ["-o", file, "--platform", &triplet(host), &at(&folder, file)];
            let rows = import(&oma, if fails { 8 } else { 0 }, &words);
            let rows: BTreeMap<&str, &Row> =
                rows.iter().map(|row| (row.name.as_deref().expect("a name"), row)).collect();
            for (name, answer) in &wanted {
                let context = format!("{file}, {name}, {host}: {answer:?}");
                let row = rows.get(name.as_str());
                match answer {
                    Answer::Nothing => assert_eq!(row, None, "{context}"),
                    Answer::Error => {
                        let row = row.unwrap_or_else(|| panic!("{context}"));
                        assert_eq!(row.status, "corrupt", "{context}");
                        assert!(row.detail().contains(file.as_str()) && row.detail().contains(", line "), "{row:?}");
                    }
                    Answer::Declared(_) => {
                        let row = row.unwrap_or_else(|| panic!("{context}"));
                        assert_eq!((&*row.status, &row.hash), ("declared", &None), "{context}");
                        assert_eq!(row.owner.as_deref(), Some(file.as_str()), "{context}");
                    }
                }
                checked += 1;
            }
            let silent = wanted.values().filter(|answer| matches!(answer, Answer::Nothing)).count();
            assert_eq!(rows.len(), wanted.len() - silent, "{file}, {host}: names nobody asked for");
        }
        assert_declared(&oma, &golden, host);
        assert_eq!(shelves(&oma.root()), Vec::<String>::new(), "nothing has bytes yet");
        assert_eq!(hashes(&oma), BTreeMap::new(), "nothing is bound yet");
    }
    assert!(checked >= 5 * 150, "{checked} answers");
}

fn assert_declared(oma: &Oma, golden: &BTreeMap<String, BTreeMap<String, Value>>, host: &str) {
    let query = "SELECT w.key || char(9) || d.name || char(9) || d.tree_sha1 FROM declarations d JOIN owners w ON w.id = d.owner_id";
    let Some(mut found) = index_rows(&oma.root(), query) else { return };
    let mut wanted = Vec::new();
    for (file, names) in golden {
        for (name, answers) in names {
            if let Answer::Declared(tree) = answer(answers, host) {
                wanted.push(format!("{file}\t{name}\t{tree}"));
            }
        }
    }
    found.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(found, wanted, "{host}: what is declared");
}

/// Each array of the corpus in full: as many declarations as entries, each under a name of its own.
#[test]
fn all_platforms_of_real_packages_are_declared() {
    let Some(folder) = corpus() else { return };
    for (file, names) in golden(&folder) {
        let text = fs::read_to_string(folder.join(&file)).expect("readable");
        let table: toml::Table = text.parse().expect("TOML");
        let flat = |answers: &&Value| answers.get("any").is_some() || answers.get("error").is_some();
        if names.values().filter(flat).any(|answers| matches!(answer(answers, "any"), Answer::Error)) {
            continue;
        }
        let oma = Oma::new();
        let rows = import(&oma, 0, &["-o", CORPUS, "--platform", "all", &at(&folder, &file)]);
        let mut wanted: Vec<(String, String)> = Vec::new();
        for (name, value) in &table {
            let entries = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
            for entry in entries {
                wanted.push((name.clone(), entry["git-tree-sha1"].as_str().expect("a tree").to_owned()));
            }
        }
        assert_eq!(rows.len(), wanted.len(), "{file}");
        let distinct: BTreeSet<_> = rows.iter().map(|row| &row.name).collect();
        assert_eq!(distinct.len(), wanted.len(), "{file}: two under one name");
        let query = "SELECT artifact || char(9) || tree_sha1 FROM declarations";
        let Some(found) = index_rows(&oma.root(), query) else { return };
        let mut found: Vec<_> = found.iter().map(|row| own(row.split_once('\t').expect("two columns"))).collect();
        found.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(found, wanted, "{file}");
        // The same again changes nothing.
        let again = import(&oma, 0, &["-o", CORPUS, "--platform", "all", &at(&folder, &file)]);
        assert!(again.iter().all(|row| row.status == "unchanged"), "{file}: {again:#?}");
    }
}

#[test]
fn broken_real_files_get_their_row_and_leave_nothing() {
    let Some(folder) = corpus() else { return };
    let bad = [
        ("doesnotexist", "does_not_exist", "declared", "", 0),
        ("incorrect_gitsha", "broken_artifact", "declared", "", 0),
        ("incorrect_sha256", "broken_artifact", "declared", "", 0),
        ("no_gitsha", "broken_artifact", "corrupt", "line 4: it has neither `sha256` nor `git-tree-sha1`", 8),
        ("not_a_table", "broken_artifact", "corrupt", "line 1: it is a string", 8),
    ];
    for (file, name, status, detail, code) in bad {
        let oma = Oma::new();
        let path = at(&folder, &format!("JuliaLang__Pkg.jl__test_artifacts_bad_{file}.toml"));
        let rows = import(&oma, code, &["-o", CORPUS, &path]);
        let row = rows.iter().find(|row| row.name.as_deref() == Some(name)).expect("a row");
        assert_eq!(row.status, status, "{file}");
        assert!(row.detail().contains(detail), "{file}: {row:?}");
        assert!(code == 0 || row.detail().contains(&path), "{file}: the file is not named in {row:?}");
        let others: Vec<_> = rows.iter().filter(|row| row.name.as_deref() != Some(name)).collect();
        assert!(others.iter().all(|row| row.name.as_deref() == Some("arty") && row.status == "declared"), "{others:?}");
        if let Some(declared) = declared(&oma) {
            assert_eq!(declared.contains_key(name), code == 0, "{file}");
            assert_eq!(declared.contains_key("arty"), code == 8, "{file}: the good entry beside the bad one");
        }
        assert_eq!(shelves(&oma.root()), Vec::<String>::new(), "{file}");
    }
    // A 64-digit hash where 40 digits belong, and a file with nothing in it.
    let oma = Oma::new();
    let rows = import(&oma, 8, &["-o", CORPUS, &at(&folder, "CosmologicalEmulators__jaxace__jaxace_Artifacts.toml")]);
    assert!(rows.len() == 2 && rows.iter().all(|row| row.detail().contains("64 are the SHA-256 of an archive")));
    assert_eq!(import(&oma, 0, &["-o", CORPUS, &at(&folder, "Clemapfel__Mousetrap.jl__Artifacts.toml")]), []);
    assert_eq!(declared(&oma).unwrap_or_default(), BTreeMap::new());
}

// ---- depots made by hand ----

/// A tree with what git counts: an execute bit, a link, a folder.
fn lay_tree(oma: &Oma, name: &str) -> PathBuf {
    let top = oma.tree(name, &[("bin/tool", "#!/bin/sh\n"), ("share/data", "data\n"), ("README", "read me\n")]);
    make_executable(&top.join("bin/tool"));
    std::os::unix::fs::symlink("../share/data", top.join("bin/link")).expect("a new link");
    top
}

/// A depot with an installed artifact and a package that names it: the tree's SHA-1.
fn depot(oma: &Oma, tree: &str) -> PathBuf {
    let depot = oma.path("depot");
    let laid = lay_tree(oma, "depot/laid");
    fs::create_dir_all(depot.join("artifacts")).expect("a new directory");
    fs::rename(laid, depot.join("artifacts").join(tree)).expect("a new name");
    depot
}

fn tree_sha1(oma: &Oma) -> (String, String) {
    let probe = lay_tree(oma, "probe");
    (git_tree(&probe, "sha1"), git_tree(&probe, "sha256"))
}

fn package(folder: &Path, files: &[(&str, &str)]) -> String {
    fs::create_dir_all(folder).expect("a new directory");
    for (name, content) in files {
        fs::write(folder.join(name), content).expect("a new file");
    }
    folder.to_str().expect("text").to_owned()
}

fn project() -> String {
    format!("name = \"Pack\"\nuuid = \"{ALPHA}\"\nversion = \"1.2.3\"\n")
}

const SOMEWHERE: &str = "0123456789012345678901234567890123456789";

#[test]
fn an_installed_artifact_is_bound_by_its_content() {
    let oma = Oma::new();
    let (sha1, id) = tree_sha1(&oma);
    let depot = depot(&oma, &sha1);
    let artifacts = format!(
        "[tool]\ngit-tree-sha1 = \"{sha1}\"\n\n[later]\ngit-tree-sha1 = \"{SOMEWHERE}\"\n\n    [[later.download]]\n    url = \"https://example.org/a.tar.gz\"\n    sha256 = \"{}\"\n",
        "ab".repeat(32)
    );
    package(&depot.join("packages/Pack/abcde"), &[("Project.toml", &project()), ("Artifacts.toml", &artifacts)]);
    let before = standing(&depot);
    let dry = import(&oma, 0, &["--dry-run", &oma.at("depot")]);
    let rows = import(&oma, 0, &[&oma.at("depot")]);
    assert_untouched(&before, &depot, "built-in");
    assert_eq!(dry, rows);
    let of = |name: &str| rows.iter().find(|row| row.name.as_deref() == Some(name)).expect("a row");
    assert_eq!((&*of("tool").status, of("tool").hash.as_deref()), ("imported", Some(&*id)));
    assert_eq!((&*of("later").status, &of("later").hash), ("declared", &None));
    assert_eq!(of("tool").owner.as_deref(), Some(ALPHA), "the package's UUID");
    assert_eq!(of("tool").version.as_deref(), Some("1.2.3"), "several versions may be installed");
    assert_eq!(rows.len(), 2);
    assert_eq!(hashes(&oma), BTreeMap::from([(format!("{ALPHA}@1.2.3:tool"), id.clone())]));
    let path = PathBuf::from(oma.line(&["path", &format!("{ALPHA}@1.2.3:tool")]));
    assert_eq!(git_tree(&link_free(&oma, &path), "sha256"), id, "what is stored, as git sees it");
    assert_sound(&oma, "built-in");
    let again = import(&oma, 0, &[&oma.at("depot")]);
    assert!(again.iter().all(|row| row.status == "unchanged"), "{again:#?}");
    if let Some(declared) = declared(&oma) {
        assert_eq!(declared, BTreeMap::from([("later".to_owned(), SOMEWHERE.to_owned()), ("tool".to_owned(), sha1)]));
    }
}

/// A copy in which links to stored files are those files again.
fn link_free(oma: &Oma, stored: &Path) -> PathBuf {
    let copy = oma.path("copy");
    for entry in walkdir::WalkDir::new(stored).min_depth(1) {
        let entry = entry.expect("readable");
        let to = copy.join(entry.path().strip_prefix(stored).expect("below"));
        fs::create_dir_all(to.parent().expect("below")).expect("a new directory");
        let target = fs::read_link(entry.path()).ok();
        match target {
            Some(target) if target.is_relative() => std::os::unix::fs::symlink(target, to).expect("a new link"),
            _ if entry.file_type().is_dir() => fs::create_dir_all(to).expect("a new directory"),
            _ => drop(fs::copy(entry.path(), to).expect("a new file")),
        }
    }
    copy
}

#[test]
fn an_installed_artifact_that_was_changed_is_not_trusted() {
    type Tamper = fn(&Path);
    let ways: [(&str, Tamper); 6] = [
        ("a byte", |top| fs::write(top.join("README"), "Read me\n").expect("a file")),
        ("the execute bit", |top| make_executable(&top.join("README"))),
        ("one more file", |top| fs::write(top.join("more"), "").expect("a file")),
        ("one file less", |top| fs::remove_file(top.join("README")).expect("a file")),
        ("a link", |top| {
            fs::remove_file(top.join("bin/link")).expect("a link");
            std::os::unix::fs::symlink("../README", top.join("bin/link")).expect("a link");
        }),
        ("emptied", |top| {
            fs::remove_dir_all(top).expect("a folder");
            fs::create_dir(top).expect("a folder");
        }),
    ];
    for (what, tamper) in ways {
        let oma = Oma::new();
        let (sha1, _) = tree_sha1(&oma);
        let depot = depot(&oma, &sha1);
        tamper(&depot.join("artifacts").join(&sha1));
        let artifacts = format!("[tool]\ngit-tree-sha1 = \"{sha1}\"\n");
        let package = package(
            &depot.join("packages/Pack/abcde"),
            &[("Project.toml", &project()), ("Artifacts.toml", &artifacts)],
        );
        let rows = import(&oma, 8, &[&package]);
        assert_eq!(rows.len(), 1, "{what}");
        assert_eq!((&*rows[0].status, &rows[0].hash), ("corrupt", &None), "{what}");
        assert!(rows[0].detail().contains(&sha1), "{what}: {:?}", rows[0]);
        assert_eq!(hashes(&oma), BTreeMap::new(), "{what}");
        assert_eq!(shelves(&oma.root()), Vec::<String>::new(), "{what}");
        if let Some(declared) = declared(&oma) {
            assert_eq!(declared.get("tool"), Some(&sha1), "{what}: it can be had elsewhere");
        }
    }
}

/// What lies there cannot be a tree: the rest comes over all the same.
#[test]
fn a_strange_thing_where_an_artifact_belongs_stops_nothing() {
    type Place = fn(&Path);
    let ways: [(&str, Place); 4] = [
        ("a file", |at| fs::write(at, "x").expect("a file")),
        ("a pipe inside", |at| {
            fs::create_dir(at).expect("a folder");
            assert!(std::process::Command::new("mkfifo").arg(at.join("p")).status().expect("mkfifo").success());
        }),
        ("a link to a loop", |at| std::os::unix::fs::symlink(at, at).expect("a link")),
        ("a link to /etc", |at| std::os::unix::fs::symlink("/etc", at).expect("a link")),
    ];
    for (what, place) in ways {
        let oma = Oma::new();
        let (sha1, id) = tree_sha1(&oma);
        let depot = depot(&oma, &sha1);
        place(&depot.join("artifacts").join(SOMEWHERE));
        let artifacts = format!("[odd]\ngit-tree-sha1 = \"{SOMEWHERE}\"\n\n[tool]\ngit-tree-sha1 = \"{sha1}\"\n");
        let package = package(
            &depot.join("packages/Pack/abcde"),
            &[("Project.toml", &project()), ("Artifacts.toml", &artifacts)],
        );
        let words = ["--json", "import", &package];
        let ran = oma.run(&words);
        assert!(matches!(ran.code, Some(0 | 8)), "{what}: {ran:#?}");
        assert_eq!(hashes(&oma), BTreeMap::from([(format!("{ALPHA}@1.2.3:tool"), id)]), "{what}");
        assert_sound(&oma, what);
    }
}

#[test]
fn julia_artifacts_toml_wins_beside_artifacts_toml() {
    let oma = Oma::new();
    let other = "f".repeat(40);
    let package = package(
        &oma.path("Pack"),
        &[
            ("Project.toml", &project()),
            ("Artifacts.toml", &format!("[a]\ngit-tree-sha1 = \"{other}\"\n[only]\ngit-tree-sha1 = \"{other}\"\n")),
            ("JuliaArtifacts.toml", &format!("[a]\ngit-tree-sha1 = \"{SOMEWHERE}\"\n")),
        ],
    );
    let rows = import(&oma, 0, &[&package]);
    assert_eq!(rows.len(), 1, "{rows:#?}");
    assert_eq!(declared(&oma).unwrap_or_default().get("a").map(String::as_str), Some(SOMEWHERE));
}

#[test]
fn who_owns_a_file_is_found_or_asked_for() {
    let artifacts = format!("[a]\ngit-tree-sha1 = \"{SOMEWHERE}\"\n");
    let oma = Oma::new();
    let package = package(&oma.path("Pack"), &[("Artifacts.toml", &artifacts)]);
    let rows = import(&oma, 8, &[&package]);
    assert_eq!(rows.len(), 1);
    assert_eq!((&rows[0].owner, rows[0].name.as_deref(), &*rows[0].status), (&None, Some("a"), "corrupt"));
    assert!(rows[0].detail().contains("Pack/Artifacts.toml`, line 1: nobody is known to own it"), "{rows:?}");
    assert_eq!(declared(&oma).unwrap_or_default(), BTreeMap::new());
    let rows = import(&oma, 0, &["-o", "me@2", &package]);
    assert_eq!((rows[0].owner.as_deref(), rows[0].version.as_deref()), (Some("me"), Some("2")));
    // The package knows better than the caller.
    fs::write(oma.path("Pack/Project.toml"), project()).expect("a new file");
    let rows = import(&oma, 0, &["-o", "me@2", &package]);
    assert_eq!(rows[0].owner.as_deref(), Some(ALPHA), "{rows:?}");
    // A project that is no package, or that cannot be read, does not.
    for content in ["[deps]\n", "uuid = \"not one\"\n", "uuid = 3\n", "= broken", "\u{0}"] {
        fs::write(oma.path("Pack/Project.toml"), content).expect("a new file");
        let rows = import(&oma, 8, &[&package]);
        assert_eq!((rows.len(), &rows[0].owner), (1, &None), "{content:?}");
        let rows = import(&oma, 0, &["-o", "me", &package]);
        assert_eq!(rows[0].owner.as_deref(), Some("me"), "{content:?}");
    }
}

/// One file, both dialects and rubbish between them.
#[test]
fn a_file_may_mix_both_dialects() {
    let oma = Oma::new();
    let id = blob_id(b"content").to_string();
    let mixed = format!(
        "# mixed\n[bound]\nisdir = false\nsha256 = \"{id}\"\n\n[built]\ngit-tree-sha1 = \"{SOMEWHERE}\"\n\n[neither]\nx = 1\n\n[[several]]\nos = \"linux\"\narch = \"x86_64\"\ngit-tree-sha1 = \"{SOMEWHERE}\"\n\n[both]\nisdir = false\nsha256 = \"{id}\"\ngit-tree-sha1 = \"{SOMEWHERE}\"\n"
    );
    make_space(&oma.path("depot"), &[b"content"], &[(&format!("{ALPHA}/Artifacts.toml"), &mixed)]);
    let rows = import(&oma, 8, &["--platform", "x86_64-linux-gnu", &oma.at("depot")]);
    let of: BTreeMap<&str, &str> = rows.iter().filter_map(|row| Some((row.name.as_deref()?, &*row.status))).collect();
    let wanted = [
        ("bound", "imported"),
        ("built", "declared"),
        ("neither", "corrupt"),
        ("several", "declared"),
        ("both", "imported"),
    ];
    assert_eq!(of, BTreeMap::from(wanted));
    let neither = rows.iter().find(|row| row.name.as_deref() == Some("neither")).expect("a row");
    assert!(neither.detail().contains("Artifacts.toml`, line 9: "), "{neither:?}");
    assert_eq!(hashes(&oma).len(), 2);
    assert_sound(&oma, "mixed");
}

/// A tree under six platforms is looked at and stored once.
#[test]
fn one_tree_under_many_names_is_stored_once() {
    let oma = Oma::new();
    let (sha1, id) = tree_sha1(&oma);
    let depot = depot(&oma, &sha1);
    let mut entries = String::new();
    for arch in ["x86_64", "aarch64", "i686"] {
        for libc in ["glibc", "musl"] {
            entries += "[[tool]]\nos = \"linux\"\n";
            writeln!(entries, "arch = \"{arch}\"\nlibc = \"{libc}\"\ngit-tree-sha1 = \"{sha1}\"\n").expect("a text");
        }
    }
    let package =
        package(&depot.join("packages/Pack/abcde"), &[("Project.toml", &project()), ("Artifacts.toml", &entries)]);
    let rows = import(&oma, 0, &["--platform", "all", &package]);
    assert_eq!(rows.len(), 6);
    assert!(rows.iter().all(|row| row.hash.as_deref() == Some(&*id) && row.status == "imported"), "{rows:#?}");
    assert_eq!(bytes_on_disk(&oma.root()), 10 + 5 + 8);
    assert_eq!(hashes(&oma).len(), 6);
    assert_sound(&oma, "six platforms");
}

#[test]
fn other_depots_are_looked_into_in_order() {
    let oma = Oma::new();
    let (sha1, id) = tree_sha1(&oma);
    let depot = depot(&oma, &sha1);
    let artifacts = format!("[tool]\ngit-tree-sha1 = \"{sha1}\"\n");
    let package = package(&oma.path("dev/Pack"), &[("Project.toml", &project()), ("Artifacts.toml", &artifacts)]);
    assert_eq!(import(&oma, 0, &[&package])[0].status, "declared", "no depot has it");
    let depot = depot.to_str().expect("text");
    let rows = import(&oma, 0, &["--depot", &oma.at("none"), "--depot", depot, &package]);
    assert_eq!((&*rows[0].status, rows[0].hash.as_deref()), ("imported", Some(&*id)));
    tell("declared first, then found installed and bound");
    assert_sound(&oma, "another depot");
}
