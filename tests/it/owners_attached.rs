//! Owners whose names a scratch space of Julia has too.

use std::fs;

use serde_json::{Value, json};

use crate::julia_attach::Pair;
use crate::support::julia::{ALPHA, BETA, blob_id, make_space};
use crate::support::oma::Oma;

fn bind_file(pair: &Pair, owner: &str, name: &str, content: &str) {
    let file = pair.oma.file("input", content);
    pair.oma.ok(&["-o", owner, "add", &file, "--bind", name]);
}

#[test]
fn what_a_removed_owner_had_is_let_go_there_too() {
    let pair = Pair::small().attached(&["--write"]);
    for (owner, name) in [(ALPHA, "one"), (ALPHA, "two"), (BETA, "other")] {
        bind_file(&pair, owner, name, name);
    }
    pair.oma.ok(&["sync"]);
    pair.oma.ok(&["owner", "remove", ALPHA, "-y"]);
    for name in ["one", "two"] {
        assert_eq!(pair.ask("lookup", &[ALPHA, name]), "none");
    }
    assert_ne!(pair.ask("lookup", &[BETA, "other"]), "none");
    pair.oma.ok(&["sync"]);
    let left = pair.oma.json(&["ls", "-o", ALPHA]);
    let names: Vec<&Value> = left.as_array().unwrap().iter().map(|row| &row["name"]).collect();
    assert!(!names.contains(&&json!("one")) && !names.contains(&&json!("two")), "`sync` brings nothing back: {left}");
}

#[test]
fn names_that_julia_has_too_do_not_change_hands() {
    let pair = Pair::small().attached(&["--write"]);
    bind_file(&pair, ALPHA, "one", "one");
    bind_file(&pair, "here", "two", "two");
    for words in [
        ["owner", "rename", ALPHA, "elsewhere"],
        ["owner", "rename", "here", "99999999-1111-4111-8111-111111111111"],
        ["owner", "delegate", ALPHA, "here"],
        ["owner", "delegate", "here", BETA],
    ] {
        assert_eq!(pair.oma.fails(5, &[&["--json"], &words[..]].concat()).error_kind(), "conflict", "{words:?}");
    }
    assert_ne!(pair.ask("lookup", &[ALPHA, "one"]), "none");
    // The hint ends that.
    let said = pair.oma.fails(5, &["owner", "delegate", ALPHA, "here", "one"]);
    let hint = said.stderr.split('`').nth(3).expect("a hint with a command");
    pair.oma.ok(&hint.split(' ').skip(1).collect::<Vec<_>>());
    pair.oma.ok(&["owner", "delegate", ALPHA, "here", "one"]);
}

#[test]
fn a_budget_is_looked_at_before_a_name_goes_there() {
    let pair = Pair::small().attached(&["--write"]);
    pair.oma.ok(&["owner", "add", ALPHA, "--hard-budget", "1000B"]);
    fs::write(pair.oma.path("big"), "x".repeat(2_000)).unwrap();
    pair.oma.fails(7, &["-o", ALPHA, "add", &pair.oma.at("big"), "--bind", "big"]);
    assert_eq!(pair.ask("lookup", &[ALPHA, "big"]), "none");
    assert_eq!(pair.oma.json(&["ls", "-o", ALPHA]).to_string().matches("big").count(), 0);
}

#[test]
fn an_import_is_within_the_budget_of_its_owner_or_binds_nothing() {
    let oma = Oma::new();
    let contents: [&[u8]; 2] = [b"12345", b"1234567"];
    let row = |name: &str, content: &[u8]| format!("[{name}]\nsha256 = \"{}\"\nisdir = false\n", blob_id(content));
    let table = format!("{}{}", row("small", contents[0]), row("large", contents[1]));
    let file = format!("{ALPHA}/Artifacts.toml");
    let space = make_space(&oma.path("depot"), &contents, &[(&file, &table)]);
    let space = space.to_str().unwrap();
    oma.ok(&["owner", "add", ALPHA, "--hard-budget", "11B"]);
    assert_eq!(oma.fails(7, &["--json", "import", space]).error_kind(), "out_of_space");
    assert_eq!(oma.json(&["ls"]), json!([]), "all names of a file, or none");
    oma.ok(&["owner", "add", ALPHA, "--hard-budget", "12B"]);
    oma.ok(&["import", space]);
    assert_eq!(oma.json(&["owner", "show", ALPHA])["used_bytes"], 12);
}
