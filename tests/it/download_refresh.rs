//! Whether the source has something newer, asked with as few bytes as can be.

use std::fs;

use insta::assert_snapshot;
use serde_json::json;

use crate::cli_text::{fail, run};
use crate::support::downloads::{content, sha256};
use crate::support::oma::Oma;
use crate::support::server::{Answer, Server};

const DATE: &str = "Wed, 01 Jan 2025 00:00:00 GMT";

fn refresh(oma: &Oma) -> serde_json::Value {
    oma.json(&["-o", "o", "refresh", "n"])
}

#[test]
fn what_is_still_the_newest_is_not_sent() {
    let by_etag = Answer::bytes(content(500_000)).etag("\"v1\"").last_modified(DATE);
    let by_weak_etag = Answer::bytes(content(500_000)).etag("W/\"v1\"");
    let by_date = Answer::bytes(content(500_000)).last_modified(DATE);
    for answer in [by_etag, by_weak_etag, by_date] {
        let oma = Oma::new();
        let server = Server::start();
        server.put("/data", answer);
        let first = oma.json(&["-o", "o", "download", &server.url("/data"), "n", "--meta", "k=v"]);
        let again = refresh(&oma);
        assert_eq!((&again["changed"], &again["hash"]), (&json!(false), &first["hash"]));
        assert_eq!(again["binding"]["meta"], json!({"k": "v"}));
        let log = server.requests();
        assert_eq!((log[1].status, log[1].sent), (304, 0), "{log:#?}");
        assert!(log[1].header("if-none-match").is_some() != log[1].header("if-modified-since").is_some());
    }
}

#[test]
fn what_is_newer_takes_the_name() {
    let oma = Oma::new();
    let server = Server::start();
    server.put("/data", Answer::bytes("old").etag("\"v1\""));
    let old = oma.json(&["-o", "o", "download", &server.url("/data"), "n", "--meta", "k=v"]);
    server.put("/data", Answer::bytes("new").etag("\"v2\""));
    let new = refresh(&oma);
    assert_eq!(new["changed"], json!(true));
    assert_ne!(new["hash"], old["hash"]);
    assert_eq!(fs::read_to_string(new["path"].as_str().unwrap()).unwrap(), "new");
    assert_eq!(oma.json(&["ls"])[0]["meta"], json!({"k": "v"}));
    assert_eq!(fs::read_to_string(old["path"].as_str().unwrap()).unwrap(), "old", "it goes with the next gc");
    assert_eq!(refresh(&oma)["changed"], json!(false));
    // And back again, by an address that brought both.
    server.put("/data", Answer::bytes("old").etag("\"v1\""));
    assert_eq!(refresh(&oma)["hash"], old["hash"]);
}

#[test]
fn a_source_without_validators_is_read_whole() {
    let oma = Oma::new();
    let server = Server::start();
    server.put("/data", Answer::bytes("same"));
    oma.ok(&["-o", "o", "download", &server.url("/data"), "n"]);
    assert_eq!(refresh(&oma)["changed"], json!(false));
    assert_eq!(server.requests()[1].sent, 4);
}

#[test]
fn each_name_asks_its_own_source() {
    let oma = Oma::new();
    let server = Server::start();
    for path in ["/one", "/two"] {
        server.put(path, Answer::bytes("same").etag(&format!("\"{path}\"")));
        oma.ok(&["-o", "o", "download", &server.url(path), path]);
    }
    server.put("/two", Answer::bytes("new").etag("\"newer\""));
    let one = oma.json(&["-o", "o", "refresh", "/one"]);
    assert_eq!(one["changed"], json!(false), "its source has what it had");
    assert_eq!(oma.json(&["-o", "o", "refresh", "/two"])["changed"], json!(true));
    assert_eq!(oma.ok(&["-o", "o", "cat", "/one"]).stdout, "same");
    // A name that was given to something else has no part in where that came from.
    oma.ok(&["-o", "o", "bind", "--force", "/one", "o:/two"]);
    server.put("/two", Answer::bytes("newest").etag("\"newest\""));
    assert_eq!(oma.json(&["-o", "o", "refresh", "/one"])["changed"], json!(true));
    assert_eq!(oma.ok(&["-o", "o", "cat", "/one"]).stdout, "newest");
}

#[test]
fn what_had_to_have_a_hash_still_must() {
    let oma = Oma::new();
    let server = Server::start();
    server.put("/data", Answer::bytes("old").etag("\"v1\""));
    oma.ok(&["-o", "o", "download", &server.url("/data"), "n", "--sha256", &sha256(b"old")]);
    let before = oma.line(&["hash", "o:n"]);
    server.put("/data", Answer::bytes("new").etag("\"v2\""));
    oma.fails(4, &["-o", "o", "refresh", "n"]);
    assert_eq!(oma.line(&["hash", "o:n"]), before);
}

#[test]
fn what_is_gone_leaves_the_name_as_it_was() {
    let oma = Oma::new();
    let server = Server::start();
    server.script("/data", vec![Answer::bytes("old"), Answer::status(410)]);
    oma.ok(&["-o", "o", "download", &server.url("/data"), "n"]);
    oma.fails(1, &["-o", "o", "refresh", "n"]);
    assert_eq!(fs::read_to_string(oma.line(&["path", "o:n"])).unwrap(), "old");
}

#[test]
fn an_unpacked_archive_is_unpacked_again() {
    let oma = Oma::new();
    oma.tree("top", &[("a", "old")]);
    let tar = || {
        let done = std::process::Command::new("tar").args(["cf", "pack.tar", "top"]).current_dir(oma.path("")).status();
        assert!(done.unwrap().success());
    };
    tar();
    let url = format!("file://{}", oma.at("pack.tar"));
    oma.ok(&["-o", "o", "download", &url, "n", "--extract", "--strip-top"]);
    assert_eq!(refresh(&oma)["changed"], json!(false));
    fs::write(oma.path("top/a"), "newer").unwrap();
    tar();
    let new = refresh(&oma);
    assert_eq!((&new["changed"], &new["kind"]), (&json!(true), &json!("tree")));
    assert_eq!(fs::read_to_string(format!("{}/a", new["path"].as_str().unwrap())).unwrap(), "newer");
}

#[test]
fn several_names_are_a_list() {
    let oma = Oma::new();
    let server = Server::start();
    server.put("/a", Answer::bytes("a").etag("\"a\""));
    server.put("/b", Answer::bytes("b").etag("\"b\""));
    for name in ["a", "b"] {
        oma.ok(&["-o", "o", "download", &server.url(&format!("/{name}")), name]);
    }
    server.put("/b", Answer::bytes("bb").etag("\"bb\""));
    let rows = oma.json(&["-o", "o", "refresh", "a", "b"]);
    let changed: Vec<_> = rows.as_array().unwrap().iter().map(|row| row["changed"].clone()).collect();
    assert_eq!(changed, [json!(false), json!(true)]);
}

#[test]
fn one_that_fails_does_not_keep_the_others() {
    let oma = Oma::new();
    let server = Server::start();
    server.put("/a", Answer::bytes("a").etag("\"a\""));
    oma.ok(&["-o", "o", "download", &server.url("/a"), "a"]);
    oma.ok(&["-o", "o", "add", &oma.file("f", "f"), "--bind", "added"]);
    server.put("/a", Answer::bytes("newer").etag("\"b\""));
    let ran = oma.fails(8, &["--json", "refresh", "o:added", "o:nothing", "o:a"]);
    let rows: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((rows.as_array().unwrap().len(), &rows[0]["changed"]), (1, &json!(true)));
    assert!(ran.stderr.contains("`added`") && ran.stderr.contains("o:nothing"), "{ran:?}");
    assert_eq!(oma.ok(&["cat", "o:a"]).stdout, "newer");
    oma.fails(3, &["refresh", "o:added", "o:nothing"]);
}

#[test]
fn a_name_is_held_to_a_hash_and_no_other_name_of_its_artifact() {
    for pinned_first in [true, false] {
        let oma = Oma::new();
        let server = Server::start();
        server.put("/data", Answer::bytes("old").etag("\"v1\""));
        let (url, sum) = (server.url("/data"), sha256(b"old"));
        let pinned = || oma.ok(&["-o", "a", "download", &url, "pinned", "--sha256", &sum]);
        let rolling = || oma.ok(&["-o", "b", "download", &url, "rolling"]);
        if pinned_first {
            pinned();
            rolling();
        } else {
            rolling();
            pinned();
        }
        server.put("/data", Answer::bytes("new").etag("\"v2\""));
        let ran = oma.fails(4, &["refresh", "a:pinned"]);
        let hint = format!("`oma download --force --owner a --sha256 {} URL pinned`", sha256(b"new"));
        assert!(ran.stderr.contains(&hint), "{ran:?}");
        assert_eq!(oma.ok(&["cat", "a:pinned"]).stdout, "old");
        assert_eq!(oma.json(&["refresh", "b:rolling"])["changed"], json!(true));
        assert_eq!(oma.ok(&["cat", "b:rolling"]).stdout, "new");
    }
}

#[test]
fn texts() {
    let oma = Oma::new();
    let server = Server::start();
    server.put("/data", Answer::bytes("text").etag("\"v1\""));
    oma.ok(&["-o", "o", "download", &server.url("/data"), "n"]);
    oma.ok(&["-o", "o", "add", &oma.file("f", "f"), "--bind", "added"]);
    oma.ok(&["-o", "o", "download", &server.url("/data?token=secret"), "signed"]);
    let plain = |text: String| text.replace(&server.authority(), "[SERVER]");
    assert_snapshot!(plain(run(&oma, &["-o", "o", "refresh", "n"])), @"
    --- stdout
    c56bb082433561cd8027deff1d2a5094b26fac2b002480fdf7c7844c6cc2e349
    --- stderr
    `n` is what its source still has
    ");
    assert_snapshot!(plain(fail(&oma, 1, &["-o", "o", "refresh", "added"])), @"
    --- stderr
    error: o binds `added` to what was not downloaded here: there is no source to ask
    hint: `oma download --force --owner o URL added` binds it to a download
    ");
    assert_snapshot!(plain(fail(&oma, 3, &["-o", "o", "refresh", "nothing"])), @"
    --- stderr
    error: o binds no artifact to `nothing`
    hint: `oma ls --owner o` lists its names
    ");
    server.put("/data", Answer::bytes("more text").etag("\"v2\""));
    assert_snapshot!(plain(run(&oma, &["-o", "o", "refresh", "n"])), @"
    --- stdout
    78184785a2fa9e14ab9852475968713a261d1b57f3ef295e1241594a4655e0b0
    --- stderr
    file, 9 B (1 file stored anew, 9 B); bound to `n`
    ");
}
