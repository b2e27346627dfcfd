//! What a caller gives: links that lead out, pipes, modes, paths that look like others.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use ohmyartifacts::{BindOptions, Error, LinkStyle, Source};
use serde_json::json;

use crate::julia_failures::{Pair, contents, ends, freed};
use crate::non_root::Unprivileged;
use crate::support::julia::{ALPHA, blob_id, git_tree, import, make_space, set_mode};
use crate::support::oma::Oma;
use crate::support::{Env, STYLES, bytes_on_disk, gc, leftovers, make_executable, mode_of, picture, refused, shelves};

fn fifo(at: &Path) {
    assert!(Command::new("mkfifo").arg(at).status().expect("mkfifo runs").success());
}

/// Nothing came in, and nothing is left on the way.
fn assert_empty(oma: &Oma, what: &str) {
    assert_eq!(shelves(&oma.root()), Vec::<String>::new(), "{what}");
    assert_eq!(leftovers(&oma.root()), Vec::<String>::new(), "{what}");
}

/// The original: "The callback returns a link to a directory outside → the user's files are moved into
/// the store; to a file outside → the user's file becomes read-only."
#[test]
fn failure_06_results_that_are_links_take_the_users_files() {
    let pair = Pair::writing();
    let oma = &pair.oma;
    let home = oma.tree("user", &[("file", "mine"), ("d/deep", "mine too")]);
    set_mode(&home.join("file"), 0o664);
    set_mode(&home.join("d"), 0o775);
    let before = picture(&home);
    let outside = home.to_str().unwrap();
    for (script, result) in [
        (format!("ln -s {outside}/d l"), "l"),
        (format!("ln -s {outside}/d l"), "l/"),
        (format!("ln -s {outside}/d l"), "l/deep"),
        (format!("ln -s {outside}/d/ k; ln -s k l"), "l"),
        (format!("ln -s {outside}/file l"), "l"),
        (format!("ln -s ../../../../user/file l; test -e l || ln -sf {outside}/file l"), "l"),
        (format!("ln -s {outside} l"), "l/d/../file"),
        ("true".to_owned(), &*format!("{outside}/file")),
        ("true".to_owned(), &*format!("{outside}/d")),
        // The working directory itself becomes the link.
        (format!("cd ..; rmdir \"$OMA_WORKDIR\"; ln -s {outside}/d \"$OMA_WORKDIR\""), "."),
    ] {
        let what = format!("`{script}` with `--result {result}`");
        for verb in [&["create", "--bind", "n"][..], &["get", "n"]] {
            let words = [&["-o", ALPHA], verb, &["--result", result, "--", "sh", "-c", &script]].concat();
            let ran = ends(oma, &words).expect(1);
            assert!(ran.stderr.contains("does not lie inside the working directory"), "{what}: {ran:#?}");
            assert_eq!(picture(&home), before, "{what}: the user's files were touched");
            assert_empty(oma, &what);
        }
    }
    // Nor is anything taken through a link inside of what is kept.
    for script in [format!("ln -s {outside}/d l"), format!("mkdir x; ln -s {outside}/file x/l")] {
        let ran = ends(oma, &["-o", ALPHA, "create", "--bind", "n", "--", "sh", "-c", &script]).expect(1);
        assert!(ran.stderr.contains("leaves the tree"), "{ran:#?}");
        assert_eq!(picture(&home), before, "`{script}`: the user's files were touched");
        assert_empty(oma, &script);
    }
    assert!(!pair.bindings_file().exists(), "a name went to the other side");
}

/// The original: "A FIFO in the tree hangs; an unreadable file gets a wrong id."
#[test]
fn failure_12_pipes_hang() {
    let oma = Oma::new();
    let tree = oma.tree("tree", &[("a", "a"), ("d/b", "b")]);
    fifo(&tree.join("d/pipe"));
    let pipe = oma.at("tree/d/pipe");
    for words in [
        &["add", &oma.at("tree")][..],
        &["add", "--move", &oma.at("tree")],
        &["add", &pipe],
        &["create", "--", "sh", "-c", "mkdir d; mkfifo d/pipe"],
        &["-o", "o", "get", "n", "--result", "pipe", "--", "mkfifo", "pipe"],
    ] {
        let ran = ends(&oma, words).expect(1);
        assert!(ran.stderr.contains("pipe") && ran.stderr.contains("cannot hold"), "{ran:#?}");
        assert_empty(&oma, &words.join(" "));
    }
    assert_eq!(fs::read(tree.join("d/b")).unwrap(), b"b", "the source is as it was");
}

/// The same on the side of Julia: pipes where artifacts, bindings, logs and locks lie.
#[test]
fn failure_12_pipes_in_a_scratch_space_hang() {
    let (good, bad) = (blob_id(b"good").to_string(), blob_id(b"bad").to_string());
    let text = format!("[good]\nsha256 = \"{good}\"\nisdir = false\n[bad]\nsha256 = \"{bad}\"\nisdir = false\n");
    for place in ["blob", "logs/my_artifact_usage.toml", "logs/my_artifact_orphanages.toml", "other/Artifacts.toml"] {
        let pair = Pair::apart();
        make_space(&pair.oma.path("depot"), &[b"good", b"bad"], &[(&format!("{ALPHA}/Artifacts.toml"), &text)]);
        let other = "bbbbbbbb-2222-4222-8222-222222222222";
        let at = if place == "blob" { pair.artifact(&bad) } else { pair.at(&place.replace("other", other)) };
        fs::create_dir_all(at.parent().unwrap()).unwrap();
        let _ = fs::remove_file(&at);
        fifo(&at);
        let depot = pair.oma.at("depot");
        ends(&pair.oma, &["import", &depot]);
        let path = pair.oma.line(&["path", &format!("{ALPHA}:good")]);
        assert_eq!(fs::read(path).unwrap(), b"good", "{place}: one pipe keeps the others out");
        let kept = pair.oma.run(&["path", &format!("{ALPHA}:bad")]);
        assert_eq!(kept.code, Some(if place == "blob" { 3 } else { 0 }), "{place}: {kept:#?}");
        for words in [
            &["attach", "julia", "--depot", &depot][..],
            &["ls"],
            &["usage"],
            &["sync"],
            &["gc", "-y", "--collect-delay", "0"],
            &["attach", "julia", "--depot", &depot, "--write"],
            &["sync"],
            &["gc", "-y", "--collect-delay", "0"],
        ] {
            let ran = ends(&pair.oma, words);
            assert!(matches!(ran.code, Some(0 | 1 | 8)), "{place}: {ran:#?}");
        }
        pair.oma.ok(&["verify"]);
        assert_eq!(pair.oma.line(&["hash", &format!("{ALPHA}:good")]), good, "{place}");
    }
}

/// See [`failure_12_pipes_hang`]: the other half.
#[test]
fn failure_12_unreadable_files_get_a_wrong_id() {
    for style in [LinkStyle::Absolute, LinkStyle::Hardlink] {
        let user = Unprivileged::new(style);
        fs::create_dir(user.oma.root()).unwrap();
        let tree = user.oma.tree("own/tree", &[("a", "a"), ("secret", "secret"), ("d/b", "b")]);
        user.give(&user.oma.root());
        user.give(&user.oma.path("own"));
        let (file, folder) = (tree.join("secret"), tree.join("d"));
        for (locked, open) in [(&file, 0o644), (&folder, 0o755)] {
            set_mode(locked, 0o000);
            for how in [&["add"][..], &["add", "--move"]] {
                let ran = user.run(&[how, &[tree.to_str().unwrap()]].concat()).expect(1);
                assert!(ran.stderr.contains(locked.to_str().unwrap()), "it is not named: {ran:#?}");
                assert_eq!(shelves(&user.oma.root()), Vec::<String>::new(), "{style}");
            }
            set_mode(locked, open);
        }
        let id = user.run(&["add", tree.to_str().unwrap()]).expect(0).stdout;
        assert_eq!(id.trim_end(), git_tree(&tree, "sha256"), "readable again, it has its own id");
    }
}

/// What a tree's files can do, and what a file alone can.
fn can_run(path: &Path) -> bool {
    fs::metadata(path).unwrap().permissions().mode() & 0o111 != 0
}

/// The original: "The execute bit goes to the first creator."
#[test]
fn failure_13_the_execute_bit_goes_to_the_first_creator() {
    const SCRIPT: &str = "#!/bin/sh\nexit 0\n";
    for style in STYLES {
        for first_runs in [true, false] {
            let env = Env::with_style(style);
            let cache = env.open();
            let owner = cache.owner("o").unwrap();
            let mut ids = Vec::new();
            for (name, runs) in [("first", first_runs), ("second", !first_runs)] {
                let tree = env.tree(name, &[("f", SCRIPT), ("d/other", "x")]);
                let file = env.path(format!("{name}.sh"));
                fs::write(&file, SCRIPT).unwrap();
                if runs {
                    make_executable(&tree.join("f"));
                    make_executable(&file);
                }
                let wanted = git_tree(&tree, "sha256");
                let tree = cache.ingest(&Source::copy(&tree)).unwrap();
                assert_eq!(tree.artifact.hash.to_string(), wanted, "{style}: the id says whether it runs");
                let file = cache.ingest(&Source::consume(&file)).unwrap();
                owner.bind(&format!("{name}-tree"), &tree, &BindOptions::new()).unwrap();
                owner.bind(&format!("{name}-file"), &file, &BindOptions::new()).unwrap();
                ids.push(wanted);
            }
            assert_ne!(ids[0], ids[1]);
            for (name, runs) in [("first", first_runs), ("second", !first_runs)] {
                let tree = owner.path(&format!("{name}-tree")).unwrap().unwrap();
                let file = owner.path(&format!("{name}-file")).unwrap().unwrap();
                assert_eq!((can_run(&tree.join("f")), can_run(&file)), (runs, runs), "{style}: {name} of the two");
                assert!(!can_run(&tree.join("d/other")), "{style}");
            }
        }
    }
}

/// The same for what is imported: there the bit of a file is that of whoever came first.
#[test]
fn failure_13_an_imported_execute_bit_is_nobody_elses() {
    const SCRIPT: &str = "#!/bin/sh\nexit 0\n";
    for (mode, ours) in [(0o555, false), (0o444, true)] {
        let pair = Pair::apart();
        let id = blob_id(SCRIPT.as_bytes()).to_string();
        let text = format!("[script]\nsha256 = \"{id}\"\nisdir = false\n");
        make_space(&pair.oma.path("depot"), &[SCRIPT.as_bytes()], &[(&format!("{ALPHA}/Artifacts.toml"), &text)]);
        set_mode(&pair.artifact(&id), mode);
        import(&pair.oma, 0, &[&pair.oma.at("depot")]);
        let file = pair.oma.file("script", SCRIPT);
        if ours {
            make_executable(Path::new(&file));
        }
        assert_eq!(pair.oma.line(&["-o", "o", "add", &file, "--bind", "n"]), id);
        let path = |name: &str| PathBuf::from(pair.oma.line(&["path", name]));
        assert_eq!(can_run(&path("o:n")), ours, "the one added here");
        assert_eq!(can_run(&path(&format!("{ALPHA}:script"))), !ours, "the imported one");
        assert_eq!(mode_of(&pair.artifact(&id)), mode, "the one there");
    }
}

/// The original: "`isdir`-style prefix test lets `<workdir>2/…` pass as inside."
#[test]
fn failure_16_a_neighbour_of_the_working_directory_passes_as_inside() {
    let oma = Oma::new();
    for (script, result) in [
        ("mkdir \"${OMA_WORKDIR}2\"; echo z > \"${OMA_WORKDIR}2/z\"", "../work2/z"),
        ("mkdir \"${OMA_WORKDIR}2\"; echo z > \"${OMA_WORKDIR}2/z\"", "../work2"),
        ("mkdir \"${OMA_WORKDIR}2\"; echo z > \"${OMA_WORKDIR}2/z\"; ln -s \"${OMA_WORKDIR}2\" l", "l/z"),
        ("echo z > \"${OMA_WORKDIR}2\"", "../work2"),
        ("mkdir d; echo z > d2", "d/../../work/../work2"),
    ] {
        let ran = ends(&oma, &["create", "--result", result, "--", "sh", "-c", script]);
        assert!(matches!(ran.code, Some(1 | 3)), "`{script}`, `{result}`: {ran:#?}");
        assert_empty(&oma, result);
    }
    let env = Env::new();
    let cache = env.open();
    for end in ["z", "", ".", "d/../z"] {
        let made = cache.create(|workdir| {
            let neighbour = PathBuf::from(format!("{}2", workdir.display()));
            fs::create_dir_all(neighbour.join("d"))?;
            fs::write(neighbour.join("z"), "z")?;
            Ok::<_, std::io::Error>(neighbour.join(end))
        });
        assert!(matches!(refused(made), Error::OutsideWorkdir { .. }), "<workdir>2/{end}");
    }
    // What only looks like a way out is inside.
    let made = cache.create(|workdir| {
        fs::create_dir(workdir.join("..d"))?;
        fs::write(workdir.join("..d/..z"), "z").map(|()| PathBuf::from("..d/..z"))
    });
    assert_eq!(made.unwrap().artifact.hash, blob_id(b"z"));
}

/// The original: "setuid bits survive into the store."
#[test]
fn failure_17_setuid_bits_survive_into_the_store() {
    const MODES: [(&str, u32); 4] = [("u", 0o4755), ("g", 0o2755), ("t", 0o1644), ("all", 0o7777)];
    for style in STYLES {
        let oma = Oma::with_style(style);
        let source = |name: &str| {
            let tree = oma.tree(name, &[("u", "u"), ("g", "g"), ("t", "t"), ("all", "all"), ("d/x", "x")]);
            for (name, mode) in &MODES {
                set_mode(&tree.join(name), *mode);
            }
            set_mode(&tree.join("d"), 0o7755);
            tree.to_str().unwrap().to_owned()
        };
        let wanted = git_tree(Path::new(&source("copied")), "sha256");
        let script = "echo u > u; chmod 4755 u; echo t > t; chmod 1644 t; mkdir d; echo x > d/x; chmod 7755 d";
        oma.ok(&["init", "--link-style", style.as_str()]);
        assert_eq!(oma.line(&["-o", "o", "add", &source("copied"), "--bind", "copied"]), wanted);
        oma.ok(&["-o", "o", "add", &source("moved"), "--move", "--bind", "moved", "--force"]);
        oma.ok(&["-o", "o", "add", &format!("{}/all", source("one")), "--bind", "one"]);
        oma.ok(&["-o", "o", "add", &format!("{}/u", source("one")), "--move", "--bind", "moved-one"]);
        oma.ok(&["-o", "o", "create", "--bind", "made", "--", "sh", "-c", script]);
        assert_plain(&oma.root(), &style.to_string());
        assert_eq!(mode_of(&oma.path("copied/u")), 0o4755, "the source keeps its own");
        oma.ok(&["verify"]);
    }
}

/// Nothing below has more than permissions, or may be written to.
fn assert_plain(root: &Path, when: &str) {
    let mut seen = 0;
    let shelves = ["artifacts", "executables"].map(|shelf| walkdir::WalkDir::new(root.join(shelf)).min_depth(2));
    for entry in shelves.into_iter().flatten().flatten() {
        if !entry.path_is_symlink() {
            seen += 1;
            assert_eq!(mode_of(entry.path()) & 0o7000, 0, "{when}: {}", entry.path().display());
        }
    }
    assert!(seen > 3, "{when}: {seen} seen");
}

/// The same where modes come from the other side, or go there.
#[test]
fn failure_17_setuid_bits_do_not_cross_over() {
    let pair = Pair::apart();
    let ids = [(0o4555, "u"), (0o2555, "g"), (0o1444, "t"), (0o6644, "w")].map(|(mode, text)| {
        let id = pair.julia("create", &[text]);
        pair.julia("bind", &[ALPHA, text, &id]);
        set_mode(&pair.artifact(&id), mode);
        (mode, id)
    });
    import(&pair.oma, 0, &[&pair.oma.at("depot")]);
    assert_plain(&pair.oma.root(), "imported");
    for (mode, id) in &ids {
        assert_eq!(mode_of(&pair.artifact(id)), *mode, "what others own is theirs");
    }
    pair.oma.ok(&["attach", "julia", "--depot", &pair.oma.at("depot"), "--write"]);
    let tree = pair.oma.tree("tree", &[("new", "new")]);
    set_mode(&tree.join("new"), 0o6755);
    pair.oma.ok(&["-o", ALPHA, "add", tree.to_str().unwrap(), "--bind", "tree"]);
    assert_eq!(mode_of(&pair.artifact(&blob_id(b"new").to_string())), 0o555, "what goes there has none");
    pair.oma.ok(&["verify"]);
}

/// The original: "Freed sizes are wrong for directories."
#[test]
fn failure_18_freed_sizes_of_directories_are_wrong() {
    let big = "0123456789".repeat(50);
    for style in STYLES {
        let env = Env::with_style(style);
        let cache = env.open();
        let owner = cache.owner("o").unwrap();
        let one = env.tree("one", &[("a", &big), ("again", &big), ("d/e/b", "bb"), ("empty", ""), ("v/", "")]);
        let two = env.tree("two", &[("b", "bb"), ("c", "ccc"), ("run", &big)]);
        make_executable(&two.join("run"));
        let three = env.tree("three", &[("c", "ccc"), ("d", "dddd")]);
        symlink("c", three.join("link")).unwrap();
        for (name, path) in [("one", &one), ("two", &two), ("three", &three)] {
            let made = cache.ingest(&Source::copy(path)).unwrap();
            owner.bind(name, &made, &BindOptions::new()).unwrap();
        }
        fs::write(env.path("d"), "dddd").unwrap();
        let made = cache.ingest(&Source::copy(env.path("d"))).unwrap();
        owner.bind("file", &made, &BindOptions::new()).unwrap();
        // What leaves: alone, shared with the next, shared with a file that stays.
        for (name, wanted) in [("one", 500), ("two", 502), ("three", 3), ("file", 4)] {
            owner.unbind([name]).unwrap();
            let before = bytes_on_disk(&env.root());
            let report = gc(&cache, std::time::Duration::ZERO);
            assert_eq!(report.freed_bytes, before - bytes_on_disk(&env.root()), "{style}: {name}, by the disk");
            assert_eq!(report.freed_bytes, wanted, "{style}: {name}, by hand");
            let items: u64 = report.artifacts.iter().map(|item| item.freed_bytes).sum();
            assert_eq!(items, wanted, "{style}: {name}, item by item");
        }
        assert_eq!(bytes_on_disk(&env.root()), 0, "{style}");
        assert_eq!(cache.usage().unwrap().stored_bytes, 0, "{style}");
    }
}

/// The same for what the program prints, and for several directories in one run.
#[test]
fn failure_18_the_sum_of_a_run_is_right() {
    for style in STYLES {
        let oma = Oma::with_style(style);
        oma.ok(&["init", "--link-style", style.as_str()]);
        for (name, own) in [("x", "x"), ("y", "yy")] {
            let tree = oma.tree(name, &[("shared", "shared"), ("own", own), ("kept", "kept")]);
            oma.ok(&["-o", "o", "add", tree.to_str().unwrap(), "--bind", name]);
        }
        oma.ok(&["-o", "o", "add", &oma.at("x/kept"), "--bind", "kept"]);
        oma.ok(&["-o", "o", "unbind", "x", "y"]);
        let preview = oma.json(&["gc", "-n", "--collect-delay", "0"]);
        let before = bytes_on_disk(&oma.root());
        let text = oma.ok(&["gc", "-y", "--collect-delay", "0"]).stdout;
        assert_eq!((freed(&preview), before - bytes_on_disk(&oma.root())), (9, 9), "{style}");
        assert!(text.ends_with("5 artifacts deleted (9 B)\n"), "{style}: {text}");
    }
}

/// The same where a file is one with the other side's: as long as that one is there, no byte leaves.
#[test]
fn failure_18_what_the_other_side_still_has_is_not_freed() {
    let pair = Pair::apart();
    let id = pair.julia("create-dir", &["4", "seed"]);
    pair.julia("bind", &[ALPHA, "tree", &id]);
    let there = contents(&pair.artifact(&id));
    import(&pair.oma, 0, &[&pair.oma.at("depot")]);
    pair.oma.ok(&["-o", ALPHA, "unbind", "tree"]);
    let bytes: u64 = there.values().map(|content| content.len() as u64).sum();
    let before = disk_of(&pair);
    let preview = pair.oma.json(&["gc", "-n", "--collect-delay", "0"]);
    let report = pair.oma.json(&["gc", "-y", "--collect-delay", "0"]);
    assert_eq!(freed(&preview), freed(&report));
    assert_eq!(report["failed"], json!([]));
    assert_eq!(freed(&report), before - disk_of(&pair), "of {bytes} bytes");
    assert_eq!(contents(&pair.artifact(&id)), there);
}

/// Bytes of all files of both sides, each inode once.
fn disk_of(pair: &Pair) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    let mut inodes = std::collections::BTreeMap::new();
    for root in [pair.oma.root().join("artifacts"), pair.oma.root().join("executables"), pair.at("artifacts")] {
        for entry in walkdir::WalkDir::new(root).into_iter().flatten() {
            let found = entry.path().symlink_metadata().unwrap();
            if found.is_file() {
                inodes.insert((found.dev(), found.ino()), found.len());
            }
        }
    }
    inodes.values().sum()
}
