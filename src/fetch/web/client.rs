//! The program's side of a connection: timeouts, proxies, and whom to trust.

use std::cell::OnceCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Proxy};

use crate::event::Interrupt;

/// How this program names itself.
const USER_AGENT: &str = concat!("ohmyartifacts/", env!("CARGO_PKG_VERSION"));
/// Bytes of headers that are still taken.
const LONGEST_HEADERS: usize = 64 * 1024;
/// How often it is looked whether somebody wants to stop.
const WATCH: Duration = Duration::from_millis(50);
/// Bytes move from the socket in pieces of this size.
const INPUT: usize = 256 * 1024;

/// Makes connections for one attempt.
pub(super) struct Client {
    stall: Duration,
    plain: OnceCell<Agent>,
    secure: OnceCell<Agent>,
    /// What to shut down when somebody wants to stop.
    made: Arc<std::sync::Mutex<Vec<Agent>>>,
}

impl Client {
    /// A connection on which nothing comes for `stall` is given up.
    pub(super) fn new(stall: Duration) -> Self {
        Self { stall, plain: OnceCell::new(), secure: OnceCell::new(), made: Arc::default() }
    }

    /// Returns what speaks HTTP, or HTTPS.
    ///
    /// # Errors
    /// [`ureq::Error::InvalidProxyUrl`] if the environment wants a proxy and does not say which: whoever wants
    /// one does not want to be seen without.
    pub(super) fn agent(&self, secure: bool) -> Result<&Agent, ureq::Error> {
        let cell = if secure { &self.secure } else { &self.plain };
        if let Some(agent) = cell.get() {
            return Ok(agent);
        }
        let agent = self.make(proxy(secure)?, secure);
        self.made.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(agent.clone());
        Ok(cell.get_or_init(|| agent))
    }

    fn make(&self, proxy: Option<Proxy>, secure: bool) -> Agent {
        let limit = Some(self.stall);
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            // Each redirect is looked at before it is followed.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(proxy)
            .user_agent(USER_AGENT)
            // The bytes as they are, not packed for the way.
            .accept_encoding("identity")
            .max_response_header_size(LONGEST_HEADERS)
            .input_buffer_size(INPUT)
            .timeout_resolve(limit)
            .timeout_connect(limit)
            .timeout_send_request(limit)
            .timeout_recv_response(limit)
            .timeout_per_read(limit);
        if secure {
            config = config.tls_config(TlsConfig::builder().root_certs(trusted()).build());
        }
        config.build().new_agent()
    }

    /// Runs an exchange, and cuts its connections when somebody wants to stop.
    pub(super) fn watched<T>(&self, interrupt: &Interrupt, exchange: impl FnOnce() -> T) -> T {
        let over = AtomicBool::new(false);
        let made = &self.made;
        std::thread::scope(|scope| {
            let watcher = scope.spawn(|| {
                while !over.load(Ordering::Acquire) {
                    if interrupt.requested() {
                        let agents = made.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
                        agents.into_iter().for_each(Agent::shutdown);
                    }
                    std::thread::park_timeout(WATCH);
                }
            });
            let end = End { over: &over, watcher: watcher.thread() };
            let outcome = exchange();
            drop(end);
            outcome
        })
    }
}

/// Ends the watcher, also when the exchange panics.
struct End<'a> {
    over: &'a AtomicBool,
    watcher: &'a std::thread::Thread,
}

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Release);
        self.watcher.unpark();
    }
}

/// Whom the system trusts, or `SSL_CERT_FILE` and `SSL_CERT_DIR` name; where it says nothing, whom Mozilla
/// trusts.
fn trusted() -> RootCerts {
    let found = rustls_native_certs::load_native_certs().certs;
    if found.is_empty() {
        return RootCerts::WebPki;
    }
    let certificates: Vec<Certificate<'static>> =
        found.iter().map(|certificate| Certificate::from_der(certificate).to_owned()).collect();
    RootCerts::new_with_certs(&certificates)
}

/// The proxy that the environment names, by the rules of curl: one for each scheme, or one for all, and none
/// for the hosts of `no_proxy`. `HTTP_PROXY` is not asked: a web server may set it from a request.
fn proxy(secure: bool) -> Result<Option<Proxy>, ureq::Error> {
    let names: &[&str] = if secure {
        &["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]
    } else {
        &["http_proxy", "all_proxy", "ALL_PROXY"]
    };
    let set = names.iter().find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
    let Some(named) = set else { return Ok(None) };
    // Whatever is wrong with it, its text may hold a password.
    let proxy = Proxy::new(&named).map_err(|_| ureq::Error::InvalidProxyUrl)?;
    let mut builder =
        Proxy::builder(proxy.protocol()).host(proxy.host()).port(proxy.port()).resolve_target(proxy.resolve_target());
    if let Some(name) = proxy.username() {
        builder = builder.username(name);
    }
    if let Some(password) = proxy.password() {
        builder = builder.password(password);
    }
    let exceptions = std::env::var("no_proxy").or_else(|_| std::env::var("NO_PROXY")).unwrap_or_default();
    for host in exceptions.split(',').map(str::trim).filter(|host| !host.is_empty()) {
        builder = builder.no_proxy(host);
    }
    builder.build().map(Some)
}
