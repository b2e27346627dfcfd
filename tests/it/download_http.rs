//! Downloads over HTTP: what comes, what is asked again, what was known before.

use std::fs;
use std::process::Command;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use insta::assert_snapshot;
use ohmyartifacts::{BindOptions, Download};
use serde_json::{Value, json};

use crate::cli_text::{fail, run};
use crate::support::downloads::{assert_brought, bring, bring_as, content, hasty, only_partials, sha256};
use crate::support::oma::Oma;
use crate::support::server::{Answer, Server};
use crate::support::{Env, refused};

const DATE: &str = "Wed, 01 Jan 2025 00:00:00 GMT";

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;

    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_file_is_stored_bound_and_remembered() {
    let oma = Oma::new();
    let server = Server::start();
    let content = content(2_000_000);
    server.put("/a/data.bin", Answer::bytes(content.clone()).etag("\"v1\"").last_modified(DATE));
    let url = server.url("/a/data.bin");
    let sum = sha256(&content);
    let done = oma.json(&["-o", "o", "download", &url, "data", "--sha256", &sum, "--meta", "k=v"]);
    assert_eq!(
        (&done["kind"], &done["size"], &done["new_bytes"]),
        (&json!("file"), &json!(2_000_000), &json!(2_000_000))
    );
    let source = oma.file("source", &content);
    let stored = done["path"].as_str().unwrap();
    assert!(Command::new("cmp").args([stored, &source]).status().unwrap().success());
    assert_eq!(done["hash"], json!(oma.line(&["add", &source])));
    assert_eq!(done["binding"]["meta"], json!({"k": "v"}));

    let shown = oma.json(&["show", "o:data"]);
    let source = &shown["sources"][0];
    assert_eq!((&source["kind"], &source["location"]), (&json!("url"), &json!(url)));
    let record = &source["download"];
    assert_eq!(record["sha256"], json!(sum));
    assert_eq!(
        (&record["bytes"], &record["etag"], &record["last_modified"]),
        (&json!(2_000_000), &json!("\"v1\""), &json!(DATE))
    );
    assert!(record["took_ms"].is_u64() && record["places"] == json!([url]), "{record}");
    let request = &server.requests()[0];
    assert_eq!((server.requests().len(), request.sent), (1, 2_000_000));
    assert_eq!((request.header("accept-encoding"), request.header("range")), (Some("identity"), None));
    assert!(request.header("user-agent").unwrap().starts_with("ohmyartifacts/"));
    oma.ok(&["verify"]);
}

#[test]
fn a_name_that_is_taken_is_noticed_before_anybody_is_asked() {
    let oma = Oma::new();
    let server = Server::start();
    server.put("/data", Answer::bytes("new"));
    let url = server.url("/data");
    let old = oma.line(&["-o", "o", "add", &oma.file("old", "old"), "--bind", "data"]);
    oma.fails(5, &["-o", "o", "download", &url, "data"]);
    assert_eq!(oma.line(&["-o", "o", "download", &url, "data", "--if-missing"]), old);
    assert_eq!(server.requests().len(), 0);
    let new = oma.line(&["-o", "o", "download", &url, "data", "--force"]);
    assert_eq!((oma.line(&["hash", "o:data"]), server.requests().len()), (new, 1));
    // What is there must be what is demanded, too.
    let (right, wrong) = (sha256(b"new"), sha256(b"newer"));
    oma.ok(&["-o", "o", "download", &url, "data", "--if-missing", "--sha256", &right]);
    oma.fails(5, &["-o", "o", "download", &url, "data", "--if-missing", "--sha256", &wrong]);
    assert_eq!(server.requests().len(), 1);
    let told = oma.ok(&["-o", "o", "download", &server.url("/data"), "other", "--if-missing"]).stderr;
    assert!(told.contains("nothing new to store"), "{told}");
    assert_eq!(oma.line(&["hash", "o:other"]), oma.line(&["hash", "o:data"]));
}

#[test]
fn what_is_known_by_its_hash_needs_no_server() {
    let env = Env::new();
    let server = Server::start();
    server.put("/data", Answer::bytes("text"));
    let cache = env.open();
    let sum = || sha256(b"text").parse().ok();
    let first = bring_as(&cache, "a", &Download::from(&server.url("/data")).sha256(sum())).unwrap();
    let elsewhere = Server::start();
    let again = bring_as(&cache, "b", &Download::from(&elsewhere.url("/other")).sha256(sum())).unwrap();
    assert_eq!(first.artifact, again.artifact);
    assert_eq!((server.requests().len(), elsewhere.requests().len()), (1, 0));
    // To be run, it is another artifact.
    server.put("/other", Answer::bytes("text"));
    let program = Download::from(&server.url("/other")).sha256(sum()).executable(true).transfer(hasty());
    assert_ne!(bring_as(&cache, "c", &program).unwrap().artifact, first.artifact);
}

#[test]
fn wrong_bytes_leave_nothing() {
    let oma = Oma::new();
    let server = Server::start();
    server.put("/data", Answer::bytes(content(300_000)));
    let sum = sha256(b"something else");
    let ran = oma.fails(4, &["--json", "-o", "o", "download", &server.url("/data"), "data", "--sha256", &sum]);
    assert_eq!(ran.error_kind(), "damaged");
    let hint = format!("`--sha256 {}`", sha256(&content(300_000)));
    assert!(ran.stderr.contains(&hint), "the hint is one for downloads: {ran:#?}");
    assert!(ran.stderr.contains(&sum) && ran.stderr.contains(&sha256(&content(300_000))), "{ran:#?}");
    assert_eq!(only_partials(&oma.open(), &oma.root()), Vec::<String>::new(), "wrong bytes are of no use");
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn all_ways_to_frame_content_bring_it() {
    let env = Env::new();
    let cache = env.open();
    let server = Server::start();
    let content = content(700_001);
    let answers = [
        ("/plain", Answer::bytes(content.clone())),
        ("/chunked", Answer::bytes(content.clone()).chunked()),
        ("/close", Answer::bytes(content.clone()).until_close()),
        ("/packed", Answer::bytes(gzip(&content)).header("Content-Encoding", "gzip")),
        ("/packed-way", Answer::bytes(gzip(&content)).chunked_as("gzip, chunked")),
        ("/twice-the-same", Answer::bytes(content.clone()).lengths(&["700001", "700001"])),
        ("/203", Answer::bytes(content.clone()).with_status(203)),
        ("/empty", Answer::bytes("")),
    ];
    for (path, answer) in answers {
        server.put(path, answer);
        let expected: &[u8] = if path == "/empty" { b"" } else { &content };
        assert_brought(
            bring(&cache, path, &server.url(path)).inspect_err(|error| eprintln!("{path}: {error}")),
            expected,
        );
        assert_eq!(server.requests_for(path).len(), 1, "{path}");
    }
}

#[test]
fn a_gzip_file_stays_one() {
    let env = Env::new();
    let server = Server::start();
    let packed = gzip(b"text");
    server.put("/data.csv.gz", Answer::bytes(packed.clone()).header("Content-Encoding", "gzip"));
    assert_brought(bring(&env.open(), "n", &server.url("/data.csv.gz")), &packed);
}

#[test]
fn an_archive_is_unpacked() {
    let oma = Oma::new();
    let server = Server::start();
    oma.tree("pack", &[("top/a", "a"), ("top/d/b", "b")]);
    let tar = |words: &[&str]| {
        assert!(Command::new("tar").args(words).current_dir(oma.path("pack")).status().unwrap().success());
    };
    tar(&["czf", "../pack.tar.gz", "top"]);
    server.put(
        "/pack.tar.gz",
        Answer::bytes(fs::read(oma.path("pack.tar.gz")).unwrap()).header("Content-Encoding", "gzip"),
    );
    let url = server.url("/pack.tar.gz");
    let whole = oma.json(&["-o", "o", "download", &url, "whole", "--extract"]);
    assert_eq!(whole["hash"], json!(oma.line(&["add", &oma.at("pack")])));
    let top = oma.json(&["-o", "o", "download", &url, "top", "--extract", "--strip-top"]);
    assert_eq!(top["hash"], json!(oma.line(&["add", &oma.at("pack/top")])));
    server.put("/page", Answer::bytes("<html>no archive</html>"));
    oma.fails(1, &["-o", "o", "download", &server.url("/page"), "page", "--extract"]);
    oma.fails(3, &["path", "o:page"]);
    oma.fails(2, &["-o", "o", "download", &url, "no", "--strip-top"]);
}

#[test]
fn what_passes_is_tried_again_and_what_stays_is_not() {
    let env = Env::new();
    let cache = env.open();
    let server = Server::start();
    for status in [408, 425, 429, 500, 502, 503, 504] {
        let path = format!("/{status}");
        server.script(&path, vec![Answer::status(status), Answer::status(status), Answer::bytes("good")]);
        assert_brought(bring(&cache, &path, &server.url(&path)), b"good");
        assert_eq!(server.requests_for(&path).len(), 3, "{status}");
    }
    for status in [204, 400, 401, 403, 404, 405, 410, 418, 451, 501, 999] {
        let path = format!("/{status}");
        server.put(&path, Answer::status(status));
        let error = refused(bring(&cache, &path, &server.url(&path)));
        assert!(error.to_string().contains(&format!("the server answers {status}")), "{error}");
        assert_eq!(server.requests_for(&path).len(), 1, "{status}");
    }
    server.put("/never", Answer::status(503));
    refused(bring(&cache, "never", &server.url("/never")));
    assert_eq!(server.requests_for("/never").len(), 3, "as often as was said");
}

#[test]
fn a_server_says_when_to_come_again() {
    let env = Env::new();
    let server = Server::start();
    server.script("/busy", vec![Answer::status(429).header("Retry-After", "1"), Answer::bytes("good")]);
    let began = std::time::Instant::now();
    assert_brought(bring(&env.open(), "n", &server.url("/busy")), b"good");
    // A lower bound: the pause of this client alone is a millisecond.
    assert!(began.elapsed() >= Duration::from_secs(1));
}

#[test]
fn mirrors_are_tried_in_order() {
    let env = Env::new();
    let cache = env.open();
    let (first, second, third) = (Server::start(), Server::start(), Server::start());
    second.put("/data", Answer::bytes("other bytes"));
    third.put("/data", Answer::bytes("good"));
    let what = |url: &str| Download::from(url).mirror(second.url("/data")).mirror(third.url("/data")).transfer(hasty());
    let sum = sha256(b"good").parse().ok();
    let brought = bring_as(&cache, "n", &what(&first.url("/data")).sha256(sum)).unwrap();
    assert_eq!(fs::read(&brought.path).unwrap(), b"good");
    let counts = [&first, &second, &third].map(|server| server.requests().len());
    assert_eq!(counts, [1, 1, 1], "one after the other, and no more than needed");
    let places = cache.details(&brought.artifact).unwrap().sources.remove(0).download.unwrap().places;
    assert_eq!(places, [first.url("/data"), second.url("/data"), third.url("/data")]);
    // The first that has it ends the search, and a place that nobody answers at is passed by.
    let gone = { Server::start().url("/data") };
    assert_eq!(fs::read(bring_as(&cache, "m", &what(&gone)).unwrap().path).unwrap(), b"other bytes");
    assert_eq!(third.requests().len(), 1);
}

#[test]
fn when_no_place_has_it_all_are_named() {
    let oma = Oma::new();
    let (first, second) = (Server::start(), Server::start());
    let words = ["-o", "o", "download", &first.url("/a"), "n", "--mirror", &second.url("/b")];
    let ran = oma.fails(1, &words);
    assert!(ran.stderr.contains(&first.url("/a")) && ran.stderr.contains(&second.url("/b")), "{ran:#?}");
}

#[test]
fn get_or_download_heals_what_is_gone() {
    let env = Env::new();
    let cache = env.open();
    let server = Server::start();
    server.put("/data", Answer::bytes("text").etag("\"v1\""));
    let owner = cache.owner("o").unwrap();
    let what = Download::from(&server.url("/data")).transfer(hasty());
    let got = owner.get_or_download("n", &what, &BindOptions::new()).unwrap();
    assert_eq!(got.new_files, 1);
    assert_eq!(owner.get_or_download("n", &what, &BindOptions::new()).unwrap().new_files, 0);
    assert_eq!(server.requests().len(), 1);
    fs::remove_file(&got.path).unwrap();
    assert_eq!(owner.get_or_download("n", &what, &BindOptions::new()).unwrap().new_files, 1);
    assert_eq!(fs::read(&got.path).unwrap(), b"text");
    // Not 304: what is not here must come whole.
    assert_eq!(server.requests().iter().map(|request| request.status).collect::<Vec<_>>(), [200, 200]);
}

#[test]
fn texts() {
    let oma = Oma::new();
    let server = Server::start();
    server.put("/data", Answer::bytes("text"));
    let plain = |text: String| text.replace(&server.authority(), "[SERVER]");
    assert_snapshot!(plain(run(&oma, &["-o", "o", "download", &server.url("/data"), "data"])), @"
    --- stdout
    c56bb082433561cd8027deff1d2a5094b26fac2b002480fdf7c7844c6cc2e349
    --- stderr
    file, 4 B (1 file stored anew, 4 B); bound to `data`
    ");
    assert_snapshot!(plain(fail(&oma, 1, &["-o", "o", "download", &server.url("/nothing"), "n"])), @"
    --- stderr
    error: could not download `http://[SERVER]/nothing`: the server answers 404 Not Found
    ");
    assert_snapshot!(plain(fail(&oma, 2, &["-o", "o", "download", "ftp://example.org/a", "n"])), @"
    --- stderr
    error: `ftp://example.org/a` is not a valid URL: only `https://`, `http://` and `file://` are understood
    ");
    assert_snapshot!(plain(fail(&oma, 1, &["-o", "o", "download", "file:///no/such/file", "n"])), @"
    --- stderr
    error: could not open `/no/such/file`
      caused by: No such file or directory (os error 2)
    ");
    assert_snapshot!(plain(fail(&oma, 1, &["-o", "o", "download", &server.url("/data"), "n", "--max-size", "1B"])), @"
    --- stderr
    error: could not download `http://[SERVER]/data`: it has 4 bytes or more, and 1 are allowed
    ");
    let rows = oma.json(&["sql", "SELECT count(*) AS n FROM v1_artifact"]);
    assert_eq!(rows, Value::from(vec![json!({"n": 1})]));
}

/// The files of proc say that they have no bytes.
#[test]
fn a_file_without_a_length_is_read_all_the_same() {
    let Ok(version) = fs::read_to_string("/proc/version") else { return };
    let oma = Oma::new();
    oma.ok(&["-o", "o", "download", "file:///proc/version", "version"]);
    assert_eq!(oma.ok(&["cat", "o:version"]).stdout, version);
}

/// The same bytes would be refused again, so they are not kept for the next attempt.
#[test]
fn of_an_archive_that_is_refused_nothing_is_kept() {
    let oma = Oma::new();
    let server = Server::start();
    server.put("/data", Answer::bytes("this is no archive at all").etag("\"v1\""));
    oma.fails(1, &["-o", "o", "download", &server.url("/data"), "n", "--extract"]);
    assert_eq!(crate::support::leftovers(&oma.root()), Vec::<String>::new());
}
