//! Many processes want the same bytes at once: they come once.

use std::process::Child;
use std::time::Duration;

use crate::support::downloads::content;
use crate::support::leftovers;
use crate::support::oma::{Oma, Ran, finish};
use crate::support::server::{Answer, Server};

const CALLERS: usize = 8;

/// Long enough that all have come before it ends, as each of them comes while it goes on.
fn slow(bytes: &[u8]) -> Answer {
    Answer::bytes(bytes).etag("\"v1\"").drip(bytes.len() / 40, Duration::from_millis(20))
}

fn all(callers: Vec<Child>) -> Vec<Ran> {
    callers.into_iter().map(finish).collect()
}

fn assert_clean(oma: &Oma) {
    assert_eq!(leftovers(&oma.root()), Vec::<String>::new(), "all went without leaving anything");
    oma.ok(&["verify"]);
}

#[test]
fn under_one_name() {
    for if_missing in [true, false] {
        let oma = Oma::new();
        let server = Server::start();
        let content = content(400_000);
        server.put("/data", slow(&content));
        let url = server.url("/data");
        let mut words = vec!["-o", "o", "download", &url, "data"];
        words.extend(if_missing.then_some("--if-missing"));
        let callers = all((0..CALLERS).map(|_| oma.start(&words)).collect());
        let hash = oma.line(&["hash", "o:data"]);
        for ran in callers {
            // Without the option, who comes too late is told that the name is taken.
            let taken = !if_missing && ran.code == Some(5);
            assert!(taken || (ran.code == Some(0) && ran.stdout.trim_end() == hash), "{ran:#?}");
        }
        assert_eq!((server.requests().len(), server.sent()), (1, 400_000));
        assert_clean(&oma);
    }
}

#[test]
fn under_many_names_and_owners() {
    let oma = Oma::new();
    let server = Server::start();
    let content = content(400_000);
    server.put("/data", slow(&content));
    let url = server.url("/data");
    let names: Vec<String> = (0..CALLERS).map(|number| format!("n{number}")).collect();
    let start = |name: &String| oma.start(&["-o", &format!("o{}", name.len() % 2), "download", &url, name]);
    for ran in all(names.iter().map(start).collect()) {
        ran.expect(0);
    }
    // Who did not wait came later, and asks whether it is still the newest.
    let log = server.requests();
    assert_eq!(server.sent(), 400_000, "it came once");
    assert!(log[1..].iter().all(|request| request.status == 304), "{log:#?}");
    let bound = oma.json(&["ls"]);
    let bound = bound.as_array().unwrap();
    assert_eq!(bound.len(), CALLERS);
    assert!(bound.iter().all(|row| row["hash"] == bound[0]["hash"]));
    assert_clean(&oma);
}

#[test]
fn when_one_is_killed_another_goes_on_where_it_was() {
    let oma = Oma::new();
    oma.ok(&["init"]);
    let server = Server::start();
    let content = content(3_000_000);
    let good = Answer::bytes(content.clone()).etag("\"v1\"");
    server.script("/data", vec![good.clone().hang_after(2_000_000), good]);
    let words = ["-o", "o", "download", &server.url("/data"), "n", "--if-missing"];
    let mut first = oma.start(&words);
    while server.sent() < 2_000_000 {
        std::thread::sleep(Duration::from_millis(10));
    }
    let waiting: Vec<Child> = (0..3).map(|_| oma.start(&words)).collect();
    // Whether they wait already or not: they end the same way.
    std::thread::sleep(Duration::from_millis(300));
    first.kill().unwrap();
    first.wait().unwrap();
    for ran in all(waiting) {
        ran.expect(0);
    }
    let log = server.requests();
    assert_eq!((log.len(), log[1].status), (2, 206), "{log:#?}");
    assert!(log[1].sent < 1_600_000, "most of what was there did not come again: {log:#?}");
    assert!(!leftovers(&oma.root()).iter().any(|name| name.contains("partial")), "all was used");
    oma.ok(&["verify"]);
}

#[test]
fn different_addresses_do_not_wait_for_each_other() {
    let oma = Oma::new();
    let server = Server::start();
    server.put("/slow", Answer::silence());
    server.put("/quick", Answer::bytes("quick"));
    let mut slow = oma.start(&["-o", "o", "download", &server.url("/slow"), "slow"]);
    while server.requests().is_empty() {
        std::thread::sleep(Duration::from_millis(10));
    }
    oma.ok(&["--wait", "0", "-o", "o", "download", &server.url("/quick"), "quick"]);
    let ran = oma.fails(6, &["--wait", "0", "-o", "o", "download", &server.url("/slow"), "other"]);
    assert!(ran.stderr.contains("/slow"), "it says what it waits for: {ran:#?}");
    slow.kill().unwrap();
    slow.wait().unwrap();
}
