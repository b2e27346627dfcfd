//! Entries and choices: a small corpus made by hand.

use super::*;

/// A file that shows every rule of the choice; each tree's last digit names the entry.
const CORPUS: &str = r#"
[everywhere]
git-tree-sha1 = "00000000000000000000000000000000000000E1"
os = "linux"
lazy = true
note = "a table is not chosen by its tags"
    [[everywhere.download]]
    url = "https://example.org/first.tar.gz"
    sha256 = "AB00000000000000000000000000000000000000000000000000000000000000"
    size = 12
    mirror = "moon"
    [[everywhere.download]]
    url = "https://example.org/second"

[[spelt]]
git-tree-sha1 = "0000000000000000000000000000000000000001"
arch = "AMD64"
os = "Linux"
[[spelt]]
git-tree-sha1 = "0000000000000000000000000000000000000002"
arch = "arm"
os = "linux"
[[spelt]]
git-tree-sha1 = "0000000000000000000000000000000000000003"
arch = "x86_64"
libc = "gnu"
libgfortran_version = "5.0.0"
os = "linux"

[[caps]]
git-tree-sha1 = "0000000000000000000000000000000000000001"
arch = "x86_64"
os = "macos"
os_version = "10"
[[caps]]
git-tree-sha1 = "0000000000000000000000000000000000000002"
arch = "x86_64"
os = "macos"
os_version = "9.1"
[[caps]]
git-tree-sha1 = "0000000000000000000000000000000000000003"
arch = "x86_64"
os = "macos"
os_version = "21"

[[julia]]
git-tree-sha1 = "0000000000000000000000000000000000000001"
arch = "x86_64"
julia_version = "1.10.0"
os = "linux"
[[julia]]
git-tree-sha1 = "0000000000000000000000000000000000000002"
arch = "x86_64"
julia_version = "1.9.3"
os = "linux"

[[tie]]
git-tree-sha1 = "0000000000000000000000000000000000000001"
arch = "x86_64"
mpi = "mpich"
os = "linux"
[[tie]]
git-tree-sha1 = "0000000000000000000000000000000000000002"
arch = "x86_64"
mpi = "openmpi"
os = "linux"
[[tie]]
git-tree-sha1 = "0000000000000000000000000000000000000003"
arch = "x86_64"
mpi = "openmpi"
mode = "dbg"
os = "linux"

[[broken]]
arch = "x86_64"
os = "linux"
[[broken]]
git-tree-sha1 = "0000000000000000000000000000000000000002"
os = "linux"
[[broken]]
git-tree-sha1 = "0000000000000000000000000000000000000003"
arch = "x86_64"
[[broken]]
git-tree-sha1 = "0000000000000000000000000000000000000004"
arch = "x86_64"
os = "linux"
description = "two words"
[[broken]]
git-tree-sha1 = "0000000000000000000000000000000000000005"
arch = "x86_64"
os = "linux"
has_noise = false
"#;

fn corpus(name: &str) -> Vec<Result<BuiltinEntry, String>> {
    let table: Table = toml::from_str(CORPUS).expect("valid");
    assert_eq!(dialect_of(&table[name]), Ok(Dialect::Builtin));
    entries_of(&table[name])
}

/// Returns the last digit of the tree chosen.
fn chosen(name: &str, host: &str) -> Option<char> {
    let entries = corpus(name);
    let at = choose(&entries, &host.parse().expect("a triplet"))?;
    entries[at].as_ref().expect("usable").tree_sha1.to_string().chars().next_back()
}

fn value(text: &str) -> Value {
    Value::Table(toml::from_str(text).expect("valid"))
}

fn entry(text: &str) -> BuiltinEntry {
    entries_of(&value(text)).remove(0).expect("usable")
}

#[test]
fn a_table_serves_every_platform_and_is_read_whole() {
    for host in ["x86_64-w64-mingw32", "armv7l-linux-gnueabihf"] {
        assert_eq!(chosen("everywhere", host), Some('1'));
    }
    let entry = corpus("everywhere").remove(0).expect("usable");
    assert_eq!((&entry.platform, entry.lazy, entry.oddities.len()), (&None, true, 0));
    assert_eq!(entry.unknown["os"].as_str(), Some("linux"));
    let [first, second] = &entry.downloads[..] else { panic!("two downloads") };
    assert_eq!(first.url, "https://example.org/first.tar.gz");
    assert_eq!(first.sha256, Some(format!("ab{}", "0".repeat(62))));
    assert_eq!((first.size, first.unknown["mirror"].as_str()), (Some(12), Some("moon")));
    assert_eq!((&second.sha256, second.size), (&None, None));
}

#[test]
fn names_are_normalised_before_they_are_matched() {
    assert_eq!(chosen("spelt", "x86_64-linux-gnu"), Some('1'));
    assert_eq!(chosen("spelt", "armv7l-linux-gnueabihf"), Some('2'));
    assert_eq!(chosen("spelt", "x86_64-linux-musl"), None);
    // The entry that has more in common, were `gnu` a C library.
    assert_eq!(chosen("spelt", "x86_64-linux-gnu-libgfortran5"), Some('1'));
    assert_eq!(corpus("spelt")[0].as_ref().expect("usable").spelt["arch"], "AMD64");
}

#[test]
fn versions_cap_and_julia_counts_by_major_and_minor() {
    assert_eq!(chosen("caps", "x86_64-apple-darwin20"), Some('2'), "as text, `darwin9` is greater");
    assert_eq!(chosen("caps", "x86_64-apple-darwin9"), None);
    assert_eq!(chosen("caps", "x86_64-apple-darwin21"), Some('2'));
    assert_eq!(chosen("julia", "x86_64-linux-gnu-julia_version+1.10.7"), Some('1'));
    assert_eq!(chosen("julia", "x86_64-linux-gnu-julia_version+1.9.0"), Some('2'));
    assert_eq!(chosen("julia", "x86_64-linux-gnu-julia_version+1.11.0"), None);
    assert_eq!(chosen("julia", "x86_64-linux-gnu"), Some('2'), "as text, `1.9.3` is greater");
}

#[test]
fn ties_go_to_the_greatest_triplet() {
    assert_eq!(chosen("tie", "x86_64-linux-gnu"), Some('2'));
    assert_eq!(chosen("tie", "x86_64-linux-gnu-mpi+mpich"), Some('1'));
    assert_eq!(chosen("tie", "x86_64-linux-gnu-mode+dbg"), Some('3'));
    assert_eq!(chosen("tie", "x86_64-linux-gnu-mode+opt"), Some('2'));
}

#[test]
fn a_broken_entry_says_why_and_does_not_stop_the_others() {
    let reasons: Vec<String> = corpus("broken").into_iter().filter_map(Result::err).collect();
    let wanted = ["git-tree-sha1", "arch", "os", "description"];
    assert_eq!(reasons.len(), wanted.len());
    for (reason, word) in reasons.iter().zip(wanted) {
        assert!(reason.contains(&format!("`{word}`")), "{reason}");
    }
    assert_eq!(chosen("broken", "x86_64-linux-gnu"), Some('5'));
}

#[test]
fn the_dialect_is_told_name_by_name() {
    let id = "0".repeat(64);
    assert_eq!(dialect_of(&value(&format!("sha256 = '{id}'\nisdir = true"))), Ok(Dialect::Binding));
    assert_eq!(dialect_of(&value("git-tree-sha1 = 1")), Ok(Dialect::Builtin), "a broken one is one too");
    for (wrong, word) in [
        (value("os = 'linux'"), "neither"),
        (value("v1 = {git-tree-sha1 = ''}"), "`v1` has one"),
        (Value::from("text"), "string"),
        (Value::Array(vec![Value::from(1)]), "no entry"),
        (Value::Array(Vec::new()), "no entry"),
    ] {
        let reason = dialect_of(&wrong).expect_err(word);
        assert!(reason.contains(word), "{reason}");
    }
}

#[test]
fn an_archives_hash_in_place_of_a_trees_is_named() {
    let wrong = value(&format!("git-tree-sha1 = '{}'", "a".repeat(64)));
    assert_eq!(dialect_of(&wrong), Ok(Dialect::Builtin));
    let reason = entries_of(&wrong).remove(0).expect_err("64 digits");
    assert!(reason.contains("SHA-256 of an archive"), "{reason}");
    for wrong in ["git-tree-sha1 = 1", "git-tree-sha1 = 'xyz'"] {
        assert!(entries_of(&value(wrong))[0].is_err(), "{wrong}");
    }
    assert!(entries_of(&Value::from(1))[0].is_err());
}

#[test]
fn odd_downloads_are_told_and_kept() {
    let tree = format!("git-tree-sha1 = '{}'", "1".repeat(40));
    assert!(entry(&tree).downloads.is_empty());
    let table = entry(&format!("{tree}\ndownload = {{url = 'a'}}"));
    assert_eq!((table.downloads.len(), table.oddities.len()), (1, 0));
    let mixed = "download = [{url = 'a', size = -1}, {url = 'b', sha256 = 'short'}, 3, {sha256 = ''}, {url = ''}]";
    let mixed = entry(&format!("{tree}\n{mixed}"));
    assert_eq!((mixed.downloads.len(), mixed.oddities.len()), (1, 4), "{:?}", mixed.oddities);
    assert_eq!(mixed.downloads[0].unknown["size"].as_integer(), Some(-1));
    assert!(mixed.oddities[0].contains("download 2") && mixed.oddities[0].contains("`short`"), "{:?}", mixed.oddities);
    let text = entry(&format!("{tree}\ndownload = 'https://example.org'\nlazy = 'yes'"));
    assert_eq!((text.oddities.len(), text.unknown.len(), text.lazy), (2, 2, false));
}

#[test]
fn an_entry_comes_back_with_everything_it_had() {
    let odd = "git-tree-sha1 = '1111111111111111111111111111111111111111'\nlazy = 'yes'\nx = {y = [1]}\n\
               download = [{url = 'a', size = 3, sha256 = '', z = 1}, {url = 'b', size = -1}]";
    let odd = value(odd);
    let back = entries_of(&odd).remove(0).expect("usable").to_table();
    assert_eq!(back["download"].as_array().map(Vec::len), Some(2));
    assert_eq!((&back["lazy"], &back["x"]), (&odd["lazy"], &odd["x"]));
}

#[test]
fn of_two_files_in_a_folder_julia_reads_the_one_with_its_name() {
    assert!(is_builtin_file_name("Artifacts.toml") && is_builtin_file_name("JuliaArtifacts.toml"));
    assert!(!is_builtin_file_name("Artifacts_v1.toml") && !is_builtin_file_name("artifacts.toml"));
    let folder = tempfile::tempdir().expect("a folder");
    let [first, second] = FILE_NAMES.map(|name| folder.path().join(name));
    assert_eq!(builtin_file_in(folder.path()).expect("readable"), None);
    std::fs::File::create(&second).expect("a file");
    assert_eq!(builtin_file_in(folder.path()).expect("readable").as_ref(), Some(&second));
    std::fs::File::create(&first).expect("a file");
    assert_eq!(builtin_file_in(folder.path()).expect("readable").as_ref(), Some(&first));
}
