//! Times questions about a store: who uses how much, why something is kept, what would come free.
//!
//! `cargo bench --bench questions` fills the index of one store with 200,000 blobs, 20,000 artifacts, 400,000
//! edges, 25,000 bindings and 300 owners, and of another with ten times that. Whole commands are timed in
//! turn, beside `sqlite3` with the plain equivalent query and `du -s` of what is asked about. Only the smaller
//! store has files, for `du`. `OMA_BENCH_DIR` is the place to work, best in memory, `OMA_BENCH_ROUNDS` the
//! number of rounds; `OMA_BENCH_SCALE=0.05` makes both stores so much smaller,
//! `OMA_BENCH_KEEP=1` leaves them for a profiler.

#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]
#![expect(clippy::disallowed_methods, reason = "what is measured is made outside of a store")]

mod ask;
mod check;
mod disk;
mod draw;
mod fill;
#[path = "../support/mod.rs"]
mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ask::{About, Question, Subject, questions};
use fill::{NOW, Scale, filled};
use ohmyartifacts::Timestamp;
use support::{Contender, Timing, in_turn};

/// What stands beside each other in the table, in the order of the rounds.
const BESIDE: usize = 4;

fn main() {
    let place = std::env::var_os("OMA_BENCH_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    let rounds: usize = from_environment("OMA_BENCH_ROUNDS").unwrap_or(7);
    let factor: f64 = from_environment("OMA_BENCH_SCALE").unwrap_or(1.0);
    let mut work = tempfile::tempdir_in(place).expect("a working folder");
    if std::env::var_os("OMA_BENCH_KEEP").is_some() {
        work.disable_cleanup(true);
        println!("the stores stay in {}", work.path().display());
    }
    let small = told(filled(work.path().join("small"), Scale::new(factor)));
    let large = told(filled(work.path().join("large"), Scale::new(factor * 10.0)));
    disk::spread(&small);
    println!("`du` walks the files of the smaller store only: the larger one has none");
    let has_sqlite = Command::new("sqlite3").arg("-version").stdout(Stdio::null()).status().is_ok();
    if !has_sqlite {
        println!("no `sqlite3` on the path: nothing stands beside it");
    }
    let subjects = [Subject::of(&small), Subject::of(&large)];
    for (root, subject) in [&small, &large].into_iter().zip(&subjects) {
        check::answers(root, subject, |words| oma(root, words));
    }
    let asked = questions(&subjects[0]);
    let asked_of_large = questions(&subjects[1]);
    let mut contenders = Vec::new();
    for (question, of_large) in asked.iter().zip(&asked_of_large) {
        contenders.extend(beside(&small, &large, [question, of_large], &subjects[0], has_sqlite));
    }
    print_table(&asked, &in_turn(rounds, &contenders), has_sqlite);
}

fn from_environment<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// Says what a store's index has.
fn told(root: PathBuf) -> PathBuf {
    let path = root.join("index.sqlite");
    let index = rusqlite::Connection::open(&path).expect("its index");
    let count = |sql: &str| index.query_row(sql, [], |row| row.get::<_, u64>(0)).expect("a number");
    println!(
        "an index of {} files, {} directories, {} edges, {} bindings and {} owners, {} MB",
        count("SELECT count(*) FROM objects WHERE kind <> 2"),
        count("SELECT count(*) FROM objects WHERE kind = 2"),
        count("SELECT count(*) FROM members"),
        count("SELECT count(*) FROM bindings"),
        count("SELECT count(*) FROM owners"),
        std::fs::metadata(path).map_or(0, |found| found.len()) / 1_000_000,
    );
    root
}

/// `oma`, `sqlite3` and `du` over the smaller store, and `oma` over the larger one.
fn beside(
    small: &Path,
    large: &Path,
    [question, of_large]: [&Question; 2],
    subject: &Subject,
    has_sqlite: bool,
) -> [Contender; BESIDE] {
    let (words, words_of_large) = (question.words.clone(), of_large.words.clone());
    let (sql, index) = (question.sql.clone(), small.join("index.sqlite"));
    let described = described(small, question.about, subject);
    let (small, large) = (small.to_owned(), large.to_owned());
    [
        contender(question.name, move || oma(&small, &words)),
        contender("sqlite3", move || if has_sqlite { sqlite(&index, &sql) } else { Command::new("true") }),
        contender("du", move || du(&described)),
        contender("larger", move || oma(&large, &words_of_large)),
    ]
}

fn contender(name: &'static str, run: impl Fn() -> Command + 'static) -> Contender {
    Contender { name, prepare: Box::new(|| ()), run: Box::new(run) }
}

/// Neither the settings nor the clock of this machine matter.
fn oma<T: AsRef<std::ffi::OsStr>>(root: &Path, words: &[T]) -> Command {
    let mut oma = Command::new(env!("CARGO_BIN_EXE_oma"));
    oma.env_clear().env("HOME", root).env("OMA_TEST_NOW", Timestamp::from_millis(NOW).to_string());
    oma.arg("--store").arg(root).args(words);
    oma
}

fn sqlite(index: &Path, sql: &str) -> Command {
    let mut sqlite = Command::new("sqlite3");
    sqlite.arg("-readonly").arg(index).arg(sql);
    sqlite
}

/// The links of an artifact are followed: what they lead to is its weight.
fn du(paths: &[PathBuf]) -> Command {
    let mut du = Command::new("du");
    du.arg(if paths[0].ends_with("artifacts") { "-s" } else { "-sL" }).args(paths);
    du
}

fn described(root: &Path, about: About, subject: &Subject) -> Vec<PathBuf> {
    let of = |condition: &str| {
        let sql = format!(
            "SELECT DISTINCT lower(hex(o.hash)), o.kind FROM bindings b JOIN objects o ON o.id = b.object_id WHERE {condition}"
        );
        disk::paths_of(root, &sql)
    };
    match about {
        About::Store => vec![root.join("artifacts"), root.join("executables")],
        About::Owner => of(&format!("b.owner_id = {}", subject.owner_id)),
        About::Artifact => of(&format!("b.object_id = {}", subject.object_id)),
    }
}

fn print_table(asked: &[Question], times: &[Timing], has_sqlite: bool) {
    println!(
        "{:<24} {:>10} {:>11} {:>8} {:>12} {:>7} {:>8}",
        "QUESTION", "MS", "x SQLITE3", "x DU", "MS, x 10", "GROWTH", "GOAL"
    );
    for (question, times) in asked.iter().zip(times.chunks_exact(BESIDE)) {
        let [oma, sqlite, du, large] = [0, 1, 2, 3].map(|at: usize| times[at].median.as_secs_f64() * 1e3);
        let beside_sqlite = if has_sqlite { format!("{:.3}", oma / sqlite) } else { "-".to_owned() };
        let growth = large / oma;
        println!(
            "{:<24} {oma:>10.1} {beside_sqlite:>11} {:>8.3} {large:>12.1} {growth:>7.1} {:>8}  {}",
            times[0].name,
            oma / du,
            question.goal.map_or_else(|| "-".to_owned(), |goal| format!("{goal:.0}")),
            verdict(question.goal.is_none_or(|goal| oma < goal), growth <= 10.0),
        );
    }
}

fn verdict(in_time: bool, is_linear: bool) -> &'static str {
    match (in_time, is_linear) {
        (true, true) => "holds",
        (false, true) => "too slow",
        (true, false) => "grows too fast",
        (false, false) => "too slow, grows too fast",
    }
}
