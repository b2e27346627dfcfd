//! Puts a real tree of over 20,000 files in, beside `git add` and `cp -r` of the same tree.
//!
//! `cargo bench --bench ingest`; the tree is `OMA_BENCH_TREE` or a usual system folder, the place to
//! work is `OMA_BENCH_DIR` or the system's temporary folder, `OMA_BENCH_ROUNDS` the number of rounds.
//! A filesystem without a journal distorts everything here: prefer one in memory or a journaled one.

#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]

#[path = "support/commands.rs"]
mod commands;
mod support;
#[path = "support/trees.rs"]
mod trees;

use std::path::{Path, PathBuf};

use commands::{clear, command, oma, text};
use support::{Contender, Timing, in_turn, succeed};
use trees::{Size, real_tree, size_of};

fn main() {
    let place = std::env::var_os("OMA_BENCH_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    let rounds = std::env::var("OMA_BENCH_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(3);
    let work = tempfile::tempdir_in(place).expect("a working folder");
    let tree = work.path().join("tree");
    let original = real_tree();
    succeed(command("cp", &["-r", &text(&original), &text(&tree)]));
    let size = size_of(&tree);
    println!("{} of {} files, {:.1} MB", original.display(), size.files, megabytes(&size));

    let timings = in_turn(
        rounds,
        &[
            git(work.path(), &tree, "git add", &[]),
            git(work.path(), &tree, "git add, no zlib", &["-c", "core.compression=0"]),
            copy(work.path(), &tree),
            add(work.path(), &tree, "oma add, absolute links", "absolute"),
            add(work.path(), &tree, "oma add, hard links", "hardlink"),
            again(work.path(), &tree),
        ],
    );
    print_table(&timings, &size);
}

fn print_table(timings: &[Timing], size: &Size) {
    let git = timings[0].median.as_secs_f64();
    println!("{:<26} {:>9} {:>10} {:>8} {:>12}", "COMMAND", "MEDIAN", "FILES/S", "MB/S", "x GIT ADD");
    for timing in timings {
        let seconds = timing.median.as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "three digits are read")]
        let files = size.files as f64 / seconds;
        let megabytes = megabytes(size) / seconds;
        println!("{:<26} {:>7.2} s {:>10.0} {:>8.1} {:>12.2}", timing.name, seconds, files, megabytes, seconds / git);
    }
}

#[expect(clippy::cast_precision_loss, reason = "three digits are read")]
fn megabytes(size: &Size) -> f64 {
    size.bytes as f64 / 1e6
}

fn git(work: &Path, tree: &Path, name: &'static str, options: &'static [&'static str]) -> Contender {
    let repository = work.join("git");
    let (prepared, tree) = (repository.clone(), text(tree));
    Contender {
        name,
        prepare: Box::new(move || {
            clear(&prepared);
            succeed(command("git", &["init", "-q", "--object-format=sha256", &text(&prepared)]));
        }),
        run: Box::new(move || {
            let mut git = command("git", options);
            git.args([
                "--git-dir",
                &format!("{}/.git", text(&repository)),
                "--work-tree",
                &tree,
                "add",
                "-A",
                "-f",
                ".",
            ]);
            git.current_dir(&tree);
            git
        }),
    }
}

fn copy(work: &Path, tree: &Path) -> Contender {
    let target = work.join("copy");
    let (cleared, tree) = (target.clone(), text(tree));
    Contender {
        name: "cp -r",
        prepare: Box::new(move || clear(&cleared)),
        run: Box::new(move || command("cp", &["-r", &tree, &text(&target)])),
    }
}

fn add(work: &Path, tree: &Path, name: &'static str, style: &'static str) -> Contender {
    let store = text(&work.join("store"));
    let (prepared, tree) = (store.clone(), text(tree));
    Contender {
        name,
        prepare: Box::new(move || {
            clear(Path::new(&prepared));
            succeed(oma(&["--store", &prepared, "init", "--link-style", style]));
        }),
        run: Box::new(move || oma(&["--store", &store, "add", &tree, "--links", "keep"])),
    }
}

/// The same content again, into the store the contender before left.
fn again(work: &Path, tree: &Path) -> Contender {
    let (store, tree) = (text(&work.join("store")), text(tree));
    Contender {
        name: "oma add, the same again",
        prepare: Box::new(|| ()),
        run: Box::new(move || oma(&["--store", &store, "add", &tree, "--links", "keep"])),
    }
}
