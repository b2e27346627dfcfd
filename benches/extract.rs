//! Brings an archive of 20,000 files into a store, beside the programs that unpack it into a folder.
//!
//! `cargo bench --bench extract`; the place to work is `OMA_BENCH_DIR` or the system's temporary folder,
//! `OMA_BENCH_ROUNDS` the number of rounds, `OMA_BENCH_FILES` the number of files. What stands beside each other does
//! not do the same: the store's side also hashes, names and records each file.

#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]
#![expect(clippy::disallowed_methods, reason = "what is measured is made outside of a store")]

#[path = "support/commands.rs"]
mod commands;
mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use commands::{clear, oma, text};
use support::{Contender, Timing, in_turn, succeed};

/// A kind of archive: how it is called, how a shell packs it, and how one unpacks it.
struct Kind {
    names: [&'static str; 2],
    pack: &'static str,
    unpack: &'static str,
}

const KINDS: [Kind; 3] = [
    Kind {
        names: ["tar -x of .tar.zst", "oma download --extract"],
        pack: "tar -cf - . | zstd -q -3 > \"$1\"",
        unpack: "tar --zstd -xf \"$1\"",
    },
    Kind {
        names: ["tar -x of .tar.gz", "oma download --extract"],
        pack: "tar -czf \"$1\" .",
        unpack: "tar -xzf \"$1\"",
    },
    Kind {
        names: ["unzip of .zip", "oma download --extract"],
        pack: "zip -q -r - . > \"$1\"",
        unpack: "unzip -q \"$1\"",
    },
];

fn main() {
    let place = std::env::var_os("OMA_BENCH_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    let rounds = number("OMA_BENCH_ROUNDS").unwrap_or(5);
    let files = number("OMA_BENCH_FILES").unwrap_or(20_000);
    let work = tempfile::tempdir_in(place).expect("a working folder");
    let tree = work.path().join("tree");
    let bytes = fill(&tree, files);
    println!("{files} files, {:.1} MB", bytes_in_mb(bytes));
    let mut contenders = Vec::new();
    for (number, kind) in KINDS.iter().enumerate() {
        let archive = work.path().join(format!("archive-{number}"));
        succeed(shell(kind.pack, &archive, &tree));
        contenders.extend(beside(work.path(), &archive, kind));
    }
    print_table(&in_turn(rounds, &contenders));
}

fn print_table(timings: &[Timing]) {
    println!("{:<26} {:>9} {:>9}", "COMMAND", "MEDIAN", "RATIO");
    for pair in timings.chunks(2) {
        let beside = pair[0].median.as_secs_f64();
        for timing in pair {
            let seconds = timing.median.as_secs_f64();
            println!("{:<26} {:>7.2} s {:>9.2}", timing.name, seconds, seconds / beside);
        }
    }
}

/// A program that unpacks into a folder, and ours into a store; both are new each time.
fn beside(work: &Path, archive: &Path, kind: &Kind) -> [Contender; 2] {
    let (folder, store) = (work.join("folder"), work.join("store"));
    let (new_folder, new_store) = (folder.clone(), store.clone());
    let (theirs, unpack) = (archive.to_owned(), kind.unpack);
    let url = format!("file://{}", text(archive));
    [
        Contender {
            name: kind.names[0],
            prepare: Box::new(move || {
                clear(&new_folder);
                std::fs::create_dir(&new_folder).expect("made");
            }),
            run: Box::new(move || shell(unpack, &theirs, &folder)),
        },
        Contender {
            name: kind.names[1],
            prepare: Box::new(move || {
                clear(&new_store);
                succeed(oma(&["--store", &text(&new_store), "init"]));
            }),
            run: Box::new(move || {
                oma(&["--store", &text(&store), "--owner", "bench", "download", &url, "n", "--extract"])
            }),
        },
    ]
}

/// Files like those of packages: small, half of each alike in all of them, ten to a folder.
fn fill(tree: &Path, files: usize) -> u64 {
    let mut state = 1_u64;
    let mut draw = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    let mut bytes = 0;
    for number in 0..files {
        let folder = tree.join(format!("package-{}/part-{}", number / 200, number / 10 % 20));
        std::fs::create_dir_all(&folder).expect("made");
        let words = 50 + draw() % 350;
        let words = (0..words).flat_map(|_| format!("{:08x} a word ", draw()).into_bytes());
        let content: Vec<u8> = words.collect();
        std::fs::write(folder.join(format!("file-{number}")), &content).expect("written");
        bytes += content.len() as u64;
    }
    bytes
}

fn number(name: &str) -> Option<usize> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

#[expect(clippy::cast_precision_loss, reason = "three digits are read")]
fn bytes_in_mb(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// Runs a line in `folder`, with the archive as its first word.
fn shell(line: &str, archive: &Path, folder: &Path) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-ec", line, "sh"]).arg(archive).current_dir(folder);
    shell
}
