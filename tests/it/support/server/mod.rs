//! A web server that behaves as well, or as badly, as a test wants.
//!
//! Why: what a program does with a cut connection, a lying length or a redirect into the file system shows only
//! before a server that does such things, and what it saves shows only in the server's own log.
//! Guarantees: what an [`Answer`] leaves out is done by RFC 9110; each request is in the log before its answer
//! goes out; nothing outlives the test for long, not even an answer that hangs.
//! Must not know: the program under test. Plain sockets, so that the two cannot agree on a mistake.

mod answer;
mod deliver;
mod proxy;
mod tls;
mod wire;

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

pub(crate) use answer::{Answer, basic};
pub(crate) use proxy::Proxy;
pub(crate) use wire::Request;

use deliver::{Delivery, deliver};
use tls::Identity;
use wire::Stream;

/// A server on a port of its own, until it is dropped.
pub(crate) struct Server {
    address: SocketAddr,
    identity: Option<Identity>,
    shared: Arc<Shared>,
}

/// What the connections' threads share.
#[derive(Default)]
struct Shared {
    scripts: Mutex<HashMap<String, Script>>,
    log: Mutex<Vec<Request>>,
    closing: AtomicBool,
}

/// The answers to a path's requests, in order; the last one repeats.
struct Script {
    answers: Vec<Answer>,
    asked: usize,
}

impl Server {
    /// Speaks HTTP.
    pub(crate) fn start() -> Self {
        Self::listen(None)
    }

    /// Speaks HTTPS, with a certificate for this machine that only [`Server::ca_pem`] vouches for.
    pub(crate) fn start_tls() -> Self {
        Self::listen(Some(Identity::for_names(&["localhost", "127.0.0.1"])))
    }

    /// Speaks HTTPS with a certificate for another host.
    pub(crate) fn start_tls_as(name: &str) -> Self {
        Self::listen(Some(Identity::for_names(&[name])))
    }

    fn listen(identity: Option<Identity>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("a bound socket");
        let shared = Arc::<Shared>::default();
        let config = identity.as_ref().map(Identity::config);
        let theirs = Arc::clone(&shared);
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                if theirs.closing.load(Ordering::Acquire) {
                    return;
                }
                let (shared, config) = (Arc::clone(&theirs), config.clone());
                thread::spawn(move || match config {
                    None => shared.converse(connection),
                    Some(config) => shared.converse(tls::wrap(connection, config)),
                });
            }
        });
        Self { address, identity, shared }
    }

    /// Answers all requests for `path` so from now on.
    pub(crate) fn put(&self, path: &str, answer: Answer) {
        self.script(path, vec![answer]);
    }

    /// Answers the next requests for `path` with these in turn, and all further ones with the last.
    pub(crate) fn script(&self, path: &str, answers: Vec<Answer>) {
        assert!(!answers.is_empty(), "a script has a last answer");
        lock(&self.shared.scripts).insert(path.to_owned(), Script { answers, asked: 0 });
    }

    /// The address of a path.
    pub(crate) fn url(&self, path: &str) -> String {
        let scheme = if self.identity.is_some() { "https" } else { "http" };
        format!("{scheme}://{}{path}", self.address)
    }

    /// The address of a path, with a user's name and password.
    pub(crate) fn url_as(&self, user: &str, path: &str) -> String {
        self.url(path).replacen("://", &format!("://{user}@"), 1)
    }

    /// `HOST:PORT`.
    pub(crate) fn authority(&self) -> String {
        self.address.to_string()
    }

    /// The certificate to trust.
    pub(crate) fn ca_pem(&self) -> &str {
        self.identity.as_ref().expect("a server with TLS").ca_pem()
    }

    /// All requests so far, in the order of their arrival.
    pub(crate) fn requests(&self) -> Vec<Request> {
        lock(&self.shared.log).clone()
    }

    /// The requests for one path.
    pub(crate) fn requests_for(&self, path: &str) -> Vec<Request> {
        self.requests().into_iter().filter(|request| request.path == path).collect()
    }

    /// The bytes of content sent so far.
    pub(crate) fn sent(&self) -> u64 {
        self.requests().iter().map(|request| request.sent).sum()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::Release);
        // The listener waits for somebody to come.
        drop(TcpStream::connect(self.address));
    }
}

impl Shared {
    /// Answers one request after another until either side has enough.
    fn converse(&self, mut stream: impl Stream) {
        while let Some(request) = Request::read(&mut stream) {
            let answer = self.next_answer(&request.path);
            let number = self.note(request.clone());
            let delivery = Delivery { shared: self, number };
            if !deliver(&mut stream, &answer, &request, &delivery).is_ok_and(|stays| stays) {
                return;
            }
        }
    }

    fn next_answer(&self, path: &str) -> Answer {
        let mut scripts = lock(&self.scripts);
        let known = path.split('?').next().unwrap_or_default();
        let Some(script) = scripts.get_mut(known) else { return Answer::status(404) };
        let number = script.asked.min(script.answers.len() - 1);
        script.asked += 1;
        script.answers[number].clone()
    }

    fn note(&self, request: Request) -> usize {
        let mut log = lock(&self.log);
        log.push(request);
        log.len() - 1
    }
}

/// A thread that panicked fails its test anyway.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
