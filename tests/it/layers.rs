//! The layers of the design, enforced: a module imports only from floors below its own.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The floor of each top-level module of the library.
const FLOORS: [(&str, u8); 15] = [
    ("digest", 0),
    ("size", 0),
    ("text", 0),
    ("time", 0),
    ("error", 1),
    ("event", 1),
    ("model", 1),
    ("fs", 2),
    ("store", 3),
    ("index", 3),
    ("config", 3),
    ("julia", 3),
    ("fetch", 3),
    ("cache", 4),
    ("compat", 5),
];

fn floor(module: &str) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| *name == module).map(|(_, floor)| *floor)
}

/// Every `crate::module` a file names, outside of comments.
fn imports(source: &str) -> BTreeSet<String> {
    let code = source.lines().filter(|line| !line.trim_start().starts_with("//"));
    let mut found = BTreeSet::new();
    for line in code {
        for (at, _) in line.match_indices("crate::") {
            let rest = &line[at + "crate::".len()..];
            let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            found.insert(name);
        }
    }
    found
}

fn sources(dir: &Path) -> Vec<(String, String)> {
    walkdir::WalkDir::new(dir)
        .into_iter()
        .flatten()
        .filter(|entry| entry.path().extension().is_some_and(|extension| extension == "rs"))
        .map(|entry| {
            let path = entry.path().strip_prefix(dir).expect("below").to_string_lossy().into_owned();
            (path, fs::read_to_string(entry.path()).expect("readable"))
        })
        .collect()
}

fn module_of(path: &str) -> &str {
    path.split(['/', '.']).next().unwrap_or_default()
}

#[test]
fn modules_import_only_from_floors_below() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut upward = Vec::new();
    let mut judged = 0;
    for (path, source) in sources(&src) {
        let module = module_of(&path).to_owned();
        let Some(own) = floor(&module) else { continue };
        for import in imports(&source) {
            let Some(other) = floor(&import).filter(|_| import != module) else { continue };
            judged += 1;
            let sideways_is_fine = own <= 1;
            if other > own || (other == own && !sideways_is_fine) {
                upward.push(format!("{path} -> {import}"));
            }
        }
    }
    assert!(judged > 50, "only {judged} imports were seen: the test looks in the wrong place");
    assert_eq!(upward, Vec::<String>::new(), "imports that do not go down");
}

#[test]
fn every_module_has_a_floor() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let outside = ["lib", "main", "cli"];
    for (path, _) in sources(&src) {
        let module = module_of(&path);
        assert!(outside.contains(&module) || floor(module).is_some(), "{path} is on no floor");
    }
}

#[test]
fn the_program_sees_only_the_public_interface() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let program = sources(&src).into_iter().filter(|(path, _)| path.starts_with("cli") || path == "main.rs");
    for (path, source) in program {
        for import in imports(&source) {
            assert_eq!(import, "cli", "{path} names crate::{import}");
        }
        assert!(!source.contains("rusqlite"), "{path} talks to the database itself");
    }
}

#[test]
fn only_the_index_issues_write_tokens() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let issuers: Vec<String> = sources(&src)
        .into_iter()
        .filter(|(_, source)| source.contains("WriteToken::issue"))
        .map(|(path, _)| path)
        .collect();
    assert_eq!(issuers, ["index/mod.rs"]);
}

#[test]
fn sql_stands_in_named_constants_of_the_index() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for (path, source) in sources(&src) {
        let speaks_sql = ["SELECT ", "INSERT ", "UPDATE ", "DELETE FROM"].iter().any(|word| source.contains(word));
        assert!(!speaks_sql || path.starts_with("index/"), "{path} holds SQL");
        if path.starts_with("index/") {
            assert!(!source.contains("format!(\"SELECT") && !source.contains("format!(\"DELETE"), "{path} builds SQL");
        }
    }
}
