//! HTTPS: whom to trust, and never down to HTTP.

use crate::support::downloads::content;
use crate::support::oma::{Oma, Ran};
use crate::support::server::{Answer, Proxy, Server};

/// Runs a download with what the environment may say.
fn download(oma: &Oma, url: &str, name: &str, environment: &[(&str, &str)]) -> Ran {
    let words = ["-o", "o", "download", url, name, "--retries", "0", "--timeout", "5s"];
    let mut command = oma.command(&words);
    command.envs(environment.iter().copied());
    Ran::of(command, &words)
}

/// Writes the certificate to trust down, as the environment wants it.
fn trusting(oma: &Oma, server: &Server) -> String {
    oma.file("ca.pem", server.ca_pem())
}

#[test]
fn with_a_trusted_certificate_the_bytes_come() {
    let oma = Oma::new();
    let server = Server::start_tls();
    let content = content(3_000_000);
    let good = Answer::bytes(content.clone()).etag("\"v1\"");
    server.script("/data", vec![good.clone().cut_after(1_000_000), good]);
    let ca = trusting(&oma, &server);
    let trust = [("SSL_CERT_FILE", ca.as_str())];
    download(&oma, &server.url("/data"), "n", &trust).expect(1);
    download(&oma, &server.url("/data"), "n", &trust).expect(0);
    assert!(std::fs::read(oma.line(&["path", "o:n"])).unwrap() == content);
    assert_eq!(server.requests()[1].status, 206);
}

#[test]
fn a_certificate_that_nobody_vouches_for_is_refused() {
    let oma = Oma::new();
    let server = Server::start_tls();
    server.put("/data", Answer::bytes("text"));
    let ran = download(&oma, &server.url("/data"), "n", &[]).expect(1);
    assert!(ran.stderr.contains("not safe"), "{ran:#?}");
    let other = Server::start_tls();
    let ca = trusting(&oma, &other);
    download(&oma, &server.url("/data"), "n", &[("SSL_CERT_FILE", &ca)]).expect(1);
    assert_eq!(server.requests().len(), 0, "not even the path was told");
}

#[test]
fn a_certificate_of_another_host_is_refused() {
    let oma = Oma::new();
    let server = Server::start_tls_as("example.org");
    server.put("/data", Answer::bytes("text"));
    let ca = trusting(&oma, &server);
    let ran = download(&oma, &server.url("/data"), "n", &[("SSL_CERT_FILE", &ca)]).expect(1);
    assert!(ran.stderr.contains("not safe"), "{ran:#?}");
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn https_where_http_is_spoken_is_refused() {
    let oma = Oma::new();
    let server = Server::start();
    server.put("/data", Answer::bytes("text"));
    let url = server.url("/data").replace("http:", "https:");
    download(&oma, &url, "n", &[]).expect(1);
}

#[test]
fn from_https_no_redirect_leads_to_http() {
    let oma = Oma::new();
    let (secure, plain) = (Server::start_tls(), Server::start());
    plain.put("/data", Answer::bytes("text"));
    plain.put("/up", Answer::redirect(302, &secure.url("/data")));
    secure.put("/data", Answer::bytes("text"));
    secure.put("/down", Answer::redirect(302, &plain.url("/data")));
    plain.put("/up-and-down", Answer::redirect(302, &secure.url("/down")));
    let ca = trusting(&oma, &secure);
    let trust = [("SSL_CERT_FILE", ca.as_str())];
    for url in [secure.url("/down"), plain.url("/up-and-down")] {
        let ran = download(&oma, &url, "n", &trust).expect(1);
        assert!(ran.stderr.contains("from https to http"), "{ran:#?}");
    }
    assert_eq!(plain.requests_for("/data").len(), 0);
    download(&oma, &plain.url("/up"), "n", &trust).expect(0);
}

#[test]
fn a_proxy_sees_neither_path_nor_bytes() {
    let oma = Oma::new();
    let server = Server::start_tls();
    let proxy = Proxy::start();
    server.put("/data", Answer::bytes(content(1_000_000)));
    let ca = trusting(&oma, &server);
    let environment = [("SSL_CERT_FILE", ca.as_str()), ("https_proxy", &proxy.url())];
    download(&oma, &server.url("/data"), "n", &environment).expect(0);
    let log = proxy.requests();
    assert_eq!((log.len(), log[0].method.as_str(), &log[0].path), (1, "CONNECT", &server.authority()));
    assert!(log[0].sent > 1_000_000);
}
