//! The page: nothing on it runs or is loaded, it stays small, and it is put in place whole.

use std::path::Path;

use ohmyartifacts::Digest;
use rusqlite::{Connection, params};

use super::story;
use crate::cli_gc::at_a_terminal;
use crate::support::oma::Oma;

#[test]
fn the_page_stands_alone_and_names_every_owner() {
    let oma = story();
    let page = oma.ok(&["report"]).stdout;
    assert!(page.starts_with("<!DOCTYPE html>"));
    assert_inert(&page);
    for name in ["zoo@1.2", "iris", "plots", "training", "no owner", "alone"] {
        assert!(page.contains(name), "{name} is not on the page");
    }
    for heading in ["Who has what", "Owners", "Sharing", "Ages", "What gc would free", "Largest artifacts"] {
        assert!(page.contains(&format!("<h2>{heading}</h2>")), "{heading}");
    }
    assert_eq!(page, oma.ok(&["report", "-o", "-"]).stdout, "the same data make the same page");
}

/// Fails the test if the page could run or load anything.
fn assert_inert(page: &str) {
    let lower = page.to_lowercase();
    for word in ["<script", "http:", "https:", "<link", "<img", "<iframe", "@import", "javascript:", " on", "src="] {
        let found = lower.match_indices(word).find(|(at, _)| word != " on" || is_handler(&lower[*at..]));
        assert!(found.is_none(), "{word} in {}", &lower[found.unwrap().0..][..60]);
    }
    assert!(page.contains("content=\"default-src &#39;none&#39;; style-src &#39;unsafe-inline&#39;\""));
    let raw = page
        .chars()
        .find(|c| (c.is_control() && *c != '\n') || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'));
    assert_eq!(raw, None);
}

fn is_handler(text: &str) -> bool {
    let name: String = text.trim_start().chars().take_while(char::is_ascii_alphabetic).collect();
    text[1 + name.len()..].starts_with("=\"")
}

/// Names that try to be something else.
pub(crate) const HOSTILE: [&str; 6] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' onmouseover='alert(1)",
    "\u{202e}lmth.reversed\u{2066}",
    "two\nlines\tand\u{7}bell\u{1b}[31m",
    "</title></style></svg><b>bold</b>&amp;",
];

/// A key may hold no control characters, and no `@` that is none.
pub(crate) fn hostile_owner(name: &str) -> String {
    name.replace(['\n', '\t', '\u{7}', '\u{1b}', '@'], "")
}

pub(crate) fn hostile_story() -> Oma {
    let oma = Oma::new();
    for (number, name) in HOSTILE.iter().enumerate() {
        let file = oma.file(&format!("f{number}"), format!("{number}").repeat(2_000 + number));
        oma.ok(&["--owner", &hostile_owner(name), "add", &file, "--bind", name]);
    }
    oma
}

#[test]
fn hostile_names_are_text() {
    let oma = hostile_story();
    let page = oma.ok(&["report"]).stdout;
    assert_inert_but_for_text(&page);
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "shown as it is");
    assert!(page.contains("\\u{202e}lmth.reversed"), "shown, not obeyed");
    assert!(page.contains("two\\nlines\\tand\\x07bell\\x1b[31m"));
}

/// What hostile names say is there as text; none of it is markup.
fn assert_inert_but_for_text(page: &str) {
    for piece in page.split('<').skip(1) {
        let tag: String = piece.chars().take_while(|c| c.is_ascii_alphanumeric() || "!/".contains(*c)).collect();
        let known = [
            "!DOCTYPE",
            "html",
            "head",
            "meta",
            "title",
            "style",
            "body",
            "main",
            "header",
            "h1",
            "p",
            "code",
            "time",
            "dl",
            "div",
            "dt",
            "dd",
            "section",
            "h2",
            "figure",
            "svg",
            "defs",
            "pattern",
            "rect",
            "g",
            "text",
            "figcaption",
            "span",
            "i",
            "b",
            "table",
            "thead",
            "tbody",
            "tr",
            "th",
            "td",
        ];
        assert!(known.contains(&tag.trim_start_matches('/')), "<{tag}> on the page");
        // Outside of quotes an attribute has no other quote, and its value no bracket.
        let inside = piece.split('>').next().unwrap_or_default();
        assert_eq!(inside.matches('"').count() % 2, 0, "<{inside}>");
        let attributes = inside.split('"').step_by(2);
        assert!(
            attributes.into_iter().all(|text| !text.contains(" onmouseover") && !text.contains("onerror")),
            "{inside}"
        );
    }
    assert!(
        !page
            .chars()
            .any(|c| (c.is_control() && c != '\n') || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'))
    );
}

/// Fills an index with owners and bindings of things that are nowhere.
fn crowd(root: &Path, owners: u64, each: u64, name: &str) {
    let mut index = Connection::open(root.join("index.sqlite")).unwrap();
    let tx = index.transaction().unwrap();
    for owner in 1..=owners {
        let insert = "INSERT INTO owners (id, key, created_at, last_seen_at) VALUES (?1, ?2, 0, 0)";
        tx.execute(insert, params![owner, format!("{name}{owner}")]).unwrap();
        for number in 0..each {
            let hash = Digest::of_blob(format!("{owner} {number}").as_bytes());
            let insert = "INSERT INTO objects (hash, kind, state, size, own_bytes, files, created_at)
                          VALUES (?1, 0, 0, ?2, ?2, 1, 0)";
            tx.prepare_cached(insert).unwrap().execute(params![hash.as_bytes(), 1_000 + owner * number]).unwrap();
            let insert = "INSERT INTO bindings (owner_id, name, object_id, bound_at) VALUES (?1, ?2, ?3, 0)";
            let binding = params![owner, format!("{name}{number}"), tx.last_insert_rowid()];
            tx.prepare_cached(insert).unwrap().execute(binding).unwrap();
        }
    }
    tx.commit().unwrap();
}

#[test]
fn the_page_stays_small() {
    for (owners, each, name) in [(300, 20, "owner-".to_owned()), (260, 12, "\"&<\u{202e}".repeat(90))] {
        let oma = Oma::new();
        oma.ok(&["init"]);
        crowd(&oma.root(), owners, each, &name);
        let page = oma.ok(&["report"]).stdout;
        assert!(page.len() < 1_000_000, "{} bytes", page.len());
        for picture in page.split("<svg").skip(1) {
            assert!(picture.matches("<title>").count() <= 1_500, "so many cells help nobody");
        }
        assert!(page.contains(&format!("And {} owners more.", owners - 200)), "the rest is told of");
        assert!(page.contains(" more</text>") || page.contains("small artifacts"), "the rest is in the picture");
        let report = oma.json(&["report"]);
        assert_eq!(report["owners"].as_array().unwrap().len() as u64, owners, "the data are whole");
    }
}

#[test]
fn an_empty_store_and_none_have_a_page_too() {
    let oma = Oma::new();
    let none = oma.ok(&["report"]);
    assert!(none.stderr.contains("there is no store"), "{none:?}");
    assert!(none.stdout.contains("Nothing is stored."));
    assert_inert(&none.stdout);
    assert!(!oma.root().exists(), "a look makes no store");
    oma.ok(&["init"]);
    assert!(oma.ok(&["report"]).stdout.contains("Nothing is stored."));
    assert_eq!(oma.json(&["report"])["stored_bytes"], 0);
}

#[test]
fn the_file_is_replaced_whole() {
    let oma = story();
    let file = oma.file("report.html", "an older page");
    let ran = oma.ok(&["report", "-o", "report.html"]);
    assert_eq!(ran.stdout, "");
    assert!(ran.stderr.contains("the report is in `report.html`"), "{ran:?}");
    let page = std::fs::read_to_string(&file).unwrap();
    assert_eq!(page, oma.ok(&["report"]).stdout);
    // Through a link the file behind it is replaced, and the link stays.
    std::os::unix::fs::symlink("report.html", oma.path("link.html")).unwrap();
    std::fs::write(&file, "older again").unwrap();
    oma.ok(&["report", "--output", "link.html"]);
    assert!(oma.path("link.html").is_symlink());
    assert_eq!(std::fs::read_to_string(&file).unwrap(), page);
    // What is no file is written to, not replaced.
    oma.ok(&["report", "-o", "/dev/null"]);
    assert!(!Path::new("/dev/null").is_file());
    let left: Vec<_> = std::fs::read_dir(oma.path("")).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().ends_with(".tmp")), "{left:?}");
}

#[test]
fn a_terminal_gets_no_page_unless_it_asks() {
    let oma = story();
    let Some((code, screen)) = at_a_terminal(&oma, &["report"], "") else { return };
    assert_eq!(code, 2, "{screen}");
    assert!(screen.contains("`oma report -o report.html`") && !screen.contains("<html"), "{screen}");
    let (code, screen) = at_a_terminal(&oma, &["report", "-o", "-"], "").unwrap();
    assert_eq!(code, 0, "{screen}");
    assert!(screen.contains("</html>"));
}

#[test]
fn words_and_exit_codes() {
    let oma = story();
    oma.fails(3, &["report", "-o", "no/such/folder/r.html"]);
    oma.fails(1, &["report", "-o", "common"]);
    oma.fails(2, &["report", "--owner", ""]);
    oma.fails(2, &["report", "extra"]);
    // The global word and this verb's stand beside each other.
    let words = ["--owner", "iris", "report", "-o", "a.html"];
    oma.ok(&words);
    oma.ok(&["-o", "iris", "report", "--owner", "zoo@1.2", "-o", "b.html"]);
    oma.ok(&["report", "--owner=iris", "-ob.html"]);
    assert!(oma.path("a.html").is_file() && oma.path("b.html").is_file());
    let both = oma.ok(&["--json", "report", "-o", "c.html"]);
    assert!(both.json()["owners"].is_array() && oma.path("c.html").is_file(), "the page and the data");
    let help = oma.ok(&["report", "--help"]).stdout;
    assert!(help.contains("-o, --output <FILE>") && help.contains("--owner <KEY[@VERSION]>"), "{help}");
}
