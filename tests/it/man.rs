//! The manual: a page for every verb, with every option, fit for those who set it.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::process::Command;

use crate::support::oma::{Oma, tell};

/// Every verb with its help, found as a person finds it: by asking for help again and again.
fn verbs(oma: &Oma, above: &[String], found: &mut Vec<(Vec<String>, String)>) {
    let words: Vec<&str> = above.iter().map(String::as_str).chain(["--help"]).collect();
    let help = oma.ok(&words).stdout;
    let headings = ["Commands:", "Or:"];
    let listed = help.lines().skip_while(|line| !headings.contains(line)).skip(1);
    let entries = listed.take_while(|line| !line.is_empty()).filter(|line| !line.starts_with("   "));
    for verb in entries.filter_map(|line| line.split_whitespace().next()).filter(|verb| *verb != "help") {
        verbs(oma, &[above, &[verb.to_owned()]].concat(), found);
    }
    found.push((above.to_vec(), help));
}

fn all(oma: &Oma) -> Vec<(Vec<String>, String)> {
    let mut found = Vec::new();
    verbs(oma, &[], &mut found);
    assert!(found.len() > 40, "only {} verbs were found: the test looks in the wrong place", found.len());
    found
}

/// The options that help describes, not those it mentions.
fn options(help: &str) -> BTreeSet<&str> {
    let described = help.lines().filter(|line| line.trim_start().starts_with('-') || line.contains("[alias"));
    let words = described.flat_map(|line| line.split([' ', ',', ']']));
    let words = words.map(|word| word.trim_end_matches('.'));
    words.filter(|word| word.starts_with("--") && word.len() > 2).collect()
}

fn plain(page: &str) -> String {
    page.replace("\\-", "-").replace("\\fB", "").replace("\\fI", "").replace("\\fR", "")
}

#[test]
fn every_verb_has_a_page_that_names_every_option_of_its_help() {
    let oma = Oma::new();
    for (verb, help) in all(&oma) {
        let words: Vec<&str> = ["man"].into_iter().chain(verb.iter().map(String::as_str)).collect();
        let page = plain(&oma.ok(&words).stdout);
        let title = [&["oma".to_owned()], verb.as_slice()].concat().join("-");
        assert!(page.contains(&format!("\n.TH {title} 1 ")), "{page}");
        for option in options(&help) {
            assert!(page.contains(option), "the page of {verb:?} does not name {option}");
        }
    }
    assert!(options(&oma.ok(&["owner", "add", "--help"]).stdout).contains("--until"), "an alias is an option too");
}

#[test]
fn the_page_of_oma_tells_what_scripts_rely_on() {
    let oma = Oma::new();
    let page = plain(&oma.ok(&["man"]).stdout);
    let parts = ["NAME", "SYNOPSIS", "DESCRIPTION", "\"EXIT STATUS\"", "ENVIRONMENT", "FILES", "EXAMPLES"];
    let at: Vec<usize> = parts.iter().map(|part| page.find(&format!("\n.SH {part}\n")).expect(part)).collect();
    assert!(at.is_sorted(), "{page}");
    let text = ["130", "OMA_STORE", "OMA_OWNER", "NO_COLOR", "XDG_DATA_HOME", "index.sqlite", "bindings.journal"];
    for word in text {
        assert!(page.contains(word), "{word}");
    }
}

#[test]
fn no_line_of_ours_is_taken_for_a_request() {
    let oma = Oma::new();
    let known = [".TH ", ".SH ", ".TP", ".PP", ".RS", ".RE", ".nf", ".fi", ".br", ".IP ", ".ie ", ".el "];
    for (verb, _) in all(&oma) {
        let words: Vec<&str> = ["man"].into_iter().chain(verb.iter().map(String::as_str)).collect();
        for line in oma.ok(&words).stdout.lines() {
            let is_request = line.starts_with(['.', '\'']);
            assert!(line.is_ascii(), "{verb:?}: {line}");
            assert!(!is_request || known.iter().any(|known| line.starts_with(known)), "{verb:?}: {line}");
        }
    }
}

#[test]
fn all_pages_are_written_into_a_folder_and_set_without_complaint() {
    let oma = Oma::new();
    let dir = oma.at("share/man1");
    let written = oma.ok(&["man", "--dir", &dir]).stdout;
    let written: BTreeSet<String> = written.lines().map(str::to_owned).collect();
    let titles = all(&oma).into_iter().map(|(verb, _)| [&["oma".to_owned()], verb.as_slice()].concat().join("-"));
    assert_eq!(written, titles.map(|title| format!("{dir}/{title}.1")).collect());
    complaints(&written);
    let gc = fs::read_to_string(oma.path("share/man1/oma-gc.1")).unwrap();
    assert_eq!(gc, oma.ok(&["man", "gc"]).stdout);
    let again = oma.json(&["man", "--dir", &dir]);
    assert_eq!(again.as_array().map(Vec::len), Some(written.len()));
    assert!(!oma.root().exists(), "a manual needs no store");
}

/// Asks those who set manuals, where they are.
fn complaints(pages: &BTreeSet<String>) {
    let setters: [&[&str]; 2] = [&["mandoc", "-T", "lint", "-W", "error"], &["groff", "-man", "-Tutf8", "-ww", "-z"]];
    for setter in setters {
        match Command::new(setter[0]).args(&setter[1..]).args(pages).output() {
            Ok(output) => {
                let said = [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned());
                assert_eq!(said.concat(), "", "{setter:?}");
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                tell(&format!("there is no `{}`: no page is checked by it", setter[0]));
            }
            Err(error) => panic!("{setter:?}: {error}"),
        }
    }
}

#[test]
fn a_page_goes_by_its_words_or_its_title() {
    let oma = Oma::new();
    let page = oma.ok(&["man", "owner", "add"]).stdout;
    assert_eq!(oma.ok(&["man", "owner-add"]).stdout, page);
    let document = oma.json(&["man", "owner-add"]);
    assert_eq!((&document["name"], &document["text"]), (&"oma-owner-add.1".into(), &page.into()));
    let unknown = oma.fails(2, &["man", "gc", "no\x1bthing"]);
    unknown.assert_printable();
    assert!(unknown.stderr.contains("there is no verb"), "{unknown:?}");
    oma.fails(2, &["man", "gc", "--dir", "x"]);
    oma.fails(1, &["man", "--dir", &oma.file("a-file", "")]);
}
