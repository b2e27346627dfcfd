//! The tests' own web server against `curl`: where it is meant to behave, it must.

use std::process::{Command, Output, Stdio};
use std::time::Duration;

use crate::support::server::{Answer, Proxy, Server};

const DATE: &str = "Wed, 01 Jan 2025 00:00:00 GMT";

fn content() -> Vec<u8> {
    (0..600_000_u32).flat_map(u32::to_le_bytes).collect()
}

fn curl(words: &[&str]) -> Output {
    let mut command = Command::new("curl");
    let command = command
        .args(["-sS", "--max-time", "30"])
        .args(words)
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
    command.stdin(Stdio::null()).output().expect("`curl` runs")
}

fn body(words: &[&str]) -> Vec<u8> {
    let output = curl(words);
    assert!(output.status.success(), "curl {words:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// The status and what `curl` wrote, joined.
fn status(words: &[&str]) -> String {
    String::from_utf8_lossy(&body(&[&["-o", "/dev/null", "-w", "%{http_code} %{size_download}"], words].concat()))
        .into()
}

#[test]
fn content_comes_whole_and_in_parts() {
    let server = Server::start();
    let content = content();
    server.put("/data", Answer::bytes(content.clone()).etag("\"v1\"").last_modified(DATE));
    let url = server.url("/data");
    assert!(body(&[&url]) == content);
    assert!(body(&["-r", "1000-", &url]) == content[1000..]);
    assert!(body(&["-r", "10-19", &url]) == content[10..20]);
    assert!(body(&["-r", "-7", &url]) == content[content.len() - 7..]);
    assert_eq!(status(&["-r", "9999999-", &url]), "416 0");
    assert_eq!(status(&["-r", "5-", "-H", "If-Range: \"v1\"", &url]), "206 2399995");
    assert_eq!(status(&["-r", "5-", "-H", "If-Range: \"v2\"", &url]), "200 2400000");
    assert_eq!(status(&["-r", "5-", "-H", &format!("If-Range: {DATE}"), &url]), "206 2399995");
    let log = server.requests();
    assert_eq!(log[1].header("range"), Some("bytes=1000-"));
    assert_eq!((log[1].status, log[1].sent), (206, 2_399_000));
    let head = String::from_utf8(body(&["-I", &url])).unwrap();
    assert!(head.contains("Content-Length: 2400000") && head.contains("ETag: \"v1\""), "{head}");
}

#[test]
fn what_is_known_is_not_sent_again() {
    let server = Server::start();
    server.put("/data", Answer::bytes("text").etag("W/\"v1\"").last_modified(DATE));
    server.put("/dated", Answer::bytes("text").last_modified(DATE));
    let url = server.url("/data");
    assert_eq!(status(&["-H", "If-None-Match: \"v0\", \"v1\"", &url]), "304 0");
    assert_eq!(status(&["-H", "If-None-Match: \"v0\"", "-H", &format!("If-Modified-Since: {DATE}"), &url]), "200 4");
    assert_eq!(status(&["-H", &format!("If-Modified-Since: {DATE}"), &server.url("/dated")]), "304 0");
}

#[test]
fn frames_end_where_they_should() {
    let server = Server::start();
    let content = content();
    server.put("/chunked", Answer::bytes(content.clone()).chunked());
    server.put("/close", Answer::bytes(content.clone()).until_close());
    server.put("/drip", Answer::bytes("0123456789").drip(3, Duration::from_millis(1)));
    server.put("/empty", Answer::bytes(""));
    assert!(body(&[&server.url("/chunked")]) == content);
    assert!(body(&[&server.url("/close")]) == content);
    assert_eq!(body(&[&server.url("/drip"), &server.url("/empty"), &server.url("/drip")]), b"01234567890123456789");
    // curl's names for a transfer that ended early, and for what is no HTTP.
    let failure = |path: &str| curl(&[&server.url(path)]).status.code();
    server.put("/cut", Answer::bytes(content.clone()).cut_after(1_000));
    server.put("/cut-chunk", Answer::bytes(content).chunked().cut_after(300_000));
    server.put("/long", Answer::bytes("text").lengths(&["5"]));
    server.put("/chunks", Answer::bytes("text").broken_chunks());
    assert_eq!(["/cut", "/cut-chunk", "/long", "/chunks"].map(failure), [Some(18), Some(18), Some(18), Some(56)]);
    assert_eq!(server.requests_for("/cut")[0].sent, 1_000);
}

#[test]
fn scripts_redirects_and_users() {
    let server = Server::start();
    server.script("/flaky", vec![Answer::status(503), Answer::redirect(302, "/there"), Answer::status(410)]);
    server.put("/there", Answer::bytes("there").for_user("me:secret"));
    let flaky = server.url("/flaky");
    assert_eq!(status(&[&flaky]), "503 24");
    assert_eq!(status(&["-L", "--user", "me:secret", &flaky]), "200 5");
    assert_eq!(status(&[&flaky]), "410 24");
    assert_eq!(status(&[&flaky]), "410 24");
    assert_eq!(status(&[&server.url("/there")]), "401 0");
    assert_eq!(status(&[&server.url("/nothing")]), "404 24");
}

#[test]
fn https_and_proxies() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start_tls();
    let plain = Server::start();
    let proxy = Proxy::start();
    let content = content();
    server.put("/data", Answer::bytes(content.clone()));
    plain.put("/data", Answer::bytes(content.clone()));
    let ca = dir.path().join("ca.pem");
    std::fs::write(&ca, server.ca_pem()).unwrap();
    let (url, ca) = (server.url("/data"), ca.to_str().unwrap());
    assert!(body(&["--cacert", ca, &url]) == content);
    assert!(body(&["--cacert", ca, "--proxy", &proxy.url(), &url]) == content);
    assert!(body(&["--proxy", &proxy.url_as("me:secret"), &plain.url("/data")]) == content);
    assert_eq!(curl(&[&url]).status.code(), Some(60), "nobody else trusts it");
    let log = proxy.requests();
    assert_eq!((log[0].method.as_str(), log[1].method.as_str()), ("CONNECT", "GET"));
    assert_eq!(log[1].path, plain.url("/data"));
    assert!(log[1].header("proxy-authorization").is_some() && log[0].sent > 2_400_000);
    assert_eq!(plain.requests()[0].header("proxy-authorization"), None);
}
