//! A download killed, or failed, at every change it makes to the disk.

use std::fs;

use ohmyartifacts::{BindOptions, Cache, Download, Fault, VerifyOptions};

use crate::crash_kill::{contents, in_each_style, nothing_more, words};
use crate::support::downloads::{content, hasty, sha256};
use crate::support::server::{Answer, Server};
use crate::support::{Env, refused};

const LENGTH: usize = 700_000;

#[test]
fn download() {
    let server = Server::start();
    server.put("/data", Answer::bytes(content(LENGTH)).etag("\"v1\""));
    let url = server.url("/data");
    in_each_style(12, |_| words(&["-o", "o", "download", &url, "new"]), nothing_more);
}

#[test]
fn download_over_a_name() {
    let server = Server::start();
    server.put("/data", Answer::bytes(content(LENGTH)));
    let (url, sum) = (server.url("/data"), sha256(&content(LENGTH)));
    let words = words(&["-o", "o", "download", &url, "kept", "--force", "--executable", "--sha256", &sum]);
    in_each_style(12, |_| words.clone(), nothing_more);
}

#[test]
fn download_and_unpack() {
    let server = Server::start();
    in_each_style(
        20,
        |oma| {
            let tar = ["czf", "src.tar.gz", "src"];
            let done = std::process::Command::new("tar").args(tar).current_dir(oma.path("")).status();
            assert!(done.unwrap().success());
            server.put("/src.tar.gz", Answer::bytes(fs::read(oma.path("src.tar.gz")).unwrap()).etag("\"v1\""));
            words(&["-o", "o", "download", &server.url("/src.tar.gz"), "new", "--extract", "--strip-top"])
        },
        nothing_more,
    );
}

#[test]
fn refresh() {
    let server = Server::start();
    in_each_style(
        12,
        |oma| {
            server.put("/data", Answer::bytes("old").etag("\"v1\""));
            oma.ok(&["-o", "o", "download", &server.url("/data"), "r"]);
            server.put("/data", Answer::bytes(content(LENGTH)).etag("\"v2\""));
            words(&["-o", "o", "refresh", "r"])
        },
        nothing_more,
    );
}

/// Each call that changes the disk fails once: the error is told, and nothing is half there.
#[test]
fn every_change_fails_once() {
    let server = Server::start();
    let content = content(LENGTH);
    server.put("/data", Answer::bytes(content.clone()).etag("\"v1\""));
    let what = Download::from(&server.url("/data")).transfer(hasty());
    let mut failures = 0;
    for at in 1.. {
        let env = Env::new();
        drop(env.open());
        let fault: Fault = format!("fail@{at}").parse().unwrap();
        let bring = |cache: &Cache| cache.owner("o")?.download("n", &what, &BindOptions::new());
        let outcome = Cache::open(env.options().fault(fault.clone())).and_then(|cache| bring(&cache));
        let hit = fault.count() >= at;
        assert!(hit || outcome.is_ok(), "{at}: {outcome:?}");
        let cache = env.open();
        assert_eq!(cache.verify(&VerifyOptions::new()).unwrap().problems, [], "{at}");
        let bound = cache.bindings(None).unwrap();
        if outcome.is_ok() {
            assert_eq!(bound.len(), 1, "{at}: it said that it was done");
        } else {
            failures += 1;
            refused(outcome);
        }
        if bound.is_empty() {
            bring(&cache).unwrap_or_else(|error| panic!("{at}, retried: {error:?}"));
        }
        let path = cache.path_of(&cache.bindings(None).unwrap()[0].artifact);
        assert!(contents(&path).into_values().eq([content.clone()]), "{at}");
        if !hit {
            break;
        }
    }
    assert!(failures >= 10, "only {failures} points");
}
