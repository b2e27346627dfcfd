//! Downloads one large file into a store, beside `curl -o` of the same file from the same server, and beside
//! `curl -o` with `oma add --move` after it.
//!
//! `cargo bench --bench download`; the file has `OMA_BENCH_MIB` MiB (1024), the place to work is `OMA_BENCH_DIR`
//! or `/dev/shm`, `OMA_BENCH_ROUNDS` the number of rounds. The server is a thread of this program and sends from
//! memory, so it takes its share of the processors from all alike.

#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]

#[path = "support/commands.rs"]
mod commands;
#[path = "../tests/it/support/server/mod.rs"]
#[expect(dead_code, unused_imports, reason = "the tests ask more of it")]
mod server;
mod support;

use std::path::{Path, PathBuf};

use commands::{clear, command, oma, text};
use server::{Answer, Server};
use support::{Contender, Timing, in_turn, succeed};

fn main() {
    let place = std::env::var_os("OMA_BENCH_DIR").map_or_else(|| "/dev/shm".into(), PathBuf::from);
    let rounds = number("OMA_BENCH_ROUNDS").unwrap_or(3);
    let mebibytes = number("OMA_BENCH_MIB").unwrap_or(1024);
    let work = tempfile::tempdir_in(place).expect("a working folder");
    let server = Server::start();
    server.put("/large", Answer::bytes(noise(mebibytes * 1024 * 1024)).etag("\"v1\""));
    let url = server.url("/large");

    let timings = in_turn(
        rounds,
        &[
            curl(work.path(), &url),
            download(work.path(), &url, "oma download", &[]),
            download(work.path(), &url, "oma download, not flushed", &["--durability", "none"]),
            curl_and_add(work.path(), &url),
        ],
    );
    print_table(&timings, mebibytes);
}

fn number(variable: &str) -> Option<usize> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Bytes that nothing can make smaller (xorshift64).
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

fn print_table(timings: &[Timing], mebibytes: usize) {
    let curl = timings[0].median.as_secs_f64();
    println!("{:<28} {:>9} {:>8} {:>8}", "COMMAND", "MEDIAN", "MIB/S", "x CURL");
    for timing in timings {
        let seconds = timing.median.as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "three digits are read")]
        let rate = mebibytes as f64 / seconds;
        println!("{:<28} {:>7.2} s {:>8.0} {:>8.2}", timing.name, seconds, rate, seconds / curl);
    }
}

fn curl(work: &Path, url: &str) -> Contender {
    let (file, url) = (text(&work.join("file")), url.to_owned());
    let cleared = file.clone();
    Contender {
        name: "curl -o",
        prepare: Box::new(move || clear(Path::new(&cleared))),
        run: Box::new(move || command("curl", &["-sSf", "-o", &file, &url])),
    }
}

fn download(work: &Path, url: &str, name: &'static str, options: &'static [&'static str]) -> Contender {
    let (store, url) = (text(&work.join("store")), url.to_owned());
    let prepared = store.clone();
    Contender {
        name,
        prepare: Box::new(move || {
            clear(Path::new(&prepared));
            succeed(oma(&[&["--store", &prepared, "init"], options].concat()));
        }),
        run: Box::new(move || oma(&["--store", &store, "-o", "bench", "download", &url, "large"])),
    }
}

/// What a person does without `oma download`.
fn curl_and_add(work: &Path, url: &str) -> Contender {
    let (store, file, url) = (text(&work.join("store")), text(&work.join("file")), url.to_owned());
    let (store_before, file_before) = (store.clone(), file.clone());
    Contender {
        name: "curl -o && oma add --move",
        prepare: Box::new(move || {
            clear(Path::new(&file_before));
            clear(Path::new(&store_before));
            succeed(oma(&["--store", &store_before, "init"]));
        }),
        run: Box::new(move || {
            let script = "curl -sSf -o \"$1\" \"$2\" && \"$3\" --store \"$4\" -o bench add --move \"$1\" --bind large";
            command("sh", &["-c", script, "sh", &file, &url, env!("CARGO_BIN_EXE_oma"), &store])
        }),
    }
}
