//! Archives made to harm whoever unpacks them: each is refused by name, and nothing is written outside.
//!
//! They are made by hand, since no program makes most of them, and go the way of every download: from a place, into
//! the program, out of which nothing may come but a sentence.

#[path = "../../../src/fetch/unpack/tests/forge.rs"]
mod forge;
#[path = "../../../src/fetch/unpack/tests/forge_zip.rs"]
mod forge_zip;
mod packed;
mod tars;
mod zips;

use std::collections::BTreeSet;

use crate::support::oma::Oma;
use crate::support::{leftovers, picture, shelves};

/// An archive, what it is up to, and what must be said about it.
struct Case {
    intent: String,
    archive: Vec<u8>,
    reason: &'static str,
}

impl Case {
    fn new(intent: impl Into<String>, archive: Vec<u8>, reason: &'static str) -> Self {
        Self { intent: intent.into(), archive, reason }
    }
}

/// Downloads each into a store beside a folder of value; most of them want to write into that.
fn refuse_all(cases: &[Case]) {
    let oma = Oma::new();
    std::fs::create_dir(oma.path("outside")).expect("made");
    std::fs::write(oma.path("outside/secret"), "of value").expect("written");
    for case in cases {
        let archive = oma.file("archive", &case.archive);
        let before = picture(&oma.path("outside"));
        let url = format!("file://{archive}");
        let ran = oma.run(&["-o", "me", "download", &url, "name", "--extract", "--links", "keep"]);
        let ran = ran.expect(1);
        ran.assert_printable();
        assert!(ran.stderr.contains(case.reason) && ran.stdout.is_empty(), "{}: {ran:#?}", case.intent);
        assert_eq!(picture(&oma.path("outside")), before, "{}", case.intent);
        assert_eq!(names_in(&oma), ["archive", "home", "outside", "store"], "{}", case.intent);
    }
    assert_eq!(shelves(&oma.root()), Vec::<String>::new());
    // What arrived is kept for another attempt; it is no archive's content.
    let kept: Vec<String> = leftovers(&oma.root()).into_iter().filter(|path| !path.contains("partial")).collect();
    assert_eq!(kept, Vec::<String>::new());
    assert_eq!(oma.ok(&["-o", "me", "--json", "ls"]).json(), serde_json::json!([]));
}

fn names_in(oma: &Oma) -> Vec<String> {
    let entries = std::fs::read_dir(oma.path("")).expect("there");
    let names: BTreeSet<String> =
        entries.map(|entry| entry.expect("readable").file_name().into_string().expect("UTF-8")).collect();
    names.into_iter().collect()
}

#[test]
fn hostile_tars_are_refused() {
    refuse_all(&tars::cases());
}

#[test]
fn hostile_zips_are_refused() {
    refuse_all(&zips::cases());
}

#[test]
fn hostile_streams_are_refused() {
    refuse_all(&packed::cases());
}

#[test]
fn there_are_many_and_no_two_are_alike() {
    let cases: Vec<Case> = [tars::cases(), zips::cases(), packed::cases()].into_iter().flatten().collect();
    let intents: BTreeSet<&String> = cases.iter().map(|case| &case.intent).collect();
    let archives: BTreeSet<&Vec<u8>> = cases.iter().map(|case| &case.archive).collect();
    assert!(cases.len() >= 40 && intents.len() == cases.len() && archives.len() == cases.len());
}
