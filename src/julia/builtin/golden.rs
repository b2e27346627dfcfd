//! The files of real packages, which are not ours to keep: they are read from `OMA_SHARED`, else from a
//! folder `shared` beside this one. Without them the tests say so and check nothing.

use std::collections::BTreeSet;

use super::*;

/// What a name of a real file is said to stand for on a host; the host `any` asks for a table.
struct Answer<'a> {
    file: &'a str,
    name: &'a str,
    host: &'a str,
    expected: &'a serde_json::Value,
}

#[test]
fn real_packages_get_the_choices_of_an_independent_port() {
    let Some(folder) = real_packages() else {
        println!(
            "SKIPPED: no golden/pkg-artifacts in OMA_SHARED or in ../shared: the choices of real packages are not checked"
        );
        return;
    };
    let golden = std::fs::read_to_string(folder.join("GOLDEN.json")).expect("readable");
    let golden: serde_json::Value = serde_json::from_str(&golden).expect("JSON");
    let mut hosts = BTreeSet::new();
    let mut checked = 0;
    for (file, names) in golden.as_object().expect("files") {
        let table = read(&folder, file);
        let names = names.as_object().expect("names");
        assert_eq!(table.len(), names.len(), "{file}");
        for (name, answers) in names {
            for (host, expected) in answers.as_object().expect("answers") {
                check(&table[name], &Answer { file, name, host, expected });
                hosts.insert(host.clone());
                checked += 1;
            }
        }
    }
    // Five hosts, `any` and `error`; as many answers as the file had when this was written.
    assert!(hosts.len() == 7 && checked >= 222, "{checked} answers for {hosts:?}");
}

#[test]
fn real_entries_come_back_with_everything_they_had() {
    let Some(folder) = real_packages() else {
        println!(
            "SKIPPED: no golden/pkg-artifacts in OMA_SHARED or in ../shared: the entries of real packages are not checked"
        );
        return;
    };
    let mut checked = 0;
    for file in std::fs::read_dir(&folder).expect("a folder") {
        let file = file.expect("an entry").file_name().into_string().expect("text");
        for (name, value) in &read(&folder, &file) {
            let entries = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
            for (entry, original) in entries_of(value).into_iter().zip(entries) {
                let Ok(entry) = entry else { continue };
                let mut original = original.as_table().expect("a table").clone();
                original.retain(|key, value| key != LAZY || *value != Value::Boolean(false));
                assert_eq!(entry.to_table(), original, "{file}, {name}");
                assert_eq!(entry.oddities, Vec::<String>::new(), "{file}, {name}");
                checked += 1;
            }
        }
    }
    assert!(checked >= 450, "only {checked} entries were seen");
}

fn real_packages() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let shared = std::env::var_os("OMA_SHARED").map_or_else(beside, PathBuf::from);
    let folder = shared.join("golden/pkg-artifacts");
    folder.join("GOLDEN.json").is_file().then_some(folder)
}

/// Reads a file; one that is no TOML, such as the list of sources, has no names.
fn read(folder: &Path, file: &str) -> Table {
    if Path::new(file).extension().is_none_or(|extension| extension != "toml") {
        return Table::new();
    }
    let document = crate::julia::Document::read(&folder.join(file)).expect(file).expect(file);
    document.table().clone()
}

fn check(value: &Value, answer: &Answer<'_>) {
    let Answer { file, name, host, expected } = answer;
    let context = format!("{file}, {name}, {host}");
    match *host {
        "error" => assert!(dialect_of(value).is_err(), "{context}"),
        "any" => check_table(value, expected, &context),
        host => {
            assert_eq!(dialect_of(value), Ok(Dialect::Builtin), "{context}");
            check_choice(value, host, expected, &context);
        }
    }
}

fn check_table(value: &Value, expected: &serde_json::Value, context: &str) {
    match expected.as_str() {
        None => assert!(dialect_of(value).is_err(), "{context}"),
        Some(tree) => {
            assert_eq!(dialect_of(value), Ok(Dialect::Builtin), "{context}");
            let entries = entries_of(value);
            assert_eq!(choose(&entries, &Platform::host()), entries[0].is_ok().then_some(0), "{context}");
            match &entries[0] {
                Ok(entry) => assert_eq!((entry.tree_sha1.to_string().as_str(), &entry.platform), (tree, &None)),
                Err(reason) => assert!(tree.len() == 64 && reason.contains(tree), "{context}: {reason}"),
            }
        }
    }
}

fn check_choice(value: &Value, host: &str, expected: &serde_json::Value, context: &str) {
    let host = full_host(host);
    let entries = entries_of(value);
    let platform = |at: usize| entries[at].as_ref().expect("usable").platform.as_ref().expect("one of several");
    let fitting: Vec<usize> = (0..entries.len()).filter(|at| platform(*at).serves(&host)).collect();
    let found = choose(&entries, &host).map(|at| {
        let tree = entries[at].as_ref().expect("usable").tree_sha1.to_string();
        serde_json::json!({"git-tree-sha1": tree, "triplet": platform(at).to_string(), "candidates": fitting.len()})
    });
    assert_eq!(found.unwrap_or_default(), *expected, "{context}");
}

/// The hosts are named by triplet and Julia; what else an official Julia has there is added.
fn full_host(named: &str) -> Platform {
    let (triplet, julia) = named.split_once(" julia").expect("a triplet and a version");
    let strings = if triplet.contains("darwin") { "" } else { "-cxx11" };
    let host = format!("{triplet}-libgfortran5{strings}").parse::<Platform>().expect("a triplet");
    host.with_julia_version(julia).expect("a version")
}
