//! What was cut off goes on where it stopped, but never joins parts of two versions.

use std::fs;
use std::process::Child;
use std::time::Duration;

use ohmyartifacts::{Cache, Download, TransferOptions};

use crate::support::downloads::{assert_brought, bring, bring_as, content, hasty, only_partials, sha256};
use crate::support::oma::{Oma, finish};
use crate::support::server::{Answer, Request, Server};
use crate::support::{DAY, Env, gc, leftovers, refused};

const DATE: &str = "Wed, 01 Jan 2025 00:00:00 GMT";
const LENGTH: usize = 3_000_000;
const CUT: u64 = 1_700_000;

/// One attempt, and no second.
fn once() -> TransferOptions {
    hasty().retries(0)
}

fn bring_once(cache: &Cache, url: &str) -> ohmyartifacts::Result<ohmyartifacts::Ingested> {
    bring_as(cache, "n", &Download::from(url).transfer(once()))
}

fn ranges(server: &Server) -> Vec<Option<String>> {
    server.requests().iter().map(|request| request.header("range").map(str::to_owned)).collect()
}

/// Cuts the first answer and gives the second one whole or from where it is asked to; returns the log.
fn cut_then(first: Answer, second: Answer, expected: &[u8]) -> Vec<Request> {
    let env = Env::new();
    let cache = env.open();
    let server = Server::start();
    server.script("/data", vec![first.cut_after(CUT), second]);
    refused(bring_once(&cache, &server.url("/data")));
    assert_eq!(only_partials(&cache, &env.root()).len(), 1);
    assert_brought(bring_once(&cache, &server.url("/data")), expected);
    assert_eq!(leftovers(&env.root()).iter().filter(|name| name.contains("partial")).count(), 0, "all was used");
    server.requests()
}

#[test]
fn within_one_call_it_goes_on_after_each_cut() {
    let env = Env::new();
    let server = Server::start();
    let content = content(LENGTH);
    let good = Answer::bytes(content.clone()).etag("\"v1\"");
    server.script("/data", vec![good.clone().cut_after(1_000_000), good.clone().cut_after(1_000_000), good]);
    assert_brought(bring(&env.open(), "n", &server.url("/data")), &content);
    assert_eq!(ranges(&server), [None, Some("bytes=1000000-".to_owned()), Some("bytes=2000000-".to_owned())]);
    assert_eq!(server.sent(), LENGTH as u64, "no byte came twice");
}

#[test]
fn whoever_makes_progress_may_fail_often() {
    let env = Env::new();
    let server = Server::start();
    let content = content(12 * 1024 * 1024);
    let good = Answer::bytes(content.clone()).etag("\"v1\"");
    // Ten cuts, and two retries: each of them after more than a megabyte.
    let mut answers = vec![good.clone().cut_after(1_100_000); 10];
    answers.push(good);
    server.script("/data", answers);
    assert_brought(bring(&env.open(), "n", &server.url("/data")), &content);
    assert_eq!((server.requests().len(), server.sent()), (11, content.len() as u64));
}

#[test]
fn a_strong_etag_or_a_date_proves_that_the_parts_belong_together() {
    let content = content(LENGTH);
    let etag = Answer::bytes(content.clone()).etag("\"v1\"").last_modified(DATE);
    let date = Answer::bytes(content.clone()).last_modified(DATE);
    for (answer, proof) in [(etag, "\"v1\""), (date, DATE)] {
        let log = cut_then(answer.clone(), answer, &content);
        assert_eq!(log[1].header("range"), Some("bytes=1700000-"));
        assert_eq!(log[1].header("if-range"), Some(proof));
        assert_eq!((log[1].status, log[0].sent + log[1].sent), (206, LENGTH as u64), "{proof}");
    }
}

#[test]
fn without_proof_it_begins_anew() {
    let content = content(LENGTH);
    let weak = Answer::bytes(content.clone()).etag("W/\"v1\"").last_modified(DATE);
    for answer in [Answer::bytes(content.clone()), weak] {
        let log = cut_then(answer.clone(), answer, &content);
        assert_eq!((log[1].header("range"), log[1].sent), (None, LENGTH as u64));
    }
}

#[test]
fn another_version_begins_anew() {
    let (old, new) = (content(LENGTH), content(LENGTH).into_iter().rev().collect::<Vec<u8>>());
    let log = cut_then(Answer::bytes(old).etag("\"v1\""), Answer::bytes(new.clone()).etag("\"v2\""), &new);
    assert_eq!((log[1].header("if-range"), log[1].status), (Some("\"v1\""), 200));
}

#[test]
fn a_server_without_ranges_sends_all_again() {
    let content = content(LENGTH);
    let answer = Answer::bytes(content.clone()).etag("\"v1\"").no_ranges();
    let log = cut_then(answer.clone(), answer, &content);
    assert_eq!((log[1].status, log[1].sent), (200, LENGTH as u64));
}

/// Cuts, answers the request for the rest wrongly, and then well; the wrong part must not be joined.
fn misled(wrong: Answer) {
    let env = Env::new();
    let server = Server::start();
    let content = content(LENGTH);
    let good = Answer::bytes(content.clone()).etag("\"v1\"");
    server.script("/data", vec![good.clone().cut_after(CUT), wrong, good]);
    assert_brought(bring(&env.open(), "n", &server.url("/data")), &content);
    let log = server.requests();
    assert_eq!((log.len(), log[2].header("range")), (3, None), "what was misled begins anew: {log:#?}");
}

#[test]
fn a_part_that_does_not_fit_is_not_joined() {
    let wrong = |claim: &str| Answer::bytes(content(1_300_000)).etag("\"v1\"").lying_range(claim);
    misled(wrong("bytes 0-1299999/3000000"));
    misled(wrong("bytes 1699999-2999998/3000000"));
    misled(wrong("bytes 1700000-2999999/3000001"));
    misled(wrong("bytes 1700000-2999998/2999999"));
    misled(wrong("bytes 1700000-3099999/3100000"));
    // Of the right length for what they claim, and a byte beside what is missing.
    let beside = |length| Answer::bytes(content(length)).etag("\"v1\"");
    misled(beside(1_299_999).lying_range("bytes 1700001-2999999/3000000"));
    misled(beside(1_300_001).lying_range("bytes 1699999-2999999/3000000"));
    misled(wrong("bytes x-y/z"));
    misled(wrong("pages 1-2/3"));
    misled(Answer::bytes(content(1_300_000)).etag("\"v2\"").lying_range("bytes 1700000-2999999/3000000"));
    misled(Answer::status(416).header("Content-Range", "bytes */1000"));
    // What was packed for the way has other places.
    misled(wrong("bytes 1700000-2999999/3000000").header("Content-Encoding", "gzip"));
}

#[test]
fn with_a_hash_to_check_parts_are_joined_without_proof() {
    let env = Env::new();
    let server = Server::start();
    let content = content(LENGTH);
    let answer = Answer::bytes(content.clone());
    server.script("/data", vec![answer.clone().cut_after(CUT), answer.clone()]);
    let what = Download::from(&server.url("/data")).sha256(sha256(&content).parse().ok()).transfer(once());
    let cache = env.open();
    refused(bring_as(&cache, "n", &what));
    assert_brought(bring_as(&cache, "n", &what), &content);
    assert_eq!(server.sent(), LENGTH as u64);
}

#[test]
fn what_was_joined_wrongly_gets_a_second_chance_whole() {
    let env = Env::new();
    let server = Server::start();
    let good = content(LENGTH);
    let old: Vec<u8> = good.iter().map(|byte| byte ^ 1).collect();
    server.script("/data", vec![Answer::bytes(old).cut_after(CUT), Answer::bytes(good.clone())]);
    let what = Download::from(&server.url("/data")).sha256(sha256(&good).parse().ok()).transfer(once());
    let cache = env.open();
    refused(bring_as(&cache, "n", &what));
    assert_brought(bring_as(&cache, "n", &what), &good);
    assert_eq!(ranges(&server), [None, Some("bytes=1700000-".to_owned()), None]);
}

#[test]
fn packed_for_the_way_it_cannot_go_on() {
    use std::io::Write as _;

    let content = content(LENGTH);
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(&content).unwrap();
    let answer = Answer::bytes(encoder.finish().unwrap()).header("Content-Encoding", "gzip").etag("\"v1\"");
    let log = cut_then(answer.clone(), answer, &content);
    assert_eq!(log[1].header("range"), None);
}

/// Waits until so many bytes of a download lie on disk.
fn wait_for_partial(oma: &Oma, bytes: u64) {
    for _ in 0..1_000 {
        let entries = fs::read_dir(oma.root().join("tmp/partial")).into_iter().flatten().flatten();
        if entries.filter_map(|entry| entry.metadata().ok()).any(|found| found.len() >= bytes) {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("the bytes never came");
}

/// A download that hangs after the first part, as a program of its own.
fn hanging(oma: &Oma, server: &Server, content: &[u8]) -> Child {
    let good = Answer::bytes(content).etag("\"v1\"");
    server.script("/data", vec![good.clone().hang_after(CUT), good]);
    let child = oma.start(&["-o", "o", "download", &server.url("/data"), "n"]);
    // Bytes are written in larger pieces, so not all that came need be there.
    wait_for_partial(oma, CUT - 600_000);
    child
}

#[test]
fn killed_in_the_middle_it_goes_on_the_next_time() {
    let oma = Oma::new();
    let server = Server::start();
    let content = content(LENGTH);
    let mut child = hanging(&oma, &server, &content);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(only_partials(&oma.open(), &oma.root()).len(), 1);
    let done = oma.json(&["-o", "o", "download", &server.url("/data"), "n"]);
    assert!(fs::read(done["path"].as_str().unwrap()).unwrap() == content);
    let log = server.requests();
    let from: u64 = log[1].header("range").unwrap()["bytes=".len()..].trim_end_matches('-').parse().unwrap();
    assert!(from >= CUT - 600_000, "{from}");
    assert_eq!((log[1].status, log[1].sent), (206, LENGTH as u64 - from), "what was there did not come again");
    oma.ok(&["verify"]);
}

#[test]
fn stopped_by_hand_it_ends_at_once_and_goes_on_the_next_time() {
    for (signal, code) in [("INT", 130), ("TERM", 130)] {
        let oma = Oma::new();
        let server = Server::start();
        let content = content(LENGTH);
        let child = hanging(&oma, &server, &content);
        let kill = std::process::Command::new("kill").args(["-s", signal, &child.id().to_string()]).status();
        assert!(kill.unwrap().success());
        // It hangs for a minute if nobody cuts the connection; the test's own limit would be hit first.
        let ran = finish(child).expect(code);
        assert_eq!(ran.stdout, "", "{ran:#?}");
        oma.ok(&["-o", "o", "download", &server.url("/data"), "n"]);
        assert!(server.requests()[1].header("range").is_some(), "{signal}");
    }
}

#[test]
fn what_nobody_goes_on_with_is_cleared_away() {
    let env = Env::new();
    let server = Server::start();
    server.put("/data", Answer::bytes(content(LENGTH)).etag("\"v1\"").cut_after(CUT));
    let cache = env.open();
    refused(bring_once(&cache, &server.url("/data")));
    let now = std::time::UNIX_EPOCH + Duration::from_millis(env.clock.now().as_millis().try_into().unwrap());
    let partials = || -> Vec<_> {
        fs::read_dir(env.root().join("tmp/partial")).unwrap().map(|entry| entry.unwrap().path()).collect()
    };
    assert_eq!(partials().len(), 2, "the bytes, and what they are of");
    for path in partials() {
        filetime::set_file_mtime(path, now.into()).unwrap();
    }
    env.pass(6 * DAY);
    gc(&cache, Duration::ZERO);
    assert_eq!(partials().len(), 2, "somebody may still go on");
    env.pass(2 * DAY);
    gc(&cache, Duration::ZERO);
    assert_eq!(partials(), Vec::<std::path::PathBuf>::new());
}

#[test]
fn a_note_or_part_that_somebody_changed_does_no_harm() {
    let content = content(LENGTH);
    let too_long = vec![0xff; 20_000];
    let harms: [(&str, &[u8]); 5] = [
        ("json", b"no note"),
        ("json", b"{}"),
        ("json", br#"{"validators":{"etag":"\"v1\"","last_modified":null},"total":1,"packed":false,"boot":null}"#),
        ("part", b""),
        ("json", &too_long),
    ];
    for (extension, harm) in harms {
        let env = Env::new();
        let server = Server::start();
        let good = Answer::bytes(content.clone()).etag("\"v1\"");
        server.script("/data", vec![good.clone().cut_after(CUT), good]);
        let cache = env.open();
        refused(bring_once(&cache, &server.url("/data")));
        for entry in fs::read_dir(env.root().join("tmp/partial")).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|found| found == extension) {
                fs::write(path, harm).unwrap();
            }
        }
        assert_brought(bring_once(&cache, &server.url("/data")), &content);
    }
}
