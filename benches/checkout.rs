//! Takes a real tree of over 20,000 files out of a store in each way, beside `cp -r` and `cp -al` of the same tree.
//!
//! `cargo bench --bench checkout`; the tree is `OMA_BENCH_TREE` or a usual system folder, the place to work is
//! `OMA_BENCH_DIR` or the system's temporary folder, `OMA_BENCH_ROUNDS` the number of rounds. Copies are checked
//! while they are made and, as the store's durability wants it, flushed: `cp` does neither, so a copy without the
//! flush stands beside the one with it. Ways that the filesystem does not have are left out.

#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]

#[path = "support/commands.rs"]
mod commands;
mod support;
#[path = "support/trees.rs"]
mod trees;

use std::path::{Path, PathBuf};
use std::process::Stdio;

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

    let [flushed, unflushed] = ["batch", "none"].map(|durability| filled(work.path(), &tree, durability));
    let mut contenders = vec![
        copy(work.path(), &tree, "cp -r", "-r"),
        copy(work.path(), &tree, "cp -al", "-al"),
        checkout(work.path(), &flushed, "oma checkout, copy", "copy"),
        checkout(work.path(), &unflushed, "oma checkout, copy, no flush", "copy"),
        checkout(work.path(), &flushed, "oma checkout, hardlink", "hardlink"),
        checkout(work.path(), &unflushed, "oma checkout, hardlink, no flush", "hardlink"),
        checkout(work.path(), &flushed, "oma checkout, symlink", "symlink"),
        checkout(work.path(), &flushed, "oma checkout, reflink", "reflink"),
    ];
    contenders.retain(|contender| {
        (contender.prepare)();
        let works = (contender.run)().stdout(Stdio::null()).stderr(Stdio::null()).status();
        works.is_ok_and(|status| status.success())
    });
    print_table(&in_turn(rounds, &contenders), &size);
}

fn print_table(timings: &[Timing], size: &Size) {
    let [copied, linked] = [0, 1].map(|peer: usize| timings[peer].median.as_secs_f64());
    println!("{:<34} {:>9} {:>10} {:>9} {:>9}", "COMMAND", "MEDIAN", "FILES/S", "x CP -R", "x CP -AL");
    for timing in timings {
        let seconds = timing.median.as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "three digits are read")]
        let files = size.files as f64 / seconds;
        let (name, copied, linked) = (timing.name, seconds / copied, seconds / linked);
        println!("{name:<34} {seconds:>7.2} s {files:>10.0} {copied:>9.2} {linked:>9.2}");
    }
}

#[expect(clippy::cast_precision_loss, reason = "three digits are read")]
fn megabytes(size: &Size) -> f64 {
    size.bytes as f64 / 1e6
}

/// A store with the tree in it.
fn filled(work: &Path, tree: &Path, durability: &str) -> String {
    let store = text(&work.join(format!("store-{durability}")));
    succeed(oma(&["--store", &store, "init", "--durability", durability]));
    succeed(oma(&["--store", &store, "-o", "bench", "add", &text(tree), "--links", "keep", "--bind", "tree"]));
    store
}

fn copy(work: &Path, tree: &Path, name: &'static str, option: &'static str) -> Contender {
    let (target, tree) = (work.join("out"), text(tree));
    let cleared = target.clone();
    Contender {
        name,
        prepare: Box::new(move || clear(&cleared)),
        run: Box::new(move || command("cp", &[option, &tree, &text(&target)])),
    }
}

fn checkout(work: &Path, store: &str, name: &'static str, mode: &'static str) -> Contender {
    let (target, store) = (work.join("out"), store.to_owned());
    let cleared = target.clone();
    Contender {
        name,
        prepare: Box::new(move || clear(&cleared)),
        run: Box::new(move || oma(&["--store", &store, "checkout", "bench:tree", &text(&target), "--mode", mode])),
    }
}
