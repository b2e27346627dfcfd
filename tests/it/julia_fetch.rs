//! Declared names become artifacts: from archives that hold what they should, and from no other.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command};

use insta::assert_snapshot;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::cli_text::{fail, run};
use crate::support::oma::{Oma, finish};
use crate::support::{leftovers, make_executable, shelves};

/// The tree every good archive holds: three files, one of them a program, and a link.
fn tree(oma: &Oma) -> std::path::PathBuf {
    let tree = oma.tree("tree", &[("data.csv", "1,2\n"), ("bin/run", "#!/bin/sh\n"), ("deep/er/b", "12345")]);
    make_executable(&tree.join("bin/run"));
    std::os::unix::fs::symlink("../data.csv", tree.join("bin/link")).unwrap();
    tree
}

/// git's SHA-1 of a folder, by git itself.
fn tree_sha1(oma: &Oma, folder: &Path) -> String {
    let git = |words: &[&str]| {
        let output = Command::new("git")
            .arg("--git-dir")
            .arg(oma.path("oracle.git"))
            .arg("--work-tree")
            .arg(folder)
            .args(words)
            .env("HOME", oma.path("home"))
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .output()
            .expect("git runs");
        assert!(output.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    git(&["init", "-q", "--object-format=sha1"]);
    git(&["add", "-A", "-f", "."]);
    let sha1 = git(&["write-tree"]);
    fs::remove_dir_all(oma.path("oracle.git")).unwrap();
    sha1
}

fn tar_of(folder: &Path) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    tar.follow_symlinks(false);
    tar.append_dir_all(".", folder).unwrap();
    tar.into_inner().unwrap()
}

fn packed(how: &str, bytes: &[u8]) -> Vec<u8> {
    match how {
        "tar" => bytes.to_vec(),
        "gz" => {
            let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            writer.write_all(bytes).unwrap();
            writer.finish().unwrap()
        }
        "xz" => {
            let mut writer = liblzma::write::XzEncoder::new(Vec::new(), 1);
            writer.write_all(bytes).unwrap();
            writer.finish().unwrap()
        }
        "bz2" => {
            let mut writer = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
            writer.write_all(bytes).unwrap();
            writer.finish().unwrap()
        }
        "zst" => zstd::encode_all(bytes, 1).unwrap(),
        other => panic!("nobody packs {other}"),
    }
}

/// The plain SHA-256 of bytes, in hex.
fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

/// A place that has these bytes; its URL and their hash.
fn place(oma: &Oma, name: &str, bytes: &[u8]) -> (String, String) {
    (format!("file://{}", oma.file(name, bytes)), sha256(bytes))
}

/// Declares a name of the owner `p` with these places.
fn declare(oma: &Oma, name: &str, tree: &str, places: &[(String, String)]) {
    let mut text = format!("[{name}]\ngit-tree-sha1 = \"{tree}\"\nlicense = \"MIT\"\n");
    for (url, sha256) in places {
        writeln!(text, "[[{name}.download]]\nurl = \"{url}\"\nsha256 = \"{sha256}\"").expect("a text");
    }
    let file = oma.file("Artifacts.toml", text);
    let rows = oma.json(&["-o", "p", "import", &file]);
    assert_eq!(rows[0]["status"], "declared", "{rows}");
}

/// An owner `p` who declares `data`, served by one good archive.
fn declared() -> Oma {
    let oma = Oma::new();
    let tree = tree(&oma);
    let good = place(&oma, "good.tar.gz", &packed("gz", &tar_of(&tree)));
    declare(&oma, "data", &tree_sha1(&oma, &tree), &[good]);
    oma
}

/// Nothing of an attempt may be left: no object, no work, no name.
fn assert_untouched(oma: &Oma) {
    assert_eq!(shelves(&oma.root()), Vec::<String>::new());
    assert_eq!(leftovers(&oma.root()), Vec::<String>::new());
    let names = oma.json(&["-o", "p", "ls"]);
    assert!(names.as_array().unwrap().iter().all(|row| row["hash"].is_null()), "{names}");
}

#[test]
fn every_packing_gives_what_adding_the_folder_gives() {
    for how in ["tar", "gz", "bz2", "xz", "zst"] {
        let oma = Oma::new();
        let tree = tree(&oma);
        // The name says nothing of the packing.
        let archive = place(&oma, "archive", &packed(how, &tar_of(&tree)));
        declare(&oma, "data", &tree_sha1(&oma, &tree), &[archive]);
        let fetched = oma.json(&["-o", "p", "fetch", "data"]);
        let other = Oma::new();
        let added = other.json(&["add", tree.to_str().unwrap()]);
        for field in ["hash", "kind", "size", "files", "new_files", "new_bytes"] {
            assert_eq!(fetched[field], added[field], "{how}: {field}");
        }
        assert_eq!(fetched["lease_expires_at"], Value::Null);
        assert_eq!(fetched["binding"]["meta"], json!({"license": "MIT"}));
        let path = fetched["path"].as_str().unwrap();
        assert_eq!(fs::read_to_string(format!("{path}/bin/link")).unwrap(), "1,2\n", "{how}");
        assert_eq!(oma.json(&["verify"])["problems"], json!([]));
        assert_eq!(leftovers(&oma.root()), Vec::<String>::new());
    }
}

#[test]
fn a_name_is_declared_then_bound_then_gone() {
    let oma = declared();
    let row = json!([{
        "owner": "p", "version": null, "name": "data", "hash": null, "kind": null, "size": null,
        "bound_at": null, "last_used_at": null, "meta": {"license": "MIT"},
    }]);
    assert_eq!(oma.json(&["ls"]), row);
    assert_eq!(oma.json(&["ls", "--sort", "size"]), row, "it can be sorted");
    assert_eq!(oma.ok(&["-q", "ls"]).stdout, "", "it has no id");
    let hash = oma.line(&["-o", "p", "fetch", "data"]);
    assert_eq!(oma.line(&["-o", "p", "hash", "data"]), hash);
    assert_eq!(oma.json(&["ls"]).as_array().unwrap().len(), 1, "what is bound is listed once");
    assert_eq!(oma.json(&["show", &hash])["sources"][0]["kind"], "url");

    // What is bound is not fetched again.
    fs::remove_file(oma.path("good.tar.gz")).unwrap();
    let again = oma.json(&["-o", "p", "fetch", "data"]);
    assert_eq!((again["hash"].as_str(), &again["new_files"]), (Some(hash.as_str()), &json!(0)));
    oma.ok(&["-o", "p", "unbind", "data"]);
    assert_eq!(oma.json(&["ls"]), json!([]));
    assert_eq!(oma.fails(3, &["--json", "-o", "p", "fetch", "data"]).error_kind(), "not_found");
}

#[test]
fn unbinding_drops_what_is_only_declared() {
    let oma = declared();
    let dropped = oma.json(&["-o", "p", "unbind", "data", "other"]);
    assert_eq!(dropped, json!({"unbound": [], "undeclared": ["data"], "missing": ["other"]}));
    assert_eq!(oma.json(&["ls"]), json!([]));
    oma.fails(3, &["-o", "p", "fetch", "data"]);
}

#[test]
fn what_was_announced_is_checked() {
    let oma = Oma::new();
    let tree = tree(&oma);
    let sha1 = tree_sha1(&oma, &tree);
    let (url, sha256) = place(&oma, "good.tar.gz", &packed("gz", &tar_of(&tree)));
    declare(&oma, "sha", &sha1, &[(url.clone(), "1".repeat(64))]);
    declare(&oma, "tree", &"2".repeat(40), &[(url, sha256)]);
    for name in ["sha", "tree"] {
        assert_eq!(oma.fails(4, &["--json", "-o", "p", "fetch", name]).error_kind(), "damaged");
        assert_untouched(&oma);
    }
}

#[test]
fn a_tree_that_lost_its_execute_bit_is_another_one() {
    let oma = Oma::new();
    let tree = tree(&oma);
    let sha1 = tree_sha1(&oma, &tree);
    fs::set_permissions(tree.join("bin/run"), std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    declare(&oma, "data", &sha1, &[place(&oma, "a", &tar_of(&tree))]);
    oma.fails(4, &["-o", "p", "fetch", "data"]);
    assert_untouched(&oma);
}

#[test]
fn the_next_place_is_tried() {
    let oma = Oma::new();
    let tree = tree(&oma);
    let good = place(&oma, "good.tar.xz", &packed("xz", &tar_of(&tree)));
    let gone = (format!("file://{}", oma.at("gone")), good.1.clone());
    let torn = place(&oma, "torn", &packed("xz", &tar_of(&tree))[..64]);
    let web = ("ftp://user:secret@example.org/a?token=secret".to_owned(), good.1.clone());
    declare(&oma, "data", &tree_sha1(&oma, &tree), &[gone, web, torn, good]);
    let ran = oma.ok(&["-o", "p", "fetch", "data"]);
    let told: Vec<&str> = ran.stderr.lines().filter(|line| line.starts_with("warning: ")).collect();
    assert_eq!(told.len(), 3, "each failure is told: {ran:#?}");
    assert!(told[0].contains("/gone`") && told[1].contains("example.org") && told[2].contains("/torn`"), "{told:?}");
    assert!(!ran.stderr.contains("secret"), "{ran:#?}");
    let sources = oma.json(&["show", ran.stdout.trim_end()])["sources"].clone();
    let place = |name: &str| format!("file://{}", oma.at(name));
    assert_eq!(sources.as_array().map(Vec::len), Some(1), "{sources}");
    assert_eq!((&sources[0]["kind"], &sources[0]["location"]), (&json!("url"), &json!(place("good.tar.xz"))));
    let download = &sources[0]["download"];
    assert_eq!(download["places"], json!([place("gone"), place("torn"), place("good.tar.xz")]));
    assert_eq!(download["unpacked"], json!("whole"));
    assert_eq!(leftovers(&oma.root()), Vec::<String>::new());
}

#[test]
fn an_archive_made_to_do_harm_leaves_nothing() {
    let oma = Oma::new();
    let mut archives = vec![("out", tar_with("../out", None)), ("abs", tar_with("/tmp/oma-escaped", None))];
    archives.push(("link", {
        let mut tar = tar::Builder::new(Vec::new());
        append(&mut tar, "l", Some("../.."));
        append(&mut tar, "l/out", None);
        tar.into_inner().unwrap()
    }));
    for (name, bytes) in archives {
        declare(&oma, name, &"3".repeat(40), &[place(&oma, &format!("{name}.tar"), &bytes)]);
        let code = oma.run(&["-o", "p", "fetch", name]).code;
        assert!(matches!(code, Some(1 | 4)), "{name}: {code:?}");
        assert_untouched(&oma);
        assert!(!oma.path("store/tmp/out").exists() && !oma.path("store/out").exists());
        assert!(!Path::new("/tmp/oma-escaped").exists());
    }
}

#[test]
fn a_link_out_of_the_tree_is_refused_though_the_hash_covers_it() {
    let oma = Oma::new();
    let tree = tree(&oma);
    std::os::unix::fs::symlink("/etc/passwd", tree.join("out")).unwrap();
    declare(&oma, "data", &tree_sha1(&oma, &tree), &[place(&oma, "a.tar", &tar_of(&tree))]);
    assert_snapshot!(fail(&oma, 1, &["-o", "p", "fetch", "data"]), @"
    --- stderr
    error: could not fetch `data` from its only place
      caused by: the link `file://[TMP]/a.tar/out` to `/etc/passwd` leaves the tree
    ");
    assert_untouched(&oma);
}

fn tar_with(name: &str, link: Option<&str>) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    append(&mut tar, name, link);
    tar.into_inner().unwrap()
}

/// Adds an entry under any name, which the library itself would refuse.
fn append(tar: &mut tar::Builder<Vec<u8>>, name: &str, link: Option<&str>) {
    let mut header = tar::Header::new_gnu();
    header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_mode(0o644);
    if let Some(target) = link {
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_link_name(target).unwrap();
        header.set_size(0);
        header.set_cksum();
        tar.append(&header, &b""[..]).unwrap();
    } else {
        header.set_size(5);
        header.set_cksum();
        tar.append(&header, &b"harm\n"[..]).unwrap();
    }
}

#[test]
fn what_julia_installed_is_taken_first_and_not_believed() {
    let oma = declared();
    let sha1 = tree_sha1(&oma, &oma.path("tree"));
    let installed = oma.path("depot/artifacts").join(&sha1);
    fs::create_dir_all(installed.parent().unwrap()).unwrap();
    fs::rename(oma.path("tree"), &installed).unwrap();
    fs::write(installed.join("more"), "changed by hand").unwrap();
    let words = ["-o", "p", "fetch", "data", "--depot", &oma.at("depot")];
    let ran = oma.ok(&words);
    assert!(ran.stderr.starts_with("warning: ") && ran.stderr.contains(&sha1), "{ran:#?}");
    assert_eq!(oma.json(&["show", ran.stdout.trim_end()])["sources"][0]["kind"], "url");

    let other = Oma::new();
    let file = oma.at("Artifacts.toml");
    other.json(&["-o", "p", "import", &file]);
    fs::remove_file(installed.join("more")).unwrap();
    fs::remove_file(oma.path("good.tar.gz")).unwrap();
    let hash = other.line(&words);
    assert_eq!(hash, ran.stdout.trim_end());
    let source = other.json(&["show", &hash])["sources"][0].clone();
    assert_eq!((&source["kind"], &source["location"]), (&json!("path"), &json!(installed.to_str().unwrap())));
    assert!(installed.join("bin/run").exists(), "it is Julia's and stays");
}

#[test]
fn of_many_callers_one_fetches() {
    let oma = declared();
    let callers: Vec<Child> = (0..6).map(|_| oma.start(&["--json", "-o", "p", "fetch", "data"])).collect();
    let answers: Vec<Value> = callers.into_iter().map(|child| finish(child).expect(0).json()).collect();
    let fetched = answers.iter().filter(|answer| answer["new_files"] != json!(0)).count();
    assert_eq!(fetched, 1, "one did the work: {answers:#?}");
    assert!(answers.iter().all(|answer| answer["hash"] == answers[0]["hash"] && answer["hash"].is_string()));
    assert_eq!(oma.json(&["verify"])["problems"], json!([]));
    assert_eq!(leftovers(&oma.root()), Vec::<String>::new());
}

#[test]
fn a_binding_whose_files_are_gone_is_fetched_anew() {
    let oma = declared();
    let path = oma.json(&["-o", "p", "fetch", "data"])["path"].as_str().unwrap().to_owned();
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    fs::remove_dir_all(&path).unwrap();
    let again = oma.json(&["-o", "p", "fetch", "data"]);
    assert_eq!(again["path"].as_str(), Some(path.as_str()));
    assert_eq!(fs::read_to_string(format!("{path}/data.csv")).unwrap(), "1,2\n");
}

#[test]
fn several_names_are_a_list() {
    let oma = declared();
    let sha1 = tree_sha1(&oma, &oma.path("tree"));
    let good = (format!("file://{}", oma.at("good.tar.gz")), sha256(&fs::read(oma.path("good.tar.gz")).unwrap()));
    declare(&oma, "more", &sha1, &[good]);
    let both = oma.json(&["-o", "p", "fetch", "data", "more"]);
    let names: Vec<&Value> = both.as_array().unwrap().iter().map(|row| &row["binding"]["name"]).collect();
    assert_eq!(names, [&json!("data"), &json!("more")]);
}

#[test]
fn nothing_is_made_for_a_store_that_is_not_there() {
    let oma = Oma::new();
    oma.fails(3, &["-o", "p", "fetch", "data"]);
    assert!(!oma.root().exists());
}

#[test]
fn texts() {
    let oma = declared();
    let tree = tree_sha1(&oma, &oma.path("tree"));
    let text = format!(
        "[[plat]]\narch = \"x86_64\"\nos = \"linux\"\nlibc = \"musl\"\ngit-tree-sha1 = \"{tree}\"\n\
         [[plat]]\narch = \"aarch64\"\nos = \"macos\"\ngit-tree-sha1 = \"{tree}\"\n"
    );
    let file = oma.file("Artifacts.toml", text);
    oma.json(&["-o", "p", "import", "--platform", "all", &file]);
    declare(&oma, "wrong", &"2".repeat(40), &[(format!("file://{}", oma.at("nowhere")), "1".repeat(64))]);
    assert_snapshot!(run(&oma, &["ls"]), @"
    --- stdout
    OWNER  NAME                       HASH      KIND                           SIZE  BOUND  USED
    p      data                       declared  tree                              -      -     -
    p      plat@aarch64-apple-darwin  declared  tree for aarch64-apple-darwin     -      -     -
    p      plat@x86_64-linux-musl     declared  tree for x86_64-linux-musl        -      -     -
    p      wrong                      declared  tree                              -      -     -

    0 bindings, 0 B if nothing were shared; 4 declared, `oma fetch` brings them
    ");
    assert_snapshot!(fail(&oma, 3, &["-o", "p", "path", "data"]), @"
    --- stderr
    error: p binds no artifact to `data`
    hint: it is declared; `oma fetch --owner p data` brings it
    ");
    assert_snapshot!(fail(&oma, 3, &["hash", "p:data"]), @"
    --- stderr
    error: nothing is known as `p:data`
    hint: it is declared; `oma fetch --owner p data` brings it
    ");
    assert_snapshot!(fail(&oma, 1, &["-o", "p", "fetch", "wrong"]), @"
    --- stderr
    error: could not fetch `wrong` from its only place
      caused by: could not open `[TMP]/nowhere`: No such file or directory (os error 2)
    ");
    assert_snapshot!(fail(&oma, 1, &["-o", "p", "fetch", "plat@aarch64-apple-darwin"]), @"
    --- stderr
    error: could not fetch `plat@aarch64-apple-darwin`: it is declared without a place to get it from
    hint: its package makes it; install it with Julia and name the depot with `--depot DIR`
    ");
    assert_snapshot!(run(&oma, &["-o", "p", "fetch", "data"]), @"
    --- stdout
    9feeee9a0339f2ee223e38af4eec59c605a87e9cece6e0ad89a6f29cd9b1abfb
    --- stderr
    tree of 3 files, 19 B (3 files stored anew, 19 B); bound to `data`
    ");
    assert_snapshot!(run(&oma, &["-o", "p", "unbind", "data", "wrong"]), @"
    --- stderr
    unbound `data` from 9feeee9a0339
    p no longer declares `wrong`
    ");
}
