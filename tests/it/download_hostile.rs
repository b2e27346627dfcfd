//! Servers that lie, stall, chatter or lead astray: each gets a clear answer, and nothing is stored.

use std::fs;
use std::time::Duration;

use ohmyartifacts::{Cache, Download, TransferOptions};

use crate::support::downloads::{assert_brought, bring, bring_as, content, hasty, impatient, only_partials, sha256};
use crate::support::oma::Oma;
use crate::support::server::{Answer, Server};
use crate::support::{Env, refused};

/// Asks for `/n` and fails the test unless the complaint says this, after so many requests.
fn assert_complains(answer: Answer, says: &str, requests: usize) {
    assert_complains_to(hasty(), answer, says, requests);
}

fn assert_complains_to(options: TransferOptions, answer: Answer, says: &str, requests: usize) {
    let env = Env::new();
    let cache = env.open();
    let server = Server::start();
    server.put("/n", answer);
    let text = refused(bring_as(&cache, "n", &Download::from(&server.url("/n")).transfer(options))).to_string();
    only_partials(&cache, &env.root());
    assert!(text.contains(says) && text.contains(&server.url("/n")), "{text}, not {says}");
    assert_eq!(server.requests().len(), requests, "{text}");
}

const EACH_TIME: usize = 3;

#[test]
fn who_says_nothing_is_given_up() {
    assert_complains_to(impatient(), Answer::silence(), "does not answer in time", EACH_TIME);
    let half = Answer::bytes(content(100_000)).hang_after(50_000);
    assert_complains_to(impatient(), half, "after 50000 bytes", EACH_TIME);
}

#[test]
fn who_drips_is_given_up() {
    // Something comes long before the time is up, again and again.
    let drip = Answer::bytes(content(10_000)).drip(1, Duration::from_millis(50));
    assert_complains_to(impatient(), drip, "nothing comes any more", EACH_TIME);
}

#[test]
fn who_is_slow_but_steady_is_not() {
    let env = Env::new();
    let server = Server::start();
    let content = content(20_000);
    server.put("/n", Answer::bytes(content.clone()).drip(200, Duration::from_millis(20)));
    let what = Download::from(&server.url("/n")).transfer(hasty().timeout(Duration::from_secs(1)));
    assert_brought(bring_as(&env.open(), "n", &what), &content);
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn lengths_that_lie_are_found_out() {
    let four = || Answer::bytes("four");
    assert_complains(four().lengths(&["5"]), "after 4 bytes", EACH_TIME);
    assert_complains(four().lengths(&["3", "5"]), "length", 1);
    assert_complains(four().lengths(&["-4"]), "HTTP", 1);
    assert_complains(four().lengths(&["4x"]), "HTTP", 1);
    assert_complains(four().lengths(&["99999999999999999999999"]), "HTTP", 1);
    assert_complains(four().chunked().cut_after(2), "after 2 bytes", EACH_TIME);
    assert_complains(four().broken_chunks(), "HTTP", EACH_TIME);
}

#[test]
fn what_is_behind_the_announced_end_is_not_taken() {
    let env = Env::new();
    let server = Server::start();
    server.put("/n", Answer::bytes("four and more").lengths(&["4"]));
    assert_brought(bring(&env.open(), "n", &server.url("/n")), b"four");
}

#[test]
fn what_announces_more_than_any_disk_has_is_refused_first() {
    let oma = Oma::new();
    let server = Server::start();
    server.put("/n", Answer::bytes("four").lengths(&["9223372036854775807"]));
    oma.fails(7, &["-o", "o", "download", &server.url("/n"), "n"]);
    assert_eq!(only_partials(&oma.open(), &oma.root()), Vec::<String>::new());
}

#[test]
fn what_is_no_http_is_refused() {
    assert_complains(Answer::raw("220 mail.example.org ESMTP\r\n\r\n"), "HTTP", 1);
    assert_complains(Answer::raw(vec![0; 100_000]), "HTTP", 1);
    assert_complains(Answer::raw("HTTP/1.1 200 OK\r\nContent-Length 4\r\n\r\nfour"), "HTTP", 1);
    assert_complains(Answer::raw("HTTP/1.1 2000 OK\r\n\r\n"), "HTTP", 1);
    assert_complains(Answer::raw(""), "cut", EACH_TIME);
    assert_complains(Answer::raw("HTTP/1.1 200 OK\r\nContent-Le"), "", EACH_TIME);
}

#[test]
fn headers_have_an_end() {
    assert_complains(Answer::bytes("four").header("X-Long", &"x".repeat(200_000)), "headers", 1);
    let many = (0..5_000).fold(Answer::bytes("four"), |answer, number| answer.header(&format!("X-{number}"), "x"));
    assert_complains(many, "headers", 1);
}

#[test]
fn control_characters_of_a_server_do_not_reach_the_terminal() {
    let oma = Oma::new();
    let server = Server::start();
    // The protocol allows what is no ASCII; what controls a terminal ends the conversation.
    server.put("/n", Answer::bytes("four").etag("\"\u{202e}v\u{9b}31m\""));
    server.put("/c", Answer::bytes("four").last_modified("\u{1b}[31m"));
    let url = format!("{}\u{1b}[31m", server.url("/n"));
    oma.run(&["-o", "o", "download", &url, "n"]).assert_printable();
    oma.run(&["-o", "o", "download", &server.url("/c"), "c"]).expect(1).assert_printable();
    oma.ok(&["-o", "o", "download", &server.url("/n"), "m"]);
    oma.ok(&["show", "o:m"]).assert_printable();
    oma.ok(&["--json", "show", "o:m"]).assert_printable();
    server.put("/r", Answer::redirect(302, "x\u{1b}[31m://y"));
    oma.run(&["-o", "o", "download", &server.url("/r"), "r"]).expect(1).assert_printable();
}

#[test]
fn packing_that_was_not_asked_for_and_is_not_known_is_refused() {
    assert_complains(Answer::bytes("four").header("Content-Encoding", "br"), "`br`", 1);
    assert_complains(Answer::bytes("no gzip").header("Content-Encoding", "gzip"), "", EACH_TIME);
}

#[test]
fn a_small_answer_cannot_fill_the_disk() {
    use std::io::Write as _;

    let env = Env::new();
    let server = Server::start();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&vec![0; 64 * 1024 * 1024]).unwrap();
    server.put("/n", Answer::bytes(encoder.finish().unwrap()).header("Content-Encoding", "gzip"));
    let what = Download::from(&server.url("/n")).transfer(hasty().max_size(Some(1_000_000)));
    let cache = env.open();
    let error = refused(bring_as(&cache, "n", &what));
    assert!(error.to_string().contains("allowed"), "{error}");
    let on_disk: u64 = fs::read_dir(env.root().join("tmp/partial"))
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .sum();
    assert!(on_disk < 3_000_000, "{on_disk}");
}

#[test]
fn redirects_are_followed_where_they_are_safe() {
    let env = Env::new();
    let cache = env.open();
    let (server, other) = (Server::start(), Server::start());
    server.put("/d/good", Answer::bytes("good"));
    other.put("/good", Answer::bytes("good"));
    for status in [301, 302, 303, 307, 308] {
        let path = format!("/{status}");
        server.put(&path, Answer::redirect(status, "d/good"));
        assert_brought(bring(&cache, &path, &server.url(&path)), b"good");
    }
    server.put("/away", Answer::redirect(302, &other.url("/good")));
    server.put("/schemeless", Answer::redirect(302, &format!("//{}/good", other.authority())));
    for path in ["/away", "/schemeless"] {
        assert_brought(bring(&cache, path, &server.url(path)), b"good");
    }
    // Where it came from is what was asked for, not where that led today.
    let bound = cache.bindings(None).unwrap().into_iter().find(|binding| binding.name == "/away").unwrap();
    let sources = cache.details(&bound.artifact).unwrap().sources;
    assert!(sources.iter().any(|source| source.location == server.url("/away")), "{sources:?}");
    assert!(!sources.iter().any(|source| source.location == other.url("/good")), "{sources:?}");
    let last = (1..10).fold("/d/good".to_owned(), |target, number| {
        server.put(&format!("/hop{number}"), Answer::redirect(302, &target));
        format!("/hop{number}")
    });
    assert_brought(bring(&cache, "hops", &server.url(&last)), b"good");
}

#[test]
fn redirects_lead_nowhere_else() {
    assert_complains(Answer::redirect(302, "/n"), "more than 10 times", 11);
    assert_complains(Answer::redirect(302, "file:///etc/passwd"), "`file:`", 1);
    assert_complains(Answer::redirect(302, "ftp://example.org/"), "`ftp:`", 1);
    assert_complains(Answer::redirect(302, "data:text/plain,four"), "`data:`", 1);
    assert_complains(Answer::redirect(302, "http://"), "no address", 1);
    assert_complains(Answer::status(302), "nowhere", 1);
    assert_complains(Answer::status(300), "300", 1);
}

#[test]
fn a_redirect_takes_no_credentials_along() {
    let oma = Oma::new();
    let (server, other) = (Server::start(), Server::start());
    other.put("/data", Answer::bytes("text"));
    server.put("/away", Answer::redirect(307, &other.url("/data")));
    server.put("/here", Answer::redirect(307, "/data"));
    server.put("/data", Answer::bytes("text").for_user("me:s3cret"));
    let header = ["--header", "X-Token: t0ken"];
    for (path, name) in [("/away", "a"), ("/here", "b")] {
        let words = ["-o", "o", "download", &server.url_as("me:s3cret", path), name];
        oma.ok(&[&words[..], &header].concat());
    }
    for request in server.requests() {
        assert!(request.header("authorization").is_some() && request.header("x-token") == Some("t0ken"), "{request:?}");
        assert_eq!(request.header("cookie"), None);
    }
    let abroad = &other.requests()[0];
    assert_eq!((abroad.header("authorization"), abroad.header("x-token")), (None, None), "{abroad:?}");
    // A server cannot make up a user either.
    server.put("/made-up", Answer::redirect(302, &other.url_as("root:root", "/data")));
    oma.ok(&["-o", "o", "download", &server.url("/made-up"), "c"]);
    assert_eq!(other.requests()[1].header("authorization"), None);
}

#[test]
fn secrets_are_written_and_shown_nowhere() {
    let oma = Oma::new();
    let server = Server::start();
    let content = content(2_000_000);
    let good = Answer::bytes(content.clone()).etag("\"v1\"").for_user("me:pa55word");
    server.script("/data", vec![good.clone().cut_after(1_000_000), good.clone(), Answer::status(403)]);
    let url = format!("{}?X-Amz-Signature=s1gnature&v=1", server.url_as("me:pa55word", "/data"));
    let headers = oma.file("headers", "X-File: f1leheader\n\n");
    let (file, sum) = (format!("@{headers}"), sha256(&content));
    let words = [
        "--json",
        "-v",
        "-o",
        "o",
        "download",
        &url,
        "n",
        "--header",
        "X-Token: t0ken",
        "--header",
        &file,
        "--retries",
        "0",
    ];
    let with_sum = [&words[..], &["--sha256", &sum]].concat();
    let mut said = String::new();
    for (words, code) in [(&with_sum, 1), (&with_sum, 0), (&[&words[..], &["--force"]].concat(), 1)] {
        let ran = oma.fails(code, words);
        said = format!("{said}{}{}", ran.stdout, ran.stderr);
    }
    let request = &server.requests()[1];
    assert_eq!((request.header("x-token"), request.header("x-file")), (Some("t0ken"), Some("f1leheader")));
    assert!(request.path.ends_with("?X-Amz-Signature=s1gnature&v=1"));
    for words in [&["--json", "show", "o:n"][..], &["history"], &["--json", "ls"], &["export", "-o", "o"]] {
        let ran = oma.run(words);
        said = format!("{said}{}{}", ran.stdout, ran.stderr);
    }
    assert!(said.contains("/data"), "{said}");
    for secret in ["pa55word", "s1gnature", "t0ken", "f1leheader", &crate::support::server::basic("me:pa55word")] {
        assert!(!said.contains(secret), "{secret} was shown: {said}");
        for entry in walkdir::WalkDir::new(oma.root()).into_iter().map(|entry| entry.unwrap()) {
            let path = entry.path();
            let found = if path.is_file() { fs::read(path).unwrap() } else { Vec::new() };
            let holds = found.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!holds, "{secret} is in {}", path.display());
        }
    }
}

#[test]
fn headers_that_are_none_are_refused() {
    let oma = Oma::new();
    let server = Server::start();
    server.put("/n", Answer::bytes("four"));
    let url = server.url("/n");
    let header = |text: &str| oma.run(&["-o", "o", "download", &url, "n", "--header", text]);
    for none in ["no colon, but a s3cret", ": s3cret", "X-S: s3cret\r\nX-B: b"] {
        let ran = header(none).expect(2);
        assert!(!ran.stderr.contains("s3cret") && ran.stderr.contains("NAME: VALUE"), "{ran:#?}");
    }
    for smuggled in ["X-A: a\nX-B: b", "X A: a", "X-\r\nA: a"] {
        assert_ne!(header(smuggled).code, Some(0), "{smuggled:?}");
    }
    assert_eq!(server.requests().len(), 0);
    oma.fails(3, &["-o", "o", "download", &url, "n", "--header", "@/no/such/file"]);
}

#[test]
fn a_store_that_cannot_be_written_is_noticed_before_anybody_is_asked() {
    let env = Env::new();
    let server = Server::start();
    server.put("/n", Answer::bytes("four"));
    drop(env.open());
    let cache = Cache::open(env.options().read_only(true)).unwrap();
    refused(bring(&cache, "n", &server.url("/n")));
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn a_folder_for_partial_files_that_leads_away_is_not_used() {
    let env = Env::new();
    let server = Server::start();
    server.put("/n", Answer::bytes("four"));
    let cache = env.open();
    fs::create_dir(env.path("elsewhere")).unwrap();
    std::os::unix::fs::symlink(env.path("elsewhere"), env.root().join("tmp/partial")).unwrap();
    refused(bring(&cache, "n", &server.url("/n")));
    assert_eq!(fs::read_dir(env.path("elsewhere")).unwrap().count(), 0);
}
