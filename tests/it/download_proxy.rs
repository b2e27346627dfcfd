//! Proxies, by what the environment says of them.

use crate::support::oma::{Oma, Ran};
use crate::support::server::{Answer, Proxy, Server, basic};

/// Downloads in such an environment; returns the run, and how often the proxy and the server were asked.
fn ask(environment: &[(&str, &str)], proxy: &Proxy) -> (Ran, usize, usize) {
    let oma = Oma::new();
    let server = Server::start();
    server.put("/data", Answer::bytes("text"));
    let words = ["-o", "o", "download", &server.url("/data"), "n", "--retries", "0", "--timeout", "5s"];
    let mut command = oma.command(&words);
    command.envs(environment.iter().copied());
    let before = proxy.requests().len();
    let ran = Ran::of(command, &words);
    (ran, proxy.requests().len() - before, server.requests().len())
}

fn assert_passes(environment: &[(&str, &str)], proxy: &Proxy, through: usize) {
    let (ran, passed, served) = ask(environment, proxy);
    ran.expect(0);
    assert_eq!((passed, served), (through, 1), "{environment:?}");
}

#[test]
fn the_environment_names_one_for_each_scheme() {
    let proxy = Proxy::start();
    let url = proxy.url();
    assert_passes(&[], &proxy, 0);
    assert_passes(&[("http_proxy", &url)], &proxy, 1);
    assert_passes(&[("all_proxy", &url)], &proxy, 1);
    assert_passes(&[("ALL_PROXY", &url)], &proxy, 1);
    assert_passes(&[("https_proxy", &url)], &proxy, 0);
    assert_passes(&[("http_proxy", "")], &proxy, 0);
    assert_passes(&[("http_proxy", url.trim_start_matches("http://"))], &proxy, 1);
    // A web server sets this one from a request's header.
    assert_passes(&[("HTTP_PROXY", &url)], &proxy, 0);
}

#[test]
fn it_names_hosts_that_need_none() {
    let proxy = Proxy::start();
    let with = |exceptions: &str, through| {
        assert_passes(&[("http_proxy", &proxy.url()), ("no_proxy", exceptions)], &proxy, through);
    };
    with("127.0.0.1", 0);
    with("example.org, 127.0.0.1", 0);
    with("*", 0);
    with("example.org", 1);
    with("", 1);
    assert_passes(&[("http_proxy", &proxy.url()), ("NO_PROXY", "127.0.0.1")], &proxy, 0);
}

#[test]
fn a_proxy_gets_its_own_credentials_and_the_server_none_of_them() {
    let proxy = Proxy::start();
    let (ran, passed, _) = ask(&[("http_proxy", &proxy.url_as("me:pa55word"))], &proxy);
    ran.expect(0);
    assert_eq!(passed, 1);
    assert_eq!(proxy.requests()[0].header("proxy-authorization"), Some(basic("me:pa55word").as_str()));
    assert_eq!(proxy.requests()[0].header("authorization"), None);
}

#[test]
fn a_proxy_that_is_none_is_an_error_and_shows_no_password() {
    let proxy = Proxy::start();
    let dead = { Server::start().url("").replacen("://", "://me:pa55word@", 1) };
    for named in [dead.as_str(), "http://me:pa55word@[bad", "gopher://me:pa55word@127.0.0.1:1"] {
        let (ran, _, served) = ask(&[("http_proxy", named)], &proxy);
        let ran = ran.expect(1);
        assert!(!ran.stderr.contains("pa55word"), "{ran:#?}");
        assert_eq!(served, 0, "who wants a proxy does not want to be seen without: {named}");
    }
}
