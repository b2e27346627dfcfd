//! Names go back to Julia: what was imported comes out as it was, and comes in again as it is.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::cli_text::{fail, run};
use crate::support::oma::{Oma, Ran, index_rows, tell};
use crate::support::{mode_of, picture};

const SPACE: &str = "fixture/depot/scratchspaces/cf8be1f4-309d-442e-839d-29d2a0af6cb7/0.3";
const UUID: &str = "12345678-1234-4234-8234-123456789abc";

/// A store that has imported the depot which the original program made.
fn imported() -> Oma {
    let oma = Oma::new();
    let packed = fs::File::open(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/julia-depot.tar.gz")).unwrap();
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(packed));
    archive.unpack(oma.path("")).unwrap();
    oma.run(&["import", &oma.at("fixture/depot")]).expect(8);
    oma
}

/// Another store in the same temporary directory, with the same clock.
fn other_store(oma: &Oma, words: &[&str]) -> Value {
    let store = oma.at("other");
    let ran = oma.run(&[&["--store", &store, "--json"], words].concat());
    assert!(matches!(ran.code, Some(0)), "{ran:#?}");
    ran.json()
}

fn files_below(top: &Path) -> Vec<PathBuf> {
    let walk = walkdir::WalkDir::new(top).sort_by_file_name().into_iter().flatten();
    walk.filter(|entry| !entry.file_type().is_dir()).map(|entry| entry.path().to_owned()).collect()
}

/// All ids a store holds, by the program that made its index.
fn ids(store: &Path) -> Option<Vec<String>> {
    index_rows(store, "SELECT lower(hex(hash)) FROM objects WHERE state = 0 ORDER BY hash, kind")
}

#[test]
fn every_file_comes_out_as_julia_wrote_it() {
    let oma = imported();
    let originals = files_below(&oma.path(SPACE)).into_iter().filter(|path| {
        path.file_name().is_some_and(|name| name.to_str().unwrap().starts_with("Artifacts")) && path.is_file()
    });
    let mut compared = 0;
    for original in originals {
        let folder = original.parent().unwrap().file_name().unwrap().to_str().unwrap();
        let name = original.file_name().unwrap().to_str().unwrap();
        let version = name.strip_prefix("Artifacts_v").and_then(|rest| rest.strip_suffix(".toml"));
        let owner = version.map_or_else(|| folder.to_owned(), |version| format!("{folder}@{version}"));
        let text = fs::read_to_string(&original).unwrap();
        let exported = oma.ok(&["-o", &owner, "export"]).stdout;
        if !text.contains("hand-deleted") {
            // A file that was written twice has a line more at its end.
            assert_eq!(exported.trim_end(), text.trim_end(), "{owner}");
        }
        let exported: toml::Table = exported.parse().unwrap();
        let mut wanted: toml::Table = text.parse().unwrap();
        wanted.retain(|name, _| !name.starts_with("hand-deleted"));
        assert_eq!(exported.to_string(), wanted.to_string(), "{owner}");
        compared += wanted.len();
    }
    assert_eq!(compared, 167);
}

#[test]
fn python_reads_equal_tables() {
    let oma = imported();
    oma.ok(&["export", "--dir", &oma.at("out")]);
    let script = "
import sys, pathlib, tomllib
out, original = map(pathlib.Path, sys.argv[1:])
count = 0
for path in sorted(original.glob('*-*-*-*-*/Artifacts*.toml')):
    wanted = tomllib.loads(path.read_text())
    wanted = {name: value for name, value in wanted.items() if not name.startswith('hand-deleted')}
    got = tomllib.loads((out / path.relative_to(original)).read_text())
    # NaN differs from itself; the texts tell types and values apart.
    assert sorted(map(repr, got.items())) == sorted(map(repr, wanted.items())), path
    count += len(got)
print(count)
";
    let python = Command::new("python3").args(["-c", script, &oma.at("out"), &oma.at(SPACE)]).output();
    let answer = match python {
        Ok(answer) if !String::from_utf8_lossy(&answer.stderr).contains("No module named 'tomllib'") => answer,
        _ => return tell("SKIPPED: no python3 with tomllib, so the export is not read by another program"),
    };
    assert!(answer.status.success(), "{}", String::from_utf8_lossy(&answer.stderr));
    assert_eq!(String::from_utf8_lossy(&answer.stdout).trim(), "167");
}

#[test]
fn importing_an_export_is_the_identity() {
    let oma = imported();
    oma.pass(crate::support::DAY);
    let out = oma.at("out");
    let report = oma.json(&["export", "--dir", &out, "--artifacts"]);
    assert_eq!((&report["new_artifacts"], &report["copied_bytes"]), (&json!(455), &json!(0)));
    let rows = other_store(&oma, &["import", &out]);
    let statuses = rows.as_array().unwrap().iter().map(|row| row["status"].as_str().unwrap());
    assert!(statuses.clone().all(|status| ["imported", "unverifiable"].contains(&status)), "{rows:#}");

    assert_eq!(other_store(&oma, &["ls"]), oma.json(&["ls"]), "names, hashes, metadata, times");
    if let (Some(here), Some(there)) = (ids(&oma.root()), ids(&oma.path("other"))) {
        assert_eq!(here, there);
        let mut orphans = 0;
        for id in here {
            let [mine, theirs] = [oma.json(&["show", &id]), other_store(&oma, &["show", &id])];
            for field in ["state", "orphaned_at", "kind", "size", "files", "entries"] {
                assert_eq!(mine[field], theirs[field], "{field} of {id}: {mine:#} {theirs:#}");
            }
            orphans += usize::from(mine["state"] == "orphan");
        }
        assert_eq!(orphans, 11, "the fixture has orphans to compare");
    }

    let again = oma.json(&["export", "--dir", &out, "--artifacts"]);
    assert_eq!((&again["new_artifacts"], &again["kept_artifacts"]), (&json!(0), &json!(455)));
    assert!(again["files"].as_array().unwrap().iter().all(|file| file["written"] == json!(false)), "{again:#}");

    // From the other store into the same place: byte for byte.
    let before = picture(&oma.path("out"));
    fs::rename(&out, oma.path("first")).unwrap();
    other_store(&oma, &["export", "--dir", &out, "--artifacts"]);
    assert_eq!(picture(&oma.path("out")), before);
}

#[test]
fn the_space_is_as_julia_stores_it() {
    let oma = imported();
    let out = oma.at("out");
    oma.ok(&["export", "--dir", &out, "--artifacts"]);
    let mut links = 0;
    for original in files_below(&oma.path(SPACE).join("artifacts")) {
        let below = original.strip_prefix(oma.path(SPACE)).unwrap();
        let name = below.components().nth(2).map(|name| name.as_os_str().len());
        if name != Some(64) {
            continue;
        }
        let ours = oma.path("out").join(below);
        if original.is_symlink() {
            let target = fs::read_link(&original).unwrap();
            let moved = match target.to_str().unwrap().split_once("/artifacts/") {
                Some((_, end)) => PathBuf::from(format!("{out}/artifacts/{end}")),
                None => target,
            };
            assert_eq!(fs::read_link(&ours).unwrap(), moved, "{}", below.display());
            links += 1;
        } else {
            assert_eq!(mode_of(&ours), mode_of(&original), "{}", below.display());
            assert_eq!(fs::read(&ours).unwrap(), fs::read(&original).unwrap());
        }
    }
    assert!(links > 400, "{links}");
    let tops = walkdir::WalkDir::new(format!("{out}/artifacts")).min_depth(2).max_depth(2).into_iter().flatten();
    let tops: Vec<_> = tops.filter(|entry| entry.file_type().is_dir()).collect();
    assert_eq!(tops.len(), 51);
    for top in tops {
        assert_eq!(mode_of(top.path()), 0o555);
    }
    assert!(!oma.path("out/.oma").exists(), "nothing of the work is left");
}

#[test]
fn names_alone_come_back_unchanged() {
    let oma = imported();
    oma.ok(&["export", "--dir", &oma.at("out")]);
    let rows = oma.json(&["import", &oma.at("out")]);
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.len(), 167);
    assert!(rows.iter().all(|row| row["status"] == "unchanged"), "{rows:#?}");
}

#[test]
fn the_log_of_uses_names_every_file_of_a_directory() {
    let oma = Oma::new();
    oma.tree("t", &[("a", "1"), ("deep/b", "2")]);
    let hash = oma.line(&["-o", UUID, "add", &oma.at("t"), "--bind", "n"]);
    let words = ["export", "--dir", &oma.at("out")];
    let mut command = oma.command(&words);
    // Julia writes what the clock on the wall shows.
    command.env("TZ", "IST-5:30");
    Ran::of(command, &words).expect(0);
    let text = fs::read_to_string(oma.path("out/logs/my_artifact_usage.toml")).unwrap();
    assert_eq!(text.matches("n = 2026-01-01T05:30:00.000Z\n").count(), 3, "{text}");
    let log: toml::Table = text.parse().unwrap();
    // What Python's hashlib says of `blob 1\0` with "1" and "2" behind it.
    let mut ids = [
        "36456d9b87f21fc54ed5babf1222a9ab0fbbd0c4ad239a7933522d5e4447049c",
        "0e804515472ad48c09c4186392e0c61324fa20a5d83496864c16515726493dee",
        &hash,
    ];
    ids.sort_unstable();
    let spelt = |id: &str| format!("{}/{}/{id}", oma.at("out/artifacts"), &id[..2]);
    assert_eq!(log.keys().cloned().collect::<Vec<_>>(), ids.map(spelt));
    let file = oma.at(&format!("out/{UUID}/Artifacts.toml"));
    log.values().for_each(|uses| assert!(uses[&file]["n"].is_datetime(), "{log}"));
}

#[test]
fn both_dialects_share_one_file() {
    let oma = Oma::new();
    let original = "\
[[tool]]
arch = \"x86_64\"
git-tree-sha1 = \"1111111111111111111111111111111111111111\"
os = \"linux\"
note = \"kept\"

[[tool]]
arch = \"aarch64\"
git-tree-sha1 = \"2222222222222222222222222222222222222222\"
os = \"macos\"

[plain]
git-tree-sha1 = \"3333333333333333333333333333333333333333\"
";
    oma.json(&["-o", UUID, "import", "--platform", "all", &oma.file("Artifacts.toml", original)]);
    let file = oma.file("f", "content\n");
    oma.ok(&["-o", UUID, "add", &file, "--bind", "own", "--meta", "k=v"]);
    assert_snapshot!(run(&oma, &["-o", UUID, "export"]), @r#"
    --- stdout
    [own]
    isdir = false
    sha256 = "7c490ebf9db90b84753749c721ef2bedfeb85c1da94160f2619df1249c64bdda"

        [own.meta]
        k = "v"

    [plain]
    git-tree-sha1 = "3333333333333333333333333333333333333333"

    [[tool]]
    arch = "x86_64"
    git-tree-sha1 = "1111111111111111111111111111111111111111"
    note = "kept"
    os = "linux"
    [[tool]]
    arch = "aarch64"
    git-tree-sha1 = "2222222222222222222222222222222222222222"
    os = "macos"
    "#);
    let content = oma.json(&["-o", UUID, "export"]);
    assert_eq!(content["tool"].as_array().unwrap().len(), 2);
    assert_eq!(content["own"]["meta"], json!({"k": "v"}));

    oma.ok(&["-o", UUID, "add", &file, "--bind", "tool"]);
    assert_snapshot!(fail(&oma, 1, &["-o", UUID, "export"]), @"
    --- stderr
    error: `tool` cannot be written to TOML: 12345678-1234-4234-8234-123456789abc both binds and declares it: unbind one
    hint: `oma unbind` lets the name go, `oma bind --force` gives it other metadata
    ");
}

#[test]
fn what_julia_cannot_read_is_refused_before_a_byte_is_written() {
    let oma = Oma::new();
    let file = oma.file("f", "content\n");
    let meta = oma.file("meta.toml", "deep = {when = 0999-01-01T00:00:00Z}\n");
    oma.ok(&["-o", UUID, "add", &file, "--bind", "na.me", "--meta-file", &meta]);
    assert_snapshot!(fail(&oma, 1, &["-o", UUID, "export"]), @r#"
    --- stderr
    error: `"na.me".meta.deep.when` cannot be written to TOML: Julia cannot read the year 999, only 1000 to 9999
    hint: `oma unbind` lets the name go, `oma bind --force` gives it other metadata
    "#);
    assert_eq!(oma.fails(1, &["--json", "-o", UUID, "export"]).error_kind(), "failed");
    assert_snapshot!(fail(&oma, 1, &["export", "--dir", &oma.at("out"), "--artifacts"]), @r#"
    --- stderr
    error: `"na.me".meta.deep.when` cannot be written to TOML: Julia cannot read the year 999, only 1000 to 9999; it is one of 12345678-1234-4234-8234-123456789abc
    hint: `oma unbind` lets the name go, `oma bind --force` gives it other metadata
    "#);
    assert!(!oma.path("out").exists());
}

#[test]
fn owners_that_are_no_packages_are_refused() {
    let uppercase = UUID.to_uppercase();
    let slash = format!("{UUID}@1/../..");
    for owner in ["my-model", "../up", "..", "a/b", &uppercase, &slash, "1-2-3-4-5"] {
        let oma = Oma::new();
        oma.ok(&["-o", UUID, "add", &oma.file("f", "content\n"), "--bind", "good"]);
        oma.ok(&["-o", owner, "add", &oma.at("f"), "--bind", "n"]);
        let ran = oma.fails(2, &["export", "--dir", &oma.at("a/b/out")]);
        assert!(ran.stderr.contains(&format!("`{owner}`")), "{ran:#?}");
        assert!(!oma.path("a").exists(), "{owner}: nothing is written");
        // On standard output no folder is named after it.
        oma.ok(&["-o", owner, "export"]);
        oma.ok(&["-o", UUID, "export", "--dir", &oma.at("a/b/out")]);
    }
}

#[test]
fn nothing_is_written_over() {
    let oma = Oma::new();
    oma.ok(&["-o", UUID, "add", &oma.file("f", "content\n"), "--bind", "n"]);
    fs::create_dir(oma.path("full")).unwrap();
    oma.file("full/mine", "precious");
    oma.fails(2, &["export", "--dir", &oma.at("full"), "--force"]);
    oma.fails(2, &["export", "--dir", &oma.at("f"), "--force"]);
    assert_eq!(files_below(&oma.path("full")), [oma.path("full/mine")]);
    assert_eq!(fs::read_to_string(oma.path("f")).unwrap(), "content\n");

    let out = oma.at("out");
    oma.ok(&["export", "--dir", &out]);
    let bindings = oma.path(format!("out/{UUID}/Artifacts.toml"));
    fs::write(&bindings, "# mine\n").unwrap();
    let refused = oma.fails(2, &["export", "--dir", &out]);
    assert!(refused.stderr.contains(UUID) && refused.stderr.contains("--force"), "{refused:#?}");
    assert_eq!(fs::read_to_string(&bindings).unwrap(), "# mine\n");
    oma.ok(&["export", "--dir", &out, "--force"]);
    assert!(fs::read_to_string(&bindings).unwrap().starts_with("[n]\n"));

    // The logs of a part would be read as those of the whole, and Julia would collect the rest.
    let other = UUID.replace("1234", "abcd");
    oma.ok(&["-o", &other, "add", &oma.at("f"), "--bind", "n"]);
    let refused = oma.fails(2, &["-o", &other, "export", "--dir", &out, "--force"]);
    assert!(refused.stderr.contains(&format!("`{UUID}/Artifacts.toml` is not part of this export")), "{refused:#?}");
    assert_eq!(files_below(&oma.path("out")).len(), 3);
    oma.ok(&["export", "--dir", &out, "--force"]);

    // An artifact that is not what its name says is not replaced either.
    oma.ok(&["export", "--dir", &out, "--artifacts"]);
    let artifact = files_below(&oma.path("out/artifacts")).remove(0);
    fs::remove_file(&artifact).unwrap();
    fs::write(&artifact, "changed\n").unwrap();
    oma.fails(2, &["export", "--dir", &out, "--artifacts", "--force"]);
    assert_eq!(fs::read_to_string(&artifact).unwrap(), "changed\n");
}

#[test]
fn a_space_that_a_depot_has_is_never_changed() {
    let oma = imported();
    oma.ok(&["-o", UUID, "add", &oma.file("f", "content\n"), "--bind", "n"]);
    let before = picture(&oma.path("fixture/depot"));
    oma.fails(2, &["export", "--dir", &oma.at(SPACE), "--force"]);
    assert_eq!(picture(&oma.path("fixture/depot")), before);
}

#[test]
fn a_link_at_which_julia_fails_is_refused() {
    let oma = Oma::new();
    let tree = oma.tree("t", &[("a", "1")]);
    std::os::unix::fs::symlink("/etc/passwd", tree.join("out")).unwrap();
    oma.ok(&["-o", UUID, "add", &oma.at("t"), "--links", "keep", "--bind", "n"]);
    assert_snapshot!(fail(&oma, 2, &["export", "--dir", &oma.at("out"), "--artifacts"]), @"
    --- stderr
    error: `03f955366483/out` is not a valid link of a scratch space: it leads to `/etc/passwd`, and Julia fails at absolute links
    ");
    assert!(!oma.path("out").exists());
    oma.ok(&["export", "--dir", &oma.at("out")]);
}

#[test]
fn both_forms_of_a_file_have_one_place() {
    let oma = Oma::new();
    let tree = oma.tree("t", &[("run", "#!/bin/sh\n")]);
    crate::support::make_executable(&tree.join("run"));
    oma.ok(&["-o", UUID, "add", &oma.at("t"), "--bind", "tree"]);
    let plain = oma.line(&["-o", UUID, "add", &oma.file("plain", "#!/bin/sh\n"), "--bind", "plain"]);
    let ran = oma.ok(&["export", "--dir", &oma.at("out"), "--artifacts"]);
    assert!(ran.stderr.contains(&format!("warning: {plain} is kept with and without its execute bit")), "{ran:#?}");
    assert_eq!(mode_of(&oma.path(format!("out/artifacts/{}/{plain}", &plain[..2]))), 0o555);
    // The store's own form stays as it is.
    assert_eq!(oma.json(&["verify"])["problems"], json!([]));
}

#[test]
fn one_owner_takes_only_what_is_its_own() {
    let oma = imported();
    let beta = "bbbbbbbb-2222-4222-8222-222222222222";
    oma.ok(&["-o", beta, "export", "--dir", &oma.at("out"), "--artifacts"]);
    let rows = other_store(&oma, &["import", &oma.at("out")]);
    assert!(rows.as_array().unwrap().iter().all(|row| row["owner"] == beta && row["status"] == "imported"), "{rows:#}");
    assert_eq!(rows.as_array().unwrap().len(), 80, "and no orphan of anybody's");
}

#[test]
fn texts() {
    let oma = Oma::new();
    assert_snapshot!(fail(&oma, 3, &["-o", "nobody", "export"]), @"
    --- stderr
    there is no store at `[TMP]/store` yet; the first command that writes makes it
    error: nobody binds and declares nothing
    hint: `oma owner list` shows who does
    ");
    assert_snapshot!(fail(&oma, 3, &["export", "--dir", &oma.at("out")]), @"
    --- stderr
    there is no store at `[TMP]/store` yet; the first command that writes makes it
    error: nothing is bound or declared
    ");
    assert_snapshot!(fail(&oma, 2, &["export"]), @"
    --- stderr
    error: an owner is needed to know whose name this is
    hint: pass `--owner KEY`, or set it once with `export OMA_OWNER=KEY`
    ");
    oma.ok(&["-o", UUID, "add", &oma.file("f", "content\n"), "--bind", "n"]);
    assert_snapshot!(run(&oma, &["export", "--dir", &oma.at("out"), "--artifacts"]), @"
    --- stdout
    1 name of 1 owner in `[TMP]/out`: 3 files written, 1 artifact put there
    ");
    assert_snapshot!(run(&oma, &["export", "--dir", &oma.at("out")]), @"
    --- stdout
    1 name of 1 owner in `[TMP]/out`: 0 files written, 3 unchanged
    ");
    oma.ok(&["-o", "my-model", "add", &oma.at("f"), "--bind", "n"]);
    assert_snapshot!(fail(&oma, 2, &["export", "--dir", &oma.at("out")]), @"
    --- stderr
    error: `my-model` is not a valid owner of a scratch space: a scratch space has folders named by UUIDs in lower case, such as `6ba7b810-9dad-11d1-80b4-00c04fd430c8`
    ");
    assert!(!oma.path("store/tmp").join("x").exists());
}
